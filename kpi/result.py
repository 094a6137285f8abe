"""The one shape of every KPI: groups, period, then ``value, low, high, x, n, note``."""

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.engine import collect
from kpi.filters import id_column
from kpi.periods import Every, calendar, check_every, from_day, starts
from kpi.snapshot import Snapshot
from kpi.stats.intervals import jeffreys
from kpi.tables import TABLES, TableError

VALUES = ["value", "low", "high", "x", "n", "note"]
FEW = 30
WIDE = 0.20


class Groups:
    """How a KPI is cut: by columns of a table, and by period of a day column."""

    def __init__(
        self,
        snapshot: Snapshot,
        table: str,
        by: str | Sequence[str] | None,
        every: Every | None,
    ) -> None:
        self.by = [by] if isinstance(by, str) else list(by or [])
        self.columns = [id_column(name) for name in self.by]
        self.every: Every | None = every
        self.snapshot = snapshot
        for name, column in zip(self.by, self.columns, strict=True):
            if column not in TABLES[table].names:
                raise TableError(
                    f"by={name!r}: {table} has no such column; it has {TABLES[table].names}"
                )
        if every is not None:
            check_every(every)

    @property
    def keys(self) -> list[str]:
        """Columns of a lazy frame that tell the groups apart."""
        return [*self.columns, *(["period"] if self.every else [])]

    def add_period(self, frame: nw.LazyFrame, day: str) -> nw.LazyFrame:
        """Add ``period`` (day number of its first day) for rows whose `day` is known."""
        if self.every is None:
            return frame
        engine, start = self.snapshot.engine, self.snapshot.definitions.fiscal_year_start
        every, since = self.every, self.snapshot.since

        def make() -> nw.LazyFrame:
            return engine.frame(calendar(since or from_day(0), self.snapshot.as_of, every, start))

        days = self.snapshot.once(("calendar", every, since), make)
        return frame.join(days, left_on=day, right_on="day", how="inner")

    def complete(self, frame: pd.DataFrame, **empty: object) -> pd.DataFrame:
        """Add the rows of groups and periods in which nothing happened, filled with `empty`."""
        if not self.keys:
            return frame if len(frame) else pd.DataFrame([empty])
        if self.every is None or frame.empty:
            return frame
        settings = self.snapshot.definitions
        first = from_day(frame["period"].min())
        days = [
            (day - from_day(0)).days
            for day in starts(first, self.snapshot.as_of, self.every, settings.fiscal_year_start)
        ]
        full = pd.DataFrame({"period": days})
        if self.columns:
            full = frame[self.columns].drop_duplicates().merge(full, how="cross")
        return full.merge(frame, on=self.keys, how="left").fillna(empty)

    def finish(
        self, frame: pd.DataFrame, extra: Sequence[str] = (), within: Sequence[str] = ()
    ) -> pd.DataFrame:
        """Put columns in order, name the groups as asked, turn periods into dates, and sort."""
        order = [*self.keys, *within]
        result = frame.sort_values(order, kind="stable", ignore_index=True) if order else frame
        if self.every:
            days = result["period"].astype("int64")
            result["period"] = pd.to_datetime(days * 86_400, unit="s").astype("datetime64[us]")
        result = result.rename(columns=dict(zip(self.columns, self.by, strict=True)))
        period = ["period"] if self.every else []
        beside = [name for name in extra if name not in self.columns]
        ordered = result[[*self.by, *period, *VALUES, *beside]].reset_index(drop=True)
        return ordered.astype(
            {"value": "float64", "low": "float64", "high": "float64", "note": "str"}
        )


def shares(frame: pd.DataFrame, level: float) -> pd.DataFrame:
    """Add ``value, low, high, note`` to counts ``x`` and ``n``: x / n with its Jeffreys interval."""
    x, n = frame["x"].to_numpy(dtype="float64"), frame["n"].to_numpy(dtype="float64")
    low, high = jeffreys(x, n, level)
    value = np.divide(x, n, out=np.full(len(x), np.nan), where=n > 0)
    notes = [rate_note(*row) for row in zip(n, low, high, strict=True)]
    return frame.assign(value=value, low=low, high=high, note=pd.array(notes, dtype="str"))


def rate_note(n: float, low: float, high: float) -> str:
    """Return the reason where there is no rate, or a warning where it rests on little."""
    if n == 0:
        return "no_denominator: nothing to divide by"
    if n < FEW:
        return f"low_n: {n:.0f} only"
    if high - low > WIDE:
        return f"low_n: the interval is wider than {100 * WIDE:.0f} points"
    return ""


def joined(*notes: str) -> str:
    """Join the notes that say something."""
    return "; ".join(note for note in notes if note)


def count_by(frame: nw.LazyFrame, keys: Sequence[str], **sums: nw.Expr) -> pd.DataFrame:
    """Sum expressions by group on the engine; without groups, one row, zeros where empty."""
    wanted = [expr.sum().alias(name) for name, expr in sums.items()]
    result = collect(frame.group_by(*keys).agg(*wanted) if keys else frame.select(*wanted))
    return result.fillna(dict.fromkeys(sums, 0)).astype(dict.fromkeys(sums, "int64"))
