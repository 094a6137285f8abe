"""Tables for people: rounded, labelled, summed, and missing never shown as zero."""

import re

import numpy as np
import pandas as pd
import pytest
from companies import random_walks, stages
from companies import snapshot as company

import kpi
from kpi.planning import FunnelModel, reverse_funnel
from workbench import tables

DASH = "–"
NAN = float("nan")


def number(text):
    """Read a number as the tables write it."""
    return float(text.replace(",", ""))


def rates(**columns):
    """Return a KPI table of two rows, the second without a value."""
    table = {"value": [0.3412, NAN], "low": [0.0456, NAN], "high": [0.9961, NAN]}
    counts = {"x": [1234, 0], "n": [56_789, 0], "note": ["", "nothing closed"]}
    return pd.DataFrame(columns | table | counts)


def test_a_rate_is_written_with_its_interval_its_counts_and_its_note():
    """34 %, below ten with one decimal, thousands with a comma, an en dash for what is missing."""
    shown = tables.rate_table(rates(team=["North", None]))
    assert shown.to_dict("index") == {
        "North": {
            "rate": "34%",
            "95% interval": "4.6% to 100%",
            "counts": "1,234 of 56,789",
            "note": "",
        },
        "(none)": {
            "rate": DASH,
            "95% interval": DASH,
            "counts": "0 of 0",
            "note": "nothing closed",
        },
    }
    assert shown.columns.name == "team"


def test_a_period_is_written_as_a_month():
    """Not as a moment at midnight."""
    months = pd.to_datetime(["2026-01-01", "2026-12-01"])
    assert tables.rate_table(rates(period=months)).index.tolist() == ["Jan 2026", "Dec 2026"]


def test_a_rate_without_groups_has_no_group():
    """One line for the whole company."""
    assert "rate" in tables.rate_table(rates()).columns


def test_the_input_is_left_as_it_is():
    """Tables are for showing; the KPI goes on to a chart."""
    table = rates(team=["North", None])
    before = table.copy()
    tables.rate_table(table)
    pd.testing.assert_frame_equal(table, before)


def test_stage_conversion_stands_beside_the_plain_ratio(snapshot):
    """What the CRM shows, and what follows open deals."""
    table = kpi.stage_conversion(snapshot)
    shown = tables.conversion_table(table)
    assert shown.index.tolist() == table["label"].tolist()
    assert shown["deals reached"].tolist() == [f"{n:,}" for n in table["reached"]]
    assert shown["plain ratio"].tolist()[:-1] == [f"{100 * r:.0f}%" for r in table["rate"][:-1]]
    assert shown["plain ratio"].iloc[-1] == shown["went further"].iloc[-1] == DASH
    assert [text.split(" of ")[1] for text in shown["counts"]] == [f"{n:,}" for n in table["n"]]


def test_days_in_stage_say_when_the_end_is_not_in_sight():
    """An upper limit that the data does not reach is "or more"."""
    table = pd.DataFrame(
        {
            "label": ["Demo", "Offer", "Trial"],
            "value": [12.0, 40.0, NAN],
            "low": [10.0, 31.0, NAN],
            "high": [15.0, NAN, NAN],
            "x": [1200, 9, 0],
            "n": [1500, 20, 0],
            "mean_completed": [13.26, 22.0, NAN],
            "note": ["", "few", "none"],
        }
    )
    shown = tables.days_table(table)
    assert shown["median days"].tolist() == ["12", "40", DASH]
    assert shown["95% interval"].tolist() == ["10 to 15", "31 or more", DASH]
    assert shown["visits"].iloc[0] == "1,200 of 1,500 completed"
    assert shown["mean of completed"].tolist() == ["13.3", "22.0", DASH]


def test_money_moves_are_short_and_in_the_currency_asked_for(snapshot):
    """One line per period, start and end among them."""
    table = kpi.mrr_movements(snapshot, every="quarter").tail(3)
    shown = tables.movement_table(table, "€")
    assert shown.index.tolist() == [f"{day:%b %Y}" for day in table["period"]]
    assert all(text.startswith(("€", "−€")) for text in shown["end"])
    assert shown["customers"].tolist() == table["x"].tolist()
    assert shown["start"].tolist()[1:] == shown["end"].tolist()[:-1]


