"""How long a plan takes after one input moved, against drawing its random numbers alone.

Run as ``python benchmarks/plan.py [--rounds 15]``; README.md says how to read it. The model is that of
the sample company, the plan one of 24 months and 10,000 draws; in each round one rate is set anew,
the plan is worked out, and then the arrivals of its leads and their thinning over the months are
drawn with numpy, and nothing else. Times are those on the wall, the least of all rounds: what else
runs on the machine only adds to them.
"""

import argparse
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # not this folder: its names are those of packages

from kpi import Definitions, Snapshot  # noqa: E402
from kpi.planning import FunnelModel, Plan, reverse_funnel  # noqa: E402
from kpi.planning.horizon import Horizon, spread  # noqa: E402

MONTHS, DRAWS, LIMIT = 24, 10_000, 2.0
TARGETS = {"wins": 120.0, "new_mrr": 150_000.0, "mrr": 380_000.0}


def main() -> None:
    """Measure each kind of target and say whether the measure is met."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=15)
    rounds = asked.parse_args().rounds
    model = fitted()
    for kind, amount in TARGETS.items():
        taken = np.array([timed(model, kind, amount, i) for i in range(rounds + 1)])[1:]
        plan, draw = taken.min(axis=0) * 1000
        ratio = plan / draw
        print(
            f"{kind:8} plan {plan:6.1f} ms, drawing {draw:6.1f} ms, ratio {ratio:.2f}: "
            f"{'met' if ratio <= LIMIT else 'NOT MET'}"
        )


def fitted() -> FunnelModel:
    """Fit the sample company."""
    folder = ROOT / "data" / "samples"
    frames = {path.stem: pd.read_csv(path, dtype="str") for path in folder.glob("*.csv")}
    as_of = (folder / "as_of.txt").read_text(encoding="utf-8").strip()
    settings = Definitions.read(folder / "definitions.toml")
    return FunnelModel.fit(Snapshot.from_frames(frames, as_of=as_of, definitions=settings))


def timed(model: FunnelModel, kind: str, amount: float, turn: int) -> tuple[float, float]:
    """Seconds of one plan with a rate set anew, and of drawing its numbers."""
    step = model.steps[turn % model.top].name
    rate = model.rates[step].value * (1 - 0.002 * (turn + 1))
    by = pd.Timestamp(model.as_of) + pd.DateOffset(months=MONTHS) + pd.offsets.MonthEnd(0)
    began = time.perf_counter()
    changed = model.with_rates({step: rate})
    plan = reverse_funnel(changed, by=by.date(), draws=DRAWS, **{kind: amount})
    planned = time.perf_counter()
    share = thinned(changed, plan, by.date())
    leads = np.array([plan.leads_by_month.get(f"{m:%Y-%m}", 0) for m in plan.outcome["month"]])
    rng = np.random.default_rng(turn)
    drawing = time.perf_counter()
    drawn(rng, leads, share)
    return planned - began, time.perf_counter() - drawing


def thinned(model: FunnelModel, plan: Plan, by: date) -> "np.ndarray":
    """Share of each month's leads that win in each month, and never: (months, months + 1)."""
    horizon = Horizon.of(plan.start, by, model.as_of)
    wins = spread(model.curve(0, model.top).area[None, :], horizon.spans)[0]
    return np.hstack([wins, 1 - wins.sum(axis=1, keepdims=True)])


def drawn(rng: np.random.Generator, leads: "np.ndarray", share: "np.ndarray") -> "np.ndarray":
    """Wins by month: Poisson leads, each winning in some month, or never."""
    came = rng.poisson(leads, (DRAWS, len(leads)))
    wins = np.zeros((DRAWS, len(leads)), dtype="int64")
    for month, chances in enumerate(share):
        wins += rng.multinomial(came[:, month], chances)[:, :-1]
    return wins


if __name__ == "__main__":
    main()
