"""Take what a board shows away: as CSV, as a page, or as text to paste into a sheet."""

import base64
import html
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import ipywidgets as w
import nbformat
import pandas as pd

from kpi import TableError
from workbench.boards.inputs import html_table
from workbench.boards.parts.shown import Shown
from workbench.report import static_page
from workbench.report.privacy import PrivateContentError

FOLDER = Path("out")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula, also in text from a CRM."""
PICTURE = re.compile(r'<img alt="([^"]*)"[^>]*;base64,([^"]+)">')


class Export:
    """Buttons that write what is shown to the folder ``out`` beside the notebook.

    Parameters
    ----------
    name : str
        Short name of the board.
    shown : callable
        Returns what is shown, or None.

    Attributes
    ----------
    csv, page, copy : Button
    said : HTML
        Where the files are, or why there are none.
    text : Textarea
        What `copy` offers: tables with tabs between the columns.
    view : VBox
    """

    def __init__(self, name: str, shown: Callable[[], Shown | None]) -> None:
        self._name, self._shown = name, shown
        self.csv = w.Button(description="CSV", icon="table", tooltip="Write the numbers as CSV")
        self.page = w.Button(
            description="HTML page", icon="file", tooltip="Write what is shown as a page"
        )
        self.copy = w.Button(
            description="Copy", icon="copy", tooltip="Show the tables as text to copy"
        )
        self.csv.on_click(lambda _button: self._try(self.write_csv))
        self.page.on_click(lambda _button: self._try(lambda: [self.write_page()]))
        self.copy.on_click(lambda _button: self._offer())
        self.said = w.HTML()
        self.text = w.Textarea(
            description="Select all, copy", layout=w.Layout(width="640px", height="160px")
        )
        self.text.layout.display = "none"
        self.view = w.VBox([w.HBox([self.csv, self.page, self.copy, self.said]), self.text])

    def write_csv(self) -> list[Path]:
        """Write every table behind the board as a CSV file of its own.

        Returns
        -------
        list of Path
            ``out/BOARD_TABLE_AS-OF.csv``, relative to where the notebook runs. Text that a
            spreadsheet would run as a formula begins with an apostrophe there.

        Raises
        ------
        TableError
            If nothing is shown, or the folder cannot be written to.
        """
        shown = self._there()
        paths = []
        for name, table in (shown.data or shown.tables).items():
            indexed = any(level is not None for level in table.index.names) or not shown.data
            path = self._path(shown, f"_{name}", "csv")
            _write(path, safe(table, index=indexed).to_csv(index=False))
            paths.append(path)
        return paths

    def write_page(self) -> Path:
        """Write what is shown as one page without script, ``out/BOARD_AS-OF.html``.

        Raises
        ------
        TableError
            If nothing is shown, the page would hold something private (an e-mail address, say), or
            the folder cannot be written to.
        """
        shown = self._there()
        path = self._path(shown, "", "html")
        with tempfile.TemporaryDirectory() as folder:
            book = Path(folder) / "board.ipynb"
            nbformat.write(_notebook(self._name, shown), book)
            try:
                static_page.render(book, path)
            except (PrivateContentError, static_page.NotebookError, OSError) as error:
                raise TableError(f"the page was not written: {error}") from error
        return path

    def _there(self) -> Shown:
        shown = self._shown()
        if shown is None:
            raise TableError("nothing is shown that could be written: see the message above")
        return shown

    def _path(self, shown: Shown, more: str, kind: str) -> Path:
        """Name a file by board, table and as-of date."""
        day = re.search(r"as of (\d{4}-\d{2}-\d{2})", shown.source)
        stem = f"{self._name}{more}" + (f"_{day[1]}" if day else "")
        return FOLDER / f"{re.sub(r'[^A-Za-z0-9_-]+', '-', stem)}.{kind}"

    def _try(self, work: Callable[[], list[Path]]) -> None:
        """Do what a button says; an error is said beside it."""
        try:
            written = ", ".join(path.as_posix() for path in work())
            self.said.value = f'<span class="rf-note">written: {html.escape(written)}</span>'
        except TableError as error:
            self.said.value = f'<span class="rf-problem">{html.escape(str(error))}</span>'

    def _offer(self) -> None:
        """Show the tables as text, or hide them again."""
        shown = self._shown()
        closed = self.text.layout.display == "none"
        tables = (shown.tables if shown else {}).values() if closed else ()
        self.text.value = "\n".join(
            safe(t, index=True).to_csv(sep="\t", index=False) for t in tables
        )
        self.text.layout.display = "" if closed else "none"


def safe(table: pd.DataFrame, *, index: bool) -> pd.DataFrame:
    """Return a table that a spreadsheet takes for text and numbers only.

    Examples
    --------
    >>> safe(pd.DataFrame({"name": ["=1+1", "Acme"], "n": [-1, 2]}), index=False).values.tolist()
    [["'=1+1", -1], ['Acme', 2]]
    """
    flat = table.rename_axis(columns=None)
    flat = (flat.reset_index(names=str(table.index.name or "")) if index else flat).rename(
        columns=_text
    )
    return flat.map(_text)


def _text(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _write(path: Path, text: str) -> None:
    """Write all or nothing; Excel reads the accents right."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.part")
        draft.write_text(text, encoding="utf-8-sig", newline="")
        draft.replace(path)
    except OSError as error:
        raise TableError(f"{path.as_posix()} was not written: {error.strerror or error}") from error


def _notebook(name: str, shown: Shown) -> nbformat.NotebookNode:
    """What is shown as a notebook that was run: the report makes a page of it."""
    cells = [nbformat.v4.new_markdown_cell(f"# {name.replace('-', ' ').capitalize()}")]
    facts = [f"{label}: {text}" for label, text in shown.facts]
    cells.append(_output(f"<p><b>{html.escape(shown.sentence)}</b></p>{_list(facts)}"))
    for words, data in PICTURE.findall(shown.picture):
        drawing = {"image/svg+xml": base64.b64decode(data).decode()}
        cells.append(_cell(drawing | {"text/plain": f"chart: {html.unescape(words)}"}))
    for heading, table in shown.tables.items():
        cells.append(_output(f"<h2>{html.escape(heading)}</h2>"))
        cells.append(_output(html_table(table)))
    cells.append(_output(f"{_list(shown.notes)}<p>{html.escape(shown.source)}</p>"))
    book: nbformat.NotebookNode = nbformat.v4.new_notebook(cells=cells)
    return book


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>" if lines else ""


def _output(markup: str) -> nbformat.NotebookNode:
    return _cell({"text/html": markup})


def _cell(data: dict[str, str]) -> nbformat.NotebookNode:
    """One cell that was run and showed this."""
    shown = nbformat.v4.new_output("display_data", data)
    cell: nbformat.NotebookNode = nbformat.v4.new_code_cell(
        "board", execution_count=1, outputs=[shown]
    )
    return cell
