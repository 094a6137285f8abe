"""The main job against plain pandas on the files: the figures, and why one is missing."""

import json
import math
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from companies import outcomes, random_walks, stages
from companies import snapshot as company

import connectors
from kpi import TableError
from kpi.planning import FunnelModel, reverse_funnel
from workbench.answer import answer

ROOT = Path(__file__).parents[2]
SAMPLES, MAPPINGS = ROOT / "data" / "samples", ROOT / "data" / "mappings"
SHARED = ROOT.parent / "shared" / "data"
MAVEN, SALESFORCE = SHARED / "maven_crm", SHARED / "salesforce_dev_org_sample"
KEYS = {
    "as_of": str,
    "source": str,
    "wins": int,
    "by": str,
    "confidence": float,
    "win_rate": float,
    "win_rate_low": float,
    "win_rate_high": float,
    "deals_won": int,
    "deals_closed": int,
    "cycle_days_median_won": float,
    "cycle_days_median_with_open": float,
    "open_deals": int,
    "deals_needed": int,
    "leads_needed": int,
    "leads_to_create": int,
    "deals_to_create": int,
    "create_by_month": dict,
    "create_until": str,
    "probability": float,
    "wins_from_pipeline": float,
    "wins_from_direct_deals": float,
    "too_late_share": float,
    "for_50_80_90": dict,
    "problems_in_data": int,
    "reasons": dict,
    "notes": list,
}
PLANNED = ["leads_to_create", "deals_to_create", "create_by_month", "create_until", "probability"]
PLANNED += ["wins_from_pipeline", "wins_from_direct_deals", "too_late_share", "for_50_80_90"]


@pytest.fixture(scope="module")
def snapshot():
    """The sample company."""
    return connectors.open(SAMPLES)


@pytest.fixture(scope="module")
def found(snapshot):
    """The main job on it, as a machine reads it."""
    return answer(snapshot).json


@pytest.fixture(scope="module")
def maven():
    """The main job on Maven's public export."""
    if not MAVEN.is_dir():
        pytest.skip("the Maven export lies outside the project and is not there")
    return answer(connectors.open(MAVEN, mapping=MAPPINGS / "maven_crm.toml")).json


def read(name):
    """Return a CSV file of the samples as text."""
    return pd.read_csv(SAMPLES / f"{name}.csv", dtype="str")


def days(column):
    """Calendar days of moments; the sample company lives in UTC."""
    return pd.to_datetime(column, utc=True).dt.tz_localize(None).dt.normalize()


def as_known(day):
    """Every deal of the samples as it stood at the end of a day, worked out from history alone."""
    history, kinds = read("history"), read("stages")
    history = history[(history["object"] == "deal") & history["stage_id"].notna()]
    history = history.assign(day=days(history["changed_at"]))
    history = history[history["day"] <= pd.Timestamp(day)].sort_values("changed_at", kind="stable")
    last = history.groupby("record_id").last()[["pipeline_id", "stage_id", "day"]]
    kinds = kinds[kinds["object"] == "deal"].set_index(["pipeline_id", "stage_id"])["outcome"]
    last["outcome"] = kinds.reindex(
        pd.MultiIndex.from_frame(last[["pipeline_id", "stage_id"]])
    ).to_numpy()
    deals = read("deals").set_index("deal_id")[["deal_type", "created_at"]]
    return last.join(deals).assign(created=lambda d: days(d["created_at"]))


def test_every_key_is_there_with_its_type(found):
    """Machines rely on both; tests/test_readme.py holds the README to the keys."""
    assert list(found) == list(KEYS)
    assert {key: type(value) for key, value in found.items()} == KEYS


def test_win_rate_and_its_counts_are_those_of_the_file(found):
    """Won and lost deals of new business; expansion, renewal and open ones are no part of it."""
    deals = read("deals")
    new = deals[deals["deal_type"].fillna("new") == "new"]
    won, lost = (int((new["outcome"] == word).sum()) for word in ("won", "lost"))
    assert (found["deals_won"], found["deals_closed"]) == (won, won + lost)
    assert found["win_rate"] == pytest.approx(won / (won + lost), abs=1e-6)
    assert found["win_rate_low"] < found["win_rate"] < found["win_rate_high"]


