"""Stage conversion against counting deal by deal, in plain Python."""

import numpy as np
import pandas as pd
import pytest
from companies import BORN, LAST_DAY, deals_on_paths, random_walks, snapshot, stages, ways

from kpi import stage_conversion
from kpi.funnel.leakage import stage_leakage
from kpi.stats import aalen_johansen
from kpi.stats.survival import at_age, last_age

RANK = {"S1": 0, "S2": 1, "S3": 2, "Won": 3}


def furthest(way):
    """Ranks up to the highest ever reached."""
    return range(1 + max([0, *(RANK[s] for _, s in way if s in RANK)]))


def anywhere(way):
    """Ranks ever entered."""
    return {RANK[s] for _, s in way if s in RANK}


def in_order(way):
    """Ranks entered after every earlier one."""
    wanted = 0
    for _, stage in way:
        wanted += RANK.get(stage) == wanted
    return range(wanted)


def last_standing(way):
    """Ranks up to the one a deal was in last, before it was lost."""
    opens = [RANK[s] for _, s in way if s in RANK]
    return range(1 + opens[-1])


RULES = {"furthest": furthest, "any": anywhere, "all": in_order, "linear": last_standing}


@pytest.fixture(scope="module", params=[1, 2])
def frames(request):
    return random_walks(seed=request.param, count=150)


@pytest.fixture(scope="module")
def snap(frames):
    return snapshot(frames)


@pytest.mark.parametrize("mode", RULES)
def test_counts_equal_counting_deal_by_deal(frames, snap, mode):
    """150 deals that skip, go back, move twice a day; each of the four rules."""
    reached = np.zeros(4, dtype=int)
    for way in ways(frames).values():
        for rank in RULES[mode](way):
            reached[rank] += 1
    table = stage_conversion(snap, mode=mode)
    assert table["reached"].tolist() == reached.tolist()
    rates = reached[1:] / reached[:-1]
    assert table["rate"].tolist()[:3] == pytest.approx(rates.tolist())
    assert np.isnan(table["rate"].iloc[3])


def test_values_equal_following_each_deal_from_the_stage(frames, snap):
    """The clock starts at the first day at the stage or a later one; open deals are censored."""
    table = stage_conversion(snap)
    for rank in range(3):
        durations, causes = [], []
        for way in ways(frames).values():
            first = {
                r: min((d for d, s in way if RANK.get(s, -1) >= r), default=None) for r in range(4)
            }
            if first[rank] is None:
                continue
            lost = way[-1][0] if way[-1][1] == "Lost" else None
            onward = first[rank + 1]
            end = next((d for d in (onward, lost) if d is not None), LAST_DAY)
            durations.append(end - first[rank])
            causes.append(1 if onward is not None else 2 if lost is not None else 0)
        curve = aalen_johansen(durations, causes)
        age = last_age(curve, 10)
        row = table.iloc[rank]
        assert row["n"] == len(durations)
        assert row["x"] == sum(c == 1 and d <= age for d, c in zip(durations, causes, strict=True))
        assert row["value"] == pytest.approx(at_age(curve, "cif_1", age, before=0.0), abs=1e-12)


def test_open_deals_pull_the_rate_down_but_not_the_value():
    """Ten of ten that had the time went on; ten entered yesterday: rate a half, value one."""
    old = {f"o{i}": ["S1", "S2", "Lost"] for i in range(10)}
    frames = deals_on_paths(old, gap_days=20)
    fresh = [f"n{i}" for i in range(10)]
    entered = pd.Timestamp("2026-06-29")
    frames["deals"] = pd.concat(
        [frames["deals"], pd.DataFrame({"deal_id": fresh, "stage_id": "S1", "created_at": entered})]
    )
    frames["history"] = pd.concat(
        [
            frames["history"],
            pd.DataFrame({"record_id": fresh, "stage_id": "S1", "changed_at": entered}),
        ]
    )
    row = stage_conversion(snapshot(frames | {"stages": stages()})).iloc[0]
    assert row["rate"] == 0.5
    assert row["value"] == 1.0


