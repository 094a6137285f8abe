"""Time-to-event estimates for daily CRM dates: ties, same-day events and delayed entry included.

Open deals are censored, won and lost compete, and a deal that the export could only show from some
age on enters late. Everything is exact under ties between causes (they are treated jointly) and at
duration 0, where popular packages are not.

Notation: subject i is under observation from age ``entry[i]`` to age ``duration[i]`` and then has
``cause[i]`` (0: still open). At each distinct duration t: ``n(t) = #{i: entry <= t <= duration}``,
``d_k(t)`` events of cause k, ``d(t)`` of any cause.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from kpi.stats.intervals import check_level

Floats = NDArray[np.float64]


def aalen_johansen(
    duration: ArrayLike,
    cause: ArrayLike,
    entry: ArrayLike | None = None,
    *,
    count: ArrayLike | None = None,
) -> pd.DataFrame:
    """Cumulative incidence of each competing cause, by age (Aalen-Johansen).

    Parameters
    ----------
    duration : array, (n,)
        Age at the end of observation, 0 or more, in any unit (days here).
    cause : array of int, (n,)
        What ended it: 0 still open (censored), 1, 2, ... the competing causes.
    entry : array, (n,), optional
        Age from which the subject was under observation (delayed entry, left truncation);
        default 0. A subject whose entry is later than its duration was never seen: it is left out.
    count : array, (n,), optional
        How many such subjects the row stands for; default 1.

    Returns
    -------
    DataFrame, indexed by ``time`` (every distinct duration, ascending)
        ``at_risk``: n(t). ``survival``: share with no event yet, 0 to 1. For each cause k up to
        the largest seen (at least 1): ``cif_k``, its cumulative incidence, and ``var_k``, Aalen's
        variance of it. ``survival`` plus all ``cif_k`` is 1. No rows where there are no subjects.

    Raises
    ------
    ValueError
        If the arrays differ in length, a duration is negative or missing, or a cause is not a
        whole number of 0 or more.

    Notes
    -----
    ``S(0-) = 1; F_k += S(t-) d_k / n; S *= 1 - d / n``. Variance of F = F_1(t), over the times
    t_j up to t, terms with a zero denominator left out::

        sum (F - F_1j)^2 d_j / ((n_j - 1)(n_j - d_j))
          + S_j-^2 d_1j (n_j - d_1j) / (n_j^2 (n_j - 1))
          - 2 (F - F_1j) S_j- d_1j (n_j - d_1j) / (n_j (n_j - d_j)(n_j - 1))

    References
    ----------
    .. [1] Aalen O, Johansen S (1978), Scand. J. Statist. 5:141-150.
    .. [2] Marubini E, Valsecchi MG (1995), Analysing Survival Data, ch. 10 (the variance).

    Examples
    --------
    Two wins on day 0, one on day 1, two losses, one deal open at day 4:

    >>> curve = aalen_johansen([0, 0, 1, 2, 3, 4], [1, 1, 1, 2, 2, 0])
    >>> curve["cif_1"].round(4).tolist()
    [0.3333, 0.5, 0.5, 0.5, 0.5]
    """
    steps = _steps(duration, cause, entry, count)
    n, d = steps["at_risk"], steps["events"]
    total = d.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(1 - total / n)
    before = np.concatenate([[1.0], survival[:-1]]) if len(survival) else survival
    columns: dict[str, Floats] = {"at_risk": n, "survival": survival}
    incidence = np.minimum(np.cumsum(before * d / n, axis=1), 1.0)  # sums round past 1
    for k in range(len(d)):
        columns[f"cif_{k + 1}"] = incidence[k]
    for k in range(len(d)):
        columns[f"var_{k + 1}"] = _aalen_variance(incidence[k], before, n, d[k], total)
    return pd.DataFrame(columns, index=pd.Index(steps["time"], name="time")).astype(
        {"at_risk": "int64"}
    )


def kaplan_meier(
    duration: ArrayLike,
    event: ArrayLike,
    entry: ArrayLike | None = None,
    *,
    count: ArrayLike | None = None,
) -> pd.DataFrame:
    """Share that has not yet had the event, by age (Kaplan-Meier).

    Parameters
    ----------
    duration, entry, count
        As in `aalen_johansen`.
    event : array of bool or int, (n,)
        True (or not 0) where the event happened at ``duration``; False where still open.

    Returns
    -------
    DataFrame, indexed by ``time`` (every distinct duration, ascending)
        ``at_risk``, ``events``, ``survival`` (0 to 1) and ``variance`` (Greenwood).

    Notes
    -----
    ``S *= 1 - d / n``; variance ``S^2 sum d / (n (n - d))``, terms with n = d left out.

    References
    ----------
    .. [1] Kaplan EL, Meier P (1958), J. Amer. Statist. Assoc. 53:457-481.

    Examples
    --------
    >>> kaplan_meier([6, 6, 6, 6, 7], [1, 1, 1, 0, 1])["survival"].tolist()
    [0.4, 0.0]
    """
    happened = (np.asarray(event) != 0).astype("int64")
    steps = _steps(duration, happened, entry, count)
    n, d = steps["at_risk"], steps["events"][0]
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(1 - d / n)
        terms = np.where(n > d, d / (n * (n - d)), 0.0)
    return pd.DataFrame(
        {
            "at_risk": n.astype("int64"),
            "events": d.astype("int64"),
            "survival": survival,
            "variance": survival**2 * np.cumsum(terms),
        },
        index=pd.Index(steps["time"], name="time"),
    )


def log_log_limits(
    share: ArrayLike, variance: ArrayLike, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Confidence limits that stay within 0 and 1: ``share ^ exp(+-z sqrt(variance)/(share ln share))``.

    Parameters
    ----------
    share : array
        Estimates, 0 to 1 (a cumulative incidence or a survival).
    variance : array
        Their variances.

    Returns
    -------
    (low, high) : arrays
        Missing (nan) where the share is 0 or 1: there the formula says nothing.

    Examples
    --------
    >>> low, high = log_log_limits([0.25], [0.004])
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.1377], [0.3793])
    """
    check_level(level)
    f = np.asarray(share, dtype="float64")
    z = ndtri(0.5 + level / 2)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        spread = z * np.sqrt(np.asarray(variance, dtype="float64")) / (f * np.log(f))
        limits = np.array([f ** np.exp(-spread), f ** np.exp(spread)])
    limits[:, ~((f > 0) & (f < 1))] = np.nan
    return limits.min(axis=0), limits.max(axis=0)


