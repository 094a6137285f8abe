"""The truth that the server states: the same as that of the account rebuilt from the wire alone."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests

from connectors import read_folder
from connectors.sandbox.hubspot import TOKEN, Account
from connectors.sandbox.hubspot.account import Account as Blank
from connectors.sandbox.hubspot.links import LABELLED, PAIRS, PLAIN, PRIMARY, Links
from connectors.sandbox.hubspot.shelf import Record, Shelf
from connectors.sandbox.hubspot.wire import parse_time
from kpi.conform import conform
from kpi.tables import TABLES

ROOT = Path(__file__).parents[2]
NOW = "2026-11-01T09:30:00Z"


def reread(made):
    """Build an account anew from what the server answers."""
    account = made.account
    new = Blank(time_zone=account.time_zone, owners=account.owners, has_leads=account.has_leads,
                pipelines=account.pipelines, tombstones=account.tombstones)  # fmt: skip
    for kind in account.shelves:
        records = [record(r, kind) for r in listing(made, kind, account)]
        new.shelves[kind] = Shelf(
            [r.id for r in records], [r.created for r in records], [r.modified for r in records]
        )
        new.shelves[kind].changed = {r.id: r for r in records}
    new.links = Links({pair: links(made, pair, new) for pair in PAIRS})
    return new


def listing(made, kind, account):
    """Read every record of a type with all values and histories."""
    names = ",".join(n for n in account.definitions(kind) if not n.startswith("hs_v2_l"))
    after = 0
    while True:
        answer = made.get(
            f"/crm/v3/objects/{kind}", limit=50, after=after, properties=names,
            propertiesWithHistory="dealstage,pipeline,amount_in_home_currency,closedate,"
            "hubspot_owner_id,lifecyclestage,hs_lead_status,hs_pipeline_stage,hs_pipeline",
        )  # fmt: skip
        if answer.status_code == 404:
            return
        page = answer.json()
        yield from page["results"]
        if "paging" not in page:
            return
        after = page["paging"]["next"]["after"]


def record(body, kind):
    """Read one record back into the form the account holds it in."""
    props = {k: v for k, v in body["properties"].items() if v is not None}
    history = {
        name: tuple((parse_time(e["timestamp"]), e["value"], "") for e in reversed(entries))
        for name, entries in body.get("propertiesWithHistory", {}).items()
    }
    return Record(int(body["id"]), parse_time(body["createdAt"]), parse_time(body["updatedAt"]),
                  props, history)  # fmt: skip


def links(made, pair, new):
    """Read the links of a pair of types."""
    rows = []
    for record_id in new.shelves[pair[0]].ids:
        path = f"/crm/v4/objects/{pair[0]}/{record_id}/associations/{pair[1]}"
        answer = made.get(path)
        if answer.status_code == 404:
            break
        kinds = {}
        for row in answer.json()["results"]:
            for one in row["associationTypes"]:
                kind = PRIMARY if one["label"] == "Primary" else PLAIN
                kind = LABELLED if one["typeId"] == 36 else kind
                kinds[row["toObjectId"]] = max(kind, kinds.get(row["toObjectId"], PLAIN), key=abs)
        rows += [(record_id, other, kind) for other, kind in kinds.items()]
    columns = np.array(rows or np.zeros((0, 3)), dtype=np.int64).T
    return columns[0], columns[1], columns[2]


def same(left, right):
    """Compare two truths table by table; of stage dates only the account itself knows."""
    for name, table in TABLES.items():
        if name in left:
            keys = list(table.key)
            a, b = (f[name].sort_values(keys, ignore_index=True) for f in (left, right))
            pd.testing.assert_frame_equal(a, b, obj=name)


@pytest.mark.parametrize("leads", [True, False], ids=["leads object", "contacts"])
def test_truth_equals_that_of_the_account_read_anew(start, leads):
    """After a hundred changes of every kind, what the wire tells is what the truth says."""
    made = start(Account.generate(deals=60, seed=5, now=NOW, leads=leads))
    for turn in range(4):
        made.account.advance(30)
        made.account.mutate(40, seed=turn)
    new = reread(made)
    for deal in new.shelves["deals"].changed.values():
        deal.entered.update(made.account.find("deals", deal.id).entered)
    same(made.account.truth(), new.truth())


def test_truth_conforms(start):
    """Every table is as `kpi.tables` has it: conforming changes and rejects nothing."""
    account = Account.generate(deals=200, seed=5, now=NOW)
    account.mutate(150, seed=1)
    for name, frame in account.truth().items():
        clean, problems = conform(name, frame)
        assert list(frame.columns) == TABLES[name].names
        assert problems.empty, problems
        pd.testing.assert_frame_equal(clean, frame, obj=name)


def test_fields_and_zone():
    """Custom properties by setting; days are those of the zone."""
    account = Account.generate(deals=80, seed=1, now=NOW)
    fields = {"deals": {"segment": "market_segment", "term_months": "contract_months"},
              "leads": {"in_profile": "in_profile"}}  # fmt: skip
    deals = account.truth(fields=fields)["deals"]
    assert {"SMB", "Enterprise"} <= set(deals["segment"].dropna())
    assert deals["term_months"].isin([12, 24, 36]).all()
    tokyo = account.truth(time_zone="Asia/Tokyo")["deals"]
    assert not tokyo["close_date"].equals(deals["close_date"])


def test_rules_by_hand():
    """One deal whose every column can be worked out on paper."""
    account = Blank(time_zone="America/New_York", fixed_now=parse_time(NOW), owners=[])
    company = account.create("companies", {"name": "Acme"}).id
    contact = account.create("contacts", {"lifecyclestage": "lead"}).id
    lead = account.create("leads", {"hs_pipeline_stage": "new-stage-id"}).id
    deal = account.create("deals", {
        "dealname": "One", "dealstage": "qualifiedtobuy", "amount": "100",
        "deal_currency_code": "EUR", "dealtype": "existingbusiness",
        "closedate": "2026-12-01T03:00:00Z",
    }).id  # fmt: skip
    account.associate("contacts", contact, "leads", lead)
    account.associate("deals", deal, "contacts", contact)
    account.associate("deals", deal, "companies", company, primary=True)
    row = account.truth()["deals"].iloc[0]
    assert (row["amount"], row["amount_original"], row["currency"]) == (108.0, 100.0, "EUR")
    assert (row["deal_type"], row["outcome"]) == ("expansion", "open")
    assert row["close_date"] == pd.Timestamp("2026-11-30")
    assert (row["lead_id"], row["account_id"]) == (str(lead), str(company))
    account.advance(60)
    account.edit("deals", deal, {"dealstage": "closedwon"})
    account.advance(60)
    account.edit("deals", deal, {"dealstage": "qualifiedtobuy"})
    account.advance(60)
    account.edit("deals", deal, {"dealstage": "closedwon"})
    row = account.truth()["deals"].iloc[0]
    assert (row["outcome"], row["closed_at"]) == ("won", pd.Timestamp("2026-11-01T09:33Z"))
    history = account.truth()["history"].query("object == 'deal' and stage_id.notna()")
    assert history["stage_id"].tolist() == ["qualifiedtobuy", "closedwon"] * 2
    assert set(history["pipeline_id"]) == {"default"}


def test_sample_company():
    """The sample company keeps its counts, stages and won amounts; the rest is counted."""
    frames = read_folder(ROOT / "data" / "samples").frames
    account = Account.from_tables(frames, now="2026-11-01T06:00Z")
    truth = account.truth(fields={"deals": {"segment": "market_segment", "margin": "gross_margin"}})
    for name in ("stages", "leads", "deals", "meetings", "owners", "accounts"):
        assert len(truth[name]) == len(frames[name]), name
    for column in ("amount", "margin", "outcome", "segment", "deal_type", "close_date"):
        theirs, ours = frames["deals"][column], truth["deals"][column]
        assert sorted(ours.dropna()) == sorted(theirs.dropna()), column
    mrr = [sorted(found["deals"]["mrr"].dropna()) for found in (frames, truth)]
    assert mrr[1] == pytest.approx(mrr[0])  # to the deal's currency and back
    assert truth["deals"]["lead_id"].notna().sum() == frames["deals"]["lead_id"].notna().sum()
    won = truth["deals"]["outcome"] == "won"
    assert (truth["deals"]["closed_at"][won] == frames["deals"]["closed_at"][won]).all()
    left = account.left_out["subscriptions"]
    assert len(truth["subscriptions"]) + left == len(frames["subscriptions"])


def test_the_same_seed_gives_the_same_account():
    """Size, seed and day are all that counts."""
    one, two = (Account.generate(deals=40, seed=9, now=NOW) for _ in range(2))
    for account in (one, two):
        account.mutate(30, seed=2)
    same(one.truth(), two.truth())


def test_command_line(tmp_path):
    """It says where it listens, keeps the truth file up to date, and ends when told."""
    truth = tmp_path / "truth"
    command = [sys.executable, "tests/emulators/hubspot.py", "--deals", "30", "--seed", "2",
               "--no-limits", "--truth", str(truth)]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:")
        url = line.split()[-1]
        before = json.loads(truth.read_text())
        answer = requests.get(f"{url}/crm/v3/objects/deals", timeout=9,
                              headers={"Authorization": f"Bearer {TOKEN}"})  # fmt: skip
        assert len(answer.json()["results"]) == 10
        requests.post(
            f"{url}/_sandbox/mutate", json={"n": 20, "seed": 3}, timeout=9
        ).raise_for_status()
        told = requests.get(f"{url}/_sandbox/truth", timeout=9).json()
        process.terminate()
        assert process.wait(10) == 0
    after = json.loads(truth.read_text())
    assert (len(before["deals"]["rows"]), after == before, after == told) == (30, False, True)
    assert not list(tmp_path.glob("*.part"))
