"""trace(): what it hands out, what it refuses, and hostile text; that it is right is told in oracles."""

import duckdb
import pandas as pd
import pytest
from companies import deals_on_paths, lines, outcomes, snapshot, stages

from kpi import Definitions, Snapshot, TableError
from kpi.catalogue import KPIS
from kpi.trace import trace
from kpi.tracing import COMMON, WRITERS
from kpi.tracing.ask import Ask, literal, text, texts
from kpi.tracing.statement import Statement, Step, assemble

HOSTILE = "'; DROP TABLE deals; -- \"\\ \n*/ ü"


def company(**options):
    """Two won, one lost, one open, one renewal, all with amounts and pages."""
    deals = pd.DataFrame(
        {
            "deal_id": ["w1", "w2", "l1", "o1", "r1"],
            "outcome": ["won", "won", "lost", "open", "won"],
            "source": ["event", "web", "event", "web", "web"],
            "deal_type": ["new", "new", "new", "new", "renewal"],
            "created_at": "2026-01-02",
            "close_date": ["2026-01-31", "2026-04-01", "2026-02-10", None, "2026-02-01"],
            "amount": [100.0, 300.0, 50.0, 70.0, 10.0],
            "url": [f"https://crm.example/{i}" for i in range(5)],
        }
    )
    return snapshot({"deals": deals}, **options)


def two_stages():
    """Two deals: one came to S2, one is still in S1."""
    frames = deals_on_paths({"a": ["S1", "S2"], "b": ["S1"]}, gap_days=10)
    return snapshot(frames | {"stages": stages("S1", "S2", "Won", "Lost")})


def test_what_a_trace_hands_out():
    """Value, counts, ids, records with page and amount, and what was left out and why."""
    page = trace(company(), "win_rate")
    assert (page.value, page.x, page.n) == (2 / 3, 2, 3)
    assert page.agrees
    assert page.numerator_ids == ["w1", "w2"]
    assert page.denominator_ids == ["l1", "w1", "w2"]
    assert page.records["amount"].tolist() == [50.0, 100.0, 300.0]
    assert page.records["url"].tolist()[0] == "https://crm.example/2"
    assert page.records[["numerator", "denominator"]].dtypes.eq("bool").all()
    assert list(page.left_out) == ["object", "record_id", "url", "why"]
    assert dict(zip(page.left_out["record_id"], page.left_out["why"], strict=True)) == {
        "r1": "another kind of business",
        "o1": "open: neither won nor lost",
    }


def test_it_reads_as_a_page():
    """Question, definition, value, counts, what it is about, and the SQL itself."""
    page = trace(company(), "win_rate", source="event", period="2026-Q1")
    said = repr(page)
    for part in (
        "What share of our deals do we win?",
        "won / (won + lost)",
        "value: 0.5 (share, 0 to 1); x = 1, n = 2",
        "the KPI says the same",
        "source: event",
        "period='2026-Q1'",
        page.sql,
    ):
        assert part in said


def test_the_sql_runs_as_it_stands_over_tables_of_those_names():
    """On DuckDB with the tables of the snapshot, or with the data frame one started from."""
    snap = company()
    page = trace(snap, "win_rate")
    database = duckdb.connect()
    database.register("deals", snap.deals.to_pandas())
    assert database.execute(page.sql).fetchone() == (2 / 3, 2, 3)
    assert "-- the data has no table history" in page.sql


@pytest.mark.parametrize(
    ("given", "value", "n"),
    [
        pytest.param({"period": "2026-01"}, 1.0, 1, id="a month"),
        pytest.param({"period": "2026-Q1"}, 0.5, 2, id="a quarter"),
        pytest.param({"period": "2026"}, 2 / 3, 3, id="a year"),
        pytest.param({"since": "2026-02-01"}, 0.5, 2, id="from a day on"),
        pytest.param({"until": "2026-02-10"}, 0.5, 2, id="up to a day"),
        pytest.param({"since": "2026-02-11", "until": "2026-03-31"}, None, 0, id="nothing closed"),
        pytest.param({"deal_type": None}, 0.75, 4, id="an option of the KPI"),
        pytest.param({"source": "web"}, 1.0, 1, id="one value"),
        pytest.param({"source": ["web", "event"]}, 2 / 3, 3, id="several values"),
    ],
)
def test_one_cell(given, value, n):
    """Period, dates, options and filters narrow it to one number."""
    page = trace(company(), "win_rate", **given)
    assert (page.value, page.n) == (value, n)
    assert page.agrees is not False
    assert (page.agrees is None) == bool({"since", "until"} & set(given))


