"""FunnelModel: what a company's own history says about its funnel, or what a founder assumes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from kpi.planning.base import Base, assumed
from kpi.planning.curve import Curve, Floats, Rate, known
from kpi.planning.lead_flow import LeadFlow
from kpi.planning.learn import learnt
from kpi.planning.lever_history import History
from kpi.planning.posterior import Memory
from kpi.planning.values import Values, plain
from kpi.snapshot import Snapshot
from kpi.tables import TableError

LEADS, WON = "leads", "won"


def _no_wins() -> pd.DataFrame:
    return pd.DataFrame({"day": [], "wins": [], "new_mrr": [], "bookings": []}, dtype="float64")


@dataclass(frozen=True)
class Step:
    """One step up the funnel: leads, a deal stage, or won; ``name`` is its key in a plan."""

    name: str
    label: str


@dataclass(frozen=True, eq=False)
class FunnelModel:
    """A fitted or assumed funnel: how many go on from each step, and when.

    Attributes
    ----------
    steps : tuple of Step
        First to last: leads (absent where the data has none), the deal stages, won.
    curves : mapping of (i, j) to Curve
        Share of those at step i that reach step j or a later one, by day since reaching i.
    waiting : DataFrame
        Open records: ``step``, ``age`` (days since reaching it), ``n``.
    direct_per_month, leads_per_month : float
        Deals created a month without a lead, and leads, over the last twelve whole months.
    recent_wins : int
        Deals won in the six months up to the as-of date: the target when none is given.
    delays : array, (curves, days + 1)
        Integrals, by day, of the share of wins that have come: as seen, then as it may be.
    worth, bookings : Values or None
        What deals won bring: new recurring revenue a month, and amount (reporting currency); None
        where it is not known.
    base : Base or None
        Recurring revenue that runs already, its churn and expansion; None where it is not known.
    lead_flow : LeadFlow
        Leads a month, their trend and how much they vary.
    won : DataFrame
        Deals won by day, up to the as-of date: ``day`` (number), ``wins, new_mrr, bookings``.
    closed : int
        Deals closed behind the model.
    lead_cost : float
        Cost of one lead over the last twelve whole months; missing where it is not known.
    appointments_per_lead : float
        Meetings held for each lead created, over the last twelve whole months.
    definitions : str
        Definitions behind the model, as TOML.
    cycle : float
        Length of every delay relative to history.
    annual_churn : float or None
        Churn set by hand, a year; None where it is the base's own.
    history : mapping of str to tuple of float
        What each lever was in the past, by period (`kpi.planning.lever_history.past`); empty without
        data.
    source : str
        Whose figures these are, in words.
    notes : tuple of str
        What the reader must know about them.
    """

    steps: tuple[Step, ...]
    curves: Mapping[tuple[int, int], Curve]
    as_of: date | None
    source: str
    delays: Floats
    worth: Values | None = None
    bookings: Values | None = None
    base: Base | None = None
    lead_flow: LeadFlow = field(default_factory=LeadFlow)
    won: pd.DataFrame = field(default_factory=_no_wins)
    closed: int = 0
    lead_cost: float = np.nan
    appointments_per_lead: float = np.nan
    definitions: str = ""
    cycle: float = 1.0
    annual_churn: float | None = None
    waiting: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame({"step": [], "age": [], "n": []}, dtype="int64")
    )
    direct_per_month: float = 0.0
    leads_per_month: float = np.nan
    recent_wins: int = 0
    factors: Mapping[int, float] = field(default_factory=dict)
    history: History = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    memory: Memory = field(default_factory=Memory, repr=False)

    @classmethod
    def fit(cls, snapshot: Snapshot) -> "FunnelModel":
        """Learn the funnel of new business from a snapshot.

        Rates are cumulative incidences with open records censored; the delay is the whole
        distribution, by day. Leads are followed to their deal's stages and win; deals without a
        lead form the direct stream. Data without leads gives a funnel that begins with deals.

        Raises
        ------
        TableError
            If there are no deals, or none was ever won: there is nothing to learn from. Use
            `FunnelModel.assume` then.
        """
        found = learnt(snapshot)
        steps = tuple(Step(name, label) for name, label in found.pop("steps"))
        return cls(steps=steps, **found)

    @classmethod
    def assume(
        cls,
        *,
        lead_conversion: float = 0.15,
        win_rate: float = 0.33,
        deal_value: float | None = None,
        lag_days: float | ArrayLike = 0,
        mrr: float | None = None,
        annual_churn: float = 0.0,
        annual_expansion: float = 0.0,
        lead_cost: float | None = None,
    ) -> "FunnelModel":
        """Plan without data, from rates taken as known.

        Parameters
        ----------
        lead_conversion : float
            Share of leads that become a deal, above 0 and up to 1. The default, 15 %, is a rule of
            thumb for managed service providers, not yours.
        win_rate : float
            Share of deals won, above 0 and up to 1. The default, 33 %, is such a rule too.
        deal_value : float, optional
            New recurring revenue a month of one deal won.
        lag_days : float or array
            Delay from lead to won: 0 none; a number, the mean of an exponential; an array, the
            share on day 0, 1, ...
        mrr : float, optional
            Recurring revenue that runs already, a month: for targets of mrr or arr.
        annual_churn, annual_expansion : float
            Share of it that leaves, and that customers add, in a year.
        lead_cost : float, optional
            Cost of one lead.

        Raises
        ------
        TableError
            If a rate is not above 0 and up to 1, or a value or lag is negative.

        References
        ----------
        .. [1] "Bottoms up to Revenue Growth", Channel Futures 2018 (15 % and 33 %).

        Examples
        --------
        >>> model = FunnelModel.assume(lead_conversion=0.15, win_rate=0.33)
        >>> [step.name for step in model.steps], round(model.curves[0, 2].final, 4)
        (['leads', 'deals', 'won'], 0.0495)
        """
        for name, rate in {"lead_conversion": lead_conversion, "win_rate": win_rate}.items():
            if not 0 < rate <= 1:
                raise TableError(f"{name} = {rate}; expected a share above 0 and up to 1 (0.15)")
        if deal_value is not None:
            _positive("deal_value", deal_value, "an amount above 0")
        try:
            won = known(lead_conversion * win_rate, lag_days)
        except ValueError as error:
            raise TableError(str(error)) from error
        value = None if deal_value is None else plain(np.array([deal_value]))
        return cls(
            steps=(Step(LEADS, "Leads"), Step("deals", "Deals"), Step(WON, "Won")),
            curves={
                (0, 1): known(lead_conversion),
                (0, 2): won,
                (1, 2): known(win_rate, lag_days),
            },
            as_of=None,
            source="assumed rates, not yours",
            delays=won.area[None, :] / won.final,
            worth=value,
            bookings=value,
            base=None if mrr is None else assumed(mrr, annual_churn, annual_expansion),
            lead_cost=np.nan if lead_cost is None else float(lead_cost),
            notes=("rates are assumed and taken as known; only chance varies",),
        )

    @property
    def top(self) -> int:
        """Index of the step won."""
        return len(self.steps) - 1

    @property
    def first_deal(self) -> int:
        """Index of the step at which a deal exists."""
        return 1 if self.has_leads else 0

    @property
    def has_leads(self) -> bool:
        """Whether the funnel begins with leads."""
        return self.steps[0].name == LEADS

    @property
    def rates(self) -> dict[str, Rate]:
        """Observed (or assumed) rate of going on from each step, by step name, with its counts."""
        return {self.steps[i].name: self.curves[i, i + 1].rate() for i in range(self.top)}

    @property
    def values(self) -> Floats | None:
        """New recurring revenue of each deal won, rising; None where it is not known."""
        return None if self.worth is None else self.worth.seen

    @property
    def by_hand(self) -> dict[str, float]:
        """What was set by hand beyond rates and values: ``cycle`` and ``annual_churn``."""
        found = {} if self.cycle == 1.0 else {"cycle": self.cycle}
        return found if self.annual_churn is None else found | {"annual_churn": self.annual_churn}

    @property
    def deal_value(self) -> float:
        """Mean new recurring revenue a month of a deal won; nan where it is not known."""
        return self.worth.mean if self.worth is not None else float("nan")

    def curve(self, start: int, end: int) -> Curve:
        """Curve from one step to another, with the overrides of the steps between."""
        factor = float(np.prod([self.factors.get(i, 1.0) for i in range(start, end)]))
        return self.curves[start, end].scaled(factor).stretched(self.cycle)

    def delay_areas(self) -> Floats:
        """Integrals of the share of wins that have come, by day, every delay times the cycle."""
        if self.cycle == 1.0:
            return self.delays
        days = np.arange(int(np.ceil((self.delays.shape[1] - 1) * self.cycle)) + 1) / self.cycle
        old = np.arange(self.delays.shape[1])
        beyond = np.maximum(days - old[-1], 0)
        return np.array([self.cycle * (np.interp(days, old, a) + beyond) for a in self.delays])

    def with_rates(
        self,
        rates: Mapping[str, float] | None = None,
        *,
        deal_value: float | None = None,
        cycle: float | None = None,
        annual_churn: float | None = None,
    ) -> "FunnelModel":
        """Return the model with some rates, or the deal value, set by hand.

        Parameters
        ----------
        rates : mapping of step name to share
            New rate of going on from that step, above 0 and up to 1. Delays stay as observed, and
            so does the relative uncertainty.
        deal_value : float, optional
            New mean of the new recurring revenue, and bookings in proportion; the spread is kept.
        cycle : float, optional
            Every delay times this, above 0: 0.9 is a tenth faster than history.
        annual_churn : float, optional
            Share of the recurring revenue that leaves in a year.

        Raises
        ------
        TableError
            If a step is unknown, a rate is out of range, or the history has no rate to replace.

        Examples
        --------
        >>> model = FunnelModel.assume(lead_conversion=0.1, win_rate=0.5)
        >>> round(model.with_rates({"leads": 0.2}).curve(0, 2).final, 6)
        0.1
        """
        factors = dict(self.factors)
        names = [step.name for step in self.steps[:-1]]
        for name, rate in (rates or {}).items():
            if name not in names:
                raise TableError(f"rate of {name!r}: no such step; expected one of {names}")
            if not 0 < rate <= 1:
                raise TableError(f"rate of {name!r} = {rate}; expected above 0 and up to 1")
            i = names.index(name)
            observed = self.curves[i, i + 1].final
            if observed == 0:
                raise TableError(f"rate of {name!r}: history has none to replace")
            factors[i] = rate / observed
        changed: dict[str, Any] = {"factors": factors}
        if deal_value is not None:
            changed |= self._revalued(deal_value)
        if cycle is not None:
            changed["cycle"] = _positive("cycle", cycle, "a factor above 0 (0.9)")
        if annual_churn is not None:
            changed |= {"base": self._losing(annual_churn), "annual_churn": float(annual_churn)}
        return replace(self, **changed)

    def _losing(self, annual_churn: float) -> Base:
        if self.base is None:
            raise TableError("annual_churn: the model has no recurring revenue that could leave")
        return self.base.changed(annual_churn=annual_churn)

    def _revalued(self, deal_value: float) -> dict[str, Values]:
        _positive("deal_value", deal_value, "an amount above 0")
        if self.worth is None:
            return {"worth": plain(np.array([deal_value]))}
        factor = deal_value / self.deal_value
        found = {"worth": self.worth.scaled(factor)}
        return (
            found if self.bookings is None else found | {"bookings": self.bookings.scaled(factor)}
        )


def _positive(name: str, number: float, expected: str) -> float:
    if not 0 < number < np.inf:
        raise TableError(f"{name} = {number}; expected {expected}")
    return float(number)
