"""What people do to single records: each at the org's time, with the history Salesforce would keep."""

from collections.abc import Mapping
from typing import Any

from connectors.sandbox.salesforce.cascade import cascade, children
from connectors.sandbox.salesforce.make_deals import expected, history_values, owner_name
from connectors.sandbox.salesforce.schema import KINDS, Row
from connectors.sandbox.salesforce.stages import stage_values
from connectors.sandbox.salesforce.state import ADMIN, State
from connectors.sandbox.salesforce.wire import day_text

TOLD = ("StageName", "Amount", "CloseDate", "Probability", "ForecastCategory")


def stamp(state: State) -> dict[str, Any]:
    """Who and when of a change made now."""
    now = state.now
    return {"LastModifiedDate": now, "LastModifiedById": ADMIN, "SystemModstamp": now}


def named(name: str, row: Row) -> dict[str, Any]:
    """Values of a row by name."""
    return {f.name: row[f.at] for f in KINDS[name].fields}


def create(state: State, name: str, values: Mapping[str, Any]) -> str:
    """Enter a record, with the first row of its history; return the id."""
    given = dict(values)
    with state.lock:
        if name == "Opportunity":
            given = _new_deal(state, given)
        if name == "Lead":
            given = {"Status": "Open - Not Contacted", "OwnerId": ADMIN, "LastName": "New"} | given
        if name == "Event":
            given.setdefault("OwnerId", ADMIN)
        record_id = str(state.add(name, given)[0])
        if name == "Opportunity":
            _tell(state, record_id, given, {})
            tracked(state, name, record_id, "created", None, None)
        if name == "Lead":
            tracked(state, name, record_id, "created", None, None)
        return record_id


def _new_deal(state: State, given: dict[str, Any]) -> dict[str, Any]:
    first = next(iter(state.tables["OpportunityStage"].rows.values()))
    stage = str(given.get("StageName", first[KINDS["OpportunityStage"].at["ApiName"]]))
    given = {
        "Name": "New deal",
        "OwnerId": ADMIN,
        "CloseDate": day_text(state.now),
        "CurrencyIsoCode": state.corporate if state.multi_currency else None,
        **stage_values(state, stage),
        **given,
    }
    given["ExpectedRevenue"] = expected({"Amount": None, **given})
    return given


def edit(state: State, name: str, record_id: str, values: Mapping[str, Any]) -> None:
    """Change a record as a person does."""
    with state.lock:
        before = named(name, state.tables[name].rows[record_id])
        after = before | dict(values)
        if name == "Opportunity":
            if "StageName" in values and values["StageName"] != before["StageName"]:
                after |= stage_values(state, values["StageName"]) | dict(values)
                after["LastStageChangeDate"] = state.now
            after["ExpectedRevenue"] = expected(after)
            if any(after[c] != before[c] for c in TOLD):
                _tell(state, record_id, after, before)
        if name == "Lead" and after["Status"] != before["Status"]:
            tracked(state, name, record_id, "Status", before["Status"], after["Status"])
        if name in ("Lead", "Opportunity") and after["OwnerId"] != before["OwnerId"]:
            _owned(state, name, record_id, before["OwnerId"], after["OwnerId"])
        state.write(name, record_id, after | stamp(state))


