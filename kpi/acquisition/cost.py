"""What it costs to win: sales and marketing, each lead, each new customer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.acquisition.cost_ratio import by_channel, by_period, held_against, paid_months, per_record
from kpi.acquisition.logos import new_logos, undated_wins
from kpi.acquisition.spend import (
    CATEGORIES,
    Allocation,
    allocated,
    counted_months,
    month_index,
    monthly_costs,
    months_note,
    unnarrowed,
    window_note,
)
from kpi.deals.days import cycle_days
from kpi.engine import collect
from kpi.entry import Entry
from kpi.periods import Every
from kpi.result import Groups, joined
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.tables import TableError

MONTH_DAYS = 365.25 / 12


def sales_marketing_cost(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    allocation: Allocation = 1.0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Total cost of sales and marketing: labour, commissions, advertising and tools.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table costs.
    by : str or list of str, optional
        Columns of costs: ``"category"``, ``"channel"``.
    every : {"month", "quarter", "year"}, optional
        Period the cost is booked in; default: the last twelve whole months, as in `cac`.
    allocation : float or mapping of category to float
        Share of the cost that goes into winning new customers, 0 to 1, such as
        ``{"labour": 0.8}`` where a fifth of the team's time goes to customers one has.
    level : float
        Unused: costs are exact records and have no interval.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (reporting currency), ``low, high`` (missing),
        ``x`` and ``n`` (cost records), ``note``, and ``labour, commissions, advertising, tools,
        other`` (costs without a category), which add up to ``value``. Only months that had ended
        on the as-of date; ``value`` is missing where none of them has costs.

    Raises
    ------
    TableError
        If costs are missing, or a column, period or allocation is unknown.

    References
    ----------
    .. [1] Top MSP KPIs: sales and marketing (the four parts).

    Examples
    --------
    >>> costs = pd.DataFrame({"month": ["2026-05-01", "2026-05-01", "2026-06-01"],
    ...     "category": ["labour", "tools", "labour"], "amount": [9000, 1000, 9500]})
    >>> snapshot = Snapshot.from_frames({"costs": costs}, as_of="2026-06-30")
    >>> sales_marketing_cost(snapshot, every="month")[["value", "labour", "tools"]].to_dict("list")
    {'value': [10000.0, 9500.0], 'labour': [9000.0, 9500.0], 'tools': [1000.0, 0.0]}
    """
    snapshot.need("costs", of="sales_marketing_cost")
    check_level(level)
    groups = Groups(snapshot, "costs", by, every)
    costs = monthly_costs(snapshot, groups.columns, allocation)
    months = counted_months(snapshot, paid_months(snapshot), every)
    parts = [*CATEGORIES, "other"]
    table = by_period(costs, months, groups, "paid_month", [*parts, "cost", "items"])
    none = table["months"] == 0
    said = [f"not narrowed to {name}" for name in unnarrowed(snapshot)]
    notes = [
        joined(months_note(have, every), window_note(every), allocated(allocation), *said)
        for have in table["months"]
    ]
    table = table.assign(
        value=table["cost"].mask(none), low=np.nan, high=np.nan, x=table["items"], n=table["items"]
    )
    return groups.finish(table.assign(note=pd.array(notes, dtype="str")), parts)


