"""The bridge: the gap split between its drivers, without a rest, each told apart from the others."""

import math

import numpy as np
import pandas as pd
import pytest
from companies import snapshot, stages
from hypothesis import given, settings
from hypothesis import strategies as st

from kpi.planning import FunnelModel, PlanError, reverse_funnel
from kpi.planning.bridge import bridge
from kpi.planning.decompose import decompose

JANUARY = {"start": "2027-01-01", "by": "2027-01-31"}
FACTORS = st.lists(
    st.tuples(
        st.floats(0, 1e4, allow_subnormal=False).filter(lambda f: f == 0 or f > 1e-6),
        st.floats(0, 1e4, allow_subnormal=False).filter(lambda f: f == 0 or f > 1e-6),
    ),
    min_size=1,
    max_size=6,
)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(FACTORS)
def test_effects_sum_to_the_difference_of_the_products(factors):
    """Also where factors are zero; a factor that is the same on both sides has no effect."""
    before = {f"f{i}": a for i, (a, _) in enumerate(factors)}
    after = {f"f{i}": b for i, (_, b) in enumerate(factors)}
    effects = decompose(before, after)
    gap = math.prod(after.values()) - math.prod(before.values())
    scale = math.prod(max(a, b) for a, b in factors)
    assert abs(math.fsum(effects.values()) - gap) <= 1e-9 * scale
    assert all(effects[name] == 0 for name in before if before[name] == after[name])


def test_the_order_of_the_factors_does_not_matter():
    """Reversed, each keeps its effect."""
    before, after = {"a": 2.0, "b": 3.0, "c": 5.0}, {"a": 3.0, "b": 1.0, "c": 0.0}
    forth, back = {}, {}
    for name in reversed(before):
        back[name], forth[name] = after[name], before[name]
    assert decompose(forth, back) == pytest.approx(decompose(before, after))


def test_negative_factors_are_split_too():
    """A credit note: by Shapley values, half of the change each."""
    assert decompose({"a": 2.0, "b": 3.0}, {"a": 2.0, "b": -3.0}) == {"a": 0.0, "b": -12.0}
    assert decompose({"a": 0.0, "b": 0.0}, {"a": -2.0, "b": 3.0}) == {"a": -3.0, "b": -3.0}


@pytest.mark.parametrize(
    ("before", "after"),
    [({"a": 1.0}, {"b": 1.0}), ({"a": 1.0}, {"a": math.nan}), ({"a": math.inf}, {"a": 1.0})],
)
def test_what_cannot_be_split_is_refused(before, after):
    """Other factors, or a missing one."""
    with pytest.raises(ValueError, match="a"):
        decompose(before, after)


def company(leads=20, deals=10, wins=5, *, mrr=100.0, extra=None, **more):
    """Leads of 2 January; the first become deals on the 5th; wins on the 20th, other deals lost."""
    ids = [f"d{i}" for i in range(deals)]
    frames = {
        "leads": pd.DataFrame(
            {"lead_id": [f"l{i}" for i in range(leads)], "created_at": "2027-01-02"}
        ),
        "deals": pd.DataFrame(
            {
                "deal_id": ids,
                "lead_id": [f"l{i}" for i in range(deals)],
                "created_at": "2027-01-05",
                "outcome": ["won" if i < wins else "lost" for i in range(deals)],
                "close_date": "2027-01-20",
                "mrr": mrr,
                "amount": 12 * mrr,
            }
        ),
    }
    if extra is not None:
        frames["deals"] = pd.concat([frames["deals"], extra], ignore_index=True)
    return snapshot(frames | more, as_of="2027-01-31")


def plan(**target):
    """Half of the leads become deals, half of these win, at once, worth 100 each."""
    model = FunnelModel.assume(
        lead_conversion=0.5, win_rate=0.5, deal_value=100.0, mrr=1_000.0, annual_churn=0.2
    )
    return reverse_funnel(model, **(target or {"wins": 3}), **JANUARY)


