"""First meetings with new companies: how many, how many were kept, how many fit."""

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.activity.companies_met import flag, inside, with_company
from kpi.entry import Entry
from kpi.leads.flow import UNDATED, to_date
from kpi.periods import Every
from kpi.result import Groups, count_by, joined
from kpi.snapshot import Snapshot
from kpi.stats.intervals import jeffreys

SHOW = ["held", "booked", "show_rate", "show_low", "show_high"]
COUNTED = ("x", "held", "booked", "known", "in_profile", "untold", "customers", "first")
PROFILE = ["in_profile", "in_profile_share", "in_profile_low", "in_profile_high"]


def appointments(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    booked: bool = False,
    level: float = 0.95,
) -> pd.DataFrame:
    """First-time appointments: companies met for the first time.

    Of each company the first meeting that was held counts, once, on the day it took place. The
    company is that of the meeting, else of its lead or deal; where none is known, the lead (deal,
    meeting) stands for it. Meetings with a company that was a customer before (a deal won, or a
    subscription begun, on an earlier day) are no first appointments. A meeting that does not say
    what became of it is not taken as held. Of a snapshot narrowed by ``where`` those meetings count
    that are with a company of which a lead or deal is left (``owner``: that this seller has), and
    companies and customers are told by the leads and deals left, and by subscriptions.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table meetings; leads, deals, accounts and subscriptions tell which company it is,
        whether it fits the profile and whether it was a customer.
    by : str or list of str, optional
        Columns of meetings, such as ``"owner"``.
    every : {"month", "quarter", "year"}, optional
        Period in which the meeting took place (``booked=True``: was booked); the one still running
        is marked ``to date``.
    booked : bool
        Count the first meeting booked with each company, whatever became of it.
    level : float
        Share of the intervals of the two shares; the count itself is exact.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (companies), ``low, high`` (missing), ``x`` and
        ``n`` (companies), ``note``; then of the first-time meetings of the period ``booked`` (held,
        missed or cancelled; those not yet due or without an outcome left out), ``held`` and
        ``show_rate`` (held / booked) with ``show_low, show_high``; and of the companies counted
        ``in_profile`` (fit the ideal customer profile) and ``in_profile_share`` (of those known to
        fit or not) with ``in_profile_low, in_profile_high``.

    Raises
    ------
    TableError
        If meetings are missing, or a column or period is unknown.

    Notes
    -----
    A meeting missed and held at a second try is two booked and one held. Intervals: Jeffreys. A
    company fits the profile if any of its leads does.

    References
    ----------
    .. [1] Top MSP KPIs: sales and marketing (30 appointments, 5 of them in profile: 16.7 %).
    .. [2] The One Metric That Matters Most, Channel Futures 2016 ("a new potential customer").

    Examples
    --------
    >>> meetings = pd.DataFrame({"meeting_id": ["1", "2", "3"], "account_id": ["A", "A", "B"],
    ...     "starts_at": ["2026-01-10", "2026-01-20", "2026-01-12"],
    ...     "outcome": ["held", "held", "no_show"]})
    >>> snapshot = Snapshot.from_frames({"meetings": meetings}, as_of="2026-01-31")
    >>> appointments(snapshot)[["value", "held", "booked", "show_rate"]].to_dict("records")
    [{'value': 1.0, 'held': 1, 'booked': 2, 'show_rate': 0.5}]
    """
    snapshot.need("meetings", of="appointments")
    groups = Groups(snapshot, "meetings", by, every)
    day = "booked_day" if booked else "starts_day"
    dated = groups.add_period(inside(snapshot, _first_times(snapshot, groups.columns)), day)
    counts = nw.col("first") if booked else nw.col("held")
    counted = count_by(
        dated,
        groups.keys,
        x=counts,
        held=nw.col("held"),
        booked=nw.col("due"),
        known=counts * nw.col("known_profile"),
        in_profile=counts * nw.col("fits"),
        untold=nw.col("untold"),
        customers=nw.col("customer"),
        first=nw.col("first"),
    )
    zeros = dict.fromkeys(COUNTED, 0)
    table = groups.complete(counted, **zeros).astype(dict.fromkeys(zeros, "int64"))
    return _appointments(groups, table, level, asked_booked=booked)


