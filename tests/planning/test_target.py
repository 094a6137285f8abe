"""What a target may say, and what is refused in a sentence."""

from datetime import date

import pytest

from kpi.planning import FunnelModel, PlanError, Target, reverse_funnel


def test_a_flow_path_is_a_running_total_and_a_level_path_is_not():
    """A good month makes up for a bad one; a level is what runs at the month's end."""
    flows = Target(new_mrr={"2027-02": 200, "2027-01": 100})
    assert flows.checkpoints == ((date(2027, 1, 31), 100.0), (date(2027, 2, 28), 300.0))
    levels = Target(arr={"2027-01": 100, "2027-02": 200})
    assert levels.checkpoints == ((date(2027, 1, 31), 100.0), (date(2027, 2, 28), 200.0))
    assert flows.amount == 300
    assert levels.amount == 200
    assert levels.is_level
    assert not flows.is_level


def test_the_start_is_given_or_follows_the_data_or_the_path():
    """In that order."""
    day = date(2026, 11, 1)
    assert Target(wins=1, by="2027-01-31").dates(day)[0] == date(2026, 12, 1)
    assert Target(wins=1, by="2027-01-31", start="2026-10-01").dates(day)[0] == date(2026, 10, 1)
    assert Target(wins={"2027-01": 2}).dates(day) == (date(2027, 1, 1), date(2027, 1, 31))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"wins": {}}, "empty path", id="nothing in it"),
        pytest.param({"wins": {"2027": 3}}, "month '2027'", id="no month"),
        pytest.param({"wins": {"2027-01": -3}}, "above 0", id="negative"),
        pytest.param({"wins": {"2027-02": 3}, "by": "2027-01-31"}, "before the path", id="by"),
        pytest.param({"mrr": 1.0, "arr": 12.0, "by": "2027-01-31"}, "mrr and arr", id="two"),
        pytest.param({"wins": 5}, "by is missing", id="no date"),
    ],
)
def test_what_makes_no_sense_is_refused(given, message):
    """By name."""
    with pytest.raises(PlanError, match=message):
        Target(**given)


def test_an_unknown_keyword_is_a_mistake_of_the_caller():
    """A typing error must not be taken for a default."""
    with pytest.raises(TypeError, match="win"):
        reverse_funnel(FunnelModel.assume(), win=5, by="2027-01-31", start="2027-01-01")


def test_a_level_without_a_base_is_refused():
    """And says what to do."""
    with pytest.raises(PlanError, match="annual_churn"):
        reverse_funnel(
            FunnelModel.assume(deal_value=100.0), mrr=5_000, by="2027-06-30", start="2027-01-01"
        )
