"""Recurring revenue as charts: how long customers stay, and what is lost over time."""

import altair as alt
import pandas as pd

from kpi.recurring.lifetime_months import ENOUGH
from workbench import theme
from workbench.charts import NARROW, Chart
from workbench.tables import each

CUSTOMERS, REVENUE = "customers still there", "revenue still paid"
DIGITS = 6
LEGEND = alt.Legend(labelLimit=300, columnPadding=28)
GROSS, NET = "gross", "net of what customers added"


def retention(curve: pd.DataFrame) -> Chart:
    """Share of customers still there, with its interval, and of their revenue, by month.

    Takes the table of `kpi.retention_curve`, one curve. Drawn to the last month in which ten
    customers or more are followed (all of it where there never were ten).
    """
    firm = curve.loc[curve["n"] >= ENOUGH, "month"]
    rows = curve[curve["month"] <= firm.max()] if len(firm) else curve
    rows = rows[["month", "value", "low", "high", "revenue"]].dropna(subset=["value"]).round(DIGITS)
    band = rows.assign(low=rows["low"].fillna(rows["value"]), high=rows["high"].fillna(1.0))
    long = rows.rename(columns={"value": CUSTOMERS, "revenue": REVENUE}).melt(
        "month", [CUSTOMERS, REVENUE], var_name="what", value_name="share"
    )
    said = [
        f"after {row.month} months {theme.percent_text(row.value)} of customers"
        for row in each(rows[(rows["month"] % 12 == 0) & (rows["month"] > 0)])
    ]
    said = said or [f"{theme.percent_text(v)} of customers" for v in rows["value"].tail(1)]
    base = alt.Chart(
        band[["month", "low", "high"]],
        title=alt.Title(
            "Who stays, by months since they began",
            subtitle=f"95% interval of the customers; while {ENOUGH} or more are followed",
        ),
        description="; ".join(said),
        width=NARROW,
        height=190,
    )
    top = max(1.0, float(rows["revenue"].max())) if len(rows) else 1.0
    axis = alt.Axis(labelExpr=theme.PERCENT_LABEL, tickCount=5)
    scale = alt.Scale(domain=[0, top], nice=False)
    x = alt.X("month:Q", title="months", axis=alt.Axis(tickMinStep=1))
    area = base.mark_area(
        color=theme.ACCENT_SOFT, fillOpacity=0.6, interpolate="step-after"
    ).encode(x=x, y=alt.Y("low:Q", title=None, axis=axis, scale=scale), y2="high:Q")
    colour = alt.Scale(domain=[CUSTOMERS, REVENUE], range=[theme.ACCENT, theme.CATEGORIES[1]])
    dashes = alt.Scale(domain=[CUSTOMERS, REVENUE], range=[[1, 0], [6, 4]])
    lines = (
        alt.Chart(long)
        .mark_line(interpolate="step-after")
        .encode(
            x=x,
            y="share:Q",
            color=alt.Color("what:N", title=None, scale=colour, legend=LEGEND),
            strokeDash=alt.StrokeDash("what:N", title=None, scale=dashes, legend=LEGEND),
        )
    )
    return alt.layer(area, lines)


def churn(gross: pd.DataFrame, net: pd.DataFrame, title: str) -> Chart:
    """Revenue churn by period: gross with its interval, and net, below 0 where customers added more.

    Takes the tables of `kpi.gross_mrr_churn` and `kpi.net_mrr_churn`, by period.
    """
    rows = _named(gross[["period", "value", "low", "high"]])
    parts = [
        _named(table[["period", "value"]]).assign(what=name)
        for name, table in ((GROSS, gross), (NET, net))
    ]
    said = [f"{row.period} {theme.percent_text(row.value)}" for row in each(rows.tail(12))]
    x = alt.X("period:O", sort=list(rows["period"]), title=None)
    axis = alt.Axis(labelExpr=theme.PERCENT_LABEL, grid=True, tickCount=5)
    area = (
        alt.Chart(
            rows,
            title=alt.Title(title, subtitle="95% interval of the gross churn"),
            description=f"Gross: {'; '.join(said)}",
            width=NARROW,
            height=200,
        )
        .mark_area(color=theme.WARN, fillOpacity=0.15)
        .encode(x=x, y=alt.Y("low:Q", title=None, axis=axis), y2="high:Q")
    )
    colour = alt.Scale(domain=[GROSS, NET], range=[theme.WARN, theme.INK])
    lines = (
        alt.Chart(pd.concat(parts, ignore_index=True))
        .mark_line(point=True)
        .encode(
            x=x, y="value:Q", color=alt.Color("what:N", title=None, scale=colour, legend=LEGEND)
        )
    )
    return alt.layer(area, lines)


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    """Name periods, so that no time zone moves them; round off what summing in any order leaves."""
    known = rows.dropna(subset=["value"])
    return known.assign(period=known["period"].dt.strftime("%b %Y")).round(DIGITS)
