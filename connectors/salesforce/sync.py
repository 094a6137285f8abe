"""Bring a store up to date with a Salesforce org: in which order, and when it counts.

What to fetch is decided in `connectors.salesforce.plan`. Histories come first, since a deal is
closed when its history says. Readers see the outcome all at once.
"""

import time
from collections.abc import Collection
from datetime import date, datetime
from functools import partial
from itertools import chain, islice
from threading import Event

import pandas as pd

from connectors.errors import ApiError, ScopeError
from connectors.progress import Progress, silent
from connectors.resumable import Resumable
from connectors.salesforce.client import Salesforce
from connectors.salesforce.context import KINDS, Kind, Org, missing, opened, small
from connectors.salesforce.deletions import Deletions
from connectors.salesforce.lanes import Lanes, Works
from connectors.salesforce.limits import Limits
from connectors.salesforce.plan import Plan, fingerprint
from connectors.salesforce.query import select
from connectors.salesforce.records.people import owners
from connectors.salesforce.records.stages import names_in_use, with_names
from connectors.salesforce.save import Saver
from connectors.salesforce.settings import FILE, Settings
from connectors.salesforce.streams import Reader, Stream, changed, whole
from connectors.store import Store
from connectors.sync_report import SyncReport, counted
from kpi.definitions import Definitions

