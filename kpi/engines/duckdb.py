"""The embedded engine: canonical tables in DuckDB, handed out as lazy Narwhals frames."""

import weakref
from collections.abc import Mapping, Sequence
from itertools import count as numbers

import duckdb
import narwhals as nw
import pandas as pd

from kpi.engine import DAY, arrow, empty
from kpi.engines.clock import Change, changes, within
from kpi.tables import TABLES, Column, Table, day, seconds

COUNT = numbers(1)
LARGE = 1_000_000
"""Rows from which a table is compressed: below it memory is no matter, and it costs time."""
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


class DuckDB:
    """One in-memory DuckDB database; it holds tables and never touches a file of its own.

    Large tables are compressed in memory, to about a fifth.
    """

    def __init__(self, branch_of: "DuckDB | None" = None) -> None:
        root = branch_of._database if branch_of else duckdb.connect(":memory:")  # noqa: SLF001 - own
        self._database: duckdb.DuckDBPyConnection = root.cursor() if branch_of else root
        self._database.execute("SET TimeZone = 'UTC'")
        self._name = f"later_{next(COUNT)}" if branch_of else "kept"
        self._database.execute(f"ATTACH ':memory:' AS {self._name} (COMPRESS)")
        self._database.execute(f"USE {self._name}")
        if branch_of:
            weakref.finalize(self._database, _detach, root, self._name).atexit = False
        self._made = 0

    def branch(self, raw: Mapping[str, nw.LazyFrame]) -> tuple["DuckDB", dict[str, nw.LazyFrame]]:
        """Open a connection whose tables go when the last frame over them does; it sees `raw` too."""
        branch = DuckDB(self)
        names = {n: nw.to_native(f).alias for n, f in raw.items()}  # a branch's raw is its root's
        tables = {
            n: branch._database.table(f"{own.rpartition('_')[0]}.main.{own}")
            for n, own in names.items()
        }
        return branch, {name: nw.from_native(table) for name, table in tables.items()}

    def load(self, name: str, frame: pd.DataFrame, time_zone: str) -> nw.LazyFrame:
        """Take a conformed data frame in."""
        table = TABLES[name]
        moments = [c.name for c in table.columns if c.kind == "time"]
        naive = frame.assign(
            **{m: frame[m].dt.tz_convert("UTC").dt.tz_localize(None) for m in moments}
        )
        self._database.register("incoming", naive)
        try:
            return self._table(self._canonical(table, "incoming", table.names, time_zone))
        finally:
            self._database.unregister("incoming")

    def load_parquet(self, name: str, files: Sequence[str], time_zone: str) -> nw.LazyFrame:
        """Take the Parquet files of one canonical table in, as a store keeps them."""
        return self.store(self.scan_parquet(name, files, time_zone))

    def scan_parquet(self, name: str, files: Sequence[str], time_zone: str) -> nw.LazyFrame:
        """Return the same without holding it: files are read anew each time it is used."""
        table = TABLES[name]
        if not files:
            return self.load(name, empty(table), time_zone)
        read = self._database.read_parquet(list(files), union_by_name=True)
        return nw.from_native(self._canonical(table, read, read.columns, time_zone))

    def store(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """Compute a lazy frame once, as a table that lives as long as the engine: quickest to read."""
        return self._table(nw.to_native(frame))

    def keep(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """Compute a lazy frame once; what it held is freed with the last frame that reads it."""
        table = nw.to_native(frame).to_arrow_table()
        return nw.from_native(self._database.from_arrow(table))

    def frame(self, data: pd.DataFrame) -> nw.LazyFrame:
        """Take in a small helper table (a calendar, exchange rates); freed as what is kept."""
        return nw.from_native(self._database.from_arrow(arrow(data)))

    def _table(self, relation: duckdb.DuckDBPyRelation) -> nw.LazyFrame:  # noqa: ARG002 - SQL names it
        self._made += 1
        name = f"{self._name}_{self._made}"
        made = self._database.execute(f"CREATE TABLE {name} AS SELECT * FROM relation")  # noqa: S608 - own name
        count = made.fetchone()
        if count and count[0] >= LARGE:
            self._database.execute(f"CHECKPOINT {self._name}")  # this is what compresses
        return nw.from_native(self._database.table(f"{self._name}.main.{name}"))

    def _canonical(
        self,
        table: Table,
        source: str | duckdb.DuckDBPyRelation,
        present: Sequence[str],
        time_zone: str,
    ) -> duckdb.DuckDBPyRelation:
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
        return relation.project("*" + days)


def _detach(root: duckdb.DuckDBPyConnection, name: str) -> None:
    """Free the tables of a branch, whose last frame has gone."""
    root.cursor().execute(f"DETACH {name}")


def _cast(column: Column, present: bool) -> str:  # noqa: FBT001 - one call, above
    source = f'"{column.name}"' if present else "NULL"
    return f'CAST({source} AS {SQL_TYPES[column.kind]}) AS "{column.name}"'


def _clock(
    relation: duckdb.DuckDBPyRelation, times: Sequence[Column], time_zone: str
) -> list[Change]:
    clock = changes(time_zone)
    moments = [f'"{seconds(c.name)}"' for c in times if c.kind == "time"]
    if len(clock) == 1 or not moments:
        return clock
    ends = ", ".join(f"min({m}), max({m})" for m in moments)
    return within(clock, relation.aggregate(ends).fetchall()[0])


def _day(column: Column, clock: Sequence[Change]) -> str:
    """Write SQL for the local calendar day of a time column, or the day of a date column."""
    at = f'"{seconds(column.name)}"'
    if column.kind == "date":
        return f"{at} // {DAY}"
    cases = "".join(f" WHEN {at} >= {start} THEN {shift}" for start, shift in clock)
    return f"({at} + CASE{cases} ELSE 0 END) // {DAY}"
