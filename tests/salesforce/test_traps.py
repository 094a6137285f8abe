"""The twelve traps of Salesforce's API: for each an org that sets it, and a store equal to it.

Where it matters, what was sent is looked at too: the server keeps every request.
"""

import pandas as pd
import pytest
from salesforce.harness import FIELDS, LAG, RECORDS

from connectors.errors import ApiError, CredentialsError, DailyLimitError

LONGEST = 16_384
DAY = 86_400
FORMULA = {**FIELDS, "deals": {**FIELDS["deals"], "region": "Account_Region__c"}}


def windows(crm, name, since=0):
    """Return the queries for what of an object was stamped in a time."""
    field = "CreatedDate" if name.endswith("History") else "SystemModstamp"
    return [q for q in crm.queries(since) if f" FROM {name} " in q and f"{field} <= " in q]


def assert_polite(crm):
    """Nothing was sent that Salesforce would refuse, or that would change anything."""
    assert not crm.server.writes
    assert max(len(request.target) for request in crm.sent) < LONGEST - 1_000
    assert not {414, 431} & set(crm.statuses())
    for query in crm.queries():
        assert "TODAY" not in query
        assert "LAST_N" not in query


def gone_and_back(crm, kind):
    """Return ids for each fate: deleted, deleted for good, deleted and taken back."""
    return dict(zip(("bin", "hard", "back"), crm.ids(kind)[5:8], strict=True))


# 1


@pytest.mark.parametrize("faults", [(), ("small_pages", "expired_locator", "repeats")])
def test_trap_01_ties_of_a_second(crm, settled, faults):
    """Every lead is edited in one second: pages end, and places are lost, within it."""
    here = crm(700, years=1.0)
    here.sync()
    here.wait()
    assert here.org.bulk_edit(10_050) > 800
    here.org.advance(LAG)  # the second is the last one of the window
    here.server.faults.start(faults)
    here.server.faults.pages = 7  # of which the ninth is lost
    before = len(here.sent)
    here.sync()
    here.same()
    asked = windows(here, "Lead", before)
    assert all(" >= " in query or " OR " in query for query in asked)
    lost = here.server.faults.expired
    assert (2 <= len(asked) <= 1 + lost) if faults else len(asked) == 1
    assert_polite(here)


def test_trap_01_a_change_in_the_second_of_the_watermark(crm, settled):
    here = crm()
    here.sync()
    first, second = here.ids("Opportunity")[:2]
    here.wait()
    here.org.edit("Opportunity", first, {"Amount": 77.0})
    here.org.advance(LAG)
    here.sync()
    here.org.advance(-LAG)
    here.org.edit("Opportunity", second, {"Amount": 78.0})  # at the watermark itself
    here.org.advance(LAG)
    here.sync()
    here.same()


def test_trap_01_late_rows(crm, settled):
    """Changes show up to 90 s late, not in the order of their stamps: nothing is missed."""
    here = crm(faults=["late"])
    here.sync()
    for turn in range(3):
        for n in range(8):
            here.org.touch(3, seed=10 * turn + n)
            here.org.advance(11)
        here.sync()
        assert here.mark("deals") == pd.Timestamp(here.org.now - LAG, unit="s", tz="UTC")
    here.wait()
    here.sync()
    here.same()


# 2


def test_trap_02_the_watermark_is_the_end_of_the_window(crm, settled):
    """Not the newest stamp among the rows, and it moves though nothing has changed."""
    here = crm()
    here.sync()
    stamps = here.org.truth()["deals"]["updated_at"]
    for _ in range(2):
        now = pd.Timestamp(here.org.now, unit="s", tz="UTC")
        assert here.mark("deals") == now - pd.Timedelta(seconds=LAG)
        assert here.mark("deals") != stamps.max()
        here.wait(5_000)
        here.sync()
    query = windows(here, "Opportunity")[-1]
    since = now + pd.Timedelta(seconds=-LAG - 600)
    assert f"SystemModstamp >= {since:%Y-%m-%dT%H:%M:%SZ}" in query
    assert f"SystemModstamp <= {here.mark('deals'):%Y-%m-%dT%H:%M:%SZ}" in query


def test_trap_02_a_window_read_by_half_moves_no_watermark(crm, settled):
    """The calls of the day end in the midst of pages."""
    here = crm(300, faults=["small_pages"])
    here.sync()
    mark, before = here.mark("deals"), here.store.frames()
    here.wait()
    here.org.bulk_edit(10_050, "Opportunity")
    here.wait()

    def stop(request):
        if "/query/" in request.path:
            here.server.faults.daily_calls = 0
            here.server.faults.switch("request_limit", on=True)

    here.after_each = stop
    with pytest.raises(DailyLimitError):
        here.sync()
    here.after_each = None
    assert here.mark("deals") == mark
    pd.testing.assert_frame_equal(here.store.frames()["deals"], before["deals"])
    here.server.faults.switch("request_limit", on=False)
    here.sync()
    here.wait()
    here.sync()
    here.same()


