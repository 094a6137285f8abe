"""The org as canonical tables, worked out from its inner state and from nothing on the wire.

Written apart from the connector, so that the two can be compared row for row.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from connectors.sandbox.frames import frame
from connectors.sandbox.salesforce.schema import Row
from connectors.sandbox.salesforce.state import State
from connectors.sandbox.salesforce.truth_history import Past
from connectors.sandbox.salesforce.truth_reading import Chosen, Fields, Money, Reader, moment, word
from connectors.sandbox.salesforce.truth_stages import Stages

DEAL_TYPES = {
    "New Customer": "new",
    "New Business": "new",
    "Existing Business": "expansion",
    "Existing Customer - Upgrade": "expansion",
    "Existing Customer - Replacement": "renewal",
    "Existing Customer - Downgrade": "renewal",
}
OUTCOMES = {
    "held": "held",
    "completed": "held",
    "no_show": "no_show",
    "no show": "no_show",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "scheduled": "scheduled",
}
MONEY = ("mrr", "margin")


def truth(
    state: State,
    *,
    fields: Fields | None = None,
    deal_types: Mapping[str, str] | None = None,
    time_zone: str | None = None,
    tombstones: bool = True,
    purged: bool = True,
) -> dict[str, pd.DataFrame]:
    """State the org as canonical tables.

    Parameters
    ----------
    state : State
    fields : mapping, optional
        Columns to be taken from a field: ``{"deals": {"segment": "Market_Segment__c"}}``.
    deal_types : mapping, optional
        Kind of business by ``Type``, over what a fresh org's words mean.
    time_zone : str, optional
        Zone in which days begin; default the org's.
    tombstones : bool
        Whether stages deleted since the org was made are still there, as not active.
    purged : bool
        Whether history that the org has purged is still there.

    Returns
    -------
    dict of DataFrame
        Every table a Salesforce org can fill, with its columns and dtypes of `kpi.tables`.
    """
    zone = ZoneInfo(time_zone) if time_zone else state.zone
    made = _Truth(state, Chosen(fields or {}, zone), zone, tombstones=tombstones, purged=purged)
    made.deal_types = DEAL_TYPES | dict(deal_types or {})
    return {name: frame(name, rows()) for name, rows in made.makers().items()}


class _Truth:
    deal_types: Mapping[str, str]

    def __init__(
        self, state: State, chosen: Chosen, zone: ZoneInfo, *, tombstones: bool, purged: bool
    ) -> None:
        self.state, self.chosen, self.zone = state, chosen, zone
        self.money, self.past = Money(state), Past(state, purged=purged)
        self.stages = {
            name: Stages(state, name, tombstones=tombstones)
            for name in ("OpportunityStage", "LeadStatus")
        }
        self.opportunities = Reader(state, "Opportunity")

    def makers(self) -> dict[str, Callable[[], Iterable[Any]]]:
        """Tables, in an order in which stages come last: by then every name is known."""
        return {
            "leads": self._leads,
            "deals": self._deals,
            "history": self._history,
            "meetings": self._meetings,
            "owners": self._owners,
            "accounts": self._accounts,
            "subscriptions": self._subscriptions,
            "rates": self.money.rates,
            "stages": self._stages,
        }

    def _url(self, record_id: str) -> str:
        return f"{self.state.instance_url}/{record_id}"

    def _leads(self) -> Iterator[Any]:
        read, stages = Reader(self.state, "Lead"), self.stages["LeadStatus"]
        for row in read.rows:
            yield {
                "lead_id": row[0],
                "created_at": moment(read(row, "CreatedDate"), self.zone),
                "source": read(row, "LeadSource"),
                "owner_id": _person(read(row, "OwnerId")),
                "account_id": read(row, "ConvertedAccountId"),
                "status": read(row, "Status"),
                "stage_id": stages.find(read(row, "Status")),
                "converted_at": self._converted_at(read, row),
                "deal_id": read(row, "ConvertedOpportunityId"),
                "url": self._url(row[0]),
                "updated_at": moment(read(row, "SystemModstamp"), self.zone),
                **self.chosen.values("leads", read, row),
            }

    def _converted_at(self, read: Reader, row: Row) -> int | None:
        told = self.past.converted(row[0])
        if told is not None:
            return told * 1_000
        day = moment(read(row, "ConvertedDate"), self.zone)
        created = moment(read(row, "CreatedDate"), self.zone)
        return None if day is None else max(day, created or day)

    def _deals(self) -> Iterator[Any]:
        read, stages = self.opportunities, self.stages["OpportunityStage"]
        for row in read.rows:
            won, closed = bool(read(row, "IsWon")), bool(read(row, "IsClosed"))
            name, type_ = read(row, "StageName"), read(row, "Type")
            stage = stages.find(name)
            stages.count(name, won=won, closed=closed)
            values = {
                "deal_id": row[0],
                "name": read(row, "Name"),
                "stage_id": stage,
                "outcome": "won" if won else "lost" if closed else "open",
                "owner_id": read(row, "OwnerId"),
                "account_id": read(row, "AccountId"),
                "source": read(row, "LeadSource"),
                "deal_type": self.deal_types.get(type_ or "", type_),
                "amount": self._home(row, read(row, "Amount")),
                "currency": read(row, "CurrencyIsoCode"),
                "amount_original": read(row, "Amount"),
                "forecast_category": read(row, "ForecastCategoryName"),
                "last_activity_at": moment(read(row, "LastActivityDate"), self.zone),
                "created_at": moment(read(row, "CreatedDate"), self.zone),
                "close_date": read(row, "CloseDate"),
                "closed_at": self._closed_at(row, stage) if won or closed else None,
                "url": self._url(row[0]),
                "updated_at": moment(read(row, "SystemModstamp"), self.zone),
                **self.chosen.values("deals", read, row),
            }
            for column in MONEY:
                if values.get(column) is not None:
                    values[column] = self._home(row, float(values[column]))
            yield values

    def _home(self, row: Row, amount: float | None) -> float | None:
        read = self.opportunities
        return self.money.home_amount(amount, read(row, "CurrencyIsoCode"), read(row, "CloseDate"))

    def _closed_at(self, row: Row, stage: str | None) -> int | None:
        entered = self.past.entered(row[0], stage, self.stages["OpportunityStage"])
        if entered is None:
            return moment(self.opportunities(row, "LastStageChangeDate"), self.zone)
        return entered * 1_000

    def _history(self) -> Iterator[Any]:
        read = self.opportunities
        codes = {row[0]: read(row, "CurrencyIsoCode") for row in read.rows}
        yield from self.past.deal_rows(codes, self.money, self.stages["OpportunityStage"])
        yield from self.past.lead_rows(self.stages["LeadStatus"])

    def _stages(self) -> Iterator[Any]:
        for stages in self.stages.values():
            yield from stages.rows_of()

    def _meetings(self) -> Iterator[Any]:
        read = Reader(self.state, "Event")
        for row in read.rows:
            if any(read(row, name) for name in ("IsChild", "IsRecurrence", "IsRecurrence2")):
                continue
            starts = "ActivityDate" if read(row, "IsAllDayEvent") else "StartDateTime"
            values = {
                "meeting_id": row[0],
                "starts_at": moment(read(row, starts), self.zone),
                "booked_at": moment(read(row, "CreatedDate"), self.zone),
                "owner_id": _person(read(row, "OwnerId")),
                "account_id": read(row, "AccountId"),
                "lead_id": _of(read(row, "WhoId"), "00Q"),
                "deal_id": _of(read(row, "WhatId"), "006"),
                **self.chosen.values("meetings", read, row),
            }
            told = values.get("outcome")
            values["outcome"] = OUTCOMES.get(str(told).lower(), told)
            yield values

    def _owners(self) -> Iterator[Any]:
        read, roles = Reader(self.state, "User"), Reader(self.state, "UserRole")
        role_names = {r[0]: roles(r, "Name") for r in roles.rows}
        names = {r[0]: read(r, "Name") for r in read.rows}
        for row in read.rows:
            if read.has("UserType") and read(row, "UserType") != "Standard":
                continue
            role = role_names.get(read(row, "UserRoleId"))
            yield {
                "owner_id": row[0],
                "name": read(row, "Name"),
                "team": role or read(row, "Department"),
                "manager": names.get(read(row, "ManagerId")),
                "active": read(row, "IsActive"),
            }

    def _accounts(self) -> Iterator[Any]:
        read = Reader(self.state, "Account")
        for row in read.rows:
            size = read(row, "NumberOfEmployees")
            yield {
                "account_id": row[0],
                "name": read(row, "Name"),
                "industry": read(row, "Industry"),
                "region": read(row, "BillingCountry"),
                "size": None if size is None else word(size),
                "created_at": moment(read(row, "CreatedDate"), self.zone),
                **self.chosen.values("accounts", read, row),
            }

    def _subscriptions(self) -> Iterator[Any]:
        if self.chosen.of("subscriptions", "mrr") is None:
            return
        read, deals = Reader(self.state, "OpportunityLineItem"), self.opportunities
        products = Reader(self.state, "Product2")
        names = {r[0]: products(r, "Name") for r in products.rows}
        won = {r[0]: r for r in deals.rows if deals(r, "IsWon")}
        for row in read.rows:
            deal = won.get(read(row, "OpportunityId"))
            chosen = self.chosen.values("subscriptions", read, row)
            if deal is None or deals(deal, "AccountId") is None or chosen["mrr"] is None:
                continue
            signed = deals(deal, "CloseDate")
            values = {
                "subscription_id": row[0],
                "account_id": deals(deal, "AccountId"),
                "product": names.get(read(row, "Product2Id")) or read(row, "ProductCode"),
                "signed_on": signed,
                "starts_on": read(row, "ServiceDate"),
                **chosen,
            }
            values["starts_on"] = values["starts_on"] or signed
            values["mrr"] = self._home(deal, float(chosen["mrr"]))
            yield values


def _person(owner: str | None) -> str | None:
    """Id of a user; a queue is nobody."""
    return _of(owner, "005")


def _of(record_id: str | None, prefix: str) -> str | None:
    return record_id if record_id and record_id.startswith(prefix) else None
