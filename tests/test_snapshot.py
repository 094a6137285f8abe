"""Snapshots: odd data is listed and counted rightly, currencies convert, filters and dates rewind."""

import gc

import pandas as pd
import pytest
from companies import BORN, deals_on_paths, outcomes, snapshot, stages

from kpi import Definitions, Snapshot, TableError, cycle_days, stage_conversion, win_rate
from kpi.conform import conform
from kpi.engine import collect
from kpi.engines.between import LISTED
from kpi.funnel.reach import reached


def listed(snap):
    """Problems as (table, key, reason)."""
    return snap.problems[["table", "key", "reason"]].to_numpy().tolist()


def one(**columns):
    """Build one won deal of January and February with changes."""
    deal = {
        "deal_id": "d",
        "outcome": "won",
        "created_at": "2026-01-05",
        "close_date": "2026-02-10",
    }
    return pd.DataFrame([deal | columns])


ODD = [
    pytest.param(
        {"deals": one(close_date="2026-01-01")},
        ["deals", "d", "closed before it was created: left out of durations"],
        id="closed before created",
    ),
    pytest.param(
        {"deals": one(close_date="2026-12-24")},
        ["deals", "d", "closed with a date after the as-of date: counted as open"],
        id="closed in the future",
    ),
    pytest.param(
        {"deals": one(close_date=None)},
        ["deals", "d", "closed without a date: left out of rates by period and of durations"],
        id="closed without a date",
    ),
    pytest.param(
        {"deals": one(created_at="2026-12-24", outcome="open", close_date=None)},
        ["deals", "d", "after the as-of date: not yet known, not used"],
        id="created in the future",
    ),
    pytest.param(
        {"deals": one(stage_id="Ghost"), "stages": stages()},
        ["deals", "d", "unknown stage: counted, but not placed in the funnel"],
        id="unknown stage",
    ),
    pytest.param(
        {"deals": one(owner_id="x"), "owners": pd.DataFrame({"owner_id": ["y"]})},
        ["deals", "d", "no such row in owners"],
        id="unknown owner",
    ),
    pytest.param(
        {"deals": one(closed_at="2026-12-24")},
        ["deals", "d", "after the as-of date: not yet known, not used"],
        id="closed at a moment in the future",
    ),
    pytest.param(
        {
            "deals": one(stage_id="S1"),
            "stages": pd.concat([stages().assign(pipeline_id=name) for name in ("p", "q")]),
        },
        ["deals", "d", "no pipeline, and its stage is in several: not placed in a funnel"],
        id="a stage of several pipelines",
    ),
    pytest.param(
        {"deals": one(), "stages": stages("S1", "Lost")},
        [
            "stages",
            "S1",
            "no stage of this pipeline is marked as won: set the outcome of its stages",
        ],
        id="a pipeline without a win",
    ),
]


@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        *ODD,
        pytest.param(
            {"deals": one(amount=-1)}, ["deals", "d", "negative amount"], id="negative amount"
        ),
    ],
)
def test_odd_rows_are_listed_by_table_key_and_reason(frames, problem):
    """Nothing is dropped in silence."""
    assert listed(snapshot(frames)) == [problem]


def stored(frames, folder):
    """Conform tables, write them as a store does, and open them."""
    files = {}
    for name, frame in frames.items():
        path = folder / f"{name}.parquet"
        conform(name, frame).frame.to_parquet(path)
        files[name] = [str(path)]
    return Snapshot.from_parquet(files, as_of="2026-06-30")


@pytest.mark.parametrize(("frames", "problem"), ODD)
def test_a_store_lists_the_same(frames, problem, tmp_path):
    """Looked for on the engine; values as for frames, without the number of a row."""
    snap = stored(frames, tmp_path)
    assert listed(snap) == [problem]
    columns = [c for c in snap.problems if c != "row"]
    pd.testing.assert_frame_equal(snap.problems[columns], snapshot(frames).problems[columns])
    assert snap.problems["row"].tolist() == [0]


