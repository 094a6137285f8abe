"""What is installed: our packages from this checkout, pinned peers, and a wheel with nothing else."""

import importlib
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGES = ["connectors", "kpi", "workbench"]
LOCKS = ["requirements.lock", "requirements-dev.lock"]
HASH = r"--hash=sha256:[0-9a-f]{64}"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def locked(name):
    """Pinned requirements of a lock file, each with its hashes, continuation lines joined."""
    text = (ROOT / name).read_text(encoding="utf-8")
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def pins(name):
    """Version by name; several where the Python version or system decides."""
    found = {}
    for line in locked(name):
        wanted = Requirement(re.sub(rf"\s*{HASH}", "", line))
        found.setdefault(canonicalize_name(wanted.name), []).append(wanted)
    return found


@pytest.mark.parametrize("name", PACKAGES)
def test_a_generic_name_is_ours(name):
    """`connectors` and `kpi` could be anybody's: another package of that name wins in silence."""
    module = importlib.import_module(name)
    assert Path(module.__file__) == ROOT / name / "__init__.py"
    assert list(module.__path__) == [str(ROOT / name)]


def test_the_command_is_installed():
    """`reverse-funnel` calls what `python -m workbench` does."""
    assert PROJECT["project"]["scripts"] == {"reverse-funnel": "workbench.cli:main"}
    module, _, function = "workbench.cli:main".partition(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_is_pinned_with_hashes_and_comes_from_nowhere_else(name):
    """No address, no index, no path, no editable: pip takes exactly these files."""
    lines = locked(name)
    assert len(lines) > 90
    pattern = rf"[\w.-]+(\[[\w,-]+\])?==[\w.+!]+(\s*;[^#]+?)?(\s+{HASH})+"
    assert [line[:80] for line in lines if not re.fullmatch(pattern, line)] == []
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(
        r"://|^-|\s@\s|--(index|extra-index|find-links|trusted)", text, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        pytest.param(LOCKS[0], PROJECT["project"]["dependencies"], id="to use it"),
        pytest.param(LOCKS[1], PROJECT["project"]["dependencies"], id="to develop, what it uses"),
        pytest.param(LOCKS[1], PROJECT["dependency-groups"]["dev"], id="to develop, tools"),
    ],
)
def test_the_lock_satisfies_what_the_project_asks_for(name, wanted):
    """Every dependency by name, every pin inside its bounds."""
    pinned = pins(name)
    for text in wanted:
        asked = Requirement(text)
        found = pinned.get(canonicalize_name(asked.name), [])
        assert found, f"{asked.name} is not in {name}"
        for pin in found:
            (exact,) = pin.specifier
            assert asked.specifier.contains(exact.version), f"{pin} for {asked}"


def test_both_locks_pin_the_same_versions():
    """Tests must run on what users get."""
    used, developed = pins(LOCKS[0]), pins(LOCKS[1])
    assert set(used) <= set(developed)
    for name in used:
        assert {str(pin) for pin in used[name]} <= {str(pin) for pin in developed[name]}, name


def test_the_build_tools_are_locked():
    """`make` installs without build isolation: hatchling must come with the lock."""
    needed = [Requirement(text).name for text in PROJECT["dependency-groups"]["build"]]
    assert set(needed) <= set(pins(LOCKS[0]))


def test_what_runs_the_tests_is_what_is_locked():
    """A look at three that decide the figures."""
    pinned = pins(LOCKS[1])
    for name in ("pandas", "duckdb", "scipy"):
        here = [p for p in pinned[name] if p.marker is None or p.marker.evaluate()]
        assert [str(p.specifier) for p in here] == [f"=={version(name)}"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Names of the files in a wheel built from this checkout."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        assert archive.testzip() is None
        return set(archive.namelist())


def sources():
    """Every module, style, script, template and type marker of our packages."""
    kept = {".py", ".css", ".js", ".typ"}
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and (path.suffix in kept or path.name == "py.typed")
    }


def test_a_wheel_holds_our_packages_and_nothing_else(wheel):
    """No tests, no data, no notebook, no cache; metadata and licence beside the code."""
    meta = {name for name in wheel if ".dist-info/" in name}
    assert wheel - meta == sources()
    assert {name.split("/", 1)[1] for name in meta} == {
        "METADATA",
        "WHEEL",
        "RECORD",
        "entry_points.txt",
        "licenses/LICENSE",
    }


def test_a_wheel_is_typed_and_carries_the_style_of_its_pages(wheel):
    """Without them mypy sees nothing and a page is bare."""
    assert {f"{name}/py.typed" for name in PACKAGES} <= wheel
    assert "workbench/report/page.css" in wheel
    pack = {"live.css", "live.js", "still.css", "paper.typ"}
    assert {f"workbench/report/pack/{name}" for name in pack} <= wheel
