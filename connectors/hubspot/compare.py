"""Compare the store with the whole account, record by record, to find what no search tells.

That is: records archived, merged away or deleted for privacy; properties computed anew and
associations changed, which leave a record's modified date as it was; whatever a search has missed.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from connectors.ahead import ahead
from connectors.batches import batches
from connectors.hubspot.client import READ, HubSpot, Record
from connectors.hubspot.context import TABLES, Account
from connectors.hubspot.records.columns import texts
from connectors.hubspot.records.deals import deals
from connectors.hubspot.records.leads import leads_from_objects
from connectors.hubspot.save import Saver
from connectors.hubspot.streams import READY
from kpi.conform import conform
from kpi.tables import TABLES as CANONICAL

LOOKED_AT = {
    "deals": [
        "hs_lastmodifieddate",
        "amount_in_home_currency",
        "amount",
        "hs_mrr",
        "deal_currency_code",
        "hs_exchange_rate",
        "hs_is_closed",
        "hs_is_closed_won",
    ],
    "leads": ["hs_lastmodifieddate", "hs_pipeline_stage"],
    "contacts": ["lastmodifieddate", "lifecyclestage"],
}
COMPARED = {
    "deals": ["updated_at", "amount", "amount_original", "mrr", "outcome"],
    "leads": ["updated_at", "stage_id"],
    "contacts": ["updated_at", "stage_id"],
}
"""Columns of the store that must agree with what the list of all records says."""
LINKED = {"deals": ["account_id", "lead_id"], "leads": ["account_id"], "contacts": ["account_id"]}
MERGED = "hs_merged_object_ids"
PART = 2_000
"""Records compared together."""
EPOCH = pd.Timestamp(0, unit="ms", tz="UTC")


class Comparison:
    """A comparison under way.

    Parameters
    ----------
    saver : Saver
        The sync it is part of.
    kind : str
        ``deals``, ``leads`` or ``contacts``.
    floor : int, optional
        Records changed before this millisecond that the store lacks were left out on purpose.
    since : int, optional
        Contacts changed since this millisecond that the store lacks may have become leads.

    Attributes
    ----------
    seen : set of str
        Every record the account has.
    stale : set of str
        Those to be read again.
    merged : set of str
        Ids of records merged into others.
    """

    def __init__(self, saver: Saver, kind: str, floor: int | None, since: int | None) -> None:
        self.seen: set[str] = set()
        self.stale: set[str] = set()
        self.merged: set[str] = set()
        self._saver, self._kind = saver, kind
        self._floor, self._since = _moment(floor), _moment(since)
        key = CANONICAL[TABLES[kind]].key[0]
        columns = [key, "created_at", *COMPARED[kind], *LINKED[kind]]
        self._held = saver.run.store.staged(TABLES[kind], columns).set_index(key)

    @property
    def gone(self) -> list[str]:
        """Records of the store that the account has not shown."""
        return sorted(set(self._held.index) - self.seen)

    def run(self) -> Iterator[int]:
        """Look at every record of the account; yield how many have been looked at, part by part."""
        pages = self._saver.account.client.pages(self._kind, [*LOOKED_AT[self._kind], MERGED])
        records: list[Record] = []
        for page, _ in ahead(pages, READY):
            records += page
            if len(records) >= PART:
                self._look(records)
                yield len(records)
                records = []
        self._look(records)
        yield len(records)

    def _look(self, records: list[Record]) -> None:
        for record in records:
            self.seen.add(str(record["id"]))
            self.merged.update(_merged(record))
        rows = _shaped(self._saver.account, self._kind, records)
        is_held = rows.index.isin(self._held.index)
        known = rows[is_held]
        stored = self._held.loc[known.index]
        told = known[COMPARED[self._kind]].join(_links(self._saver, self._kind, stored))
        self.stale |= set(_differing(told, stored[told.columns]))
        self.stale |= set(self._to_add(rows[~is_held]).index)

    def _to_add(self, missing: pd.DataFrame) -> pd.DataFrame:
        """Of the records that the store lacks, return those it should have."""
        if self._kind == "contacts":
            is_lead = missing["stage_id"].isin(self._saver.account.reached)
            missing = missing[is_lead | (missing["updated_at"] >= self._since)]
        return missing[~(missing["updated_at"] < self._floor)]


@dataclass
class Gone:
    """Records of the store that the account no longer has, by what became of them."""

    archived: list[str]
    merged: list[str]
    deleted: list[str]


def _shaped(account: Account, kind: str, records: list[Record]) -> pd.DataFrame:
    """Shape what the list says of the records as the store has it."""
    table = TABLES[kind]
    if kind == "deals":
        frame = deals(records, account.reading)
    elif kind == "leads":
        frame = leads_from_objects(records, account.reading)
    else:
        frame = pd.DataFrame(
            {
                "lead_id": texts([record["id"] for record in records]),
                "stage_id": texts([r["properties"].get("lifecyclestage") for r in records]),
                "updated_at": texts([r["properties"].get("lastmodifieddate") for r in records]),
            }
        )
    key = CANONICAL[table].key[0]
    rows: pd.DataFrame = conform(table, frame).frame.set_index(key)
    return rows


def _links(saver: Saver, kind: str, stored: pd.DataFrame) -> pd.DataFrame:
    """Return the links of records as they are in the account now."""
    key = CANONICAL[TABLES[kind]].key[0]
    frame = pd.DataFrame({key: texts(stored.index), "created_at": stored["created_at"].array})
    linked = partial(saver.with_lead_links, kind) if kind != "deals" else saver.with_deal_links
    return linked(frame).set_index(key)[LINKED[kind]]


def _differing(told: pd.DataFrame, stored: pd.DataFrame) -> list[str]:
    """Return the ids whose rows differ; missing equals missing."""
    same = told.eq(stored) | (told.isna() & stored.isna())
    found: list[str] = told.index[~same.all(axis=1)].tolist()
    return found


def became(client: HubSpot, kind: str, gone: Collection[str], merged: Collection[str] = ()) -> Gone:
    """Tell what became of records that the list of all records lacks.

    A record that can still be read is there after all; one that can be read as archived was
    archived; one that another names was merged into it: `merged` are those known already, and a
    merged id may also be answered with the record it became. What is left has no trace: HubSpot
    deletes so for privacy.
    """
    there, into = _readable(client, kind, gone, archived=False)
    left = [i for i in gone if i not in there]
    archived, beside = _readable(client, kind, left, archived=True)
    absorbed = {*merged, *into, *beside}
    return Gone(
        [i for i in left if i in archived and i not in absorbed],
        [i for i in left if i in absorbed],
        [i for i in left if i not in archived and i not in absorbed],
    )


def _moment(milliseconds: int | None) -> pd.Timestamp:
    return EPOCH if milliseconds is None else pd.Timestamp(milliseconds, unit="ms", tz="UTC")


def _readable(
    client: HubSpot, kind: str, ids: Collection[str], *, archived: bool
) -> tuple[set[str], set[str]]:
    """Return the ids of the records that answer, and those merged into them."""

    def one(part: list[str]) -> list[Record]:
        return client.read(kind, part, [MERGED], archived=archived)

    found: list[dict[str, Any]] = []
    for page in client.api.map(one, batches(ids, READ)):
        found += page
    merged = {other for record in found for other in _merged(record)}
    return {str(record["id"]) for record in found}, merged


def _merged(record: Record) -> list[str]:
    """Return the ids of the records merged into this one."""
    return str(record["properties"].get(MERGED) or "").split(";")
