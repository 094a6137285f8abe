"""A folder whose files are named like the canonical tables, and what may lie beside them."""

from datetime import date
from pathlib import Path

from connectors.errors import FileError
from connectors.exports.mapping import Mapping
from connectors.exports.mapping_table import TablePlan
from connectors.exports.raw_tables import SUFFIXES
from kpi.definitions import Definitions
from kpi.tables import TABLES


def canonical_plan(folder: Path) -> Mapping:
    """Plan the folder as if a mapping named each file after its table.

    Raises
    ------
    FileError
        If no file is named like a table, or two are named like the same one.

    """
    tables: dict[str, TablePlan] = {}
    for file in sorted(p for p in folder.iterdir() if p.is_file()):
        name = file.stem.lower()
        if name not in TABLES or file.suffix.lower() not in SUFFIXES:
            continue
        if name in tables:
            raise FileError(f"{tables[name].file} and {file.name}: both are {name}; keep one")
        tables[name] = TablePlan(file=file.name)
    if not tables:
        raise FileError(
            f"{folder}: no table there; expected files like deals.csv, named as one of "
            f"{list(TABLES)}, or a mapping.toml for exports named otherwise"
        )
    return Mapping("", None, None, None, (), tables, {})


def folder_definitions(folder: Path) -> Definitions | None:
    """Read ``definitions.toml``, if there is one; a setting that cannot be is a FileError."""
    file = folder / "definitions.toml"
    if not file.is_file():
        return None
    try:
        return Definitions.read(file)
    except ValueError as error:
        raise FileError(f"definitions.toml: {error}") from error


def folder_as_of(folder: Path) -> date | None:
    """Read the ISO date on the first line of ``as_of.txt``, if there is one."""
    file = folder / "as_of.txt"
    if not file.is_file():
        return None
    text = file.read_bytes().decode("utf-8-sig", errors="replace").strip()
    first = text.partition("\n")[0].strip()
    try:
        return date.fromisoformat(first)
    except ValueError as error:
        raise FileError(f"as_of.txt: {first[:40]!r}; expected a day like 2026-10-31") from error
