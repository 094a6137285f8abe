"""The acquisition board: what a customer costs, and when it is paid back."""

from typing import Any

import ipywidgets as w
import pandas as pd

from kpi import Snapshot
from kpi.periods import Every
from workbench import acquisition_words, charts, charts_acquisition, theme
from workbench.acquisition_numbers import LABELS, Choices, Numbers
from workbench.acquisition_tables import channel_table, numbers_table, period_table
from workbench.boards.inputs import NumberInput
from workbench.boards.parts import Filters, Frame, Shown
from workbench.boards.parts.filters import BOX, NAMED
from workbench.kpi_tables import SYMBOLS

KPIS = (
    "cac",
    "cac_payback",
    "clv_to_cac",
    "lifetime_value",
    "cost_per_lead",
    "magic_number",
    "sales_marketing_cost",
)
AGAINST = {"same months": False, "a cycle earlier": True}
HORIZONS = (12, 24, 36, 60, 120)
HEIGHT = 690
NUMBERS = "What a customer costs and brings, over the last twelve whole months"
CHANNELS = "By channel, over the last twelve whole months"


class AcquisitionBoard:
    """Widgets for unit economics: cost per lead, CAC, lifetime value, payback, magic number.

    Parameters
    ----------
    snapshot : Snapshot
        Needs deals; costs, leads and subscriptions add what they hold.
    every : {"month", "quarter", "year"}
        Length of the periods at first.

    Attributes
    ----------
    lagged : ToggleButtons
        Costs that customers are held against: those of the same months, or of a median sales
        cycle earlier.
    gross_margin : NumberInput
        Per cent of revenue kept after delivery; at first what the won deals state.
    horizon : Dropdown
        Months of a customer's time that its lifetime value counts.
    labour : NumberInput
        Per cent of labour that goes into winning new customers.
    filters : Filters
    symbol : str
        What amounts are written with.
    numbers : Numbers
        What is shown, unrounded.
    sentence, problem : str
        The answer, and why there is none.
    view : VBox
    """

    def __init__(self, snapshot: Snapshot, *, every: Every = "quarter") -> None:
        snapshot.need("deals", of="the acquisition board")
        self.filters = Filters(snapshot, only=("as_of", "since", "every", "deal_type"), every=every)
        currency = self.filters.currency
        self.symbol = SYMBOLS.get(currency, f"{currency} ")
        self.numbers = Numbers(snapshot.present, self.filters.table, Choices())
        self._make_inputs()
        fields = {n.label: n.field for n in (self.gross_margin, self.labour)}
        controls = {"lagged": self.lagged, "horizon": self.horizon, **fields}
        self.frame = Frame(
            "acquisition",
            self._show,
            controls=controls,
            left=self._useful(),
            filters=self.filters,
            kpis=[name for name in KPIS if not self.numbers.lacking(name)],
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

    def _make_inputs(self) -> None:
        self.lagged = w.ToggleButtons(
            options=list(AGAINST.items()),
            value=False,
            description="Costs of the",
            tooltip="Customers are held against the costs of these months",
            style={**NAMED, "button_width": "118px"},
            layout={"width": "340px"},
        )
        self.horizon = w.Dropdown(
            options=[(f"{months} months", months) for months in HORIZONS],
            value=60,
            description="A lifetime is",
            tooltip="Months of a customer's time that the lifetime value counts at most",
            style=NAMED,
            layout=BOX,
        )
        margin, history = self._stated_margin()
        self.gross_margin = NumberInput(
            "Gross margin, %", margin, history=history, step=1, changed=_nothing
        )
        self.labour = NumberInput(
            "Labour for new, %",
            100.0,
            history="all of it, unless you know better",
            step=5,
            changed=_nothing,
        )

    def _useful(self) -> list[w.Widget]:
        """Return the inputs that can change something: without costs, or labour in them, fewer."""
        found = [self.horizon, self.gross_margin.view]
        if self.numbers.lacking("cac"):
            return found
        spent = self.numbers.kpi("sales_marketing_cost", every="year")["labour"].sum()
        return [self.lagged, *found, *([self.labour.view] if spent else [])]

    def _stated_margin(self) -> tuple[float, str]:
        """Return the margin that the number of a customer's worth rests on, and where it is from."""
        now = self.numbers.now()
        lifetime, payback = now["lifetime_value"], now["cac_payback"]
        shares = [lifetime.get("margin"), payback.get("gross_margin")]
        told = [
            None if share is None or pd.isna(share) or "taken as 1" in row["note"] else share
            for share, row in zip(shares, (lifetime, payback), strict=True)
        ]
        known = [round(100 * share, 1) for share in told if share is not None]
        if not known:
            return 100.0, "not known: all revenue taken as margin"
        of_new = f"; of new customers {100 * told[1]:.1f}" if told[0] and told[1] else ""
        return known[0], f"won deals say {known[0]:.1f}{of_new}"

    def _choices(self) -> Choices:
        """Read the controls; a number that is as history gave it is left to the KPI."""
        margin, labour = self.gross_margin.override, self.labour.override
        return Choices(
            lagged=self.lagged.value,
            gross_margin=None if margin is None else round(margin / 100, 6),
            horizon_months=self.horizon.value,
            labour=None if labour is None else round(labour / 100, 6),
            deal_type=self.filters.business,
        )

    def _show(self) -> Shown:
        snapshot, currency = self.filters.snapshot, self.filters.currency
        self.numbers = Numbers(snapshot.present, self.filters.table, self._choices())
        now, by_channel = self.numbers.now(), self.numbers.by_channel()
        answer = acquisition_words.answer(now, self.numbers.choices, currency)
        return Shown(
            sentence=f"{answer} {self._dearer('lead', 'cost_per_lead')}".strip(),
            facts=[
                *acquisition_words.worth_facts(now, self.numbers.choices, currency),
                *acquisition_words.channel_facts(by_channel, self._dearer("customer", "cac")),
            ],
            picture=self._picture(now, by_channel),
            tables=self._tables(now, by_channel),
            notes=self._notes(now, by_channel),
            source=snapshot.described,
            data=self._data(),
            asked={name: self.numbers.choices.of(name) for name in KPIS},
        )

    def _notes(self, now: "dict[str, pd.Series[Any]]", by_channel: pd.DataFrame) -> list[str]:
        lagged = acquisition_words.lag_notes(now["cac_lagged"]) if self.lagged.value else []
        shares = acquisition_words.unnamed_notes(self.numbers.unnamed())
        return [
            *acquisition_words.lacking_notes(self.numbers),
            *lagged,
            *(shares if len(by_channel) else []),
            acquisition_words.CONVENTION,
        ]

    def _dearer(self, what: str, name: str) -> str:
        """Say how much dearer a lead or a customer of the dearest channel is than of the cheapest."""
        rows = self.numbers.kpi(name, by="channel")
        together = self.numbers.kpi(name, by="channel", level=1 - 0.05 / max(len(rows), 1))
        return acquisition_words.dearer(together, what, self.filters.currency)

    def _picture(self, now: "dict[str, pd.Series[Any]]", by_channel: pd.DataFrame) -> str:
        drawn = []
        if pd.notna(now["clv_to_cac"]["value"]):
            said = acquisition_words.band_said(now["clv_to_cac"])
            drawn.append(theme.image(charts_acquisition.worth(now["clv_to_cac"]), said))
        over_time = self.numbers.kpi("cac", every=self.filters.every.value)
        if over_time["value"].notna().sum() > 1:
            name = "cac_lagged" if self.lagged.value else "cac"
            title = f"{LABELS[name]}, by {self.filters.every.value}"
            whole = float(now[name]["value"])
            chart = charts_acquisition.cost_over_time(over_time, whole, title, self.symbol)
            drawn.append(theme.image(chart, title))
        if by_channel["cost_per_lead_value"].notna().any():
            said = "What a lead and a customer of each channel cost"
            drawn.append(theme.image(charts_acquisition.channels(by_channel, self.symbol), said))
        return "".join(drawn) or self._without_costs()

    def _without_costs(self) -> str:
        """Draw what is known of channels whose costs are not: how many of their leads are won."""
        rows = self.numbers.kpi("lead_to_customer", by="channel")
        if rows["value"].notna().sum() == 0:
            return ""
        title = "Leads that became customers"
        most = rows.nlargest(charts_acquisition.DRAWN, "n")
        return theme.image(charts.rates(most, "channel", title), title)

    def _tables(
        self, now: "dict[str, pd.Series[Any]]", by_channel: pd.DataFrame
    ) -> dict[str, pd.DataFrame]:
        currency, every = self.filters.currency, self.filters.every.value
        by_period = self.numbers.by_period(every)
        found = {NUMBERS: numbers_table(now, currency)}
        if len(by_period):
            found[f"By {every}"] = period_table(by_period, currency)
        if len(by_channel):
            found[CHANNELS] = channel_table(by_channel, currency)
        return found

    def _data(self) -> dict[str, pd.DataFrame]:
        """Return the KPI tables behind it, then all numbers by period and by channel."""
        known = {name: self.numbers.kpi(name) for name in KPIS if not self.numbers.lacking(name)}
        by_period = self.numbers.by_period(self.filters.every.value)
        return known | {"by_period": by_period, "by_channel": self.numbers.by_channel()}

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        """Show the widgets; where there are none (a viewer, a test), the answer as text."""
        return self.frame.bundle(**options)


def _nothing() -> None:
    """Do nothing: the frame repaints."""
