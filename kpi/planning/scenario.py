"""Scenarios: named sets of assumptions, kept as TOML, planned and compared with the same random numbers."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from kpi.planning.curve import Floats
from kpi.planning.frozen import target_values
from kpi.planning.horizon import Horizon
from kpi.planning.model import FunnelModel
from kpi.planning.pattern import Caps
from kpi.planning.plan import Plan
from kpi.planning.posterior import DRAWS
from kpi.planning.reverse import reverse_funnel
from kpi.planning.target import PlanError, Target, checked_leads
from kpi.planning.toml_text import toml_text
from kpi.planning.wins import Coming

BAND = (0.1, 0.9)


@dataclass(frozen=True)
class Scenario:
    """What is assumed: a target, and what differs from history.

    Attributes
    ----------
    name : str
    target : Target
    rates : mapping of step to share
        Rates set by hand (`FunnelModel.with_rates`).
    deal_value, cycle, annual_churn : float, optional
        Mean new recurring revenue of a win; length of every delay relative to history; share of
        the recurring revenue that leaves in a year.
    leads_by_month : mapping of 'YYYY-MM' to number, optional
        Leads that the user means to create.
    caps, season, smooth, lead_cost
        As for `reverse_funnel`.
    draws, seed : int
        The same seed for all that are compared.
    """

    name: str
    target: Target
    rates: Mapping[str, float] = field(default_factory=dict)
    deal_value: float | None = None
    cycle: float | None = None
    annual_churn: float | None = None
    leads_by_month: Mapping[str, float] | None = None
    caps: Caps | None = None
    season: Mapping[int, float] | None = None
    smooth: float | None = None
    lead_cost: float | None = None
    draws: int = DRAWS
    seed: int = 0

    def model(self, model: FunnelModel) -> FunnelModel:
        """Return the model under the assumptions."""
        return model.with_rates(
            self.rates,
            deal_value=self.deal_value,
            cycle=self.cycle,
            annual_churn=self.annual_churn,
        )

    def plan(self, model: FunnelModel) -> Plan:
        """Plan for the target under the assumptions."""
        return reverse_funnel(
            self.model(model),
            self.target,
            caps=self.caps,
            season=self.season,
            smooth=self.smooth,
            leads_by_month=self.leads_by_month,
            lead_cost=self.lead_cost,
            draws=self.draws,
            seed=self.seed,
        )

    def save(self, path: str | Path) -> Path:
        """Write the scenario to a TOML file; one that is there is replaced."""
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{toml_text(self._values())}\n", encoding="utf-8", newline="\n")
        return file

    @classmethod
    def load(cls, path: str | Path) -> "Scenario":
        """Read a scenario; planned again it gives the same numbers, to the last digit.

        Raises
        ------
        PlanError
            If the file is not there or is no scenario.
        """
        file = Path(path)
        try:
            kept = tomllib.loads(file.read_text(encoding="utf-8"))
            target = Target(**kept.pop("target"))
            if "season" in kept:
                kept["season"] = {int(month): float(w) for month, w in kept["season"].items()}
            return cls(target=target, **kept)
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, PlanError):
                raise
            raise PlanError(f"no scenario can be read from {file.name}: {error}") from error

    def _values(self) -> dict[str, object]:
        return {
            "name": self.name,
            "draws": self.draws,
            "seed": self.seed,
            **self.assumed(),
            "target": target_values(self.target),
        }

    def assumed(self) -> dict[str, object]:
        """What differs from history, as plain values."""
        names = ("deal_value", "cycle", "annual_churn", "smooth", "lead_cost")
        plain = {name: getattr(self, name) for name in names}
        nested = ("rates", "leads_by_month", "caps", "season")
        maps = {name: dict(getattr(self, name)) for name in nested if getattr(self, name)}
        return {**{n: v for n, v in plain.items() if v is not None}, **maps}


def compare(model: FunnelModel, scenarios: Sequence[Scenario]) -> pd.DataFrame:
    """Lay scenarios side by side: what differs in what is assumed, and in what comes of it.

    Parameters
    ----------
    model : FunnelModel
    scenarios : sequence of Scenario
        Two or more, with different names; the first is what the others are compared with.

    Returns
    -------
    DataFrame
        ``kind`` (``assumption`` or ``result``), ``item``, one column a scenario (assumptions that
        are the same in all are left out; missing: as history, or not known). Results: leads to
        create, chance of the target with these, chance of the own leads, wins expected, new_mrr
        expected, spend, wins needed from new leads. A scenario whose target is out of reach has no
        results, and ``attrs["problems"]`` says why. ``attrs["differences"]``: DataFrame ``scenario,
        item, value, low, high`` of wins and new_mrr against the first, draw by draw with the same
        random numbers (80 % band): how sure it is that one brings more than the other.

    Raises
    ------
    PlanError
        If there are fewer than two scenarios, or two have the same name.

    Examples
    --------
    >>> model = FunnelModel.assume(lag_days=30, deal_value=1_000)
    >>> target = Target(wins=10, start="2027-01-01", by="2027-06-30")
    >>> base = Scenario(name="as it is", target=target, leads_by_month={"2027-01": 150})
    >>> better = Scenario(name="better leads", target=target, rates={"leads": 0.2},
    ...     leads_by_month={"2027-01": 150})
    >>> table = compare(model, [base, better]).set_index("item")
    >>> [int(n) for n in table.loc["leads to create", ["as it is", "better leads"]]]
    [273, 205]
    """
    names = [scenario.name for scenario in scenarios]
    if len(names) < 2 or len(set(names)) < len(names):
        raise PlanError(f"scenarios {names}: expected two or more, each with its own name")
    results: dict[str, dict[str, float]] = {}
    draws: dict[str, dict[str, Floats]] = {}
    problems: dict[str, str] = {}
    for scenario in scenarios:
        try:
            plan = scenario.plan(model)
        except PlanError as error:
            problems[scenario.name] = str(error)
            continue
        draws[scenario.name] = _expected(model, scenario, plan)
        results[scenario.name] = _results(plan, draws[scenario.name])
    rows = [*_assumptions(scenarios), *_side_by_side(names, results)]
    table = pd.DataFrame(rows, columns=["kind", "item", *names])
    table.attrs = {"problems": problems, "differences": _differences(names, draws)}
    return table


def _assumptions(scenarios: Sequence[Scenario]) -> list[list[object]]:
    told = [_flat({"target": target_values(s.target), **s.assumed()}) for s in scenarios]
    items = list(dict.fromkeys(item for values in told for item in values))
    rows = []
    for item in items:
        values = [each.get(item) for each in told]
        if len({repr(value) for value in values}) > 1:
            rows.append(["assumption", item, *values])
    return rows


def _flat(values: Mapping[str, object], path: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in values.items():
        name = f"{path} {key}".strip()
        found |= _flat(value, name) if isinstance(value, Mapping) else {name: value}
    return {name: value for name, value in found.items() if value is not None}


def _results(plan: Plan, draws: Mapping[str, Floats]) -> dict[str, float]:
    return {
        f"{plan.top} to create": float(plan.to_create),
        "chance with these": plan.probability,
        "chance of the own leads": plan.own_probability,
        "wins needed from new leads": plan.from_new,
        "wins expected": float(draws["wins"].mean()),
        "new_mrr expected": float(draws["new_mrr"].mean()),
        "spend": plan.spend,
    }


def _side_by_side(
    names: Sequence[str], results: Mapping[str, Mapping[str, float]]
) -> list[list[object]]:
    items = list(dict.fromkeys(item for each in results.values() for item in each))
    return [
        ["result", item, *[results.get(name, {}).get(item, np.nan) for name in names]]
        for item in items
    ]


def _expected(model: FunnelModel, scenario: Scenario, plan: Plan) -> dict[str, Floats]:
    """Wins and new revenue that each draw expects of the own leads, or else of the planned ones."""
    changed = scenario.model(model)
    planned = checked_leads(scenario.leads_by_month or plan.leads_by_month)
    horizon = Horizon.of(plan.start, plan.by, model.as_of)
    coming = Coming(changed, horizon, scenario.draws, scenario.seed)
    leads = np.array([planned.get(month, 0.0) for month in horizon.months])
    wins = (coming.new(leads) + coming.direct + coming.pipeline).sum(axis=1)
    return {"wins": wins, "new_mrr": wins * changed.deal_value * coming.posterior.value}


def _differences(names: Sequence[str], draws: Mapping[str, Mapping[str, Floats]]) -> pd.DataFrame:
    rows = []
    for name in names[1:]:
        if name not in draws or names[0] not in draws:
            continue
        for item in ("wins", "new_mrr"):
            gain = draws[name][item] - draws[names[0]][item]
            low, high = np.quantile(gain, BAND)
            rows.append((name, item, float(gain.mean()), float(low), float(high)))
    return pd.DataFrame(rows, columns=["scenario", "item", "value", "low", "high"])
