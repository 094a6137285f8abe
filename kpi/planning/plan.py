"""Plan: the leads to create each month for a target, and everything that goes with them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from kpi.planning.target import PlanError, Target

LEADS_A_SELLER = 75
DEALS_A_SELLER = 35
WINS_A_SELLER = 7


@dataclass(frozen=True, eq=False)
class Plan:
    """What it takes to reach a target.

    Attributes
    ----------
    target : Target
    start, by : date
        First and last day that count.
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
        Chance of reaching the target with this plan, 0 to 1; of a path, of its least likely month.
    too_late : float
        Share of the target, 0 to 1, that no new lead can still reach in time if leads come at a
        steady pace to the end: the leads behind it should have been created before the start.
    last_useful_month : date
        First day of the last month whose leads, where they win at all, are more likely than not to
        do so in time; leads are created up to it.
    needs : dict of chance to leads
        What the same target takes for a 50, 80 and 90 % chance; a chance that no number of leads
        (under the caps) reaches is left out.
    outcome : DataFrame
        By month: ``month``, ``wins, wins_low, wins_high`` (mean and 80 % band of the simulated
        months), ``new_mrr, new_mrr_low, new_mrr_high`` (missing where deal values are not known);
        for a target of mrr or arr also ``mrr``, the revenue that runs at the end of the month on
        average.
    already : float
        What counts towards the target and was won before the data ended.
    own_probability : float
        Chance of the leads that the user means to create (``leads_by_month``); missing without.
    rates : mapping of step to share
        Rates planned with.
    as_of : date or None
        Last day of the data; None for assumed rates.
    lead_to_won, deal_to_won : float
        Share of leads, and of deals, that win, end to end (not the product of the steps, which
        skips and deals gone back spoil); missing without leads.
    lead_size : float
        How much the number of leads varies around the plan (`kpi.planning.lead_flow`); infinite:
        no more than chance makes it.
    deal_booking : float
        Mean amount of a win; missing where not known.
    by_hand : mapping
        What the model was given beyond rates and values: ``cycle``, ``annual_churn``.
    lead_cost, deal_value : float
        Cost of a lead and new recurring revenue of a win; missing where not known.
    """

    target: Target
    start: date
    by: date
    table: pd.DataFrame
    total_leads: int | None
    total_deals: int
    probability: float
    too_late: float
    last_useful_month: date
    needs: dict[float, int]
    outcome: pd.DataFrame
    from_pipeline: float
    from_direct: float
    from_new: float
    source: str
    definitions: str
    notes: tuple[str, ...]
    rates: Mapping[str, float]
    as_of: date | None = None
    lead_to_won: float = np.nan
    deal_to_won: float = np.nan
    deal_value: float = np.nan
    deal_booking: float = np.nan
    lead_size: float = np.inf
    lead_cost: float = np.nan
    already: float = 0.0
    own_probability: float = np.nan
    seed: int = 0
    draws: int = 0
    inputs: Mapping[str, object] = field(default_factory=dict)
    by_hand: Mapping[str, float] = field(default_factory=dict)
    solve: Callable[[float], int] | None = field(default=None, repr=False)

    @property
    def confidence(self) -> float:
        """Chance asked for."""
        return self.target.confidence

    @property
    def wins(self) -> float | None:
        """Deals to win, where that is the target."""
        return self.target.amount if self.target.kind == "wins" else None

    @property
    def new_mrr(self) -> float | None:
        """New recurring revenue to win, where that is the target."""
        return self.target.amount if self.target.kind == "new_mrr" else None

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

    @property
    def leads_by_month(self) -> dict[str, int]:
        """Records to create at the top of the funnel by 'YYYY-MM', as `simulate` takes them."""
        return {f"{month:%Y-%m}": int(n) for month, n in self.months_to_create.items()}

    @property
    def spend(self) -> float:
        """Cost of the leads to create; missing where a lead's cost is not known."""
        return self.to_create * self.lead_cost if self.total_leads is not None else float("nan")

    @property
    def cac(self) -> float:
        """Spend on new leads per win that they bring; missing where it cannot be told."""
        return self.spend / self.from_new if self.from_new > 0 else float("nan")

    def payback(self, gross_margin: float = 1.0) -> float:
        """Months until a win has paid back what it cost to acquire, at a gross margin of 0 to 1."""
        earned = self.deal_value * gross_margin
        return self.cac / earned if earned > 0 else float("nan")

    @property
    def sellers(self) -> pd.DataFrame:
        """Sellers the busiest month takes by the rules of thumb, not yours: one row a rule.

        ``rule`` (what one seller handles in a month), ``each``, ``most`` (the busiest month's
        need), ``sellers``.
        """
        top = self.table["stage"].iloc[0]
        steps = self.table["stage"].unique()
        deal = steps[1] if top == "leads" and len(steps) > 1 else steps[0]
        rules = {"deals created": (deal, DEALS_A_SELLER), "deals won": ("won", WINS_A_SELLER)}
        if top == "leads":
            rules = {"leads": ("leads", LEADS_A_SELLER), **rules}
        rows = []
        for rule, (stage, each) in rules.items():
            most = float(self.table.loc[self.table["stage"] == stage, "need"].max())
            rows.append((rule, each, most, int(np.ceil(round(most / each, 6)))))
        return pd.DataFrame(rows, columns=["rule", "each", "most", "sellers"])

    def leads_for(self, confidence: float) -> int:
        """Records to create for another chance of the same target.

        Raises
        ------
        PlanError
            If the chance is not between 0 and 1, no number of leads reaches it, or the plan was
            read from a file that does not hold it.
        """
        if not 0 < confidence < 1:
            raise PlanError(
                f"confidence = {confidence}; expected a chance above 0 and below 1 (0.8)"
            )
        if confidence in self.needs:
            return self.needs[confidence]
        if self.solve is None:
            known = ", ".join(f"{q:.0%}" for q in self.needs)
            raise PlanError(f"the file of this plan holds the leads for {known} only")
        return self.solve(confidence)

    def freeze(self, path: str | Path) -> Path:
        """Write the plan to a TOML file that nothing rewrites; see `kpi.planning.frozen`."""
        from kpi.planning.frozen import freeze  # noqa: PLC0415 - frozen reads plans

        return freeze(self, path)

    @classmethod
    def load(cls, path: str | Path) -> "Plan":
        """Read a frozen plan; see `kpi.planning.frozen`."""
        from kpi.planning.frozen import load  # noqa: PLC0415 - frozen reads plans

        return load(path)
