"""The recurring board: whether recurring revenue grows, and what it loses."""

from typing import Any

import ipywidgets as w
import pandas as pd

from kpi import MissingTableError, Snapshot, TableError, mrr_movements, retention_curve
from kpi.periods import Every
from workbench import (
    charts,
    charts_recurring,
    recurring_customers,
    recurring_tables,
    recurring_words,
    tables,
    theme,
)
from workbench.boards import recurring_numbers
from workbench.boards.parts import Filters, Frame, Shown
from workbench.boards.parts.explain import period_name
from workbench.boards.parts.filters import BOX, NAMED
from workbench.boards.recurring_inputs import margin, parts
from workbench.recurring_loss import Loss, followed, loss

KPIS = (
    "mrr",
    "mrr_movements",
    "gross_retention",
    "net_retention",
    "gross_mrr_churn",
    "net_mrr_churn",
    "customer_churn",
    "customers",
    "quick_ratio",
    "retention_curve",
    "lifetime_value",
)
HEIGHT = 780
DRAWN = {"month": 24, "quarter": 16, "year": 10}
"""How many periods are drawn while nothing says where they begin."""
LISTED = 12
NO_LINES = (
    "the recurring board needs the table subscriptions, one row per recurring line (account_id, mrr, "
    "starts_on, ends_on): put subscriptions.csv beside the other tables, or sync the line items of "
    "your CRM; the data has {}"
)
MOVED = f"What moved it, the latest {LISTED} periods"
RATES = "Rates by period, with 95% interval"


