"""The local store: a folder of Delta Lake tables, one per canonical table, plus ``syncs``.

A commit covers one table. So a sync commits table after table and, last, one row of ``syncs`` that
names the version of every table that belongs together. Readers open only versions named there: a
sync that dies half-way changes nothing for them, and the next one repeats it without doubling.

Writers never wait for readers, nor readers for writers. Two syncs at a time lose nothing; of both
watermarks the earlier may be kept, and the next sync then fetches some records once more.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import pandas as pd
import pyarrow as pa

from connectors.errors import StoreError
from connectors.lake import commits, delta, syncs, upkeep
from connectors.lake.changes import about, schema
from connectors.lake.commits import TRACKED
from connectors.lake.syncs import Row, Which
from kpi.conform import conform, no_problems
from kpi.tables import DTYPES, TABLES, Table

Marks = Mapping[str, str | Mapping[str, str]]


class SyncResult(NamedTuple):
    """What a sync did: its number and date, counts by table, and what could not be taken as it came.

    ``counts`` has ``table, new, changed, removed, rejected``; ``problems`` is that of
    `kpi.conform.conform`, over all tables.
    """

    sync_id: int
    as_of: date
    counts: pd.DataFrame
    problems: pd.DataFrame


class Staged(NamedTuple):
    """Rows brought in and not yet shown: the version of each table, counts and problems."""

    versions: dict[str, int]
    counts: pd.DataFrame
    problems: pd.DataFrame


class Store:
    """A folder that keeps the canonical tables and every earlier state of them.

    Examples
    --------
    >>> import tempfile
    >>> store = Store(Path(tempfile.mkdtemp()) / "store")
    >>> deals = pd.DataFrame({"deal_id": ["007", "8"], "amount": [1200.0, None]})
    >>> result = store.merge({"deals": deals}, source="csv", as_of="2026-11-01")
    >>> result.counts.to_dict("records")
    [{'table': 'deals', 'new': 2, 'changed': 0, 'removed': 0, 'rejected': 0}]
    >>> store.frames()["deals"][["deal_id", "amount"]].to_dict("list")
    {'deal_id': ['007', '8'], 'amount': [1200.0, nan]}
    >>> store.as_of()
    datetime.date(2026, 11, 1)
    """

    def __init__(self, path: str | Path) -> None:
        """Name the folder; nothing is made before the first `merge`.

        Raises
        ------
        StoreError
            If the path is a file, or holds what Delta Lake or DuckDB would take for a code or a
            pattern: ``%`` with two digits, ``[`` or ``*``.
        """
        self.path = Path(path).expanduser().absolute()
        if self.path.is_file():
            raise StoreError(f"{self.path} is a file; a store is a folder: name another path")
        if re.search(r"%[0-9a-fA-F]{2}|[\[*]", str(self.path)):
            raise StoreError(
                f"a store cannot be kept in {self.path}: choose a path without '%', '[' and '*'"
            )

    def __repr__(self) -> str:
        """Show the folder."""
        return f"Store({str(self.path)!r})"

    @staticmethod
    def exists(path: str | Path) -> bool:
        """Tell whether a folder is a store; looks, and makes nothing."""
        return delta.is_table(Path(path).expanduser() / "syncs")

    def merge(
        self,
        frames: Mapping[str, pd.DataFrame],
        *,
        source: str,
        as_of: date | str,
        watermark: Marks | None = None,
        remove: Mapping[str, Iterable[str]] | None = None,
        replace: Collection[str] = (),
        time_zone: str = "UTC",
        finished_at: datetime | None = None,
    ) -> SyncResult:
        """Bring new and changed rows into the store, as one sync.

        Rows are told apart by the key of their table, where null equals null; a table without a key
        (costs) is replaced whole. Equal rows are not written again: the same call twice makes a
        second sync that names the same versions.

        Parameters
        ----------
        frames : mapping of str to DataFrame
            By canonical table; each is conformed first. An empty frame says that the company has
            none of it; a table that is not named stays as it is.
        source : str
            Where the data came from, like ``hubspot``.
        as_of : date or str
            Day up to which the data is known, as a date or like ``2026-11-01``.
        watermark : mapping, optional
            By table, up to where the source has been read: a text, kept under the name `source`, or
            several by names of your own. Committed together with the rows of that table.
        remove : mapping of str to ids, optional
            Records that left the source. Their rows in history leave with leads and deals. An id
            that is in `frames` too leaves all the same.
        replace : collection of str
            Tables whose frame is complete: what is not in it leaves.
        time_zone : str
            IANA zone of moments written without an offset.
        finished_at : datetime, optional
            Moment to record; default: now.

        Raises
        ------
        TableError
            If a frame is of no canonical table, or lacks a required column. Nothing is written.
        StoreError
            If a table cannot be read, or another program keeps writing to it.
        """
        day = _day(as_of)
        staged = self.stage(
            frames,
            source=source,
            watermark=watermark,
            remove=remove,
            replace=replace,
            time_zone=time_zone,
        )
        return self.publish(staged, source=source, as_of=day, finished_at=finished_at)

    def stage(
        self,
        frames: Mapping[str, pd.DataFrame],
        *,
        source: str,
        watermark: Marks | None = None,
        remove: Mapping[str, Iterable[str]] | None = None,
        replace: Collection[str] = (),
        time_zone: str = "UTC",
    ) -> Staged:
        """Bring rows in as `merge` does, without showing them to readers: `publish` does that.

        A long sync stages chunk after chunk. One that dies has changed nothing for readers; its
        rows are met again, and not doubled, when they come once more.
        """
        marks = {name: _named(given, source) for name, given in (watermark or {}).items()}
        gone = {name: _listed(ids) for name, ids in (remove or {}).items()}
        conformed = {name: conform(name, f, time_zone=time_zone) for name, f in frames.items()}
        rows = {name: found.frame for name, found in conformed.items()}
        done = commits.commit(self.path, rows, remove=gone, watermarks=marks, replace=replace)
        rejected = {name: len(frames[name]) - len(rows[name]) for name in rows}
        counts = done.counts.assign(
            rejected=done.counts["table"].map(rejected).fillna(0).astype("int64")
        )
        problems = [found.problems for found in conformed.values() if len(found.problems)]
        listed = pd.concat(problems, ignore_index=True) if problems else no_problems()
        return Staged(done.versions, counts, listed)

    def publish(
        self,
        staged: Staged,
        *,
        source: str,
        as_of: date,
        finished_at: datetime | None = None,
    ) -> SyncResult:
        """Show what was staged to readers, all at once, as one sync."""
        row = syncs.publish(
            self.path,
            staged.versions,
            kind="sync",
            source=source,
            as_of=as_of,
            finished_at=finished_at,
            counts=staged.counts,
            details={},
        )
        return SyncResult(row["sync_id"], as_of, staged.counts, staged.problems)

    def staged(
        self,
        table: str,
        columns: list[str] | None = None,
        records: Collection[str] | None = None,
    ) -> pd.DataFrame:
        """Return the rows of a table as they stand now, with what is staged and not yet published.

        Parameters
        ----------
        table : str
            Canonical table; empty where there is none yet.
        columns : list of str, optional
            Default: all.
        records : collection of str, optional
            Ids of the records wanted; default: all.
        """
        names = columns or TABLES[table].names
        if not delta.is_table(self.path / table):
            return _frame(TABLES[table], [])[names]
        return _frame(TABLES[table], delta.files(self.path / table), names, records)

    def distinct(self, table: str, columns: list[str]) -> pd.DataFrame:
        """Return each combination of values that rows have now, staged ones included, once."""
        names = ", ".join(TABLES[table].column(name).name for name in columns)
        with self._looking(table) as engine:
            found = engine.sql(f"select distinct {names} from {table}").df()  # noqa: S608 - own names
        kinds = {name: DTYPES[TABLES[table].column(name).kind] for name in columns}
        typed: pd.DataFrame = found.astype(kinds)
        return typed

    def orphans(self, table: str) -> list[str]:
        """Return the ids of leads or deals that have a history, staged or not, and are not there."""
        key = TABLES[table].key[0]
        with self._looking("history", table) as engine:
            rows = engine.execute(
                f"select distinct record_id from history h where coalesce(h.object, 'deal') = ? "  # noqa: S608 - own names
                f"and not exists (select 1 from {table} t where t.{key} = h.record_id)",
                [TRACKED[table]],
            ).fetchall()
        return sorted(row[0] for row in rows)

    @contextmanager
    def _looking(self, *tables: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open tables as they stand now for queries."""
        with duckdb.connect() as engine:
            for name in tables:
                there = delta.is_table(self.path / name)
                paths = delta.files(self.path / name) if there else []
                engine.register(name, delta.dataset(paths, schema(TABLES[name])))
            yield engine

    def syncs(self) -> pd.DataFrame:
        """Return one row per sync, oldest first.

        ``sync_id``; ``kind`` (sync, compact, purge); ``finished_at`` (UTC); ``source``; ``as_of``;
        ``versions`` (JSON: version by table); ``new, changed, removed, rejected`` (rows, over all
        tables); ``details`` (JSON: the same by table).

        Raises
        ------
        StoreError
            If the folder is not a store.
        """
        found = pd.DataFrame(syncs.rows(self.path), columns=syncs.SYNCS.names)
        for name in ("versions", "details"):
            found[name] = found[name].map(json.dumps)
        return found

    def files(self, sync: Which = None) -> dict[str, list[str]]:
        """Return the Parquet files of each table that belong together, for ``duckdb.read_parquet``.

        A table never merged is absent; one without rows has an empty list.

        Parameters
        ----------
        sync : int or date, optional
            Number of a sync; or a date, for the last sync before data later than it came in.
            Default: the last sync.

        Raises
        ------
        StoreError
            If the folder is not a store, there is no such sync, or its files are gone; it says why.
        """
        row = syncs.chosen(self.path, sync)
        return {name: self._files(row, name) for name in TABLES if name in row["versions"]}

    def frames(self, sync: Which = None) -> dict[str, pd.DataFrame]:
        """Return the tables that belong together, columns and dtypes of `kpi.tables`, in any order.

        Parameters and errors are those of `files`.
        """
        return {name: _frame(TABLES[name], paths) for name, paths in self.files(sync).items()}

    def as_of(self, sync: Which = None) -> date:
        """Return the day up to which the data of a sync is known."""
        day: date = syncs.chosen(self.path, sync)["as_of"]
        return day

    def watermark(self, table: str, key: str) -> str | None:
        """Return up to where a source was read, as committed with the rows readers now see.

        Parameters
        ----------
        table : str
            Canonical table.
        key : str
            The source, or the name the watermark was given in `merge`.

        Returns
        -------
        str or None
            None where nothing is known, also where there is no store yet: read everything.
        """
        published = syncs.last(self.path)["versions"]
        return commits.watermarks_at(self.path, published, table).get(key)

    def compact(self, *, keep_days: int = 400) -> int:
        """Join small files, and let go of the states of syncs finished more than `keep_days` ago.

        The last sync is always kept. Opening one that was let go says so.

        Returns
        -------
        int
            How many files were deleted.

        Raises
        ------
        StoreError
            If the folder is not a store, or a program holds a file open (Windows): run it again.
        """
        return upkeep.compact(self.path, keep_days)

    def purge(self, table: str, ids: Iterable[str]) -> SyncResult:
        """Remove records for privacy: from the current state, and from every file of earlier ones.

        The history of purged leads and deals goes too. Rows of other tables that name the id stay,
        and so do copies outside this folder (exports, backups, reports). While the CRM still has a
        record, a later sync may bring it back: delete it there first. Run no sync at the same time:
        what that one leaves unfinished on disk goes at the next `compact`, a day later.

        Earlier syncs whose files had to go can no longer be opened, and say why.

        Raises
        ------
        StoreError
            If the folder is not a store, the table has no id of its own, or a program holds a file
            open (Windows): close it and purge again.
        """
        row, counts = upkeep.purge(self.path, table, _listed(ids))
        return SyncResult(row["sync_id"], row["as_of"], counts, no_problems())

    def _files(self, row: Row, table: str) -> list[str]:
        paths = delta.files(self.path / table, row["versions"][table])
        if all(Path(path).exists() for path in paths):
            return paths
        reason = syncs.why_gone(syncs.rows(self.path), row, table)
        raise StoreError(f"sync {row['sync_id']} of {self.path} cannot be opened: {reason}")


def _day(as_of: date | str) -> date:
    if isinstance(as_of, str):
        try:
            return date.fromisoformat(as_of)
        except ValueError as error:
            raise StoreError(f"as_of = {as_of!r}; expected a day like 2026-11-01") from error
    return as_of.date() if isinstance(as_of, datetime) else as_of


def _listed(ids: Iterable[str]) -> list[str]:
    if isinstance(ids, str):
        raise StoreError(f"ids = {ids!r} would be taken letter by letter: pass a list, [{ids!r}]")
    return list(ids)


def _named(given: str | Mapping[str, str], source: str) -> dict[str, str]:
    return {source: given} if isinstance(given, str) else dict(given)


def _frame(
    table: Table,
    paths: list[str],
    names: list[str] | None = None,
    records: Collection[str] | None = None,
) -> pd.DataFrame:
    columns = [table.column(name) for name in names or table.names]
    found, chosen = delta.dataset(paths, schema(table)), [c.name for c in columns]
    if records is None:
        rows = found.to_table(columns=chosen)
    else:
        rows = about(table, found, pa.array(records, pa.string()), chosen)
    whole = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    frame = rows.to_pandas(types_mapper=whole.get)
    typed: pd.DataFrame = frame.astype({c.name: DTYPES[c.kind] for c in columns})
    return typed
