"""One company, kept by HubSpot and by Salesforce: both connectors lead to the same numbers."""

from pathlib import Path

import pandas as pd
import pytest

import connectors
from connectors import hubspot, salesforce
from connectors.progress import silent
from connectors.sandbox import hubspot as hubspot_sandbox
from connectors.sandbox import salesforce as salesforce_sandbox
from connectors.sandbox.hubspot.sample import CUSTOM as PROPERTIES
from connectors.sandbox.salesforce.sample import CUSTOM as FIELDS
from connectors.store import Store
from kpi.catalogue import KPIS

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
NOW = "2026-11-02T06:00Z"
TABLE = {"Opportunity": "deals", "Lead": "leads", "Event": "meetings"}
TABLE |= {"OpportunityLineItem": "subscriptions"}
RECURRING = ("mrr_movements", "customer_churn")  # of customers, who have no source


def one_pipeline():
    """Return the sample company with its first pipeline only: Salesforce has no other."""
    frames = dict(connectors.read_folder(SAMPLES).frames)
    stages, deals, history = (frames[name] for name in ("stages", "deals", "history"))
    first = stages.loc[stages["object"] == "deal", "pipeline_id"].iloc[0]
    deals = deals[deals["pipeline_id"] == first]
    ids = deals["deal_id"]
    frames["stages"] = stages[(stages["object"] == "lead") | (stages["pipeline_id"] == first)]
    frames["deals"] = deals
    frames["history"] = history[(history["object"] == "lead") | history["record_id"].isin(ids)]
    for name in ("leads", "meetings"):
        of_deal = frames[name]["deal_id"]
        frames[name] = frames[name].assign(deal_id=of_deal.where(of_deal.isin(ids)))
    return frames


def synced(folder, crm, server, token, **settings):
    """Return the company as a store shows it that was filled from a server."""
    folder.mkdir()
    (folder / "definitions.toml").write_text((SAMPLES / "definitions.toml").read_text())
    client, limits = crm.connect(token, url=server.url, environ={})
    chosen = crm.Settings(lag_seconds=0, **settings)
    with server, client.api:
        report = crm.Sync(Store(folder), client, limits, chosen, progress=silent).run()
    assert report.complete
    return connectors.open(folder)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Fill one store from each."""
    folder, frames = tmp_path_factory.mktemp("stores"), one_pipeline()
    account = hubspot_sandbox.Account.from_tables(frames, now=NOW)
    org = salesforce_sandbox.Org.from_tables(frames, now=NOW)
    server = hubspot_sandbox.serve(account, limits=False)
    one = synced(folder / "h", hubspot, server, hubspot_sandbox.TOKEN, fields=PROPERTIES)
    fields = {TABLE[name]: columns for name, columns in FIELDS.items()}
    server = salesforce_sandbox.serve(org)
    two = synced(folder / "s", salesforce, server, salesforce_sandbox.TOKEN, fields=fields)
    return one, two


def by_name(frame, snapshot):
    """Put names for ids, which differ; Salesforce names no pipeline."""
    found = frame.drop(columns="pipeline_id", errors="ignore")
    if "owner" not in found:
        return found
    owners = snapshot.owners.lazy().collect().to_pandas().set_index("owner_id")["name"]
    named = found.assign(owner=found["owner"].map(owners).astype("str"))
    return named.sort_values("owner", kind="stable", ignore_index=True)


WAYS = {
    "all": {},
    "quarters": {"every": "quarter"},
    "sources": {"by": "source"},
    "owners": {"by": "owner"},
    "segments": {"by": "segment"},
}
CASES = [
    pytest.param(name, options, id=f"{name}-{way}")
    for name in KPIS
    for way, options in WAYS.items()
    if not (name in RECURRING and "by" in options)
    and not (name == "lead_conversion" and way == "segments")
]
CASES += [pytest.param(name, {"by": "region"}, id=f"{name}-regions") for name in RECURRING]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_every_kpi_is_the_same(both, name, options):
    one, two = (by_name(KPIS[name](snapshot, **options), snapshot) for snapshot in both)
    assert len(one)
    assert one["n"].sum() > 0 if "n" in one else len(one) > 1
    pd.testing.assert_frame_equal(one, two, rtol=1e-9)


def test_what_counts_is_the_same(both):
    """As many of everything; but for what only one of the two keeps."""
    one, two = both
    for table in ("leads", "deals", "subscriptions", "accounts", "owners", "meetings"):
        sizes = [len(getattr(each, table).lazy().collect()) for each in both]
        assert sizes[0] == sizes[1] > 0, table
    assert one.definitions == two.definitions
