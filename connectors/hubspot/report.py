"""What a sync did, in numbers and in words."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pandas as pd

from connectors.hubspot.limits import Limits

FATES = ["archived", "merged", "deleted"]


@dataclass(frozen=True)
class SyncReport:
    """The outcome of a sync; printed, it is the summary.

    Attributes
    ----------
    sync_id : int
        Number of the sync in the store.
    as_of : date
        Day up to which the data is known.
    counts : DataFrame
        One row per table: ``table, rows`` (in the store now), ``new, changed, removed, rejected``
        and, of those removed, ``archived, merged, deleted`` (for privacy) in HubSpot.
    problems : DataFrame
        Rows and values that could not come as they were, and what does not agree; the columns of
        `kpi.conform.PROBLEMS`.
    refused : dict of str to str
        Objects that could not be read, and why.
    calls, retried : int
        Calls to HubSpot, and how many of them were repeats.
    seconds : float
        How long it took.
    daily_left : int or None
        Calls left today; None where HubSpot does not say.
    notes : list of str
        What else the reader should know.
    """

    sync_id: int
    as_of: date
    counts: pd.DataFrame
    problems: pd.DataFrame
    refused: dict[str, str]
    calls: int
    retried: int
    seconds: float
    limits: Limits
    notes: list[str] = field(default_factory=list)

    @property
    def daily_left(self) -> int | None:
        """Calls left today."""
        return self.limits.left

    @property
    def complete(self) -> bool:
        """Whether every object could be read."""
        return not self.refused

    def __str__(self) -> str:
        shown = self.counts.loc[:, (self.counts != 0).any()] if len(self.counts) else self.counts
        columns = ["table", "rows", *(c for c in shown.columns if c not in ("table", "rows"))]
        left = "" if self.limits.left is None else f", {self.limits.left:,} left today"
        lines = [
            f"HubSpot, sync {self.sync_id}, as of {self.as_of}",
            self.counts[columns].to_string(index=False, formatters=_thousands(columns)),
            f"{self.calls:,} calls ({self.retried:,} repeated) in {self.seconds:.1f} s{left}",
        ]
        lines += self.notes
        if len(self.problems):
            lines.append(f"{len(self.problems):,} problems listed: see .problems")
        lines += [f"NOT READ: {name}: {why}" for name, why in self.refused.items()]
        return "\n".join(lines)

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as one JSON object."""
        return {
            "sync_id": self.sync_id,
            "as_of": str(self.as_of),
            "complete": self.complete,
            "rows": dict(zip(self.counts["table"], map(int, self.counts["rows"]), strict=True)),
            "tables": self.counts.set_index("table").to_dict("index"),
            "calls": self.calls,
            "retried": self.retried,
            "seconds": round(self.seconds, 3),
            "rejected": int(self.counts["rejected"].sum()),
            "problems": len(self.problems),
            "refused": self.refused,
            "daily_left": self.daily_left,
        }


def _thousands(columns: list[str]) -> dict[str, Any]:
    return {name: "{:,}".format for name in columns if name != "table"}
