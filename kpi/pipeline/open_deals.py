"""Every open deal as it stands: its stage, how long it has been there, and when it should close."""

from collections.abc import Callable, Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.cohorts import durations
from kpi.deals.visits import first_visits
from kpi.deals.win_rate import of_type, only_type
from kpi.engine import collect
from kpi.periods import MONTHS as LENGTH
from kpi.periods import Every, day_number, from_day, month_start, starts
from kpi.result import Groups
from kpi.rewind import count, last_value, moves
from kpi.snapshot import Snapshot
from kpi.stats.survival import first_reaching, kaplan_meier

STALLED = 0.25  # share of visits that last longer than the time after which a deal has stalled
USED = ("deal_id", "funnel", "rank", "stage_id", "created_day", "amount", "mrr")


def open_deals(snapshot: Snapshot, columns: Sequence[str], deal_type: str | None) -> pd.DataFrame:
    """One row per open deal, sorted by id.

    Returns
    -------
    DataFrame
        `columns` of deals, ``deal_id, funnel, rank, stage_id, amount, mrr``; ``age``: days since
        its creation; ``stage_age``: days since it last entered its stage (missing where that was
        not recorded, but for the first stage); ``usual``: days within which three of four visits
        to the stage end (missing where history cannot say); ``stalled``: whether it has been there
        for longer; ``closes_day``: expected closing day.
    """
    deals = of_type(snapshot, deal_type).filter(nw.col("outcome") == "open")
    deals = deals.select(dict.fromkeys([*columns, *USED, "close_date_day"]))
    history = of_deals(snapshot, deals)
    entered = (
        moves(history)
        .join(
            deals.select("deal_id", "stage_id"),
            left_on=["record_id", "stage_id"],
            right_on=["deal_id", "stage_id"],
            how="semi",
        )
        .group_by("record_id")
        .agg(entered=nw.col("changed_day").max())
    )
    deals = deals.join(entered, left_on="deal_id", right_on="record_id", how="left")
    found = collect(closing_days(snapshot, deals)).sort_values("deal_id", ignore_index=True)
    closes = found["closes"].astype("float64")
    first = found["created_day"].where(found["rank"] == 0)
    since = found["entered"].fillna(first).astype("float64")
    found["age"] = snapshot.as_of_day - found["created_day"].astype("float64")
    found["stage_age"] = snapshot.as_of_day - since
    found = found.assign(closes_day=closes, **{c: found[c].astype("float64") for c in ("rank",)})
    found = found.merge(usual_stay(snapshot, deal_type), on=["funnel", "rank"], how="left")
    found["stalled"] = found["stage_age"] > found["usual"]
    return found.drop(columns=["close_date_day", "closes", "entered"])


def closing_days(snapshot: Snapshot, deals: nw.LazyFrame) -> nw.LazyFrame:
    """Add ``closes``: the day a deal is expected to close, as last recorded by the snapshot's date.

    Where history never recorded one, the deal's own. A deal that has closed since, without such
    history, has none: what it says now is when it did close.
    """
    history = of_deals(snapshot, deals).filter(~nw.col("close_date_day").is_null())
    dated = last_value(history, "close_date_day").rename({"then": "dated"})
    joined = deals.join(dated, left_on="deal_id", right_on="record_id", how="left")
    return joined.with_columns(closes=nw.coalesce("dated", "close_date_day")).drop("dated")


def of_deals(snapshot: Snapshot, deals: nw.LazyFrame) -> nw.LazyFrame:
    """Return the history of some deals: what orders changes need not sort all of it."""
    history = snapshot.history.lazy().filter(nw.col("object") == "deal")
    return history.join(deals.select(record_id=nw.col("deal_id")), on="record_id", how="semi")


def at_least_one(snapshot: Snapshot, deal_type: str | None) -> bool:
    """Tell whether the data has any deal of that kind: if so, nothing open is 0, not missing."""
    return count(of_type(snapshot, deal_type)) > 0


def usual_stay(snapshot: Snapshot, deal_type: str | None) -> pd.DataFrame:
    """Days within which three of four first visits to each stage end: ``funnel, rank, usual``.

    Kaplan-Meier on any exit, open visits followed for as long as they have lasted; missing where
    fewer than three of four have ended.
    """
    visits = only_type(first_visits(snapshot, []), deal_type)
    keys = ["funnel", "rank"]
    counted = durations(snapshot, visits, keys, start="start", end="end")
    usable = counted[(counted["cause"] >= 0) & (counted["entry"] <= counted["duration"])]
    rows = []
    for group, part in usable.groupby(keys):
        curve = kaplan_meier(part["duration"], part["cause"], part["entry"], count=part["n"])
        stay = first_reaching(curve, "survival", STALLED)
        rows.append(dict(zip(keys, group, strict=True)) | {"usual": stay})
    found = pd.DataFrame(rows, columns=[*keys, "usual"])
    return found.astype({"funnel": "str", "rank": "float64", "usual": "float64"})


def at_ends(
    groups: Groups, reckon: Callable[[Snapshot], pd.DataFrame], **empty: object
) -> pd.DataFrame:
    """Reckon a stock at the as-of date, or as it was at the end of each period.

    Every period is the snapshot rewound to its last day (the last period: the as-of date), so a
    past number is what was known then.
    """
    snapshot = groups.snapshot
    if groups.every is None:
        return reckon(snapshot)
    parts = []
    for start, end in periods(snapshot, groups.every):
        then = snapshot if end >= snapshot.as_of_day else snapshot.at(from_day(end))
        parts.append(reckon(then).assign(period=start))
    if not parts:
        return reckon(snapshot).iloc[:0].assign(period=pd.Series(dtype="int64"))
    return groups.complete(pd.concat(parts, ignore_index=True), **empty)


def periods(snapshot: Snapshot, every: Every) -> list[tuple[int, int]]:
    """First and last day of each period from the first deal created to the as-of date."""
    first = collect(snapshot.deals.lazy().select(nw.col("created_day").min()))
    day = first["created_day"].iloc[0]
    if pd.isna(day):
        return []
    fiscal = snapshot.definitions.fiscal_year_start
    first_day = max(from_day(day), snapshot.since or from_day(day))
    begins = starts(min(first_day, snapshot.as_of), snapshot.as_of, every, fiscal)
    return [
        (day_number(start), day_number(month_start(start, LENGTH[every])) - 1) for start in begins
    ]


def by_group(
    frame: pd.DataFrame, keys: Sequence[str], row: Callable[[pd.DataFrame], dict[str, object]]
) -> pd.DataFrame:
    """One row per group, reckoned by `row`; without groups, one row of all."""
    if not keys:
        return pd.DataFrame([row(frame)])
    rows = [
        dict(zip(keys, group, strict=True)) | row(part)
        for group, part in frame.groupby(list(keys), dropna=False, sort=True)
    ]
    return pd.DataFrame(rows, columns=[*keys, *row(frame.iloc[:0])])


def total(values: pd.Series) -> float:
    """Sum of money without the noise of adding floats; missing where no value is known."""
    known = values.dropna()
    return float(np.round(known.sum(), 9)) if len(known) else float("nan")
