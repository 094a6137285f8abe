"""First meetings with new companies, and contacts targeted."""

import numpy as np
import pandas as pd
import pytest
from companies import snapshot

from kpi import TableError
from kpi.activity.appointments import appointments
from kpi.activity.suspects import suspects_added
from kpi.stats import jeffreys
from kpi.trace import trace


def meetings(*rows):
    """Build meetings from (company, day it starts, outcome), booked five days before."""
    frame = pd.DataFrame(rows, columns=["account_id", "starts_at", "outcome"])
    starts = pd.to_datetime(frame["starts_at"])
    ids = [f"m{i}" for i in range(len(rows))]
    return frame.assign(meeting_id=ids, booked_at=starts - pd.Timedelta(days=5), starts_at=starts)


def told(frames, **options):
    """Value, held and booked of one row."""
    row = appointments(snapshot(frames), **options).iloc[0]
    return row["value"], row["held"], row["booked"]


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        pytest.param([("A", "2026-02-01", "held")], (1, 1, 1), id="held"),
        pytest.param(
            [("A", "2026-02-01", "held"), ("A", "2026-02-09", "held")], (1, 1, 1), id="first only"
        ),
        pytest.param(
            [("A", "2026-02-09", "held"), ("A", "2026-02-01", "no_show")],
            (1, 1, 2),
            id="held at the second try",
        ),
        pytest.param([("A", "2026-02-01", "cancelled")], (0, 0, 1), id="cancelled"),
        pytest.param(
            [("A", "2026-02-01", "held"), ("A", "2026-02-09", "no_show")],
            (1, 1, 1),
            id="missed later: not a first meeting",
        ),
        pytest.param(
            [("A", "2026-02-01", "held"), ("B", "2026-02-01", "held"), ("B", "2026-02-02", None)],
            (2, 2, 2),
            id="two companies",
        ),
        pytest.param(
            [("A", "2026-02-01", "held"), ("B", "2026-03-01", None)], (1, 1, 1), id="not told"
        ),
        pytest.param(
            [("A", "2026-02-01", "held"), ("B", "2026-07-09", "held")], (1, 1, 1), id="lies ahead"
        ),
    ],
)
def test_the_first_meeting_held_with_a_company_counts(rows, counts):
    """Value, held, booked."""
    frames = {"meetings": meetings(*rows)}
    assert told(frames) == counts
    assert told({"meetings": frames["meetings"].iloc[::-1]}) == counts


def test_meetings_without_an_outcome_are_not_taken_as_held():
    """The note counts them; where none has an outcome, there is no number."""
    some = [
        ("A", "2026-02-01", "held"),
        ("B", "2026-02-01", None),
        ("C", "2026-02-02", "scheduled"),
    ]
    row = appointments(snapshot({"meetings": meetings(*some)})).iloc[0]
    assert (row["value"], row["note"]) == (1, "2 without an outcome")
    none = appointments(snapshot({"meetings": meetings(*some[1:])})).iloc[0]
    assert np.isnan(none["value"])
    assert none["note"] == "not enough data: no meeting says what became of it (outcome)"
    assert np.isnan(none["show_rate"])


@pytest.mark.parametrize("by", ["deal", "subscription"])
@pytest.mark.parametrize(
    ("since", "value"), [("2026-01-31", 0), ("2026-02-01", 1), ("2026-03-01", 1)]
)
def test_a_company_that_was_a_customer_before_is_left_out(by, since, value):
    """A deal won, or a line begun, before the day of the meeting; the note counts them."""
    frames = {"meetings": meetings(("A", "2026-02-01", "held"), ("B", "2026-02-02", "no_show"))}
    if by == "deal":
        frames["deals"] = pd.DataFrame(
            {"deal_id": ["d"], "account_id": ["A"], "outcome": ["won"], "close_date": [since]}
        )
    else:
        frames["subscriptions"] = pd.DataFrame(
            {"subscription_id": ["s"], "account_id": ["A"], "mrr": [9.0], "starts_on": [since]}
        )
    row = appointments(snapshot(frames)).iloc[0]
    assert (row["value"], row["booked"]) == (value, value + 1)
    assert ("1 with customers left out" in row["note"]) is (value == 0)