def _appointments(
    groups: Groups, table: pd.DataFrame, level: float, *, asked_booked: bool
) -> pd.DataFrame:
    """Turn counts into value, shares with their limits, and notes."""
    told = table["first"].sum() if asked_booked else table["booked"].sum()
    value = table["x"].astype("float64") if told else np.nan
    if told:
        notes = [
            joined(
                "to date" if unfinished else "",
                f"{untold:,} without an outcome" if untold else "",
                f"{customers:,} with customers left out" if customers else "",
            )
            for unfinished, untold, customers in zip(
                to_date(groups, table), table["untold"], table["customers"], strict=True
            )
        ]
    else:
        some = bool(table["untold"].sum())
        why = "no meeting says what became of it (outcome)" if some else "no first-time meetings"
        notes = [f"not enough data: {why}"] * len(table)
    shown = _share(table["held"], table["booked"], level)
    fits = _share(table["in_profile"], table["known"], level)
    extra = dict(zip(SHOW[2:], shown, strict=True)) | dict(zip(PROFILE[1:], fits, strict=True))
    result = table.assign(value=value, low=np.nan, high=np.nan, n=table["x"], note=notes, **extra)
    return groups.finish(result, [*SHOW, *PROFILE])


def _share(
    x: "pd.Series[int]", n: "pd.Series[int]", level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    top, whole = x.to_numpy(dtype="float64"), n.to_numpy(dtype="float64")
    value = np.divide(top, whole, out=np.full(len(top), np.nan), where=whole > 0)
    return value, *jeffreys(top, whole, level)


def _first_times(snapshot: Snapshot, columns: Sequence[str]) -> nw.LazyFrame:
    """One row a meeting with what it counts as, 0 or 1.

    ``held``: the first held with its company; ``due``: held, missed or cancelled up to then;
    ``untold``: due up to then but without an outcome; ``first``: the first booked;
    ``customer``: held with a customer; ``known_profile``, ``fits``: what is known of the company's profile.
    """
    today = snapshot.as_of_day
    company = ["kind", "company"]
    table = with_company(snapshot, columns)
    past = nw.col("starts_day").is_null() | (nw.col("starts_day") <= today)
    known = past | ~nw.col("booked_day").is_null()
    day = nw.coalesce("starts_day", "booked_day", nw.lit(today))
    new = nw.col("customer_day").is_null() | (nw.col("customer_day") >= day)
    table = table.filter(known).with_columns(
        new=flag(new),
        was_held=flag(past & (nw.col("outcome") == "held")),
        resolved=flag(past & nw.col("outcome").is_in(["held", "no_show", "cancelled"])),
        overdue=flag(past & (nw.col("outcome").is_null() | (nw.col("outcome") == "scheduled"))),
        at=nw.coalesce("starts_s", nw.lit(UNDATED)),
        asked=nw.coalesce("booked_s", "starts_s", nw.lit(UNDATED)),
    )
    table = table.with_columns(met=nw.col("was_held") * nw.col("new"))
    before = nw.col("met").cum_sum().over(*company, order_by=["at", "meeting_id"]) - nw.col("met")
    table = table.with_columns(open=flag(before == 0) * nw.col("new"))
    booking = nw.col("open").cum_sum().over(*company, order_by=["asked", "meeting_id"])
    return table.with_columns(
        held=nw.col("met") * nw.col("open"),
        due=nw.col("resolved") * nw.col("open"),
        untold=nw.col("overdue") * nw.col("open"),
        first=nw.col("open") * flag(booking == 1),
        customer=nw.col("was_held") * (1 - nw.col("new")),
        known_profile=flag(~nw.col("profile").is_null()),
        fits=nw.coalesce("profile", nw.lit(0)),
    )


ENTRIES = (
    Entry(
        appointments,
        question="How many new companies did we meet for the first time?",
        formula="first held meeting per company that is no customer yet, by the day of the meeting",
        unit="count",
        basis="meetings that took place in the period",
        interval="none: meetings are counted; of show rate and profile share: Jeffreys",
        options="booked=True: first meeting booked per company, by the day of booking",
        needs="meetings (leads, deals, subscriptions: the company, its profile, who was a customer)",
        benchmark="none",
        source="Top MSP KPIs: sales and marketing; The One Metric That Matters Most, Channel Futures 2016",
        caveats="A count of meetings flatters: read in_profile_share and show_rate beside it.",
        also=("first-time appointments", "FTA", "show rate", "no-show rate", "share in profile"),
        better="higher",
    ),
)
