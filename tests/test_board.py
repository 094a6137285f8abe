"""The board: each line is the KPI's own number, with its trend told from chance."""

from inspect import signature
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from companies import outcomes, snapshot

import connectors
import kpi
from kpi.acquisition.logos import logos_by_day, new_logos
from kpi.board import CORE
from kpi.tables import TableError

SAMPLES = Path(__file__).parents[1] / "data" / "samples"


@pytest.fixture(scope="module")
def company():
    """Open the sample company."""
    return connectors.open(SAMPLES)


@pytest.fixture(scope="module")
def table(company):
    """Its board, by name."""
    return kpi.board(company).set_index("name")


def test_twelve_lines_each_with_its_question_and_benchmark(table):
    """The core twelve, in the order of the funnel; nothing is left unsaid."""
    assert len(table) == 12
    assert table["question"].str.endswith("?").all()
    assert (table["benchmark"] != "").all()
    assert table["value"].notna().all()
    assert table["better"].isin(["higher", "lower"]).all()


@pytest.fixture(scope="module")
def holey(company):
    """The sample company with a fifth of its dates, amounts, companies and costs gone."""
    frames = {name: company.table(name).to_pandas() for name in company.present}
    rng = np.random.default_rng(4)
    for column in ("amount", "created_at", "account_id", "close_date", "closed_at"):
        gone = rng.random(len(frames["deals"])) < 0.2
        frames["deals"][column] = frames["deals"][column].mask(gone)
    leads, costs = frames["leads"], frames["costs"]
    leads["created_at"] = leads["created_at"].mask(rng.random(len(leads)) < 0.2)
    frames["costs"] = costs[costs["month"].dt.month != 8]
    return kpi.Snapshot.from_frames(
        frames, as_of="2026-10-15", window_start="2025-03-01", definitions=company.definitions
    )


def same_as_kpi(asked, line, row, every="quarter", **options):
    """Compare a row of the board with what its KPI gives, notes included."""
    if "deal_type" not in signature(line.kpi).parameters:
        options = {}
    if line.stand:
        same = line.kpi(asked, **options).iloc[-1]
    else:
        ripe = {"horizon_days": 90} if line.ripe else {}
        found = line.kpi(asked, every=every, **ripe, **options)
        same = found[found["period"] == row["period"]].iloc[0]
        earlier = found.loc[found["period"] < row["period"], "value"]
        before = float(earlier.iloc[-1]) if len(earlier) else np.nan
        np.testing.assert_allclose(float(row["before"]), before, err_msg="before")
    for name in ("value", "low", "high", "x", "n"):
        np.testing.assert_allclose(float(row[name]), float(same[name]), err_msg=name)
    assert row["note"] == same["note"]


@pytest.mark.parametrize("line", CORE, ids=lambda line: line.kpi.__name__)
def test_each_number_is_that_of_its_kpi(company, table, line):
    """The very number the KPI gives for that period, or as of the date."""
    same_as_kpi(company, line, table.loc[line.kpi.__name__])


@pytest.mark.parametrize(
    ("every", "deal_type"), [("quarter", "new"), ("month", None), ("year", "expansion")]
)
def test_each_is_that_of_its_kpi_where_much_is_missing(holey, every, deal_type):
    """What is left out, and what the notes say of it, is the same too."""
    rows = kpi.board(holey, every=every, deal_type=deal_type).set_index("name")
    for line in CORE:
        same_as_kpi(holey, line, rows.loc[line.kpi.__name__], every, deal_type=deal_type)


def test_each_is_that_of_its_kpi_in_a_part_of_the_company(company):
    """Narrowed by a channel, which costs follow, and rewound to a day within a quarter."""
    part = company.at("2026-08-20").where(channel="Paid search")
    rows = kpi.board(part).set_index("name")
    for line in CORE:
        same_as_kpi(part, line, rows.loc[line.kpi.__name__])


@pytest.mark.parametrize("deal_type", ["new", "expansion", None])
def test_customers_won_by_day_are_the_customers_won(holey, deal_type):
    """Counted on the engine, or listed one by one: the same days, those without an account too."""
    listed = new_logos(holey, deal_type).assign(events=1)
    wanted = listed.groupby("day")[["alone", "events"]].sum()
    found = logos_by_day(holey, deal_type).set_index("day").sort_index()
    pd.testing.assert_frame_equal(found[["alone", "events"]], wanted, check_dtype=False)
    assert wanted["alone"].sum() > 0


def test_a_cohort_is_shown_only_when_all_of_it_is_ripe(table):
    """As of 1 November, the leads of July to September are too young for 90 days."""
    assert table.loc["lead_conversion", "period"] == pd.Timestamp("2026-04-01")
    assert table.loc["leads_created", "period"] == pd.Timestamp("2026-07-01")


def test_periods_follow_the_fiscal_year(company):
    """With a year from February, the last whole quarter as of 1 November began in August."""
    own = company.definitions.to_toml().replace("fiscal_year_start = 1", "fiscal_year_start = 2")
    fiscal = company.under(kpi.Definitions.from_text(own))
    rows = kpi.board(fiscal).set_index("name")
    assert rows.loc["leads_created", "period"] == pd.Timestamp("2026-08-01")


def deals(won_then, lost_then, won_now, lost_now):
    """Build deals closed in the last two quarters before July 2026."""
    then = outcomes(won=won_then, lost=lost_then).assign(close_date="2026-02-10")
    now = outcomes(won=won_now, lost=lost_now).assign(close_date="2026-05-10")
    both = pd.concat([then, now], ignore_index=True)
    return both.assign(deal_id=[f"d{i}" for i in range(len(both))], amount=100.0)


@pytest.mark.parametrize(
    ("counts", "trend"),
    [
        pytest.param((5, 5, 6, 4), "level", id="one win more is chance"),
        pytest.param((20, 80, 80, 20), "up", id="20 % to 80 % of a hundred is not"),
        pytest.param((80, 20, 20, 80), "down", id="and the other way round"),
        pytest.param((0, 0, 5, 5), "", id="nothing to compare with"),
    ],
)
def test_a_trend_is_said_only_beyond_chance(counts, trend):
    """Up and down need each value outside the other's interval."""
    row = kpi.board(snapshot({"deals": deals(*counts)})).set_index("name").loc["win_rate"]
    assert row["trend"] == trend


def test_a_sum_of_few_deals_is_no_trend():
    """Three deals won against two is worth half more, and says nothing."""
    rows = kpi.board(snapshot({"deals": deals(2, 1, 3, 1)})).set_index("name")
    assert rows.loc["value_won", "trend"] == "level"
    rows = kpi.board(snapshot({"deals": deals(20, 1, 80, 1)})).set_index("name")
    assert rows.loc["value_won", "trend"] == "up"


def test_what_the_data_lacks_is_named():
    """A missing table is said in the row of the KPI that needs it; the others stand."""
    rows = kpi.board(snapshot({"deals": outcomes(won=3, lost=4)})).set_index("name")
    assert len(rows) == 12
    for name, needed in {"mrr": "subscriptions", "leads_created": "leads", "cac": "costs"}.items():
        assert np.isnan(rows.loc[name, "value"])
        assert needed in rows.loc[name, "note"]
        assert rows.loc[name, "note"].startswith("not enough data")


@pytest.mark.parametrize("wrong", [{"every": "week"}, {"deal_type": "old"}, {"level": 1.5}])
def test_wrong_options_are_refused(wrong):
    """Each with the choices there are."""
    with pytest.raises((TableError, ValueError), match=r"expected|level"):
        kpi.board(snapshot({"deals": outcomes(won=1)}), **wrong)
