"""The notebooks as stored: thin, run, without leftovers, and only through public names."""

import ast
import importlib
import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
OURS = ("connectors", "kpi", "workbench")
BRANCHES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While)
BRANCHES += (ast.If, ast.IfExp, ast.Try, ast.With, ast.ListComp, ast.DictComp, ast.GeneratorExp)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def book(request):
    """One notebook of the project."""
    return nbformat.read(request.param, as_version=4)


def code(book):
    """Its code cells."""
    return [cell for cell in book.cells if cell.cell_type == "code"]


def tags(cell):
    """Tags of a cell."""
    return set(cell.metadata.get("tags", []))


def test_there_are_notebooks():
    """An empty folder would pass every other test."""
    assert [path.stem for path in NOTEBOOKS][:3] == [
        "00_connect",
        "01_funnel",
        "02_reverse_funnel",
    ]


def test_a_notebook_is_short(book):
    """At most 16 cells of at most 10 lines."""
    assert 3 <= len(book.cells) <= 16
    assert [c.source for c in book.cells if len(c.source.splitlines()) > 10] == []
    nbformat.validate(book)


def test_logic_lives_in_the_packages(book):
    """No def, for, if or try: an analyst reads calls, and tests reach the rest."""
    for cell in code(book):
        nodes = list(ast.walk(ast.parse(cell.source)))
        assert [type(node).__name__ for node in nodes if isinstance(node, BRANCHES)] == []
        assert not cell.source.startswith(("%", "!"))


def test_it_begins_with_a_heading_and_its_parameters(book):
    """The heading is the page's title; the parameters cell only sets plain values."""
    assert book.cells[0].source.startswith("# ")
    (parameters,) = [cell for cell in book.cells if "parameters" in tags(cell)]
    assert code(book)[0] is parameters
    for line in ast.parse(parameters.source).body:
        assert isinstance(line, ast.Assign)
        assert isinstance(line.value, ast.Constant)
        assert line.targets[0].id.isupper()
    names = {line.targets[0].id for line in ast.parse(parameters.source).body}
    assert names >= {"DATA", "MAPPING", "AS_OF"} or names == {"SOURCE", "STORE"}


def test_every_cell_was_run_in_order_and_shows_something(book):
    """Whoever opens it on the web sees the results."""
    shown = [cell for cell in code(book) if "parameters" not in tags(cell)]
    counts = [cell.execution_count for cell in code(book)]
    assert counts == list(range(1, len(counts) + 1))
    assert [cell.source for cell in shown if not cell.outputs] == []
    kinds = {output.output_type for cell in shown for output in cell.outputs}
    assert kinds <= {"execute_result", "display_data", "stream"}
    streams = [o for c in shown for o in c.outputs if o.output_type == "stream"]
    assert {stream.name for stream in streams} <= {"stdout"}


def test_nothing_is_left_over_that_changes_or_betrays(book):
    """No widget state (it keeps values in clear), no timings, no path, no address."""
    assert set(book.metadata) == {"kernelspec", "language_info"}
    assert book.metadata.kernelspec.name == "python3"
    assert [dict(c.metadata) for c in book.cells if set(c.metadata) - {"tags"}] == []
    text = nbformat.writes(book)
    private = (str(Path(__file__).parents[2]), str(Path.home()), "/home/", "C:\\\\", "Traceback")
    assert [word for word in private if word in text] == []
    assert not re.search(r"[\w.]@[\w-]+\.\w", text)
    assert len(text) < 300_000


def test_only_public_names_of_our_packages_are_used(book):
    """What a notebook imports is what analysts copy."""
    for cell in code(book):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                module = importlib.import_module(node.module)
                names = [alias.name for alias in node.names]
                assert [name for name in names if name.startswith("_")] == []
                assert [n for n in names if not public(module, n)] == []
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= {*OURS, "pandas"}
            if isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_")


def public(module, name):
    """Tell whether a name is part of what a module offers."""
    if module.__name__.split(".")[0] not in OURS:
        return False
    offered = getattr(module, "__all__", None)
    if offered is not None:
        return name in offered
    return (
        hasattr(module, name) or importlib.util.find_spec(f"{module.__name__}.{name}") is not None
    )
