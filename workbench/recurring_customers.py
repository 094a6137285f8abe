"""Customers by name: who pays most, and who left."""

import narwhals as nw
import pandas as pd

from kpi import Snapshot
from kpi.engine import collect
from kpi.periods import from_day
from kpi.recurring.billing import months, moves, paying, span_months, spans

FIVE, TEN = 5, 10


def largest(snapshot: Snapshot, count: int = FIVE) -> pd.DataFrame:
    """Customers who pay most on the as-of date, the largest first.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions; accounts tells who pays, and names.
    count : int
        How many.

    Returns
    -------
    DataFrame
        ``customer`` (id), ``name``, ``mrr`` (reporting currency a month), ``share`` (of all, 0 to 1).
        The shares of one and of five add up to ``largest`` and ``top5`` of `kpi.mrr`.

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2"], "account_id": ["A", "B"],
    ...     "mrr": [300, 100], "starts_on": "2026-01-01"})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-02-28")
    >>> largest(snapshot)[["customer", "share"]].to_dict("list")
    {'customer': ['A', 'B'], 'share': [0.75, 0.25]}
    """
    day = pd.DataFrame([{"period": 0, "day": snapshot.as_of_day}])
    paid = collect(paying(snapshot, [], day).select("customer", "mrr"))
    paid = paid.sort_values(["mrr", "customer"], ascending=[False, True], ignore_index=True)
    paid["share"] = paid["mrr"] / paid["mrr"].sum()
    return _with_names(snapshot, paid.head(count))


def lost(snapshot: Snapshot, count: int = TEN) -> pd.DataFrame:
    """Customers who left in the trailing twelve months, those who paid most first.

    Who left and came back within them is among them.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions; accounts tells who pays, and names.
    count : int
        How many.

    Returns
    -------
    DataFrame
        ``customer`` (id), ``name``, ``churn`` (what it paid a month), ``month`` (first day of the
        month at whose end it did not pay any more).

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2"], "account_id": ["A", "B"],
    ...     "mrr": [300, 100], "starts_on": "2026-01-01", "ends_on": [None, "2026-02-10"]})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-02-28")
    >>> lost(snapshot)[["customer", "churn"]].to_dict("list")
    {'customer': ['B'], 'churn': [100.0]}
    """
    calendar = months(snapshot)
    within = span_months(spans(snapshot, calendar, None))
    left = moves(snapshot, []).filter(nw.col("left") > 0).select("customer", "month", "churn")
    gone = collect(left).merge(within[["month"]], on="month")
    gone = gone.sort_values(["churn", "customer"], ascending=[False, True], ignore_index=True)
    first = dict(zip(calendar["month"], calendar["first_day"], strict=True))
    gone["month"] = pd.to_datetime([from_day(first[month]) for month in gone["month"]])
    return _with_names(snapshot, gone.head(count))


def _with_names(snapshot: Snapshot, rows: pd.DataFrame) -> pd.DataFrame:
    """Call customers by their names, or by their ids; two of the same name keep both."""
    if "accounts" not in snapshot.present:
        return rows.assign(name=rows["customer"])
    ids = nw.col("account_id").is_in(list(rows["customer"]))
    known = collect(snapshot.accounts.lazy().filter(ids).select("account_id", "name"))
    called = known.dropna().set_index("account_id")["name"].to_dict()
    names = [called.get(customer, customer) for customer in rows["customer"]]
    told = [
        f"{name} ({customer})" if names.count(name) > 1 else name
        for name, customer in zip(names, rows["customer"], strict=True)
    ]
    return rows.assign(name=told)