def _tell(state: State, deal: str, after: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Add a row to the stage history; the row before it is stamped now."""
    last = state.latest.get(deal)
    if last is not None and last in state.tables["OpportunityHistory"].rows:
        state.write("OpportunityHistory", last, {"SystemModstamp": state.now})
    values = history_values(deal, dict(after), dict(before))
    state.add("OpportunityHistory", values, late_as=deal)


def tracked(state: State, name: str, record_id: str, field: str, old: object, new: object) -> None:
    """Add a row to the field history, if the org keeps one."""
    if name == "Lead" and not state.lead_history:
        return
    history = "LeadHistory" if name == "Lead" else "OpportunityFieldHistory"
    values = {f"{name}Id": record_id, "Field": field, "DataType": "Text", "OldValue": old,
              "NewValue": new}  # fmt: skip
    state.add(history, values, late_as=record_id)


def _owned(state: State, name: str, record_id: str, before: str, after: str) -> None:
    """Tell a new owner twice, as Salesforce does: by name and by id."""
    names = [owner_name(state, owner) for owner in (before, after)]
    tracked(state, name, record_id, "Owner", *names)
    tracked(state, name, record_id, "Owner", before, after)


def delete(state: State, name: str, record_id: str) -> None:
    """Put a record into the recycle bin, with what belongs to it."""
    with state.lock:
        state.write(name, record_id, {"IsDeleted": True} | stamp(state))
        state.tables[name].log[record_id] = state.now
        cascade(state, name, {record_id: state.now}, deleted=True)


def hard_delete(state: State, name: str, record_id: str) -> None:
    """Delete a record for good: no query finds it any more, only ``deleted`` tells of it."""
    with state.lock:
        table = state.tables[name]
        table.log.setdefault(record_id, state.now)
        for child, ids in children(state, name, {record_id: state.now}).items():
            for one in ids:
                state.tables[child].remove(one)
                state.tables[child].log[one] = state.now
        table.remove(record_id)


def undelete(state: State, name: str, record_id: str) -> None:
    """Take a record out of the recycle bin, with what belongs to it."""
    with state.lock:
        state.write(name, record_id, {"IsDeleted": False} | stamp(state))
        state.tables[name].log.pop(record_id, None)
        cascade(state, name, {record_id: state.now}, deleted=False)


def merge_leads(state: State, master: str, loser: str) -> None:
    """Merge a lead into another: it is deleted, names its master, and its events go over."""
    with state.lock:
        delete(state, "Lead", loser)
        state.write("Lead", loser, {"MasterRecordId": master})
        state.write("Lead", master, stamp(state))
        _events(state, loser, {"WhoId": master})


def _events(state: State, who: str, values: Mapping[str, Any]) -> None:
    """Give the events of a lead to another record."""
    table = state.tables["Event"]
    at = table.kind.at["WhoId"]
    for record_id in [r[0] for r in table.rows.values() if r[at] == who]:
        state.write("Event", record_id, dict(values) | stamp(state))


def convert_lead(
    state: State, lead: str, *, opportunity: bool = True, account: str | None = None
) -> str | None:
    """Turn a lead into a contact of a company and, if wanted, an opportunity; return its id."""
    with state.lock:
        before = named("Lead", state.tables["Lead"].rows[lead])
        account = account or create(state, "Account", {"Name": before["Company"] or "New company"})
        contact = create(state, "Contact", {"LastName": before["LastName"], "AccountId": account})
        deal = None
        if opportunity:
            values = {"Name": f"{before['Company']}-", "AccountId": account,
                      "OwnerId": _person(before["OwnerId"])}  # fmt: skip
            deal = create(state, "Opportunity", values | {"LeadSource": before["LeadSource"]})
        status = _converted_status(state)
        if status != before["Status"]:
            tracked(state, "Lead", lead, "Status", before["Status"], status)
        tracked(state, "Lead", lead, "leadConverted", None, None)
        state.write("Lead", lead, stamp(state) | {
            "Status": status, "IsConverted": True,
            "ConvertedDate": day_text(state.now, state.zone), "ConvertedAccountId": account,
            "ConvertedContactId": contact, "ConvertedOpportunityId": deal,
        })  # fmt: skip
        _events(state, lead, {"WhoId": contact} | ({"WhatId": deal} if deal else {}))
        return deal


def _person(owner: str) -> str:
    return owner if owner.startswith("005") else ADMIN


def _converted_status(state: State) -> str:
    at = KINDS["LeadStatus"].at
    rows = state.tables["LeadStatus"].rows.values()
    return next((str(r[at["ApiName"]]) for r in rows if r[at["IsConverted"]]), "Converted")


def rename_stage(state: State, name: str, label: str, *, api_name: str | None = None) -> None:
    """Give a stage (its ApiName) a new label; with `api_name` a new name, which its deals take on.

    Old history keeps the old name. Lead statuses are renamed likewise.
    """
    with state.lock:
        table, row = _stage(state, name)
        if api_name is None:
            state.write(table, row[0], {"MasterLabel": label} | stamp(state))
            return
        state.deleted_stages[table].append(list(row))
        state.write(table, row[0], {"MasterLabel": label, "ApiName": api_name} | stamp(state))
        records, column = (
            ("Opportunity", "StageName") if table != "LeadStatus" else ("Lead", "Status")
        )
        at = KINDS[records].at[column]
        for record_id in [r[0] for r in state.tables[records].rows.values() if r[at] == name]:
            state.write(records, record_id, {column: api_name, "SystemModstamp": state.now})


def deactivate_stage(state: State, name: str) -> None:
    """Take a stage out of use; deals that are in it stay in it."""
    with state.lock:
        table, row = _stage(state, name)
        state.write(table, row[0], {"IsActive": False} | stamp(state))


def delete_stage(state: State, name: str) -> None:
    """Delete a stage or lead status; records and history keep its name."""
    with state.lock:
        table, row = _stage(state, name)
        state.deleted_stages[table].append(row)
        state.tables[table].remove(row[0])


def _stage(state: State, name: str) -> tuple[str, Row]:
    for table in ("OpportunityStage", "LeadStatus"):
        at = KINDS[table].at["ApiName"]
        for row in state.tables[table].rows.values():
            if row[at] == name:
                return table, row
    raise KeyError(f"no stage {name!r}")


def system_touch(state: State, name: str, record_id: str) -> None:
    """Let a process of Salesforce touch a record: only SystemModstamp moves."""
    with state.lock:
        state.write(name, record_id, {"SystemModstamp": state.now})


def change_formula(state: State, record_id: str, value: str) -> None:
    """Change what a formula of an opportunity gives (Account_Region__c): no stamp moves."""
    with state.lock:
        state.write("Opportunity", record_id, {"Account_Region__c": value})
