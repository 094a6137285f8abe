"""What a sync fetches of each object, decided once, so that a continued one does the same.

Every object is read whole the first time, and after that what was stamped between the last sync,
less an overlap, and a few minutes ago. Stale formulas, a new field, or a long pause ask for more.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.resumable import Resumable
from connectors.salesforce.context import Kind, Org
from connectors.salesforce.query import where
from connectors.salesforce.settings import Settings
from kpi.definitions import Definitions

REMEMBERED = timedelta(days=14)
"""How long back deletions are asked for: the org forgets them after 15 days."""
RECONCILED = timedelta(days=7)
"""How often every id is compared: what was deleted while nobody asked leaves no other trace."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fingerprint(settings: Settings, org: Org) -> str:
    """Return what changes with whatever changes the rows."""
    reading = org.reading
    words = Definitions(deal_types=reading.deal_words, time_zone=reading.time_zone).version
    return f"{settings.fingerprint()}-{words}-{org.metadata}"


class Plan:
    """What to fetch, kept in the state of a sync.

    Parameters
    ----------
    run : Resumable
        The sync.
    settings : Settings
        Of the store.
    full : bool
        Read every record anew.
    since : date, optional
        Read what was stamped since that day (UTC); at the first sync, nothing else.
    """

    def __init__(
        self, run: Resumable, settings: Settings, *, full: bool, since: date | None
    ) -> None:
        self.state, self._store, self._settings = run.state, run.store, settings
        self._run, self._full = run, full
        self._since = None if since is None else datetime(*since.timetuple()[:3], tzinfo=UTC)
        self._asked = [full, None if since is None else str(since)]

    def __getitem__(self, kind: Kind) -> dict[str, Any]:
        """Return the plan of one object.

        ``whole``: every record, else those stamped since ``since``. ``stale``: every record, as no
        stamp tells that formula fields changed. ``floor``: records stamped before are left out on
        purpose. ``reconcile``: compare every id. ``place``: how far it has come.
        """
        found: dict[str, Any] = self.state["kinds"][kind.name]
        return found

    def is_due(self) -> bool:
        """Tell whether a sync begins anew: none was cut short, or other things are asked now."""
        asks_for_more = self._asked != [False, None] and self.state.get("asked") != self._asked
        return not self.state or asks_for_more

    def begin(self, org: Org, now: datetime) -> list[str]:
        """Decide what this sync will do; return the bulk jobs of one that is given up."""
        before = self.state if self.state else self._run.dropped
        again = bool(before)  # what an earlier one brought in may be gone from the org
        kinds, done = before.get("kinds", {}), before.get("done", [])
        places = [kinds[name].get("place") or {} for name in kinds if name not in done]
        until = now - timedelta(seconds=self._settings.lag_seconds)
        self.state.clear()
        self.state |= {
            "now": now.isoformat(),
            "until": until.isoformat(),
            "settings": fingerprint(self._settings, org),
            "again": again,
            "kinds": {},
            "done": [],
            "gone": {},
            "asked": self._asked,
        }
        return [place["job"] for place in places if "job" in place]

    def add_new(self, org: Org) -> None:
        """Plan the objects that have no plan: at the beginning all, later what could not be read."""
        for kind in org.kinds:
            if kind.name not in self.state["kinds"]:
                self.state["kinds"][kind.name] = self._planned(org, kind)

    def reads_all(self, kind: Kind) -> bool:
        """Tell whether every record of an object is read."""
        return bool(self[kind]["whole"] or self[kind]["stale"])

    def begins(self, kind: Kind) -> datetime:
        """Return since when an object is read whole."""
        floor = self[kind]["floor"]
        return datetime.fromisoformat(floor) if floor else EPOCH

    def conditions(self, kind: Kind) -> list[str]:
        """Return what the records of an object that is read whole must meet."""
        return [where(kind.cursor, ">=", self.begins(kind))] if self[kind]["floor"] else []

    def moment(self, name: str) -> datetime:
        """Return ``now``, when this sync began, or ``until``, up to when it reads."""
        return datetime.fromisoformat(self.state[name])

    def today(self, org: Org) -> date:
        """Return the day in the org on which this sync began."""
        return self.moment("now").astimezone(ZoneInfo(org.reading.time_zone)).date()

    def told(self, kind: Kind, name: str) -> str | None:
        """Return what was noted with an object's rows that readers see."""
        return self._store.watermark(kind.table, f"{kind.mark}{name}")

    def mark(self, kind: Kind, name: str) -> datetime | None:
        """Return a moment that was noted with an object's rows that readers see."""
        text = self.told(kind, name)
        return None if text is None else datetime.fromisoformat(text)

    def marks(self, org: Org) -> dict[str, dict[str, str]]:
        """Return up to where each table is read now."""
        marks: dict[str, dict[str, str]] = {}
        for kind in org.kinds:
            if kind.name not in self.state["done"]:
                continue
            own = {"": self.state["until"], ".settings": self.state["settings"]}
            own |= {".zone": org.reading.time_zone} | self._moments(kind)
            named = {f"{kind.mark}{name}": value for name, value in own.items()}
            marks[kind.table] = marks.get(kind.table, {}) | named
        return marks

    def _moments(self, kind: Kind) -> dict[str, str]:
        plan, until = self[kind], self.state["until"]
        refreshed, compared = self.told(kind, ".refreshed"), self.told(kind, ".reconciled")
        if self.reads_all(kind) or refreshed is None:
            refreshed = until
        if plan["reconcile"] or compared is None:
            compared = until
        own = {".refreshed": refreshed, ".reconciled": compared}
        own |= {".deletions": plan.get("deletions", until)}
        return own | ({".floor": plan["floor"]} if plan["floor"] else {})

    def _planned(self, org: Org, kind: Kind) -> dict[str, Any]:
        mark, until = self.mark(kind, ""), self.moment("until")
        first = mark is None or self._full or self.told(kind, ".settings") != self.state["settings"]
        compared, floor = self.mark(kind, ".reconciled"), self.mark(kind, ".floor")
        late = compared is None or until - compared >= RECONCILED
        if mark is not None and until - mark >= REMEMBERED:
            late = True
        start = self._since if first else floor
        held = mark is not None or self.state["again"]
        return {
            "whole": first,
            "stale": not first and self._is_stale(org, kind),
            "since": self._from(mark, first=first).isoformat(),
            "floor": None if start is None else start.isoformat(),
            "reconcile": not kind.is_history and held and (first or late),
            "place": None,
        }

    def _from(self, mark: datetime | None, *, first: bool) -> datetime:
        """Return since when the changes of an object are read."""
        since = None if mark is None else mark - timedelta(minutes=self._settings.overlap_minutes)
        if self._since is not None:
            since = self._since if since is None or first else min(since, self._since)
        return since or EPOCH

    def _is_stale(self, org: Org, kind: Kind) -> bool:
        """Tell whether formula fields are due to be read anew."""
        last = self.mark(kind, ".refreshed")
        due = timedelta(hours=self._settings.refresh_hours)
        is_due = last is None or self.moment("until") - last >= due
        return bool(org.wanted[kind.name].calculated) and is_due
