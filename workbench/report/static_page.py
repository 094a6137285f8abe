"""A run notebook as one page for leadership: no code, no script, nothing loaded from outside.

What stays: prose, printed lines, tables, and charts as drawings. What goes: code, prompts, widgets,
warnings, cells tagged ``analyst-only`` and whatever cells tagged ``parameters`` show. Words from the
CRM are escaped, mark-up passes an allow-list, and `workbench.report.privacy` looks at the finished
page before a byte is written. The same notebook always gives the same bytes.

Examples
--------
>>> import tempfile
>>> from pathlib import Path
>>> import nbformat
>>> from workbench.report import static_page
>>> cells = [nbformat.v4.new_markdown_cell("# Plan for 2027"), nbformat.v4.new_markdown_cell("Fine.")]
>>> folder = Path(tempfile.mkdtemp())
>>> _ = nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "plan.ipynb")
>>> page = static_page.render(folder / "plan.ipynb", folder / "plan.html")
>>> "<title>Plan for 2027</title>" in page.path.read_text(encoding="utf-8")
True
"""

import base64
import hashlib
import html
import re
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from workbench.report import markup
from workbench.report.privacy import refuse_if_private

LEFT_OUT = "analyst-only"
SILENT = {"parameters", "injected-parameters"}
WIDGET = "application/vnd.jupyter.widget-view+json"
SCRIPTED = ("application/vnd.vega", "application/javascript")

Cells = list[tuple[int, NotebookNode]]


class NotebookError(ValueError):
    """The notebook cannot become a page: it was not run, a cell failed, or a chart needs a script."""


@dataclass(frozen=True)
class Page:
    """A page that was written."""

    path: Path
    size: int  # bytes


def render(notebook_path: Path | str, out_path: Path | str, *, title: str | None = None) -> Page:
    """Write a stored, executed notebook as one static HTML page.

    Parameters
    ----------
    notebook_path : path
        The notebook as saved after running it; it is read, never run.
    out_path : path
        Where the page goes; a page that is already there is replaced only by a complete one.
    title : str, optional
        By default the notebook's first heading of the first level, else its file name.

    Raises
    ------
    NotebookError
        If the file is no notebook, was not run, holds a failed cell, or a chart without a drawing,
        or if the page would replace the notebook itself.
    PrivateContentError
        If the page would hold something private (see `workbench.report.privacy`).
    """
    source, target = Path(notebook_path), Path(out_path)
    if source.resolve() == target.resolve():
        raise NotebookError(f"the page would replace {source.name}: give it another name")
    heading, cells = _headed(_read(source))
    body = "\n".join(
        f'<section id="cell-{number}">\n{shown}\n</section>'
        for number, cell in cells
        if (shown := _shown(cell, f"cell {number} of {source.name}").strip())
    )
    page = _page(title or heading or source.stem, body)
    refuse_if_private(page)
    return _write(page, target)


def _read(path: Path) -> Cells:
    """Return the numbered cells meant for the page; refuse a notebook that is not ready."""
    if not path.is_file():
        raise NotebookError(f"there is no notebook {path}")
    try:
        notebook = nbformat.read(path, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, ValueError):
        raise NotebookError(f"{path.name} is not a notebook: save it in JupyterLab again") from None
    _require_run(notebook.cells, path.name)
    numbered = enumerate(notebook.cells, start=1)
    return [(number, cell) for number, cell in numbered if LEFT_OUT not in _tags(cell)]


def _require_run(cells: list[NotebookNode], name: str) -> None:
    code = [cell for cell in cells if cell.cell_type == "code" and cell.source.strip()]
    if code and not any(cell.outputs or cell.execution_count for cell in code):
        raise NotebookError(f"{name} has not been run: run all its cells, save, and try again")
    for number, cell in enumerate(cells, start=1):
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            raise NotebookError(
                f"cell {number} of {name} ended in an error: mend it, run all cells, save, and try "
                "again"
            )


def _tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def _headed(cells: Cells) -> tuple[str, Cells]:
    """Take the first heading out of the prose: the head of the page shows it."""
    for place, (number, cell) in enumerate(cells):
        found = re.match(r"\s*#[ \t]+(.+?)[ \t#]*(?:\n|\Z)", cell.source)
        if cell.cell_type == "markdown" and found:
            rest = copy(cell)
            rest.source = cell.source[found.end() :]
            return markup.plain(markup.prose(found[1])), [
                *cells[:place],
                (number, rest),
                *cells[place + 1 :],
            ]
    return "", cells


def _shown(cell: NotebookNode, where: str) -> str:
    if cell.cell_type == "markdown":
        return markup.prose(cell.source)
    if cell.cell_type != "code" or _tags(cell) & SILENT:
        return ""
    return "\n".join(part for part in _outputs(cell.outputs, where) if part)


def _outputs(outputs: list[NotebookNode], where: str) -> Iterator[str]:
    """Show each output; lines printed one after the other are one block, warnings are dropped."""
    lines = ""
    for output in outputs:
        if output.output_type == "stream":
            lines += output.text if output.name == "stdout" else ""
            continue
        yield markup.printed(lines)
        lines = ""
        if WIDGET not in output.data:
            yield _display(output.data, where)
    yield markup.printed(lines)


def _display(data: NotebookNode, where: str) -> str:
    """Show the best still form of one output: a picture, a table, prose, or text."""
    text = str(data.get("text/plain", ""))
    for kind in ("image/svg+xml", "image/png", "image/jpeg"):
        if kind in data:
            alt = (
                text.removeprefix("chart: ") if text.startswith("chart: ") else f"Picture, {where}"
            )
            return markup.picture(kind, data[kind], alt)
    page_part = data.get("text/html", "")
    if markup.plain(shown := markup.table(page_part)):
        return shown
    if "<script" in page_part.lower() or any(kind.startswith(SCRIPTED) for kind in data):
        raise NotebookError(
            f"{where} shows something that only a script can draw: call workbench.theme.enable() "
            "at the top of the notebook, run all cells, save, and try again"
        )
    if "text/markdown" in data:
        return markup.prose(data["text/markdown"])
    return "" if "text/html" in data else markup.printed(text)


def _page(title: str, body: str) -> str:
    """Put the body into a page whose policy allows its own style, held pictures, nothing else."""
    style = files("workbench.report").joinpath("page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
    policy += "; base-uri 'none'; form-action 'none'"
    name = html.escape(title)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>{name}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{name}</h1></header>
<main>
{body}
</main>
<footer>{_tool()}</footer>
</body>
</html>
"""


def _tool() -> str:
    try:
        return f"reverse-funnel {version('reverse-funnel')}"
    except PackageNotFoundError:  # run from a folder that was never installed
        return "reverse-funnel, version not known"


def _write(page: str, target: Path) -> Page:
    """Write all or nothing: a reader never meets half a page."""
    if target.is_dir():
        raise NotebookError(f"{target} is a folder: give the name of the page to write")
    draft = target.with_name(f"{target.name}.part")
    data = page.encode()
    target.parent.mkdir(parents=True, exist_ok=True)
    draft.write_bytes(data)
    draft.replace(target)
    return Page(target, len(data))
