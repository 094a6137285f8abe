"""KPI tables and plans as charts: a table in, a chart out; sums at most, no statistics.

Every chart gets only the columns it draws (Altair embeds all it is given), a title that says what
is shown, and a description for those who cannot see it.
"""

from typing import TypeAlias

import altair as alt
import pandas as pd

from kpi.planning import Plan
from workbench import theme, words
from workbench.charts_backtest import backtest_chart as backtest_chart  # noqa: PLC0414 - shown here too
from workbench.tables import each

Chart: TypeAlias = alt.LayerChart | alt.FacetChart | alt.VConcatChart

NARROW = 560
CREDITS = ("in_pipeline", "direct", "to_create")
CREDIT_COLOURS = [theme.INK, theme.CATEGORIES[2], theme.ACCENT]
MOVES = ["new", "reactivation", "expansion", "contraction", "churn"]
MOVE_COLOURS = [theme.ACCENT, theme.CATEGORIES[2], theme.SEQUENCE[2], "#e3a67f", theme.WARN]


def funnel(conversion: pd.DataFrame) -> Chart:
    """Bar per stage in funnel order, its count, and the share that went on (with interval).

    Takes the table of `kpi.stage_conversion`, not cut by groups or periods.
    """
    rows = conversion[["label", "reached", "value", "low", "high"]].copy()
    rows["share"] = [
        "" if pd.isna(r.value) else _share_with_interval(r.value, r.low, r.high) for r in each(rows)
    ]
    said = [f"{r.reached:,} deals reached {r.label}" for r in each(rows)]
    base = alt.Chart(
        rows[["label", "reached", "share"]],
        title=alt.Title(
            "Deals that reached each stage", subtitle="and the share that went further"
        ),
        description="; ".join(said),
        width=NARROW,
        height=alt.Step(44),
    ).encode(y=alt.Y("label:N", sort=list(rows["label"]), title=None))
    top = float(rows["reached"].max() or 1) * 1.45
    bars = base.mark_bar(color=theme.ACCENT, size=26).encode(
        x=alt.X("reached:Q", title=None, axis=None, scale=alt.Scale(domain=[0, top])),
        tooltip=[alt.Tooltip("label:N", title="stage"), "reached:Q"],
    )
    counts = base.mark_text(align="left", dx=6, dy=-7, fontWeight=600).encode(
        x="reached:Q", text=alt.Text("reached:Q", format=",")
    )
    shares = base.mark_text(align="left", dx=6, dy=8, color=theme.MUTED, fontSize=11).encode(
        x="reached:Q", text="share:N"
    )
    return alt.layer(bars, counts, shares)


def rates(table: pd.DataFrame, group: str, title: str) -> Chart:
    """Point with its interval per group, largest first; the note's small n is greyed.

    Takes any KPI table of rates cut by one column, such as ``kpi.win_rate(snapshot, by="source")``.
    """
    rows = table[[group, "value", "low", "high", "x", "n"]].dropna(subset=["value"]).copy()
    rows[group] = rows[group].astype("object").where(rows[group].notna(), "(none)").astype("str")
    rows = rows.sort_values("value", ascending=False)
    rows["counts"] = [f"{r.x:,} of {r.n:,}" for r in each(rows)]
    rows["size"] = ["fewer than 30" if n < 30 else "30 or more" for n in rows["n"]]
    label = alt.Axis(labelExpr=theme.PERCENT_LABEL, tickCount=6, grid=True)
    scale = alt.Scale(domain=[0, float(min(1.0, rows["high"].max() * 1.25 or 1.0))], nice=False)
    base = alt.Chart(
        rows,
        title=alt.Title(title, subtitle="with 95% interval and counts"),
        description="; ".join(
            f"{r[group]} {theme.percent_text(r['value'])}" for _, r in rows.iterrows()
        ),
        width=NARROW,
        height=alt.Step(30),
    ).encode(y=alt.Y(f"{group}:N", sort=list(rows[group]), title=None))
    colour = alt.Color(
        "size:N",
        scale=alt.Scale(domain=["30 or more", "fewer than 30"], range=[theme.ACCENT, "#9aa5b1"]),
        legend=None,
    )
    bars = base.mark_rule(strokeWidth=6, opacity=0.35).encode(
        x=alt.X("low:Q", title=None, axis=label, scale=scale), x2="high:Q", color=colour
    )
    points = base.mark_point(size=90, opacity=1).encode(x="value:Q", color=colour)
    counts = base.mark_text(align="left", dx=8, color=theme.MUTED, fontSize=11).encode(
        x="high:Q", text="counts:N"
    )
    return alt.layer(bars, points, counts)


