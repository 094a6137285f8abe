"""Opportunities with a past: stages entered, left and entered again, amounts and dates moved."""

from random import Random
from typing import Any

from connectors.sandbox.salesforce.make_org import ODD_NAMES, older, sellers_of
from connectors.sandbox.salesforce.stages import FORMER, stage_values
from connectors.sandbox.salesforce.state import State
from connectors.sandbox.salesforce.wire import DAY, add_days, day_text

OPEN = ("Prospecting", "Qualification", "Needs Analysis", "Value Proposition",
        "Proposal/Price Quote", "Negotiation/Review")  # fmt: skip
ENDS = (("Closed Won", 30), ("Closed Won - Renewal", 6), ("Closed Lost", 45), ("Disqualified", 6))
TYPES = ("New Customer", "Existing Customer - Upgrade", "Existing Customer - Replacement",
         "Existing Business", "New Business", "Partner", None)  # fmt: skip
SOURCES = ("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other", None)
KEPT_DAYS = 730


class Deals:
    """Makes opportunities; `wiggles` are changes of amount added to each one's history."""

    def __init__(self, state: State, rng: Random, end: int, wiggles: int) -> None:
        self.state, self.rng, self.end, self.wiggles = state, rng, end, wiggles
        self.owners = sellers_of(state)
        self.accounts = list(state.tables["Account"].rows)
        self.products = list(state.tables["Product2"].rows)
        self.types = list(state.tables["RecordType"].rows)
        self.codes = [state.corporate] * 3 + ["EUR", "GBP", "JPY"]

    def make(self, n: int, years: float) -> None:
        """Make one opportunity, its history and what was sold with it."""
        rng, state = self.rng, self.state
        created = rng.randrange(self.end - int(years * 365 * DAY), self.end - 3_600)
        deal = state.new_id("Opportunity")
        now: dict[str, Any] = {
            "Amount": None if rng.random() < 0.06 else round(rng.uniform(0, 90_000), 2),
            "CloseDate": add_days(day_text(created), rng.randrange(10, 140)),
            "CurrencyIsoCode": rng.choice(self.codes) if state.multi_currency else None,
            **stage_values(state, OPEN[0]),
        }
        now["ExpectedRevenue"] = expected(now)
        steps = self._steps(created)
        rows = [dict(now)]
        entered = created
        for moment, change in steps:
            now |= change
            if "StageName" in change:
                now |= stage_values(state, change["StageName"])
                entered = moment
            now["ExpectedRevenue"] = expected(now)
            rows.append(dict(now))
        moments = [created, *(m for m, _ in steps)]
        self._history(deal, moments, rows)
        owner, changed = self._owners(deal, created)
        last = max(moments[-1], changed)
        account = rng.choice(self.accounts) if rng.random() < 0.93 else None
        state.add("Opportunity", {
            "Id": deal, "Name": ODD_NAMES[n] if n < 8 else f"Deal {n} - {rng.choice(OPEN)}",
            "AccountId": account, "OwnerId": owner, "CreatedDate": created,
            "LastModifiedDate": last, "SystemModstamp": last,
            "LastStageChangeDate": entered if entered != created else None,
            "LastActivityDate": day_text(last) if rng.random() < 0.7 else None,
            "Type": rng.choice(TYPES), "LeadSource": rng.choice(SOURCES),
            "RecordTypeId": rng.choice(self.types) if self.types else None,
            **now, **self._custom(n, account),
        })  # fmt: skip
        if now["IsWon"] and rng.random() < 0.6:
            self._lines(deal, now, last)

    def _steps(self, created: int) -> list[tuple[int, dict[str, Any]]]:
        """Draw what happened after the deal was opened, oldest first."""
        rng, found, moment = self.rng, list[tuple[int, dict[str, Any]]](), created
        for stage in self._path():
            moment += rng.randrange(600, 25 * DAY)
            if rng.random() < 0.3:
                found.append((moment, self._nudge(moment)))
                moment += 0 if rng.random() < 0.1 else rng.randrange(60, 5 * DAY)
            found.append((moment, {"StageName": stage}))
        for _ in range(self.wiggles):
            moment += rng.randrange(60, DAY // 2)
            found.append((moment, {"Amount": round(rng.uniform(100, 90_000), 2)}))
        return [step for step in found if step[0] < self.end]

    def _path(self) -> list[str]:
        """Stages after the first: in order, with gaps, some with a name of long ago, some reopened."""
        rng = self.rng
        stages = [s for s in OPEN[1:] if rng.random() < 0.7]
        if stages and rng.random() < 0.12:
            stages[0] = rng.choice((*FORMER, "Proposal"))
            stages.append("Negotiation/Review")
        if rng.random() < 0.85:
            names = [name for name, _ in ENDS]
            stages += rng.choices(names, [weight for _, weight in ENDS])
            if rng.random() < 0.05:
                stages += ["Negotiation/Review", rng.choice(names)]
        return stages

    def _nudge(self, moment: int) -> dict[str, Any]:
        """Move the amount, the close date or the probability."""
        rng = self.rng
        draw = rng.random()
        if draw < 0.5:
            return {"CloseDate": add_days(day_text(moment), rng.randrange(5, 90))}
        if draw < 0.85:
            return {"Amount": round(rng.uniform(0, 90_000), 2)}
        return {"Probability": float(rng.randrange(5, 95))}

    def _history(self, deal: str, moments: list[int], rows: list[dict[str, Any]]) -> None:
        for n, (moment, row) in enumerate(zip(moments, rows, strict=True)):
            before = rows[n - 1] if n else {}
            self.state.add("OpportunityHistory", history_values(deal, row, before) | {
                "CreatedDate": moment,
                "SystemModstamp": moments[n + 1] if n + 1 < len(moments) else moment,
            })  # fmt: skip

    def _owners(self, deal: str, created: int) -> tuple[str, int]:
        """Draw who owns the deal, and who did; return the last owner, and since when."""
        rng, owner = self.rng, self.rng.choice(self.owners)
        self._field(deal, created, "created", None, None)
        if rng.random() > 0.12:
            return owner, created
        moment = min(created + rng.randrange(DAY, 60 * DAY), self.end - 1)
        after = rng.choice([o for o in self.owners if o != owner])
        self._field(
            deal, moment, "Owner", owner_name(self.state, owner), owner_name(self.state, after)
        )
        self._field(deal, moment, "Owner", owner, after)
        return after, moment

    def _field(self, deal: str, moment: int, name: str, old: object, new: object) -> None:
        if not older(moment, self.end, KEPT_DAYS):
            values = {"OpportunityId": deal, "Field": name, "DataType": "Text", "OldValue": old,
                      "NewValue": new, "CreatedDate": moment}  # fmt: skip
            self.state.add("OpportunityFieldHistory", values)

    def _custom(self, n: int, account: str | None) -> dict[str, Any]:
        rng = self.rng
        return {
            "Market_Segment__c": rng.choice(("SMB", "Mid", "Enterprise", None)),
            "Sales_Region__c": rng.choice(("East", "West")),
            "Product_Line__c": rng.choice(("Platform", "Support", "NA")),
            "Gross_Margin__c": round(rng.uniform(-500, 20_000), 2),
            "Contract_Months__c": float(rng.choice((12, 24, 36))),
            "MRR__c": round(rng.uniform(10, 4_000), 2) if n % 3 else None,
            "Account_Region__c": self.state.tables["Account"].get(account or "", "BillingCountry"),
            "Postal_Code__c": f"0{rng.randrange(1000, 9999)}",
        }

    def _lines(self, deal: str, now: dict[str, Any], moment: int) -> None:
        rng = self.rng
        for n in range(rng.randrange(1, 3)):
            product = rng.choice(self.products)
            get = self.state.tables["Product2"].get
            starts = add_days(now["CloseDate"], rng.randrange(0, 40))
            self.state.add("OpportunityLineItem", {
                "OpportunityId": deal, "SortOrder": n, "Product2Id": product if n else None,
                "ProductCode": get(product, "ProductCode"), "Name": f"Line {n}",
                "Quantity": 1.0, "UnitPrice": 1200.0, "TotalPrice": 1200.0,
                "CurrencyIsoCode": now["CurrencyIsoCode"],
                "ServiceDate": starts if rng.random() < 0.5 else None, "Starts_On__c": starts,
                "Ends_On__c": add_days(starts, 365) if rng.random() < 0.5 else None,
                "MRR__c": round(rng.uniform(10, 4_000), 2) if rng.random() < 0.9 else None,
                "CreatedDate": moment,
            })  # fmt: skip


def expected(row: dict[str, Any]) -> float | None:
    """Amount times probability."""
    if row["Amount"] is None or row.get("Probability") is None:
        return None
    return float(round(row["Amount"] * row["Probability"] / 100, 2))


def history_values(deal: str, row: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """State an opportunity in a row of its stage history."""
    taken = ("StageName", "Amount", "ExpectedRevenue", "CloseDate", "Probability",
             "ForecastCategory", "CurrencyIsoCode")  # fmt: skip
    return {
        "OpportunityId": deal,
        "PrevAmount": before.get("Amount"),
        "PrevCloseDate": before.get("CloseDate"),
        **{name: row.get(name) for name in taken},
    }


def owner_name(state: State, owner: str) -> object:
    """Name of a user or queue."""
    return state.tables["Group" if owner.startswith("00G") else "User"].get(owner, "Name")
