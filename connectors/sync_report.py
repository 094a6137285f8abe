"""What a sync did, in numbers and in words."""

from collections.abc import Mapping, Sized
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

import pandas as pd

from connectors.aligned import aligned, times
from connectors.secret import plain
from connectors.store import Store, SyncResult
from kpi.conform import REJECTED
from kpi.tables import TABLES

FATES = ["archived", "merged", "deleted"]
FATE_WORDS = {
    "archived": "archived there",
    "merged": "merged into another",
    "deleted": "deleted there",
}
COUNTS = ["table", "rows", "new", "changed", "removed", "rejected"]
REASONS, SUCH = 6, 3
"""Reasons that are printed, and records named for each."""


class Limits(Protocol):
    """What is left of the calls of a day; None where the CRM does not say."""

    daily: int | None
    left: int | None


@dataclass(frozen=True)
class SyncReport:
    """The outcome of a sync; printed, it is the summary.

    Attributes
    ----------
    source : str
        Name of the CRM.
    sync_id : int
        Number of the sync in the store.
    as_of : date
        Day up to which the data is known.
    counts : DataFrame
        One row per table: ``table, rows`` (in the store now), ``new, changed, removed, rejected``
        and, of those removed, ``archived, merged, deleted`` in the CRM (HubSpot:
        deleted for privacy; Salesforce tells merged ones as deleted).
    problems : DataFrame
        Rows and values that could not come as they were, and what does not agree; the columns of
        `kpi.conform.PROBLEMS`.
    refused : dict of str to str
        Objects that could not be read, and why.
    calls, retried : int
        Calls to the CRM, and how many of them were repeats.
    seconds : float
        How long it took.
    daily_left : int or None
        Calls left today; None where the CRM does not say.
    notes : list of str
        What else the reader should know.
    """

    source: str
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
        missed = f"; not read: {', '.join(self.refused)}" if self.refused else ""
        parts = [
            [f"{self.source}, sync {self.sync_id}, as of {self.as_of}{missed or ': complete'}"],
            self._table(),
            [*self._changes(), *self.notes],
            _reasons(self.problems),
            [*_unread(self.refused), self._used()],
        ]
        return "\n\n".join("\n".join(part) for part in parts if part)

    __repr__ = __str__

    def _table(self) -> list[str]:
        rows = self.counts[COUNTS].to_numpy(dtype="object").tolist()
        return aligned(rows, ["", "in the store", *COUNTS[2:]]) if rows else []

    def _changes(self) -> list[str]:
        """Say what became of removed records, or that nothing happened at all."""
        happened = self.counts[["new", "changed", "removed", "rejected"]].to_numpy(dtype="int64")
        if not happened.any():
            return ["Nothing has changed since the sync before."]
        lines = []
        for row in self.counts.to_dict("records"):
            told = [f"{row[fate]:,} {words}" for fate, words in FATE_WORDS.items() if row[fate]]
            if told:
                lines.append(f"Removed {row['table']}: {', '.join(told)}")
        return lines

    def _used(self) -> str:
        repeated = f" ({self.retried:,} of them repeated)" if self.retried else ""
        return (
            f"{times(self.calls, 'call')} to {self.source}{repeated} in {self.seconds:.1f} s"
            f"{_left(self.limits)}"
        )

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


def _reasons(problems: pd.DataFrame) -> list[str]:
    """Count what could not come as it was by its reason, rejected rows first, with a few keys."""
    if problems.empty:
        return []
    kind = problems["reason"].str.replace(r"row \d+", "another row", regex=True)
    keys = ["action", "table", "column", "kind"]
    groups = problems.assign(kind=kind).groupby(keys, sort=False, dropna=False)
    found = sorted(groups, key=lambda group: (group[0][0] != REJECTED, -len(group[1])))
    lines = []
    for (action, table, column, why), rows in found[:REASONS]:
        where = f"{table}.{column}" if column else table
        lines += [f"{len(rows):>7,}  {where}: {why}", f"{'':7}  {action}; {_such(rows)}"]
    if len(found) > REASONS:
        lines.append(f"  and {times(len(found) - REASONS, 'more reason')}")
    return [
        f"{times(len(problems), 'problem')} by reason (each one: .problems of the report)",
        *lines,
    ]


def _such(rows: pd.DataFrame) -> str:
    """Name the first records, each with the value in question."""
    pairs = rows[["key", "value"]].fillna("").head(SUCH).itertuples(index=False, name=None)
    told = [f"{plain(str(k), 30)}{f' ({plain(str(v), 30)})' if v else ''}" for k, v in pairs]
    return ", ".join(told) + (" ..." if len(rows) > SUCH else "")


def _unread(refused: dict[str, str]) -> list[str]:
    return [f"NOT READ  {name}: {why}" for name, why in refused.items()]


def _left(limits: Limits) -> str:
    if limits.left is None:
        return ""
    of = "" if limits.daily is None else f" of {limits.daily:,}"
    return f"; {limits.left:,}{of} left today"


def counted(
    store: Store, result: SyncResult, gone: Mapping[str, Mapping[str, Sized]]
) -> pd.DataFrame:
    """Count what a sync did, table by table: see ``SyncReport.counts``.

    Parameters
    ----------
    store : Store
        As it is now.
    result : SyncResult
        Of the sync.
    gone : mapping
        By table, and by what became of them, the records that were removed.
    """
    counts = result.counts.set_index("table")
    held = {name: len(store.staged(name, [table.names[0]])) for name, table in TABLES.items()}
    named = [table for table in TABLES if table in counts.index or held[table]]
    counts = counts.reindex(named, fill_value=0).rename_axis("table").reset_index()
    counts.insert(1, "rows", [held[table] for table in counts["table"]])
    listed = result.problems.loc[result.problems["action"] == REJECTED, "table"].value_counts()
    turned = zip(counts["table"], counts["rejected"], strict=True)
    counts["rejected"] = [max(n, int(listed.get(table, 0))) for table, n in turned]
    for fate in FATES:
        counts[fate] = [len(gone.get(table, {}).get(fate, ())) for table in counts["table"]]
    return counts
