"""What a sync reads, and when it reads all: by windows, by job, by id; and what it says of it."""

import json
from datetime import UTC, date, datetime
from threading import Event

import pandas as pd
import pytest
from salesforce.harness import FIELDS, LAG, RECORDS

from connectors.errors import DailyLimitError, FileError
from connectors.salesforce import sync as sync_module
from connectors.salesforce.context import KINDS

DAY = 86_400
HISTORIES = ("OpportunityHistory", "OpportunityFieldHistory", "LeadHistory")


def everything(org, seed):
    """Let each kind of change happen that moves a stamp."""
    org.mutate(40, seed=seed)
    org.touch(10, seed=seed)


def test_changes_are_found_by_windows(crm, settled):
    """Created, edited, converted, merged, deleted, taken back, archived: nothing is read whole."""
    here = crm(100)
    here.sync()
    before = len(here.sent)
    for turn in range(4):
        everything(here.org, turn)
        if turn == 2:
            here.org.archive_events()
        here.wait()
        here.sync()
        here.same()
    assert here.jobs(before) == []
    asked = {r.path.split("/")[-2] for r in here.sent[before:] if r.path.endswith("/deleted")}
    assert asked == set(RECORDS)
    assert not [q for q in here.queries(before) if q.startswith("SELECT Id FROM")]


def test_a_second_sync_right_after_is_cheap(crm, settled):
    here = crm(600)
    here.sync()
    before = len(here.sent)
    report = here.sync()
    assert len(here.sent) - before == report.calls < 60
    assert report.counts[["new", "changed", "removed"]].sum().sum() == 0
    here.same()


def test_an_edit_is_a_change_and_nothing_leaves(crm, settled):
    here = crm()
    here.sync()
    deal = here.ids("Opportunity")[3]
    here.org.edit("Opportunity", deal, {"Amount": 123.0})
    here.wait()
    counts = here.sync().counts.set_index("table")
    assert counts.changed["deals"] == 1
    assert counts.new["history"] == 1
    assert counts.removed.sum() == 0


def test_a_system_touch_only_moves_the_stamp(crm, settled):
    here = crm()
    here.sync()
    here.org.system_touch("Opportunity", here.ids("Opportunity")[3])
    here.wait()
    counts = here.sync().counts.set_index("table")
    assert counts.changed["deals"] == 1
    assert counts.new.sum() == 0
    here.same()


def test_a_deal_that_is_won_becomes_subscriptions_and_no_longer_does(crm, settled):
    """Its products are not stamped then."""
    here = crm(100)
    lines = here.ids("OpportunityLineItem")
    sold = [here.value("OpportunityLineItem", line, "OpportunityId") for line in lines]
    deal = next(one for one in sold if here.value("Opportunity", one, "AccountId"))
    here.org.edit("Opportunity", deal, {"StageName": "Prospecting"})
    here.wait()
    here.sync()
    few = len(here.rows("subscriptions"))
    for stage, more in (("Closed Won", True), ("Closed Lost", False)):
        here.org.edit("Opportunity", deal, {"StageName": stage})
        here.wait()
        here.sync()
        here.same()
        assert (len(here.rows("subscriptions")) > few) == more


def test_an_undeletion_during_the_first_load(crm, settled):
    """The histories are worked out by then, the deal is not: its past is asked for by id.

    All jobs are made at once, so that the jobs of deals and leads are held until the histories' are.
    """
    here = crm(80)
    deal, lead = here.ids("Opportunity")[4], here.ids("Lead")[4]
    here.org.delete("Opportunity", deal)
    here.org.delete("Lead", lead)
    past, back = set(), Event()

    def job(request):
        if request.path.endswith("/jobs/query"):
            return request.body["query"].split(" FROM ")[1].split()[0]
        return None

    def hold(request):
        if job(request) in ("Opportunity", "Lead"):
            assert back.wait(60), f"of the histories only {past} were asked for"

    def take_back(request):
        past.update({job(request)} & set(HISTORIES))
        if past == set(HISTORIES) and not back.is_set():
            here.org.undelete("Opportunity", deal)
            here.org.undelete("Lead", lead)
            back.set()

    here.before_each, here.after_each = hold, take_back
    here.sync()
    here.before_each = here.after_each = None
    assert back.is_set()
    by_id = [q for q in here.queries() if " FROM OpportunityHistory " in q and deal in q]
    assert by_id
    assert deal in here.rows("deals").index
    assert len(here.history(deal))
    here.wait()
    here.sync()
    here.same()


