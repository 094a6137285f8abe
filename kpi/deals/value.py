"""What the deals won are worth: value, margin, term, and what came from new customers."""

from collections.abc import Sequence
from typing import Literal

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.deals.first_wins import first_wins
from kpi.deals.money import one, totals, with_undated
from kpi.deals.win_rate import OWNER_NOTE, of_type
from kpi.entry import Entry
from kpi.periods import Every
from kpi.result import Groups, joined
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.tables import TableError

SUMS = ["amount", "mrr", "margin"]


def value_won(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    of: Literal["amount", "mrr", "margin"] = "amount",
    deal_type: str | None = "new",
    level: float = 0.95,
) -> pd.DataFrame:
    """Value of the deals won, with its margin, term, and what came from new customers.

    A deal of new business is of a new customer where it is the first, of any kind, that its paying
    account won, and no recurring line of that account began before; any other deal of new or
    expansion business is sold to an existing customer. Without a company a deal is taken for a new
    customer's, and counted in ``note``.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table deals; accounts tells who pays, subscriptions who was a customer before.
    by : str or list of str, optional
        Columns of deals, such as ``"product"``, ``"owner"`` or ``"deal_type"``.
    every : {"month", "quarter", "year"}, optional
        Period in which the deal closed.
    of : {"amount", "mrr", "margin"}
        What is summed as ``value``.
    deal_type : {"new", "expansion", "renewal"} or None
        Kind of business counted; None counts all.
    level : float
        Not used: a sum of records has no interval.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (reporting currency; mrr: a month), ``low,
        high`` (missing: an exact sum), ``x`` (deals won with such a value), ``n`` (deals won),
        ``note``, then ``amount, mrr, margin`` (sums), ``gross_margin`` (margin / amount of the
        deals with both, a share), ``term_months`` (mean), each missing where no deal has one;
        ``new_logos`` (deals of new customers), ``new_logo_amount`` and ``cross_sell_amount``.
        ``value`` is missing where deals were won but none has a value, and where there are none.

    Raises
    ------
    TableError
        If deals are missing, or a column, period, deal type or `of` is unknown.

    Notes
    -----
    Amounts in other currencies at the rate of the closing day. A deal won and credited later stays
    won: credits are not in the deals.

    References
    ----------
    .. [1] "Tracking Success", sales newsletter 067 (value of deals won).
    .. [2] "Moving Your KPI Levers Into Alignment", 2023 (margin by product, term, new logo).

    Examples
    --------
    >>> deals = pd.DataFrame({
    ...     "deal_id": list("abc"), "outcome": "won", "close_date": "2026-01-09",
    ...     "amount": [100, 300, None], "margin": [30, 50, None], "account_id": ["A", "B", "B"]})
    >>> snapshot = Snapshot.from_frames({"deals": deals}, as_of="2026-02-28")
    >>> value_won(snapshot)[["value", "x", "n", "gross_margin", "new_logos"]].to_dict("records")
    [{'value': 400.0, 'x': 2, 'n': 3, 'gross_margin': 0.2, 'new_logos': 2}]
    """
    snapshot.need("deals", of="value_won")
    check_level(level)
    if of not in SUMS:
        raise TableError(f"of={of!r}; expected one of {SUMS}")
    groups = Groups(snapshot, "deals", by, every)
    deals = with_new_logos(snapshot, of_type(snapshot, deal_type))
    won = nw.col("outcome") == "won"
    counted_in = deals if every is None else deals.filter(nw.col("outcome") != "open")
    sums = _sums(won)
    counted = totals(groups.add_period(counted_in, "closed_day"), groups.keys, **sums)
    counted = groups.complete(counted, **dict.fromkeys(sums, 0.0) | {"known": 1.0})
    result = _valued(counted, of, groups.keys)
    result = with_undated(groups, deals.filter(won), result, "closed_day", "closing date")
    if "owner_id" in groups.columns:
        result["note"] = [joined(note, OWNER_NOTE) for note in result["note"]]
    means = ["gross_margin", "term_months"]
    logos = ["new_logos", "new_logo_amount", "cross_sell_amount"]
    return groups.finish(result, [*SUMS, *means, *logos])


