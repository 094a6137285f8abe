"""The first hour of an analyst, story by story: what the boards say, checked against the plain files.

The expected numbers come from the sample's CSV files by pandas, from its README or from a company made
by hand; never from the functions that the boards use. Connecting to a CRM is told in tests/hubspot and
tests/salesforce, the pack for leadership in the tests of the report.
"""

import re
import shutil
from datetime import date
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from companies import deals_on_paths, stages
from companies import snapshot as company
from scipy.stats import poisson

import connectors
from kpi.planning import FunnelModel, reverse_funnel
from workbench.boards import FunnelBoard, ReverseFunnelBoard, TeamBoard, TrackingBoard

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "data" / "samples"
SCREEN = 40  # lines
PLANTED = "2026-03-01"  # data/samples/README.md: the leak begins


@pytest.fixture(scope="module")
def snapshot():
    """The sample company."""
    return connectors.open(SAMPLES)


@pytest.fixture(scope="module")
def closed():
    """Its new deals that closed, from the file: one row each, with the day."""
    deals = pd.read_csv(SAMPLES / "deals.csv")
    found = deals[(deals["deal_type"] == "new") & deals["outcome"].isin(["won", "lost"])]
    return found.assign(day=found["closed_at"].str[:10], won=found["outcome"] == "won")


def wins_between(closed, first, last):
    """Deals won from one day to another."""
    return int((closed["won"] & closed["day"].between(first, last)).sum())


def test_1_answer_without_a_crm(snapshot, closed):
    """The start notebook answers in a sentence, before a screen is full, for the usual pace."""
    usual = wins_between(closed, "2026-05-01", "2026-10-31")
    board = ReverseFunnelBoard(snapshot)
    assert board.target.value == usual
    said = rf"Create ([\d,]+) leads by the end of \w+ 2027, about \d+ a month, for {usual} wins"
    asked = int(re.match(said, board.sentence)[1].replace(",", ""))
    assert asked == board.plan.table.query("stage == 'leads'")["need"].sum()
    book = nbformat.read(ROOT / "notebooks" / "02_reverse_funnel.ipynb", as_version=4)
    outputs = [out for cell in book.cells for out in cell.get("outputs", [])]
    texts = [out.get("text") or out["data"].get("text/plain", "") for out in outputs]
    answer = next(place for place, text in enumerate(texts) if text.startswith("Create "))
    assert sum(text.count("\n") + 1 for text in texts[:answer]) < SCREEN


