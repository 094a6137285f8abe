"""The waterfall of the pipeline, and slippage: cases by hand and on random companies."""

import numpy as np
import pandas as pd
import pytest
from companies import outcomes, snapshot

from kpi import TableError
from kpi.pipeline import two_ends
from kpi.pipeline.changes import FLOWS, pipeline_changes
from kpi.pipeline.slippage import slippage


def story(rows, changes):
    """Build deals (id, outcome, amount, created, close date) and changes (id, at, amount, close)."""
    deals = pd.DataFrame(rows, columns=["deal_id", "outcome", "amount", "created_at", "close_date"])
    history = pd.DataFrame(changes, columns=["record_id", "changed_at", "amount", "close_date"])
    return {"deals": deals, "history": history}


def quarter(rows, changes, **options):
    """Waterfall of the second quarter of 2026: what is not 0."""
    snap = snapshot(story(rows, changes))
    row = pipeline_changes(snap, since="2026-04-01", **options).iloc[0]
    return {name: row[name] for name in FLOWS if row[name] != 0}


CASES = [
    pytest.param(
        [("a", "open", 10, "2026-01-05", "2026-05-01")],
        [("a", "2026-01-05", 10, "2026-05-01")],
        {"start": 10, "end": 10},
        id="nothing happened",
    ),
    pytest.param(
        [("a", "open", 10, "2026-04-05", "2026-05-01")],
        [("a", "2026-04-05", 10, "2026-05-01")],
        {"new": 10, "end": 10},
        id="created in it",
    ),
    pytest.param(
        [("a", "open", 10, "2026-04-05", "2026-09-01")],
        [("a", "2026-04-05", 10, "2026-09-01")],
        {},
        id="created in it for later",
    ),
    pytest.param(
        [("a", "open", 10, "2026-01-05", "2026-08-01")],
        [("a", "2026-01-05", 10, "2026-05-01"), ("a", "2026-05-02", None, "2026-08-01")],
        {"start": 10, "pushed_out": 10},
        id="pushed out",
    ),
    pytest.param(
        [("a", "open", 12, "2026-01-05", "2026-05-01")],
        [("a", "2026-01-05", 10, "2026-08-01"), ("a", "2026-05-02", 12, "2026-05-01")],
        {"pulled_in": 12, "end": 12},
        id="pulled in, at the amount of the end",
    ),
    pytest.param(
        [
            ("a", "open", 15, "2026-01-05", "2026-05-01"),
            ("b", "open", 1, "2026-01-05", "2026-06-01"),
        ],
        [
            ("a", "2026-01-05", 10, "2026-05-01"),
            ("a", "2026-05-02", 15, None),
            ("b", "2026-01-05", 4, "2026-06-01"),
            ("b", "2026-06-02", 1, None),
        ],
        {"start": 14, "increased": 5, "decreased": 3, "end": 16},
        id="one grew, one shrank",
    ),
    pytest.param(
        [
            ("a", "won", 12, "2026-01-05", "2026-05-01"),
            ("b", "lost", 5, "2026-01-05", "2026-05-01"),
        ],
        [
            ("a", "2026-01-05", 10, "2026-06-01"),
            ("a", "2026-05-01", 12, "2026-05-01"),
            ("b", "2026-01-05", 5, "2026-06-01"),
            ("b", "2026-05-01", None, "2026-05-01"),
        ],
        {"start": 15, "increased": 2, "won": 12, "lost": 5},
        id="won at a higher amount, and lost",
    ),
    pytest.param(
        [("a", "won", 10, "2026-01-05", "2026-05-01")],
        [("a", "2026-01-05", 10, "2026-09-01"), ("a", "2026-05-01", None, "2026-05-01")],
        {"pulled_in": 10, "won": 10},
        id="won early: pulled in, then won",
    ),
    pytest.param(
        [("a", "won", 10, "2026-04-05", "2026-05-01")],
        [],
        {"new": 10, "won": 10},
        id="created and won in it",
    ),
    pytest.param([("a", "won", 10, "2026-01-05", "2026-02-01")], [], {}, id="won before it began"),
    pytest.param([("a", "open", None, "2026-04-05", "2026-05-01")], [], {}, id="without an amount"),
]


@pytest.mark.parametrize(("rows", "changes", "flows"), CASES)
def test_what_moves_what(rows, changes, flows):
    """One deal, one kind of move; every other column is 0."""
    assert quarter(rows, changes) == flows


@pytest.mark.parametrize(("rows", "changes", "flows"), CASES)
def test_any_closing_day_knows_no_pulling_and_pushing(rows, changes, flows):
    """Of the whole pipeline dates move nothing."""
    found = quarter(rows, changes, closing="any")
    assert {"pulled_in", "pushed_out"} & set(found) == set()
    assert found.get("won", 0) == flows.get("won", 0)