def test_a_history_that_does_not_name_the_pipeline_still_counts():
    """Salesforce records the stage only: with two pipelines the deal's own is meant."""
    two = pd.concat([stages("a1", "a2", "Won"), stages("b1", "Won")], ignore_index=True)
    two["pipeline_id"] = ["A"] * 3 + ["B"] * 2
    frames = deals_on_paths({"1": ["a1", "a2", "a1"], "2": ["b1", "Won"]})
    frames["deals"]["pipeline_id"] = ["A", "B"]
    for history in (
        frames["history"],
        frames["history"].assign(pipeline_id=["A", "A", "A", "B", "B"]),
    ):
        table = stage_conversion(snapshot(frames | {"stages": two, "history": history}))
        assert table[["pipeline_id", "reached"]].to_numpy().tolist() == [
            ["A", 1],
            ["A", 1],
            ["A", 0],
            ["B", 1],
            ["B", 1],
        ]


def test_pipelines_are_counted_apart():
    """A pipeline of two stages and one of three, in one table, with their own last rows."""
    two = pd.concat([stages("a1", "a2", "Won"), stages("b1", "Won")], ignore_index=True)
    two["pipeline_id"] = ["A"] * 3 + ["B"] * 2
    frames = deals_on_paths({"1": ["a1", "a2"], "2": ["b1", "Won"], "3": ["b1"]})
    frames["deals"]["pipeline_id"] = ["A", "B", "B"]
    frames["history"]["pipeline_id"] = ["A", "A", "B", "B", "B"]
    table = stage_conversion(snapshot(frames | {"stages": two}))
    assert table["reached"].tolist() == [1, 1, 0, 2, 1]
    ends = table.groupby("pipeline_id")["note"].last()
    assert ends.tolist() == ["last stage", "last stage"]


def test_without_history_a_deal_stands_where_it_is():
    """And has passed every stage before."""
    deals = pd.DataFrame(
        {"deal_id": list("abc"), "stage_id": ["S3", "Won", "S1"], "created_at": "2026-01-01"}
    )
    table = stage_conversion(snapshot({"deals": deals, "stages": stages()}))
    assert table["reached"].tolist() == [3, 2, 2, 1]


def test_an_unknown_stage_is_counted_but_not_placed():
    """A deal in a stage nobody described has reached the first one, no further, and is listed."""
    deals = pd.DataFrame({"deal_id": ["a", "b"], "stage_id": ["S2", "Ghost"], "created_at": BORN})
    snap = snapshot({"deals": deals, "stages": stages()})
    assert stage_conversion(snap)["reached"].tolist() == [2, 1, 0, 0]
    assert snap.problems["reason"].tolist() == [
        "unknown stage: counted, but not placed in the funnel"
    ]


def lost_from(way):
    """Rank from which a deal is lost: the furthest it had reached; None where it is not lost."""
    return max(furthest(way)) if way[-1][1] == "Lost" else None


def test_leakage_counts_equal_counting_deal_by_deal(frames, snap):
    """Deals and money that entered each stage and were lost from it, for good."""
    entered, lost = np.zeros(4, dtype=int), np.zeros(4, dtype=int)
    money, gone = np.zeros(4), np.zeros(4)
    amounts = frames["deals"].set_index("deal_id")["amount"]
    for deal, way in ways(frames).items():
        for rank in furthest(way):
            here = lost_from(way) == rank
            entered[rank] += 1
            lost[rank] += here
            money[rank] += amounts[deal]
            gone[rank] += here * amounts[deal]
    table = stage_leakage(snap)
    assert table["entered"].tolist() == entered[:3].tolist()
    assert table["lost"].tolist() == lost[:3].tolist()
    np.testing.assert_allclose(table["rate"], (lost / entered)[:3])
    np.testing.assert_allclose(table["amount_entered"], money[:3])
    np.testing.assert_allclose(table["amount_lost"], gone[:3])
    np.testing.assert_allclose(table["amount_rate"], (gone / money)[:3])


