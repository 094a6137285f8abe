"""The team board: who meets their quota, what each gets done, and whether they can carry the plan."""

from datetime import date, timedelta
from typing import Any

import ipywidgets as w
import pandas as pd

from kpi import Snapshot, TableError, quota_attainment, seller_minimums
from kpi.activity.minimums import DEALS_CREATED, LEADS
from kpi.periods import Every, as_date, month_start
from kpi.planning import FunnelModel, Plan, capacity, recent_wins, reverse_funnel
from kpi.planning.workload import DEALS_A_SELLER, LEADS_A_SELLER
from workbench import charts_team, team_tables, team_words, theme
from workbench.boards.inputs import LABEL, WIDTH, NumberInput
from workbench.boards.parts import Filters, Frame, Shown
from workbench.boards.parts.explain import period_name
from workbench.boards.parts.filters import NAMED
from workbench.boards.team_inputs import cuts, nothing, pace, paces

KPIS = ("quota_attainment", "seller_minimums")
MONTHS = 6
HEIGHT = 760
MINIMUMS = "What each seller gets done in a month (last twelve), beside the rule of thumb"
RULES_NOTE = (
    "Rules of thumb (▼ below, ✓ within, ▲ above) are those of a company that sells outbound "
    "(Tracking Success, sales newsletter 067): no part of your numbers."
)