class RecurringBoard:
    """Widgets for recurring revenue: what it is, what moved it, what it loses and who stays.

    Parameters
    ----------
    snapshot : Snapshot
        Needs subscriptions (what is missing is said on the board); accounts tells who pays and
        names customers, deals the gross margin.
    every : {"month", "quarter", "year"}
        Length of the periods at first.

    Attributes
    ----------
    part : Dropdown
        Broken down by product, industry, region or size; those with more than one value.
    comebacks : ToggleButtons
        Whether customers who left and came back count as kept (net retention, quick ratio).
    margin : NumberInput
        Gross margin of what customers pay, per cent; at first that of the won deals.
    filters : Filters
        As-of date, first period and length of the periods.
    loss : Loss or None
        What churn takes in a year, as the sentence says it.
    sentence, problem : str
        The answer, and why there is none.
    view : VBox
    """

    def __init__(self, snapshot: Snapshot, *, every: Every = "month") -> None:
        self.loss: Loss | None = None
        self.filters = Filters(snapshot, only=("as_of", "since", "every"), every=every)
        self.part = w.Dropdown(
            options=parts(snapshot), description="Revenue", style=NAMED, layout=BOX
        )
        self.comebacks = w.ToggleButtons(
            options=[("lost", False), ("kept", True)],
            description="Who comes back",
            tooltips=["Who left and came back counts as lost", "Who came back counts as kept"],
            style={**NAMED, "button_width": "78px"},
            layout={"width": "340px"},
        )
        self.margin = margin(snapshot)
        controls = {"part": self.part, "comebacks": self.comebacks, "margin": self.margin.field}
        self.frame = Frame(
            "recurring",
            self._show,
            controls=controls,
            left=[self.part, self.comebacks, self.margin.view],
            filters=self.filters,
            kpis=KPIS,
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

    def _show(self) -> Shown:
        snapshot, every, currency = self._asked_for()
        self.loss = None
        back = self.comebacks.value
        found = recurring_numbers.standing(self.filters, back=back, margin=self._margin)
        now = found["mrr"].iloc[0]
        if pd.isna(now["value"]):
            raise TableError(
                f"not enough data: no recurring line had begun by {snapshot.as_of}; "
                "choose a later as-of date, or check starts_on in table subscriptions"
            )
        length = followed(snapshot)
        self.loss = loss(found["gross_retention"].iloc[0], length, int(now["n"]))
        moved = self.filters.table(mrr_movements, every=every)
        last = recurring_words.last_ended(moved, every, snapshot.as_of)
        rows = {name: table.iloc[0] for name, table in found.items()}
        curve = self.filters.table(retention_curve)
        by_period = recurring_numbers.by_period(self.filters, every, back=back)
        return Shown(
            sentence=recurring_words.sentence(
                now, last, every, self.loss, snapshot.as_of, currency
            ),
            facts=recurring_words.facts(rows, length, currency),
            picture=self._picture(moved, curve, every),
            tables=self._tables(moved, by_period, curve, length),
            notes=recurring_words.notes(
                self.part.value, len(self._cut().get("mrr", ())), snapshot.window_start
            ),
            source=snapshot.described,
            data={
                "mrr_movements": moved,
                "retention_curve": curve,
                **by_period,
                **self._named_cut(),
            },
            asked=self._asked(last, every, curve),
        )

    def _asked_for(self) -> tuple[Snapshot, Every, str]:
        snapshot = self.filters.snapshot
        if "subscriptions" not in snapshot.present:
            raise MissingTableError(NO_LINES.format(sorted(snapshot.present)))
        share = self.margin.field.value
        if not 0 < share <= 100:
            raise TableError(f"gross margin: {share:g} %; expected above 0 and up to 100")
        return snapshot, self.filters.every.value, self.filters.currency

    @property
    def _margin(self) -> float | None:
        given = self.margin.override
        return None if given is None else round(given / 100, 6)

    def _cut(self) -> dict[str, pd.DataFrame]:
        return recurring_numbers.cut(self.filters, self.part.value, back=self.comebacks.value)

    def _picture(self, moved: pd.DataFrame, curve: pd.DataFrame, every: Every) -> str:
        """Revenue and its moves, and who stays."""
        recent = moved if self.filters.since.value else moved.tail(DRAWN[every])
        symbol = recurring_tables.symbol(self.filters.currency)
        drawn = ""
        if len(recent):
            said = "Monthly recurring revenue and what moved it"
            drawn = theme.image(charts.mrr_bridge(recent, symbol), said)
        if curve["month"].max() > 0:
            said = "Share of customers and revenue still there, by months since they began"
            drawn += theme.image(charts_recurring.retention(curve), said)
        return drawn

    def _tables(
        self,
        moved: pd.DataFrame,
        by_period: dict[str, pd.DataFrame],
        curve: pd.DataFrame,
        length: int,
    ) -> dict[str, pd.DataFrame]:
        currency, column = self.filters.currency, self.part.value
        over = f"last {recurring_words.window(length)}"
        found = {}
        if column:
            shown = recurring_tables.parts_table(self._cut(), column, currency)
            found[f"By {column}: what it brings, and what it loses ({over})"] = shown
        largest = self.filters.table(recurring_customers.largest)
        gone = self.filters.table(recurring_customers.lost)
        symbol = recurring_tables.symbol(currency)
        found |= {
            MOVED: tables.movement_table(moved.tail(LISTED), symbol),
            RATES: recurring_tables.rates_table(by_period, last=LISTED),
            "Who stays": recurring_tables.curve_table(curve),
            "The largest customers": recurring_tables.largest_table(largest, currency),
            f"Customers lost, the largest first ({over})": recurring_tables.lost_table(
                gone, currency
            ),
        }
        return {heading: table for heading, table in found.items() if len(table)}

    def _named_cut(self) -> dict[str, pd.DataFrame]:
        return {f"{name}_by_{self.part.value}": table for name, table in self._cut().items()}

    def _asked(
        self, last: "pd.Series[Any] | None", every: Every, curve: pd.DataFrame
    ) -> dict[str, dict[str, Any]]:
        """Say which number of each KPI "Explain this number" accounts for: those of the sentence."""
        back = {"reactivation": self.comebacks.value}
        asked: dict[str, dict[str, Any]] = {
            "net_retention": back,
            "quick_ratio": back,
            "retention_curve": {"month": int(min(12, curve["month"].max()))},
            "lifetime_value": {"gross_margin": self._margin},
        }
        if last is not None:
            fiscal = self.filters.snapshot.definitions.fiscal_year_start
            asked["mrr_movements"] = {"period": period_name(last["period"], every, fiscal)}
        return asked

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        """Show the widgets; where there are none (a viewer, a test), the answer as text."""
        return self.frame.bundle(**options)
