"""The funnel board: how many go on at each stage, where they leak, and how long they take."""

import html
from collections.abc import Callable
from typing import Any

import ipywidgets as w
import pandas as pd

from kpi import (
    Snapshot,
    TableError,
    cycle_days,
    lead_to_customer,
    leak_records,
    leaks,
    stage_conversion,
    stage_days,
    win_rate,
)
from kpi.funnel.conversion import Mode
from kpi.periods import Every
from workbench import charts, funnel_words, tables, theme
from workbench.boards.inputs import html_table
from workbench.boards.parts import Filters, Frame, OnDemand, Shown
from workbench.boards.parts.filters import BOX, NAMED
from workbench.boards.parts.records import folded
from workbench.kpi_tables import leaks_table

KPIS = ("stage_conversion", "win_rate", "lead_to_customer", "stage_days", "cycle_days")
BASES = {"deals closed": "period", "deals created": "cohort"}
HEIGHT = 600
PICTURES_KEPT = 20
NO_STAYS = pd.DataFrame(columns=["label", "value"])


class FunnelBoard:
    """Widgets for the health of the funnel: conversion, win rate, days, and leaks on demand.

    Parameters
    ----------
    snapshot : Snapshot
        Needs deals and stages; leads and history add what they hold.
    every : {"month", "quarter", "year"}
        Length of the periods of the win rate at first.

    Attributes
    ----------
    rule : Dropdown
        Counting rule of the plain ratio: ``furthest``, ``all``, ``any`` or ``linear``.
    basis : ToggleButtons
        Win rate of the deals closed (``period``) or of those created (``cohort``).
    filters : Filters
        As-of date, periods, and what to narrow to.
    leaks : OnDemand
        Looks for leaks when asked to.
    found, leak_deals : DataFrame or None, list of DataFrame
        The leaks it found (None before), and the deals of each with their links into the CRM.
    sentence, problem : str
        The answer, and why there is none.
    view : VBox
    """

    def __init__(self, snapshot: Snapshot, *, every: Every = "quarter") -> None:
        snapshot.need("deals", of="the funnel board")
        self.found: pd.DataFrame | None = None
        self.leak_deals: list[pd.DataFrame] = []
        self._pictures: dict[str, str] = {}
        self.filters = Filters(snapshot, every=every)
        self.rule = w.Dropdown(
            options=[(label, mode) for mode, label in tables.RULES.items()],
            value="furthest",
            description="Stages count",
            tooltip="What counts as having reached a stage, in deals reached and the plain ratio",
            style=NAMED,
            layout=BOX,
        )
        self.basis = w.ToggleButtons(
            options=list(BASES.items()),
            value="period",
            description="Win rate of",
            style={**NAMED, "button_width": "118px"},
            layout={"width": "340px"},
        )
        self.leaks = OnDemand("Look for leaks", self._leaks, self._leaked)
        self.leak_table = w.HTML()
        self.frame = Frame(
            "funnel",
            self._show,
            controls={"rule": self.rule, "basis": self.basis},
            filters=self.filters,
            kpis=KPIS,
            height=HEIGHT,
            more=[self.leaks.view, self.leak_table],
        )

    @property
    def sentence(self) -> str:
        """The answer as text; where there is none, why."""
        return self.frame.sentence

    @property
    def problem(self) -> str:
        """Why there is no answer; empty where there is one."""
        return self.frame.problem

    @property
    def view(self) -> w.VBox:
        """What is shown."""
        return self.frame.view

    def _show(self) -> Shown:
        snapshot, kind = self.filters.snapshot, self.filters.business
        self._forget()
        snapshot.need("stages", of="the funnel board")
        mode: Mode = self.rule.value
        table = self.filters.table
        steps = _told_apart(table(stage_conversion, mode=mode, deal_type=kind))
        if steps["reached"].sum() == 0:
            raise TableError("no deal reached a stage under these filters: choose fewer of them")
        every, basis = self.filters.every.value, self.basis.value
        over_time = table(win_rate, every=every, basis=basis, deal_type=kind)
        won = table(win_rate, basis=basis, deal_type=kind)
        stays = table(stage_days, deal_type=kind) if "history" in snapshot.present else NO_STAYS
        cycle = table(cycle_days, deal_type=kind)
        weakest, step = funnel_words.weakest(steps, mode)
        of_leads = kind == "new" and "leads" in snapshot.present
        whole = funnel_words.whole(table(lead_to_customer) if of_leads else None, won.iloc[0])
        return Shown(
            sentence=f"{whole}; {step}." if step else f"{whole}.",
            facts=[
                (f"Win rate of {_named(basis)}", funnel_words.rate(won.iloc[0])),
                *funnel_words.times(cycle.iloc[0], stays),
            ],
            picture=self._picture(steps, over_time, basis),
            tables={
                "Conversion from stage to stage": tables.conversion_table(steps),
                **({"Days in each stage": tables.days_table(stays)} if len(stays) else {}),
            },
            source=f"{snapshot.described} · counting rule: {tables.RULES[mode]}",
            data={"stage_conversion": steps, "win_rate": over_time, "stage_days": stays},
            asked=_asked(weakest, mode, basis, kind),
        )

    def _picture(self, steps: pd.DataFrame, over_time: pd.DataFrame, basis: str) -> str:
        said = "; ".join(f"{row.label}: {row.reached:,} deals" for row in tables.each(steps))
        drawn = self._drawn(steps, said, lambda: charts.funnel(steps))
        if over_time["value"].notna().sum() < 2:
            return drawn
        title = f"Win rate of {_named(basis)}"
        said = f"{title}, by period"
        return drawn + self._drawn(over_time, said, lambda: charts.rate_over_time(over_time, title))

    def _drawn(self, table: pd.DataFrame, said: str, chart: Callable[[], charts.Chart]) -> str:
        """Picture of a table, drawn once: a control that changes one does not draw the other again."""
        key = said + table.to_csv()
        if key not in self._pictures:
            made = self._pictures | {key: theme.image(chart(), said)}
            self._pictures = dict(list(made.items())[-PICTURES_KEPT:])
        return self._pictures[key]

    def _leaks(self) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
        """Look for leaks, and the deals of each, in a snapshot of its own: the board's may be read."""
        snapshot, kind = self.filters.snapshot, self.filters.business
        own = snapshot.at(snapshot.as_of)
        found, deals = leaks(own, deal_type=kind), []
        for _, row in found.iterrows():
            self.leaks.check()
            deals.append(leak_records(own, row, deal_type=kind))
        return found, deals

    def _leaked(self, made: tuple[pd.DataFrame, list[pd.DataFrame]]) -> None:
        self.found, self.leak_deals = made
        heading = "<h4>Where deals are lost beyond chance, the costliest first</h4>"
        note = f'<div class="rf-note">{html.escape(self.found.attrs["note"])}</div>'
        table = html_table(leaks_table(self.found, self.filters.currency))
        deals = [
            folded(f"Deals at {row.label}, {row.by}: {row.group}", records, "deal_id")
            for row, records in zip(tables.each(self.found), self.leak_deals, strict=True)
        ]
        self.leak_table.value = heading + (table if deals else "") + "".join(deals) + note

    def _forget(self) -> None:
        """Drop leaks that were found for another state of the inputs."""
        self.leaks.stop("stopped: the inputs changed")
        self.found, self.leak_deals = None, []
        self.leak_table.value = ""

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        """Show the widgets; where there are none (a viewer, a test), the answer as text."""
        return self.frame.bundle(**options)


def _told_apart(steps: pd.DataFrame) -> pd.DataFrame:
    """Say beside a stage which pipeline it is of, where there are several."""
    if steps["pipeline_id"].nunique() < 2:
        return steps
    named = steps["label"] + " (" + steps["pipeline_id"].astype("str") + ")"
    return steps.assign(label=named)


def _named(basis: str) -> str:
    return next(label for label, name in BASES.items() if name == basis)


def _asked(
    weakest: str | None, mode: Mode, basis: str, kind: str | None
) -> dict[str, dict[str, Any]]:
    """Say which number of each KPI "Explain this number" accounts for: those of the sentence."""
    stage = {} if weakest is None else {"stage": weakest}
    business = {"deal_type": kind}
    return {
        "stage_conversion": {**stage, "mode": mode, **business},
        "win_rate": {"basis": basis, **business},
        "stage_days": {**stage, **business},
        "cycle_days": business,
    }