def test_days_to_win_are_calendar_days(found):
    """From creation to close of new business won; the deal without a creation date is left out."""
    deals = read("deals")
    won = deals[(deals["deal_type"].fillna("new") == "new") & (deals["outcome"] == "won")]
    took = (days(won["closed_at"]) - days(won["created_at"])).dt.days
    assert found["cycle_days_median_won"] == took.median()
    assert found["cycle_days_median_with_open"] > 0


def test_open_deals_are_of_every_kind(found):
    """Renewals too."""
    assert found["open_deals"] == int((read("deals")["outcome"] == "open").sum())


@pytest.mark.parametrize("day", ["2026-05-01", "2025-12-31"])
def test_an_earlier_day_knows_only_what_was_known_then(snapshot, day):
    """Deals closed or reopened since stand as they stood."""
    then, known = answer(snapshot.at(day)).json, as_known(day)
    new = known[known["deal_type"].fillna("new") == "new"]
    won, lost = new[new["outcome"] == "won"], new[new["outcome"] == "lost"]
    assert then["as_of"] == day
    assert (then["deals_won"], then["deals_closed"]) == (len(won), len(won) + len(lost))
    assert then["open_deals"] == int((known["outcome"] == "open").sum())
    assert then["cycle_days_median_won"] == (won["day"] - won["created"]).dt.days.median()
    assert then["create_until"] > day


def test_the_target_is_repeated_unless_one_is_given(found, snapshot):
    """Default: the new business won in the six months up to the as-of date, in six months."""
    deals = read("deals")
    won = deals[(deals["deal_type"].fillna("new") == "new") & (deals["outcome"] == "won")]
    assert found["wins"] == int((days(won["closed_at"]) > pd.Timestamp(2026, 5, 1)).sum())
    assert (found["by"], found["confidence"]) == ("2027-05-31", 0.8)
    other = answer(snapshot, wins=12.5, by="2027-03-31", confidence=0.6).json
    assert (other["wins"], other["by"], other["confidence"]) == (12.5, "2027-03-31", 0.6)


def test_the_plan_is_the_planners(found, snapshot):
    """Nothing is added or rounded on the way."""
    model = FunnelModel.fit(snapshot)
    plan = reverse_funnel(model, wins=found["wins"], by=date(2027, 5, 31), confidence=0.8)
    assert found["leads_to_create"] == plan.total_leads == sum(found["create_by_month"].values())
    assert found["deals_to_create"] == plan.total_deals
    assert found["probability"] == pytest.approx(plan.probability, abs=1e-6)
    assert found["create_until"][:7] == max(found["create_by_month"])
    assert list(found["for_50_80_90"]) == ["50%", "80%", "90%"]
    assert found["for_50_80_90"]["80%"] == found["leads_to_create"]
    assert found["notes"] == list(plan.notes)


def test_a_higher_target_takes_more(found, snapshot):
    """Of everything but history."""
    more = answer(snapshot, wins=2 * found["wins"]).json
    for key in ("deals_needed", "leads_needed", "leads_to_create", "deals_to_create"):
        assert more[key] > found[key], key
    for key in ("win_rate", "open_deals", "cycle_days_median_won"):
        assert more[key] == found[key], key


def test_the_json_is_strict(found):
    """No NaN, no Infinity, no date object."""
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_text_says_the_same_numbers(found, snapshot):
    """What people and machines read must agree."""
    said = str(answer(snapshot))
    assert f"Create {found['leads_to_create']:,} leads" in said
    assert f"{found['deals_won']:,} of {found['deals_closed']:,}" in said
    assert f"{found['cycle_days_median_won']:.0f} days (median" in said
    assert snapshot.described in said.splitlines()[0]
    assert not [note for note in found["notes"] if note not in said]


@pytest.mark.parametrize("wins", [0, -3, math.nan, math.inf, 1e9])
def test_a_target_that_makes_no_sense_is_named(snapshot, wins):
    """And not taken for a company that won nothing."""
    try:
        found = answer(snapshot, wins=wins).json
    except TableError as error:
        said = str(error)
    else:
        assert [found[key] for key in PLANNED] == [None] * len(PLANNED)
        assert found["reasons"]["leads_needed"] == found["reasons"]["plan"]
        said = found["reasons"]["plan"]
    assert "wins" in said
    assert "to repeat" not in said


@pytest.mark.parametrize("confidence", [0, 1, 2, -0.1, math.nan])
def test_a_chance_that_is_none_is_refused(snapshot, confidence):
    """A chance of 1 would take endless leads."""
    with pytest.raises(TableError, match="confidence"):
        answer(snapshot, confidence=confidence)