def test_a_reopened_deal_is_neither_new_nor_pulled_in():
    """Lost in March, open again in April."""
    rows = [("a", "open", 10, "2026-01-05", "2026-06-20")]
    frames = story(rows, [])
    frames["deals"]["stage_id"] = "S1"
    frames["history"] = pd.DataFrame(
        {
            "record_id": "a",
            "changed_at": ["2026-01-05", "2026-03-05", "2026-04-05"],
            "stage_id": ["S1", "Lost", "S1"],
            "close_date": ["2026-06-20"] * 3,
        }
    )
    frames["stages"] = pd.DataFrame(
        {
            "object": "deal",
            "stage_id": ["S1", "Lost"],
            "position": [1, 2],
            "outcome": ["open", "lost"],
        }
    )
    row = pipeline_changes(snapshot(frames), since="2026-04-01").iloc[0]
    assert (row["start"], row["reopened"], row["end"]) == (0, 10, 10)


def test_an_exchange_rate_is_no_growth():
    """100 EUR at 1.1, then at 1.2: revalued by 10; then raised by 50 EUR at 1.2."""
    frames = story(
        [("a", "open", 150, "2026-01-05", "2026-06-20")],
        [("a", "2026-01-05", 100, "2026-06-20"), ("a", "2026-05-05", 150, None)],
    )
    frames["deals"]["currency"] = "EUR"
    frames["rates"] = pd.DataFrame(
        {"currency": "EUR", "from_date": ["2026-01-01", "2026-05-01"], "rate": [1.1, 1.2]}
    )
    row = pipeline_changes(snapshot(frames), since="2026-04-01").iloc[0]
    assert row["start"] == pytest.approx(110)
    assert row["revalued"] == pytest.approx(10)
    assert row["increased"] == pytest.approx(60)
    assert row["end"] == pytest.approx(180)


def random_story(seed, count=120):
    """Build deals with wandering amounts, closing days and outcomes."""
    rng = np.random.default_rng(seed)
    rows, changes = [], []
    for i in range(count):
        at = pd.Timestamp("2025-06-01") + pd.Timedelta(days=int(rng.integers(0, 380)))
        born, amount = at, 0.0
        for _ in range(int(rng.integers(1, 6))):
            if at > pd.Timestamp("2026-06-30"):
                break  # not known yet
            amount = float(rng.integers(1, 100))
            close = at + pd.Timedelta(days=int(rng.integers(5, 150)))
            changes.append((f"d{i}", at, amount, close))
            at = at + pd.Timedelta(days=int(rng.integers(1, 60)))
        outcome = str(rng.choice(["open", "won", "lost"]))
        if at > pd.Timestamp("2026-06-30"):
            outcome = "open"
        close = at.normalize() if outcome != "open" else close
        rows.append((f"d{i}", outcome, amount, born, close))
    frames = story(rows, changes)
    frames["deals"]["owner_id"] = [f"o{i % 3}" for i in range(count)]
    return frames


@pytest.mark.parametrize(
    ("seed", "closing"), [(1, "any"), (2, "period"), (3, ("2026-04-01", "2026-12-31"))]
)
def test_the_parts_add_up_and_ends_meet(seed, closing):
    """start + in - out = end, by owner and month; of the whole pipeline each end is the next start."""
    snap = snapshot(random_story(seed))
    table = pipeline_changes(snap, by="owner", every="quarter", closing=closing)
    came = table[["start", "new", "reopened", "pulled_in", "increased", "revalued"]].sum(axis=1)
    left = table[["decreased", "pushed_out", "won", "lost", "end"]].sum(axis=1)
    np.testing.assert_allclose(came, left)
    assert (table[["new", "won", "lost", "increased", "decreased"]].sum() > 0).all()
    if closing == "any":
        for _, rows in table.groupby("owner"):
            assert rows["end"].tolist()[:-1] == rows["start"].tolist()[1:]
            assert rows["x"].tolist()[:-1] == rows["n"].tolist()[1:]


def test_against_a_loop_over_the_deals():
    """Second quarter of a random company, deal by deal in plain pandas."""
    frames = random_story(5)
    first, last = pd.Timestamp("2026-04-01"), pd.Timestamp("2026-06-30")
    hand = dict.fromkeys(FLOWS, 0.0)
    for deal in frames["deals"].itertuples():
        own = frames["history"][frames["history"]["record_id"] == deal.deal_id]
        then = own[own["changed_at"] < first]
        ended = deal.close_date if deal.outcome != "open" else None
        was = len(then) > 0 and (ended is None or ended >= first)
        begins = was and first <= then["close_date"].iloc[-1] <= last
        before = then["amount"].iloc[-1] if begins else 0.0
        closed = ended is not None and ended >= first
        ends = ended is None and first <= own["close_date"].iloc[-1] <= last
        here = ends or closed
        hand["start"] += before
        hand["end"] += deal.amount * ends
        hand["won"] += deal.amount * (closed and deal.outcome == "won")
        hand["lost"] += deal.amount * (closed and deal.outcome == "lost")
        hand["pushed_out"] += before * (begins and not here)
        hand["new"] += deal.amount * (here and not was)
        hand["pulled_in"] += deal.amount * (here and was and not begins)
        change = (deal.amount - before) * (here and begins)
        hand["increased"] += max(change, 0.0)
        hand["decreased"] += max(-change, 0.0)
    row = pipeline_changes(snapshot(frames)).iloc[0]
    assert row[FLOWS].to_dict() == pytest.approx(hand)


