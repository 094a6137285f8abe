"""Turn a page of records into rows of the store, with what other objects tell of them."""

from collections.abc import Collection, Iterable

import pandas as pd

from connectors.resumable import Resumable
from connectors.salesforce.context import KINDS, Kind, Org
from connectors.salesforce.query import where
from connectors.salesforce.records.columns import field, gone, instants, is_true
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
INSTANT = "datetime64[us, UTC]"
ENTERED = ["record_id", "changed_at", "stage_id"]


class Saver:
    """Saves pages of one org's records into one sync.

    Parameters
    ----------
    org : Org
        How the records are read.
    run : Resumable
        The sync they go into.
    same_zone : bool
        Whether days begin when they did for the rows that the store has.
    """

    def __init__(self, org: Org, run: Resumable, *, same_zone: bool) -> None:
        self.org, self.run, self._same_zone = org, run, same_zone
        self._until = pd.Timestamp(run.state["until"])
        self._seen: list[pd.Series] = []

    def save(self, kind: Kind, raw: pd.DataFrame, *, whole: bool) -> set[str]:
        """Save records as they came; those that are deleted leave.

        Parameters
        ----------
        whole : bool
            Whether every record is being read, and every history has been.

        Returns
        -------
        set of str
            Ids of the records that are there, in whatever row, or none, they became.
        """
        if kind.is_history:
            self.run.add({"history": self._past(kind.name, raw)})
            return set()
        self._past_too(kind, raw, whole=whole)
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
            self.run.list_problems(reconcile(raw, reading, self.org.stages))
            return deals(raw, reading, names, self._entered(closed))
        held = self.run.store.staged("deals", DEAL, raw["OpportunityId"].dropna().unique().tolist())
        found = subscriptions(raw, held, reading)
        self.run.list_problems(found.problems)
        return found.frame

    def _entered(self, closed: list[str]) -> pd.DataFrame:
        """Return the stages that deals came into, in order.

        Of two in one second the ids of the org tell which came first; the store has no such ids.
        """
        held = self.run.store.staged("history", ["object", *ENTERED], closed)
        held = held.loc[(held["object"] == "deal") & held["stage_id"].notna(), ENTERED]
        twice = held.loc[held.duplicated(ENTERED[:2]), "record_id"].unique()
        if not len(twice) or "OpportunityHistory" not in self.org.wanted:
            return held
        fields = self.org.wanted["OpportunityHistory"].fields
        told = of_ids(self.org.client, "OpportunityHistory", fields, "OpportunityId", twice)
        ordered = self._past("OpportunityHistory", told)[ENTERED]
        return pd.concat([held[~held["record_id"].isin(twice)], ordered], ignore_index=True)

    def _past(self, name: str, raw: pd.DataFrame) -> pd.DataFrame:
        if name == "OpportunityHistory":
            return opportunity_history(raw, self.org.reading, self.org.names, self._codes(raw))
        if name == "OpportunityFieldHistory":
            return owner_history(raw, self.org.reading)
        self._seen.append(conversions(raw))
        return lead_history(raw, self.org.reading, self.org.names)

    def _codes(self, raw: pd.DataFrame) -> pd.Series | None:
        """Return the currencies of the opportunities, where their history does not state them."""
        if self.org.reading.currencies.corporate is None or "CurrencyIsoCode" in raw:
            return None
        ids = raw["OpportunityId"].dropna().unique().tolist()
        fields = ["Id", "CurrencyIsoCode"]
        codes: pd.Series = of_ids(self.org.client, "Opportunity", fields, "Id", ids).set_index(
            "Id"
        )["CurrencyIsoCode"]
        return codes[~codes.index.duplicated()]

    def _past_too(self, kind: Kind, raw: pd.DataFrame, *, whole: bool) -> None:
        """Read the whole past of records whose past may have been out of sight: undeleted ones.

        Of all records being read, those stamped after the histories were; else those that the store
        lacks, or has from such a time.
        """
        histories = [one for one in HISTORIES.get(kind.name, ()) if one[0] in self.org.wanted]
        if not histories:
            return
        here = set(raw["Id"]) - set(gone(raw))
        if whole:
            late = instants(field(raw, "SystemModstamp"), "UTC") > self._until
            ids = here & set(raw.loc[late, "Id"])
        else:
            ids = here - self._settled(kind, here)
        for name, names_it in histories:
            fields = self.org.wanted[name].fields
            rows = of_ids(self.org.client, name, fields, names_it, ids)
            if len(rows):
                self.run.add({"history": self._past(name, rows)})

    def _settled(self, kind: Kind, ids: Collection[str]) -> set[str]:
        """Return the records whose state in the store is from before the watermark."""
        mark = self.run.store.watermark(kind.table, kind.mark)
        if mark is None:
            return set()
        key = TABLES[kind.table].key[0]
        held = self.run.store.staged(kind.table, [key, "updated_at"], ids)
        return set(held.loc[held["updated_at"] <= pd.Timestamp(mark), key])

    def _converted(self, raw: pd.DataFrame) -> pd.Series | None:
        """Ask when leads were converted: the lead itself knows only the day."""
        if "LeadHistory" not in self.org.wanted or "ConvertedDate" not in raw:
            return None
        ids = raw.loc[raw["ConvertedDate"].notna(), "Id"].tolist()
        if not ids:
            return None
        told = self._conversions(ids)
        return told.combine_first(self._converted_before(ids)) if self._same_zone else told

    def _conversions(self, ids: list[str]) -> pd.Series:
        """Return what the history says: as this sync has read it, and for the others as asked."""
        if len(self._seen) > 1:
            self._seen = [pd.concat(self._seen).groupby(level=0).max()]
        known = self._seen[0] if self._seen else pd.Series(dtype=INSTANT)
        known = known[known.index.isin(ids)]
        left = set(ids) - set(known.index)
        if not left:
            return known
        fields = self.org.wanted["LeadHistory"].fields
        one = [where("Field", "=", "leadConverted")]
        told = conversions(of_ids(self.org.client, "LeadHistory", fields, "LeadId", left, one))
        both: pd.Series = pd.concat([part for part in (known, told) if len(part)] or [told])
        return both

    def _converted_before(self, ids: list[str]) -> pd.Series:
        """Return what the store knows of conversions: the org forgets them after two years."""
        held = self.run.store.staged("leads", ["lead_id", "converted_at"], ids)
        known: pd.Series = held.set_index("lead_id")["converted_at"].dropna()
        return known
