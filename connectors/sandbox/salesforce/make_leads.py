"""Leads with a past, and events around leads and opportunities."""

from random import Random
from typing import Any

from connectors.sandbox.salesforce.make_deals import KEPT_DAYS, SOURCES, owner_name
from connectors.sandbox.salesforce.make_org import GIVEN, older, sellers_of
from connectors.sandbox.salesforce.stages import FORMER_LEAD
from connectors.sandbox.salesforce.state import State
from connectors.sandbox.salesforce.wire import DAY, HOUR, add_days, day_text

CONVERTED = "Closed - Converted"


class Leads:
    """Makes leads; the first ones became the opportunities given, in their order."""

    def __init__(self, state: State, rng: Random, end: int) -> None:
        self.state, self.rng, self.end = state, rng, end
        self.sellers = sellers_of(state)
        self.queues = list(state.tables["Group"].rows)
        self.deals = [
            r for n, r in enumerate(state.tables["Opportunity"].rows.values()) if n % 3 == 0
        ]

    def make(self, n: int, years: float) -> None:
        """Make one lead and its history."""
        rng, state = self.rng, self.state
        lead = state.new_id("Lead")
        deal = self.deals[n] if n < len(self.deals) else None
        at = state.tables["Opportunity"].kind.at
        if deal is not None:
            converted: int | None = deal[at["CreatedDate"]]
            created = deal[at["CreatedDate"]] - rng.randrange(60, 40 * DAY)
        else:
            created = rng.randrange(self.end - int(years * 365 * DAY), self.end - HOUR)
            converted = created + rng.randrange(60, 9 * DAY) if rng.random() < 0.05 else None
            converted = converted if converted is not None and converted < self.end else None
        status, last = self._past(lead, created, converted)
        owner = rng.choice(self.sellers if rng.random() < 0.9 else self.queues)
        last = max(last, self._owned(lead, created, owner, last))
        state.add("Lead", {
            "Id": lead, "FirstName": rng.choice(GIVEN), "LastName": f"Prospect {n}",
            "Name": f"{rng.choice(GIVEN)} Prospect {n}", "Company": f"Company {n % 997}",
            "PostalCode": f"0{rng.randrange(1000, 9999)}", "Status": status,
            "LeadSource": rng.choice(SOURCES), "OwnerId": owner, "CreatedDate": created,
            "LastModifiedDate": last, "SystemModstamp": last,
            "Channel__c": rng.choice(("Web", "Events", None)),
            "In_Profile__c": rng.random() < 0.6,
            "CurrencyIsoCode": state.corporate if state.multi_currency else None,
            **(self._conversion(converted, deal) if converted is not None else {}),
        })  # fmt: skip

    def _past(self, lead: str, created: int, converted: int | None) -> tuple[str, int]:
        """Draw the statuses; return the last, and since when it is."""
        rng, moment, status = self.rng, created, "Open - Not Contacted"
        self._row(lead, created, "created", None, None)
        steps = [rng.choice(("Working - Contacted", "Working", *FORMER_LEAD))]
        if rng.random() < 0.5:
            steps.append(rng.choice(("Nurturing", "Closed - Not Converted")))
        until = self.end if converted is None else converted
        for step in steps:
            moment += rng.randrange(60, 12 * DAY)
            if moment >= until:
                break
            self._row(lead, moment, "Status", status, step)
            status = step
        if status in FORMER_LEAD and rng.random() < 0.8 and moment + 60 < until:
            moment += 60
            self._row(lead, moment, "Status", status, "Nurturing")
            status = "Nurturing"
        if converted is None:
            return status, min(moment, self.end - 1)
        self._row(lead, converted, "Status", status, CONVERTED)
        self._row(lead, converted, "leadConverted", None, None)
        return CONVERTED, converted

    def _owned(self, lead: str, created: int, owner: str, last: int) -> int:
        if self.rng.random() > 0.15 or not created < last:
            return created
        moment = self.rng.randrange(created, last)
        before = self.rng.choice(self.queues)
        names = [owner_name(self.state, o) for o in (before, owner)]
        self._row(lead, moment, "Owner", *names)
        self._row(lead, moment, "Owner", before, owner)
        return moment

    def _conversion(self, moment: int, deal: list[Any] | None) -> dict[str, Any]:
        state = self.state
        at = state.tables["Opportunity"].kind.at
        account = deal[at["AccountId"]] if deal else None
        account = account or self.rng.choice(list(state.tables["Account"].rows))
        contact = state.add("Contact", {
            "LastName": "Converted", "Name": "Converted", "AccountId": account,
            "CreatedDate": moment,
        })  # fmt: skip
        return {
            "IsConverted": True,
            "ConvertedDate": day_text(moment, state.zone),
            "ConvertedAccountId": account,
            "ConvertedContactId": contact[0],
            "ConvertedOpportunityId": deal[0] if deal else None,
        }

    def _row(self, lead: str, moment: int, name: str, old: object, new: object) -> None:
        if self.state.lead_history and not older(moment, self.end, KEPT_DAYS):
            values = {"LeadId": lead, "Field": name, "DataType": "Text", "OldValue": old,
                      "NewValue": new, "CreatedDate": moment}  # fmt: skip
            self.state.add("LeadHistory", values)


