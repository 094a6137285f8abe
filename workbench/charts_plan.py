"""Plans tracked, gaps explained and funnels run forwards, as charts: a table in, a chart out."""

import altair as alt
import pandas as pd

from workbench import theme
from workbench.charts import NARROW, Chart
from workbench.plan_tables import level, signed, track_text
from workbench.tables import each

OUTSIDE = {"above": theme.ACCENT_SOFT, "below": "#f3cdb0"}
INSIDE = "#f4f6f8"
MORE, LESS, LEVEL = "more", "less", "level"


def track(tracked: pd.DataFrame) -> Chart:
    """Cell per month and stage: actual of planned; coloured only outside the 80 % band.

    Takes the table of `kpi.planning.track`.
    """
    begun = tracked[tracked["actual"].notna()]
    rows = pd.DataFrame(
        {
            "stage": begun["label"],
            "month": [f"{month:%b %Y}" for month in begun["month"]],
            "said": [track_text(row) for row in each(begun)],
            "status": [s if s in OUTSIDE else "as planned" for s in begun["status"]],
        }
    )
    out = int(rows["status"].isin(list(OUTSIDE)).sum())
    over = int(tracked["mature"].sum())
    base = alt.Chart(
        rows,
        title=alt.Title(
            "Actual / planned", subtitle="▲ ▼ outside the 80% band; … the month still runs"
        ),
        description=f"{out} of {over} finished months and stages lie outside the 80% band.",
        width=NARROW,
        height=alt.Step(34),
    ).encode(
        x=alt.X(
            "month:O",
            sort=list(rows["month"].unique()),
            title=None,
            axis=alt.Axis(orient="top", domain=False),
        ),
        y=alt.Y("stage:N", sort=list(rows["stage"].unique()), title=None),
    )
    scale = alt.Scale(domain=["as planned", *OUTSIDE], range=[INSIDE, *OUTSIDE.values()])
    cells = base.mark_rect(stroke=theme.PAPER, strokeWidth=2).encode(
        color=alt.Color("status:N", title=None, scale=scale, legend=None)
    )
    return alt.layer(cells, base.mark_text().encode(text="said:N"))


def bridge(found: pd.DataFrame, kind: str) -> Chart:
    """Bars from what was planned by the day, through each cause, to what came.

    Takes the table of `kpi.planning.bridge`, and the kind of the plan's target.
    """
    money = kind != "wins"
    plan, actual = float(found.attrs["plan"]), float(found.attrs["actual"])
    ends = plan + found["effect"].cumsum()
    rows = pd.DataFrame(
        {
            "driver": ["plan by then", *found["driver"], "actual"],
            "start": [0.0, *(ends - found["effect"]), 0.0],
            "end": [plan, *ends, actual],
            "said": [
                level(plan, money=money),
                *(signed(effect, money=money) for effect in found["effect"]),
                level(actual, money=money),
            ],
            "side": [LEVEL, *(MORE if effect >= 0 else LESS for effect in found["effect"]), LEVEL],
        }
    )
    rows["right"] = rows[["start", "end"]].max(axis=1)
    base = alt.Chart(
        rows,
        title=alt.Title("From the plan to what came", subtitle="what each cause added or took"),
        description="; ".join(f"{row.driver} {row.said}" for row in each(rows)),
        width=NARROW,
        height=alt.Step(30),
    ).encode(y=alt.Y("driver:N", sort=list(rows["driver"]), title=None))
    top = float(rows["right"].max()) * 1.12 or 1.0
    low = min(0.0, float(rows[["start", "end"]].min().min()))
    colours = alt.Scale(domain=[LEVEL, MORE, LESS], range=[theme.INK, theme.ACCENT, theme.WARN])
    bars = base.mark_bar(size=18).encode(
        x=alt.X("start:Q", title=None, axis=None, scale=alt.Scale(domain=[low, top], nice=False)),
        x2="end:Q",
        color=alt.Color("side:N", title=None, scale=colours, legend=None),
    )
    text = base.mark_text(align="left", dx=6).encode(x="right:Q", text="said:N")
    return alt.layer(bars, text)


def bottoms_up(table: pd.DataFrame) -> Chart:
    """Wins by month above, recurring revenue at the end of each month below.

    Takes the table of `kpi.planning.bottoms_up`.
    """
    rows = pd.DataFrame(
        {
            "month": [f"{month:%b %Y}" for month in table["month"]],
            "wins": table["wins"],
            "mrr": table["mrr"],
        }
    )
    last = theme.money_text(float(rows["mrr"].iloc[-1]), "")
    x = alt.X("month:O", sort=list(rows["month"]), title=None)
    axis = alt.Axis(grid=True, tickCount=4)
    above = (
        alt.Chart(
            rows[["month", "wins"]],
            title="Wins",
            description=f"{rows['wins'].sum():,.1f} wins in all; {last} runs at the end.",
            width=NARROW,
            height=130,
        )
        .mark_bar()
        .encode(x=x, y=alt.Y("wins:Q", title=None, axis=axis))
    )
    money = alt.Axis(grid=True, tickCount=4, labelExpr=theme.money_label(""))
    below = (
        alt.Chart(
            rows[["month", "mrr"]],
            title="Monthly recurring revenue at the end of the month",
            width=NARROW,
            height=130,
        )
        .mark_area(color=theme.ACCENT, line={"color": theme.ACCENT}, opacity=0.18)
        .encode(x=x, y=alt.Y("mrr:Q", title=None, axis=money))
    )
    both: Chart = alt.vconcat(above, below, spacing=16)
    return both