def at_age(curve: pd.DataFrame, column: str, age: ArrayLike, before: float) -> Floats:
    """Read a step curve at any age; ``before`` is its value before the first time.

    >>> curve = kaplan_meier([2, 4], [1, 1])
    >>> at_age(curve, "survival", [0, 2, 3, 9], before=1.0).tolist()
    [1.0, 0.5, 0.5, 0.0]
    """
    values = np.concatenate([[before], curve[column].to_numpy(dtype="float64")])
    return values[np.searchsorted(curve.index.to_numpy(), np.asarray(age), side="right")]


def first_reaching(curve: pd.DataFrame, column: str, share: float) -> float:
    """Return the first time at which a falling curve is at `share` or below; nan if it never is.

    >>> first_reaching(kaplan_meier([2, 4, 6], [1, 1, 0]), "survival", 0.5)
    4.0
    """
    reached = curve[column].to_numpy(dtype="float64") <= share + 1e-12
    return float(curve.index[int(reached.argmax())]) if reached.any() else float("nan")


def median_time(curve: pd.DataFrame, level: float = 0.95) -> tuple[float, float, float]:
    """Median of a Kaplan-Meier curve with its limits (Brookmeyer-Crowley, log-log).

    Returns
    -------
    (median, low, high) : floats
        In the unit of the curve's times; nan where the curve does not come down to one half
        (``high`` nan: no upper limit can be given).

    Examples
    --------
    >>> median_time(kaplan_meier(range(1, 21), [1] * 20))
    (10.0, 5.0, 15.0)
    """
    low, high = log_log_limits(curve["survival"], curve["variance"], level)
    limits = curve.assign(low=np.where(np.isnan(low), curve["survival"], low))
    limits["high"] = np.where(np.isnan(high), curve["survival"], high)
    return (
        first_reaching(curve, "survival", 0.5),
        first_reaching(limits, "low", 0.5),
        first_reaching(limits, "high", 0.5),
    )