def test_a_fiscal_quarter_is_that_of_the_year_that_begins_then():
    """With a year from February, the first quarter of 2026 is February to April."""
    snap = company(fiscal_year_start=2)
    assert trace(snap, "win_rate", period="2026-Q1").denominator_ids == ["l1", "w2"]
    assert trace(snap, "win_rate", period="2025").denominator_ids == ["w1"]
    assert trace(snap, "win_rate", period="2026-Q1").agrees


def test_a_day_is_the_companys_day():
    """A win ten minutes after local midnight is of the next month, in the SQL as in the KPI."""
    deals = pd.DataFrame(
        {"deal_id": ["a"], "outcome": "won", "closed_at": ["2026-02-01 00:10+01:00"]}
    )
    snap = snapshot({"deals": deals}, time_zone="Europe/Berlin")
    assert trace(snap, "deals_created" if "deals_created" in KPIS else "win_rate").agrees
    assert trace(snap, "win_rate", period="2026-02").x == 1
    assert trace(snap, "win_rate", period="2026-01").x == 0


@pytest.mark.parametrize("column", ["source", "product", "owner_id"])
def test_hostile_text_stays_text(column):
    """Ids, values, filters and reasons that would end a statement are only ever compared."""
    deals = outcomes(won=2, lost=1).assign(deal_id=["a", HOSTILE, "c"], lost_reason=HOSTILE)
    snap = snapshot({"deals": deals.assign(**{column: [HOSTILE, HOSTILE, "x"]})})
    page = trace(snap, "win_rate", **{column: HOSTILE})
    assert (page.value, page.x, page.n) == (1.0, 2, 2)
    assert HOSTILE in page.numerator_ids
    assert len(page.left_out) == 1
    assert trace(snap, "win_rate", **{column: "x' OR '1'='1"}).n == 0


def test_hostile_definitions_stay_text():
    """Pipelines, kinds of business and stages are named by the CRM's users."""
    settings = Definitions.from_text(
        """pipelines = ["p'; DROP TABLE deals; --"]
        [deal_types]
        "it's" = "new"
        [count.won]
        table = "deals"
        column = "stage_id"
        in = ["o'clock"]"""
    )
    deals = outcomes(won=1, lost=1).assign(
        pipeline_id="p'; DROP TABLE deals; --", stage_id=["o'clock", "z"], deal_type="it's"
    )
    snap = Snapshot.from_frames({"deals": deals}, as_of="2026-06-30", definitions=settings)
    page = trace(snap, "win_rate")
    assert page.agrees
    assert page.n == 2


@pytest.mark.parametrize(
    ("value", "sql"),
    [
        pytest.param("a", "'a'", id="plain"),
        pytest.param("O'Hara", "'O''Hara'", id="quote doubled"),
        pytest.param("a\x00b", "'ab'", id="no end of text"),
        pytest.param("a\n--b", "('a' || chr(10) || '--b')", id="no second line"),
        pytest.param("\u2028", "(chr(8232))", id="nor what some take for one"),
        pytest.param("", "''", id="empty"),
    ],
)
def test_text_in_sql(value, sql):
    """A value becomes one SQL string, whatever is in it."""
    assert text(value) == sql
    assert duckdb.execute(f"SELECT {text(value)}").fetchone() == (value.replace("\x00", ""),)


def test_nothing_wanted_is_in_nothing():
    """An empty list of values holds for no row; a flag is compared as a flag."""
    assert texts([]) == "NULL"
    assert duckdb.execute(f"SELECT {literal('True', 'flag')}").fetchone() == (True,)


def test_what_a_stage_leaves_out():
    """A KPI with one row a stage is traced stage by stage."""
    page = trace(two_stages(), "stage_conversion", stage="S1")
    assert (page.x, page.n, page.numerator_ids) == (1, 2, ["a"])
    assert trace(two_stages(), "stage_conversion", stage="S2").left_out["record_id"].tolist() == [
        "b"
    ]


