"""A warehouse over Ibis tables (Snowflake, BigQuery, ...); needs the extra ``warehouse``."""

import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import narwhals as nw
import pandas as pd

from kpi.engine import DAY, arrow, collect
from kpi.engines.clock import Change, changes, within
from kpi.tables import TABLES, Column, day, seconds

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa
    from ibis.backends import BaseBackend

IBIS_TYPES = {
    "id": "string",
    "text": "string",
    "time": "timestamp",
    "date": "timestamp",
    "money": "float64",
    "number": "float64",
    "whole": "int64",
    "flag": "boolean",
}


class Warehouse:
    """One Ibis connection; tables stay where they are, only counts and sums come out."""

    def __init__(self, backend: "BaseBackend") -> None:
        import ibis  # noqa: PLC0415 - an extra

        self.backend = backend
        self._ibis = ibis

    def branch(
        self, raw: Mapping[str, nw.LazyFrame]
    ) -> tuple["Warehouse", dict[str, nw.LazyFrame]]:
        """Return this engine: a temporary table goes with the last expression over it."""
        return self, dict(raw)

    def load(self, name: str, frame: pd.DataFrame, time_zone: str) -> nw.LazyFrame:
        """Take a conformed data frame in."""
        return self.take(name, self._native(frame), time_zone)

    def take(self, name: str, native: "ir.Table", time_zone: str) -> nw.LazyFrame:
        """Take in a table of canonical columns; timestamps with a zone or in UTC."""
        table = TABLES[name]
        plain = native.select(**{c.name: self._cast(native, c) for c in table.columns})
        times = [c for c in table.columns if c.kind in ("time", "date")]
        stamped = plain.mutate(**{seconds(c.name): _seconds(plain[c.name]) for c in times})
        clock = _clock(stamped, times, time_zone)
        return _lazy(stamped.mutate(**{day(c.name): self._day(stamped, c, clock) for c in times}))

    def keep(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """Compute a lazy frame once, as a temporary table where the warehouse has such."""
        if not self.backend.supports_temporary_tables:
            return frame
        return _lazy(self._table(nw.to_native(frame)))

    def store(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """Compute a lazy frame once, as `keep`."""
        return self.keep(frame)

    def frame(self, data: pd.DataFrame) -> nw.LazyFrame:
        """Take in a small helper table (a calendar, exchange rates)."""
        return _lazy(self._native(data))

    def _native(self, data: pd.DataFrame) -> "ir.Table":
        if not self.backend.supports_temporary_tables:
            return self._ibis.memtable(arrow(data))
        return self._table(arrow(data))

    def _table(self, rows: "ir.Table | pa.Table") -> "ir.Table":
        """Make a temporary table; not by ``cache``, which takes a table of values to any backend."""
        name = self._ibis.util.gen_name("kept")
        table = self.backend.create_table(name, rows, temp=True)
        weakref.finalize(table.op(), self.backend.drop_table, name, force=True).atexit = False
        return table

    def _cast(self, native: "ir.Table", column: Column) -> "ir.Value":
        """One canonical column; moments keep the type they have."""
        kind = IBIS_TYPES[column.kind]
        if column.name not in native.columns:
            return self._ibis.null(kind)
        value = native[column.name]
        return value if kind == "timestamp" else value.cast(kind)

    def _day(self, frame: "ir.Table", column: Column, clock: Sequence[Change]) -> "ir.Value":
        """Local calendar day; a day that a CRM writes as midnight UTC is that day anywhere."""
        at = frame[seconds(column.name)]
        shifts = [(at >= start, self._ibis.literal(shift, "int64")) for start, shift in clock]
        none = self._ibis.literal(0, "int64")
        local = ((at + self._ibis.cases(*shifts, else_=none)) // DAY).cast("int64")
        if column.kind == "date":
            return self._ibis.ifelse(at % DAY == 0, (at // DAY).cast("int64"), local)
        return local


def _lazy(native: "ir.Table") -> nw.LazyFrame:
    frame: nw.LazyFrame = nw.from_native(native)
    return frame


def _seconds(at: "ir.Value") -> "ir.Value":
    """UTC seconds.

    A timestamp without a zone is taken apart: a cast would read it in the zone of the session.
    """
    kind = at.type()
    if kind.is_date():
        return at.epoch_days().cast("int64") * DAY
    if kind.timezone is not None:
        # ibis takes it for whole seconds, some warehouses give a fraction, and a cast would round
        return at.epoch_seconds().cast("float64").floor().cast("int64")
    clock = at.hour().cast("int64") * 3600 + at.minute() * 60 + at.second()
    return at.date().epoch_days().cast("int64") * DAY + clock


def _clock(frame: "ir.Table", times: Sequence[Column], time_zone: str) -> list[Change]:
    clock = changes(time_zone)
    if len(clock) == 1 or not times:
        return clock
    ends: dict[str, ir.Value] = {}
    for column in times:
        at = frame[seconds(column.name)]
        ends |= {f"least_{column.name}": at.min(), f"most_{column.name}": at.max()}
    seen = collect(_lazy(frame.aggregate(**ends))).iloc[0]
    return within(clock, [None if pd.isna(moment) else int(moment) for moment in seen])