# 3


def test_trap_03_deleted_hard_deleted_and_undeleted(crm, settled):
    here = crm(100)
    here.sync()
    fates = {kind: gone_and_back(here, kind) for kind in RECORDS}
    past = {record: here.history(record) for ids in fates.values() for record in ids.values()}
    for kind, ids in fates.items():
        here.org.delete(kind, ids["bin"])
        here.org.hard_delete(kind, ids["hard"])
        here.org.delete(kind, ids["back"])
    here.wait()
    report = here.sync()
    here.same()
    removed = report.counts.set_index("table")["removed"]
    assert removed[["accounts", "deals", "leads", "meetings"]].min() >= 1
    assert not len(here.history(fates["Opportunity"]["back"]))
    for kind, ids in fates.items():
        here.org.undelete(kind, ids["back"])
    here.wait()
    before = len(here.sent)
    here.sync()
    here.same()
    for kind in ("Opportunity", "Lead"):
        again = here.history(fates[kind]["back"])
        pd.testing.assert_frame_equal(again, past[fates[kind]["back"]])
    assert here.jobs(before) == [], "read whole"


def test_trap_03_merged_leads(crm, settled):
    here = crm()
    here.sync()
    master, loser, other = here.ids("Lead", IsConverted=False)[:3]
    here.org.merge_leads(master, loser)
    here.org.merge_leads(master, other)
    here.wait()
    here.sync()
    here.same()
    assert not {loser, other} & set(here.rows("leads").index)
    assert loser in here.rows("leads", 1).index


def test_trap_03_more_than_fifteen_days_without_a_sync(crm, settled):
    """Hard deletes of that long ago are told nowhere: every id is compared."""
    here = crm()
    here.sync()
    for kind in RECORDS:
        here.org.hard_delete(kind, here.ids(kind)[7])
    here.org.advance(20 * DAY)
    before = len(here.sent)
    here.sync()
    here.same()
    compared = [q for q in here.queries(before) if q.startswith("SELECT Id FROM")]
    assert len(compared) == len(RECORDS)
    assert all("ORDER BY Id" in query for query in compared)
    assert not any(status == 400 for status in here.statuses())


def test_trap_03_deleted_in_the_minute_of_the_watermark(crm, settled):
    """Without lag or overlap too: the org covers deletions up to some while ago only."""
    here = crm()
    quick = {"lag_seconds": 0, "settings": {"overlap_minutes": 0}}
    here.sync(**quick)
    here.wait(90)
    here.org.hard_delete("Opportunity", here.ids("Opportunity")[3])
    here.wait(30)
    here.sync(**quick)
    here.wait(120)
    here.sync(**quick)
    here.same()


# 4


def test_trap_04_formula_fields_change_no_stamp(crm, monkeypatch):
    here = crm()
    here.sync(fields=FORMULA)
    deal = here.ids("Opportunity")[3]
    product = here.ids("Product2")[0]
    here.org.change_formula(deal, "Elsewhere")
    here.org.write("Product2", product, {"Name": "Renamed"})
    here.wait(3_600)
    before = len(here.sent)
    here.sync(fields=FORMULA)
    assert here.rows("deals").region[deal] != "Elsewhere"
    assert here.jobs(before) == []
    here.wait(DAY)
    before = len(here.sent)
    here.sync(fields=FORMULA)
    here.same(fields=FORMULA)
    assert here.rows("deals").region[deal] == "Elsewhere"
    assert sorted(here.jobs(before)) == ["Opportunity", "OpportunityLineItem"]
    here.wait(3_600)
    before = len(here.sent)
    here.sync(fields=FORMULA)
    assert here.jobs(before) == []


# 5


def test_trap_05_archived_events_and_purged_history(crm, settled):
    """Only queryAll shows the first; what the org forgets, the store keeps, whatever is read anew."""
    here = crm(80)
    here.sync()
    here.org.advance(500 * DAY)
    assert here.org.archive_events()
    assert here.org.purge_history() > 20
    here.wait()
    here.sync()
    here.same()
    here.sync(full=True)
    here.same()
    here.org.advance(20 * DAY)
    here.sync()
    here.same()