def effects(table):
    """Effects by driver; that they sum to the gap is checked on the way."""
    gap = table.attrs["actual"] - table.attrs["plan"]
    assert table.attrs["gap"] == gap
    assert math.fsum(table["effect"]) == pytest.approx(gap, abs=1e-9 * max(abs(gap), 1))
    assert list(table.columns) == ["driver", "effect"]
    assert table["driver"].is_unique
    return dict(zip(table["driver"], table["effect"], strict=True))


def test_only_leads_differ():
    """All of the gap is volume: wins at a quarter of the leads."""
    made = plan()
    table = bridge(made, company(leads=40, deals=20, wins=10))
    found = effects(table)
    assert table.attrs["plan"] == pytest.approx(made.total_leads / 4)
    assert table.attrs["actual"] == 10
    assert found.pop("volume") == pytest.approx(10 - made.total_leads / 4)
    assert list(found.values()) == pytest.approx([0, 0, 0], abs=1e-9)


@pytest.mark.parametrize(
    ("deals", "wins", "driver"),
    [
        pytest.param(14, 7, "conversion: Leads", id="more leads become deals"),
        pytest.param(10, 2, "conversion: Deals", id="fewer deals are won"),
        pytest.param(10, 0, "conversion: Deals", id="none is won"),
    ],
)
def test_only_one_conversion_differs(deals, wins, driver):
    """It has all of the gap that volume has not."""
    made = plan()
    found = effects(bridge(made, company(leads=20, deals=deals, wins=wins)))
    others = {name for name in found if name not in ("volume", driver)}
    assert found[driver] != 0
    assert [found[name] for name in others] == pytest.approx([0] * len(others), abs=1e-9)
    assert (found[driver] > 0) == (wins > deals / 2 or deals > 10)


def test_what_is_merely_late_is_timing():
    """Deals still open at the end: their conversion is taken as planned, the gap is timing."""
    late = pd.DataFrame(
        {
            "deal_id": [f"x{i}" for i in range(10)],
            "lead_id": [f"l{i}" for i in range(10)],
            "created_at": "2027-01-05",
            "outcome": "open",
        }
    )
    found = effects(bridge(plan(), company(leads=20, deals=0, wins=0, extra=late)))
    assert found["timing"] < 0
    assert found["conversion: Deals"] == pytest.approx(0, abs=1e-9)
    assert found["conversion: Leads"] == pytest.approx(0, abs=1e-9)


def test_deals_without_a_lead_and_old_ones_stand_apart():
    """They are not taken for better conversion of the new leads."""
    extra = pd.DataFrame(
        {
            "deal_id": ["direct", "old", "before"],
            "created_at": ["2027-01-10", "2026-12-01", "2026-11-01"],
            "outcome": "won",
            "close_date": ["2027-01-25", "2027-01-25", "2026-12-15"],
            "mrr": 100.0,
        }
    )
    table = bridge(plan(), company(extra=extra))
    found = effects(table)
    assert table.attrs["actual"] == 7
    assert (found["direct deals"], found["open pipeline"]) == (1, 1)
    alone = effects(bridge(plan(), company()))
    same = {name: found[name] for name in alone}
    assert same == pytest.approx(alone)


