"""Quota attainment: who is credited, which quota a deal counts towards, how periods are cut."""

import numpy as np
import pandas as pd
import pytest
from companies import outcomes, snapshot
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kpi import TableError
from kpi.quota.attainment import owner_at_close, quota_attainment

QUICK = (Phase.explicit, Phase.generate)
WHEN = "2026-05-10"


def quotas(*rows):
    """Build quotas from (seller, first day, length, kind of business, product, amount)."""
    columns = ["owner_id", "period_start", "period", "deal_type", "product", "amount"]
    return pd.DataFrame(rows, columns=columns)


def monthly(seller, *amounts, first=1):
    """Quotas of one seller for months of 2026, for all business."""
    return [
        (seller, f"2026-{first + i:02}-01", "month", None, None, amount)
        for i, amount in enumerate(amounts)
    ]


def wins(*rows):
    """Build won deals from (closing day, seller, amount, kind of business, product)."""
    filled = [(*row, *("new", None)[len(row) - 3 :]) for row in rows]
    columns = ["close_date", "owner_id", "amount", "deal_type", "product"]
    frame = pd.DataFrame(filled, columns=columns)
    ids = [f"d{i}" for i in range(len(frame))]
    return frame.assign(deal_id=ids, outcome="won", created_at="2026-01-02")


def attained(deals, asked, *, options=None, **frames):
    """Run the KPI on deals and quotas."""
    snap = snapshot({"deals": deals, "quotas": asked} | frames)
    return quota_attainment(snap, **(options or {}))


def test_a_team_is_sum_over_sum():
    """Not the mean of 200 % and 10 %."""
    asked = quotas(*monthly("ann", 100, first=5), *monthly("bob", 900, first=5))
    deals = wins((WHEN, "ann", 200), (WHEN, "bob", 90))
    row = attained(deals, asked).iloc[0]
    assert row["value"] == 0.29
    assert row[["won", "quota"]].tolist() == [290.0, 1000.0]
    assert row[["x", "n", "sellers", "at_quota"]].tolist() == [2, 2, 2, 1]
    assert row["sellers_at_quota"] == 0.5
    assert np.isnan(row["low"])
    sellers = attained(deals, asked, options={"by": "owner"}).set_index("owner")
    assert sellers["value"].to_dict() == {"ann": 2.0, "bob": 0.1}
    assert sellers["at_quota"].to_dict() == {"ann": 1, "bob": 0}


def test_teams_and_managers_come_from_the_owners():
    """By a column of owners; a seller unknown there has no team."""
    asked = quotas(*monthly("ann", 100, first=5), *monthly("bob", 50, first=5))
    owners = pd.DataFrame({"owner_id": ["ann"], "team": ["East"], "manager": ["Mia"]})
    deals = wins((WHEN, "ann", 40), (WHEN, "bob", 50))
    table = attained(deals, asked, owners=owners, options={"by": "team"})
    assert table["value"].tolist() == [0.4, 1.0]
    assert table["team"].isna().tolist() == [False, True]
    both = attained(deals, asked, owners=owners, options={"by": ["team", "manager"]})
    assert both["value"].tolist() == [0.4, 1.0]
    with pytest.raises(TableError, match=r"needs the table\(s\) \['owners'\]"):
        attained(deals, asked, options={"by": "team"})


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        pytest.param("month", [100.0, 100.0, 100.0], id="month: a third each"),
        pytest.param("quarter", [300.0], id="quarter: as given"),
        pytest.param("year", [300.0], id="year: only what was asked so far"),
    ],
)
def test_a_quota_of_a_quarter_is_spread_over_its_months(every, expected):
    """Evenly, from the month of its first day."""
    asked = quotas(("ann", "2026-04-01", "quarter", None, None, 300))
    table = attained(wins((WHEN, "ann", 75)), asked, options={"every": every})
    assert table["quota"].tolist() == expected
    assert table["won"].sum() == 75


