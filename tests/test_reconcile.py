"""reconcile(): the same data under the rules of other tools."""

import numpy as np
import pandas as pd
import pytest
from companies import deals_on_paths, lines, outcomes, snapshot, stages

from kpi import TableError
from kpi.catalogue import KPIS
from kpi.reconcile import COLUMNS, RULES, reconcile

ORDER = ["S1", "S2", "S3", "Won", "Lost"]


def funnel():
    """Four deals: one goes through, one skips S2, one goes back, one is lost after S1."""
    paths = {
        "through": ["S1", "S2", "S3", "Won"],
        "skips": ["S1", "S3", "Won"],
        "back": ["S1", "S2", "S1"],
        "lost": ["S1", "Lost"],
    }
    return snapshot(deals_on_paths(paths) | {"stages": stages(*ORDER)})


def rates(table):
    """Value, x and n by rule."""
    return {row["rule"]: (row["x"], row["n"]) for row in table.to_dict("records")}


def test_the_win_rate_under_every_rule():
    """Closed only leaves the open deal out; the created basis counts it as not won."""
    found = rates(reconcile(funnel(), "win_rate"))
    assert found["closed only: won / (won + lost)"] == (2, 3)
    assert found["created basis: won / created"] == (2, 4)
    assert found["funnel, furthest reached: won / first stage"] == (2, 4)
    assert found['funnel, HubSpot "all stages": won / first stage'] == (1, 4)
    assert found['funnel, HubSpot "any stages": won / first stage'] == (2, 4)
    assert found["cohort, Aalen-Johansen"] == (2, 4)


def test_the_difference_is_from_the_default():
    """The default stands first, with no difference from itself."""
    table = reconcile(funnel(), "win_rate")
    assert list(table) == COLUMNS
    assert table["difference"].iloc[0] == 0
    assert np.allclose(table["difference"], table["value"] - table["value"].iloc[0], equal_nan=True)
    assert (table["why"].str.len() > 10).all()


def test_a_rule_that_the_data_cannot_serve_says_why():
    """Without amounts there is no rate by value."""
    table = reconcile(snapshot({"deals": outcomes(won=2, lost=1)}), "win_rate")
    row = table[table["rule"] == "by value"].iloc[0]
    assert np.isnan(row["value"])
    assert "no_denominator" in row["why"]
    assert not table["rule"].str.startswith("funnel").any()


def test_every_stage_under_every_rule():
    """Hand-counted: S2 to S3 is 2 of 3 by the furthest reached, 1 of 2 in order, 2 of 2 in any."""
    table = reconcile(funnel(), "stage_conversion")
    assert list(table) == ["pipeline_id", "stage_id", "label", *COLUMNS]
    second = rates(table[table["stage_id"] == "S2"])
    assert second["furthest reached"] == (2, 3)
    assert second['HubSpot "all stages"'] == (1, 2)
    assert second['HubSpot "any stages"'] == (2, 2)
    assert second["linear gap fill"] == (2, 2)
    assert "Won" not in set(table["stage_id"])
    assert (table.groupby("stage_id")["difference"].first() == 0).all()


def test_leads_under_every_rule():
    """Two leads of four became deals, one of them was won; one is disqualified."""
    lead_stages = pd.DataFrame(
        {
            "object": "lead",
            "stage_id": ["new", "bad"],
            "position": [1, 2],
            "outcome": ["open", "lost"],
        }
    )
    leads = pd.DataFrame(
        {
            "lead_id": list("abcd"),
            "created_at": "2026-01-01",
            "stage_id": ["new", "new", "bad", "new"],
            "updated_at": "2026-02-01",
        }
    )
    deals = outcomes(won=1, lost=1).assign(lead_id=["a", "b"])
    snap = snapshot({"leads": leads, "deals": deals, "stages": lead_stages})
    converted = rates(reconcile(snap, "lead_conversion"))
    assert converted["created basis: converted / created"] == (2, 4)
    assert converted["cohort, Aalen-Johansen"] == (2, 4)
    if "lead_to_customer" in KPIS:
        won = rates(reconcile(snap, "lead_to_customer"))
        assert won["created basis: customers / leads"] == (1, 4)
        assert won["win rate: won / (won + lost) deals"] == (1, 2)


def test_churn_under_its_denominators():
    """One of two leaves; one who joined and left counts only where joiners do."""
    subscriptions = lines(
        ("A", 100.0, "2025-01-01", None),
        ("B", 40.0, "2025-01-01", "2026-02-10"),
        ("C", 10.0, "2026-01-10", "2026-04-10"),
    )
    found = rates(reconcile(snapshot({"subscriptions": subscriptions}), "customer_churn"))
    assert found["gone / customers at the start"] == (1, 2)
    assert found["joiners included"] == (2, 2)


@pytest.mark.parametrize("name", sorted(set(RULES) & set(KPIS)))
def test_every_option_that_a_rule_asks_for_exists(name):
    """A rule names options of its KPI; the default rule none."""
    assert RULES[name][0].options == {}
    for rule in RULES[name]:
        assert set(rule.options) <= set(KPIS[name].__kwdefaults__)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wins", "no KPI is called 'wins'; expected one of"),
        ("stage_days", "stage_days has one definition here; there is .*'win_rate'"),
        ("lead_conversion", r"lead_conversion needs the table\(s\) \['leads'\]"),
    ],
)
def test_what_cannot_be_reconciled_is_refused_with_what_can(name, message):
    """The message lists what there is."""
    with pytest.raises(TableError, match=message):
        reconcile(funnel(), name)


def test_the_lifetime_value_under_every_rule():
    """Ten customers at 100, one leaves in May, one in June: hand-reckoned rates put forward for ever."""
    ended = {"c0": "2026-05-10", "c1": "2026-06-10"}
    rows = [(f"c{i}", 100.0, "2025-12-01", ended.get(f"c{i}")) for i in range(10)]
    deals = outcomes(won=1).assign(amount=100.0, margin=40.0)
    table = reconcile(snapshot({"subscriptions": lines(*rows), "deals": deals}), "lifetime_value")
    found = table.set_index("rule")
    assert (table["rule"].iloc[0], table["difference"].iloc[0]) == (
        RULES["lifetime_value"][0].name,
        0,
    )
    default = found["value"].iloc[0]
    assert found.loc["revenue over 60 months", "value"] == pytest.approx(default / 0.4)
    for_ever = found.loc["margin for ever, sBG, discounted at 10 % a year", "value"]
    assert 40 < for_ever < 40 / (1 - 1.1 ** (-1 / 12))  # one month; nobody ever leaves
    assert found.loc["simple: ARPA / churn", "value"] == pytest.approx(100 / (1 - 0.8 ** (1 / 6)))
    monthly = (1 / 10 + 1 / 9) / 6
    chartmogul = found.loc["ChartMogul: ARPA / mean churn of six months"]
    assert chartmogul["value"] == pytest.approx(100 / monthly)
    assert (chartmogul["x"], chartmogul["n"]) == (2, 59)
    revenue = found.loc["ARPA x margin / revenue churn", "value"]
    assert revenue == pytest.approx(100 * 0.4 / monthly)


def test_a_lifetime_nobody_has_ended_has_no_simple_value():
    """Never infinity, and why."""
    table = reconcile(
        snapshot({"subscriptions": lines(("a", 9.0, "2025-01-01", None))}), "lifetime_value"
    )
    endless = table[table["rule"].str.contains("churn")]
    assert len(endless) == 3
    assert endless["value"].isna().all()
    assert endless["why"].str.contains("no_denominator: nothing was lost").all()