def rate_over_time(table: pd.DataFrame, title: str) -> Chart:
    """Line with its interval by period; takes any KPI table of rates with a ``period``."""
    rows = table[["period", "value", "low", "high"]].dropna(subset=["value"])
    rows = rows.assign(period=rows["period"].dt.tz_localize("UTC"))  # or the reader's zone moves it
    base = alt.Chart(
        rows,
        title=alt.Title(title, subtitle="with 95% interval"),
        description=f"From {theme.percent_text(_first(rows))} to {theme.percent_text(_last(rows))}.",
        width=NARROW,
        height=200,
    ).encode(x=alt.X("utcyearmonth(period):T", title=None, axis=alt.Axis(format="%b %Y")))
    axis = alt.Axis(labelExpr=theme.PERCENT_LABEL)
    band = base.mark_area(color=theme.ACCENT, opacity=0.15).encode(
        y=alt.Y("low:Q", title=None, axis=axis, scale=alt.Scale(domainMin=0)), y2="high:Q"
    )
    line = base.mark_line(color=theme.ACCENT, point=True).encode(y="value:Q")
    return alt.layer(band, line)


def mrr_bridge(movements: pd.DataFrame, symbol: str = "$") -> Chart:
    """Recurring revenue at the end of each period above; the moves that made it below.

    Takes the table of `kpi.mrr_movements`.
    """
    rows = movements[["period", *MOVES, "end"]].copy()
    rows["period"] = rows["period"].dt.strftime("%b %Y")
    rows[["contraction", "churn"]] *= -1
    long = rows.melt(["period"], MOVES, var_name="move", value_name="amount")
    long["order"] = long["move"].map({move: i for i, move in enumerate(MOVES)})
    axis = alt.Axis(labelExpr=theme.money_label(symbol), grid=True, tickCount=4)
    x = alt.X("period:O", sort=list(rows["period"]), title=None)
    text = [theme.money_text(rows["end"].iloc[i], symbol) if len(rows) else "" for i in (0, -1)]
    above = (
        alt.Chart(
            rows[["period", "end"]],
            title="Monthly recurring revenue at period end",
            description=f"From {text[0]} to {text[1]}.",
            width=NARROW,
            height=120,
        )
        .mark_area(color=theme.ACCENT, line={"color": theme.ACCENT}, opacity=0.18)
        .encode(x=x, y=alt.Y("end:Q", title=None, axis=axis))
    )
    below = (
        alt.Chart(long, title="What moved it", width=NARROW, height=150)
        .mark_bar()
        .encode(
            x=x,
            y=alt.Y("amount:Q", title=None, axis=axis),
            color=alt.Color(
                "move:N", title=None, scale=alt.Scale(domain=MOVES, range=MOVE_COLOURS)
            ),
            order="order:Q",
        )
    )
    both: Chart = alt.vconcat(above, below, spacing=16).resolve_legend(color="independent")
    return both