def test_a_quota_of_a_year_meets_fiscal_quarters():
    """With a fiscal year from February: a twelfth a month, November to January across the year."""
    asked = quotas(("ann", "2025-02-01", "year", None, None, 1200))
    frames = {"deals": wins(("2026-01-31", "ann", 330)), "quotas": asked}
    table = quota_attainment(snapshot(frames, fiscal_year_start=2), every="quarter")
    assert table["quota"].tolist()[:4] == [300.0] * 4
    assert table["period"].iloc[3] == pd.Timestamp("2025-11-01")
    assert table["value"].iloc[3] == 1.1


def test_the_shortest_of_several_quotas_for_the_same_counts():
    """A month's own figure goes before a twelfth of the year's; the other months keep theirs."""
    asked = quotas(("ann", "2026-01-01", "year", None, None, 1200), *monthly("ann", 500, first=5))
    table = attained(wins((WHEN, "ann", 1)), asked, options={"every": "month"})
    assert table["quota"].tolist() == [100.0, 100.0, 100.0, 100.0, 500.0, 100.0]


def test_a_quota_for_less_is_part_of_the_quota_for_more():
    """Not asked for twice; shown when cut by its column."""
    asked = quotas(
        ("ann", "2026-05-01", "month", None, None, 100),
        ("ann", "2026-05-01", "month", "new", None, 60),
        ("ann", "2026-05-01", "month", "new", "Backup", 20),
    )
    deals = wins((WHEN, "ann", 30, "new", "Backup"), (WHEN, "ann", 50, "renewal", None))
    whole = attained(deals, asked).iloc[0]
    assert whole[["won", "quota", "x", "n"]].tolist() == [80.0, 100.0, 2, 1]
    kinds = attained(deals, asked, options={"by": "deal_type"})
    assert kinds["quota"].tolist() == [60.0, 100.0]
    assert kinds["won"].tolist() == [30.0, 80.0]
    assert kinds["deal_type"].isna().tolist() == [False, True]
    products = attained(deals, asked, options={"by": "product"})
    assert products["quota"].tolist() == [20.0, 100.0]
    assert products["value"].tolist() == [1.5, 0.8]


def test_new_against_existing_business():
    """Each kind against its own quota; together sum over sum; other business is said, not counted."""
    asked = quotas(
        ("ann", "2026-05-01", "month", "new", None, 100),
        ("ann", "2026-05-01", "month", "expansion", None, 50),
    )
    deals = wins((WHEN, "ann", 80), (WHEN, "ann", 70, "expansion"), (WHEN, "ann", 9, "renewal"))
    kinds = attained(deals, asked, options={"by": "deal_type"}).set_index("deal_type")
    assert kinds["value"].to_dict() == {"expansion": 1.4, "new": 0.8}
    whole = attained(deals, asked).iloc[0]
    assert whole["value"] == 1.0
    assert "1 won outside every quota left out" in whole["note"]


def test_the_running_period_is_there_and_said_to_be_running():
    """Against its whole quota; without periods only months that had ended count."""
    asked = quotas(*monthly("ann", 100, 100, 100, first=4))
    frames = {"deals": wins(("2026-06-02", "ann", 50), (WHEN, "ann", 80)), "quotas": asked}
    snap = snapshot(frames, as_of="2026-06-20")
    table = quota_attainment(snap, every="month")
    assert table["value"].tolist() == [0.0, 0.8, 0.5]
    assert table["note"].iloc[2].startswith("to date, against the whole period's quota")
    assert quota_attainment(snap)["value"].tolist() == [0.4]
    assert quota_attainment(snap, every="quarter")["value"].iloc[0] == pytest.approx(130 / 300)