def test_3_make_it_mean_what_we_mean(snapshot, closed, tmp_path, monkeypatch):
    """The fiscal year begins in July: periods, counts and labels follow, a frozen plan does not."""
    monkeypatch.chdir(tmp_path)
    ours = tmp_path / "ours"
    shutil.copytree(SAMPLES, ours, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    text = (ours / "definitions.toml").read_text(encoding="utf-8")
    assert "fiscal_year_start = 1" in text
    (ours / "definitions.toml").write_text(
        text.replace("fiscal_year_start = 1", "fiscal_year_start = 7"), encoding="utf-8"
    )
    plan = reverse_funnel(FunnelModel.fit(snapshot.at("2026-06-30")), wins=40, by="2026-12-31")
    path = plan.freeze("out/plans/mine.toml")
    before = path.read_bytes()
    changed = connectors.open(ours)
    old, new = FunnelBoard(snapshot, every="year"), FunnelBoard(changed, every="year")
    by_year = {
        name: board.frame.shown.data["win_rate"].set_index("period")["n"].to_dict()
        for name, board in {"old": old, "new": new}.items()
    }
    assert by_year["old"][pd.Timestamp("2025-01-01")] == len(
        closed[closed["day"].between("2025-01-01", "2025-12-31")]
    )
    assert by_year["new"][pd.Timestamp("2025-07-01")] == len(
        closed[closed["day"].between("2025-07-01", "2026-06-30")]
    )
    assert old.frame.shown.source != new.frame.shown.source  # the version of the definitions
    tracked = TrackingBoard(changed, plan=str(path))
    assert tracked.plan.target.wins == 40
    assert path.read_bytes() == before


def test_4_true_conversion_and_velocity():
    """586 deals, most wins by skips: 15 % are won, whatever the stages multiply to under a rule."""
    ways = [["New", "One", "Two", "Won"]] * 7 + [["New", "One", "Lost"]] * 320
    ways += [["New", "Two", "Won"]] * 52 + [["New", "Won"]] * 30 + [["New", "Lost"]] * 177
    ways += [["New", "One"]] * 40  # still open: neither won nor lost
    paths = {f"d{place}": way for place, way in enumerate(ways)}
    frames = deals_on_paths(paths) | {"stages": stages("New", "One", "Two", "Won", "Lost")}
    board = FunnelBoard(company(frames))
    board.filters.deal_type.value = ""
    reached = {}
    for rule in ("furthest", "all", "any"):
        board.rule.value = rule
        reached[rule] = board.frame.shown.data["stage_conversion"]["reached"].tolist()
    assert reached["furthest"] == [626, 7 + 320 + 52 + 30 + 40, 7 + 52 + 30, 89]
    assert reached["all"] == [626, 7 + 320 + 40, 7, 7]
    assert reached["any"] == [626, 7 + 320 + 40, 7 + 52, 89]
    (rate,) = [text for name, text in board.frame.shown.facts if name.startswith("Win rate")]
    assert rate.startswith("15%")
    assert "586" in rate  # of those closed


def test_5_reverse_funnel_in_time_net_of_churn(snapshot):
    """The wins it expects bring the chance asked for; late leads are no use; churn costs leads."""
    board = ReverseFunnelBoard(snapshot)
    plan = board.plan
    expected = plan.from_pipeline + plan.from_direct + plan.from_new
    assert plan.outcome["wins"].sum() == pytest.approx(expected, rel=0.01)
    by_chance_alone = poisson.sf(board.target.value - 1, expected)
    assert 0.8 <= by_chance_alone <= 0.9  # what is not known of the rates takes the rest
    leads = plan.table.query("stage == 'leads'").set_index("month")["need"]
    last = leads[leads > 0].index.max()
    assert f"by the end of {last:%B %Y}" in board.sentence
    assert last < pd.Timestamp("2027-05-01")
    board.goal.value = "MRR at the date"
    replaced = board.plan.total_leads
    board.churn.field.value = 2.0
    assert board.plan.total_leads < replaced
    board.rates["leads"].field.value = 0
    assert board.plan is None
    assert "expected above 0" in board.problem
    assert "inf" not in board.sentence


def test_6_scenarios_and_cheapest_lever(snapshot, tmp_path, monkeypatch):
    """Three kept and compared; taken again they say the same; two levers are not their sum."""
    monkeypatch.chdir(tmp_path)
    board = ReverseFunnelBoard(snapshot)
    cases = {
        "as it is": {},
        "better leads": {"leads": 20},
        "better closing": {"Negotiation": 90},
        "both": {"leads": 20, "Negotiation": 90},
    }
    leads = {}
    for name, rates in cases.items():
        board.back()
        for step, value in rates.items():
            board.rates[step].field.value = value
        leads[name] = board.plan.total_leads
        board.scenarios.name.value = name
        board.scenarios.save()
    saved = {name: leads["as it is"] - n for name, n in leads.items()}
    assert 0 < saved["better closing"] < saved["better leads"] < saved["both"]
    assert saved["both"] < saved["better leads"] + saved["better closing"]
    table = board.scenarios.compare().set_index("item")
    assert table.loc["leads to create", list(leads)].astype(float).to_dict() == leads
    board.back()
    again = ReverseFunnelBoard(snapshot)
    again.scenarios.kept.value = dict(again.scenarios.kept.options)["better leads"]
    again.scenarios.take()
    assert again.rates["leads"].field.value == 20
    assert again.plan.total_leads == leads["better leads"]


def test_7_where_is_the_leak(snapshot):
    """Paid search at Proposal since March comes first, with its deals; before March there is none."""
    history = pd.read_csv(SAMPLES / "history.csv").query("object == 'deal'")
    entered = history[history["stage_id"] == "prop"].groupby("record_id")["changed_at"].min()
    deals = pd.read_csv(SAMPLES / "deals.csv").set_index("deal_id")
    paid = deals[(deals["source"] == "paid search") & (deals["deal_type"] == "new")]
    since = set(entered[entered >= PLANTED].index) & set(paid.index)
    assert len(since) == 33  # 7 + 20 + 6, as the README of the sample has it
    board = FunnelBoard(snapshot)
    board.leaks.start()
    board.leaks.join(60)
    first = board.found.iloc[0]
    assert (first["label"], first["group"]) == ("Proposal", "paid search")
    shown = set(board.leak_deals[0]["deal_id"])
    assert shown == set(entered[entered >= str(first["period"].date())].index) & set(paid.index)
    assert since <= shown
    assert board.leak_deals[0]["url"].str.startswith("https://crm.example/").all()
    board.filters.as_of.value = date(2026, 2, 28)
    board.leaks.start()
    board.leaks.join(60)
    assert len(board.found) == 0


def test_8_can_the_team_carry_it(snapshot, closed):
    """Attainment is won over quota; short months are red; hires begin a ramp ahead of the need."""
    quarter = closed[closed["won"] & closed["day"].between("2026-07-01", "2026-09-30")]
    quotas = pd.read_csv(SAMPLES / "quotas.csv")
    due = quotas[quotas["period_start"].between("2026-07-01", "2026-09-30")]
    share = quarter["amount"].sum() / due["amount"].sum()
    board = TeamBoard(snapshot)
    assert f"the team won {share:.0%} of its quota" in board.sentence
    assert due["amount"].sum() == 300_000
    capacity = board.capacity
    short = (capacity["need"] > capacity["capacity"]) | (
        capacity["deals_need"] > capacity["deals_capacity"]
    )
    assert capacity["short"].tolist() == short.tolist()
    assert f"too few in {short.sum()} of {len(capacity)} months" in board.sentence
    for months, by in ((3, "1 September 2026"), (6, "1 June 2026")):
        board.ramp.field.value = months
        assert f"the first by {by}" in board.sentence


def test_9_a_month_later(snapshot, closed, tmp_path, monkeypatch):
    """Months on, the plan's file is as it was, and the causes add up to the gap in real wins."""
    monkeypatch.chdir(tmp_path)
    model = FunnelModel.fit(snapshot.at("2026-06-30"))
    path = reverse_funnel(model, wins=50, by="2027-03-31").freeze("out/plans/year.toml")
    before = path.read_bytes()
    board = TrackingBoard(snapshot, plan=str(path))
    came = wins_between(closed, "2026-07-01", "2026-11-01")
    assert board.bridged.attrs["actual"] == came
    assert f"{came} wins came of the" in board.sentence
    gap = came - board.bridged.attrs["plan"]
    assert board.bridged["effect"].sum() == pytest.approx(gap, abs=1e-6)
    by_month = board.tracked.query("label == 'Won'").set_index("month")["actual"]
    for month in ("2026-07-01", "2026-08-01", "2026-09-01", "2026-10-01"):
        last = str((pd.Timestamp(month) + pd.offsets.MonthEnd(0)).date())
        assert by_month[pd.Timestamp(month)] == wins_between(closed, month, last)
    board.again.start()
    board.again.join(60)
    assert board.rest.target.wins == 50
    assert board.rest.already == came
    assert path.read_bytes() == before
