"""What changed between two days: of a company made by hand, and of the sample against plain pandas."""

from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest

import connectors
from kpi import Snapshot, board
from kpi.planning import FunnelModel, reverse_funnel
from workbench.report.notebook import SAMPLES
from workbench.report.pack import changes
from workbench.report.pack.changes import MOST, changes_since
from workbench.theme import money_text, percent_text, whole_text

STAGES = pd.DataFrame(
    {
        "stage_id": ["s1", "s2", "w", "l"],
        "label": ["Demo", "Proposal\u202e\n</script>", "Won", "Lost"],
        "outcome": ["open", "open", "won", "lost"],
        "position": range(4),
        "object": "deal",
    }
)
THEN = {
    "a": ("s2", 900.0),
    "b": ("s1", 800.0),
    "c": ("l", 700.0),
    "d": ("s1", 600.0),
    "e": ("s1", 500.0),
    "f": ("s1", 400.0),
    "g": ("s1", 300.0),
    "h": ("s1", None),
}
NOW = {
    "a": ("w", 950.0),  # won, and its amount changed: won says more
    "b": ("l", 800.0),
    "c": ("s1", 700.0),  # lost before, open again
    "e": ("s1", 550.0),  # d is gone
    "f": ("s2", 400.0),
    "g": ("s1", 300.0),  # as it was
    "h": ("s1", 20.0),
    "i": ("s1", 100.0),
    "j": ("w", 50.0),  # made and won since
}
MOVES = [
    ("a", "won", "Proposal </script>", "Won"),
    ("j", "won", "–", "Won"),
    ("b", "lost", "Demo", "Lost"),
    ("c", "reopened", "Lost", "Demo"),
    ("d", "removed", "Demo", "–"),
    ("i", "new", "–", "Demo"),
    ("e", "amount", "$500", "$550"),
    ("h", "amount", "–", "$20"),
    ("f", "stage", "Demo", "Proposal </script>"),
]


def company(deals, day):
    """A company of the deals given as ``id: (stage, amount)``, as known on a day."""
    closed = pd.Timestamp(day) - pd.Timedelta(days=5)
    rows = [
        (key, stage, amount, f"Deal of {key}\u202e", "o1", closed if stage in "wl" else None)
        for key, (stage, amount) in deals.items()
    ]
    names = ["deal_id", "stage_id", "amount", "name", "owner_id", "closed_at"]
    frame = pd.DataFrame(rows, columns=names)
    frame["created_at"] = pd.Timestamp("2026-05-01")
    frame["lost_reason"] = "private reason"
    owners = pd.DataFrame({"owner_id": ["o1"], "name": ["Ada Seller"]})
    frames = {"deals": frame, "stages": STAGES, "owners": owners}
    return Snapshot.from_frames(frames, as_of=day)


@pytest.fixture(scope="module")
def snapshot():
    return connectors.open(SAMPLES)


@pytest.fixture(scope="module")
def before(snapshot):
    return snapshot.at(snapshot.as_of - timedelta(days=90))


@pytest.fixture(scope="module")
def plan(snapshot):
    return reverse_funnel(FunnelModel.fit(snapshot), new_mrr=60_000, by="2027-05-31")


@pytest.fixture(scope="module")
def earlier(before):
    return reverse_funnel(FunnelModel.fit(before), new_mrr=50_000, by="2027-05-31")


@pytest.fixture(scope="module")
def found(plan, snapshot, before, earlier):
    return changes_since(plan, snapshot, before, earlier=earlier)


def test_every_kind_of_move_is_told_once_the_most_important_first(plan):
    then, now = company(THEN, "2026-08-01"), company(NOW, "2026-11-01")
    found = changes_since(plan, now, then)
    assert list(found.moves.itertuples(index=False, name=None)) == MOVES
    assert list(found.moves.columns) == ["deal", "what", "before", "now"]
    assert (found.since, found.until) == ("2026-08-01", "2026-11-01")
    assert found.sentence == (
        "Since 1 August 2026: deals 2 won, 1 lost, 1 new, 1 reopened, 1 removed, 1 at another stage, "
        "2 with another amount."
    )


def test_names_and_owners_only_when_asked_for_and_reasons_never(plan):
    then, now = company(THEN, "2026-08-01"), company(NOW, "2026-11-01")
    without = str(changes_since(plan, now, then).moves.to_dict())
    assert "Deal of" not in without
    assert "Ada Seller" not in without
    told = changes_since(plan, now, then, names=True).moves.set_index("deal")
    assert told.loc["a", "name"] == "Deal of a"
    assert told.loc["d", "name"] == "Deal of d"  # gone since; known from then
    assert set(told["owner"]) == {"Ada Seller"}
    assert "private reason" not in str(told.to_dict())


def test_where_nothing_moved_that_is_said(plan):
    then, now = company(THEN, "2026-08-01"), company(THEN, "2026-08-02")
    found = changes_since(plan, now, then)
    assert found.moves.empty
    assert found.sentence == "Since 1 August 2026: no deal moved."


