"""What goes into the recycle bin, and comes out of it, with a record: its history and its lines."""

from collections.abc import Mapping

from connectors.sandbox.salesforce.state import State

CHILDREN = {
    "Opportunity": {
        "OpportunityHistory": "OpportunityId",
        "OpportunityFieldHistory": "OpportunityId",
        "OpportunityLineItem": "OpportunityId",
    },
    "Lead": {"LeadHistory": "LeadId"},
}


def children(state: State, name: str, parents: Mapping[str, int]) -> dict[str, list[str]]:
    """Ids of the rows that belong to records, by object."""
    found: dict[str, list[str]] = {}
    for child, column in CHILDREN.get(name, {}).items():
        table = state.tables[child]
        at = table.kind.at[column]
        found[child] = [r[0] for r in table.rows.values() if r[at] in parents]
    return found


def cascade(state: State, name: str, parents: Mapping[str, int], *, deleted: bool) -> None:
    """Delete or restore what belongs to records, at the moment given for each.

    Lines get a new SystemModstamp; rows of history keep theirs.
    """
    for child, ids in children(state, name, parents).items():
        at = state.tables[child].kind.at[CHILDREN[name][child]]
        for record_id in ids:
            values: dict[str, object] = {"IsDeleted": deleted}
            if child == "OpportunityLineItem":
                values["SystemModstamp"] = parents[state.tables[child].rows[record_id][at]]
            state.write(child, record_id, values)
