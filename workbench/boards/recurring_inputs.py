"""What the recurring board can be asked, and where its gross margin begins."""

import narwhals as nw

from kpi import Snapshot, lifetime_value
from kpi.engine import collect
from workbench.boards.inputs import NumberInput
from workbench.boards.team_inputs import nothing

WHOLE = ""
COLUMNS = {
    "product": "subscriptions",
    "industry": "accounts",
    "region": "accounts",
    "size": "accounts",
}


def parts(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Columns by which recurring revenue can be broken down: those with more than one value."""
    found = [("not broken down", WHOLE)]
    for column, table in COLUMNS.items():
        if {table, "subscriptions"} <= snapshot.present:
            values = collect(snapshot.table(table).lazy().select(nw.col(column)).unique())
            found += [(f"by {column}", column)] if len(values.dropna()) > 1 else []
    return found


def margin(snapshot: Snapshot) -> NumberInput:
    """Input of the gross margin: that of the won deals where they tell it."""
    share, note = 1.0, "not known: revenue, nothing taken off"
    if "subscriptions" in snapshot.present:
        row = lifetime_value(snapshot).iloc[0]
        known = [part for part in row["note"].split("; ") if part.startswith("margin of")]
        share, note = float(row["margin"]), known[-1] if known else note
    return NumberInput(
        "Gross margin, %", round(100 * share, 1), history=note, step=1, changed=nothing
    )
