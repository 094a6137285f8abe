"""Shrinkage: groups drawn towards the common rate, on its own and on the result of a KPI."""

import numpy as np
import pandas as pd
import pytest
from companies import random_walks, snapshot
from scipy.stats import beta, betabinom

from kpi import stage_conversion, win_rate
from kpi.shrunk import shrunk
from kpi.stats import beta_binomial_shrinkage, beta_posterior
from kpi.tables import TableError


def drawn(seed, k, mu, precision, most):
    """Draw groups whose true rates spread as Beta(mu M, (1 - mu) M)."""
    random = np.random.default_rng(seed)
    p = random.beta(mu * precision, (1 - mu) * precision, k)
    n = random.integers(3, most, k)
    return random.binomial(n, p), n, p


def test_the_prior_is_found_again():
    """2,000 groups with a known spread: mean and precision come back."""
    x, n, _ = drawn(1, 2000, 0.3, 20.0, 60)
    found = beta_binomial_shrinkage(x, n)
    assert found.attrs["mu"] == pytest.approx(0.3, abs=0.01)
    assert found.attrs["precision"] == pytest.approx(20, rel=0.15)
    assert found.attrs["note"] == ""


def test_it_is_the_most_likely_prior():
    """No mean and precision on a grid make the counts likelier (scipy's beta-binomial)."""
    x, n, _ = drawn(2, 30, 0.4, 10.0, 40)
    found = beta_binomial_shrinkage(x, n).attrs

    def likelihood(mu, m):
        return betabinom.logpmf(x, n, mu * m, (1 - mu) * m).sum()

    best = max(
        likelihood(mu, m) for mu in np.arange(0.2, 0.6, 0.005) for m in np.geomspace(2, 500, 60)
    )
    assert likelihood(found["mu"], found["precision"]) >= best - 1e-6


def test_the_band_holds_the_truth_as_often_as_it_says():
    """80 % bands over 2,000 groups; plain rates are further off than shrunk ones."""
    x, n, p = drawn(3, 2000, 0.3, 15.0, 30)
    found = beta_binomial_shrinkage(x, n)
    held = ((found["low"] <= p) & (p <= found["high"])).mean()
    assert held == pytest.approx(0.80, abs=0.03)
    assert ((found["mean"] - p) ** 2).mean() < 0.8 * ((x / n - p) ** 2).mean()


def test_the_numbers_of_one_group_are_those_of_its_beta():
    """Mean, band, weight and chance to be above, from the distribution written out."""
    row = beta_posterior([7], [20], mu=0.25, precision=40, level=0.9).iloc[0]
    posterior = beta(0.25 * 40 + 7, 0.75 * 40 + 13)
    expected = [
        posterior.mean(),
        posterior.ppf(0.05),
        posterior.ppf(0.95),
        40 / 60,
        posterior.sf(0.25),
    ]
    assert row.tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("x", "n", "mean", "note"),
    [
        pytest.param(
            [5, 5, 5], [10, 10, 10], [0.5] * 3, "no evidence that the groups differ", id="equal"
        ),
        pytest.param(
            [0, 0], [8, 30], [0, 0], "no evidence that the groups differ", id="nothing won"
        ),
        pytest.param([8, 30], [8, 30], [1, 1], "no evidence that the groups differ", id="all won"),
        pytest.param([3], [9], [1 / 3], "not enough data: 1 group(s) with records", id="one group"),
        pytest.param(
            [3, 0], [9, 0], [1 / 3] * 2, "not enough data: 1 group(s) with records", id="one known"
        ),
        pytest.param(
            [0, 0], [0, 0], [np.nan] * 2, "not enough data: 0 group(s) with records", id="none"
        ),
        pytest.param([], [], [], "not enough data: 0 group(s) with records", id="no groups"),
    ],
)
def test_where_groups_do_not_differ_all_get_the_common_rate(x, n, mean, note):
    """And none is said to be above it."""
    found = beta_binomial_shrinkage(x, n)
    np.testing.assert_allclose(found["mean"], mean)
    assert found["p_above"].isna().all()
    assert found.attrs["note"] == note
    assert np.isinf(found.attrs["precision"])
    told = found.dropna(subset=["mean"])
    assert (told["low"] <= told["mean"]).all()
    assert (told["high"] >= told["mean"]).all()


def test_a_group_without_records_gets_what_is_known_of_all():
    """Where groups differ it gets the common mean and a wide band."""
    found = beta_binomial_shrinkage([90, 10, 50, 0], [100, 100, 100, 0])
    assert found["mean"].iloc[3] == pytest.approx(found.attrs["mu"])
    assert found["weight"].iloc[3] == 1.0
    width = found["high"] - found["low"]
    assert width.iloc[3] > 3 * width.iloc[0]


