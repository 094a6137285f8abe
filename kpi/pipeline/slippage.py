"""Slippage: which of the deals due in a period were pushed out of it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kpi.entry import Entry
from kpi.periods import Every
from kpi.pipeline.open_deals import periods
from kpi.pipeline.two_ends import Days, between, records_close_dates, rewinder, whole_periods
from kpi.result import Groups, joined, shares
from kpi.snapshot import Snapshot

POOLED = 4
COUNTS = ["x", "n", "pushed", "still_open", "won", "lost"]
MONEY = ["due_amount", "slipped_amount"]


def slippage(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    not_won: bool = False,
    deal_type: str | None = "new",
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of the deals due in a period whose closing day was moved out of it.

    A deal is due when it was open as the period began and then expected to close in it. It slipped
    when at the period's end it is open and expected later. A deal lost did not slip, nor did one
    that is still open with a date in the period or before it.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables deals and history (of expected closing days).
    by : str or list of str, optional
        Columns of deals, as they are at the end of the period.
    every : {"month", "quarter", "year"}, optional
        Period in which the deals were due; the running one counts up to the as-of date and is
        marked ``to date``. Without it, the last four whole fiscal quarters together (said in
        ``note``).
    not_won : bool
        Count whatever was not won in the period as slipped, losses too, as some glossaries do.
    deal_type : {"new", "expansion", "renewal"} or None
        Kind of business counted; None counts all.
    level : float
        Share of the intervals.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (0 to 1), ``low, high``, ``x`` (slipped), ``n``
        (due), ``note``, then ``pushed`` (moved out), ``still_open`` (open, not moved
        out), ``won``, ``lost`` (deals, adding up to ``n``), ``due_amount`` and ``slipped_amount`` (reporting
        currency, amounts of the start). Missing, with the reason, where nothing was due or history
        records no closing days.

    Raises
    ------
    TableError
        If deals or history are missing, or a column, period or deal type is unknown.

    Notes
    -----
    Jeffreys interval. Each period rewinds once all deals that were not over before the first.

    References
    ----------
    .. [1] getchief.com, "Slip rate" (not won: 6 of 10); moved while open: our default, since a
       lost deal has not slipped.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["a", "b"], "outcome": ["won", "open"],
    ...     "created_at": "2025-12-05", "close_date": ["2026-01-20", "2026-03-20"]})
    >>> history = pd.DataFrame({"record_id": ["a", "b", "b"], "close_date":
    ...     ["2026-01-20", "2026-01-25", "2026-03-20"],
    ...     "changed_at": ["2025-12-05", "2025-12-05", "2026-01-26"]})
    >>> snapshot = Snapshot.from_frames({"deals": deals, "history": history}, as_of="2026-01-31")
    >>> slippage(snapshot, every="month")[["value", "x", "n"]].to_dict("list")
    {'value': [0.5], 'x': [1], 'n': [2]}
    """
    snapshot.need("deals", "history", of="slippage")
    groups = Groups(snapshot, "deals", by, every)
    recorded = records_close_dates(snapshot)
    spans = _spans(snapshot, every) if recorded else []
    to, rows = rewinder(snapshot, min((first for first, _ in spans), default=0)), []
    for first, last in spans:
        found = between(groups, to, first, min(last, snapshot.as_of_day), deal_type)
        rows.append(_due(found, first, last, not_won=not_won).assign(period=first))
    wanted = [*COUNTS, *MONEY]
    empty = pd.DataFrame(columns=[*groups.columns, *wanted, "period"])
    every_due = pd.concat(rows, ignore_index=True) if rows else empty
    counted = _summed(every_due, groups.keys, wanted)
    counted = groups.complete(counted, **dict.fromkeys(wanted, 0))
    whole = dict.fromkeys(COUNTS, "int64") | dict.fromkeys(MONEY, "float64")
    result = shares(counted.astype(whole).round(dict.fromkeys(MONEY, 6)), level)
    result["note"] = _notes(groups, result, dict(spans), recorded=recorded)
    return groups.finish(result, [*COUNTS[2:], *MONEY])


def _spans(snapshot: Snapshot, every: Every | None) -> list[Days]:
    """First and last days of the periods looked at."""
    return whole_periods(snapshot, "quarter", POOLED) if every is None else periods(snapshot, every)


def _due(deals: pd.DataFrame, first: int, last: int, *, not_won: bool) -> pd.DataFrame:
    """Deals that were due in the period, with what became of them."""
    due = deals[(deals["was"] == 1) & deals["closes_0"].between(first, last)]
    opened = due["outcome"] == "open"
    pushed = opened & (due["closes_1"] > last)
    won = due["outcome"] == "won"
    slipped = ~won if not_won else pushed
    told = {
        "x": slipped,
        "n": slipped | True,
        "pushed": pushed,
        "still_open": opened & ~pushed,
        "won": won,
        "lost": due["outcome"] == "lost",
    }
    amount = due["amount_0"].fillna(0.0)
    counts = {name: flag.astype("int64") for name, flag in told.items()}
    return due.assign(**counts, due_amount=amount, slipped_amount=amount.where(slipped, 0.0))


def _summed(due: pd.DataFrame, keys: list[str], wanted: list[str]) -> pd.DataFrame:
    if not keys:
        return due[wanted].sum().to_frame().T
    if due.empty:
        return pd.DataFrame(columns=[*keys, *wanted])
    return due.groupby(keys, dropna=False, as_index=False)[wanted].sum()


def _notes(
    groups: Groups, result: pd.DataFrame, ends: dict[int, int], *, recorded: bool
) -> list[str]:
    if not recorded:
        return ["not enough data: history records no expected closing days"] * len(result)
    if groups.every is None:
        return [joined(note, "the last four whole fiscal quarters") for note in result["note"]]
    running = result["period"].map(ends) > groups.snapshot.as_of_day
    return [
        joined(note, "to date" if now else "")
        for note, now in zip(result["note"], np.asarray(running), strict=True)
    ]


ENTRIES = (
    Entry(
        slippage,
        question="How many of the deals due in a period slip out of it?",
        formula="open at the period's start, due in it, and moved out while open / all open and due",
        unit="share, 0 to 1",
        basis="deals due in the period",
        interval="Jeffreys",
        options="not_won=True: all that was not won, losses too; deal_type=None: all business",
        needs="deals, history",
        benchmark="below 10 % (kpidepot.com; of the deals due; not your own figure)",
        source="getchief.com, slip rate; Brown, Cai and DasGupta 2001",
        caveats="Deals with a date in the past that nobody moved are still open, not slipped.",
        also=("slip rate", "pushed deals", "close date slippage"),
        better="lower",
    ),
)
