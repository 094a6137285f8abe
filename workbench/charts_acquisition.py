"""What a customer costs and brings as charts: a table in, a chart out."""

from typing import Any, TypeAlias

import altair as alt
import pandas as pd

from kpi.acquisition.unit_economics import HEALTHY
from workbench import theme
from workbench.acquisition_numbers import ENOUGH
from workbench.charts import NARROW, Chart
from workbench.tables import each

Sided: TypeAlias = alt.HConcatChart

BAND_COLOURS = ["#e3a67f", "#eef0f2", "#b9d9dd", "#eef0f2"]
BAND_NAMES = ["loses money", "earns its cost back", "healthy", "too little spent?"]
GREY = "#9aa5b1"
HALF = 205
DRAWN = 8
"""Channels drawn at most; the table has them all."""


def cost_over_time(table: pd.DataFrame, whole: float, title: str, symbol: str = "$") -> Chart:
    """Point with its interval by period; a dashed line at the cost of the last twelve months.

    Takes the table of `kpi.cac` with a ``period``. Periods with few customers are grey, those
    without any say so: left out, the dear ones would be missing. What lies above four times the
    dashed line is cut off there, a point as a triangle: one customer alone spans a factor of 200.
    """
    rows = table[["period", "value", "low", "high", "n"]].copy()
    rows["period"] = rows["period"].dt.strftime("%b %Y")
    words = [f"{row.period} {theme.money_text(row.value, symbol)}, n {row.n}" for row in each(rows)]
    top = 4 * (whole if pd.notna(whole) else float(rows["value"].median()))
    rows["shape"] = ["above" if value > top else "within" for value in rows["value"]]
    rows["size"] = ["few" if n < ENOUGH else "enough" for n in rows["n"]]
    rows["says"] = ["none" if n == 0 else "" for n in rows["n"]]
    rows[["value", "low", "high"]] = rows[["value", "low", "high"]].clip(upper=top)
    subtitle = f"with 95% interval, cut off at the top; grey: fewer than {ENOUGH} won; dashed: last 12 months"
    base = alt.Chart(
        rows.drop(columns="n"),
        title=alt.Title(title, subtitle=subtitle),
        description="; ".join(words),
        width=NARROW,
        height=170,
    ).encode(
        x=alt.X("period:N", sort=list(rows["period"]), title=None),
        color=alt.Color(
            "size:N",
            legend=None,
            scale=alt.Scale(domain=["enough", "few"], range=[theme.ACCENT, GREY]),
        ),
    )
    scale = alt.Scale(domain=[0, top], nice=False)
    axis = alt.Axis(labelExpr=theme.money_label(symbol), grid=True, tickCount=4)
    bars = base.mark_rule(strokeWidth=6, opacity=0.35).encode(
        y=alt.Y("low:Q", title=None, axis=axis, scale=scale), y2="high:Q"
    )
    shape = alt.Scale(domain=["within", "above"], range=["circle", "triangle-up"])
    points = base.mark_point(size=90, opacity=1).encode(
        y="value:Q", shape=alt.Shape("shape:N", legend=None, scale=shape)
    )
    none = base.mark_text(fontSize=11, dy=-8).encode(
        y=alt.datum(0), text="says:N", color=alt.value(theme.MUTED)
    )
    line = (
        alt.Chart(pd.DataFrame({"whole": [whole]}))
        .mark_rule(color=theme.INK, strokeDash=[5, 4], strokeWidth=1.2)
        .encode(y="whole:Q")
    )
    return alt.layer(bars, points, none, *([line] if pd.notna(whole) else []))


def channels(by_channel: pd.DataFrame, symbol: str = "$") -> Sided:
    """Two panels, a line per channel: what a lead of it costs, and what a customer of it costs.

    Takes `workbench.acquisition_numbers.Numbers.by_channel`, its first rows. Channels without costs
    or with too few leads or customers have their reason in place of the point.
    """
    rows = by_channel.head(DRAWN)
    left = _panel(rows, "cost_per_lead", "A lead costs", symbol)
    right = _panel(rows, "cac", "A customer costs", symbol)
    return alt.hconcat(left, right, spacing=24)