def test_more_odd_rows_of_a_store_than_anyone_reads_are_counted(tmp_path):
    """They do not leave the engine."""
    ids = [f"d{i}" for i in range(LISTED + 1)]
    deals = pd.DataFrame({"deal_id": ids, "lead_id": "x", "outcome": "open"})
    snap = stored({"deals": deals, "leads": pd.DataFrame({"lead_id": ["y"]})}, tmp_path)
    found = snap.problems[["table", "column", "value", "reason"]].to_numpy().tolist()
    assert found == [["deals", "lead_id", "1,001 rows", "no such row in leads"]]


def test_how_odd_rows_count():
    """Backward: in the rate, not in durations. In the future: open. Undated: in the total only."""
    assert win_rate(snapshot({"deals": one(close_date="2026-01-01")}))["n"].iloc[0] == 1
    assert cycle_days(snapshot({"deals": one(close_date="2026-01-01")}))["n"].iloc[0] == 0
    assert win_rate(snapshot({"deals": one(close_date="2026-12-24")}))["n"].iloc[0] == 0
    undated = snapshot({"deals": one(close_date=None)})
    assert win_rate(undated)["n"].iloc[0] == 1
    assert win_rate(undated, every="month")["n"].sum() == 0


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "<script>alert(1)</script>", "a'; DROP TABLE"]
)
def test_hostile_text_goes_through_the_engine_unchanged(text):
    """As id, name, group and filter value: it is data, never a statement."""
    snap = snapshot({"deals": one(deal_id=text, name=text, source=text)})
    table = snap.deals.to_pandas()
    assert table.loc[0, ["deal_id", "name", "source"]].tolist() == [text] * 3
    assert win_rate(snap, by="source")["source"].tolist() == [text]
    assert len(snap.where(source=text).deals) == 1


def test_frames_without_rows_are_a_snapshot_without_rows():
    """And without problems."""
    snap = snapshot({"deals": one().iloc[:0], "stages": stages()})
    assert len(snap.deals) == 0
    assert snap.problems.empty


def test_frames_put_in_are_not_changed():
    """Types, order and values stay."""
    deals = outcomes(won=2, lost=1).assign(deal_type="Existing")
    before = deals.copy(deep=True)
    snapshot({"deals": deals}, deal_types={"Existing": "expansion"})
    pd.testing.assert_frame_equal(deals, before)


RATES = pd.DataFrame(
    {
        "currency": "EUR",
        "from_date": ["2026-01-01", "2026-02-01", "2026-06-01"],
        "rate": [1.1, 1.2, 1.3],
    }
)


@pytest.mark.parametrize(
    ("changes", "amount"),
    [
        pytest.param({}, 120.0, id="won: the rate of the closing day"),
        pytest.param({"close_date": "2026-01-31"}, 110.0, id="the day before the next rate"),
        pytest.param({"outcome": "open"}, 130.0, id="open: the rate of the as-of date"),
        pytest.param(
            {"created_at": "2025-05-05", "close_date": "2025-06-01"},
            110.0,
            id="before the first rate",
        ),
        pytest.param({"currency": "USD"}, 100.0, id="the reporting currency itself"),
        pytest.param({"currency": None}, 100.0, id="no currency"),
        pytest.param({"amount_original": 90.0}, 100.0, id="converted already"),
    ],
)
def test_amounts_are_converted_once_at_the_right_rate(changes, amount):
    """The original stays beside it where it was converted here."""
    deals = one(**({"amount": 100, "mrr": 10, "currency": "EUR"} | changes))
    table = snapshot({"deals": deals, "rates": RATES}).deals.to_pandas()
    assert table["amount"].tolist() == pytest.approx([amount])
    assert table["mrr"].tolist() == pytest.approx([amount / 10])
    if amount != 100:
        assert table["amount_original"].tolist() == [100.0]


