"""A team's quotas and capacity as charts: a table in, a chart out."""

import altair as alt
import pandas as pd

from workbench import theme
from workbench.charts import NARROW, Chart
from workbench.tables import each
from workbench.team_tables import known

CAN, NEED, SHORT = "can be worked", "needed", "needed: too many"


def quotas(attained: pd.DataFrame, column: str, title: str) -> Chart:
    """Bar per seller, team or business: the share of the quota that was won; a line at 100 %.

    Takes the rows of one period of `kpi.quota_attainment`, cut by one column.
    """
    rows = attained[[column, "value"]].dropna(subset=["value"]).copy()
    rows = rows.sort_values("value", ascending=False, kind="stable")
    rows["text"] = [theme.percent_text(value) for value in rows["value"]]
    rows["met"] = ["met" if value >= 1 else "not met" for value in rows["value"]]
    base = alt.Chart(
        rows,
        title=alt.Title(title, subtitle="the line is the quota"),
        description="; ".join(f"{row[0]} {row.text}" for row in each(rows)),
        width=NARROW,
        height=alt.Step(30),
    ).encode(y=alt.Y(f"{column}:N", sort=list(rows[column]), title=None))
    top = max(1.0, float(rows["value"].max())) * 1.15
    scale = alt.Scale(domain=[0, top], nice=False)
    axis = alt.Axis(labelExpr=theme.PERCENT_LABEL, tickCount=5)
    colours = alt.Scale(domain=["met", "not met"], range=[theme.ACCENT, theme.ACCENT_SOFT])
    bars = base.mark_bar(size=18).encode(
        x=alt.X("value:Q", title=None, axis=axis, scale=scale),
        color=alt.Color("met:N", title=None, scale=colours),
    )
    text = base.mark_text(align="left", dx=6).encode(x="value:Q", text="text:N")
    line = (
        alt.Chart(pd.DataFrame({"quota": [1.0]}))
        .mark_rule(color=theme.INK, strokeWidth=1.5)
        .encode(x="quota:Q")
    )
    return alt.layer(bars, text, line)


def capacity(table: pd.DataFrame | None, what: str) -> Chart:
    """Bar per month: the `what` that sellers can work; a tick at what the plan needs.

    Takes the table of `kpi.planning.capacity`. The tick is red where it lies above the bar.

    Parameters
    ----------
    what : {"leads", "deals"}

    Raises
    ------
    TableError
        If there is no plan, and so no table.
    """
    table = known(table)
    need, can = {"leads": ("need", "capacity"), "deals": ("deals_need", "deals_capacity")}[what]
    rows = pd.DataFrame({"can": table[can], "need": table[need]})
    rows["month"] = table["month"].dt.strftime("%b %Y")
    rows["bar"] = CAN
    rows["tick"] = [SHORT if r.need > r.can * (1 + 1e-9) else NEED for r in each(rows)]
    short = ", ".join(rows.loc[rows["tick"] == SHORT, "month"])
    base = alt.Chart(
        rows,
        title=f"{what.capitalize()} a month: what sellers can work, and what the plan needs",
        description=f"Short in {short}." if short else "Enough in every month.",
        width=NARROW,
        height=150,
    ).encode(x=alt.X("month:N", sort=list(rows["month"]), title=None))
    scale = alt.Scale(domain=[CAN, NEED, SHORT], range=[theme.ACCENT_SOFT, theme.INK, theme.WARN])
    axis = alt.Axis(grid=True, tickCount=4)
    bars = base.mark_bar().encode(
        y=alt.Y("can:Q", title=None, axis=axis), color=alt.Color("bar:N", title=None, scale=scale)
    )
    ticks = base.mark_tick(thickness=4, size=44, opacity=1).encode(y="need:Q", color="tick:N")
    return alt.layer(bars, ticks)