def _panel(by_channel: pd.DataFrame, name: str, title: str, symbol: str) -> Chart:
    columns = {f"{name}_{column}": column for column in ("value", "low", "high", "n")}
    rows = by_channel[["channel", *columns]].rename(columns=columns)
    rows = rows.astype(dict.fromkeys(columns.values(), "float64")).assign(
        channel=rows["channel"].astype("str")
    )
    order = rows["channel"].tolist()
    drawn = rows["value"].notna() & (rows["n"] >= ENOUGH)
    rows["says"] = [_says(row.value, row.n) for row in each(rows)]
    rows["at"] = rows["high"].where(drawn, 0.0)
    rows.loc[~drawn, ["value", "low", "high"]] = None
    top = float(rows["high"].max()) * 1.3 if drawn.any() else 1.0
    shown = [f"{r.channel} {theme.money_text(r.value, symbol)}" for r in each(rows[drawn])]
    base = alt.Chart(
        rows,
        title=alt.Title(title, subtitle="by the channel's own costs"),
        description="; ".join(shown) or "not enough data",
        width=HALF,
        height=176,
    ).encode(
        y=alt.Y(
            "channel:N",
            sort=order,
            title=None,
            axis=alt.Axis(labels=name == "cost_per_lead", labelLimit=110),
        )
    )
    scale = alt.Scale(domain=[0, top], nice=False)
    axis = alt.Axis(labelExpr=theme.money_label(symbol), tickCount=3, grid=True)
    bars = base.mark_rule(strokeWidth=6, opacity=0.35, color=theme.ACCENT).encode(
        x=alt.X("low:Q", title=None, axis=axis, scale=scale), x2="high:Q"
    )
    points = base.mark_point(size=80, opacity=1, color=theme.ACCENT).encode(x="value:Q")
    text = base.mark_text(align="left", dx=6, color=theme.MUTED, fontSize=11).encode(
        x="at:Q", text="says:N"
    )
    return alt.layer(bars, points, text)


def _says(value: float, n: float) -> str:
    if n < ENOUGH and pd.notna(value):
        return f"not enough data: n {n:,.0f}"
    return "no costs of its own" if pd.isna(value) else f"n {n:,.0f}"


def worth(ratio: "pd.Series[Any]") -> Chart:
    """Lifetime value over acquisition cost with its interval, over the bands the field reads it by.

    Takes the row of `kpi.clv_to_cac`. On a scale of factors: from 1 to 3 is as far as from 3 to 9.
    """
    numbers = [float(ratio[name]) for name in ("value", "low", "high") if pd.notna(ratio[name])]
    least, most = max(0.1, min(0.4, *numbers) * 0.8), max(12.0, *numbers) * 1.2
    edges = [least, *HEALTHY, most]
    bands = pd.DataFrame(
        {"from": edges[:-1], "to": edges[1:], "band": BAND_NAMES, "colour": BAND_COLOURS}
    )
    bands["middle"] = (bands["from"] * bands["to"]) ** 0.5
    scale = alt.Scale(type="log", domain=[least, most], nice=False, clamp=True)
    ticks = [tick for tick in (0.2, 0.5, 1, 3, 5, 10, 20, 50, 100) if least <= tick <= most]
    x = alt.X("from:Q", title=None, scale=scale, axis=alt.Axis(values=ticks, format="~g"))
    words = f"{ratio['value']:,.1f}"
    base = alt.Chart(
        bands,
        title=alt.Title(
            "What a customer brings, over what it costs (CLV : CAC)",
            subtitle="with 95% interval; the bands are conventions of the field, no laws",
        ),
        description=f"The ratio is {words}.",
        width=NARROW,
        height=64,
    )
    areas = base.mark_rect().encode(x=x, x2="to:Q", color=alt.Color("colour:N", scale=None))
    names = base.mark_text(fontSize=11, color=theme.MUTED, baseline="top").encode(
        x=alt.X("middle:Q", scale=scale), y=alt.value(5), text="band:N"
    )
    one = pd.DataFrame(
        [{**{name: ratio[name] for name in ("value", "low", "high")}, "says": words}]
    )
    mark = alt.Chart(one).encode(y=alt.value(40))
    bar = mark.mark_rule(strokeWidth=6, opacity=0.45, color=theme.ACCENT).encode(
        x=alt.X("low:Q", scale=scale), x2="high:Q"
    )
    point = mark.mark_point(size=110, opacity=1, color=theme.ACCENT).encode(
        x=alt.X("value:Q", scale=scale)
    )
    text = mark.mark_text(dy=-13, fontWeight=600).encode(
        x=alt.X("value:Q", scale=scale), text="says:N"
    )
    return alt.layer(areas, names, bar, point, text)