class TeamBoard:
    """Widgets for a sales team: quotas, the bare minimum of each seller, and capacity for a plan.

    Parameters
    ----------
    snapshot : Snapshot
        Needs deals; quotas, owners, leads, suspects and stages add what they hold.
    plan : Plan, optional
        What the team is to carry; default: the wins asked for, planned back by `by`.
    every : {"month", "quarter", "year"}
        Length of the periods of the quotas at first.
    wins : float, optional
        Wins to plan for at first; default those of the last six months.
    by : date, optional
        Last day that counts at first; default six months from the next month on.

    Attributes
    ----------
    cut : ToggleButtons
        Quotas by seller, team or kind of business (new against existing).
    wins, by : FloatText, DatePicker
        The target of the plan; not there where a plan was given.
    leads_per_seller, deals_per_seller : NumberInput
        What a seller can work in a month; at first what each did lately.
    ramp, leave : NumberInput
        Months that a new seller takes to full speed; sellers who leave, per cent a year.
    filters : Filters
    plan, capacity : Plan, DataFrame or None
        What the team is to carry, and whether it can, for what the controls say.
    sentence, problem : str
        The answer, and why there is none.
    view : VBox
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        plan: Plan | None = None,
        every: Every = "quarter",
        wins: float | None = None,
        by: date | str | None = None,
    ) -> None:
        snapshot.need("deals", of="the team board")
        self._given = plan
        self._fitted: tuple[Snapshot, FunnelModel] | None = None
        self.plan: Plan | None = None
        self.capacity: pd.DataFrame | None = None
        self.filters = Filters(snapshot, only=("as_of", "since", "every"), every=every)
        self.cut = w.ToggleButtons(
            options=cuts(snapshot),
            description="Quotas by",
            style={**NAMED, "button_width": "84px"},
            layout={"width": "340px"},
        )
        self._make_inputs(wins, by)
        numbers = [self.leads_per_seller, self.deals_per_seller, self.ramp, self.leave]
        target = {} if plan else {"wins": self.wins, "by": self.by}
        controls = {"cut": self.cut, **target, **{n.label: n.field for n in numbers}}
        self.frame = Frame(
            "team",
            self._show,
            controls=controls,
            left=[
                self.cut,
                w.HTML("<h4>Can they carry the plan</h4>"),
                *target.values(),
                *[number.view for number in numbers],
            ],
            filters=self.filters,
            kpis=KPIS if "quotas" in snapshot.present else KPIS[1:],
            height=HEIGHT,
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

    def _make_inputs(self, wins: float | None, by: date | str | None) -> None:
        snapshot = self.filters.snapshot
        end = month_start(snapshot.as_of, MONTHS + 1) - timedelta(days=1)
        self.wins = w.FloatText(
            value=float(wins or recent_wins(snapshot) or 1),
            description="Wins to plan for",
            style=LABEL,
            layout=w.Layout(width=WIDTH),
            continuous_update=False,
        )
        self.by = w.DatePicker(
            value=as_date(by) if by else end,
            description="By the end of",
            style=LABEL,
            layout=w.Layout(width="314px"),
        )
        leads, deals = paces(snapshot)
        self.leads_per_seller = pace("Leads a seller, month", leads, LEADS, LEADS_A_SELLER)
        self.deals_per_seller = pace("Deals a seller, month", deals, DEALS_CREATED, DEALS_A_SELLER)
        self.ramp = NumberInput(
            "Ramp, months",
            3.0,
            history="assumed, where owners do not say",
            step=0.5,
            changed=nothing,
        )
        self.leave = NumberInput(
            "Leave a year, %", 0.0, history="assumed: nobody leaves", step=1, changed=nothing
        )

    def _show(self) -> Shown:
        snapshot, every, column = self.filters.snapshot, self.filters.every.value, self.cut.value
        table = self.filters.table
        whole = attained = None
        if column:
            whole = table(quota_attainment, every=every)
            attained = _named(snapshot, table(quota_attainment, by=column, every=every), column)
        minimums = table(seller_minimums)
        last = team_words.last_ended(whole)
        return Shown(
            sentence=f"{self._quota_said(last, every)} {self._carried(snapshot)}",
            facts=[*team_words.minimum_facts(minimums), *team_words.below(minimums)],
            picture=_picture(attained, column, last, self.capacity),
            tables=self._tables(attained, column, minimums),
            notes=[RULES_NOTE, *self._capacity_notes()],
            source=snapshot.described,
            data=self._data(attained, minimums),
            asked=_asked(snapshot, last, every, minimums),
        )

    def _quota_said(self, last: "pd.Series[Any] | None", every: str) -> str:
        if not self.cut.value:
            return "The data has no quotas."
        return team_words.quota_said(last, every, self.filters.currency)

    def _carried(self, snapshot: Snapshot) -> str:
        """Set the team against the plan, and say in words whether it can carry it."""
        self.plan = self.capacity = None
        if "owners" not in snapshot.present:
            return "Whether the sellers can carry a plan is not known: the data has no owners."
        self.plan = self._given or self._planned(snapshot)
        self.capacity = capacity(
            self.plan,
            snapshot.owners.to_pandas(),
            leads_per_seller=self.leads_per_seller.field.value,
            deals_per_seller=self.deals_per_seller.field.value,
            ramp_months=self.ramp.field.value,
            leave_rate=round(self.leave.field.value / 100, 6),
        )
        return team_words.capacity_said(self.plan, self.capacity)

    def _planned(self, snapshot: Snapshot) -> Plan:
        if self.by.value is None:
            raise TableError("set the date by which the wins count")
        if self._fitted is None or self._fitted[0] is not snapshot:
            self._fitted = snapshot, FunnelModel.fit(snapshot)
        return reverse_funnel(self._fitted[1], wins=self.wins.value, by=self.by.value)

    def _tables(
        self, attained: pd.DataFrame | None, column: str, minimums: pd.DataFrame
    ) -> dict[str, pd.DataFrame]:
        found = {}
        if attained is not None:
            shown = team_tables.quota_table(attained, column, self.filters.currency)
            found["Quota: what was won of what was asked"] = shown
        if len(minimums):
            found[MINIMUMS] = team_tables.minimums_table(minimums)
        if self.capacity is not None:
            found["Capacity against the plan"] = team_tables.capacity_table(self.capacity)
        return found

    def _data(
        self, attained: pd.DataFrame | None, minimums: pd.DataFrame
    ) -> dict[str, pd.DataFrame]:
        found = {
            "quota_attainment": attained,
            "seller_minimums": minimums,
            "capacity": self.capacity,
        }
        return {name: table for name, table in found.items() if table is not None}

    def _capacity_notes(self) -> list[str]:
        return [] if self.capacity is None else list(self.capacity.attrs["notes"])

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        """Show the widgets; where there are none (a viewer, a test), the answer as text."""
        return self.frame.bundle(**options)


def _named(snapshot: Snapshot, attained: pd.DataFrame, column: str) -> pd.DataFrame:
    """Call sellers by their names; two of the same name keep their ids beside it."""
    if column != "owner" or "owners" not in snapshot.present:
        return attained.assign(**{column: attained[column].fillna("(none)")})
    owners = snapshot.owners.to_pandas().set_index("owner_id")["name"].dropna()
    twice = owners[owners.duplicated(keep=False)]
    names = owners.to_dict() | {owner: f"{name} ({owner})" for owner, name in twice.items()}
    return attained.assign(owner=[names.get(owner, owner) for owner in attained["owner"]])


def _picture(
    attained: pd.DataFrame | None,
    column: str,
    last: "pd.Series[Any] | None",
    able: pd.DataFrame | None,
) -> str:
    drawn = []
    if attained is not None and last is not None:
        rows = attained[(attained["period"] == last["period"]) & attained["value"].notna()]
        title = f"Quota won in the period from {last['period']:%B %Y}"
        drawn.append(theme.image(charts_team.quotas(rows, column, title), title))
    if able is not None:
        drawn += [_work(able, "leads"), _work(able, "deals")]
    return "".join(drawn)


def _work(able: pd.DataFrame, what: str) -> str:
    said = f"{what.capitalize()} a month: what sellers can work, and what the plan needs"
    return theme.image(charts_team.capacity(able, what), said)


def _asked(
    snapshot: Snapshot,
    last: "pd.Series[Any] | None",
    every: Every,
    minimums: pd.DataFrame,
) -> dict[str, dict[str, Any]]:
    """Say which number of each KPI "Explain this number" accounts for."""
    asked: dict[str, dict[str, Any]] = {}
    if last is not None:
        fiscal = snapshot.definitions.fiscal_year_start
        asked["quota_attainment"] = {"period": period_name(last["period"], every, fiscal)}
    if len(minimums):
        seller = str(minimums["owner_id"].iloc[0])
        asked["seller_minimums"] = {"owner": seller, "indicator": "deals_won"}
    return asked
