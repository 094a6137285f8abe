"""What a customer costs and brings as people read it: every number, by period and by channel."""

from typing import Any

import pandas as pd

import kpi
from kpi.acquisition.spend import window_note
from workbench.acquisition_numbers import LABELS
from workbench.acquisition_words import limits, reason
from workbench.kpi_tables import unit_text
from workbench.tables import each
from workbench.theme import MISSING, percent_text, whole_text

OF = {
    "cost_per_lead": "leads",
    "cac": "customers won",
    "cac_lagged": "customers won",
    "lifetime_value": "customers followed",
    "clv_to_cac": "customers followed",
    "cac_payback": "customers won",
    "magic_number": "cost records",
}
"""What the n of each number counts."""
CONVENTIONS = {
    "clv_to_cac": "1 break-even, 3 healthy",
    "magic_number": "0.75 and above",
}
"""What the field calls good (`kpi.catalogue` has the sources)."""
WON = "of its leads so far became customers"


def numbers_table(now: "dict[str, pd.Series[Any]]", currency: str = "USD") -> pd.DataFrame:
    """Every number of `workbench.acquisition_numbers.Numbers.now`: a line each.

    Returns
    -------
    DataFrame of text
        ``now``, ``95% interval``, ``n`` (with what it counts), ``convention`` (of the field: no part
        of the company's numbers), ``note`` (without that on the months counted: the last twelve
        whole ones).
    """
    rows = []
    for name, row in now.items():
        unit = kpi.explain(name.removesuffix("_lagged")).entry.unit
        known = pd.notna(row["value"])
        rows.append(
            {
                "now": unit_text(unit, currency)(row["value"]),
                "95% interval": limits(row["low"], row["high"], unit) if known else MISSING,
                "n": f"{row['n']:,.0f} {OF[name]}" if known else MISSING,
                "convention": CONVENTIONS.get(name, ""),
                "note": ("" if known else "not enough data: ") + _more(row["note"]),
            }
        )
    return pd.DataFrame(rows, index=[LABELS[name] for name in now])


def period_table(by_period: pd.DataFrame, currency: str = "USD", *, last: int = 8) -> pd.DataFrame:
    """Give each of the latest periods a line: what was spent, and what it brought for each unit.

    Parameters
    ----------
    by_period : DataFrame
        `workbench.acquisition_numbers.Numbers.by_period`.
    last : int
        How many periods are shown, the latest.
    """
    rows = by_period.tail(last)
    money = unit_text("reporting currency", currency)
    shown = pd.DataFrame(
        {
            "spent": [money(row.sales_marketing_cost_value) for row in each(rows)],
            "new customers": [whole_text(row.cac_n) for row in each(rows)],
            "CAC": _cells(rows, "cac", "reporting currency", currency),
            "a lead": _cells(rows, "cost_per_lead", "reporting currency", currency),
            "payback, months": _cells(rows, "cac_payback", "ratio", currency),
            "CLV : CAC": _cells(rows, "clv_to_cac", "ratio", currency),
            "magic number": _cells(rows, "magic_number", "ratio", currency),
            "note": [_of_period(note) for note in rows["cac_note"].fillna("")],
        }
    )
    shown.index = pd.Index(pd.to_datetime(rows["period"]).dt.strftime("%b %Y").tolist())
    return shown


def channel_table(by_channel: pd.DataFrame, currency: str = "USD") -> pd.DataFrame:
    """Give each channel a line: its own costs, and what a lead and a customer of it cost.

    Parameters
    ----------
    by_channel : DataFrame
        `workbench.acquisition_numbers.Numbers.by_channel`.

    Returns
    -------
    DataFrame of text
        Costs, leads and customers of the last twelve whole months; columns of which nothing is
        known are left out.
    """
    rows, money = by_channel, unit_text("reporting currency", currency)
    shown = pd.DataFrame(
        {
            "own costs": [money(row.cost) if row.cost else MISSING for row in each(rows)],
            "leads": [whole_text(row.cost_per_lead_n) for row in each(rows)],
            "a lead costs": _cells(rows, "cost_per_lead", "reporting currency", currency),
            "new customers": [whole_text(row.cac_n) for row in each(rows)],
            "a customer costs": _cells(rows, "cac", "reporting currency", currency),
            WON: [_won(row) for row in each(rows)],
        }
    )
    shown.index = pd.Index(rows["channel"].astype("str").tolist())
    return shown.loc[:, (shown != MISSING).any()]


def _more(note: str) -> str:
    """Return a note without its codes, and without what stands beside it: few n, the months counted."""
    parts = [part for part in note.split("; ") if not part.startswith("low_n")]
    return reason("; ".join(part for part in parts if part != window_note(None)))


def _of_period(note: str) -> str:
    """Return what a note says of one period alone: what holds for all stands under the tables."""
    same = ("earlier", "counted of the costs", "the others are left out", "no new customers")
    parts = [part for part in _more(note).split("; ") if not any(word in part for word in same)]
    return "; ".join(parts)


def _cells(rows: pd.DataFrame, name: str, unit: str, currency: str) -> list[str]:
    say = unit_text(unit, currency)
    parts = rows[[f"{name}_value", f"{name}_low", f"{name}_high"]].itertuples(
        index=False, name=None
    )
    return [
        MISSING if pd.isna(value) else say(value) + _between(low, high, unit)
        for value, low, high in parts
    ]


def _between(low: float, high: float, unit: str) -> str:
    """Write an interval as narrow as a column of a wide table asks for."""
    said = limits(low, high, unit)
    return "" if said == MISSING else f" ({said.replace(' to ', '–')})"


def _won(row: Any) -> str:  # noqa: ANN401 - a row of a table, columns as attributes
    if pd.isna(row.lead_to_customer_value):
        return MISSING
    low, high = percent_text(row.lead_to_customer_low), percent_text(row.lead_to_customer_high)
    counts = f"{row.lead_to_customer_x:,.0f} of {row.lead_to_customer_n:,.0f}"
    return f"{percent_text(row.lead_to_customer_value)} ({low}–{high}; {counts})"
