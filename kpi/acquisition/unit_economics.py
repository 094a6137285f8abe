"""Whether a new customer is worth it: its lifetime value over the cost of winning it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kpi.acquisition.payback import WHOLE, cac_by_period, period_days
from kpi.acquisition.spend import Allocation
from kpi.entry import Entry
from kpi.periods import Every
from kpi.recurring.lifetime import lifetime_value
from kpi.result import Groups, joined
from kpi.snapshot import Snapshot
from kpi.stats.poisson import mover_limits
from kpi.tables import TableError

HEALTHY = (1.0, 3.0, 5.0)
BANDS = ("loses_money", "break_even", "healthy", "maybe_underinvesting")
LIMITS = ["value", "low", "high"]


def clv_to_cac(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    limits: tuple[float, float, float] = HEALTHY,
    horizon_months: int | None = 60,
    gross_margin: float | None = None,
    lagged: bool = False,
    deal_type: str | None = "new",
    allocation: Allocation = 1.0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Customer lifetime value over customer acquisition cost.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables costs, deals and subscriptions; accounts tells who pays.
    by : str or list of str, optional
        Columns of accounts, such as ``"industry"``: the lifetime value is the group's, the
        acquisition cost the whole company's, since costs name no group.
    every : {"month", "quarter", "year"}, optional
        Period, as `lifetime_value` and `cac` take it; default: what is known as of the date over
        the last twelve whole months' cost.
    limits : three rising numbers
        Where the bands begin, see ``band``.
    horizon_months, gross_margin
        As in `lifetime_value`.
    lagged, deal_type, allocation
        As in `cac`.
    level : float
        Share of the intervals.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (a ratio), ``low``, ``high``, ``x`` and ``n`` of
        `lifetime_value`, ``note``, the parts ``clv`` and ``cac`` (reporting currency), and
        ``band``: ``loses_money`` below the first limit, ``break_even`` below the second,
        ``healthy`` to the third, ``maybe_underinvesting`` above it; missing where the value is.

    Raises
    ------
    TableError
        If a table is missing, an option unknown, or the limits do not rise.

    Notes
    -----
    The limits of the ratio join those of its two parts on the logarithms (MOVER), taking the two
    as independent.

    References
    ----------
    .. [1] Top MSP KPIs: sales and marketing (1:1, 3:1; no figure for "too high": ours is 5:1).
    .. [2] Donner A, Zou GY (2012), Stat. Methods Med. Res. 21:347-359.

    Examples
    --------
    >>> [band(ratio) for ratio in (0.8, 1.0, 3.0, 6.0)]
    ['loses_money', 'break_even', 'healthy', 'maybe_underinvesting']
    """
    snapshot.need("costs", "deals", "subscriptions", of="clv_to_cac")
    if not limits[0] < limits[1] < limits[2]:
        raise TableError(f"limits = {limits!r}; expected three rising numbers")
    groups = Groups(snapshot, "accounts", by, every)
    clv = lifetime_value(
        snapshot,
        by=by,
        every=every,
        horizon_months=horizon_months,
        gross_margin=gross_margin,
        level=level,
    )
    clv = clv[[*groups.by, *groups.keys[len(groups.by) :], *LIMITS, "x", "n", "note"]]
    clv = clv.rename(columns={"value": "clv"})
    cost = cac_by_period(
        snapshot, every, lagged=lagged, deal_type=deal_type, allocation=allocation, level=level
    )
    cost["day"], clv["day"] = cost.pop("period"), period_days(clv, every)
    table = clv.merge(cost, on="day", how="left")
    table["cac_note"] = table["cac_note"].fillna("not enough data: no costs recorded")
    low, high = mover_limits(
        (table["clv"], table["low"], table["high"]),
        (table["cac"], table["cac_low"], table["cac_high"]),
    )
    table = table.assign(value=_over(table["clv"], table["cac"]), low=low, high=high)
    whole = WHOLE if groups.by else ""
    table["note"] = [
        joined(*notes, whole) for notes in zip(table["note"], table["cac_note"], strict=True)
    ]
    table["band"] = [None if np.isnan(ratio) else band(ratio, limits) for ratio in table["value"]]
    table["period"] = table.pop("day")
    named = dict(zip(groups.by, groups.columns, strict=True))
    return groups.finish(table.rename(columns=named), ["clv", "cac", "band"])


def band(ratio: float, limits: tuple[float, float, float] = HEALTHY) -> str:
    """Name the band of a ratio of lifetime value to acquisition cost.

    >>> band(2.5), band(2.5, limits=(1, 2, 4))
    ('break_even', 'healthy')
    """
    if ratio < limits[0]:
        return BANDS[0]
    if ratio < limits[1]:
        return BANDS[1]
    return BANDS[2] if ratio <= limits[2] else BANDS[3]


def _over(top: "pd.Series[float]", bottom: "pd.Series[float]") -> "pd.Series[float]":
    return top.astype("float64") / bottom.astype("float64").where(bottom > 0)


ENTRIES = (
    Entry(
        clv_to_cac,
        question="Is a customer worth what winning it costs?",
        formula="lifetime value over 60 months (margin) / CAC",
        unit="ratio",
        basis="customers as of the date; cost of the last twelve whole months",
        interval="limits of the two parts, joined (MOVER)",
        options="limits of the bands; horizon_months; gross_margin; lagged; allocation; deal_type",
        needs="costs, deals, subscriptions (accounts: who pays)",
        benchmark="3:1 healthy, 1:1 break-even, far above 3 maybe underinvesting (not your own figure)",
        source="Top MSP KPIs: sales and marketing; Donner and Zou 2012",
        caveats="Lifetime value and cost must rest on the same margin; small companies: read the limits.",
        also=("CLV:CAC", "LTV:CAC", "unit economics", "band"),
        better="higher",
    ),
)
