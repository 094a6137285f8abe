"""Who pays what, when: recurring lines by customer (who pays), at month ends and between them."""

from collections.abc import Callable, Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.engine import collect
from kpi.periods import Every, check_every, day_number, from_day, month_start, period_start, starts
from kpi.result import Groups, joined
from kpi.snapshot import Snapshot

MOVES = ["new", "expansion", "contraction", "churn", "reactivation"]
CENT = 0.005
YEAR = 12
NO_LINES = "not enough data: no recurring line"


def cut(snapshot: Snapshot, by: str | Sequence[str] | None, every: Every | None) -> Groups:
    """Return how a KPI of customers is cut: by columns of accounts, or by ``product`` of the line."""
    names = [by] if isinstance(by, str) else list(by or [])
    table = "subscriptions" if names == ["product"] else "accounts"
    return Groups(snapshot, table, by, every)


def months(snapshot: Snapshot) -> pd.DataFrame:
    """Months with revenue that had ended on the as-of date: ``month`` (0, 1, ...), first and last day."""
    first = collect(snapshot.subscriptions.lazy().select(nw.col("starts_on_day").min()))
    earliest = first["starts_on_day"].iloc[0]
    rows: list[tuple[int, int, int]] = []
    if not pd.isna(earliest):
        start = month_start(from_day(earliest))
        following = month_start(start, 1)
        while day_number(following) - 1 <= snapshot.as_of_day:
            rows.append((len(rows), day_number(start), day_number(following) - 1))
            start, following = following, month_start(following, 1)
    return pd.DataFrame(rows, columns=["month", "first_day", "last_day"], dtype="int64")


def spans(snapshot: Snapshot, calendar: pd.DataFrame, every: Every | None) -> pd.DataFrame:
    """One row a period of months that had ended: the month ``before`` it, its ``last``, ``months``.

    ``period`` is its first day. Without `every`: the last twelve such months (fewer where the
    first month with revenue is later), period 0.
    """
    if calendar.empty:
        return pd.DataFrame(columns=["before", "last", "months", "period"], dtype="int64")
    last = int(calendar["month"].iloc[-1])
    if every is None:
        before = max(last - YEAR, 0)
        row = {"before": before, "last": last, "months": last - before, "period": 0}
        return pd.DataFrame([row])
    fiscal = snapshot.definitions.fiscal_year_start
    period = pd.Series(
        [day_number(period_start(from_day(d), every, fiscal)) for d in calendar["first_day"]]
    )
    found = calendar.groupby(period)["month"].agg(["min", "max"]).reset_index(names="period")
    length = found["max"] - found["min"] + 1
    found = found.assign(before=found["min"] - 1, months=length)
    if snapshot.since is not None:
        found = found[found["period"] >= day_number(snapshot.since)].reset_index(drop=True)
    return found.rename(columns={"max": "last"})[["before", "last", "months", "period"]]


