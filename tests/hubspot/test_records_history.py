"""History: one row per record and moment, from property histories and stage dates."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.hubspot.records.history import deal_history, lead_history
from connectors.hubspot.records.reading import Reading
from connectors.hubspot.records.reconcile import reconcile
from connectors.hubspot.records.stages import StageDates, stages
from kpi.conform import PROBLEMS, conform

READING = Reading("7", "app.hubspot.com", "America/New_York", "USD")
DATES = StageDates({"hs_v2_date_entered_demo": ("p", "demo")}, ())
COLUMNS = ["changed_at", "pipeline_id", "stage_id", "amount", "close_date", "owner_id"]


def at(day, minute=0):
    """A moment of March 2026, as HubSpot writes it."""
    return f"2026-03-{day:02}T10:{minute:02}:00.000Z"


def entries(*pairs):
    """Entries of one property: value and moment."""
    return [{"value": value, "timestamp": moment} for value, moment in pairs]


def deal(properties=None, **history):
    """A raw deal; keys of `history` are property names."""
    return {"id": "1", "properties": properties or {}, "propertiesWithHistory": history}


def rows(raw, dates=DATES):
    """History of deals as plain rows: day of the change, then the columns; missing is None."""
    frame, problems = conform("history", deal_history(raw, READING, dates))
    assert problems.empty
    plain = frame[COLUMNS].astype("object").where(frame[COLUMNS].notna(), None)
    return [(row[0].day, *row[1:]) for row in plain.itertuples(index=False, name=None)]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param({}, [], id="none"),
        pytest.param(
            {"dealstage": entries(("b", at(2)), ("a", at(1)))},
            [(1, None, "a", None, None, None), (2, None, "b", None, None, None)],
            id="oldest first",
        ),
        pytest.param(
            {"dealstage": entries(("a", at(1))), "pipeline": entries(("p", at(1)))},
            [(1, "p", "a", None, None, None)],
            id="one moment, one row",
        ),
        pytest.param(
            {
                "dealstage": entries(("b", at(5)), ("a", at(1))),
                "pipeline": entries(("q", at(4)), ("p", at(1))),
            },
            [
                (1, "p", "a", None, None, None),
                (4, "q", None, None, None, None),
                (5, "q", "b", None, None, None),
            ],
            id="the pipeline as it stood then",
        ),
        pytest.param(
            {"dealstage": entries(("a", at(1))), "pipeline": entries(("p", at(2)))},
            [(1, None, "a", None, None, None), (2, "p", None, None, None, None)],
            id="no pipeline yet",
        ),
        pytest.param(
            {"amount_in_home_currency": entries(("", at(2)), (None, at(3)), ("0", at(1)))},
            [(1, None, None, 0.0, None, None)],
            id="cleared values are not recorded",
        ),
        pytest.param(
            {"closedate": entries(("2026-04-01T02:00:00Z", at(1)))},
            [(1, None, None, None, pd.Timestamp("2026-03-31"), None)],
            id="close date in the account's zone",
        ),
        pytest.param(
            {"hubspot_owner_id": entries(("9", "2026-03-01T10:00:00Z"), ("9", at(1)))},
            [(1, None, None, None, None, "9")],
            id="a merge's repeats, however written",
        ),
        pytest.param(
            {"dealstage": entries(("b", at(1)), ("a", at(1)))},
            [(1, None, "b", None, None, None)],
            id="two at one moment: the newer, listed first",
        ),
        pytest.param(
            {"dealstage": entries(("a", at(3)), ("b", at(2)), ("a", at(1)))},
            [(d, None, s, None, None, None) for d, s in ((1, "a"), (2, "b"), (3, "a"))],
            id="a stage entered again",
        ),
    ],
)
def test_deal_history(history, expected):
    """From the property histories alone."""
    assert rows([deal(**history)]) == expected


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param({}, [(4, "p", "demo", None, None, None)], id="no history at all"),
        pytest.param(
            {"dealstage": entries(("demo", at(2)))},
            [(2, None, "demo", None, None, None)],
            id="the history has an entry: it counts",
        ),
        pytest.param(
            {"hubspot_owner_id": entries(("9", at(4)))},
            [(4, "p", "demo", None, None, None), (4, None, None, None, None, "9")],
            id="beside what changed at that moment",
        ),
        pytest.param(
            {"dealstage": entries(("other", at(4))), "pipeline": entries(("q", at(4)))},
            [(4, "p", "demo", None, None, None), (4, "q", "other", None, None, None)],
            id="beside another stage of that moment",
        ),
    ],
)
def test_stage_dates_fill_gaps(history, expected):
    """A stage that the history lacks altogether."""
    found = rows([deal({"hs_v2_date_entered_demo": at(4)}, **history)])
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_unreadable_moments_and_values_are_listed():
    """Nothing leaves silently."""
    raw = deal(
        dealstage=entries(("a", "yesterday"), ("b", at(1))),
        amount_in_home_currency=entries(("1;2", at(1))),
    )
    table, problems = conform("history", deal_history([raw], READING))
    assert table["stage_id"].tolist() == ["b"]
    assert problems[["column", "value", "action"]].to_numpy().tolist() == [
        ["amount", "1;2", "value set to missing"],
        ["changed_at", "yesterday", "row rejected"],
    ]


def test_archived_deals_have_no_history():
    """As they are in no table."""
    raw = deal(dealstage=entries(("a", at(1)))) | {"archived": True}
    assert deal_history([raw], READING).empty


changes = st.lists(
    st.tuples(st.sampled_from(["a", "b", ""]), st.integers(1, 28)), unique_by=lambda c: c[1]
)


@settings(derandomize=True, max_examples=50, deadline=None)
@given(changes, st.randoms(), st.integers(1, 3))
def test_order_and_repeats_do_not_matter(found, random, times):
    """HubSpot lists newest first; a merge lists twice."""
    plain = entries(*[(value, at(day)) for value, day in found])
    mixed = plain * times
    random.shuffle(mixed)
    assert rows([deal(dealstage=mixed)]) == rows([deal(dealstage=plain)])


def test_history_of_contacts():
    """The lifecycle is the pipeline; only leads have a history."""
    contact = {
        "id": "5",
        "properties": {},
        "propertiesWithHistory": {
            "lifecyclestage": entries(("lead", at(2)), ("subscriber", at(1))),
            "hs_lead_status": entries(("OPEN", at(2)), ("NEW", at(3))),
            "hubspot_owner_id": entries(("9", at(4))),
        },
    }
    frame = conform("history", lead_history("contacts", [contact], READING, {"5"})).frame
    names = ["object", "record_id", "pipeline_id", "stage_id", "status", "owner_id"]
    assert frame[names].astype("object").where(frame[names].notna(), None).to_numpy().tolist() == [
        ["lead", "5", "lifecyclestage", "subscriber", None, None],
        ["lead", "5", "lifecyclestage", "lead", "OPEN", None],
        ["lead", "5", None, None, "NEW", None],
        ["lead", "5", None, None, None, "9"],
    ]
    assert lead_history("contacts", [contact], READING, {"6"}).empty


def test_history_of_lead_objects():
    """As that of deals, with the leads' own properties."""
    lead = {
        "id": "5",
        "properties": {},
        "propertiesWithHistory": {
            "hs_pipeline_stage": entries(("s2", at(3)), ("s1", at(1))),
            "hs_pipeline": entries(("p", at(1))),
        },
    }
    frame = lead_history("leads", [lead], READING, ["5"])
    assert frame[["pipeline_id", "stage_id"]].to_numpy().tolist() == [["p", "s1"], ["p", "s2"]]