@pytest.mark.parametrize(
    ("columns", "value"),
    [
        pytest.param({"lead_id": ["l0", "l1"]}, 1, id="two leads of one company"),
        pytest.param({"lead_id": ["l0", "l2"]}, 2, id="a lead of no company stands for itself"),
        pytest.param({"deal_id": ["d0", "d1"]}, 1, id="by the deal and the deal's lead"),
        pytest.param({"lead_id": ["l2", "l2"]}, 1, id="one lead twice"),
        pytest.param({"account_id": ["l2", None], "lead_id": [None, "l2"]}, 2, id="same letters"),
        pytest.param({}, 2, id="nothing known: each its own"),
    ],
)
def test_the_company_is_that_of_the_meeting_its_lead_or_its_deal(columns, value):
    """Two held meetings: of one company or of two."""
    met = meetings((None, "2026-02-01", "held"), (None, "2026-02-02", "held")).assign(**columns)
    leads = pd.DataFrame({"lead_id": ["l0", "l1", "l2"], "account_id": ["A", "A", None]})
    deals = pd.DataFrame(
        {"deal_id": ["d0", "d1"], "account_id": ["A", None], "lead_id": [None, "l1"]}
    )
    assert told({"meetings": met, "leads": leads, "deals": deals})[0] == value


def test_a_line_that_ended_before_it_began_made_nobody_a_customer():
    """A contract taken back: the KPI says so, and so does its SQL."""
    lines = pd.DataFrame(
        {
            "subscription_id": ["s"],
            "account_id": "A",
            "mrr": 50.0,
            "starts_on": "2026-01-10",
            "ends_on": ["2026-01-02"],
        }
    )
    snap = snapshot({"meetings": meetings(("A", "2026-02-01", "held")), "subscriptions": lines})
    assert appointments(snap)["value"].tolist() == [1]
    assert trace(snap, "appointments").agrees


def company_of_two_sources():
    """Meetings told by account, by lead, by deal, by none; leads and deals of two sources."""
    links = pd.DataFrame(
        [
            ("by account", "A", None, None, "x"),
            ("by lead", None, "L2", None, "x"),
            ("by deal", None, None, "D3", "y"),
            ("by the lead of its deal", None, None, "D4", "y"),
            ("of the other source", None, "L5", None, "x"),
            ("of nobody", None, None, None, "y"),
        ],
        columns=["meeting_id", "account_id", "lead_id", "deal_id", "owner_id"],
    )
    leads = pd.DataFrame(
        {
            "lead_id": ["L1", "L2", "L4", "L5"],
            "account_id": ["A", None, "E", None],
            "source": ["event", "event", "event", "web"],
            "created_at": "2026-01-02",
        }
    )
    deals = pd.DataFrame(
        {
            "deal_id": ["D3", "D4", "D5"],
            "lead_id": [None, "L4", "L5"],
            "source": ["event", "event", "web"],
            "region": ["north", "south", "south"],
            "outcome": "open",
            "created_at": "2026-01-03",
        }
    )
    links = links.assign(outcome="held", starts_at="2026-02-01", booked_at="2026-01-20")
    return {"meetings": links, "leads": leads, "deals": deals}


@pytest.mark.parametrize(
    ("filters", "value"),
    [
        pytest.param({}, 6, id="all"),
        pytest.param({"source": "event"}, 4, id="of leads and deals"),
        pytest.param({"source": "web"}, 1, id="the other source"),
        pytest.param({"region": "south"}, 2, id="only deals have it"),
        pytest.param({"region": "south", "source": "web"}, 1, id="two"),
        pytest.param({"owner": "x"}, 3, id="the seller of the meeting"),
        pytest.param({"source": "nowhere"}, None, id="nothing"),
    ],
)
@pytest.mark.parametrize("booked", [False, True])
def test_a_filter_narrows_meetings_by_their_company(filters, value, booked):
    """By the leads and deals of the company; the SQL says the same."""
    snap = snapshot(company_of_two_sources()).where(**filters)
    found = appointments(snap, booked=booked)["value"].iloc[0]
    assert found == value or (value is None and np.isnan(found))
    assert trace(snap, "appointments", booked=booked).agrees


def test_by_month_and_seller_the_meeting_counts_where_it_was_held():
    """The seller of the first held meeting, in its month; nothing is a zero, to date is marked."""
    rows = [
        ("A", "2026-01-31", "no_show"),
        ("A", "2026-03-02", "held"),
        ("B", "2026-01-09", "held"),
    ]
    frame = meetings(*rows).assign(owner_id=["1", "2", "1"])
    table = appointments(
        snapshot({"meetings": frame}, as_of="2026-03-20"), by="owner", every="month"
    )
    assert table["value"].tolist() == [1, 0, 0, 0, 0, 1]
    assert table["booked"].tolist() == [2, 0, 0, 0, 0, 1]
    assert table["show_rate"].tolist()[0] == 0.5
    assert table["note"].tolist() == ["", "", "to date"] * 2
    low, high = (float(limit) for limit in jeffreys(1, 2))
    assert table.loc[0, ["show_low", "show_high"]].tolist() == pytest.approx([low, high])


