"""The open pipeline, its weights and its coverage, against deal-by-deal reckoning."""

import numpy as np
import pandas as pd
import pytest
from companies import BORN, LAST_DAY, OPEN, outcomes, random_walks, snapshot, stages, ways

from kpi import Snapshot, TableError
from kpi.pipeline.coverage import coverage
from kpi.pipeline.stock import final_stage_deals, open_pipeline
from kpi.pipeline.weighted import weighted_pipeline
from kpi.pipeline.win_chance import win_chance
from kpi.stats import aalen_johansen, kaplan_meier
from kpi.stats.survival import at_age, first_reaching


@pytest.fixture(scope="module")
def frames():
    return random_walks(seed=9, count=150)


@pytest.fixture(scope="module")
def snap(frames):
    return snapshot(frames)


def still_open(frames):
    """Ways of the deals still open, with their amounts."""
    amount = frames["deals"].set_index("deal_id")["amount"]
    return {d: (w, amount[d]) for d, w in ways(frames).items() if w[-1][1] in OPEN}


def test_the_pipeline_by_stage_equals_counting(frames, snap):
    """Value, number, and days since the last move into the stage; stages in their order."""
    rows = []
    for way, amount in still_open(frames).values():
        entered = max(
            at
            for i, (at, s) in enumerate(way)
            if s == way[-1][1] and (i == 0 or way[i - 1][1] != s)
        )
        rows.append((way[-1][1], amount, LAST_DAY - way[0][0], LAST_DAY - entered))
    hand = pd.DataFrame(rows, columns=["stage", "amount", "age", "stay"]).groupby("stage")
    table = open_pipeline(snap, by="stage").set_index("stage")
    assert table.index.tolist() == sorted(OPEN)
    assert table["value"].to_dict() == hand["amount"].sum().to_dict()
    assert table["n"].to_dict() == hand.size().to_dict()
    assert table["age_days"].to_dict() == hand["age"].median().to_dict()
    assert table["stage_age_days"].to_dict() == hand["stay"].median().to_dict()
    assert table["label"].tolist() == sorted(OPEN)


def test_stalled_is_longer_than_three_of_four_visits(frames, snap):
    """Against Kaplan-Meier on the first visits, one by one."""
    visits = []
    for way in ways(frames).values():
        moves = [m for i, m in enumerate(way) if i == 0 or way[i - 1][1] != m[1]]
        seen = set()
        for i, (at, stage) in enumerate(moves):
            if stage in OPEN and stage not in seen:
                seen.add(stage)
                left = i + 1 < len(moves)
                visits.append((stage, (moves[i + 1][0] if left else LAST_DAY) - at, left))
    seen = pd.DataFrame(visits, columns=["stage", "days", "left"]).groupby("stage")
    usual = {
        stage: first_reaching(kaplan_meier(v["days"], v["left"]), "survival", 0.25)
        for stage, v in seen
    }
    stuck, worth = 0, 0.0
    for way, amount in still_open(frames).values():
        moves = [m for i, m in enumerate(way) if i == 0 or way[i - 1][1] != m[1]]
        if LAST_DAY - moves[-1][0] > usual[moves[-1][1]]:
            stuck, worth = stuck + 1, worth + amount
    row = open_pipeline(snap).iloc[0]
    assert (row["stalled"], row["stalled_value"]) == (stuck, pytest.approx(worth))
    assert 0 < stuck < row["n"]


def chance_by_hand(frames, top, age):
    """P(win) of a deal whose highest stage is `top`, there since `age` days."""
    rank = {"S1": 0, "S2": 1, "S3": 2, "Won": 3}

    def first_day(way, wanted):
        return next((at for at, s in way if rank.get(s, -1) >= wanted), None)

    def followed(start, goal):
        days, causes = [], []
        for way in ways(frames).values():
            begin = 0 if start == 0 and way else first_day(way, start)
            begin = way[0][0] if start == 0 else begin
            if begin is None:
                continue
            end = first_day(way, goal)
            lost = way[-1][1] == "Lost"
            days.append((end if end is not None else way[-1][0] if lost else LAST_DAY) - begin)
            causes.append(1 if end is not None else 2 if lost else 0)
        return aalen_johansen(days, causes)

    onward = followed(top, top + 1)
    if age > onward.index[-1]:
        return 0.0
    gone = float(at_age(onward, "cif_1", age, before=0.0))
    still = float(at_age(onward, "survival", age, before=1.0))
    ahead = (onward["cif_1"].iloc[-1] - gone) / still if still > 0 else 0.0
    return ahead * (followed(top + 1, 3)["cif_1"].iloc[-1] if top < 2 else 1.0)


