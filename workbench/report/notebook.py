"""Run a notebook with parameters, out of the way: the notebook itself is not changed."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError

from workbench.report.static_page import NotebookError

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
QUIET = ["--IPKernelApp.log_level=40"]  # a kernel on this machine need not warn about its transport
SAMPLES = Path(__file__).parents[2] / "data" / "samples"


@contextmanager
def run_notebook(notebook: Path, parameters: Mapping[str, object]) -> Iterator[Path]:
    """Run a copy of a notebook in its own folder and hand out the finished copy.

    Raises
    ------
    NotebookError
        If there is no such notebook, it has no parameter of that name, or a cell fails; the
        message has the error's last line, not the notebook's code.
    """
    if not notebook.is_file():
        raise NotebookError(
            f"there is no notebook {notebook.name}: notebooks come with a checkout of the project"
        )
    _known(notebook, parameters)
    with tempfile.TemporaryDirectory() as folder:
        done = Path(folder) / notebook.name
        try:
            papermill.execute_notebook(
                str(notebook),
                str(done),
                parameters=dict(parameters),
                cwd=str(notebook.parent),
                kernel_name="python3",
                progress_bar=False,
                log_output=False,
                extra_arguments=QUIET,
            )
        except PapermillExecutionError as error:
            raise NotebookError(
                f"{notebook.name}, cell {error.cell_index + 1} failed: {error.ename}: {error.evalue}"
            ) from None
        yield done


def _known(notebook: Path, parameters: Mapping[str, object]) -> None:
    """Refuse parameters that the notebook's parameters cell does not set."""
    book = nbformat.read(notebook, as_version=4)
    cells = [c for c in book.cells if "parameters" in c.metadata.get("tags", [])]
    names = {
        line.split("=")[0].split(":")[0].strip() for c in cells for line in c.source.splitlines()
    }
    for name in parameters:
        if name not in names:
            raise NotebookError(
                f"{notebook.name} has no parameter {name}; it has {sorted(n for n in names if n)}"
            )
