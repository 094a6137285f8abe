"""Every KPI as data: its question, formula, unit, basis, benchmark and source; and its explanation."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import pandas as pd

from kpi.customers import customer_churn
from kpi.deals import win_rate
from kpi.funnel import stage_conversion
from kpi.leads import lead_conversion
from kpi.recurring import mrr_movements
from kpi.tables import TableError
from kpi.velocity import cycle_days, stage_days


@dataclass(frozen=True)
class Entry:
    """One KPI of the catalogue."""

    name: str
    question: str
    formula: str
    unit: str
    basis: str
    needs: str
    benchmark: str
    source: str


ENTRIES: tuple[Entry, ...] = (
    Entry(
        "lead_conversion",
        "What share of our leads becomes a deal?",
        "cumulative incidence of converting by an age, open leads censored, disqualified competing",
        "share, 0 to 1",
        "cohort of leads created (option: period ratio)",
        "leads",
        "15 % if unknown (MSP rule of thumb; not your own figure)",
        "Bottoms up to Revenue Growth, Channel Futures 2018; Aalen and Johansen 1978",
    ),
    Entry(
        "win_rate",
        "What share of our deals do we win?",
        "won / (won + lost)",
        "share, 0 to 1",
        "period closed (option: cohort created, open deals censored)",
        "deals",
        "33 % if unknown (MSP rule of thumb; not your own figure)",
        "Bottoms up to Revenue Growth, Channel Futures 2018; Brown, Cai and DasGupta 2001",
    ),
    Entry(
        "stage_conversion",
        "Where in the funnel do deals stop?",
        "deals that reached a later stage / deals that reached the stage; counts, and Aalen-Johansen",
        "share, 0 to 1",
        "cohort of deals created",
        "deals, stages, history",
        "none: stages differ from company to company",
        "HubSpot knowledge base, funnel report types; Aalen and Johansen 1978",
    ),
    Entry(
        "stage_days",
        "How long do deals stay in each stage?",
        "Kaplan-Meier median of days on the first visit, any exit",
        "calendar days",
        "visits entered",
        "deals, stages, history",
        "none: stages differ from company to company",
        "Kaplan and Meier 1958",
    ),
    Entry(
        "cycle_days",
        "How long does it take to win a deal?",
        "median days from creation to close of won deals; Kaplan-Meier median with open deals beside",
        "calendar days",
        "deals closed",
        "deals",
        "none: cycles differ with deal size",
        "Kaplan and Meier 1958",
    ),
    Entry(
        "mrr_movements",
        "What moved our monthly recurring revenue?",
        "start + new + expansion + reactivation - contraction - churn = end, per customer and month",
        "reporting currency a month",
        "period",
        "subscriptions (accounts: who pays)",
        "none",
        "ChartMogul help, MRR movements",
    ),
    Entry(
        "customer_churn",
        "What share of our customers do we lose?",
        "customers at the start who are gone at the end / customers at the start",
        "share, 0 to 1",
        "twelve months (option: every period)",
        "subscriptions (accounts: who pays)",
        "8 to 15 % a year (three MSP studies; not your own figure)",
        "The One Metric That Matters Most, Channel Futures 2016; ChartMogul help",
    ),
)

KPIS: dict[str, Callable[..., pd.DataFrame]] = {
    "lead_conversion": lead_conversion,
    "win_rate": win_rate,
    "stage_conversion": stage_conversion,
    "stage_days": stage_days,
    "cycle_days": cycle_days,
    "mrr_movements": mrr_movements,
    "customer_churn": customer_churn,
}


@dataclass(frozen=True)
class Explanation:
    """What a KPI means, in words; printing it reads as a page."""

    entry: Entry
    meaning: str

    def __str__(self) -> str:
        fields = asdict(self.entry)
        lines = [f"{name}: {fields[name]}" for name in fields if name != "name"]
        return "\n".join([self.entry.name, *lines, "", self.meaning])

    def __repr__(self) -> str:
        return str(self)


def catalogue() -> pd.DataFrame:
    """Every KPI: ``name, question, formula, unit, basis, needs, benchmark, source``.

    Benchmarks are rules of thumb with their source, never mixed into a company's own numbers.

    >>> "win_rate" in catalogue()["name"].tolist()
    True
    """
    return pd.DataFrame([asdict(entry) for entry in ENTRIES])


def explain(name: str) -> Explanation:
    """Say what a KPI means, how the unclear cases count, and where it comes from.

    Raises
    ------
    TableError
        If there is no such KPI; the message lists them.

    Examples
    --------
    >>> print(str(explain("win_rate")).splitlines()[1])
    question: What share of our deals do we win?
    """
    for entry in ENTRIES:
        if entry.name == name:
            text = KPIS[name].__doc__ or ""
            return Explanation(entry, _meaning(text))
    raise TableError(f"no KPI is called {name!r}; expected one of {list(KPIS)}")


def _meaning(docstring: str) -> str:
    """Return the part of a docstring above its parameters."""
    prose = docstring.split("Parameters\n", maxsplit=1)[0].rstrip()
    return "\n".join(line.strip() for line in prose.splitlines()).strip()