def test_why_records_were_left_out():
    """Not known yet, of a pipeline that does not count, outside the filters, rejected when read."""
    deals = outcomes(won=3, lost=1).assign(
        deal_id=["in", "late", "other", "filtered"],
        created_at=["2026-01-05", "2026-09-01", "2026-01-05", "2026-01-05"],
        pipeline_id=["p", "p", "q", "p"],
        source=["web", "web", "web", "event"],
    )
    twice = pd.concat([deals, deals.tail(1)])
    snap = snapshot({"deals": twice}, pipelines=("p",))
    out = trace(snap, "win_rate", source="web").left_out
    assert dict(zip(out["record_id"], out["why"], strict=True)) == {
        "late": "created after the as-of date",
        "other": "its pipeline does not count (definitions)",
        "filtered": "outside the filters",
    }
    rejected = deals.assign(created_at="2026-01-05", deal_id=["in", "in", "other", "filtered"])
    listed = trace(snapshot({"deals": rejected}), "win_rate").left_out
    assert not set(listed["record_id"]) & {"in"}, "the row kept counts"


def test_a_filter_by_what_only_leads_know():
    """Deals that never fill the column follow their lead, in the SQL as in the snapshot."""
    leads = pd.DataFrame(
        {"lead_id": ["a", "b"], "created_at": "2026-01-01", "source": ["web", "event"]}
    )
    deals = outcomes(won=1, lost=1).assign(lead_id=["a", "b"])
    page = trace(snapshot({"leads": leads, "deals": deals}), "win_rate", source="web")
    assert page.denominator_ids == ["d0"]
    assert page.agrees


def test_customers_are_narrowed_by_their_accounts():
    """A column of accounts tells which customers count."""
    accounts = pd.DataFrame({"account_id": ["A", "B"], "industry": ["Legal", "Dental"]})
    subscriptions = lines(("A", 100.0, "2025-01-01", None), ("B", 40.0, "2025-01-01", "2026-02-10"))
    snap = snapshot({"subscriptions": subscriptions, "accounts": accounts})
    page = trace(snap, "customer_churn", industry="Dental")
    assert (page.value, page.numerator_ids) == (1.0, ["B"])
    assert page.agrees
    assert trace(snap, "mrr_movements").value == 100.0
    assert trace(snap, "mrr_movements", industry=["Legal", "Dental"]).agrees is None


def test_foreign_money_is_converted_in_the_sql():
    """A line in another currency keeps the rate of its first day; the rates stand in the SQL."""
    subscriptions = lines(("A", 100.0, "2026-02-01", None)).assign(currency="CAD")
    rates = pd.DataFrame(
        {"currency": "CAD", "from_date": ["2026-01-01", "2026-03-01"], "rate": [0.5, 0.9]}
    )
    snap = snapshot({"subscriptions": subscriptions, "rates": rates})
    page = trace(snap, "mrr_movements")
    assert page.value == 50.0
    assert page.agrees


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("wins", {}, "no KPI is called 'wins'; expected one of"),
        ("win_rate", {"by": "source"}, "by does not narrow to one number; name the value"),
        ("win_rate", {"every": "month"}, "every does not narrow to one number"),
        ("win_rate", {"period": "Q1"}, "period='Q1'; expected one like '2026-03'"),
        ("win_rate", {"period": "2026-13"}, "period='2026-13'; expected one like"),
        ("win_rate", {"period": "2026", "since": "2026-01-01"}, "either period or since and until"),
        ("win_rate", {"colour": "red"}, r"where\(colour=...\): neither leads nor deals"),
        ("win_rate", {"basis": "x"}, "basis='x'; expected 'period' or 'cohort'"),
        ("win_rate", {"stage": "S1"}, "win_rate has no row a stage; leave stage out"),
        ("stage_conversion", {}, r"one row a stage; say stage=..., one of \['S1', 'S2', 'Won'\]"),
        ("stage_conversion", {"stage": "S9"}, "no stage 'S9'; expected one of"),
        ("lead_conversion", {}, r"lead_conversion needs the table\(s\) \['leads'\]"),
    ],
)
def test_what_cannot_be_traced_is_refused_with_what_can(name, given, message):
    """The message names what was asked for and what there is."""
    with pytest.raises(TableError, match=message):
        trace(two_stages(), name, **given)


def test_a_stage_of_two_pipelines_needs_the_pipeline():
    """The same id in two funnels is two rows."""
    both = pd.concat([stages().assign(pipeline_id=p) for p in ("p", "q")], ignore_index=True)
    deals = pd.DataFrame({"deal_id": ["a"], "pipeline_id": "p", "stage_id": "S1"})
    snap = snapshot({"deals": deals, "stages": both})
    with pytest.raises(TableError, match=r"stands in \['p', 'q'\]; say pipeline=... too"):
        trace(snap, "stage_conversion", stage="S1")
    assert trace(snap, "stage_conversion", stage="S1", pipeline="p").n == 0


