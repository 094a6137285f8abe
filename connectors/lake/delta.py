"""One table on disk: a Delta Lake table, read at a version, changed in one commit.

`connectors.store` says which versions of the tables belong together; here is only how one is kept.
Three choices matter:

* No statistics of values in the transaction log: else the log, which outlives every purge, would
  hold names and ids.
* No clean-up of the log: a version can be opened for as long as its files are there.
* No retry inside the library: a commit that meets another fails, and the changes are computed again
  from the fresh state. So two writers can never both insert the same key.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from connectors.errors import StoreError
from connectors.lake.changes import GONE, Changes, changes, schema
from kpi.tables import Table

SETTINGS: Mapping[str, str | None] = {
    "delta.dataSkippingNumIndexedCols": "0",
    "delta.enableExpiredLogCleanup": "false",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.logRetentionDuration": "interval 36500 days",
}
WATERMARKS = "reverse_funnel.watermarks"
ATTEMPTS = 12
LONGEST_WAIT = 2.0

T = TypeVar("T")


class Saved(NamedTuple):
    """The version that holds what was saved, and how many rows were new, changed and removed."""

    version: int
    new: int
    changed: int
    removed: int


def save(
    folder: Path,
    table: Table,
    incoming: pa.Table | None,
    leaving: pa.Table,
    watermarks: Mapping[str, str],
    *,
    replace: bool = False,
    always: bool = False,
) -> Saved:
    """Bring rows and watermarks into a table in one commit; make the table where there is none.

    Nothing is written where neither rows nor watermarks change, unless `always`. The other
    parameters are those of `connectors.lake.changes.changes`.

    Raises
    ------
    CommitFailedError
        If another commit came first: call again, by `retried`.
    """
    target = created(folder, schema(table))
    with watched(folder, target.version()):
        current = dataset(_plain(folder, target), schema(table))
        change = changes(table, current, incoming, leaving, replace=replace)
        stale = watermarks_at(folder, target.version()) != watermarks
        if change.new + change.changed + change.removed:
            _write(target, table, change, watermarks)
        elif stale or always:
            append(target, schema(table).empty_table(), watermarks)
    return Saved(target.version(), *change[1:])


def append(target: DeltaTable, rows: pa.Table, watermarks: Mapping[str, str]) -> None:
    """Add rows in one commit; the newest version must be the one that was opened."""
    write_deltalake(
        target, rows, mode="append", schema_mode="merge", commit_properties=_noted(watermarks)
    )


def compacted(folder: Path, version: int, watermarks: Mapping[str, str]) -> int | None:
    """Join the small files of a version in one commit; return the new version, None if none came.

    The rows stay as they are. The version must be the newest, else CommitFailedError.
    """
    target = opened(folder, version)
    with watched(folder, version):
        target.optimize.compact(commit_properties=_noted(watermarks))
    return target.version() if target.version() > version else None


def opened(folder: Path, version: int | None = None) -> DeltaTable:
    """Open a table at a version, or at its newest.

    Raises
    ------
    StoreError
        If there is no table, or no such version.
    """
    try:
        return DeltaTable(str(folder), version=version)
    except DeltaError as error:
        which = "" if version is None else f" at version {version}"
        raise StoreError(
            f"the table in {folder} cannot be opened{which}: its _delta_log is missing or damaged "
            f"({str(error).splitlines()[0]}); restore the folder from a backup, or sync into a new one"
        ) from error


def created(folder: Path, columns: pa.Schema) -> DeltaTable:
    """Open a table at its newest version; make an empty one where there is none."""
    if not is_table(folder):
        with watched(folder, None):
            DeltaTable.create(
                str(folder),
                schema=columns,
                mode="ignore",
                configuration=SETTINGS,
                commit_properties=_noted({}),
            )
    return opened(folder)


def is_table(folder: Path) -> bool:
    """Tell whether a folder holds a Delta table; looks, and makes nothing."""
    return any(folder.glob("_delta_log/*.json"))


def files(folder: Path, version: int | None = None) -> list[str]:
    """Return the plain paths of the Parquet files that make up a version."""
    return _plain(folder, opened(folder, version))


def dataset(paths: list[str], columns: pa.Schema) -> ds.Dataset:
    """Return files as one table; a column that older files lack is null."""
    return ds.dataset(paths, schema=columns, format="parquet")


def watermarks_at(folder: Path, version: int) -> dict[str, str]:
    """Return up to where the data of a version reaches, as its commit says; empty if it does not.

    Read from the log itself: `DeltaTable.history` of an old version comes back empty. Where another
    program cleaned the log, empty means that everything is fetched once more.
    """
    log = _log(folder, version)
    if not log.exists():
        return {}
    for line in log.read_text(encoding="utf-8").splitlines():
        info = json.loads(line).get("commitInfo")
        if info is not None:
            return dict(json.loads(info.get(WATERMARKS, "{}")))
    return {}


def committed_at(folder: Path, version: int) -> float:
    """Return when a version was committed: seconds, by the clock that also dates the files."""
    return _log(folder, version).stat().st_mtime


@contextmanager
def watched(folder: Path, version: int | None) -> Iterator[None]:
    """Put a failure to change a table into words; `version` is what the change builds on.

    Raises
    ------
    CommitFailedError
        If the table has moved on from that version: so did the files, where it was a purge.
    StoreError
        If it has not: the disk, or the rights, are to blame.
    """
    try:
        yield
    except CommitFailedError:
        raise
    except (DeltaError, duckdb.Error, OSError) as error:
        if version is not None and opened(folder).version() != version:
            raise CommitFailedError(f"{folder} has moved on from version {version}") from error
        raise StoreError(
            f"the table in {folder} cannot be changed ({str(error).splitlines()[0]}): check that "
            "the disk has room, the folder may be written and its files are there; then sync again"
        ) from error


def retried(name: str, work: Callable[[], T]) -> T:
    """Do `work` again from the start while other commits come first: a bounded number of times.

    Raises
    ------
    StoreError
        If every attempt met another commit.
    """
    met: CommitFailedError | None = None
    for attempt in range(ATTEMPTS):
        try:
            return work()
        except CommitFailedError as error:
            met = error
            longest = min(LONGEST_WAIT, 0.05 * 2**attempt)
            time.sleep(random.uniform(0, longest))  # noqa: S311 - jitter, not a secret
    raise StoreError(
        f"{name} could not be saved in {ATTEMPTS} attempts: another program keeps writing to this "
        "store; wait until it has finished (one sync at a time), then sync again, nothing is lost"
    ) from met


def _write(
    target: DeltaTable, table: Table, change: Changes, watermarks: Mapping[str, str]
) -> None:
    rows, noted = change.rows, _noted(watermarks)
    if not table.key:
        write_deltalake(
            target, rows, mode="overwrite", schema_mode="merge", commit_properties=noted
        )
        return
    if not change.changed + change.removed:
        append(target, rows.drop_columns([GONE]), watermarks)
        return
    every: dict[str, Any] = {name: f"s.{name}" for name in table.names}
    merger = target.merge(
        rows,
        " and ".join(f"(t.{name} is not distinct from s.{name})" for name in table.key),
        source_alias="s",
        target_alias="t",
        merge_schema=True,
        commit_properties=noted,
    )
    merger = merger.when_matched_delete(f"s.{GONE}").when_matched_update(every)
    merger.when_not_matched_insert(every, predicate=f"not s.{GONE}").execute()


def _noted(watermarks: Mapping[str, str]) -> CommitProperties:
    text = json.dumps(dict(watermarks), sort_keys=True)
    return CommitProperties(custom_metadata={WATERMARKS: text}, max_commit_retries=0)


def _plain(folder: Path, table: DeltaTable) -> list[str]:
    """Plain paths: the library gives URIs with blanks and umlauts escaped, so take the last part."""
    names = (uri.replace("\\", "/").rsplit("/", 1)[-1] for uri in table.file_uris())
    return sorted(str(folder / name) for name in names)


def _log(folder: Path, version: int) -> Path:
    return folder / "_delta_log" / f"{version:020d}.json"