@pytest.mark.parametrize(
    ("x", "n", "message"),
    [([1, 2], [3], "same length"), ([4], [3], "between 0 and n"), ([-1], [3], "between 0 and n")],
    ids=["lists of two lengths", "more won than tried", "below 0"],
)
def test_impossible_counts_are_refused(x, n, message):
    with pytest.raises(ValueError, match=message):
        beta_binomial_shrinkage(x, n)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"mu": 0, "precision": 5}, "mu = 0"), ({"mu": 0.5, "precision": 0}, "precision = 0")],
    ids=["share", "precision"],
)
def test_an_impossible_prior_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        beta_posterior([1], [3], **options)


def test_an_impossible_level_is_refused():
    """80 instead of 0.80 is the usual slip."""
    with pytest.raises(ValueError, match="level = 80"):
        beta_binomial_shrinkage([1], [3], level=80)


@pytest.fixture(scope="module")
def snap():
    return snapshot(random_walks(seed=6, count=200))


def test_a_win_rate_by_source_is_shrunk_by_its_counts(snap):
    """Same rows and columns first; then the plain rate, the weight and the chance to be above."""
    table = win_rate(snap, by="source")
    result = shrunk(table)
    found = beta_binomial_shrinkage(table["x"], table["n"])
    assert list(result) == [*table, "plain", "weight", "p_above"]
    np.testing.assert_allclose(result["value"], found["mean"])
    np.testing.assert_allclose(result["plain"], table["value"])
    assert result[["source", "x", "n"]].equals(table[["source", "x", "n"]])
    assert all(found.attrs["note"] in note for note in result["note"])


def test_periods_and_stages_are_not_compared_with_each_other(snap):
    """Each month, and each stage, is shrunk for itself; rows keep their order."""
    monthly = win_rate(snap, by="source", every="quarter")
    result = shrunk(monthly)
    one = monthly["period"] == monthly["period"].iloc[0]
    pd.testing.assert_frame_equal(
        result[one],
        shrunk(monthly[one].drop(columns="period")).pipe(
            lambda alone: alone.assign(period=monthly.loc[one, "period"])[list(result)]
        ),
    )
    staged = stage_conversion(snap, by="source")
    by_stage = shrunk(staged)
    assert by_stage.index.tolist() == staged.index.tolist()
    first = staged["stage_id"] == "S1"
    np.testing.assert_allclose(by_stage.loc[first, "value"], shrunk(staged[first])["value"])


def test_open_deals_are_no_failures_when_shrunk():
    """A cohort rate of 0.5 that 100 deals, 60 of them open, are worth counts as 40 records."""
    table = pd.DataFrame(
        {
            "source": ["a", "b"],
            "value": [0.5, 0.1],
            "low": 0.0,
            "high": 1.0,
            "x": [20, 10],
            "n": 100,
            "note": "",
        }
    )
    result = shrunk(table)
    np.testing.assert_allclose(
        result["value"], beta_binomial_shrinkage([20, 10], [40, 100])["mean"]
    )


def test_a_group_without_a_rate_gets_the_common_one_and_says_so():
    table = pd.DataFrame(
        {
            "owner": ["a", "b", "c"],
            "value": [0.9, 0.1, np.nan],
            "low": np.nan,
            "high": np.nan,
            "x": [45, 5, 0],
            "n": [50, 50, 0],
            "note": ["", "", "no_denominator: nothing to divide by"],
        }
    )
    row = shrunk(table).iloc[2]
    assert row["value"] == pytest.approx(0.5, abs=0.01)
    assert row["note"] == "no records of its own; no_denominator: nothing to divide by"


RATE = pd.DataFrame(
    {"owner": ["a"], "value": [0.5], "low": [0.0], "high": [1.0], "x": [1], "n": [2], "note": [""]}
)


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        pytest.param(RATE.drop(columns="x"), {}, r"lacks \['x'\]", id="no counts"),
        pytest.param(RATE.drop(columns="owner"), {}, "no groups to compare", id="no groups"),
        pytest.param(RATE.assign(value=12.5), {}, "expected a share", id="days"),
        pytest.param(RATE, {"within": "team"}, r"within=\['team'\]: no such column", id="within"),
    ],
)
def test_what_is_no_rate_by_groups_is_refused(table, options, message):
    with pytest.raises(TableError, match=message):
        shrunk(table, **options)


def test_within_compares_only_inside():
    """Two teams of very different rates: each is shrunk towards its own."""
    table = pd.DataFrame(
        {
            "owner": list("abcd"),
            "team": list("xxyy"),
            "value": [0.8, 0.9, 0.1, 0.2],
            "low": 0.0,
            "high": 1.0,
            "x": [8, 9, 1, 2],
            "n": 10,
            "note": "",
        }
    )
    assert shrunk(table, within="team")["value"].tolist() == pytest.approx([0.85, 0.85, 0.15, 0.15])
