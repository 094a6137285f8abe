"""Over Ibis tables every KPI gives the same, and compiles for six warehouses."""

import gc
import re

import narwhals as nw
import pandas as pd
import pytest
from companies import deals_on_paths, outcomes, stages
from engine_company import AS_OF, FEW, company, definitions, embedded, same_results, same_tables

from kpi import Snapshot, TableError, cycle_days, stage_conversion, win_rate
from kpi.board import board
from kpi.catalogue import KPIS
from kpi.engine import arrow, collect
from kpi.tables import TABLES

ibis = pytest.importorskip("ibis", reason="needs the extra `warehouse` (ibis-framework)")

# ibis asks DuckDB by a name that DuckDB has given up
pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")
MOMENTS = {"created_at": "datetime64[us]", "close_date": "datetime64[us]"}
DIALECTS = ("snowflake", "bigquery", "databricks", "trino", "clickhouse", "postgres")


def tables(connection, frames):
    """Frames as tables of a connection; a column without any value is text."""
    return {n: connection.create_table(n, arrow(f), overwrite=True) for n, f in frames.items()}


def over(frames, as_of="2026-06-30", **options):
    """Snapshot over a connection of its own."""
    return Snapshot.from_tables(tables(ibis.duckdb.connect(), frames), as_of=as_of, **options)


@pytest.fixture(scope="module")
def base():
    """The company on the embedded engine."""
    return embedded()


@pytest.fixture(scope="module")
def warehouse():
    """The company over Ibis."""
    return over(company(), as_of=AS_OF, definitions=definitions())


@pytest.fixture(autouse=True)
def one_quarter(monkeypatch):
    """Slippage rewinds once a quarter, which takes long over Ibis: one stands for its four."""
    monkeypatch.setattr("kpi.pipeline.slippage.POOLED", 1)


@pytest.fixture
def collected(monkeypatch):
    """Return the Ibis expressions that are collected, as they come."""
    collect_it, seen = nw.LazyFrame.collect, []

    def noted(frame, *args, **options):
        if frame.implementation.is_ibis():
            seen.append(nw.to_native(frame))
        return collect_it(frame, *args, **options)

    monkeypatch.setattr(nw.LazyFrame, "collect", noted)
    return seen


@pytest.fixture(scope="module")
def seen():
    """Shapes of SQL that were compiled: rewinding collects the same ones again and again."""
    return set()


def compiled(expression):
    """SQL of an expression for every warehouse."""
    written = {d: str(ibis.to_sql(expression, dialect=d)) for d in DIALECTS}
    assert all(text.lstrip().upper().startswith(("SELECT", "WITH")) for text in written.values())
    return written


def names(connection):
    """Tables of a connection; not by ``list_tables``, which asks DuckDB by a name it has given up."""
    found = connection.con.execute("SELECT table_name FROM information_schema.tables").fetchall()
    return {name for (name,) in found}


def test_the_tables_are_the_same(base, warehouse):
    """Rows, types, moments, and what was worked out from them."""
    same_tables(base, warehouse)


@pytest.mark.parametrize("name", KPIS)
def test_every_kpi_gives_the_same_and_compiles_for_six_warehouses(
    base, warehouse, collected, seen, name
):
    """Whatever it collects, on the way to its result."""
    same_results(name, base, warehouse)
    if name in FEW:
        same_results(name, base, warehouse, every="quarter")
    # what another KPI computed once is not computed again
    assert collected or name == "seller_minimums"
    for expression in collected:
        shape = re.sub(r"\d+|kept_\w+", "", str(ibis.to_sql(expression, dialect="duckdb")))
        if shape not in seen:
            compiled(expression)
            seen.add(shape)


def test_the_board_gives_the_same_and_compiles_for_six_warehouses(base, warehouse, collected):
    """It reduces what several KPIs need at once, by expressions of its own."""
    pd.testing.assert_frame_equal(board(base), board(warehouse), rtol=1e-9)
    assert collected
    for expression in collected:
        compiled(expression)


def test_without_temporary_tables_it_is_reckoned_anew(base, collected):
    """BigQuery, Trino, ClickHouse and Databricks have none in Ibis: one expression from the tables on."""
    connection = ibis.duckdb.connect()
    connection.supports_temporary_tables = False
    snapshot = Snapshot.from_tables(
        tables(connection, company()), as_of=AS_OF, definitions=definitions()
    )
    before = names(connection)
    same_results("win_rate", base, snapshot, by="source")
    assert set(TABLES) <= names(connection) == before
    written = compiled(collected[-1])
    assert "history" in written["trino"]
    longest = max(len(text) for text in written.values())
    assert longest < 1_000_000  # the shortest limit among the six (Trino, BigQuery, Snowflake)


def test_rewinding_and_filters_give_the_same(base, warehouse):
    """In the past and in part."""
    mine, theirs = (s.at("2026-03-31").where(source="referral") for s in (base, warehouse))
    same_tables(mine, theirs)
    for name in ("win_rate", "stage_conversion", "lead_conversion", "appointments"):
        same_results(name, mine, theirs)


