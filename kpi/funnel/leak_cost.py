"""What a leak costs: the deals lost, what they are worth, and how sure that is."""

from dataclasses import dataclass

import narwhals as nw
import numpy as np

from kpi.cohorts import durations, from_enough
from kpi.engine import collect
from kpi.funnel.leak_tests import Comparison, Share
from kpi.snapshot import Snapshot
from kpi.stats.intervals import effective_counts
from kpi.stats.survival import aalen_johansen

SEED, DRAWS = 20260101, 4000


@dataclass(frozen=True)
class Finding:
    """The strongest comparison of one group at one stage (funnel and rank).

    ``column`` is the column of deals that ``by`` means; None where all deals are meant. ``p`` is
    that of all comparisons of the group and stage together.
    """

    stage: tuple[str, int]
    by: str
    column: str | None
    group: str
    best: Comparison
    p: float


def cost_of(
    snapshot: Snapshot, climbed: nw.LazyFrame, finding: Finding, level: float
) -> dict[str, float | str]:
    """Work out ``lost_deals, money_lost, low, high`` and a ``note`` of what is lacking.

    Parameters
    ----------
    climbed : LazyFrame
        Rows of `kpi.funnel.climbs.climbs`, with amount, outcome and closed_day.
    """
    here, elsewhere = finding.best.here, finding.best.elsewhere
    lost = (elsewhere.value - here.value) * here.n
    nothing = {"lost_deals": lost, "money_lost": np.nan, "low": np.nan, "high": np.nan}
    valued, mean, error = _amounts(climbed, finding)
    if not valued:
        return nothing | {"note": "not enough data: no amount is known"}
    further = _won_of_those_further(snapshot, climbed, finding.stage)
    if further is None:
        return nothing | {"note": "not enough data: nothing that went on is decided"}
    rng = np.random.default_rng(SEED)
    fewer = _draw(rng, elsewhere) - _draw(rng, here)
    worth = np.maximum(rng.normal(mean, error, DRAWS), 0.0)
    drawn = fewer * here.n * _draw(rng, further) * worth
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    money = lost * further.value * mean
    some = f"{valued} of {here.n} with an amount" if valued < here.n else ""
    limits = {"low": float(min(low, money)), "high": float(max(high, money))}
    return {"lost_deals": lost, "money_lost": money, **limits, "note": some}


def _draw(rng: np.random.Generator, share: Share) -> np.ndarray:
    """Draw from the Beta posterior of a share."""
    return rng.beta(share.worth + 0.5, share.trials - share.worth + 0.5, DRAWS)


def _amounts(climbed: nw.LazyFrame, finding: Finding) -> tuple[int, float, float]:
    """How many of the deals meant have an amount, its mean, and the standard error of that."""
    funnel, rank = finding.stage
    frame = climbed.filter(
        nw.col("funnel") == funnel, nw.col("rank") == rank, ~nw.col("amount").is_null()
    )
    if finding.column is not None:
        frame = frame.filter(nw.col(finding.column) == finding.group)
    if finding.best.since is not None:
        frame = frame.filter(nw.col("start") >= finding.best.since)
    amounts = collect(frame.filter(nw.col("cause") >= 0).select("amount"))["amount"]
    n = len(amounts)
    spread = float(amounts.std()) / np.sqrt(n) if n > 1 else 0.0
    return n, float(amounts.mean()) if n else np.nan, spread


def _won_of_those_further(
    snapshot: Snapshot, climbed: nw.LazyFrame, stage: tuple[str, int]
) -> Share | None:
    """Share won in the end of all deals that went on from a stage; open ones as the decided of their age."""
    funnel, rank = stage
    on = climbed.filter(nw.col("funnel") == funnel, nw.col("rank") == rank, nw.col("cause") == 1)
    won = nw.when(nw.col("outcome") == "won").then(nw.lit(1))
    lost = nw.when(nw.col("outcome") == "lost").then(nw.lit(2)).otherwise(nw.lit(0))
    on = on.select("closed_day", further=nw.col("end"), fate=won.otherwise(lost))
    counted = durations(snapshot, on, [], start="further", end="closed_day", cause="fate")
    usable = counted[(counted["cause"] >= 0) & (counted["entry"] <= counted["duration"])]
    seen, _ = from_enough(usable)
    if not (seen["cause"] > 0).any():
        return None
    curve = aalen_johansen(seen["duration"], seen["cause"], seen["entry"], count=seen["n"])
    end = curve.iloc[-1]
    decided = 1 - float(end["survival"])
    n = int(seen["n"].sum())
    value = float(end["cif_1"]) / decided
    worth, trials = effective_counts(value, float(end["var_1"]) / decided**2, seen=n * decided)
    x = int(seen.loc[seen["cause"] == 1, "n"].sum())
    if trials > n:
        worth, trials = value * n, float(n)
    return Share(worth, trials, x, n)
