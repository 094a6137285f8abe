"""The chance that leads reach a target: for each draw, the wins that it takes against those expected.

Given a draw of rates, delays and values, wins of new leads and of direct deals are Poisson, so their
part of the chance is exact; only what the draws stand for is simulated. The chance therefore moves
smoothly with the leads, and where nothing is uncertain it is exact.
"""

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammainc

from kpi.planning.crossing import multiple, upwards
from kpi.planning.curve import Floats, Ints
from kpi.planning.horizon import Horizon
from kpi.planning.posterior import BASE, SIZES, WHEN, Memory, Same, stream
from kpi.planning.target import PlanError, Target
from kpi.planning.values import Values
from kpi.planning.wins import Coming

if TYPE_CHECKING:
    from kpi.planning.model import FunnelModel

MOST_WINS = 50_000
MANY = 12_000_000  # values drawn at most; beyond, the number of wins it takes is taken as normal
MOST_LEADS = 1e9
PLACES = 4_096
_MIDDLES = (np.arange(PLACES) + 0.5) / PLACES
ROUGH, NEAR = 16, 1.05  # every so manyth draw says where the answer is, to a twentieth


class Outlook:
    """A target under a model: the chance that a number of leads each month reaches it.

    Attributes
    ----------
    coming : Coming
        What is expected without new leads, draw by draw.
    checkpoints : list of (month, amount)
        Place of the month by whose end an amount must be reached, and what is still missing of it.
    took : list of array of int, (draws,)
        Wins that each checkpoint takes from now on, the open pipeline's among them.
    """

    def __init__(
        self,
        model: "FunnelModel",
        target: Target,
        horizon: Horizon,
        *,
        done: float = 0.0,
        draws: int,
        seed: int,
    ) -> None:
        self.model, self.target, self.horizon = model, target, horizon
        self.coming = Coming(model, horizon, draws, seed)
        year = 12.0 if target.kind == "arr" else 1.0
        self._done = 0.0 if target.is_level else done
        self._amounts = [
            (horizon.index(day), amount / year)
            for day, amount in target.checkpoints
            if day >= horizon.first
        ]
        self.checkpoints = [(month, amount - self._done) for month, amount in self._amounts]
        self._base = self._running()
        self._per_lead = [self.coming.per_lead(month) for month, _ in self.checkpoints]
        came = np.cumsum(self.coming.direct, axis=1)
        self._direct = [came[:, month] for month, _ in self.checkpoints]
        self._needed: list[Ints] = []
        self._known: dict[tuple[Any, ...], Any] = {}
        self._recalled = False
        self.took: list[Ints] = []
        self.aim(np.ones(len(horizon.months)), about=target.is_level)

    @property
    def values(self) -> Values | None:
        """What a win brings in the unit of the target; None where wins are counted."""
        if self.target.kind == "wins":
            return None
        worth = self.model.bookings if self.target.kind == "bookings" else self.model.worth
        if worth is None:
            column = "amount" if self.target.kind == "bookings" else "mrr"
            raise PlanError(
                f"the value of a deal is not known (no won deal has {column}): set the target as "
                "wins, or the deal value with model.with_rates(deal_value=...)"
            )
        return worth

    def _running(self) -> Floats | None:
        if not self.target.is_level:
            return None
        base, post = self.model.base, self.coming.posterior
        churn = post.churn
        if base is None or churn is None:
            raise PlanError(
                f"a target of {self.target.kind} needs the recurring revenue of today: the data has "
                "no subscriptions; set the target as new_mrr, or assume(mrr=..., annual_churn=...)"
            )
        months = len(self.horizon.months)
        key = ("base", post.seed, post.draws, months, Same(base))
        return self.model.memory.get(key, lambda: base.runs(stream(post.seed, BASE), churn, months))

    def running(self, new: Floats) -> Floats:
        """Recurring revenue at the end of each month, on average, with so much new in each."""
        if self._base is None or self.model.base is None:
            return np.full(len(new), np.nan)
        kept = np.power(self.model.base.growth, np.arange(len(new), dtype="float64"))
        return np.asarray(self._base.mean(axis=0) + np.convolve(new, kept)[: len(new)])

    def lowered(self, share: float, leads: Floats) -> None:
        """Aim at a share of every amount instead."""
        self.checkpoints = [(m, share * amount - self._done) for m, amount in self._amounts]
        self.aim(leads)

    def aim(self, leads: Floats, *, about: bool = False) -> None:
        """Work out, draw by draw, the wins each checkpoint takes; `leads` says only when they come.

        When wins come matters for a level: what is won early has time to churn. `about` is quicker,
        and enough to tell when wins come.
        """
        arrivals = self.coming.mean_new(leads) + self.coming.direct.mean(axis=0)
        arrivals = arrivals + self.coming.pipeline.mean(axis=0)
        self._needed, self.took = [], []
        self._known, self._recalled = {}, False
        for month, amount in self.checkpoints:
            took = self._wins_for(month, amount, arrivals, about=about)
            self.took.append(took)
            won = self.coming.pipeline[:, : month + 1].sum(axis=1)
            self._needed.append(np.maximum(took - won, 0))

    def _recall(self) -> None:
        """Take over what was found before for the same draws, needs and wins of a lead.

        So a plan for another chance of the same target looks up no chance twice.
        """
        found = blake2b(digest_size=32)
        for part in (*self._needed, *self._per_lead, *self._direct):
            found.update(repr((part.shape, part.dtype.str)).encode())
            found.update(np.ascontiguousarray(part).data)
        kept = self.model.memory.get("chances", Memory)
        self._known = kept.get(found.digest(), dict)
        self._recalled = True

    def _wins_for(self, month: int, amount: float, arrivals: Floats, *, about: bool) -> Ints:
        draws = self.coming.posterior.draws
        values = self.values
        if values is None:
            if amount > MOST_WINS:
                raise self._too_many()
            return np.full(draws, int(np.ceil(amount - 1e-9)))
        missing = np.full(draws, amount)
        if self._base is not None:
            missing = missing - self._base[:, month]
        share = arrivals[: month + 1]
        when = share / share.sum() if share.sum() > 0 else np.full(month + 1, 1 / (month + 1))
        return self._counted(values, missing, when, about=about)

    def _counted(self, values: Values, missing: Floats, when: Floats, *, about: bool) -> Ints:
        """How many wins, drawn one after the other, it takes to bring what is missing."""
        post = self.coming.posterior
        pool = self.coming.sizes(values).pool
        base = self.model.base
        leaves = self.target.is_level and base is not None and base.growth != 1.0
        kept: Floats = np.ones(len(when))
        if leaves and base is not None:
            kept = np.power(base.growth, np.arange(len(when) - 1.0, -1.0, -1.0))
        mean = float(pool.mean() * (kept @ when))
        most = float(missing.max(initial=0.0)) / mean
        if most > MOST_WINS:
            raise self._too_many()
        if np.ptp(pool) == 0 and not leaves:
            took = np.ceil(missing / (pool[0] * post.value) - 1e-9)
            return np.asarray(np.maximum(took, 0), dtype="int64")
        spread = float(pool.std() / pool.mean())
        count = int(np.ceil(most / post.value.min() + 8 * np.sqrt(most + 1) * (1 + spread) + 20))
        if about or count * post.draws > MANY:
            return self._about(missing / (mean * post.value), spread)
        stays = kept[np.searchsorted(np.cumsum(when)[:-1], _MIDDLES)] if leaves else None
        sizes, month = stream(post.seed, SIZES), stream(post.seed, WHEN)
        short = (missing - 1e-9 * abs(missing)) / post.value
        took = np.zeros(post.draws, dtype="int64")
        total: Floats = np.zeros(post.draws)
        for _ in range(count):
            still = total < short
            if not still.any():
                break
            took += still
            at = sizes.random(post.draws)
            brought = pool[(at * len(pool)).astype("int64")]
            if stays is not None:
                brought = brought * stays[(month.random(post.draws) * PLACES).astype("int64")]
            total += brought
        return took

    def _too_many(self) -> PlanError:
        return PlanError(
            f"{self.target.kind} = {self.target.amount:,.0f} takes more than {MOST_WINS:,} wins: "
            "split the target"
        )

    def _about(self, wins: Floats, spread: float) -> Ints:
        """Wins it takes where there are very many: the central limit of a renewal process."""
        post = self.coming.posterior
        noise = stream(post.seed, SIZES).standard_normal(post.draws)
        many = np.maximum(wins, 0.0)
        return np.maximum(np.ceil(many + spread * np.sqrt(many) * noise), 0).astype("int64")

    def means(self, z: float) -> tuple[Floats, Floats]:
        """Wins of one lead by each checkpoint, on average, and how many new leads must bring.

        The second is what is needed beyond pipeline and direct deals, with a margin of `z` standard
        deviations of the Poisson: (checkpoints, months) and (checkpoints,).
        """
        rows = np.array([per_lead.mean(axis=0) for per_lead in self._per_lead])
        needed = np.array([n.mean() for n in self._needed])
        direct = np.cumsum(self.coming.direct.mean(axis=0))
        came = np.array([direct[month] for month, _ in self.checkpoints])
        margin = max(z, 0.0) * np.sqrt(needed)
        return rows, np.maximum(needed + margin - came, 0.0)

    def chances(self, leads: Floats | Ints, every: int = 1) -> Floats:
        """Chance of each checkpoint with so many leads created in each month, from every nth draw."""
        if every > 1:
            return self._chances(leads, every)
        key = ("chances", np.asarray(leads, dtype="float64").tobytes())
        if key not in self._known:
            self._known[key] = self._chances(leads, 1)
        return np.array(self._known[key])

    def _chances(self, leads: Floats | Ints, every: int) -> Floats:
        found = []
        for all_needed, per_lead, direct in zip(
            self._needed, self._per_lead, self._direct, strict=True
        ):
            needed, mean = all_needed[::every], per_lead[::every] @ leads + direct[::every]
            met = np.where(needed > 0, gammainc(np.maximum(needed, 1), mean), 1.0)
            found.append(float(met.mean()))
        return np.array(found)

    def chance(self, leads: Floats | Ints, every: int = 1) -> float:
        """Chance of the target: of a path, of its least likely month."""
        return float(self.chances(leads, every).min(initial=1.0))

    def guess(self, pattern: Floats, caps: Floats, confidence: float) -> float:
        """About the multiple of a pattern of leads that `scale` finds, from a few draws."""
        limit = _limit(pattern, caps)

        def short(times: float) -> float:
            return self.chance(np.minimum(times * pattern, caps), ROUGH) - confidence

        return 0.0 if short(0.0) >= 0 else upwards(short, min(1.0, limit), limit)

    def scale(self, pattern: Floats, caps: Floats, confidence: float) -> float | None:
        """Smallest multiple of a pattern of leads, kept under the caps, that is likely enough.

        None where no number of leads is. A few draws say where to look, all of them what it is.
        """
        if not self._recalled:
            self._recall()
        key = ("scale", pattern.tobytes(), caps.tobytes(), confidence)
        if key not in self._known:
            self._known[key] = self._scale(pattern, caps, confidence)
        found: float | None = self._known[key]
        return found

    def _scale(self, pattern: Floats, caps: Floats, confidence: float) -> float | None:
        def short(times: float) -> float:
            return self.chance(np.minimum(times * pattern, caps)) - confidence

        limit = _limit(pattern, caps)
        if short(0.0) >= 0:
            return 0.0
        if short(limit) < 0:
            return None
        guess = max(self.guess(pattern, caps, confidence), 1e-3)
        found = self._smooth(pattern, caps, confidence, guess)
        if found is not None:
            return found
        low, high = guess / NEAR, min(guess * NEAR, limit)
        while short(low) >= 0:
            low, high = low / 2, low
        while short(high) < 0:
            low, high = high, min(high * 2, limit)
        return float(brentq(short, low, high, xtol=1e-7, rtol=1e-8))

    def _smooth(
        self, pattern: Floats, caps: Floats, confidence: float, guess: float
    ) -> float | None:
        """Find the multiple where the chance has no bend in it: one date, no cap. None elsewhere."""
        if len(self.checkpoints) > 1 or np.isfinite(caps[pattern > 0]).any():
            return None
        return multiple(
            lambda times: self.chance(times * pattern),
            self._needed[0],
            self._per_lead[0] @ pattern,
            self._direct[0],
            confidence=confidence,
            guess=guess,
        )


def _limit(pattern: Floats, caps: Floats) -> float:
    """Largest multiple of a pattern that still changes anything under the caps."""
    under = caps[pattern > 0]
    if not np.isfinite(under).all():
        return MOST_LEADS
    return float((under / pattern[pattern > 0]).max(initial=0.0))
