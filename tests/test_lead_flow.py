"""Leads created, leads qualified, and how fast that grows."""

import numpy as np
import pandas as pd
import pytest
from companies import snapshot
from scipy.stats import binomtest

from kpi import TableError
from kpi.definitions import Count
from kpi.leads.flow import leads_created, mqls_created
from kpi.leads.growth import growth_limits, lead_velocity_rate

MQL = {"mql": Count("leads", "status", ("MQL",))}


def leads(*days, **columns):
    """Build leads of the days given."""
    ids = [f"l{i}" for i in range(len(days))]
    return pd.DataFrame({"lead_id": ids, "created_at": list(days), **columns})


def months(**counts):
    """Build so many leads in the months of 2026 (``m1=40, m2=46``)."""
    return leads(*[f"2026-{m[1:]:0>2}-10" for m, n in counts.items() for _ in range(n)])


def test_leads_are_counted_by_the_month_they_came_in():
    """A month without any is a true zero; the running one is marked; an undated lead is in none."""
    frame = leads("2026-01-05", "2026-01-31 23:50", "2026-03-01", None)
    snap = snapshot({"leads": frame}, as_of="2026-04-15")
    table = leads_created(snap, every="month")
    assert table["value"].tolist() == [2, 0, 1, 0]
    assert table["note"].tolist() == ["", "", "", "to date"]
    assert leads_created(snap)["value"].tolist() == [4]
    assert table[["low", "high"]].isna().all(axis=None)


def test_the_month_that_ends_on_the_as_of_date_is_whole():
    """The last day of March is known to its end."""
    table = leads_created(
        snapshot({"leads": leads("2026-03-31")}, as_of="2026-03-31"), every="month"
    )
    assert table["note"].tolist() == [""]


def test_the_shares_of_the_sources_are_those_of_each_period():
    """The source mix; leads without a source are a group of their own."""
    frame = leads(*["2026-01-05"] * 4, "2026-02-05", source=["web", "web", "event", None, "web"])
    table = leads_created(
        snapshot({"leads": frame}, as_of="2026-03-31"), by="source", every="month"
    )
    shares = table.pivot_table(
        index="period", columns="source", values="share", dropna=False, observed=False
    )
    assert shares.iloc[0].tolist() == [0.25, 0.5, 0.25]
    assert shares["web"].tolist()[:2] == [0.5, 1.0]
    assert table.loc[table["period"] == "2026-03-01", "share"].isna().all()


@pytest.mark.parametrize(
    ("account", "days", "by_month"),
    [
        pytest.param(["A", "A", "B"], [1, 2, 2], [1, 1], id="the first of each company"),
        pytest.param([None, None, None], [1, 1, 2], [2, 1], id="no company: each counts"),
        pytest.param(["A", "A", "A"], [2, 1, 2], [1, 0], id="whatever their order in the file"),
        pytest.param(["A", "A", "A"], [None, 2, None], [1], id="a dated lead goes first"),
    ],
)
def test_companies_can_be_counted_once(account, days, by_month):
    """A company that comes back is no new lead; before deduping, ``n`` has them all."""
    dates = [None if m is None else f"2026-{m:02}-05" for m in days]
    snap = snapshot({"leads": leads(*dates, account_id=account)}, as_of="2026-02-28")
    assert leads_created(snap, dedupe="company", every="month")["value"].tolist() == by_month
    row = leads_created(snap, dedupe="company").iloc[0]
    assert (row["x"], row["n"]) == (sum(by_month), 3)


def test_fiscal_quarters_and_the_time_zone_are_the_companys():
    """Ten minutes past midnight of 1 February in Berlin is 31 January in UTC."""
    frame = leads("2026-01-31T23:10Z")
    berlin = snapshot({"leads": frame}, time_zone="Europe/Berlin", fiscal_year_start=2)
    assert leads_created(berlin, every="quarter")["period"].iloc[0] == pd.Timestamp("2026-02-01")
    utc = snapshot({"leads": frame})
    assert leads_created(utc, every="month")["period"].iloc[0] == pd.Timestamp("2026-01-01")


def test_no_leads_are_no_zero():
    """A table without rows says nothing about how many leads came in."""
    row = leads_created(snapshot({"leads": leads()})).iloc[0]
    assert np.isnan(row["value"])
    assert row["note"] == "not enough data: no leads"


def test_qualified_leads_are_dated_by_their_first_day():
    """From history; qualified again later counts once; by month and source."""
    history = pd.DataFrame(
        {
            "object": "lead",
            "record_id": ["l0", "l0", "l0", "l1"],
            "status": ["MQL", "new", "MQL", "MQL"],
            "changed_at": ["2026-02-03", "2026-02-10", "2026-03-03", "2026-03-09"],
        }
    )
    frame = leads(*["2026-01-05"] * 3, source=["web", "event", "web"])
    snap = snapshot({"leads": frame, "history": history}, as_of="2026-03-31", count=MQL)
    assert mqls_created(snap, every="month")["value"].tolist() == [1, 1]
    assert mqls_created(snap, by="source")["share"].tolist() == [0.5, 0.5]
    row = mqls_created(snap).iloc[0]
    assert (row["value"], row["x"], row["n"]) == (2, 2, 2)


def test_a_stage_of_deals_can_qualify_their_lead():
    """[count.sql] on deals: the lead of the deal counts once; a direct deal is no lead."""
    deals = pd.DataFrame(
        {
            "deal_id": ["a", "b", "c"],
            "lead_id": ["l0", "l0", None],
            "stage_id": "demo",
            "created_at": ["2026-03-01", "2026-02-01", "2026-02-01"],
        }
    )
    count = {"sql": Count("deals", "stage_id", ("demo",))}
    frames = {"leads": leads("2026-01-05", "2026-01-05"), "deals": deals}
    snap = snapshot(frames, as_of="2026-03-31", count=count)
    assert mqls_created(snap, what="sql", every="month")["value"].tolist() == [1, 0]