def test_the_plans_first_row_is_whole_and_adds_up(plan):
    """Leads are created in whole numbers; the total is the plan's."""
    shown = tables.plan_table(plan)
    months = [f"{month:%b %Y}" for month in plan.table["month"].unique()]
    assert list(shown.columns) == [*months, "total"]
    assert shown.index.tolist() == plan.table.drop_duplicates("stage")["label"].tolist()
    leads = shown.iloc[0]
    assert sum(number(leads[month]) for month in months) == number(leads["total"])
    assert number(leads["total"]) == plan.total_leads
    assert re.fullmatch(r"[\d,]+", leads["total"])


def test_every_row_of_the_plan_adds_up_to_its_total(plan):
    """Within the rounding of one decimal a month."""
    shown = tables.plan_table(plan)
    for label, row in shown.iterrows():
        need = plan.table.loc[plan.table["label"] == label, "need"]
        assert number(row["total"]) == pytest.approx(need.sum(), abs=0.51), label
        assert sum(map(number, row[:-1])) == pytest.approx(need.sum(), abs=0.5), label


def test_wins_are_credited_once_and_add_up(plan):
    """Open now, direct, new: together what is expected."""
    wins = [number(text) for text in tables.credit_table(plan)["wins"]]
    assert sum(wins[:3]) == pytest.approx(wins[3], abs=0.15)
    assert wins[:3] == pytest.approx(
        [plan.from_pipeline, plan.from_direct, plan.from_new], abs=0.051
    )


def test_more_certainty_takes_more_leads(plan):
    """50, 80 and 90 %, with the plan's own number among them."""
    shown = tables.chance_table(plan)
    leads = [number(text) for text in shown["leads to create"]]
    assert shown.index.tolist() == ["50%", "80%", "90%"]
    assert leads == sorted(leads)
    assert leads[1] == plan.total_leads


def test_the_four_counting_rules_stand_side_by_side(snapshot):
    """The same deals; the furthest-reached rule counts the most, the linear one the fewest."""
    shown = tables.counting_rules(snapshot)
    assert list(shown.columns) == list(tables.RULES.values())
    for rule, mode in {"furthest reached": "furthest", "linear": "linear"}.items():
        reached = kpi.stage_conversion(snapshot, mode=mode)["reached"]
        assert [number(text.split(" ")[0]) for text in shown[rule]] == reached.tolist()


def test_the_models_rates_name_both_ends(model):
    """From each step to the next, with interval and counts."""
    shown = tables.model_table(model)
    steps = [step.label for step in model.steps]
    assert shown.index.tolist() == steps[:-1]
    assert shown["to"].tolist() == steps[1:]
    x, n = model.rates["leads"].x, model.rates["leads"].n
    assert shown["counts"].iloc[0] == f"{x:,} of {n:,}"
    assumed = tables.model_table(FunnelModel.assume(lead_conversion=0.15, win_rate=0.33))
    assert assumed["counts"].tolist() == ["assumed", "assumed"]
    assert assumed["rate"].tolist() == ["15%", "33%"]


@pytest.mark.parametrize("count", [0, 1])
def test_tables_of_nothing_and_of_one_row_keep_their_columns(snapshot, count):
    """A filter may leave nothing over."""
    found = {
        tables.rate_table: kpi.win_rate(snapshot, by="source"),
        tables.conversion_table: kpi.stage_conversion(snapshot),
        tables.days_table: kpi.stage_days(snapshot),
        tables.movement_table: kpi.mrr_movements(snapshot, every="quarter"),
    }
    for shown, table in found.items():
        part = shown(table.head(count))
        assert len(part) == count
        assert list(part.columns) == list(shown(table).columns)


def test_hostile_words_are_escaped_in_a_notebook_and_on_the_page():
    """pandas writes HTML: a source or stage named as a script must stay text."""
    frames = random_walks(seed=3, count=60)
    script = "<script>alert(1)</script>"
    named = stages().assign(label=[script, "b", "c", "Won", "Lost"])
    deals = frames["deals"].assign(source=np.resize([script, "web"], 60))
    snapshot = company(frames | {"stages": named, "deals": deals})
    model = FunnelModel.fit(snapshot)
    made = [
        tables.rate_table(kpi.win_rate(snapshot, by="source")),
        tables.conversion_table(kpi.stage_conversion(snapshot)),
        tables.days_table(kpi.stage_days(snapshot)),
        tables.counting_rules(snapshot),
        tables.model_table(model),
        tables.plan_table(reverse_funnel(model, wins=5, by="2026-12-31")),
    ]
    for table in made:
        shown = table._repr_html_()
        assert "<script" not in shown
        assert "&lt;script&gt;alert(1)" in shown
