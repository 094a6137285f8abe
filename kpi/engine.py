"""What every engine does, and the one place where results come out of it.

Canonical tables live in DuckDB (the embedded default), Spark or a warehouse (`kpi.engines`), and
are handed out as lazy Narwhals frames. Every time and date column gets two whole-number twins,
named by `kpi.tables.seconds` and `kpi.tables.day`: UTC seconds, for order, and the calendar day in
the company's time zone, for arithmetic. KPI code uses only these, so the same expressions run
unchanged on every engine, whatever the time zone of its session.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import narwhals as nw
import pandas as pd
import pyarrow as pa

from kpi.tables import DTYPES, TABLES, Table

DAY = 86_400


class Engine(Protocol):
    """Makes and keeps lazy frames; `collect`, the same for all, brings results out."""

    def load(self, name: str, frame: pd.DataFrame, time_zone: str) -> nw.LazyFrame:
        """Take a conformed data frame in, as the canonical table `name` with its twins."""

    def frame(self, data: pd.DataFrame) -> nw.LazyFrame:
        """Take in a small helper table (a calendar, exchange rates)."""

    def keep(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """Compute a lazy frame once; what it held is freed with the last frame that reads it."""

    def store(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """Compute a lazy frame once, to be read for as long as the snapshot lives."""

    def branch(self, raw: Mapping[str, nw.LazyFrame]) -> tuple["Engine", dict[str, nw.LazyFrame]]:
        """Return an engine for a snapshot that may go before this one's, and `raw` as it sees them."""


def collect(frame: nw.LazyFrame) -> pd.DataFrame:
    """Run a lazy frame and return pandas.

    Whole numbers without gaps are integers, with gaps floats; decimals are floats; text is ``str``.
    """
    return _pandas(frame.collect("pyarrow").to_native())


def sql(frame: nw.LazyFrame) -> str:
    """Return the SQL that a lazy frame stands for (names of kept tables only, no file paths).

    Only the embedded engine writes SQL; on another one, its plan as text.
    """
    native = nw.to_native(frame)
    text: str = native.sql_query() if frame.implementation.is_duckdb() else str(native)
    return text


def to_pandas(name: str, frame: nw.LazyFrame, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return canonical dtypes (`kpi.tables`) as pandas: all columns in the order of the key, or some."""
    table = TABLES[name]
    wanted = [c for c in table.columns if columns is None or c.name in columns]
    result = collect(frame.select([c.name for c in wanted]))
    for column in wanted:
        values, dtype = result[column.name], cast("Any", DTYPES[column.kind])
        if column.kind in ("time", "date"):
            values = _utc(values)
        if column.kind == "date":
            values = values.dt.tz_localize(None)
        result[column.name] = values.astype(dtype)
    if columns is not None:
        return result
    return result.sort_values(list(table.key or table.names[:1]), ignore_index=True, kind="stable")


def empty(table: Table) -> pd.DataFrame:
    """Return a canonical table without rows."""
    return pd.DataFrame({c.name: pd.Series(dtype=DTYPES[c.kind]) for c in table.columns})


def _utc(values: pd.Series) -> pd.Series:
    """Moments in UTC, whichever zone the engine's session shows them in; without one, they are UTC."""
    if not isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.astype("datetime64[us]").dt.tz_localize("UTC")
    moments: pd.Series = values.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    return moments


def _pandas(table: pa.Table) -> pd.DataFrame:
    """Arrow as pandas, decimals as floats: engines differ in the width they give a sum."""
    fields = [
        pa.field(f.name, pa.float64()) if pa.types.is_decimal(f.type) else f for f in table.schema
    ]
    result: pd.DataFrame = table.cast(pa.schema(fields)).to_pandas()
    if result.empty:  # pandas cannot merge two text columns that have no chunk at all
        text = [name for name in result if result[name].dtype == "str"]
        result = result.astype(dict.fromkeys(text, "object")).astype(dict.fromkeys(text, "str"))
    return result


def arrow(data: pd.DataFrame) -> pa.Table:
    """Pandas as Arrow, for engines to read; a column without any value is text."""
    table = pa.Table.from_pandas(data, preserve_index=False)
    fields = [
        pa.field(f.name, pa.string()) if pa.types.is_null(f.type) else f for f in table.schema
    ]
    return table.cast(pa.schema(fields))
