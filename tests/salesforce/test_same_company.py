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
from kpi.tables import TableError

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
NOW = "2026-11-02T06:00Z"
TABLE = {"Opportunity": "deals", "Lead": "leads", "Event": "meetings"}
TABLE |= {"OpportunityLineItem": "subscriptions"}


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
    found = frame.drop(columns=["pipeline_id", "owner_id"], errors="ignore")
    if "owner" in found:
        owners = snapshot.owners.lazy().collect().to_pandas().set_index("owner_id")["name"]
        found = found.assign(owner=found["owner"].map(owners).astype("str"))
    sellers = [name for name in ("owner", "name") if name in found]
    if not sellers:
        return found
    return found.sort_values(sellers, kind="stable", ignore_index=True)


def told(name, snapshot, options):
    """What a KPI says: its table, or why it refuses (tables the CRM lacks, a column it is not cut by)."""
    try:
        return by_name(KPIS[name](snapshot, **options), snapshot)
    except TableError as error:
        return str(error).split(";", maxsplit=1)[0]


WAYS = {
    "all": {},
    "quarters": {"every": "quarter"},
    "sources": {"by": "source"},
    "owners": {"by": "owner"},
    "regions": {"by": "region"},
}
LACKING = {"suspects_added", "quota_attainment", "coverage"}
LACKING |= {"sales_marketing_cost", "cost_per_lead", "cac", "cac_payback", "clv_to_cac"}
LACKING |= {"magic_number"}  # a CRM has no suspects, quotas or costs


def cases():
    """Every KPI as it is and cut in one way, in turn; in every way in the long campaign."""
    cuts = [way for way in WAYS if way != "all"]
    for place, name in enumerate(KPIS):
        for way in WAYS:
            short = way in ("all", cuts[place % len(cuts)])
            marks = () if short else pytest.mark.campaign
            yield pytest.param(name, way, marks=marks, id=f"{name}-{way}")


@pytest.fixture(scope="module", autouse=True)
def one_quarter():
    """Slippage rewinds once a quarter, half the time of all KPIs: one stands for its four."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kpi.pipeline.slippage.POOLED", 1)
        yield


@pytest.mark.parametrize(("name", "way"), list(cases()))
def test_every_kpi_is_the_same(both, name, way):
    """The same table from both, or the same reason for having none."""
    one, two = (told(name, snapshot, WAYS[way]) for snapshot in both)
    if isinstance(one, str) or isinstance(two, str):
        assert one == two
        assert way != "all" or name in LACKING
        return
    assert len(one)
    assert way != "all" or name in LACKING or one["n"].sum() > 0
    pd.testing.assert_frame_equal(one, two, rtol=1e-9)


def test_what_counts_is_the_same(both):
    """As many of everything; but for what only one of the two keeps."""
    one, two = both
    for table in ("leads", "deals", "subscriptions", "accounts", "owners", "meetings"):
        sizes = [len(getattr(each, table).lazy().collect()) for each in both]
        assert sizes[0] == sizes[1] > 0, table
    assert one.definitions == two.definitions