def test_mixed_currencies_keep_one_row_each():
    """Deals in two currencies and in none, three rates: three deals."""
    deals = pd.concat(
        [one(deal_id=c or "none", amount=100, currency=c) for c in ("EUR", "USD", None)]
    )
    table = snapshot({"deals": deals, "rates": RATES}).deals.to_pandas()
    assert table.set_index("deal_id")["amount"].to_dict() == {"EUR": 120, "USD": 100, "none": 100}


@pytest.mark.parametrize("table", ["deals", "subscriptions", "costs", "quotas"])
def test_mixed_currencies_without_rates_are_refused(table):
    """The message names the table, the currency and what to add."""
    frames = {
        "deals": one(amount=1),
        "subscriptions": pd.DataFrame(
            {"subscription_id": ["s"], "account_id": ["a"], "mrr": [1], "starts_on": ["2026-01-01"]}
        ),
        "costs": pd.DataFrame({"month": ["2026-01-01"], "amount": [1]}),
        "quotas": pd.DataFrame({"owner_id": ["o"], "period_start": ["2026-01-01"], "amount": [1]}),
    }
    frame = frames[table].assign(currency="EUR")
    with pytest.raises(
        TableError, match=rf"{table} holds amounts in \['EUR'\].*reporting currency is USD"
    ):
        snapshot({table: frame})
    assert len(snapshot({table: frame}, reporting_currency="EUR").table(table)) == 1


def test_rewinding_before_the_first_rate_works():
    """The first rate also holds before its day."""
    deals = one(created_at="2025-01-05", close_date="2025-03-01", amount=100, currency="EUR")
    early = snapshot({"deals": deals, "rates": RATES}).at("2025-06-01")
    assert early.deals.to_pandas()["amount"].tolist() == pytest.approx([110.0])


def test_a_later_rate_is_not_known_earlier():
    """An open deal takes the rate of the date rewound to."""
    deals = one(outcome="open", close_date=None, amount=100, currency="EUR")
    early = snapshot({"deals": deals, "rates": RATES}).at("2026-03-31")
    assert early.deals.to_pandas()["amount"].tolist() == pytest.approx([120.0])


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_a_month_of_costs_is_known_from_its_first_day_on(zone):
    """In every zone: not on the last day of the month before."""
    frames = {"costs": pd.DataFrame({"month": ["2026-02-01"], "amount": [5]})}
    assert len(snapshot(frames, as_of="2026-01-31", time_zone=zone).costs) == 0
    assert len(snapshot(frames, as_of="2026-02-01", time_zone=zone).costs) == 1


def test_rewinding_takes_stage_amount_and_owner_back():
    """To their last recorded values; a deal reopened since is closed again."""
    frames = deals_on_paths({"d": ["S1", "Lost", "S2", "Won"]}, gap_days=10)
    frames["stages"] = stages()
    frames["history"]["amount"] = [100, 100, 150, 180]
    frames["history"]["owner_id"] = ["a", "a", "b", "b"]
    frames["deals"] = frames["deals"].assign(amount=180, owner_id="b")
    snap = snapshot(frames)
    seen = [
        snap.at(day).deals.to_pandas().iloc[0] for day in ("2026-01-05", "2026-01-15", "2026-01-25")
    ]
    columns = ["stage_id", "outcome", "amount", "owner_id"]
    assert [row[columns].tolist() for row in seen] == [
        ["S1", "open", 100, "a"],
        ["Lost", "lost", 100, "a"],
        ["S2", "open", 150, "b"],
    ]
    assert snap.deals.to_pandas()["outcome"].tolist() == ["won"]


