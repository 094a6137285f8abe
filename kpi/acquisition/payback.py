"""How soon a new customer pays for what winning it cost."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kpi.acquisition.cost import cac
from kpi.acquisition.logos import new_logos
from kpi.acquisition.spend import Allocation, counted_months, month_index
from kpi.entry import Entry
from kpi.periods import Every, from_day
from kpi.result import Groups, joined
from kpi.snapshot import Snapshot
from kpi.stats.bootstrap import mean_limits
from kpi.stats.poisson import mover_limits
from kpi.tables import TableError

WHOLE = "costs are those of the whole company"


def cac_payback(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    gross_margin: float | None = None,
    lagged: bool = False,
    deal_type: str | None = "new",
    allocation: Allocation = 1.0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Months until the gross margin of a new customer has paid for winning it.

    `cac` over the mean new monthly recurring revenue (MRR) of a new customer (the deals of its
    first winning day) times the gross margin.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables costs and deals (with ``mrr``); accounts tells who pays.
    by : str or list of str, optional
        Columns of deals, such as ``"segment"``: revenue and margin are the group's, the
        acquisition cost is the whole company's, since costs name no group.
    every : {"month", "quarter", "year"}, optional
        Period of the cost and of the first win; default: the last twelve whole months.
    gross_margin : float, optional
        Share of revenue kept, above 0 to 1; default: margin over amount of the same deals, where
        they state both, else 1, which the note then says: the payback is longer in truth.
    lagged, deal_type, allocation
        As in `cac`.
    level : float
        Share of the intervals.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (months), ``low``, ``high``, ``x`` (new customers
        whose deals state their MRR), ``n`` (new customers), ``note``, and the parts ``cac``,
        ``arpa`` (mean new MRR a customer), ``gross_margin``. ``value`` is missing, with the reason
        in ``note``, where there is no `cac` or no MRR above zero.

    Raises
    ------
    TableError
        If a table is missing, an option unknown, or the margin is no share above 0.

    Notes
    -----
    ``value = cac / (arpa x gross_margin)``. The limits join those of `cac` (Poisson) and of the
    mean MRR (bootstrap) on the logarithms (MOVER); the margin is taken as exact.

    References
    ----------
    .. [1] Donner A, Zou GY (2012), Stat. Methods Med. Res. 21:347-359.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["1", "2"], "outcome": "won", "mrr": [400, 600],
    ...     "account_id": ["A", "B"], "close_date": "2026-06-10"})
    >>> costs = pd.DataFrame({"month": ["2026-06-01"], "amount": [4800]})
    >>> snapshot = Snapshot.from_frames({"deals": deals, "costs": costs}, as_of="2026-06-30")
    >>> cac_payback(snapshot, gross_margin=0.8)[["value", "cac", "arpa"]].to_dict("records")
    [{'value': 6.0, 'cac': 2400.0, 'arpa': 500.0}]
    """
    snapshot.need("costs", "deals", of="cac_payback")
    if gross_margin is not None and not 0 < gross_margin <= 1:
        raise TableError(f"gross_margin = {gross_margin!r}; expected a share above 0, to 1")
    groups = Groups(snapshot, "deals", by, every)
    cost = cac_by_period(
        snapshot, every, lagged=lagged, deal_type=deal_type, allocation=allocation, level=level
    )
    worth = _new_customers(snapshot, groups, deal_type, cost, gross_margin, level)
    table = worth.merge(cost, on="period", how="left")
    kept, low_kept, high_kept = (
        table[name] * table["gross_margin"] for name in ("arpa", "arpa_low", "arpa_high")
    )
    low, high = mover_limits(
        (table["cac"], table["cac_low"], table["cac_high"]), (kept, low_kept, high_kept)
    )
    table = table.assign(value=table["cac"] / kept, low=low, high=high)
    whole = WHOLE if groups.columns else ""
    table["note"] = [
        joined(*notes, whole) for notes in zip(table["worth_note"], table["cac_note"], strict=True)
    ]
    return groups.finish(table, ["cac", "arpa", "gross_margin"])


