"""Rows into canonical frames, and frames into JSON."""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from kpi.tables import DTYPES, TABLES, Kind

Row = dict[str, Any]


def frame(name: str, rows: Iterable[Row]) -> pd.DataFrame:
    """Put rows into the table's columns and dtypes."""
    table, made = TABLES[name], list(rows)
    return pd.DataFrame(
        {c.name: _column(c.kind, [row.get(c.name) for row in made]) for c in table.columns}
    )


def _column(kind: Kind, values: list[Any]) -> "pd.Series[Any]":
    dtype: Any = DTYPES[kind]
    if kind == "time":
        numbers = pd.array([None if v is None else v for v in values], dtype="Int64")
        values = list(pd.to_datetime(pd.Series(numbers), unit="ms", utc=True))
    if kind == "date":
        values = list(pd.to_datetime(pd.Series(values, dtype="object")))
    if kind in ("money", "number"):
        values = [_number(v) for v in values]
    if kind in ("id", "text"):
        values = [None if v is None or v == "" else str(v) for v in values]
    found: pd.Series[Any] = pd.Series(values, dtype=dtype)
    return found


def _number(value: Any) -> float:  # noqa: ANN401 - a text or a number
    return math.nan if value is None or value == "" else float(value)


def as_json(frames: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Write the tables as ``{table: {"columns": [...], "rows": [[...]]}}``; missing is null.

    >>> as_json({"t": pd.DataFrame({"a": pd.to_datetime(["2026-01-01"], utc=True), "b": [None]})})
    {'t': {'columns': ['a', 'b'], 'rows': [['2026-01-01T00:00:00.000Z', None]]}}
    """
    return {
        name: {
            "columns": list(frame.columns),
            "rows": [list(row) for row in zip(*(_texts(frame[c]) for c in frame), strict=True)],
        }
        for name, frame in frames.items()
    }


def _texts(column: "pd.Series[Any]") -> list[Any]:
    values = column.astype("object")
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        values = values.map(_z, na_action="ignore")
    elif str(column.dtype).startswith("datetime64"):
        values = values.map(lambda t: t.date().isoformat(), na_action="ignore")
    return [None if pd.isna(v) else v for v in values]


def _z(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