PIPELINE = {"id": "p", "stages": [{"id": "demo", "displayOrder": 0}]}


@pytest.mark.parametrize(
    ("stated", "listed"),
    [
        pytest.param(at(1), False, id="the first entry"),
        pytest.param(at(5, 1), False, id="the last entry, a minute late"),
        pytest.param(at(5, 2), True, id="two minutes late"),
        pytest.param(at(3), True, id="an entry between"),
        pytest.param("", False, id="none stated"),
    ],
)
def test_stage_dates_that_do_not_fit(stated, listed):
    """Listed with both; the history counts."""
    history = entries(("demo", at(5)), ("x", at(4)), ("demo", at(3)), ("x", at(2)), ("demo", at(1)))
    properties = {"hs_v2_date_entered_demo": stated, "pipeline": "p", "dealstage": "demo"}
    problems = reconcile([deal(properties, dealstage=history)], stages([PIPELINE]), DATES)
    assert problems.columns.tolist() == PROBLEMS
    assert len(problems) == listed
    if listed:
        row = problems.iloc[0]
        assert (row["table"], row["key"], row["action"]) == ("history", "1", "kept, listed only")
        assert row["value"] == f"hs_v2_date_entered_demo = {stated}; history: {at(1)} to {at(5)}"


@pytest.mark.parametrize(
    ("pipeline", "stage", "listed"),
    [
        pytest.param("p", "demo", [], id="both known"),
        pytest.param("p", "gone", [["stage_id", "gone"]], id="unknown stage"),
        pytest.param("q", "demo", [["pipeline_id", "q"]], id="unknown pipeline"),
        pytest.param(None, "", [["stage_id", ""]][:0], id="none"),
    ],
)
def test_unknown_pipelines_and_stages(pipeline, stage, listed):
    """The deal is kept, and listed."""
    raw = deal({"pipeline": pipeline, "dealstage": stage})
    problems = reconcile([raw], stages([PIPELINE]), StageDates({}, ()))
    assert problems[["column", "value"]].to_numpy().tolist() == listed
