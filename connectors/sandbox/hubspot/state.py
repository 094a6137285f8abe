"""What an account holds: records, links, pipelines, owners, settings and a clock."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import RLock
from zoneinfo import ZoneInfo

from connectors.sandbox.hubspot import stage_dates
from connectors.sandbox.hubspot.links import Links
from connectors.sandbox.hubspot.pipelines import Pipeline, Stage, deal_pipelines, lead_pipelines
from connectors.sandbox.hubspot.schema import TYPES, definition, specs
from connectors.sandbox.hubspot.shelf import ARCHIVED, GONE, LIVE, Record, Shelf
from connectors.sandbox.hubspot.wire import DAY, Json, iso

RESTORABLE = 90 * DAY


@dataclass
class Owner:
    """A user of the account; `teams` are (name, is primary)."""

    id: int
    first: str
    last: str
    email: str
    teams: tuple[tuple[str, bool], ...] = ()
    archived: bool = False
    queue: bool = False

    def as_json(self) -> Json:
        """State it as the API does; somebody deactivated has no user id any more."""
        user = self.id % 1_000_000 + 50_000
        return {
            "id": str(self.id),
            "email": self.email,
            "type": "QUEUE" if self.queue else "PERSON",
            "firstName": self.first,
            "lastName": self.last,
            "userId": None if self.archived else user,
            "userIdIncludingInactive": user,
            "createdAt": "2022-03-01T08:00:12.345Z",
            "updatedAt": "2025-11-20T16:31:00.001Z",
            "archived": self.archived,
            "teams": [
                {"id": str(900 + n), "name": name, "primary": primary}
                for n, (name, primary) in enumerate(self.teams)
            ],
        }


@dataclass
class State:
    """Everything a HubSpot account holds.

    Times are milliseconds since 1970, UTC. Whoever reads or changes it from several threads holds
    `lock`. With `fixed_now` the clock moves only when told.
    """

    shelves: dict[str, Shelf] = field(default_factory=lambda: {name: Shelf() for name in TYPES})
    links: Links = field(default_factory=lambda: Links({}))
    pipelines: dict[str, list[Pipeline]] = field(
        default_factory=lambda: {"deals": deal_pipelines(), "leads": lead_pipelines()}
    )
    owners: list[Owner] = field(default_factory=list)
    has_leads: bool = True
    time_zone: str = "America/New_York"
    currency: str = "USD"
    rates: dict[str, float] = field(default_factory=lambda: {"EUR": 1.08})
    portal_id: int = 26892217
    ui_domain: str = "app.hubspot.com"
    fixed_now: int | None = None
    offset: int = 0
    lag: int = 0
    many_properties: bool = False
    custom: dict[str, dict[str, str]] = field(default_factory=dict)
    tombstones: list[tuple[str, str, Stage]] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock, repr=False)
    _definitions: dict[str, dict[str, Json]] = field(default_factory=dict, repr=False)

    # the clock

    @property
    def now(self) -> int:
        """The account's time, in milliseconds since 1970."""
        base = time.time_ns() // 1_000_000 if self.fixed_now is None else self.fixed_now
        return base + self.offset

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.offset += round(seconds * 1_000)

    @property
    def zone(self) -> ZoneInfo:
        """The account's time zone."""
        return ZoneInfo(self.time_zone)

    # records

    def keep(self, kind: str, record: Record, state: int = LIVE) -> Record:
        """Put a record's new state into the account."""
        with self.lock:
            self.shelves[kind].put(record, self.now, self.lag, state)
        return record

    def find(self, kind: str, record_id: int) -> Record:
        """Live record of that id.

        Raises
        ------
        KeyError
            If there is none, or it is archived.
        """
        record = self.shelves[kind].live(record_id)
        if record is None:
            raise KeyError(f"no {kind} record {record_id}")
        return record

    def new_id(self, kind: str) -> int:
        """Id for a new record, above all there are."""
        ids = self.shelves[kind].ids
        return (ids[-1] if ids else 1_000_000) + 37

    def linked(self, start: str, record_id: int, end: str) -> dict[int, int]:
        """Live records of type `end` linked to a record, each with the link's kind."""
        found = self.links.of(start, record_id, end)
        hidden = self.shelves[end].hidden
        if not hidden:
            return dict(found)
        return {other: kind for other, kind in found.items() if other not in hidden}

    def archived_ids(self, kind: str) -> list[int]:
        """Ids that a listing of archived records shows: at most 90 days old."""
        shelf, oldest = self.shelves[kind], self.now - RESTORABLE
        states = (i for i in sorted(shelf.hidden) if shelf.state[shelf.row(i)] == ARCHIVED)
        return [i for i in states if (shelf.changed[i].archived_at or 0) >= oldest]

    def is_gone(self, kind: str, record_id: int) -> bool:
        """Whether a record was merged away or purged."""
        shelf = self.shelves[kind]
        row = shelf.row(record_id)
        return row >= 0 and shelf.state[row] == GONE

    # what a property is worth, and which there are

    def values(self, kind: str, record: Record, *, stage_times: bool = False) -> dict[str, str]:
        """Every value of a record, as text; what is not there is null."""
        known = TYPES[kind]
        found = dict(record.props)
        found[known.created] = found["hs_createdate"] = iso(record.created)
        found[known.modified] = iso(record.modified)
        found["hs_object_id"] = str(record.id)
        if stage_times and kind in stage_dates.STAGE_PROPERTY:
            found |= stage_dates.values(kind, record, self.suffixes(kind), self.now)
        return found

    def suffixes(self, kind: str) -> dict[str, str]:
        """Ending of the stage-date properties by stage id, for every stage there is."""
        return stage_dates.suffixes(kind, self.pipelines.get(kind, []))

    def definitions(self, kind: str) -> dict[str, Json]:
        """Property list of a type, by name."""
        if kind not in self._definitions:
            singular = TYPES[kind].singular
            wanted = specs(kind) | self.custom.get(kind, {})
            if self.many_properties and kind in ("deals", "contacts"):
                wanted |= {f"custom_field_{n:03d}_of_a_long_name": "string+" for n in range(900)}
            found = {name: definition(name, spec, singular) for name, spec in wanted.items()}
            for name, label in stage_dates.names(kind, self.pipelines.get(kind, [])).items():
                spec = "datetime*" if "_date_" in name else "number*"
                found[name] = definition(name, spec, singular, label=label)
            self._definitions[kind] = found
        return self._definitions[kind]

    def forget_definitions(self) -> None:
        """Stages or properties changed: what was worked out from them is stale."""
        self._definitions.clear()
        for shelf in self.shelves.values():
            shelf.fragments.clear()

    def stage(self, kind: str, stage_id: str | None) -> tuple[Pipeline, Stage] | None:
        """Pipeline and stage of a stage id, if there is one."""
        found = ((p, p.stage(stage_id)) for p in self.pipelines[kind] if stage_id)
        return next(((p, s) for p, s in found if s is not None), None)

    def sees_leads(self) -> bool:
        """Whether leads are the leads object: the account has it and it holds a record."""
        return self.has_leads and len(self.shelves["leads"]) > 0

    def active_owners(self) -> Iterable[Owner]:
        """Owners who can be given records."""
        return [o for o in self.owners if not o.archived and not o.queue]
