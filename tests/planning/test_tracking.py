"""Plan against actual: counts by the month of arrival, a colour only outside what chance explains."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from companies import snapshot

from kpi.planning import FunnelModel, Plan, PlanError, reverse_funnel, track

COLUMNS = ["month", "stage", "label", "plan", "low", "high", "actual", "mature", "status"]
QUARTER = {"start": "2027-01-01", "by": "2027-03-31"}


def plan(wins=12, **options):
    """Half of the leads become deals, half of these win, at once."""
    model = FunnelModel.assume(lead_conversion=0.5, win_rate=0.5, **options)
    return reverse_funnel(model, wins=wins, **QUARTER)


def company(leads, deals, won, as_of="2027-03-31"):
    """So many leads, deals (of the first leads) and wins (of the first deals) in each month."""
    lead_rows, deal_rows = [], []
    months = pd.date_range("2027-01-01", periods=len(leads), freq="MS")
    for month, n, d, w in zip(months, leads, deals, won, strict=True):
        lead_rows += [(f"{month:%m}-{i}", month + pd.Timedelta(days=3)) for i in range(n)]
        for i in range(d):
            close = month + pd.Timedelta(days=20)
            deal_rows.append((f"{month:%m}-{i}", month + pd.Timedelta(days=5), i < w, close))
    lead = pd.DataFrame(lead_rows, columns=["lead_id", "created_at"])
    deal = pd.DataFrame(deal_rows, columns=["lead_id", "created_at", "won", "close_date"])
    deal["deal_id"] = "d" + deal["lead_id"]
    deal["outcome"] = np.where(deal["won"], "won", "lost")
    return snapshot({"leads": lead, "deals": deal.drop(columns="won")}, as_of=as_of)


def test_counts_by_month_and_stage():
    """One row a month and stage of the plan, in its order; what reached the stage in the month."""
    made = plan()
    found = track(made, company([30, 20, 10], [10, 8, 4], [5, 4, 3]))
    assert list(found.columns) == COLUMNS
    assert found[["month", "stage"]].equals(made.table[["month", "stage"]])
    wide = found.pivot_table(index="month", columns="stage", values="actual")
    assert wide["leads"].tolist() == [30, 20, 10]
    assert wide["deals"].tolist() == [10, 8, 4]
    assert wide["won"].tolist() == [5, 4, 3]
    assert found["mature"].all()
    assert (found["low"] <= found["plan"]).all()
    assert (found["plan"] <= found["high"]).all()


def test_a_status_only_outside_the_band():
    """Inside, nothing is said; below and above it is."""
    made = plan()
    first = made.table.set_index(["stage", "month"])["need"][("leads", "2027-01-01")]
    n = round(first)
    found = track(made, company([n, n * 3, 1], [n // 2, 1, 1], [n // 4, 1, 1]))
    status = found.pivot_table(index="month", columns="stage", values="status", aggfunc="first")
    assert status["leads"].tolist() == ["on plan", "above", "below"]
    assert status.iloc[0].tolist() == ["on plan"] * 3
    outside = (found["actual"] < found["low"]) | (found["actual"] > found["high"])
    assert ((found["status"] != "on plan") == outside).all()


def test_a_month_still_running_is_too_early():
    """It has a count and no status; a month that has not begun has no count either."""
    whole = company([30, 20, 10], [10, 8, 4], [5, 4, 3])
    found = track(plan(), whole.at("2027-02-10"))
    by_month = found.groupby("month")
    assert by_month["mature"].first().tolist() == [True, False, False]
    assert (found.loc[~found["mature"], "status"] == "too early").all()
    assert "too early" not in set(found.loc[found["mature"], "status"])
    assert by_month["actual"].apply(lambda a: a.notna().all()).tolist() == [True, True, False]
    february = found[(found["month"] == "2027-02-01") & (found["stage"] == "leads")]
    assert february["actual"].tolist() == [20]


def test_what_is_later_than_the_plan_does_not_count():
    """A year on, the plan's months are as they were on its last day."""
    whole = company([30, 20, 10, 40], [10, 8, 4, 9], [5, 4, 3, 2], as_of="2027-12-31")
    then = company([30, 20, 10], [10, 8, 4], [5, 4, 3])
    pd.testing.assert_frame_equal(track(plan(), whole), track(plan(), then))


def test_a_plan_read_from_its_file_is_tracked_alike(tmp_path):
    """To the last digit."""
    made, now = plan(), company([30, 20, 10], [10, 8, 4], [5, 4, 3])
    read = Plan.load(made.freeze(tmp_path / "plan.toml"))
    pd.testing.assert_frame_equal(track(read, now), track(made, now), check_exact=True)


def test_a_plan_that_has_not_begun_is_refused():
    """There is nothing to compare."""
    before = company([30], [10], [5], as_of="2027-01-31").at("2026-12-31")
    with pytest.raises(PlanError, match="begins on 2027-01-01"):
        track(plan(), before)


def test_data_without_leads_cannot_track_a_plan_of_leads():
    """It names what is missing, and what there is."""
    deals = company([30], [10], [5]).deals.to_pandas()
    with pytest.raises(PlanError, match=r"\['leads'\].*'deals', 'won'"):
        track(plan(), snapshot({"deals": deals}, as_of="2027-03-31"))


def test_the_band_holds_four_in_five_months_of_chance():
    """Poisson wins at the planned rate: 80 % or somewhat more (whole numbers) lie inside."""
    made = plan(wins=60)
    won = track(made, company([1], [1], [1])).query("stage == 'won'")
    rng = np.random.default_rng(1)
    inside = []
    for row in won.itertuples():
        came = rng.poisson(row.plan, 20_000)
        inside.append(((came >= row.low) & (came <= row.high)).mean())
    assert all(0.79 < share < 0.90 for share in inside)


def test_other_definitions_and_filters_are_said():
    """The numbers are given, with a word of caution."""
    data = company([30, 20, 10], [10, 8, 4], [5, 4, 3], as_of="2027-03-31")
    made = reverse_funnel(FunnelModel.fit(data.at("2027-02-28")), wins=5, by="2027-04-30")
    assert track(made, data).attrs["notes"] == ()
    other = data.under(type(data.definitions)(fiscal_year_start=7))
    assert any("definitions" in note for note in track(made, other).attrs["notes"])


def test_leads_that_come_erratically_have_a_wider_band():
    """A company whose months vary more than chance does not see colour on every one of them."""
    made, came = plan(), company([30, 20, 10], [10, 8, 4], [5, 4, 3])
    calm, wild = track(made, came), track(replace(made, lead_size=4.0), came)
    leads = calm["stage"] == "leads"
    assert (wild.loc[leads, "high"] > calm.loc[leads, "high"]).all()
    assert (wild.loc[leads, "low"] < calm.loc[leads, "low"]).all()
    assert wild.loc[~leads, "high"].equals(calm.loc[~leads, "high"])