def test_cached_tables_go_with_the_snapshot():
    """A long back-test does not fill the warehouse."""
    connection = ibis.duckdb.connect()
    frames = {"deals": outcomes(won=2, lost=1).astype(MOMENTS), "stages": stages()}
    snapshot = Snapshot.from_tables(tables(connection, frames), as_of="2026-06-30")
    before = names(connection)
    past = snapshot.at("2026-02-28")
    assert win_rate(past)["n"].tolist() == [3]
    assert names(connection) > before
    del past
    gc.collect()
    assert names(connection) == before


def found(snapshot):
    """Problems as (table, column, value, reason, action), but for the note on what was not done."""
    rows = snapshot.problems[["table", "column", "value", "reason", "action"]]
    return rows.iloc[1:].to_numpy().tolist()


@pytest.mark.parametrize(
    ("changes", "problem", "left"),
    [
        pytest.param(
            {"deal_id": ["a", None, "c"]},
            ["deals", "deal_id", "1 rows", "required, but missing", "row rejected"],
            ["a", "c"],
            id="a required value is missing: the row is left out",
        ),
        pytest.param(
            {"deal_id": ["a", "", "c"]},
            ["deals", "deal_id", "1 rows", "required, but missing", "row rejected"],
            ["a", "c"],
            id="blank text is missing",
        ),
        pytest.param(
            {
                "deal_id": ["a", "b", "b"],
                "updated_at": pd.to_datetime(["2026-01-01", "2026-01-03", "2026-01-02"]),
            },
            [
                "deals",
                "deal_id",
                "1 rows",
                "the same deal_id stands in another row, which is kept",
                "row rejected",
            ],
            ["a", "b"],
            id="a key stands twice: the row updated last is kept",
        ),
        pytest.param(
            {"amount": [1.0, -5.0, 3.0]},
            ["deals", "amount", "1 rows", "negative amount", "value set to missing"],
            ["d0", "d1", "d2"],
            id="a negative amount is set to missing",
        ),
        pytest.param(
            {"outcome": ["won", "Won!", "lost"]},
            [
                "deals",
                "outcome",
                "1 rows",
                "not one of ['open', 'won', 'lost']",
                "value set to missing",
            ],
            ["d0", "d1", "d2"],
            id="a word that the column does not know is set to missing",
        ),
        pytest.param(
            {"created_at": pd.to_datetime(["2026-01-05", "2126-01-05", "2026-01-05"])},
            [
                "deals",
                "created_at",
                "1 rows",
                "no date between 1970 and 2100",
                "value set to missing",
            ],
            ["d0", "d1", "d2"],
            id="a moment out of this world is set to missing",
        ),
        pytest.param(
            {
                "created_at": pd.to_datetime(["2026-01-05", "2026-12-24", "2026-01-05"]),
                "outcome": ["won", "open", "lost"],
            },
            [
                "deals",
                "created_at",
                "1 rows",
                "after the as-of date: not yet known, not used",
                "kept, listed only",
            ],
            ["d0", "d2"],
            id="created later",
        ),
        pytest.param(
            {"close_date": pd.to_datetime(["2026-01-01", "2026-02-10", "2026-02-10"])},
            [
                "deals",
                "close_date",
                "1 rows",
                "closed before it was created: left out of durations",
                "kept, listed only",
            ],
            ["d0", "d1", "d2"],
            id="closed before it was created",
        ),
        pytest.param(
            {"stage_id": ["S1", "Ghost", None]},
            [
                "deals",
                "stage_id",
                "1 rows",
                "unknown stage: counted, but not placed in the funnel",
                "kept, listed only",
            ],
            ["d0", "d1", "d2"],
            id="a stage that nobody knows",
        ),
        pytest.param(
            {"owner_id": ["x", "y", None]},
            ["deals", "owner_id", "1 rows", "no such row in owners", "kept, listed only"],
            ["d0", "d1", "d2"],
            id="an owner that is not there",
        ),
    ],
)
def test_what_is_odd_is_counted_by_table_column_and_reason(changes, problem, left):
    """Row by row it would have to leave the engine; what then counts is the same as for frames."""
    deals = outcomes(won=2, lost=1).astype(MOMENTS).assign(**changes)
    frames = {"deals": deals, "stages": stages(), "owners": pd.DataFrame({"owner_id": ["x"]})}
    snapshot = over(frames)
    assert found(snapshot) == [problem]
    assert snapshot.problems["reason"].iloc[0].startswith("stays on the engine")
    table = snapshot.deals.to_pandas()
    assert table["deal_id"].tolist() == left
    plain = Snapshot.from_frames(frames, as_of="2026-06-30")
    pd.testing.assert_frame_equal(table, plain.deals.to_pandas())
    pd.testing.assert_frame_equal(win_rate(snapshot), win_rate(plain))
    pd.testing.assert_frame_equal(cycle_days(snapshot), cycle_days(plain))


