"""History of canonical tables as HubSpot keeps it: entries of each property."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from connectors.sandbox.hubspot.shelf import Entry
from connectors.sandbox.hubspot.wire import DAY, iso, plain

Row = dict[str, Any]
Past = dict[str, tuple[Entry, ...]]

UI, NOON = "CRM_UI", DAY // 2
# properties of the canonical columns that a change of a deal or lead may tell
TRACED = {
    "deals": {
        "stage_id": "dealstage",
        "pipeline_id": "pipeline",
        "amount": "amount_in_home_currency",
        "close_date": "closedate",
        "owner_id": "hubspot_owner_id",
    },
    "leads": {
        "stage_id": "hs_pipeline_stage",
        "pipeline_id": "hs_pipeline",
        "status": "hs_lead_label",
        "owner_id": "hubspot_owner_id",
    },
}


def past_of(rows: Iterable[Row], owners: Mapping[str, int]) -> dict[tuple[str, str], Past]:
    """Entries by type and record; `owners` numbers those that the rows name by a text."""
    found: dict[tuple[str, str], Past] = {}
    for row in sorted(rows, key=lambda row: row["changed_at"]):
        kind, moment = f"{row['object']}s", milliseconds(row["changed_at"]) or 0
        past = found.setdefault((kind, row["record_id"]), {})
        for column, name in TRACED[kind].items():
            if row[column] is not None:
                value = _traced(column, row[column], moment, owners)
                earlier = tuple(e for e in past.get(name, ()) if e[0] < moment)
                if column != "pipeline_id" or not earlier or earlier[-1][1] != value:
                    past[name] = (*earlier, (moment, value, UI))
    return found


def _traced(column: str, value: Any, moment: int, owners: Mapping[str, int]) -> str:  # noqa: ANN401
    if column == "owner_id":
        return str(owners[value]) if value in owners else ""
    if column == "close_date":  # of a day only its noon is known, or the closing itself
        day = milliseconds(value) or 0
        return iso(moment if moment // DAY * DAY == day else day + NOON)
    return text(value) or ""


def milliseconds(value: Any) -> int | None:  # noqa: ANN401 - a moment of a table
    """Milliseconds since 1970 of a moment or day of a table."""
    return None if value is None else int(pd.Timestamp(value).timestamp() * 1_000)


def time_text(value: Any) -> str | None:  # noqa: ANN401
    """Write a moment as HubSpot does."""
    moment = milliseconds(value)
    return None if moment is None else iso(moment)


def noon(value: Any) -> str | None:  # noqa: ANN401
    """Write the noon, UTC, of a day."""
    moment = milliseconds(value)
    return None if moment is None else iso(moment + NOON)


def text(value: Any) -> str | None:  # noqa: ANN401
    """Write a number or word as a property's value."""
    if value is None or isinstance(value, str):
        return value
    return plain(float(value))


def first(created: Any, past: Past) -> int:  # noqa: ANN401
    """When a record was created: as stated, else its first entry."""
    return milliseconds(created) or min((e[0][0] for e in past.values() if e), default=0)


def last(row: Row, past: Past) -> int:
    """When a record was last changed: as stated, but not before its last entry."""
    moments = [e[-1][0] for e in past.values() if e]
    return max([milliseconds(row["updated_at"]) or 0, *moments])
