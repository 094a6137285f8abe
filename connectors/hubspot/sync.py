"""Bring a store up to date with a HubSpot account: what to fetch, in which order, and when it counts.

Companies, leads, deals, meetings, line items, in this order, since each row names those before it.
An object is read whole the first time, after that only what has changed since; and, once a day or
where there are few records, compared whole (`compare`). Readers see the outcome all at once.
"""

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd

from connectors.errors import DailyLimitError, ScopeError
from connectors.hubspot import compare
from connectors.hubspot.client import HubSpot
from connectors.hubspot.context import (
    DEFINITIONS,
    KINDS,
    TABLES,
    Account,
    opened,
    stored_definitions,
)
from connectors.hubspot.keyset import milliseconds
from connectors.hubspot.limits import Limits
from connectors.hubspot.records.people import owners
from connectors.hubspot.save import Saver
from connectors.hubspot.settings import FILE, Settings
from connectors.hubspot.streams import Batch, listed, named, searched
from connectors.progress import Progress, silent
from connectors.resumable import Resumable
from connectors.store import Store, SyncResult
from connectors.sync_report import FATES, SyncReport, counted
from kpi.definitions import Definitions
from kpi.tables import TABLES as CANONICAL

SOURCE = "hubspot"
CHUNK = 2_000
"""Records saved together."""
OVERLAP = 60_000
"""Milliseconds read again at every start: clocks of HubSpot's parts differ."""
SMALL = 20_000
"""Records of an object up to which every sync compares it whole: a few seconds of calls."""
HOUR = 3_600_000
FEW = 50
"""Records that may vanish without a trace in one sync and be taken as deleted for privacy; beyond,
a tenth of all."""