def test_weights_equal_following_each_deal(frames, snap):
    """Sum of amount x chance, each by its own Aalen-Johansen curves."""
    rank = {"S1": 0, "S2": 1, "S3": 2}
    expected, wins = 0.0, 0.0
    for way, amount in still_open(frames).values():
        top = max(rank[s] for _, s in way)
        since = next(at for at, s in way if rank[s] >= top)
        since = way[0][0] if top == 0 else since
        chance = chance_by_hand(frames, top, LAST_DAY - since)
        expected, wins = expected + amount * chance, wins + chance
    row = weighted_pipeline(snap).iloc[0]
    assert row["value"] == pytest.approx(expected, rel=1e-6)
    assert row["expected_wins"] == pytest.approx(wins, rel=1e-6)
    assert row["low"] < row["value"] < row["high"] <= row["open_value"]
    assert row["open_value"] == open_pipeline(snap)["value"].iloc[0]


def test_weighted_by_stage_adds_up(snap):
    """The parts are the whole, since each deal has one chance."""
    by_stage = weighted_pipeline(snap, by="stage")
    assert by_stage["value"].sum() == pytest.approx(weighted_pipeline(snap)["value"].iloc[0])


def test_a_chance_is_a_share_and_falls_to_nothing_in_the_end(snap):
    """0 to 1 at every age; the share that wins of all who reach a stage rises with the stage."""
    found = win_chance(snap, "new")
    assert found.by_age["chance"].between(0, 1).all()
    assert (found.by_age.groupby(["funnel", "rank"])["chance"].last() == 0).all()
    assert found.rates["share"].is_monotonic_increasing


def test_limits_of_the_weighted_pipeline_hold_what_comes(snap, frames):
    """Known truth: each of 40 deals wins with 0.3; 95 % limits hold the sum about that often."""
    rng = np.random.default_rng(12)
    held = 0
    for _ in range(60):
        won = int(rng.binomial(120, 0.3))
        deals = outcomes(won=won, lost=120 - won, open=40).assign(amount=100.0)
        deals["created_at"] = ["2026-01-20"] * 120 + ["2026-06-25"] * 40
        deals["stage_id"] = ["Won"] * won + ["Lost"] * (120 - won) + ["S1"] * 40
        row = weighted_pipeline(
            snapshot({"deals": deals, "stages": stages("S1", "Won", "Lost")}, as_of="2026-06-30")
        ).iloc[0]
        held += row["low"] <= 100 * rng.binomial(40, 0.3) <= row["high"]
    assert held >= 54


def test_very_many_deals_are_drawn_as_a_normal_sum():
    """3,000 deals: the limits are those of the rate and the sum's spread."""
    deals = outcomes(won=300, lost=700, open=3000).assign(amount=10.0)
    deals["stage_id"] = ["Won"] * 300 + ["Lost"] * 700 + ["S1"] * 3000
    deals["created_at"] = ["2026-01-20"] * 1000 + ["2026-06-25"] * 3000
    snap = snapshot({"deals": deals, "stages": stages("S1", "Won", "Lost")})
    row = weighted_pipeline(snap).iloc[0]
    assert row["value"] == pytest.approx(9000)
    spread = np.sqrt(30_000**2 * 0.21 / 1000 + 3000 * 100 * 0.21)
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * spread, rel=0.1)


def test_a_deal_older_than_any_history_counts_nothing():
    """Everything that was ever closed did so by day 36; a deal of 176 days is not counted on."""
    deals = outcomes(won=6, lost=6, open=1).assign(amount=100.0)
    deals["stage_id"] = ["Won"] * 6 + ["Lost"] * 6 + ["S1"]
    snap = snapshot({"deals": deals, "stages": stages("S1", "Won", "Lost")})
    row = weighted_pipeline(snap).iloc[0]
    assert row["value"] == 0.0
    assert row["x"] == 1


@pytest.mark.parametrize(
    ("counts", "note"),
    [
        pytest.param(
            {"open": 3}, "not enough data: no closed deal to learn from", id="none closed"
        ),
        pytest.param({}, "not enough data: no deals", id="no deals"),
    ],
)
def test_nothing_to_learn_from_is_said(counts, note):
    """Missing with a reason, never 0."""
    deals = outcomes(**counts).assign(stage_id="S1", amount=1.0)
    row = weighted_pipeline(snapshot({"deals": deals, "stages": stages()})).iloc[0]
    assert np.isnan(row["value"])
    assert row["note"].startswith(note)


