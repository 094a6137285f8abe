"""Leads that become customers: the close ratio."""

from collections.abc import Sequence
from typing import Literal

import narwhals as nw
import pandas as pd

from kpi.cohorts import durations, horizon_of, incidence
from kpi.deals.win_rate import only_type
from kpi.entry import Entry
from kpi.leads.conversion import followed_leads, period_ratio
from kpi.leads.flow import QUALIFIED, entered
from kpi.periods import Every
from kpi.result import Groups, joined
from kpi.snapshot import Snapshot
from kpi.tables import TableError

ELSEWHERE = 3  # cause: converted into no deal that counts


def lead_to_customer(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    of: Literal["lead", "mql", "sql"] = "lead",
    basis: Literal["cohort", "period"] = "cohort",
    deal_type: str | None = "new",
    horizon_days: int | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of leads that became a customer: a deal of theirs was won (the close ratio).

    Leads still worked, and those with an open deal, are never counted as lost: they are followed
    for as long as they have been known. A lead is lost once it is disqualified, or once all of its
    deals are; one won deal makes it a customer, on the day of the first win. A deal belongs to one
    lead, so a customer counts once.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables leads and deals.
    by : str or list of str, optional
        Columns of leads, such as ``"source"``.
    every : {"month", "quarter", "year"}, optional
        Period in which the lead was created (of qualified leads: first qualified).
    of : {"lead", "mql", "sql"}
        Leads followed: all, or qualified ones from the day they first were, as ``[count.mql]`` or
        ``[count.sql]`` says.
    basis : {"cohort", "period"}
        ``cohort`` (default): cumulative incidence of winning among the leads. ``period``: customers
        won from leads in the period over leads created in it, two different sets; it has no
        interval and can exceed 1.
    deal_type, horizon_days, level
        As in `kpi.win_rate`.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (0 to 1), ``low``, ``high``, ``x`` (customers),
        ``n`` (leads), ``note``.

    Raises
    ------
    TableError
        If a table is missing, a column, period, basis or deal type is unknown, or ``of`` is not
        set in the definitions.

    Notes
    -----
    Aalen-Johansen with log-log limits. It is not the win rate, whose denominator is deals. A lead
    converted into no deal that counts (of another kind, in a pipeline left out, the deal of another
    lead, not in the data) competes from the day it was converted; the note says how many those are.
    `Snapshot.where` narrows deals too: cut by a column that leads and deals fill differently, a
    lead loses its deal. `by` follows each lead to its deals, whatever they hold.

    References
    ----------
    .. [1] Top MSP KPIs: sales and marketing (close ratio: customers / total leads).
    .. [2] Aalen O, Johansen S (1978), Scand. J. Statist. 5:141-150.

    Examples
    --------
    >>> leads = pd.DataFrame({"lead_id": list("abcd"), "created_at": "2026-01-01"})
    >>> deals = pd.DataFrame({"deal_id": ["1", "2"], "lead_id": ["a", "b"], "outcome": ["won", "lost"],
    ...     "created_at": "2026-01-10", "close_date": "2026-02-01"})
    >>> snapshot = Snapshot.from_frames({"leads": leads, "deals": deals}, as_of="2026-06-30")
    >>> lead_to_customer(snapshot)[["value", "x", "n"]].to_dict("records")
    [{'value': 0.25, 'x': 1, 'n': 4}]
    """
    snapshot.need("leads", "deals", of="lead_to_customer")
    if of not in ("lead", *QUALIFIED):
        raise TableError(f"of={of!r}; expected one of {('lead', *QUALIFIED)}")
    groups = Groups(snapshot, "leads", by, every)
    leads = _followed(snapshot, of, deal_type)
    if basis == "period":
        won = nw.when(nw.col("cause") == 1).then(nw.col("end"))
        return period_ratio(groups, leads.with_columns(won_day=won), "entered_day", "won_day")
    if basis != "cohort":
        raise TableError(f"basis={basis!r}; expected 'cohort' or 'period'")
    dated = groups.add_period(leads, "entered_day")
    counted = durations(snapshot, dated, groups.keys, start="entered_day", end="end")
    horizon = horizon_of(snapshot, horizon_days)
    rates = incidence(counted, groups.keys, level=level, horizon_days=horizon)
    return groups.finish(_with_elsewhere(rates, counted, groups.keys))


def _followed(snapshot: Snapshot, of: str, deal_type: str | None) -> nw.LazyFrame:
    """Leads with ``entered_day``, ``cause`` (1 customer, 2 lost, 3 elsewhere) and the day of its ``end``."""
    deals = only_type(snapshot.deals.lazy(), deal_type).filter(~nw.col("lead").is_null())
    one, none = nw.lit(1), nw.lit(0)
    best = deals.group_by("lead").agg(
        nw.when(nw.col("outcome") == "won").then(one).otherwise(none).sum().alias("deals_won"),
        nw.when(nw.col("outcome") == "open").then(one).otherwise(none).sum().alias("deals_open"),
        nw.when(nw.col("outcome") == "won").then(nw.col("closed_day")).min().alias("deals_won_day"),
        nw.when(nw.col("outcome") == "lost")
        .then(nw.col("closed_day"))
        .max()
        .alias("deals_lost_day"),
    )
    leads = followed_leads(snapshot, entered(snapshot, of))
    leads = leads.join(best, left_on="lead_id", right_on="lead", how="left")
    elsewhere = nw.when(nw.col("cause") == 1).then(nw.lit(ELSEWHERE)).otherwise(nw.col("cause"))
    lost = nw.when(nw.col("deals_open") > 0).then(none).otherwise(nw.lit(2))
    dealt = nw.when(nw.col("deals_won") > 0).then(one).otherwise(lost)
    known = ~nw.col("deals_won").is_null()
    day = nw.when(nw.col("deals_won") > 0).then(nw.col("deals_won_day"))
    closed = day.otherwise(nw.col("deals_lost_day"))
    return leads.with_columns(
        cause=nw.when(known).then(dealt).otherwise(elsewhere),
        end=nw.when(known).then(closed).otherwise(nw.col("end")),
    )


def _with_elsewhere(
    rates: pd.DataFrame, counted: pd.DataFrame, keys: Sequence[str]
) -> pd.DataFrame:
    """Say in the note how many leads were converted into no deal that counts."""
    elsewhere = counted["n"].where(counted["cause"] == ELSEWHERE, 0)
    if keys:  # the groups of counts are the rows of rates, in the same order
        by = counted[list(keys)].assign(gone=elsewhere).groupby(list(keys), dropna=False, sort=True)
        gone = by["gone"].sum()
    else:
        gone = pd.Series([elsewhere.sum()])
    said = [f"{n:,.0f} converted into no deal that counts" if n else "" for n in gone]
    return rates.assign(note=[joined(a, b) for a, b in zip(rates["note"], said, strict=True)])


ENTRIES = (
    Entry(
        lead_to_customer,
        question="What share of our leads becomes a customer?",
        formula="cumulative incidence of a first won deal, open leads censored, lost ones competing",
        unit="share, 0 to 1",
        basis="cohort of leads created",
        interval="log-log limits from Aalen's variance",
        options="of='mql' or 'sql': qualified leads only; basis='period'; deal_type=None: all business",
        needs="leads, deals",
        benchmark="4.95 % of leads: 15 % to a deal x 33 % won (MSP rules of thumb; not your own figure); "
        "6 to 8 wins of 70 to 80 where a lead is a booked meeting: another denominator",
        source="Top MSP KPIs: sales and marketing; Aalen and Johansen 1978",
        caveats="Young cohorts are read at a young age: compare periods at one horizon_days.",
        also=("close_ratio", "close ratio", "lead-to-customer rate", "lead to win rate"),
        better="higher",
    ),
)
