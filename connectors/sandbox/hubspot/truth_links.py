"""Which company, and which lead, a record belongs to."""

from collections.abc import Mapping

from connectors.sandbox.hubspot.links import PRIMARY, association_types
from connectors.sandbox.hubspot.state import State
from connectors.sandbox.hubspot.truth_leads import Lead
from connectors.sandbox.hubspot.wire import DAY

MAIN = {"deals": 5, "contacts": 1}


def company_of(account: State, kind: str, record_id: int) -> str | None:
    """Id of the primary company, else of the lowest id; None if there is no company."""
    found = account.linked(kind, record_id, "companies")
    if not found:
        return None
    marked = [i for i, how in found.items() if how == PRIMARY and _marks(kind)]
    return str(min(marked or found))


def _marks(kind: str) -> bool:
    types = association_types((kind, "companies"), PRIMARY)
    return any(t["label"] == "Primary" or t["typeId"] == MAIN.get(kind) for t in types)


def lead_of(
    account: State,
    kind: str,
    record_id: int,
    moment: int | None,
    leads: Mapping[int, Lead],
    *,
    by_object: bool,
) -> str | None:
    """Id of the lead a deal or meeting came from: the last that came in before it, a day's grace.

    None if no contact of it is, or has, a lead.
    """
    people = account.linked(kind, record_id, "contacts")
    ids = (
        {lead for person in people for lead in account.linked("contacts", person, "leads")}
        if by_object
        else set(people)
    )
    known = (leads[i] for i in ids if i in leads)
    in_time = [
        (lead.created, lead.record.id)
        for lead in known
        if lead.created is not None and (moment is None or lead.created <= moment + DAY)
    ]
    return str(max(in_time)[1]) if in_time else None