def test_a_deal_is_credited_to_its_owner_at_close():
    """A hand-over before the win moves it, one right after the win or later does not."""
    changes = [
        ("d0", "2026-01-02 09:00", "S1", "ann"),
        ("d0", "2026-05-10 10:00", "Won", None),
        ("d0", "2026-05-10 10:05", None, "cas"),
        ("d1", "2026-01-02 09:00", "S1", "ann"),
        ("d1", "2026-05-01 09:00", None, "bob"),
        ("d1", "2026-05-10 09:00", "Won", None),
        ("d1", "2026-06-01 09:00", None, "cas"),
        ("d2", "2026-06-01 09:00", None, "cas"),
    ]
    history = pd.DataFrame(changes, columns=["record_id", "changed_at", "stage_id", "owner_id"])
    stages = pd.DataFrame(
        {
            "object": "deal",
            "stage_id": ["S1", "Won"],
            "position": [1, 2],
            "outcome": ["open", "won"],
        }
    )
    deals = wins((WHEN, "cas", 1), (WHEN, "cas", 10), (WHEN, "cas", 100)).assign(stage_id="Won")
    asked = quotas(*(row for name in ("ann", "bob", "cas") for row in monthly(name, 1, first=5)))
    frames = {"deals": deals, "quotas": asked, "history": history, "stages": stages}
    snap = snapshot(frames)
    table = quota_attainment(snap, by="owner").set_index("owner")
    assert table["won"].to_dict() == {"ann": 1.0, "bob": 10.0, "cas": 100.0}
    assert "1 of 1 credited to the owner as of the date, not at close" in table.loc["cas", "note"]
    assert "credited" not in table.loc["ann", "note"]
    credited = owner_at_close(snap, snap.deals.lazy()).select("deal_id", "owner_id", "tracked")
    found = credited.collect("pandas").to_native().sort_values("deal_id")
    assert found["owner_id"].tolist() == ["ann", "bob", "cas"]
    assert found["tracked"].tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("start", "months", "expected"),
    [
        pytest.param("2026-02-15", 2, [0, 25, 75, 100, 100, 100], id="two months of ramp"),
        pytest.param("2026-01-01", 0, [100] * 6, id="no ramp"),
        pytest.param("2026-03-01", None, [0, 0, 100, 100, 100, 100], id="ramp not known"),
        pytest.param(None, 4, [100] * 6, id="start not known"),
        pytest.param("2025-01-01", 4, [100] * 6, id="long over"),
    ],
)
def test_ramp_prorates_when_asked_for(start, months, expected):
    """The mean of a straight line over each month; nothing before the start; else as they stand."""
    owners = pd.DataFrame({"owner_id": ["ann"], "starts_on": [start], "ramp_months": [months]})
    asked, deals = quotas(*monthly("ann", *[100] * 6)), wins((WHEN, "ann", 50))
    table = attained(deals, asked, owners=owners, options={"every": "month", "ramp": True})
    assert table["quota"].tolist() == expected
    plain = attained(deals, asked, owners=owners, options={"every": "month"})
    assert plain["quota"].tolist() == [100] * 6
    if 0 in expected:
        assert table["note"].iloc[0].startswith("no_denominator: no quota above zero")
        assert np.isnan(table["value"].iloc[0])


def test_ramp_needs_the_owners():
    """Named in the message."""
    with pytest.raises(TableError, match=r"ramp=True\) needs the table\(s\) \['owners'\]"):
        attained(wins((WHEN, "ann", 1)), quotas(*monthly("ann", 1)), options={"ramp": True})


def test_mrr_can_count_and_a_win_without_value_is_said():
    """It is credited as a deal, with no money."""
    deals = wins((WHEN, "ann", 500), (WHEN, "ann", None)).assign(mrr=[40, None])
    asked = quotas(*monthly("ann", 80, first=5))
    row = attained(deals, asked, options={"of": "mrr"}).iloc[0]
    assert row[["value", "x"]].tolist() == [0.5, 2]
    assert "1 won without a value" in row["note"]


def test_foreign_quotas_take_the_rate_of_their_period():
    """And deals that of their closing day."""
    asked = quotas(*monthly("ann", 100, first=5)).assign(currency="EUR")
    rates = pd.DataFrame({"currency": ["EUR"], "from_date": ["2026-01-01"], "rate": [2.0]})
    row = attained(wins((WHEN, "ann", 100)), asked, rates=rates).iloc[0]
    assert row[["quota", "value"]].tolist() == [200.0, 0.5]


