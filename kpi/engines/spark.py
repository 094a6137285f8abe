"""Spark: the company's own data frames, reckoned where they are; needs the extra ``spark``."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import narwhals as nw
import pandas as pd
import pyarrow as pa

from kpi.engine import DAY, arrow
from kpi.engines.clock import Change, changes, within
from kpi.tables import TABLES, Column, day, seconds

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SPARK_TYPES = {
    "id": "STRING",
    "text": "STRING",
    "money": "DOUBLE",
    "number": "DOUBLE",
    "whole": "BIGINT",
    "flag": "BOOLEAN",
}


class Spark:
    """One Spark session; whatever its time zone, seconds and days come out the same."""

    def __init__(self, session: "SparkSession") -> None:
        self.session = session

    def branch(self, raw: Mapping[str, nw.LazyFrame]) -> tuple["Spark", dict[str, nw.LazyFrame]]:
        """Return this engine: Spark frees what no frame reads any more by itself."""
        return self, dict(raw)

    def load(self, name: str, frame: pd.DataFrame, time_zone: str) -> nw.LazyFrame:
        """Take a conformed data frame in."""
        return self.take(name, self._native(frame), time_zone)

    def take(self, name: str, native: "DataFrame", time_zone: str) -> nw.LazyFrame:
        """Take in a data frame of canonical columns; timestamps with a zone or in UTC."""
        table, kinds = TABLES[name], dict(native.dtypes)
        times = [c for c in table.columns if c.kind in ("time", "date")]
        plain = [_cast(c, c.name in kinds) for c in table.columns]
        stamps = [_seconds(c.name, kinds.get(c.name, "")) for c in times]
        stamped = native.selectExpr(*plain, *stamps)
        stamped = stamped.localCheckpoint() if times else stamped
        clock = _clock(stamped, times, time_zone)
        return _lazy(stamped.selectExpr("*", *[_day(c, clock) for c in times]))

    def keep(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """Compute a lazy frame once and forget how: plans would grow with every step."""
        return _lazy(nw.to_native(frame).localCheckpoint())

    def store(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """Compute a lazy frame once, as `keep`."""
        return self.keep(frame)

    def frame(self, data: pd.DataFrame) -> nw.LazyFrame:
        """Take in a small helper table (a calendar, exchange rates)."""
        return _lazy(self._native(data))

    def _native(self, data: pd.DataFrame) -> "DataFrame":
        """Bring Arrow in; a moment without a zone is UTC, not the zone of the session."""
        table = arrow(data)
        fields = [
            pa.field(f.name, pa.timestamp("us", "UTC")) if pa.types.is_timestamp(f.type) else f
            for f in table.schema
        ]
        return self.session.createDataFrame(table.cast(pa.schema(fields)))


def _lazy(native: "DataFrame") -> nw.LazyFrame:
    frame: nw.LazyFrame = nw.from_native(native)
    return frame


def _cast(column: Column, present: bool) -> str:  # noqa: FBT001 - one call, above
    """Write SQL for one canonical column; moments keep the type they have."""
    if column.kind in ("time", "date"):
        return f"`{column.name}`" if present else f"CAST(NULL AS TIMESTAMP_NTZ) AS `{column.name}`"
    source = f"`{column.name}`" if present else "NULL"
    return f"CAST({source} AS {SPARK_TYPES[column.kind]}) AS `{column.name}`"


def _seconds(name: str, kind: str) -> str:
    """Write SQL for UTC seconds.

    A timestamp without a zone is taken apart: a cast would read it in the zone of the session.
    """
    days = f"CAST(unix_date(CAST(`{name}` AS DATE)) AS BIGINT) * {DAY}"
    clock = f"hour(`{name}`) * 3600 + minute(`{name}`) * 60 + CAST(second(`{name}`) AS BIGINT)"
    told = {
        "": "CAST(NULL AS BIGINT)",
        "timestamp": f"unix_seconds(`{name}`)",
        "date": days,
        "timestamp_ntz": f"{days} + {clock}",
    }
    return f"{told[kind]} AS `{seconds(name)}`"


def _clock(frame: "DataFrame", times: Sequence[Column], time_zone: str) -> list[Change]:
    clock = changes(time_zone)
    if len(clock) == 1 or not times:
        return clock
    ends = [f"{end}(`{seconds(c.name)}`)" for c in times for end in ("min", "max")]
    return within(clock, frame.selectExpr(*ends).collect()[0])


def _day(column: Column, clock: Sequence[Change]) -> str:
    """Write SQL for the local calendar day.

    A day that a CRM writes as midnight UTC is that day, wherever the company is.
    """
    at = f"`{seconds(column.name)}`"
    cases = "".join(f" WHEN {at} >= {start} THEN {shift}" for start, shift in clock)
    local = f"({at} + CASE{cases} ELSE 0 END)"
    if column.kind == "date":
        local = f"CASE WHEN {at} % {DAY} = 0 THEN {at} ELSE {local} END"
    return f"CAST(floor({local} / {DAY}) AS BIGINT) AS `{day(column.name)}`"
