"""Days until a lead becomes a deal, and until somebody reacts."""

import numpy as np
import pandas as pd
import pytest
from companies import snapshot

from kpi import TableError
from kpi.definitions import Count
from kpi.leads.times import lead_cycle_days
from kpi.stats import aalen_johansen

BORN = pd.Timestamp("2026-01-01")


def leads(*days, born=BORN):
    """Build leads of one day by the days until each converted; None: not yet."""
    turned = [None if n is None else BORN + pd.Timedelta(days=n) for n in days]
    ids = [f"l{i}" for i in range(len(days))]
    return pd.DataFrame({"lead_id": ids, "created_at": born, "converted_at": turned})


def random_leads(seed, count, share=0.3, mean=40):
    """Build leads over 180 days; what would happen after the as-of date is not known."""
    rng = np.random.default_rng(seed)
    born = BORN + pd.to_timedelta(rng.integers(0, 181, count), unit="D")
    turned = pd.Series(born + pd.to_timedelta(rng.exponential(mean, count).round(), unit="D"))
    known = (turned <= "2026-06-30") & (rng.random(count) < share)
    ids = [f"l{i}" for i in range(count)]
    return pd.DataFrame({"lead_id": ids, "created_at": born, "converted_at": turned.where(known)})


def test_it_is_the_day_on_which_the_incidence_reaches_half_its_height():
    """Against the curve worked out lead by lead."""
    frame = random_leads(1, 300)
    days = (frame["converted_at"].fillna(pd.Timestamp("2026-06-30")) - frame["created_at"]).dt.days
    curve = aalen_johansen(days, frame["converted_at"].notna())
    before = curve["survival"].shift(fill_value=1.0)
    tau = curve.index[before / curve["at_risk"] <= 0.1][-1]
    final = curve.loc[tau, "cif_1"]
    expected = curve.index[(curve["cif_1"] >= final / 2)][0]
    row = lead_cycle_days(snapshot({"leads": frame})).iloc[0]
    assert row["value"] == expected
    assert row["low"] <= row["value"] <= row["high"]
    assert row["n"] == 300
    assert f"by day {tau:.0f}" in row["note"]


def test_young_leads_do_not_shorten_it():
    """The median of those converted so far is too short; half of a gamma of mean 40 is by day 28."""
    row = lead_cycle_days(snapshot({"leads": random_leads(2, 4000)})).iloc[0]
    assert row["low"] <= 28 <= row["high"]
    assert row["simple_median"] < row["value"]


def test_twelve_that_all_converted_have_their_plain_median():
    """Nobody is censored, so nothing is cut off."""
    row = lead_cycle_days(snapshot({"leads": leads(*range(10, 130, 10))})).iloc[0]
    assert (row["value"], row["x"]) == (60, 12)


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_the_limits_hold_the_truth_as_often_as_they_say(share):
    """120 groups of 100 leads, some of them young: about 95 % hold the true median."""
    frame = random_leads(3, 12_000, share=share, mean=20)
    frame["source"] = np.arange(12_000) % 120
    table = lead_cycle_days(snapshot({"leads": frame.astype({"source": "str"})}), by="source")
    truth = 14  # first whole day by which half of an exponential of mean 20, rounded, is over
    held = ((table["low"] <= truth) & (truth <= table["high"])).mean()
    assert held >= 0.9


def test_the_same_data_has_the_same_limits_in_any_order():
    """The resamples are seeded and do not depend on the order of rows."""
    frame = random_leads(4, 200)
    mixed = frame.sample(frac=1, random_state=3)
    first = lead_cycle_days(snapshot({"leads": frame}))
    pd.testing.assert_frame_equal(first, lead_cycle_days(snapshot({"leads": mixed})))


@pytest.mark.parametrize(
    ("days", "level", "limits"),
    [
        pytest.param([10, 20, 30, 40, 50], 0.95, False, id="five cannot hold a median at 95 %"),
        pytest.param([10, 20, 30, 40, 50], 0.9, True, id="at 90 % they can"),
        pytest.param([10, 20, 30, 40, 50, 60], 0.95, True, id="six at 95 %"),
    ],
)
def test_few_conversions_have_no_limits(days, level, limits):
    """A percentile of resamples of too few would claim more than the data knows."""
    row = lead_cycle_days(snapshot({"leads": leads(*days)}), level=level).iloc[0]
    assert row["x"] == len(days)
    assert (not np.isnan(row["low"])) is limits
    assert row["note"].startswith("low_n")


def test_nothing_converted_has_no_time_and_says_so():
    """Not 0 days."""
    row = lead_cycle_days(snapshot({"leads": leads(*[None] * 12)})).iloc[0]
    assert np.isnan(row["value"])
    assert row["note"].startswith("not enough data: none has converted by day 180")
    assert row["n"] == 12


def test_by_month_and_source_each_cohort_is_its_own():
    """Leads of January and of February; a month without leads has a row with a reason."""
    frame = pd.concat([leads(10, 20, 30), leads(70, born="2026-03-01")], ignore_index=True)
    frame["lead_id"] = list("abcd")
    frame["source"] = "web"
    table = lead_cycle_days(
        snapshot({"leads": frame}, as_of="2026-03-31"), by="source", every="month"
    )
    assert table["value"].tolist() == pytest.approx([20, np.nan, 11], nan_ok=True)
    assert table["note"].iloc[1] == "no_denominator: no leads"


