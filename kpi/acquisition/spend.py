"""What sales and marketing cost by month, and the months that a ratio of costs may count.

A month in which no cost is recorded at all is not known to have cost nothing: ratios leave it out
above and below the line, and their note says how many months are behind them.
"""

from collections.abc import Mapping, Sequence

import narwhals as nw
import pandas as pd

from kpi.engine import collect
from kpi.filters import id_column
from kpi.periods import Every, check_every, day_number, from_day, month_start, period_start
from kpi.snapshot import Snapshot
from kpi.tables import TABLES, TableError

CATEGORIES = TABLES["costs"].column("category").values
YEAR = 12
NO_COSTS = "not enough data: no costs recorded"
Allocation = float | Mapping[str, float]


def month_index(day: int) -> int:
    """Count months: January 1970 is 0.

    >>> month_index(31)
    1
    """
    date = from_day(day)
    return (date.year - 1970) * YEAR + date.month - 1


def first_day(month: int) -> int:
    """Day number of the first day of a month counted by `month_index`.

    >>> first_day(1)
    31
    """
    return day_number(month_start(from_day(0), int(month)))


def last_month(snapshot: Snapshot) -> int:
    """Return the last month that had ended on the as-of date."""
    return month_index(snapshot.as_of_day + 1) - 1


def monthly_costs(
    snapshot: Snapshot, columns: Sequence[str] = (), allocation: Allocation = 1.0
) -> pd.DataFrame:
    """Sum costs by group and month.

    Parameters
    ----------
    columns : sequence of str
        Columns of costs that tell groups apart.
    allocation : float or mapping of category to float
        Share of each cost that goes into winning new customers, 0 to 1; categories that a mapping
        does not name count in full.

    Returns
    -------
    DataFrame
        `columns`, ``month`` (`month_index`), ``cost``, one column a category and ``other`` (costs
        without one), all in the reporting currency, ``items`` (cost records).

    Raises
    ------
    TableError
        If the allocation names an unknown category or is no share.
    """
    shares = _shares(allocation)
    costs = snapshot.costs.lazy()
    channels = snapshot.filters.get("channel")
    if channels:
        costs = costs.filter(nw.col("channel").is_in(channels))
    keys = list(dict.fromkeys([*columns, "month_day", "category"]))
    table = collect(costs.group_by(*keys).agg(cost=nw.col("amount").sum(), items=nw.len()))
    named = table["category"].astype("str").where(table["category"].notna(), "other")
    table["cost"] = table["cost"].astype("float64") * named.map(shares).astype("float64")
    table["month"] = [month_index(day) for day in table["month_day"]]
    for name in shares:
        table[name] = table["cost"].where(named == name, 0.0)
    sums = ["cost", *shares, "items"]
    whole = table[table["month"] <= last_month(snapshot)]
    summed = whole.groupby([*columns, "month"], dropna=False, as_index=False)[sums].sum()
    return summed.astype({"month": "int64", "items": "int64"}).round(dict.fromkeys(shares, 6))


def counted_months(
    snapshot: Snapshot, paid: Sequence[int], every: Every | None, lag: int = 0
) -> pd.DataFrame:
    """Months that a ratio counts, and the period each belongs to.

    Parameters
    ----------
    paid : sequence of int
        Months in which costs are recorded.
    every : {"month", "quarter", "year"} or None
        None: one period, the last twelve months that had ended on the as-of date.
    lag : int
        Months between spending and what it is held against.

    Returns
    -------
    DataFrame
        ``month``, ``paid_month`` (`lag` earlier), ``period`` (day number; 0 without `every`),
        ``counts`` (False where no costs are recorded). Without `every` always twelve rows; else
        from the first month with costs to the last that had ended.
    """
    last, known = last_month(snapshot), set(paid)
    if every is None:
        months = range(last - YEAR + 1, last + 1)
    else:
        check_every(every)
        begin = min(known) + lag if known else last + 1
        since = month_index(day_number(snapshot.since)) if snapshot.since else begin
        months = range(max(begin, since), last + 1)
    fiscal = snapshot.definitions.fiscal_year_start
    rows = [
        {
            "month": month,
            "paid_month": month - lag,
            "period": day_number(period_start(from_day(first_day(month)), every, fiscal))
            if every
            else 0,
            "counts": month - lag in known,
        }
        for month in months
    ]
    columns = ["month", "paid_month", "period", "counts"]
    return pd.DataFrame(rows, columns=columns).astype(
        dict.fromkeys(columns[:3], "int64") | {"counts": "bool"}
    )


def months_note(have: int, every: Every | None) -> str:
    """Say of how many months the costs are known, where not of all.

    >>> months_note(2, "quarter")
    'costs of 2 of 3 months; the others are left out'
    """
    full = check_every(every) if every else YEAR
    if have == 0:
        return NO_COSTS
    return "" if have == full else f"costs of {have} of {full} months; the others are left out"


def window_note(every: Every | None) -> str:
    """Say which months a row without periods is about."""
    return "" if every else "last twelve whole months"


def unnarrowed(snapshot: Snapshot) -> list[str]:
    """Filters of the snapshot that costs do not follow: they name a channel and nothing else."""
    return sorted(name for name in snapshot.filters if id_column(name) != "channel")


def allocated(allocation: Allocation) -> str:
    """Say which share of the costs counts, where not all."""
    cut = {name: share for name, share in _shares(allocation).items() if share != 1}
    if not cut:
        return ""
    if not isinstance(allocation, Mapping):
        return f"{allocation:.0%} of the costs counted"
    return "counted of the costs: " + ", ".join(f"{share:.0%} {n}" for n, share in cut.items())


def _shares(allocation: Allocation) -> dict[str, float]:
    """Return the share counted of each category and of ``other``."""
    names = [*CATEGORIES, "other"]
    given = (
        dict(allocation) if isinstance(allocation, Mapping) else dict.fromkeys(names, allocation)
    )
    for name, share in given.items():
        if name not in names:
            raise TableError(f"allocation: no category {name!r}; expected one of {names}")
        if not 0 <= share <= 1:
            raise TableError(f"allocation: {name} = {share!r}; expected a share, 0 to 1")
    return {name: float(given.get(name, 1.0)) for name in names}
