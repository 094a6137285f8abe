"""The reverse funnel: from the wins or revenue required, through time, to the leads to create."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from kpi.periods import as_date, month_start
from kpi.planning.chance import Sources, Total, leads_for
from kpi.planning.curve import Floats, months_between, span
from kpi.planning.model import FunnelModel
from kpi.planning.pipeline import expected, odds, stalled
from kpi.tables import TableError

CHANCES = (0.5, 0.8, 0.9)
USEFUL = 0.5
MOST_WINS = 50_000


class PlanError(TableError):
    """The target cannot be planned for: it is impossible, or an input makes no sense."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What it takes to reach a target.

    Attributes
    ----------
    table : DataFrame
        One row per stage and month: ``month`` (its first day), ``stage``, ``label``, ``need``
        (records that reach the stage in that month under the plan), ``in_pipeline`` (of these,
        what exists already), ``direct`` (deals without a lead, yet to be created) and
        ``to_create`` (what new leads bring; for the first stage: how many to create).
    total_leads : int or None
        Leads to create, all months together; None where the data has no leads.
    total_deals : int
        Deals to create from them (from nothing, where the data has no leads).
    probability : float
        Chance of reaching the target with this plan, 0 to 1.
    too_late : float
        Share of the target, 0 to 1, that no new lead can still reach in time if leads come at a
        steady pace to the end: the leads behind it should have been created before the start.
    last_useful_month : date
        First day of the last month whose leads, where they win at all, are more likely than not to
        do so in time; leads are created evenly up to it.
    needs : dict of chance to leads
        What the same target takes for a 50, 80 and 90 % chance.
    """

    wins: float | None
    new_mrr: float | None
    by: date
    start: date
    confidence: float
    table: pd.DataFrame
    total_leads: int | None
    total_deals: int
    probability: float
    too_late: float
    last_useful_month: date
    needs: dict[float, int]
    from_pipeline: float
    from_direct: float
    from_new: float
    source: str
    notes: tuple[str, ...]

    @property
    def to_create(self) -> int:
        """Records to create at the top of the funnel: leads, or deals where there are no leads."""
        return self.total_deals if self.total_leads is None else self.total_leads

    @property
    def top(self) -> str:
        """What is created at the top of the funnel: ``leads`` or ``deals``."""
        return "deals" if self.total_leads is None else "leads"

    @property
    def months_to_create(self) -> pd.Series:
        """Records to create at the top of the funnel, by month."""
        first = self.table["stage"] == self.table["stage"].iloc[0]
        rows = self.table[first & (self.table["to_create"] > 0)]
        return pd.Series(rows["to_create"].to_numpy(), index=pd.Index(rows["month"]))


def reverse_funnel(
    model: FunnelModel,
    *,
    wins: float | None = None,
    new_mrr: float | None = None,
    by: date | str,
    start: date | str | None = None,
    confidence: float = 0.8,
) -> Plan:
    """Work out the leads to create each month so that a target is reached with a given chance.

    Parameters
    ----------
    model : FunnelModel
        Fitted or assumed.
    wins, new_mrr : float
        The target, exactly one of them: deals won, or new recurring revenue a month (reporting
        currency) of the deals won, from `start` to `by`.
    by : date or ISO text
        Last day that counts.
    start : date or ISO text, optional
        First day that counts, and on which leads can be created; default the first of the month
        after the model's as-of date. An assumed model has no such date: then it is required.
    confidence : float
        Chance wanted, above 0 and below 1.

    Returns
    -------
    Plan

    Raises
    ------
    PlanError
        If the target, dates or confidence make no sense, or no number of leads reaches the target.

    Notes
    -----
    New leads come evenly over each month (Poisson), win with the end-to-end share of the model
    after the whole distribution of delays, in exact calendar months. Open leads and deals are
    credited once, by step and age; direct deals at their recent pace. The rates' own uncertainty
    (Beta posteriors) widens the chance; values of deals are drawn from those won. The same number
    of leads is planned for every month up to the last useful one; where a later date makes one more
    month useful, the total can rise by a little, because that month's leads have less time.

    Examples
    --------
    >>> model = FunnelModel.assume(lead_conversion=0.15, win_rate=0.33)
    >>> plan = reverse_funnel(model, wins=5, by="2027-01-31", start="2027-01-01", confidence=0.8)
    >>> plan.total_leads, round(plan.probability, 3)
    (136, 0.801)
    """
    first, last = _dates(model, by, start)
    target, values = _target(model, wins, new_mrr)
    if not 0 < confidence < 1:
        raise PlanError(f"confidence = {confidence}; expected a chance above 0 and below 1 (0.8)")
    origin = model.as_of or first - timedelta(days=1)
    months = months_between(first, last)
    end_to_end = model.curve(0, model.top)
    deadline = (0, (last - first).days + 1)
    spans = [span(month, first, last, first) for month in months]
    in_time = np.array([end_to_end.between(s, deadline) for s in spans]) / end_to_end.final
    useful = _useful(in_time, last)
    sources = _sources(model, first, last, origin, float(in_time[: useful + 1].mean()))
    total = Total(sources, target, values)
    needs = {q: _whole(_leads(total, q, last)) for q in sorted({*CHANCES, confidence})}
    leads = needs[confidence]
    pace = np.zeros(len(months))
    pace[: useful + 1] = _even(leads, useful + 1)
    table, sums = _table(model, months, spans, pace, (first, last, origin))
    return Plan(
        wins=wins,
        new_mrr=new_mrr,
        by=last,
        start=first,
        confidence=confidence,
        table=table,
        total_leads=leads if model.has_leads else None,
        total_deals=_whole(sums["deals"]) if model.has_leads else leads,
        probability=total.chance(float(leads)),
        too_late=_share(1 - in_time.mean()),
        last_useful_month=months[useful],
        needs={q: needs[q] for q in CHANCES},
        from_pipeline=sums["in_pipeline"],
        from_direct=sums["direct"],
        from_new=sums["to_create"],
        source=model.source,
        notes=(*model.notes, *_notes(model, first, origin)),
    )


def _dates(model: FunnelModel, by: date | str, start: date | str | None) -> tuple[date, date]:
    last = as_date(by)
    if start is not None:
        first = as_date(start)
    elif model.as_of is not None:
        first = month_start(model.as_of, 1)
    else:
        raise PlanError("start is missing: an assumed model has no as-of date to begin after")
    if model.as_of is not None and first <= model.as_of:
        first = model.as_of + timedelta(days=1)
    if last < first:
        raise PlanError(f"by = {last} is before the plan can start ({first})")
    if (last - first).days > 3653:
        raise PlanError(f"by = {last} is more than ten years after {first}")
    return first, last


def _target(
    model: FunnelModel, wins: float | None, new_mrr: float | None
) -> tuple[float, Floats | None]:
    if (wins is None) == (new_mrr is None):
        raise PlanError("set the target as wins or as new_mrr, exactly one of them")
    target = wins if wins is not None else new_mrr
    name = "wins" if wins is not None else "new_mrr"
    if target is None or not 0 < target < 1e12:
        raise PlanError(f"{name} = {target:,.10g}; expected a number above 0")
    expected_wins = target if wins is not None else target / (model.deal_value or 1.0)
    if expected_wins > MOST_WINS:
        raise PlanError(
            f"{name} = {target:,.0f} takes more than {MOST_WINS:,} wins: split the target"
        )
    if wins is not None:
        return float(np.ceil(wins - 1e-9)), None
    if model.values is None:
        raise PlanError(
            "the value of a deal is not known (no won deal has mrr): set the target as wins, "
            "or the deal value with model.with_rates(deal_value=...)"
        )
    return float(target), model.values


def _useful(in_time: Floats, last: date) -> int:
    """Index of the last month whose leads mostly arrive in time; at least the first."""
    if in_time[0] <= 0:
        raise PlanError(
            f"no new lead can win by {last}: even the fastest in the data takes longer; "
            "only what is in the pipeline counts, or choose a later date"
        )
    enough = np.flatnonzero(in_time >= USEFUL)
    return int(enough[-1]) if len(enough) else 0


def _share(number: float) -> float:
    """Bring a share that rounding put just outside 0 to 1 back inside."""
    return float(np.clip(round(number, 12), 0.0, 1.0))


def _sources(model: FunnelModel, first: date, last: date, origin: date, in_time: float) -> Sources:
    days = ((first - origin).days - 1, (last - origin).days)
    chances, records = odds(model, *days)
    end_to_end = model.curve(0, model.top)
    deal = model.curves[model.first_deal, model.top]
    direct = _direct(model, [(days[0] + 1, days[1] + 1)], days[1])[model.top].sum()
    return Sources(
        odds=chances,
        records=records,
        direct=float(direct),
        in_time=in_time,
        lead_rate=(model.curves[0, model.top].x, model.curves[0, model.top].n),
        deal_rate=(deal.x, deal.n),
        lead_share=end_to_end.final,
    )


def _direct(model: FunnelModel, spans: list[tuple[int, int]], horizon: int) -> Floats:
    """Expected arrivals, by step and span, of deals without a lead created after the as-of date."""
    found = np.zeros((len(model.steps), len(spans)))
    if model.direct_per_month == 0:
        return found
    created = model.direct_per_month / 30.4375 * horizon
    for end in range(model.first_deal, len(model.steps)):
        for i, (a, b) in enumerate(spans):
            if end == model.first_deal:
                found[end, i] = model.direct_per_month / 30.4375 * (b - a)
            else:
                share = model.curve(model.first_deal, end).between((1, horizon + 1), (a, b))
                found[end, i] = created * share
    return found


def _leads(total: Total, confidence: float, last: date) -> float:
    try:
        return leads_for(total, confidence)
    except ArithmeticError as error:
        raise PlanError(
            f"no number of new leads reaches the target by {last} with a chance of {confidence:.0%}"
        ) from error


def _table(
    model: FunnelModel,
    months: list[date],
    spans: list[tuple[int, int]],
    pace: Floats,
    dates: tuple[date, date, date],
) -> tuple[pd.DataFrame, dict[str, float]]:
    first, last, origin = dates
    shift = (first - origin).days
    after = [(a + shift, b + shift) for a, b in spans]
    edges = [after[0][0] - 1, *(b - 1 for _, b in after)]
    pipeline = expected(model, edges)
    direct = _direct(model, after, (last - origin).days)
    new = np.zeros_like(pipeline)
    new[0] = pace
    for end in range(1, len(model.steps)):
        curve = model.curve(0, end)
        for i, created in enumerate(spans):
            for t in range(i, len(spans)):
                new[end, t] += pace[i] * curve.between(created, spans[t])
    rows = [
        {
            "month": pd.Timestamp(month),
            "stage": step.name,
            "label": step.label,
            "need": pipeline[s, t] + direct[s, t] + new[s, t],
            "in_pipeline": pipeline[s, t],
            "direct": direct[s, t],
            "to_create": new[s, t],
        }
        for t, month in enumerate(months)
        for s, step in enumerate(model.steps)
    ]
    won = {
        "in_pipeline": float(pipeline[-1].sum()),
        "direct": float(direct[-1].sum()),
        "to_create": float(new[-1].sum()),
        "deals": float(pace.sum() * model.curve(0, model.first_deal).final)
        if model.has_leads
        else float(pace.sum()),
    }
    table = pd.DataFrame(rows).astype({"month": "datetime64[us]"})
    return table, won


def _even(total: int, months: int) -> Floats:
    """Whole numbers, as even as can be, that add up; the larger ones first."""
    each, rest = divmod(total, months)
    return np.array([each + (i < rest) for i in range(months)], dtype="float64")


def _whole(number: float) -> int:
    """Round up, but not for a rounding error: 21 / 0.7 is 30, not 31."""
    return int(np.ceil(round(number, 6)))


def _notes(model: FunnelModel, first: date, origin: date) -> tuple[str, ...]:
    notes = []
    if (first - origin).days > 1:
        notes.append(
            f"wins before {first} do not count towards the target, and leads created between "
            f"{origin} and then are not counted on"
        )
    old = stalled(model)
    if old:
        notes.append(
            f"open records not counted on, because history followed none for as long: {old:,}"
        )
    return tuple(notes)
