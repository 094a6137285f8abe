"""Survival estimates against exact fractions, and against two independent packages."""

import warnings
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from sksurv.nonparametric import cumulative_incidence_competing_risks, kaplan_meier_estimator
from statsmodels.duration.survfunc import CumIncidenceRight

from kpi.stats import aalen_johansen, kaplan_meier, log_log_limits, median_time, restricted_mean
from kpi.stats.survival import at_age, first_reaching, last_age

SEEDS = range(200)


def tied(seed, causes=2, most=12):
    """Draw 2 to 60 subjects on few distinct days, day 0 among them, so that ties abound.

    Each cause occurs: the packages compared with refuse a sample that lacks one.
    """
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 61))
    durations = rng.integers(0, rng.integers(1, most) + 1, n)
    ended = rng.integers(0, causes + 1, n)
    ended[:causes] = range(1, causes + 1)
    return durations.astype("float64"), ended


def exact(durations, ended, entries, causes=2):
    """Aalen-Johansen in fractions, subject by subject: the definition, nothing clever."""
    survival, incidence, rows = Fraction(1), [Fraction(0)] * causes, {}
    for t in sorted({d for d, e in zip(durations, entries, strict=True) if e <= d}):
        subjects = list(zip(durations, ended, entries, strict=True))
        at_risk = sum(1 for d, _, e in subjects if e <= t <= d)
        here = [
            sum(1 for d, k, e in subjects if d == t and e <= t and k == c + 1)
            for c in range(causes)
        ]
        incidence = [
            f + survival * Fraction(d, at_risk) for f, d in zip(incidence, here, strict=True)
        ]
        survival *= 1 - Fraction(sum(here), at_risk)
        rows[t] = (at_risk, survival, list(incidence))
    return rows


def plain_variance(durations, ended, cause):
    """Aalen's variance of the final incidence, written out term by term."""
    times = np.unique(durations)
    survival, f, terms = 1.0, 0.0, []
    for t in times:
        n = int((durations >= t).sum())
        d = int(((durations == t) & (ended > 0)).sum())
        own = int(((durations == t) & (ended == cause)).sum())
        f += survival * own / n
        terms.append((n, d, own, survival, f))
        survival *= 1 - d / n
    total = 0.0
    for n, d, own, before, then in terms:
        ahead = f - then
        if (n - 1) * (n - d) > 0:
            total += ahead**2 * d / ((n - 1) * (n - d))
            total -= 2 * ahead * before * own * (n - own) / (n * (n - d) * (n - 1))
        if n > 1:
            total += before**2 * own * (n - own) / (n**2 * (n - 1))
    return total


@pytest.mark.parametrize("block", range(4))
def test_cumulative_incidence_equals_two_independent_packages(block):
    """On 200 samples with ties between causes and same-day events, to 1e-9."""
    for seed in SEEDS[block::4]:
        durations, ended = tied(seed)
        ours = aalen_johansen(durations, ended)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # theirs warn where variances divide by zero
            times, sksurv = cumulative_incidence_competing_risks(ended, durations)
            assert times.tolist() == ours.index.tolist()
            for k in range(1, len(sksurv)):
                np.testing.assert_allclose(ours[f"cif_{k}"], sksurv[k], rtol=0, atol=1e-9)
            theirs = CumIncidenceRight(durations, ended)
        for k, curve in enumerate(theirs.cinc, start=1):
            read = at_age(ours, f"cif_{k}", theirs.times, before=0.0)
            np.testing.assert_allclose(read, curve, rtol=0, atol=1e-9)


@pytest.mark.parametrize("cause", [1, 2])
def test_the_variance_equals_the_formula_written_out(cause):
    """The cumulative sums give, at the last time, what the double loop gives."""
    for seed in SEEDS:
        durations, ended = tied(seed)
        ours = aalen_johansen(durations, ended)
        plain = max(plain_variance(durations, ended, cause), 0.0)
        assert ours[f"var_{cause}"].iloc[-1] == pytest.approx(plain, abs=1e-12)


