"""What a customer is worth over its time: revenue per account x gross margin x months it stays."""

from collections.abc import Sequence
from typing import Literal

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.engine import collect
from kpi.entry import Entry
from kpi.periods import Every
from kpi.recurring.billing import YEAR, cut, ends, months, paying
from kpi.recurring.lifetime_months import (
    DRAWS,
    Plan,
    at_risk_of,
    expected_months,
    firm_months,
    limits_of,
)
from kpi.recurring.tenure import entry_age, spells, window_month
from kpi.result import joined, rate_note
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.tables import TableError

LIMITS = ["value", "low", "high"]
EXTRA = ["arpa", "margin", "months", "simple", "monthly_churn"]


def lifetime_value(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    gross_margin: float | None = None,
    method: Literal["survival", "sbg"] = "survival",
    horizon_months: int | None = 60,
    discount: float = 0.0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Gross margin that a customer brings over its time, on average: CLV.

    Over 60 months by default, so that no value rests on decades nobody has seen. Customers still
    there are followed as long as they have been; the simple revenue / churn stands beside it.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table subscriptions; accounts tells who pays, deals the margin.
    by : str or list of str, optional
        Columns of accounts, such as ``"industry"``; or ``"product"``.
    every : {"month", "quarter", "year"}, optional
        As seen at each period's last day, the running period at the as-of date.
    gross_margin : float, optional
        Share of revenue left after the cost of delivery, above 0 and up to 1. Default: margin /
        amount of the won deals that tell both, the same for all groups; where none does, 1 (the
        value is then revenue), said in ``note``.
    method : {"survival", "sbg"}
        ``survival``: Kaplan-Meier in the months with ten customers at risk, the average monthly
        churn in all others. ``sbg``: the shifted-beta-geometric model, in which customers
        differ and those who stay longest leave least.
    horizon_months : int or None
        Months counted; None: for ever (sbg only).
    discount : float
        Rate a year by which later months count less: ``1 / (1 + discount) ^ (months / 12)``.
    level : float
        Share of the intervals (bootstrap over customers).

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (reporting currency), ``low``, ``high``, ``x``
        (customers who left), ``n`` (customers followed), ``note``; then ``arpa`` (MRR a customer),
        ``margin`` (0 to 1), ``months`` (expected, paid, discounted), ``simple`` (``arpa /
        monthly_churn``, without margin or horizon; missing where nobody left) and ``monthly_churn``
        (of the last twelve months). ``value`` is missing, with the reason in ``note``, where nobody
        pays or a lifetime for ever has no end.

    Raises
    ------
    TableError
        If subscriptions are missing, a column, period or method is unknown, the margin is not
        above 0 and up to 1, the discount is negative, or the horizon is below 1.

    Notes
    -----
    ``arpa x margin x sum over t < horizon of S(t) / (1 + discount)^(t / 12)``, S(t) the share still
    there t months after the first. Customers are drawn again together with what they pay (500
    times; sbg: 100). Where nobody has left, the lower limit takes the upper Jeffreys limit of the
    monthly churn.

    References
    ----------
    .. [1] Top MSP KPIs: sales and marketing, and Moving Your KPI Levers Into Alignment, 2023 ("over
       a finite length of time").
    .. [2] Fader PS, Hardie BGS (2010), Marketing Science 29(1):85-93.
    .. [3] ChartMogul help, "Customer lifetime value" (the simple figure).

    Examples
    --------
    >>> lines = pd.DataFrame({"subscription_id": ["1", "2"], "account_id": ["A", "B"],
    ...     "mrr": [100, 100], "starts_on": "2026-01-01", "ends_on": ["2026-02-10", None]})
    >>> snapshot = Snapshot.from_frames({"subscriptions": lines}, as_of="2026-02-28")
    >>> table = lifetime_value(snapshot, gross_margin=0.5)
    >>> table[["value", "arpa", "months", "simple"]].to_dict("records")
    [{'value': 100.0, 'arpa': 100.0, 'months': 2.0, 'simple': 200.0}]
    """
    snapshot.need("subscriptions", of="lifetime_value")
    check_level(level)
    _check(gross_margin, method, horizon_months, discount)
    groups = cut(snapshot, by, every)
    margin, said = _margin(snapshot, gross_margin)
    monthly = float((1 + discount) ** (1 / YEAR) - 1)
    plan = Plan(method, horizon_months, monthly, margin, level)
    days, calendar = ends(snapshot, every), months(snapshot)
    keys, window = groups.columns, window_month(snapshot, calendar)
    lived = _spells(snapshot, keys)
    paid = collect(paying(snapshot, keys, days).select(*keys, "period", "customer", "mrr"))
    rows = []
    for period, day in days[["period", "day"]].itertuples(index=False):
        last = int((calendar["last_day"] <= day).sum()) - 1
        known = _as_seen(lived, paid[paid["period"] == period], keys, last, window)
        for group, part in known.groupby(keys, dropna=False) if keys else [((), known)]:
            named = dict(zip(keys, group, strict=True)) | {"period": period}
            rows.append(named | _worth(part, plan, last))
    if not rows and not groups.keys:
        rows = [_worth(_as_seen(lived, paid, keys, -1, window), plan, -1)]
    result = pd.DataFrame(
        rows, columns=[*keys, "period", "value", "low", "high", "x", "n", "note", *EXTRA]
    )
    result["note"] = [joined(str(note), said) for note in result["note"]]
    money = dict.fromkeys(["value", "low", "high", "arpa", "simple"], 6)
    typed = result.astype({"x": "int64", "n": "int64"} | dict.fromkeys(EXTRA, "float64"))
    return groups.finish(typed.round(money), EXTRA)


def _check(
    gross_margin: float | None, method: str, horizon_months: int | None, discount: float
) -> None:
    if gross_margin is not None and not 0 < gross_margin <= 1:
        raise TableError(f"gross_margin = {gross_margin}; expected a share above 0 and up to 1")
    if method not in DRAWS:
        raise TableError(f"method={method!r}; expected one of {list(DRAWS)}")
    if horizon_months is None and method == "survival":
        raise TableError(
            "horizon_months=None: a survival curve ends with the data; use method='sbg'"
        )
    if horizon_months is not None and horizon_months < 1:
        raise TableError(f"horizon_months = {horizon_months}; expected 1 or more, or None")
    if not 0 <= discount < float("inf"):
        raise TableError(f"discount = {discount}; expected a rate a year of 0 or more, such as 0.1")


def _margin(snapshot: Snapshot, given: float | None) -> tuple[float, str]:
    """Return the gross margin as a share, and where it is from if not given."""
    if given is not None:
        return given, ""
    both = (nw.col("outcome") == "won") & (nw.col("amount") > 0) & ~nw.col("margin").is_null()
    told = snapshot.deals.lazy().filter(both)
    row = collect(told.select(nw.col("amount", "margin").sum(), n=nw.len())).iloc[0]
    if not row["n"]:
        return 1.0, "margin not known: taken as 1"
    share = float(row["margin"] / row["amount"])
    if not 0 < share <= 1:
        return 1.0, f"margin of won deals is {share:.2f}: taken as 1"
    return share, f"margin of {row['n']:.0f} won deals"


def _spells(snapshot: Snapshot, keys: Sequence[str]) -> pd.DataFrame:
    """One row a customer's time: keys, ``customer``, ``start``, ``end`` (month without; missing: there)."""
    head = [*keys, "customer", "start"]
    end = nw.when(nw.col("left") > 0).then(nw.col("month"))
    table = spells(snapshot, keys).select(*head, end=end).group_by(*head)
    found = collect(table.agg(nw.col("end").max()))
    return found.astype({"start": "int64", "end": "float64"})


def _as_seen(
    lived: pd.DataFrame, paid: pd.DataFrame, keys: Sequence[str], last: int, window: int
) -> pd.DataFrame:
    """Lifetimes as known at the end of month `last`, with what each customer pays (``mrr``)."""
    known = lived[lived["start"] <= last]
    known = known.assign(end=known["end"].where(known["end"] <= last))
    known["event"] = known["end"].notna().astype("int64")
    known["duration"] = known["end"].fillna(last) - known["start"]
    known["entry"] = entry_age(known["start"], window)
    gone = known["end"].notna()
    pays = paid[[*keys, "customer", "mrr"]]
    there = known[~gone].merge(pays, on=[*keys, "customer"], how="outer")
    zeros = {"mrr": 0.0, "event": 0, "duration": 0, "entry": 0, "start": last + 1}
    every = pd.concat([there, known[gone]], ignore_index=True).fillna(zeros)
    return every.sort_values([*keys, "customer", "start"], kind="stable", ignore_index=True)


def _worth(rows: pd.DataFrame, plan: Plan, last: int) -> dict[str, object]:
    """Value of a customer of one group, with limits, parts and note."""
    seen = rows[rows["entry"] <= rows["duration"]]
    pays = rows["mrr"] > 0
    none = dict.fromkeys([*LIMITS, *EXTRA], np.nan) | {"margin": plan.margin}
    followed = int((seen["start"] <= last).sum())
    counts = {"x": int(seen["event"].sum()), "n": followed}
    if not pays.any() or not followed:
        return none | counts | {"note": "no_denominator: no paying customer to follow"}
    arpa = float(rows.loc[pays, "mrr"].mean())
    table = at_risk_of(seen)
    one = np.ones((1, len(seen)))
    firm, note = firm_months(table, plan)
    stays = float(expected_months(table, one, firm, plan)[0])
    churn = _monthly_churn(rows, last)
    worth = arpa * plan.margin * stays
    low, high = limits_of(seen, table, firm, plan, worth, stays)
    simple = arpa / churn if churn > 0 else np.nan
    values = [arpa, plan.margin, stays, simple, churn]
    parts: dict[str, object] = dict(zip(EXTRA, values, strict=True))
    nobody = "" if counts["x"] else "no customer was seen to leave"
    few = rate_note(followed, 0.0, 0.0)
    if not np.isfinite(stays):
        endless = (
            "not enough data: a lifetime for ever has no end here; give a horizon or a discount"
        )
        return parts | counts | dict.fromkeys((*LIMITS, "months"), np.nan) | {"note": endless}
    limits = dict(zip(LIMITS, [worth, low, high], strict=True))
    return parts | counts | limits | {"note": joined(few, nobody, note)}


def _monthly_churn(rows: pd.DataFrame, last: int) -> float:
    """Equal monthly rate of the customers lost over the last twelve months; missing without a start."""
    before = max(last - YEAR, 0)
    length = last - before
    there = (rows["start"] <= before) & (rows["end"].isna() | (rows["end"] > before))
    now = (rows["start"] <= last) & rows["end"].isna()
    start, still = set(rows.loc[there, "customer"]), set(rows.loc[now, "customer"])
    if not start or not length:
        return float("nan")
    return 1 - float((len(start & still) / len(start)) ** (1 / length))


ENTRIES = (
    Entry(
        lifetime_value,
        question="What is a customer worth to us over its time?",
        formula="ARPA x gross margin x expected months paid within 60, from the survival of customers",
        unit="reporting currency",
        basis="customers known at the as-of date (with every: at each period's end)",
        interval="bootstrap over customers; Jeffreys for a churn never seen",
        options="gross_margin; method='sbg'; horizon_months=None: for ever; discount; every; by='product'",
        needs="subscriptions (accounts: who pays; deals: margin)",
        benchmark="3 times the cost of acquisition is called healthy (rule of thumb; not your own figure)",
        source="Top MSP KPIs: sales and marketing; Fader and Hardie 2010; ChartMogul help",
        caveats="Where the data lacks customers who left before it begins, set the window's start: else "
        "lifetimes are too long. ARPA is today's: price rises to come are not in it.",
        also=("CLV", "CLTV", "LTV", "customer lifetime value", "ARPA / churn", "DERL"),
        better="higher",
    ),
)
