"""History of canonical tables as Salesforce keeps it: whole rows for deals, single fields for leads."""

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from connectors.sandbox.salesforce.make_deals import expected, history_values
from connectors.sandbox.salesforce.stages import stage_values
from connectors.sandbox.salesforce.state import State
from connectors.sandbox.salesforce.wire import day_text

Row = dict[str, Any]
Person = Callable[[str | None], str | None]
Foreign = Callable[[float | None, str | None, str | None], float | None]


def when(value: Any) -> int | None:  # noqa: ANN401 - a moment of a table
    """Seconds since 1970 of a moment or day of a table."""
    return None if value is None else int(pd.Timestamp(value).timestamp())


def day(value: Any) -> str | None:  # noqa: ANN401
    """Day of a moment or day of a table, as ``2026-11-01``."""
    moment = when(value)
    return None if moment is None else day_text(moment)


class Past:
    """Enters histories. `person` finds a user's id, `foreign` an amount in a deal's currency."""

    def __init__(self, state: State, rows: list[Row], person: Person, foreign: Foreign) -> None:
        self.state, self.person, self.foreign = state, person, foreign
        self.rows: dict[str, list[Row]] = {}
        for row in sorted(rows, key=lambda r: r["changed_at"]):
            self.rows.setdefault(row["record_id"], []).append(row)

    def first(self, word: str, created: Any) -> int:  # noqa: ANN401
        """When a record was created: as stated, else its first row of history."""
        told = [when(row["changed_at"]) or 0 for row in self.rows.get(word, ())]
        return when(created) or (told[0] if told else 0)

    def deal(self, word: str, deal: str, values: Row) -> int | None:
        """Enter the past of a deal; return when it last changed."""
        last, before = None, Row()
        for moment, now in self._states(word, deal, values):
            self.state.add("OpportunityHistory", history_values(deal, now, before) | {
                "CreatedDate": moment, "SystemModstamp": moment,
            })  # fmt: skip
            last, before = moment, now
        return last

    def _states(self, word: str, deal: str, values: Row) -> Iterator[tuple[int, Row]]:
        """What a deal was after each change of stage, amount, close date or probability."""
        code, home = values["CurrencyIsoCode"], None
        now: Row = {"CurrencyIsoCode": code, "Amount": None, "CloseDate": values["CloseDate"]}
        for row in self.rows.get(word, ()):
            moment = when(row["changed_at"]) or 0
            if row["owner_id"] is not None:
                self._owner(
                    "OpportunityFieldHistory", {"OpportunityId": deal}, moment, row["owner_id"]
                )
            if row["stage_id"] is not None:
                now |= stage_values(self.state, row["stage_id"])
            if row["close_date"] is not None:
                now["CloseDate"] = day(row["close_date"])
            if row["probability"] is not None:
                now["Probability"] = round(row["probability"] * 100, 6)
            home = row["amount"] if row["amount"] is not None else home
            now["Amount"] = self.foreign(home, code, now["CloseDate"])
            now["ExpectedRevenue"] = expected(now)
            if any(row[c] is not None for c in ("stage_id", "amount", "close_date", "probability")):
                yield moment, dict(now)

    def lead(self, word: str, lead: str, converted: int | None) -> int | None:
        """Enter the past of a lead; return when it last changed."""
        last, status = None, None
        for row in self.rows.get(word, ()):
            last = when(row["changed_at"]) or 0
            if row["owner_id"] is not None:
                self._owner("LeadHistory", {"LeadId": lead}, last, row["owner_id"])
            if row["stage_id"] is not None and row["stage_id"] != status:
                self._lead_row(lead, last, "Status", status, row["stage_id"])
                status = row["stage_id"]
        if converted is not None:
            self._lead_row(lead, converted, "leadConverted", None, None)
            last = max(last or 0, converted)
        return last

    def _lead_row(self, lead: str, moment: int, field: str, old: object, new: object) -> None:
        self.state.add("LeadHistory", {
            "LeadId": lead, "Field": field, "OldValue": old, "NewValue": new, "DataType": "Text",
            "CreatedDate": moment,
        })  # fmt: skip

    def _owner(self, history: str, parent: Row, moment: int, word: str) -> None:
        owner = self.person(word)
        if owner is not None:
            name = self.state.tables["User"].get(owner, "Name")
            for new in (name, owner):
                self.state.add(history, parent | {
                    "Field": "Owner", "DataType": "Text", "NewValue": new, "CreatedDate": moment,
                })  # fmt: skip