def cac_by_period(
    snapshot: Snapshot, every: Every | None, *, level: float, **options: object
) -> pd.DataFrame:
    """`cac` of the company: ``period`` (day number), ``cac``, its limits, ``cac_note``."""
    table = cac(snapshot, every=every, level=level, **options)  # type: ignore[arg-type]
    names = {"value": "cac", "low": "cac_low", "high": "cac_high", "note": "cac_note"}
    table = table.rename(columns=names)
    return table.assign(period=period_days(table, every))[["period", *names.values()]]


def period_days(table: pd.DataFrame, every: Every | None) -> "pd.Series[int]":
    """Return the first days of a result's periods as day numbers, 0 without periods."""
    if not every:
        return pd.Series(0, index=table.index, dtype="int64")
    return (table["period"] - pd.Timestamp(from_day(0))).dt.days.astype("int64")


def _new_customers(
    snapshot: Snapshot,
    groups: Groups,
    deal_type: str | None,
    cost: pd.DataFrame,
    gross_margin: float | None,
    level: float,
) -> pd.DataFrame:
    """Mean new MRR and margin of the customers won, by group and period of `cost`."""
    logos = new_logos(snapshot, deal_type, groups.columns)
    months = counted_months(snapshot, [month_index(d) for d in logos["day"]], groups.every)
    logos["month"] = [month_index(day) for day in logos["day"]]
    logos = logos.merge(months[["month", "period"]], on="month")
    keys = [*groups.columns, "period"]
    cells = cost[["period"]]
    if groups.columns:
        cells = logos[groups.columns].drop_duplicates().merge(cells, how="cross")
    cells = cells.reset_index(drop=True)
    parts = dict(iter(logos.merge(cells.reset_index(names="cell"), on=keys).groupby("cell")))
    none = logos.iloc[:0]
    rows = [_worth(parts.get(cell, none), gross_margin, level) for cell in cells.index]
    names = ["arpa", "arpa_low", "arpa_high", "gross_margin", "x", "n", "worth_note"]
    return cells.join(pd.DataFrame(rows, columns=names))


def _worth(
    logos: pd.DataFrame, gross_margin: float | None, level: float
) -> tuple[float, float, float, float, int, int, str]:
    priced = logos.loc[logos["priced"] > 0, "mrr"].to_numpy(dtype="float64")
    margin, said = _margin(logos, gross_margin)
    n, x = len(logos), len(priced)
    if n == 0:
        return np.nan, np.nan, np.nan, margin, 0, 0, ""
    if x == 0 or priced.mean() <= 0 or margin <= 0:
        said = "not enough data: no new customer's deal states MRR and margin above zero"
        return np.nan, np.nan, np.nan, margin, x, n, said
    low, high = mean_limits(priced, level)
    known = "" if x == n else f"{n - x} of {n} new customers without MRR left out of its mean"
    return float(priced.mean()), low, high, margin, x, n, joined(said, known)


def _margin(logos: pd.DataFrame, gross_margin: float | None) -> tuple[float, str]:
    """Gross margin as given, else as the deals state it, else 1, and what to say of it."""
    if gross_margin is not None:
        return gross_margin, ""
    sold = float(logos["amount"].sum())
    if sold > 0:
        return float(logos["margin"].sum()) / sold, ""
    return 1.0, "gross margin not known, taken as 1" if len(logos) else ""


ENTRIES = (
    Entry(
        cac_payback,
        question="After how many months has a new customer paid for itself?",
        formula="CAC / (mean new MRR a customer x gross margin)",
        unit="months",
        basis="customers won in the period (default: the last twelve whole months)",
        interval="Poisson limits of CAC and bootstrap limits of the mean MRR, joined (MOVER)",
        options="gross_margin; by: a group's revenue, the company's cost; lagged; allocation; deal_type",
        needs="costs, deals with mrr (accounts: who pays)",
        benchmark="none: it depends on margin and contract length",
        source="aurarevenue.com, SaaS CAC payback; Donner and Zou 2012",
        caveats="Without a gross margin it is too short; expansion and churn are not in it.",
        also=("payback period", "months to recover CAC", "new ARPA"),
        better="lower",
    ),
)
