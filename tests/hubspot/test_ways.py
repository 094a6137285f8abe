"""Ways to sync: both versions of the API, leads either way, `since`, `full`, other settings."""

from datetime import date

import pandas as pd
import pytest

from connectors.errors import DailyLimitError, FileError
from connectors.hubspot import sync as sync_module


def calls_of(hub, work):
    """Number of calls that some work makes, and its outcome."""
    before = len(hub.server.calls)
    done = work()
    return len(hub.server.calls) - before, done


@pytest.mark.parametrize("version", ["v3", "2026-03"])
def test_a_server_that_has_one_version_only(hub, version):
    here = hub(deals=60, version_only=version)
    here.sync(version=version)
    here.same()
    here.account.mutate(30, seed=2)
    here.account.advance(60)
    here.sync(version=version)
    here.same()
    other = "/v3/" if version != "v3" else "/2026-03/"
    assert not any(other in path for _, path, _ in here.server.calls)
    assert {status for _, _, status in here.server.calls} <= {200, 207}


@pytest.mark.parametrize("leads", ["auto", "leads", "contacts"])
def test_leads_from_either_object(hub, leads):
    here = hub(deals=60)
    truth = {"leads": "contacts" if leads == "contacts" else "object"}
    here.sync(leads=leads)
    here.same(**truth)
    here.account.mutate(30, seed=3)
    here.account.advance(60)
    here.sync(leads=leads)
    here.same(**truth)
    kind = "0-1" if leads == "contacts" else "0-136"
    assert here.rows("leads").url.str.contains(f"/record/{kind}/").all()


def test_auto_takes_contacts_where_there_is_no_lead(hub):
    here = hub(deals=60)
    for lead in here.ids("leads"):
        here.account.gdpr_delete("leads", lead)
    here.sync()
    here.same()
    assert here.rows("leads").url.str.contains("/record/0-1/").all()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"fields": {"deals": {"segment": "market_segment", "region": "sales_region"}}}),
        ({"fields": {"leads": {"channel": "lead_channel"}}}, {}),
        ({}, {"leads": "contacts"}),
        ({"leads": "contacts"}, {"leads": "leads"}),
    ],
    ids=["fields chosen", "fields no longer chosen", "contacts instead", "leads instead"],
)
def test_other_settings_read_everything_anew_and_purge_nothing(hub, only_search, before, after):
    here = hub(deals=60)
    here.sync(**before)
    gone = here.ids("deals")[5]
    here.account.gdpr_delete("deals", gone)  # would be purged, were the settings the same
    here.account.advance(60)
    here.sync(**after)
    way = {"leads": "contacts"} if after.get("leads") == "contacts" else {}
    want = here.account.truth(fields=after.get("fields"), **way)
    assert here.store.frames().keys() >= want.keys()
    if "leads" in after or "leads" in before:  # the stages of the other way stay, as not in use
        have = here.store.frames()["stages"]
        left = have[~have["active"] & have["object"].eq("lead")]
        assert len(left) >= 5
    else:
        here.same(fields=after.get("fields"))
    for table, key in (("leads", "lead_id"), ("deals", "deal_id")):
        assert set(here.store.frames()[table][key]) == set(want[table][key].astype(str))
    assert here.rows("deals")["lead_id"].notna().sum() == want["deals"]["lead_id"].notna().sum()
    assert len(here.rows("deals", 1)) == 60
    assert set(here.store.syncs()["kind"]) == {"sync"}


def test_an_account_that_moves_to_another_zone_is_read_anew(hub, only_search):
    """Days are days of the account's zone."""
    here = hub(deals=60, time_zone="America/New_York")
    here.sync()
    here.account.time_zone = "Asia/Tokyo"
    here.account.advance(60)
    here.sync()
    here.same()


def test_a_field_the_account_lacks_is_named(hub):
    here = hub(deals=30)
    with pytest.raises(FileError, match="did you mean 'market_segment'"):
        here.sync(fields={"deals": {"segment": "market_segmnt"}})