def with_new_logos(snapshot: Snapshot, deals: nw.LazyFrame) -> nw.LazyFrame:
    """Add ``new_logo``: whether a customer was won with the deal (`first_wins`)."""
    first = first_wins(snapshot).group_by("payer", "single").agg(nw.col("deal_id").min())
    told = deals.join(first.select("deal_id", fresh=nw.lit(1)), on="deal_id", how="left")
    return told.with_columns(new_logo=~nw.col("fresh").is_null()).drop("fresh")


def _sums(won: nw.Expr) -> dict[str, nw.Expr]:
    """What is summed by group, of deals won."""
    amount, margin = nw.col("amount"), nw.col("margin")
    both = won & ~amount.is_null() & ~margin.is_null()
    new, old = nw.col("new_logo"), won & ~nw.col("new_logo") & (nw.col("deal_type") != "renewal")
    return {
        "known": one(~nw.col("deal_id").is_null()),
        "n": one(won),
        **{f"sum_{name}": nw.when(won).then(nw.col(name)) for name in SUMS},
        **{f"has_{name}": one(won & ~nw.col(name).is_null()) for name in SUMS},
        "margin_of": nw.when(both).then(margin),
        "amount_of": nw.when(both).then(amount),
        "months": nw.when(won).then(nw.col("term_months")),
        "has_months": one(won & ~nw.col("term_months").is_null()),
        "new_logos": one(new),
        "new_logo_amount": nw.when(new).then(amount),
        "cross_sell_amount": nw.when(old).then(amount),
        "homeless": one(won & nw.col("account_id").is_null() & (nw.col("deal_type") == "new")),
    }


def _valued(counted: pd.DataFrame, of: str, keys: list[str]) -> pd.DataFrame:
    """Turn sums into the result's columns and notes; a column cut by stays as it is."""
    some, none = counted["n"] > 0, counted["known"] == 0
    found = {f"{name}": counted[f"sum_{name}"].mask(_lack(counted, name) & some) for name in SUMS}
    found["value"] = found[of].mask(none)
    found["gross_margin"] = _ratio(counted["margin_of"], counted["amount_of"])
    found["term_months"] = _ratio(counted["months"], counted["has_months"])
    for name in ("new_logo_amount", "cross_sell_amount"):
        found[name] = counted[name].mask(_lack(counted, "amount") & some)
    kept = {name: column for name, column in found.items() if name not in keys}
    result = counted.assign(x=counted[f"has_{of}"], low=np.nan, high=np.nan, **kept)
    rows = counted[["known", "n", f"has_{of}", "homeless"]].itertuples(index=False, name=None)
    result["note"] = [note_of(known, n, has, homeless, of) for known, n, has, homeless in rows]
    return pd.DataFrame(result.astype(dict.fromkeys(["x", "n", "new_logos"], "int64")))


def _lack(counted: pd.DataFrame, name: str) -> pd.Series:
    return counted[f"has_{name}"] == 0


def note_of(known: float, n: float, has: float, homeless: float, of: str) -> str:
    """Say what is missing among so many deals, won ones and those with the value."""
    if known == 0:
        return "not enough data: no deals"
    if n and not has:
        return f"not enough data: no deal won has its {of}"
    return joined(
        f"{n - has:,.0f} without {of} left out" if n > has else "",
        f"{homeless:,.0f} without a company taken for new customers" if homeless else "",
    )


def _ratio(part: pd.Series, whole: pd.Series) -> pd.Series:
    """Divide, missing where there is nothing to divide by."""
    return (part / whole.where(whole > 0)).astype("float64")


ENTRIES = (
    Entry(
        value_won,
        question="What are the deals we won worth?",
        formula="sum of the amounts of deals won, by closing day",
        unit="reporting currency",
        basis="deals closed in the period",
        interval="none: an exact sum of records",
        options="of='mrr' or 'margin'; deal_type=None: all business; by='product', 'deal_type'",
        needs="deals (accounts, subscriptions: who was a customer before)",
        benchmark="45 to 90 % of annual on-target earnings a month (rule of thumb; not your own figure)",
        source="Tracking Success, newsletter 067; Moving Your KPI Levers Into Alignment 2023",
        caveats="Margin and term rest on the deals that have them.",
        also=(
            "revenue won",
            "bookings",
            "gross margin by product",
            "term length",
            "new logo revenue",
            "cross-sell revenue",
        ),
        better="higher",
    ),
)
