"""Backtests: what was known then, what came since, and scores that can be worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from companies import snapshot as company
from companies import stages

from kpi.planning import PlanError
from kpi.planning.backtest import QUANTILES, backtest, scores, summary
from kpi.planning.forecasts import CAME, EXPECTED, MODELS, RATES, SIMPLE, STAGES, TRAILING

AS_OF = "2026-06-30"
BORN = pd.Timestamp("2024-07-01")
DAYS = 729


def made(n=900, seed=4, **changed):
    """Build a steady company: leads all the time, a fifth become deals, four in ten of these win."""
    rng = np.random.default_rng(seed)
    came = np.sort(rng.integers(0, DAYS, n))
    deal = rng.random(n) < 0.2
    at = came + rng.integers(1, 20, n)
    close = at + rng.integers(5, 60, n)
    won = rng.random(n) < 0.4
    deal &= at < DAYS
    over = deal & (close < DAYS)
    ids = np.flatnonzero(deal)
    day = BORN + pd.to_timedelta(np.arange(DAYS), unit="D")
    stage = np.where(over, np.where(won, "Won", "Lost"), "S1")
    deals = pd.DataFrame(
        {
            "deal_id": [f"d{i}" for i in ids],
            "lead_id": [f"l{i}" for i in ids],
            "stage_id": stage[ids],
            "created_at": day[at[ids]],
            "closed_at": [day[close[i]] if over[i] else None for i in ids],
            "mrr": 100.0,
            "amount": 1_200.0,
        }
    )
    moves = [("S1", at[ids]), (None, close[ids])]
    history = pd.concat(
        [
            pd.DataFrame(
                {
                    "object": "deal",
                    "record_id": deals["deal_id"],
                    "stage_id": stage[ids] if name is None else name,
                    "changed_at": [day[d] if d < DAYS else None for d in days],
                }
            )
            for name, days in moves
        ]
    ).dropna(subset="changed_at")
    leads = pd.DataFrame(
        {
            "lead_id": [f"l{i}" for i in range(n)],
            "created_at": day[came],
            "converted_at": [day[at[i]] if deal[i] else None for i in range(n)],
        }
    )
    frames = {"deals": deals, "history": history, "leads": leads}
    frames["stages"] = stages("S1", "Won", "Lost").assign(probability=[0.5, 1.0, 0.0])
    return frames | changed


@pytest.fixture(scope="module")
def steady():
    """The steady company, and its backtest from four dates."""
    snapshot = company(made(), as_of=AS_OF)
    dates = ["2024-07-05", "2025-06-30", "2025-09-30", "2025-12-31"]
    return snapshot, backtest(snapshot, dates, 6, draws=2_000)


def test_one_row_per_date_and_method(steady):
    """In order; actual and leads are those of the data today."""
    snapshot, table = steady
    assert len(table) == 4 * 5
    assert table["method"].tolist() == [*MODELS, *SIMPLE] * 4
    deals, leads = snapshot.deals.to_pandas(), snapshot.leads.to_pandas()
    for origin, part in table.groupby("origin"):
        first = pd.Timestamp(origin, tz="UTC") + pd.Timedelta(days=1)
        last = pd.Timestamp(part["last"].iloc[0], tz="UTC") + pd.Timedelta(days=1)
        won = deals[deals["closed_at"].between(first, last, inclusive="left")]
        assert part["actual"].unique().tolist() == [(won["stage_id"] == "Won").sum()]
        came = leads["created_at"].between(first, last, inclusive="left").sum()
        if part["forecast"].notna().any():
            assert part["leads"].unique().tolist() == [came]
    assert table["last"].unique().tolist()[-1] == pd.Timestamp("2026-06-30")


def test_a_date_without_a_model_is_listed_with_the_reason(steady):
    """Four days of history: nothing was ever won; it is scored for no method."""
    _, table = steady
    early = table[table["origin"] == "2024-07-05"]
    assert early["forecast"].isna().all()
    assert early["note"].str.startswith("no model can be fitted: ").all()
    assert early["note"].str.contains("won").all()
    assert early["actual"].notna().all()
    assert (table.attrs["summary"]["origins"] == 3).all()
    assert "from 1 no model could be fitted" in table.attrs["sentence"]


def test_nothing_later_than_the_date_is_used(steady):
    """All that came later taken away, but for leads: the forecast is the same to the last digit."""
    _, table = steady
    frames = made()
    cut = pd.Timestamp("2026-01-01")
    deals = frames["deals"]
    later = deals["closed_at"] >= cut
    deals.loc[later & (deals["stage_id"] == "Won"), "mrr"] = 9_999.0
    deals.loc[later, "stage_id"] = "Lost"
    frames["history"].loc[frames["history"]["changed_at"] >= cut, "stage_id"] = "Lost"
    again = backtest(company(frames, as_of=AS_OF), ["2025-12-31"], 6, draws=2_000)
    mine = table[table["origin"] == "2025-12-31"].reset_index(drop=True)
    shown = ["method", "forecast", "low80", "high80", "leads", "closed"]
    pd.testing.assert_frame_equal(mine[shown], again[shown])
    assert (again["actual"] == 0).all()


def test_a_steady_company_is_forecast_well(steady):
    """The mean is near what came; intervals are nested; the CRM's half of open deals is off."""
    _, table = steady
    ok = table[table["forecast"].notna()]
    assert (ok["low90"] <= ok["low80"]).all()
    assert (ok["low80"] <= ok["low50"]).all()
    assert (ok["low50"] <= ok["high50"]).all()
    assert (ok["high50"] <= ok["high80"]).all()
    assert (ok["high80"] <= ok["high90"]).all()
    scored = table.attrs["summary"].set_index("method")
    assert abs(scored.loc[CAME, "bias"]) < 0.25
    assert abs(scored.loc[EXPECTED, "bias"]) < 0.25
    assert scored.loc[STAGES, "bias"] < -0.3
    assert scored.loc[CAME, "pinball"] < scored.loc[STAGES, "pinball"]
    assert scored.loc[CAME, "covered90"] >= scored.loc[CAME, "covered50"]


