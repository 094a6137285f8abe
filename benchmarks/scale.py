"""How seconds and memory of every KPI of the catalogue grow with the rows of history.

Run as ``python benchmarks/scale.py [--rows 100000 1000000 10000000] [--only mrr]``. Each size is a
store of Parquet files, written by one process, and computed by another that opens it and asks every
KPI once: what it peaks at is what a notebook would.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.company import AS_OF, company  # noqa: E402
from benchmarks.run import highest, say, verdict  # noqa: E402 - the script may run from anywhere
from kpi import Definitions, Snapshot, board  # noqa: E402
from kpi.catalogue import KPIS  # noqa: E402
from kpi.conform import conform  # noqa: E402
from kpi.definitions import Count  # noqa: E402

SIZES = [100_000, 1_000_000, 10_000_000]
GROWTH, PEAK = 1.05, 3_000
OPENED, BOARD = "opening the snapshot", "board"


def main() -> None:
    """Measure every size, print a table, and say of each measure whether it is met."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, nargs="+", default=SIZES, help="rows of history")
    asked.add_argument("--only", nargs="+", default=[], metavar="KPI")
    asked.add_argument("--folder", type=Path, help="keep the stores here, for the next run")
    asked.add_argument("--make", type=int, help=argparse.SUPPRESS)
    asked.add_argument("--ask", action="store_true", help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.make:
        make(given.make, given.folder)
    elif given.ask:
        for line in ask(given.folder, given.only):
            say(json.dumps(line))
    else:
        with tempfile.TemporaryDirectory() as folder:
            report(
                pd.concat([one(n, given.folder or Path(folder), given.only) for n in given.rows])
            )


def one(rows: int, folder: Path, only: list[str]) -> pd.DataFrame:
    """Every KPI once on a company of one size, in a process of its own."""
    store = folder / f"company_{rows}"
    if not store.exists():
        run("--make", str(rows), "--folder", str(store))
    lines = run("--ask", "--folder", str(store), *(["--only", *only] if only else []))
    return pd.DataFrame([json.loads(line) for line in lines]).assign(rows=rows)


def run(*arguments: str) -> list[str]:
    """Lines that this script prints when it is called so."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - ours
    return done.stdout.splitlines()


def report(lines: pd.DataFrame) -> None:
    """Print seconds and processor seconds of every KPI by size, how they grow, and the peaks."""
    wide = {
        what: lines.pivot_table(what, "kpi", "rows", sort=False, margins=False)
        for what in ("seconds", "busy")
    }
    for table in wide.values():
        asked = table.drop(index=[OPENED, BOARD], errors="ignore")
        table.loc["every KPI"] = asked.sum()
    sizes = list(wide["seconds"].columns)
    shown = pd.concat(wide, axis=1).round(2)
    for what, table in wide.items() if len(sizes) > 1 else ():
        shown[(what, "growth")] = growth(table).round(2)
    notes = lines[lines["rows"] == sizes[-1]].set_index("kpi")["note"].str[:60]
    shown[("note", "")] = notes
    say(shown.fillna({("note", ""): ""}).to_string())
    peaks = lines.groupby("rows")["peak"].max()
    say("\n".join(f"peak at {rows:,} rows: {peak:,.0f} MB" for rows, peak in peaks.items()))
    if len(sizes) > 1:
        verdict("growth", growth(wide["busy"])["every KPI"], GROWTH, least=False)
    verdict(f"MB at {sizes[-1]:,} rows", peaks.iloc[-1], PEAK, least=False)


def growth(seconds: pd.DataFrame) -> pd.Series:
    """Slope of log seconds on log rows, of every KPI: 1 is in proportion."""
    rows = np.log(seconds.columns.to_numpy("float64"))
    logs = np.log(seconds.to_numpy("float64"))
    away = rows - rows.mean()
    return pd.Series((logs - logs.mean(axis=1)[:, None]) @ away / (away @ away), seconds.index)


def make(rows: int, folder: Path) -> None:
    """Write the conformed tables of a company, as a store keeps them."""
    unfinished = folder.with_suffix(".part")
    unfinished.mkdir(parents=True, exist_ok=True)
    tables = company(rows)
    for name in list(tables):
        conform(name, tables.pop(name)).frame.to_parquet(unfinished / f"{name}.parquet")
    unfinished.rename(folder)


def ask(folder: Path, only: list[str]) -> Iterator[dict[str, object]]:
    """Open a store and ask every KPI once; what KPIs share is kept, as in a notebook."""
    began = clock()
    snapshot = opened(folder)
    yield measured(OPENED, began, "")
    calls = {
        name: call for name, call in (KPIS | {BOARD: board}).items() if not only or name in only
    }
    for name, call in calls.items():
        began = clock()
        found = call(snapshot)
        yield measured(name, began, str(found["note"].iloc[0]))


def opened(folder: Path) -> Snapshot:
    """Open a store; its leads in stage working are the marketing-qualified ones."""
    rule = Count("leads", "stage_id", ("working",))
    settings = Definitions(count={"mql": rule, "sql": rule})
    files = {path.stem: [str(path)] for path in sorted(folder.glob("*.parquet"))}
    return Snapshot.from_parquet(files, as_of=AS_OF, definitions=settings)


def clock() -> tuple[float, float]:
    """Seconds on the wall, and seconds that this process kept processors busy."""
    return time.perf_counter(), time.process_time()


def measured(name: str, began: tuple[float, float], note: str) -> dict[str, object]:
    """One line: what it took since it began, and the peak of the process up to now."""
    wall, busy = clock()
    line = {"kpi": name, "seconds": wall - began[0], "busy": busy - began[1]}
    return line | {"peak": highest(), "note": note}


if __name__ == "__main__":
    main()
