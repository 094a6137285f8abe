"""Who is a new customer: one that had neither won business nor a subscription before."""

import narwhals as nw

from kpi.deals.win_rate import of_type, only_type
from kpi.recurring.billing import customer_lines
from kpi.snapshot import Snapshot

USED = ("deal_id", "payer", "single", "first_day", "amount", "margin", "mrr")


def first_wins(snapshot: Snapshot, deal_type: str | None = "new") -> nw.LazyFrame:
    """Deals by which somebody became a customer: those won on its first winning day.

    A customer is who pays (billing account). It is no new one where its first won deal, of any
    kind, was of another kind than `deal_type`, nor where a recurring line of it began before that
    day. A won deal without an account is taken for a customer of its own. Where none of its won
    deals has a closing day, all of them are its first.

    Parameters
    ----------
    deal_type : {"new", "expansion", "renewal"} or None
        Kind of business that makes a customer; None: any.

    Returns
    -------
    LazyFrame
        ``deal_id, amount, margin, mrr``, ``payer`` and ``single`` (the deal's id where it has no
        account: then there is no payer), ``first_day`` (day number; missing where no win has one).
        One or more rows a customer; the one with the lowest id stands for it.

    Examples
    --------
    >>> import pandas as pd
    >>> deals = pd.DataFrame({"deal_id": list("abc"), "outcome": "won", "account_id": list("AAB"),
    ...     "close_date": ["2026-01-10", "2026-02-10", "2026-02-20"]})
    >>> lines = pd.DataFrame({"subscription_id": ["1"], "account_id": ["B"], "mrr": [9],
    ...     "starts_on": ["2025-07-01"]})
    >>> snapshot = Snapshot.from_frames({"deals": deals, "subscriptions": lines}, as_of="2026-02-28")
    >>> first_wins(snapshot).select("deal_id").collect().to_native()["deal_id"].to_pylist()
    ['a']
    """
    return snapshot.once(("first wins", deal_type), lambda: _first_wins(snapshot, deal_type))


def _first_wins(snapshot: Snapshot, deal_type: str | None) -> nw.LazyFrame:
    payers = snapshot.accounts.lazy().select("account_id", payer=nw.col("billing_account_id"))
    won = of_type(snapshot, None).filter(nw.col("outcome") == "won")
    won = won.join(payers, on="account_id", how="left").with_columns(
        payer=nw.coalesce("payer", "account_id"),
        single=nw.when(nw.col("account_id").is_null()).then(nw.col("deal_id")),
    )
    won = won.with_columns(first_day=nw.col("closed_day").min().over("payer", "single"))
    lines = customer_lines(snapshot).filter(~nw.col("customer").is_null())
    live = lines.group_by("customer").agg(live_day=nw.col("starts_on_day").min())
    told = won.join(live, left_on="payer", right_on="customer", how="left")
    first = nw.col("first_day").is_null() | (nw.col("closed_day") == nw.col("first_day"))
    before = nw.coalesce(nw.col("live_day") < nw.col("first_day"), nw.lit(value=False))
    return only_type(told.filter(first, ~before), deal_type).select(*USED)