def test_the_window_of_an_export_is_allowed_for():
    """Conversions before the window are missing: entry is delayed, the rest left out and counted."""
    frame = random_leads(5, 2000, share=1.0)
    seen = frame["converted_at"].isna() | (frame["converted_at"] >= "2026-03-01")
    whole = lead_cycle_days(snapshot({"leads": frame}))["value"].iloc[0]
    naive = lead_cycle_days(snapshot({"leads": frame[seen]}))["value"].iloc[0]
    fair = lead_cycle_days(snapshot({"leads": frame[seen]}, window_start="2026-03-01"))
    assert abs(fair["value"].iloc[0] - whole) < abs(naive - whole)
    all_of_it = lead_cycle_days(snapshot({"leads": frame}, window_start="2026-03-01"))
    assert "before the window left out" in all_of_it["note"].iloc[0]


def answered(history=(), meetings=(), count=4, **options):
    """Build leads of noon, 1 January, with what was recorded of them."""
    ids = [f"l{i}" for i in range(count)]
    frame = pd.DataFrame({"lead_id": ids, "created_at": "2026-01-01 12:00"})
    names = ["record_id", "changed_at", "stage_id", "status", "owner_id"]
    changes = pd.DataFrame(history, columns=names).assign(object="lead")
    met = pd.DataFrame(meetings, columns=["lead_id", "booked_at", "starts_at"])
    met["meeting_id"] = [str(i) for i in range(len(met))]
    frames = {"leads": frame, "history": changes, "meetings": met}
    return snapshot(frames, as_of="2026-01-31", **options)


@pytest.mark.parametrize(
    ("history", "meetings", "hours"),
    [
        pytest.param([("l0", "2026-01-01 18:00", "called", None, None)], [], 6, id="a stage"),
        pytest.param([("l0", "2026-01-02 12:00", None, "Working", None)], [], 24, id="a status"),
        pytest.param([], [("l0", "2026-01-01 15:00", "2026-01-09")], 3, id="a meeting booked"),
        pytest.param([], [("l0", None, "2026-01-03 12:00")], 48, id="a meeting begun"),
        pytest.param(
            [("l0", "2026-01-05", "called", None, None)],
            [("l0", "2026-01-01 12:30", None)],
            0.5,
            id="the first of them",
        ),
        pytest.param(
            [("l0", "2026-01-01 12:00", "new", None, None)], [], None, id="the creation is none"
        ),
        pytest.param(
            [("l0", "2026-01-01 13:00", None, None, "7")], [], None, id="handing it over is none"
        ),
        pytest.param([], [("l0", None, "2026-02-09")], None, id="what lies ahead is none"),
    ],
)
def test_what_is_a_response(history, meetings, hours):
    """One lead; unanswered it is followed to the end of the as-of date."""
    row = lead_cycle_days(answered(history, meetings, count=1), to="response").iloc[0]
    assert row["value"] == pytest.approx(np.nan if hours is None else hours / 24, nan_ok=True)
    assert (row["x"], row["n"]) == (int(hours is not None), 1)
    if hours is None:
        assert row["note"].startswith("not enough data: fewer than half of 1 have had a response")


def test_leads_without_a_response_lengthen_the_median():
    """Two answered at once, one a day later, one never: the median of all four, not of three."""
    history = [
        ("l0", "2026-01-01 13:00", "called", None, None),
        ("l1", "2026-01-02 12:00", "called", None, None),
        ("l2", "2026-01-03 12:00", "called", None, None),
    ]
    row = lead_cycle_days(answered(history), to="response").iloc[0]
    assert row["value"] == 1.0
    assert (row["x"], row["n"], row["simple_median"]) == (3, 4, 1.0)
    two = lead_cycle_days(answered(history[1:]), to="response").iloc[0]
    assert (two["value"], two["simple_median"]) == (2.0, 1.5)


def test_a_conversion_is_a_response():
    """Whoever made the deal reacted."""
    frame = leads(2, None).iloc[:1]
    snap = snapshot({"leads": frame, "history": pd.DataFrame({"record_id": [], "changed_at": []})})
    assert lead_cycle_days(snap, to="response")["value"].tolist() == [2.0]


@pytest.mark.parametrize(
    ("frames", "options", "why"),
    [
        pytest.param({}, {}, "neither history nor meetings", id="nothing recorded"),
        pytest.param(
            {"history": pd.DataFrame({"record_id": [], "changed_at": []})},
            {"count": {"lead": Count("leads", "status", ("Working",))}},
            r"[count.lead] dates leads to the day only",
            id="the moment is not known",
        ),
    ],
)
def test_where_a_response_cannot_be_told_the_note_says_why(frames, options, why):
    """No value rather than a guess."""
    frame = leads(2).assign(status="Working")
    row = lead_cycle_days(snapshot({"leads": frame} | frames, **options), to="response").iloc[0]
    assert np.isnan(row["value"])
    assert why in row["note"]


def test_an_unknown_target_or_level_is_refused():
    """With those there are."""
    snap = snapshot({"leads": leads(2)})
    with pytest.raises(TableError, match="to='won'; expected 'deal' or 'response'"):
        lead_cycle_days(snap, to="won")
    with pytest.raises(ValueError, match="level"):
        lead_cycle_days(snap, level=95)
