"""Records as JSON text, made once for each record and set of properties."""

from collections.abc import Sequence

from connectors.sandbox.hubspot.schema import TYPES
from connectors.sandbox.hubspot.shelf import Entry, Record
from connectors.sandbox.hubspot.state import State
from connectors.sandbox.hubspot.wire import Json, dumps, iso

FRAGMENTS = 100_000


class Renderer:
    """Writes records of one type with the properties and histories asked for.

    Names that are not defined are passed over; three properties always come along.
    """

    def __init__(
        self, account: State, kind: str, asked: Sequence[str], histories: Sequence[str] = ()
    ) -> None:
        self.account, self.kind = account, kind
        known, what = account.definitions(kind), TYPES[kind]
        defaults = () if histories else what.defaults  # as recorded: a history asked for is enough
        wanted = {*(asked or defaults), *what.always, *histories}
        self.names = sorted(n for n in wanted if n in known)
        self.histories = [n for n in dict.fromkeys(histories) if n in known]
        self.stage_times = any(n.startswith("hs_v2_") for n in self.names)
        self.shelf = account.shelves[kind]
        spec = (tuple(self.names), tuple(self.histories))
        # durations that run on are worked out anew
        running = any("_time_in_" in n for n in self.names)
        self.cache = {} if running else self.shelf.fragments.setdefault(spec, {})

    def text(self, record: Record) -> str:
        """Write a record as it is now."""
        found = self.cache.get(record.id)
        if found is None:
            found = dumps(self.as_json(record))
            if len(self.cache) < FRAGMENTS:
                self.cache[record.id] = found
        return found

    def as_json(self, record: Record) -> Json:
        """State a record as the API does."""
        values = self.account.values(self.kind, record, stage_times=self.stage_times)
        body: Json = {
            "id": str(record.id),
            "properties": {name: values.get(name) for name in self.names},
        }
        if self.histories:
            body["propertiesWithHistory"] = {
                name: [_entry(e) for e in reversed(self._entries(record, name, values))]
                for name in self.histories
            }
        body["createdAt"], body["updatedAt"] = iso(record.created), iso(record.modified)
        body["archived"] = record.archived_at is not None
        if record.archived_at is not None:
            body["archivedAt"] = iso(record.archived_at)
        return body

    def _entries(self, record: Record, name: str, values: dict[str, str]) -> tuple[Entry, ...]:
        found = record.entries(name)
        if found or name in record.history or name not in values:
            return found
        return ((record.created, values[name], "CALCULATED"),)


def _entry(entry: Entry) -> Json:
    moment, value, source = entry
    body: Json = {"value": value, "timestamp": iso(moment), "sourceType": source}
    if source == "CRM_UI":
        body |= {"sourceId": "userId:28604240", "updatedByUserId": 28604240}
    elif source == "CALCULATED":
        body["sourceId"] = "CalculatedPropertyComputer"
    return body