def restricted_mean(curve: pd.DataFrame, horizon: float) -> float:
    """Mean time up to `horizon`: the area under the survival curve from 0 to there.

    Returns
    -------
    float
        0 to `horizon`, in the unit of the times. Beyond the last time the curve is held level.

    Examples
    --------
    >>> restricted_mean(kaplan_meier([2, 4], [1, 1]), horizon=10)
    3.0
    """
    times = curve.index.to_numpy(dtype="float64")
    inside = times[times < horizon]
    edges = np.concatenate([[0.0], inside, [horizon]])
    heights = np.concatenate([[1.0], curve["survival"].to_numpy()[: len(inside)]])
    return float(np.sum(np.diff(edges) * heights))


def last_age(curve: pd.DataFrame, at_risk: int = 10) -> float:
    """Return the last time with at least so many at risk; nan if there is none.

    >>> last_age(kaplan_meier(range(12), [1] * 12), at_risk=10)
    2.0
    """
    enough = curve.index[curve["at_risk"] >= at_risk]
    return float(enough[-1]) if len(enough) else float("nan")


def _steps(
    duration: ArrayLike, cause: ArrayLike, entry: ArrayLike | None, count: ArrayLike | None
) -> dict[str, Floats]:
    """Times, numbers at risk and events by cause (one row a cause) from the raw arrays."""
    t, k, start, weight = _checked(duration, cause, entry, count)
    causes = int(k.max(initial=1))
    time, place = np.unique(t, return_inverse=True)
    if not len(time):
        return {"time": time, "at_risk": np.zeros(0), "events": np.zeros((causes, 0))}
    leaving = np.bincount(place, weights=weight, minlength=len(time))
    entered = np.searchsorted(time, start, side="left")
    arriving = np.bincount(entered, weights=weight, minlength=len(time))
    at_risk = np.cumsum(arriving) - (np.cumsum(leaving) - leaving)
    events = np.bincount(
        place + len(time) * k, weights=weight, minlength=(causes + 1) * len(time)
    ).reshape(causes + 1, len(time))[1:]
    return {"time": time, "at_risk": at_risk, "events": events}


def _checked(
    duration: ArrayLike, cause: ArrayLike, entry: ArrayLike | None, count: ArrayLike | None
) -> tuple[Floats, NDArray[np.int64], Floats, Floats]:
    t = np.asarray(duration, dtype="float64")
    raw = np.asarray(cause, dtype="float64")
    start = np.zeros(len(t)) if entry is None else np.asarray(entry, dtype="float64")
    weight = np.ones(len(t)) if count is None else np.asarray(count, dtype="float64")
    if not len(t) == len(raw) == len(start) == len(weight):
        raise ValueError("duration, cause, entry and count must have the same length")
    if not (t >= 0).all():
        raise ValueError("duration must be 0 or more and never missing")
    if not ((raw >= 0) & (raw % 1 == 0)).all():
        raise ValueError("cause must be 0 (open), 1, 2, ...")
    if np.isnan(start).any() or not (weight >= 0).all():
        raise ValueError("entry and count must not be missing, and count not negative")
    seen = (start <= t) & (weight > 0)
    return t[seen], raw[seen].astype("int64"), start[seen], weight[seen]


def _aalen_variance(f: Floats, before: Floats, n: Floats, own: Floats, total: Floats) -> Floats:
    """Aalen's variance of one cause's incidence at every time, by cumulative sums."""

    def over(top: Floats, bottom: Floats) -> Floats:
        return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)

    spread = own * (n - own)
    a = over(total, (n - 1) * (n - total))
    b = over(before**2 * spread, n**2 * (n - 1))
    c = over(before * spread, n * (n - total) * (n - 1))
    variance = (
        f**2 * np.cumsum(a)
        - 2 * f * np.cumsum(f * a)
        + np.cumsum(f**2 * a)
        + np.cumsum(b)
        - 2 * f * np.cumsum(c)
        + 2 * np.cumsum(f * c)
    )
    return np.maximum(variance, 0.0)
