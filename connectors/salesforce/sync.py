"""Bring a store up to date with a Salesforce org: what to fetch, in which order, and when it counts.

Every object is read whole the first time, in bulk, and after that what was stamped between the last
sync, less an overlap, and a few minutes ago: rows appear late, and not in the order of their stamps.
Histories come first, since a deal is closed when its history says. Readers see the outcome all at
once.
"""

import time
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from connectors.errors import ScopeError
from connectors.progress import Progress, silent
from connectors.resumable import Resumable
from connectors.salesforce.client import Salesforce
from connectors.salesforce.context import KINDS, Kind, Org, opened
from connectors.salesforce.context import table as small_table
from connectors.salesforce.errors import (
    QueryTimeoutError,
    ReplicationDateError,
    TooManyDeletedError,
)
from connectors.salesforce.limits import Limits
from connectors.salesforce.query import where
from connectors.salesforce.records.people import owners
from connectors.salesforce.records.stages import names_in_use, with_names
from connectors.salesforce.save import Saver
from connectors.salesforce.settings import FILE, Settings
from connectors.salesforce.streams import Stream, changed, ids_of, whole
from connectors.store import Store
from connectors.sync_report import SyncReport, counted
from kpi.definitions import Definitions
from kpi.tables import TABLES

SOURCE = "salesforce"
DEFINITIONS = "definitions.toml"
REMEMBERED = timedelta(days=14)
"""How long back deletions are asked for: the org forgets them after 15 days."""
RECONCILED = timedelta(days=7)
"""How often every id is compared: what was deleted while nobody asked leaves no other trace."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Sync:
    """One sync of one store with one org.

    Parameters
    ----------
    store : Store
        Made if it is not there. Its ``salesforce.toml`` and ``definitions.toml`` are heeded, and
        written where there are none.
    client : Salesforce
        The org.
    limits : Limits
        Those of the client.
    settings : Settings
        See `connectors.salesforce.settings`.
    full : bool
        Read every record anew, and let go of those that are gone.
    kinds : collection of Kind
        Objects to read; default: all.
    since : date, optional
        Read what was stamped since that day (UTC); at the first sync, nothing else.
    progress : Progress
        Shows how far it is.
    """

    def __init__(
        self,
        store: Store,
        client: Salesforce,
        limits: Limits,
        settings: Settings,
        *,
        full: bool = False,
        since: date | None = None,
        kinds: Collection[Kind] = KINDS,
        progress: Progress = silent,
    ) -> None:
        self.store, self.client, self.limits, self.settings = store, client, limits, settings
        self._full, self._progress, self._kinds = full, progress, kinds
        self._since = None if since is None else datetime(*since.timetuple()[:3], tzinfo=UTC)
        self._asked = [full, None if since is None else str(since)]

    def run(self) -> SyncReport:
        """Do it.

        Raises
        ------
        DailyLimitError
            If the calls of the day are used up. What was fetched is kept, and the next run goes on.
        ConnectorError
            If the org cannot be read at all, or the store not be written.
        """
        began = time.monotonic()
        org = self._open()
        run = Resumable(self.store, SOURCE, self._settings_of(org))
        self.state = run.state
        asks_for_more = self._asked != [False, None] and run.state.get("asked") != self._asked
        if not run.state or asks_for_more:
            self._begin(org, again=bool(run.state or run.dropped))
        self._plan_newly_readable(org)
        saver = Saver(org, run, same_zone=self._same_zone(org))
        small = self._small(org)
        run.add(small, replace=list(small))
        for kind in org.kinds:
            if kind.name not in self.state["done"]:
                self._try(saver, kind)
        self._tidy(saver)
        result = run.publish(self._today(org), self._marks(org))
        self._write_settings(org)
        run.done()
        return SyncReport(
            source="Salesforce",
            sync_id=result.sync_id,
            as_of=result.as_of,
            counts=counted(self.store, result, {t: {"deleted": ids} for t, ids in self._gone()}),
            problems=result.problems,
            refused={name: str(error) for name, error in org.refused.items()},
            calls=self.client.api.calls,
            retried=self.client.api.retried,
            seconds=time.monotonic() - began,
            limits=self.limits,
            notes=[*org.notes, *self.state["notes"]],
        )

    def _open(self) -> Org:
        file = self.store.path / DEFINITIONS
        given = Definitions.read(file) if file.exists() else None
        earlier = self.store.staged("stages")
        return opened(self.client, self.settings, given, earlier, self._kinds)

    def _small(self, org: Org) -> dict[str, pd.DataFrame]:
        """Read what is read whole each time."""
        small = {"rates": org.rates} if len(org.rates) else {}
        try:
            small["owners"] = owners(small_table(self.client, "User", self.settings))
        except ScopeError as error:
            org.refused["User"] = error
        return small

    def _settings_of(self, org: Org) -> str:
        reading = org.reading
        words = Definitions(deal_types=reading.deal_words, time_zone=reading.time_zone).version
        return f"{self.settings.fingerprint()}-{words}-{org.metadata}"

    def _begin(self, org: Org, *, again: bool) -> None:
        """Decide what this sync will do, once, so that a continued one does the same.

        Parameters
        ----------
        again : bool
            Whether an earlier one is given up: what it brought in may be gone from the org.
        """
        now = self.client.api.now().replace(microsecond=0)
        until = now - timedelta(seconds=self.settings.lag_seconds)
        self.state.clear()
        self.state |= {
            "now": now.isoformat(),
            "until": until.isoformat(),
            "settings": self._settings_of(org),
            "again": again,
            "kinds": {},
            "done": [],
            "gone": {},
            "asked": self._asked,
            "notes": [],
        }

    def _plan_newly_readable(self, org: Org) -> None:
        """Plan the objects that have no plan: at the beginning all, later what could not be read."""
        for kind in org.kinds:
            if kind.name not in self.state["kinds"]:
                self.state["kinds"][kind.name] = self._plan(org, kind)

    def _plan(self, org: Org, kind: Kind) -> dict[str, Any]:
        """Decide how to read one object.

        ``whole``: every record, else those stamped since ``since``. ``stale``: every record, as no
        stamp tells that formula fields changed. ``floor``: records stamped before are left out on
        purpose. ``reconcile``: compare every id. ``place``: how far it has come.
        """
        mark, until = self._mark(kind, ""), self._moment("until")
        first = (
            mark is None or self._full or self._told(kind, ".settings") != self.state["settings"]
        )
        compared, floor = self._mark(kind, ".reconciled"), self._mark(kind, ".floor")
        late = compared is None or until - compared >= RECONCILED
        if mark is not None and until - mark >= REMEMBERED:
            late = True
        since = None if mark is None else mark - timedelta(minutes=self.settings.overlap_minutes)
        if self._since is not None:
            since = self._since if since is None or first else min(since, self._since)
        start = self._since if first else floor
        held = mark is not None or self.state["again"]
        return {
            "whole": first,
            "stale": not first and self._is_stale(org, kind),
            "since": (since or EPOCH).isoformat(),
            "floor": None if start is None else start.isoformat(),
            "reconcile": not kind.is_history and held and (first or late),
            "place": None,
        }

    def _try(self, saver: Saver, kind: Kind) -> None:
        try:
            self._read(saver, kind)
        except ScopeError as error:
            saver.org.refused[kind.name] = error
            return
        self.state["done"].append(kind.name)
        saver.run.save()

    def _read(self, saver: Saver, kind: Kind) -> None:
        """Bring one object up to date; deletions first, as a record may have come back since."""
        plan = self.state["kinds"][kind.name]
        if not kind.is_history and not plan["whole"]:
            self._let_deleted_go(saver, kind)
        self._fetch(saver, kind, self._stream(saver, kind))
        if kind.table == "subscriptions" and not plan["whole"]:
            saver.lines_of(self._touched_deals())
        if plan["reconcile"]:
            self._reconcile(saver, kind)

    def _stream(self, saver: Saver, kind: Kind) -> Stream:
        plan, until = self.state["kinds"][kind.name], self._moment("until")
        fields = saver.org.wanted[kind.name].fields
        if not (plan["whole"] or plan["stale"]):
            since = datetime.fromisoformat(plan["since"])
            return changed(self.client, kind, fields, plan["place"], since, until)
        begin = datetime.fromisoformat(plan["floor"]) if plan["floor"] else EPOCH
        conditions = [where(kind.cursor, ">=", begin)] if plan["floor"] else []
        return whole(self.client, kind, fields, conditions, plan["place"], (begin, until))

    def _is_stale(self, org: Org, kind: Kind) -> bool:
        """Tell whether formula fields are due to be read anew."""
        last = self._mark(kind, ".refreshed")
        due = timedelta(hours=self.settings.refresh_hours)
        is_due = last is None or self._moment("until") - last >= due
        return bool(org.wanted[kind.name].calculated) and is_due

    def _fetch(self, saver: Saver, kind: Kind, stream: Stream) -> None:
        """Save a stream page by page, noting the place each time, once the page is in."""
        plan = self.state["kinds"][kind.name]
        is_new = plan["whole"] and plan["place"] is None
        bar = self._progress(kind.name, self._count(kind) if is_new else None)
        past_too = plan["whole"] and not plan["floor"]
        try:
            for batch in stream:
                saver.save(kind, batch.rows, whole=past_too)
                plan["place"] = batch.place or plan["place"]
                saver.run.save()
                bar.update(len(batch.rows))
        finally:
            stream.close()
            bar.close()

    def _count(self, kind: Kind) -> int | None:
        """Count an object's records for the eye; not known where that takes the org too long."""
        try:
            return self.client.count(kind.name)
        except QueryTimeoutError:
            return None

    def _let_deleted_go(self, saver: Saver, kind: Kind) -> None:
        """Ask which records were deleted for good: those no query shows any more."""
        plan = self.state["kinds"][kind.name]
        since, known = datetime.fromisoformat(plan["since"]), self._mark(kind, ".deletions")
        start = max(min(since, known or since), self._moment("now") - REMEMBERED)
        try:
            ids, known = self.client.deleted(kind.name, start, self._moment("now"))
        except (ReplicationDateError, TooManyDeletedError, ScopeError):
            plan["reconcile"] = True
            return
        plan["deletions"] = known.isoformat()
        self._remove(saver, kind, ids)

    def _reconcile(self, saver: Saver, kind: Kind) -> None:
        """Compare every id, and let go of what the org no longer has."""
        seen: set[str] = set()
        bar = self._progress(f"{kind.name} compared", self._count(kind))
        try:
            for page in ids_of(self.client, kind.name):
                seen.update(page)
                bar.update(len(page))
        finally:
            bar.close()
        key = TABLES[kind.table].key[0]
        self._remove(saver, kind, set(self.store.staged(kind.table, [key])[key]) - seen)

    def _remove(self, saver: Saver, kind: Kind, ids: Collection[str]) -> None:
        key = TABLES[kind.table].key[0]
        held = set(self.store.staged(kind.table, [key], set(ids))[key])
        if held:
            kept = self.state["gone"].get(kind.table, [])
            self.state["gone"][kind.table] = sorted({*kept, *held})
            saver.let_go(kind, held)

    def _touched_deals(self) -> list[str]:
        """Deals stamped since the last sync: their products may have become subscriptions."""
        plan = self.state["kinds"].get("Opportunity")
        if plan is None:
            return []
        held = self.store.staged("deals", ["deal_id", "updated_at"])
        touched: list[str] = held.loc[
            held["updated_at"] >= pd.Timestamp(plan["since"]), "deal_id"
        ].tolist()
        return touched

    def _tidy(self, saver: Saver) -> None:
        """Let go of the past of records that are gone, and name the stages that only history knows."""
        for kind in saver.org.kinds:
            if kind.name in ("Lead", "Opportunity") and kind.name in self.state["done"]:
                saver.let_go(kind, self.store.orphans(kind.table))
        parts = [
            self.store.distinct("deals", ["stage_id", "outcome"]),
            self.store.distinct("leads", ["stage_id"]),
            self.store.distinct("history", ["object", "stage_id"]),
        ]
        earlier = self.store.staged("stages")
        found = with_names(saver.org.stages, names_in_use(*parts), earlier)
        saver.run.add({"stages": found}, replace=["stages"])

    def _marks(self, org: Org) -> dict[str, dict[str, str]]:
        """Up to where each table is read now."""
        marks: dict[str, dict[str, str]] = {}
        for kind in org.kinds:
            if kind.name not in self.state["done"]:
                continue
            plan, until = self.state["kinds"][kind.name], self.state["until"]
            own = {"": until, ".settings": self.state["settings"], ".zone": org.reading.time_zone}
            refreshed, compared = self._mark(kind, ".refreshed"), self._mark(kind, ".reconciled")
            if plan["whole"] or plan["stale"] or refreshed is None:
                refreshed = self._moment("until")
            if plan["reconcile"] or compared is None:
                compared = self._moment("until")
            own |= {".refreshed": refreshed.isoformat(), ".reconciled": compared.isoformat()}
            own |= {".deletions": plan.get("deletions", until)}
            own |= {".floor": plan["floor"]} if plan["floor"] else {}
            named = {f"{kind.mark}{name}": value for name, value in own.items()}
            marks[kind.table] = marks.get(kind.table, {}) | named
        return marks

    def _same_zone(self, org: Org) -> bool:
        """Tell whether days of the org begin when they did at the sync before."""
        leads = next((kind for kind in org.kinds if kind.name == "Lead"), None)
        before = None if leads is None else self._told(leads, ".zone")
        return before in (None, org.reading.time_zone)

    def _write_settings(self, org: Org) -> None:
        if Settings.read(self.store.path) != self.settings or not (self.store.path / FILE).exists():
            self.settings.write(self.store.path)
        file = self.store.path / DEFINITIONS
        if not file.exists():
            text = org.definitions.to_toml() + "\n"
            file.write_text(text, encoding="utf-8", newline="\n")

    def _gone(self) -> Iterator[tuple[str, list[str]]]:
        yield from self.state["gone"].items()

    def _today(self, org: Org) -> date:
        return self._moment("now").astimezone(ZoneInfo(org.reading.time_zone)).date()

    def _moment(self, name: str) -> datetime:
        return datetime.fromisoformat(self.state[name])

    def _told(self, kind: Kind, name: str) -> str | None:
        return self.store.watermark(kind.table, f"{kind.mark}{name}")

    def _mark(self, kind: Kind, name: str) -> datetime | None:
        text = self._told(kind, name)
        return None if text is None else datetime.fromisoformat(text)
