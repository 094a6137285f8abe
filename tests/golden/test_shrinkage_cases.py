"""Published and computed cases of shrinkage; figures retyped, each with its source."""

import pytest

from kpi.stats import beta_binomial_shrinkage, beta_posterior

HITS = [18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7]


@pytest.mark.parametrize(
    ("x", "n", "mean"),
    [
        pytest.param(4, 10, 0.26364117677076954, id="T13 4 of 10"),
        pytest.param(300, 1000, 0.2904875661278246, id="T13 300 of 1000"),
    ],
)
def test_t13_a_few_are_drawn_in_further_than_many(x, n, mean):
    """D. Robinson, "Understanding empirical Bayes estimation", 30 Sep 2015: prior 78.661, 224.875."""
    a, b = 78.661, 224.875
    found = beta_posterior([x], [n], mu=a / (a + b), precision=a + b)
    assert found["mean"].iloc[0] == pytest.approx(mean, abs=1e-9)


def test_t14_six_reps_who_do_not_differ():
    """3/9, 12/40, 0/6, 22/55, 5/8, 9/30: all get 34.459 %, and it is said why (computed)."""
    found = beta_binomial_shrinkage([3, 12, 0, 22, 5, 9], [9, 40, 6, 55, 8, 30])
    assert found["mean"].tolist() == pytest.approx([0.34459459459459457] * 6, abs=1e-4)
    assert found.attrs["note"] == "no evidence that the groups differ"


def test_t12_eighteen_batters():
    """Efron and Morris 1975: c = .212 for 45 at bats; 18, 8 and 7 hits become .294, .247 and .242."""
    c = 0.2117
    found = beta_posterior(
        [18, 8, 7], [45] * 3, mu=sum(HITS) / (18 * 45), precision=45 * (1 / c - 1)
    )
    assert found["mean"].tolist() == pytest.approx([0.294, 0.247, 0.242], abs=5e-4)
    assert found["weight"].tolist() == pytest.approx([1 - c] * 3)