def plan_funnel(plan: Plan) -> Chart:
    """Bar per stage: all that the plan needs there, by where it comes from."""
    sums = plan.table.groupby(["stage", "label"], sort=False)[list(CREDITS)].sum().reset_index()
    sums["total"] = sums[list(CREDITS)].sum(axis=1)
    long = _credits(plan, sums, ["label"])
    order = list(sums["label"])
    base = alt.Chart(
        long,
        title=alt.Title(
            "The funnel this plan needs",
            subtitle=f"{words.day(plan.start)} to {words.day(plan.by)}",
        ),
        description=f"{plan.to_create:,} {plan.top} to create for {words.target(plan)}.",
        width=NARROW,
        height=alt.Step(34),
    )
    bars = base.mark_bar(size=22).encode(
        x=alt.X(
            "amount:Q",
            title=None,
            axis=None,
            scale=alt.Scale(domain=[0, float(sums["total"].max()) * 1.12 or 1.0]),
        ),
        y=alt.Y("label:N", sort=order, title=None),
        color=_credit_colour(plan),
        order="order:Q",
    )
    text = (
        alt.Chart(sums[["label", "total"]])
        .mark_text(align="left", dx=6, fontWeight=600)
        .encode(
            x="total:Q", y=alt.Y("label:N", sort=order), text=alt.Text("total:Q", format=",.0f")
        )
    )
    return alt.layer(bars, text)


def plan_months(plan: Plan) -> Chart:
    """Records to create by month above, wins to expect by month below."""
    table = plan.table
    first = table["stage"] == table["stage"].iloc[0]
    create = table.loc[first, ["month", "to_create"]].copy()
    wins = _credits(plan, table[table["stage"] == table["stage"].iloc[-1]], ["month"])
    months = [f"{m:%b %Y}" for m in create["month"]]
    create["month"] = months
    wins["month"] = pd.to_datetime(wins["month"]).dt.strftime("%b %Y")
    x = alt.X("month:N", sort=months, title=None, scale=alt.Scale(domain=months))
    top = float(create["to_create"].max()) * 1.15 or 1.0
    above = alt.Chart(
        create,
        title=f"{plan.top.capitalize()} to create",
        description=words.sentence(plan),
        width=NARROW,
        height=130,
    ).encode(x=x)
    y = alt.Y("to_create:Q", title=None, axis=None, scale=alt.Scale(domain=[0, top]))
    bars = above.mark_bar(color=theme.ACCENT).encode(y=y)
    text = above.mark_text(dy=-8, fontWeight=600).encode(
        y=y, text=alt.Text("to_create:Q", format=",.0f")
    )
    below = (
        alt.Chart(wins, title="Wins to expect", width=NARROW, height=150)
        .mark_bar()
        .encode(
            x=x,
            y=alt.Y("amount:Q", title=None, axis=alt.Axis(grid=True, tickCount=4)),
            color=_credit_colour(plan),
            order="order:Q",
        )
    )
    both: Chart = alt.vconcat(alt.layer(bars, text), below, spacing=18).resolve_legend(
        color="independent"
    )
    return both


def _credits(plan: Plan, rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    long = rows[[*keys, *CREDITS]].melt(keys, list(CREDITS), var_name="credit", value_name="amount")
    long["order"] = long["credit"].map({name: i for i, name in enumerate(CREDITS)})
    long["credit"] = long["credit"].map(dict(zip(CREDITS, words.credit_names(plan), strict=True)))
    return long


def _credit_colour(plan: Plan) -> alt.Color:
    scale = alt.Scale(domain=words.credit_names(plan), range=CREDIT_COLOURS)
    return alt.Color("credit:N", title=None, scale=scale)


def _share_with_interval(value: float, low: float, high: float) -> str:
    share = theme.percent_text(value)
    return f"{share} ({theme.percent_text(low)} to {theme.percent_text(high)}) went further"


def _first(rows: pd.DataFrame) -> float | None:
    return float(rows["value"].iloc[0]) if len(rows) else None


def _last(rows: pd.DataFrame) -> float | None:
    return float(rows["value"].iloc[-1]) if len(rows) else None
