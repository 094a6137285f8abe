"""What is wrong with the records themselves: the list to put right in the CRM before planning on it."""

from typing import NamedTuple

import narwhals as nw
import pandas as pd

from kpi.engine import collect
from kpi.periods import day_number
from kpi.rewind import moves
from kpi.snapshot import Snapshot
from kpi.tables import TableError

IDS = ["deal_id", "lead_id"]
COLUMNS = ["check", "table", "value", "x", "n", "meaning", "ids"]


class Check(NamedTuple):
    """One check: which records it looks at, which of them it lists, and what that does to numbers."""

    table: str
    of: str
    meaning: str


CHECKS: dict[str, Check] = {
    "past_close_date": Check("deals", "open", "open, but expected to close before today"),
    "no_close_date": Check("deals", "open", "open, without an expected close date"),
    "no_amount": Check("deals", "open", "open, with no amount or an amount of 0"),
    "no_owner": Check("deals", "open", "open, and nobody's"),
    "owner_left": Check("deals", "open", "open, owned by somebody who no longer sells"),
    "stalled": Check("deals", "open", "open, with no change of stage for too long"),
    "won_no_amount": Check("deals", "won", "won, with no amount or an amount of 0"),
    "missing_history": Check(
        "deals", "all", "no change of stage recorded: left out of stage times"
    ),
    "no_created": Check("deals", "all", "no creation date: left out of durations"),
    "closed_before_created": Check("deals", "closed", "closed before it was created"),
    "lead_no_source": Check("leads", "leads", "no source: not in any comparison of sources"),
}


def data_quality(snapshot: Snapshot, *, stalled_days: int = 90) -> pd.DataFrame:
    """Count the records that need attention, check by check.

    Every record is counted, none estimated, so there is no interval.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table deals. Without leads, owners or history the checks that need them are left out.
    stalled_days : int
        Days without a change of stage after which an open deal counts as stalled.

    Returns
    -------
    DataFrame, one row per check
        ``check``; ``table``; ``value``: share of the records looked at, 0 to 1 (missing where there
        are none); ``x`` of ``n`` records; ``meaning``; ``ids``: the records, a tuple, sorted.

    Raises
    ------
    TableError
        If there are no deals, or `stalled_days` is below 1.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["1", "2"], "outcome": "open", "amount": [0, 10],
    ...     "close_date": ["2026-01-31", "2026-09-30"], "owner_id": "7", "created_at": "2026-01-01"})
    >>> found = data_quality(Snapshot.from_frames({"deals": deals}, as_of="2026-04-01"))
    >>> found.set_index("check").loc[["past_close_date", "no_amount"], ["x", "n", "ids"]].to_dict("list")
    {'x': [1, 1], 'n': [2, 2], 'ids': [('1',), ('1',)]}
    """
    if stalled_days < 1:
        raise TableError(f"stalled_days = {stalled_days}; expected 1 or more")
    snapshot.need("deals", of="data_quality")
    looked_at = {"deals": _deals(snapshot, stalled_days)}
    if "leads" in snapshot.present:
        looked_at["leads"] = _leads(snapshot)
    rows = []
    for name, check in CHECKS.items():
        frame = looked_at.get(check.table)
        if frame is None or name not in frame:
            continue
        those = frame[frame[check.of]]
        ids = tuple(sorted(those.loc[those[name], "id"]))
        share = len(ids) / len(those) if len(those) else None
        rows.append([name, check.table, share, len(ids), len(those), check.meaning, ids])
    return pd.DataFrame(rows, columns=COLUMNS).astype({"value": "float64"})


def _deals(snapshot: Snapshot, stalled_days: int) -> pd.DataFrame:
    """One row per deal: what it is (open, won, closed, all), and whether each check lists it."""
    today = day_number(snapshot.as_of)
    deals = snapshot.deals.lazy()
    history = snapshot.history.lazy().filter(nw.col("object") == "deal")
    moved = moves(history).group_by("record_id").agg(last_move=nw.col("changed_day").max())
    deals = deals.join(moved, left_on="deal_id", right_on="record_id", how="left")
    gone = snapshot.owners.lazy().filter(~nw.col("active")).select("owner_id", left=nw.lit(1))
    deals = deals.join(gone, on="owner_id", how="left")
    is_open, worth = nw.col("outcome") == "open", nw.col("amount")
    moved_or_made = nw.coalesce("last_move", "created_day")
    flags = {
        "open": is_open,
        "won": nw.col("outcome") == "won",
        "closed": ~is_open,
        "past_close_date": nw.col("close_date_day") < today,
        "no_close_date": nw.col("close_date_day").is_null(),
        "no_amount": worth.is_null() | (worth == 0),
        "no_owner": nw.col("owner_id").is_null(),
        "stalled": moved_or_made <= today - stalled_days,
        "won_no_amount": worth.is_null() | (worth == 0),
        "no_created": nw.col("created_day").is_null(),
        "closed_before_created": nw.col("closed_day") < nw.col("created_day"),
    }
    if "owners" in snapshot.present:
        flags["owner_left"] = ~nw.col("left").is_null()
    if "history" in snapshot.present:
        flags["missing_history"] = nw.col("last_move").is_null()
    found = collect(deals.select(nw.col("deal_id").alias("id"), **flags))
    found = found.fillna(dict.fromkeys(flags, False)).astype(dict.fromkeys(flags, "bool"))
    return found.assign(all=True)


def _leads(snapshot: Snapshot) -> pd.DataFrame:
    named = {"lead_no_source": nw.col("source").is_null()}
    found = collect(snapshot.leads.lazy().select(nw.col("lead_id").alias("id"), **named))
    return found.assign(leads=True).astype({"lead_no_source": "bool"})
