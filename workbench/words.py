"""Plans and data in plain words, as Markdown: for notebooks and the page made of them."""

from datetime import date

import numpy as np
from IPython.display import Markdown

from kpi import Snapshot
from kpi.planning import FunnelModel, Plan
from workbench.theme import money_text, percent_text

FLOWS = {
    "new_mrr": "{} of new monthly recurring revenue",
    "bookings": "{} of bookings",
    "mrr": "{} of monthly recurring revenue",
    "arr": "{} of annual recurring revenue",
}


def sentence(plan: Plan) -> str:
    """Say the answer in one sentence."""
    goal = f"{target(plan)} {_when(plan)}"
    if plan.to_create == 0:
        return (
            f"No further {plan.top} are needed for {goal}: what is open now reaches it with a "
            f"chance of {percent_text(plan.probability)}."
        )
    months = plan.months_to_create
    pace = "" if len(months) == 1 else f", about {months.max():,.0f} a month"
    return (
        f"Create {plan.to_create:,} {_each(plan)} by the end of {months.index[-1]:%B %Y}{pace}, "
        f"for {goal} with a chance of {percent_text(plan.probability)}."
    )


def _each(plan: Plan) -> str:
    return plan.top.removesuffix("s") if plan.to_create == 1 else plan.top


def target(plan: Plan) -> str:
    """Say the target: of a path, all of it."""
    if plan.target.kind == "wins":
        wins = plan.target.amount
        return "1 win" if wins == 1 else f"{wins:,.10g} wins"
    return FLOWS[plan.target.kind].format(money_text(plan.target.amount, ""))


def _when(plan: Plan) -> str:
    path = ", month by month," if len(plan.target.checkpoints) > 1 else ""
    if plan.target.is_level:
        return f"on {day(plan.by)}{path}"
    return f"between {day(plan.start)} and {day(plan.by)}{path}".rstrip(",")


def facts(plan: Plan, model: FunnelModel) -> list[tuple[str, str]]:
    """Say what stands behind the answer: name and text of each fact."""
    open_now = int(model.waiting["n"].sum())
    chances = "; ".join(f"{percent_text(q)}: {n:,} {plan.top}" for q, n in plan.needs.items())
    found = [
        ("More or less certain", chances),
        (
            "Already open",
            f"{open_now:,} {_records(plan, open_now)}, {plan.from_pipeline:,.1f} wins to expect from them in "
            f"time; direct deals bring {plan.from_direct:,.1f}, new {plan.top} {plan.from_new:,.1f}",
        ),
        (
            "Already too late",
            f"{percent_text(plan.too_late)} of the target, at a steady pace, would need {plan.top} "
            f"that exist already; those created after {plan.last_useful_month:%B %Y} mostly win too late",
        ),
    ]
    if plan.already:
        done = (
            f"{plan.already:,.10g}" if plan.target.kind == "wins" else money_text(plan.already, "")
        )
        found.append(("Already won", f"{done} since {day(plan.start)}, which counts"))
    if not np.isnan(plan.own_probability):
        found.append(
            ("Your own plan", f"reaches it with a chance of {percent_text(plan.own_probability)}")
        )
    if not np.isnan(plan.spend):
        cost = f"{money_text(plan.spend, '')} at {money_text(plan.lead_cost, '')} a lead"
        each = "" if np.isnan(plan.cac) else f", {money_text(plan.cac, '')} for each win it brings"
        found.append(("Cost", cost + each))
    if not np.isnan(model.leads_per_month) and plan.total_leads is not None:
        pace = f"{model.leads_per_month:,.0f} leads a month over the last twelve months"
        found.append(("Usual pace", pace))
    return found


def _records(plan: Plan, n: int) -> str:
    if plan.total_leads is None:
        return "deal" if n == 1 else "deals"
    return "lead or deal" if n == 1 else "leads and deals"


def credit_names(plan: Plan) -> list[str]:
    """Say where the records of a plan come from: the pipeline, direct deals, what it creates."""
    return ["open now", "direct deals", f"new {plan.top}"]


def answer(plan: Plan, model: FunnelModel, snapshot: Snapshot) -> Markdown:
    """Return the answer and what stands behind it."""
    lines = [f"## {sentence(plan)}", ""]
    lines += [f"- {name}: {text}." for name, text in facts(plan, model)]
    lines += ["", f"*{_plain(snapshot.described)}*"]
    return Markdown("\n".join(lines))


def caveats(plan: Plan) -> Markdown:
    """Return what the reader must know, one line each."""
    return Markdown("\n".join(f"- {_plain(note)}" for note in plan.notes) or "None.")


def definitions(snapshot: Snapshot) -> Markdown:
    """Return what counts, in the grammar of definitions.toml."""
    settings = snapshot.definitions
    return Markdown(f"Definitions {settings.version}:\n\n```toml\n{settings.to_toml()}\n```")


def day(value: date) -> str:
    """Write a date as people do, the same on every system.

    >>> day(date(2026, 12, 1))
    '1 December 2026'
    """
    return f"{value.day} {value:%B %Y}"


def _plain(text: str) -> str:
    """Keep words from the data from acting as Markdown."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|~$" else c for c in text)
