"""What happens in an org over time: seeded changes of every kind, and those of many records at once."""

from collections.abc import Callable
from random import Random
from typing import Any

from connectors.sandbox.salesforce import edits
from connectors.sandbox.salesforce.make_deals import OPEN, SOURCES
from connectors.sandbox.salesforce.make_org import older, sellers_of
from connectors.sandbox.salesforce.schema import KINDS, Row
from connectors.sandbox.salesforce.state import State
from connectors.sandbox.salesforce.wire import DAY, HOUR, add_days, day_text
from connectors.sandbox.wire import chance

MONTHS_24 = 24 * 30.4375 * DAY
TRACKED = ("LeadHistory", "OpportunityFieldHistory")


def touch(state: State, n: int = 1, seed: int = 0) -> list[str]:
    """Change n random opportunities or leads; return their ids."""
    rng, found = chance(seed, 77), []
    with state.lock:
        for _ in range(n):
            name = "Opportunity" if rng.random() < 0.7 else "Lead"
            record_id = any_id(state, name, rng)
            if record_id is not None:
                edits.edit(state, name, record_id, _values(state, name, record_id, rng))
                found.append(record_id)
    return found


def any_id(
    state: State, name: str, rng: Random, test: Callable[[dict[str, int], Row], bool] | None = None
) -> str | None:
    """Id of a random record that is not deleted and meets a test; None if none was hit upon."""
    table = state.tables[name]
    at, ids = table.kind.at, list(table.rows)
    for _ in range(50 if ids else 0):
        row = table.rows[rng.choice(ids)]
        deleted = "IsDeleted" in at and row[at["IsDeleted"]]
        if not deleted and (test is None or test(at, row)):
            return str(row[0])
    return None


def _values(state: State, name: str, record_id: str, rng: Random) -> dict[str, Any]:
    """Draw what a person changes."""
    draw = rng.random()
    if name == "Lead":
        return _lead_values(state, record_id, rng, draw)
    if draw < 0.4:
        return {"StageName": rng.choice(_names(state, "OpportunityStage"))}
    if draw < 0.6:
        return {"Amount": rng.choice((None, 0.0, round(rng.uniform(0, 90_000), 2)))}
    if draw < 0.75:
        return {"CloseDate": add_days(day_text(state.now), rng.randint(-30, 120))}
    if draw < 0.9:
        return {"OwnerId": rng.choice(sellers_of(state))}
    return {"Market_Segment__c": rng.choice(("SMB", "Mid", "Enterprise", ""))}


def _lead_values(state: State, record_id: str, rng: Random, draw: float) -> dict[str, Any]:
    if draw < 0.3:
        return {"OwnerId": rng.choice([*sellers_of(state), *state.tables["Group"].rows])}
    if draw < 0.45 or state.tables["Lead"].get(record_id, "IsConverted"):
        return {"LeadSource": rng.choice(SOURCES)}
    return {"Status": rng.choice(_names(state, "LeadStatus", "IsConverted"))}


def _names(state: State, table: str, unless: str | None = None) -> list[str]:
    at = KINDS[table].at
    rows = state.tables[table].rows.values()
    return [r[at["ApiName"]] for r in rows if unless is None or not r[at[unless]]]


def bulk_edit(state: State, n: int = 10_050, name: str = "Lead") -> int:
    """Change n records (or all there are) in one second; return how many."""
    with state.lock:
        ids = [r[0] for r in state.live(name)][:n]
        for record_id in ids:
            state.write(name, record_id, {"Description": "Edited"} | edits.stamp(state))
        return len(ids)


def purge_history(state: State) -> int:
    """Let the org drop field history older than 24 months, which nothing reports; return how much."""
    with state.lock:
        gone = 0
        for name in TRACKED:
            table = state.tables[name]
            at = table.kind.at["CreatedDate"]
            old = [r for r in table.rows.values() if r[at] < state.now - MONTHS_24]
            for row in old:
                table.remove(row[0])
            table.purged += old
            gone += len(old)
        return gone


def archive_events(state: State) -> int:
    """Archive events of more than a year ago: only queryAll finds them; return how many."""
    with state.lock:
        at = KINDS["Event"].at
        old = [r[0] for r in state.live("Event")
               if not r[at["IsArchived"]] and older(r[at["StartDateTime"]], state.now, 365)]  # fmt: skip
        for record_id in old:
            state.write("Event", record_id, {"IsArchived": True})
        return len(old)


def mutate(state: State, n: int = 10, seed: int = 0) -> None:
    """Let n random things happen: mostly edits, some new records, and one in three of the rest."""
    rng = chance(seed, 80)
    does = list(_DOES.values())
    with state.lock:
        for k in range(n):
            if rng.random() < 0.5:
                touch(state, 1, seed * 100_003 + k)
            else:
                rng.choice(does)(state, rng)