SOURCE = "salesforce"
DEFINITIONS = "definitions.toml"


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
        self._full, self._since = full, since
        self._progress, self._kinds = progress, kinds

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
        run = Resumable(self.store, SOURCE, fingerprint(self.settings, org))
        self.state = run.state
        self.plan = Plan(run, self.settings, full=self._full, since=self._since)
        if self.plan.is_due():
            for job in self.plan.begin(org, self.client.api.now().replace(microsecond=0)):
                self.client.abandon(job)
        self.plan.add_new(org)
        saver = Saver(org, run, same_zone=self._same_zone(org))
        self._read_all(saver)
        self._tidy(saver)
        result = run.publish(self.plan.today(org), self.plan.marks(org))
        self._write_settings(org)
        run.done()
        return SyncReport(
            source="Salesforce",
            sync_id=result.sync_id,
            as_of=result.as_of,
            counts=counted(
                self.store, result, {t: {"deleted": ids} for t, ids in self.state["gone"].items()}
            ),
            problems=result.problems,
            refused={name: str(error) for name, error in org.refused.items()},
            calls=self.client.api.calls,
            retried=self.client.api.retried,
            seconds=time.monotonic() - began,
            limits=self.limits,
            notes=[*org.notes, *self._left_alone()],
        )

    def _open(self) -> Org:
        file = self.store.path / DEFINITIONS
        given = Definitions.read(file) if file.exists() else None
        earlier = self.store.staged("stages")
        return opened(self.client, self.settings, given, earlier, self._kinds)

    def _read_all(self, saver: Saver) -> None:
        """Bring every object up to date that a sync cut short has not."""
        left = [kind for kind in saver.org.kinds if kind.name not in self.state["done"]]
        all_of = [kind for kind in left if self.plan.reads_all(kind)]
        self._earlier = {kind.name for kind in all_of if self.plan[kind]["place"] is not None}
        self._ask_for(saver, [kind for kind in all_of if kind.name not in self._earlier])
        self._deletions = Deletions(self.client, self.plan, saver, self._progress)
        self._lanes = Lanes(all_of, partial(self._whole, saver.org), saver.shape)
        try:
            frames = self._small(saver.org)
            saver.run.add(frames, replace=list(frames))
            for kind in left:
                self._try(saver, kind)
        finally:
            self._lanes.close()

    def _ask_for(self, saver: Saver, kinds: Collection[Kind]) -> None:
        """Let the org work out all that is read whole, and note its jobs before any is read."""
        made = self.client.api.map(partial(self._job, saver.org), kinds)
        for kind, job in zip(kinds, made, strict=True):
            self.plan[kind]["place"] = None if job is None else {"job": job}
        saver.run.save()

    def _job(self, org: Org, kind: Kind) -> str | None:
        """Make a bulk job; None where the org will not: its turn asks again, and tells why."""
        fields = org.wanted[kind.name].fields
        try:
            return self.client.asked(select(kind.name, fields, self.plan.conditions(kind)))
        except ApiError:
            return None

    def _small(self, org: Org) -> dict[str, pd.DataFrame]:
        """Read what is read whole each time."""
        frames = {"rates": org.rates} if len(org.rates) else {}
        try:
            users = small(self.client, "User", self.settings)
        except ScopeError as error:
            org.refused["User"] = error
            return frames
        org.notes += missing(users.hidden)
        return frames | {"owners": owners(users.rows)}

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
        plan = self.plan[kind]
        if not kind.is_history and not plan["whole"]:
            self._deletions.ask(kind)
        self._fetch(saver, kind, self._works(saver, kind))
        if kind.table == "subscriptions" and not plan["whole"]:
            saver.lines_of(self._touched_deals())
        if plan["reconcile"]:
            self._deletions.compare(kind)

    def _works(self, saver: Saver, kind: Kind) -> Works:
        """Yield the pages of an object, shaped."""
        if self.plan.reads_all(kind):
            yield from self._lanes.taken(kind)
            return
        plan, fields = self.plan[kind], saver.org.wanted[kind.name].fields
        begin, until = datetime.fromisoformat(plan["since"]), self.plan.moment("until")
        stream = changed(self.client, kind, fields, plan["place"], begin, until)
        try:
            yield from map(partial(saver.shape, kind), stream)
        finally:
            stream.close()

    def _whole(self, org: Org, kind: Kind, ended: Event) -> Stream:
        fields, place = org.wanted[kind.name].fields, self.plan[kind]["place"]
        since = self.plan.begins(kind), self.plan.moment("until")
        job = Reader(ended, anew=kind.name in self._earlier)
        return whole(self.client, kind, fields, self.plan.conditions(kind), place, since, job)

    def _fetch(self, saver: Saver, kind: Kind, works: Works) -> None:
        """Save an object page by page, noting the place each time, once the page is in."""
        plan = self.plan[kind]
        past_too = plan["whole"] and not plan["floor"]
        is_all = past_too and set(plan["place"] or {}) <= {"job"}  # from its first page on
        try:
            first = list(islice(works, 1))  # only then is known how many there are
            bar = self._progress(kind.name, first[0].left if first else None)
            try:
                for work in chain(first, works):
                    saver.save(kind, work, whole=past_too)
                    plan["place"] = work.place or plan["place"]
                    saver.run.save()
                    bar.update(work.records)
            finally:
                bar.close()
        finally:
            works.close()
        if kind.name == "LeadHistory":
            saver.has_all_conversions = is_all

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

    def _left_alone(self) -> list[str]:
        """Say which rows an earlier sync brought in that no setting asks for any more."""
        mark = self.store.watermark("subscriptions", SOURCE)
        if mark is None or "subscriptions" in self.settings.fields:
            return []
        held = len(self.store.staged("subscriptions", ["subscription_id"]))
        return [
            f"{held:,} subscriptions stay as they were at {mark}: the settings no longer name"
            f" their fields; put [fields.subscriptions] back into {FILE}, or sync into a new folder"
        ]

    def _same_zone(self, org: Org) -> bool:
        """Tell whether days of the org begin when they did at the sync before."""
        leads = next((kind for kind in org.kinds if kind.name == "Lead"), None)
        before = None if leads is None else self.plan.told(leads, ".zone")
        return before in (None, org.reading.time_zone)

    def _write_settings(self, org: Org) -> None:
        if Settings.read(self.store.path) != self.settings or not (self.store.path / FILE).exists():
            self.settings.write(self.store.path)
        file = self.store.path / DEFINITIONS
        if not file.exists():
            text = org.definitions.to_toml() + "\n"
            file.write_text(text, encoding="utf-8", newline="\n")