def test_trap_05_a_conversion_stays_known_to_the_second(crm, settled):
    """A lead read again after its history was purged."""
    here = crm(80)
    here.sync()
    here.org.advance(500 * DAY)
    before = here.rows("leads").converted_at
    converted = here.ids("Lead", IsConverted=True)
    assert here.org.purge_history()
    for lead in converted:
        here.org.system_touch("Lead", lead)
    here.wait()
    here.sync()
    pd.testing.assert_series_equal(
        here.rows("leads").converted_at[converted], before[converted], check_index=True
    )
    here.sync(full=True)
    here.same()


# 6


def test_trap_06_hidden_fields_are_named_and_not_asked_for(crm):
    here = crm(faults=["hidden_fields"])
    here.org.hidden["Opportunity"] |= {"LastActivityDate"}
    here.org.hidden["Lead"] = {"ConvertedOpportunityId"}
    report = here.sync()
    here.same()
    notes = " ".join(report.notes)
    for name in ("Opportunity.LeadSource", "Opportunity.LastActivityDate"):
        assert name in notes
    assert "Lead.ConvertedOpportunityId" in notes
    deals = [q for q in here.queries() if " FROM Opportunity" in q and "COUNT" not in q]
    assert deals
    assert not any("LeadSource" in q for q in deals if " FROM Opportunity " in f"{q} ")
    assert 400 not in here.statuses()
    assert here.rows("deals")["source"].isna().all()


def test_trap_06_nothing_is_said_to_be_hidden_where_nothing_is(crm):
    assert crm().sync().notes == []


def test_trap_06_a_field_hidden_later_is_said_then(crm):
    here = crm()
    here.sync()
    here.org.hidden["Opportunity"] = {"LeadSource"}
    here.wait()
    assert any("Opportunity.LeadSource" in note for note in here.sync().notes)


# 7


def test_trap_07_pages_lead_on_by_an_address_only(crm, settled):
    """Small pages whatever was asked, a row that comes twice, and places that are lost."""
    here = crm(400, faults=["small_pages", "repeats", "expired_locator"])
    here.org.not_in_bulk |= {*RECORDS, "OpportunityHistory", "LeadHistory"}
    here.sync()
    here.same()
    here.wait()
    here.org.bulk_edit(900, "Opportunity")
    here.org.bulk_edit(900, "Lead")
    here.wait()
    here.sync()
    here.same()
    assert here.server.faults.expired >= 2
    following = [r.path for r in here.sent if "/query/0r8" in r.path]
    assert len(following) > 10
    refused = [path for _, path, status in here.server.calls if status == 400]
    assert sum("/query/0r8" in path for path in refused) == here.server.faults.expired


# 8

ODD = {
    "NA": "a text like others",
    "None": "likewise",
    'He said "no", twice': "quotes and commas",
    "two\nlines\r\nand three": "line breaks",
    "x" * 140_000: "longer than Python's csv reads at once",
    "00501": "a number that is none",
    "=1+1": "a formula of a spreadsheet",
}


@pytest.mark.parametrize("way", ["bulk", "queries"])
def test_trap_08_texts_arrive_as_they_are(crm, settled, way):
    here = crm()
    if way == "queries":
        here.org.not_in_bulk |= {"Account", "Opportunity"}
    deals, firms = here.ids("Opportunity"), here.ids("Account")
    for deal, firm, text in zip(deals, firms, ODD, strict=False):
        here.org.edit("Opportunity", deal, {"Name": text, "Market_Segment__c": text[:20]})
        here.org.edit("Account", firm, {"Name": text, "BillingCountry": "NA", "Industry": ""})
    here.org.edit("Opportunity", deals[20], {"Amount": None, "LeadSource": "", "Type": "null"})
    here.wait()
    here.sync()
    here.same()
    rows = here.rows("deals")
    assert rows.name[deals[: len(ODD)]].tolist() == list(ODD)
    assert rows[["amount", "source"]].loc[deals[20]].isna().all()
    assert set(here.rows("accounts").region[firms[: len(ODD)]]) == {"NA"}
    assert here.rows("accounts").industry[firms[: len(ODD)]].isna().all()


@pytest.mark.parametrize(
    "fault", ["truncated", "empty_body", "no_last_locator", "no_counts", "no_headers", "slow_jobs"]
)
def test_trap_08_pages_of_bulk_results_are_counted(crm, small_pages, fault):
    """Cut off, without a body, without headers: every record arrives, or is asked for in queries."""
    here = crm(120, faults=[fault])
    for event in here.ids("OpportunityLineItem"):
        here.org.hard_delete("OpportunityLineItem", event)  # one object without records
    here.wait()
    here.sync()
    here.same()
    assert_polite(here)
    if fault == "no_headers":
        assert windows(here, "Lead"), "bulk without headers was trusted"


