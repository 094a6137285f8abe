"""What moves when a definition changes, record by record, and that nothing else does."""

import dataclasses

import pandas as pd
import pytest
from companies import companies, snapshot
from hypothesis import Phase, given, settings

from kpi import Definitions, Snapshot, TableError
from kpi.definition_diff import COLUMNS, definition_diff
from kpi.definitions import Count
from kpi.periods import label

QUICK = (Phase.explicit, Phase.generate)


def sql(*values, **others):
    """Definitions in which these lead stages count as SQL."""
    return Definitions(count={"sql": Count("leads", "stage_id", values)}, **others)


def moved(old, new, frames, **options):
    """List (count, record, change) of a change of definitions."""
    table = definition_diff(old, new, snapshot(frames, **options))
    assert list(table) == COLUMNS
    return list(zip(table["count"], table["record_id"], table["change"], strict=True))


LEADS = pd.DataFrame(
    {
        "lead_id": ["a", "b", "c"],
        "stage_id": ["demo", "call", "new"],
        "created_at": "2026-01-05",
        "url": ["https://crm.example/a", None, None],
    }
)
STEPS = pd.DataFrame(
    {
        "object": "lead",
        "record_id": ["a", "a", "c"],
        "stage_id": ["call", "demo", "new"],
        "changed_at": ["2026-01-10", "2026-02-10", "2026-01-05"],
    }
)
DEALS = pd.DataFrame(
    {
        "deal_id": ["d1", "d2", "d3"],
        "pipeline_id": ["sales", "partner", "sales"],
        "deal_type": ["New Business", "Upsell", None],
        "outcome": ["won", "won", "open"],
        "created_at": "2026-03-01 02:00+00:00",
        "closed_at": ["2026-05-01 02:00+00:00", "2026-05-20 12:00+00:00", None],
        "url": "https://crm.example/d",
    }
)


def test_another_meaning_of_sql():
    """From demo to call or demo: b comes in, a counts from an earlier day, c does not move."""
    table = definition_diff(
        sql("demo"), sql("demo", "call"), snapshot({"leads": LEADS, "history": STEPS})
    )
    assert table["record_id"].tolist() == ["a", "b"]
    assert table["count"].unique().tolist() == ["sql"]
    assert table["change"].tolist() == ["day moved", "in"]
    days = table[["first_day_before", "first_day_after"]]
    assert days.iloc[0].tolist() == [pd.Timestamp("2026-02-10"), pd.Timestamp("2026-01-10")]
    assert days.iloc[1].isna().tolist() == [True, False]
    assert table["url"].iloc[0] == "https://crm.example/a"
    why = "count.sql: leads.stage_id in ['demo'] -> leads.stage_id in ['demo', 'call']"
    assert table["why"].unique().tolist() == [why]


def test_the_other_way_round_it_goes_out():
    """What came in goes out, with the days exchanged."""
    frames = {"leads": LEADS, "history": STEPS}
    there = definition_diff(sql("demo"), sql("demo", "call"), snapshot(frames))
    back = definition_diff(sql("demo", "call"), sql("demo"), snapshot(frames))
    assert back["change"].tolist() == ["day moved", "out"]
    pd.testing.assert_series_equal(
        there["first_day_after"], back["first_day_before"], check_names=False
    )


