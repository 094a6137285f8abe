"""Published cases of cost per lead, payback and CLV:CAC; figures retyped, each with its source."""

import pandas as pd
import pytest
from companies import lines, snapshot

from kpi.acquisition.cost import cost_per_lead
from kpi.acquisition.payback import cac_payback
from kpi.acquisition.unit_economics import clv_to_cac


def costs(amount):
    """Cost of one month."""
    return pd.DataFrame({"month": ["2026-05-01"], "amount": [amount]})


@pytest.mark.parametrize("every", [pytest.param(None, id="S01 cost per lead"), "month"])
def test_cost_per_lead(every):
    """10,000 over 200 leads: 50 (Top MSP KPIs: sales and marketing)."""
    leads = pd.DataFrame({"lead_id": range(200), "created_at": "2026-05-10"})
    row = cost_per_lead(snapshot({"leads": leads, "costs": costs(10_000)}), every=every).iloc[0]
    assert row["value"] == pytest.approx(50, abs=1e-9)


def customers(count, mrr):
    """Build so many new customers of May 2026, and as many who pay alike and all stay, since 2020."""
    names = [f"c{i}" for i in range(count)]
    deals = pd.DataFrame(
        {"deal_id": names, "outcome": "won", "close_date": "2026-05-10", "mrr": mrr}
    )
    live = lines(*((f"older {name}", mrr, "2020-05-10", None) for name in names))
    return {"deals": deals.assign(account_id=names), "subscriptions": live}


@pytest.mark.parametrize(
    ("ratio", "band"),
    [
        pytest.param(0.8, "loses_money", id="S05 below one"),
        pytest.param(1.0, "break_even", id="S05 one"),
        pytest.param(3.0, "healthy", id="S05 three"),
        pytest.param(6.0, "maybe_underinvesting", id="S05 far above three"),
    ],
)
def test_bands_of_clv_to_cac(ratio, band):
    """Customers of 10 a month who all stay are worth 600 over 60 months (Top MSP KPIs)."""
    frames = customers(12, 10.0) | {"costs": costs(12 * 600 / ratio)}
    row = clv_to_cac(snapshot(frames), gross_margin=1).iloc[0]
    assert row["clv"] == pytest.approx(600, abs=1e-6)
    assert row["value"] == pytest.approx(ratio, abs=1e-9)
    assert row["band"] == band


@pytest.mark.parametrize(
    ("margin", "months"),
    [
        pytest.param(0.8, 6.0, id="V22 margin of 80 %"),
        pytest.param(0.5, 9.6, id="V22 margin of 50 %"),
    ],
)
def test_payback(margin, months):
    """CAC 2,400, ARPA 500 (aurarevenue.com, SaaS CAC payback)."""
    frames = customers(5, 500) | {"costs": costs(12_000)}
    row = cac_payback(snapshot(frames), gross_margin=margin).iloc[0]
    assert row[["cac", "arpa"]].tolist() == [2400.0, 500.0]
    assert row["value"] == pytest.approx(months, abs=1e-9)
