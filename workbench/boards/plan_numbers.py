"""Numbers of a planning board, each beginning with what the company's own history says."""

from datetime import date, timedelta

import numpy as np

from kpi.planning import FunnelModel, Target
from kpi.planning.curve import months_between
from workbench.boards.inputs import NumberInput, rate_history
from workbench.theme import whole_text

YEAR = 12


def usual(model: FunnelModel) -> dict[str, float]:
    """Targets that can be planned for, with what was usual: half a year's wins, as before."""
    wins = float(model.recent_wins or 5)
    found = {"wins": wins}
    if model.worth is not None:
        found["new_mrr"] = _thousands(wins * model.deal_value)
    if model.bookings is not None:
        found["bookings"] = _thousands(wins * model.bookings.mean)
    if model.base is not None and model.worth is not None:
        found["mrr"] = _thousands(model.base.mrr + wins * model.deal_value)
        found["arr"] = YEAR * found["mrr"]
    return found


def usual_pace(model: FunnelModel) -> float:
    """Leads a month over the last twelve (deals, where there are no leads); missing if not known."""
    if model.has_leads:
        return model.leads_per_month
    return model.direct_per_month or float("nan")


def leads_each_month(target: Target, as_of: date | None, each: float) -> dict[str, float]:
    """As many leads in every month of a target that is not over yet."""
    start, last = target.dates(as_of)
    first = start if as_of is None else max(start, as_of + timedelta(days=1))
    return {f"{month:%Y-%m}": each for month in months_between(first, last)}


def _thousands(amount: float) -> float:
    return float(max(round(amount, -3), 1_000))


def rate_numbers(model: FunnelModel) -> dict[str, NumberInput]:
    """Rate of going on from each step, in per cent."""
    labels = [step.label for step in model.steps]
    return {
        name: _number(
            f"{_short(labels[place])} → {_short(labels[place + 1])}, %",
            round(100 * rate.value, 1),
            rate_history(rate),
            step=0.5,
        )
        for place, (name, rate) in enumerate(model.rates.items())
    }


def value_number(model: FunnelModel) -> NumberInput:
    """Mean new recurring revenue a month of a deal won; 0 where it is not known."""
    known = 0 if model.values is None else len(model.values)
    history = f"mean of {known:,} deals won" if known else "not known: needed for revenue"
    start = 0.0 if np.isnan(model.deal_value) else float(round(model.deal_value))
    return _number("Deal, new MRR", start, history, step=50)


def own_number(model: FunnelModel) -> NumberInput:
    """Leads that the user means to create each month; 0: none said."""
    pace = usual_pace(model)
    said = "usual pace not known" if np.isnan(pace) else f"usual pace {whole_text(pace)}"
    return _number(f"Own {_top(model)} a month", 0.0, f"0: none; {said}")


def cap_number(model: FunnelModel) -> NumberInput:
    """Most leads that a month can take; 0: no limit."""
    return _number(f"Most {_top(model)} a month", 0.0, "0: no limit")


def cycle_number(model: FunnelModel) -> NumberInput:
    """Length of every delay, in per cent of history."""
    curve = model.curve(model.first_deal, model.top)
    median = int(np.searchsorted(curve.share, curve.final / 2))
    return _number("Cycle, % of history", 100.0, f"100: median {median} days, deal to win")


def churn_number(model: FunnelModel) -> NumberInput | None:
    """Recurring revenue that leaves in a year, in per cent; None where there is none."""
    if model.base is None:
        return None
    months = model.base.months
    history = "assumed, not yours" if np.isinf(months) else f"from {months:,.0f} customer-months"
    yearly = 100 * (1 - (1 - model.base.churn) ** YEAR)
    return _number("Churn a year, %", round(yearly, 1), history)


def cost_number(model: FunnelModel) -> NumberInput | None:
    """Cost of a lead; 0 where it is not known, None where there are no leads."""
    if not model.has_leads:
        return None
    known = not np.isnan(model.lead_cost)
    history = "mean of the last twelve months" if known else "not known: no spend is shown"
    return _number("Cost of a lead", float(round(model.lead_cost)) if known else 0.0, history)


def _top(model: FunnelModel) -> str:
    return "leads" if model.has_leads else "deals"


def _number(label: str, start: float, history: str, *, step: float = 1) -> NumberInput:
    return NumberInput(label, start, history=history, step=step)


def _short(label: str) -> str:
    return label if len(label) <= 11 else label[:10] + "…"