def span_days(calendar: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Last days of the month before each span and of its last month: ``period, before_day, last_day``."""
    ends = calendar[["month", "last_day"]]
    before = ends.rename(columns={"month": "before", "last_day": "before_day"})
    days = found.merge(before, on="before", how="left").merge(
        ends.rename(columns={"month": "last"}), on="last"
    )
    # nothing runs on the day before the first month
    first = calendar["first_day"].min() - 1 if len(calendar) else 0
    days["before_day"] = days["before_day"].fillna(first)
    return days[["period", "before_day", "last_day"]].astype("int64")


def span_months(found: pd.DataFrame) -> pd.DataFrame:
    """One row a month of each span: ``month``, ``period``."""
    rows = found.loc[found.index.repeat(found["months"])]
    within = rows.groupby("period").cumcount() if len(rows) else 0
    month = rows["before"] + 1 + within
    return pd.DataFrame({"month": month, "period": rows["period"]}).astype("int64")


def ends(snapshot: Snapshot, every: Every | None) -> pd.DataFrame:
    """Days at which a stock is read: ``period`` and its last ``day``, the as-of date at the latest.

    From the period of the first line on; without `every`, the as-of date alone (period 0).
    """
    first = collect(snapshot.subscriptions.lazy().select(nw.col("starts_on_day").min()))
    earliest = first["starts_on_day"].iloc[0]
    if pd.isna(earliest):
        return pd.DataFrame(columns=["period", "day"], dtype="int64")
    if every is None:
        return pd.DataFrame([{"period": 0, "day": snapshot.as_of_day}])
    fiscal = snapshot.definitions.fiscal_year_start
    begin = min(max(from_day(earliest), snapshot.since or from_day(earliest)), snapshot.as_of)
    found = starts(begin, snapshot.as_of, every, fiscal)
    following = [day_number(month_start(day, check_every(every))) - 1 for day in found]
    days = np.minimum(following, snapshot.as_of_day)
    return pd.DataFrame({"period": [day_number(day) for day in found], "day": days})


def to_date(snapshot: Snapshot, every: Every | None, day: int) -> str:
    """Return the note of a period that the as-of date cuts short."""
    if every is None or day < snapshot.as_of_day:
        return ""
    following = month_start(snapshot.as_of, 1)
    ended = day_number(following) - 1 == snapshot.as_of_day
    fiscal = snapshot.definitions.fiscal_year_start
    return "" if ended and period_start(following, every, fiscal) == following else "to date"


def customer_lines(snapshot: Snapshot, keys: Sequence[str] = ()) -> nw.LazyFrame:
    """Lines that bring in something on some day: keys, ``customer`` (who pays), ``mrr``, days.

    ``signed_day`` is never after the first day of service. Keys are columns of accounts, or
    ``product``.
    """
    theirs = [key for key in keys if key not in ("account_id", "product")]
    payers = snapshot.accounts.lazy().select(
        "account_id", *theirs, payer=nw.col("billing_account_id")
    )
    runs = nw.col("ends_on_day").is_null() | (nw.col("ends_on_day") > nw.col("starts_on_day"))
    early = nw.col("signed_on_day") < nw.col("starts_on_day")
    signed = nw.when(early).then(nw.col("signed_on_day")).otherwise(nw.col("starts_on_day"))
    days = ["starts_on_day", "ends_on_day", "notice_on_day"]
    lines = snapshot.subscriptions.lazy().filter(nw.col("mrr") > 0, runs)
    lines = lines.select("account_id", "product", "mrr", *days, signed_day=signed)
    lines = lines.join(payers, on="account_id", how="left")
    rest = [name for name in ("product", "mrr", *days, "signed_day") if name not in keys]
    company = nw.col("account_id")
    return lines.select(*keys, *rest, customer=nw.coalesce("payer", company), company=company)


def running(
    lines: nw.LazyFrame, days: nw.LazyFrame, day: str, start: str = "starts_on_day"
) -> nw.LazyFrame:
    """Lines that run on the `day` of each row of a small frame of days."""
    return lines.join(days, how="cross").filter(
        nw.col(start) <= nw.col(day),
        nw.col("ends_on_day").is_null() | (nw.col("ends_on_day") > nw.col(day)),
    )


def paying(
    snapshot: Snapshot,
    keys: Sequence[str],
    days: pd.DataFrame,
    day: str = "day",
    begin: str = "starts_on_day",
) -> nw.LazyFrame:
    """What each customer pays on the `day` of each period: keys, period, customer, ``mrr``, ``lines``."""
    lines = running(customer_lines(snapshot, keys), snapshot.engine.frame(days), day, begin)
    return lines.group_by(*keys, "period", "customer").agg(mrr=nw.col("mrr").sum(), lines=nw.len())


def changes(snapshot: Snapshot, keys: Sequence[str]) -> nw.LazyFrame:
    """Return changes of MRR by customer: keys, ``customer``, ``month``, ``rise``, ``lines``.

    A line counts from the first month whose last day it saw, up to the one whose last day it did
    not see: so a line within one month never shows.
    """
    calendar = months(snapshot)
    length = calendar["last_day"] - calendar["first_day"] + 1
    days = pd.DataFrame({"month": np.repeat(calendar["month"], length)})
    days["day"] = np.arange(len(days)) + (calendar["first_day"].min() if len(days) else 0)
    month = snapshot.engine.frame(days)
    lines = customer_lines(snapshot, keys).join(month, left_on="starts_on_day", right_on="day")
    ended = month.rename({"month": "end_month"})
    lines = lines.join(ended, left_on="ends_on_day", right_on="day", how="left").filter(
        nw.col("end_month").is_null() | (nw.col("end_month") > nw.col("month"))
    )
    group = [*keys, "customer", "month"]
    begun = lines.select(*group, rise=nw.col("mrr"), lines=nw.lit(1))
    over = lines.filter(~nw.col("end_month").is_null()).select(
        *keys, "customer", month=nw.col("end_month"), rise=-nw.col("mrr"), lines=nw.lit(-1)
    )
    return nw.concat([begun, over]).group_by(*group).agg(nw.col("rise", "lines").sum())


def moves(snapshot: Snapshot, keys: Sequence[str]) -> nw.LazyFrame:
    """Moves of each customer and month: keys, customer, month, the five moves, ``began``, ``left``.

    ``rise`` is the change of MRR; ``began`` and ``left`` are 1 where the customer came (back) or
    went. Computed once a snapshot.
    """
    return snapshot.once(("moves", *keys), lambda: _moves(snapshot, keys))


def _moves(snapshot: Snapshot, keys: Sequence[str]) -> nw.LazyFrame:
    customer = [*keys, "customer"]
    totals = [
        nw.col(name).cum_sum().over(*customer, order_by="month").alias(total)
        for name, total in (("rise", "sum"), ("lines", "active"))
    ]
    table = changes(snapshot, keys).with_columns(
        *totals, first=nw.col("month").min().over(*customer)
    )
    zero, rise = nw.lit(0.0), nw.col("rise")
    has, had = nw.col("active") > 0, nw.col("active") > nw.col("lines")
    now, before = nw.col("sum"), nw.col("sum") - rise
    fresh = nw.col("month") == nw.col("first")
    told = {
        "new": nw.when(has & ~had & fresh).then(now),
        "expansion": nw.when(had & has & (rise > CENT)).then(rise),
        "contraction": nw.when(had & has & (rise < -CENT)).then(-rise),
        "churn": nw.when(had & ~has).then(before),
        "reactivation": nw.when(has & ~had & ~fresh).then(now),
    }
    return table.select(
        *customer,
        "month",
        "rise",
        **{name: move.otherwise(zero) for name, move in told.items()},
        began=nw.when(has & ~had).then(nw.lit(1)).otherwise(nw.lit(0)),
        left=nw.when(had & ~has).then(nw.lit(1)).otherwise(nw.lit(0)),
    )


def book(snapshot: Snapshot, keys: Sequence[str], found: pd.DataFrame) -> pd.DataFrame:
    """What each customer paid before and at the end of each span, and its moves within.

    Returns
    -------
    DataFrame
        keys, ``period``, ``customer``, ``start``, ``end``, the five moves; money without float
        noise, so that the order of the lines does not matter.
    """
    engine, days = snapshot.engine, span_days(months(snapshot), found)
    month = engine.frame(span_months(found))
    zero = nw.lit(0.0)
    head = [*keys, "period", "customer"]
    none = dict.fromkeys(MOVES, zero)
    start = paying(snapshot, keys, days, "before_day")
    start = start.select(*head, start=nw.col("mrr"), end=zero, **none)
    end = paying(snapshot, keys, days, "last_day")
    end = end.select(*head, start=zero, end=nw.col("mrr"), **none)
    moved = moves(snapshot, keys).join(month, on="month", how="inner")
    moved = moved.select(*head, *MOVES, start=zero, end=zero)
    columns = ["start", "end", *MOVES]
    parts = [frame.select(*head, *columns) for frame in (start, end, moved)]
    summed = nw.concat(parts).group_by(*head).agg(nw.col(name).sum() for name in columns)
    return collect(summed).round(dict.fromkeys(columns, 6)).astype({"period": "int64"})


def by_cell(
    groups: Groups,
    found: pd.DataFrame,
    rows: pd.DataFrame,
    measure: Callable[[pd.DataFrame], dict[str, object]],
) -> pd.DataFrame:
    """Apply a measure to the rows of every group and span; where there are none, to no rows.

    The note says where the last twelve months, or a period, hold fewer months than they should.
    """
    full = found[["period", "months"]]
    if full.empty and groups.every is None:
        full = pd.DataFrame([{"period": 0, "months": YEAR}])
    if groups.columns:
        full = rows[groups.columns].drop_duplicates().merge(full, how="cross")
    full = full.reset_index(drop=True)
    placed = rows.merge(full.assign(cell=full.index), on=[*groups.columns, "period"])
    parts = dict(list(placed.groupby("cell")))
    empty = placed.iloc[:0]
    measured = pd.DataFrame([measure(parts.get(i, empty)) for i in full.index])
    if full.empty:
        measured = pd.DataFrame([measure(empty)]).iloc[:0]
    wanted = check_every(groups.every) if groups.every else YEAR
    measured["note"] = [
        joined(str(note), only_months(length, wanted))
        for note, length in zip(measured["note"], full["months"], strict=True)
    ]
    return pd.concat([full, measured], axis=1)


def only_months(length: int, wanted: int) -> str:
    """Say so where a window holds fewer months than it should.

    >>> only_months(2, 12)
    '2 months only'
    """
    return "" if length == wanted else f"{length} month{'s' * (length != 1)} only"
