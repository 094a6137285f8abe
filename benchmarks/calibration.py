"""Whether plans made for a chance of 80 % reach their target in 80 % of what may come.

Run as ``python benchmarks/calibration.py [--companies 300]``; README.md says how to read it. Each
company sells by a process whose truth is known (`chances.py`, with leads before the deals): its
history is fitted, a target is planned for, and the plan's leads are run through the true process.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import gamma, poisson

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # not this folder: its names are those of packages

from benchmarks import chances  # noqa: E402
from benchmarks.chances import AS_OF, NAMES, STAGES, WON, Process  # noqa: E402
from kpi import Snapshot  # noqa: E402
from kpi.periods import from_day  # noqa: E402
from kpi.planning import FunnelModel, Plan, PlanError, reverse_funnel  # noqa: E402
from kpi.planning.backtest import QUANTILES  # noqa: E402
from kpi.planning.forecasts import (  # noqa: E402
    CAME,
    SIMPLE,
    horizon_of,
    model_draws,
    simple_draws,
    simple_means,
)
from kpi.planning.horizon import Horizon  # noqa: E402

Floats = NDArray[np.float64]
NOW = AS_OF + 1  # the end of the as-of day
CHANCE, LOW, HIGH = 0.80, 0.77, 0.83
CLOSED = (20, 500)
TRUE_DEALS, STAYS, FUTURES, DRAWS = 40_000, 400, 2_000, 10_000
MONTH = 30.4375


@dataclass(frozen=True)
class Truth:
    """How a company sells: leads and direct deals a day, what leads do, what deals bring."""

    process: Process
    leads: float
    direct: float
    conversion: float
    wait: float
    size: float
    spread: float
    days: int
    left: tuple[Floats, ...]  # by stage entered: days to the win, rising; infinite where lost

    def wins_by(self, stage: int, days: Floats) -> Floats:
        """Share of deals entering a stage that win within so many days."""
        pool = self.left[stage]
        return np.asarray(np.searchsorted(pool, days, side="left") / len(pool))


def main() -> None:
    """Simulate, print the tables, and say whether the measures are met."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--companies", type=int, default=300)
    asked.add_argument("--workers", type=int, default=2)
    given = asked.parse_args()
    with ProcessPoolExecutor(given.workers) as pool:
        rows = pd.DataFrame(list(pool.map(studied, range(given.companies))))
    rows.to_csv(sys.stdout) if given.companies < 5 else say(rows)


def say(rows: pd.DataFrame) -> None:
    """Print hits and losses, for all companies and by how many deals had closed."""
    groups = pd.cut(rows["closed"], [0, 30, 60, 120, 250, 600])
    shown = ["hit_wins", "hit_mrr", "rate_bias"]
    print(rows.groupby(groups, observed=True)[shown].mean().assign(n=groups.value_counts()))
    for name in ("hit_wins", "hit_mrr"):
        mean, error = rows[name].mean(), rows[name].sem()
        met = LOW <= mean <= HIGH
        print(
            f"{name}: {mean:.1%} +- {error:.1%} over {rows[name].count()} plans: "
            f"{'met' if met else 'NOT MET'}"
        )
    for of in ("wins", "new_mrr"):
        scaled = rows[[f"{of} {m}" for m in (CAME, *SIMPLE)]].div(rows[f"{of} scale"], axis=0)
        losses = scaled.dropna().mean()
        print(losses.to_string(float_format=lambda x: f"{x:.4f}"))
        best = bool(losses.iloc[0] < losses.iloc[1:].min())
        print(f"{of}: less pinball loss than every baseline: {'met' if best else 'NOT MET'}")