def test_every_kpi_has_sql():
    """Every number can be accounted for."""
    assert set(KPIS) == set(WRITERS)


def test_a_kpi_without_sql_is_refused_by_name(monkeypatch):
    """And those that have some are listed."""
    monkeypatch.delitem(WRITERS, "win_rate")
    with pytest.raises(TableError, match="trace: win_rate has no SQL yet; there is SQL for"):
        trace(company(), "win_rate")


def test_a_move_is_told_by_both_its_ends():
    """One row a stage and destination: a stage of the same funnel by id or label, won or lost."""
    page = trace(two_stages(), "transition_matrix", stage="S1", to="S2")
    assert (page.x, page.n, page.numerator_ids) == (1, 2, ["a"])
    assert page.value == pytest.approx((1 + 0.5) / (1 + 3 * 0.5))
    assert page.agrees
    assert "to='S2'" in repr(page)
    for to in (None, "S1", "S9", "Won"):
        with pytest.raises(TableError, match=r"say to=..., one of \['S2', 'won', 'lost'\]"):
            trace(two_stages(), "transition_matrix", stage="S1", to=to)


def test_a_change_of_the_pipeline_between_two_days():
    """Dates are options of the KPI here; both ends are taken from history."""
    history = pd.DataFrame(
        {"record_id": ["o1"] * 2, "changed_at": ["2026-01-02", "2026-02-20"], "amount": [60, 70]}
    )
    snap = company()
    deals = snap.deals.to_pandas()
    both = snapshot({"deals": deals, "history": history})
    given = {"since": "2026-02-05", "until": "2026-03-01", "closing": "any"}
    page = trace(both, "pipeline_changes", **given)
    assert page.agrees
    assert (page.value, page.x, page.n) == (370.0, 2, 3)
    moved = page.records.set_index("record_id")
    assert moved.loc["o1", ["was_there", "increased", "is_there"]].tolist() == [60.0, 10.0, 70.0]
    assert moved.loc["l1", "lost"] == 50.0
    assert dict(zip(page.left_out["record_id"], page.left_out["why"], strict=True)) == {
        "r1": "another kind of business",
        "w1": "closed before",
    }
    only_end = trace(both, "pipeline_changes", until="2026-03-01", closing="any")
    assert only_end.agrees
    assert (only_end.x, only_end.n) == (2, 0)  # from the first day of the quarter


def test_a_period_of_the_pipeline_that_has_not_begun_is_refused():
    """Nothing can have changed in it."""
    history = pd.DataFrame({"record_id": ["o1"], "changed_at": "2026-01-02", "amount": 60})
    snap = snapshot({"deals": outcomes(open=1), "history": history})
    with pytest.raises(TableError, match="the period begins 2027-01-01, after the as-of date"):
        trace(snap, "pipeline_changes", period="2027-01")


def test_a_stock_is_taken_from_the_snapshot_of_the_day():
    """A past stock of deals cannot be told from dates alone."""
    stocks = [name for name in KPIS if name in WRITERS and WRITERS[name].stock]
    for name in stocks:
        with pytest.raises(TableError, match=r"is a stock; take it from snapshot.at"):
            trace(two_stages(), name, period="2026-01")


def test_an_option_without_sql_is_refused(monkeypatch):
    """An option that a KPI has and the SQL does not honour never passes silently."""
    writer = WRITERS["win_rate"]
    monkeypatch.setitem(WRITERS, "win_rate", type(writer)(writer.write, "deal", ("basis",)))
    with pytest.raises(
        TableError, match=r"win_rate has no SQL for deal_type; it has for \['basis'\]"
    ):
        trace(company(), "win_rate", deal_type=None)


def test_a_step_may_not_take_the_name_of_a_shared_one():
    """It would stand in for it silently."""
    ask = Ask(company().as_of, None, Definitions(), frozenset({"deals"}))
    statement = Statement({"our_deals": Step("mine", lambda _: "SELECT 1")}, "SELECT 1")
    with pytest.raises(ValueError, match="have the names of shared ones: rename them"):
        assemble(ask, statement, COMMON)


def test_a_disagreement_is_shouted():
    """Should SQL and KPI ever differ, the page says so."""
    page = trace(company(), "win_rate")
    other = type(page)(**{**page.__dict__, "value": 0.1})
    assert other.agrees is False
    assert "THE KPI DIFFERS" in repr(other)
