"""Run notebooks and store their outputs, without what changes from run to run (`make rerun`)."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from workbench.report.notebook import QUIET


def rerun(path: Path) -> None:
    """Run one notebook in its folder and write it back, widget state and timings left out."""
    book = nbformat.read(path, as_version=4)
    NotebookClient(
        book,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=False,
        record_timing=False,
        extra_arguments=QUIET,
    ).execute()
    book.metadata.pop("widgets", None)
    book.metadata["language_info"] = {"name": "python"}
    nbformat.write(book, path)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        rerun(Path(name))
