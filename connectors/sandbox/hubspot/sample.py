"""Canonical tables turned into an account: the sample company as HubSpot would hold it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from connectors.sandbox.hubspot.links import PLAIN, PRIMARY
from connectors.sandbox.hubspot.pipelines import Pipeline, Stage
from connectors.sandbox.hubspot.sample_past import (
    Past,
    Row,
    first,
    last,
    milliseconds,
    noon,
    past_of,
    text,
    time_text,
)
from connectors.sandbox.hubspot.shelf import Record
from connectors.sandbox.hubspot.state import Owner, State
from connectors.sandbox.hubspot.trade import stage_values

Frames = Mapping[str, pd.DataFrame]

FIRST_ID = {
    "companies": 7_086_461_639,
    "contacts": 101,
    "leads": 393_000_101,
    "deals": 6_744_192_456,
    "meetings": 31_479_928_586,
    "line_items": 5_183_403_213,
    "owners": 44_023_296,
}
CUSTOM = {
    "deals": {
        "segment": "market_segment",
        "region": "sales_region",
        "product": "product_line",
        "margin": "gross_margin",
        "term_months": "contract_months",
    },
    "leads": {"channel": "lead_channel", "in_profile": "in_profile"},
}
DEAL_TYPE = {"new": "newbusiness", "expansion": "existingbusiness", "renewal": "renewal"}
OUTCOME = {
    "held": "COMPLETED",
    "no_show": "NO_SHOW",
    "cancelled": "CANCELED",
    "scheduled": "SCHEDULED",
}


def fill_from(account: State, frames: Frames) -> None:
    """Fill an empty account from canonical tables."""
    _Filler(account, frames).fill()


class _Filler:
    def __init__(self, account: State, frames: Frames) -> None:
        self.account, self.frames = account, frames
        self.ids: dict[str, dict[str, int]] = {}
        owners = {
            row["owner_id"]: self._id("owners", row["owner_id"]) for row in self._rows("owners")
        }
        self.past = past_of(self._rows("history"), owners)

    def fill(self) -> None:
        """Enter everything, what others point to first."""
        self.account.pipelines = {
            "deals": list(self._pipelines("deal")),
            "leads": list(self._pipelines("lead")),
        }
        self.account.rates = {r["currency"]: r["rate"] for r in self._rows("rates")}
        self._owners()
        self._companies()
        self._leads()
        self._deals()
        self._meetings()
        self._line_items()
        self.account.forget_definitions()

    def _rows(self, name: str) -> Iterator[Row]:
        """Rows of a table as plain values; missing is None."""
        frame = self.frames.get(name)
        if frame is None:
            return
        for row in frame.to_dict("records"):
            yield {str(k): None if pd.isna(v) else v for k, v in row.items()}

    def _id(self, kind: str, word: str) -> int:
        """Number of a record that the tables name by a text."""
        known = self.ids.setdefault(kind, {})
        return known.setdefault(word, FIRST_ID[kind] + 13 * len(known))

    def _find(self, kind: str, word: str | None) -> int | None:
        return self.ids.get(kind, {}).get(word) if word else None

    def _put(
        self, kind: str, record_id: int, created: int, modified: int, props: Row,
        past: Past | None = None,
    ) -> None:  # fmt: skip
        texts = {k: v for k, v in props.items() if v is not None}
        record = Record(record_id, created, max(created, modified), texts, past or {})
        self.account.keep(kind, record)

    def _pipelines(self, what: str) -> Iterator[Pipeline]:
        found: dict[str, list[Stage]] = {}
        for row in self._rows("stages"):
            if row["object"] == what:
                found.setdefault(row["pipeline_id"] or what, []).append(_stage(row, what))
        for position, (name, stages) in enumerate(found.items()):
            yield Pipeline(name, name.replace("-", " ").capitalize(), position, stages)

    def _owners(self) -> None:
        for row in self._rows("owners"):
            number = self._id("owners", row["owner_id"])
            given, _, family = (row["name"] or "").partition(" ")
            email = f"{given or row['owner_id']}@harborlight.example".lower()
            teams = ((row["team"], True),) if row.get("team") else ()
            gone = row.get("active") is False or str(row.get("active")) == "False"
            self.account.owners.append(Owner(number, given, family, email, teams, archived=gone))

    def _companies(self) -> None:
        for row in self._rows("accounts"):
            created = milliseconds(row["created_at"]) or 0
            props = {
                "name": row["name"],
                "industry": row["industry"],
                "country": row["region"],
                "numberofemployees": row["size"],
            }
            self._put(
                "companies", self._id("companies", row["account_id"]), created, created, props
            )

    def _leads(self) -> None:
        for row in self._rows("leads"):
            past = self.past.get(("leads", row["lead_id"]), {})
            created = first(row["created_at"], past)
            contact = self._id("contacts", row["lead_id"])
            name = f"Lead {row['lead_id']}"
            props = {"lastname": name, "email": f"{row['lead_id']}@example.com".lower()}
            self._put("contacts", contact, created, created, props)
            lead = self._id("leads", row["lead_id"])
            self._put("leads", lead, created, last(row, past), self._lead(row, name), past)
            self.account.links.add("contacts", contact, "leads", lead, PRIMARY)
            company = self._find("companies", row["account_id"])
            if company is not None:
                self.account.links.add("leads", lead, "companies", company, PLAIN)
                self.account.links.add("contacts", contact, "companies", company, PRIMARY)

    def _lead(self, row: Row, name: str) -> Row:
        place = self.account.stage("leads", row["stage_id"])
        return {
            "hs_lead_name": name,
            "hs_pipeline": place[0].id if place else None,
            "hs_pipeline_stage": row["stage_id"],
            "hs_lead_label": row["status"],
            "hs_lead_source": row["source"],
            "hubspot_owner_id": self._owner(row["owner_id"]),
            "lead_channel": row["channel"],
            "in_profile": None if row["in_profile"] is None else str(row["in_profile"]).lower(),
        }

    def _owner(self, word: str | None) -> str | None:
        found = self._find("owners", word)
        return None if found is None else str(found)

    def _deals(self) -> None:
        for row in self._rows("deals"):
            past = self.past.get(("deals", row["deal_id"]), {})
            created = first(row["created_at"], past)
            deal = self._id("deals", row["deal_id"])
            self._put("deals", deal, created, last(row, past), self._deal(row, past), past)
            company = self._find("companies", row["account_id"])
            contact = self._find("contacts", row["lead_id"])
            if company is not None:
                self.account.links.add("deals", deal, "companies", company, PRIMARY)
            if contact is not None:
                self.account.links.add("deals", deal, "contacts", contact, PLAIN)

    def _deal(self, row: Row, past: Past) -> Row:
        place = self.account.stage("deals", row["stage_id"])
        amount, original = row["amount"], row["amount_original"]
        rate = amount / original if amount and original else None
        dates = past.get("closedate")
        props: Row = {
            "dealname": row["name"],
            "pipeline": row["pipeline_id"],
            "dealstage": row["stage_id"],
            "hubspot_owner_id": self._owner(row["owner_id"]),
            "hs_analytics_source": row["source"],
            "dealtype": DEAL_TYPE.get(row["deal_type"], row["deal_type"]),
            "amount_in_home_currency": text(amount),
            "amount": text(amount if original is None else original),
            "deal_currency_code": row["currency"],
            "hs_exchange_rate": text(rate),
            "hs_mrr": text(row["mrr"] / rate if row["mrr"] and rate else row["mrr"]),
            "hs_manual_forecast_category": row["forecast_category"],
            "notes_last_updated": time_text(row["last_activity_at"]),
            "notes_next_activity_date": noon(row["next_step_on"]),
            "closedate": dates[-1][1] if dates else noon(row["close_date"]),
            "closed_lost_reason": row["lost_reason"],
            **stage_values(place[1] if place else None),
        }
        return props | {new: text(row[old]) for old, new in CUSTOM["deals"].items()}

    def _meetings(self) -> None:
        for row in self._rows("meetings"):
            meeting = self._id("meetings", row["meeting_id"])
            booked = milliseconds(row["booked_at"]) or milliseconds(row["starts_at"]) or 0
            props = {
                "hs_timestamp": time_text(row["starts_at"]),
                "hs_meeting_start_time": time_text(row["starts_at"]),
                "hs_meeting_outcome": OUTCOME.get(row["outcome"], row["outcome"]),
                "hs_meeting_title": f"Meeting {row['meeting_id']}",
                "hubspot_owner_id": self._owner(row["owner_id"]),
            }
            self._put("meetings", meeting, booked, booked, props)
            for end, kind, column in (
                ("contacts", "contacts", "lead_id"),
                ("companies", "companies", "account_id"),
                ("deals", "deals", "deal_id"),
            ):
                other = self._find(kind, row[column])
                if other is not None:
                    self.account.links.add("meetings", meeting, end, other, PLAIN)

    def _line_items(self) -> None:
        """Recurring lines of the deal that sold them: same account, product and day."""
        won: dict[tuple[Any, ...], Row] = {}
        for row in self._rows("deals"):
            if row["outcome"] == "won":
                won[row["account_id"], row["product"], row["close_date"]] = row
        counted = Counter[str]()
        for row in self._rows("subscriptions"):
            deal = won.get((row["account_id"], row["product"], row["signed_on"]))
            if deal is None:
                counted["subscriptions"] += 1
            else:
                self._line_item(row, self._id("deals", deal["deal_id"]))
        self.account.left_out = dict(counted)

    def _line_item(self, row: Row, deal: int) -> None:
        item = self._id("line_items", row["subscription_id"])
        signed = milliseconds(row["signed_on"]) or 0
        days = None if row["ends_on"] is None else (row["ends_on"] - row["starts_on"]).days
        props = {
            "name": row["product"],
            "amount": text(row["mrr"] * 12),
            "price": text(row["mrr"] * 12),
            "quantity": "1",
            "hs_mrr": text(row["mrr"]),
            "hs_line_item_currency_code": row["currency"],
            "recurringbillingfrequency": "annually",
            "hs_recurring_billing_start_date": f"{row['starts_on']:%Y-%m-%d}",
            "hs_recurring_billing_period": None if days is None else f"P{days}D",
        }
        self._put("line_items", item, signed, signed, props)
        self.account.links.add("line_items", item, "deals", deal, PLAIN)


def _stage(row: Row, what: str) -> Stage:
    closed = row["outcome"] in ("won", "lost")
    if what == "lead":
        state = "UNQUALIFIED" if row["outcome"] == "lost" else "IN_PROGRESS"
        return Stage(row["stage_id"], row["label"], int(row["position"]), closed, None, state)
    probability = None if row["probability"] is None else str(float(row["probability"]))
    return Stage(row["stage_id"], row["label"], int(row["position"]), closed, probability)
