"""Limits of a mean: do they hold the mean as often as they say, and are they the same every time?"""

import time

import numpy as np
import pytest

from kpi.stats import bootstrap
from kpi.stats.bootstrap import mean_limits


def covered(values, n, times, mean, level=0.95):
    """Share of samples whose limits hold the mean."""
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(times):
        low, high = mean_limits(values(rng, n), level, draws=500)
        held += low <= mean <= high
    return held / times


@pytest.mark.parametrize(
    ("sigma", "n", "least"),
    [
        pytest.param(0.5, 30, 0.93, id="mild tail, 30 deals"),
        pytest.param(1.0, 5, 0.87, id="money's tail, 5 deals"),
        pytest.param(1.0, 30, 0.90, id="money's tail, 30 deals"),
        pytest.param(1.0, 200, 0.93, id="money's tail, 200 deals"),
    ],
)
def test_limits_hold_the_mean_of_lognormal_money(sigma, n, least):
    """95 % limits hold the true mean about that often, though the tail is heavy."""

    def money(rng, size):
        return 1e4 * np.exp(rng.normal(0, sigma, size))

    share = covered(money, n, 400, 1e4 * np.exp(sigma**2 / 2))
    assert least <= share <= 0.985


def test_student_limits_hold_it_less_often():
    """What the bootstrap is for: mean +- 2 s / sqrt(n) misses the upper tail."""
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(400):
        v = np.exp(rng.normal(0, 1.5, 30))
        held += abs(v.mean() - np.exp(1.125)) <= 2.045 * v.std(ddof=1) / np.sqrt(30)
    ours = covered(lambda r, n: np.exp(r.normal(0, 1.5, n)), 30, 400, np.exp(1.125))
    assert ours > held / 400 + 0.04


@pytest.mark.parametrize("n", [50, 3_000])
def test_a_higher_level_is_wider(n):
    """Nested limits, around the mean."""
    v = np.random.default_rng(2).lognormal(9, 1, n)
    (low80, high80), (low99, high99) = mean_limits(v, 0.8), mean_limits(v, 0.99)
    assert low99 < low80 < v.mean() < high80 < high99


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        pytest.param([], (np.nan, np.nan), id="nothing: none"),
        pytest.param([5.0], (np.nan, np.nan), id="one value: none"),
        pytest.param([5.0, 7.0], (np.nan, np.nan), id="two values: none"),
        pytest.param([5.0] * 9, (5.0, 5.0), id="all equal: the value"),
        pytest.param([0.0] * 4, (0.0, 0.0), id="all nothing: nothing"),
    ],
)
def test_where_there_is_nothing_to_draw(values, limits):
    """No limits from too few values; none to draw where all are the same."""
    np.testing.assert_array_equal(mean_limits(values), limits)


def test_few_values_by_hand():
    """4, 6, 8: mean 6, s = 2, t(2 df) = 4.302653; 6 exp(+- 4.302653 * 2 / sqrt(3) / 6)."""
    factor = np.exp(4.302652729911275 * 2 / np.sqrt(3) / 6)
    np.testing.assert_allclose(mean_limits([8, 4, 6]), (6 / factor, 6 * factor))


def test_losses_are_not_put_on_a_logarithm():
    """With a negative value: mean +- t s / sqrt(n)."""
    half = 4.302652729911275 * 2 / np.sqrt(3)
    np.testing.assert_allclose(mean_limits([-2, 0, 2]), (-half, half))


def test_order_does_not_matter_and_the_same_values_give_the_same():
    """Deterministic: no clock, no global random state."""
    v = np.random.default_rng(3).lognormal(9, 1, 60)
    assert mean_limits(v) == mean_limits(v[::-1]) == mean_limits(v.tolist())
    assert mean_limits(v, seed=1) != mean_limits(v)


def test_money_in_cents_scales():
    """The unit does not matter."""
    v = np.random.default_rng(4).lognormal(9, 1, 60)
    np.testing.assert_allclose(np.array(mean_limits(v)) * 100, mean_limits(v * 100))


def test_a_single_giant_stays_above_zero():
    """Money is not negative, and neither is the mean's lower limit."""
    low, high = mean_limits([1.0] * 20 + [1e6])
    assert low >= 0
    assert high > 1e6 / 21


def test_gathered_values_give_nearly_the_limits_of_all():
    """20,000 values too skewed for the closed form, by groups and one by one by a plain loop."""
    v = np.random.default_rng(5).lognormal(9, 2.5, 20_000)
    low, high = mean_limits(v)
    assert mean_limits(v, seed=1) != (low, high)
    rng = np.random.default_rng(6)
    drawn = []
    for _ in range(600):
        again = rng.choice(v, len(v))
        drawn.append((again.mean() - v.mean()) / again.std(ddof=1))
    q = np.quantile(drawn, [0.975, 0.025])
    plain = v.mean() - q * v.std(ddof=1)
    width = high - low
    np.testing.assert_allclose((low, high), plain, atol=0.08 * width)


@pytest.mark.parametrize("sigma", [1, 3])
def test_a_million_values_take_seconds_not_gigabytes(sigma):
    """Bounded work: groups, not records, are drawn, where anything is."""
    v = np.random.default_rng(7).lognormal(9, sigma, 1_000_000)
    start = time.perf_counter()
    low, high = mean_limits(v)
    assert time.perf_counter() - start < 10
    assert low < v.mean() < high


@pytest.mark.parametrize(
    ("values", "level", "message"),
    [
        pytest.param([1.0, np.nan, 2.0], 0.95, "missing or infinite", id="missing"),
        pytest.param([1.0, np.inf, 2.0], 0.95, "missing or infinite", id="infinite"),
        pytest.param([1.0, 2.0, 3.0], 95, "level = 95", id="level in per cent"),
    ],
)
def test_what_cannot_be_used_is_refused(values, level, message):
    """Says what and why."""
    with pytest.raises(ValueError, match=message):
        mean_limits(values, level)


@pytest.mark.parametrize(("sigma", "n"), [(0.5, 1_000), (1.0, 3_000), (1.5, 20_000)])
def test_the_closed_form_is_where_resamples_come_to(sigma, n):
    """From 1,000 values on: within 2 % of the distance between limits from 20,000 resamples."""
    v = np.random.default_rng(8).lognormal(9, sigma, n)
    low, high = mean_limits(v)
    drawn = bootstrap._studentised(np.sort(v), 20_000, 9)
    above, below = np.quantile(drawn, [0.975, 0.025])
    error = v.std(ddof=1) / np.sqrt(n)
    resampled = v.mean() - above * error, v.mean() - below * error
    np.testing.assert_allclose((low, high), resampled, atol=0.02 * (high - low))
    assert mean_limits(v, seed=1) == (low, high)


def test_among_many_values_a_giant_is_still_drawn():
    """Where the expansion does not hold, resamples tell: the limits are those of the seed."""
    v = np.append(np.random.default_rng(10).lognormal(9, 0.5, 5_000), 1e9)
    assert mean_limits(v) != mean_limits(v, seed=1)
    low, high = mean_limits(v)
    assert 0 <= low < v.mean() < high
