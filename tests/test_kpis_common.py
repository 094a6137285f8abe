"""What holds for every KPI of the catalogue, on whole small companies drawn by hypothesis."""

import numpy as np
import pandas as pd
import pytest
from companies import AS_OF, BORN, SOURCES, companies, emptied, known_at, only, outcomes, snapshot
from companies import costs as cost_frame
from companies import meetings as meeting_frame
from companies import quotas as quota_frame
from companies import stages as stage_frame
from companies import suspects as suspect_frame
from hypothesis import Phase, given, settings

from kpi import Snapshot, TableError
from kpi.catalogue import ENTRIES, KPIS
from kpi.result import VALUES

QUICK = (Phase.explicit, Phase.generate)  # a company takes a second: making it smaller, minutes
FEW = settings(derandomize=True, max_examples=2, deadline=None, phases=QUICK)
CAMPAIGN = settings(derandomize=True, max_examples=100, deadline=None, phases=QUICK)
BY = {  # a column by which each KPI can be cut
    "leads_created": "source",
    "mqls_created": "source",
    "lead_velocity_rate": "source",
    "lead_conversion": "source",
    "lead_to_customer": "source",
    "lead_cycle_days": "source",
    "appointments": "owner",
    "suspects_added": "owner",
    "seller_minimums": "team",
    "win_rate": "source",
    "stage_conversion": "source",
    "stage_leakage": "source",
    "transition_matrix": "source",
    "stage_outlook": "source",
    "stage_days": "source",
    "cycle_days": "source",
    "mrr_movements": "region",
    "customer_churn": "region",
    "mrr": "region",
    "arr_run_rate": "region",
    "committed_mrr": "region",
    "minimum_mrr": "region",
    "gross_mrr_churn": "region",
    "net_mrr_churn": "region",
    "quick_ratio": "region",
    "customers": "region",
    "gross_retention": "region",
    "net_retention": "region",
    "upsell_rate": "region",
    "retention_curve": "region",
    "lifetime_value": "region",
    "sales_marketing_cost": "channel",
    "cost_per_lead": "channel",
    "cac": "channel",
    "cac_payback": "segment",
    "clv_to_cac": "region",
    "magic_number": "region",
    "quota_attainment": "owner",
    "deals_created": "source",
    "deals_won": "source",
    "value_won": "source",
    "average_deal_size": "source",
    "average_monthly_deal_value": "source",
    "open_pipeline": "source",
    "final_stage_deals": "source",
    "weighted_pipeline": "source",
    "coverage": "owner",
    "pipeline_changes": "source",
    "slippage": "source",
    "sales_velocity": "source",
}
COHORT = {"win_rate": {"basis": "cohort"}}
OF_ALL = ["share"]  # of all groups together, so a filter changes it
CUT_BY_SOURCE = [name for name, column in BY.items() if column == "source"]


