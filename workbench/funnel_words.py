"""The health of a funnel in plain words: what becomes of leads, the weakest step, and the time."""

from typing import Any

import pandas as pd

from kpi.funnel.conversion import Mode
from kpi.result import FEW
from workbench import tables
from workbench.theme import percent_text


def whole(leads: pd.DataFrame | None, won: "pd.Series[Any]") -> str:
    """Say what becomes of a hundred leads; where leads are not meant or known, of a hundred deals."""
    if leads is not None and pd.notna(leads["value"].iloc[0]):
        customers = _of_100(leads["value"].iloc[0])
        becomes = "becomes a customer" if customers == "1" else "become customers"
        return f"Of 100 leads {customers} {becomes}"
    if pd.isna(won["value"]):
        return "No deal has closed yet"
    number = _of_100(won["value"])
    return f"Of 100 deals {number} {'is' if number == '1' else 'are'} won"


def _of_100(share: float) -> str:
    if share == 0:
        return "none"
    return f"{100 * share:.0f}" if share >= 0.0095 else f"{100 * share:.1g}"


def weakest(steps: pd.DataFrame, mode: Mode) -> tuple[str | None, str]:
    """Return the id of the stage after which fewest go on, and say so.

    By the share that went further; under a rule of one's own, by the plain ratio that it gives.
    """
    column, count = ("value", "n") if mode == "furthest" else ("rate", "reached")
    after = steps.groupby("pipeline_id", dropna=False)["label"].shift(-1)
    known = steps.assign(after=after)[steps[column].notna() & after.notna()]
    enough = known[known[count] >= FEW]
    known = enough if len(enough) else known
    if known.empty:
        return None, ""
    row = known.sort_values(column, kind="stable").iloc[0]
    named = f"{row['label']} → {row['after']}, {percent_text(row[column])}"
    if mode == "furthest":
        limits = f"{percent_text(row['low'])}–{percent_text(row['high'])}"
        return str(row["stage_id"]), f"the weakest step is {named} ({limits}, n {row['n']:,})"
    rule = f"counted by “{tables.RULES[mode]}”, the weakest step is"
    return str(row["stage_id"]), f"{rule} {named} (plain ratio, n {row['reached']:,})"


def rate(row: "pd.Series[Any]") -> str:
    """Write a win rate with its interval and counts; where there is none, the reason."""
    if pd.isna(row["value"]):
        return str(row["note"])
    limits = f"{percent_text(row['low'])}–{percent_text(row['high'])}"
    counts = f"{row['x']:,} won of {row['n']:,}"
    note = f"; {row['note']}" if row["note"] else ""
    return f"{percent_text(row['value'])} ({limits}, {counts}){note}"


def times(cycle: "pd.Series[Any]", stays: pd.DataFrame) -> list[tuple[str, str]]:
    """Say how long a win takes, and in which stage deals stay longest."""
    facts = []
    if pd.notna(cycle["value"]):
        half = f"half of the deals won took {cycle['value']:.0f} days or less"
        limits = f" ({cycle['low']:.0f}–{cycle['high']:.0f}, n {cycle['x']:,})"
        facts.append(("From creation to the win", half + (limits if cycle["low"] > 0 else "")))
    known = stays.dropna(subset=["value"])
    if len(known):
        row = known.sort_values("value", ascending=False, kind="stable").iloc[0]
        text = f"{row['label']}, {row['value']:.0f} days (median, n {row['n']:,})"
        facts.append(("Slowest stage", text))
    return facts
