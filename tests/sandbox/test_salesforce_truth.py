"""The truth that the server states: by hand, and the same as that of the org read from the wire."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import requests

from connectors import read_folder
from connectors.sandbox.salesforce import TOKEN, Org, serve
from connectors.sandbox.salesforce.make_org import currencies, settings, user
from connectors.sandbox.salesforce.sample import CUSTOM
from connectors.sandbox.salesforce.schema import KINDS
from connectors.sandbox.salesforce.stages import LEAD, OPPORTUNITY, lead_status, opportunity_stage
from connectors.sandbox.salesforce.wire import parse_time, seconds
from connectors.sandbox.wire import chance
from kpi.conform import conform
from kpi.tables import TABLES

ROOT = Path(__file__).parents[2]
NOW = "2026-11-01T09:30:00Z"
FIELDS = {
    "deals": CUSTOM["Opportunity"],
    "leads": CUSTOM["Lead"],
    "meetings": CUSTOM["Event"],
    "subscriptions": CUSTOM["OpportunityLineItem"],
}
TYPES = {"Partner": "new"}


def reread(org):
    """Build an org anew from what the server answers to REST queries."""
    new = Org(instance_url=org.instance_url, multi_currency=org.multi_currency,
              time_zone=org.time_zone, fixed_now=org.now, custom=org.custom)  # fmt: skip
    with serve(org) as server, requests.Session() as session:
        new.instance_url = server.url
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        for kind in KINDS.values():
            if org.has(kind.name):
                for record in everything(server, session, kind):
                    new.tables[kind.name].rows[record["Id"]] = kind.row(
                        {f.name: inner(f.type, record.get(f.name)) for f in kind.fields}
                    )
    return new


def everything(server, session, kind):
    """Read every record of an object with all its fields."""
    base = f"{server.url}/services/data/v66.0"
    described = session.get(f"{base}/sobjects/{kind.name}/describe", timeout=9).json()
    names = ",".join(f["name"] for f in described["fields"])
    query = {"q": f"SELECT {names} FROM {kind.name}"}
    page = session.get(f"{base}/queryAll", params=query, timeout=30).json()
    yield from page["records"]
    while not page["done"]:
        page = session.get(server.url + page["nextRecordsUrl"], timeout=30).json()
        yield from page["records"]


def inner(kind, value):
    """Read a value back into the form the org holds it in."""
    return parse_time(value) if kind == "datetime" and value else value


def same(left, right):
    """Compare two truths table by table."""
    for name, frame in left.items():
        keys = [k for k in TABLES[name].key if frame[k].notna().any()]
        a, b = (f.sort_values(keys, ignore_index=True) for f in (frame, right[name]))
        pd.testing.assert_frame_equal(a, b, obj=name)


@pytest.mark.parametrize("many", [True, False], ids=["several currencies", "one currency"])
def test_truth_equals_that_of_the_org_read_anew(many):
    """After two hundred changes of every kind, what the wire tells is what the truth says."""
    org = Org.generate(60, 5, now=NOW, multi_currency=many)
    for turn in range(4):
        org.advance(30)
        org.mutate(50, seed=turn)
    new = reread(org)
    options = {"fields": FIELDS, "deal_types": TYPES, "tombstones": False}
    same(org.truth(**options), new.truth(**options))


def test_truth_conforms():
    """Every table is as `kpi.tables` has it: conforming changes and rejects nothing."""
    org = Org.generate(200, 5, now=NOW)
    org.mutate(150, seed=1)
    org.delete_stage("Value Proposition")
    truth = org.truth(fields=FIELDS, deal_types=TYPES)
    for name, frame in truth.items():
        clean, problems = conform(name, frame)
        assert list(frame.columns) == TABLES[name].names
        assert problems.empty, problems
        pd.testing.assert_frame_equal(clean, frame, obj=name)
    assert all(len(frame) for frame in truth.values())


@pytest.fixture
def org():
    """An org with settings, stages and people, and no records."""
    made = Org(fixed_now=seconds(NOW), time_zone="Asia/Tokyo")
    settings(made)
    made.seller = user(made, "Ada Alder", role=None, department="Sales")
    for row in OPPORTUNITY:
        opportunity_stage(made, *row)
    for row in LEAD:
        lead_status(made, *row)
    currencies(made, chance(1), seconds(NOW))
    return made


def deal_of(org, deal, **options):
    """Row of a deal."""
    return org.truth(**options)["deals"].set_index("deal_id").loc[deal]


def stages_of(org, what="deal", **options):
    """Rows of stages by id."""
    stages = org.truth(**options)["stages"]
    return stages[stages["object"] == what].set_index("stage_id")


def test_a_deal_by_hand(org):
    """Amount by the rate of its close date; closed when it last came into its stage."""
    rates = org.tables["DatedConversionRate"]
    at = rates.kind.at
    rate = next(
        r[at["ConversionRate"]]
        for r in rates.rows.values()
        if r[at["IsoCode"]] == "EUR" and r[at["StartDate"]] <= "2025-05-05" < r[at["NextStartDate"]]
    )
    deal = org.create("Opportunity", {"Amount": 100.0, "CurrencyIsoCode": "EUR",
        "CloseDate": "2025-05-05", "Type": "Existing Business", "OwnerId": org.seller,
        "LastActivityDate": "2026-10-30"})  # fmt: skip
    for stage in ("Closed Won", "Negotiation/Review", "Closed Lost"):
        org.advance(60)
        org.edit("Opportunity", deal, {"StageName": stage})
    org.advance(60)
    org.edit("Opportunity", deal, {"Probability": 1.0})
    row = deal_of(org, deal)
    assert row["amount"] == 100 / rate
    assert (row["currency"], row["amount_original"]) == ("EUR", 100)
    assert (row["outcome"], row["deal_type"]) == ("lost", "expansion")
    assert row["closed_at"] == pd.Timestamp("2026-11-01T09:33Z")
    assert row["last_activity_at"] == pd.Timestamp("2026-10-29T15:00Z")  # its start in Tokyo
    assert row["url"] == f"{org.instance_url}/{deal}"
    history = org.truth()["history"]
    assert history["stage_id"].tolist() == [
        "Prospecting", "Closed Won", "Negotiation/Review", "Closed Lost", "Closed Lost",
    ]  # fmt: skip
    assert history["probability"].tolist() == [0.1, 1.0, 0.9, 0.0, 0.01]


def test_stages_by_hand(org):
    """Renamed, deleted, found by label, and names that no stage has."""
    deal = org.create("Opportunity", {"StageName": "Proposal"})  # a label
    org.create("Opportunity", {"StageName": "Zzz", "IsWon": True, "IsClosed": True})
    org.create("Opportunity", {"StageName": "Aaa"})
    assert deal_of(org, deal)["stage_id"] == "Proposal/Price Quote"
    strays = stages_of(org).loc[["Aaa", "Zzz"], ["position", "outcome"]]
    assert strays.values.tolist() == [[18, "open"], [19, "won"]]
    org.rename_stage("Proposal/Price Quote", "Offer")
    org.delete_stage("Closed Lost")
    org.deactivate_stage("Qualification")
    stages = stages_of(org)
    assert stages.loc["Proposal/Price Quote", "label"] == "Offer"
    assert stages.loc[["Closed Lost", "Qualification"], "active"].tolist() == [False, False]
    assert "Closed Lost" not in stages_of(org, tombstones=False).index
    assert deal_of(org, deal)["stage_id"] == "Proposal"  # its label is no stage's any more
    leads = stages_of(org, "lead")
    assert leads["outcome"].tolist() == ["open", "open", "open", "open", "lost"]


def test_leads_by_hand(org):
    """Converted with and without history, merged, owned by a queue."""
    queue = org.add("Group", {"Name": "Queue"})[0]
    lead = org.create("Lead", {"OwnerId": queue})
    loser = org.create("Lead", {"Status": "Working"})
    org.advance(3_600)
    org.edit("Lead", lead, {"OwnerId": org.seller})
    org.merge_leads(lead, loser)
    deal = org.convert_lead(lead)
    row = org.truth()["leads"].iloc[0]
    assert (len(org.truth()["leads"]), row["deal_id"], row["owner_id"]) == (1, deal, org.seller)
    assert row["converted_at"] == pd.Timestamp("2026-11-01T10:30Z")
    history = org.truth()["history"].query("object == 'lead'")
    assert history["owner_id"].dropna().tolist() == [org.seller]
    assert history["stage_id"].dropna().tolist() == ["Closed - Converted"]
    org.without = {"LeadHistory"}
    row = org.truth()["leads"].iloc[0]
    assert row["converted_at"] == row["created_at"]  # its day in Tokyo began before it came in


def test_deleted_and_undeleted(org):
    """Neither the record nor its history is in a table, until it is undeleted."""
    deal = org.create("Opportunity", {})
    org.delete("Opportunity", deal)
    assert [len(org.truth()[n]) for n in ("deals", "history")] == [0, 0]
    org.undelete("Opportunity", deal)
    assert [len(org.truth()[n]) for n in ("deals", "history")] == [1, 1]
    org.hard_delete("Opportunity", deal)
    assert [len(org.truth()[n]) for n in ("deals", "history")] == [0, 0]


def test_events_by_hand(org):
    """Copies of guests and masters of series are left out; an all-day event begins in the zone."""
    day = {"IsAllDayEvent": True, "ActivityDate": "2026-11-02",
           "StartDateTime": seconds("2026-11-02"), "OwnerId": org.seller}  # fmt: skip
    for flag in ("IsChild", "IsRecurrence", "IsRecurrence2"):
        org.create("Event", {**day, flag: True})
    org.create("Event", {**day, "Outcome__c": "Completed"})
    org.advance(400 * 86_400)
    assert org.archive_events() == 4
    meetings = org.truth(fields={"meetings": {"outcome": "Outcome__c"}})["meetings"]
    assert meetings["starts_at"].tolist() == [pd.Timestamp("2026-11-01T15:00Z")]
    assert meetings["outcome"].isna().all()  # the org has no such field
    org.custom.add("Event.Outcome__c")
    assert (
        org.truth(fields={"meetings": {"outcome": "Outcome__c"}})["meetings"]["outcome"][0]
        == "held"
    )


def test_hidden_fields_are_missing(org):
    """What the user may not see is in no row."""
    deal = org.create("Opportunity", {"LeadSource": "Web"})
    assert deal_of(org, deal)["source"] == "Web"
    org.hidden = {"Opportunity": {"LeadSource"}}
    assert pd.isna(deal_of(org, deal)["source"])


def test_purged_history():
    """Gone from the org after 24 months, not from who has read it before."""
    org = Org.generate(200, 5, now=NOW)
    before = org.truth()
    org.advance(60 * 86_400)
    assert org.purge_history() > 0
    same(before, org.truth())
    assert len(org.truth(purged=False)["history"]) < len(before["history"])


def test_sample_company():
    """The sample company's first pipeline keeps its numbers; what is left out is counted."""
    frames = read_folder(ROOT / "data" / "samples").frames
    org = Org.from_tables(frames, now="2026-11-01T06:00Z")
    truth = org.truth(fields=FIELDS)
    for name in ("leads", "meetings", "owners", "accounts", "rates"):
        assert len(truth[name]) == len(frames[name]), name
    deals = frames["deals"]
    deals = deals[deals["pipeline_id"] == "new-business"].reset_index(drop=True)
    for column in ("amount", "margin", "mrr"):
        assert truth["deals"][column].tolist() == pytest.approx(deals[column].tolist(), nan_ok=True)
    for column in ("outcome", "stage_id", "segment", "deal_type", "close_date", "closed_at",
                   "next_step_on", "source", "forecast_category"):  # fmt: skip
        pd.testing.assert_series_equal(truth["deals"][column], deals[column], obj=column)
    for column in ("created_at", "converted_at", "stage_id", "source", "channel", "in_profile"):
        pd.testing.assert_series_equal(truth["leads"][column], frames["leads"][column], obj=column)
    assert len(truth["deals"]) + org.left_out["deals"] == len(frames["deals"])
    lines = len(truth["subscriptions"]) + org.left_out["subscriptions"]
    assert lines == len(frames["subscriptions"])


