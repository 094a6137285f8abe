"""One model a segment: thin ones lean on all, none is lost, open records belong to one of them."""

from pathlib import Path

import pytest

import connectors
from kpi import TableError
from kpi.planning import FunnelModel, fit_segments, reverse_funnel

SAMPLES = Path(__file__).parents[2] / "data" / "samples"


@pytest.fixture(scope="module")
def snapshot():
    return connectors.open(SAMPLES)


@pytest.fixture(scope="module")
def segments(snapshot):
    return fit_segments(snapshot, "source")


def test_every_source_has_a_model_that_plans(segments, snapshot):
    """One a source of the leads; each says how far it leans on all."""
    sources = set(snapshot.leads.to_pandas()["source"].dropna())
    assert set(segments) == sources
    for model in segments.values():
        plan = reverse_funnel(model, wins=3, by="2027-09-30", draws=1_000)
        assert plan.total_leads >= 0
        assert any("weighs" in note or "evidence" in note for note in model.notes)


def test_rates_move_towards_the_common_one(segments, snapshot):
    """The shrunk rate lies between the segment's own and that of all."""
    common = FunnelModel.fit(snapshot).curve(0, 5).final
    for source, model in segments.items():
        own = FunnelModel.fit(snapshot.where(source=source)).curve(0, 5).final
        low, high = sorted([own, common])
        slack = 0.15 * common  # the common rate of the shrinkage is that of the segments' counts
        assert low - slack <= model.curve(0, model.top).final <= high + slack


def test_open_leads_are_counted_in_one_segment_only(segments, snapshot):
    """Waiting leads of the sources add up to those of all, but for the few without a source."""
    whole = FunnelModel.fit(snapshot).waiting
    parts = sum(int(m.waiting.loc[m.waiting["step"] == 0, "n"].sum()) for m in segments.values())
    every = int(whole.loc[whole["step"] == 0, "n"].sum())
    leads = snapshot.leads.to_pandas()
    assert every - leads["source"].isna().sum() <= parts <= every


def test_an_unknown_column_is_refused(snapshot):
    """By name."""
    with pytest.raises(TableError, match="colour"):
        fit_segments(snapshot, "colour")
