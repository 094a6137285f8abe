"""What the peers share: day counts to rates and medians, with the estimators of `kpi.stats`.

A peer's own work is the reduction of events to counts; the light part after it is the same for all.
"""

import numpy as np
import pandas as pd
from scipy.stats import binom

from kpi.stats.intervals import jeffreys
from kpi.stats.survival import (
    aalen_johansen,
    at_age,
    kaplan_meier,
    last_age,
    log_log_limits,
    median_time,
)

AT_RISK = 10
MOVES = ["new", "expansion", "contraction", "churn", "reactivation"]


def usable(counts: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``duration, cause, n`` whose days are known and do not run backward."""
    return counts[counts["duration"].notna() & (counts["duration"] >= 0) & (counts["cause"] >= 0)]


def incidence(counts: pd.DataFrame, days: float | None = None) -> dict[str, float]:
    """Cumulative incidence of cause 1 at an age, else the last with ten followed: value, limits, x, n."""
    seen = usable(counts)
    curve = aalen_johansen(seen["duration"], seen["cause"], count=seen["n"])
    age = last_age(curve, AT_RISK) if days is None else days
    value = float(at_age(curve, "cif_1", age, before=0.0))
    variance = float(at_age(curve, "var_1", age, before=0.0))
    low, high = log_log_limits([value], [variance])
    got = seen.loc[(seen["cause"] == 1) & (seen["duration"] <= age), "n"].sum()
    return {"value": value, "low": low[0], "high": high[0], "x": got, "n": seen["n"].sum()}


def ratio(x: float, n: float) -> dict[str, float]:
    """Plain share with its Jeffreys interval."""
    low, high = jeffreys(x, n)
    return {"value": x / n, "low": float(low), "high": float(high), "x": x, "n": n}


def stay(counts: pd.DataFrame) -> dict[str, float]:
    """Median stay in a stage, stays not over yet included, and the mean of those that are."""
    seen = usable(counts)
    curve = kaplan_meier(seen["duration"], seen["cause"], count=seen["n"])
    value, low, high = median_time(curve)
    done = seen[seen["cause"] == 1]
    x = done["n"].sum()
    mean = (done["duration"] * done["n"]).sum() / x
    row = {"value": value, "low": low, "high": high, "x": x, "n": seen["n"].sum()}
    return row | {"mean_completed": mean}


def middle(counts: pd.DataFrame) -> dict[str, float]:
    """Median of the ``days`` of won deals with order-statistic limits: value, low, high, x, n."""
    won = counts[counts["won"]]
    days = np.sort(np.repeat(won["days"].to_numpy(), won["n"].to_numpy()))
    rank = int(binom.ppf(0.025, len(days), 0.5)) - 1
    row = {"value": np.median(days), "low": days[rank], "high": days[len(days) - 1 - rank]}
    return row | {"x": len(days), "n": counts["n"].sum()}


def cycle(counts: pd.DataFrame) -> dict[str, float]:
    """Median days of won deals with order-statistic limits, and Kaplan-Meier with the open ones."""
    seen = usable(counts)
    won = seen[seen["cause"] == 1]
    days = np.sort(np.repeat(won["duration"].to_numpy(), won["n"].to_numpy()))
    rank = int(binom.ppf(0.025, len(days), 0.5)) - 1
    curve = kaplan_meier(seen["duration"], seen["cause"], count=seen["n"])
    row = {"value": np.median(days), "low": days[rank], "high": days[len(days) - 1 - rank]}
    row |= {"x": len(days), "n": seen["n"].sum()}
    return row | dict(zip(["km_median", "km_low", "km_high"], median_time(curve), strict=True))


def balance(monthly: pd.DataFrame) -> pd.DataFrame:
    """Turn monthly sums of the five moves, and customers, into start and end of every month."""
    table = monthly.sort_values("month", ignore_index=True)
    rise = table["new"] + table["expansion"] + table["reactivation"]
    end = (rise - table["contraction"] - table["churn"]).cumsum()
    before = table["customers"].shift(1, fill_value=0)
    start = end.shift(1, fill_value=0.0)
    return table[MOVES].assign(value=end, start=start, end=end, x=table["customers"], n=before)