# all is read anew


@pytest.mark.parametrize("bulk", [True, False], ids=["bulk", "queries"])
def test_full_reads_and_compares_everything(crm, settled, bulk):
    here = crm()
    here.sync()
    here.org.mutate(40, seed=5)
    here.org.write("Opportunity", here.ids("Opportunity")[2], {"Amount": 4_321.0})  # unseen
    here.wait()
    if not bulk:
        here.org.not_in_bulk |= {*RECORDS, *HISTORIES}
    here.sync(full=True)
    here.same()


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, FIELDS), (FIELDS, {"deals": {"segment": "Sales_Region__c"}, **FIELDS})],
    ids=["fields chosen", "other fields"],
)
def test_other_settings_read_everything_anew(crm, settled, before, after):
    here = crm()
    here.sync(fields=before)
    here.org.hard_delete("Opportunity", here.ids("Opportunity")[5])
    here.wait()
    at = len(here.sent)
    here.sync(fields=after)
    here.same(fields=after)
    assert (len(here.jobs(at)) == len(RECORDS + HISTORIES)) == (before != after)


def test_an_org_that_moves_to_another_zone_is_read_anew(crm, settled):
    here = crm(lead_history=False, time_zone="America/New_York")
    here.sync()
    here.org.time_zone = "Asia/Tokyo"
    row = here.ids("Organization")[0]
    here.org.write("Organization", row, {"TimeZoneSidKey": "Asia/Tokyo"})
    here.wait()
    here.sync()
    here.same()


def test_a_first_load_given_up_leaves_nothing_behind(crm, settled, small_pages):
    """Cut short, then a record goes for good and the settings change: its row goes too."""
    here = crm(120)
    stopped_after(here, "Opportunity", fields={})
    staged = here.store.staged("accounts", ["account_id"])["account_id"].tolist()
    assert staged
    here.org.hard_delete("Account", staged[0])
    here.wait()
    here.sync()
    here.same()


def test_since_leaves_out_what_is_older_until_full(crm, settled):
    here = crm(120)
    day = date(2026, 6, 1)
    here.sync(since=day)
    want = here.org.truth(fields=FIELDS)
    newer = want["deals"][want["deals"]["updated_at"] >= pd.Timestamp(day, tz="UTC")]
    assert 0 < len(newer) < len(want["deals"])
    assert set(here.rows("deals").index) == set(newer["deal_id"])
    deal = newer["deal_id"].iloc[0]
    past = want["history"][want["history"]["record_id"] == deal]
    assert len(here.history(deal)) == len(past), "its past began before that day"
    older = next(i for i in want["deals"]["deal_id"] if i not in set(newer["deal_id"]))
    here.org.edit("Opportunity", older, {"Amount": 5.0})
    here.org.advance(2 * DAY)  # formulas are read anew
    here.sync()
    assert set(here.rows("deals").index) == {*newer["deal_id"], older}
    here.sync(full=True)
    here.same()


def test_since_reads_again_what_was_missed(crm, settled):
    here = crm()
    here.sync()
    deal = here.ids("Opportunity")[-1]
    here.org.write("Opportunity", deal, {"Amount": 4_321.0})  # unseen, as no stamp moves
    here.wait()
    here.sync()
    assert here.rows("deals").amount_original[deal] != 4_321
    stamp = here.value("Opportunity", deal, "SystemModstamp")
    here.sync(since=datetime.fromtimestamp(stamp, UTC).date())
    here.same()


# what cannot be read


def test_a_field_the_org_lacks_is_named(crm):
    here = crm()
    with pytest.raises(FileError, match="did you mean 'Market_Segment__c'"):
        here.sync(fields={"deals": {"segment": "Market_Segmnt__c"}})


@pytest.mark.parametrize(
    ("name", "table"),
    [("Account", "accounts"), ("Opportunity", "deals"), ("Event", "meetings"),
     ("OpportunityLineItem", "subscriptions"), ("User", "owners")],
)  # fmt: skip
def test_an_object_that_may_not_be_read_stops_no_other(crm, settled, name, table):
    here = crm(faults=[f"no_{name}"])
    report = here.sync()
    assert not report.complete
    assert name in report.refused
    assert here.store.watermark(table, "salesforce") is None
    have, want = here.store.frames(), here.org.truth(fields=FIELDS)
    assert table not in have or not len(have[table])
    assert len(have["leads"]) == len(want["leads"])
    here.server.faults.switch(f"no_{name}", on=False)
    here.wait()
    assert here.sync().complete
    here.same()