# 9


def test_trap_09_addresses_that_are_too_long(crm, settled):
    """A thousand leads convert at once, and as many come back: their past is asked for in parts."""
    here = crm(700, years=1.0)
    here.sync()
    leads = here.ids("Lead", IsConverted=False)[:450]
    deals = here.ids("Opportunity")[:300]
    for lead in leads:
        here.org.convert_lead(lead, opportunity=False)
    for deal in deals:
        here.org.delete("Opportunity", deal)
    here.wait()
    here.sync()
    for deal in deals:
        here.org.undelete("Opportunity", deal)
    here.wait()
    here.sync()
    here.same()
    assert_polite(here)
    assert max(len(request.target) for request in here.sent) > 3_000
    for request in here.sent:
        assert "%2B" not in request.target, "an offset in a time"
        assert "+00:00" not in request.text("q")


# 10


@pytest.mark.parametrize("way", ["app", "refresh"])
def test_trap_10_a_session_that_ends_mid_page_and_mid_job(crm, settled, small_pages, way):
    """Renewed once each time, with the refresh token that came last."""
    here = crm(150, faults=["small_pages"])
    here.server.faults.expire_after = 7
    here.server.faults.switch("expired_token", on=True)
    here.sync(way=way)
    here.same()
    paths = [p for _, p, status in here.server.calls if status == 401]
    assert any("/jobs/query/" in path for path in paths)
    here.org.mutate(40, seed=1)
    here.org.bulk_edit(1_000, "Lead")
    here.wait()
    here.sync(way=way)
    here.same()
    paths = [p for _, p, status in here.server.calls if status == 401]
    assert here.server.sessions.logins <= len(paths) + 2
    assert any("/query" in path for path in paths)


@pytest.mark.parametrize("way", ["token", "app"])
def test_trap_10_a_session_that_is_never_good(crm, way):
    """It ends, and soon: no loop."""
    here = crm(faults=["permanent_401"])
    with pytest.raises(CredentialsError):
        here.sync(way=way)
    assert len(here.server.calls) <= 4
    here.server.faults.switch("permanent_401", on=False)
    here.sync(way=way)
    here.server.faults.switch("permanent_401", on=True)
    before = len(here.server.calls)
    with pytest.raises(CredentialsError):
        here.sync(way=way)
    assert len(here.server.calls) - before <= 4


# 11


def test_trap_11_the_day_is_over_and_a_later_run_goes_on(crm, small_pages):
    """What was fetched is kept; nothing is shown, or called a success, before all is there."""
    here = crm(150)
    stops, before = [], 0
    while len(stops) < 12:
        here.server.faults.daily_calls = 45
        here.server.faults.switch("request_limit", on=True)
        before = len(here.sent)
        try:
            report = here.sync()
        except DailyLimitError as error:
            stops.append(str(error))
        else:
            break
        assert not here.store.path.joinpath("syncs").exists(), "shown before it was complete"
    assert 1 <= len(stops) < 12
    assert all("used up" in stop and "goes on from here" in stop for stop in stops)
    assert len(set(here.jobs(before))) < 7, "the last run began anew"
    assert report.complete
    here.same()


def test_trap_11_a_query_that_takes_too_long_is_halved(crm, settled):
    """More than 30 days of an object of more than 1,000 rows are refused."""
    here = crm(700, years=1.0, faults=["query_timeout"])
    here.org.not_in_bulk |= {"OpportunityHistory"}
    here.sync()
    here.same()
    asked = windows(here, "OpportunityHistory")
    assert 20 < len(asked) < 90
    assert 400 in here.statuses()
    here.org.advance(40 * DAY)
    here.org.mutate(60, seed=4)
    here.wait()
    here.sync()
    here.same()


@pytest.mark.parametrize("fault", ["failed_job", "aborted_job"])
def test_trap_11_a_job_that_fails_is_no_success(crm, fault):
    here = crm(faults=[fault])
    with pytest.raises(ApiError, match=r"Failed|Aborted"):
        here.sync()
    assert not here.store.path.joinpath("syncs").exists()
    here.server.faults.switch(fault, on=False)
    assert here.sync().complete
    here.same()


def test_trap_11_server_errors_and_cut_replies(crm, settled):
    """420, 406, 429, 500, 502, 503, pages of HTML and half replies: asked again, with a bound."""
    here = crm(200, faults=["server_errors", "edge", "too_many", "non_json", "drop"])
    for turn in range(3):
        assert here.sync().complete
        here.same()
        here.org.mutate(40, seed=turn)
        here.wait()
    assert len(set(here.statuses()) & {406, 420, 429, 500, 502, 503}) >= 2