def test_the_same_seed_gives_the_same_org():
    """Size, seed and day are all that counts."""
    one, two = (Org.generate(40, 9, now=NOW) for _ in range(2))
    for org in (one, two):
        org.mutate(30, seed=2)
    same(one.truth(), two.truth())


def test_command_line(tmp_path):
    """It prints its own variables, says where it listens, keeps the truth file, and ends when told."""
    truth = tmp_path / "truth"
    command = [sys.executable, "tests/emulators/salesforce.py", "--opportunities", "30", "--seed", "2",
               "--truth", str(truth)]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SALESFORCE_")}
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        lines = [process.stdout.readline().strip() for _ in range(5)]
        told = dict(line.split("=", 1) for line in lines[:4])
        url = lines[4].removeprefix("listening on ")
        assert told["SALESFORCE_INSTANCE_URL"] == url
        before = json.loads(truth.read_text())
        answer = requests.get(
            f"{url}/services/data/v66.0/query", params={"q": "SELECT Id FROM Opportunity"}, timeout=9,
            headers={"Authorization": f"Bearer {told['SALESFORCE_ACCESS_TOKEN']}"},
        )  # fmt: skip
        assert len(answer.json()["records"]) == len(before["deals"]["rows"])
        changes = {"n": 20, "seed": 3}
        requests.post(f"{url}/_sandbox/mutate", json=changes, timeout=9).raise_for_status()
        told = requests.get(f"{url}/_sandbox/truth", timeout=9).json()
        process.terminate()
        assert process.wait(10) == 0
    after = json.loads(truth.read_text())
    assert (after == before, after == told) == (False, True)
    assert not list(tmp_path.glob("*.part"))


def test_command_line_takes_variables_for_granted():
    """What the environment names is what is accepted, and nothing of it is printed."""
    command = [sys.executable, "tests/emulators/salesforce.py", "--opportunities", "5"]
    environment = os.environ | {"SALESFORCE_ACCESS_TOKEN": "given"}
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        url = process.stdout.readline().split()[-1]
        status = [
            requests.get(f"{url}/services/data/v66.0/limits", timeout=9,
                         headers={"Authorization": f"Bearer {t}"}).status_code
            for t in ("given", TOKEN)
        ]  # fmt: skip
        process.terminate()
        process.wait(10)
    assert status == [200, 401]
