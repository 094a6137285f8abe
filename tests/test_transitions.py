"""Transition matrix and outlook against walking deal by deal, in plain Python."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from companies import AS_OF, LAST_DAY, deals_on_paths, random_walks, snapshot, stages, ways

from kpi.funnel.outlook import stage_outlook
from kpi.funnel.transitions import transition_matrix
from kpi.stats import absorption, kaplan_meier, restricted_mean

ENDS = {"Won": "won", "Lost": "lost"}


def visits(way):
    """Visits of one deal: (stage, next stage or None, days); a stage recorded twice is one visit."""
    steps = [step for i, step in enumerate(way) if i == 0 or way[i - 1][1] != step[1]]
    found = []
    for i, (day, stage) in enumerate(steps):
        if stage in ENDS:
            continue
        after = steps[i + 1] if i + 1 < len(steps) else None
        found.append(
            (stage, after and ENDS.get(after[1], after[1]), (after or (LAST_DAY,))[0] - day)
        )
    return found


@pytest.fixture(scope="module", params=[3, 4])
def frames(request):
    return random_walks(seed=request.param, count=200)


@pytest.fixture(scope="module")
def snap(frames):
    return snapshot(frames)


def all_visits(frames):
    """Every visit of every deal."""
    return [visit for way in ways(frames).values() for visit in visits(way)]


def test_every_move_is_counted(frames, snap):
    """Forward, skipping, back and again, won and lost; and how many are still there."""
    counted = Counter((stage, after) for stage, after, _ in all_visits(frames))
    table = transition_matrix(snap)
    for row in table.itertuples():
        assert row.x == counted[row.from_stage, row.to_stage]
        assert row.open == counted[row.from_stage, None]
        assert row.n == sum(n for (stage, _), n in counted.items() if stage == row.from_stage)
    assert table["x"].sum() == sum(n for (_, after), n in counted.items() if after)
    assert len(table) == 3 * 4


def test_the_rows_of_a_stage_sum_to_one(snap):
    """As they must, before and after smoothing; the limits hold the value."""
    table = transition_matrix(snap, by="source")
    sums = table.groupby(["source", "from_stage"])[["value", "observed"]].sum()
    np.testing.assert_allclose(sums, 1.0)
    assert (table["low"] < table["value"]).all()
    assert (table["value"] < table["high"]).all()


def test_where_nothing_is_open_it_is_counting_with_half_a_move_added():
    """Eight go on, one back, one lost: (8 + 0.5) / (10 + 4 x 0.5), Beta limits."""
    paths = {f"a{i}": ["S2", "S3", "Won"] for i in range(8)}
    paths |= {"b": ["S2", "S1", "Lost"], "c": ["S2", "Lost"]}
    table = transition_matrix(snapshot(deals_on_paths(paths) | {"stages": stages()}))
    row = table.set_index(["from_stage", "to_stage"]).loc[("S2", "S3")]
    assert row["observed"] == pytest.approx(0.8)
    assert row["value"] == pytest.approx(8.5 / 12)
    random = np.random.default_rng(1)
    drawn = random.dirichlet([1.5, 8.5, 0.5, 1.5], 200_000)[:, 1]
    assert [row["low"], row["high"]] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.005)
    plain = transition_matrix(
        snapshot(deals_on_paths(paths) | {"stages": stages()}), smoothing=1e-9
    )
    assert plain["value"].dropna().tolist() == pytest.approx(
        table["observed"].dropna().tolist(), abs=1e-8
    )


def test_open_visits_go_where_the_others_of_their_age_went():
    """Half advance on day 10, the rest are lost on day 50; twenty entered 20 days ago.

    Counting ended visits would call it 40 of 60 advancing; followed, it is one half.
    """
    paths = {f"a{i}": [(0, "S1"), (10, "S2")] for i in range(20)}
    paths |= {f"l{i}": [(0, "S1"), (50, "Lost")] for i in range(20)}
    paths |= {f"q{i}": [(160, "S1"), (170, "S2")] for i in range(10)}
    paths |= {f"o{i}": [(160, "S1")] for i in range(10)}
    rows = [
        (deal, stage, pd.Timestamp("2026-01-01") + pd.Timedelta(days=day))
        for deal, way in paths.items()
        for day, stage in way
    ]
    history = pd.DataFrame(rows, columns=["record_id", "stage_id", "changed_at"])
    deals = pd.DataFrame({"deal_id": list(paths), "stage_id": [w[-1][1] for w in paths.values()]})
    table = transition_matrix(snapshot({"deals": deals, "history": history, "stages": stages()}))
    found = table.set_index(["from_stage", "to_stage"])["observed"]["S1"]
    assert found.to_dict() == pytest.approx({"S2": 0.5, "S3": 0, "won": 0, "lost": 0.5})


def test_a_reopened_deal_came_straight_from_where_it_was_lost():
    """Lost is an end only for what is lost as of the date."""
    paths = {"a": ["S2", "Lost", "S1", "Won"], "b": ["S2", "Lost", "S2", "Won"]}
    table = transition_matrix(snapshot(deals_on_paths(paths) | {"stages": stages()}))
    moves = table[table["x"] > 0].set_index(["from_stage", "to_stage"])["x"]
    assert moves.to_dict() == {("S1", "won"): 1, ("S2", "S1"): 1, ("S2", "won"): 1}


def test_where_many_stay_for_ever_the_note_says_so():
    """Ten of thirty never leave: a third is still there at the last age."""
    paths = {f"d{i}": ["S1", "S2"] if i < 20 else ["S1"] for i in range(30)}
    table = transition_matrix(snapshot(deals_on_paths(paths) | {"stages": stages()}))
    assert "33% still there after 180 days" in table["note"].iloc[0]


def test_a_stage_nobody_left_has_no_moves_and_says_why():
    table = transition_matrix(
        snapshot(deals_on_paths({"a": ["S1"], "b": ["S1"]}) | {"stages": stages()})
    )
    first, second = table.iloc[0], table[table["from_stage"] == "S2"].iloc[0]
    assert first["note"] == "not enough data: none of 2 has left yet"
    assert (first["n"], first["open"]) == (2, 2)
    assert second["note"] == "no_denominator: no deal was there"
    assert table["value"].isna().all()


def test_a_period_is_that_in_which_the_visit_began(frames, snap):
    """Visits of each month add up to all visits."""
    monthly = transition_matrix(snap, every="month")
    once = monthly.drop_duplicates(["period", "from_stage"])
    assert once["n"].sum() == len(all_visits(frames))
    fiscal = transition_matrix(snapshot(frames, fiscal_year_start=2), every="quarter")
    assert set(fiscal["period"].dt.month) <= {2, 5, 8, 11}


def test_a_days_cut_follows_the_time_zone():
    """A visit begun late on 31 January in New York is of January there, of February in UTC."""
    deals = pd.DataFrame({"deal_id": ["a"], "stage_id": ["S2"]})
    history = pd.DataFrame(
        {
            "record_id": "a",
            "stage_id": ["S1", "S2"],
            "changed_at": ["2026-02-01T03:00Z", "2026-02-05T12:00Z"],
        }
    )
    for zone, month in (("America/New_York", 1), ("UTC", 2)):
        frames = {"deals": deals, "history": history, "stages": stages()}
        table = transition_matrix(snapshot(frames, time_zone=zone), every="month")
        assert table.loc[table["x"] > 0, "period"].dt.month.tolist() == [month]


def two_pipelines():
    """A pipeline of two stages and one of one."""
    two = pd.concat([stages("a1", "a2", "Won", "Lost"), stages("b1", "Won")], ignore_index=True)
    two["pipeline_id"] = ["A"] * 4 + ["B"] * 2
    frames = deals_on_paths({"1": ["a1", "a2", "Won"], "2": ["b1", "Won"], "3": ["b1"]})
    frames["deals"]["pipeline_id"] = ["A", "B", "B"]
    frames["history"]["pipeline_id"] = ["A", "A", "A", "B", "B", "B"]
    return frames | {"stages": two}


def test_pipelines_are_apart():
    """Each has its own destinations; only those counted are there."""
    table = transition_matrix(snapshot(two_pipelines()))
    assert table.groupby("pipeline_id").size().to_dict() == {"A": 6, "B": 2}
    only = transition_matrix(snapshot(two_pipelines(), pipelines=("B",)))
    assert only["from_stage"].unique().tolist() == ["b1"]
    assert stage_outlook(snapshot(two_pipelines()))["stage_id"].tolist() == ["a1", "a2", "b1"]


def test_the_outlook_solves_the_first_step_equations(frames, snap):
    """P(win) of a stage is that of where it leads, weighted; so are visits and days."""
    matrix = transition_matrix(snap).pivot_table(
        index="from_stage", columns="to_stage", values="value"
    )
    outlook = stage_outlook(snap).set_index("stage_id")
    q = matrix.reindex(columns=["S1", "S2", "S3"]).fillna(0.0)
    value, seen, days = outlook["value"], outlook["visits"], outlook["expected_days"]
    np.testing.assert_allclose(value, q @ value + matrix["won"])
    np.testing.assert_allclose(seen, q @ seen + 1)
    np.testing.assert_allclose(days, q @ days + outlook["stay_days"])
    for stage in outlook.index:
        own = [(days, after is not None) for s, after, days in all_visits(frames) if s == stage]
        curve = kaplan_meier(*zip(*own, strict=True))
        assert outlook.loc[stage, "stay_days"] <= restricted_mean(curve, curve.index[-1]) + 1e-9


def test_the_outlook_counts_deals_once(frames, snap):
    """x: won of the deals that were in the stage, however often."""
    been, won = Counter(), Counter()
    for way in ways(frames).values():
        for stage in {s for s, *_ in visits(way)}:
            been[stage] += 1
            won[stage] += way[-1][1] == "Won"
    outlook = stage_outlook(snap).set_index("stage_id")
    assert outlook["n"].to_dict() == been
    assert outlook["x"].to_dict() == won


def test_a_wider_level_gives_wider_limits(snap):
    """And the same numbers every time."""
    for kpi in (transition_matrix, stage_outlook):
        narrow, wide = kpi(snap, level=0.5), kpi(snap, level=0.99)
        assert (wide["low"] < narrow["low"]).all()
        assert (wide["high"] > narrow["high"]).all()
        pd.testing.assert_frame_equal(kpi(snap), kpi(snap))


def test_the_fundamental_matrix_agrees_with_walking():
    """50,000 walks through a chain with steps back; rows of 1.01 and 0.99 are brought to 1."""
    moves = np.array([[0.0, 0.60, 0.01], [0.15, 0.0, 0.55], [0.0, 0.19, 0.0]])
    ends = np.array([[0.05, 0.35], [0.05, 0.25], [0.55, 0.25]])
    stay = np.array([10.0, 20.0, 5.0])
    chances, seen, days = absorption(moves, ends, stay)
    steps = np.hstack([moves, ends])
    np.testing.assert_allclose(steps.sum(axis=1), [1.01, 1.0, 0.99])
    random, at, won, visited, spent = np.random.default_rng(5), np.zeros(50_000, int), 0, 0, 0.0
    limits = (steps / steps.sum(axis=1, keepdims=True)).cumsum(axis=1)
    while len(at):
        visited, spent = visited + len(at), spent + stay[at].sum()
        to = (random.random(len(at))[:, None] > limits[at, :-1]).sum(axis=1)
        won += (to == 3).sum()
        at = to[to < 3]
    assert chances[0, 0] == pytest.approx(won / 50_000, abs=0.01)
    assert seen[0] == pytest.approx(visited / 50_000, rel=0.01)
    assert days[0] == pytest.approx(spent / 50_000, rel=0.01)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0)


@pytest.mark.parametrize(
    ("moves", "ends", "message"),
    [
        pytest.param([[0.0]], [[0.0, 0.0]], "without any way out", id="no way out"),
        pytest.param(
            [[0, 1], [1, 0]], [[0.0], [0.0]], "no end can be reached", id="round and round"
        ),
    ],
)
def test_a_chain_without_an_end_is_refused(moves, ends, message):
    with pytest.raises(ValueError, match=message):
        absorption(moves, ends, [1.0] * len(moves))


def test_an_export_that_begins_late_follows_from_there(frames):
    """With a window, visits that ended before it are not seen: fewer are followed, none invented."""
    late = transition_matrix(snapshot(frames, window_start="2026-03-01"))
    full = transition_matrix(snapshot(frames))
    assert late["n"].sum() < full["n"].sum()
    np.testing.assert_allclose(late.groupby("from_stage")["observed"].sum(), 1.0)
    assert pd.Timestamp(AS_OF) > pd.Timestamp("2026-03-01")