def test_the_limits_equal_scikit_survival_where_its_variance_is_defined():
    """Aalen's variance with log-log limits, as scikit-survival computes both, agrees to 1e-9."""
    compared = 0
    for seed in SEEDS[:60]:
        durations, ended = tied(seed)
        ours = aalen_johansen(durations, ended)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, curves, limits = cumulative_incidence_competing_risks(
                ended, durations, conf_type="log-log", var_type="Aalen"
            )
        low, high = log_log_limits(ours["cif_1"], ours["var_1"])
        at_risk = ours["at_risk"].to_numpy()
        gone = at_risk - pd.Series(durations).groupby(durations).size().to_numpy()
        fair = (ours["cif_1"] > 0) & (ours["cif_1"] < 1) & (np.minimum.accumulate(gone) > 0)
        fair = fair.to_numpy() & np.isfinite(limits[1]).all(axis=0)
        np.testing.assert_allclose(low[fair], limits[1][0][fair], atol=1e-9)
        np.testing.assert_allclose(high[fair], limits[1][1][fair], atol=1e-9)
        assert curves.shape[1] == len(ours)
        compared += int(fair.sum())
    assert compared > 100


def test_delayed_entry_equals_exact_fractions():
    """With entries before, at and after the first events; those never seen are left out."""
    for seed in SEEDS[:60]:
        durations, ended = tied(seed, most=6)
        entries = np.random.default_rng(seed + 1000).integers(0, 5, len(durations))
        whole = [int(d) for d in durations]
        rows = exact(whole, ended.tolist(), entries.tolist())
        curve = aalen_johansen(durations, ended, entries)
        assert curve.index.tolist() == list(rows)
        for t, (at_risk, survival, incidence) in rows.items():
            assert curve.loc[t, "at_risk"] == at_risk
            assert curve.loc[t, "survival"] == pytest.approx(float(survival), abs=1e-12)
            for k in (1, 2):
                if f"cif_{k}" in curve:
                    assert curve.loc[t, f"cif_{k}"] == pytest.approx(
                        float(incidence[k - 1]), abs=1e-12
                    )


def test_kaplan_meier_equals_two_independent_packages():
    """Survival, Greenwood variance and median, with ties, and survival with late entry, too."""
    for seed in SEEDS:
        durations, ended = tied(seed, causes=1)
        ours = kaplan_meier(durations, ended)
        times, survival = kaplan_meier_estimator(ended.astype(bool), durations)
        np.testing.assert_allclose(at_age(ours, "survival", times, 1.0), survival, atol=1e-12)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = sm.SurvfuncRight(durations, ended)
        np.testing.assert_allclose(
            at_age(ours, "survival", theirs.surv_times, 1.0), theirs.surv_prob, atol=1e-12
        )
        inside = theirs.surv_prob > 0
        np.testing.assert_allclose(
            np.sqrt(at_age(ours, "variance", theirs.surv_times, 0.0))[inside],
            theirs.surv_prob_se[inside],
            atol=1e-12,
        )


def test_one_cause_with_losses_censored_is_kaplan_meier():
    """Without competing causes, one minus Kaplan-Meier and cumulative incidence are the same."""
    for seed in SEEDS[:50]:
        durations, ended = tied(seed, causes=1)
        curve = aalen_johansen(durations, ended)
        np.testing.assert_allclose(
            1 - curve["cif_1"], kaplan_meier(durations, ended)["survival"], atol=1e-12
        )


@settings(derandomize=True, max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=40
    )
)
def test_survival_and_all_incidences_add_up_to_one(subjects):
    """For any durations, causes and entries; shares stay within 0 and 1 and never turn back."""
    durations, ended, entries = (np.array(part) for part in zip(*subjects, strict=True))
    curve = aalen_johansen(durations, ended, entries)
    shares = [c for c in curve if c.startswith("cif_")]
    np.testing.assert_allclose(curve["survival"] + curve[shares].sum(axis=1), 1, atol=1e-12)
    assert (curve[["survival", *shares]] >= -1e-12).all(axis=None)
    assert all(curve[share].is_monotonic_increasing for share in shares)
    assert (curve[[c for c in curve if c.startswith("var_")]] >= 0).all(axis=None)


