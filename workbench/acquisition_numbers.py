"""Every number of what a customer costs and brings: as of now, by period and by channel."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Protocol

import numpy as np
import pandas as pd

import kpi
from kpi.periods import Every

Kpi = Callable[..., pd.DataFrame]
LABELS = {
    "cost_per_lead": "Cost per lead",
    "cac": "Cost of a new customer (CAC)",
    "cac_lagged": "CAC, lagged by a sales cycle",
    "lifetime_value": "Lifetime value (CLV)",
    "clv_to_cac": "CLV : CAC",
    "cac_payback": "Payback",
    "magic_number": "Magic number",
}
NEEDS = {
    "sales_marketing_cost": ("costs",),
    "cost_per_lead": ("costs", "leads"),
    "cac": ("costs", "deals"),
    "lifetime_value": ("subscriptions",),
    "clv_to_cac": ("costs", "deals", "subscriptions"),
    "cac_payback": ("costs", "deals"),
    "magic_number": ("costs", "subscriptions"),
    "lead_to_customer": ("leads", "deals"),
}
COSTED = ("allocation", "lagged", "deal_type")
TAKES = {
    "sales_marketing_cost": ("allocation",),
    "cost_per_lead": ("allocation",),
    "cac": COSTED,
    "lifetime_value": ("gross_margin", "horizon_months"),
    "clv_to_cac": (*COSTED, "gross_margin", "horizon_months"),
    "cac_payback": (*COSTED, "gross_margin"),
    "magic_number": ("allocation",),
    "lead_to_customer": (),
}
"""Which of the choices each KPI takes, by the name of its option."""
BY_PERIOD = (
    "sales_marketing_cost",
    "cac",
    "cost_per_lead",
    "cac_payback",
    "clv_to_cac",
    "magic_number",
)
LIMITS = ["value", "low", "high", "x", "n", "note"]
ENOUGH = 5
"""Leads or customers from which on a period or channel is drawn and compared: the interval of fewer
spans a factor of seven and more, and one such bar flattens all the others."""


class Table(Protocol):
    """Works a KPI out for what the filters say (`Filters.table`)."""

    def __call__(self, kpi: Kpi, **options: Hashable) -> pd.DataFrame:
        """Return its result."""


@dataclass(frozen=True)
class Choices:
    """What the controls of the board say beside the filters.

    Attributes
    ----------
    lagged : bool
        Hold customers against the costs of a median sales cycle earlier.
    gross_margin : float or None
        Share of revenue kept, 0 to 1; None: as the deals state it.
    horizon_months : int
        Months of a customer's time that count.
    labour : float or None
        Share of labour that goes into winning new customers, 0 to 1; None: all of it.
    deal_type : str or None
        Kind of business that makes a customer.
    """

    lagged: bool = False
    gross_margin: float | None = None
    horizon_months: int = 60
    labour: float | None = None
    deal_type: str | None = "new"

    def of(self, name: str) -> dict[str, Any]:
        """Options of a KPI, as it and `kpi.trace` take them.

        >>> Choices(gross_margin=0.5, labour=0.8).of("cac")
        {'lagged': False, 'deal_type': 'new', 'allocation': {'labour': 0.8}}
        """
        taken = TAKES[name]
        options = ("lagged", "deal_type", "gross_margin", "horizon_months")
        found: dict[str, Any] = {key: getattr(self, key) for key in options if key in taken}
        if self.labour is not None and "allocation" in taken:
            found["allocation"] = {"labour": self.labour}
        return found


@dataclass(frozen=True)
class Numbers:
    """The numbers of one snapshot under some choices; what the data lacks is said, not raised.

    Parameters
    ----------
    present : frozenset of str
        Tables that the data has.
    table : callable
        See `Table`.
    choices : Choices
    """

    present: frozenset[str]
    table: Table
    choices: Choices

    def lacking(self, name: str) -> list[str]:
        """Tables that a KPI needs and the data lacks."""
        return [table for table in NEEDS[name] if table not in self.present]

    def kpi(self, name: str, **options: Hashable) -> pd.DataFrame:
        """Return the table of a KPI under the choices; without rows where the data lacks a table."""
        if self.lacking(name):
            columns = [str(options["by"])] if "by" in options else []
            columns += ["period"] if "every" in options else []
            return pd.DataFrame(columns=[*columns, *LIMITS, "cost"])
        chosen = self.choices.of(name)
        allocation = chosen.pop("allocation", None)
        function: Kpi = getattr(kpi, name)
        if allocation is not None:
            function = _allotted(function, allocation["labour"])
        return self.table(function, **(chosen | options))

    def now(self) -> "dict[str, pd.Series[Any]]":
        """Return the row of each number of `LABELS`; ``value`` is missing, and ``note`` says why."""
        found = {name: self._row(name) for name in LABELS if name != "cac_lagged"}
        found["cac"] = self._row("cac", lagged=False)
        found["cac_lagged"] = self._row("cac", lagged=True)
        return {name: found[name] for name in LABELS}

    def by_period(self, every: Every) -> pd.DataFrame:
        """Return a line per period that has costs, the columns of each KPI after its name.

        Returns
        -------
        DataFrame
            ``period``, then ``KPI_value, KPI_low, KPI_high, KPI_x, KPI_n, KPI_note`` of each KPI of
            `BY_PERIOD`; missing where a KPI has no row.
        """
        found = self.kpi("sales_marketing_cost", every=every)[["period"]]
        for name in BY_PERIOD:
            part = self.kpi(name, every=every)[["period", *LIMITS]]
            part = part.rename(columns={column: f"{name}_{column}" for column in LIMITS})
            found = found.merge(part, on="period", how="left")
        return found

    def by_channel(self) -> pd.DataFrame:
        """Return a line per channel that cost something or brought leads, costliest first.

        Returns
        -------
        DataFrame
            ``channel``, ``cost`` (of its own, without what names no channel), then the columns of
            ``cost_per_lead``, ``cac`` and ``lead_to_customer`` after their names. Without rows where
            the data has no leads: they tell which channel a customer came by.
        """
        found = self.kpi("cost_per_lead", by="channel")[["channel", "cost"]]
        for name in ("cost_per_lead", "cac", "lead_to_customer"):
            part = self.kpi(name, by="channel")[["channel", *LIMITS]]
            part = part.rename(columns={column: f"{name}_{column}" for column in LIMITS})
            found = found.merge(part, on="channel", how="outer")
            if not self.lacking(name) and len(part):
                found[f"{name}_n"] = found[f"{name}_n"].fillna(0)
        named = found[found["channel"].notna() & ("leads" in self.present)]
        return named.sort_values(["cost", "channel"], ascending=[False, True], ignore_index=True)

    def unnamed(self) -> float:
        """Share of the costs of the last twelve whole months that name no channel; missing without costs."""
        costs = self.kpi("sales_marketing_cost", by="channel")
        whole = float(costs["value"].sum())
        return float(costs.loc[costs["channel"].isna(), "value"].sum()) / whole if whole else np.nan

    def _row(self, name: str, **options: Hashable) -> "pd.Series[Any]":
        lacking = self.lacking(name)
        if not lacking:
            return self.kpi(name, **options).iloc[0]
        said = f"not known: the data has no {' and no '.join(lacking)}"
        missing = dict.fromkeys(["value", "low", "high"], np.nan)
        return pd.Series({**missing, "x": 0, "n": 0, "note": said})


@lru_cache(maxsize=64)
def _allotted(function: Kpi, labour: float) -> Kpi:
    """Return the KPI with its allocation set: the same object each time, so that it is a key."""
    return partial(function, allocation={"labour": labour})
