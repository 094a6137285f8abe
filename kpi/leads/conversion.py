"""Leads that become deals."""

from collections.abc import Sequence
from typing import Literal

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.cohorts import durations, horizon_of, incidence
from kpi.entry import Entry
from kpi.periods import Every
from kpi.result import Groups, count_by
from kpi.rewind import moves
from kpi.snapshot import Snapshot
from kpi.tables import TableError

CHANGE = ("object", "record_id", "stage_id", "changed_day", "changed_s", "place")


def lead_conversion(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    to: Literal["deal", "mql", "sql"] = "deal",
    basis: Literal["cohort", "period"] = "cohort",
    horizon_days: int | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of leads that became a deal (or a qualified lead).

    Parameters
    ----------
    snapshot : Snapshot
        Needs table leads.
    by : str or list of str, optional
        Columns of leads, such as ``"source"``.
    every : {"month", "quarter", "year"}, optional
        Period in which the lead was created (cohort), or in which leads were created and others
        converted (period).
    to : {"deal", "mql", "sql"}
        What the lead must become; ``mql`` and ``sql`` need ``[count.mql]`` or ``[count.sql]`` in
        the definitions.
    basis : {"cohort", "period"}
        ``cohort`` (default): of the leads created, the share converted, leads still worked being
        censored and disqualified ones competing. ``period``: conversions in the period over leads
        created in it, two different sets of leads; it can exceed 1 and has no interval.
    horizon_days : int, optional
        Age at which the cohort rate is read; default the definitions' ``horizon_days``, else the
        last age with ten leads still followed (stated in ``note``). Where 90 days are the company's
        rule, say so: in the definitions, or here.
    level : float
        Share of the intervals.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value, low, high, x`` (converted), ``n`` (leads),
        ``note``.

    Raises
    ------
    TableError
        If leads are missing, or a column, period or basis is unknown.

    Notes
    -----
    A lead becomes a deal on ``converted_at``, else on the day its first linked deal was created.
    ``[count.lead]`` in the definitions says which leads count and from when. A lead counts as
    disqualified from the day it entered a lead stage whose outcome is lost, as history has it (without
    history: the day it was last changed).

    Examples
    --------
    >>> leads = pd.DataFrame({"lead_id": list("abcd"), "created_at": "2026-01-01",
    ...     "converted_at": ["2026-01-10", None, None, None]})
    >>> snapshot = Snapshot.from_frames({"leads": leads}, as_of="2026-06-30")
    >>> lead_conversion(snapshot)[["value", "x", "n"]].to_dict("records")
    [{'value': 0.25, 'x': 1, 'n': 4}]
    """
    snapshot.need("leads", of="lead_conversion")
    groups = Groups(snapshot, "leads", by, every)
    leads = _until(snapshot, to)
    if basis == "cohort":
        followed = followed_leads(snapshot, groups.add_period(leads, "created_day"))
        counted = durations(snapshot, followed, groups.keys, start="created_day", end="end")
        horizon = horizon_of(snapshot, horizon_days)
        return groups.finish(incidence(counted, groups.keys, level=level, horizon_days=horizon))
    if basis == "period":
        return period_ratio(groups, leads, "created_day", "converted_day")
    raise TableError(f"basis={basis!r}; expected 'cohort' or 'period'")


def _until(snapshot: Snapshot, to: str) -> nw.LazyFrame:
    """Leads with ``converted_day``: when they became what is asked for."""
    leads = snapshot.leads.lazy()
    if to == "deal":
        return leads
    if to not in ("mql", "sql"):
        raise TableError(f"to={to!r}; expected 'deal', 'mql' or 'sql'")
    first = first_entries(snapshot, to)
    leads = leads.join(first, left_on="lead_id", right_on="id", how="left")
    return leads.with_columns(converted_day=nw.col("first_day"), linked=nw.lit(0)).drop("first_day")


def first_entries(snapshot: Snapshot, name: str) -> nw.LazyFrame:
    """First day on which each lead counted as `name` (mql, sql): ``id`` and ``first_day``.

    Where the definitions name a column of deals, the lead of the deal counts.
    """
    first = snapshot.first_days(name)
    if snapshot.definitions.count[name].table == "leads":
        return first
    own = snapshot.deals.lazy().filter(~nw.col("lead").is_null()).select("deal_id", "lead")
    each = own.join(first, left_on="deal_id", right_on="id").group_by("lead")
    return each.agg(nw.col("first_day").min()).rename({"lead": "id"})


def followed_leads(snapshot: Snapshot, leads: nw.LazyFrame) -> nw.LazyFrame:
    """Leads with ``cause`` and the day of its ``end``.

    0 still worked, 1 converted, 2 disqualified, -1 where the day of that is not known.
    """
    lost = (
        snapshot.stages.lazy()
        .filter(nw.col("object") == "lead", nw.col("outcome") == "lost")
        .select("stage_id")
        .unique()
    )
    now_lost = lost.with_columns(lost_now=nw.lit(value=True))
    leads = leads.join(now_lost, on="stage_id", how="left")
    asked = leads.filter(~nw.col("lost_now").is_null()).select(record_id=nw.col("lead_id"))
    history = snapshot.history.lazy().filter(nw.col("object") == "lead").select(CHANGE)
    recorded = (
        moves(history.join(asked, on="record_id", how="semi"))
        .join(lost, on="stage_id", how="semi")
        .group_by("record_id")
        .agg(nw.col("changed_day").max().alias("lost_day"))
    )
    leads = leads.join(recorded, left_on="lead_id", right_on="record_id", how="left")
    dropped = ~nw.col("lost_now").is_null()
    ended = nw.when(dropped).then(nw.coalesce("lost_day", "updated_day"))
    end = nw.coalesce(nw.col("converted_day"), ended)
    converted = ~nw.col("converted_day").is_null() | (nw.col("linked") > 0)
    how = nw.when(converted).then(nw.lit(1)).otherwise(nw.lit(2))
    told = nw.when(end.is_null()).then(nw.lit(-1)).otherwise(how)
    cause = nw.when(converted | dropped).then(told).otherwise(nw.lit(0))
    return leads.with_columns(cause=cause, end=end)


def period_ratio(groups: Groups, leads: nw.LazyFrame, start: str, end: str) -> pd.DataFrame:
    """Leads with an `end` in the period over leads with a `start` in it: two different sets."""
    one = nw.when(~nw.col("lead_id").is_null()).then(nw.lit(1)).otherwise(nw.lit(0))
    created = count_by(groups.add_period(leads, start), groups.keys, n=one)
    turned = leads.filter(~nw.col(end).is_null())
    converted = count_by(groups.add_period(turned, end), groups.keys, x=one)
    both = (
        created.merge(converted, how="outer", on=groups.keys)
        if groups.keys
        else created.join(converted)
    )
    result = groups.complete(both.fillna({"x": 0, "n": 0}), x=0, n=0)
    result = result.astype({"x": "int64", "n": "int64"})
    n = result["n"].to_numpy(dtype="float64")
    value = np.divide(
        result["x"].to_numpy(dtype="float64"), n, out=np.full(len(n), np.nan), where=n > 0
    )
    note = np.where(n > 0, "period_ratio: other leads above than below", "no_denominator: no leads")
    return groups.finish(result.assign(value=value, low=np.nan, high=np.nan, note=note))


ENTRIES = (
    Entry(
        lead_conversion,
        question="What share of our leads becomes a deal?",
        formula="cumulative incidence of converting by an age, open leads censored, disqualified competing",
        unit="share, 0 to 1",
        basis="cohort of leads created",
        interval="log-log limits from Aalen's variance",
        options="to='mql' or 'sql'; basis='period': conversions in the period / leads created in it; "
        "horizon_days (default: the definitions', else the last age with ten leads followed)",
        needs="leads",
        benchmark="15 % of leads if unknown (MSP rule of thumb; not your own figure)",
        source="Bottoms up to Revenue Growth, Channel Futures 2018; Aalen and Johansen 1978",
        caveats="Young cohorts are read at a young age: compare periods at one horizon_days.",
        also=("lead-to-opportunity rate", "lead to deal rate"),
        better="higher",
    ),
)