# 12


def test_trap_12_stages_renamed_deleted_deactivated_and_reopened(crm):
    here = crm(150)
    here.sync()
    lost = here.ids("Opportunity", StageName="Closed Lost")
    won = here.ids("Opportunity", StageName="Closed Won")
    here.org.edit("Opportunity", lost[0], {"StageName": "Prospecting"})
    here.org.edit("Opportunity", won[0], {"StageName": "Negotiation/Review"})
    here.org.advance(60)
    here.org.edit("Opportunity", won[0], {"StageName": "Closed Won"})
    here.org.advance(60)
    here.org.edit(
        "Opportunity", won[0], {"Amount": 5.0}
    )  # a row of history, and no change of stage
    here.org.rename_stage("Closed Lost", "Won over")  # the label says what is not so
    here.org.rename_stage("Needs Analysis", "Analysis", api_name="Analysis")
    here.org.delete_stage("Value Proposition")
    here.org.deactivate_stage("Qualification")
    here.wait()
    here.sync()
    here.same()
    deals = here.rows("deals")
    assert deals.outcome[lost[0]] == "open"
    assert pd.isna(deals.closed_at[lost[0]])
    assert deals.outcome[lost[1]] == "lost"
    entered = here.history(won[0]).iloc[-2]
    assert deals.closed_at[won[0]] == entered.changed_at
    stages = here.store.frames()["stages"].set_index("stage_id")
    assert stages.label["Closed Lost"] == "Won over"
    assert stages.outcome["Closed Lost"] == "lost"
    assert not stages.active[["Value Proposition", "Qualification", "Needs Analysis"]].any()
    assert stages.active["Analysis"]
    assert (stages.outcome == "won").sum() == 2
    assert "Id. Decision Makers" in stages.index


@pytest.mark.parametrize(
    "made",
    [{"multi_currency": False}, {"dated_rates": False}, {"lead_history": False},
     {"record_types": True}, {"time_zone": "Asia/Kolkata"}],
    ids=["one currency", "one rate each", "no lead history", "record types", "half an hour"],
)  # fmt: skip
def test_trap_12_features_of_an_org(crm, made):
    here = crm(120, **made)
    report = here.sync()
    here.same()
    here.org.mutate(60, seed=3)
    here.wait()
    here.sync()
    here.same()
    deals, told = here.rows("deals"), " ".join(report.notes)
    assert deals.currency.isna().all() == ("multi_currency" in made)
    assert "rates" not in here.store.frames() or "multi_currency" not in made
    assert ("LeadHistory" in told) == ("lead_history" in made)


def test_trap_12_money_of_the_day_and_currency(crm):
    """Dated rates by close date; a currency the history does not state is the opportunity's."""
    here = crm(80)
    here.org.hidden["OpportunityHistory"] = {"CurrencyIsoCode"}
    euro = here.org.create("Opportunity", {"Name": "E", "StageName": "Closed Won", "Amount": 100.0,
                                           "CurrencyIsoCode": "EUR", "CloseDate": "2026-03-08"})  # fmt: skip
    here.wait()
    here.sync()
    here.same()
    row = here.rows("deals").loc[euro]
    assert (row.amount_original, row.currency) == (100, "EUR")
    assert row.amount not in (100, 0)
    assert row.close_date == pd.Timestamp("2026-03-08")  # a day, whatever the zone
    assert here.history(euro).amount.tolist() == [row.amount]


def test_trap_12_days_begin_in_the_zone_of_the_org(crm, settled):
    """A day of conversion is no moment; all-day events, and the day on which clocks change."""
    here = crm(80, lead_history=False, time_zone="America/New_York")
    event = here.ids("Event", IsAllDayEvent=True, IsChild=False)[0]
    here.org.edit("Event", event, {"ActivityDate": "2026-03-08"})
    lead = here.ids("Lead", IsConverted=False)[0]
    here.org.convert_lead(lead)
    here.wait()
    here.sync()
    here.same()
    assert here.rows("meetings").starts_at[event] == pd.Timestamp("2026-03-08T05:00Z")
    assert here.rows("leads").converted_at[lead] == pd.Timestamp("2026-11-01T04:00Z")


def test_trap_12_events_of_many_count_once(crm):
    here = crm(100)
    here.sync()
    at = here.org.tables["Event"].kind.at
    extra = [
        row[0]
        for row in here.org.live("Event")
        if any(row[at[name]] for name in ("IsChild", "IsRecurrence", "IsRecurrence2"))
    ]
    assert extra
    assert not set(extra) & set(here.rows("meetings").index)
    here.same()
