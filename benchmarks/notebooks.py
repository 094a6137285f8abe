"""How long the notebooks take: Run All of each, and nbval of all of them together.

Run as ``python benchmarks/notebooks.py [--rounds 3] [--cells]``. A run is what the menu of JupyterLab
does, kernel started and all, and the least of the rounds counts: the others had company. nbval compares
every output with the one stored, as `make notebooks` does in each of its two time zones.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
RUN_ALL, NBVAL = 15.0, 180.0
SHOWN = 5
QUIET = ["--IPKernelApp.log_level=40"]
VALIDATE = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]


def main() -> None:
    """Measure, print a table, and say whether each measure is met."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=3, help="runs of each notebook")
    asked.add_argument("--cells", action="store_true", help="the slowest cells, too")
    given = asked.parse_args()
    print(f"| notebook | Run All, s | at most {RUN_ALL:g} |\n|---|---|---|")
    for path in NOTEBOOKS:
        runs = [run_all(path) for _ in range(given.rounds)]
        taken, cells = min(runs, key=lambda run: run[0])
        print(f"| {path.stem} | {taken:.1f} | {verdict(taken, RUN_ALL)} |", flush=True)
        if given.cells:
            print("".join(f"    {seconds:5.1f} s  {first}\n" for seconds, first in cells[:SHOWN]))
    taken = nbval()
    print(f"\nnbval of all, once: {taken:.0f} s, at most {NBVAL:g}: {verdict(taken, NBVAL)}")


def run_all(path: Path) -> tuple[float, list[tuple[float, str]]]:
    """Seconds of a run of every cell, and of each cell, the slowest first."""
    book = nbformat.read(path, as_version=4)
    client = NotebookClient(
        book,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=QUIET,
    )
    cells = []
    began = time.perf_counter()
    with client.setup_kernel():
        for place, cell in enumerate(book.cells):
            before = time.perf_counter()
            client.execute_cell(cell, place)
            cells.append((time.perf_counter() - before, cell.source.partition("\n")[0]))
        taken = time.perf_counter() - began
    return taken, sorted(cells, reverse=True)


def nbval() -> float:
    """Seconds in which all notebooks are run and compared.

    Raises
    ------
    SystemExit
        If an output differs from the one stored: such a run says nothing.
    """
    began = time.perf_counter()
    done = subprocess.run(  # noqa: S603
        [sys.executable, *VALIDATE, "-o", "testpaths=notebooks", "notebooks"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    taken = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"nbval found differences:\n{done.stdout[-3000:]}")
    return taken


def verdict(found: float, limit: float) -> str:
    """Say whether a measure is met."""
    return "met" if found <= limit else "NOT MET"


if __name__ == "__main__":
    main()
