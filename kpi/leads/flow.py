"""How many leads come in, and how many qualify."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.entry import Entry
from kpi.leads.conversion import first_entries
from kpi.periods import MONTHS, Every, day_number, month_start, period_start
from kpi.result import Groups, count_by
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.tables import TableError

QUALIFIED = ("mql", "sql")
UNDATED = 2**53  # later than any second: a lead without a date is never the first of its company


def leads_created(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    dedupe: Literal["company"] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Leads created.

    What counts as a lead, and from which day, is ``[count.lead]`` in the definitions. A recycled
    lead is one record and counts once, on its first day. A lead without a creation date counts in
    the total but in no period.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table leads.
    by : str or list of str, optional
        Columns of leads, such as ``"channel"`` or ``"source"``.
    every : {"month", "quarter", "year"}, optional
        Period in which the lead was created; the one still running is marked ``to date``.
    dedupe : {"company"}, optional
        ``company``: of each company's leads only the first counts (those of no known company all
        do). Default: every lead.
    level : float
        No interval is given: the leads are counted, not estimated.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (leads), ``low, high`` (missing), ``x`` (leads
        counted), ``n`` (leads before `dedupe`), ``note``, and ``share``: of all leads of the
        period, 0 to 1, so that ``by="source"`` gives the source mix; missing where there are none.

    Raises
    ------
    TableError
        If leads are missing, or a column, period or way to dedupe is unknown.

    References
    ----------
    .. [1] Bottoms up to Revenue Growth, Channel Futures 2018: count leads, every month.

    Examples
    --------
    >>> leads = pd.DataFrame({"lead_id": list("abcd"), "account_id": ["X", "X", "Y", None],
    ...     "created_at": "2026-01-05", "source": ["web", "web", "web", "event"]})
    >>> snapshot = Snapshot.from_frames({"leads": leads}, as_of="2026-01-31")
    >>> leads_created(snapshot, by="source")[["source", "value", "share"]].to_dict("list")
    {'source': ['event', 'web'], 'value': [1.0, 3.0], 'share': [0.25, 0.75]}
    >>> leads_created(snapshot, dedupe="company")["value"].tolist()
    [3.0]
    """
    snapshot.need("leads", of="leads_created")
    check_level(level)
    if dedupe not in (None, "company"):
        raise TableError(f"dedupe={dedupe!r}; expected 'company' or None")
    groups = Groups(snapshot, "leads", by, every)
    leads = snapshot.leads.lazy()
    counts = nw.lit(1)
    if dedupe == "company":
        leads = leads.with_columns(at=nw.coalesce("created_s", nw.lit(UNDATED)))
        earlier = nw.col("lead_id").shift(1).over("account_id", order_by=["at", "lead_id"])
        leads = leads.with_columns(earlier=earlier)
        alone = nw.col("account_id").is_null() | nw.col("earlier").is_null()
        counts = nw.when(alone).then(nw.lit(1)).otherwise(nw.lit(0))
    dated = groups.add_period(leads.with_columns(counts=counts), "created_day")
    counted = count_by(dated, groups.keys, x=nw.col("counts"), n=one(nw.col("lead_id")))
    return _counts(groups, counted, "not enough data: no leads")


def mqls_created(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    what: Literal["mql", "sql"] = "mql",
    level: float = 0.95,
) -> pd.DataFrame:
    """Leads that became marketing qualified, by the day on which they first did.

    What qualifies is ``[count.mql]`` in the definitions, read from history where there is some. A
    lead that is qualified again later counts once. Where a stage of deals says it, the lead of the
    deal counts; a deal without a lead is no qualified lead.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table leads.
    by : str or list of str, optional
        Columns of leads.
    every : {"month", "quarter", "year"}, optional
        Period of the first qualified day; the one still running is marked ``to date``.
    what : {"mql", "sql"}
        ``sql``: sales qualified, as ``[count.sql]`` says.
    level : float
        No interval is given: the leads are counted, not estimated.

    Returns
    -------
    DataFrame
        As `leads_created`, of qualified leads. ``value`` is missing, with the setting to make in
        ``note``, where the definitions do not say what qualifies.

    Raises
    ------
    TableError
        If leads are missing, or a column, period or kind is unknown.

    Examples
    --------
    >>> from kpi.definitions import Count, Definitions
    >>> leads = pd.DataFrame({"lead_id": list("abc"), "created_at": "2026-01-05",
    ...     "status": ["MQL", "new", "MQL"]})
    >>> mql = Definitions(count={"mql": Count("leads", "status", ("MQL",))})
    >>> snapshot = Snapshot.from_frames({"leads": leads}, as_of="2026-01-31", definitions=mql)
    >>> mqls_created(snapshot)[["value", "x"]].to_dict("records")
    [{'value': 2.0, 'x': 2}]
    """
    snapshot.need("leads", of="mqls_created")
    check_level(level)
    if what not in QUALIFIED:
        raise TableError(f"what={what!r}; expected one of {QUALIFIED}")
    groups = Groups(snapshot, "leads", by, every)
    if what not in snapshot.definitions.count:
        seen = groups.add_period(snapshot.leads.lazy(), "created_day")
        counted = count_by(seen, groups.keys, x=one(nw.col("lead_id")))
        missing = groups.complete(counted.assign(x=0, n=0), x=0, n=0)
        note = f"not enough data: set [count.{what}] in the definitions"
        blank = dict.fromkeys(["value", "low", "high", "share"], np.nan)
        return groups.finish(missing.assign(note=note, **blank), ["share"])
    dated = groups.add_period(entered(snapshot, what), "entered_day")
    counted = count_by(dated, groups.keys, x=one(nw.col("lead_id")))
    counted["n"] = counted["x"]
    return _counts(groups, counted, f"not enough data: no {what}s")


