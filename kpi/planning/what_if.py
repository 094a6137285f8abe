"""What-if: a plan whose inputs move, reduced to a few tables that a page or a sheet can reckon with.

Expected records are the planner's own, exactly: they are linear in the rates. The chance comes from
a few draws that stand for all, set so that it is the plan's own where nothing is moved.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from scipy.special import expit, gammainc, logit

from kpi.planning.curve import Floats
from kpi.planning.target import MONTHS_A_YEAR, PlanError

MOST_LEADS = 1e7
SAFE = 1e-12


@dataclass(frozen=True)
class Inputs:
    """What can be moved.

    Attributes
    ----------
    target : float
        Amount at the last date, in the unit of the plan's target; a path is scaled as a whole.
    confidence : float
        Chance wanted, above 0 and below 1.
    leads : float
        Records to create at the top of the funnel, all months together, 0 or more; the months get
        the shares that they have in the plan.
    rates : mapping of step to share
        Share that goes on from each step, above 0 and up to 1.
    deal_value : float
        New recurring revenue a month of a win, above 0; missing where it is not known.
    annual_churn : float
        Share of the recurring revenue that leaves in a year, 0 or more and below 1; missing where
        no revenue is known.
    """

    target: float
    confidence: float
    leads: float
    rates: Mapping[str, float]
    deal_value: float = np.nan
    annual_churn: float = np.nan


@dataclass(frozen=True, eq=False)
class WhatIf:
    """A plan with its inputs as they are, and the tables that answer for others.

    Made by `kpi.planning.what_if_of.what_if`. Arrays are by step s, month t, checkpoint c, draw d.

    Attributes
    ----------
    inputs : Inputs
        As planned: there every result is the frozen plan's.
    kind : str
        What the target counts: wins, new_mrr, bookings, mrr or arr.
    months, steps, labels : list of str
        'YYYY-MM'; keys of the steps; their names.
    first_deal : int
        Step at which a deal exists.
    factors : array, (steps - 1,)
        Planned rate over that of history, by step.
    caps : array, (steps, steps)
        Largest factor of the share from one step to another: what history times it makes 1.
    share : array, (months,)
        Share of the leads that each month gets.
    new : array, (steps, months)
        Records that one lead brings to each step in each month.
    direct : array, (steps, months)
        Records of deals without a lead.
    pipeline : array, (steps, steps, months)
        Of the records open at the first step, those that reach the second in each month.
    value_ratio : array, (months,)
        New recurring revenue of a month's wins, relative to wins times the deal value.
    base, base_rest : float; array, (months,)
        Recurring revenue when the data ends; what the plan has at the end of each month beyond it
        after churn and expansion.
    expansion : float
        Share that customers add in a month.
    base_known : bool
        Whether churn and expansion are taken as known, and act together.
    churn : array, (draws,)
        Monthly churn relative to the planned one.
    checkpoints : array of int, (checkpoints,)
        Month by whose end an amount is due.
    amounts : array, (checkpoints,)
        That amount over the last one.
    done : float
        What counts already.
    by_lead, by_direct, deal, value : array, (draws, checkpoints), same, (draws,), (draws,)
        Wins of one lead, of direct deals; share of deals that win, and value of a win, relative to
        the mean.
    certain : array, (steps, checkpoints)
        Sum of the squared chances of the open records: how much surer they are than chance.
    booking : float
        Mean value of a win in the unit of the target, as planned; 1 where wins are counted.
    whole : bool
        Whether every win brings the same, so that the wins it takes are a whole number.
    spread : float
        Standard deviation of a win's value over its mean.
    luck : array, (draws, checkpoints)
        How many more wins than average a draw takes, in standard deviations.
    base_luck : array, (draws, checkpoints)
        What runs of the base beyond its mean, in the unit of `base`.
    offset : array, (checkpoints,)
        What the few draws are off, in logits.
    margin : float
        What whole leads by month cost, as a chance.
    """

    inputs: Inputs
    kind: str
    months: list[str]
    steps: list[str]
    labels: list[str]
    first_deal: int
    factors: Floats
    caps: Floats
    share: Floats
    new: Floats
    direct: Floats
    pipeline: Floats
    value_ratio: Floats
    base: float
    base_rest: Floats
    expansion: float
    base_known: bool
    churn: Floats
    checkpoints: Floats
    amounts: Floats
    done: float
    by_lead: Floats
    by_direct: Floats
    deal: Floats
    value: Floats
    certain: Floats
    booking: float
    whole: bool
    spread: float
    luck: Floats
    base_luck: Floats
    offset: Floats
    margin: float

    def result(self, **changed: Any) -> dict[str, Any]:
        """Reckon what the inputs come to.

        Parameters
        ----------
        **changed
            Fields of `Inputs` that are not as planned; ``rates`` may name only those that move.

        Returns
        -------
        dict
            ``chance`` (of the target, 0 to 1); ``leads_needed`` (for the chance wanted; None where
            no number of leads has it); ``leads`` (by month); ``wins_pipeline, wins_direct,
            wins_new`` and ``wins`` (by month), ``new_mrr`` and ``mrr`` (by month; None where not
            known); ``funnel`` (records by step: ``in_pipeline, direct, to_create``); ``expected``
            and ``without_new`` (in the unit of the target, what is to be expected at the last date
            with these leads, and with none); ``gap`` (target less ``without_new``).

        Raises
        ------
        PlanError
            If an input is out of its range, or a step is unknown.
        """
        put = self.put(**changed)
        flow = self.flow(put)
        money = self._money(put, flow)
        none = replace(put, leads=0.0)
        without = self._expected(none, self._money(none, self.flow(none)))
        return {
            "chance": self.chance(put),
            "leads_needed": self.leads_needed(put),
            "leads": (put.leads * self.share).tolist(),
            **{f"wins_{name}": flow[name][-1].tolist() for name in ("pipeline", "direct", "new")},
            **{name: None if series is None else series.tolist() for name, series in money.items()},
            "funnel": {
                "in_pipeline": flow["pipeline"].sum(axis=1).tolist(),
                "direct": flow["direct"].sum(axis=1).tolist(),
                "to_create": flow["new"].sum(axis=1).tolist(),
            },
            "expected": self._expected(put, money),
            "without_new": without,
            "gap": put.target - without,
        }

    def put(self, **changed: Any) -> Inputs:
        """Inputs as planned but for some, checked."""
        rates = {**self.inputs.rates, **changed.pop("rates", {})}
        unknown = set(rates) - set(self.steps[:-1])
        if unknown:
            raise PlanError(
                f"rate of {sorted(unknown)[0]!r}: no such step; expected {self.steps[:-1]}"
            )
        put = replace(self.inputs, rates=rates, **changed)
        for name, rate in rates.items():
            if not 0 < rate <= 1:
                raise PlanError(f"rate of {name!r} = {rate}; expected above 0 and up to 1")
        if not 0 < put.confidence < 1 or not 0 < put.target < 1e12 or not 0 <= put.leads < 1e9:
            raise PlanError(f"{put}: confidence is 0 to 1, target above 0, leads 0 or more")
        if put.deal_value <= 0 or not (np.isnan(put.annual_churn) or 0 <= put.annual_churn < 1):
            raise PlanError(f"{put}: deal_value is above 0, annual_churn 0 or more and below 1")
        return put

    def reach(self, put: Inputs, start: int, end: int) -> float:
        """Share from one step to another over the planned one."""
        moved = [put.rates[s] / self.inputs.rates[s] for s in self.steps[start:end]]
        planned = float(np.prod(self.factors[start:end]))
        cap = float(self.caps[start, end])
        return min(planned * float(np.prod(moved)), cap) / min(planned, cap)

    def flow(self, put: Inputs) -> dict[str, Floats]:
        """Records that reach each step in each month, by where they come from: (steps, months)."""
        last = len(self.steps)
        new = [self.new[s] * put.leads * self.reach(put, 0, s) for s in range(last)]
        first = self.first_deal
        direct = [self.direct[s] * self.reach(put, min(first, s), s) for s in range(last)]
        onward = [
            sum(
                (self.pipeline[i, s] * self._onward(put, i, s) for i in range(s)),
                np.zeros(len(self.months)),
            )
            for s in range(last)
        ]
        return {"pipeline": np.array(onward), "direct": np.array(direct), "new": np.array(new)}

    def _onward(self, put: Inputs, start: int, end: int) -> float:
        """How an open record's chance to reach a later step moves: it first leaves its own."""
        return self.reach(put, start, start + 1) * self.reach(put, start + 1, end)

    def _money(self, put: Inputs, flow: Mapping[str, Floats]) -> dict[str, Floats | None]:
        wins = flow["pipeline"][-1] + flow["direct"][-1] + flow["new"][-1]
        new_mrr = None if np.isnan(put.deal_value) else wins * put.deal_value * self.value_ratio
        mrr = None
        if new_mrr is not None and not np.isnan(self.base):
            kept = self._growth(put) ** np.arange(len(wins))
            mrr = self._base_runs(put).mean(axis=0) + self.base_rest
            mrr = mrr + np.convolve(new_mrr, kept)[: len(wins)]
        return {"wins": wins, "new_mrr": new_mrr, "mrr": mrr}

    def _expected(self, put: Inputs, money: Mapping[str, Floats | None]) -> float:
        """What is expected at the last date, in the unit of the target."""
        last = int(self.checkpoints[-1])
        series = money["mrr" if self.kind in ("mrr", "arr") else "wins"]
        if self.kind == "new_mrr":
            series = money["new_mrr"]
        if series is None:
            return float("nan")
        if self.kind in ("mrr", "arr"):
            return float(series[last]) * (MONTHS_A_YEAR if self.kind == "arr" else 1)
        each = self.booking * self._dearer(put) if self.kind == "bookings" else 1.0
        return self.done + float(series[: last + 1].sum()) * each

    def _dearer(self, put: Inputs) -> float:
        """Value of a win over the planned one; 1 where wins are counted."""
        planned = self.inputs.deal_value
        counted = self.kind == "wins" or np.isnan(planned)
        return 1.0 if counted else put.deal_value / planned

    def _churned(self, put: Inputs) -> float:
        """Monthly churn of the inputs; 0 where no revenue is known."""
        if np.isnan(put.annual_churn):
            return 0.0
        return float(1 - (1 - put.annual_churn) ** (1 / MONTHS_A_YEAR))

    def _growth(self, put: Inputs) -> float:
        return 1 - self._churned(put) + self.expansion

    def _base_runs(self, put: Inputs) -> Floats:
        """What runs of the base at the end of each month, chance aside, (draws, months)."""
        ahead = np.arange(1, len(self.months) + 1)
        churn = np.minimum(self.churn * self._churned(put), 1.0)[:, None]
        if self.base_known:
            return np.asarray(self.base * (1 - churn + self.expansion) ** ahead)
        return np.asarray(self.base * (1 - churn) ** ahead * (1 + self.expansion) ** ahead)

    def leads_needed(self, put: Inputs) -> int | None:
        """Fewest leads with the chance wanted; None where no number has it."""
        wanted = put.confidence + self.margin

        def enough(leads: int) -> bool:
            return self.chance(replace(put, leads=float(leads))) >= wanted

        if enough(0):
            return 0
        high = max(round(self.inputs.leads), 1)
        while not enough(high):
            if high >= MOST_LEADS:
                return None
            high *= 2
        low = 0
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
        return high

    def chance(self, put: Inputs) -> float:
        """Chance of the target: of a path, of its least likely month."""
        rough = self.rough(put)
        off = np.asarray(expit(logit(np.clip(rough, SAFE, 1 - SAFE)) + self.offset))
        return float(np.where((rough > SAFE) & (rough < 1 - SAFE), off, rough).min())

    def rough(self, put: Inputs) -> Floats:
        """Chance of each checkpoint from the few draws, before it is set by `offset`."""
        return np.asarray(self.met(put).mean(axis=0))

    def met(self, put: Inputs) -> Floats:
        """Chance of each checkpoint in each draw, (draws, checkpoints).

        Open records win as a Poisson number does that is shifted by the sum of their squared
        chances, so that it varies as much as they do (a translated Poisson approximation).
        """
        flow = self.flow(put)
        wins = flow["pipeline"][-1] + flow["direct"][-1] + flow["new"][-1]
        won = len(self.steps) - 1
        onward = self.reach(put, self.first_deal, won)
        found = np.ones((len(self.deal), len(self.checkpoints)))
        for c, month in enumerate(self.checkpoints.astype(int)):
            pipe = float(flow["pipeline"][-1, : month + 1].sum())
            sure = sum(self.certain[i, c] * self._onward(put, i, won) ** 2 for i in range(won))
            mean = put.leads * self.by_lead[:, c] * self.reach(put, 0, won)
            mean = mean + self.by_direct[:, c] * onward + pipe * self.deal
            certain = sure * self.deal**2
            short = self.needed(put, c, month, wins) - certain
            some = np.maximum(short, SAFE)
            found[:, c] = np.where(short > 0, gammainc(some, np.maximum(mean - certain, 0.0)), 1.0)
        return found

    def needed(self, put: Inputs, c: int, month: int, wins: Floats) -> Floats:
        """Wins that a checkpoint takes, (draws,): not whole where values differ from win to win."""
        amount = self.amounts[c] * put.target
        level = self.kind in ("mrr", "arr")
        missing = np.full(len(self.deal), amount / (MONTHS_A_YEAR if self.kind == "arr" else 1))
        kept, spread = 1.0, self.spread**2
        if level:
            missing = missing - self._base_left(put, c, month)
            growth = self._growth(put) ** np.arange(month, -1.0, -1.0)
            when = wins[: month + 1] / max(float(wins[: month + 1].sum()), SAFE)
            if when.sum() > 0:  # without any win nothing is kept, and nothing hangs on it
                kept = float(when @ growth)
                spread = (1 + spread) * float(when @ growth**2) / kept**2 - 1
        else:
            missing = missing - self.done
        x = missing / (self.booking * self._dearer(put) * kept * self.value)
        if self.whole and not level:
            return np.asarray(np.ceil(x - 1e-9))
        many = np.maximum(x, 0.0)
        more = 0.5 + spread / 2 + np.sqrt(max(spread, 0.0) * many) * self.luck[:, c]
        return np.where(x > 0, many + more, 0.0)

    def _base_left(self, put: Inputs, c: int, month: int) -> Floats:
        """What runs of the base at a checkpoint, with its luck, which fades as churn does."""
        stays = (1 - np.minimum(self.churn * self._churned(put), 1.0)) ** (month + 1)
        planned = (1 - np.minimum(self.churn * self._churned(self.inputs), 1.0)) ** (month + 1)
        before = planned * (1 - planned)
        ratio = np.divide(stays * (1 - stays), before, out=np.ones_like(stays), where=before > 0)
        return np.asarray(self._base_runs(put)[:, month] + self.base_luck[:, c] * np.sqrt(ratio))

    def plain(self) -> dict[str, Any]:
        """All of it as plain values, for JSON: no number is rounded, missing is None."""
        found: dict[str, Any] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, Inputs):
                value = {f.name: getattr(value, f.name) for f in fields(value)}
                value["rates"] = dict(value["rates"])
            found[entry.name] = _plain(value)
        return found


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, str | bool):
        return value
    number = float(value)  # type: ignore[arg-type]
    if not np.isfinite(number):
        return None
    return int(number) if number == int(number) and abs(number) < 2**53 else number
