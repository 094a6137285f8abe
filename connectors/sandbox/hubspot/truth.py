"""The account as canonical tables, worked out from its inner state and from nothing on the wire.

Written apart from the connector, so that the two can be compared row for row.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo

import pandas as pd

from connectors.sandbox.frames import frame
from connectors.sandbox.hubspot.shelf import Record
from connectors.sandbox.hubspot.state import State
from connectors.sandbox.hubspot.truth_history import changes, deal_changes
from connectors.sandbox.hubspot.truth_leads import leads_of
from connectors.sandbox.hubspot.truth_lines import home_mrr, subscription_rows
from connectors.sandbox.hubspot.truth_links import company_of, lead_of
from connectors.sandbox.hubspot.truth_stages import stage_rows
from connectors.sandbox.hubspot.wire import day_in, parse_time
from kpi.tables import TABLES

Row = dict[str, Any]
Fields = Mapping[str, Mapping[str, str]]

DEAL_TYPES = {"newbusiness": "new", "existingbusiness": "expansion"}
MEETING_OUTCOMES = {
    "COMPLETED": "held",
    "NO_SHOW": "no_show",
    "CANCELED": "cancelled",
    "SCHEDULED": "scheduled",
    "RESCHEDULED": "scheduled",
}
NAMES = (
    "stages", "leads", "deals", "history", "meetings", "owners", "accounts", "subscriptions",
)  # fmt: skip


def truth(
    account: State,
    *,
    fields: Fields | None = None,
    time_zone: str | None = None,
    leads: Literal["auto", "object", "contacts"] = "auto",
    deal_types: Mapping[str, str] | None = None,
    tombstones: bool = True,
) -> dict[str, pd.DataFrame]:
    """State the account as canonical tables.

    Parameters
    ----------
    account : State
    fields : mapping, optional
        Columns to be taken from a property: ``{"deals": {"segment": "market_segment"}}``.
    time_zone : str, optional
        Zone in which days are counted; default the account's.
    leads : {"auto", "object", "contacts"}
        Which records leads are; by default the leads object if it holds any.
    deal_types : mapping, optional
        Kind of business by ``dealtype``.
    tombstones : bool
        Whether stages deleted since the account was made are still there, as not active.

    Returns
    -------
    dict of DataFrame
        Every table a HubSpot account can fill, with its columns and dtypes of `kpi.tables`.
    """
    reader = _Reader(account, fields or {}, time_zone, leads, deal_types or DEAL_TYPES)
    return {name: frame(name, reader.rows(name, tombstones=tombstones)) for name in NAMES}


class _Reader:
    def __init__(
        self, account: State, fields: Fields, time_zone: str | None, leads: str,
        deal_types: Mapping[str, str],
    ) -> None:  # fmt: skip
        self.account, self.fields, self.deal_types = account, fields, deal_types
        self.zone = ZoneInfo(time_zone) if time_zone else account.zone
        self.by_object = leads == "object" or (leads == "auto" and account.sees_leads())
        self.leads = leads_of(account, by_object=self.by_object)

    def rows(self, name: str, *, tombstones: bool) -> Iterable[Row]:
        if name == "stages":
            return stage_rows(self.account, leads=self.by_object, tombstones=tombstones)
        if name == "subscriptions":
            rows = subscription_rows(self.account, self.zone)
            return (self._fields(name, row, record) for row, record in rows)
        makers: dict[str, Callable[[], Iterable[Row]]] = {
            "leads": self._leads,
            "deals": self._deals,
            "history": self._history,
            "meetings": self._meetings,
            "owners": self._owners,
            "accounts": self._accounts,
        }
        return makers[name]()

    def _fields(self, table: str, row: Row, record: Record) -> Row:
        for column, name in self.fields.get(table, {}).items():
            kind = TABLES[table].column(column).kind
            row[column] = _typed(kind, record.props.get(name), self.zone)
        return row

    def _url(self, type_id: str, record_id: int) -> str:
        at = f"https://{self.account.ui_domain}/contacts/{self.account.portal_id}"
        return f"{at}/record/{type_id}/{record_id}"

    def _leads(self) -> Iterable[Row]:
        kind = "leads" if self.by_object else "contacts"
        stage, status, source = (
            ("hs_pipeline_stage", "hs_lead_label", self._lead_source())
            if self.by_object
            else ("lifecyclestage", "hs_lead_status", "hs_analytics_source")
        )
        for lead in self.leads.values():
            props = lead.record.props
            row: Row = {
                "lead_id": str(lead.record.id),
                "created_at": lead.created,
                "source": props.get(source),
                "owner_id": props.get("hubspot_owner_id"),
                "account_id": company_of(self.account, kind, lead.record.id),
                "status": props.get(status),
                "stage_id": props.get(stage),
                "url": self._url("0-136" if self.by_object else "0-1", lead.record.id),
                "updated_at": lead.record.modified,
            }
            yield self._fields("leads", row, lead.record)

    def _lead_source(self) -> str:
        known = self.account.definitions("leads")
        return "hs_lead_source" if "hs_lead_source" in known else "hs_analytics_source"

    def _deals(self) -> Iterable[Row]:
        for record in self.account.shelves["deals"].records():
            yield self._fields("deals", self._deal(record), record)

    def _deal(self, record: Record) -> Row:
        props = record.props
        outcome = _outcome(props)
        word = props.get("dealtype") or ""
        return {
            "deal_id": str(record.id),
            "name": props.get("dealname"),
            "pipeline_id": props.get("pipeline"),
            "stage_id": props.get("dealstage"),
            "outcome": outcome,
            "owner_id": props.get("hubspot_owner_id"),
            "account_id": company_of(self.account, "deals", record.id),
            "lead_id": self._lead_of("deals", record.id, record.created),
            "source": props.get("hs_analytics_source"),
            "deal_type": self.deal_types.get(word, word),
            "amount": props.get("amount_in_home_currency"),
            "currency": props.get("deal_currency_code"),
            "amount_original": props.get("amount"),
            "mrr": home_mrr(self.account, props.get("hs_mrr"), record),
            "forecast_category": props.get("hs_manual_forecast_category"),
            "next_step_on": self._day(props.get("notes_next_activity_date")),
            "last_activity_at": parse_time(props.get("notes_last_updated")),
            "created_at": record.created,
            "close_date": self._day(props.get("closedate")),
            "closed_at": None if outcome == "open" else _closed_at(record),
            "lost_reason": props.get("closed_lost_reason"),
            "url": self._url("0-3", record.id),
            "updated_at": record.modified,
        }

    def _lead_of(self, kind: str, record_id: int, moment: int | None) -> str | None:
        return lead_of(self.account, kind, record_id, moment, self.leads, by_object=self.by_object)

    def _day(self, text: str | None) -> date | None:
        moment = parse_time(text)
        return None if moment is None else day_in(moment, self.zone)

    def _history(self) -> Iterable[Row]:
        yield from changes((lead.record for lead in self.leads.values()), by_object=self.by_object)
        yield from deal_changes(self.account, self.zone)

    def _meetings(self) -> Iterable[Row]:
        for record in self.account.shelves["meetings"].records():
            props = record.props
            starts = parse_time(props.get("hs_meeting_start_time"))
            starts = parse_time(props.get("hs_timestamp")) if starts is None else starts
            word = props.get("hs_meeting_outcome") or ""
            row: Row = {
                "meeting_id": str(record.id),
                "starts_at": starts,
                "booked_at": record.created,
                "outcome": MEETING_OUTCOMES.get(word, word),
                "owner_id": props.get("hubspot_owner_id"),
                "account_id": company_of(self.account, "meetings", record.id),
                "lead_id": self._lead_of("meetings", record.id, starts),
                "deal_id": min(self.account.linked("meetings", record.id, "deals"), default=None),
            }
            yield self._fields("meetings", row, record)

    def _owners(self) -> Iterable[Row]:
        for owner in self.account.owners:
            if owner.queue:
                continue
            primary = [name for name, first in owner.teams if first]
            yield {
                "owner_id": str(owner.id),
                "name": f"{owner.first} {owner.last}".strip() or owner.email,
                "team": next(iter([*primary, *(name for name, _ in owner.teams)]), None),
                "active": not owner.archived,
            }

    def _accounts(self) -> Iterable[Row]:
        for record in self.account.shelves["companies"].records():
            props = record.props
            row: Row = {
                "account_id": str(record.id),
                "name": props.get("name"),
                "industry": props.get("industry"),
                "region": props.get("country"),
                "size": props.get("numberofemployees"),
                "created_at": record.created,
            }
            yield self._fields("accounts", row, record)


def _outcome(props: Mapping[str, str]) -> str:
    if props.get("hs_is_closed_won") == "true":
        return "won"
    return "lost" if props.get("hs_is_closed") == "true" else "open"


def _closed_at(record: Record) -> int | None:
    """Return when the deal last came into the stage it is in."""
    entries, stage = record.entries("dealstage"), record.props.get("dealstage")
    if not entries:
        return parse_time(record.props.get("closedate"))
    before = [None, *(value for _, value, _ in entries)]
    came = [
        t for (t, value, _), last in zip(entries, before, strict=False) if value == stage != last
    ]
    return max(came, default=None) if came else parse_time(record.props.get("closedate"))


def _typed(kind: str, text: str | None, zone: ZoneInfo) -> object:
    if not text:
        return None
    if kind == "flag":
        return {"true": True, "false": False}.get(text.lower())
    if kind == "time":
        return parse_time(text)
    if kind == "date":
        moment = parse_time(text)
        return date.fromisoformat(text) if len(text) == 10 else day_in(cast("int", moment), zone)
    return text