def test_counts_stand_for_repeated_rows():
    """A row with count 3 is three rows; a count of 0 is none."""
    durations, ended = tied(7)
    times = np.random.default_rng(7).integers(0, 4, len(durations))
    repeated = aalen_johansen(np.repeat(durations, times), np.repeat(ended, times))
    pd.testing.assert_frame_equal(aalen_johansen(durations, ended, count=times), repeated)


@pytest.mark.parametrize("horizon", [0.5, 3, 7.25, 40])
def test_the_restricted_mean_is_the_area_under_the_curve(horizon):
    """Against numeric integration of the step curve, inside and beyond the data."""
    for seed in range(20):
        curve = kaplan_meier(*tied(seed, causes=1))
        knots = [t for t in curve.index if 0 < t < horizon]
        edges = [0.0, *knots, horizon]
        area = sum(
            quad(lambda age, c=curve: at_age(c, "survival", age, 1.0), a, b)[0]
            for a, b in pairwise(edges)
        )
        assert restricted_mean(curve, horizon) == pytest.approx(area, abs=1e-9)


def test_the_median_limits_hold_the_truth_as_often_as_they_say():
    """Of 400 samples from a known exponential, about 95 % have limits around the true median."""
    rng = np.random.default_rng(20261122)
    held = 0
    for _ in range(400):
        latent, open_at = rng.exponential(50, 80), rng.uniform(20, 200, 80)
        curve = kaplan_meier(np.minimum(latent, open_at), latent <= open_at)
        _, low, high = median_time(curve)
        held += low <= 50 * np.log(2) and not high < 50 * np.log(2)
    assert 0.92 <= held / 400 <= 0.985


def test_the_incidence_limits_hold_the_truth_as_often_as_they_say():
    """Of 400 samples from two known exponentials, about 95 % have limits around the true share."""
    rng = np.random.default_rng(20261122)
    truth = 0.4 * (1 - np.exp(-0.05 * 30))
    held = 0
    for _ in range(400):
        latent, open_at = rng.exponential(20, 120), rng.uniform(10, 90, 120)
        causes = np.where(rng.random(120) < 0.4, 1, 2)
        curve = aalen_johansen(np.minimum(latent, open_at), np.where(latent <= open_at, causes, 0))
        share, variance = (at_age(curve, c, [30.0], 0.0) for c in ("cif_1", "var_1"))
        low, high = log_log_limits(share, variance)
        held += bool(low[0] <= truth <= high[0])
    assert 0.92 <= held / 400 <= 0.98


def test_nothing_in_gives_a_table_without_rows():
    """No subjects: no times, yet the columns are there."""
    curve = aalen_johansen([], [])
    assert curve.empty
    assert list(curve) == ["at_risk", "survival", "cif_1", "var_1"]
    assert np.isnan(first_reaching(kaplan_meier([], []), "survival", 0.5))
    assert np.isnan(last_age(kaplan_meier([], [])))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(([1, 2], [1]), "same length", id="lengths"),
        pytest.param(([-1], [1]), "0 or more", id="negative duration"),
        pytest.param(([float("nan")], [1]), "never missing", id="missing duration"),
        pytest.param(([1], [-1]), "cause must be", id="negative cause"),
        pytest.param(([1], [1.5]), "cause must be", id="broken cause"),
        pytest.param(([1], [1], [float("nan")]), "entry and count", id="missing entry"),
    ],
)
def test_unusable_arrays_are_refused(arguments, message):
    """The message names what is wrong."""
    with pytest.raises(ValueError, match=message):
        aalen_johansen(*arguments)
