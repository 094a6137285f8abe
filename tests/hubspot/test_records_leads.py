"""Leads: from the leads object, or from contacts that ever were one; and stages of both kinds."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.hubspot.records.leads import leads_from_contacts, leads_from_objects
from connectors.hubspot.records.reading import Reading, asked
from connectors.hubspot.records.stages import reached_stages, stage_dates, stages
from kpi.conform import conform

READING = Reading("7", "app.hubspot.com", "Europe/Berlin", "EUR")
LIFECYCLE = {
    "name": "lifecyclestage",
    "options": [
        {"value": value, "label": value.title(), "displayOrder": order, "hidden": value == "other"}
        for order, value in enumerate(
            [
                "subscriber",
                "lead",
                "marketingqualifiedlead",
                "customer",
                "evangelist",
                "other",
                "77",
            ]
        )
    ],
}
REACHED = reached_stages(LIFECYCLE)


def contact(stage, *history, number="1", **properties):
    """A contact; its history as stage and day of March 2026."""
    return {
        "id": number,
        "properties": {"lifecyclestage": stage, "createdate": "2026-01-01T00:00:00Z", **properties},
        "propertiesWithHistory": {
            "lifecyclestage": [
                {"value": s, "timestamp": f"2026-03-{d:02}T00:00:00Z"} for s, d in history
            ]
        },
    }


def test_stages_that_make_a_lead():
    """Lead and what comes after it; subscriber, evangelist and other never."""
    assert sorted(REACHED) == ["77", "customer", "lead", "marketingqualifiedlead"]
    assert reached_stages({"options": [{"value": "own", "displayOrder": 3}]}) == {"own"}
    assert reached_stages({}) == frozenset()


@pytest.mark.parametrize(
    ("raw", "created"),
    [
        pytest.param(contact("subscriber", ("subscriber", 1)), None, id="never a lead"),
        pytest.param(contact("", ("", 2)), None, id="no stage"),
        pytest.param(contact("lead"), "2026-01-01", id="no history: when created"),
        pytest.param(contact("lead", ("lead", 2), ("subscriber", 1)), "2026-03-02", id="entered"),
        pytest.param(
            contact("lead", ("lead", 4), ("customer", 3), ("subscriber", 1)),
            "2026-03-03",
            id="a later stage first",
        ),
        pytest.param(
            contact("subscriber", ("subscriber", 5), ("lead", 2)), "2026-03-02", id="once"
        ),
        pytest.param(contact("evangelist", ("evangelist", 5)), None, id="evangelist only"),
        pytest.param(contact("77"), "2026-01-01", id="a stage of the account's own"),
        pytest.param(contact("lead") | {"archived": True}, None, id="archived"),
    ],
)
def test_contacts_that_are_leads(raw, created):
    """When the first of the counting stages was entered."""
    frame = conform("leads", leads_from_contacts([raw], READING, REACHED)).frame
    expected = [] if created is None else [pd.Timestamp(created, tz="UTC")]
    assert frame["created_at"].tolist() == expected


@settings(derandomize=True, max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(REACHED)), st.integers(1, 28)), min_size=1))
def test_the_first_entry_counts_in_any_order(history):
    """Order and repeats do not matter."""
    frame = leads_from_contacts([contact("lead", *history)], READING, REACHED)
    assert frame["created_at"][0].day == min(day for _, day in history)


def test_columns_of_contacts():
    """Status, source, owner, stage, page and last change."""
    raw = contact(
        "lead",
        hs_lead_status="OPEN",
        hs_analytics_source="PAID",
        hubspot_owner_id="9",
        lastmodifieddate="2026-03-05T00:00:00.001Z",
        utm="spring",
    )
    reading = Reading("7", "app.hubspot.com", "UTC", "EUR", {}, {"leads": {"channel": "utm"}})
    row = leads_from_contacts([raw], reading, REACHED).iloc[0]
    assert row["url"] == "https://app.hubspot.com/contacts/7/record/0-1/1"
    names = ["stage_id", "status", "source", "owner_id", "channel"]
    assert row[names].tolist() == ["lead", "OPEN", "PAID", "9", "spring"]
    assert row["updated_at"] == pd.Timestamp("2026-03-05T00:00:00.001Z")
    assert {"utm", "createdate", "lastmodifieddate"} <= set(asked("contacts", reading, []))


def lead(**properties):
    """A record of the leads object."""
    return {"id": "5", "properties": properties}


@pytest.mark.parametrize(
    ("properties", "source"),
    [
        pytest.param({"hs_lead_source": "A", "hs_analytics_source": "B"}, "A", id="its own"),
        pytest.param({"hs_lead_source": None, "hs_analytics_source": "B"}, None, id="own, empty"),
        pytest.param({"hs_analytics_source": "B"}, "B", id="the account has only the other"),
        pytest.param({}, None, id="it has neither"),
    ],
)
def test_source_of_lead_objects(properties, source):
    """By which property the account has, not by which is filled."""
    frame = conform("leads", leads_from_objects([lead(**properties)], READING)).frame
    assert frame["source"].dropna().tolist() == ([source] if source else [])


def test_the_source_asked_for_is_the_one_there_is():
    """Unless the settings name another."""
    assert "hs_lead_source" in asked("leads", READING, {"hs_lead_source", "hs_analytics_source"})
    assert "hs_lead_source" not in asked("leads", READING, {"hs_analytics_source"})
    chosen = Reading("7", "a.b", "UTC", "EUR", {}, {"leads": {"source": "x", "in_profile": "icp"}})
    names = asked("leads", chosen, {"hs_lead_source"})
    assert {"x", "icp"} <= set(names)
    assert not {"hs_lead_source", "hs_analytics_source"} & set(names)


def test_columns_of_lead_objects():
    """Creation, stage, label and last change."""
    raw = lead(
        hs_createdate="2026-03-01T00:00:00Z",
        hs_pipeline_stage="new-stage-id",
        hs_lead_label="HOT",
        hs_lastmodifieddate="1743685150726",
        icp="true",
    )
    reading = Reading("7", "a.b", "UTC", "EUR", {}, {"leads": {"in_profile": "icp"}})
    row = conform("leads", leads_from_objects([raw], reading)).frame.iloc[0]
    assert row[["lead_id", "stage_id", "status"]].tolist() == ["5", "new-stage-id", "HOT"]
    assert row["url"] == "https://a.b/contacts/7/record/0-136/5"
    assert bool(row["in_profile"]) is True
    assert row[["converted_at", "deal_id", "channel"]].isna().all()


def stage(number="s", label="Stage", order=0, archived=False, **metadata):
    """A stage of a pipeline."""
    row = {"id": number, "label": label, "displayOrder": order, "metadata": metadata}
    return row | {"archived": archived}


@pytest.mark.parametrize(
    ("metadata", "outcome"),
    [
        pytest.param({"isClosed": "true", "probability": "1.0"}, "won", id="closed, 1"),
        pytest.param({"isClosed": "true", "probability": "0.0"}, "lost", id="closed, 0"),
        pytest.param({"isClosed": "true", "probability": "0.5"}, "lost", id="closed, half"),
        pytest.param({"isClosed": "true"}, "lost", id="closed, not stated"),
        pytest.param({"isClosed": "false", "probability": "1.0"}, "open", id="certain, yet open"),
        pytest.param({}, "open", id="nothing stated"),
    ],
)
def test_outcome_of_deal_stages(metadata, outcome):
    """From what the pipeline says, never from its name."""
    found = stages([{"id": "p", "stages": [stage("closedwon", **metadata)]}])
    assert found["outcome"].tolist() == [outcome]


@pytest.mark.parametrize(
    ("one", "outcome"),
    [
        pytest.param(stage(leadState="UNQUALIFIED"), "lost", id="state"),
        pytest.param(stage(label="Unqualified"), "lost", id="label"),
        pytest.param(stage("unqualified-stage-id", "Nein"), "lost", id="id"),
        pytest.param(stage(isClosed="true", probability="0.0"), "lost", id="closed, 0"),
        pytest.param(stage(isClosed="true", probability="1.0"), "open", id="qualified"),
        pytest.param(stage(leadState="IN_PROGRESS"), "open", id="in progress"),
    ],
)
def test_outcome_of_lead_stages(one, outcome):
    """Lost or open: a lead is never won."""
    found = stages([], [{"id": "lead-pipeline-id", "stages": [one]}])
    assert found[["object", "outcome"]].to_numpy().tolist() == [["lead", outcome]]


def test_stages_come_in_any_order_and_archived_ones_are_not_in_use():
    """Position is the display order; probability a number or missing; a label may lack."""
    rows = [stage("b", None, 1, probability="0.6"), stage("a", "A", 0, archived=True)]
    table, problems = conform("stages", stages([{"id": "p", "stages": rows}]))
    assert problems.empty
    assert table["position"].tolist() == [1, 0]
    assert table["active"].tolist() == [True, False]
    assert table["probability"].iloc[0] == 0.6
    assert table["label"].isna().tolist() == [True, False]
    assert table["probability"].isna().tolist() == [False, True]


def test_the_lifecycle_as_stages():
    """One per option, open, in the order shown."""
    found = conform("stages", stages([], lifecycle=LIFECYCLE)).frame
    assert found["stage_id"].tolist() == [option["value"] for option in LIFECYCLE["options"]]
    assert set(found["pipeline_id"]) == {"lifecyclestage"}
    assert set(found["outcome"]) == {"open"}
    assert found.loc[~found["active"], "stage_id"].tolist() == ["other"]
    assert found["probability"].isna().all()


UUID = "f26b487d-e715-49c8-add3-9fa86aef79da"


@pytest.mark.parametrize(
    ("ids", "name", "found"),
    [
        pytest.param(["closedwon"], "closedwon", "closedwon", id="named"),
        pytest.param(["148120391"], "148120391", "148120391", id="numbered"),
        pytest.param([UUID], f"{UUID.replace('-', '_')}_127692047", UUID, id="UUID and a suffix"),
        pytest.param([UUID.upper()], UUID.replace("-", "_"), UUID.upper(), id="capitals"),
        pytest.param(["s", "s_1"], "s_1", "s_1", id="the id itself before one with a suffix"),
        pytest.param(["s"], "t", None, id="a stage that is gone"),
        pytest.param(["a-b", "a_b"], "a_b_7", None, id="two stages it could be"),
    ],
)
def test_names_of_stage_dates(ids, name, found):
    """Taken from the account's properties; what is not certain is listed."""
    table = stages([{"id": "p", "stages": [stage(i, order=n) for n, i in enumerate(ids)]}])
    full = f"hs_v2_date_entered_{name}"
    dates = stage_dates([full, "hs_v2_date_entered_current_stage", "dealname"], table)
    assert dates.stages == ({full: ("p", found)} if found else {})
    assert dates.unmatched == (() if found else (full,))


def test_two_dates_of_one_stage_are_left_out():
    """Which one holds is not known."""
    table = stages([{"id": "p", "stages": [stage("a")]}])
    names = ("hs_v2_date_entered_a_1", "hs_v2_date_entered_a_2")
    assert stage_dates(names, table) == ({}, names)