def test_since_leaves_out_what_is_older_until_full(hub):
    here = hub(deals=120, leads=False)
    day = date(2026, 6, 1)
    here.sync(since=day)
    want = here.account.truth()["deals"]
    newer = want[want["updated_at"] >= pd.Timestamp(day, tz="UTC")]
    assert 0 < len(newer) < len(want)
    assert set(here.rows("deals").index) == set(newer["deal_id"])
    here.account.edit("deals", int(want["deal_id"].iloc[0]), {"amount": "5"})
    here.account.advance(60)
    here.sync()  # what was left out on purpose stays out, unless it changes
    assert want["deal_id"].iloc[0] in here.rows("deals").index
    assert len(here.rows("deals")) < len(want)
    here.sync(full=True)
    here.same()


def test_since_reads_again_what_search_missed(hub, only_search):
    here = hub(deals=60, leads=False)
    here.sync()
    deal = here.ids("deals")[-1]
    day = pd.Timestamp(here.account.find("deals", deal).modified, unit="ms").date()
    here.account.recalculate(1.4)  # unseen, as the modified date stays
    here.account.advance(60)
    here.sync(since=day)
    truth = here.account.truth()["deals"].set_index("deal_id")
    assert here.rows("deals").amount[str(deal)] == truth.amount[str(deal)] or pd.isna(
        truth.amount[str(deal)]
    )


def test_full_reads_and_compares_everything(hub, only_search):
    here = hub(deals=60)
    here.sync()
    here.account.mutate(40, seed=5)
    here.account.recalculate(1.4)
    here.account.advance(60)
    here.sync(full=True)
    here.same()


def test_full_is_heeded_after_a_sync_that_was_cut_short(hub, only_search, monkeypatch):
    here = hub(deals=60, leads=False)
    here.sync()
    here.account.recalculate(1.4)
    here.account.advance(60)
    here.server.faults.daily_calls = 12
    here.server.faults.switch("daily", on=True)
    with pytest.raises(DailyLimitError):
        here.sync()
    here.server.faults.switch("daily", on=False)
    here.sync(full=True)
    here.same()


@pytest.mark.parametrize("leads", [True, False], ids=["leads object", "contacts"])
def test_a_second_sync_right_after_is_cheap(hub, only_search, leads):
    here = hub(deals=600, leads=leads)
    first, _ = calls_of(here, here.sync)
    second, report = calls_of(here, here.sync)
    assert second < 40 < first
    assert report.counts[["new", "changed", "removed"]].sum().sum() == 0
    assert report.calls == second
    here.same()


def test_a_first_sync_cut_short_and_then_of_other_settings(hub, monkeypatch):
    """Rows that the first one brought, and the second one does not want, are not shown."""
    monkeypatch.setattr(sync_module, "CHUNK", 40)
    here = hub(deals=120)
    here.server.faults.daily_calls = 32
    here.server.faults.switch("daily", on=True)
    with pytest.raises(DailyLimitError):
        here.sync(leads="contacts")
    assert len(here.store.staged("leads"))
    here.server.faults.switch("daily", on=False)
    here.sync(leads="leads")
    want = here.account.truth()["leads"]
    assert set(here.rows("leads").index) == set(want["lead_id"])


def test_a_contact_whose_reason_to_be_a_lead_is_gone_leaves(hub):
    """Its history never said so, and its stage does no more."""
    here = hub(deals=60, leads=False)
    contact = here.account.create("contacts", {"lifecyclestage": "lead"})
    contact.history["lifecyclestage"] = ()
    here.account.keep("contacts", contact)
    here.sync()
    here.same()
    assert str(contact.id) in here.rows("leads").index
    here.account.advance(60)
    here.account.edit("contacts", contact.id, {"lifecyclestage": "other"})
    here.account.advance(60)
    here.sync()
    here.same()
    assert str(contact.id) not in here.rows("leads").index


def test_an_edit_is_a_change_and_nothing_leaves(hub):
    here = hub(deals=60)
    here.sync()
    here.account.advance(60)
    here.account.edit("deals", here.ids("deals")[3], {"amount": "123"})
    here.account.advance(60)
    counts = here.sync().counts.set_index("table")
    assert counts.changed["deals"] == 1
    assert counts.new["history"] == 1
    assert counts.removed.sum() == 0
    here.same()
