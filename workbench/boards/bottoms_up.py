"""The bottoms-up board: what the leads bring, month by month."""

from datetime import date
from typing import Any

import ipywidgets as w
import numpy as np
import pandas as pd

from kpi import Snapshot, TableError, leads_created
from kpi.periods import as_date, month_start
from kpi.planning import FunnelModel, bottoms_up
from kpi.planning.bottoms_up import LEAD_CONVERSION, WIN_RATE, Lag
from kpi.planning.curve import Curve, Rate, months_between
from workbench import charts_plan, plan_tables, plan_words, theme
from workbench.boards.inputs import LABEL, WIDTH, NumberInput, rate_history
from workbench.boards.parts import Filters, Frame, Shown
from workbench.boards.plan_numbers import churn_number

NONE, AVERAGE, DISTRIBUTION = "none", "average", "distribution"
LAGS = {"no lag": NONE, "average lag": AVERAGE, "as in history": DISTRIBUTION}
MONTHS, MOST_MONTHS, YEAR = 12, 120, 12
HEIGHT = 430
KPIS = ("leads_created", "lead_conversion", "win_rate", "average_monthly_deal_value")


class BottomsUpBoard:
    """Widgets for `kpi.planning.bottoms_up`: four lead indicators in, the lag indicators out.

    Parameters
    ----------
    source : Snapshot or FunnelModel
        Whose history the indicators begin with.
    months : int
        Calendar months to show at first.
    start : date, optional
        A day of the first month shown; default the month after the data ends.

    Attributes
    ----------
    leads, conversion, win_rate, deal_value : NumberInput
        Leads a month; per cent of leads that become opportunities, and of these won; new recurring
        revenue a month of a win. History, interval and n stand beside them.
    churn : NumberInput or None
        Recurring revenue that leaves in a year, in per cent; None where there is none.
    months : BoundedIntText
    lag : ToggleButtons
        ``none``: a win counts in the month of its lead; ``average``: every win so many days later;
        ``distribution``: as late as wins came in history.
    earlier : Checkbox
        Whether leads of the last twelve whole months still bring wins (and those from then to the
        start, at the pace above); only with a lag.
    table : DataFrame or None
        What `bottoms_up` says for the inputs; None while they make no sense.
    sentence, problem : str
        The answer, and why there is none.
    view : VBox
    """

    def __init__(
        self,
        source: Snapshot | FunnelModel,
        *,
        months: int = MONTHS,
        start: date | str | None = None,
    ) -> None:
        self.model = FunnelModel.fit(source) if isinstance(source, Snapshot) else source
        if not self.model.has_leads:
            raise TableError("the bottoms-up board begins with leads, and the data has none")
        self._start = _first(self.model, start)
        self._before = _leads_before(source) if isinstance(source, Snapshot) else {}
        self.table: pd.DataFrame | None = None
        self._make_numbers()
        self._make_switches(months)
        numbers = {number.label: number.field for number in self._numbers}
        switches = {"months": self.months, "lag": self.lag, "earlier": self.earlier}
        known = isinstance(source, Snapshot)
        self.frame = Frame(
            "bottoms_up",
            self._show,
            controls=numbers | switches,
            left=[
                w.HTML("<h4>Lead indicators</h4>"),
                *[number.view for number in self._numbers],
                w.HTML("<h4>Time</h4>"),
                *switches.values(),
            ],
            filters=Filters(source, only=()) if isinstance(source, Snapshot) else None,
            kpis=KPIS if known else (),
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

    def _make_numbers(self) -> None:
        model = self.model
        pace = model.leads_per_month
        won = model.curves[model.first_deal, model.top].rate()
        known = 0 if model.values is None else len(model.values)
        unknown = "not known"
        self.leads = NumberInput(
            "Leads a month",
            100.0 if np.isnan(pace) else float(round(pace)),
            history=unknown if np.isnan(pace) else f"mean of the last twelve months {pace:,.1f}",
            step=1,
        )
        self.conversion = _rate("Leads → opportunity, %", model.curves[0, 1].rate())
        self.win_rate = _rate("Opportunity → won, %", won)
        self.deal_value = NumberInput(
            "Deal, new MRR",
            0.0 if np.isnan(model.deal_value) else float(round(model.deal_value)),
            history=f"mean of {known:,} deals won" if known else unknown,
            step=50,
        )
        self.churn = churn_number(model)

    @property
    def _numbers(self) -> list[NumberInput]:
        found = [self.leads, self.conversion, self.win_rate, self.deal_value, self.churn]
        return [number for number in found if number is not None]

    def _make_switches(self, months: int) -> None:
        self.months = w.BoundedIntText(
            value=months,
            min=1,
            max=MOST_MONTHS,
            description="Months",
            style=LABEL,
            layout=w.Layout(width=WIDTH),
        )
        self.lag = w.ToggleButtons(
            options=list(LAGS.items()),
            value=DISTRIBUTION,
            tooltips=[
                "A win counts in the month of its lead",
                "Every win comes the average time after its lead",
                "Wins come as late as they did in history",
            ],
            style={"button_width": "102px"},
            layout={"width": "340px"},
        )
        self.earlier = w.Checkbox(
            value=bool(self._before),
            disabled=not self._before,
            description="with the leads of the last twelve months",
            indent=False,
        )

    def _show(self) -> Shown:
        self.table = None
        table = self.table = self._worked_out()
        conversion, rate = _share(self.conversion), _share(self.win_rate)
        return Shown(
            sentence=plan_words.bottoms_up_said(table, conversion, rate),
            facts=self._facts(),
            picture=theme.image(charts_plan.bottoms_up(table), "Wins and recurring revenue"),
            tables={"Lag indicators by month": plan_tables.bottoms_up_table(table)},
            notes=[f"{note}." for note in (*table.attrs["notes"], *self._notes())],
            source=self.model.source,
            data={"bottoms_up": table},
        )

    def _worked_out(self) -> pd.DataFrame:
        model = self.model
        running = 0.0 if model.base is None else model.base.mrr
        grows = 0.0 if model.base is None else (1 + model.base.expansion) ** YEAR - 1
        churn = 0.0 if self.churn is None else round(self.churn.field.value / 100, 9)
        to_win, to_deal = self._delays()
        return bottoms_up(
            leads_per_month=self._leads(),
            lead_conversion=_share(self.conversion),
            win_rate=_share(self.win_rate),
            average_deal_value=self.deal_value.field.value,
            months=self.months.value,
            lag_days=to_win,
            opportunity_lag_days=to_deal,
            start=self._start,
            mrr=running,
            annual_churn=churn,
            annual_expansion=grows,
        )

    def _leads(self) -> dict[str, float]:
        each = self.leads.field.value
        shown = [month_start(self._start, n) for n in range(self.months.value)]
        if not self.earlier.value or self.lag.value == NONE or not self._before:
            return {f"{month:%Y-%m}": each for month in shown}
        known = as_date(f"{max(self._before)}-01")
        rest = [m for m in months_between(known, shown[-1]) if m > known]
        return self._before | {f"{month:%Y-%m}": each for month in rest}

    def _delays(self) -> tuple[Lag | None, Lag | None]:
        """Delay from lead to win, and from lead to opportunity."""
        model = self.model
        curves = model.curve(0, model.top), model.curve(0, 1)
        if self.lag.value == NONE:
            return None, None
        if self.lag.value == AVERAGE:
            return mean_days(curves[0]), mean_days(curves[1])
        return curves

    def _facts(self) -> list[tuple[str, str]]:
        model = self.model
        days, first = mean_days(model.curve(0, model.top)), mean_days(model.curve(0, 1))
        return [
            ("Average lag", f"{days:,.0f} days from lead to win, {first:,.0f} to the opportunity")
        ]

    def _notes(self) -> list[str]:
        direct = self.model.direct_per_month
        found = []
        if direct > 0:
            found.append(
                f"deals without a lead ({direct:,.1f} a month lately) come on top: not counted here"
            )
        if self.lag.value != NONE and not (self.earlier.value and self._before):
            found.append("the pipeline is taken to be empty at the start")
        return found

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        """Show the widgets; where there are none (a viewer, a test), the answer as text."""
        return self.frame.bundle(**options)


def mean_days(curve: Curve) -> float:
    """Mean delay of those that arrive, in days.

    >>> from kpi.planning.curve import known
    >>> round(mean_days(known(0.2, [0, 0.5, 0.5])), 6)
    1.5
    """
    days = len(curve.share)
    return float(days - 1 - (curve.area[days] - curve.final) / curve.final)


def _first(model: FunnelModel, start: date | str | None) -> date:
    if start is not None:
        return month_start(as_date(start))
    if model.as_of is None:
        raise TableError("an assumed model has no as-of date: give the board a start date")
    return month_start(model.as_of, 1)


def _leads_before(snapshot: Snapshot) -> dict[str, float]:
    """Leads of the last twelve whole months, by month."""
    made = leads_created(snapshot, every="month")
    whole = made[made["period"] < str(month_start(snapshot.as_of))].tail(YEAR)
    return {f"{m:%Y-%m}": float(n) for m, n in zip(whole["period"], whole["value"], strict=True)}


def _rate(label: str, rate: Rate) -> NumberInput:
    rules = {LEAD_CONVERSION, WIN_RATE}
    assumed = rate.n == 0 and rate.value in rules
    history = "rule of thumb, not yours" if assumed else rate_history(rate)
    return NumberInput(label, round(100 * rate.value, 1), history=history, step=0.5)


def _share(number: NumberInput) -> float:
    per_cent = number.field.value
    if not 0 <= per_cent <= 100:
        raise TableError(f"{number.label} = {per_cent:g}; expected 0 to 100")
    return float(round(per_cent / 100, 9))