@pytest.mark.parametrize("name", ["Account", "Opportunity", "Event", "User"])
def test_an_object_taken_away_later_takes_no_rows_away(crm, settled, name):
    here = crm()
    here.sync()
    before, mark = here.store.frames(), here.mark("deals")
    here.server.faults.switch(f"no_{name}", on=True)
    here.org.edit("Opportunity", here.ids("Opportunity")[0], {"Amount": 99.0})
    here.wait()
    assert name in here.sync().refused
    after = here.store.frames()
    for table in ("deals", "accounts", "meetings", "owners", "stages"):
        assert len(after[table]) == len(before[table]), table
    assert (here.mark("deals") == mark) == (name == "Opportunity")
    here.server.faults.switch(f"no_{name}", on=False)
    here.wait()
    assert here.sync().complete
    here.same()


def test_an_object_that_may_be_read_again_when_a_sync_goes_on(crm, settled):
    """It had no part in the plan of the sync that was cut short."""
    here = crm(faults=["no_Account"])
    here.server.faults.daily_calls = 40
    here.server.faults.switch("request_limit", on=True)
    with pytest.raises(DailyLimitError):
        here.sync()
    for fault in ("request_limit", "no_Account"):
        here.server.faults.switch(fault, on=False)
    assert here.sync().complete
    here.same()


def test_a_history_that_is_not_tracked_is_said(crm):
    here = crm()
    here.org.without |= {"OpportunityFieldHistory"}
    assert any("OpportunityFieldHistory" in note for note in here.sync().notes)
    here.same()


# jobs


def stopped_after(here, word, times=1, **options):
    """Let the calls of the day be used up once a page of an object's job was read so often."""
    seen = []

    def look(request):
        if request.path.endswith("/results") and read(here, request) == word:
            seen.append(request)
            if len(seen) == times:
                here.server.faults.daily_calls = 0
                here.server.faults.switch("request_limit", on=True)

    here.after_each = look
    with pytest.raises(DailyLimitError):
        here.sync(**options)
    here.after_each = None
    here.server.faults.switch("request_limit", on=False)
    assert len(seen) >= times


def read(here, request):
    """Return the object whose bulk job a page was read of."""
    return here.server.jobs.jobs[request.path.split("/")[-2]].bound.kind.name


def test_jobs_are_gone_on_with(crm, settled, small_pages):
    """That one was read in part, the others were made and not yet read."""
    here = crm(200)
    stopped_after(here, "LeadHistory", times=8)
    jobs = dict(here.server.jobs.jobs)
    before = len(here.sent)
    here.sync()
    here.same()
    assert set(here.jobs(before)) <= {"Account"}, "jobs that were there were made anew"
    here.server.jobs.jobs = jobs
    pages = [r for r in here.sent[before:] if r.path.endswith("/results")]
    pages = [page for page in pages if page.path.split("/")[-2] in jobs]
    names = [read(here, page) for page in pages]
    assert set(names) - {"Account"} == {*RECORDS, "LeadHistory"} - {"Account"}
    assert pages[names.index("LeadHistory")].one("locator"), "the job was read from its start"
    assert not pages[names.index("Lead")].one("locator")


def test_all_jobs_are_known_before_a_page_is_read(crm, settled, small_pages):
    """So whoever is killed at the first page goes on with them all, and leaves none behind."""
    here = crm(60)
    noted = []

    def look(request):
        if request.path.endswith("/results") and not noted:
            text = (here.store.path / "salesforce.progress.json").read_text(encoding="utf-8")
            kinds = json.loads(text)["state"]["kinds"]
            noted.append({name: plan["place"]["job"] for name, plan in kinds.items()})

    here.after_each = look
    here.sync()
    here.after_each = None
    assert set(noted[0]) == {*RECORDS, *HISTORIES}
    assert len(set(noted[0].values())) == len(noted[0])
    assert not here.server.jobs.jobs, "jobs are left in the org"


def test_the_jobs_of_a_sync_given_up_are_deleted(crm, settled, small_pages):
    here = crm(60)
    stopped_after(here, "Opportunity", fields={})
    assert here.server.jobs.jobs
    here.sync()
    assert not here.server.jobs.jobs
    here.same()