@pytest.mark.parametrize(
    ("old", "new", "expected", "why"),
    [
        pytest.param(
            {},
            {"pipelines": ("sales",)},
            [("won", "d2", "out"), ("pipelines", "d2", "out"), ("deal_type new", "d2", "out")],
            "pipelines: all -> ['sales']",
            id="included pipelines",
        ),
        pytest.param(
            {},
            {"deal_types": {"Upsell": "expansion"}},
            [("deal_type new", "d2", "out"), ("deal_type expansion", "d2", "in")],
            "deal_types: {} -> {'Upsell': 'expansion'}",
            id="deal types",
        ),
        pytest.param(
            {},
            {"time_zone": "America/New_York"},
            [
                ("won", "d1", "day moved"),
                *(("pipelines", f"d{i}", "day moved") for i in (1, 2, 3)),
                *(("deal_type new", f"d{i}", "day moved") for i in (1, 2, 3)),
            ],
            "time_zone: UTC -> America/New_York",
            id="time zone",
        ),
        pytest.param(
            {"count": {"won": Count("deals", "pipeline_id", ("sales",))}},
            {},
            [("won", "d2", "in"), ("won", "d3", "out")],
            "count.won: deals.pipeline_id in ['sales'] -> not set",
            id="what a win is",
        ),
        pytest.param({}, {"horizon_days": 90}, [], "", id="a horizon moves no record"),
        pytest.param(
            {"time_zone": "Europe/Berlin"}, {"time_zone": "Europe/Paris"}, [], "", id="same clock"
        ),
    ],
)
def test_each_setting_moves_its_records(old, new, expected, why):
    """And is named as the reason."""
    table = definition_diff(Definitions(**old), Definitions(**new), snapshot({"deals": DEALS}))
    found = list(zip(table["count"], table["record_id"], table["change"], strict=True))
    assert found == expected
    assert set(table["why"]) == ({why} if expected else set())


def test_two_settings_that_can_have_moved_a_record_are_both_named():
    """But not one that cannot: a deal type has nothing to do with SQL."""
    old, new = sql("demo"), sql("call", time_zone="Asia/Kolkata", deal_types={"x": "new"})
    table = definition_diff(old, new, snapshot({"leads": LEADS}))
    b = table[(table["record_id"] == "b") & (table["count"] == "sql")]["why"].iloc[0]
    assert "count.sql: " in b
    assert "time_zone: UTC -> Asia/Kolkata" in b
    assert "deal_types" not in b


def test_what_counts_as_a_lead():
    """Only those that were called, from that day."""
    rule = Definitions(count={"lead": Count("leads", "stage_id", ("call",))})
    frames = {"leads": LEADS, "history": STEPS}
    assert moved(Definitions(), rule, frames) == [("lead", "a", "day moved"), ("lead", "c", "out")]


def test_mqls_may_be_deals():
    """A count on deals lists deals."""
    rule = Definitions(count={"mql": Count("deals", "pipeline_id", ("partner",))})
    table = definition_diff(Definitions(), rule, snapshot({"deals": DEALS, "leads": LEADS}))
    assert table[["object", "record_id", "count"]].to_numpy().tolist() == [["deal", "d2", "mql"]]


def test_a_naive_moment_is_read_anew_in_the_other_zone():
    """Written without an offset it is local time: its day stays, so nothing moves."""
    naive = DEALS.assign(created_at="2026-03-01 02:00", closed_at=["2026-05-01 02:00", None, None])
    naive["outcome"] = ["won", "open", "open"]
    assert moved(Definitions(), Definitions(time_zone="Asia/Tokyo"), {"deals": naive}) == []


def test_a_record_beyond_the_local_end_of_the_day_is_not_known_yet():
    """Half past one at night in Berlin is still the day before in New York."""
    late = LEADS.assign(created_at="2026-07-01 03:30+00:00")
    zones = Definitions(time_zone="Europe/Berlin"), Definitions(time_zone="America/New_York")
    assert moved(*zones, {"leads": late}) == [("lead", i, "in") for i in "abc"]


def test_a_fiscal_year_moves_its_periods():
    """Labels of one calendar go, those of the other come; one year to the next a label moves."""
    table = definition_diff(
        Definitions(), Definitions(fiscal_year_start=7), snapshot({"deals": DEALS})
    )
    assert set(table["object"]) == {"calendar"}
    rows = table.set_index("record_id")
    assert rows.loc["FY26 Q3", "first_day_after"] == pd.Timestamp("2026-01-01")
    assert rows.loc["2026 Q1", ["count", "change"]].tolist() == ["quarter", "out"]
    assert rows.loc["FY26", ["count", "change"]].tolist() == ["year", "in"]
    assert rows["why"].unique().tolist() == ["fiscal_year_start: 1 -> 7"]
    later = definition_diff(
        Definitions(fiscal_year_start=2),
        Definitions(fiscal_year_start=4),
        snapshot({"deals": DEALS}),
    ).set_index("record_id")
    assert later.loc["FY27 Q1", "change"] == "day moved"
    assert later.loc["FY27 Q1", "first_day_before"] == pd.Timestamp("2026-02-01")
    assert later.loc["FY27 Q1", "first_day_after"] == pd.Timestamp("2026-04-01")


