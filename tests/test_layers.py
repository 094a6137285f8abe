"""Which part may import which, no clock in the core, and public names: read from the source."""

import ast
import importlib
from pathlib import Path

import pytest

from kpi.catalogue import ENTRIES, KPIS

ROOT = Path(__file__).parents[1]
PARTS = ("kpi", "connectors", "workbench")
FILES = {part: sorted((ROOT / part).rglob("*.py")) for part in PARTS}
ALLOWED = {"kpi": {"kpi"}, "connectors": {"kpi", "connectors"}, "workbench": set(PARTS)}
CONNECTORS_MAY = {f"kpi.{m}" for m in ("tables", "conform", "definitions", "snapshot")}
STATS_MAY = {"numpy", "scipy", "pandas", "kpi", "dataclasses"}
CLOCKS = {"now", "today", "utcnow", "time", "time_ns", "localtime", "gmtime"}
CLOCK_OWNERS = {"datetime", "date", "time", "Timestamp", "pd", "dt"}


def tree(path):
    """Parse one file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(path):
    """List every module a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(str(node.module))
    return found


def importers(*packages):
    """Files of ours that import one of the packages, relative to the project."""
    return {
        path.relative_to(ROOT).as_posix()
        for part in PARTS
        for path in FILES[part]
        if {name.split(".")[0] for name in imported(path)} & set(packages)
    }


@pytest.mark.parametrize("part", PARTS)
def test_imports_point_one_way(part):
    """workbench -> connectors -> kpi, never back."""
    assert FILES[part], f"no source in {part}"
    for path in FILES[part]:
        ours = {name.split(".")[0] for name in imported(path)} & set(PARTS)
        assert ours <= ALLOWED[part], path


def test_nothing_of_ours_imports_notebooks_tests_or_data():
    """These folders are on the path of a checkout, not of an installation."""
    assert importers("notebooks", "tests", "data", "benchmarks") == set()


def test_connectors_use_the_contract_only():
    """Tables, conform, definitions and snapshot; from the package itself only what it offers."""
    for path in FILES["connectors"]:
        used = {name for name in imported(path) if name.split(".")[0] == "kpi"}
        assert used <= CONNECTORS_MAY, path


def test_statistics_know_only_arrays():
    """kpi.stats imports numpy, scipy and pandas (and data classes), and of ours only itself."""
    for path in sorted((ROOT / "kpi" / "stats").glob("*.py")):
        used = imported(path)
        assert {name.split(".")[0] for name in used} <= STATS_MAY, path
        assert all(n.startswith("kpi.stats") for n in used if n.startswith("kpi")), path


def test_only_the_workbench_draws():
    """Charts are made in the files named so, widgets in the boards."""
    drawing = importers("altair") - {"workbench/theme.py"}
    assert all(path.startswith("workbench/charts") for path in drawing)
    assert all(path.startswith("workbench/boards/") for path in importers("ipywidgets"))
    assert "workbench/theme.py" in importers("altair")


def called(node):
    """Name a call as written, such as ``datetime.now`` or ``np.random.default_rng``."""
    return ast.unparse(node.func)


def reads_clock(node):
    """Whether a call asks what time it is."""
    owner, _, name = called(node).rpartition(".")
    return name in CLOCKS and owner.split(".")[-1] in CLOCK_OWNERS


def unseeded(node):
    """Whether a call makes random numbers that no seed fixes."""
    name = called(node)
    if name.endswith("default_rng"):
        return not (node.args or node.keywords)
    return name.startswith(("random.", "np.random.", "numpy.random."))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("datetime.now(UTC)", True),
        ("pd.Timestamp.now()", True),
        ("date.today()", True),
        ("time.time()", True),
        ("dt.datetime.utcnow()", True),
        ("np.random.default_rng()", True),
        ("np.random.rand(3)", True),
        ("np.random.default_rng(7)", False),
        ("frame.rename(1)", False),
        ("series.dt.normalize()", False),
    ],
)
def test_the_check_for_clocks_finds_them(source, found):
    """The rule itself, on lines that must and must not be caught."""
    node = ast.parse(source, mode="eval").body
    assert (reads_clock(node) or unseeded(node)) is found


def test_the_core_has_no_clock_and_no_unseeded_chance():
    """The as-of date is passed in; the same data gives the same number."""
    for path in FILES["kpi"]:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                assert not reads_clock(node), f"{path}:{node.lineno} reads the clock"
                assert not unseeded(node), f"{path}:{node.lineno} draws without a seed"


@pytest.mark.parametrize("name", ["kpi", "kpi.stats", "kpi.planning"])
def test_public_names_are_sorted_and_there(name):
    """__all__ is in order (constants, classes, functions, as ruff sorts) and complete."""
    module = importlib.import_module(name)
    groups = [[n for n in module.__all__ if kind(n) == k] for k in range(3)]
    assert module.__all__ == [n for group in groups for n in sorted(group)]
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, public) for public in module.__all__)


def kind(name):
    """Constants first, then classes, then the rest."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2


def test_the_catalogue_and_the_functions_are_the_same():
    """Each KPI has one entry, in the same order, and can be had from the package."""
    assert [entry.name for entry in ENTRIES] == list(KPIS)
    package = importlib.import_module("kpi")
    assert all(getattr(package, name) is function for name, function in KPIS.items())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_entry_is_complete(entry):
    """No text is blank; the question is one; the unit says when a number cannot leave 0 to 1."""
    for name in ("formula", "basis", "interval", "options", "needs", "benchmark", "source"):
        assert getattr(entry, name).strip(), name
    assert entry.caveats.strip()
    assert entry.question.endswith("?")
    assert entry.better in {"higher", "lower", ""}


@pytest.mark.parametrize("name", KPIS)
def test_every_kpi_says_what_it_takes_gives_and_refuses(name):
    """Meaning, parameters, returns, errors and an example that runs (doctest)."""
    text = KPIS[name].__doc__
    for heading in ("Parameters", "Returns", "Raises", "Examples"):
        assert f"    {heading}\n    {'-' * len(heading)}\n" in text, heading
    assert ">>> " in text
    assert len(text.split("Parameters")[0].strip()) > 20
