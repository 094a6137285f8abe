"""Numbers of a team as people read them: quotas met, the bare minimum, and capacity."""

import pandas as pd

from kpi import TableError
from workbench.kpi_tables import unit_text
from workbench.tables import each
from workbench.theme import MISSING, percent_text, whole_text

RULE = "rule of thumb (others', outbound)"
INDICATORS = {
    "suspects": "suspects",
    "leads": "leads",
    "deals_created": "deals created",
    "last_stage_deals": "deals in last stage",
    "deals_won": "deals won",
    "value_won": "won, of annual pay",
}
STANDING = {"below": "▼", "within": "✓", "above": "▲"}
"""Beside a number: below the rule of thumb, within it, or above."""
LIMITS = {
    "leads": "leads",
    "capacity": "time for leads",
    "deals_capacity": "time for deals",
}
"""What limits the wins of a month (column ``binding`` of `kpi.planning.capacity`)."""


def quota_table(
    attained: pd.DataFrame, column: str, currency: str = "USD", *, last: int = 4
) -> pd.DataFrame:
    """`kpi.quota_attainment` by one column and period: a line each, periods side by side.

    Parameters
    ----------
    attained : DataFrame
        With the columns `column` and ``period``.
    column : str
        What it is cut by; the row labels.
    currency : str
        Code of the reporting currency.
    last : int
        How many periods are shown, the latest.

    Returns
    -------
    DataFrame of text
        ``attainment (won of quota)`` in each cell; an en dash where there was no quota.
    """
    money = unit_text("reporting currency", currency)
    recent = attained["period"].drop_duplicates().nlargest(last)
    rows = attained[attained["period"].isin(recent)]
    cells = [
        MISSING
        if pd.isna(row.value)
        else f"{percent_text(row.value)} ({money(row.won)} of {money(row.quota)})"
        for row in each(rows)
    ]
    months = rows["period"].dt.strftime("%b %Y")
    long = pd.DataFrame({"": rows[column].to_numpy(), "period": months, "cell": cells})
    wide = long.pivot_table("cell", index="", columns="period", aggfunc="first")
    return wide[list(dict.fromkeys(months))].rename_axis(index=None, columns=None)


def minimums_table(minimums: pd.DataFrame) -> pd.DataFrame:
    """`kpi.seller_minimums`: a line per seller, one column per indicator, the rules of thumb last.

    A month's average of each, and how it stands to the rule of thumb; the deals in the last stage
    are those of the day looked at.
    """
    rows = minimums.assign(
        cell=[_standing(row.indicator, row.value, row.standing) for row in each(minimums)],
        seller=minimums["name"].where(minimums["name"].notna(), minimums["owner_id"]),
    )
    wide = rows.pivot_table(
        "cell", index=["owner_id", "seller"], columns="indicator", aggfunc="first"
    )
    wide = wide.droplevel("owner_id")
    rules = minimums.drop_duplicates("indicator").set_index("indicator")
    wide.loc[RULE] = {
        name: _range(name, row.rule_low, row.rule_high)
        for name, row in zip(rules.index, each(rules), strict=True)
    }
    named = [name for name in INDICATORS if name in wide]
    shown: pd.DataFrame = wide[named].fillna(MISSING).rename(columns=INDICATORS)
    return shown.rename_axis(index=None, columns=None)


def capacity_table(table: pd.DataFrame | None) -> pd.DataFrame:
    """`kpi.planning.capacity`: what the plan needs a month, what the sellers can work, what limits.

    Raises
    ------
    TableError
        If there is no plan, and so no table.
    """
    table = known(table)
    shown = pd.DataFrame(
        {
            "sellers": [f"{row.headcount:,.1f}" for row in each(table)],
            "worth, up to speed": [f"{row.sellers:,.1f}" for row in each(table)],
            "leads needed": [whole_text(row.need) for row in each(table)],
            "leads they can work": [whole_text(row.capacity) for row in each(table)],
            "deals needed": [whole_text(row.deals_need) for row in each(table)],
            "deals they can work": [whole_text(row.deals_capacity) for row in each(table)],
            "limited by": [LIMITS[row.binding] for row in each(table)],
            "": ["SHORT" if row.short else "" for row in each(table)],
        }
    )
    shown.index = pd.Index(table["month"].dt.strftime("%b %Y").tolist())
    return shown


def known(table: pd.DataFrame | None) -> pd.DataFrame:
    """Return the table of `kpi.planning.capacity`; a TableError where there is none."""
    if table is None:
        raise TableError("there is no plan that sellers could carry: the team board says why")
    return table


def _standing(indicator: str, value: float, standing: str) -> str:
    said = _number(indicator, value)
    return said if pd.isna(standing) else f"{said} {STANDING[standing]}"


def _number(indicator: str, value: float) -> str:
    if indicator == "value_won":
        return percent_text(value)
    return MISSING if pd.isna(value) else f"{value:,.10g}" if value % 1 == 0 else f"{value:,.1f}"


def _range(indicator: str, low: float, high: float) -> str:
    first = _number(indicator, low)
    return f"{first} or more" if pd.isna(high) else f"{first}–{_number(indicator, high)}"
