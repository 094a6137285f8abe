"""A team in plain words: quotas met, the bare minimum, and whether the plan can be carried."""

from datetime import date
from typing import Any

import pandas as pd

from kpi.planning import Plan
from workbench import words
from workbench.kpi_tables import unit_text
from workbench.tables import each
from workbench.theme import percent_text

RUNNING = "to date"
"""How `kpi.quota_attainment` notes the period that has not ended."""
CALLED = {
    "suspects": "suspects added",
    "leads": "leads",
    "deals_created": "deals created",
    "deals_won": "deals won",
}


def last_ended(attained: pd.DataFrame | None) -> "pd.Series[Any] | None":
    """Return the latest period of `kpi.quota_attainment` that has ended and had a quota."""
    if attained is None:
        return None
    ended = attained[attained["value"].notna() & ~attained["note"].str.contains(RUNNING)]
    return None if ended.empty else ended.iloc[-1]


def quota_said(last: "pd.Series[Any] | None", every: str, currency: str) -> str:
    """Say what the team won of its quota in the latest whole period, and how many met theirs."""
    if last is None:
        return "No whole period has a quota to compare with."
    money = unit_text("reporting currency", currency)
    since = f"{last['period']:%B %Y}"
    when = f"In {since}" if every == "month" else f"In the {every} from {since}"
    return (
        f"{when} the team won {percent_text(last['value'])} of its quota ({money(last['won'])} of "
        f"{money(last['quota'])}); {last['at_quota']} of {last['sellers']} sellers met theirs."
    )


def capacity_said(plan: Plan, table: pd.DataFrame) -> str:
    """Say whether the sellers can carry a plan; if not, in which months, and whom to hire by when."""
    goal = f"{words.target(plan)} by {words.day(plan.by)}"
    short, months = int(table["short"].sum()), len(table)
    if short == 0:
        return f"They can carry {goal}: no month asks for more than they can work."
    hires, when = table.attrs["hires"], table.attrs["hire_by"]
    if not hires:
        return f"For {goal} they are too few in {short} of {months} months."
    first = date.fromisoformat(when)
    late = ", before the plan starts" if first < plan.start else ""
    more = f"{hires} more must begin, the first by {words.day(first)}{late}"
    return f"For {goal} they are too few in {short} of {months} months: {more}."


def minimum_facts(minimums: pd.DataFrame) -> list[tuple[str, str]]:
    """Say what a seller gets done in a month, on average over the sellers."""
    means = minimums.groupby("indicator")["value"].mean()
    known = {label: means.get(name) for name, label in CALLED.items()}
    said = [f"{value:.1f} {label}" for label, value in known.items() if pd.notna(value)]
    return [("A seller and month, on average", ", ".join(said))] if said else []


def below(minimums: pd.DataFrame) -> list[tuple[str, str]]:
    """Say how many numbers of the sellers stand below the rule of thumb."""
    known = minimums[minimums["standing"].notna()]
    if known.empty:
        return []
    under = sum(row.standing == "below" for row in each(known))
    text = f"{under} of {len(known)} numbers below; it is a company's that sells outbound"
    return [("Beside the rule of thumb", text)]