def studied(seed: int) -> dict[str, float]:
    """One company: fit, plan, run the plan through the truth, and score its forecast."""
    draw = np.random.default_rng([2026, seed])
    while True:
        truth = drawn(draw)
        frames, leads, deals = history(truth, draw)
        if CLOSED[0] <= int(deals["over"].sum()) <= CLOSED[1] and deals["won"].sum() >= 1:
            break
    snapshot = Snapshot.from_frames(frames, as_of=from_day(AS_OF))
    model = FunnelModel.fit(snapshot)
    ahead = horizon_of(snapshot.as_of, int(draw.choice([6, 12])))
    odds = open_odds(truth, leads, deals, ahead, draw)
    row: dict[str, float] = {
        "seed": seed,
        "closed": model.closed,
        "months": truth.days / MONTH,
        "rate_bias": model.curve(0, model.top).final
        / (truth.conversion * float(np.isfinite(truth.left[0]).mean()))
        - 1,
    }
    leads_a_month = truth.leads * np.array([b - a for a, b in ahead.spans])
    means = simple_means(snapshot, model, ahead, float(leads_a_month.sum()))
    for of in ("wins", "new_mrr"):
        row |= hit(truth, model, ahead, odds, of, draw)
        row |= losses(truth, model, leads_a_month, means, ahead, odds, of, draw)
    return row


def drawn(draw: np.random.Generator) -> Truth:
    """Draw a company: how long it has sold, how much, how fast."""
    process = chances.drawn(draw)
    process = replace(process, stay=process.stay * draw.uniform(0.15, 0.6))
    days = int(draw.integers(9, 37) * MONTH)
    deals = np.exp(draw.uniform(*np.log(CLOSED))) * 1.2
    direct, conversion = draw.uniform(0, 0.3), draw.uniform(0.08, 0.25)
    every = chances.moves(process, np.zeros(TRUE_DEALS), draw)
    won = every[every["stage"] == WON].set_index("deal")["at"]
    every["left"] = every["deal"].map(won).fillna(np.inf) - every["at"]
    left = [np.sort(every.loc[every["stage"] == i, "left"].to_numpy()) for i in range(STAGES)]
    return Truth(
        process=process,
        leads=(1 - direct) * deals / conversion / days,
        direct=direct * deals / days,
        conversion=conversion,
        wait=float(draw.uniform(5, 40)),
        size=float(draw.uniform(200, 1_500)),
        spread=float(draw.uniform(0.3, 1.0)),
        days=days,
        left=(*left, np.zeros(1)),
    )


def history(
    truth: Truth, draw: np.random.Generator
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame, pd.DataFrame]:
    """Tables of the company, its leads and its deals as they truly stand now."""
    n = draw.poisson(truth.leads * truth.days)
    leads = pd.DataFrame({"created": np.sort(draw.uniform(NOW - truth.days, NOW, n))})
    leads["converts"] = draw.random(n) < truth.conversion
    leads["ends"] = leads["created"] + draw.exponential(
        truth.wait * np.where(leads["converts"], 1.0, 2.0)
    )
    turned = leads.index[leads["converts"] & (leads["ends"] < NOW)]
    direct = draw.uniform(NOW - truth.days, NOW, draw.poisson(truth.direct * truth.days))
    created = np.concatenate([leads.loc[turned, "ends"].to_numpy(), direct])
    moved = chances.moves(truth.process, created, draw)
    seen = moved[moved["at"] < NOW].sort_values(["deal", "at"], kind="stable")
    deals = seen.groupby("deal").agg(stage=("stage", "last"), since=("at", "last"))
    deals["over"], deals["won"] = deals["stage"] >= STAGES, deals["stage"] == WON
    value = draw.lognormal(np.log(truth.size), truth.spread, len(deals)).round(2)
    origin = [f"L{i}" for i in turned] + [None] * len(direct)
    gone = leads[~leads["converts"] & (leads["ends"] < NOW)]
    frames = {
        "leads": pd.DataFrame(
            {
                "lead_id": [f"L{i}" for i in leads.index],
                "created_at": moments(leads["created"]),
                "stage_id": np.where(leads.index.isin(gone.index), "disqualified", "new"),
                "converted_at": moments(leads["ends"]).where(leads.index.isin(turned)),
            }
        ),
        "deals": pd.DataFrame(
            {
                "deal_id": "D" + deals.index.astype("str"),
                "lead_id": origin,
                "stage_id": NAMES[deals["stage"]],
                "created_at": moments(pd.Series(created)),
                "closed_at": moments(deals["since"]).where(deals["over"]),
                "amount": value * 12,
                "mrr": value,
            }
        ),
        "history": pd.concat(
            [
                changes("deal", "D" + seen["deal"].astype("str"), NAMES[seen["stage"]], seen["at"]),
                changes("lead", [f"L{i}" for i in gone.index], "disqualified", gone["ends"]),
            ]
        ),
        "stages": pd.DataFrame(
            {
                "object": ["deal"] * len(NAMES) + ["lead"] * 2,
                "stage_id": [*NAMES, "new", "disqualified"],
                "position": [*range(1, len(NAMES) + 1), 1, 2],
                "outcome": ["open"] * STAGES + ["won", "lost", "open", "lost"],
                "probability": [0.2, 0.4, 0.6, 0.8, 1.0, 0.0, np.nan, np.nan],
            }
        ),
    }
    return frames, leads, deals