class Events:
    """Makes events: with leads, contacts and opportunities, of one hour, all day, and in series."""

    def __init__(self, state: State, rng: Random, end: int) -> None:
        self.state, self.rng, self.end = state, rng, end
        self.sellers = sellers_of(state)
        self.leads = list(state.tables["Lead"].rows)
        self.contacts: list[str | None] = [*state.tables["Contact"].rows] or [None]
        self.deals = list(state.tables["Opportunity"].rows)
        self.accounts = list(state.tables["Account"].rows)

    def make(self, years: float) -> None:
        """Make one event; in ten, one has a guest's copy, and one in twenty is a series."""
        rng = self.rng
        starts = rng.randrange(self.end - int(years * 365 * DAY), self.end + 30 * DAY) // 900 * 900
        booked = min(starts - rng.randrange(HOUR, 20 * DAY), self.end - 1)
        values = self._values(starts, booked)
        row = self.state.add("Event", values)
        if rng.random() < 0.1:
            guest = values | {"IsChild": True, "OwnerId": rng.choice(self.sellers)}
            self.state.add("Event", guest)
        if rng.random() < 0.05:
            how = "IsRecurrence" if rng.random() < 0.5 else "IsRecurrence2"
            self.state.add("Event", values | {how: True, "Subject": f"Series of {row[0]}"})

    def _values(self, starts: int, booked: int) -> dict[str, Any]:
        rng = self.rng
        draw = rng.random()
        deal = rng.choice(self.deals) if draw < 0.5 else None
        account = self.state.tables["Opportunity"].get(deal, "AccountId") if deal else None
        all_day = rng.random() < 0.1
        day = day_text(starts)
        return {
            "Subject": rng.choice(("Call", "Demo", "Meeting")),
            "WhoId": rng.choice(self.leads) if draw > 0.4 else rng.choice(self.contacts),
            "WhatId": deal or (rng.choice(self.accounts) if draw > 0.8 else None),
            "AccountId": account,
            "OwnerId": rng.choice(self.sellers),
            "IsAllDayEvent": all_day,
            "ActivityDate": day,
            "ActivityDateTime": None if all_day else starts,
            "StartDateTime": starts // DAY * DAY if all_day else starts,
            "EndDateTime": starts // DAY * DAY + DAY if all_day else starts + HOUR,
            "EndDate": add_days(day, 1) if all_day else day,
            "DurationInMinutes": 1_440 if all_day else 60,
            "IsArchived": older(starts, self.end, 365),
            "Outcome__c": rng.choice(
                ("Held", "Completed", "No show", "Canceled", "Scheduled", None)
            ),
            "CreatedDate": booked,
        }