@pytest.mark.parametrize("options", [{}, {"by": "source"}, {"every": "month"}])
def test_without_a_definition_of_mql_there_is_no_number(options):
    """Not 0: the note says which setting to make."""
    snap = snapshot({"leads": leads("2026-01-05", source="web")}, as_of="2026-01-31")
    table = mqls_created(snap, **options)
    assert table["value"].isna().all()
    assert table["note"].tolist() == ["not enough data: set [count.mql] in the definitions"]
    assert (
        not mqls_created(snapshot({"leads": leads("2026-01-05", status="MQL")}, count=MQL))["value"]
        .isna()
        .any()
    )


def test_growth_is_against_the_month_before():
    """Whole months; from a month without leads there is no growth; into one it is -100 %."""
    snap = snapshot({"leads": months(m1=40, m2=50, m4=30)}, as_of="2026-04-30")
    table = lead_velocity_rate(snap, every="month")
    assert table["value"].tolist() == pytest.approx([np.nan, 0.25, -1, np.nan], nan_ok=True)
    assert table["x"].tolist() == [40, 50, 0, 30]
    assert table["n"].tolist() == [0, 40, 50, 0]
    assert table["note"].str.startswith("no_denominator").tolist() == [True, False, False, True]


def test_the_running_month_is_noted_and_not_compared():
    """By default the last whole month is compared; by month, the running one has its count."""
    snap = snapshot({"leads": months(m1=40, m2=50, m3=9)}, as_of="2026-03-20")
    assert lead_velocity_rate(snap)["value"].tolist() == [0.25]
    last = lead_velocity_rate(snap, every="month").iloc[-1]
    assert np.isnan(last["value"])
    assert np.isnan(last["high"])
    assert (last["x"], last["n"]) == (9, 50)
    assert last["note"].startswith("to date: not compared")


def test_growth_is_of_qualified_leads_where_they_are_defined():
    """The note says which leads grow; others can be asked for."""
    frame = months(m1=40, m2=44).assign(status=["MQL"] * 20 + ["new"] * 20 + ["MQL"] * 44)
    snap = snapshot({"leads": frame}, as_of="2026-02-28", count=MQL)
    row = lead_velocity_rate(snap).iloc[0]
    assert (row["x"], row["n"], row["value"]) == (44, 20, pytest.approx(1.2))
    assert "of mqls" in row["note"]
    assert lead_velocity_rate(snap, what="lead")["value"].tolist() == pytest.approx([0.1])
    plain = lead_velocity_rate(snapshot({"leads": frame}, as_of="2026-02-28"))
    assert "set [count.mql]" in plain["note"].iloc[0]


def test_before_a_whole_month_there_is_no_growth():
    """All leads of the running month: nothing to compare, by source neither."""
    snap = snapshot({"leads": months(m2=5).assign(source="web")}, as_of="2026-02-15")
    for options in ({}, {"by": "source"}):
        row = lead_velocity_rate(snap, **options).iloc[0]
        assert np.isnan(row["value"])
        assert row["note"].startswith("no_denominator")


def test_quarters_are_fiscal():
    """Quarter over quarter from February on."""
    frame = months(m2=10, m4=10, m5=30)
    snap = snapshot({"leads": frame}, as_of="2026-07-31", fiscal_year_start=2)
    assert lead_velocity_rate(snap, every="quarter")["value"].iloc[1] == pytest.approx(0.5)


@pytest.mark.parametrize(("x", "n"), [(46, 40), (3, 1), (0, 12), (250, 200)])
def test_the_limits_of_growth_are_those_of_an_exact_binomial_test(x, n):
    """Given the sum, the share of the later month is binomial; scipy's test inverts the same."""
    exact = binomtest(x, x + n).proportion_ci(0.9, method="exact")
    low, high = growth_limits(x, n, level=0.9)
    assert float(low) == pytest.approx(exact.low / (1 - exact.low) - 1)
    assert float(high) == pytest.approx(exact.high / (1 - exact.high) - 1)


def test_the_limits_of_growth_hold_the_truth_as_often_as_they_say():
    """Two Poisson months with true growth of 20 %: at least 95 % of 3,000 pairs, not all."""
    rng = np.random.default_rng(5)
    before, after = rng.poisson(40, 3000), rng.poisson(48, 3000)
    low, high = growth_limits(after, before)
    assert 0.95 <= ((low <= 0.2) & (high >= 0.2)).mean() < 0.99


@pytest.mark.parametrize(
    ("kpi", "options", "message"),
    [
        (leads_created, {"dedupe": "person"}, "dedupe='person'; expected 'company' or None"),
        (mqls_created, {"what": "lead"}, "what='lead'; expected one of"),
        (lead_velocity_rate, {"what": "deal"}, "what='deal'; expected one of"),
        (lead_velocity_rate, {"what": "sql"}, r"\[count.sql\] is not set"),
    ],
)
def test_an_unknown_option_is_refused(kpi, options, message):
    """With those there are."""
    with pytest.raises(TableError, match=message):
        kpi(snapshot({"leads": leads("2026-01-05")}), **options)


@pytest.mark.parametrize("kpi", [leads_created, mqls_created, lead_velocity_rate])
def test_an_impossible_level_is_refused(kpi):
    """95 instead of 0.95, though the count itself has no interval."""
    with pytest.raises(ValueError, match="level"):
        kpi(snapshot({"leads": leads("2026-01-05")}), level=95)
