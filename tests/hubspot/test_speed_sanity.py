"""What makes a sync fast, counted and not timed: few calls, and rows written once."""

import json
from math import ceil

from connectors.hubspot import streams

FIXED = 40
"""Calls that do not grow with the records: account, pipelines, properties, owners, associations."""


def test_a_first_load_makes_hardly_more_calls_than_it_has_pages(hub):
    """A hundred to a list, fifty to a read with history, a thousand to associations."""
    one = hub(1_200)
    report = one.sync()
    records = {kind: len(one.ids(kind)) for kind in ("companies", "leads", "deals", "meetings")}
    lists = sum(ceil(n / 100) for n in records.values()) + ceil(len(one.ids("line_items")) / 100)
    reads = sum(ceil(records[kind] / 50) for kind in ("leads", "deals"))
    assert lists + reads < report.calls <= lists + reads + FIXED


def test_a_first_load_only_adds_rows(hub):
    """Nothing is merged, so no file is read again and written anew, however large the table is."""
    one = hub(300)
    one.sync()
    assert operations(one.store.path / "deals") == {"CREATE TABLE", "WRITE"}
    assert operations(one.store.path / "history") == {"CREATE TABLE", "WRITE"}


def test_changes_are_searched_for_page_after_page_without_a_gap_or_a_repeat(hub, only_search):
    """Each page repeats only the last moment of the page before it."""
    one = hub(700)
    one.sync()
    for record_id in one.ids("deals"):
        one.account.advance(2)
        one.account.edit("deals", record_id, {"hs_next_step": "call"})
    one.account.advance(5)
    one.sent.clear()
    one.sync()
    searches = [r for r in one.sent if r.path.endswith("/0-3/search")]
    assert len(searches) <= ceil(700 / 199) + 2
    one.same()


def operations(folder):
    """Return what the commits of a table say they did."""
    logs = [path.read_text(encoding="utf-8") for path in (folder / "_delta_log").glob("*.json")]
    lines = [json.loads(line) for log in logs for line in log.splitlines()]
    return {line["commitInfo"]["operation"] for line in lines if "commitInfo" in line}


def test_a_long_way_is_searched_in_parts_side_by_side(hub, only_search, monkeypatch):
    """Each part costs one page that is not full; what is found is the same."""
    monkeypatch.setattr(streams, "MANY", 500)
    one = hub(700)
    one.sync()
    for record_id in one.ids("deals"):
        one.account.advance(2)
        one.account.edit("deals", record_id, {"hs_next_step": "call"})
    one.account.advance(5)
    one.sent.clear()
    one.sync()
    searches = [r for r in one.sent if r.path.endswith("/0-3/search")]
    assert len(searches) <= 1 + ceil(700 / 199) + streams.WALKS
    one.same()
