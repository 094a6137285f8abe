"""What `check` finds: access, features, hidden fields, and every difference, by record id."""

import pandas as pd
import pytest

from connectors import salesforce
from connectors.errors import CredentialsError, FileError
from connectors.progress import silent
from connectors.salesforce.settings import Settings
from connectors.sandbox.salesforce import TOKEN
from connectors.store import Store


@pytest.fixture(autouse=True)
def _jobs_are_looked_at_at_once(monkeypatch):
    monkeypatch.setattr("connectors.salesforce.jobs.FIRST_WAIT", 0.01)


def checked(one, *, store=True):
    client, limits = salesforce.connect(TOKEN, url=one.server.url, prompt=False)
    with client.api:
        return salesforce.check(client, limits, one.store if store else None, silent)


def row(frame, **where):
    for name, value in where.items():
        frame = frame[frame[name] == value]
    return frame.iloc[0]


@pytest.fixture
def synced(crm):
    one = crm(30, 2)
    one.sync(lag_seconds=0)
    return one


def test_a_store_just_synced_agrees(synced):
    """Every count and every sum is equal, archived events, subscriptions and all currencies too."""
    found = checked(synced)
    assert found.agrees
    assert found.usable
    assert found.counts["object"].tolist() == [
        "User",
        "Account",
        "Lead",
        "Opportunity",
        "Event",
        "OpportunityLineItem",
    ]
    assert (found.counts["difference"] == 0).all()
    assert (found.counts["salesforce"] > 0).all()
    truth = synced.org.truth()["deals"]
    for outcome in ("won", "open"):
        sums = found.amounts[found.amounts["outcome"] == outcome]
        assert sums["salesforce_amount"].sum() == pytest.approx(
            truth.loc[truth["outcome"] == outcome, "amount"].astype(float).sum()
        )
    assert "The store agrees with Salesforce." in str(found)


def test_an_org_with_one_currency_agrees(crm):
    """No rates; the sums have no currency's name."""
    one = crm(20, 2, multi_currency=False)
    one.sync(lag_seconds=0)
    found = checked(one)
    assert found.agrees
    assert found.features["several currencies"] is False
    assert found.account["currency"] == ""
    assert "currency   one only" in str(found)


def test_nothing_is_written_and_no_job_is_made(synced):
    """A check asks by GET alone."""
    before = len(synced.sent)
    checked(synced)
    assert {request.method for request in synced.sent[before:]} == {"GET"}
    assert not synced.server.writes


def test_every_kind_of_difference_is_named_by_id(synced):
    """New, gone and changed records, each with both values, and the month that differs."""
    org, held = synced.org, synced.rows("deals")
    open_deals = held.index[(held["outcome"] == "open") & (held["currency"] == "USD")]
    changed, lead = open_deals[0], synced.ids("Lead", IsConverted=False)[0]
    gone = next(i for i in held.index if i != changed)
    org.edit("Opportunity", changed, {"Amount": 4321.0})
    org.delete("Opportunity", gone)
    org.hard_delete("Lead", lead)
    new = org.create("Opportunity", {"Name": "New", "Amount": 5.0})
    found = checked(synced)
    assert not found.agrees
    assert row(found.counts, object="Lead")["difference"] == 1
    assert row(found.differences, table="leads", id=lead)["store"] == "there"
    assert row(found.differences, table="deals", id=gone)["salesforce"] == "missing"
    assert row(found.differences, table="deals", id=new)["store"] == "missing"
    amount = row(found.differences, table="deals", id=changed, column="amount")
    assert (amount["salesforce"], amount["store"]) == (4321, held["amount"][changed])
    assert (found.amounts["difference"].abs() > 0.005).any()
    text = str(found)
    assert "DIFFERS from Salesforce" in text
    assert changed in text
    assert "sync, then check again" in text
    synced.wait()
    synced.sync(lag_seconds=0)
    assert checked(synced).agrees


def test_a_deal_lost_from_the_store_is_found(synced):
    """The store is wrong, not Salesforce: no date says so, only the comparison."""
    one = synced.ids("Opportunity")[3]
    synced.store.purge("deals", [one])
    found = checked(synced).differences
    assert found.query("table == 'deals'")[["id", "store"]].to_numpy().tolist() == [
        [one, "missing"]
    ]