def test_filters_and_date_of_the_snapshot_hold():
    """Only what it holds is compared."""
    deals = DEALS.assign(source=["event", "event", "website"])
    snap = snapshot({"deals": deals}).where(source="website")
    table = definition_diff(Definitions(), Definitions(pipelines=("partner",)), snap)
    assert table[table["count"] == "pipelines"]["record_id"].tolist() == ["d3"]
    early = snapshot({"deals": deals}).at("2026-05-10")
    table = definition_diff(Definitions(), Definitions(pipelines=("sales",)), early)
    assert table["count"].tolist() == ["pipelines", "deal_type new"]


def test_the_same_definitions_move_nothing():
    """An empty table of the same columns and types."""
    table = definition_diff(sql("demo"), sql("demo"), snapshot({"leads": LEADS}))
    assert table.empty
    assert list(table) == COLUMNS
    assert str(table["first_day_after"].dtype) == "datetime64[us]"


def test_a_company_without_leads_or_deals_moves_nothing():
    """Nor does it fail."""
    assert moved(sql("demo"), sql("call"), {}) == []


def test_a_snapshot_that_does_not_know_its_origin_says_so():
    """It cannot be brought under other definitions."""
    snap = dataclasses.replace(snapshot({"leads": LEADS}), remake=None)
    with pytest.raises(TableError, match="make it anew"):
        snap.under(Definitions())


def test_frames_changed_later_do_not_change_what_under_reads():
    """The snapshot was made of what they held then."""
    frames = {"leads": LEADS.copy()}
    snap = snapshot(frames)
    frames["leads"].loc[0, "stage_id"] = "gone"
    again = snap.under(sql("demo"))
    assert again.leads.to_pandas()["stage_id"].tolist() == ["demo", "call", "new"]
    assert snap.definitions == Definitions()


def test_a_store_is_read_anew(tmp_path):
    """Parquet files: days follow the other time zone."""
    path = tmp_path / "leads.parquet"
    snapshot(
        {"leads": LEADS.assign(created_at="2026-01-05 02:00+00:00")}
    ).leads.to_pandas().to_parquet(path)
    snap = Snapshot.from_parquet({"leads": [str(path)]}, as_of="2026-06-30")
    table = definition_diff(Definitions(), Definitions(time_zone="America/New_York"), snap)
    assert table["first_day_after"].unique().tolist() == [pd.Timestamp("2026-01-04")]


@settings(derandomize=True, max_examples=2, deadline=None, phases=QUICK)
@given(companies(at_least=1))
def test_records_moved_are_the_difference_of_the_counts(frames):
    """Before, without those that went out and with those that came in, is after."""
    old, new = sql("S1"), Definitions(count={"won": Count("deals", "stage_id", ("S2", "Won"))})
    snap = snapshot(frames)
    table = definition_diff(old, new, snap)
    won = [set(ids(snap.under(d))) for d in (old, new)]
    part = table[table["count"] == "won"].groupby("change")["record_id"].agg(set)
    assert won[0] - part.get("out", set()) | part.get("in", set()) == won[1]
    pd.testing.assert_frame_equal(table, definition_diff(old, new, snap))


def ids(snap):
    """Ids of the won deals."""
    deals = snap.deals.to_pandas()
    return deals.loc[deals["outcome"] == "won", "deal_id"]


@pytest.mark.parametrize(
    ("day", "every", "start", "expected"),
    [
        ("2026-01-31", "quarter", 1, "2026 Q1"),
        ("2026-01-31", "quarter", 2, "FY26 Q4"),
        ("2026-02-01", "quarter", 2, "FY27 Q1"),
        ("2026-12-31", "year", 12, "FY27"),
        ("2026-11-30", "year", 12, "FY26"),
        ("2026-11-30", "year", 1, "2026"),
        ("2026-11-30", "month", 7, "Nov 2026"),
        ("2099-07-01", "year", 7, "FY00"),
    ],
)
def test_periods_have_the_names_the_company_uses(day, every, start, expected):
    """A fiscal year is named by the year in which it ends."""
    assert label(pd.Timestamp(day).date(), every, start) == expected
