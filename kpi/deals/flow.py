"""Deals created and deals won: how many enter the pipeline, and how many customers come out."""

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.deals.money import one, totals, with_undated
from kpi.deals.win_rate import OWNER_NOTE, of_type
from kpi.entry import Entry
from kpi.periods import Every
from kpi.result import Groups, joined
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level


def deals_created(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    deal_type: str | None = "new",
    level: float = 0.95,
) -> pd.DataFrame:
    """Deals created, and the amount they add to the pipeline.

    A deal counts on the day it was created, whatever became of it. Its amount is the one it has at
    the as-of date, not the first guess: see `kpi.pipeline_changes` for what changed since.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table deals.
    by : str or list of str, optional
        Columns of deals, such as ``"source"`` or ``"owner"``.
    every : {"month", "quarter", "year"}, optional
        Period in which the deal was created.
    deal_type : {"new", "expansion", "renewal"} or None
        Kind of business counted; None counts all.
    level : float
        Not used: a count of records has no interval.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (deals), ``low, high`` (missing: an exact
        count), ``x`` and ``n`` (deals), ``note``, then ``created_amount`` (reporting currency;
        missing where none of the deals has an amount) and ``valued`` (deals with an amount).
        ``value`` is missing where the data has no deal of that kind at all.

    Raises
    ------
    TableError
        If deals are missing, or a column, period or deal type is unknown.

    Notes
    -----
    Deals without a creation date count in the total but in no period (said in ``note``).

    References
    ----------
    .. [1] "Bottoms up to Revenue Growth", Channel Futures 2018 (pipeline opportunities produced).

    Examples
    --------
    >>> deals = pd.DataFrame({
    ...     "deal_id": list("abc"), "created_at": ["2026-01-09", "2026-01-20", "2026-02-02"],
    ...     "amount": [100, None, 50]})
    >>> snapshot = Snapshot.from_frames({"deals": deals}, as_of="2026-02-28")
    >>> deals_created(snapshot, every="month")[["value", "created_amount"]].to_dict("list")
    {'value': [2.0, 1.0], 'created_amount': [100.0, 50.0]}
    """
    snapshot.need("deals", of="deals_created")
    check_level(level)
    groups = Groups(snapshot, "deals", by, every)
    deals = of_type(snapshot, deal_type)
    has = ~nw.col("amount").is_null()
    counted = totals(
        groups.add_period(deals, "created_day"),
        groups.keys,
        x=one(~nw.col("deal_id").is_null()),
        valued=one(has),
        created_amount=nw.col("amount"),
    )
    counted = groups.complete(counted, x=0, valued=0, created_amount=0.0)
    unknown = (counted["valued"] == 0) & (counted["x"] > 0)
    counted["created_amount"] = counted["created_amount"].mask(unknown)
    result = _count(counted.assign(n=counted["x"], known=counted["x"]), every, "no deals")
    result = with_undated(groups, deals, result, "created_day", "creation date")
    return groups.finish(result.astype({"valued": "int64"}), ["created_amount", "valued"])


def deals_won(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    deal_type: str | None = "new",
    level: float = 0.95,
) -> pd.DataFrame:
    """Deals won, by the day they closed.

    What counts as won is the CRM's, or ``[count.won]`` of the definitions (a signature, an invoice,
    a handover). A deal won, reopened and lost counts as it stands at the as-of date.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table deals.
    by, deal_type, level
        As in `kpi.deals_created`.
    every : {"month", "quarter", "year"}, optional
        Period in which the deal closed.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (deals won), ``low, high`` (missing: an exact
        count), ``x`` (deals won), ``n`` (deals closed: won and lost) and ``note``. ``value`` is
        missing where the data has no deal of that kind at all.

    Raises
    ------
    TableError
        If deals are missing, or a column, period or deal type is unknown.

    Notes
    -----
    Deals closed without any date count in the total but in no period (said in ``note``).

    References
    ----------
    .. [1] "Tracking Success", sales newsletter 067 (deals won: one setting says what won means).

    Examples
    --------
    >>> deals = pd.DataFrame({
    ...     "deal_id": list("abc"), "outcome": ["won", "lost", "open"],
    ...     "close_date": ["2026-01-09", "2026-01-20", None]})
    >>> snapshot = Snapshot.from_frames({"deals": deals}, as_of="2026-02-28")
    >>> deals_won(snapshot, every="month")[["value", "n"]].to_dict("list")
    {'value': [1.0, 0.0], 'n': [2, 0]}
    """
    snapshot.need("deals", of="deals_won")
    check_level(level)
    groups = Groups(snapshot, "deals", by, every)
    deals = of_type(snapshot, deal_type)
    closed = nw.col("outcome") != "open"
    counted = totals(
        groups.add_period(deals if every is None else deals.filter(closed), "closed_day"),
        groups.keys,
        x=one(nw.col("outcome") == "won"),
        n=one(closed),
        known=one(~nw.col("deal_id").is_null()),
    )
    counted = groups.complete(counted, x=0, n=0, known=1)
    result = _count(counted, every, "no deals")
    result = with_undated(groups, deals.filter(closed), result, "closed_day", "closing date")
    if "owner_id" in groups.columns:
        result["note"] = [joined(note, OWNER_NOTE) for note in result["note"]]
    return groups.finish(result)


def _count(counted: pd.DataFrame, every: Every | None, lacking: str) -> pd.DataFrame:
    """Make the count ``x`` the value; missing where there is nothing at all to count."""
    nothing = (counted["known"] == 0) & (every is None)
    note = np.where(nothing, f"not enough data: {lacking}", "")
    result = counted.assign(value=counted["x"].mask(nothing), low=np.nan, high=np.nan)
    return result.assign(note=pd.array(note, dtype="str")).astype({"x": "int64", "n": "int64"})


ENTRIES = (
    Entry(
        deals_created,
        question="How many deals do we create?",
        formula="count of deals by day of creation; created_amount: the sum of their amounts",
        unit="count",
        basis="deals created in the period",
        interval="none: an exact count",
        options="deal_type=None: all business",
        needs="deals",
        benchmark="30 to 40 qualified deals a seller and month (rule of thumb; not your own figure)",
        source="Bottoms up to Revenue Growth, Channel Futures 2018; Tracking Success, newsletter 067",
        caveats="Amounts are those of the as-of date, not the first guess.",
        also=(
            "pipeline created",
            "pipeline opportunities produced",
            "opportunities created",
            "SQL",
        ),
        better="higher",
    ),
    Entry(
        deals_won,
        question="How many deals do we win?",
        formula="count of deals won by closing day",
        unit="count",
        basis="deals closed in the period",
        interval="none: an exact count",
        options="deal_type=None: all business; [count.won] in the definitions: what won means",
        needs="deals",
        benchmark="6 to 8 a seller and month (rule of thumb; not your own figure)",
        source="Bottoms up to Revenue Growth, Channel Futures 2018; Tracking Success, newsletter 067",
        caveats="By owner it is the owner as of the date, not at close.",
        also=("wins", "closed-won deals", "new customers won"),
        better="higher",
    ),
)
