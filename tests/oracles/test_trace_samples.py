"""The SQL of every KPI, written from its definition, gives what the KPI gives on the made-up company."""

from pathlib import Path

import duckdb
import pytest

import connectors
from kpi.activity.minimums import RULES
from kpi.catalogue import KPIS
from kpi.tables import TABLES
from kpi.trace import trace
from kpi.tracing import WRITERS

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
TRACED = [name for name in KPIS if name in WRITERS]
OPTIONS = [
    ("leads_created", {"dedupe": "company"}),
    ("mqls_created", {"what": "sql", "period": "2026-01"}),
    ("lead_velocity_rate", {"what": "lead", "period": "2026-Q1"}),
    ("lead_conversion", {"to": "mql"}),
    ("lead_conversion", {"to": "sql", "period": "2026-01"}),
    ("lead_conversion", {"basis": "period", "period": "2026-01"}),
    ("lead_to_customer", {"of": "sql", "horizon_days": 120}),
    ("lead_to_customer", {"basis": "period", "period": "2026-02"}),
    ("lead_to_customer", {"deal_type": None}),
    ("value_won", {"of": "mrr"}),
    ("value_won", {"of": "margin", "deal_type": None, "period": "2026"}),
    ("average_monthly_deal_value", {"of": "tcv", "months": 6}),
    ("average_monthly_deal_value", {"of": "one_off", "deal_type": None}),
    ("win_rate", {"basis": "cohort"}),
    ("win_rate", {"basis": "cohort", "period": "2025-03", "horizon_days": 90}),
    ("win_rate", {"weight": "amount"}),
    ("win_rate", {"no_decision": ("No decision",)}),
    ("win_rate", {"basis": "cohort", "no_decision": "Price"}),
    ("win_rate", {"deal_type": "renewal"}),
    ("stage_conversion", {"stage": "disc", "period": "2025"}),
    (
        "stage_conversion",
        {"stage": "Need found", "pipeline": "existing-customers", "deal_type": None},
    ),
    ("stage_days", {"stage": "disc", "period": "2026-Q2"}),
    ("open_pipeline", {"of": "mrr", "deal_type": None}),
    ("appointments", {"booked": True}),
    ("appointments", {"booked": True, "period": "2026-01"}),
    ("quota_attainment", {"of": "mrr", "period": "2026"}),
    ("quota_attainment", {"ramp": True}),
    ("coverage", {"deal_type": None}),
    ("coverage", {"period": "2026-11"}),
    ("slippage", {"not_won": True, "deal_type": None, "period": "2026-Q1"}),
    *(
        ("seller_minimums", {"owner": owner, "indicator": indicator, "period": period})
        for owner, period in (("O-2", None), ("O-5", "2026-Q4"))
        for indicator in RULES
    ),
    ("weighted_pipeline", {"of": "mrr", "deal_type": None}),
    ("weighted_pipeline", {"probability": "crm", "source": ["event", "referral"]}),
    ("sales_velocity", {"months": 6, "opportunities": "worked", "deal_type": None}),
    ("sales_velocity", {"opportunities": "worked", "period": "2025"}),
    ("transition_matrix", {"to": "nego", "smoothing": 2}),
    ("transition_matrix", {"stage": "assess", "to": "disc", "period": "2025"}),
    ("transition_matrix", {"to": "lost", "deal_type": None}),
    ("stage_outlook", {"stage": "disc", "smoothing": 0.1}),
    (
        "stage_outlook",
        {"stage": "Need found", "pipeline": "existing-customers", "deal_type": None},
    ),
    ("pipeline_changes", {"closing": "any", "deal_type": None}),
    ("pipeline_changes", {"since": "2026-01-15", "until": "2026-03-02", "owner": "O-2"}),
    ("pipeline_changes", {"until": "2025-12-31", "closing": ("2025-12-01", "2026-12-31")}),
    ("arr_run_rate", {"contracted": True}),
    ("minimum_mrr", {"threshold": 500}),
    ("customers", {"count": "company"}),
    ("quick_ratio", {"reactivation": True}),
    ("net_retention", {"reactivation": True}),
    ("customer_churn", {"basis": "joiners"}),
    ("cost_per_lead", {"period": "2026-Q2"}),
    ("cac", {"deal_type": None, "period": "2026-Q2"}),
    ("cac", {"allocation": {"labour": 0.5, "tools": 0.0}}),
    ("cac_payback", {"gross_margin": 0.5, "allocation": 0.8}),
    ("cac_payback", {"deal_type": None, "period": "2026"}),
    ("clv_to_cac", {"gross_margin": 0.5, "horizon_months": 36}),
    ("clv_to_cac", {"deal_type": "new", "allocation": {"labour": 0.5}, "period": "2026-Q2"}),
    ("lifetime_value", {"gross_margin": 0.4, "horizon_months": 120, "discount": 0.1}),
    ("lifetime_value", {"period": "2025"}),
    ("magic_number", {"of": "arr"}),
    ("magic_number", {"of": "arr", "period": "2026-08", "region": "East"}),
    ("magic_number", {"period": "2025", "allocation": 0.5}),
    ("retention_curve", {"month": 12}),
    ("retention_curve", {"month": 0}),
    ("retention_curve", {"month": 3, "period": "2025-Q1"}),
    ("retention_curve", {"month": 24, "region": "West"}),
    ("committed_mrr", {"horizon_days": 30}),
]


