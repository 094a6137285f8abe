"""The embedded engine: canonical tables in DuckDB, handed out as lazy Narwhals frames.

Every time and date column gets two whole-number twins, named by `kpi.tables.seconds` and
`kpi.tables.day`: UTC seconds, for order, and the calendar day in the company's time zone, for
arithmetic. KPI code uses only these, so the same expressions run unchanged on other engines.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, cast
from zoneinfo import ZoneInfo

import duckdb
import narwhals as nw
import pandas as pd

from kpi.tables import DTYPES, TABLES, Column, Table, day, seconds

DAY = 86_400
SQL_TYPES = {
    "id": "VARCHAR",
    "text": "VARCHAR",
    "time": "TIMESTAMP",
    "date": "TIMESTAMP",
    "money": "DOUBLE",
    "number": "DOUBLE",
    "whole": "BIGINT",
    "flag": "BOOLEAN",
}


class Engine:
    """One in-memory DuckDB database; it holds tables and never touches a file of its own."""

    def __init__(self) -> None:
        self._database = duckdb.connect(":memory:")
        self._database.execute("SET TimeZone = 'UTC'")
        self._made = 0

    def load(self, name: str, frame: pd.DataFrame, time_zone: str) -> nw.LazyFrame:
        """Take a conformed data frame in."""
        table = TABLES[name]
        moments = [c.name for c in table.columns if c.kind == "time"]
        naive = frame.assign(
            **{m: frame[m].dt.tz_convert("UTC").dt.tz_localize(None) for m in moments}
        )
        self._database.register("incoming", naive)
        try:
            return self._canonical(table, "incoming", table.names, time_zone)
        finally:
            self._database.unregister("incoming")

    def load_parquet(self, name: str, files: Sequence[str], time_zone: str) -> nw.LazyFrame:
        """Take the Parquet files of one canonical table in, as a store keeps them."""
        table = TABLES[name]
        if not files:
            return self.load(name, empty(table), time_zone)
        read = self._database.read_parquet(list(files), union_by_name=True)
        return self._canonical(table, read, read.columns, time_zone)

    def keep(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """Compute a lazy frame once and keep the result, for what is read many times."""
        return self._table(nw.to_native(frame))

    def frame(self, data: pd.DataFrame) -> nw.LazyFrame:
        """Take in a small helper table (a calendar, exchange rates)."""
        self._database.register("incoming", data)
        try:
            return self._table(self._database.sql("SELECT * FROM incoming"))
        finally:
            self._database.unregister("incoming")

    def _table(self, relation: duckdb.DuckDBPyRelation) -> nw.LazyFrame:
        self._made += 1
        name = f"kept_{self._made}"
        relation.create(name)
        return nw.from_native(self._database.table(name))

    def _canonical(
        self,
        table: Table,
        source: str | duckdb.DuckDBPyRelation,
        present: Sequence[str],
        time_zone: str,
    ) -> nw.LazyFrame:
        plain = ", ".join(_cast(c, c.name in present) for c in table.columns)
        if isinstance(source, str):
            relation = self._database.sql(f"SELECT {plain} FROM {source}")  # noqa: S608 - own names
        else:
            relation = source.project(plain)
        times = [c for c in table.columns if c.kind in ("time", "date")]
        stamps = "".join(f', epoch_us("{c.name}") // 1000000 AS "{seconds(c.name)}"' for c in times)
        relation = relation.project("*" + stamps)
        clock = _clock(relation, times, time_zone)
        days = "".join(f', {_day(c, clock)} AS "{day(c.name)}"' for c in times)
        return self._table(relation.project("*" + days))


def collect(frame: nw.LazyFrame) -> pd.DataFrame:
    """Run a lazy frame and return pandas."""
    result: pd.DataFrame = frame.collect("pandas").to_native()
    return result


def sql(frame: nw.LazyFrame) -> str:
    """Return the SQL that a lazy frame stands for (names of kept tables only, no file paths)."""
    text: str = nw.to_native(frame).sql_query()
    return text


def to_pandas(name: str, frame: nw.LazyFrame, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return canonical dtypes (`kpi.tables`) as pandas: all columns in the order of the key, or some."""
    table = TABLES[name]
    wanted = [c for c in table.columns if columns is None or c.name in columns]
    result = collect(frame.select([c.name for c in wanted]))
    for column in wanted:
        values, dtype = result[column.name], cast("Any", DTYPES[column.kind])
        if column.kind == "time":
            values = values.astype("datetime64[us]").dt.tz_localize("UTC")
        result[column.name] = values.astype(dtype)
    if columns is not None:
        return result
    return result.sort_values(list(table.key or table.names[:1]), ignore_index=True, kind="stable")


def empty(table: Table) -> pd.DataFrame:
    """Return a canonical table without rows."""
    return pd.DataFrame({c.name: pd.Series(dtype=DTYPES[c.kind]) for c in table.columns})


def _cast(column: Column, present: bool) -> str:  # noqa: FBT001 - one call, above
    source = f'"{column.name}"' if present else "NULL"
    return f'CAST({source} AS {SQL_TYPES[column.kind]}) AS "{column.name}"'


def _clock(
    relation: duckdb.DuckDBPyRelation, times: Sequence[Column], time_zone: str
) -> list[tuple[int, int]]:
    """Clock changes that the moments at hand need: decades without data would only cost time."""
    clock = _offsets(time_zone)
    moments = [f'"{seconds(c.name)}"' for c in times if c.kind == "time"]
    if len(clock) == 1 or not moments:
        return clock
    ends = ", ".join(f"min({m}), max({m})" for m in moments)
    found = [end for end in relation.aggregate(ends).fetchall()[0] if end is not None]
    if not found:
        return clock[-1:]
    began = max((start for start, _ in clock if start <= min(found)), default=0)
    return [(start, shift) for start, shift in clock if began <= start <= max(found)]


def _day(column: Column, clock: Sequence[tuple[int, int]]) -> str:
    """Write SQL for the local calendar day of a time column, or the day of a date column."""
    at = f'"{seconds(column.name)}"'
    if column.kind == "date":
        return f"{at} // {DAY}"
    cases = "".join(f" WHEN {at} >= {start} THEN {shift}" for start, shift in clock)
    return f"({at} + CASE{cases} ELSE 0 END) // {DAY}"


@cache
def _offsets(time_zone: str) -> list[tuple[int, int]]:
    """Start (UTC seconds) and offset of every clock change 1970 to 2100, latest first."""
    zone = ZoneInfo(time_zone)
    hour = datetime(1970, 1, 1, tzinfo=UTC)
    found: list[tuple[int, int]] = []
    while hour.year < 2100:
        offset = _offset(hour, zone)
        if not found or found[-1][1] != offset:
            found.append((int(_change(hour, zone).timestamp()) if found else 0, offset))
        hour += timedelta(days=7)
    return found[::-1]


def _change(after: datetime, zone: ZoneInfo) -> datetime:
    """Moment, in the week before `after`, at which the clock took the offset it has then."""
    low, high = after - timedelta(days=7), after
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if _offset(middle, zone) == _offset(after, zone):
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)


def _offset(moment: datetime, zone: ZoneInfo) -> int:
    shift = moment.astimezone(zone).utcoffset()
    return int(shift.total_seconds()) if shift else 0
