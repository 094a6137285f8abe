"""What was deleted for privacy is in no file of the store; what was archived is in earlier syncs."""

import pyarrow.parquet as pq
import pytest

from connectors.errors import DailyLimitError
from connectors.hubspot import sync as sync_module

WORDS = {
    "deals": ("dealname", "Zerubbabel Quince"),
    "companies": ("name", "Quincewood Holdings"),
    "line_items": ("name", "Quincewood support"),
}


def files_with(hub, word):
    """Files below the store that hold a text: in their bytes, or in any column once decoded."""
    found = set()
    for path, data in hub.bytes_below().items():
        if word.encode() in data:
            found.add(path)
        if path.suffix == ".parquet":
            table = pq.read_table(path, partitioning=None)
            texts = [c for c in table.columns if "string" in str(c.type)]
            assert texts
            if any(word in (value or "") for column in texts for value in column.to_pylist()):
                found.add(path)
    return found


def tables_with(hub, word):
    """Names of the tables whose files hold a text."""
    root = hub.store.path
    return {path.relative_to(root).parts[0] for path in files_with(hub, word)}


def forget(here, kind, record):
    """Delete a record for privacy, and sync."""
    here.account.advance(60)
    here.account.gdpr_delete(kind, record)
    here.account.advance(60)
    return here.sync()


@pytest.mark.parametrize("kind", ["deals", "companies"])
def test_a_name_is_in_no_file(hub, kind):
    """Nor in one from before the record was renamed."""
    here = hub(deals=40)
    prop, word = WORDS[kind]
    record = here.ids(kind)[6]
    here.account.edit(kind, record, {prop: word})
    here.sync()
    here.account.advance(60)
    here.account.edit(kind, record, {prop: f"{word}, renamed"})
    here.account.advance(60)
    here.sync()
    assert len(files_with(here, word)) >= 2
    report = forget(here, kind, record)
    assert report.counts["deleted"].sum() == 1
    assert files_with(here, word) == set()
    here.same()


@pytest.mark.parametrize("leads", [True, False], ids=["leads object", "contacts"])
def test_a_lead_and_its_history_are_in_no_file(hub, leads):
    """Its bare id may stand in earlier deals and meetings that named it: `Store.purge` says so."""
    here = hub(deals=60, leads=leads)
    here.sync()
    kind = "leads" if leads else "contacts"
    linked = set(here.rows("deals")["lead_id"].dropna())
    lead = next(i for i in here.rows("leads").index if i not in linked and len(i) > 3)
    named = next(i for i in here.rows("leads").index if i in linked and len(i) > 3)
    url = f"/{lead}"
    assert tables_with(here, url) == {"leads"}
    for one in (lead, named):
        forget(here, kind, int(one))
    assert tables_with(here, url) == set()
    for name in ("leads", "history"):
        column = "lead_id" if name == "leads" else "record_id"
        for path in (here.store.path / name).glob("*.parquet"):
            assert not {lead, named} & set(pq.read_table(path)[column].to_pylist()), path
    assert named not in set(here.rows("deals")["lead_id"])
    here.same()


def test_archived_records_stay_in_earlier_syncs(hub):
    here = hub(deals=40)
    deal = here.ids("deals")[6]
    here.account.edit("deals", deal, {"dealname": "Only archived"})
    here.sync()
    here.account.archive("deals", deal)
    here.account.advance(60)
    report = here.sync()
    assert report.counts["archived"].sum() == 1
    assert "Only archived" not in set(here.store.frames()["deals"]["name"])
    assert here.rows("deals", 1).name[str(deal)] == "Only archived"


def test_more_than_a_tenth_is_not_purged_but_said(hub, monkeypatch):
    """A portal restored from a backup, or a token for another one, is no deletion for privacy."""
    monkeypatch.setattr(sync_module, "FEW", 3)
    here = hub(deals=60)
    here.sync()
    for deal in here.ids("deals")[:9]:
        here.account.gdpr_delete("deals", deal)
    here.account.advance(60)
    report = here.sync()
    here.same()
    assert any("9 deals vanished" in note and "Store.purge" in note for note in report.notes)
    assert len(here.rows("deals", 1)) == 60
    assert "purge" not in set(here.store.syncs()["kind"])


def test_other_settings_meanwhile_do_not_lose_a_deletion(hub, monkeypatch):
    """Found, stopped before it was purged, and then the settings were changed."""
    here = hub(deals=40)
    deal = here.ids("deals")[6]
    here.account.edit("deals", deal, {"dealname": "Zerubbabel Quince"})
    here.sync()
    here.account.gdpr_delete("deals", deal)
    here.account.advance(60)
    stopped = []

    def stop(request):
        progress = here.store.path / "hubspot.progress.json"
        if not stopped and progress.exists() and f'"purge": ["{deal}"]' in progress.read_text():
            stopped.append(request.path)
            here.server.faults.daily_calls = 1
            here.server.faults.switch("daily", on=True)

    here.after_each = stop
    with pytest.raises(DailyLimitError):
        here.sync()
    here.after_each = None
    here.server.faults.switch("daily", on=False)
    assert stopped
    assert files_with(here, "Zerubbabel")
    fields = {"deals": {"segment": "market_segment"}}
    here.sync(fields=fields)
    here.same(fields=fields)
    assert files_with(here, "Zerubbabel") == set()
