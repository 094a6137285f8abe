"""The last two whole periods and the as-of date: what the board reads of a KPI, and nothing before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, cast

import narwhals as nw
import pandas as pd

from kpi.periods import MONTHS, Every, day_number, month_start, period_start
from kpi.snapshot import Snapshot

Row = Mapping[str, Any]


class Shown(NamedTuple):
    """Rows of one KPI (``value, low, high, x, n, note``), None where it gives none.

    ``stands``: without periods; ``now``: of the last whole period; ``before``: of the one before.
    """

    stands: Row | None = None
    now: Row | None = None
    before: Row | None = None

    @property
    def told(self) -> bool:
        """Whether every row rests on records.

        Where one does not, it takes all that came before to tell a 0 from nothing known.
        """
        return all(row["n"] > 0 for row in self if row is not None)


class Periods(NamedTuple):
    """Day numbers: first days of the period before the last whole one, of that one, and after it."""

    before: int
    now: int
    after: int


@dataclass(frozen=True)
class Asked:
    """What the board is asked for: see `kpi.board`."""

    snapshot: Snapshot
    every: Every
    deal_type: str | None
    level: float

    def periods(self, age: int = 0) -> Periods:
        """Return the last two periods that ended at least `age` days before the as-of date ended."""
        ended = self.snapshot.as_of + timedelta(days=1 - age)
        after = period_start(ended, self.every, self.snapshot.definitions.fiscal_year_start)
        length = MONTHS[self.every]
        return Periods(*(day_number(month_start(after, -back * length)) for back in (2, 1, 0)))


def period_of(day: str, periods: Periods) -> nw.Expr:
    """Tell the first day of the period, of the two, that a day is in; 0 outside, -1 without a day."""
    at = nw.col(day)
    inside = nw.when(at >= periods.now).then(nw.lit(periods.now)).otherwise(nw.lit(periods.before))
    outside = (at < periods.before) | (at >= periods.after)
    dated = nw.when(outside).then(nw.lit(0)).otherwise(inside)
    return nw.when(at.is_null()).then(nw.lit(-1)).otherwise(dated)


def records(table: pd.DataFrame) -> list[Row]:
    """Return the rows of a table."""
    return cast("list[Row]", table.to_dict("records"))
