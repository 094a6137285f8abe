"""Delays in calendar time, against summing day by day and against the closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad

from kpi.planning.curve import known, months_between, span

SPANS = st.tuples(st.integers(0, 90), st.integers(1, 40))


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=20).filter(any), SPANS, SPANS)
def test_a_distribution_of_days_is_summed_day_by_day(weights, created, arrived):
    """Leads of each day, delayed by each number of days: counted one by one."""
    (a, width), (c, length) = created, arrived
    pmf = np.array(weights) / sum(weights)
    expected = sum(
        pmf[delay] / width
        for day in range(a, a + width)
        for delay in range(len(pmf))
        if c <= day + delay < c + length
    )
    found = known(1.0, weights).between((a, a + width), (c, c + length))
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("created", "arrived"), [((0, 31), (0, 31)), ((0, 31), (59, 90))])
def test_an_exponential_is_integrated_over_both_spans(created, arrived):
    """Against numeric double integration of the density."""
    (a, b), (c, d) = created, arrived
    area, _ = dblquad(
        lambda late, _: np.exp(-late / 45) / 45,
        a,
        b,
        lambda day: max(c - day, 0),
        lambda day: max(d - day, 0),
    )
    assert known(1.0, 45.0).between(created, arrived) == pytest.approx(area / (b - a), abs=1e-7)


def test_all_spans_together_hold_everybody():
    """Nothing is lost between months."""
    lag = known(0.3, 45.0)
    months = [lag.between((0, 31), (30 * m, 30 * m + 30)) for m in range(60)]
    assert sum(months) == pytest.approx(0.3, abs=1e-9)


def test_a_share_is_never_scaled_above_one():
    """An override of a rate cannot make more records than there are."""
    assert known(0.6, 10.0).scaled(3).final == pytest.approx(1.0)
    assert known(0.6).scaled(0.5).final == pytest.approx(0.3)


@pytest.mark.parametrize("lag", [-1, [0.5, -0.5], float("nan"), [0.0, 0.0], float("inf")])
def test_an_impossible_delay_is_refused(lag):
    """Negative, missing, endless, or with no day at all."""
    with pytest.raises(ValueError, match="lag_days"):
        known(0.5, lag)


def test_spans_of_months_are_cut_to_the_plan():
    """A plan from 11 January to 20 March has three spans, the outer two shorter."""
    first, last = np.datetime64("2027-01-11").item(), np.datetime64("2027-03-20").item()
    spans = [span(m, first, last, first) for m in months_between(first, last)]
    assert spans == [(0, 21), (21, 49), (49, 69)]
