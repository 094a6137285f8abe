"""What can be moved to reach a target: leads, conversions, deal value, cycle, churn; and how far."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from kpi.planning.curve import Curve
from kpi.planning.model import FunnelModel
from kpi.planning.target import Target

NO_DELAY = 1e-3  # of today's delays: as good as none
FURTHEST = 1e6
DRAWN = frozenset({"posterior", "spread", "leads", "base", "open", "pipeline"})
TAKEN = ("leads", "lead_conversion", "win_rate", "deal_value", "cycle", "churn")

Leads = Mapping[str, float]
Move = Callable[[FunnelModel, Leads, float], tuple[FunnelModel, Leads]]


@dataclass(frozen=True, eq=False)
class Lever:
    """One thing that can be moved, the rest as it is.

    Attributes
    ----------
    name, label, unit : str
    current : float
        Its value today, in its unit.
    limit : float
        How far it can go, relative to today: above 1 for what must rise, below for what must fall.
    move : callable
        From model, leads and a factor to model and leads with the lever times this factor.
    keeps : set of str
        What of a forecast stays as drawn when it moves (names of `kpi.planning.posterior.Memory`).
    past : str
        Key of its history.
    """

    name: str
    label: str
    unit: str
    current: float
    limit: float
    move: Move
    keeps: frozenset[str]
    past: str

    @property
    def rises(self) -> bool:
        """Whether more of it helps."""
        return self.limit >= 1

    @property
    def utmost(self) -> str:
        """How far it can go, in words."""
        if self.unit == "share":
            return "at 100 %"
        return {
            "leads": "with any number of leads",
            "deal_value": "with deals of any value",
            "cycle": "without any delay",
            "churn": "without churn",
        }[self.name]

    def at(self, factor: float) -> float:
        """Its value, in its unit, at a factor."""
        if self.name == "leads" and self.current == 0:
            return factor - 1
        return min(self.current * factor, 1.0) if self.unit == "share" else self.current * factor


def levers_of(model: FunnelModel, target: Target, leads: Leads) -> list[Lever]:
    """List the levers that bear on a target; deal value and churn only where money counts."""
    found = [_leads(model, leads), *_conversions(model)]
    if target.kind != "wins":
        found.append(_deal_value(model, target))
    found.append(_cycle(model))
    if target.is_level and model.base is not None:
        found.append(_churn(model))
    return found


def lever_names(model: FunnelModel) -> list[str]:
    """Names of all levers that the model has, whatever the target."""
    conversions = [lever.name for lever in _conversions(model)]
    return ["leads", *conversions, "deal_value", "cycle", "churn"]


def _leads(model: FunnelModel, leads: Leads) -> Lever:
    planned = [n for n in leads.values() if n > 0]
    each = sum(planned) / len(planned) if planned else 0.0
    what = "Leads" if model.has_leads else model.steps[0].label
    label = f"{what} to create in each month planned"

    def move(model: FunnelModel, leads: Leads, factor: float) -> tuple[FunnelModel, Leads]:
        if not planned:  # nothing to multiply: so many leads in each month instead
            return model, dict.fromkeys(leads, factor - 1)
        return model, {month: n * factor for month, n in leads.items()}

    return Lever("leads", label, "a month", each, FURTHEST, move, DRAWN, "leads")


def _conversions(model: FunnelModel) -> list[Lever]:
    """Each step's conversion; and, of several deal steps, the win rate of them together."""
    first, top = model.first_deal, model.top
    found = []
    for i in range(top):
        step, rate = model.steps[i], model.curve(i, i + 1).final
        name, label = _named(model, i)
        past = "win_rate" if (i, i + 1) == (first, top) else f"conversion {i}"
        limit = 1 / rate if 0 < rate < 1 else 1.0
        found.append(_conversion(name, label or step.label, rate, limit, {i: 1.0}, past))
    if top - first > 1:
        rates = [model.curve(i, i + 1).final for i in range(first, top)]
        product = float(np.prod(rates))
        won = model.curve(first, top).final
        limit = 1 / product if 0 < product < 1 else 1.0
        logs = {i: np.log(r) / np.log(product) for i, r in enumerate(rates, first) if limit > 1}
        label = "Win rate: all deal steps, the leakiest the most"
        found.append(_conversion("win_rate", label, won, limit, logs, "win_rate"))
    return found


def _named(model: FunnelModel, i: int) -> tuple[str, str]:
    """Name and label of a step's conversion; a stage called like a lever gets its place."""
    if model.has_leads and i == 0:
        return "lead_conversion", "Leads that become deals"
    if model.top - model.first_deal == 1:
        return "win_rate", "Deals won"
    step, after = model.steps[i], model.steps[i + 1]
    name = f"stage {i + 1 - model.first_deal}" if step.name in TAKEN else step.name
    return name, f"{step.label} that go on to {after.label}"


def _conversion(
    name: str, label: str, rate: float, limit: float, shares: Mapping[int, float], past: str
) -> Lever:
    def move(model: FunnelModel, leads: Leads, factor: float) -> tuple[FunnelModel, Leads]:
        factors = dict(model.factors)
        for i, power in shares.items():
            factors[i] = factors.get(i, 1.0) * factor**power
        return replace(model, factors=factors), leads

    kept = DRAWN - {"open", "pipeline"}
    return Lever(name, label, "share", rate, limit, move, kept, past)


def _deal_value(model: FunnelModel, target: Target) -> Lever:
    booked = target.kind == "bookings"
    worth = model.bookings if booked else model.worth
    label = "Amount of a deal won" if booked else "New recurring revenue a month of a deal won"

    def move(model: FunnelModel, leads: Leads, factor: float) -> tuple[FunnelModel, Leads]:
        worth = None if model.worth is None else model.worth.scaled(factor)
        bookings = None if model.bookings is None else model.bookings.scaled(factor)
        return replace(model, worth=worth, bookings=bookings), leads

    current = np.nan if worth is None else worth.mean
    past = "bookings" if booked else "deal_value"
    return Lever("deal_value", label, "currency", current, FURTHEST, move, DRAWN, past)


def _cycle(model: FunnelModel) -> Lever:
    def move(model: FunnelModel, leads: Leads, factor: float) -> tuple[FunnelModel, Leads]:
        return replace(model, cycle=model.cycle * factor), leads

    days = _median(model.curves[model.first_deal, model.top]) * model.cycle
    kept = DRAWN - {"spread", "open", "pipeline"}
    label = "Median days from deal to win; every delay in proportion"
    return Lever("cycle", label, "days", days, NO_DELAY, move, kept, "cycle")


def _median(curve: Curve) -> float:
    return float(np.searchsorted(curve.share, curve.final / 2))


def _churn(model: FunnelModel) -> Lever:
    def move(model: FunnelModel, leads: Leads, factor: float) -> tuple[FunnelModel, Leads]:
        if model.base is None:
            return model, leads
        return replace(model, base=replace(model.base, churn=model.base.churn * factor)), leads

    churn = np.nan if model.base is None else model.base.churn
    kept = DRAWN - {"base"}
    label = "Recurring revenue that leaves in a month"
    return Lever("churn", label, "share a month", churn, 0.0, move, kept, "churn")
