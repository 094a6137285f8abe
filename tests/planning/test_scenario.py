"""Scenarios: kept as TOML, reopened to the last digit, compared with the same random numbers."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from companies import snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from kpi.planning import FunnelModel, PlanError, Scenario, Target, compare

TARGET = Target(wins=10, start="2027-01-01", by="2027-06-30")
OWN = {"2027-01": 100, "2027-02": 120.5}


def model(**options):
    """Assume rates, with a delay and values."""
    return FunnelModel.assume(**({"lag_days": 30.0, "deal_value": 1_000.0} | options))


FULL = Scenario(
    'a "full" one\n',
    TARGET,
    rates={"leads": 0.2, "deals": 0.1 + 0.2},
    deal_value=1_234.5678901234567,
    cycle=0.9,
    annual_churn=0.1,
    leads_by_month=OWN,
    caps={"leads": {"2027-03": 200.0}, "deals": 500},
    season={1: 0.5, 8: 2.0},
    smooth=0.3,
    lead_cost=40.0,
    draws=2_000,
    seed=5,
)


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(Scenario("bare", TARGET), id="bare"),
        pytest.param(FULL, id="full"),
        pytest.param(
            Scenario("path", Target(mrr={"2027-03": 11_000.0, "2027-06": 12_000.0})), id="path"
        ),
        pytest.param(Scenario("sure", Target(arr=1e6, by="2027-06-30", confidence=0.9)), id="arr"),
    ],
)
def test_a_scenario_comes_back_as_it_was(tmp_path, scenario):
    """Every field; and a file that is there is replaced."""
    file = tmp_path / "scenarios" / "s.toml"
    scenario.save(file)
    assert Scenario.load(scenario.save(file)) == scenario


def test_reopened_it_plans_the_same_to_the_last_digit(tmp_path):
    """Leads, chances, table and outcome."""
    assumed = model(mrr=9_000.0)
    first = FULL.plan(assumed)
    again = Scenario.load(FULL.save(tmp_path / "s.toml")).plan(model(mrr=9_000.0))
    pd.testing.assert_frame_equal(first.table, again.table, check_exact=True)
    pd.testing.assert_frame_equal(first.outcome, again.outcome, check_exact=True)
    assert (first.needs, first.probability, first.own_probability) == (
        again.needs,
        again.probability,
        again.own_probability,
    )


@settings(derandomize=True, max_examples=50)
@given(st.text(), st.floats(0.01, 1.0), st.floats(0.01, 1e9))
def test_any_name_and_number_comes_back(tmp_path_factory, name, rate, value):
    """To the last digit."""
    scenario = Scenario(name, TARGET, rates={name: rate}, deal_value=value)
    file = scenario.save(tmp_path_factory.mktemp("s") / "s.toml")
    assert Scenario.load(file) == scenario


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "s.toml", id="not there"),
        pytest.param("name = ", "s.toml", id="not TOML"),
        pytest.param('name = "x"', "target", id="no target"),
        pytest.param(
            'name = "x"\ncycel = 2\n[target]\nwins = 3\nby = "2027-01-31"', "cycel", id="typo"
        ),
        pytest.param('name = "x"\n[target]\nwins = 3\nmrr = 4', "exactly one", id="two targets"),
        pytest.param(
            'name = "x"\n[target]\nwins = 3\nby = "2027-01-31"\n[season]\nmay = 1',
            "s.toml",
            id="month",
        ),
    ],
)
def test_what_is_no_scenario_is_refused(tmp_path, text, message):
    """By name, with what is wrong."""
    file = tmp_path / "s.toml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(PlanError, match=message):
        Scenario.load(file)


def test_only_what_differs_is_laid_side_by_side():
    """Assumptions that all share are left out; results are always there."""
    base = Scenario("base", TARGET, lead_cost=10.0)
    more = Scenario("more", TARGET, lead_cost=10.0, rates={"leads": 0.3})
    table = compare(model(), [base, more])
    assert list(table.columns) == ["kind", "item", "base", "more"]
    assumed = table[table["kind"] == "assumption"]
    assert assumed["item"].tolist() == ["rates leads"]
    assert pd.isna(assumed["base"].iloc[0])
    assert assumed["more"].iloc[0] == 0.3
    result = table[table["kind"] == "result"].set_index("item")
    leads = result.loc["leads to create"]
    assert leads["base"] == base.plan(model()).total_leads
    assert leads["more"] == more.plan(model()).total_leads < leads["base"]
    assert result.loc["spend", "base"] == 10.0 * leads["base"]


def test_the_same_twice_differs_by_nothing():
    """Common random numbers: not by chance either."""
    twice = [Scenario(name, TARGET, leads_by_month=OWN) for name in ("one", "two")]
    found = compare(model(), twice).attrs["differences"]
    assert found["item"].tolist() == ["wins", "new_mrr"]
    assert (found[["value", "low", "high"]] == 0).all(axis=None)


def test_a_difference_is_that_of_the_rates():
    """Twice the rate of the same leads: as many wins again, however few are known to come."""
    base = Scenario("base", TARGET, leads_by_month=OWN)
    double = dataclasses.replace(base, name="double", rates={"leads": 0.3})
    table = compare(model(), [base, double])
    wins = table.set_index("item").loc["wins expected"]
    assert wins["double"] == pytest.approx(2 * wins["base"])
    gain = table.attrs["differences"].set_index("item")
    assert gain.loc["wins", "value"] == pytest.approx(wins["double"] - wins["base"])
    assert gain.loc["wins", "low"] <= gain.loc["wins", "value"] <= gain.loc["wins", "high"] + 1e-9
    assert gain.loc["new_mrr", "value"] == pytest.approx(1_000 * gain.loc["wins", "value"])


def test_common_numbers_tell_scenarios_apart_that_chance_would_hide():
    """Drawn with other seeds the difference of a tenth varies far more."""
    rng = np.random.default_rng(3)
    n = 400
    lead = pd.DataFrame({"lead_id": [f"l{i}" for i in range(n)]})
    lead["created_at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D")
    deal = lead.iloc[:60].rename(columns={"lead_id": "deal_id"}).assign(lead_id=lead["lead_id"])
    deal["outcome"] = np.where(rng.random(60) < 0.5, "won", "lost")
    deal["close_date"] = deal["created_at"] + pd.Timedelta(days=20)
    fitted = FunnelModel.fit(snapshot({"leads": lead, "deals": deal}, as_of="2026-12-31"))
    base = Scenario("base", TARGET, leads_by_month=OWN)
    tenth = dataclasses.replace(
        base, name="tenth", leads_by_month={m: 1.1 * v for m, v in OWN.items()}
    )
    other = dataclasses.replace(tenth, seed=1)

    def width(scenario):
        found = compare(fitted, [base, scenario]).attrs["differences"].set_index("item")
        return found.loc["wins", "high"] - found.loc["wins", "low"]

    assert width(tenth) < width(other) / 3
    gain = compare(fitted, [base, tenth]).attrs["differences"].set_index("item")
    assert gain.loc["wins", "low"] > 0


def test_a_scenario_out_of_reach_says_why_and_hides_no_other():
    """It has no results; the reason stands beside."""
    base = Scenario("base", TARGET)
    capped = Scenario("capped", TARGET, caps={"leads": 1})
    table = compare(model(), [base, capped])
    result = table[table["kind"] == "result"]
    assert result["capped"].isna().all()
    assert result.set_index("item").loc["leads to create", "base"] > 0
    assert "under the caps" in table.attrs["problems"]["capped"]
    assert table.attrs["differences"].empty


@pytest.mark.parametrize("names", [[], ["one"], ["same", "same"]])
def test_names_tell_scenarios_apart(names):
    """Two or more, all different."""
    with pytest.raises(PlanError, match="two or more"):
        compare(model(), [Scenario(name, TARGET) for name in names])