def test_rewinding_takes_the_expected_close_date_back():
    """To the one recorded last; what nobody recorded of a deal closed since is not known."""
    frames = deals_on_paths({"d": ["S1", "S2", "Won"], "e": ["S1", "Won"]}, gap_days=10)
    frames["stages"] = stages()
    frames["history"]["close_date"] = ["2026-02-01", "2026-02-20", "2026-01-21", None, None]
    frames["deals"] = frames["deals"].assign(close_date="2026-01-21", outcome="won")
    snap = snapshot(frames)
    for day, known in {"2026-01-05": "2026-02-01", "2026-01-15": "2026-02-20"}.items():
        row = snap.at(day).deals.to_pandas().set_index("deal_id")["close_date"]
        assert str(row["d"].date()) == known
    assert pd.isna(
        snap.at("2026-01-05").deals.to_pandas().set_index("deal_id").loc["e", "close_date"]
    )


@pytest.mark.parametrize("told", ["outcome", "stage"])
def test_the_day_a_deal_closed_is_not_known_before(told):
    """Nobody recorded when it was expected to: whoever tells that it closed since."""
    frames = deals_on_paths({"d": ["S1", "Won"]}, gap_days=10) | {"stages": stages()}
    frames["deals"] = frames["deals"].assign(close_date="2026-01-11")
    if told == "outcome":
        frames["deals"]["outcome"] = "won"
    snap = snapshot(frames)
    assert snap.deals.to_pandas()["close_date"].notna().tolist() == [True]
    assert snap.at("2026-01-05").deals.to_pandas()["close_date"].isna().tolist() == [True]


def test_rewinding_takes_a_deal_back_to_the_pipeline_it_was_in():
    """It stands in the stages of that one, and counts where only that one does."""
    two = pd.concat([stages("S1", "Won").assign(pipeline_id=name) for name in ("sales", "partner")])
    frames = deals_on_paths({"d": ["S1", "S1", "Won"]}, gap_days=10) | {"stages": two}
    frames["history"]["pipeline_id"] = ["partner", "sales", "sales"]
    frames["deals"] = frames["deals"].assign(pipeline_id="sales")
    snap = snapshot(frames)
    for day, pipeline in {"2026-01-05": "partner", "2026-01-15": "sales"}.items():
        row = collect(snap.at(day).deals.lazy()).iloc[0]
        assert row[["pipeline_id", "funnel", "rank"]].tolist() == [pipeline, pipeline, 0]
    only = snapshot(frames, pipelines=("sales",))
    assert [len(only.at(day).deals) for day in ("2026-01-05", "2026-01-15")] == [0, 1]


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        pytest.param({}, ("source", "amount"), id="filled and never recorded"),
        pytest.param({"amount": [70.0, 140.0]}, ("source",), id="recorded once is enough"),
        pytest.param(
            {"object": "lead", "amount": 5.0}, ("stage_id", "source", "amount"), id="of leads"
        ),
    ],
)
def test_a_snapshot_says_which_columns_have_no_history(changes, left):
    """What a group by them means in the past is what is known today."""
    frames = deals_on_paths({"d": ["S1", "S2"]}, gap_days=10)
    frames["history"] = frames["history"].assign(**changes)
    frames["deals"] = frames["deals"].assign(source="event", amount=140.0, lost_reason="price")
    frames["leads"] = pd.DataFrame({"lead_id": ["l"], "status": ["new"], "created_at": [BORN]})
    snap = snapshot(frames)
    assert snap.not_rewound == {"leads": ("status",), "deals": left}
    past = snap.at("2026-01-05")
    assert past.not_rewound == snap.not_rewound
    kept = past.deals.to_pandas().loc[0, list(left)].tolist()
    assert kept == snap.deals.to_pandas().loc[0, list(left)].tolist()


def test_past_amounts_are_in_the_currency_of_the_amount():
    """History keeps the same money as deals: nothing is converted twice."""
    frames = deals_on_paths({"d": ["S1", "S2"]}, gap_days=10)
    frames["stages"] = stages()
    frames["history"]["amount"] = [70.0, 140.0]
    frames["deals"] = frames["deals"].assign(amount=140.0, currency="CAD", amount_original=200.0)
    snap = snapshot(frames)
    assert snap.at("2026-01-05").deals.to_pandas()["amount"].tolist() == [70.0]
    assert snap.deals.to_pandas()["amount"].tolist() == [140.0]