def test_only_the_pipelines_that_count_are_credited():
    """The other pipeline's win is as if it were not there."""
    deals = wins((WHEN, "ann", 10), (WHEN, "ann", 100)).assign(pipeline_id=["x", "y"])
    frames = {"deals": deals, "quotas": quotas(*monthly("ann", 100, first=5))}
    assert quota_attainment(snapshot(frames, pipelines=("x",)))["value"].tolist() == [0.1]


def test_the_month_of_a_win_is_the_companys():
    """Ten minutes into May in UTC is April in New York."""
    deals = wins((None, "ann", 50)).assign(closed_at="2026-05-01 00:10+00:00")
    frames = {"deals": deals, "quotas": quotas(*monthly("ann", 100, 100, first=4))}
    for zone, won in (("UTC", [0.0, 50.0]), ("America/New_York", [50.0, 0.0])):
        table = quota_attainment(snapshot(frames, time_zone=zone), every="month")
        assert table["won"].tolist()[:2] == won


def test_quotas_without_a_win_are_missed_not_missing():
    """0 of 100 is 0; a seller without quotas is no row."""
    table = attained(
        outcomes(open=1), quotas(*monthly("ann", 100, first=5)), options={"by": "owner"}
    )
    assert table[["value", "x", "n"]].to_numpy().tolist() == [[0.0, 0, 1]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"of": "margin"}, "of='margin'; expected 'amount' or 'mrr'", id="of"),
        pytest.param({"by": "stage"}, "by='stage': quotas has no such column; it has", id="by"),
        pytest.param({"every": "week"}, "every='week'; expected one of", id="every"),
    ],
)
def test_an_unknown_option_is_refused(options, message):
    """With those there are."""
    with pytest.raises(TableError, match=message):
        attained(wins((WHEN, "ann", 1)), quotas(*monthly("ann", 1)), options=options)


def by_hand(asked, deals, month):
    """Sum quota and credit of one month, seller by seller, with loops only."""
    quota = won = 0.0
    for seller in {row[0] for row in asked}:
        own = [
            (length, amount)
            for name, start, length, amount in asked
            if name == seller and start <= month < start + length
        ]
        if own:
            shortest = min(length for length, _ in own)
            quota += sum(amount / length for length, amount in own if length == shortest)
            won += sum(amount for name, at, amount in deals if name == seller and at == month)
    return won, quota


SELLER = st.sampled_from(["ann", "bob", "cas"])
ASKED = st.lists(
    st.tuples(SELLER, st.integers(1, 6), st.sampled_from([1, 3, 12]), st.integers(1, 40)),
    min_size=1,
    max_size=6,
    unique_by=lambda row: row[:3],
)
SOLD = st.lists(st.tuples(SELLER, st.integers(1, 6), st.integers(0, 90)), min_size=1, max_size=6)


@settings(derandomize=True, max_examples=8, deadline=None, phases=QUICK)
@given(ASKED, SOLD)
def test_every_month_is_that_of_plain_counting(asked, sold):
    """Sellers, lengths and deals drawn at random."""
    starts = {start: row for row in asked for start in [row[:3]]}
    rows = list(starts.values())
    name = {1: "month", 3: "quarter", 12: "year"}
    table = attained(
        wins(*((f"2026-{at:02}-15", seller, amount) for seller, at, amount in sold)),
        quotas(
            *((s, f"2026-{at:02}-01", name[n], None, None, amount) for s, at, n, amount in rows)
        ),
        options={"every": "month"},
    ).set_index("period")
    overlapping = {(s, at + k) for s, at, n, _ in rows for k in range(n)}
    for month in {month for _, month in overlapping if month <= 6}:
        won, quota = by_hand(rows, sold, month)
        row = table.loc[pd.Timestamp(2026, month, 1)]
        assert (row["won"], row["quota"]) == pytest.approx((won, quota), abs=1e-6)
