"""The multiple of leads with a given chance, against a bracketing search that takes its time."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import gammainc

from kpi.planning.crossing import multiple, stepped, upwards

DRAWS = 2_000


class Case:
    """Wins needed and expected in each of many draws; how often the chance was looked at."""

    def __init__(self, wins, other, unsure=0.2):
        rng = np.random.default_rng(20261123)
        self.needed = np.maximum(wins - rng.poisson(wins / 4, DRAWS), 0)
        self.each = 0.05 * rng.lognormal(0.0, unsure, DRAWS)
        self.other = np.full(DRAWS, float(other))
        self.looks = 0

    def chance(self, times):
        """Mean over the draws of the chance of enough wins."""
        self.looks += 1
        mean = times * self.each + self.other
        met = np.where(self.needed > 0, gammainc(np.maximum(self.needed, 1), mean), 1.0)
        return float(met.mean())

    def found(self, confidence, guess):
        """What `multiple` says."""
        draws = self.needed, self.each, self.other
        return multiple(self.chance, *draws, confidence=confidence, guess=guess)


@pytest.mark.parametrize("confidence", [0.1, 0.5, 0.8, 0.99])
@pytest.mark.parametrize(("wins", "other"), [(4, 0), (30, 5), (400, 100), (5_000, 0)])
@pytest.mark.parametrize("off", [0.93, 1.0, 1.07])
def test_it_is_where_a_bracketing_search_ends(wins, other, confidence, off):
    """To nine digits, from a guess that is a few per cent off, in four looks at most."""
    case = Case(wins, other)
    low, high = 0.0, 100.0 * wins
    if case.chance(low) >= confidence:
        pytest.skip("needs no leads")
    exact = brentq(lambda t: case.chance(t) - confidence, low, high, xtol=1e-12, rtol=1e-14)
    case.looks = 0
    assert case.found(confidence, exact * off) == pytest.approx(exact, rel=1e-9)
    assert case.looks <= 4


def test_where_leads_change_nothing_nothing_is_found():
    """Every draw has its wins already: the chance is flat."""
    case = Case(10, 0)
    case.needed[:] = 0
    assert case.found(0.8, 3.0) is None


@pytest.mark.parametrize("guess", [1e-6, 1e7], ids=["low", "high"])
def test_a_guess_far_off_leads_nowhere(guess):
    """The caller searches with a bracket then."""
    assert Case(30, 0).found(0.8, guess) is None


def test_steps_that_do_not_settle_find_nothing():
    """A function whose slope is not what it says."""
    assert stepped(lambda x: (1.0 + 0 * x, 0.5), 0.0) is None


def test_a_crossing_beyond_the_limit_is_the_limit():
    """To a hundredth where it is before."""
    assert upwards(lambda x: x - 50, 1.0, 20.0) == 20.0
    assert upwards(lambda x: x - 50, 1.0, 1e9) == pytest.approx(50, rel=0.02)
