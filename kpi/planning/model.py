"""FunnelModel: what a company's own history says about its funnel, or what a founder assumes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from kpi.cohorts import durations
from kpi.deals.win_rate import of_type
from kpi.engine import collect
from kpi.periods import day_number, from_day, month_start
from kpi.planning.caveats import caveats
from kpi.planning.curve import Curve, Floats, Rate, fitted, known
from kpi.planning.ladder import Ladder, ladder
from kpi.rewind import count
from kpi.snapshot import Snapshot
from kpi.tables import TableError

DIRECT_MONTHS = 12
RECENT_MONTHS = 6
LEADS, WON = "leads", "won"


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
    values : array or None
        New recurring revenue of each deal won (reporting currency a month); None: not known.
    source : str
        Whose figures these are, in words.
    notes : tuple of str
        What the reader must know about them.
    """

    steps: tuple[Step, ...]
    curves: Mapping[tuple[int, int], Curve]
    as_of: date | None
    source: str
    values: Floats | None = None
    waiting: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame({"step": [], "age": [], "n": []}, dtype="int64")
    )
    direct_per_month: float = 0.0
    leads_per_month: float = np.nan
    recent_wins: int = 0
    factors: Mapping[int, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

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
        snapshot.need("deals", of="FunnelModel.fit")
        rungs = ladder(snapshot)
        curves = _curves(snapshot, rungs)
        if rungs.has_leads and curves[0, len(rungs.steps) - 1].final == 0:
            rungs = rungs.without_leads()
            curves = _curves(snapshot, rungs)
        top = len(rungs.steps) - 1
        if curves[0, top].final == 0:
            won = count(rungs.deals.filter(nw.col("outcome") == "won"))
            undated = f"no deal won has a creation date ({won:,} were won)"
            why = undated if won else "no deal of new business was won"
            raise TableError(
                f"{why} in the data of {snapshot.source} up to {snapshot.as_of}: there is no rate to "
                "plan with; use FunnelModel.assume(...)"
            )
        direct, leads = _monthly(snapshot, rungs)
        return cls(
            steps=tuple(Step(name, label) for name, label in rungs.steps),
            curves=curves,
            as_of=snapshot.as_of,
            source=snapshot.described,
            values=_values(rungs),
            waiting=rungs.waiting(),
            direct_per_month=direct,
            leads_per_month=leads,
            recent_wins=recent_wins(snapshot),
            notes=caveats(snapshot, rungs, curves[0, top]),
        )

    @classmethod
    def assume(
        cls,
        *,
        lead_conversion: float = 0.15,
        win_rate: float = 0.33,
        deal_value: float | None = None,
        lag_days: float | ArrayLike = 0,
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
        if deal_value is not None and not 0 < deal_value < np.inf:
            raise TableError(f"deal_value = {deal_value}; expected an amount above 0")
        try:
            won = known(lead_conversion * win_rate, lag_days)
        except ValueError as error:
            raise TableError(str(error)) from error
        return cls(
            steps=(Step(LEADS, "Leads"), Step("deals", "Deals"), Step(WON, "Won")),
            curves={
                (0, 1): known(lead_conversion),
                (0, 2): won,
                (1, 2): known(win_rate, lag_days),
            },
            as_of=None,
            source="assumed rates, not yours",
            values=None if deal_value is None else np.array([float(deal_value)]),
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
    def deal_value(self) -> float:
        """Mean new recurring revenue a month of a deal won; nan where it is not known."""
        return float(np.mean(self.values)) if self.values is not None else float("nan")

    def curve(self, start: int, end: int) -> Curve:
        """Curve from one step to another, with the overrides of the steps between."""
        factor = float(np.prod([self.factors.get(i, 1.0) for i in range(start, end)]))
        return self.curves[start, end].scaled(factor)

    def with_rates(
        self, rates: Mapping[str, float] | None = None, *, deal_value: float | None = None
    ) -> "FunnelModel":
        """Return the model with some rates, or the deal value, set by hand.

        Parameters
        ----------
        rates : mapping of step name to share
            New rate of going on from that step, above 0 and up to 1. Delays stay as observed, and
            so does the relative uncertainty.
        deal_value : float, optional
            New mean; the spread of the values is kept.

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
        values = self.values
        if deal_value is not None:
            if not 0 < deal_value < np.inf:
                raise TableError(f"deal_value = {deal_value}; expected an amount above 0")
            mean = self.deal_value
            values = np.array([deal_value]) if values is None else values * (deal_value / mean)
        return replace(self, factors=factors, values=values)


def recent_wins(snapshot: Snapshot) -> int:
    """Deals of new business won in the six months up to the as-of date."""
    day = snapshot.as_of
    back = month_start(day, -RECENT_MONTHS)
    length = (month_start(back, 1) - back).days
    since = day_number(back.replace(day=min(day.day, length)))
    won = of_type(snapshot, "new").filter(nw.col("outcome") == "won", nw.col("closed_day") > since)
    return int(collect(won.select(nw.len().alias("n")))["n"].iloc[0])


def _curves(snapshot: Snapshot, rungs: Ladder) -> dict[tuple[int, int], Curve]:
    """Incidence from every step to every later one."""
    return {
        pair: fitted(durations(snapshot, rungs.followed(*pair), [], start="start", end="end"))
        for pair in rungs.pairs
    }


def _values(rungs: Ladder) -> Floats | None:
    """New MRR of deals won; None where none is recorded."""
    won = rungs.deals.filter(nw.col("outcome") == "won", ~nw.col("mrr").is_null()).select("mrr")
    values = collect(won)["mrr"].to_numpy(dtype="float64")
    return np.sort(values) if values.sum() > 0 else None


def _monthly(snapshot: Snapshot, rungs: Ladder) -> tuple[float, float]:
    """Direct deals and leads a month over the last twelve whole months of the data."""
    first = collect(rungs.deals.select(nw.col("created_day").min()))["created_day"].iloc[0]
    nothing = 0.0, float("nan")
    if pd.isna(first):
        return nothing
    begin = max(from_day(first), snapshot.window_start or from_day(first))
    end = month_start(snapshot.as_of)
    start = max(month_start(end, -DIRECT_MONTHS), month_start(begin))
    months = (end.year - start.year) * 12 + end.month - start.month
    if months < 1:
        return nothing
    inside = [(start - from_day(0)).days, (end - from_day(0)).days]

    def monthly(frame: nw.LazyFrame, day: str) -> float:
        seen = frame.filter(nw.col(day) >= inside[0], nw.col(day) < inside[1])
        return float(collect(seen.select(nw.len().alias("n")))["n"].iloc[0]) / months

    direct = rungs.deals.filter(nw.col("lead").is_null())
    if not rungs.has_leads:
        return nothing
    return monthly(direct, "created_day"), monthly(snapshot.leads.lazy(), "created_day")
