"""One table of a mapping: its file, columns, values, filter and lookups, checked."""

from collections.abc import Iterable
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from connectors.errors import FileError
from connectors.exports.read_options import ReadOptions, check_keys, read_options
from kpi.tables import Table

Only = Dict[str, tuple[str, ...]]
NUMBERS = ("money", "number", "whole")


TABLE_KEYS = ("file", "read", "columns", "values", "constants", "only", "lookup", "scale")


@dataclass(frozen=True)
class Lookup:
    """Another file in which the values of a column must stand."""

    file: str
    key: str
    value: str | None
    spelling: Dict[str, str]
    read: ReadOptions


@dataclass(frozen=True)
class StageDate:
    """A date column of a lead's or deal's row: the day it entered `stage_id`."""

    stage_id: str
    column: str
    only: Only


@dataclass(frozen=True)
class TablePlan:
    """How one canonical table is filled from one file."""

    file: str = ""
    read: ReadOptions = field(default_factory=ReadOptions)
    columns: Dict[str, str] = field(default_factory=dict)
    values: Dict[str, Dict[str, str]] = field(default_factory=dict)
    constants: Dict[str, str] = field(default_factory=dict)
    only: Only = field(default_factory=dict)
    lookup: Dict[str, Lookup] = field(default_factory=dict)
    scale: Dict[str, float] = field(default_factory=dict)


def table_plan(table: Table, entry: dict[str, Any], base: ReadOptions, where: str) -> TablePlan:
    """Check the entry of one table.

    Raises
    ------
    FileError
        If a column is not canonical, a required one is not filled, or a value cannot be meant.

    Examples
    --------
    >>> from kpi.tables import DEALS
    >>> entry = {"file": "d.csv", "columns": {"deal_id": "Id"}, "only": {"Deleted": ["no"]}}
    >>> table_plan(DEALS, entry, ReadOptions(), "[deals]").only
    {'Deleted': ('no',)}

    """
    options = read_options(entry.get("read", {}), base, f"{where}, read")
    columns = _texts(entry.get("columns", {}), table.names, f"{where}, columns")
    constants = _constants(entry.get("constants", {}), table, f"{where}, constants")
    both = sorted(set(columns) & set(constants))
    if both:
        raise FileError(f"{where}: {both} in both columns and constants; keep one")
    filled = {*columns, *constants}
    lacking = [c.name for c in table.columns if c.required and c.name not in filled]
    if lacking:
        raise FileError(f"{where}: nothing fills the required {lacking}; add to columns")
    values = check_keys(entry.get("values", {}), table.names, f"{where}, values")
    lookup = check_keys(entry.get("lookup", {}), table.names, f"{where}, lookup")
    scale = check_keys(entry.get("scale", {}), table.names, f"{where}, scale")
    for key, given in (("values", values), ("lookup", lookup), ("scale", scale)):
        idle = sorted(set(given) - set(columns))
        if idle:
            raise FileError(f"{where}, {key}: {idle} not among the columns, so it would do nothing")
    return TablePlan(
        file=_file(entry.get("file"), where),
        read=options,
        columns=columns,
        values={n: _values(v, table, n, f"{where}, values.{n}") for n, v in values.items()},
        constants=constants,
        only=_only(entry.get("only", {}), f"{where}, only"),
        lookup={n: _lookup(v, options, f"{where}, lookup.{n}") for n, v in lookup.items()},
        scale={n: _scale(v, table, n, f"{where}, scale") for n, v in scale.items()},
    )


def stage_dates(raw: object, where: str) -> tuple[StageDate, ...]:
    """Check ``stage = "date column"`` entries, each with an optional filter.

    >>> stage_dates({"Won": {"column": "Closed", "only": {"Phase": ["Won"]}}}, "dates")[0].column
    'Closed'
    """
    if not isinstance(raw, dict):
        raise FileError(f'{where}: expected stage = "date column"')
    found = []
    for stage, entry in raw.items():
        given = {"column": entry} if isinstance(entry, str) else entry
        check_keys(given, ("column", "only"), f"{where}, {stage}")
        column = _text(given.get("column"), f"{where}, {stage}: column")
        found.append(StageDate(stage, column, _only(given.get("only", {}), f"{where}, {stage}")))
    return tuple(found)


def _lookup(raw: object, base: ReadOptions, where: str) -> Lookup:
    entry = check_keys(raw, ("file", "key", "value", "spelling", "read"), where)
    value = entry.get("value")
    spelling = entry.get("spelling", {})
    return Lookup(
        file=_file(entry.get("file"), where),
        key=_text(entry.get("key"), f"{where}: key"),
        value=None if value is None else _text(value, f"{where}: value"),
        spelling=_texts(spelling, spelling, f"{where}, spelling"),
        read=read_options(entry.get("read", {}), base, f"{where}, read"),
    )


def _values(raw: object, table: Table, name: str, where: str) -> dict[str, str]:
    words = _texts(raw, raw if isinstance(raw, dict) else (), where, empty=True)
    allowed = table.column(name).values
    wrong = sorted(w for w in words.values() if allowed and w not in (*allowed, ""))
    if wrong:
        raise FileError(f"{where}: {wrong} cannot stand in {name}; expected {list(allowed)} or ''")
    return words


def _constants(raw: object, table: Table, where: str) -> dict[str, str]:
    entry = check_keys(raw, table.names, where)
    for name, value in entry.items():
        if not isinstance(value, str | int | float | date):
            raise FileError(f"{where}: {name} = {value!r}; expected a text, number, flag or date")
        allowed = table.column(name).values
        if allowed and value not in allowed:
            raise FileError(f"{where}: {name} = {value!r}; expected one of {list(allowed)}")
    return {name: str(value) for name, value in entry.items()}


def _scale(value: object, table: Table, name: str, where: str) -> float:
    if table.column(name).kind not in NUMBERS:
        raise FileError(f"{where}: {name} holds no numbers")
    if isinstance(value, bool) or not isinstance(value, int | float) or not value:
        raise FileError(f"{where}: {name} = {value!r}; expected a number other than 0")
    return float(value)


def _only(raw: object, where: str) -> dict[str, tuple[str, ...]]:
    entry = check_keys(raw, raw if isinstance(raw, dict) else (), where)
    for name, allowed in entry.items():
        texts = isinstance(allowed, list) and all(isinstance(a, str) for a in allowed)
        if not texts or not allowed:
            raise FileError(f'{where}: {name} = {allowed!r}; expected column = ["value", ...]')
    return {name: tuple(allowed) for name, allowed in entry.items()}


def _texts(raw: object, known: Iterable[str], where: str, *, empty: bool = False) -> dict[str, str]:
    entry = check_keys(raw, known, where)
    return {n: "" if empty and v == "" else _text(v, f"{where}: {n}") for n, v in entry.items()}


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise FileError(f"{where} = {value!r}; expected a text in quotes")
    return value


def _file(value: object, where: str) -> str:
    """Check that a file lies in the folder: no absolute path, no way out of it."""
    name = _text(value, f"{where}: file")
    windows = PureWindowsPath(name)
    rooted = PurePosixPath(name).is_absolute() or bool(windows.anchor)
    if rooted or ".." in windows.parts or ":" in name:
        raise FileError(f"{where}: file = {name!r}; expected a file inside the folder")
    return name