def test_the_crms_probability_of_the_deal_goes_before_that_of_its_stage():
    """The last one recorded; without either the deal is left out and counted."""
    frame = stages("S1", "S2", "Won").assign(probability=[0.1, None, 1.0])
    deals = pd.DataFrame(
        {
            "deal_id": list("abc"),
            "stage_id": ["S1", "S1", "S2"],
            "amount": 100.0,
            "created_at": BORN,
        }
    )
    history = pd.DataFrame(
        {
            "record_id": ["b", "b"],
            "changed_at": ["2026-02-01", "2026-03-01"],
            "probability": [0.9, 0.6],
            "stage_id": "S1",
        }
    )
    snap = snapshot({"deals": deals, "stages": frame, "history": history})
    row = weighted_pipeline(snap, probability="crm").iloc[0]
    assert row["value"] == 70.0
    assert (row["x"], row["n"]) == (2, 3)
    assert "1 without amount or known stage left out" in row["note"]
    assert np.isnan(row["low"])


def test_the_pipeline_of_the_past_is_the_rewound_one(snap):
    """With every= each row is what open_pipeline says of the snapshot at that day."""
    table = open_pipeline(snap, every="quarter").set_index("period")
    then = open_pipeline(snap.at("2026-03-31")).iloc[0]
    shown = table.loc["2026-01-01"]
    assert shown[["value", "n", "stalled"]].tolist() == then[["value", "n", "stalled"]].tolist()
    assert table.loc["2026-04-01", "value"] == open_pipeline(snap)["value"].iloc[0]


def test_amounts_missing_are_left_out_and_said():
    """Of the value, not of the number."""
    deals = outcomes(open=3).assign(amount=[5.0, None, 7.0])
    row = open_pipeline(snapshot({"deals": deals})).iloc[0]
    assert (row["value"], row["x"], row["n"]) == (12.0, 2, 3)
    assert row["note"] == "1 without amount left out"
    bare = open_pipeline(snapshot({"deals": deals}), of="mrr").iloc[0]
    assert np.isnan(bare["value"])
    assert bare["note"] == "not enough data: no open deal has its mrr"


def test_nothing_open_is_zero_and_no_deals_is_missing():
    """Known to be empty, or not known."""
    closed = snapshot({"deals": outcomes(won=1)})
    assert open_pipeline(closed)["value"].iloc[0] == 0.0
    assert np.isnan(open_pipeline(closed, deal_type="renewal")["value"].iloc[0])


def test_overdue_deals_are_those_whose_date_is_past():
    """The date history recorded last goes before the deal's own."""
    deals = outcomes(open=3).assign(close_date=["2026-06-29", "2026-06-30", "2026-06-01"])
    history = pd.DataFrame(
        {"record_id": ["d2"], "changed_at": ["2026-06-02"], "close_date": ["2026-08-01"]}
    )
    row = open_pipeline(snapshot({"deals": deals, "history": history})).iloc[0]
    assert row["overdue"] == 1


def test_final_stage_by_seller():
    """Open in the last open stage of the deal's own pipeline."""
    frame = pd.concat(
        [
            stages("A", "B", "Won").assign(pipeline_id="p"),
            stages("C", "Done").assign(pipeline_id="q"),
        ]
    )
    frame.loc[frame["stage_id"] == "Done", "outcome"] = "won"
    deals = pd.DataFrame(
        {
            "deal_id": list("abcde"),
            "pipeline_id": ["p", "p", "q", "p", "p"],
            "stage_id": ["A", "B", "C", "Won", "B"],
            "owner_id": ["x", "x", "y", "y", None],
            "amount": [1.0, 2.0, 4.0, 8.0, 16.0],
            "created_at": BORN,
        }
    )
    snap = snapshot({"deals": deals, "stages": frame})
    total = final_stage_deals(snap).iloc[0]
    assert (total["value"], total["n"], total["sellers"], total["amount"]) == (3, 4, 2, 22.0)
    assert total["per_seller"] == 1.5
    by_owner = final_stage_deals(snap, by="owner").set_index("owner")
    assert by_owner.loc[["x", "y"], "value"].tolist() == [1, 1]
    assert np.isnan(by_owner["per_seller"].iloc[-1])  # nobody owns it


def quarter(**columns):
    """Build quotas of two sellers for the second quarter of 2026."""
    frame = {"owner_id": ["a", "b"], "period": "quarter", "period_start": "2026-04-01"}
    return pd.DataFrame(frame | {"amount": [100.0, 50.0]} | columns)


def selling(**more):
    """Build deals of two sellers: won in April, open for June, open for July."""
    frame = pd.DataFrame(
        {
            "deal_id": list("abcd"),
            "outcome": ["won", "open", "open", "open"],
            "owner_id": ["a", "a", "b", "b"],
            "amount": [40.0, 90.0, 25.0, 1000.0],
            "created_at": "2026-03-01",
            "close_date": ["2026-04-10", "2026-06-20", "2026-06-25", "2026-07-20"],
        }
    )
    return frame.assign(**more)