def test_a_date_in_the_past_gives_rates_but_no_plan(snapshot, found):
    """The reason names the date."""
    late = answer(snapshot, by="2026-10-01").json
    assert late["reasons"]["plan"].startswith("by = 2026-10-01")
    assert [late[key] for key in PLANNED] == [None] * len(PLANNED)
    assert late["win_rate"] == found["win_rate"]


def test_a_company_that_won_nothing_gets_reasons_and_no_guess():
    """Null, never 0 or a benchmark passed off as history."""
    snapshot = company({"deals": outcomes(lost=4, open=3)})
    for wins in (None, 5):
        found = answer(snapshot, wins=wins)
        assert found.plan is None
        assert found.json["win_rate"] == 0
        assert found.json["deals_closed"] == 4
        assert [found.json[key] for key in PLANNED] == [None] * len(PLANNED)
        assert found.json["deals_needed"] is found.json["cycle_days_median_won"] is None
        assert "won" in found.json["reasons"]["plan"] or "win" in found.json["reasons"]["plan"]
        assert "No plan" in str(found)


def test_a_company_without_a_closed_deal_has_no_win_rate():
    """Nothing divided by nothing is not 0 %."""
    found = answer(company({"deals": outcomes(open=3)}))
    assert found.json["win_rate"] is found.json["win_rate_low"] is None
    assert found.json["open_deals"] == 3
    assert "win rate not known" in str(found)


def test_without_leads_the_plan_counts_deals():
    """Leads are null with their reason; deals take their place."""
    frames = random_walks(seed=3, count=80) | {"stages": stages()}
    found = answer(company(frames), wins=10).json
    assert found["leads_needed"] is found["leads_to_create"] is None
    assert found["reasons"] == {"leads_needed": "the data has no leads"}
    assert found["deals_to_create"] == sum(found["create_by_month"].values()) > 0
    assert found["deals_needed"] >= 10


def test_leads_that_lead_nowhere_are_said_to(snapshot):
    """Leads without any link to a won deal cannot be planned with: the reason says so."""
    frames = random_walks(seed=3, count=80) | {"stages": stages()}
    frames["leads"] = pd.DataFrame({"lead_id": ["a", "b"], "created_at": "2026-01-05"})
    found = answer(company(frames), wins=10).json
    assert found["leads_needed"] is None
    assert "lead" in found["reasons"]["leads_needed"]
    assert found["reasons"]["leads_needed"] != "the data has no leads"
    assert found["deals_to_create"] > 0


def test_maven_has_its_public_figures(maven):
    """4,238 of 6,711 won, 2,089 open: counted in the file by hand."""
    assert (maven["deals_won"], maven["deals_closed"], maven["open_deals"]) == (4238, 6711, 2089)
    assert maven["win_rate"] == pytest.approx(4238 / 6711, abs=1e-6)


def test_maven_days_to_win_are_those_of_the_file(maven):
    """From engagement to close."""
    sales = pd.read_csv(MAVEN / "sales_pipeline.csv")
    won = sales[sales["deal_stage"] == "Won"]
    took = (pd.to_datetime(won["close_date"]) - pd.to_datetime(won["engage_date"])).dt.days
    assert maven["cycle_days_median_won"] == took.median() == 57


def test_maven_has_no_leads_and_says_so(maven):
    """An export of deals only."""
    assert maven["leads_needed"] is maven["leads_to_create"] is None
    assert maven["reasons"] == {"leads_needed": "the data has no leads"}
    assert maven["deals_to_create"] > maven["wins"] > 0


def test_a_salesforce_developer_org_has_its_counts():
    """12 of 20 closed opportunities won."""
    if not SALESFORCE.is_dir():
        pytest.skip("the Salesforce sample lies outside the project and is not there")
    mapping = MAPPINGS / "salesforce_dev_org.toml"
    found = answer(connectors.open(SALESFORCE, mapping=mapping)).json
    stage = pd.read_csv(SALESFORCE / "Opportunity.csv")["StageName"]
    won, lost = int((stage == "Closed Won").sum()), int((stage == "Closed Lost").sum())
    assert (found["deals_won"], found["deals_closed"]) == (won, won + lost) == (12, 20)
    assert found["open_deals"] == len(stage) - won - lost
