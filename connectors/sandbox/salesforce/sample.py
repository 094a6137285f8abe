"""Canonical tables turned into an org: the sample company as Salesforce would hold it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from connectors.sandbox.salesforce.make_org import currency, dated_rate, settings, user
from connectors.sandbox.salesforce.sample_past import Past, day, when
from connectors.sandbox.salesforce.stages import (
    FORECAST,
    lead_status,
    opportunity_stage,
    stage_values,
)
from connectors.sandbox.salesforce.state import State
from connectors.sandbox.salesforce.wire import HOUR, day_text

Row = dict[str, Any]
Frames = Mapping[str, pd.DataFrame]

CUSTOM = {
    "Opportunity": {
        "segment": "Market_Segment__c",
        "region": "Sales_Region__c",
        "product": "Product_Line__c",
        "margin": "Gross_Margin__c",
        "term_months": "Contract_Months__c",
        "mrr": "MRR__c",
        "lost_reason": "Loss_Reason__c",
        "next_step_on": "Next_Step_On__c",
    },
    "Lead": {"channel": "Channel__c", "in_profile": "In_Profile__c"},
    "Event": {"outcome": "Outcome__c"},
    "OpportunityLineItem": {"mrr": "MRR__c", "starts_on": "Starts_On__c", "ends_on": "Ends_On__c"},
}
TYPES = {
    "new": "New Customer",
    "expansion": "Existing Customer - Upgrade",
    "renewal": "Existing Customer - Replacement",
}
CATEGORIES = {"open": "Pipeline", "won": "Closed", "lost": "Omitted"}
MONEY = ("margin", "mrr")


def fill_from(state: State, frames: Frames) -> None:
    """Fill an empty org from canonical tables."""
    _Filler(state, frames).fill()


class _Filler:
    def __init__(self, state: State, frames: Frames) -> None:
        self.state, self.frames = state, frames
        self.ids: dict[tuple[str, str], str] = {}
        self.left: Counter[str] = Counter()
        self.rates: dict[str, list[tuple[str, float]]] = {}
        self.past = Past(state, list(self._rows("history")), self._person, self._foreign)

    def fill(self) -> None:
        """Enter everything, what others point to first."""
        for name, columns in CUSTOM.items():
            self.state.custom |= {f"{name}.{field}" for field in columns.values()}
        self._currencies()
        settings(self.state)
        self._stages()
        self._owners()
        self._accounts()
        self._deals()
        self._leads()
        self._meetings()
        self._lines()
        self.state.left_out = dict(self.left)

    def _rows(self, name: str) -> Iterator[Row]:
        """Rows of a table as plain values; missing is None."""
        frame = self.frames.get(name)
        if frame is None:
            return
        for row in frame.to_dict("records"):
            yield {str(k): None if pd.isna(v) else v for k, v in row.items()}

    def _find(self, name: str, word: str | None) -> str | None:
        return self.ids.get((name, word)) if word else None

    def _person(self, word: str | None) -> str | None:
        return self._find("User", word)

    def _currencies(self) -> None:
        """Enter currencies and their rates; without any the org has one currency."""
        state = self.state
        for row in sorted(self._rows("rates"), key=lambda r: r["from_date"]):
            rate = 1 / row["rate"]
            self.rates.setdefault(row["currency"], []).append((day(row["from_date"]) or "", rate))
        state.multi_currency = state.dated_rates = bool(self.rates)
        codes = Counter(row["currency"] for row in self._rows("deals"))
        home = [c for c, _ in codes.most_common() if c and c not in self.rates]
        state.corporate = home[0] if home else state.corporate
        if self.rates:
            currency(state, state.corporate, 1.0)
        for code, rates in self.rates.items():
            currency(state, code, rates[-1][1])
            ends = [start for start, _ in rates[1:]]
            for (start, rate), end in zip(rates, [*ends, None], strict=True):
                dated_rate(state, code, start, end, rate)

    def _foreign(self, amount: float | None, code: str | None, on: str | None) -> float | None:
        """Amount in a currency that is so much in the home currency at a day's rate."""
        if amount is None or code not in self.rates:
            return amount
        rates = [rate for start, rate in self.rates[code] if on and start <= on]
        return amount * (rates[-1] if rates else self.rates[code][0][1])

    def _stages(self) -> None:
        rows = list(self._rows("stages"))
        first = next((r["pipeline_id"] for r in rows if r["object"] == "deal"), None)
        self.pipeline = first
        for n, row in enumerate(rows):
            if row["object"] == "lead":
                lead_status(self.state, row["stage_id"], row["label"], int(row["position"]),
                            n == 0, False)  # fmt: skip
            elif row["pipeline_id"] == first:
                outcome = row["outcome"] or "open"
                opportunity_stage(
                    self.state, row["stage_id"], row["label"], int(row["position"]),
                    round((row["probability"] or 0) * 100, 6), CATEGORIES[outcome],
                    outcome != "open", outcome == "won", row["active"] is not False,
                )  # fmt: skip

    def _owners(self) -> None:
        rows = list(self._rows("owners"))
        user(self.state, "Integration User", role=None, department=None, kind="AutomatedProcess")
        roles = {
            team: self.state.add("UserRole", {"Name": team})[0]
            for team in dict.fromkeys(r["team"] for r in rows if r["team"])
        }
        names = {r["name"] for r in rows}
        bosses = dict.fromkeys(r["manager"] for r in rows if r["manager"])
        for name in bosses:
            if name not in names:
                self.ids["Boss", name] = user(
                    self.state, name, role=None, department=None, kind="CsnOnly"
                )
        for row in rows:
            word = row["owner_id"]
            self.ids["User", word] = user(
                self.state, row["name"] or word, role=roles.get(row["team"]), department=None,
                manager=self._find("Boss", row["manager"]), active=row["active"] is not False,
            )  # fmt: skip

    def _accounts(self) -> None:
        for row in self._rows("accounts"):
            size = row["size"]
            made = self.state.add("Account", {
                "Name": row["name"], "Industry": row["industry"], "BillingCountry": row["region"],
                "NumberOfEmployees": int(size) if str(size).isdigit() else None,
                "CurrencyIsoCode": self._code(None), "CreatedDate": when(row["created_at"]) or 0,
            })  # fmt: skip
            self.ids["Account", row["account_id"]] = made[0]

    def _code(self, code: str | None) -> str | None:
        return (code or self.state.corporate) if self.state.multi_currency else None

    def _deals(self) -> None:
        for row in self._rows("deals"):
            if row["pipeline_id"] != self.pipeline:
                self.left["deals"] += 1
                continue
            deal = self.ids["Opportunity", row["deal_id"]] = self.state.new_id("Opportunity")
            values = self._deal(row)
            last = self.past.deal(row["deal_id"], deal, values)
            updated = max(when(row["updated_at"]) or 0, last or 0, values["CreatedDate"])
            self.state.add("Opportunity", values | {
                "Id": deal, "LastModifiedDate": updated, "SystemModstamp": updated,
            })  # fmt: skip

    def _deal(self, row: Row) -> Row:
        code, closes = self._code(row["currency"]), day(row["close_date"])
        amount, original = self._foreign(row["amount"], code, closes), row["amount_original"]
        values: Row = {
            "Name": row["name"],
            **stage_values(self.state, row["stage_id"]),
            "OwnerId": self._person(row["owner_id"]),
            "AccountId": self._find("Account", row["account_id"]),
            "LeadSource": row["source"],
            "Type": TYPES.get(row["deal_type"], row["deal_type"]),
            "Amount": original if amount is None else amount,
            "CurrencyIsoCode": code,
            "CloseDate": closes or day_text(self.state.now),
            "CreatedDate": self.past.first(row["deal_id"], row["created_at"]),
            "LastActivityDate": day(row["last_activity_at"]),
            "LastStageChangeDate": when(row["closed_at"]),
            "IsWon": row["outcome"] == "won",
            "IsClosed": row["outcome"] in ("won", "lost"),
        }
        if row["forecast_category"]:
            word = row["forecast_category"]
            by_name = {name.casefold(): code for code, name in FORECAST.items()}
            values["ForecastCategoryName"] = word
            values["ForecastCategory"] = by_name.get(word.casefold(), "Pipeline")
        for column, field in CUSTOM["Opportunity"].items():
            value: Any = row[column]
            if column in MONEY:
                value = self._foreign(value, code, closes)
            values[field] = day(value) if column == "next_step_on" else value
        return values

    def _leads(self) -> None:
        for row in self._rows("leads"):
            lead = self.ids["Lead", row["lead_id"]] = self.state.new_id("Lead")
            converted = when(row["converted_at"])
            deal = self._find("Opportunity", row["deal_id"])
            if row["deal_id"] and deal is None:
                self.left["lead deals"] += 1
            created = self.past.first(row["lead_id"], row["created_at"])
            last = self.past.lead(row["lead_id"], lead, converted)
            updated = max(when(row["updated_at"]) or 0, last or 0, created)
            account = self._find("Account", row["account_id"])
            self.state.add("Lead", {
                "Id": lead, "LastName": row["lead_id"], "Name": row["lead_id"],
                "Company": row["lead_id"], "LeadSource": row["source"],
                "OwnerId": self._person(row["owner_id"]), "Status": row["stage_id"] or row["status"],
                "CreatedDate": created, "LastModifiedDate": updated, "SystemModstamp": updated,
                "IsConverted": converted is not None,
                "ConvertedDate": day_text(converted, self.state.zone) if converted else None,
                "ConvertedAccountId": account, "ConvertedOpportunityId": deal,
                "CurrencyIsoCode": self._code(None),
                **{field: row[column] for column, field in CUSTOM["Lead"].items()},
            })  # fmt: skip

    def _meetings(self) -> None:
        for row in self._rows("meetings"):
            starts = when(row["starts_at"])
            booked = when(row["booked_at"]) or starts or 0
            self.state.add("Event", {
                "Subject": f"Meeting {row['meeting_id']}", "StartDateTime": starts,
                "ActivityDateTime": starts, "DurationInMinutes": 60,
                "ActivityDate": day_text(starts) if starts else None,
                "EndDateTime": starts + HOUR if starts else None, "CreatedDate": booked,
                "OwnerId": self._person(row["owner_id"]),
                "AccountId": self._find("Account", row["account_id"]),
                "WhoId": self._find("Lead", row["lead_id"]),
                "WhatId": self._find("Opportunity", row["deal_id"]), "Outcome__c": row["outcome"],
            })  # fmt: skip

    def _lines(self) -> None:
        """Lines of the deal that sold them: same account, product and day."""
        won: dict[tuple[Any, ...], Row] = {}
        for row in self._rows("deals"):
            if row["outcome"] == "won" and ("Opportunity", row["deal_id"]) in self.ids:
                won[row["account_id"], row["product"], row["close_date"]] = row
        products: dict[str, str] = {}
        for row in self._rows("subscriptions"):
            deal = won.get((row["account_id"], row["product"], row["signed_on"]))
            if deal is None:
                self.left["subscriptions"] += 1
                continue
            name = row["product"] or "Product"
            if name not in products:
                products[name] = self.state.add("Product2", {"Name": name, "CreatedDate": 0})[0]
            self.state.add("OpportunityLineItem", {
                "OpportunityId": self.ids["Opportunity", deal["deal_id"]], "Name": name,
                "Product2Id": products[name], "Quantity": 1.0, "UnitPrice": row["mrr"] * 12,
                "TotalPrice": row["mrr"] * 12, "CurrencyIsoCode": self._code(row["currency"]),
                "MRR__c": row["mrr"], "ServiceDate": day(row["starts_on"]),
                "Starts_On__c": day(row["starts_on"]), "Ends_On__c": day(row["ends_on"]),
                "CreatedDate": when(row["signed_on"]) or 0,
            })  # fmt: skip
