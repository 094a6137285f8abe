"""What a store holds, as text: its syncs, the rows of each table, and what is wrong with them."""

from pathlib import Path

import pandas as pd
from pyarrow import parquet

import connectors
from connectors import Store
from connectors.aligned import aligned, times

SHOWN = 5
"""Syncs that are listed."""


def store_text(path: Path) -> str:
    """Say what a store holds.

    Raises
    ------
    ConnectorError
        If the folder is no store, or has no sync to open.
    """
    store = Store(path)
    made = store.syncs()
    rows = [[name, _count(files)] for name, files in store.files().items()]
    parts = [
        [f"Store {store.path.name}, as of {store.as_of()}, {times(len(made), 'sync')}"],
        aligned(rows, ["", "rows"]) if rows else ["no rows"],
        _syncs(made),
        _problems(connectors.open(path).problems),
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def _count(files: list[str]) -> int:
    return sum(parquet.read_metadata(file).num_rows for file in files)


def _syncs(made: pd.DataFrame) -> list[str]:
    """List the last syncs, the newest first."""
    last = made.sort_values("sync_id", ascending=False).head(SHOWN)
    counts = ["new", "changed", "removed", "rejected"]
    rows = [
        [f"{row['kind']} {row['sync_id']}", row["source"], f"{row['finished_at']:%Y-%m-%d %H:%M}"]
        + [row[name] for name in counts]
        for row in last.to_dict("records")
    ]
    older = len(made) - len(last)
    more = [f"and {older:,} before"] if older else []
    return [*aligned(rows, ["", "from", "finished (UTC)", *counts]), *more]


def _problems(problems: pd.DataFrame) -> list[str]:
    """Count what is wrong by reason, the most frequent first."""
    if problems.empty:
        return ["No problem found in the rows."]
    keys = ["table", "column", "reason", "action"]
    groups = problems.groupby(keys, dropna=False).size().sort_values(ascending=False, kind="stable")
    lines = [
        f"{row['rows']:>7,}  {row['table']}.{row['column']}: {row['reason']}; {row['action']}"
        for row in groups.rename("rows").reset_index().to_dict("records")
    ]
    return [f"{times(len(problems), 'problem')} by reason", *lines]
