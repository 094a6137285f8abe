"""Look after a store: join small files, let old states go, purge records for privacy."""

import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pandas as pd

from connectors.errors import StoreError
from connectors.lake import commits, delta, syncs
from connectors.lake.syncs import Row

DAY = 86_400.0
"""Seconds after which a file that no version names cannot be of a sync still running."""


def compact(path: Path, keep_days: int) -> int:
    """Join small files, let go of old states; see `Store.compact`."""
    found = syncs.rows(path)
    published: dict[str, int] = found[-1]["versions"]
    oldest = datetime.now(UTC) - timedelta(days=keep_days)
    kept_from = min(
        (row["sync_id"] for row in found if row["finished_at"] >= oldest),
        default=found[-1]["sync_id"],
    )
    versions: dict[str, int] = {}
    for name, version in published.items():
        joined = delta.retried(f"table {name}", partial(_joined, path / name, version))
        if joined is not None:
            versions[name] = joined
    row = syncs.publish(
        path,
        versions,
        kind="compact",
        source="compact",
        counts=pd.DataFrame(columns=["table", *syncs.COUNTS]),
        details={"keep_days": keep_days, "kept_from": kept_from},
    )
    kept = [*(r for r in found if r["sync_id"] >= kept_from), row]
    before = max((r["details"]["kept_from"] for r in found if r["kind"] == "compact"), default=0)
    gone = [r for r in found if before <= r["sync_id"] < kept_from]
    swept = sum(_let_go(path / name, name, kept, gone) for name in published)
    return swept + _tidied(path / "syncs")


def purge(path: Path, table: str, ids: list[str]) -> tuple[Row, pd.DataFrame]:
    """Remove records from every state; see `Store.purge`. Returns the sync and counts by table.

    Every table concerned gets a commit, even one whose current rows lack the records: it turns back
    any writer who has read an earlier state. So the files of earlier states, and all others written
    before that commit that are not part of the state after it, go without harm to a running sync.
    """
    found = syncs.rows(path)
    done = commits.commit(path, {}, remove={table: ids}, watermarks={}, always=True)
    row = syncs.publish(
        path,
        done.versions,
        kind="purge",
        source="purge",
        counts=done.counts,
        details={"purged": done.versions},
    )
    for name, version in done.versions.items():
        folder = path / name
        keep = {*delta.files(folder), *delta.files(folder, row["versions"][name])}
        sweep(folder, keep, delta.committed_at(folder, version), _named(folder, name, found))
    return row, done.counts


def sweep(folder: Path, keep: Collection[str], before: float, drop: Collection[str] = ()) -> int:
    """Delete the Parquet files not to `keep` that are older than `before`, or named in `drop`.

    Why not the library's vacuum: without a retention it also deletes what a sync that is running
    has written and not yet committed, and it adds two commits to the table at each call.

    Parameters
    ----------
    keep, drop : collection of str
        Plain paths, as `connectors.lake.delta.files` gives them.
    before : float
        Seconds since 1970, by the clock of the file system.

    Returns
    -------
    int
        How many files went.

    Raises
    ------
    StoreError
        If files could not be deleted: a program may have them open (Windows).
    """
    kept = {Path(path).name for path in keep}
    named = {Path(path).name for path in drop}
    unused = [
        path
        for path in folder.glob("*.parquet")
        if path.name not in kept and (path.name in named or path.stat().st_mtime < before)
    ]
    held = [path.name for path in unused if not _deleted(path)]
    if held:
        raise StoreError(
            f"{len(held)} old file(s) in {folder} could not be deleted, the first is {held[0]}: "
            "close the notebooks and programs that read this store, then run the same call again"
        )
    return len(unused)


def _joined(folder: Path, version: int) -> int | None:
    """Join the files of the version readers see; none where a sync is on its way beyond it."""
    newest = delta.opened(folder).version()
    if delta.files(folder, newest) != delta.files(folder, version):
        return None
    return delta.compacted(folder, newest, delta.watermarks_at(folder, version))


def _let_go(folder: Path, name: str, kept: list[Row], gone: list[Row]) -> int:
    """Delete the files that only `gone` syncs name, and what crashed syncs left a day ago."""
    keep = _named(folder, name, kept) | set(delta.files(folder))
    return sweep(folder, keep, time.time() - DAY, drop=_named(folder, name, gone) - keep)


def _named(folder: Path, name: str, rows: list[Row]) -> set[str]:
    versions = {row["versions"][name] for row in rows if name in row["versions"]}
    return {path for version in versions for path in delta.files(folder, version)}


def _tidied(folder: Path) -> int:
    """Join the files of the list of syncs; delete those that an earlier call joined."""
    swept = sweep(folder, delta.files(folder), time.time() - DAY)
    delta.retried(
        "the list of syncs",
        lambda: delta.compacted(folder, delta.opened(folder).version(), {}),
    )
    return swept


def _deleted(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        return False
    return True
