"""Recurring revenue as people read it: rates by period, the curve, its parts, and customers by name."""

from collections.abc import Mapping

import pandas as pd

from workbench.kpi_tables import SYMBOLS, unit_text
from workbench.recurring_words import PARTS, rate
from workbench.tables import each
from workbench.theme import MISSING, percent_text, whole_text

RATES = {
    "gross_mrr_churn": "gross revenue churn",
    "net_mrr_churn": "net revenue churn",
    "customer_churn": "customers lost",
    "quick_ratio": "quick ratio",
}
AGES = (1, 3, 6, 12, 18, 24, 36, 48, 60, 84, 120)
UNNAMED = "(none)"


def symbol(currency: str) -> str:
    """Write the sign of a currency before an amount, its code where it has none here.

    >>> symbol("EUR"), symbol("CHF")
    ('€', 'CHF ')
    """
    return SYMBOLS.get(currency, f"{currency} ")


def rates_table(found: Mapping[str, pd.DataFrame], *, last: int = 12) -> pd.DataFrame:
    """Rates of recurring revenue by period, each with its 95 % interval.

    Parameters
    ----------
    found : mapping of KPI name to DataFrame
        Those of `RATES`, by period.
    last : int
        How many periods are shown, the latest.

    Returns
    -------
    DataFrame of text
        A row a period: ``customers at start`` (n of the shares), then each rate; the quick ratio has
        an en dash where nothing was lost.
    """
    shown = pd.DataFrame(index=pd.Index([], dtype="str"))
    for name, label in RATES.items():
        rows = found[name].tail(last)
        if shown.empty:
            shown.index = pd.Index(rows["period"].dt.strftime("%b %Y").tolist())
            shown["customers at start"] = [whole_text(n) for n in rows["n"]]
        shown[label] = [_cell(row, name) for _, row in rows.iterrows()]
    return shown


def curve_table(curve: pd.DataFrame) -> pd.DataFrame:
    """`kpi.retention_curve` at some ages: who and what is still there, interval, and how many tell."""
    rows = curve[curve["month"].isin(AGES) & curve["value"].notna()]
    shown = pd.DataFrame(
        {
            "customers still there": [percent_text(v) for v in rows["value"]],
            "95% interval": [
                MISSING if pd.isna(r.low) else f"{percent_text(r.low)} to {percent_text(r.high)}"
                for r in each(rows)
            ],
            "customers followed": [whole_text(n) for n in rows["n"]],
            "revenue still paid": [percent_text(v) for v in rows["revenue"]],
            "note": rows["note"].tolist(),
        }
    )
    shown.index = pd.Index([f"after {m} month{'s' * (m != 1)}" for m in rows["month"]])
    return shown


def parts_table(
    found: Mapping[str, pd.DataFrame], column: str, currency: str = "USD"
) -> pd.DataFrame:
    """Recurring revenue and what it loses, a line a group, the largest first.

    Parameters
    ----------
    found : mapping of KPI name to DataFrame
        ``mrr, gross_retention, net_retention, customer_churn``, cut by `column`.
    column : str
        ``product``, or a column of accounts.
    currency : str
        Code of the reporting currency.

    Returns
    -------
    DataFrame of text
        ``MRR``, ``of all`` (share of it), ``customers``, then the rates of the trailing months with
        interval and n; an en dash where a group had no customer at the start.
    """
    money = unit_text("reporting currency", currency)
    now = found["mrr"].sort_values("value", ascending=False, kind="stable").head(PARTS)
    total = found["mrr"]["value"].sum()
    shown = pd.DataFrame(
        {
            "MRR": [money(v) for v in now["value"]],
            "of all": [percent_text(v / total) if total else MISSING for v in now["value"]],
            "customers": [whole_text(n) for n in now["n"]],
        }
    )
    groups = [_named(value) for value in now[column]]
    for name, label in (
        ("gross_retention", "gross retention"),
        ("net_retention", "net retention"),
        ("customer_churn", "customers lost"),
    ):
        cells = {_named(row[column]): _counted(row) for _, row in found[name].iterrows()}
        shown[label] = [cells.get(group, MISSING) for group in groups]
    shown.index = pd.Index(groups)
    return shown


def largest_table(paid: pd.DataFrame, currency: str = "USD") -> pd.DataFrame:
    """Customers who pay most (`workbench.recurring_customers.largest`): MRR and share of all."""
    money = unit_text("reporting currency", currency)
    shown = pd.DataFrame(
        {
            "MRR": [money(v) for v in paid["mrr"]],
            "of all": [percent_text(v) for v in paid["share"]],
            "together": [percent_text(v) for v in paid["share"].cumsum()],
        }
    )
    shown.index = pd.Index(paid["name"].tolist())
    return shown


def lost_table(gone: pd.DataFrame, currency: str = "USD") -> pd.DataFrame:
    """Customers who left (`workbench.recurring_customers.lost`): what they paid, and since when not."""
    money = unit_text("reporting currency", currency)
    shown = pd.DataFrame(
        {
            "MRR lost": [money(v) for v in gone["churn"]],
            "gone in": gone["month"].dt.strftime("%b %Y").tolist(),
        }
    )
    shown.index = pd.Index(gone["name"].tolist())
    return shown


def _cell(row: "pd.Series[float]", name: str) -> str:
    if pd.isna(row["value"]):
        return MISSING
    return rate(row, unit_text("ratio")) if name == "quick_ratio" else rate(row)


def _counted(row: "pd.Series[float]") -> str:
    return MISSING if pd.isna(row["value"]) else f"{rate(row)}, n {row['n']:,}"


def _named(value: str | float) -> str:
    return UNNAMED if pd.isna(value) else str(value)
