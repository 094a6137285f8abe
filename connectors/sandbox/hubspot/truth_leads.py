"""Which records are leads, and since when."""

from dataclasses import dataclass

from connectors.sandbox.hubspot.schema import LIFECYCLE
from connectors.sandbox.hubspot.shelf import Record
from connectors.sandbox.hubspot.state import State

ASIDE = {"subscriber", "evangelist", "other"}
_ORDER = [value for value, _, _ in LIFECYCLE]
REACHED = {value for value in _ORDER[_ORDER.index("lead") :] if value not in ASIDE}


@dataclass(frozen=True)
class Lead:
    """A record that is a lead, and when it became one (milliseconds)."""

    record: Record
    created: int


def leads_of(account: State, *, by_object: bool) -> dict[int, Lead]:
    """Leads by id: records of the leads object, or contacts that ever reached the stage `lead`."""
    if by_object:
        return {r.id: Lead(r, r.created) for r in account.shelves["leads"].records()}
    found = {}
    for record in account.shelves["contacts"].records():
        reached = [t for t, value, _ in record.entries("lifecyclestage") if value in REACHED]
        if reached:
            found[record.id] = Lead(record, min(reached))
        elif record.props.get("lifecyclestage") in REACHED:
            found[record.id] = Lead(record, record.created)
    return found