def test_changes_of_one_second_to_different_fields_count_as_for_frames():
    """They are not joined into one row, but nothing of them is lost."""
    frames = deals_on_paths({"a": ["S1", "S2", "Won"], "b": ["S1", "Lost"]}) | {"stages": stages()}
    at = frames["history"]["changed_at"].iloc[[0, 0, 0]].to_numpy()
    more = pd.DataFrame(
        {
            "record_id": "a",
            "changed_at": at,
            "amount": [5.0, None, 5.0],
            "owner_id": [None, "x", None],
        }
    )
    frames["history"] = pd.concat([frames["history"], more], ignore_index=True)
    snapshot, plain = over(frames), Snapshot.from_frames(frames, as_of="2026-06-30")
    assert found(snapshot)[0][2:4] == [
        "1 rows",
        "the same object + record_id + changed_at + stage_id stands in another row, which is kept",
    ]
    pd.testing.assert_frame_equal(
        snapshot.at("2026-01-01").deals.to_pandas(), plain.at("2026-01-01").deals.to_pandas()
    )
    pd.testing.assert_frame_equal(stage_conversion(snapshot), stage_conversion(plain))


def test_the_words_of_the_crm_for_a_deals_type_are_translated():
    """As for frames; translated anew under other definitions."""
    settings = definitions()
    deals = outcomes(won=2, lost=1).astype(MOMENTS)
    deals["deal_type"] = ["Existing", "new", None]
    snapshot = over({"deals": deals})
    assert found(snapshot)[0][2:] == [
        "1 rows",
        "not one of ['new', 'expansion', 'renewal']; it counts as new: say what it means under [deal_types]",
        "value set to missing",
    ]
    other = snapshot.under(type(settings)(deal_types={"Existing": "expansion"}))
    assert found(other) == []
    assert win_rate(other)["n"].tolist() == [2]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({}, "needs at least one table", id="nothing"),
        pytest.param({"notes": {"a": ["x"]}}, "no table is called 'notes'", id="an unknown table"),
        pytest.param(
            {"deals": {"name": ["x"]}},
            r"deals lacks the column\(s\) \['deal_id'\]",
            id="a required column",
        ),
        pytest.param(
            {"deals": {"deal_id": ["x"], "created_at": ["2026-01-01"]}},
            "column created_at is String on the engine, where a time is expected: cast it there",
            id="text instead of moments",
        ),
        pytest.param(
            {"deals": {"deal_id": ["x"], "amount": ["5"]}},
            "column amount is String",
            id="text instead of numbers",
        ),
        pytest.param(
            {
                "leads": {
                    "lead_id": ["x"],
                    "created_at": pd.to_datetime(["2026-01-01"]),
                    "in_profile": [1.5],
                }
            },
            "column in_profile is Float64",
            id="numbers instead of truth values",
        ),
    ],
)
def test_what_would_have_to_be_parsed_is_refused(given, message):
    """With the table, the column, its type, and what to do."""
    with pytest.raises(TableError, match=message):
        over({n: pd.DataFrame(columns) for n, columns in given.items()})


def test_pandas_and_several_engines_are_refused():
    """The message names the table and what is expected."""
    with pytest.raises(
        TableError, match="table deals is a DataFrame: expected a Spark data frame or an Ibis table"
    ):
        Snapshot.from_tables({"deals": outcomes(won=1)}, as_of="2026-06-30")


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "America/New_York"])
def test_moments_and_days_are_those_of_the_embedded_engine(zone):
    """With a zone, without one, as days, to the second, on both sides of a change of the clock."""
    moments = pd.date_range("2026-03-08 05:00", periods=60, freq="37min", tz="UTC").append(
        pd.date_range("2026-10-24 21:00:01.9", periods=60, freq="37min", tz="UTC")
    )
    deals = pd.DataFrame(
        {"deal_id": [str(i) for i in range(120)], "created_at": moments.as_unit("us")}
    )
    deals["closed_at"] = deals["created_at"].dt.tz_localize(None)
    deals["close_date"] = deals["closed_at"].dt.normalize()
    settings = type(definitions())(time_zone=zone)
    snapshot = over({"deals": deals}, as_of="2026-12-31", definitions=settings)
    utc = deals.assign(closed_at=deals["created_at"])
    plain = Snapshot.from_frames({"deals": utc}, as_of="2026-12-31", definitions=settings)
    wanted = [
        "deal_id",
        "created_s",
        "created_day",
        "closed_s",
        "closed_day",
        "close_date_s",
        "close_date_day",
    ]
    mine, theirs = (
        collect(s.raw["deals"].select(wanted)).sort_values("deal_id", ignore_index=True)
        for s in (plain, snapshot)
    )
    pd.testing.assert_frame_equal(mine, theirs)
