"""What the reader of a plan must know about the data behind it, one sentence each."""

import narwhals as nw
import pandas as pd

from kpi.engine import collect
from kpi.planning.curve import Curve
from kpi.planning.ladder import Ladder
from kpi.rewind import count
from kpi.snapshot import Snapshot

FEW_CLOSED = 30
FEW_MONTHS = 6
OPEN_TAIL = 0.05
MONTH_DAYS = 30.4375

UNCOUNTED = {
    "undated": "open deals not counted on, because the day they reached their stage is not known: {n:,}",
    "astray": "leads that became something other than a deal of new business in this data: {n:,}",
    "several": "leads that brought more than one win, each counted as one: {n:,}",
}


def caveats(snapshot: Snapshot, rungs: Ladder, end_to_end: Curve) -> tuple[str, ...]:
    """Say how much data there is, what it leaves open, and what was not counted."""
    found = list(rungs.notes)
    closed = count(rungs.deals.filter(nw.col("outcome") != "open"))
    first = collect(rungs.deals.select(nw.col("created_day").min()))["created_day"].iloc[0]
    months = 0 if pd.isna(first) else (snapshot.as_of_day - int(first)) / MONTH_DAYS
    if closed < FEW_CLOSED or months < FEW_MONTHS:
        found.append(f"not enough data to rely on: {closed} deals closed over {months:.0f} months")
    still = float(end_to_end.waiting[-1])
    if still > OPEN_TAIL:
        records = "leads" if rungs.has_leads else "deals"
        found.append(
            f"{still:.0%} of the {records} are still open at day {len(end_to_end.share) - 1}, the "
            "last that the data follows: wins later than that are not counted on"
        )
    found += [UNCOUNTED[name].format(n=n) for name, n in rungs.uncounted().items() if n]
    valued = rungs.deals.filter(nw.col("outcome") == "won")
    missing = count(valued.filter(nw.col("mrr").is_null()))
    if 0 < missing < count(valued):
        found.append(
            f"deals won without a new MRR, whose value is taken to be like that of the others: {missing:,}"
        )
    return tuple(found)
