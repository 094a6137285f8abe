"""New customers: each paying account on the day of its first won deal, what it bought, and from where."""

from collections.abc import Sequence

import narwhals as nw
import pandas as pd

from kpi.deals.first_wins import first_wins
from kpi.deals.win_rate import of_type
from kpi.engine import collect
from kpi.recurring.billing import customer_lines
from kpi.snapshot import Snapshot
from kpi.tables import TABLES


def new_logos(
    snapshot: Snapshot, deal_type: str | None = "new", columns: Sequence[str] = ()
) -> pd.DataFrame:
    """One row per customer won, as `kpi.deals.first_wins` tells who is new.

    Parameters
    ----------
    deal_type : {"new", "expansion", "renewal"} or None
        Kind of business that makes a customer; None: any.
    columns : sequence of str
        Columns of deals, or of leads (of the lead it came from), of the first won deal; of several
        won that day, the one with the lowest id.

    Returns
    -------
    DataFrame
        `columns`, ``day`` of the first win, ``alone`` (1: a deal without an account, taken as a
        customer of its own), and sums over the deals won that day: ``mrr`` and ``priced`` (how
        many state it), ``amount`` and ``margin`` of those that state both.
    """
    customer = ["payer", "single"]
    first = first_wins(snapshot, deal_type).filter(~nw.col("first_day").is_null())
    both = ~nw.col("margin").is_null() & ~nw.col("amount").is_null()
    nothing = nw.lit(0.0)
    logos = (
        first.with_columns(
            priced=nw.when(nw.col("mrr").is_null()).then(nw.lit(0)).otherwise(nw.lit(1)),
            mrr=nw.coalesce(nw.col("mrr"), nothing),
            sold=nw.when(both).then(nw.col("amount")).otherwise(nothing),
            kept=nw.when(both).then(nw.col("margin")).otherwise(nothing),
        )
        .group_by(*customer)
        .agg(
            nw.col("deal_id").min(),
            nw.col("mrr").sum(),
            nw.col("priced").sum(),
            day=nw.col("first_day").min(),
            amount=nw.col("sold").sum(),
            margin=nw.col("kept").sum(),
        )
        .with_columns(
            alone=nw.when(nw.col("single").is_null()).then(nw.lit(0)).otherwise(nw.lit(1))
        )
    )
    if not columns:
        return _sorted(logos, [])
    of_deals = [name for name in columns if name in TABLES["deals"].names]
    of_leads = [name for name in columns if name not in of_deals]
    origin = snapshot.deals.lazy().select(
        *of_deals, first_id=nw.col("deal_id"), came=nw.col("lead")
    )
    origins = snapshot.leads.lazy().select(*of_leads, from_id=nw.col("lead_id"))
    logos = logos.join(origin, left_on="deal_id", right_on="first_id", how="left")
    logos = logos.join(origins, left_on="came", right_on="from_id", how="left")
    return _sorted(logos, columns)


def logos_by_day(snapshot: Snapshot, deal_type: str | None = "new") -> pd.DataFrame:
    """Count the customers of `new_logos` by day: ``day``, ``events``, ``alone`` (without an account).

    Whoever's first winning day brought a win of that kind: no list of deals, and nothing kept.
    """
    day, own = nw.col("closed_day"), nw.col("deal_type") == (deal_type or "")
    won = of_type(snapshot, None).filter(nw.col("outcome") == "won", ~day.is_null())
    alone = nw.col("account_id").is_null()
    won = won.select(
        "account_id",
        "closed_day",
        single=nw.when(alone).then(nw.col("deal_id")),
        own_day=day if deal_type is None else nw.when(own).then(day),
    )
    payers = snapshot.accounts.lazy().select("account_id", payer=nw.col("billing_account_id"))
    paid = won.join(payers, on="account_id", how="left")
    paid = paid.with_columns(payer=nw.coalesce("payer", "account_id"))
    first = paid.group_by("payer", "single").agg(
        nw.col("own_day").min(), day=nw.col("closed_day").min()
    )
    lines = customer_lines(snapshot).filter(~nw.col("customer").is_null())
    live = lines.group_by("customer").agg(live_day=nw.col("starts_on_day").min())
    told = first.join(live, left_on="payer", right_on="customer", how="left")
    fresh = nw.col("live_day").is_null() | (nw.col("live_day") >= nw.col("day"))
    told = told.filter(nw.col("own_day") == nw.col("day"), fresh)
    alone = nw.when(nw.col("single").is_null()).then(nw.lit(0)).otherwise(nw.lit(1))
    counted = (
        told.select("day", alone=alone).group_by("day").agg(nw.col("alone").sum(), events=nw.len())
    )
    return collect(counted).astype("int64")


def _sorted(logos: nw.LazyFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Collect them in the order of their deals, so that sums are the same every time."""
    wanted = ["day", "alone", "mrr", "priced", "amount", "margin"]
    found = collect(logos.select(*columns, *wanted, id=nw.col("deal_id")))
    found = found.astype({"day": "int64", "alone": "int64", "priced": "int64"})
    return found.sort_values("id", ignore_index=True).drop(columns="id")


def undated_wins(snapshot: Snapshot, deal_type: str | None) -> str:
    """Say how many won deals are left out for want of a date, if any."""
    undated = of_type(snapshot, deal_type).filter(
        nw.col("outcome") == "won", nw.col("closed_day").is_null()
    )
    count = int(collect(undated.select(n=nw.len()))["n"].iloc[0])
    return f"{count} won without a date left out" if count else ""
