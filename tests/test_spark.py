"""On Spark every KPI gives the same, whatever the time zone of the session."""

import shutil

import pandas as pd
import pyarrow as pa
import pytest
from companies import outcomes, stages
from engine_company import AS_OF, FEW, company, definitions, embedded, same_results, same_tables

from kpi import Definitions, Snapshot, TableError, win_rate
from kpi.board import board
from kpi.catalogue import KPIS
from kpi.engine import arrow, collect

pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java, which is not here"),
    # pyspark warns of every pandas from 3 on; no pandas passes between it and us
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*unclosed.*:ResourceWarning"),
]
ZONES = ("America/New_York", "UTC")


@pytest.fixture(autouse=True)
def one_quarter(monkeypatch):
    """Slippage rewinds once a quarter, which takes long on Spark: one stands for its four."""
    monkeypatch.setattr("kpi.pipeline.slippage.POOLED", 1)


@pytest.fixture(scope="module")
def spark():
    """One small local session for the whole module; what is compiled for millions of rows is off."""
    pytest.importorskip("pyspark", reason="needs the extra `spark` (pyspark)")
    from pyspark.sql import SparkSession

    quick = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.default.parallelism": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.driver.memory": "1g",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
    }
    builder = SparkSession.builder.master("local[1]").appName("tests")
    for name, value in quick.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


def tables(spark, frames):
    """Frames as data frames of a session, moments in UTC; a column without any value is text."""
    return {name: spark.createDataFrame(utc(arrow(frame))) for name, frame in frames.items()}


def utc(table):
    """Say of moments without a zone that they are UTC, or Spark takes them for the session's."""
    moment = pa.timestamp("us", "UTC")
    kinds = [moment if pa.types.is_timestamp(f.type) else f.type for f in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


@pytest.fixture(scope="module")
def base():
    """The company on the embedded engine."""
    return embedded()


@pytest.fixture(scope="module", params=ZONES)
def zoned(request, spark):
    """The company on Spark, in a session of that time zone, and the zone."""
    spark.conf.set("spark.sql.session.timeZone", request.param)
    given = tables(spark, company())
    snapshot = Snapshot.from_tables(given, as_of=AS_OF, definitions=definitions())
    return snapshot, request.param


def test_the_tables_are_the_same(base, zoned):
    """Rows, types, moments, and what was worked out from them."""
    same_tables(base, zoned[0])


@pytest.mark.parametrize("name", KPIS)
def test_every_kpi_gives_the_same(base, zoned, name):
    """All of them in one zone; in the other, one of each way of reckoning."""
    snapshot, zone = zoned
    if zone != ZONES[0] and name not in FEW:
        pytest.skip("in this zone a few stand for all: KPIs read whole numbers only")
    same_results(name, base, snapshot)
    if name in FEW:
        same_results(name, base, snapshot, every="quarter")


def test_the_board_is_the_same(base, zoned):
    """It reduces what several KPIs need at once, by expressions of its own."""
    pd.testing.assert_frame_equal(board(base), board(zoned[0]), rtol=1e-9)


@pytest.mark.parametrize("mode", ["all", "any", "linear"])
def test_every_way_of_counting_stages_gives_the_same(base, zoned, mode):
    """Each is an expression of its own."""
    if zoned[1] == ZONES[0]:
        same_results("stage_conversion", base, zoned[0], mode=mode)


def test_one_lead_a_company_gives_the_same(base, zoned):
    """The first of each company, told by a window."""
    if zoned[1] == ZONES[0]:
        same_results("leads_created", base, zoned[0], dedupe="company", by="source")


def test_rewinding_and_filters_give_the_same(base, zoned):
    """In the past and in part; in one zone: KPIs read whole numbers only."""
    if zoned[1] != ZONES[0]:
        pytest.skip("in the other zone the tables themselves are compared")
    mine, theirs = (s.at("2026-03-31").where(source="referral") for s in (base, zoned[0]))
    same_tables(mine, theirs)
    for name in ("win_rate", "stage_conversion", "appointments"):
        same_results(name, mine, theirs, every="year")


@pytest.mark.parametrize("session_zone", ZONES)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata"])
def test_moments_and_days_are_those_of_the_embedded_engine(spark, session_zone, zone):
    """With a zone, without one, as days, to the second, on both sides of a change of the clock."""
    spark.conf.set("spark.sql.session.timeZone", session_zone)
    moments = pd.date_range("2026-03-08 05:00", periods=60, freq="37min", tz="UTC").append(
        pd.date_range("2026-10-24 21:00:01.9", periods=60, freq="37min", tz="UTC")
    )
    deals = pd.DataFrame(
        {"deal_id": [str(i) for i in range(120)], "created_at": moments.as_unit("us")}
    )
    deals["closed_at"] = deals["created_at"]
    deals["close_date"] = deals["closed_at"].dt.tz_localize(None).dt.normalize()
    settings = Definitions(time_zone=zone)
    plain = Snapshot.from_frames({"deals": deals}, as_of="2026-12-31", definitions=settings)
    bare = {"closed_at": "timestamp_ntz", "close_date": "date"}
    texts = deals.assign(**{c: deals[c].astype("str").str[:19] for c in bare})
    table = tables(spark, {"deals": texts})["deals"]
    table = table.withColumns({name: table[name].cast(kind) for name, kind in bare.items()})
    assert dict(table.dtypes) == {"deal_id": "string", "created_at": "timestamp"} | bare
    snapshot = Snapshot.from_tables({"deals": table}, as_of="2026-12-31", definitions=settings)
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


def test_odd_rows_are_counted_and_count_as_for_frames(spark):
    """A repeated key, a negative amount, a missing key, a stage that nobody knows."""
    deals = outcomes(won=3, lost=2).astype(
        {"created_at": "datetime64[us]", "close_date": "datetime64[us]"}
    )
    deals["deal_id"] = ["a", "a", "b", None, "c"]
    deals["updated_at"] = pd.to_datetime(["2026-03-01", "2026-03-02", None, None, None])
    deals["amount"], deals["stage_id"] = (
        [1.0, 2.0, -3.0, 4.0, 5.0],
        ["S1", "S1", "Ghost", None, None],
    )
    frames = {"deals": deals, "stages": stages()}
    snapshot = Snapshot.from_tables(tables(spark, frames), as_of="2026-06-30")
    plain = Snapshot.from_frames(frames, as_of="2026-06-30")
    pd.testing.assert_frame_equal(snapshot.deals.to_pandas(), plain.deals.to_pandas())
    pd.testing.assert_frame_equal(win_rate(snapshot), win_rate(plain))
    assert snapshot.problems.iloc[1:][["column", "value"]].to_numpy().tolist() == [
        ["amount", "1 rows"],
        ["deal_id", "1 rows"],
        ["deal_id", "1 rows"],
        ["stage_id", "1 rows"],
    ]


def test_what_cannot_be_used_is_refused(spark):
    """Text instead of moments; tables of two engines."""
    text = spark.createDataFrame([("x", "2026-01-01")], "deal_id string, created_at string")
    with pytest.raises(TableError, match="column created_at is String on the engine"):
        Snapshot.from_tables({"deals": text}, as_of="2026-06-30")
    with pytest.raises(TableError, match="table leads is a DataFrame: expected a Spark data frame"):
        Snapshot.from_tables({"deals": text, "leads": pd.DataFrame()}, as_of="2026-06-30")