def test_coverage_is_of_what_is_still_missing():
    """115 open for the quarter over 150 - 40; July's deal does not count."""
    snap = snapshot({"deals": selling(), "quotas": quarter()}, as_of="2026-05-31")
    row = coverage(snap).iloc[0]
    assert row["value"] == pytest.approx(115 / 110)
    assert (row["open_value"], row["quota"], row["won"], row["to_go"]) == (115, 150, 40, 110)
    assert (row["x"], row["n"]) == (2, 6)
    assert row["measured"] == pd.Timestamp("2026-05-31")
    by_owner = coverage(snap, by="owner").set_index("owner")
    assert by_owner["value"].tolist() == [90 / 60, 25 / 50]


@pytest.mark.parametrize(
    ("quotas", "note"),
    [
        pytest.param(quarter(amount=20.0), "no_denominator: the quota is reached", id="reached"),
        pytest.param(
            quarter(period_start="2026-01-01"), "no_denominator: no quota for", id="another quarter"
        ),
        pytest.param(
            quarter(deal_type="renewal"), "no_denominator: no quota for", id="of another kind"
        ),
    ],
)
def test_coverage_without_a_quota_to_go(quotas, note):
    """Missing with its reason."""
    snap = snapshot({"deals": selling(), "quotas": quotas}, as_of="2026-05-31")
    row = coverage(snap).iloc[0]
    assert np.isnan(row["value"])
    assert row["note"].startswith(note)


def test_a_quota_of_the_kind_goes_before_one_for_all():
    """Seller a has one for new business and one for all; only the first counts against new."""
    quotas = pd.concat([quarter(), quarter().iloc[:1].assign(deal_type="new", amount=70.0)])
    snap = snapshot({"deals": selling(), "quotas": quotas}, as_of="2026-05-31")
    assert coverage(snap)["quota"].iloc[0] == 120
    assert coverage(snap, deal_type=None)["quota"].iloc[0] == 150


def test_past_periods_are_measured_when_they_began():
    """At the start of April the deals were due in June, as history says; since then one moved."""
    history = pd.DataFrame(
        {
            "record_id": ["b", "b", "a"],
            "changed_at": ["2026-03-01", "2026-06-29", "2026-03-01"],
            "close_date": ["2026-06-20", "2026-09-30", "2026-05-31"],
        }
    )
    deals = selling(close_date=["2026-04-10", "2026-09-30", "2026-06-25", "2026-07-20"])
    frames = {"deals": deals, "history": history, "quotas": quarter()}
    table = coverage(snapshot(frames, as_of="2026-07-31"), every="quarter")
    assert table["value"].tolist() == [pytest.approx((40 + 90 + 25) / 150)]
    assert table["measured"].tolist() == [pd.Timestamp("2026-03-31")]
    assert table["won"].tolist() == [0.0]


def test_the_target_is_learnt_from_whole_periods():
    """Eight won and lost a quarter, two of them won, one of these created in it: (1 - .5) / .25."""
    rows = []
    for q, start in enumerate(pd.date_range("2024-10-01", periods=6, freq="QS")):
        for i in range(8):
            early = start - pd.Timedelta(days=20)
            born = start + pd.Timedelta(days=2) if i == 0 else early
            rows.append(
                (f"{q}-{i}", "won" if i < 2 else "lost", born, start + pd.Timedelta(days=30))
            )
    deals = pd.DataFrame(rows, columns=["deal_id", "outcome", "created_at", "close_date"])
    snap = snapshot({"deals": deals.assign(amount=10.0), "quotas": quarter()}, as_of="2026-05-31")
    assert coverage(snap)["target"].iloc[0] == pytest.approx(2.0)
    young = snapshot({"deals": deals.iloc[40:].assign(amount=10.0), "quotas": quarter()})
    assert np.isnan(coverage(young)["target"].iloc[0])


def test_coverage_is_cut_by_columns_of_quotas_only():
    """By source there are no quotas."""
    snap = snapshot({"deals": selling(), "quotas": quarter()})
    with pytest.raises(TableError, match="by='source': quotas has no such column"):
        coverage(snap, by="source")
    with pytest.raises(TableError, match="by='amount': coverage is cut by"):
        coverage(snap, by="amount")


@pytest.mark.parametrize("kpi", [final_stage_deals, weighted_pipeline])
def test_stages_are_needed(kpi):
    """Without them there is no last stage and no chance by stage."""
    with pytest.raises(TableError, match="needs the table"):
        kpi(Snapshot.from_frames({"deals": outcomes(won=1)}, as_of="2026-06-30"))
