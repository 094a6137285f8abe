"""Turn a page of records into rows of the store, with what other objects tell of them."""

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import pandas as pd

from connectors.among import among
from connectors.resumable import Resumable
from connectors.salesforce.context import KINDS, Kind, Org
from connectors.salesforce.order import ENTERED, Order
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
from connectors.salesforce.streams import Batch, of_ids
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


class Work(NamedTuple):
    """A page, shaped as far as it can be without the store; the rest is up to `Saver.save`.

    Attributes
    ----------
    raw : DataFrame of text, optional
        The records as they came, where the store must be asked to shape them.
    frames : dict of str to DataFrame
        Rows by table.
    remove : dict of str to list
        Ids of records that leave, by table.
    records : int
        How many came.
    place, left
        As of a `Batch`.
    """

    raw: pd.DataFrame | None
    frames: dict[str, pd.DataFrame]
    remove: dict[str, list[str]]
    records: int
    place: dict[str, Any] | None
    left: int | None


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

    Attributes
    ----------
    has_all_conversions : bool
        Whether all of LeadHistory came by, so that the org has no more to say of conversions.
    """

    def __init__(self, org: Org, run: Resumable, *, same_zone: bool) -> None:
        self.org, self.run, self._same_zone = org, run, same_zone
        self._until = pd.Timestamp(run.state["until"])
        self._seen: list[pd.Series] = []
        self._order = Order()
        self.has_all_conversions = False

    def shape(self, kind: Kind, batch: Batch) -> Work:
        """Shape a page, wherever the store is not needed for it; may run beside `save`."""
        work = Work(batch.rows, {}, {}, len(batch.rows), batch.place, batch.left)
        if kind.is_history:
            return work._replace(raw=None, frames={"history": self._past(kind.name, batch.rows)})
        if kind.name in ("Account", "Event"):
            frames, remove = self._parted(kind, batch.rows)
            return work._replace(raw=None, frames=frames, remove=remove)
        return work

    def save(self, kind: Kind, work: Work, *, whole: bool) -> None:
        """Save a page; records that are deleted leave. Whoever calls notes the place after it.

        Parameters
        ----------
        whole : bool
            Whether every record is being read, and every history has been.
        """
        frames, remove = work.frames, work.remove
        if work.raw is not None:
            self._past_too(kind, work.raw, whole=whole)
            frames, remove = self._parted(kind, work.raw)
        self.run.add(frames, remove=remove, noted=False)

    def _parted(
        self, kind: Kind, raw: pd.DataFrame
    ) -> tuple[dict[str, pd.DataFrame], dict[str, list[str]]]:
        """Return the rows that records became, and those that became none."""
        frame = self._rows(kind, raw)
        left = raw["Id"][~among(raw["Id"], frame.iloc[:, 0])]
        return {kind.table: frame}, {kind.table: sorted(set(left))}

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
            self.save(kind, self.shape(kind, Batch(raw, None)), whole=True)
            self.run.save()

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
        ordered, left = self._order.told(held, twice)
        if left:
            fields = self.org.wanted["OpportunityHistory"].fields
            told = of_ids(self.org.client, "OpportunityHistory", fields, "OpportunityId", left)
            ordered = [*ordered, self._past("OpportunityHistory", told)[ENTERED]]
        return pd.concat([held[~among(held["record_id"], twice)], *ordered], ignore_index=True)

    def _past(self, name: str, raw: pd.DataFrame) -> pd.DataFrame:
        if name == "OpportunityHistory":
            self._order.note(raw, self.org.names)
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
        here = (
            raw if not whole else raw[instants(field(raw, "SystemModstamp"), "UTC") > self._until]
        )
        ids = set(here["Id"]) - set(gone(raw))
        if not whole:
            ids -= self._settled(kind, ids)
        for name, names_it in histories:
            fields = self.org.wanted[name].fields
            rows = of_ids(self.org.client, name, fields, names_it, ids)
            if len(rows):
                self.run.add({"history": self._past(name, rows)}, noted=False)

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
        known = known[among(known.index.to_series(), ids)]
        left = set(ids) - set(known.index)
        if self.has_all_conversions or not left:
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