def cost_per_lead(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    scope: Literal["all", "campaign"] = "all",
    allocation: Allocation = 1.0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Sales and marketing cost of a period over the leads created in it.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables costs and leads.
    by : "channel", optional
        A channel's own costs over its leads; nothing else is named by costs and leads alike.
    every : {"month", "quarter", "year"}, optional
        Period of the cost and of the leads; default: the last twelve whole months.
    scope : {"all", "campaign"}
        ``all``: every cost over every lead. ``campaign``: costs that name a channel over the
        leads of the channels that have such costs; always so with `by`.
    allocation
        As in `sales_marketing_cost`.
    level : float
        Share of the intervals.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (reporting currency a lead), ``low``, ``high``,
        ``x`` (cost records), ``n`` (leads), ``note``, ``cost``. ``value`` is missing, with the
        reason in ``note``, where there are no leads or no costs (also: a channel without costs),
        or where the snapshot is narrowed to what costs do not name.

    Raises
    ------
    TableError
        If a table is missing, or a column, period, scope or allocation is unknown.

    Notes
    -----
    The limits are the cost over the exact limits of the Poisson count of leads: the cost itself
    is a record. A month without any cost counts on neither side. Leads without a date are in
    no month.

    References
    ----------
    .. [1] Top MSP KPIs: sales and marketing: formula with total cost, example with one campaign.
    .. [2] Garwood F (1936), Biometrika 28:437-442.

    Examples
    --------
    >>> leads = pd.DataFrame({"lead_id": range(200), "created_at": "2026-06-10"})
    >>> costs = pd.DataFrame({"month": ["2026-06-01"], "amount": [10_000]})
    >>> snapshot = Snapshot.from_frames({"leads": leads, "costs": costs}, as_of="2026-06-30")
    >>> cost_per_lead(snapshot)[["value", "n", "cost"]].to_dict("records")
    [{'value': 50.0, 'n': 200, 'cost': 10000.0}]
    """
    snapshot.need("costs", "leads", of="cost_per_lead")
    if scope not in ("all", "campaign"):
        raise TableError(f"scope={scope!r}; expected 'all' or 'campaign'")
    groups = by_channel(snapshot, by, every, of="cost_per_lead")
    channel = ["channel"] if groups.columns or scope == "campaign" else []
    always = replace(snapshot, since=None)  # which months count is said by the costs
    monthly = Groups(always, "leads", channel, "month")
    leads = monthly.add_period(snapshot.leads.lazy(), "created_day")
    counted = _by_month(collect(leads.group_by(*monthly.keys).agg(events=nw.len())))
    table = held_against(snapshot, groups, counted, channel, allocation, lag=0)
    return per_record(groups, table, "no leads", [allocated(allocation)], level)


def cac(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    lagged: bool = False,
    deal_type: str | None = "new",
    allocation: Allocation = 1.0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Customer acquisition cost: sales and marketing cost over the new customers won.

    A new customer is a paying account (billing account) on the day of its first won deal of any
    kind, where that is new business and no recurring line of it began before; a won deal without an
    account is taken as a customer of its own, and the note says how many are.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables costs and deals; accounts tells who pays, subscriptions who was a customer.
    by : "channel", optional
        A channel's own costs over the customers whose first deal came from a lead of it.
    every : {"month", "quarter", "year"}, optional
        Period of the cost and of the first win; default: the last twelve whole months.
    lagged : bool
        Hold the customers against the costs spent earlier by the median `cycle_days`, in whole
        months.
    deal_type : {"new", "expansion", "renewal"} or None
        Kind of business that makes a customer; None: any.
    allocation, level
        As in `cost_per_lead`.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (reporting currency a customer), ``low``,
        ``high``, ``x`` (cost records), ``n`` (new customers), ``note``, ``cost``. ``value`` is
        missing, with the reason in ``note``, where nobody was won or no cost is recorded.

    Raises
    ------
    TableError
        If a table is missing, or a column, period, deal type or allocation is unknown.

    Notes
    -----
    The limits are the cost over the exact limits of the Poisson count of customers. A month
    without any cost counts on neither side.

    References
    ----------
    .. [1] Top MSP KPIs: sales and marketing.
    .. [2] Garwood F (1936), Biometrika 28:437-442.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abc"), "outcome": "won", "account_id": list("AAB"),
    ...     "close_date": ["2026-05-10", "2026-06-10", "2026-06-20"]})
    >>> costs = pd.DataFrame({"month": ["2026-05-01", "2026-06-01"], "amount": [3000, 5000]})
    >>> snapshot = Snapshot.from_frames({"deals": deals, "costs": costs}, as_of="2026-06-30")
    >>> cac(snapshot)[["value", "n", "cost"]].to_dict("records")
    [{'value': 4000.0, 'n': 2, 'cost': 8000.0}]
    """
    snapshot.need("costs", "deals", of="cac")
    groups = by_channel(snapshot, by, every, of="cac")
    logos = new_logos(snapshot, deal_type, groups.columns)
    months = {day: month_index(day) for day in logos["day"].unique()}
    logos = logos.assign(month=logos["day"].map(months).astype("int64"), events=1)
    counted = logos.groupby([*groups.columns, "month"], dropna=False, as_index=False)[
        ["events", "alone"]
    ].sum()
    said = [allocated(allocation), undated_wins(snapshot, deal_type)]
    lag, told = _lag(snapshot, deal_type) if lagged else (0, "")
    table = held_against(snapshot, groups, counted, groups.columns, allocation, lag=lag or 0)
    table = per_record(groups, table, "no new customers", [told, *said], level)
    return table.assign(value=np.nan, low=np.nan, high=np.nan) if lag is None else table


def _by_month(counted: pd.DataFrame) -> pd.DataFrame:
    months = [month_index(day) for day in counted.pop("period")]
    return counted.assign(month=months, alone=0).astype({"month": "int64", "events": "int64"})


def _lag(snapshot: Snapshot, deal_type: str | None) -> tuple[int | None, str]:
    """Median cycle in whole months, None where it cannot be told, and that in words."""
    days = cycle_days(snapshot, deal_type=deal_type)["value"].iloc[0]
    if np.isnan(days):
        return None, "not enough data: no deal won, so no median cycle to shift the costs by"
    lag = round(days / MONTH_DAYS)
    earlier = "1 month" if lag == 1 else f"{lag} months"
    return lag, f"costs of {earlier} earlier (median cycle {days:.0f} days)"


ENTRIES = (
    Entry(
        sales_marketing_cost,
        question="What do sales and marketing cost us?",
        formula="labour + commissions + advertising + tools",
        unit="reporting currency",
        basis="costs booked in the period (default: the last twelve whole months)",
        interval="none: booked costs, nothing is estimated",
        options="allocation: share that goes into winning new customers, by category",
        needs="costs",
        benchmark="10,000 USD a month in the MSP example (not your own figure)",
        source="Top MSP KPIs: sales and marketing",
        caveats="A month without any cost is not known to have cost nothing.",
        also=("S&M cost", "total cost of sales and marketing", "advertising spend", "allocation"),
    ),
    Entry(
        cost_per_lead,
        question="What does a lead cost us?",
        formula="sales and marketing cost / leads created, both of the period",
        unit="reporting currency",
        basis="the period's cost and leads (default: the last twelve whole months)",
        interval="cost over the exact limits of the Poisson count of leads (inverted)",
        options="by='channel' or scope='campaign': channel cost / channel leads; allocation",
        needs="costs, leads",
        benchmark="50 USD in the MSP example: 10,000 USD, 200 leads (not your own figure)",
        source="Top MSP KPIs: sales and marketing; Garwood 1936",
        caveats="Total cost and one campaign's cost are two figures: say which.",
        also=("CPL", "campaign cost per lead", "scope"),
        better="lower",
    ),
    Entry(
        cac,
        question="What does a new customer cost us?",
        formula="sales and marketing cost / new customers won (payers whose first won deal is new business)",
        unit="reporting currency",
        basis="the period's cost and first wins (default: the last twelve whole months)",
        interval="cost over the exact limits of the Poisson count of customers (inverted)",
        options="lagged=True: costs earlier by the median cycle; by='channel'; allocation; deal_type",
        needs="costs, deals (accounts: who pays; subscriptions: who was a customer)",
        benchmark="winning a customer costs about 5 times keeping one (rule of thumb)",
        source="Top MSP KPIs: sales and marketing; Moving Your KPI Levers Into Alignment 2023",
        caveats="With long cycles the period's customers were paid for earlier: see lagged.",
        also=("customer acquisition cost", "new logos", "fully loaded CAC", "lagged CAC"),
        better="lower",
    ),
)