@pytest.mark.parametrize("kind", ["new_mrr", "bookings"])
def test_size_is_what_a_win_brought(kind):
    """As many wins as planned, twice as large: all of the gap is size."""
    made = plan(**{kind: 300.0})
    leads = made.total_leads + (-made.total_leads) % 4
    table = bridge(made, company(leads, leads // 2, leads // 4, mrr=200.0))
    found = effects(table)
    times = 12 if kind == "bookings" else 1
    assert table.attrs["actual"] == pytest.approx(leads / 4 * 200 * times)
    size = table.attrs["actual"] * (1 - 1 / (2 * times))
    assert found["size"] + found["volume"] == pytest.approx(table.attrs["gap"])
    if leads == made.total_leads:
        assert found["size"] == pytest.approx(size)
    assert "churn" not in found


def lines(*rows):
    """Recurring lines: account, amount, start, end."""
    frame = pd.DataFrame(rows, columns=["account_id", "mrr", "starts_on", "ends_on"])
    return frame.assign(subscription_id=[f"s{i}" for i in range(len(frame))])


@pytest.mark.parametrize(("kind", "times"), [("mrr", 1), ("arr", 12)])
def test_a_level_has_churn_and_billing(kind, times):
    """400 of 1,000 leaves: churn; of five wins of 100 one runs: billing."""
    made = plan(**{kind: 1_200.0 * times})
    subscriptions = lines(
        ("a", 600.0, "2026-01-01", None),
        ("b", 400.0, "2026-01-01", "2027-01-15"),
        ("c", 100.0, "2027-01-25", None),
    )
    table = bridge(made, company(subscriptions=subscriptions))
    found = effects(table)
    assert table.attrs["actual"] == pytest.approx(700 * times)
    expected = float(made.outcome["mrr"].iloc[-1]) * times
    assert table.attrs["plan"] == pytest.approx(expected)
    assert found["billing"] == pytest.approx((100 - 500) * times)
    from_new = sum(e for d, e in found.items() if d not in ("churn", "billing"))
    won = made.total_leads / 4 * 100
    assert from_new == pytest.approx((500 - won) * times)
    assert found["churn"] == pytest.approx((600 - (expected / times - won)) * times)


def test_days_of_a_month_still_running_count_in_proportion():
    """On the 10th of 31 days, 10/31 of the month's leads are due."""
    made = plan()
    table = bridge(made, company().at("2027-01-10"))
    effects(table)
    assert table.attrs["plan"] == pytest.approx(made.total_leads / 4 * 10 / 31)
    assert table.attrs["actual"] == 0


def test_what_is_later_than_the_plan_does_not_count():
    """Half a year on, the bridge is that of the plan's last day."""
    frames = {"leads": 20, "deals": 10, "wins": 5}
    now = company(**frames)
    later = pd.DataFrame(
        {
            "deal_id": ["next"],
            "lead_id": ["l15"],
            "created_at": "2027-02-05",
            "outcome": "won",
            "close_date": "2027-03-01",
        }
    )
    whole = {"leads": now.leads.to_pandas(), "deals": now.deals.to_pandas()}
    whole["deals"] = pd.concat([whole["deals"], later])
    then = bridge(plan(), snapshot(whole, as_of="2027-06-30"))
    assert effects(then) == pytest.approx(effects(bridge(plan(), now)))


def test_a_plan_that_has_not_begun_has_no_gap():
    """Nothing has passed."""
    with pytest.raises(PlanError, match="begins on 2027-01-01"):
        bridge(plan(), company().at("2026-12-31"))


def test_a_stage_that_is_gone_is_named():
    """A renamed stage is not taken for another one."""
    deals = pd.DataFrame(
        {"deal_id": list("ab"), "created_at": "2027-01-05", "stage_id": ["S1", "Won"]}
    )
    history = pd.DataFrame(
        {
            "object": "deal",
            "record_id": ["a", "b", "b"],
            "stage_id": ["S1", "S1", "Won"],
            "changed_at": ["2027-01-05", "2027-01-05", "2027-01-08"],
        }
    )
    frames = {"deals": deals, "history": history, "stages": stages("S1", "Won", "Lost")}
    made = reverse_funnel(
        FunnelModel.fit(snapshot(frames, as_of="2027-01-31")), wins=1, by="2027-03-31"
    )
    renamed = {
        "deals": deals.replace("S1", "Z"),
        "history": history.replace("S1", "Z"),
        "stages": stages("Z", "Won", "Lost"),
    }
    with pytest.raises(PlanError, match="'S1'"):
        bridge(made, snapshot(renamed, as_of="2027-02-28"))


@settings(derandomize=True, max_examples=6, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.sampled_from([50.0, 300.0]))
def test_it_always_adds_up(leads, deals, wins, value):
    """Whatever came, nothing included."""
    deals, wins = min(deals, leads), min(wins, deals, leads)
    if deals == 0:
        data = snapshot(
            {
                "deals": company(leads=1, deals=1, wins=0).deals.to_pandas(),
                "leads": company(leads=max(leads, 1)).leads.to_pandas(),
            },
            as_of="2027-01-31",
        )
    else:
        data = company(leads, deals, wins, mrr=value)
    for target in ({"wins": 3}, {"new_mrr": 300.0}):
        found = effects(bridge(plan(**target), data))
        assert np.isfinite(list(found.values())).all()