def test_what_since_left_out_is_no_difference(crm):
    """A first sync from a day on has fewer records on purpose."""
    one = crm(30, 2)
    changed = pd.to_datetime(one.org.truth()["deals"]["updated_at"], utc=True)
    middle = changed.sort_values().iloc[len(changed) // 2].date()
    one.sync(lag_seconds=0, since=middle)
    assert 0 < len(one.rows("deals")) < len(one.ids("Opportunity"))
    assert checked(one).differences.query("table == 'deals'").empty


def test_identity_limits_and_stages_without_a_store(crm):
    """Who we are, in which org, what is left of its calls, and what its stages mean."""
    one = crm(6, 2)
    found = checked(one, store=False)
    assert found.account["org"] == "Sandbox Company"
    assert found.account["user"] == "integration.user@sandbox.example"
    assert found.account["time_zone"] == "America/New_York"
    assert (found.account["currency"], found.account["currencies"]) == (
        "USD",
        ["EUR", "GBP", "JPY"],
    )
    assert found.limits.daily == 100_000
    assert 99_000 < found.limits.left < 100_000
    assert found.account["bulk_daily"] == 10_000
    assert found.pipelines[["label", "won", "lost"]].to_numpy().tolist() == [
        ["Opportunities", "Closed Won, Renewed", "Closed Lost"]
    ]
    assert found.usable
    assert found.agrees
    assert found.counts.empty
    assert found.hidden == []
    assert not Store.exists(one.store.path)


@pytest.mark.parametrize("there", [True, False])
def test_what_an_org_may_have_is_found_out(crm, there):
    """Several currencies, dated rates, record types, both histories: with and without."""
    one = crm(6, 2, multi_currency=there, dated_rates=there, record_types=there, lead_history=there)
    if not there:
        one.org.without = {"OpportunityFieldHistory"}
    found = checked(one, store=False)
    expected = dict.fromkeys(
        ("several currencies", "dated rates", "record types", "field history", "lead history"),
        there,
    )
    assert found.features == expected
    refused = found.access[~found.access["granted"]]
    assert (refused["why"] == "absent").all()
    assert len(refused) == (0 if there else 4)
    words = "has" if there else "without"
    assert f"{words:<9}  several currencies, dated rates" in str(found)
    assert found.usable


@pytest.mark.parametrize(
    ("name", "usable", "words"),
    [
        ("Opportunity", False, "MISSING: give the user Read on Opportunity"),
        ("OpportunityStage", False, "MISSING: give the user Read on Opportunity"),
        ("User", False, "MISSING: give the user Read on User"),
        ("Organization", False, "MISSING: give the user API Enabled"),
        ("Event", True, "MISSING: give the user Access Activities"),
    ],
)
def test_what_is_needed_at_least(crm, name, usable, words):
    """Without it nothing can be planned; the check still says all it can."""
    one = crm(6, 2, faults=[f"no_{name}"])
    found = checked(one, store=False)
    assert found.usable is usable
    assert row(found.access, object=name)["why"] == "scope"
    assert words in str(found)


def test_hidden_fields_are_named(crm):
    """Never silently missing: what the user does not see is listed, chosen fields included."""
    one = crm(6, 2, faults=["hidden_fields"])
    found = checked(one, store=False)
    assert found.hidden == ["Opportunity.LeadSource"]
    assert "hidden or absent: Opportunity.LeadSource" in str(found)


def test_a_chosen_field_that_is_gone_is_told(synced):
    """The store's settings name a field that somebody has hidden since."""
    synced.org.hidden = {"Opportunity": {"Market_Segment__c"}}
    Settings(fields={"deals": {"segment": "Market_Segment__c"}}).write(synced.store.path)
    with pytest.raises(FileError, match=r"segment = 'Market_Segment__c', but the org has no such"):
        checked(synced)
    found = checked(synced, store=False)
    assert found.usable


def test_one_object_refused_leaves_the_others_compared(synced):
    """A comparison of what can be read."""
    synced.server.faults.switch("no_Event")
    found = checked(synced)
    assert "Event" not in found.counts["object"].tolist()
    assert "Opportunity" in found.counts["object"].tolist()
    assert found.agrees


def test_an_app_that_may_not_ask_who_it_is(crm, monkeypatch):
    """Identity and limits are a courtesy; the check goes on without them."""
    one = crm(6, 2)
    answer = one.server.handle

    def handle(request):
        reply = answer(request)
        if request.path.endswith(("/userinfo", "/limits")):
            reply.status, reply.body = (
                403,
                b'[{"errorCode": "FORBIDDEN", "message": "not for you"}]',
            )
        return reply

    monkeypatch.setattr(one.server, "handle", handle)
    found = checked(one, store=False)
    assert found.account["user"] is None
    assert found.account["org"] == "Sandbox Company"
    assert found.usable


def test_a_login_that_is_refused_is_no_report(crm):
    """Nothing to report of an org that lets nobody in."""
    with pytest.raises(CredentialsError, match="401"):
        checked(crm(6, 2, faults=["permanent_401"]), store=False)