def _new_deal(state: State, rng: Random) -> None:
    code = rng.choice((state.corporate, "EUR", "GBP")) if state.multi_currency else None
    edits.create(state, "Opportunity", {
        "Name": f"New deal {rng.randrange(10_000)}", "AccountId": any_id(state, "Account", rng),
        "StageName": rng.choice([n for n in _names(state, "OpportunityStage") if n in OPEN] or
                                _names(state, "OpportunityStage")),
        "Amount": round(rng.uniform(500, 90_000), 2), "CurrencyIsoCode": code,
        "CloseDate": add_days(day_text(state.now), rng.randint(1, 90)),
        "OwnerId": rng.choice(sellers_of(state)), "LeadSource": rng.choice(SOURCES),
    })  # fmt: skip


def _new_lead(state: State, rng: Random) -> None:
    edits.create(state, "Lead", {
        "LastName": f"New {rng.randrange(10_000)}", "Name": "New lead", "Company": "New company",
        "OwnerId": rng.choice(sellers_of(state)), "LeadSource": rng.choice(SOURCES),
    })  # fmt: skip


def _new_event(state: State, rng: Random) -> None:
    starts = state.now + rng.randint(-5, 20) * DAY
    edits.create(state, "Event", {
        "Subject": "Call", "WhoId": any_id(state, "Lead", rng), "StartDateTime": starts,
        "ActivityDateTime": starts, "ActivityDate": day_text(starts),
        "EndDateTime": starts + HOUR, "WhatId": any_id(state, "Opportunity", rng),
        "OwnerId": rng.choice(sellers_of(state)),
    })  # fmt: skip


def _not_converted(at: dict[str, int], row: Row) -> bool:
    return not row[at["IsConverted"]]


def _convert(state: State, rng: Random) -> None:
    lead = any_id(state, "Lead", rng, _not_converted)
    if lead is not None:
        edits.convert_lead(state, lead, opportunity=rng.random() < 0.7)


def _merge(state: State, rng: Random) -> None:
    a, b = (any_id(state, "Lead", rng, _not_converted) for _ in range(2))
    if a is not None and b is not None and a != b:
        edits.merge_leads(state, a, b)


def _kind(rng: Random) -> str:
    return rng.choice(("Opportunity", "Lead", "Event", "OpportunityLineItem", "Account"))


def _delete(state: State, rng: Random) -> None:
    name = _kind(rng)
    record_id = any_id(state, name, rng)
    if record_id is not None:
        edits.delete(state, name, record_id)


def _hard(state: State, rng: Random) -> None:
    name = _kind(rng)
    ids = [r for r in state.tables[name].log if r in state.tables[name].rows]
    if ids:
        edits.hard_delete(state, name, rng.choice(ids))


def _undelete(state: State, rng: Random) -> None:
    name = _kind(rng)
    table = state.tables[name]
    master = table.kind.at.get("MasterRecordId")
    ids = [r for r in table.log if r in table.rows and not (master and table.rows[r][master])]
    parent = table.kind.at.get("OpportunityId")
    deals = state.tables["Opportunity"]
    if parent is not None:  # a line comes back only with its deal
        ids = [r for r in ids if deals.get(table.rows[r][parent], "IsDeleted") is False]
    if ids:
        edits.undelete(state, name, rng.choice(ids))


def _system(state: State, rng: Random) -> None:
    name = _kind(rng)
    record_id = any_id(state, name, rng)
    if record_id is not None:
        edits.system_touch(state, name, record_id)


def _formula(state: State, rng: Random) -> None:
    record_id = any_id(state, "Opportunity", rng)
    if record_id is not None:
        edits.change_formula(state, record_id, f"Region {rng.randrange(20)}")


def _label(state: State, rng: Random) -> None:
    name = rng.choice(
        [n for n in _names(state, "OpportunityStage") if n not in ("Proposal/Price Quote",)]
    )
    edits.rename_stage(state, name, f"{name.split(' (')[0]} ({rng.randrange(99)})")


def _line(state: State, rng: Random) -> None:
    record_id = any_id(state, "OpportunityLineItem", rng)
    if record_id is not None:
        edits.edit(
            state, "OpportunityLineItem", record_id, {"MRR__c": round(rng.uniform(1, 900), 2)}
        )


def _person(state: State, rng: Random) -> None:
    owner = rng.choice(sellers_of(state))
    edits.edit(state, "User", owner, {"IsActive": rng.random() < 0.8})


def _company(state: State, rng: Random) -> None:
    record_id = any_id(state, "Account", rng)
    if record_id is not None:
        edits.edit(state, "Account", record_id, {"NumberOfEmployees": rng.randrange(1, 9_999)})


_DOES: dict[str, Callable[[State, Random], None]] = {
    "deal": _new_deal,
    "lead": _new_lead,
    "event": _new_event,
    "convert": _convert,
    "merge": _merge,
    "delete": _delete,
    "hard": _hard,
    "undelete": _undelete,
    "system": _system,
    "formula": _formula,
    "label": _label,
    "line": _line,
    "person": _person,
    "company": _company,
}
