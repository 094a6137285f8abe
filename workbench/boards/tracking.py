"""The tracking board: a frozen plan against what came, why, and what is left to do."""

import html
from pathlib import Path
from typing import Any

import ipywidgets as w
import pandas as pd

from kpi import Snapshot, TableError
from kpi.planning import Plan, bridge, reforecast, track
from workbench import charts_plan, plan_tables, plan_words, theme, words
from workbench.boards.freezer import PLANS
from workbench.boards.parts import Filters, Frame, OnDemand, Shown
from workbench.boards.parts.filters import BOX, NAMED

KPIS = ("deals_won", "win_rate", "lead_conversion", "average_monthly_deal_value")
HEIGHT = 720
NO_PLAN = (
    "Which plan? Freeze one first (ReverseFunnelBoard has a button, board.plan.freeze(path) does the "
    "same), then give it here: TrackingBoard(snapshot, plan='out/plans/name.toml')."
)


class TrackingBoard:
    """Widgets for a plan under way: `track`, `bridge` and `reforecast` of `kpi.planning`.

    Parameters
    ----------
    snapshot : Snapshot
        Of the company that the plan was made for, narrowed in the same way.
    plan : Plan or path, optional
        As made, or the file it was frozen in; default: one can be chosen from ``out/plans``.

    Attributes
    ----------
    file : Dropdown
        Plans that can be chosen: the one given, and those frozen beside the notebook.
    filters : Filters
        The last day that is known.
    plan : Plan or None
    tracked, bridged : DataFrame or None
        Actual against plan; the gap by its causes.
    again : OnDemand
        Plans the rest anew; the result is `rest`, a Plan.
    sentence, problem : str
        The answer, and why there is none.
    view : VBox
    """

    def __init__(self, snapshot: Snapshot, plan: Plan | str | Path | None = None) -> None:
        snapshot.need("deals", of="the tracking board")
        self.plan: Plan | None = None
        self.rest: Plan | None = None
        self.tracked: pd.DataFrame | None = None
        self.bridged: pd.DataFrame | None = None
        self._plans: dict[str, Plan] = {}
        options = _choices(plan)
        if isinstance(plan, Plan):
            self._plans[options[0][1]] = plan
        self.filters = Filters(snapshot, only=("as_of",))
        self.file = w.Dropdown(
            options=options,
            value=options[0][1],
            description="Plan",
            tooltip="A plan frozen in a file",
            style=NAMED,
            layout=BOX,
        )
        self.again = OnDemand("Plan the rest anew", self._planned_again, self._told_again)
        self.rest_said = w.HTML()
        leads = "leads" in snapshot.present
        self.frame = Frame(
            "tracking",
            self._show,
            controls={"file": self.file},
            filters=self.filters,
            kpis=[name for name in KPIS if leads or name != "lead_conversion"],
            height=HEIGHT,
            more=[self.again.view, self.rest_said],
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
        self._forget()
        snapshot = self.filters.snapshot
        plan = self.plan = self._chosen()
        tracked = self.tracked = track(plan, snapshot)
        found = self.bridged = bridge(plan, snapshot)
        kind = plan.target.kind
        said = plan_words.track_said(plan, found, tracked)
        return Shown(
            sentence=said,
            facts=[("The plan", _planned(plan)), *plan_words.outside_facts(tracked)],
            picture=theme.image(charts_plan.track(tracked), said)
            + theme.image(charts_plan.bridge(found, kind), "From the plan to what came"),
            tables={
                "Actual / planned": plan_tables.track_table(tracked),
                "The gap by its causes": plan_tables.bridge_table(found, kind),
            },
            notes=[f"{note}." for note in tracked.attrs["notes"]],
            source=f"{snapshot.described} · plan from: {plan.source}",
            data={"track": tracked, "bridge": found},
        )

    def _chosen(self) -> Plan:
        name = self.file.value
        if not name:
            raise TableError(NO_PLAN)
        if name not in self._plans:
            self._plans[name] = Plan.load(name)
        return self._plans[name]

    def _planned_again(self) -> Plan:
        """Plan the rest, in a snapshot of its own: the board's may be read meanwhile."""
        snapshot = self.filters.snapshot
        return reforecast(self._chosen(), snapshot.at(snapshot.as_of))

    def _told_again(self, rest: Plan) -> None:
        self.rest = rest
        notes = "".join(f"<li>{html.escape(note)}.</li>" for note in rest.notes)
        self.rest_said.value = (
            f'<div class="rf-answer">{html.escape(plan_words.rest_said(rest))}</div>'
            f'<ul class="rf-note">{notes}</ul>'
        )

    def _forget(self) -> None:
        """Drop what was worked out for another plan or day."""
        self.again.stop("stopped: the inputs changed")
        self.plan = self.rest = self.tracked = self.bridged = None
        self.rest_said.value = ""

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        """Show the widgets; where there are none (a viewer, a test), the answer as text."""
        return self.frame.bundle(**options)


def _choices(plan: Plan | str | Path | None) -> list[tuple[str, str]]:
    """Name and file of each plan to choose from, the one given first."""
    kept = [(path.stem, str(path)) for path in sorted(PLANS.glob("*.toml"))]
    if plan is None:
        return [("choose a plan", ""), *kept]
    if isinstance(plan, Plan):
        return [("the plan given", "given"), *kept]
    path = Path(plan)
    return [(path.stem, str(path)), *[each for each in kept if Path(each[1]) != path]]


def _planned(plan: Plan) -> str:
    made = "" if plan.as_of is None else f", made from data up to {words.day(plan.as_of)}"
    return (
        f"{words.target(plan)} from {words.day(plan.start)} to {words.day(plan.by)}, "
        f"{plan.to_create:,} {plan.top} to create{made}"
    )
