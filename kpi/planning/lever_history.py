"""What a company's own past has shown of each lever: its values period by period."""

from collections.abc import Mapping
from datetime import date

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.engine import collect
from kpi.periods import day_number, from_day, month_start, starts
from kpi.planning.curve import Curve, Floats
from kpi.planning.ladder import Ladder
from kpi.recurring.movements import mrr_movements
from kpi.snapshot import Snapshot

MONTHS = 24
QUARTERS = 12
LEAST_RECORDS = 10  # of a cohort, for its conversion to say something
LEAST_WINS = 5  # of a quarter, for its mean value and median cycle
RIPE = 0.9  # share of the arrivals that must have had the time to come
LEAST_PERIODS = 4  # for the range of history to be told
RANGE = (0.1, 0.9)

History = Mapping[str, tuple[float, ...]]


def past(
    snapshot: Snapshot,
    rungs: Ladder,
    curves: Mapping[tuple[int, int], Curve],
    won: pd.DataFrame,
) -> dict[str, tuple[float, ...]]:
    """Values of each lever in the past, oldest first.

    Parameters
    ----------
    snapshot : Snapshot
    rungs : Ladder
        Steps of new business and the records on them.
    curves : mapping of (i, j) to Curve
        They tell how old a cohort must be for its conversion to be final.
    won : DataFrame
        Deals won: ``created_day, closed_day, mrr, amount``.

    Returns
    -------
    dict
        ``leads`` (a month; deals created where there are no leads), ``conversion 0``,
        ``conversion 1``, ... (from each step to the next) and ``win_rate`` (from the first deal step
        to won), 0 to 1 by quarter in which the records reached the step, only quarters old enough
        that 90 % of the arrivals have had the time to come; ``deal_value`` and ``bookings`` (mean by
        quarter of the win, reporting currency); ``cycle`` (median days from creation to win, by
        quarter of the win); ``churn`` (share of the recurring revenue that left in a month). A lever
        that the data says nothing about has no key, or no values.
    """
    counted = _counted(rungs)
    window = snapshot.window_start
    top, first = len(rungs.steps) - 1, rungs.first_deal
    quarters = _quarters(snapshot)
    found = {"leads": _by_month(counted[counted["pair"] == 0], snapshot.as_of, window)}
    for place, (i, j) in enumerate(_pairs(rungs)):
        name = "win_rate" if (i, j) == (first, top) else f"conversion {i}"
        part = counted[counted["pair"] == place]
        values = _conversions(part, curves[i, j], quarters, snapshot)
        found[name] = values
        if i + 1 == j:
            found[f"conversion {i}"] = values
    return found | _of_wins(won, quarters) | _churn(snapshot)


def band(values: tuple[float, ...]) -> tuple[float, float]:
    """10th and 90th percentile of past values; missing under four periods.

    Examples
    --------
    >>> [round(edge, 2) for edge in band((0.2, 0.3, 0.25, 0.3, 0.35))]
    [0.22, 0.33]
    >>> band((0.2, 0.3))
    (nan, nan)
    """
    if len(values) < LEAST_PERIODS:
        return np.nan, np.nan
    low, high = np.quantile(values, RANGE)
    return float(low), float(high)


def _pairs(rungs: Ladder) -> list[tuple[int, int]]:
    """Each step with the next, and the first deal step with won."""
    top = len(rungs.steps) - 1
    pairs = [(i, i + 1) for i in range(top)]
    return pairs if top - rungs.first_deal == 1 else [*pairs, (rungs.first_deal, top)]