@pytest.mark.parametrize("seed", [0, 1])
def test_deals_that_were_over_before_can_be_left_out(monkeypatch, seed):
    """What was neither open nor touched since does not change how both ends look."""
    snap = snapshot(random_story(seed))
    quick = [pipeline_changes(snap, since="2026-05-01"), slippage(snap, by="owner")]
    monkeypatch.setattr(two_ends, "_lately", lambda snapshot, _: snapshot)
    whole = [pipeline_changes(snap, since="2026-05-01"), slippage(snap, by="owner")]
    for one, other in zip(quick, whole, strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert quick[0]["end"].iloc[0] > 0


def test_a_filter_follows_who_owns_the_deal_in_the_end():
    """Handed over in the period: it is in the new owner's start as well, so the parts add up."""
    frames = story([("a", "open", 10, "2026-01-05", "2026-06-20")], [])
    frames["deals"]["owner_id"] = "new"
    frames["history"] = pd.DataFrame(
        {
            "record_id": "a",
            "changed_at": ["2026-01-05", "2026-05-05"],
            "owner_id": ["old", "new"],
            "close_date": "2026-06-20",
        }
    )
    snap = snapshot(frames)
    mine = pipeline_changes(snap.where(owner="new"), since="2026-04-01").iloc[0]
    assert (mine["start"], mine["end"], mine["n"]) == (10, 10, 1)
    assert pipeline_changes(snap.where(owner="old"), since="2026-04-01")["n"].iloc[0] == 0


def test_dates_that_cannot_be():
    """Beyond the data, or the wrong way round."""
    snap = snapshot(story([("a", "open", 10, "2026-01-05", "2026-06-20")], []))
    with pytest.raises(TableError, match="dates in order, to 2026-06-30"):
        pipeline_changes(snap, until="2026-07-31")


def test_history_without_closing_days_is_said():
    """Then expected days are as they are now."""
    frames = story([("a", "open", 10, "2026-01-05", "2026-06-20")], [])
    frames["history"] = pd.DataFrame(
        {"record_id": ["a"], "changed_at": "2026-01-05", "amount": 10.0}
    )
    row = pipeline_changes(snapshot(frames)).iloc[0]
    assert "as they are now" in row["note"]
    rate = slippage(snapshot(frames)).iloc[0]
    assert np.isnan(rate["value"])
    assert rate["note"] == "not enough data: history records no expected closing days"


def due(moves, end="2026-06-30"):
    """Slippage of one deal due on 25 May, by the month of May."""
    rows = [("a", "open", 10, "2026-04-01", moves[-1][1] if moves else "2026-05-25")]
    changes = [("a", "2026-04-01", 10, "2026-05-25")]
    changes += [("a", at, None, close) for at, close in moves]
    table = slippage(snapshot(story(rows, changes), as_of=end), every="month")
    return table[table["period"] == "2026-05-01"].iloc[0]


@pytest.mark.parametrize(
    ("moves", "slipped", "still_open"),
    [
        pytest.param([("2026-05-20", "2026-06-10")], 1, 0, id="moved to June in May"),
        pytest.param([("2026-06-05", "2026-06-10")], 0, 1, id="moved in June: in May only late"),
        pytest.param([("2026-05-20", "2026-05-30")], 0, 1, id="moved within May"),
        pytest.param([], 0, 1, id="never moved"),
    ],
)
def test_slipped_or_only_late(moves, slipped, still_open):
    """Slipped: moved out of the period while it ran."""
    row = due(moves)
    assert (row["x"], row["n"], row["still_open"]) == (slipped, 1, still_open)
    assert row["slipped_amount"] == 10 * slipped


def test_the_running_period_is_to_date():
    """As of 25 May the month is not over."""
    assert "to date" in due([("2026-05-20", "2026-06-10")], end="2026-05-25")["note"]


def test_without_every_the_last_four_whole_quarters_are_pooled():
    """The sum of the four, and said so."""
    snap = snapshot(random_story(7))
    table = slippage(snap, every="quarter")
    pooled = slippage(snap).iloc[0]
    whole = table[table["period"].between("2025-07-01", "2026-04-01")]
    assert (pooled["x"], pooled["n"]) == (whole["x"].sum(), whole["n"].sum())
    assert "last four whole fiscal quarters" in pooled["note"]
    assert (whole["n"] == whole[["pushed", "still_open", "won", "lost"]].sum(axis=1)).all()
    assert pooled["n"] > 20


def test_nothing_due_has_no_rate():
    """Missing with a reason."""
    frames = {
        "deals": outcomes(won=1),
        "history": pd.DataFrame(
            {"record_id": ["d0"], "changed_at": ["2026-01-05"], "close_date": ["2030-01-01"]}
        ),
    }
    assert slippage(snapshot(frames))["note"].iloc[0].startswith("no_denominator")
