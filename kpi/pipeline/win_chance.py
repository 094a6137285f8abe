"""How likely an open deal is to be won, from its stage and how long it has been there."""

from dataclasses import dataclass

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.cohorts import AT_RISK, durations, from_enough
from kpi.funnel.climbs import climbs, placed
from kpi.snapshot import Snapshot
from kpi.stats.intervals import effective_counts
from kpi.stats.survival import aalen_johansen, at_age, last_age

PLACE = ["funnel", "rank"]


@dataclass(frozen=True, eq=False)
class WinChance:
    """What history says of deals in each stage.

    Attributes
    ----------
    by_age : DataFrame
        ``funnel, rank, age`` (days since the deal first reached the rank, 0 up to the last age
        that history followed) and ``chance`` (to be won in the end, 0 to 1).
    rates : DataFrame
        ``funnel, rank``, ``share`` (of those who reach the rank that win), and the counts it is
        worth, ``x`` and ``n``; only stages from which some deal has been won or lost.
    """

    by_age: pd.DataFrame
    rates: pd.DataFrame


def win_chance(snapshot: Snapshot, deal_type: str | None) -> WinChance:
    """Learn the chance of winning from every stage and age.

    A deal must first go on from its stage, given that it has not yet at that age; from there it
    wins like any deal that reached the next stage. Conditioning on the age in the stage, rather
    than on having no outcome yet, keeps a long-stalled deal from being credited like one that
    moved on. Stages and ages are those of the highest stage the deal has reached.

    Notes
    -----
    ``P(win | rank r, age a) = (F_r(end) - F_r(a)) / S_r(a) x W_{r+1}``: F_r the cumulative
    incidence of going on from r (losing competes), S_r the share still there, W the share that
    wins of those who reached the next rank, all Aalen-Johansen with delayed entry. F is read up to
    the last age followed: what might be won later is not counted on.
    """
    steps = climbs(snapshot, placed(snapshot, [], deal_type))
    onward = durations(snapshot, steps, PLACE, start="start", end="end")
    won = nw.when(nw.col("outcome") == "won")
    lost = nw.when(nw.col("outcome") == "lost").then(nw.lit(2)).otherwise(nw.lit(0))
    ended = steps.filter(nw.col("rank") < nw.col("last")).with_columns(
        cause=won.then(nw.lit(1)).otherwise(lost)
    )
    final = durations(snapshot, ended, PLACE, start="start", end="closed_day")
    rates = [
        {"funnel": funnel, "rank": rank} | _rate(part)
        for (funnel, rank), part in final.groupby(PLACE)
    ]
    known = pd.DataFrame(rates, columns=[*PLACE, "share", "x", "n", "closed"])
    share = zip(known["funnel"], known["rank"], known["share"], strict=True)
    wins = {(funnel, int(rank)): float(wins) for funnel, rank, wins in share}
    ages = [
        _ages(part, wins.get((str(funnel), int(str(rank)) + 1), 1.0), str(funnel), int(str(rank)))
        for (funnel, rank), part in onward.groupby(PLACE)
    ]
    columns = [*PLACE, "age", "chance"]
    by_age = pd.concat(ages)[columns] if ages else pd.DataFrame(columns=columns)
    return WinChance(by_age, known[known["closed"] > 0].drop(columns="closed"))


def _usable(counted: pd.DataFrame) -> pd.DataFrame:
    seen = counted[(counted["cause"] >= 0) & (counted["entry"] <= counted["duration"])]
    return from_enough(seen)[0]


def _rate(counted: pd.DataFrame) -> dict[str, float]:
    """Share that wins in the end, and the counts it is worth where ten are still followed."""
    seen = _usable(counted)
    if seen.empty:
        return {"share": np.nan, "x": 0.0, "n": 0.0, "closed": 0}
    curve = aalen_johansen(seen["duration"], seen["cause"], seen["entry"], count=seen["n"])
    enough = last_age(curve, AT_RISK)
    firm = curve.loc[: enough if enough == enough else None].iloc[-1]  # noqa: PLR0124 - not nan
    share = float(curve["cif_1"].iloc[-1])
    _, n = effective_counts(float(firm["cif_1"]), float(firm["var_1"]), float(seen["n"].sum()))
    closed = int(seen.loc[seen["cause"] > 0, "n"].sum())
    return {"share": share, "x": share * n, "n": n, "closed": closed}


def _ages(counted: pd.DataFrame, onward_share: float, funnel: str, rank: int) -> pd.DataFrame:
    """Chance to win by age, for deals that still wait in one stage."""
    seen = _usable(counted)
    if seen.empty:
        return pd.DataFrame({"funnel": [], "rank": [], "age": [], "chance": []})
    curve = aalen_johansen(seen["duration"], seen["cause"], seen["entry"], count=seen["n"])
    age = np.arange(int(curve.index[-1]) + 1)
    gone = at_age(curve, "cif_1", age, before=0.0)
    still = at_age(curve, "survival", age, before=1.0)
    left = gone[-1] - gone
    ahead = np.divide(left, still, out=np.zeros(len(age)), where=still > 0)
    chance = np.clip(ahead, 0.0, 1.0) * onward_share
    return pd.DataFrame({"funnel": funnel, "rank": rank, "age": age, "chance": chance})
