"""The shifted-beta-geometric model against sums, known parameters, and companies without churn."""

import numpy as np
import pytest

from kpi.stats.lifetime import Sbg, fit_sbg, fit_sbg_at_risk

FOREVER = np.arange(100_000)


def survivors_of(alpha, beta, count, periods):
    """Exact expected survivors of a cohort."""
    return count * Sbg(alpha, beta, 0.0).survival(np.arange(periods + 1))


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 2.0), (1.0, 1.0), (3.0, 20.0)])
def test_expected_survivors_give_back_their_parameters(alpha, beta):
    """A cohort that follows the model exactly."""
    fit = fit_sbg(survivors_of(alpha, beta, 10_000, 12))
    assert (fit.alpha, fit.beta) == pytest.approx((alpha, beta), rel=1e-3)
    assert fit.note == ""


def test_the_likelihood_is_that_of_its_formula():
    """Sum of n(t) log P(t) and of those alive, at the maximum and above its neighbours."""
    there = np.array([500.0, 400, 340, 310, 290])
    fit = fit_sbg(there)

    def likelihood(alpha, beta):
        survival = Sbg(alpha, beta, 0.0).survival(np.arange(len(there)))
        return -np.diff(there) @ np.log(-np.diff(survival)) + there[-1] * np.log(survival[-1])

    assert fit.log_likelihood == pytest.approx(likelihood(fit.alpha, fit.beta), rel=1e-9)
    for a, b in ((1.05, 1.0), (0.95, 1.0), (1.0, 1.05), (1.0, 0.95)):
        assert likelihood(fit.alpha * a, fit.beta * b) < fit.log_likelihood


def test_survival_is_the_product_of_retention():
    """And retention rises from one renewal to the next."""
    model = Sbg(0.7, 3.0, 0.0)
    renewals = np.arange(1, 30)
    assert np.cumprod(model.retention(renewals)) == pytest.approx(model.survival(renewals))
    assert (np.diff(model.retention(renewals)) > 0).all()


@pytest.mark.parametrize("discount", [0.0, 0.01, 0.2])
def test_a_lifetime_is_the_sum_of_survival(discount):
    """In closed form for ever, term by term up to a horizon, and from a later renewal on."""
    model = Sbg(3.5, 5.0, 0.0)
    weight = np.exp(-FOREVER * np.log1p(discount))
    assert model.lifetime(None, discount) == pytest.approx(
        model.survival(FOREVER) @ weight, rel=1e-6
    )
    assert model.lifetime(24, discount) == pytest.approx(
        model.survival(FOREVER[:24]) @ weight[:24], rel=1e-12
    )
    ahead = model.survival(FOREVER + 3) / model.survival(2)
    assert model.residual_lifetime(2, discount) == pytest.approx(ahead @ weight, rel=1e-6)


def test_a_lifetime_for_ever_may_have_no_end():
    """Alpha of 1 or less: those who stay, stay."""
    assert Sbg(1.0, 3.0, 0.0).lifetime() == float("inf")
    assert Sbg(0.668, 3.806, 0.0).lifetime(None, 0.1) == pytest.approx(5.922, abs=1e-3)


def test_customers_who_look_alike_are_said_to():
    """A constant churn rate fits as well, and the model gives the same curve."""
    fit = fit_sbg(1000 * 0.9 ** np.arange(11))
    assert "constant churn" in fit.note
    assert fit.survival([5, 10]).tolist() == pytest.approx([0.9**5, 0.9**10], rel=1e-3)


def test_one_renewal_cannot_tell_customers_apart():
    """Any alpha / (alpha + beta) of the right size fits: said, not invented."""
    fit = fit_sbg([100, 80])
    assert "constant churn" in fit.note
    assert fit.survival(1) == pytest.approx(0.8, rel=1e-6)


@pytest.mark.parametrize(
    ("survivors", "reason"),
    [([50, 50, 50], "seen to leave"), ([50, 0], "seen to stay"), ([50, 0, 0], "seen to stay")],
    ids=["nobody left", "all left", "all left, nobody after"],
)
def test_nothing_to_fit_is_said(survivors, reason):
    """No parameters, and why."""
    fit = fit_sbg(survivors)
    assert np.isnan([fit.alpha, fit.beta, fit.log_likelihood]).all()
    assert reason in fit.note


def test_staggered_customers_fit_as_one_cohort_does():
    """Counts at risk of two cohorts of one model, one followed for less long."""
    long, short = survivors_of(0.8, 4.0, 6000, 10), survivors_of(0.8, 4.0, 4000, 5)
    at_risk, lost = long[:-1].copy(), -np.diff(long)
    at_risk[:5] += short[:-1]
    lost[:5] -= np.diff(short)
    fit = fit_sbg_at_risk(at_risk, lost)
    assert (fit.alpha, fit.beta) == pytest.approx((0.8, 4.0), rel=1e-3)


@pytest.mark.parametrize(
    ("survivors", "message"),
    [
        ([10], "at the start and after each renewal"),
        ([10, 12], "never rise"),
        ([0, 0], "begin above 0"),
        ([10, -1], "0 or more"),
        ([10, float("nan")], "none missing"),
    ],
)
def test_impossible_survivors_are_refused(survivors, message):
    """The message says what is expected."""
    with pytest.raises(ValueError, match=message):
        fit_sbg(survivors)


@pytest.mark.parametrize(("at_risk", "lost"), [([5, 4], [1]), ([5], [6]), ([5], [-1])])
def test_impossible_counts_are_refused(at_risk, lost):
    """Unequal lengths, more lost than there were, negative counts."""
    with pytest.raises(ValueError, match="at_risk and lost"):
        fit_sbg_at_risk(at_risk, lost)
