"""The version of the data: the same rows give the same digits, any other row others."""

import pytest

import connectors
from kpi import Snapshot
from workbench.report.notebook import SAMPLES
from workbench.report.pack.version import data_version, fingerprint


@pytest.fixture(scope="module")
def frames():
    whole = connectors.open(SAMPLES)
    return {name: whole.table(name).to_pandas() for name in ("deals", "leads")}


def taken(frames):
    return Snapshot.from_frames(frames, as_of="2026-11-01")


def test_the_order_of_rows_does_not_matter(frames):
    turned = {name: frame[::-1].reset_index(drop=True) for name, frame in frames.items()}
    assert fingerprint(taken(turned)) == fingerprint(taken(frames))


def test_any_value_matters(frames):
    deals = frames["deals"].copy()
    deals.loc[3, "amount"] = deals.loc[3, "amount"] + 0.01
    assert fingerprint(taken(frames | {"deals": deals})) != fingerprint(taken(frames))


def test_a_row_twice_and_a_row_missing_are_not_the_same(frames):
    leads = frames["leads"]
    assert fingerprint(taken(frames | {"leads": leads[1:]})) != fingerprint(taken(frames))


def test_a_store_names_its_sync(tmp_path):
    connectors.keep(SAMPLES, tmp_path / "store")
    snapshot = connectors.open(tmp_path / "store")
    assert data_version(tmp_path / "store", snapshot) == f"sync 1, {data_version(None, snapshot)}"
    connectors.keep(SAMPLES, tmp_path / "store")
    again = connectors.open(tmp_path / "store")
    assert data_version(tmp_path / "store", again) == f"sync 2, {data_version(None, snapshot)}"
