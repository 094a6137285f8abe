"""Months that a customer is expected to pay, and limits of its worth by drawing customers again."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from kpi.stats.intervals import jeffreys
from kpi.stats.lifetime import fit_sbg_at_risk

ENOUGH = 10
DRAWS = {"survival": 500, "sbg": 100}
SEED = 20260101
FEWEST = 3
AT_ONCE = 4_000_000  # weights held in memory


@dataclass(frozen=True)
class Plan:
    """How a lifetime is reckoned: method, horizon in months, discount a month, level."""

    method: str
    horizon: int | None
    discount: float
    margin: float
    level: float


@dataclass(frozen=True)
class Table:
    """Which age each customer enters, leaves observation, and is lost at: customers x ages."""

    entered: csr_array
    gone: csr_array
    lost: csr_array

    def counts(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """At risk and lost by age (columns), for each row of weights of the customers."""
        entered, gone = (weights @ m for m in (self.entered, self.gone))
        before = np.cumsum(gone, axis=1) - gone
        return np.cumsum(entered, axis=1) - before, weights @ self.lost


def at_risk_of(seen: pd.DataFrame) -> Table:
    """Place customers by the age at which each ``entry``, ``duration`` and ``event`` happens."""
    ages = int(seen["duration"].max()) + 1
    place = np.arange(len(seen))

    def mark(age: pd.Series, count: pd.Series | np.ndarray) -> csr_array:
        at = (place, age.to_numpy(dtype="int64"))
        return csr_array((np.asarray(count, dtype="float64"), at), shape=(len(seen), ages))

    one = np.ones(len(seen))
    duration, event = seen["duration"], seen["event"]
    return Table(mark(seen["entry"], one), mark(duration, one), mark(duration, event))


def firm_months(table: Table, plan: Plan) -> tuple[np.ndarray, str]:
    """Tell the months with ten at risk, in which the curve is read, and what is said of the rest."""
    at_risk, _ = table.counts(np.ones((1, table.lost.shape[0])))
    firm = at_risk[0] >= ENOUGH
    horizon = plan.horizon or 0
    wanted = np.zeros(max(horizon, len(firm)), dtype="bool")
    wanted[: len(firm)] = firm
    weak = np.flatnonzero(~wanted[:horizon])
    weak = weak[weak > 0]  # nobody can be lost at the month end it began with
    if plan.method == "sbg" or not len(weak):
        return firm, ""
    if len(weak) == horizon - weak[0]:
        return firm, f"beyond month {weak[0] - 1} at the average churn"
    return firm, f"{len(weak)} months with fewer than {ENOUGH} at risk at the average churn"


def expected_months(table: Table, weights: np.ndarray, firm: np.ndarray, plan: Plan) -> np.ndarray:
    """Expected months paid, for each row of weights of the customers."""
    at_risk, lost = table.counts(weights)
    if plan.method == "sbg":
        return np.array([_sbg_months(*row, plan) for row in zip(at_risk, lost, strict=True)])
    horizon = plan.horizon or 0
    exposed = at_risk[:, 1:].sum(axis=1)
    average = np.divide(lost.sum(axis=1), exposed, out=np.zeros(len(lost)), where=exposed > 0)
    hazard = np.repeat(average[:, None], horizon, axis=1)
    read = np.flatnonzero(firm[:horizon])
    some = at_risk[:, read] > 0
    hazard[:, read] = np.divide(lost[:, read], at_risk[:, read], out=hazard[:, read], where=some)
    hazard[:, 0] = 0.0
    weight = (1 + plan.discount) ** -np.arange(horizon)
    found: np.ndarray = np.cumprod(1 - hazard, axis=1) @ weight
    return found


def _sbg_months(at_risk: np.ndarray, lost: np.ndarray, plan: Plan) -> float:
    """Expected months by the sBG model; nobody lost: the horizon, discounted."""
    fit = fit_sbg_at_risk(at_risk[1:], lost[1:])
    if np.isfinite(fit.alpha):
        return fit.lifetime(plan.horizon, plan.discount)
    stay = 1.0 if lost.sum() == 0 else 0.0
    if plan.horizon is None:
        endless = (1 + plan.discount) / plan.discount if plan.discount > 0 else np.inf
        return float(endless if stay else 1.0)
    t = np.arange(plan.horizon)
    return float((stay**t / (1 + plan.discount) ** t).sum())


def limits_of(
    seen: pd.DataFrame, table: Table, firm: np.ndarray, plan: Plan, worth: float, stays: float
) -> tuple[float, float]:
    """Limits by drawing the customers again, with what they pay."""
    n = len(seen)
    if n < FEWEST or not np.isfinite(stays):
        return np.nan, np.nan
    rng = np.random.default_rng(SEED)
    draws, size = DRAWS[plan.method], max(1, AT_ONCE // n)
    money = seen["mrr"].to_numpy()
    found = []
    for done in range(0, draws, size):
        count = min(size, draws - done)
        weights = rng.multinomial(n, np.full(n, 1 / n), size=count).astype("float64")
        paying_now = weights @ (money > 0)
        some = paying_now > 0
        arpa = (weights @ money)[some] / paying_now[some]
        found.append(arpa * plan.margin * expected_months(table, weights[some], firm, plan))
    drawn = np.concatenate(found)
    tail = (1 - plan.level) / 2
    if not len(drawn):
        return np.nan, np.nan
    low = float(np.quantile(drawn, tail, method="lower"))
    high = float(np.quantile(drawn, 1 - tail, method="higher"))
    if not seen["event"].any():
        low *= months_at_worst(table, plan) / stays
    # for ever, a lifetime drawn may have no end: then there is no upper limit
    return min(low, worth), max(high, worth) if np.isfinite(high) else np.nan


def months_at_worst(table: Table, plan: Plan) -> float:
    """Expected months at the upper Jeffreys limit of a monthly churn never seen."""
    at_risk, _ = table.counts(np.ones((1, table.lost.shape[0])))
    exposed = float(at_risk[:, 1:].sum())
    if exposed == 0:
        return 1.0
    worst = float(jeffreys(0, exposed, plan.level)[1])
    factor = (1 - worst) / (1 + plan.discount)
    if plan.horizon is None:
        return 1 / (1 - factor)
    return float((factor ** np.arange(plan.horizon)).sum())
