"""The funnel forwards: from leads, rates and deal value to opportunities, wins and revenue by month."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from kpi.periods import as_date, month_start
from kpi.planning.base import assumed
from kpi.planning.curve import Curve, Floats, known
from kpi.planning.target import MONTHS_A_YEAR, MOST_YEARS, PlanError, checked_leads

Leads = float | Mapping[str, float] | Sequence[float]
Lag = float | ArrayLike | Curve
LEAD_CONVERSION, WIN_RATE = 0.15, 0.33  # rules of thumb of the first reference


def bottoms_up(
    *,
    leads_per_month: Leads,
    lead_conversion: float = LEAD_CONVERSION,
    win_rate: float = WIN_RATE,
    average_deal_value: float,
    months: int,
    lag_days: Lag | None = None,
    start: date | str | None = None,
    opportunity_lag_days: Lag | None = None,
    monthly_growth: float = 0.0,
    mrr: float = 0.0,
    annual_churn: float = 0.0,
    annual_expansion: float = 0.0,
) -> pd.DataFrame:
    """Work out what leads bring, month by month: the lag indicators from the lead indicators.

    Expectations, without chance (`simulate` has that): fractions are kept, so 4.95 wins stay 4.95.
    The plan begins with an empty pipeline: with a lag, the first months win little unless
    `leads_per_month` names earlier months too.

    Parameters
    ----------
    leads_per_month : float, mapping of 'YYYY-MM' to number, or sequence of numbers
        One number for every month; one a month, in order; or by month: months not named get none,
        months before `start` bring the wins that come later.
    lead_conversion, win_rate : float
        Share of leads that become an opportunity, and of opportunities that are won, 0 to 1. The
        defaults, 15 % and 33 %, are rules of thumb for managed service providers, not yours.
    average_deal_value : float
        New recurring revenue a month of one deal won (reporting currency).
    months : int
        Calendar months to show.
    lag_days : float, array or Curve, optional
        Days from lead to win. None: no lag, a win counts in the month of its lead. A number, the
        average lag: every win comes exactly so many days after its lead. An array, the
        distribution: the share of wins on day 0, 1, ... (brought to a sum of 1); or a curve, such
        as ``model.curve(0, model.top)`` of a fitted model or ``known(1.0, 30.0)``, an exponential
        delay with a mean of 30 days (of a curve only the delay is used, not its share).
    start : date or ISO text
        A day of the first month shown; not needed where `leads_per_month` names months: the first
        of these.
    opportunity_lag_days : float, array or Curve, optional
        The same from lead to opportunity; None: an opportunity counts in the month of its lead,
        whatever the lag of its win.
    monthly_growth : float
        Growth of the leads from month to month, -1 or more; only with one number of leads.
    mrr : float
        Recurring revenue a month that runs before the first month.
    annual_churn, annual_expansion : float
        Share of the recurring revenue that leaves, and that customers add, in a year.

    Returns
    -------
    DataFrame, one row per month
        ``month`` (its first day), ``leads``, ``opportunities``, ``wins`` (numbers, 0 or more),
        ``new_mrr`` (recurring revenue a month of the month's wins), ``mrr`` (recurring revenue at
        the end of the month, net of churn). Nothing is missing. ``.attrs["notes"]`` says what was
        assumed.

    Raises
    ------
    PlanError
        If a month cannot be read or lies after the last one, or a number is missing, negative or
        not a share where it must be one.

    Notes
    -----
    Leads come evenly over their calendar month; what arrives in another month is the exact overlap
    of the two, delayed. A delay of 30 days floored to months would count everything one month later
    or, exponential, 63 % within the month where it is 37 %.

    ``mrr[n] = mrr[n-1] (1 - churn + expansion) + new_mrr[n]``, with
    ``churn = 1 - (1 - annual_churn) ** (1/12)``: new revenue churns from the following month on.

    References
    ----------
    .. [1] "Bottoms up to Revenue Growth", Channel Futures 2018 (15 %, 33 %; no lag).

    Examples
    --------
    >>> plan = bottoms_up(
    ...     leads_per_month=100, average_deal_value=2_000, months=2, start="2027-01-01"
    ... )
    >>> plan.drop(columns="month").round(2).to_dict("records")[1]
    {'leads': 100.0, 'opportunities': 15.0, 'wins': 4.95, 'new_mrr': 9900.0, 'mrr': 19800.0}
    """
    _check_shares(lead_conversion=lead_conversion, win_rate=win_rate)
    _check_amount("average_deal_value", average_deal_value)
    _check_months(months)
    first = _first(start, leads_per_month)
    shown = [month_start(first, i) for i in range(months)]
    leads = _leads(leads_per_month, shown, monthly_growth)
    created = np.array([leads.get(month, 0.0) for month in shown])
    opportunities = lead_conversion * _arrivals(
        leads, shown, opportunity_lag_days, "opportunity_lag_days"
    )
    wins = lead_conversion * win_rate * _arrivals(leads, shown, lag_days, "lag_days")
    new_mrr = wins * average_deal_value
    growth = assumed(mrr, annual_churn, annual_expansion).growth
    table = pd.DataFrame(
        {
            "month": pd.Series(shown, dtype="datetime64[us]"),
            "leads": created,
            "opportunities": opportunities,
            "wins": wins,
            "new_mrr": new_mrr,
            "mrr": _level(mrr, new_mrr, growth),
        }
    )
    table.attrs["notes"] = _notes(lead_conversion, win_rate, lag_days)
    return table


def new_mrr_per_month(
    *,
    mrr: float,
    target: float,
    months: int,
    annual_churn: float = 0.0,
    annual_expansion: float = 0.0,
) -> float:
    """Work out the new recurring revenue to win each month for a level at a date, net of churn.

    Parameters
    ----------
    mrr, target : float
        Recurring revenue a month that runs now, and that is to run at the end of the last month.
    months : int
        Months in which to win it, the same amount in each.
    annual_churn, annual_expansion : float
        Share of the recurring revenue that leaves, and that customers add, in a year.

    Returns
    -------
    float
        New recurring revenue a month, to be won in each month; 0 where what runs is enough.

    Raises
    ------
    PlanError
        If an amount is negative or missing, or a share or the number of months makes no sense.

    Notes
    -----
    ``x = (target - mrr g^n) (1 - g) / (1 - g^n)`` with ``g = 1 - churn + expansion`` a month; what
    is won churns from the following month on.

    Examples
    --------
    >>> round(new_mrr_per_month(mrr=100_000, target=150_000, months=12, annual_churn=0.10), 2)
    5244.97
    >>> round(new_mrr_per_month(mrr=100_000, target=150_000, months=12), 2)
    4166.67
    """
    _check_amount("target", target)
    _check_months(months)
    growth = assumed(mrr, annual_churn, annual_expansion).growth
    kept = growth ** np.arange(months)
    return max(float((target - mrr * growth**months) / kept.sum()), 0.0)


def _arrivals(
    leads: Mapping[date, float], shown: Sequence[date], lag: Lag | None, name: str
) -> Floats:
    """Leads that arrive in each of the months shown, whenever they were created; each does once."""
    delay = _delay(lag, name)
    edges = np.array([(m - shown[0]).days for m in (*shown, month_start(shown[-1], 1))])
    found = np.zeros(len(shown))
    for month, n in leads.items():
        a = (month - shown[0]).days
        b = (month_start(month, 1) - shown[0]).days
        by_then = (delay.integral(edges - a) - delay.integral(edges - b)) / (b - a)
        found += n / delay.final * np.maximum(np.diff(by_then), 0.0)
    return found


def _delay(lag: Lag | None, name: str) -> Curve:
    if isinstance(lag, Curve):
        if not lag.final > 0:
            raise PlanError(f"{name} is a curve on which nothing ever arrives")
        return lag
    days = np.asarray(0.0 if lag is None else lag, dtype="float64")
    if days.ndim == 0 and 0 <= days <= MOST_YEARS * 366:
        whole = int(days)
        # a fraction of a day is split between the two days beside it: the overlap stays exact
        days = np.append(np.zeros(whole), [whole + 1 - days, days - whole])
        return known(1.0) if lag is None else known(1.0, days)
    if days.ndim != 1:
        raise PlanError(
            f"{name} = {lag}; expected a number of days from 0 to {MOST_YEARS * 366:,}, "
            "a share for each day, or a curve"
        )
    try:
        return known(1.0, days)
    except ValueError as error:
        raise PlanError(f"{name}: {error}") from error


def _first(start: date | str | None, leads: Leads) -> date:
    if start is not None:
        return month_start(as_date(start))
    if isinstance(leads, Mapping) and leads:
        return min(checked_leads(leads))
    raise PlanError("start is missing: set a day of the first month, such as '2027-01-01'")


def _leads(leads: Leads, shown: Sequence[date], growth: float) -> dict[date, float]:
    """Leads by month, those of earlier months too."""
    if growth and (isinstance(leads, Mapping) or np.ndim(leads)):
        raise PlanError("monthly_growth goes with one number of leads, not with leads by month")
    if not isinstance(leads, Mapping):
        leads = {f"{m:%Y-%m}": n for m, n in zip(shown, _series(leads, shown, growth), strict=True)}
    found = checked_leads(leads)
    late = [f"{month:%Y-%m}" for month in found if month > shown[-1]]
    if late:
        raise PlanError(f"leads of {', '.join(late)} lie after the last month, {shown[-1]:%Y-%m}")
    return found


def _series(leads: float | Sequence[float], shown: Sequence[date], growth: float) -> Floats:
    if not -1 <= growth < np.inf:
        raise PlanError(f"monthly_growth = {growth}; expected a share of -1 or more (0.02)")
    numbers = np.asarray(leads, dtype="float64")
    if numbers.ndim == 0:
        return np.asarray(numbers * (1 + growth) ** np.arange(len(shown)))
    if numbers.shape != (len(shown),):
        raise PlanError(f"leads_per_month has {len(numbers)} numbers for {len(shown)} months")
    return numbers


def _level(mrr: float, new_mrr: Floats, growth: float) -> Floats:
    found = np.empty(len(new_mrr))
    for place, new in enumerate(new_mrr):
        mrr = mrr * growth + float(new)
        found[place] = mrr
    return found


def _check_shares(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise PlanError(f"{name} = {share}; expected a share from 0 to 1 (0.15 for 15 %)")


def _check_amount(name: str, amount: float) -> None:
    if not 0 <= amount < np.inf:
        raise PlanError(f"{name} = {amount}; expected an amount of 0 or more")


def _check_months(months: int) -> None:
    if isinstance(months, float) or not 1 <= months <= MOST_YEARS * MONTHS_A_YEAR:
        raise PlanError(
            f"months = {months}; expected a whole number from 1 to {MOST_YEARS * MONTHS_A_YEAR}"
        )


def _notes(lead_conversion: float, win_rate: float, lag: Lag | None) -> tuple[str, ...]:
    notes = ["expected numbers: chance is left out"]
    if lead_conversion == LEAD_CONVERSION or win_rate == WIN_RATE:
        notes.append("15 % (lead conversion) and 33 % (win rate) are rules of thumb, not yours")
    if lag is None:
        notes.append("no lag: every win counts in the month of its lead")
    return tuple(notes)
