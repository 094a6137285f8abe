"""The `[definitions]` of a mapping: the grammar of `definitions.toml`, inside another file."""

import json
from datetime import date, time

from connectors.errors import FileError
from kpi.definitions import Definitions
from kpi.tables import TableError

TABLES_EXPECTED = ("count", "deal_types")
TEXTS_EXPECTED = ("time_zone", "reporting_currency")


def mapped_definitions(raw: object, where: str) -> Definitions | None:
    """Read the settings; None where the mapping has none.

    Raises
    ------
    FileError
        If a setting is unknown or holds what it cannot; the message names it.

    Examples
    --------
    >>> mapped_definitions({"fiscal_year_start": 7}, "[definitions]").fiscal_year_start
    7

    """
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise FileError(f"{where}: {raw!r} stands where a table of keys is expected")
    for name, kind, expected in (
        *((name, dict, "a table of keys") for name in TABLES_EXPECTED),
        *((name, str, "a text in quotes") for name in TEXTS_EXPECTED),
    ):
        if name in raw and not isinstance(raw[name], kind):
            raise FileError(f"{where}: {name} = {raw[name]!r}; expected {expected}")
    try:
        return Definitions.from_text("\n".join(f"{_toml(k)} = {_toml(raw[k])}" for k in raw))
    except TableError as error:
        raise FileError(f"{where}: {error}") from error


def _toml(value: object) -> str:
    """Write a value read from TOML as TOML again, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date | time) else repr(value)
