"""What an account has, shaped as the store has it, for `connectors.agreement` to compare."""

from collections.abc import Callable, Collection

import pandas as pd

from connectors.agreement import Agreement
from connectors.agreement import agreement as compared
from connectors.hubspot.client import HubSpot, Record
from connectors.hubspot.context import TABLES
from connectors.hubspot.records.columns import ids, live, texts
from connectors.hubspot.records.deals import deals
from connectors.hubspot.records.leads import leads_from_objects
from connectors.hubspot.records.people import accounts, meetings, owners
from connectors.hubspot.records.reading import Reading, asked
from connectors.hubspot.records.stages import LIFECYCLE, reached_stages
from connectors.progress import Progress
from connectors.store import Store
from kpi.conform import conform

SHAPES: dict[str, Callable[[list[Record], Reading], pd.DataFrame]] = {
    "companies": accounts,
    "leads": leads_from_objects,
    "deals": deals,
    "meetings": meetings,
}
PART = 2_000
"""Records shaped together."""


def agreement(
    client: HubSpot, reading: Reading, store: Store, granted: Collection[str], progress: Progress
) -> Agreement:
    """Read every record of the account that the token may read, and compare it with the store.

    Parameters
    ----------
    client : HubSpot
        The account.
    reading : Reading
        How its records are read.
    store : Store
        With one sync at least.
    granted : collection of str
        Objects that may be read.
    progress : Progress
        Shows how far it is.
    """
    kinds = ("owners", "companies", _lead_kind(store), "deals", "meetings")
    objects = {kind: TABLES.get(kind, kind) for kind in kinds if kind in granted}
    return compared(
        "hubspot",
        store,
        objects,
        lambda kind, held: _theirs(client, reading, kind, held, progress),
    )


def _lead_kind(store: Store) -> str:
    """Tell which object the store has as its leads."""
    pipelines = store.distinct("stages", ["pipeline_id"])["pipeline_id"]
    return "contacts" if (pipelines == LIFECYCLE).any() else "leads"


def _theirs(
    client: HubSpot, reading: Reading, kind: str, held: set[str], progress: Progress
) -> pd.DataFrame:
    """Return an object's records as the account has them now, in the columns of the store."""
    if kind == "owners":
        return conform(kind, owners(client.owners())).frame
    reached: frozenset[str] = _reached(client) if kind == "contacts" else frozenset()
    properties = ["lifecyclestage"] if kind == "contacts" else asked(kind, reading, ())
    found: list[pd.DataFrame] = []
    records: list[Record] = []
    bar = progress(f"{kind} compared".replace("_", " "), client.count(kind))
    try:
        for page, after in client.pages(kind, properties):
            records += page
            bar.update(len(page))
            if len(records) >= PART or after is None:
                found.append(_shaped(kind, records, reading, held, reached))
                records = []
    finally:
        bar.close()
    return pd.concat(found, ignore_index=True)


def _reached(client: HubSpot) -> frozenset[str]:
    return next(
        (reached_stages(p) for p in client.properties("contacts") if p["name"] == LIFECYCLE),
        frozenset[str](),
    )


def _shaped(
    kind: str, records: list[Record], reading: Reading, held: set[str], reached: Collection[str]
) -> pd.DataFrame:
    table = TABLES[kind]
    if kind != "contacts":
        return conform(table, SHAPES[kind](records, reading)).frame
    there = live(records)
    stages = [record["properties"].get(LIFECYCLE) for record in there]
    rows = conform(table, pd.DataFrame({"lead_id": ids(there), "stage_id": texts(stages)})).frame
    # a contact that is a lead no longer was one once: then the store has it, from its history
    return rows[rows["stage_id"].isin(list(reached)) | rows["lead_id"].isin(held)]
