"""What the files of a pack say, made once for all their tests."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

import connectors
from kpi import Snapshot
from kpi.planning import FunnelModel, reverse_funnel
from workbench.report.notebook import SAMPLES
from workbench.report.pack.contents import contents

BY = "2027-05-31"
GOALS = {
    "wins": {"wins": 40, "by": BY},
    "new_mrr": {"new_mrr": 60_000, "by": BY},
    "bookings": {"bookings": 600_000, "by": BY, "season": {12: 0.5}},
    "mrr": {"mrr": 240_000, "by": BY},
    "arr": {"arr": {"2026-12": 2_450_000, "2027-03": 2_600_000, "2027-06": 2_900_000}},
}
ODD = {
    "no leads": (("leads",), {"wins": 40, "by": BY}),
    "no subscriptions": (("subscriptions",), {"bookings": 600_000, "by": BY}),
    "one month": ((), {"wins": 2, "by": "2026-12-31"}),
    "two years": ((), {"new_mrr": 250_000, "by": "2028-11-30"}),
    "no values": (("leads", "subscriptions", "values"), {"wins": 40, "by": BY}),
}
HOSTILE = (
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    '=HYPERLINK("https://example.invalid","x")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\u202emoc.live\u202c \u2028\u2029\x00\x1b[31m",
    "__proto__",
    "W" * 10_000,
    "#[panic()] $x$ *_`{{7*7}}${7*7}",
    "مرحلة \u0627\u0644\u0639\u0631\u0636 \U0001f469\u200d\U0001f4bb",
)
VERSION = "sync 1, data 00000000"


@cache
def sample():
    """The sample company and its model."""
    snapshot = connectors.open(SAMPLES)
    return snapshot, FunnelModel.fit(snapshot)


@cache
def sample_goal(items):
    snapshot, model = sample()
    goal = {name: dict(value) if isinstance(value, tuple) else value for name, value in items}
    return contents(reverse_funnel(model, **goal), snapshot, data_version=VERSION)


def without(*tables):
    """The sample company without some tables, or without the values of its deals."""
    whole, _ = sample()
    frames = {n: whole.table(n).to_pandas() for n in whole.present if n not in tables}
    if "values" in tables:
        frames["deals"] = frames["deals"].drop(columns=["amount", "amount_original", "mrr"])
    settings = {"as_of": whole.as_of, "definitions": whole.definitions, "source": whole.source}
    return Snapshot.from_frames(frames, **settings)


def hostile_company():
    """A company of nine steps before a win, each with a name that means harm; eight deals a week."""
    rng = np.random.default_rng(1)
    names, moves, deals = [*HOSTILE, "Won", "Lost"], [], []
    for number in range(800):
        day = pd.Timestamp("2025-01-01") + pd.Timedelta(days=0.8 * number)
        deal, place = f"d{number}", 0
        while day < pd.Timestamp("2026-10-31") and place < len(HOSTILE):
            moves.append((deal, names[place], day))
            day += pd.Timedelta(days=float(rng.integers(2, 9)))
            place = place + 1 if rng.random() < 0.9 else len(HOSTILE) + 1
        if day < pd.Timestamp("2026-10-31"):
            moves.append((deal, names[place], day))
        last, closed = moves[-1][1], moves[-1][2]
        deals.append((deal, last, HOSTILE[number % 2], closed if last in names[-2:] else None))
    outcome = ["open"] * len(HOSTILE) + ["won", "lost"]
    frames = {
        "deals": pd.DataFrame(deals, columns=["deal_id", "stage_id", "source", "closed_at"]),
        "history": pd.DataFrame(moves, columns=["record_id", "stage_id", "changed_at"]),
        "stages": pd.DataFrame({"stage_id": names, "label": names, "outcome": outcome}),
    }
    begun = frames["history"].groupby("record_id")["changed_at"].min()
    frames["deals"]["created_at"] = frames["deals"]["deal_id"].map(begun)
    frames["deals"]["amount"] = 1_000.0 * rng.integers(5, 30, len(deals))
    for name in ("history", "stages"):
        frames[name]["object"] = "deal"
    frames["stages"]["position"] = range(len(names))
    return Snapshot.from_frames(frames, as_of="2026-10-31", source=HOSTILE[0])


@pytest.fixture(scope="session")
def made():
    """Return a function: what `reverse_funnel` takes in, the Contents of the sample company out."""

    def make(**goal):
        items = {n: tuple(v.items()) if isinstance(v, dict) else v for n, v in goal.items()}
        return sample_goal(tuple(items.items()))

    return make


@pytest.fixture(scope="session")
def pack_contents(made):
    """The Contents of the sample company, for $60K of new MRR."""
    return made(**GOALS["new_mrr"])


@pytest.fixture(scope="session", params=GOALS)
def each_kind(request, made):
    """The Contents of a plan of each of the five kinds of target."""
    return made(**GOALS[request.param])


@pytest.fixture(scope="session", params=ODD)
def each_odd(request):
    """Contents of data that lacks something, and of plans that are very short or long."""
    lacking, goal = ODD[request.param]
    snapshot = without(*lacking) if lacking else sample()[0]
    model = FunnelModel.fit(snapshot) if lacking else sample()[1]
    return contents(reverse_funnel(model, **goal), snapshot, data_version=VERSION)


@pytest.fixture(scope="session")
def hostile_contents():
    """The Contents of a company whose names are scripts, formulas, marks and 10,000 letters."""
    snapshot = hostile_company().where(source=list(HOSTILE[:2]))
    plan = reverse_funnel(FunnelModel.fit(snapshot), bookings=900_000, by="2027-06-30")
    return contents(plan, snapshot, data_version=VERSION)