def running(snapshot: Snapshot, every: Every) -> int | None:
    """First day (number) of the period that has not ended by the as-of date; None: it just has."""
    first = period_start(snapshot.as_of, every, snapshot.definitions.fiscal_year_start)
    last = month_start(first, MONTHS[every]) - timedelta(days=1)
    return None if last == snapshot.as_of else day_number(first)


def to_date(groups: Groups, frame: pd.DataFrame) -> "pd.Series[bool]":
    """Tell which rows are of a period that is still running."""
    now = running(groups.snapshot, groups.every) if groups.every else None
    if now is None:
        return pd.Series(data=False, index=frame.index)
    return frame["period"] == now


def entered(snapshot: Snapshot, what: str) -> nw.LazyFrame:
    """Leads that ever counted as `what` (lead, mql, sql), with ``entered_day``: when they first did."""
    leads = snapshot.leads.lazy()
    if what == "lead":
        return leads.with_columns(entered_day=nw.col("created_day"))
    first = first_entries(snapshot, what).rename({"first_day": "entered_day"})
    return leads.join(first, left_on="lead_id", right_on="id")


def _counts(groups: Groups, counted: pd.DataFrame, nothing: str) -> pd.DataFrame:
    """Counts as a result: value, share of the period's total, and what the note has to say."""
    table = groups.complete(counted, x=0, n=0).astype({"x": "int64", "n": "int64"})
    every = table.groupby("period")["x"].transform("sum") if groups.every else table["x"].sum()
    total = np.broadcast_to(np.asarray(every, dtype="float64"), len(table))
    some = int(table["n"].sum()) > 0
    value = table["x"].astype("float64") if some else np.nan
    share = np.divide(table["x"], total, out=np.full(len(table), np.nan), where=total > 0)
    note = np.where(to_date(groups, table), "to date", "") if some else nothing
    result = table.assign(value=value, low=np.nan, high=np.nan, note=note, share=share)
    return groups.finish(result, ["share"])


def one(key: nw.Expr) -> nw.Expr:
    """1 for a record, 0 for the empty row that an empty group may bring."""
    return nw.when(~key.is_null()).then(nw.lit(1)).otherwise(nw.lit(0))


ENTRIES = (
    Entry(
        leads_created,
        question="How many leads did we create?",
        formula="count of leads by the day they were created",
        unit="count",
        basis="leads created in the period",
        interval="none: leads are counted, not estimated",
        options="dedupe='company': only the first lead of each company; by='source': the source mix",
        needs="leads",
        benchmark="70 to 80 leads a seller and month (sales newsletter 067; outbound, booked meetings)",
        source="Bottoms up to Revenue Growth, Channel Futures 2018",
        caveats="What a lead is differs: set [count.lead] before comparing with anyone else.",
        also=("leads per month", "source mix", "channel mix", "new leads"),
        better="higher",
    ),
    Entry(
        mqls_created,
        question="How many leads became marketing qualified?",
        formula="count of leads by the first day on which [count.mql] held",
        unit="count",
        basis="leads first qualified in the period",
        interval="none: leads are counted, not estimated",
        options="what='sql': sales qualified leads",
        needs="leads (history: the day; definitions: [count.mql])",
        benchmark="none: qualification rules differ from company to company",
        source="Moving Your KPI Levers Into Alignment, Channel Futures 2023",
        caveats="Without history, a lead that is qualified now is dated by its conversion or creation.",
        also=("MQLs", "SQLs created", "marketing qualified leads"),
        better="higher",
    ),
)
