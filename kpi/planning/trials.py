"""The chance of a target with levers moved, trial by trial, from the same random numbers."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import cache
from typing import cast

import numpy as np
from scipy.optimize import brentq

from kpi.planning.lever_moves import Leads, Lever
from kpi.planning.model import FunnelModel
from kpi.planning.posterior import CHURN, Made, Memory, Posterior, stream
from kpi.planning.simulate import chance
from kpi.planning.target import Target

NEAR = 1e-5
ENOUGH = 1e-12


class Ready(Memory):
    """Memory of one forecast: what was drawn, by what it is."""

    def __init__(self, made: dict[str, object]) -> None:
        super().__init__()
        self.made = made

    def get(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what was drawn already, whatever the lever is now, or make it."""
        name = str(cast("tuple[Hashable, ...]", key)[0])
        if name not in self.made:
            self.made[name] = make()
        return cast("Made", self.made[name])


class Trials:
    """The chance of a target with levers moved: every trial with the same random numbers.

    Attributes
    ----------
    now : float
        The chance with nothing moved.
    """

    def __init__(
        self, model: FunnelModel, target: Target, leads: Leads, draws: int, seed: int
    ) -> None:
        self.target, self.leads, self._with = target, leads, (draws, seed)
        ready = Ready({})
        self._model = replace(model, memory=ready)
        self.now = chance(self._model, target, leads, draws, seed)
        self._made = ready.made

    def chance(self, *moves: tuple[Lever, float]) -> float:
        """Chance with each of the levers times its factor."""
        model, leads = self._model, self.leads
        kept = set(self._made)
        for lever, factor in moves:
            model, leads = lever.move(model, leads, factor)
            kept &= lever.keeps
        made = {name: self._made[name] for name in kept}
        if model.base is not self._model.base and model.base is not None:
            drawn = cast("Posterior", made["posterior"])
            churn = model.base.churns(stream(drawn.seed, CHURN), drawn.draws)
            made["posterior"] = replace(drawn, churn=churn)
        return chance(replace(model, memory=Ready(made)), self.target, leads, *self._with)

    def factor(self, lever: Lever) -> float | None:
        """Smallest move of a lever that reaches the target; None where its utmost does not."""

        @cache
        def short(factor: float) -> float:
            return self.chance((lever, factor)) - self.target.confidence

        if self.now >= self.target.confidence:
            return 1.0
        if lever.limit == 1 or short(lever.limit) < 0:
            return None
        good = min(2.0, lever.limit)
        while short(good) < 0:
            good = min(good * 2, lever.limit)
        found = float(brentq(short, 1.0, good, xtol=NEAR / 10, rtol=NEAR))
        step = NEAR if lever.rises else -NEAR
        while short(found) < -ENOUGH:  # a chance that moves in steps: to the far side of this one
            found = float(np.clip(found * (1 + step), min(good, 1.0), max(good, 1.0)))
            step *= 2
        return found
