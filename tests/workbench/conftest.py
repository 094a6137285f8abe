"""The sample company, its funnel and a plan for it: opened once for all tests of the face."""

from pathlib import Path

import pytest

import connectors
from kpi.planning import FunnelModel, reverse_funnel


@pytest.fixture(scope="session")
def snapshot():
    """The sample company."""
    return connectors.open(Path(__file__).parents[2] / "data" / "samples")


@pytest.fixture(scope="session")
def model(snapshot):
    """Its funnel."""
    return FunnelModel.fit(snapshot)


@pytest.fixture(scope="session")
def plan(model):
    """A plan for it: 40 wins in half a year."""
    return reverse_funnel(model, wins=40, by="2027-05-31")
