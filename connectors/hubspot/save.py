"""Turn a chunk of records into rows of the store, with the companies and leads they belong to."""

from collections.abc import Collection

import pandas as pd

from connectors.errors import ScopeError
from connectors.hubspot.client import Links, Record
from connectors.hubspot.context import TABLES, Account
from connectors.hubspot.records import links
from connectors.hubspot.records.deals import deals
from connectors.hubspot.records.history import deal_history, lead_history
from connectors.hubspot.records.leads import leads_from_contacts, leads_from_objects
from connectors.hubspot.records.people import accounts, meetings
from connectors.hubspot.records.reconcile import reconcile
from connectors.hubspot.records.subscriptions import subscriptions
from connectors.hubspot.records.values import number
from connectors.hubspot.streams import Wanted, named
from connectors.resumable import Resumable
from kpi.conform import conform
from kpi.tables import HISTORY
from kpi.tables import TABLES as CANONICAL

LINK = {"companies": "account_id", "contacts": "lead_id", "leads": "lead_id", "deals": "deal_id"}
"""The column that associations with an object fill."""


class Saver:
    """Saves chunks of one account's records into one sync.

    Parameters
    ----------
    account : Account
        How the records are read.
    run : Resumable
        The sync they go into.
    """

    def __init__(self, account: Account, run: Resumable) -> None:
        self.account, self.run = account, run
        self._active = account.stages[account.stages["active"].fillna(value=True)]

    def save(self, kind: str, records: list[Record]) -> set[str]:
        """Save records of a HubSpot object; return the keys of the rows they became."""
        work = {
            "companies": self._companies,
            "leads": self._lead_rows,
            "contacts": self._lead_rows,
            "deals": self._deals,
            "meetings": self._meetings,
            "line_items": self._line_items,
        }[kind]
        return work(kind, records)

    def linked(self, start: str, end: str, ids: Collection[str]) -> Links:
        """Return associations; none where the token may not read them, which is noted."""
        if not ids:
            return {}
        try:
            return self.account.client.links(start, end, ids)
        except ScopeError as error:
            self.account.refused.setdefault(f"{start} to {end}", error)
            return {}

    def leads_of_contacts(self, contacts: Links) -> dict[str, list[links.Candidate]]:
        """Return the leads of the contacts that records are associated with."""
        people = {str(row["toObjectId"]) for rows in contacts.values() for row in rows}
        if self.account.leads == "leads":
            of_people = self.linked("contacts", "leads", sorted(people))
            ids = {str(row["toObjectId"]) for rows in of_people.values() for row in rows}
            return links.leads_by_contact(self._created(ids), of_people)
        return links.leads_by_contact(self._created(people))

    def _created(self, leads: set[str]) -> pd.DataFrame:
        return self.run.store.staged("leads", ["lead_id", "created_at"], leads)

    def _companies(self, kind: str, records: list[Record]) -> set[str]:  # noqa: ARG002
        frame = accounts(records, self.account.reading)
        self.run.add({"accounts": frame})
        return set(frame["account_id"])

    def _lead_rows(self, kind: str, records: list[Record]) -> set[str]:
        reading = self.account.reading
        if kind == "leads":
            frame = leads_from_objects(records, reading)
        else:
            frame = leads_from_contacts(records, reading, self.account.reached)
        ids = frame["lead_id"].tolist()
        frame = self.with_lead_links(kind, frame)
        history = lead_history(kind, records, reading, set(ids))
        self._forget_outdated("leads", ids, history)
        # a contact may be a lead no more: what made it one was taken back
        others = {str(record["id"]) for record in records}.difference(ids)
        self.run.add({"leads": frame, "history": history}, remove={"leads": others})
        return set(ids)

    def _deals(self, kind: str, records: list[Record]) -> set[str]:
        reading = self.account.reading
        frame = deals(records, reading)
        ids = frame["deal_id"].tolist()
        frame = self.with_deal_links(frame)
        history = deal_history(records, reading, self.account.dates)
        self.run.list_problems(reconcile(records, self._active, self.account.dates))
        self._forget_outdated(kind, ids, history)
        self.run.add({kind: frame, "history": history})
        return set(ids)

    def _forget_outdated(self, table: str, ids: list[str], history: pd.DataFrame) -> None:
        """Let records go, to come in anew, of which the store knows changes that HubSpot does not.

        A deal that comes back to a stage loses the date on which it was there first, and a value
        written twice in a moment stands there once.
        """
        if self.run.store.watermark(table, self.run.source) is None:
            return
        held = self.run.store.staged("history", list(HISTORY.key), ids)
        held = held[held["object"] == table.removesuffix("s")]
        told = conform("history", history).frame[list(HISTORY.key)]
        known = set(told.astype(str).itertuples(index=False, name=None))
        rows = held.astype(str).itertuples(index=False, name=None)
        outdated = {row[HISTORY.key.index("record_id")] for row in rows if row not in known}
        if outdated:
            self.run.add({}, remove={table: outdated})

    def with_deal_links(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return deals with ``account_id`` and ``lead_id`` as they are in HubSpot now."""
        ids = frame["deal_id"].tolist()
        companies = self.linked("deals", "companies", ids)
        contacts = self.linked("deals", "contacts", ids)
        frame = links.deal_links(frame, companies, contacts, self.leads_of_contacts(contacts))
        return self._with_kept(frame, "deals")

    def with_lead_links(self, kind: str, frame: pd.DataFrame) -> pd.DataFrame:
        """Return leads (HubSpot's leads or contacts) with ``account_id`` as it is now."""
        companies = self.linked(kind, "companies", frame["lead_id"].tolist())
        return self._with_kept(links.lead_links(frame, kind, companies), kind)

    def _with_kept(self, frame: pd.DataFrame, kind: str) -> pd.DataFrame:
        """Where associations may not be read, keep what the store knows of them."""
        refused = {LINK[end] for end in LINK if f"{kind} to {end}" in self.account.refused}
        if "contacts to leads" in self.account.refused:
            refused.add("lead_id")
        key = CANONICAL[TABLES[kind]].key[0]
        for column in sorted(refused & set(frame.columns) - {key}):
            held = self.run.store.staged(TABLES[kind], [key, column]).set_index(key)[column]
            frame = frame.assign(**{column: frame[key].map(held).astype("str")})
        return frame

    def _meetings(self, kind: str, records: list[Record]) -> set[str]:
        frame = meetings(records, self.account.reading)
        ids = frame["meeting_id"].tolist()
        contacts = self.linked(kind, "contacts", ids)
        frame = links.meeting_links(
            frame,
            self.linked(kind, "companies", ids),
            contacts,
            self.linked(kind, "deals", ids),
            self.leads_of_contacts(contacts),
        )
        self.run.add({kind: self._with_kept(frame, kind)})
        return set(ids)

    def _line_items(self, kind: str, records: list[Record]) -> set[str]:
        """Save the lines that recur, of won deals; any other of these lines leaves."""
        ids = [str(record["id"]) for record in records]
        linked = self.account.client.links(kind, "deals", ids)  # without them nothing is known
        deal_of = {line: deal for line, rows in linked.items() if (deal := links.lowest(rows))}
        names = ["deal_id", "outcome", "account_id", "currency", "close_date"]
        held = self.run.store.staged("deals", names, set(deal_of.values()))
        home = self.account.reading.currency
        found = subscriptions(records, deal_of, held, home, self._rates(held, home))
        kept = set(found.frame["subscription_id"])
        self.run.list_problems(found.problems)
        self.run.add(
            {"subscriptions": found.frame}, remove={"subscriptions": set(ids).difference(kept)}
        )
        return kept

    def _rates(self, deals: pd.DataFrame, home: str) -> dict[str, float]:
        """Ask for the exchange rates of won deals in another currency than the account's."""
        foreign = (deals["outcome"] == "won") & (deals["currency"].fillna(home) != home)
        ids = deals.loc[foreign, "deal_id"].tolist()
        batches = named(self.account.client, Wanted("deals", ["hs_exchange_rate"]), ids)
        stated = {
            str(record["id"]): number(record["properties"].get("hs_exchange_rate"))
            for batch in batches
            for record in batch.records
        }
        return {deal: rate for deal, rate in stated.items() if isinstance(rate, float)}
