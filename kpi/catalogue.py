"""Every KPI as data: its question, formula, unit, basis, benchmark and source; and its explanation."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import pandas as pd

from kpi.acquisition import cost as acquisition
from kpi.acquisition import magic_number, payback, unit_economics
from kpi.activity import appointments as activity
from kpi.activity import minimums, suspects
from kpi.deals import days as velocity
from kpi.deals import flow as deal_flow
from kpi.deals import sales_velocity
from kpi.deals import size as deal_value
from kpi.deals import value as value_won
from kpi.deals import win_rate as deals
from kpi.entry import Entry
from kpi.funnel import conversion as funnel
from kpi.funnel import leakage, outlook, transitions
from kpi.leads import conversion as leads
from kpi.leads import customers as lead_customers
from kpi.leads import flow as lead_flow
from kpi.leads import growth as lead_velocity
from kpi.leads import times as lead_times
from kpi.pipeline import changes, coverage, slippage, weighted
from kpi.pipeline import stock as pipeline
from kpi.quota import attainment as quota
from kpi.recurring import committed, customers, lifetime, retention, revenue_churn, run_rate, tenure
from kpi.recurring import movements as recurring
from kpi.tables import TableError

FAMILIES = (
    lead_flow,
    lead_velocity,
    leads,
    lead_customers,
    lead_times,
    activity,
    suspects,
    minimums,
    funnel,
    leakage,
    transitions,
    outlook,
    velocity,
    deal_flow,
    deals,
    value_won,
    deal_value,
    pipeline,
    weighted,
    coverage,
    changes,
    slippage,
    sales_velocity,
    run_rate,
    committed,
    recurring,
    revenue_churn,
    customers,
    retention,
    tenure,
    lifetime,
    acquisition,
    payback,
    unit_economics,
    magic_number,
    quota,
)
ENTRIES: tuple[Entry, ...] = tuple(entry for family in FAMILIES for entry in family.ENTRIES)
KPIS: dict[str, Callable[..., pd.DataFrame]] = {entry.name: entry.kpi for entry in ENTRIES}
SAID = [field.name for field in fields(Entry) if field.name != "kpi"]


@dataclass(frozen=True)
class Explanation:
    """What a KPI means, in words; printing it reads as a page."""

    entry: Entry
    meaning: str

    def __str__(self) -> str:
        said = _said(self.entry)
        lines = [f"{name}: {text}" for name, text in said.items() if text and name != "name"]
        return "\n".join([self.entry.name, *lines, "", self.meaning])

    def __repr__(self) -> str:
        return str(self)


def catalogue() -> pd.DataFrame:
    """List every KPI: its ``name`` and, as text, what `kpi.entry.Entry` says of it.

    ``also`` holds the other names people look for, so that a search finds the option or column.
    Benchmarks are rules of thumb with their source, never mixed into a company's own numbers.

    >>> "win_rate" in catalogue()["name"].tolist()
    True
    """
    return pd.DataFrame([_said(entry) for entry in ENTRIES])


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
    entry = entry_of(name)
    return Explanation(entry, _meaning(entry.kpi.__doc__ or ""))


def entry_of(name: str) -> Entry:
    """Return the entry of a KPI; a TableError lists those there are."""
    for entry in ENTRIES:
        if entry.name == name:
            return entry
    raise TableError(f"no KPI is called {name!r}; expected one of {list(KPIS)}")


def _said(entry: Entry) -> dict[str, str]:
    """Return the fields of an entry as text, its name first."""
    values = {name: getattr(entry, name) for name in SAID}
    return {"name": entry.name} | values | {"also": ", ".join(entry.also)}


def _meaning(docstring: str) -> str:
    """Return the part of a docstring above its parameters."""
    prose = docstring.split("Parameters\n", maxsplit=1)[0].rstrip()
    return "\n".join(line.strip() for line in prose.splitlines()).strip()