def test_booked_meetings_count_on_the_day_of_booking():
    """The first booking of each company, also when it lies ahead or was missed."""
    rows = [
        ("A", "2026-02-03", "no_show"),
        ("A", "2026-02-20", "held"),
        ("B", "2026-07-03", "scheduled"),
    ]
    table = appointments(snapshot({"meetings": meetings(*rows)}), booked=True, every="month")
    assert table["value"].tolist() == [1, 0, 0, 0, 0, 1]
    assert table["booked"].tolist() == [1, 1, 0, 0, 0, 0]
    assert table["held"].tolist() == [0, 1, 0, 0, 0, 0]
    assert told({"meetings": meetings(*rows)}, booked=True) == (2, 1, 2)


def test_a_meeting_booked_later_is_not_known_yet():
    """Rewinding is never having known it."""
    frame = meetings(("A", "2026-02-03", "held"), ("B", "2026-05-03", "held"))
    then = snapshot({"meetings": frame}).at("2026-03-01")
    assert appointments(then)["value"].tolist() == [1]
    assert appointments(then, booked=True)["value"].tolist() == [1]


def test_the_share_in_profile_is_of_those_known():
    """Any lead in profile makes its company fit; what is not known is neither."""
    frame = meetings(*[(a, "2026-02-03", "held") for a in "ABCD"])
    leads = pd.DataFrame(
        {
            "lead_id": list("vwxyz"),
            "account_id": list("AABCD"),
            "in_profile": [False, True, False, None, True],
        }
    )
    row = appointments(snapshot({"meetings": frame, "leads": leads}), level=0.9).iloc[0]
    assert (row["in_profile"], row["in_profile_share"]) == (2, pytest.approx(2 / 3))
    low, high = (float(limit) for limit in jeffreys(2, 3, 0.9))
    assert (row["in_profile_low"], row["in_profile_high"]) == pytest.approx((low, high))
    without = appointments(snapshot({"meetings": frame})).iloc[0]
    assert np.isnan(without["in_profile_share"])


def test_fiscal_quarters_and_the_time_zone_are_the_companys():
    """A meeting of ten past midnight in Berlin on 1 February."""
    frame = meetings(("A", "2026-01-31T23:10Z", "held"))
    snap = snapshot({"meetings": frame}, time_zone="Europe/Berlin", fiscal_year_start=2)
    period = appointments(snap, every="quarter")["period"].iloc[0]
    assert period == pd.Timestamp("2026-02-01")


def test_no_meetings_are_no_zero():
    """The reason is said."""
    row = appointments(snapshot({"meetings": meetings()})).iloc[0]
    assert np.isnan(row["value"])
    assert row["note"] == "not enough data: no first-time meetings"


def suspects(*rows):
    """Build suspects from (seller, day)."""
    frame = pd.DataFrame(rows, columns=["owner_id", "added_at"])
    return frame.assign(suspect_id=[str(i) for i in range(len(rows))])


ADDED = [("1", "2026-01-05"), ("1", "2026-01-09"), ("2", "2026-01-09"), ("1", "2026-03-02")]


def test_suspects_are_counted_by_seller_and_month():
    """A month without any is a zero; the running one is marked."""
    snap = snapshot({"suspects": suspects(*ADDED)}, as_of="2026-03-20")
    table = suspects_added(snap, by="owner", every="month")
    assert table["value"].tolist() == [2, 0, 1, 1, 0, 0]
    assert table["note"].tolist() == ["", "", "to date"] * 2
    assert table["period"].dt.month.tolist() == [1, 2, 3] * 2


def test_suspects_per_seller_and_month():
    """Four contacts in three seller-months; one that nobody owns is in the count alone."""
    frame = suspects(*ADDED, (None, "2026-02-02"))
    row = suspects_added(snapshot({"suspects": frame})).iloc[0]
    assert (row["value"], row["seller_months"]) == (5, 3)
    assert row["per_seller_month"] == pytest.approx(4 / 3)
    year = suspects_added(snapshot({"suspects": frame}, fiscal_year_start=3), every="year")
    assert year["value"].tolist() == [4, 1]
    assert year["per_seller_month"].tolist() == [1.5, 1.0]
    assert year["period"].tolist() == [pd.Timestamp("2025-03-01"), pd.Timestamp("2026-03-01")]


def test_no_suspects_are_no_zero():
    """A table without rows says nothing."""
    row = suspects_added(snapshot({"suspects": suspects()})).iloc[0]
    assert np.isnan(row["value"])
    assert row["note"] == "not enough data: no suspects"


@pytest.mark.parametrize("kpi", [appointments, suspects_added])
def test_the_table_and_a_sensible_level_are_needed(kpi):
    """Named in the message."""
    with pytest.raises(TableError, match=rf"{kpi.__name__} needs the table"):
        kpi(snapshot({}))
    frames = {"meetings": meetings(("A", "2026-02-01", "held")), "suspects": suspects(*ADDED)}
    with pytest.raises(ValueError, match="level"):
        kpi(snapshot(frames), level=95)
    with pytest.raises(TableError, match="by='colour'"):
        kpi(snapshot(frames), by="colour")
