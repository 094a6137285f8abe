"""Worked cases of the bridge and the re-forecast; figures retyped, each with its source."""

import math

import pytest

from kpi.planning.decompose import decompose
from kpi.planning.reforecast import posterior_rate


def test_p10_the_bridge_leaves_no_rest():
    """Ang 2005 LMDI-I: 9,900 planned, 9,504 came; leads, conversion, win rate, deal value."""
    plan = {"leads": 100, "conv": 0.15, "win": 0.33, "deal": 2000}
    actual = {"leads": 120, "conv": 0.12, "win": 0.3, "deal": 2200}
    found = decompose(plan, actual)
    assert found == pytest.approx(
        {
            "leads": 1768.638140759685,
            "conv": -2164.638140759685,
            "win": -924.5709732234026,
            "deal": 924.5709732234029,
        },
        abs=1e-6,
    )
    assert math.fsum(found.values()) == pytest.approx(-396.0, abs=1e-6)


def test_p11_a_default_is_a_weak_prior():
    """Beta-binomial: 15 % worth 20 leads, 33 % worth 10 deals; 6 of 60 and 3 of 5 came."""
    assert posterior_rate(0.15, 20, 6, 60) == pytest.approx(0.1125, abs=1e-9)
    assert posterior_rate(0.33, 10, 3, 5) == pytest.approx(0.42, abs=1e-9)
