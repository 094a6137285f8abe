"""What each seller's records add up to, month by month, and the deals in their last open stage."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.deals.win_rate import OWNER_NOTE, of_type, only_type
from kpi.engine import collect
from kpi.leads.flow import entered
from kpi.periods import day_number, month_start
from kpi.result import Groups
from kpi.rewind import moves
from kpi.snapshot import Snapshot

SUMS = ["x", "money", "unpriced"]


@dataclass(frozen=True, eq=False)
class Flow:
    """What sellers add in a month.

    Attributes
    ----------
    counts : DataFrame
        ``owner_id``, ``month`` (day number of its first day), ``x`` (records), ``money`` (their
        amounts) and ``unpriced`` (records without an amount).
    since : int or None
        First month (day number) that the data holds; None where there is nothing to count.
    note : str
        What is counted, or why nothing is.
    """

    counts: pd.DataFrame
    since: int | None
    note: str


def monthly(snapshot: Snapshot, deal_type: str | None) -> dict[str, Flow]:
    """Flows by indicator: suspects, leads, deals_created, deals_won, value_won."""
    deals = of_type(snapshot, deal_type)
    won = deals.filter(nw.col("outcome") == "won")
    created = _counts(snapshot, deals, "created_day")
    closed = _counts(snapshot, won, "closed_day", money="amount")
    since = _since(snapshot, created, closed)
    nothing = "not enough data: no deals with a date" if since is None else OWNER_NOTE
    return {
        "suspects": _suspects(snapshot),
        "leads": _leads(snapshot),
        "deals_created": Flow(created, since, nothing),
        "deals_won": Flow(closed, since, nothing),
        "value_won": Flow(closed, since, nothing),
    }


def _suspects(snapshot: Snapshot) -> Flow:
    counts = _counts(snapshot, snapshot.suspects.lazy(), "added_day")
    since = _since(snapshot, counts)
    return Flow(counts, since, "not enough data: no suspects" if since is None else "")


def _leads(snapshot: Snapshot) -> Flow:
    what = "mql" if "mql" in snapshot.definitions.count else "lead"
    counts = _counts(snapshot, entered(snapshot, what), "entered_day")
    since = _since(snapshot, _counts(snapshot, snapshot.leads.lazy(), "created_day"))
    if since is None:
        return Flow(counts, None, "not enough data: no leads with a date")
    said = "mqls" if what == "mql" else "all leads: set [count.mql] for qualified ones"
    return Flow(counts, since, said)


def _counts(
    snapshot: Snapshot, frame: nw.LazyFrame, day: str, money: str | None = None
) -> pd.DataFrame:
    """Count the records by owner and month of a day."""
    value = nw.lit(0.0) if money is None else nw.col(money)
    dated = Groups(snapshot, "deals", None, "month").add_period(frame, day)
    named = dated.select("owner_id", month=nw.col("period"), value=value)
    summed = named.group_by("owner_id", "month").agg(
        x=nw.len(),
        money=nw.col("value").sum(),
        unpriced=nw.when(nw.col("value").is_null()).then(nw.lit(1)).otherwise(nw.lit(0)).sum(),
    )
    found = collect(summed).fillna({"money": 0.0})
    return found.astype(dict.fromkeys(SUMS, "float64") | {"owner_id": "str", "month": "int64"})


def _since(snapshot: Snapshot, *counted: pd.DataFrame) -> int | None:
    """First month that the data holds, whole inside the export's window; None without records."""
    months = pd.concat([counts["month"] for counts in counted])
    if months.empty:
        return None
    start = snapshot.window_start
    whole = day_number(month_start(start - timedelta(days=1), 1)) if start else 0
    return max(int(months.min()), whole)


def last_stage(
    snapshot: Snapshot, deal_type: str | None, days: Sequence[int]
) -> tuple[pd.DataFrame, dict[int, str]]:
    """Deals in the last open stage of their pipeline at the end of some days (day numbers).

    Returns
    -------
    (counts, untold)
        Counts: ``owner_id``, ``last_day``, ``x``. Untold: by day, why it cannot be told ("" where it
        can). The as-of date is told by where the deals stand, an earlier day by stage history.
    """
    opens = snapshot.stages.lazy().filter(nw.col("object") == "deal", nw.col("outcome") == "open")
    top = opens.group_by("funnel").agg(rank=nw.col("rank").max())
    if collect(top).empty:
        nothing = pd.DataFrame({"owner_id": [], "last_day": [], "x": []})
        nothing = nothing.astype({"owner_id": "str", "last_day": "int64"})
        return nothing, dict.fromkeys(days, "not enough data: no stages of deals")
    past = [day for day in days if day != snapshot.as_of_day]
    parts = [_now(snapshot, deal_type, top)]
    untold = dict.fromkeys(days, "")
    if "history" in snapshot.present:
        parts += _then(snapshot, deal_type, opens.join(top, on=["funnel", "rank"]), past)
    else:
        untold |= dict.fromkeys(past, "not enough data: no history of the stages")
    found = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return found.astype({"owner_id": "str", "last_day": "int64"}), untold


def _now(snapshot: Snapshot, deal_type: str | None, top: nw.LazyFrame) -> pd.DataFrame:
    deals = of_type(snapshot, deal_type).filter(nw.col("outcome") == "open")
    there = deals.join(top, on=["funnel", "rank"]).group_by("owner_id").agg(x=nw.len())
    return collect(there).assign(last_day=snapshot.as_of_day)


def _then(
    snapshot: Snapshot, deal_type: str | None, stages: nw.LazyFrame, days: Sequence[int]
) -> list[pd.DataFrame]:
    """Count stays in the last stage that had begun and not ended by the end of each day."""
    changes = moves(snapshot.history.lazy().filter(nw.col("object") == "deal"))
    after = nw.col("changed_day").shift(-1).over("record_id", order_by=["changed_s", "place"])
    stays = changes.with_columns(after=after).select(
        "funnel", "stage_id", "after", start=nw.col("changed_day"), deal_id=nw.col("record_id")
    )
    stays = stays.join(stages.select("funnel", "stage_id"), on=["funnel", "stage_id"])
    deals = only_type(snapshot.deals.lazy(), deal_type).select("deal_id", "owner_id", "closed_day")
    owned = stays.join(deals, on="deal_id").with_columns(end=nw.coalesce("after", "closed_day"))
    counted = collect(owned.group_by("owner_id", "start", "end").agg(x=nw.len()))
    end = counted["end"].astype("float64").fillna(np.inf)
    found = []
    for day in days:
        there = counted[(counted["start"] <= day) & (end > day)]
        sums = there.groupby("owner_id", dropna=False)["x"].sum().reset_index()
        found.append(sums.assign(last_day=day))
    return found