@pytest.fixture(scope="module", autouse=True)
def one_quarter():
    """Slippage rewinds once a quarter, half the time of all KPIs: one stands for its four."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kpi.pipeline.slippage.POOLED", 1)
        yield


def all_results(snap, **options):
    """Run every KPI, and the cohort basis where it is not the default, by name."""
    found = {name: kpi(snap, **options) for name, kpi in KPIS.items()}
    for name, basis in COHORT.items():
        found[f"{name} cohort"] = KPIS[name](snap, **basis, **options)
    return found


def same(one, other):
    """Compare the results of two snapshots, KPI by KPI; floats may differ by the order of sums."""
    for name in one:
        pd.testing.assert_frame_equal(one[name], other[name], rtol=1e-9, atol=1e-9, obj=name)


def has_the_one_shape(name, table, keys=()):
    """Check columns, types, and that what is given makes sense."""
    start = len(keys)
    assert list(table)[: start + len(VALUES)] == [*keys, *VALUES], name
    assert table[["value", "low", "high"]].dtypes.eq("float64").all(), name
    assert table[["x", "n"]].dtypes.eq("int64").all(), name
    assert not np.isinf(table.select_dtypes("float64")).any(axis=None), name
    assert (table["x"] >= 0).all(), name
    assert (table["n"] >= 0).all(), name
    explained = table["value"].notna() | (table["note"].fillna("") != "")
    assert explained.all(), f"{name}: a missing value without a reason"
    bounded = table.dropna(subset=["value"])
    assert not (bounded["low"] > bounded["value"] + 1e-12).any(), name
    assert not (bounded["high"] < bounded["value"] - 1e-12).any(), name
    if next(e for e in ENTRIES if e.name == name.split()[0]).unit == "share, 0 to 1":
        assert (bounded["value"].between(0, 1)).all(), name
        assert (table["x"] <= table["n"]).all(), name


def holds_for(frames):
    """Check order, purity, shape and filters on one company."""
    before = {name: frame.copy(deep=True) for name, frame in frames.items()}
    snap = snapshot(frames)
    found = all_results(snap)
    for name, frame in frames.items():
        pd.testing.assert_frame_equal(frame, before[name])
    for name, table in found.items():
        has_the_one_shape(name, table, ["period"] if name == "mrr_movements" else [])
    mixed = {name: frame.sample(frac=1, random_state=1) for name, frame in frames.items()}
    same(found, all_results(snapshot(mixed)))


@FEW
@given(companies())
def test_row_order_does_not_matter_and_nothing_is_changed(frames):
    """Shuffled rows give the same; the frames put in stay as they were; the shape is the one."""
    holds_for(frames)


@pytest.mark.campaign
@CAMPAIGN
@given(companies())
def test_the_same_on_many_more_companies(frames):
    """The long form of the test above."""
    holds_for(frames)


def filters_agree(frames, source):
    """A filter is the same as frames cut by hand, and as the rows of that group."""
    snap = snapshot(frames)
    filtered = snap.where(source=source)
    cut = only(frames, source=source)
    by_hand = snapshot(cut)
    # a lead stays converted though the deal that tells so is of another source
    all_deals = snapshot(frames | {"leads": cut["leads"]}) if "leads" in cut else by_hand
    for name in CUT_BY_SOURCE:
        one = KPIS[name](filtered)
        hand = all_deals if name == "lead_conversion" else by_hand
        pd.testing.assert_frame_equal(one, KPIS[name](hand), obj=name)
        grouped = KPIS[name](snap, by="source").drop(columns=OF_ALL, errors="ignore")
        one = one.drop(columns=OF_ALL, errors="ignore")
        rows = grouped[grouped["source"] == source].drop(columns="source").reset_index(drop=True)
        if len(rows):
            pd.testing.assert_frame_equal(rows, one, obj=name)
        else:
            assert (one["n"] == 0).all(), name


@FEW
@given(companies(at_least=2))
def test_a_filter_is_a_company_cut_by_hand_and_a_row_by_group(frames):
    """where(source=x), frames of x alone, and the x row of by="source" give one answer."""
    filters_agree(frames, SOURCES[0])


@pytest.mark.campaign
@CAMPAIGN
@given(companies(at_least=1))
def test_filters_agree_on_many_more_companies(frames):
    """The long form of the test above, for every source."""
    for source in SOURCES:
        filters_agree(frames, source)


def rewinds(frames, days):
    """Rewinding is the same as never having known the rest."""
    date = BORN + pd.Timedelta(days=days)
    rewound = snapshot(frames).at(date.date())
    by_hand = snapshot(known_at(frames, date), as_of=str(date.date()))
    columns = ["deal_id", "stage_id", "outcome", "owner_id", "amount", "close_date"]
    mine, theirs = (s.deals.to_pandas()[columns] for s in (rewound, by_hand))
    pd.testing.assert_frame_equal(mine, theirs)
    same(all_results(rewound), all_results(by_hand))


@FEW
@given(companies(at_least=2))
def test_rewinding_is_never_having_known_the_rest(frames):
    """at(date) equals a snapshot of frames cut by hand at that date."""
    rewinds(frames, 75)


@pytest.mark.campaign
@CAMPAIGN
@given(companies(at_least=1))
def test_rewinding_on_many_more_companies(frames):
    """The long form of the test above, at three dates."""
    for days in (10, 75, 140):
        rewinds(frames, days)


def empty_company():
    """Every table there, none with a row but the stages."""
    columns = {
        "leads": ["lead_id", "created_at", "source"],
        "deals": ["deal_id", "stage_id", "created_at", "source"],
        "history": ["record_id", "stage_id", "changed_at"],
        "subscriptions": ["subscription_id", "account_id", "mrr", "starts_on"],
        "accounts": ["account_id", "region"],
        "meetings": ["meeting_id", "starts_at", "owner_id"],
        "suspects": ["suspect_id", "added_at", "owner_id"],
        "costs": ["month", "channel", "amount"],
        "quotas": ["owner_id", "period_start", "amount"],
    }
    frames = {name: pd.DataFrame(columns=names) for name, names in columns.items()}
    return emptied(frames | {"stages": stage_frame()})


@pytest.fixture(scope="module")
def nothing():
    """Snapshot of the empty company, made once: it cannot change."""
    return snapshot(empty_company())


@pytest.mark.parametrize("name", KPIS)
@pytest.mark.parametrize(
    "cut", [{}, {"every": "month"}, {"by": True}, {"by": True, "every": "year"}]
)
def test_tables_without_rows_give_no_value_and_a_reason(nothing, name, cut):
    """No exception, no 0, no infinity: a missing value with its reason, or no row at all."""
    options = cut | ({"by": BY[name]} if "by" in cut else {})
    table = KPIS[name](nothing, **options)
    assert table["value"].isna().all()
    assert (table["n"] == 0).all()
    assert (table["note"] != "").all()
    if not cut and name != "mrr_movements":
        assert len(table) > 0


@pytest.mark.parametrize("name", ["stage_conversion", "stage_days"])
def test_a_company_without_stages_has_no_stage_rows(name):
    """A stages table without rows is no reason to fail."""
    frames = empty_company() | {"stages": stage_frame().iloc[:0], "deals": outcomes(won=2)}
    assert KPIS[name](snapshot(frames))["value"].isna().all()


def two_sided(kind, count):
    """Deals all of one outcome, with stages and history to match."""
    deals = outcomes(**{kind: count})
    last = {"won": "Won", "lost": "Lost", "open": "S2"}[kind]
    history = [
        {"record_id": deal, "stage_id": stage, "changed_at": at}
        for deal in deals["deal_id"]
        for stage, at in (("S1", "2026-01-05"), ("S2", "2026-01-20"), (last, "2026-02-10"))
    ]
    frames = {"deals": deals.assign(stage_id=last), "history": pd.DataFrame(history)}
    return frames | {"stages": stage_frame()}


@pytest.mark.parametrize(
    ("kind", "rate", "cohort", "further"),
    [("open", None, 0.0, [1, 0]), ("won", 1.0, 1.0, [1, 1]), ("lost", 0.0, 0.0, [1, 0])],
)
@pytest.mark.parametrize("count", [1, 12])
def test_all_open_all_won_all_lost_and_one_deal(kind, rate, cohort, further, count):
    """One-sided companies, of one deal and of twelve, give the ends of the scale or nothing."""
    snap = snapshot(two_sided(kind, count))
    row = KPIS["win_rate"](snap).iloc[0]
    assert row["value"] == rate or (rate is None and np.isnan(row["value"]))
    assert row["n"] == (0 if kind == "open" else count)
    assert KPIS["win_rate"](snap, basis="cohort")["value"].iloc[0] == cohort
    assert KPIS["stage_conversion"](snap)["value"].tolist()[:2] == further
    cycle = KPIS["cycle_days"](snap).iloc[0]
    assert cycle["value"] == 36.0 if kind == "won" else np.isnan(cycle["value"])
    assert KPIS["stage_days"](snap)["value"].iloc[0] == 15.0
    if count == 1:
        for name, table in all_results(snap_with_leads(snap, count)).items():
            has_the_one_shape(name, table, ["period"] if name == "mrr_movements" else [])


def snap_with_leads(snap, count):
    """Add leads and subscriptions, so that every KPI has its tables."""
    frames = {n: snap.table(n).to_pandas() for n in ("deals", "stages", "history")}
    leads = pd.DataFrame({"lead_id": [f"l{i}" for i in range(count)], "created_at": "2026-01-02"})
    lines = pd.DataFrame(
        {"subscription_id": ["s"], "account_id": ["a"], "mrr": [10.0], "starts_on": ["2026-01-01"]}
    )
    frames |= {"costs": cost_frame(), "quotas": quota_frame()}
    frames |= {"meetings": meeting_frame([]), "suspects": suspect_frame()}
    return snapshot(frames | {"leads": leads, "subscriptions": lines})


@pytest.fixture(scope="module")
def without_tables():
    """Snapshot of a company without any table, made once."""
    return Snapshot.from_frames({}, as_of=AS_OF)


@pytest.mark.parametrize("name", KPIS)
def test_a_missing_table_is_named(without_tables, name):
    """A company that lacks the table hears which one, and for what."""
    with pytest.raises(TableError, match=rf"{name} needs the table\(s\) \["):
        KPIS[name](without_tables)


@pytest.mark.parametrize("name", KPIS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"by": "colour"}, "by='colour': .* has no such column; it has", id="column"),
        pytest.param({"every": "week"}, "every='week'; expected one of", id="period"),
    ],
)
def test_an_unknown_column_or_period_is_refused_with_those_there_are(
    nothing, name, options, message
):
    """The message names what was asked for and what there is."""
    with pytest.raises(TableError, match=message):
        KPIS[name](nothing, **options)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("win_rate", {"basis": "created"}, "basis='created'; expected 'period' or 'cohort'"),
        ("win_rate", {"deal_type": "old"}, "deal_type='old'; expected one of"),
        ("win_rate", {"weight": "money"}, "weight='money'; expected 'count' or 'amount'"),
        ("win_rate", {"weight": "amount", "basis": "cohort"}, "goes with basis='period'"),
        ("value_won", {"of": "arr"}, "of='arr'; expected one of"),
        ("average_monthly_deal_value", {"of": "arr"}, "of='arr'; expected one of"),
        ("average_monthly_deal_value", {"months": 0}, "months = 0; expected"),
        ("open_pipeline", {"of": "arr"}, "of='arr'; expected 'amount' or 'mrr'"),
        ("weighted_pipeline", {"of": "arr"}, "of='arr'; expected 'amount' or 'mrr'"),
        ("weighted_pipeline", {"probability": "mine"}, "probability='mine'; expected 'fitted' or"),
        ("coverage", {"win_rate": 20}, "win_rate = 20; expected a share"),
        ("pipeline_changes", {"closing": "soon"}, "closing='soon'; expected 'period', 'any' or"),
        ("pipeline_changes", {"every": "month", "since": "2026-01-01"}, "give either every=, or"),
        ("pipeline_changes", {"since": "2026-05-01", "until": "2026-04-01"}, "dates in order"),
        ("sales_velocity", {"months": 0}, "months = 0; expected"),
        ("sales_velocity", {"opportunities": "all"}, "opportunities='all'; expected 'open' or"),
        ("lead_conversion", {"basis": "x"}, "basis='x'; expected 'cohort' or 'period'"),
        ("leads_created", {"dedupe": "x"}, "dedupe='x'; expected 'company' or None"),
        ("mqls_created", {"what": "x"}, "what='x'; expected one of"),
        ("lead_velocity_rate", {"what": "x"}, "what='x'; expected one of"),
        ("lead_to_customer", {"of": "x"}, "of='x'; expected one of"),
        ("lead_cycle_days", {"to": "x"}, "to='x'; expected 'deal' or 'response'"),
        ("seller_minimums", {"deal_type": "old"}, "deal_type='old'; expected one of"),
        ("lead_conversion", {"to": "won"}, "to='won'; expected 'deal', 'mql' or 'sql'"),
        ("lead_conversion", {"to": "mql"}, r"definitions: \[count.mql\] is not set"),
        ("stage_conversion", {"mode": "strict"}, "mode='strict'; expected one of"),
        ("stage_days", {"deal_type": "old"}, "deal_type='old'; expected one of"),
        ("cycle_days", {"deal_type": "old"}, "deal_type='old'; expected one of"),
        ("stage_conversion", {"deal_type": "old"}, "deal_type='old'; expected one of"),
        ("stage_leakage", {"deal_type": "old"}, "deal_type='old'; expected one of"),
        ("stage_leakage", {"by": "lost_reason"}, "by='lost_reason': only lost deals have one"),
        ("transition_matrix", {"deal_type": "old"}, "deal_type='old'; expected one of"),
        ("transition_matrix", {"smoothing": 0}, "smoothing = 0; expected a number of moves above"),
        ("stage_outlook", {"deal_type": "old"}, "deal_type='old'; expected one of"),
        ("stage_outlook", {"smoothing": -1}, "smoothing = -1; expected a number of moves above"),
    ],
)
def test_an_unknown_option_is_refused_with_those_there_are(nothing, name, options, message):
    """Every option that a docstring lists, with a word it does not list."""
    with pytest.raises(TableError, match=message):
        KPIS[name](nothing, **options)


@pytest.fixture(scope="module")
def twelve():
    """Twelve won deals, twelve leads, one customer."""
    return snap_with_leads(snapshot(two_sided("won", 12)), 12)


@pytest.mark.parametrize("name", ["win_rate", "lead_conversion", "stage_conversion", "cycle_days"])
def test_an_impossible_level_is_refused(twelve, name):
    """95 instead of 0.95 is the usual slip."""
    with pytest.raises(ValueError, match="level"):
        KPIS[name](twelve, level=95)


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Asia/Kolkata"])
def test_a_day_is_the_companys_day(zone):
    """A win at ten minutes before or after local midnight falls in the local month."""
    edges = ["2026-01-31 23:50", "2026-02-01 00:10"]
    deals = pd.DataFrame(
        {
            "deal_id": ["jan", "feb"],
            "outcome": "won",
            "created_at": "2026-01-10",
            "closed_at": edges,
        }
    )
    local = deals.assign(closed_at=[pd.Timestamp(at, tz=zone).tz_convert("UTC") for at in edges])
    for frame in (deals, local):
        snap = snapshot({"deals": frame}, time_zone=zone)
        months = KPIS["win_rate"](snap, every="month")
        assert months["x"].tolist()[:3] == [1, 1, 0]
        assert months["period"].dt.month.tolist()[:2] == [1, 2]
        assert KPIS["cycle_days"](snap)["value"].iloc[0] == 21.5
        assert snap.at("2026-01-31").deals.to_pandas()["outcome"].tolist() == ["open", "won"]


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Asia/Kolkata"])
def test_what_happens_after_the_last_local_minute_is_not_known(zone):
    """A lead of ten minutes past local midnight after the as-of date is not in the data yet."""
    leads = pd.DataFrame(
        {"lead_id": ["last", "next"], "created_at": ["2026-06-30 23:50", "2026-07-01 00:10"]}
    )
    snap = snapshot({"leads": leads}, as_of="2026-06-30", time_zone=zone)
    assert snap.leads.to_pandas()["lead_id"].tolist() == ["last"]
