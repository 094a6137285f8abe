"""The list of syncs: which versions of the tables belong together, one row each, never changed.

A compaction and a purge are rows too, since they make new versions.
"""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from connectors.errors import StoreError
from connectors.lake import delta

SYNCS = pa.schema(
    [
        ("sync_id", pa.int64()),
        ("kind", pa.string()),
        ("finished_at", pa.timestamp("us", "UTC")),
        ("source", pa.string()),
        ("as_of", pa.date32()),
        ("versions", pa.string()),
        ("new", pa.int64()),
        ("changed", pa.int64()),
        ("removed", pa.int64()),
        ("rejected", pa.int64()),
        ("details", pa.string()),
    ]
)

COUNTS = ["new", "changed", "removed", "rejected"]

Row = dict[str, Any]
Which = int | date | None


def rows(folder: Path) -> list[Row]:
    """Return the syncs, oldest first; `versions` and `details` as dictionaries.

    Raises
    ------
    StoreError
        If the folder is not a store, or its first sync never finished.
    """
    place = folder / "syncs"
    if not delta.is_table(place):
        raise StoreError(
            f"{folder} is not a store (it has no syncs table): name the folder a sync has written, "
            "or run a sync first"
        )
    found: list[Row] = delta.dataset(delta.files(place), SYNCS).to_table().to_pylist()
    if not found:
        raise StoreError(f"the first sync into {folder} has not finished: run it again")
    found.sort(key=lambda row: row["sync_id"])
    for row in found:
        row["versions"] = json.loads(row["versions"])
        row["details"] = json.loads(row["details"])
    return found


def last(folder: Path) -> Row:
    """Return the last sync; of a folder that has none, one of number 0 that names no table."""
    if not delta.is_table(folder / "syncs") or not delta.files(folder / "syncs"):
        return {"sync_id": 0, "versions": {}, "as_of": None}
    return rows(folder)[-1]


def chosen(folder: Path, which: Which) -> Row:
    """Return the last sync, the one of a number, or the last before data later than a date came in.

    Raises
    ------
    StoreError
        If there is no such sync; the message says which there are.
    """
    found = rows(folder)
    if which is None:
        return found[-1]
    if isinstance(which, date):
        return _by_date(found, which.date() if isinstance(which, datetime) else which)
    for row in found:
        if row["sync_id"] == which:
            return row
    raise StoreError(f"there is no sync {which!r} in {folder}; it has 1 to {len(found)}")


def publish(
    folder: Path,
    versions: Mapping[str, int],
    *,
    kind: str,
    source: str,
    as_of: date | None = None,
    finished_at: datetime | None = None,
    counts: pd.DataFrame,
    details: Mapping[str, Any],
) -> Row:
    """Add the row that makes versions visible to readers, and return it.

    Tables not in `versions` keep those of the last sync. Of a table that another sync has published
    at a higher version meanwhile, that one is named: it builds on ours.

    Parameters
    ----------
    as_of : date, optional
        Default: that of the last sync.
    counts : DataFrame
        One row per table: ``table, new, changed, removed, rejected``.
    """

    def attempt() -> Row:
        target = delta.created(folder / "syncs", SYNCS)
        before = last(folder)
        together = dict(before["versions"])
        for name, version in versions.items():
            together[name] = max(version, together.get(name, 0))
        row: Row = {
            "sync_id": before["sync_id"] + 1,
            "kind": kind,
            "finished_at": finished_at or datetime.now(UTC),
            "source": source,
            "as_of": as_of or before["as_of"],
            "versions": json.dumps(together, sort_keys=True),
            **{name: int(counts[name].sum()) for name in COUNTS},
            "details": json.dumps({**details, "tables": counts.to_dict("records")}),
        }
        with delta.watched(folder / "syncs", target.version()):
            delta.append(target, pa.Table.from_pylist([row], schema=SYNCS), {})
        return {**row, "versions": together}

    return delta.retried("the list of syncs", attempt)


def why_gone(found: list[Row], row: Row, table: str) -> str:
    """Say in words why a version that `row` names can no longer be read."""
    for later in found:
        if later["sync_id"] <= row["sync_id"]:
            continue
        if later["kind"] == "purge" and table in later["details"]["purged"]:
            return (
                f"it held records that were purged for privacy in sync {later['sync_id']}; "
                f"open sync {later['sync_id']} or a later one"
            )
        if later["kind"] == "compact" and row["sync_id"] < later["details"]["kept_from"]:
            return (
                f"it was older than {later['details']['keep_days']} days when the store was "
                f"compacted; open sync {later['details']['kept_from']} or a later one"
            )
    return "files were deleted by another program; restore them from a backup, or open a later sync"


def _by_date(found: list[Row], day: date) -> Row:
    """Return the last sync before the first that brought data later than `day`."""
    before: Row | None = None
    for row in found:
        if row["as_of"] > day:
            break
        before = row
    if before is None:
        raise StoreError(
            f"no sync is as old as {day}: the first is as of {found[0]['as_of']}; "
            "open that one, or rewind it with Snapshot.at"
        )
    return before
