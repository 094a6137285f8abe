"""What an org has, shaped as the store has it, for `connectors.agreement` to compare."""

from collections.abc import Collection

import pandas as pd

from connectors.agreement import Agreement
from connectors.agreement import agreement as compared
from connectors.progress import Progress
from connectors.salesforce.context import Kind, Org, table
from connectors.salesforce.plan import EPOCH
from connectors.salesforce.records.deals import deals
from connectors.salesforce.records.leads import leads
from connectors.salesforce.records.people import accounts, meetings, owners
from connectors.salesforce.records.rows import rows_of
from connectors.salesforce.records.subscriptions import subscriptions
from connectors.salesforce.settings import Settings
from connectors.salesforce.streams import changed
from connectors.store import Store
from kpi.conform import conform
from kpi.tables import TABLES

SOLD = ["deal_id", "outcome", "account_id", "currency", "close_date"]


def agreement(org: Org, settings: Settings, store: Store, progress: Progress) -> Agreement:
    """Read every record of the org that the user may read, and compare it with the store.

    Parameters
    ----------
    org : Org
        As a sync opens it.
    settings : Settings
        Of the store.
    store : Store
        With one sync at least.
    progress : Progress
        Shows how far it is.
    """
    kinds = {kind.name: kind for kind in org.kinds if not kind.is_history}
    if "Opportunity" not in kinds:  # what was sold, only opportunities tell
        kinds.pop("OpportunityLineItem", None)
    objects = {"User": "owners"} | {name: kind.table for name, kind in kinds.items()}
    sold: list[pd.DataFrame] = []

    def theirs(name: str, _held: Collection[str]) -> pd.DataFrame:
        if name == "User":
            return conform("owners", owners(table(org.client, "User", settings))).frame
        found = _read(org, kinds[name], sold, progress)
        if name == "Opportunity":
            sold.append(found[SOLD])
        return found

    return compared("salesforce", store, objects, theirs)


def _read(org: Org, kind: Kind, sold: list[pd.DataFrame], progress: Progress) -> pd.DataFrame:
    """Return an object's records as the org has them now, in the columns of the store."""
    bar = progress(f"{kind.name} compared", org.client.count(kind.name))
    until = org.client.api.now()
    fields = org.wanted[kind.name].fields
    found = [_shaped(org, kind, rows_of([], fields), sold)]
    try:
        for batch in changed(org.client, kind, fields, None, EPOCH, until):
            found.append(_shaped(org, kind, batch.rows, sold))
            bar.update(len(batch.rows))
    finally:
        bar.close()
    # a record that changes while this goes on is read twice
    rows = pd.concat(found, ignore_index=True)
    return rows.drop_duplicates(TABLES[kind.table].key[0], keep="last", ignore_index=True)


def _shaped(org: Org, kind: Kind, raw: pd.DataFrame, sold: list[pd.DataFrame]) -> pd.DataFrame:
    if kind.table == "accounts":
        found = accounts(raw, org.reading)
    elif kind.table == "leads":
        found = leads(raw, org.reading, org.names)
    elif kind.table == "deals":
        found = deals(raw, org.reading, org.names)
    elif kind.table == "meetings":
        found = meetings(raw, org.reading)
    else:
        found = subscriptions(raw, pd.concat(sold), org.reading).frame
    return conform(kind.table, found).frame
