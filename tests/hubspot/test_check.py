"""What `check` finds: access, and every difference between an account and a store, by record id."""

import pandas as pd
import pytest

from connectors import hubspot
from connectors.progress import silent
from connectors.sandbox.hubspot import TOKEN
from connectors.store import Store


def checked(one, *, store=True):
    client, limits = hubspot.connect(TOKEN, url=one.server.url)
    with client.api:
        return hubspot.check(client, limits, one.store if store else None, silent)


def row(frame, **where):
    for name, value in where.items():
        frame = frame[frame[name] == value]
    return frame.iloc[0]


@pytest.fixture
def synced(hub):
    one = hub(30, 2)
    one.sync()
    return one


@pytest.mark.parametrize("leads", [True, False], ids=["leads object", "contacts as leads"])
def test_a_store_just_synced_agrees(hub, leads):
    """Every count and every sum is equal, whichever object the leads are."""
    one = hub(30, 2, leads=leads)
    one.sync()
    found = checked(one)
    assert found.agrees
    assert found.usable
    assert found.counts["object"].tolist()[2] == ("leads" if leads else "contacts")
    assert (found.counts["difference"] == 0).all()
    assert (found.counts["hubspot"] > 0).all()
    truth = one.account.truth()["deals"]
    for outcome in ("won", "open"):
        sums = found.amounts[found.amounts["outcome"] == outcome]
        assert sums["hubspot_amount"].sum() == pytest.approx(
            truth.loc[truth["outcome"] == outcome, "amount"].astype(float).sum()
        )
    assert "The store agrees with HubSpot." in str(found)


def test_every_kind_of_difference_is_named_by_id(synced):
    """New, gone and changed records, each with both values, and the month that differs."""
    account = synced.account
    held = synced.rows("deals")
    changed = held.index[(held["outcome"] == "open") & (held["currency"] != "EUR")][0]
    gone = next(str(i) for i in synced.ids("deals") if str(i) != changed)
    lead = str(synced.ids("leads")[0])
    account.edit("deals", int(changed), {"amount": "4321"})
    account.archive("deals", int(gone))
    account.archive("leads", int(lead))
    new = str(account.create_deals(1, 9)[0])
    found = checked(synced)
    assert not found.agrees
    assert row(found.counts, object="leads")["difference"] == 1
    assert row(found.differences, table="leads", id=lead)["store"] == "there"
    assert row(found.differences, table="deals", id=gone)["hubspot"] == "missing"
    assert row(found.differences, table="deals", id=new)["store"] == "missing"
    amount = row(found.differences, table="deals", id=changed, column="amount")
    assert (amount["hubspot"], amount["store"]) == (4321, held["amount"][changed])
    assert (found.amounts["difference"].abs() > 0.005).any()
    text = str(found)
    assert "DIFFERS" in text
    assert changed in text
    assert "sync, then check again" in text
    account.advance(120)
    synced.sync()
    assert checked(synced).agrees


def test_a_deal_lost_from_the_store_is_found(synced):
    """The store is wrong, not HubSpot: no date says so, only the comparison."""
    one = str(synced.ids("deals")[3])
    synced.store.purge("deals", [one])
    found = checked(synced)
    assert found.differences[["table", "id", "store"]].to_numpy().tolist() == [
        ["deals", one, "missing"]
    ]


def test_what_since_left_out_is_no_difference(hub):
    """A first sync from a day on has fewer records on purpose."""
    one = hub(30, 2)
    changed = pd.to_datetime(one.account.truth()["deals"]["updated_at"], utc=True)
    middle = changed.sort_values().iloc[len(changed) // 2].date()
    one.sync(since=middle)
    assert 0 < len(one.rows("deals")) < 30
    assert checked(one).differences.query("table == 'deals'").empty


def test_access_account_and_pipelines_without_a_store(hub, tmp_path):
    """What the token may read, with the scope that is missing."""
    found = checked(hub(6, 2, limits=True, faults=["no_scope_line_items"]), store=False)
    assert found.account["time_zone"] == "America/New_York"
    assert found.account["currency"] == "USD"
    refused = found.access[~found.access["granted"]]
    assert refused[["object", "scope", "why"]].to_numpy().tolist() == [
        ["line_items", "crm.objects.line_items.read", "scope"]
    ]
    assert found.usable
    assert found.agrees
    assert found.counts.empty
    assert found.limits.daily == 650_000
    assert "Sales Pipeline" in found.pipelines["label"].tolist()
    assert "MISSING: add crm.objects.line_items.read" in str(found)
    assert not Store.exists(tmp_path / "hub0" / "store")


@pytest.mark.parametrize(
    ("fault", "usable"),
    [("no_scope_deals", False), ("no_scope_owners", False), ("no_leads", True)],
)
def test_what_is_needed_at_least(hub, fault, usable):
    """Deals, companies and owners; without a leads object contacts do."""
    found = checked(hub(6, 2, faults=[fault]), store=False)
    assert found.usable is usable
    if fault == "no_leads":
        assert row(found.access, object="leads")["why"] in ("absent", "scope")
        assert "contacts count as leads" in str(found)


def test_one_object_refused_leaves_the_others_compared(synced):
    """A comparison of what can be read."""
    synced.server.faults.switch("no_scope_meetings", on=True)
    found = checked(synced)
    assert found.counts["object"].tolist() == ["owners", "companies", "leads", "deals"]
    assert found.agrees