def _counted(rungs: Ladder) -> pd.DataFrame:
    """Records by pair of steps, day they reached the first, and whether they got to the second."""
    parts = [
        rungs.followed(i, j).select(
            pair=nw.lit(place),
            start=nw.col("start"),
            # those beyond whose day of arrival is not known (-1) got there all the same
            came=nw.when((nw.col("cause") == 1) | (nw.col("cause") == -1))
            .then(nw.lit(1))
            .otherwise(nw.lit(0)),
        )
        for place, (i, j) in enumerate(_pairs(rungs))
    ]
    frame = nw.concat(parts).filter(~nw.col("start").is_null())
    sums = collect(frame.group_by("pair", "start").agg(n=nw.len(), came=nw.col("came").sum()))
    return sums.astype("int64")


def _quarters(snapshot: Snapshot) -> list[date]:
    """First days of the last whole quarters in the window, and the day after the last of them."""
    back = month_start(snapshot.as_of, -3 * QUARTERS)
    fiscal = snapshot.definitions.fiscal_year_start
    edges = starts(back, snapshot.as_of, "quarter", fiscal)
    return [
        edge for edge in edges if snapshot.window_start is None or edge >= snapshot.window_start
    ]


def _by_month(part: pd.DataFrame, as_of: date, window: date | None) -> tuple[float, ...]:
    """Records of each whole month, at most 24, from the first month that has all its days."""
    if part.empty:
        return ()
    begin = from_day(int(part["start"].min()))
    begin = begin if window is None else max(begin, window)
    whole = month_start(begin) if begin.day == 1 else month_start(begin, 1)
    edges = [
        month
        for month in (month_start(as_of, -back) for back in range(MONTHS, -1, -1))
        if month >= whole
    ]
    place = _place(part["start"], edges)
    return tuple(float(part.loc[place == i, "n"].sum()) for i in range(len(edges) - 1))


def _place(days: "pd.Series[int]", edges: list[date]) -> Floats:
    """Place of the period that holds each day; -1 before the first, the last edge is no period."""
    numbers = np.array([day_number(edge) for edge in edges], dtype="int64")
    return np.asarray(np.searchsorted(numbers, days.to_numpy("int64"), side="right") - 1)


def _conversions(
    part: pd.DataFrame, curve: Curve, quarters: list[date], snapshot: Snapshot
) -> tuple[float, ...]:
    """Final conversion of each cohort quarter that is old enough, its late arrivals made up for."""
    if curve.final == 0:
        return ()
    place = _place(part["start"], quarters)
    found = []
    for i in range(len(quarters) - 1):
        rows = part[place == i]
        youngest = snapshot.as_of_day - day_number(quarters[i + 1]) + 1
        if rows["n"].sum() < LEAST_RECORDS or curve.by(youngest) < RIPE * curve.final:
            continue
        due = float((rows["n"] * curve.by(snapshot.as_of_day - rows["start"])).sum()) / curve.final
        found.append(min(float(rows["came"].sum()) / due, 1.0))
    return tuple(found)


def _of_wins(won: pd.DataFrame, quarters: list[date]) -> dict[str, tuple[float, ...]]:
    dated = won[won["closed_day"].notna()]
    place = _place(dated["closed_day"], quarters)
    parts = [dated[place == i] for i in range(len(quarters) - 1)]
    cycles = [(part["closed_day"] - part["created_day"]).dropna() for part in parts]
    return {
        "deal_value": _enough([part.loc[part["mrr"] > 0, "mrr"] for part in parts], "mean"),
        "bookings": _enough([part.loc[part["amount"] > 0, "amount"] for part in parts], "mean"),
        "cycle": _enough([days[days >= 0] for days in cycles], "median"),
    }


def _enough(parts: "list[pd.Series[float]]", how: str) -> tuple[float, ...]:
    return tuple(float(part.agg(how)) for part in parts if len(part) >= LEAST_WINS)


def _churn(snapshot: Snapshot) -> dict[str, tuple[float, ...]]:
    if "subscriptions" not in snapshot.present:
        return {}
    moved = mrr_movements(snapshot, every="month").tail(MONTHS)
    moved = moved[moved["start"] > 0]
    left = (moved["churn"] + moved["contraction"]) / moved["start"]
    return {"churn": tuple(float(share) for share in left)}
