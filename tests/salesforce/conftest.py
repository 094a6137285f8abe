"""A Salesforce org on this machine, and one that changes without its metadata changing."""

import pytest
from salesforce.harness import Crm

from connectors.salesforce import jobs, streams
from connectors.sandbox.salesforce import Org, life

NOW = "2026-11-01T09:30:00Z"


@pytest.fixture
def quick_jobs(monkeypatch):
    """Look at bulk jobs ten times as often: the org is on this machine."""
    monkeypatch.setattr(jobs, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(jobs, "LONGEST_WAIT", 0.05)


@pytest.fixture
def crm(tmp_path, quick_jobs):
    """Make a `Crm`: ``crm(opportunities=60, seed=1, faults=(), org=None, ...)``; stopped at the end."""
    made = []

    def make(opportunities=60, seed=1, *, now=NOW, org=None, faults=(), delay=0.0, **generated):
        org = org or Org.generate(opportunities=opportunities, seed=seed, now=now, **generated)
        made.append(Crm(tmp_path / f"crm{len(made)}", org, faults=faults, delay=delay))
        return made[-1]

    yield make
    for one in made:
        one.server.stop()


@pytest.fixture
def settled(monkeypatch):
    """Let nothing happen to stages, users or formulas: what remains has to be found by its stamp."""
    for what in ("label", "formula"):
        monkeypatch.delitem(life._DOES, what)


@pytest.fixture
def small_pages(monkeypatch):
    """Read bulk results in small pages, so that there are many."""
    monkeypatch.setattr(streams, "PAGE_ROWS", 50)
