"""Wins still to come, draw by draw: of the open pipeline, of deals without a lead, of new leads."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kpi.planning.curve import Floats, Ints
from kpi.planning.horizon import Horizon, spread
from kpi.planning.pipeline import credited, direct_arrivals
from kpi.planning.posterior import LEADS, PIPELINE, Posterior, Same, drawn, stream
from kpi.planning.values import POOL, Values

if TYPE_CHECKING:
    from kpi.planning.model import FunnelModel

MANY = 2_000  # open records; from here on those of a step with like odds are drawn together
LIKE = 100


class Coming:
    """What a model expects over a horizon, in each draw; nothing here depends on the leads planned.

    Attributes
    ----------
    posterior : Posterior
    open, unled : array, (steps, months)
        Records expected to reach each step: of what is open now; of deals without a lead to come.
    pipeline : array of int, (draws, months)
        Wins of what is open now.
    direct : array, (draws, months)
        Expected wins of deals without a lead, yet to be created.
    """

    def __init__(self, model: "FunnelModel", horizon: Horizon, draws: int, seed: int) -> None:
        keep = model.memory.get
        source = (Same(model.curves), Same(model.base), Same(model.worth), model.as_of)
        self.model, self.horizon = model, horizon
        self.posterior: Posterior = keep(
            ("posterior", draws, seed, *source), lambda: drawn(model, draws, seed)
        )
        dates = (horizon.first, horizon.last, horizon.origin)
        speed = (Same(model.delays), model.cycle)
        self._spread: Floats = keep(
            ("spread", *dates, *speed), lambda: spread(model.delay_areas(), horizon.spans)
        )
        rates = tuple(sorted(model.factors.items()))
        key = (draws, seed, *dates, *source, *rates, model.cycle)
        self.open, odds, records = keep(("open", *key), lambda: credited(model, horizon.edges))
        self.pipeline: Ints = keep(("pipeline", *key), lambda: self._pipeline(odds, records))
        self.unled = direct_arrivals(
            model, horizon.after_origin, (horizon.last - horizon.origin).days
        )
        self.direct: Floats = self.unled[model.top] * self.posterior.deal[:, None]
        self._more = keep(
            ("leads", draws, seed, *dates, model.lead_flow),
            lambda: model.lead_flow.factors(stream(seed, LEADS), draws, len(horizon.months)),
        )

    def _pipeline(self, odds: Floats, records: Floats) -> Ints:
        post = self.posterior
        rng = stream(post.seed, PIPELINE)
        found = np.zeros((post.draws, odds.shape[1]), dtype="int64")
        if records.sum() > MANY:
            for chances, n in _alike(odds, records):
                sure = np.minimum(post.deal[:, None] * chances, 1.0)
                sure = sure / np.maximum(sure.sum(axis=1), 1.0)[:, None]
                rest = np.maximum(1 - sure.sum(axis=1, keepdims=True), 0.0)
                found += rng.multinomial(n, np.hstack([sure, rest]))[:, :-1]
            return found
        for chances, n in zip(odds, records, strict=True):
            by = np.cumsum(chances)
            for _ in range(int(n)):
                at = rng.random(post.draws) / post.deal
                won = np.flatnonzero(at < by[-1])
                found[won, np.searchsorted(by, at[won], side="right")] += 1
        return found

    def sizes(self, values: Values) -> Values:
        """Values to draw from where deals that take longer than there is time are rarer.

        Where size and delay go together, every value weighs as much as the chance that a win with
        its delay comes before the last day, leads coming evenly; the others stay as they are.
        """
        if values.rank is None:
            return values
        curve = self.model.curve(0, self.model.top)
        delay = np.searchsorted(curve.share / curve.final, values.rank)
        days = (self.horizon.last - self.horizon.first).days + 1
        weight = np.maximum(1 - delay / days, 1e-6)
        order = np.argsort(values.pool, kind="stable")
        steps = np.cumsum((weight / weight.sum())[order])[:-1]
        at = (np.arange(POOL) + 0.5) / POOL
        return replace(values, pool=values.pool[order][np.searchsorted(steps, at)], rank=None)

    def per_lead(self, month: int) -> Floats:
        """Wins by the end of a month of one lead planned in each month, (draws, months created)."""
        post = self.posterior
        by = self._spread[:, :, : month + 1].sum(axis=2)[post.delay]
        won = by * (post.lead * self.model.curve(0, self.model.top).final)[:, None]
        return np.asarray(won if self._more is None else won * self._more)

    def new(self, leads: Floats) -> Floats:
        """Expected wins, by month, of the leads planned for each month, (draws, months)."""
        post = self.posterior
        planned = np.broadcast_to(leads, (post.draws, len(leads)))
        planned = planned if self._more is None else planned * self._more
        found = np.zeros((post.draws, len(leads)))
        for i, arrives in enumerate(self._spread):
            here = post.delay == i
            found[here] = planned[here] @ arrives
        return found * (post.lead * self.model.curve(0, self.model.top).final)[:, None]

    def mean_new(self, leads: Floats) -> Floats:
        """Expected wins by month of the leads planned, over all draws, (months,)."""
        return np.asarray(leads @ self._spread[0] * self.model.curve(0, self.model.top).final)


def _alike(odds: Floats, records: Floats) -> list[tuple[Floats, int]]:
    """Pool open records of like odds."""
    order = np.argsort(odds.sum(axis=1), kind="stable")
    found = []
    for part in np.array_split(order, min(LIKE, len(order))):
        n = int(records[part].sum())
        if n:
            found.append((np.average(odds[part], axis=0, weights=records[part]), n))
    return found
