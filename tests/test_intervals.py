"""Intervals of shares against statsmodels, and by how often they hold the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom
from statsmodels.stats.proportion import proportion_confint

from kpi.stats import effective_counts, jeffreys, wilson


@st.composite
def counts(draw):
    n = draw(st.integers(1, 5000))
    return draw(st.integers(0, n)), n


@settings(derandomize=True, max_examples=200, deadline=None)
@given(counts(), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
def test_both_intervals_equal_statsmodels(pair, level):
    """To 1e-9, apart from the ends, which are 0 and 1 by convention here."""
    x, n = pair
    for ours, method in ((jeffreys, "jeffreys"), (wilson, "wilson")):
        low, high = proportion_confint(x, n, alpha=1 - level, method=method)
        mine = ours(x, n, level)
        assert float(mine[0]) == pytest.approx(0.0 if x == 0 else low, abs=1e-9)
        assert float(mine[1]) == pytest.approx(1.0 if x == n else high, abs=1e-9)
        assert 0 <= mine[0] <= x / n <= mine[1] <= 1


@pytest.mark.parametrize("interval", [jeffreys, wilson])
@pytest.mark.parametrize("share", [0.05, 0.15, 0.33, 0.6])
def test_they_hold_the_truth_about_as_often_as_they_say(interval, share):
    """Exact coverage over the binomial, averaged over n = 20 to 120, is 93 to 97 %."""
    held = []
    for n in range(20, 121):
        x = np.arange(n + 1)
        low, high = interval(x, np.full(n + 1, n))
        held.append(binom.pmf(x, n, share)[(low <= share) & (share <= high)].sum())
    assert 0.93 <= np.mean(held) <= 0.97


def test_nothing_to_divide_by_has_no_interval():
    """n = 0 gives missing limits, not 0 and 1."""
    for interval in (jeffreys, wilson):
        assert np.isnan(interval(0, 0)).all()


@pytest.mark.parametrize(
    ("x", "n", "level", "message"),
    [
        pytest.param(3, 2, 0.95, "between 0 and n", id="more successes than trials"),
        pytest.param(-1, 2, 0.95, "between 0 and n", id="negative"),
        pytest.param(float("nan"), 2, 0.95, "between 0 and n", id="missing"),
        pytest.param(1, 2, 95, "share above 0 and below 1", id="level in per cent"),
        pytest.param(1, 2, 0, "share above 0 and below 1", id="level 0"),
    ],
)
def test_impossible_counts_and_levels_are_refused(x, n, level, message):
    """The message says what is expected."""
    for interval in (jeffreys, wilson):
        with pytest.raises(ValueError, match=message):
            interval(x, n, level)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(counts().filter(lambda pair: 0 < pair[0] < pair[1]))
def test_effective_counts_give_back_a_plain_sample(pair):
    """A share with the binomial variance is worth exactly its own counts."""
    x, n = pair
    share = x / n
    worth = effective_counts(share, share * (1 - share) / n, seen=1)
    assert worth == pytest.approx((x, n), rel=1e-9)


def test_a_wider_variance_is_worth_fewer_records():
    """The posterior it stands for has about the spread that was put in."""
    x, n = effective_counts(0.3, 0.002, seen=500)
    assert n == pytest.approx(105)
    assert beta.std(x + 0.5, n - x + 0.5) == pytest.approx(np.sqrt(0.002), rel=0.02)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_at_the_ends_the_records_seen_speak(share):
    """No variance at 0 and 1: the number under observation is used."""
    assert effective_counts(share, 0.0, seen=40) == (share * 40, 40)