def test_the_simple_methods_are_those_of_a_spreadsheet(steady):
    """Worked out anew from the tables, within the error of 2,000 Poisson draws."""
    snapshot, table = steady
    origin = "2025-12-31"
    rows = table[table["origin"] == origin].set_index("method")
    now = pd.Timestamp("2026-01-01", tz="UTC")
    deals, leads = snapshot.deals.to_pandas(), snapshot.leads.to_pandas()
    closed = deals[deals["closed_at"] < now]
    is_open = (deals["created_at"] < now) & ~(deals["closed_at"] < now)
    won = closed["stage_id"] == "Won"
    recent = won & (closed["closed_at"] >= pd.Timestamp("2025-07-01", tz="UTC"))
    ahead = 181 / 30.4375
    converted = (leads["converted_at"] < now).sum() / (leads["created_at"] < now).sum()
    expected = {
        STAGES: is_open.sum() * 0.5,
        TRAILING: recent.sum() / 6 * ahead,
        RATES: rows.loc[RATES, "leads"] * converted * won.mean(),
    }
    for method, mean in expected.items():
        assert rows.loc[method, "forecast"] == pytest.approx(mean, abs=4 * math.sqrt(mean / 2_000))


def test_revenue_is_forecast_too(steady):
    """Every win brings 100 a month: revenue is a hundred times the wins."""
    snapshot, table = steady
    found = backtest(snapshot, ["2025-12-31"], 6, of="new_mrr", draws=2_000)
    wins = table[table["origin"] == "2025-12-31"].reset_index(drop=True)
    np.testing.assert_allclose(found["forecast"], 100 * wins["forecast"])
    np.testing.assert_allclose(found["crps"], 100 * wins["crps"])
    assert (found["actual"] == 100 * wins["actual"]).all()
    assert "new recurring revenue" in found.attrs["sentence"]


def test_deals_without_leads_and_a_part_of_a_month():
    """The funnel begins with deals; from mid-month, the first month is its rest."""
    frames = made()
    frames = {name: frames[name] for name in ("deals", "history", "stages")}
    frames["deals"] = frames["deals"].drop(columns="lead_id")
    snapshot = company(frames, as_of=AS_OF)
    table = backtest(snapshot, ["2025-12-15"], 3, draws=500)
    created = snapshot.deals.to_pandas()["created_at"]
    span = [pd.Timestamp(day, tz="UTC") for day in ("2025-12-16", "2026-03-01")]
    assert (table["leads"] == created.between(*span, inclusive="left").sum()).all()
    assert table["last"].unique().tolist() == [pd.Timestamp("2026-02-28")]
    rows = table.set_index("method")
    assert rows.loc[CAME, "forecast"] > 0
    assert rows.loc[EXPECTED, "note"].startswith("the data of that date does not have")
    assert table.attrs["summary"].set_index("method").loc[EXPECTED, "origins"] == 0


def test_scores_by_hand():
    """Five equally likely values: places, losses and CRPS worked out on paper."""
    found = scores(np.array([4.0, 1.0, 3.0, 2.0, 5.0]), 4.0)
    assert (found["low50"], found["high50"]) == (2.0, 4.0)
    assert (found["low80"], found["high80"], found["low90"], found["high90"]) == (1, 5, 1, 5)
    at = dict(zip(QUANTILES, [1, 1, 2, 3, 4, 5, 5], strict=True))
    loss = [q * (4 - v) if v <= 4 else (1 - q) * (v - 4) for q, v in at.items()]
    assert found["pinball"] == pytest.approx(np.mean(loss))
    assert found["crps"] == pytest.approx((0 + 3 + 1 + 2 + 1) / 5 - 0.5 * 40 / 25)
    sure = scores(np.full(3, 7.0), 9.0)
    assert sure["crps"] == pytest.approx(2.0)


def test_the_summary_by_hand():
    """Two dates: one inside all intervals, one above them; bias is relative to the mean."""
    rows = []
    for actual, forecast in ((10.0, 11.0), (30.0, 15.0)):
        ends = {f"{e}{b}": v for b in (50, 80, 90) for e, v in (("low", 8.0), ("high", 20.0))}
        rows.append({"method": CAME, "forecast": forecast, "actual": actual, **ends})
    found = summary(pd.DataFrame(rows).assign(pinball=[1.0, 3.0], crps=[2.0, 4.0]))
    row = found.set_index("method").loc[CAME]
    assert (row["origins"], row["covered50"], row["covered90"]) == (2, 0.5, 0.5)
    assert (row["pinball"], row["crps"], row["bias"]) == (2.0, 3.0, pytest.approx(-7 / 20))
    assert found.set_index("method").loc[STAGES, "origins"] == 0


@pytest.mark.parametrize(
    ("origins", "options", "message"),
    [
        pytest.param([], {}, "origins is empty", id="no date"),
        pytest.param(["2026-03-31"], {}, "the data ends on 2026-06-30", id="too late"),
        pytest.param(["2025-03-31"], {"horizon": 0}, "expected 1 to 60", id="no horizon"),
        pytest.param(["2025-03-31"], {"of": "deals"}, "expected 'wins' or 'new_mrr'", id="of what"),
    ],
)
def test_what_cannot_be_tested_is_refused(steady, origins, options, message):
    """In a sentence that says what to do."""
    with pytest.raises(PlanError, match=message):
        backtest(steady[0], origins, **options)