def test_rewinding_twice_is_rewinding_once_and_keeps_the_filters():
    """at(b).at(a) is at(a); where(...) holds in the past."""
    frames = deals_on_paths({"a": ["S1", "S2", "Won"], "b": ["S1", "Won"]}, gap_days=20)
    frames["deals"]["source"] = ["event", "website"]
    snap = snapshot(frames | {"stages": stages()})
    twice = snap.at("2026-03-01").at("2026-01-25").deals.to_pandas()
    pd.testing.assert_frame_equal(twice, snap.at("2026-01-25").deals.to_pandas())
    past = snap.where(source="event").at("2026-01-25")
    assert past.deals.to_pandas()["deal_id"].tolist() == ["a"]
    assert "source: event" in past.described


def test_filters_together_narrow_further():
    """Two columns, several values, ids by their short names."""
    deals = outcomes(won=4).assign(source=["x", "x", "y", "z"], owner_id=["a", "b", "a", "a"])
    snap = snapshot({"deals": deals})
    assert len(snap.where(source=["x", "y"], owner="a").deals) == 2
    assert len(snap.where(source=["x", "y"]).where(owner="a").deals) == 2
    assert len(snap.deals) == 4


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda s: s.at("2026-07-01"), "at 2026-07-01: the data is known up to 2026-06-30 only"),
        (lambda s: s.at("30.6.2026"), "no date: '30.6.2026'"),
        (lambda s: s.where(colour="red"), r"where\(colour=...\): neither leads nor deals"),
        (lambda s: s.table("notes"), "no table is called 'notes'"),
        (lambda s: s.first_days("sql"), r"\[count.sql\] is not set"),
        (lambda s: s.need("leads", of="this"), r"this needs the table\(s\) \['leads'\]"),
    ],
)
def test_what_a_snapshot_cannot_do_is_said(act, message):
    """With what was asked, and what there is."""
    with pytest.raises(TableError, match=message):
        act(snapshot({"deals": one()}))


def test_an_attribute_that_is_no_table_is_an_attribute_error():
    """So that tools that probe objects work."""
    with pytest.raises(AttributeError, match="its tables are"):
        snapshot({"deals": one()}).notes  # noqa: B018 - the access is the test


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ({"notes": pd.DataFrame()}, "no table is called 'notes'"),
        ({"deals": pd.DataFrame({"id": [1]})}, r"deals lacks the column\(s\) \['deal_id'\]"),
    ],
)
def test_unknown_tables_and_missing_columns_are_refused(frames, message):
    """Before anything is computed."""
    with pytest.raises(TableError, match=message):
        snapshot(frames)


def test_the_description_names_date_source_filters_and_definitions():
    """One line to print beside numbers."""
    settings = Definitions(fiscal_year_start=7)
    snap = Snapshot.from_frames(
        {"deals": one()}, as_of="2026-06-30", definitions=settings, source="test"
    )
    for part in ("2026-06-30", "test", "none", settings.version):
        assert part in snap.described
    assert "1 deals" in repr(snap)


def test_two_changes_of_one_second_keep_the_order_of_the_stages():
    """Salesforce writes both with the same time: the further stage came last."""
    history = pd.DataFrame(
        {"record_id": "d", "stage_id": ["S2", "S1"], "changed_at": BORN + pd.Timedelta(hours=9)}
    )
    deals = pd.DataFrame({"deal_id": ["d"], "created_at": BORN})
    snap = snapshot({"deals": deals, "history": history, "stages": stages()})
    assert snap.deals.to_pandas()["stage_id"].tolist() == ["S2"]


