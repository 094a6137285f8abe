"""Published cases of customer lifetimes; figures retyped, each with its source."""

import pandas as pd
import pytest
from companies import lines, snapshot

from kpi.recurring.lifetime import lifetime_value
from kpi.stats import fit_sbg


def test_v03_revenue_per_account_over_churn():
    """ARPA 100 at 5 % a month: 2,000 (ChartMogul); without churn there is none, never infinite."""
    rows = [(f"a{i}", 100, "2026-01-01", "2026-02-10" if i < 1 else None) for i in range(20)]
    row = lifetime_value(snapshot({"subscriptions": lines(*rows)}, as_of="2026-02-28")).iloc[0]
    assert (row["arpa"], row["monthly_churn"]) == (100, pytest.approx(0.05, abs=1e-12))
    assert row["simple"] == pytest.approx(2000.0, abs=1e-6)
    loyal = lines(*rows[1:])
    none = lifetime_value(snapshot({"subscriptions": loyal}, as_of="2026-02-28")).iloc[0]
    assert pd.isna(none["simple"])
    assert none["value"] == 100 * 60


def test_t15_shifted_beta_geometric_of_the_high_end_customers():
    """Alpha .668, beta 3.806; year 8: 46.0 %, where a constant churn says 32.5 % (Fader, Hardie 2007)."""
    fit = fit_sbg([100, 86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1])
    assert (fit.alpha, fit.beta) == pytest.approx((0.668, 3.806), abs=2e-3)
    assert fit.survival([8, 12]).tolist() == pytest.approx(
        [0.46047895880927414, 0.37804042018209144], abs=2e-3
    )
    assert pytest.approx(0.32520574684681214, abs=1e-9) == 0.869**8
    assert 10 * fit.log_likelihood == pytest.approx(-1611.16, abs=5e-3)
    assert fit.note == ""


def test_t16_shifted_beta_geometric_of_the_regular_customers():
    """Alpha .704, beta 1.182, log-likelihood -1680.27 (Fader, Hardie 2007)."""
    fit = fit_sbg([1000, 631, 468, 382, 326, 289, 262, 241])
    assert (fit.alpha, fit.beta) == pytest.approx((0.704, 1.182), abs=2e-3)
    assert fit.log_likelihood == pytest.approx(-1680.27, abs=5e-3)
