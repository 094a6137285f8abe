"""Frozen plans: they come back to the last digit, nothing rewrites them, a change by hand is noticed."""

import dataclasses
import math
import tomllib
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpi.planning import FunnelModel, Plan, PlanError, reverse_funnel
from kpi.planning.toml_text import toml_text

YEAR = {"start": "2027-01-01", "by": "2027-06-30"}
SCALARS = st.one_of(
    st.text(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.dates(date(1900, 1, 1), date(2100, 1, 1)),
)
VALUES = st.recursive(
    st.one_of(SCALARS, st.lists(SCALARS, max_size=4)),
    lambda inner: st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=5))
def test_what_is_written_is_read_back(values):
    """Any text (quotes, control characters, line ends), any number to the last digit, nested."""
    assert tomllib.loads(toml_text(values)) == values


def test_missing_and_endless_numbers_come_back():
    """And None is left out."""
    found = tomllib.loads(
        toml_text({"a": math.nan, "b": -math.inf, "c": None, "d": np.float64(0.1)})
    )
    assert math.isnan(found["a"])
    assert (found["b"], found["d"], "c" in found) == (-math.inf, 0.1, False)


def test_what_toml_has_no_word_for_is_refused():
    """Not written as something else."""
    with pytest.raises(TypeError, match="object"):
        toml_text({"a": object()})


def model(**options):
    """Assume rates, with a delay, values and a base."""
    assumed = {"lag_days": 45.0, "deal_value": 512.34, "mrr": 9_000.0, "annual_churn": 0.1}
    return FunnelModel.assume(**assumed | options)


def same(a, b):
    """Whether two values of a plan are the same, missing ones included."""
    if isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b, check_exact=True)
        return True
    return a == b or (a != a and b != b)  # noqa: PLR0124 - nan


@pytest.mark.parametrize(
    ("goal", "options"),
    [
        pytest.param({"wins": 12}, {}, id="wins"),
        pytest.param({"new_mrr": 4_000.0, "confidence": 0.85}, {"seed": 7}, id="revenue, seed"),
        pytest.param({"bookings": 4_000}, {"lead_cost": 35.5}, id="bookings, cost"),
        pytest.param({"mrr": 12_000.0}, {"smooth": 0.25}, id="level"),
        pytest.param(
            {"wins": 6},
            {
                "caps": {"leads": {"2027-02": 90.0}, "deals": 60},
                "season": {2: 0.5, 3: 1.5},
                "leads_by_month": {"2027-01": 100, "2027-03": 50.5},
            },
            id="inputs",
        ),
    ],
)
def test_every_field_comes_back_to_the_last_digit(tmp_path, goal, options):
    """Targets, inputs, tables, leads by chance; frozen again, the file is the same byte for byte."""
    plan = reverse_funnel(model(), **goal, **YEAR, **options)
    file = plan.freeze(tmp_path / "plans" / "plan.toml")
    read = Plan.load(file)
    for field in dataclasses.fields(Plan):
        if field.name != "solve":
            assert same(getattr(plan, field.name), getattr(read, field.name)), field.name
    for chance in (0.05, 0.5, 0.65, 0.8, 0.95, plan.confidence):
        assert read.leads_for(chance) == plan.leads_for(chance)
    again = read.freeze(tmp_path / "again.toml")
    assert again.read_bytes() == file.read_bytes()


def test_a_path_comes_back(tmp_path):
    """The amounts of every month."""
    plan = reverse_funnel(model(), wins={"2027-02": 3, "2027-05": 4.5}, start="2027-01-01")
    read = Plan.load(plan.freeze(tmp_path / "path.toml"))
    assert read.target == plan.target
    assert read.target.checkpoints == plan.target.checkpoints


def test_a_chance_that_the_file_does_not_hold_is_refused(tmp_path):
    """It names those that it does."""
    read = Plan.load(reverse_funnel(model(), wins=12, **YEAR).freeze(tmp_path / "plan.toml"))
    with pytest.raises(PlanError, match=r"5%, 10%.*only"):
        read.leads_for(0.777)


def test_nothing_rewrites_a_frozen_plan(tmp_path):
    """The file stays as it was, whoever freezes over it."""
    plan = reverse_funnel(model(), wins=12, **YEAR)
    file = plan.freeze(tmp_path / "plan.toml")
    before = file.read_bytes()
    with pytest.raises(PlanError, match=r"plan\.toml is there already.*choose another name"):
        reverse_funnel(model(), wins=13, **YEAR).freeze(file)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda t: t.replace("wins = 12", "wins = 13"), "was changed", id="target"),
        pytest.param(lambda t: t.replace("[rates]", "[rates]\nx = 1"), "was changed", id="added"),
        pytest.param(lambda t: t.partition("[seal]")[0], "is no frozen plan", id="seal cut off"),
        pytest.param(lambda t: t[: len(t) // 2], "is no frozen plan", id="half a file"),
        pytest.param(lambda _: "", "is no frozen plan", id="empty"),
        pytest.param(lambda _: "\x00\ufffd[seal]", "is no frozen plan", id="not TOML"),
    ],
)
def test_a_change_by_hand_is_noticed(tmp_path, change, message):
    """And said in words."""
    file = reverse_funnel(model(), wins=12, **YEAR).freeze(tmp_path / "plan.toml")
    text = file.read_text(encoding="utf-8")
    assert change(text) != text
    file.write_text(change(text), encoding="utf-8")
    with pytest.raises(PlanError, match=message):
        Plan.load(file)


def test_line_ends_of_another_system_are_no_change(tmp_path):
    """As git makes them on Windows."""
    file = reverse_funnel(model(), wins=12, **YEAR).freeze(tmp_path / "plan.toml")
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert Plan.load(file).total_leads > 0


def test_a_file_that_is_not_there_is_named(tmp_path):
    """Not a traceback of the operating system."""
    with pytest.raises(PlanError, match=r"gone\.toml"):
        Plan.load(tmp_path / "gone.toml")
    (tmp_path / "latin.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PlanError, match="UTF-8"):
        Plan.load(tmp_path / "latin.toml")


def test_hostile_labels_come_back(tmp_path):
    """Quotes, line ends, brackets and control characters in a stage's label stay text."""
    plan = reverse_funnel(model(), wins=12, **YEAR)
    label = 'D"e\\a\nl\r\t\x00\x7f\u2028]\n[seal]\nsha256 = "x"'
    table = plan.table.assign(label=plan.table["label"].replace("Deals", label))
    notes = (label, "'''", '"""')
    hostile = dataclasses.replace(plan, table=table, notes=notes, rates={label: 0.1})
    read = Plan.load(hostile.freeze(tmp_path / "plan.toml"))
    assert read.table["label"].tolist() == table["label"].tolist()
    assert (read.notes, read.rates) == (notes, {label: 0.1})
