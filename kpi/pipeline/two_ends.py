"""Deals at the two ends of a period, as they were known then."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import narwhals as nw
import pandas as pd

from kpi.deals.win_rate import only_type
from kpi.engine import collect, empty
from kpi.periods import Every, check_every, day_number, from_day, month_start, period_start
from kpi.pipeline.open_deals import closing_days
from kpi.result import Groups
from kpi.snapshot import Snapshot
from kpi.tables import TABLES

Days = tuple[int, int]
ABOUT = {"stages", "deals", "history", "rates"}
"""Tables that tell how deals stood; filters may be about leads."""


def rewinder(snapshot: Snapshot, since: int) -> Callable[[int], Snapshot]:
    """Return what rewinds to the end of a day, without filters; the last one is kept for the next.

    A deal that has changed hands since must be found at the start as well, so the start is not
    filtered; the deals looked at are those that pass the filters at the end.

    Parameters
    ----------
    since : int
        No day before the one before this is asked for: what was over by then is left out.
    """
    whole = replace(snapshot, filters={}) if snapshot.filters else _lately(snapshot, since)
    kept = dict[int, Snapshot]()

    def to(day: int) -> Snapshot:
        if day not in kept:
            kept.clear()
            kept[day] = whole.at(from_day(day))
        return kept[day]

    return to


def _lately(snapshot: Snapshot, since: int) -> Snapshot:
    """Keep deals only, without those closed before a day and not touched since, and their history.

    Those stand at any later time as they do now. Stages keep the outcome that all deals tell.
    """
    deals = nw.col("object") == "deal"
    late = nw.col("changed_s") >= snapshot.definitions.midnight(from_day(since))
    touched = snapshot.raw["history"].filter(deals, late).select("record_id").unique()
    over = snapshot.deals.lazy()
    over = over.filter(nw.col("outcome") != "open", nw.col("closed_day") < since)
    over = over.join(touched, left_on="deal_id", right_on="record_id", how="anti")
    left = snapshot.raw["deals"].join(over.select("deal_id"), on="deal_id", how="anti")
    present = snapshot.present & ABOUT
    engine, raw = snapshot.engine.branch({n: snapshot.raw[n] for n in present})
    raw |= {n: engine.load(n, empty(t), "UTC") for n, t in TABLES.items() if n not in raw}
    left = engine.frame(collect(left.select("deal_id")))
    raw["deals"] = engine.store(raw["deals"].join(left, on="deal_id", how="semi"))
    own = raw["history"].filter(deals)
    own = own.join(left, left_on="record_id", right_on="deal_id", how="semi")
    raw["history"] = engine.store(own)
    if "stages" in present:
        raw["stages"] = engine.load("stages", snapshot.stages.to_pandas(), "UTC")
    return replace(snapshot, engine=engine, raw=raw, present=present)


def between(
    groups: Groups, to: Callable[[int], Snapshot], first: int, last: int, deal_type: str | None
) -> pd.DataFrame:
    """Deals that were open before day `first`, or came in or closed by day `last`, at both ends.

    Returns
    -------
    DataFrame
        One row per deal inside the snapshot's filters at the end: the groups' columns, ``deal_id,
        created_day``; of the start ``was`` (1: open), ``amount_0, original_0, closes_0``; of the
        end ``outcome, closed_day, amount_1, original_1, closes_1``; ``given``: 1 where the amount
        came converted. ``closes``: expected closing day.
    """
    snapshot = groups.snapshot
    then = to(first - 1)
    opened = only_type(then.deals.lazy(), deal_type).filter(nw.col("outcome") == "open")
    began = _stood(then, opened).select("deal_id", "amount", "amount_original", "closes")
    start = collect(began).rename(
        columns={"amount": "amount_0", "amount_original": "original_0", "closes": "closes_0"}
    )
    after = snapshot
    if last < snapshot.as_of_day:
        after = to(last).where(**snapshot.filters) if snapshot.filters else to(last)
    was = after.engine.frame(start[["deal_id"]].assign(was=1))
    ended = only_type(after.deals.lazy(), deal_type).join(was, on="deal_id", how="left")
    seen = (nw.col("outcome") == "open") | ~nw.col("was").is_null()
    ended = ended.filter(seen | (nw.col("closed_day") >= first))
    end = collect(_stood(after, ended, [*groups.columns, "was"])).rename(
        columns={"amount": "amount_1", "amount_original": "original_1", "closes": "closes_1"}
    )
    both = end.merge(start, on="deal_id", how="left").sort_values("deal_id", ignore_index=True)
    numbers = [f"{name}_{i}" for name in ("amount", "original", "closes") for i in (0, 1)]
    numbers += ["was", "closed_day", "created_day", "given"]
    return both.astype(dict.fromkeys(numbers, "float64")).fillna({"was": 0.0})


def _stood(then: Snapshot, deals: nw.LazyFrame, columns: Sequence[str] = ()) -> nw.LazyFrame:
    """Give the deals their expected closing day ``closes`` and whether the CRM converted them."""
    raw = then.raw["deals"].filter(~nw.col("amount_original").is_null())
    given = raw.select("deal_id", given=nw.lit(1))
    deals = deals.join(given, on="deal_id", how="left")
    used = ["deal_id", "outcome", "created_day", "closed_day", "amount", "amount_original", "given"]
    wanted = dict.fromkeys([*columns, *used])
    return closing_days(then, deals).select(*wanted, "closes")


def records_close_dates(snapshot: Snapshot) -> bool:
    """Tell whether history ever recorded an expected closing day."""
    history = snapshot.history.lazy().filter(nw.col("object") == "deal")
    held = history.filter(~nw.col("close_date_day").is_null()).head(1)
    return len(collect(held.select("record_id"))) > 0


def whole_periods(snapshot: Snapshot, every: Every, count: int) -> list[Days]:
    """First and last days of the last so many periods that had ended on the as-of date."""
    length = check_every(every)
    following = from_day(snapshot.as_of_day + 1)
    start = period_start(following, every, snapshot.definitions.fiscal_year_start)
    begins = [month_start(start, -length * i) for i in range(count, -1, -1)]
    days = [day_number(day) for day in begins]
    return [(a, b - 1) for a, b in pairwise(days)]
