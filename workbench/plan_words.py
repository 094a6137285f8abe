"""A plan tracked, and a funnel run forwards, in a sentence."""

import pandas as pd

from kpi.planning import Plan
from workbench import words
from workbench.plan_tables import level, signed
from workbench.tables import each
from workbench.theme import money_text, percent_text, whole_text

OUTSIDE = ("above", "below")
UNITS = {
    "wins": "wins",
    "new_mrr": "of new MRR",
    "bookings": "of bookings",
    "mrr": "of MRR",
    "arr": "of ARR",
}


def track_said(plan: Plan, found: pd.DataFrame, tracked: pd.DataFrame) -> str:
    """Say what came of what was planned by the day, the largest cause, and how much is chance."""
    kind, gap = plan.target.kind, float(found.attrs["gap"])
    money = kind != "wins"
    came = level(found.attrs["actual"], money=money)
    due = level(found.attrs["plan"], money=money)
    verb = "runs" if plan.target.is_level else "came"
    until = words.day(found.attrs["until"])
    start = f"By {until}, {came} {UNITS[kind]} {verb} of the {due} planned"
    return f"{start}{_largest(found, gap, money=money)}; {outside_said(tracked)}."


def _largest(found: pd.DataFrame, gap: float, *, money: bool) -> str:
    """Name the driver that did most towards the gap."""
    same = found[(found["effect"] > 0) == (gap > 0)]
    if same.empty or gap == 0:
        return ""
    most = same.iloc[int(same["effect"].abs().argmax())]
    return f", the largest cause {most['driver']} ({signed(most['effect'], money=money)})"


def outside_said(tracked: pd.DataFrame) -> str:
    """Say how many of the finished months and stages chance does not explain."""
    over = tracked[tracked["mature"]]
    if over.empty:
        return "no month is over yet, so nothing can be judged"
    n = int(over["status"].isin(OUTSIDE).sum())
    what = "finished months and stages"
    return (
        f"{n} of {len(over)} {what} lie outside the 80% band, where chance alone puts one in five"
    )


def outside_facts(tracked: pd.DataFrame) -> list[tuple[str, str]]:
    """Name the stages that came outside the band, and in which months."""
    found = []
    for status in OUTSIDE:
        rows = tracked[tracked["status"] == status]
        named = [f"{row.label} {row.month:%b %Y}" for row in each(rows)]
        if named:
            found.append((f"{status.capitalize()} the band", ", ".join(named)))
    return found


def rest_said(plan: Plan) -> str:
    """Say what is left to do, of a plan made anew."""
    kind = plan.target.kind
    done = level(plan.already, money=kind != "wins")
    won = "" if plan.target.is_level else f"So far: {done} {UNITS[kind]}. "
    return won + words.sentence(plan)


def levers_said(found: pd.DataFrame, *, own: bool = False) -> str:
    """Say what the leads reach as things stand: your own, or those of the usual pace."""
    leads = next(iter(found.attrs["leads"].values()))
    whose = "your own" if own else "the usual"
    chance = percent_text(float(found["chance_now"].iloc[0]))
    return f"With {whose} {whole_text(leads)} a month the chance is {chance}; each lever alone:"


def bottoms_up_said(table: pd.DataFrame, conversion: float, win_rate: float) -> str:
    """Say what the leads bring by the end of the months shown."""
    first = table["leads"].iloc[0]
    month = f"{table['month'].iloc[-1]:%B %Y}"
    return (
        f"{whole_text(first)} leads a month, {percent_text(conversion)} of them opportunities and "
        f"{percent_text(win_rate)} of these won, bring {table['wins'].sum():,.1f} wins and "
        f"{money_text(table['new_mrr'].sum(), '')} of new MRR by the end of {month}; "
        f"{money_text(table['mrr'].iloc[-1], '')} of MRR runs then."
    )
