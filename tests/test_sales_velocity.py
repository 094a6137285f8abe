"""Sales velocity: its four parts, which deals count, and limits that hold the truth."""

import numpy as np
import pandas as pd
import pytest
from companies import outcomes, snapshot

from kpi.deals.sales_velocity import PARTS, sales_velocity
from kpi.definitions import Count


def deals():
    """Two won in February after 36 days, one lost, two open; one won in 2024."""
    frame = outcomes(won=3, lost=1, open=2).assign(amount=[100.0, 300.0, 9000.0, 50.0, 1.0, 1.0])
    frame.loc[2, ["created_at", "close_date"]] = ["2024-01-05", "2024-02-05"]
    return frame


def test_the_four_parts():
    """Of the last twelve months; amounts of lost and open deals do not count."""
    row = sales_velocity(snapshot({"deals": deals()})).iloc[0]
    assert row[PARTS].tolist() == [2, pytest.approx(2 / 3), 200.0, 36.0]
    assert row["value"] == pytest.approx(2 * (2 / 3) * 200 / 36)
    assert (row["x"], row["n"]) == (2, 3)
    assert row["low"] < row["value"] < row["high"]
    assert "every deal taken as qualified; closed in the last 12 months" in row["note"]


def test_a_longer_window_takes_older_deals_in():
    """Thirty months reach back to February 2024."""
    row = sales_velocity(snapshot({"deals": deals()}), months=30).iloc[0]
    assert row["n"] == 4
    assert row["average_deal"] == pytest.approx(9400 / 3)


def test_worked_opportunities_are_open_or_closed_in_the_window():
    """Two open and three closed."""
    snap = snapshot({"deals": deals()})
    assert sales_velocity(snap, opportunities="worked")["opportunities"].iloc[0] == 5


def test_only_deals_that_count_as_sql_are_opportunities():
    """Where the definitions say what an SQL is among deals."""
    frame = deals().assign(segment=["yes", "no", "no", "yes", "yes", "no"])
    count = {"sql": Count("deals", "segment", ("yes",))}
    row = sales_velocity(snapshot({"deals": frame}, count=count)).iloc[0]
    assert (row["opportunities"], row["x"], row["n"], row["average_deal"]) == (1, 1, 2, 100.0)
    assert "every deal" not in row["note"]


def test_by_quarter_the_open_deals_are_those_of_its_end():
    """Created by then and not closed by then."""
    table = sales_velocity(snapshot({"deals": deals()}), every="quarter").set_index("period")
    assert table["opportunities"].tolist() == [0.0] * 8 + [2.0, 2.0]
    assert table.loc["2026-01-01", "value"] == pytest.approx(2 * (2 / 3) * 200 / 36)
    assert table.loc["2025-10-01", "note"].startswith("no_denominator: nothing closed")


def test_by_group_each_has_its_own_parts():
    """One seller wins, the other loses."""
    frame = deals().assign(owner_id=["a", "a", "a", "b", "a", "b"])
    table = sales_velocity(snapshot({"deals": frame}), by="owner").set_index("owner")
    assert table["opportunities"].to_dict() == {"a": 1, "b": 1}
    assert table["win_rate"].to_dict() == {"a": 1.0, "b": 0.0}
    assert np.isnan(table.loc["b", "value"])


@pytest.mark.parametrize(
    ("change", "note"),
    [
        pytest.param({"outcome": "open"}, "no_denominator: nothing closed", id="nothing closed"),
        pytest.param({"outcome": "lost"}, "not enough data: nothing won", id="nothing won"),
        pytest.param(
            {"amount": None}, "not enough data: no deal won has its amount", id="no amount"
        ),
        pytest.param({"created_at": None}, "not enough data: no deal won has both", id="no dates"),
        pytest.param(
            {"created_at": "2026-02-10"},
            "no_denominator: every deal was won on the day",
            id="same day",
        ),
    ],
)
def test_what_cannot_be_told_is_said(change, note):
    """Missing with the part that is missing."""
    frame = outcomes(won=3, lost=1, open=2).assign(amount=5.0)
    row = sales_velocity(snapshot({"deals": frame.assign(**change)})).iloc[0]
    assert np.isnan(row["value"])
    assert row["note"].startswith(note)


def test_what_is_left_out_of_an_average_is_said():
    """A won deal without amount, and one without a creation date."""
    frame = outcomes(won=3).assign(amount=[1.0, None, 3.0])
    frame.loc[2, "created_at"] = None
    note = sales_velocity(snapshot({"deals": frame}))["note"].iloc[0]
    assert "1 won without amount left out of the average" in note
    assert "1 won without usable dates left out of the days" in note


def test_limits_hold_the_true_velocity():
    """30 % won, lognormal amounts, exponential days, 40 groups of 60 deals with 10 open."""
    rng = np.random.default_rng(13)
    parts = []
    for i in range(60):
        frame = outcomes(won=60, open=10).assign(segment=f"g{i}")
        frame["outcome"] = [*np.where(rng.random(60) < 0.3, "won", "lost"), *["open"] * 10]
        days = pd.to_timedelta(rng.integers(1, 60, 70), unit="D")
        frame["created_at"] = pd.Timestamp("2026-02-10") - days
        parts.append(
            frame.assign(amount=rng.lognormal(5, 0.6, 70), deal_id=[f"{i}-{j}" for j in range(70)])
        )
    table = sales_velocity(snapshot({"deals": pd.concat(parts)}), by="segment")
    truth = 10 * 0.3 * np.exp(5 + 0.18) / 30
    assert ((table["low"] <= truth) & (truth <= table["high"])).mean() >= 0.88


def test_very_many_won_deals_are_drawn_as_normal_means():
    """2,500 distinct deals: close to the plain resampling of fewer, and quick."""
    rng = np.random.default_rng(14)
    frame = outcomes(won=2500, lost=2500, open=10)
    frame["amount"] = rng.lognormal(5, 0.6, len(frame))
    row = sales_velocity(snapshot({"deals": frame})).iloc[0]
    spread = 1.96 * row["value"] * np.sqrt(0.25 / 5000 / 0.25 + np.expm1(0.36) / 2500)
    assert row["high"] - row["low"] == pytest.approx(2 * spread, rel=0.15)
