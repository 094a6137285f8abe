"""Turn a page of records into rows of the store, with what other objects tell of them."""

from collections.abc import Collection, Iterable

import pandas as pd

from connectors.resumable import Resumable
from connectors.salesforce.context import KINDS, Kind, Org
from connectors.salesforce.query import where
from connectors.salesforce.records.columns import field, gone, is_true
from connectors.salesforce.records.deals import deals
from connectors.salesforce.records.history import (
    conversions,
    lead_history,
    opportunity_history,
    owner_history,
)
from connectors.salesforce.records.leads import leads
from connectors.salesforce.records.people import accounts, meetings
from connectors.salesforce.records.reconcile import reconcile
from connectors.salesforce.records.subscriptions import subscriptions
from connectors.salesforce.streams import of_ids
from kpi.tables import TABLES

BY_NAME = {kind.name: kind for kind in KINDS}
HISTORIES = {
    "Opportunity": (
        ("OpportunityHistory", "OpportunityId"),
        ("OpportunityFieldHistory", "OpportunityId"),
    ),
    "Lead": (("LeadHistory", "LeadId"),),
}
"""The objects that hold the past of a record, and how they name it."""
DEAL = ["deal_id", "outcome", "account_id", "currency", "close_date"]
ENTERED = ["record_id", "changed_at", "stage_id"]


class Saver:
    """Saves pages of one org's records into one sync.

    Parameters
    ----------
    org : Org
        How the records are read.
    run : Resumable
        The sync they go into.
    """

    def __init__(self, org: Org, run: Resumable) -> None:
        self.org, self.run = org, run

    def save(self, kind: Kind, raw: pd.DataFrame, *, whole: bool) -> set[str]:
        """Save records as they came; those that are deleted leave.

        Parameters
        ----------
        whole : bool
            Whether every record is being read: then no past of a record is missing.

        Returns
        -------
        set of str
            Ids of the records that are there, in whatever row, or none, they became.
        """
        if kind.is_history:
            self.run.add({"history": self._past(kind.name, raw)})
            return set()
        if not whole:
            self._past_of_new(kind, raw)
        frame = self._rows(kind, raw)
        here = set(raw["Id"]) - set(gone(raw))
        left = set(raw["Id"]) - set(frame.iloc[:, 0])
        self.run.add({kind.table: frame}, remove={kind.table: sorted(left)})
        return here

    def let_go(self, kind: Kind, ids: Iterable[str]) -> None:
        """Let records go that are no longer there, with their history."""
        listed = sorted(ids)
        if listed:
            self.run.add({}, remove={kind.table: listed})

    def lines_of(self, deals_touched: Collection[str]) -> None:
        """Save the products of opportunities again: a win makes subscriptions of them."""
        kind = BY_NAME["OpportunityLineItem"]
        fields = self.org.wanted[kind.name].fields
        raw = of_ids(self.org.client, kind.name, fields, "OpportunityId", deals_touched)
        if len(raw):
            self.save(kind, raw, whole=True)

    def _rows(self, kind: Kind, raw: pd.DataFrame) -> pd.DataFrame:
        reading, names = self.org.reading, self.org.names
        if kind.name == "Account":
            return accounts(raw, reading)
        if kind.name == "Event":
            return meetings(raw, reading)
        if kind.name == "Lead":
            return leads(raw, reading, names, self._converted(raw))
        if kind.name == "Opportunity":
            closed = raw.loc[is_true(field(raw, "IsClosed")), "Id"].tolist()
            history = self.run.store.staged("history", ["object", *ENTERED], closed)
            self.run.list_problems(reconcile(raw, reading, self.org.stages))
            return deals(raw, reading, names, history.loc[history["object"] == "deal", ENTERED])
        held = self.run.store.staged("deals", DEAL, raw["OpportunityId"].dropna().unique().tolist())
        found = subscriptions(raw, held, reading)
        self.run.list_problems(found.problems)
        return found.frame

    def _past(self, name: str, raw: pd.DataFrame) -> pd.DataFrame:
        if name == "OpportunityHistory":
            return opportunity_history(raw, self.org.reading, self.org.names, self._codes(raw))
        if name == "OpportunityFieldHistory":
            return owner_history(raw, self.org.reading)
        return lead_history(raw, self.org.reading, self.org.names)

    def _codes(self, raw: pd.DataFrame) -> pd.Series | None:
        """Return the currencies of the opportunities, where the org has several."""
        if self.org.reading.currencies.corporate is None or "CurrencyIsoCode" in raw:
            return None
        ids = raw["OpportunityId"].dropna().unique().tolist()
        held = self.run.store.staged("deals", ["deal_id", "currency"], ids)
        codes: pd.Series = held.set_index("deal_id")["currency"]
        return codes

    def _past_of_new(self, kind: Kind, raw: pd.DataFrame) -> None:
        """Read the whole past of records that the store lacks: new ones, and ones undeleted."""
        histories = [one for one in HISTORIES.get(kind.name, ()) if one[0] in self.org.wanted]
        here = set(raw["Id"]) - set(gone(raw))
        key = TABLES[kind.table].key[0]
        known = set(self.run.store.staged(kind.table, [key], here)[key])
        new = here - known
        for name, names_it in histories if new else ():
            fields = self.org.wanted[name].fields
            rows = of_ids(self.org.client, name, fields, names_it, new)
            if len(rows):
                self.run.add({"history": self._past(name, rows)})

    def _converted(self, raw: pd.DataFrame) -> pd.Series | None:
        """Ask when leads were converted: the lead itself knows only the day."""
        if "LeadHistory" not in self.org.wanted or "ConvertedDate" not in raw:
            return None
        ids = raw.loc[raw["ConvertedDate"].notna(), "Id"].tolist()
        if not ids:
            return None
        fields = self.org.wanted["LeadHistory"].fields
        told = [where("Field", "=", "leadConverted")]
        return conversions(of_ids(self.org.client, "LeadHistory", fields, "LeadId", ids, told))
