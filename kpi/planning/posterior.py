"""What the funnel may truly be: rates, delays and values drawn from what history leaves open.

Everything is drawn once for a fitted model and kept: a changed input recomputes the plan from the
same draws, so that two plans differ by their inputs alone, never by their random numbers.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from kpi.cohorts import from_enough
from kpi.planning.curve import Curve, Floats, Ints
from kpi.stats.survival import aalen_johansen, at_age

if TYPE_CHECKING:
    from kpi.planning.model import FunnelModel

Made = TypeVar("Made")
DRAWS = 10_000
DELAYS = 50
KEPT = 24
RATES, DELAY, LEADS, PIPELINE, SIZES, MEANS, WHEN, CHURN, BASE, FORWARD = range(10)


@dataclass(frozen=True, eq=False)
class Same:
    """A part of a key that is this very object, which it keeps: a number such as `id` is used again."""

    thing: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)


class Memory:
    """What was drawn or reckoned for a model, kept for the next plan; the oldest goes first."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, object] = {}

    def get(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what `make` makes for the key, made once."""
        if key not in self._kept:
            while len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = make()
        return cast("Made", self._kept[key])


def stream(seed: int, purpose: int) -> np.random.Generator:
    """Random numbers for one purpose: the same whatever else is drawn."""
    return np.random.default_rng([seed, purpose])


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws of what is not known exactly; one row a draw.

    Attributes
    ----------
    lead, deal : array, (draws,)
        Share of leads, and of deals, that win, relative to the planned one. Both rest on the same
        wins, so they are drawn together: where one is high the other is.
    delay : array of int, (draws,)
        Which of the model's delay curves holds.
    value : array, (draws,)
        Mean value of a win, relative to the planned one.
    churn : array or None, (draws,)
        Monthly churn of the base.
    """

    seed: int
    lead: Floats
    deal: Floats
    delay: Ints
    value: Floats
    churn: Floats | None

    @property
    def draws(self) -> int:
        """How many draws."""
        return len(self.lead)


def drawn(model: "FunnelModel", draws: int, seed: int) -> Posterior:
    """Draw the posterior of a model."""
    at = stream(seed, RATES).random(draws)
    fitted = model.as_of is not None
    worth = model.worth
    means = stream(seed, MEANS)
    return Posterior(
        seed=seed,
        lead=_relative(model.curves[0, model.top], at),
        deal=_relative(model.curves[model.first_deal, model.top], at),
        delay=stream(seed, DELAY).integers(len(model.delays), size=draws),
        value=worth.mean_factors(means, draws) if worth and fitted else np.ones(draws),
        churn=None if model.base is None else model.base.churns(stream(seed, CHURN), draws),
    )


def _relative(curve: Curve, at: Floats) -> Floats:
    """Beta posterior of a curve's final share at the given places, relative to what was seen."""
    if np.isinf(curve.n) or curve.n == 0 or curve.x == 0:
        return np.ones(len(at))
    share = betaincinv(curve.x + 0.5, curve.n - curve.x + 0.5, _grid(len(at)))
    return np.asarray((share / (curve.x / curve.n))[np.argsort(np.argsort(at))])


def _grid(draws: int) -> Floats:
    """Even places between 0 and 1: the posterior is met exactly, only its order is random."""
    return np.asarray((np.arange(draws) + 0.5) / draws)


def delay_areas(counted: pd.DataFrame, curve: Curve, seed: int) -> Floats:
    """Integrals of the share of wins that have come, by day: as seen, then Bayesian bootstraps.

    Parameters
    ----------
    counted : DataFrame
        Counts by whole days (`kpi.cohorts.durations`) behind the curve.
    curve : Curve
        From the first step to won.

    Returns
    -------
    array, (curves, days + 1)
        Each ends level, at a share of 1. Every cell of `counted` is weighted by a gamma variable of
        its count: Dirichlet weights over the records.
    """
    usable = counted[(counted["cause"] >= 0) & (counted["entry"] <= counted["duration"])]
    usable, _ = from_enough(usable)
    rng = stream(seed, DELAY)
    days = np.arange(len(curve.share))
    found = [curve.share / curve.final]
    for _ in range(DELAYS - 1):
        weights = rng.gamma(usable["n"].to_numpy("float64"))
        again = aalen_johansen(usable["duration"], usable["cause"], usable["entry"], count=weights)
        share = at_age(again, "cif_1", days, before=0.0)
        found.append(share / share[-1] if share[-1] > 0 else found[0])
    shares = np.array(found)
    return np.hstack([np.zeros((len(shares), 1)), np.cumsum(shares, axis=1)])
