"""Rows of the table ``history``, and what the histories tell of closing and conversion."""

from collections.abc import Iterable, Iterator
from typing import Any

from connectors.sandbox.salesforce.schema import Row
from connectors.sandbox.salesforce.state import State
from connectors.sandbox.salesforce.truth_reading import Money, Reader
from connectors.sandbox.salesforce.truth_stages import Stages


class Past:
    """The histories of live records, by record, oldest first. `purged` rows count as still there."""

    def __init__(self, state: State, *, purged: bool) -> None:
        self.readers: dict[str, Reader] = {}
        self.rows: dict[str, dict[str, list[Row]]] = {}
        for name, parent, column in (
            ("OpportunityHistory", "Opportunity", "OpportunityId"),
            ("OpportunityFieldHistory", "Opportunity", "OpportunityId"),
            ("LeadHistory", "Lead", "LeadId"),
        ):
            reader = self.readers[name] = Reader(state, name)
            live = {r[0] for r in Reader(state, parent).rows}
            old = state.tables[name].purged if purged and reader.at else []
            found: dict[str, list[Row]] = {}
            at = state.tables[name].kind.at
            for row in (*reader.rows, *old):
                if row[at[column]] in live:
                    found.setdefault(row[at[column]], []).append(row)
            for rows in found.values():
                rows.sort(key=lambda r: (r[at["CreatedDate"]], r[0]))
            self.rows[name] = found

    def entered(self, deal: str, stage: str | None, stages: Stages) -> int | None:
        """When a deal last came into a stage (seconds)."""
        read, before, found = self.readers["OpportunityHistory"], None, None
        for row in self.rows["OpportunityHistory"].get(deal, ()):
            name = stages.find(read(row, "StageName"))
            if name == stage != before:
                found = read(row, "CreatedDate")
            before = name
        return found

    def converted(self, lead: str) -> int | None:
        """When a lead was converted, by its history (seconds)."""
        read = self.readers["LeadHistory"]
        rows = self.rows["LeadHistory"].get(lead, ())
        told = [read(r, "CreatedDate") for r in rows if read(r, "Field") == "leadConverted"]
        return told[-1] if told else None

    def deal_rows(
        self, codes: dict[str, str | None], money: Money, stages: Stages
    ) -> Iterator[Any]:
        """Rows of deals; `codes` are their currencies."""
        read = self.readers["OpportunityHistory"]
        for deal, rows in self.rows["OpportunityHistory"].items():
            made = {}
            for row in rows:
                code = read(row, "CurrencyIsoCode") or codes.get(deal)
                day, chance = read(row, "CloseDate"), read(row, "Probability")
                stage = stages.find(read(row, "StageName"))
                made[read(row, "CreatedDate"), stage] = {
                    "object": "deal",
                    "record_id": deal,
                    "changed_at": read(row, "CreatedDate") * 1_000,
                    "stage_id": stage,
                    "amount": money.home_amount(read(row, "Amount"), code, day),
                    "close_date": day,
                    "probability": None if chance is None else chance / 100,
                }
            yield from made.values()
        yield from self._owners("OpportunityFieldHistory", "deal")

    def lead_rows(self, stages: Stages) -> Iterator[Any]:
        """Rows of leads."""
        read = self.readers["LeadHistory"]
        for lead, rows in self.rows["LeadHistory"].items():
            made = {}
            for row in rows:
                if read(row, "Field") == "Status":
                    name = read(row, "NewValue")
                    stage = stages.find(name)
                    made[read(row, "CreatedDate"), stage] = {
                        "object": "lead",
                        "record_id": lead,
                        "changed_at": read(row, "CreatedDate") * 1_000,
                        "stage_id": stage,
                        "status": name,
                    }
            yield from made.values()
        yield from self._owners("LeadHistory", "lead")

    def _owners(self, name: str, what: str) -> Iterable[Any]:
        """Rows that tell a new owner: those with an id, not those with a name."""
        read = self.readers[name]
        for record_id, rows in self.rows[name].items():
            made = {}
            for row in rows:
                owner = read(row, "NewValue")
                if read(row, "Field") == "Owner" and str(owner).startswith("005"):
                    made[read(row, "CreatedDate")] = {
                        "object": what,
                        "record_id": record_id,
                        "changed_at": read(row, "CreatedDate") * 1_000,
                        "owner_id": owner,
                    }
            yield from made.values()