def moments(days: "pd.Series[float]") -> "pd.Series[pd.Timestamp]":
    """Moments of days counted from 1970."""
    seconds = (days * 86_400).astype("int64").to_numpy()
    return pd.Series(pd.to_datetime(seconds, unit="s", utc=True))


def changes(kind: str, ids: object, stage: object, at: "pd.Series[float]") -> pd.DataFrame:
    """Recorded changes of stage."""
    return pd.DataFrame(
        {
            "object": kind,
            "record_id": np.asarray(ids, dtype=object),
            "stage_id": stage,
            "changed_at": moments(at),
        }
    )


def open_odds(
    truth: Truth,
    leads: pd.DataFrame,
    deals: pd.DataFrame,
    ahead: Horizon,
    draw: np.random.Generator,
) -> Floats:
    """True chance of every open record to win by the last day."""
    rest = float((ahead.last - from_day(AS_OF)).days)
    waiting = leads[leads["ends"] >= NOW]
    age = (NOW - waiting["created"]).to_numpy()
    yes = truth.conversion * np.exp(-age / truth.wait)
    no = (1 - truth.conversion) * np.exp(-age / (2 * truth.wait))
    after = rest - draw.exponential(truth.wait, (len(age), STAYS))
    from_leads = yes / (yes + no) * truth.wins_by(0, after).mean(axis=1)
    return np.concatenate([from_leads, deal_odds(truth, deals[~deals["over"]], rest, draw)])


def deal_odds(truth: Truth, deals: pd.DataFrame, rest: float, draw: np.random.Generator) -> Floats:
    """True chance of open deals to win within so many days, by stage and time spent in it."""
    p, stage = truth.process, deals["stage"].to_numpy()
    spent = (NOW - deals["since"]).to_numpy()
    scale = p.stay[stage] / p.shape
    goes = gamma.sf(spent, p.shape, scale=scale)
    lost = p.lose[stage] * gamma.sf(spent, p.shape, scale=scale * p.linger)
    on = (1 - p.lose[stage]) * goes
    total = gamma.isf(
        draw.random((len(deals), STAYS)) * goes[:, None], p.shape, scale=scale[:, None]
    )
    after = rest - (total - spent[:, None])
    back = np.where(stage > 0, p.back, 0.0)
    skip = np.where(stage < STAGES - 1, p.skip, 0.0)
    found = np.zeros(len(deals))
    for share, to in ((1 - back - skip, 1), (skip, 2), (back, -1)):
        for here in range(STAGES):
            of = stage == here
            if share[of].any():
                reached = after[of] > 0 if here + to == WON else None
                wins = truth.wins_by(here + to, after[of]) if reached is None else reached
                found[of] += share[of] * wins.mean(axis=1)
    return np.asarray(found * on / (on + lost))


def new_mean(
    truth: Truth, leads: dict[str, float], ahead: Horizon, draw: np.random.Generator
) -> float:
    """Expected wins by the last day of leads and direct deals yet to come."""
    rest = float((ahead.last - from_day(AS_OF)).days)
    found = truth.direct * rest * truth.wins_by(0, rest - draw.uniform(0, rest, TRUE_DEALS)).mean()
    for month, (a, b) in zip(ahead.months, ahead.spans, strict=True):
        came = draw.uniform(a, b, TRUE_DEALS) + draw.exponential(truth.wait, TRUE_DEALS)
        share = truth.conversion * truth.wins_by(0, rest - came).mean()
        found += leads.get(f"{month:%Y-%m}", 0.0) * share
    return float(found)