def test_objects_are_saved_in_their_order_whichever_comes_first(crm, settled, small_pages):
    """Pages of two objects are fetched side by side; the store sees one after the other."""
    here = crm(120)
    order = []

    class Bar:
        def __init__(self, name, _total):
            self.name = name

        def update(self, _records):
            order.append(self.name)

        def close(self):
            pass

    here.sync(progress=Bar)
    assert order == sorted(order, key=[kind.name for kind in KINDS].index)
    assert set(order) == {*RECORDS, *HISTORIES}
    here.same()


def test_a_job_that_is_gone_is_begun_anew(crm, settled, small_pages):
    """Deleted meanwhile, or older than the week for which the org keeps it."""
    here = crm(200)
    stopped_after(here, "LeadHistory", times=8)
    here.server.jobs.jobs.clear()
    before = len(here.sent)
    here.sync()
    here.same()
    assert set(here.jobs(before)) == {*RECORDS, "LeadHistory"}


@pytest.mark.parametrize("days", [3, 20], ids=["its jobs are there", "they are gone"])
def test_a_sync_cut_short_goes_on_later(crm, settled, small_pages, days):
    here = crm(200)
    stopped_after(here, "Lead", times=2)
    everything(here.org, 1)
    here.org.advance(days * DAY)
    everything(here.org, 2)
    here.wait()
    here.sync()
    here.sync()
    here.same()


def test_formulas_cut_short_are_gone_on_with(crm, settled, small_pages, monkeypatch):
    """A refresh is a job too; the sync that goes on knows it from a window."""
    fields = {**FIELDS, "deals": {"region": "Account_Region__c"}}
    here = crm(200)
    here.sync(fields=fields)
    deal = here.ids("Opportunity")[-1]
    here.org.change_formula(deal, "Elsewhere")
    here.org.advance(2 * DAY)
    saved = []
    save = sync_module.Saver.save

    def cut(self, kind, raw, **given):
        if kind.name == "Opportunity":
            saved.append(len(raw))
            if len(saved) == 3:
                raise KeyboardInterrupt
        return save(self, kind, raw, **given)

    monkeypatch.setattr(sync_module.Saver, "save", cut)
    with pytest.raises(KeyboardInterrupt):
        here.sync(fields=fields)
    here.sync(fields=fields)
    here.same(fields=fields)
    assert here.rows("deals").region[deal] == "Elsewhere"


def test_no_page_is_passed_over_when_a_sync_dies_between_past_and_rows(crm, settled, monkeypatch):
    """New records come with their past first: the place moves on only after the records are in."""
    here = crm(60)
    here.sync()
    for n in range(5):
        here.org.create("Opportunity", {"Name": f"N{n}", "Amount": 5.0})
        here.org.advance(700)  # in no overlap
    here.wait()
    rows = sync_module.Saver._rows

    def dies(self, kind, raw):
        if kind.name == "Opportunity":
            raise KeyboardInterrupt
        return rows(self, kind, raw)

    monkeypatch.setattr(sync_module.Saver, "_rows", dies)
    with pytest.raises(KeyboardInterrupt):
        here.sync()
    monkeypatch.setattr(sync_module.Saver, "_rows", rows)
    here.sync()
    here.same()


def test_the_lag_is_that_of_the_settings(crm, settled):
    """A change of a few minutes ago is for the next sync."""
    here = crm()
    here.sync()
    deal = here.ids("Opportunity")[1]
    here.wait()
    here.org.edit("Opportunity", deal, {"Amount": 4_321.0})
    here.org.advance(LAG - 10)
    here.sync()
    assert here.rows("deals").amount_original[deal] != 4_321
    here.org.advance(10)
    here.sync()
    here.same()


def test_subscriptions_that_no_setting_asks_for_are_told(crm, settled):
    here = crm(80)
    assert not [note for note in here.sync().notes if "subscriptions" in note]
    held = len(here.rows("subscriptions"))
    rest = {name: fields for name, fields in FIELDS.items() if name != "subscriptions"}
    notes = [note for note in here.sync(fields=rest).notes if "subscriptions stay" in note]
    assert len(notes) == 1
    assert notes[0].startswith(f"{held:,} subscriptions")
    assert len(here.rows("subscriptions")) == held
    assert not [note for note in here.sync().notes if "subscriptions" in note]
    here.same()