@pytest.fixture(scope="module")
def snapshot():
    """Return the made-up company."""
    return connectors.open(SAMPLES)


@pytest.fixture(scope="module")
def rewound(snapshot):
    """Return the company as it was in spring, with half of its history yet to come."""
    return snapshot.at("2026-03-20")


@pytest.fixture(scope="module")
def files():
    """Return a DuckDB that knows nothing of the project: the CSV files under their names."""
    database = duckdb.connect()
    for name in TABLES:
        path = SAMPLES / f"{name}.csv"
        database.execute(f"CREATE VIEW {name} AS SELECT * FROM read_csv('{path}')")
    return database


def stage(name):
    """Name what tells the rows of a KPI apart: a stage, a move, a seller and indicator."""
    rows = {
        "stage": {"stage": "prop"},
        "move": {"stage": "prop", "to": "won"},
        "seller": {"owner": "O-2", "indicator": "deals_won"},
    }
    return rows.get(WRITERS[name].row, {})


def is_what_the_kpi_says(page):
    """Value, x and n are those of the KPI, and the ids are as many."""
    assert page.shown is not None
    assert page.agrees, f"SQL: {page.value}, {page.x}, {page.n}; KPI: {page.shown}"
    assert (len(page.numerator_ids), len(page.denominator_ids)) == (page.x, page.n)
    both = set(page.left_out["record_id"]) & set(page.numerator_ids + page.denominator_ids)
    assert not both, "left out and counted"


@pytest.mark.parametrize("name", TRACED)
def test_the_sql_gives_what_the_kpi_gives(snapshot, files, name):
    """On the snapshot; and the same text on the raw files, with nothing of ours in between."""
    page = trace(snapshot, name, **stage(name))
    is_what_the_kpi_says(page)
    value, x, n = files.execute(page.sql).fetchone()
    assert value == pytest.approx(page.value, rel=1e-9)
    assert (x, n) == (page.x, page.n)


@pytest.mark.parametrize("name", [n for n in TRACED if not WRITERS[n].stock])
def test_one_period(snapshot, name):
    """A quarter, cut by the day the KPI is about."""
    is_what_the_kpi_says(trace(snapshot, name, period="2026-Q2", **stage(name)))


@pytest.mark.parametrize(
    "name", [n for n in TRACED if WRITERS[n].about in ("deal", "lead", "customer")]
)
def test_narrowed(snapshot, name):
    """By a column of leads and deals, or of accounts."""
    about = WRITERS[name].about
    narrow = {"region": "West"} if about == "customer" else {"source": ["event", "referral"]}
    is_what_the_kpi_says(trace(snapshot, name, **narrow, **stage(name)))


@pytest.mark.parametrize("name", TRACED)
def test_rewound(rewound, name):
    """As it was known then; the rewound tables are the ground."""
    is_what_the_kpi_says(trace(rewound, name, **stage(name)))


@pytest.mark.parametrize(
    ("name", "given"), [pytest.param(*case, id=f"{case[0]} {case[1]}") for case in OPTIONS]
)
def test_options(snapshot, name, given):
    """Every option that is said to have SQL."""
    if name not in TRACED:
        pytest.skip(f"{name} is not in the catalogue, or has no SQL, yet")
    is_what_the_kpi_says(trace(snapshot, name, **stage(name) | given))


@pytest.mark.parametrize("name", ["win_rate", "lead_conversion", "stage_conversion", "mrr"])
def test_a_rewound_snapshots_own_tables_give_the_same(rewound, name):
    """What ``to_pandas`` hands out is the ground, so anybody can run the SQL on it."""
    page = trace(rewound, name, **stage(name))
    database = duckdb.connect()
    for table in TABLES:
        database.register(table, rewound.table(table).to_pandas())
    value, x, n = database.execute(page.sql).fetchone()
    assert value == pytest.approx(page.value, rel=1e-9)
    assert (x, n) == (page.x, page.n)
