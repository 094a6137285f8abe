"""Stages: API names and labels, renamed and deleted ones, several that are won or lost."""

import pandas as pd
import pytest

from connectors.salesforce.records.stages import StageNames, names_in_use, stages, with_names
from kpi.conform import conform
from kpi.tables import STAGES


def opportunity_stages(*rows):
    """OpportunityStage: API name, label, order, won, closed, probability, active."""
    names = ["ApiName", "MasterLabel", "SortOrder", "IsWon", "IsClosed", "DefaultProbability"]
    return pd.DataFrame([list(row) for row in rows], columns=[*names, "IsActive"], dtype="str")


ORG = opportunity_stages(
    ("Demo", "Show", "2", "false", "false", "40", "true"),
    ("Won", "Won", "8", "true", "true", "100", "true"),
    ("Renewed", "Renewed", "9", "true", "true", "100", "false"),
    ("Lost", "Lost", "5", "false", "true", "0", "true"),
)
STATUSES = pd.DataFrame(
    {
        "ApiName": ["Open", "Bad", "NC", "Q"],
        "MasterLabel": ["Open - New", "Disqualified", "Closed - not converted", "Qualified"],
        "SortOrder": ["1", "2", "3", "4"],
    },
    dtype="str",
)
NO_STATUS = STATUSES.iloc[:0]
NOTHING = pd.DataFrame({"object": [], "stage_id": []}, dtype="str")


def in_use(**outcomes):
    """Deals by stage, with their outcomes."""
    rows = [(stage, one) for stage, told in outcomes.items() for one in told]
    deals = pd.DataFrame(rows, columns=["stage_id", "outcome"], dtype="str")
    return names_in_use(deals, NOTHING, NOTHING)


def by_id(frame):
    """Rows by stage id."""
    return frame.astype("object").where(frame.notna(), None).set_index("stage_id").to_dict("index")


def test_stages_of_opportunities():
    """Several are won, some inactive; the order has gaps."""
    found = stages(ORG, NO_STATUS)
    assert list(found) == STAGES.names
    rows = by_id(found)
    assert [row["outcome"] for row in rows.values()] == ["open", "won", "won", "lost"]
    assert [row["position"] for row in rows.values()] == [2, 8, 9, 5]
    assert [row["probability"] for row in rows.values()] == [0.4, 1.0, 1.0, 0.0]
    assert [row["active"] for row in rows.values()] == [True, True, False, True]
    assert rows["Demo"]["label"] == "Show"
    assert rows["Demo"]["pipeline_id"] is None
    assert len(conform("stages", found).problems) == 0


def test_statuses_of_leads():
    """Only a label that says so is lost; Qualified is not Unqualified."""
    rows = by_id(stages(ORG.iloc[:0], STATUSES))
    assert [row["outcome"] for row in rows.values()] == ["open", "lost", "lost", "open"]
    assert {row["object"] for row in rows.values()} == {"lead"}
    assert {row["probability"] for row in rows.values()} == {None}


@pytest.mark.parametrize(
    ("name", "stage"),
    [("Demo", "Demo"), ("Show", "Demo"), ("Pitch", "Pitch"), (None, None)],
    ids=["API name", "label", "unknown", "missing"],
)
def test_names(name, stage):
    """By API name, else by label; else itself."""
    found = StageNames.read(ORG, STATUSES).deal(pd.Series([name], dtype="str"))
    assert found.astype("object").where(found.notna(), None).tolist() == [stage]


def test_an_api_name_goes_before_a_label():
    """Two stages that swapped their words."""
    org = opportunity_stages(
        ("A", "B", "1", "false", "false", "10", "true"),
        ("B", "A", "2", "false", "false", "10", "true"),
        ("C", "Same", "3", "false", "false", "10", "false"),
        ("D", "Same", "4", "false", "false", "10", "true"),
    )
    names = StageNames.read(org, STATUSES)
    assert names.deal(pd.Series(["A", "B", "Same"])).tolist() == ["A", "B", "D"]
    assert names.lead(pd.Series(["Open - New", "A"])).tolist() == ["Open", "A"]


def test_names_of_no_stage_become_stages():
    """In alphabetical order after all others, no longer active."""
    use = in_use(Pitch=["open", "won"], Gone=["lost"], Better=["won"], Demo=["open"])
    history = pd.DataFrame({"object": ["deal", "lead"], "stage_id": ["Ancient", "Warm"]})
    use = pd.concat([use, names_in_use(NOTHING, NOTHING, history)])
    found = with_names(stages(ORG, STATUSES), use)
    made = found.iloc[len(ORG) + len(STATUSES) :]
    assert made[["object", "stage_id", "position", "outcome"]].values.tolist() == [
        ["deal", "Ancient", 10, "open"],
        ["deal", "Better", 11, "won"],
        ["deal", "Gone", 12, "lost"],
        ["deal", "Pitch", 13, "open"],
        ["lead", "Warm", 5, "open"],
    ]
    assert not made["active"].any()
    assert made["probability"].isna().all()
    assert made["label"].eq(made["stage_id"]).all()
    assert len(conform("stages", found).problems) == 0


def test_won_and_lost_in_one_stage_is_open():
    """Neither all won, nor none."""
    found = with_names(stages(ORG, NO_STATUS), in_use(Mixed=["won", "lost"]))
    assert by_id(found)["Mixed"]["outcome"] == "open"


def test_a_stage_that_the_org_deleted_stays():
    """With its label, order and meaning; and its names still mean it."""
    before = with_names(stages(ORG, STATUSES), in_use(Pitch=["open"]))
    org = ORG[ORG["ApiName"] != "Demo"].reset_index(drop=True)
    after = stages(org, STATUSES, before)
    kept = by_id(after)["Demo"]
    assert (kept["label"], kept["position"], kept["probability"]) == ("Show", 2, 0.4)
    assert kept["active"] is False
    names = StageNames.read(org, STATUSES, before)
    assert names.deal(pd.Series(["Show", "Demo", "Pitch"])).tolist() == ["Demo", "Demo", "Pitch"]
    after = with_names(after, in_use(Demo=["open"], Apple=["open"], Pitch=["open"]), before)
    assert by_id(after)["Apple"]["position"] == 10
    assert by_id(after)["Pitch"]["position"] == 11
    assert after["stage_id"].is_unique


def test_what_the_org_has_goes_before_what_it_had():
    """A stage made anew under the old label."""
    before = stages(ORG, STATUSES)
    org = ORG.assign(ApiName=ORG["ApiName"].replace("Demo", "Demo2"), MasterLabel=ORG["ApiName"])
    names = StageNames.read(org, STATUSES, before)
    assert names.deal(pd.Series(["Demo"])).tolist() == ["Demo2"]


def test_nothing_leaves():
    """A name no longer in use stays as it was."""
    before = with_names(stages(ORG, STATUSES), in_use(Pitch=["lost"]))
    after = with_names(stages(ORG, STATUSES, before), in_use(Demo=["open"]), before)
    pd.testing.assert_frame_equal(after, before)