def test_two_changes_of_one_second_to_different_fields_are_both_kept():
    """Property histories record amount and owner as rows of their own, without a stage."""
    history = pd.DataFrame(
        {
            "record_id": "d",
            "changed_at": ["2026-01-02", "2026-01-02", "2026-03-01"],
            "amount": [100, None, 300],
            "owner_id": [None, "a", "b"],
        }
    )
    deals = one(outcome="open", close_date=None, amount=300, owner_id="b", created_at="2026-01-01")
    early = snapshot({"deals": deals, "history": history}).at("2026-02-01").deals.to_pandas()
    assert early[["amount", "owner_id"]].to_numpy().tolist() == [[100.0, "a"]]


def test_a_deal_without_any_amount_needs_no_exchange_rate():
    """Its currency says nothing: it must not keep a company from being opened."""
    deals = pd.DataFrame({"deal_id": ["1", "2"], "currency": ["EUR", None], "amount": [None, 5.0]})
    snapshot = Snapshot.from_frames({"deals": deals}, as_of="2026-01-31")
    assert snapshot.deals.to_pandas()["amount"].sum() == 5.0
    mrr = deals.assign(mrr=[7.0, None])
    with pytest.raises(TableError, match="EUR"):
        Snapshot.from_frames({"deals": mrr}, as_of="2026-01-31")


def held(snap):
    """Bytes of the tables that the embedded engine holds."""
    seen = snap.engine._database.sql("SELECT sum(memory_usage_bytes) FROM duckdb_memory()")
    return int(seen.fetchall()[0][0])


def many_deals(count=50_000):
    """Deals enough to weigh something."""
    deals = pd.DataFrame({"deal_id": [f"deal-{i}" for i in range(count)], "outcome": "won"})
    return deals.assign(created_at="2026-01-05", close_date="2026-02-10", source="event")


def test_what_rewinding_made_goes_with_the_snapshot():
    """A long back-test does not grow."""
    snap = snapshot({"deals": many_deals(), "stages": stages()})
    before = held(snap)
    past = snap.at("2026-03-01")
    assert win_rate(past)["n"].tolist() == [50_000]
    assert held(snap) > before + 250_000
    del past
    gc.collect()
    assert held(snap) <= before + 100_000


def test_what_filters_made_goes_with_the_snapshot():
    """A slider over filters does not grow."""
    snap = snapshot({"deals": many_deals(), "stages": stages()})
    before = held(snap)
    for _ in range(3):
        stage_conversion(snap.where(source="event"))
    gc.collect()
    assert held(snap) <= before + 100_000


@pytest.mark.parametrize(
    "narrower",
    [
        pytest.param(lambda s: s.at("2026-03-01"), id="rewound"),
        pytest.param(lambda s: s.at("2026-03-01").at("2026-02-20"), id="rewound twice"),
        pytest.param(lambda s: s.where(source="event"), id="filtered"),
        pytest.param(lambda s: s.at("2026-03-01").where(source="event"), id="both"),
    ],
)
def test_a_lazy_frame_outlives_the_snapshot_it_came_from(narrower):
    """Nothing it reads is dropped under it: not its tables, nor what its snapshot computed once."""
    snap = narrower(snapshot({"deals": many_deals(10), "stages": stages()}))
    table, shared = snap.deals.lazy(), reached(snap)
    del snap
    gc.collect()
    assert len(collect(table)) == len(collect(shared)) == 10


def test_a_snapshot_rewound_hides_nothing_of_the_one_it_came_from():
    """Both go on being right, in any order."""
    frames = deals_on_paths({"a": ["S1", "S2", "Won"], "b": ["S1", "Won"]}, gap_days=20)
    snap = snapshot(frames | {"stages": stages()})
    before = stage_conversion(snap)
    past = snap.at("2026-01-25")
    then = stage_conversion(past)
    pd.testing.assert_frame_equal(stage_conversion(snap), before)
    pd.testing.assert_frame_equal(stage_conversion(past), then)
    pd.testing.assert_frame_equal(stage_conversion(snap.at("2026-01-25")), then)
