"""Run leads forward: wins and revenue by month, draw by draw."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from kpi.periods import month_start
from kpi.planning.curve import Floats, Ints
from kpi.planning.horizon import Horizon
from kpi.planning.model import FunnelModel
from kpi.planning.outlook import Outlook
from kpi.planning.posterior import DRAWS, FORWARD, stream
from kpi.planning.target import PlanError, Target, checked_leads
from kpi.planning.values import Values
from kpi.planning.wins import Coming

MANY = 20_000_000
MOST_MONTHS = 120


@dataclass(frozen=True, eq=False)
class Simulation:
    """What leads bring, draw by draw.

    Attributes
    ----------
    wins : array of int, (draws, months)
        Deals won: of the open pipeline, of deals without a lead, and of the leads planned.
    revenue : array, (draws, months)
        New recurring revenue a month of these wins (reporting currency); nan where the value of a
        deal is not known.
    months : list of date
        First days of the months.

    Unpacks as ``wins, revenue``.
    """

    wins: Ints
    revenue: Floats
    months: list[date]

    def __iter__(self) -> Iterator[Floats | Ints]:
        return iter((self.wins, self.revenue))


def simulate(
    model: FunnelModel,
    leads_by_month: Mapping[str, float],
    months: int | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Simulation:
    """Draw what leads bring, month by month, with everything that is uncertain drawn too.

    Parameters
    ----------
    model : FunnelModel
        Fitted or assumed.
    leads_by_month : mapping of 'YYYY-MM' to number
        Leads to create; months not named get none.
    months : int, optional
        Months to run, from the month after the data ends (an assumed model: from the first month
        named); default up to the last month named.
    draws : int
        How many runs.
    seed : int
        The same seed gives the same draws, to the last digit.

    Returns
    -------
    Simulation

    Raises
    ------
    PlanError
        If a month, a number of leads or the number of months makes no sense.

    Examples
    --------
    >>> model = FunnelModel.assume(lead_conversion=0.15, win_rate=0.33, deal_value=2_000)
    >>> wins, revenue = simulate(model, {"2027-01": 100}, 1, draws=20_000)
    >>> wins.shape, bool(abs(wins.mean() - 4.95) < 0.06), bool(abs(revenue.mean() - 9_900) < 120)
    ((20000, 1), True, True)
    """
    planned = checked_leads(leads_by_month)
    if draws < 1:
        raise PlanError(f"draws = {draws}; expected 1 or more")
    horizon = _horizon(model, planned, months)
    leads = np.array([planned.get(month, 0.0) for month in horizon.months])
    missed = [f"{month:%Y-%m}" for month in planned if month not in horizon.months]
    if missed:
        raise PlanError(
            f"leads of {', '.join(missed)} lie outside the months run, {horizon.first:%Y-%m} to "
            f"{horizon.last:%Y-%m}"
        )
    coming = Coming(model, horizon, draws, seed)
    wins = forward(coming, leads)
    return Simulation(wins, worth(coming, wins, model.worth), horizon.months)


def _horizon(model: FunnelModel, planned: Mapping[date, float], months: int | None) -> Horizon:
    if model.as_of is not None:
        first = month_start(model.as_of, 1)
    elif planned:
        first = min(planned)
    else:
        raise PlanError("leads_by_month is empty: an assumed model has no date to begin after")
    last = max(planned, default=first)
    if months is None:
        months = (last.year - first.year) * 12 + last.month - first.month + 1
    if not 1 <= months <= MOST_MONTHS:
        raise PlanError(f"months = {months}; expected 1 to {MOST_MONTHS}")
    return Horizon.of(first, month_start(first, int(months)) - timedelta(days=1), model.as_of)


def forward(coming: Coming, leads: Floats) -> Ints:
    """Wins by month of everything, drawn, (draws, months)."""
    rng = stream(coming.posterior.seed, FORWARD)
    return coming.pipeline + rng.poisson(coming.new(leads) + coming.direct)


def worth(coming: Coming, wins: Ints, values: Values | None) -> Floats:
    """What the wins of each month bring, (draws, months); nan where values are not known."""
    if values is None:
        return np.full(wins.shape, np.nan)
    values = coming.sizes(values)
    post = coming.posterior
    rng = stream(post.seed, FORWARD + 1)
    mean = post.value[:, None]
    total = int(wins.sum())
    if np.ptp(values.pool) == 0:
        return np.asarray(wins * values.pool[0] * mean)
    if total > MANY:
        noise = rng.standard_normal(wins.shape) * values.pool.std() * np.sqrt(wins)
        return np.asarray(np.maximum(wins * values.mean + noise, 0.0) * mean)
    brought = values.pool[rng.integers(len(values.pool), size=total)]
    each = wins.ravel()
    some = np.flatnonzero(each)
    found = np.zeros(wins.size)
    found[some] = np.add.reduceat(brought, (np.cumsum(each) - each)[some]) if total else 0.0
    return np.asarray(found.reshape(wins.shape) * mean)


def chance(
    model: FunnelModel,
    target: Target,
    leads_by_month: Mapping[str, float],
    draws: int = DRAWS,
    seed: int = 0,
) -> float:
    """Probability that these leads reach the target, 0 to 1 (of a path: its least likely month).

    Examples
    --------
    >>> model = FunnelModel.assume(lead_conversion=0.15, win_rate=0.33)
    >>> five = Target(wins=5, start="2027-01-01", by="2027-01-31")
    >>> round(chance(model, five, {"2027-01": 101}), 3), round(chance(model, five, {"2027-01": 136}), 3)
    (0.559, 0.801)
    """
    planned = checked_leads(leads_by_month)
    first, last = target.dates(model.as_of)
    horizon = Horizon.of(first, last, model.as_of)
    leads = np.array([planned.get(month, 0.0) for month in horizon.months])
    outlook = Outlook(
        model, target, horizon, done=already(model, target, first), draws=draws, seed=seed
    )
    if target.is_level:
        outlook.aim(leads)
    return outlook.chance(leads)


def already(model: FunnelModel, target: Target, first: date) -> float:
    """What counts towards a flow and is won already: from `first` to the end of the data."""
    if target.is_level or model.won.empty:
        return 0.0
    day = (first - date(1970, 1, 1)).days
    return float(model.won.loc[model.won["day"] >= day, target.kind].sum())
