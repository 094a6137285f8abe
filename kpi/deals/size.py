"""The average deal: its amount, and the monthly revenue it brings."""

from collections.abc import Sequence
from typing import Literal

import narwhals as nw
import pandas as pd

from kpi.deals.money import averages, back
from kpi.deals.win_rate import of_type
from kpi.entry import Entry
from kpi.periods import Every
from kpi.result import Groups, joined
from kpi.snapshot import Snapshot
from kpi.tables import TableError

TRAILING = 12
OF = ("mrr", "tcv", "one_off")


def average_deal_size(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    deal_type: str | None = "new",
    level: float = 0.95,
) -> pd.DataFrame:
    """Mean amount of the deals won, with limits made for a few very large deals.

    Deals won without an amount are left out and counted in ``note``. The median beside it is what
    a usual deal brings; the trimmed mean leaves out the largest and the smallest tenth.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table deals.
    by : str or list of str, optional
        Columns of deals, such as ``"segment"`` or ``"region"``.
    every : {"month", "quarter", "year"}, optional
        Period in which the deal closed.
    deal_type : {"new", "expansion", "renewal"} or None
        Kind of business counted; None counts all.
    level : float
        Share of the intervals.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (reporting currency), ``low, high`` (bootstrap;
        missing below three deals), ``x`` (deals won with an amount), ``n`` (deals won), ``note``,
        then ``median`` and ``trimmed_mean``. Missing, with the reason, where nothing was won.

    Raises
    ------
    TableError
        If deals are missing, or a column, period or deal type is unknown.

    Notes
    -----
    Percentile-t bootstrap of the mean, from 1,000 deals on its limit in closed form
    (`kpi.stats.bootstrap.mean_limits`): the same every time.

    References
    ----------
    .. [1] "Top MSP KPIs: sales and marketing", Syncro (average deal size).
    .. [2] Efron B, Tibshirani RJ (1993), An Introduction to the Bootstrap, ch. 12.

    Examples
    --------
    >>> deals = pd.DataFrame({
    ...     "deal_id": list("abcd"), "outcome": "won", "close_date": "2026-01-09",
    ...     "amount": [100, 200, 900, None]})
    >>> snapshot = Snapshot.from_frames({"deals": deals}, as_of="2026-02-28")
    >>> average_deal_size(snapshot)[["value", "median", "x", "n"]].to_dict("records")
    [{'value': 400.0, 'median': 200.0, 'x': 3, 'n': 4}]
    """
    snapshot.need("deals", of="average_deal_size")
    groups = Groups(snapshot, "deals", by, every)
    won = of_type(snapshot, deal_type).filter(nw.col("outcome") == "won")
    frame = groups.add_period(won, "closed_day")
    result = averages(groups, frame, "amount", level, "deals won")
    return groups.finish(result, ["median", "trimmed_mean"])


def average_monthly_deal_value(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    of: Literal["mrr", "tcv", "one_off"] = "mrr",
    months: int = TRAILING,
    deal_type: str | None = "new",
    level: float = 0.95,
) -> pd.DataFrame:
    """Mean new monthly recurring revenue of a deal won: what a win adds to every month to come.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table deals.
    by : str or list of str, optional
        Columns of deals.
    every : {"month", "quarter", "year"}, optional
        Period in which the deal closed; without it, the last `months` months up to the as-of date
        (said in ``note``).
    of : {"mrr", "tcv", "one_off"}
        ``mrr``: new monthly recurring revenue. ``tcv``: total contract value, mrr x term in
        months. ``one_off``: amount of the deals won that bring no recurring revenue.
    months : int
        Length of the trailing window, 1 or more.
    deal_type, level
        As in `kpi.average_deal_size`.

    Returns
    -------
    DataFrame
        As `kpi.average_deal_size`; ``value`` in the reporting currency, for mrr a month. ``x``:
        deals won with such a value, ``n``: deals won. Missing where no deal has one.

    Raises
    ------
    TableError
        If deals are missing, `of` or `months` is out of range, or a column, period or deal type is
        unknown.

    Notes
    -----
    "Average monthly deal value" could also be read as mean value of deals per month: that is
    `kpi.value_won` by month.

    References
    ----------
    .. [1] "Bottoms up to Revenue Growth", Channel Futures 2018 (average monthly deal value).

    Examples
    --------
    >>> deals = pd.DataFrame({
    ...     "deal_id": list("abc"), "outcome": "won",
    ...     "close_date": ["2026-01-09", "2026-01-10", "2024-01-10"], "mrr": [100, 300, 5000]})
    >>> snapshot = Snapshot.from_frames({"deals": deals}, as_of="2026-02-28")
    >>> average_monthly_deal_value(snapshot)[["value", "x"]].to_dict("records")
    [{'value': 200.0, 'x': 2}]
    """
    snapshot.need("deals", of="average_monthly_deal_value")
    if of not in OF:
        raise TableError(f"of={of!r}; expected one of {list(OF)}")
    if months < 1:
        raise TableError(f"months = {months}; expected a number of months, 1 or more")
    groups = Groups(snapshot, "deals", by, every)
    won = of_type(snapshot, deal_type).filter(nw.col("outcome") == "won")
    if every is None:
        won = won.filter(nw.col("closed_day") > back(snapshot.as_of, months))
    recurs = nw.coalesce("mrr", nw.lit(0.0)) > 0
    if of == "one_off":
        won = won.filter(~recurs)
    value = {"mrr": nw.col("mrr"), "tcv": nw.col("mrr") * nw.col("term_months")}
    frame = won.with_columns(**{of: value.get(of, nw.col("amount"))})
    what = "deals won without recurring revenue" if of == "one_off" else "deals won"
    result = averages(groups, groups.add_period(frame, "closed_day"), of, level, what)
    window = "" if every else f"the last {months} months up to {snapshot.as_of}"
    result["note"] = [joined(note, window) for note in result["note"]]
    return groups.finish(result, ["median", "trimmed_mean"])


ENTRIES = (
    Entry(
        average_deal_size,
        question="How large is the average deal?",
        formula="mean amount of deals won; median and trimmed mean beside it",
        unit="reporting currency",
        basis="deals closed in the period",
        interval="percentile-t bootstrap of the deals, seeded",
        options="deal_type=None: all business",
        needs="deals",
        benchmark="none: deals differ with what is sold",
        source="Top MSP KPIs, Syncro; Efron and Tibshirani 1993",
        caveats="A few large deals carry the mean: read the median beside it.",
        also=("average contract value", "ACV", "median deal size"),
        better="higher",
    ),
    Entry(
        average_monthly_deal_value,
        question="How much monthly revenue does a won deal bring?",
        formula="mean new MRR of deals won in the last 12 months",
        unit="reporting currency a month",
        basis="deals closed in the period",
        interval="percentile-t bootstrap of the deals, seeded",
        options="of='tcv': mrr x term; of='one_off': deals without recurring revenue; months",
        needs="deals",
        benchmark="none: deals differ with what is sold",
        source="Bottoms up to Revenue Growth, Channel Futures 2018",
        caveats="Could be read as value of deals per month: that is value_won by month.",
        also=("average MRR per deal", "total contract value", "TCV"),
        better="higher",
    ),
)