def test_a_move_of_stage_alone_is_a_move(plan):
    then, now = (company({"a": (stage, 1.0)}, "2026-08-01") for stage in ("s1", "s2"))
    assert "deals 1 at another stage" in changes_since(plan, now, then).sentence


def test_few_records_tell_no_kpi(plan):
    then, now = company(THEN, "2026-08-01"), company(NOW, "2026-11-01")
    few = set(board(then).query("n < 5")["name"]) | set(board(now).query("n < 5")["name"])
    shown = set(changes_since(plan, now, then).kpis["name"])
    assert few
    assert not shown & few


def test_the_samples_deals_against_plain_pandas(found, snapshot, before):
    """Outcomes by the deals' own dates: no use of history, of merge or of the code under test."""
    day = pd.Timestamp(before.as_of) + pd.Timedelta(days=1)
    deals = snapshot.deals.to_pandas().set_index("deal_id")
    made = pd.to_datetime(deals["created_at"], utc=True).dt.tz_localize(None)
    closed = pd.to_datetime(deals["closed_at"], utc=True).dt.tz_localize(None)
    since = closed >= day
    known = set(before.deals.to_pandas()["deal_id"])
    for what in ("won", "lost"):
        expected = set(deals.index[since & (deals["outcome"] == what)])
        assert expected
        assert f"{len(expected):,} {what}" in found.sentence
    told = changes_since_all(found, snapshot, before)
    for what in ("won", "lost"):
        expected = set(deals.index[since & (deals["outcome"] == what)])
        assert set(told.loc[told["what"] == what, "deal"]) == expected
    expected = set(deals.index[(made >= day) & (deals["outcome"] == "open")])
    assert expected
    assert set(told.loc[told["what"] == "new", "deal"]) == expected
    assert not expected & known


def changes_since_all(found, snapshot, before):
    """All moves, not only those shown; the shown ones are its beginning."""
    whole, _ = changes.moved_deals(before, snapshot, "$", names=False)
    pd.testing.assert_frame_equal(found.moves, whole[:MOST])
    more = len(whole) - len(found.moves)
    assert (f"{more:,} more deals moved" in found.notes) == (more > 0)
    return whole


def test_the_list_is_cut_and_says_so(plan, snapshot, before, monkeypatch):
    monkeypatch.setattr(changes, "MOST", 7)
    cut = changes_since(plan, snapshot, before)
    whole, _ = changes.moved_deals(before, snapshot, "$", names=False)
    assert len(cut.moves) == 7
    assert f"{len(whole) - 7:,} more deals moved" in cut.notes


def test_kpis_are_the_boards_of_both_days(found, snapshot, before):
    then, now = (board(each).set_index("name") for each in (before, snapshot))
    rows = found.kpis.set_index("name")
    for name, say in (("win_rate", percent_text), ("mrr", lambda n: money_text(n, "$"))):
        assert rows.loc[name, "before"] == say(then.loc[name, "value"])
        assert rows.loc[name, "now"] == say(now.loc[name, "value"])
        assert rows.loc[name, "n"] == now.loc[name, "n"]
    known = then["value"].notna() & now["value"].notna() & (then["n"] >= 5) & (now["n"] >= 5)
    assert list(rows.index) == [name for name in then.index if known[name]]


def test_the_plan_beside_the_earlier_one(found, plan, earlier, snapshot, before):
    rows = found.plan.set_index("label")
    assert rows.loc["Leads to create"].tolist() == [
        whole_text(earlier.to_create),
        whole_text(plan.to_create),
    ]
    assert "$50K" in rows.loc["Target", "before"]
    assert "$60K" in rows.loc["Target", "now"]
    assert (rows["before"] != rows["now"]).all()
    same = changes_since(plan, snapshot, before, earlier=plan)
    assert same.plan.empty
    assert changes_since(plan, snapshot, before).plan.empty


def test_the_bridge_is_the_earlier_plans_and_needs_one_that_has_begun(found, plan, snapshot):
    assert found.bridge["driver"].is_unique
    assert len(found.bridge) > 2
    wins = reverse_funnel(FunnelModel.fit(snapshot), wins=40, by="2027-05-31")
    other = changes_since(plan, snapshot, snapshot, earlier=wins)
    assert other.bridge.empty  # wins are no money
    assert other.notes[0] == "no bridge: the earlier plan had another kind of target"
    unbegun = changes_since(plan, snapshot, snapshot.at(snapshot.as_of - timedelta(days=9)))
    assert unbegun.bridge.empty
    assert any(note.startswith("no bridge: ") for note in unbegun.notes)


def test_money_is_in_the_companys_currency(plan):
    then, now = company(THEN, "2026-08-01"), company(NOW, "2026-11-01")
    other = replace(now.definitions, reporting_currency="CHF")
    shown = changes_since(plan, now.under(other), then.under(other)).moves.set_index("deal")
    assert shown.loc["e", "now"] == "CHF 550"