@pytest.mark.parametrize(
    ("cut", "keys"),
    [({}, []), ({"by": "source"}, ["source"]), ({"every": "quarter"}, ["period"])],
    ids=["whole", "by source", "by quarter"],
)
def test_going_on_and_being_lost_leave_the_share_still_open(snap, cut, keys):
    """At one age they never sum above one, follow the same deals, and leave the open ones."""
    on = stage_conversion(snap, horizon_days=60, **cut)
    gone = stage_leakage(snap, horizon_days=60, **cut)
    both = gone.merge(on, on=[*keys, "stage_id"], suffixes=("_lost", "_on"))
    assert len(both) == len(gone)
    assert (both["n_lost"] == both["n_on"]).all()
    total = (both["value_lost"] + both["value_on"]).dropna()
    assert len(total) > 0
    assert (total <= 1 + 1e-9).all()


def test_reasons_share_the_leakage_out(frames):
    """The shares of all reasons sum to the leakage of the stage; a loss without one is named so."""
    deals = frames["deals"]
    reason = pd.Series(["price", "timing", None])[np.arange(len(deals)) % 3].to_numpy()
    snap = snapshot(frames | {"deals": deals.assign(lost_reason=reason)})
    for options in ({}, {"by": "source"}):
        keys = [*options.values(), "stage_id"]
        whole = stage_leakage(snap, horizon_days=60, **options).set_index(keys)
        table = stage_leakage(snap, horizon_days=60, reasons=True, **options)
        parts = table.groupby(keys)[["value", "x", "lost", "amount_lost"]].sum()
        whole = whole.loc[parts.index]
        np.testing.assert_allclose(parts["value"], whole["value"])
        assert parts["x"].tolist() == whole["x"].tolist()
        assert parts["lost"].tolist() == whole["lost"].tolist()
        np.testing.assert_allclose(parts["amount_lost"], whole["amount_lost"])
        assert set(table["lost_reason"]) == {"price", "timing", "no reason given"}
        assert (
            table.set_index(keys)["entered"]
            == whole["entered"].reindex(table.set_index(keys).index)
        ).all()


def test_a_stage_nothing_was_lost_from_says_so():
    """With reasons, its row has none; without amounts there is no share of them."""
    frames = deals_on_paths({"a": ["S1", "Lost"], "b": ["S1", "S2"]}) | {"stages": stages()}
    table = stage_leakage(snapshot(frames), reasons=True).set_index("stage_id")
    assert table.loc["S1", "lost_reason"] == "no reason given"
    assert pd.isna(table.loc["S2", "lost_reason"])
    assert table.loc["S2", "note"] == "no_denominator: nothing was lost there"
    plain = stage_leakage(snapshot(frames)).set_index("stage_id")
    assert plain.loc["S3", "note"] == "no_denominator: no deal reached it"
    assert plain["amount_rate"].isna().all()


def test_a_reopened_deal_is_not_lost():
    """Lost in February, won in March: nothing leaked."""
    frames = deals_on_paths({"a": ["S1", "Lost", "S2", "Won"]}) | {"stages": stages()}
    table = stage_leakage(snapshot(frames))
    assert table["lost"].tolist() == [0, 0, 0]
    assert table["value"].tolist() == [0.0, 0.0, 0.0]


def test_leakage_follows_fiscal_quarters_and_pipelines(frames, snap):
    """Periods begin where the year does; groups and periods add up to the whole."""
    fiscal = stage_leakage(snapshot(frames, fiscal_year_start=2), every="quarter")
    assert set(fiscal["period"].dt.month) <= {2, 5, 8, 11}
    whole = stage_leakage(snap)["lost"].sum()
    assert fiscal["lost"].sum() == whole == stage_leakage(snap, by="source")["lost"].sum()
    assert stage_leakage(snap, level=0.5)["low"].ge(stage_leakage(snap)["low"]).all()
    piped = frames | {"deals": frames["deals"].assign(pipeline_id="other")}
    assert stage_leakage(snapshot(piped, pipelines=("sales",)))["entered"].sum() == 0
