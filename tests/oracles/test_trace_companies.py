"""The SQL of every KPI gives what the KPI gives, on whole small companies drawn by hypothesis."""

import pandas as pd
import pytest
from companies import ACCOUNTS, companies, lines, random_walks, snapshot
from hypothesis import Phase, given, settings

from kpi import TableError
from kpi.activity.minimums import RULES
from kpi.catalogue import KPIS
from kpi.definitions import Count
from kpi.trace import trace
from kpi.tracing import WRITERS

QUICK = (Phase.explicit, Phase.generate)
FEW = settings(derandomize=True, max_examples=2, deadline=None, phases=QUICK)
CAMPAIGN = settings(derandomize=True, max_examples=40, deadline=None, phases=QUICK)
TRACED = [name for name in KPIS if name in WRITERS]
STAGES = ("S1", "S3")
MORE = [
    ("win_rate", {"basis": "cohort", "horizon_days": 30}),
    ("win_rate", {"period": "2026-02"}),
    ("lead_conversion", {"basis": "period", "period": "2026-03"}),
    ("lead_conversion", {"source": "event"}),
    ("cycle_days", {"period": "2026-Q1"}),
    ("stage_days", {"stage": "S2", "period": "2026-02"}),
    ("customer_churn", {"period": "2026-01"}),
    ("customer_churn", {"region": "north"}),
    ("mrr_movements", {"period": "2025"}),
    ("pipeline_changes", {"period": "2026-Q1", "closing": "any"}),
    ("sales_velocity", {"period": "2026-Q1", "opportunities": "worked"}),
]
GROUND = [  # what the steps that all share are made of
    ("win_rate", {"basis": "cohort"}),
    ("lead_conversion", {}),
    ("stage_conversion", {"stage": "S2"}),
    ("stage_days", {"stage": "S2"}),
    ("cycle_days", {"period": "2026-Q1"}),
    ("pipeline_changes", {"period": "2026-Q1"}),
    ("weighted_pipeline", {}),
    ("stage_outlook", {"stage": "S2"}),
    ("transition_matrix", {"stage": "S2", "to": "lost"}),
    ("sales_velocity", {"period": "2026-Q1"}),
]
WAYS = {
    "as it is": snapshot,
    "another calendar": lambda frames: snapshot(
        frames, time_zone="Asia/Kolkata", fiscal_year_start=2
    ),
    "an export with a window": lambda frames: snapshot(frames, window_start="2026-02-15"),
    "rewound": lambda frames: snapshot(frames).at("2026-04-01"),
    "narrowed and rewound": lambda frames: (
        snapshot(frames).where(source=["event", "referral"]).at("2026-05-01")
    ),
    "won counts from a stage": lambda frames: snapshot(
        frames, count={"won": Count("deals", "stage_id", ("S3", "Won"))}
    ),
    "leads count by source": lambda frames: snapshot(
        frames,
        count={
            "lead": Count("leads", "source", ("event", "website")),
            "mql": Count("deals", "stage_id", ("S2", "S3")),
        },
    ),
}


def cases(stages=STAGES, indicators=tuple(RULES)):
    """List every KPI once, each stage KPI at some stages, and some options."""
    for name in TRACED:
        if WRITERS[name].row == "stage":
            yield from ((name, {"stage": stage}) for stage in stages)
        elif WRITERS[name].row == "move":
            yield from (
                (name, {"stage": stage, "to": to}) for stage in stages for to in ("won", "S2")
            )
        elif WRITERS[name].row == "seller":
            yield from ((name, {"owner": "o2", "indicator": one}) for one in indicators)
        else:
            yield name, {}
    yield from MORE


SHORT = list(cases(STAGES[1:], ("leads", "value_won")))  # what a row more costs, it hardly tells


def same(snap, name, given):
    """SQL and KPI agree; both refuse a company that lacks a table."""
    try:
        page = trace(snap, name, **given)
    except TableError as error:
        assert "needs the table" in str(error), (name, given)  # noqa: PT017 - the only one allowed
        return
    assert page.agrees is not False, (name, given, page.value, page.x, page.n, page.shown)
    assert (len(page.numerator_ids), len(page.denominator_ids)) == (page.x, page.n), name


def agrees_in_every_way(frames, ways, some=None):
    """Check every case (or some) under some ways of looking at one company."""
    for way in ways:
        snap = WAYS[way](frames)
        for name, options in some or list(cases()):
            same(snap, name, options)


@FEW
@given(companies(at_least=2))
def test_sql_and_kpi_agree(frames):
    """Every KPI, on a few companies as they are."""
    agrees_in_every_way(frames, ["as it is"], SHORT)


@pytest.mark.campaign
@CAMPAIGN
@given(companies(at_least=1))
def test_sql_and_kpi_agree_in_every_way(frames):
    """The long form of the test above."""
    agrees_in_every_way(frames, WAYS)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_looking_at_one_company(way, one_company):
    """Time zone, window, rewinding, filters and definitions, on one fixed company."""
    agrees_in_every_way(one_company, [way], GROUND)


@pytest.fixture(scope="module")
def one_company():
    """Deals on random ways by seed, some with leads; two customers, one of whom leaves."""
    frames = random_walks(11, 40)
    deals = frames["deals"].copy()
    deals["lead_id"] = [f"l{i}" if i % 2 else None for i in range(len(deals))]
    leads = deals[["lead_id", "created_at", "source"]].dropna(subset=["lead_id"])
    lost = leads.assign(lead_id=leads["lead_id"] + "-none", source="event")
    return frames | {
        "deals": deals,
        "leads": pd.concat([leads, lost], ignore_index=True),
        "accounts": ACCOUNTS.assign(region=["north", "north", "south"]),
        "subscriptions": lines(
            ("a0", 100.0, "2025-03-01", None),
            ("a1", 40.0, "2025-08-15", "2026-01-20"),
            ("a2", 70.0, "2025-05-01", "2026-01-10"),
            ("a2", 90.0, "2026-03-05", None),
        ),
    }
