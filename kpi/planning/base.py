"""The base: the recurring revenue that runs already, how much of it leaves, and how much grows."""

from dataclasses import dataclass, replace

import narwhals as nw
import numpy as np

from kpi.engine import collect
from kpi.planning.curve import Floats
from kpi.planning.target import PlanError
from kpi.recurring.billing import customer_lines
from kpi.recurring.movements import mrr_movements
from kpi.snapshot import Snapshot

MONTHS_A_YEAR = 12
RULE = 0.115  # 8 to 15 % of customers leave in a year
RULE_MONTHS = 24.0  # customer-months that the rule of thumb is worth beside own history


@dataclass(frozen=True, eq=False)
class Base:
    """Recurring revenue on the day the data ends, and how it changes by itself.

    Attributes
    ----------
    customers : array, (k,)
        What each customer pays a month (reporting currency). One entry that `known` rates apply to
        stands for a base whose customers are not known.
    churn, expansion : float
        Share of the revenue that leaves, and that customers add, in a month; 0 to 1.
    months : float
        Customer-months behind `churn`; infinite where it is taken as known.
    """

    customers: Floats
    churn: float
    expansion: float
    months: float

    @property
    def mrr(self) -> float:
        """Recurring revenue a month on the day the data ends."""
        return float(self.customers.sum())

    @property
    def known(self) -> bool:
        """Whether the rates are taken as known: then the base shrinks by exactly its rate."""
        return bool(np.isinf(self.months))

    @property
    def growth(self) -> float:
        """What a month makes of one unit of revenue: 1 less churn plus expansion."""
        return 1 - self.churn + self.expansion

    def changed(self, *, annual_churn: float | None = None) -> "Base":
        """Return the base with another churn, set by hand, a year."""
        if annual_churn is None:
            return self
        return replace(self, churn=monthly(annual_churn))

    def churns(self, rng: np.random.Generator, draws: int) -> Floats:
        """Monthly churn as it may be: Beta draws from the customer-months behind it, (draws,)."""
        if self.known or self.churn == 0:
            return np.full(draws, self.churn)
        left = self.churn * self.months
        drawn = rng.beta(left + 0.5, self.months - left + 0.5, draws)
        return np.asarray(drawn * self.churn / ((left + 0.5) / (self.months + 1)))

    def runs(self, rng: np.random.Generator, churns: Floats, months: int) -> Floats:
        """What still runs of it after 1, 2, ... months, (draws, months)."""
        ahead = np.arange(1, months + 1)
        growth = (1 + self.expansion) ** ahead
        left = (1 - churns)[:, None] ** ahead
        if self.known:
            return np.asarray(self.mrr * (1 - churns + self.expansion)[:, None] ** ahead)
        if len(self.customers) * len(churns) > 20_000_000:
            return np.asarray(self.mrr * left * growth)
        found = np.zeros((len(churns), months))
        stays = -1 / np.log1p(-np.clip(churns, 1e-12, 1 - 1e-12))
        for pays in self.customers:
            gone = np.ceil(rng.exponential(size=len(churns)) * stays)
            found += pays * (gone[:, None] > ahead)
        return found * growth


def monthly(annual_churn: float) -> float:
    """Monthly churn that makes up an annual one.

    >>> round(monthly(0.10), 12)
    0.008741610955
    """
    if not 0 <= annual_churn < 1:
        raise PlanError(f"annual_churn = {annual_churn}; expected a share of 0 or more, below 1")
    return float(1 - (1 - annual_churn) ** (1 / MONTHS_A_YEAR))


def assumed(mrr: float, annual_churn: float, annual_expansion: float = 0.0) -> Base:
    """Base without data: rates taken as known."""
    if not 0 <= mrr < np.inf:
        raise PlanError(f"mrr = {mrr}; expected an amount of 0 or more")
    if not 0 <= annual_expansion < np.inf:
        raise PlanError(f"annual_expansion = {annual_expansion}; expected a share of 0 or more")
    grows = (1 + annual_expansion) ** (1 / MONTHS_A_YEAR) - 1
    return Base(np.array([float(mrr)]), monthly(annual_churn), grows, np.inf)


def fitted_base(snapshot: Snapshot) -> Base | None:
    """Base of a snapshot; None where it has no subscriptions.

    Churn (with contraction) and expansion (with reactivation) are those of the last twelve whole
    months. Where few customer-months stand behind them, the articles' 8 to 15 % a year weighs in
    with 24 customer-months.
    """
    if "subscriptions" not in snapshot.present:
        return None
    day = nw.lit(snapshot.as_of_day)
    lines = customer_lines(snapshot).filter(
        nw.col("starts_on_day") <= day,
        nw.col("ends_on_day").is_null() | (nw.col("ends_on_day") > day),
    )
    paying = collect(lines.group_by("customer").agg(nw.col("mrr").sum()))["mrr"]
    if paying.empty:
        return None
    customers = np.sort(paying.to_numpy("float64"))
    moved = mrr_movements(snapshot, every="month").tail(MONTHS_A_YEAR)
    began = float(moved["start"].sum())
    seen = float(moved["n"].sum())
    left = float((moved["churn"] + moved["contraction"]).sum())
    more = float((moved["expansion"] + moved["reactivation"]).sum())
    share = left / began if began > 0 else 0.0
    churn = (share * seen + monthly(RULE) * RULE_MONTHS) / (seen + RULE_MONTHS)
    return Base(customers, churn, more / began if began > 0 else 0.0, seen + RULE_MONTHS)
