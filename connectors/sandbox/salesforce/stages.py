"""Stages of opportunities and leads: those of a fresh org, with an old org's oddities.

One stage's label is not its name, one inactive stage bears the label of an active one, two stages
are won and two lost, the order has gaps. Names in `FORMER` stand in old history only.
"""

from connectors.sandbox.salesforce.state import State

FORECAST = {
    "Pipeline": "Pipeline",
    "BestCase": "Best Case",
    "Forecast": "Commit",
    "Closed": "Closed",
    "Omitted": "Omitted",
}
# name, label, order, probability, forecast category, closed, won, active
OPPORTUNITY = (
    ("Prospecting", "Prospecting", 1, 10, "Pipeline", False, False, True),
    ("Qualification", "Qualification", 2, 10, "Pipeline", False, False, True),
    ("Needs Analysis", "Needs Analysis", 3, 20, "Pipeline", False, False, True),
    ("Value Proposition", "Value Proposition", 5, 50, "Pipeline", False, False, True),
    ("Proposal/Price Quote", "Proposal", 7, 75, "BestCase", False, False, True),
    ("Proposal_Old", "Negotiation/Review", 8, 60, "BestCase", False, False, False),
    ("Negotiation/Review", "Negotiation/Review", 9, 90, "Forecast", False, False, True),
    ("Closed Won", "Closed Won", 12, 100, "Closed", True, True, True),
    ("Closed Won - Renewal", "Renewed", 13, 100, "Closed", True, True, True),
    ("Closed Lost", "Closed Lost", 15, 0, "Omitted", True, False, True),
    ("Disqualified", "No Decision", 17, 0, "Omitted", True, False, False),
)  # fmt: skip
FORMER = ("Perception Analysis", "Id. Decision Makers")
# name, label, order, is default, is converted
LEAD = (
    ("Open - Not Contacted", "Open - Not Contacted", 1, True, False),
    ("Working - Contacted", "Working", 2, False, False),
    ("Nurturing", "Nurturing", 4, False, False),
    ("Closed - Converted", "Closed - Converted", 6, False, True),
    ("Closed - Not Converted", "Closed - Not Converted", 7, False, False),
)
FORMER_LEAD = ("Contacted (old)",)


def opportunity_stage(
    state: State, name: str, label: str, order: int, probability: float, category: str,
    closed: bool, won: bool, active: bool,  # noqa: FBT001 - the columns of the list above
) -> None:  # fmt: skip
    """Enter a stage of opportunities."""
    state.add(
        "OpportunityStage",
        {
            "ApiName": name,
            "MasterLabel": label,
            "SortOrder": order,
            "DefaultProbability": float(probability),
            "ForecastCategory": category,
            "ForecastCategoryName": FORECAST[category],
            "IsClosed": closed,
            "IsWon": won,
            "IsActive": active,
            "CreatedDate": 1_640_995_200,
        },
    )


def lead_status(
    state: State,
    name: str,
    label: str,
    order: int,
    default: bool,  # noqa: FBT001 - the columns of the list above
    converted: bool,  # noqa: FBT001
) -> None:
    """Enter a status of leads."""
    state.add(
        "LeadStatus",
        {
            "ApiName": name,
            "MasterLabel": label,
            "SortOrder": order,
            "IsDefault": default,
            "IsConverted": converted,
            "CreatedDate": 1_640_995_200,
        },
    )


def stage_values(state: State, name: str) -> dict[str, object]:
    """What an opportunity's other fields become when it enters a stage."""
    table = state.tables["OpportunityStage"]
    at = table.kind.at
    rows = list(table.rows.values())
    found = [r for column in ("ApiName", "MasterLabel") for r in rows if r[at[column]] == name]
    taken = {"Probability": "DefaultProbability", "IsClosed": "IsClosed", "IsWon": "IsWon",
             "ForecastCategory": "ForecastCategory",
             "ForecastCategoryName": "ForecastCategoryName"}  # fmt: skip
    values = {field: found[0][at[column]] for field, column in taken.items()} if found else {}
    return {"StageName": name, **values}