def futures(truth: Truth, mean: float, odds: Floats, of: str, draw: np.random.Generator) -> Floats:
    """What may truly come: wins, or what they bring."""
    wins = (draw.random((FUTURES, len(odds))) < odds).sum(axis=1) + draw.poisson(mean, FUTURES)
    if of == "wins":
        return wins.astype("float64")
    values = draw.lognormal(np.log(truth.size), truth.spread, int(wins.sum()))
    return np.bincount(np.repeat(np.arange(FUTURES), wins), values, minlength=FUTURES)


def hit(
    truth: Truth,
    model: FunnelModel,
    ahead: Horizon,
    odds: Floats,
    of: str,
    draw: np.random.Generator,
) -> dict[str, float]:
    """Plan a target above what comes by itself, and run its leads through the truth."""
    name = "hit_wins" if of == "wins" else "hit_mrr"
    found = planned(model, ahead, of, float(draw.uniform(1.0, 2.0)))
    if found is None:
        return {name: np.nan}
    amount = found.target.amount
    mean = new_mean(truth, {m: float(n) for m, n in found.leads_by_month.items()}, ahead, draw)
    if of == "wins":
        return {name: exact(mean, odds, int(amount)), "planned": found.total_leads or 0}
    return {name: float((futures(truth, mean, odds, of, draw) >= amount).mean())}


def exact(mean: float, odds: Floats, wins: int) -> float:
    """Chance of at least so many wins: Poisson of new records, each open one won or not."""
    chances_of = np.zeros(wins + 1)
    chances_of[0] = 1.0
    for p in odds:
        chances_of[1:] = chances_of[1:] * (1 - p) + chances_of[:-1] * p
        chances_of[0] *= 1 - p
    chances_of[-1] = 1 - chances_of[:-1].sum()
    return float(chances_of @ poisson.sf(wins - 1 - np.arange(wins + 1), mean))


def planned(model: FunnelModel, ahead: Horizon, of: str, growth: float) -> Plan | None:
    """Plan of more than the recent pace; more still where that takes no new lead."""
    recent = max(model.recent_wins, 1) / 6 * len(ahead.months)
    for times in (1.0, 1.5, 2.25, 3.4):
        wins = float(np.ceil(recent * growth * times))
        amount = wins if of == "wins" else round(wins * model.deal_value)
        goal = {of: amount, "start": ahead.first, "by": ahead.last, "confidence": CHANCE}
        try:
            plan = reverse_funnel(model, draws=DRAWS, **goal)
        except PlanError:
            return None
        if plan.total_leads:
            return plan
    return None


def losses(
    truth: Truth,
    model: FunnelModel,
    leads: Floats,
    means: Floats,
    ahead: Horizon,
    odds: Floats,
    of: str,
    draw: np.random.Generator,
) -> dict[str, float]:
    """Pinball loss of each forecast at today's pace of leads, over what may truly come."""
    named = {f"{m:%Y-%m}": float(n) for m, n in zip(ahead.months, leads, strict=True)}
    came = futures(truth, new_mean(truth, named, ahead, draw), odds, of, draw)
    found = {CAME: model_draws(model, ahead, leads, of, draws=DRAWS, seed=0)[CAME]}
    for method, mean in zip(SIMPLE, means, strict=True):
        found[method] = simple_draws(float(mean), model, of, draws=DRAWS, seed=0)
    row = {f"{of} scale": float(came.mean())}
    for method, draws in found.items():
        at = np.quantile(draws, QUANTILES, method="inverted_cdf")
        off = came[:, None] - at
        q = np.array(QUANTILES)
        row[f"{of} {method}"] = float(np.maximum(q * off, (q - 1) * off).mean())
    return row


if __name__ == "__main__":
    main()