class Sync:
    """One sync of one store with one account.

    Parameters
    ----------
    store : Store
        Made if it is not there. Its ``hubspot.toml`` and ``definitions.toml`` are heeded, and
        written where there are none.
    client : HubSpot
        The account.
    limits : Limits
        Those of the client.
    settings : Settings
        See `connectors.hubspot.settings`.
    full : bool
        Read every record anew, and compare.
    kinds : collection of str
        Objects to read; default: all.
    since : date, optional
        Read what has changed since that day (UTC); at the first sync, nothing else.
    progress : Progress
        Shows how far it is.
    """

    def __init__(
        self,
        store: Store,
        client: HubSpot,
        limits: Limits,
        settings: Settings,
        *,
        full: bool = False,
        since: date | None = None,
        kinds: Collection[str] = KINDS,
        progress: Progress = silent,
    ) -> None:
        self.store, self.client, self.limits, self.settings = store, client, limits, settings
        self._full, self._progress, self._kinds = full, progress, kinds
        self._notes: list[str] = []
        self._since = None if since is None else _milliseconds(since)
        self._begun: dict[str, Iterator[Batch]] = {}
        self._asked = [full, self._since]

    def run(self) -> SyncReport:
        """Do it.

        Raises
        ------
        DailyLimitError
            If the calls of the day are used up. What was fetched is kept, and the next run goes on.
        ConnectorError
            If the account cannot be read at all, or the store not be written.
        """
        began = time.monotonic()
        account = self._open()
        run = Resumable(self.store, SOURCE, self._settings_of(account))
        self.state, self._resumed = run.state, run.resumed
        if not run.state or self._asks_for_more(run.state):
            self._begin(account, (run.state or run.dropped).get("gone", {}))
        for table, gone in self.state["gone"].items():  # a kill may have left their history
            run.add({}, remove={table: [i for fate in FATES for i in gone[fate]]})
        self._notes = self.state.setdefault("notes", [])
        saver = Saver(account, run)
        found = owners(self.client.owners())
        run.add({"stages": account.stages, "owners": found}, replace=["stages", "owners"])
        try:
            self._read_all(saver)
        finally:
            self._begun.clear()  # so that the threads that list end too
        result = run.publish(self._today(account), self._marks(account))
        self._purge()
        self._write_settings(account)
        run.done()
        return self._report(account, result, time.monotonic() - began)

    def _open(self) -> Account:
        given = stored_definitions(self.store)
        if given is not None:  # should the day's calls be used up before the account is asked
            self.limits.time_zone = given.time_zone
        earlier = self.store.staged("stages")
        account = opened(self.client, self.settings, given, earlier, self._kinds)
        self.limits.time_zone = account.reading.time_zone
        return account

    def _settings_of(self, account: Account) -> str:
        chosen = replace(self.settings, leads=_leads(account))
        reading = account.reading  # days are those of the account's zone
        words = Definitions(deal_types=reading.deal_words, time_zone=reading.time_zone).version
        return f"{chosen.fingerprint()}-{words}"

    def _asks_for_more(self, begun: Mapping[str, Any]) -> bool:
        """Tell whether this sync was asked for what the one begun will not do."""
        return (self._full or self._since is not None) and begun.get("asked") != self._asked

    def _begin(self, account: Account, gone: Mapping[str, Any]) -> None:
        """Decide what this sync will do, once, so that a continued one does the same.

        `gone` are the records that a sync not continued had let go of, and has yet to purge.
        """
        until = int(self.client.api.now().timestamp() * 1000) - 1000 * self.settings.lag_seconds
        settings = self._settings_of(account)
        kinds: dict[str, dict[str, Any]] = {}
        for kind in account.kinds:
            kinds[kind] = self._plan(kind, until, settings)
        self.state |= {
            "until": until,
            "settings": settings,
            "kinds": kinds,
            "done": [],
            "gone": dict(gone),
            "asked": self._asked,
            "notes": [],
        }

    def _plan(self, kind: str, until: int, settings: str) -> dict[str, Any]:
        """Decide how to read one object.

        ``whole``: every record, or those changed since ``since``. ``floor``: records changed before
        are left out on purpose. ``compare``: with all the account has. ``purge``: records gone
        without a trace are deleted everywhere (not where the settings changed what is a lead).
        ``place``: how far it has come. ``again``: records to be read once more.
        """
        table = TABLES[kind]
        mark, before = self._mark(table, SOURCE), self._mark(table, f"{SOURCE}.settings")
        changed = before not in (None, settings)
        first = mark is None or self._full or changed
        compared = self._mark(table, f"{SOURCE}.compared")
        due = (
            compared is None or until - milliseconds(compared) >= self.settings.refresh_hours * HOUR
        )
        floor = self._mark(table, f"{SOURCE}.floor")
        start = self._since if first else None if floor is None else milliseconds(floor)
        since = None if mark is None else milliseconds(mark) - OVERLAP
        if self._since is not None:
            since = self._since if since is None or first else min(since, self._since)
        held = len(self._keys(table))
        again = held > 0 if mark is None else first or due or held <= SMALL
        return {
            "whole": first and self._since is None,
            "since": since,
            "floor": start,
            "compare": again,
            "purge": before == settings,
            "place": None,
            "again": [],
        }

    def _read_all(self, saver: Saver) -> None:
        """Bring every object up to date that a sync cut short has not."""
        account = saver.account
        left = [kind for kind in account.kinds if kind not in self.state["done"]]
        self._begin_listing(saver, left)
        for kind in left:
            try:
                self._read(saver, kind)
            except ScopeError as error:
                account.refused[kind] = error
                continue
            self.state["done"].append(kind)
            saver.run.save()

    def _read(self, saver: Saver, kind: str) -> None:
        """Bring one object up to date."""
        plan = self.state["kinds"][kind]
        if kind in compare.COMPARED:
            self._fetch(saver, kind, self._stream(saver, kind))
            if plan["compare"]:
                self._compare(saver, kind)
        elif plan["compare"] and plan["floor"] is None:
            plan["place"], plan["whole"] = None, True
            seen = self._fetch(saver, kind, self._stream(saver, kind))
            gone = set(self._keys(TABLES[kind])) - seen
            self._let_go(saver, kind, compare.became(self.client, kind, sorted(gone)))
        else:
            self._fetch(saver, kind, self._stream(saver, kind))
            if kind == "line_items" and not plan["whole"]:
                self._lines_of_changed_deals(saver)

    def _begin_listing(self, saver: Saver, kinds: list[str]) -> None:
        """Let the lists of all objects run side by side: of each, one page at a time can be had.

        Not where a sync goes on: the calls of its day may be few.
        """
        for kind in kinds if not saver.run.resumed else ():
            plan = self.state["kinds"][kind]
            if plan["whole"] and plan["place"] is None:
                self._begun[kind] = listed(self.client, saver.account.wanted[kind], None)

    def _stream(self, saver: Saver, kind: str) -> Iterator[Batch]:
        plan, wanted = self.state["kinds"][kind], saver.account.wanted[kind]
        if kind in self._begun:
            return self._begun.pop(kind)
        if plan["whole"]:
            return listed(self.client, wanted, plan["place"])
        since = int(plan["place"] or plan["since"])
        return searched(self.client, wanted, since, self.state["until"])

    def _fetch(self, saver: Saver, kind: str, stream: Iterator[Batch]) -> set[str]:
        """Save a stream chunk by chunk, noting the place each time; return the keys saved."""
        plan = self.state["kinds"][kind]
        saved: set[str] = set()
        pending: list[Any] = []
        place = plan["place"]

        def flush() -> None:
            before, plan["place"] = plan["place"], place  # noted with the rows, in one file
            try:
                saved.update(saver.save(kind, pending) if pending else ())
            except ScopeError:
                plan["place"] = before
                raise
            saver.run.save()
            pending.clear()

        whole = plan["whole"] and plan["place"] is None
        bar = self._progress(kind.replace("_", " "), self._total(kind) if whole else None)
        try:
            for batch in stream:
                pending += batch.records
                place = batch.place or place
                bar.update(len(batch.records))
                if len(pending) >= CHUNK:
                    flush()
        except DailyLimitError:
            flush()
            raise
        finally:
            bar.close()
        flush()
        return saved

    def _compare(self, saver: Saver, kind: str) -> None:
        """Read again what differs from the account, and let go of what it no longer has."""
        plan = self.state["kinds"][kind]
        found = compare.Comparison(saver, kind, plan["floor"], plan["since"])
        bar = self._progress(f"{kind} compared", self._total(kind))
        try:
            for looked_at in found.run():
                bar.update(looked_at)
        finally:
            bar.close()
        gone = compare.became(self.client, kind, found.gone, found.merged)
        self._let_go(saver, kind, gone)
        # written down first: killed, it may leave a record's row equal and its history behind
        plan["again"] = sorted(found.stale.union(plan["again"]))
        saver.run.save()
        again = named(self.client, saver.account.wanted[kind], plan["again"])
        self._fetch(saver, kind, (Batch(batch.records, None) for batch in again))
        plan["again"] = []

    def _let_go(self, saver: Saver, kind: str, gone: compare.Gone) -> None:
        """Remove records that are gone; note first which of them to purge, should we be killed."""
        table = TABLES[kind]
        ids = [*gone.archived, *gone.merged, *gone.deleted]
        if not ids:
            return
        kept = self.state["gone"].setdefault(table, {name: [] for name in [*FATES, "purge"]})
        found = {"archived": gone.archived, "merged": gone.merged, "deleted": gone.deleted}
        if self.state["kinds"][kind]["purge"]:
            found["purge"] = self._private(table, gone.deleted)
        for name, new in found.items():
            kept[name] = sorted({*kept[name], *new})
        saver.run.save()
        saver.run.add({}, remove={table: ids})

    def _private(self, table: str, deleted: list[str]) -> list[str]:
        """Return the records to purge; none where too many vanished for deletions for privacy."""
        if len(deleted) <= max(FEW, len(self._keys(table)) // 10):
            return deleted
        self._notes.append(
            f"{len(deleted):,} {table} vanished from HubSpot without a trace: more than deletions for "
            "privacy explain, so earlier syncs in the store still hold them. If they were deleted "
            f"for privacy: Store.purge({table!r}, ids)"
        )
        return []

    def _lines_of_changed_deals(self, saver: Saver) -> None:
        """A deal that was won makes subscriptions of lines that did not change themselves."""
        deals = self.store.staged("deals", ["deal_id", "updated_at"])
        plan = self.state["kinds"].get("deals")
        if plan is None or plan["since"] is None:
            return
        since = pd.Timestamp(plan["since"], unit="ms", tz="UTC")
        touched = deals.loc[deals["updated_at"] >= since, "deal_id"].tolist()
        linked = saver.linked("deals", "line_items", touched)
        ids = {str(row["toObjectId"]) for rows in linked.values() for row in rows}
        again = named(self.client, saver.account.wanted["line_items"], sorted(ids))
        self._fetch(saver, "line_items", (Batch(batch.records, None) for batch in again))

    def _purge(self) -> None:
        for table, gone in self.state["gone"].items():
            if gone["purge"]:
                self.store.purge(table, gone["purge"])

    def _marks(self, account: Account) -> dict[str, dict[str, str]]:
        """Up to where each table is read now."""
        marks = {}
        for kind in account.kinds:
            if kind in account.refused:
                continue
            plan, table = self.state["kinds"][kind], TABLES[kind]
            until = _iso(self.state["until"])
            mark = {SOURCE: until, f"{SOURCE}.settings": self.state["settings"]}
            compared = self._mark(table, f"{SOURCE}.compared")
            # records may have gone while a first load that was cut short waited: look next time
            if plan["compare"] or (plan["whole"] and compared is None and not self._resumed):
                compared = until
            if compared is not None:
                mark[f"{SOURCE}.compared"] = compared
            if plan["floor"] is not None:
                mark[f"{SOURCE}.floor"] = _iso(plan["floor"])
            marks[table] = mark
        return marks

    def _write_settings(self, account: Account) -> None:
        if Settings.read(self.store.path) != self.settings or not (self.store.path / FILE).exists():
            self.settings.write(self.store.path)
        file = self.store.path / DEFINITIONS
        if not file.exists():
            text = account.definitions.to_toml() + "\n"
            file.write_text(text, encoding="utf-8", newline="\n")

    def _report(self, account: Account, result: SyncResult, seconds: float) -> SyncReport:
        return SyncReport(
            source="HubSpot",
            sync_id=result.sync_id,
            as_of=result.as_of,
            counts=counted(self.store, result, self.state["gone"]),
            problems=result.problems,
            refused={name: str(error) for name, error in account.refused.items()},
            calls=self.client.api.calls,
            retried=self.client.api.retried,
            seconds=seconds,
            limits=self.limits,
            notes=self._notes,
        )

    def _today(self, account: Account) -> date:
        return self.client.api.now().astimezone(account.reading.zone).date()

    def _total(self, kind: str) -> int | None:
        return self.client.count(kind)

    def _keys(self, table: str) -> list[str]:
        found: list[str] = self.store.staged(table, [CANONICAL[table].key[0]]).iloc[:, 0].tolist()
        return found

    def _mark(self, table: str, key: str) -> str | None:
        return self.store.watermark(table, key)


def _leads(account: Account) -> str:
    return account.leads or "auto"


def _iso(moment: int) -> str:
    """Write milliseconds since 1970 as HubSpot writes moments."""
    told = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")
    return told.replace("+00:00", "Z")


def _milliseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
