"""A backtest as a chart: what was forecast from past dates, and what came."""

import textwrap

import altair as alt
import pandas as pd

from kpi.planning.forecasts import CAME
from workbench import theme
from workbench.tables import each

NARROW = 560
LINE = 88
BANDS = {"90": (2, 0.35), "80": (8, 0.35), "50": (16, 0.4)}
INSIDE, OUTSIDE = "came, inside the 80% interval", "came, outside it"


def backtest_chart(table: pd.DataFrame) -> alt.LayerChart | alt.FacetChart:
    """Intervals of the model's forecast by origin, and a dot for what came; red outside 80 %.

    Takes the table of `kpi.planning.backtest` and draws the model that knows the leads that came. An
    origin from which no model could be fitted keeps its dot.
    """
    model = table[table["method"] == CAME]
    rows = model[
        ["forecast", "actual", *(f"{e}{b}" for b in BANDS for e in ("low", "high"))]
    ].copy()
    rows["origin"] = [f"{day:%d %b %Y}" for day in model["origin"]]
    known = rows["low80"].notna()
    missed = known & ~rows["actual"].between(rows["low80"], rows["high80"])
    rows["came"] = missed.map({True: OUTSIDE, False: INSIDE})
    sentence = str(table.attrs.get("sentence", ""))
    said = [
        f"from {r.origin}: {r.actual:,.0f} came" + (f", {r.forecast:,.0f} forecast" if k else "")
        for r, k in zip(each(rows), known, strict=True)
    ]
    base = alt.Chart(
        rows,
        title=alt.Title(
            "What the model would have forecast, and what came",
            subtitle=textwrap.wrap(sentence, LINE) or "50, 80 and 90% intervals by date",
        ),
        description="; ".join([sentence, *said]) if sentence else "; ".join(said),
        width=NARROW,
        height=260,
    ).encode(x=alt.X("origin:N", sort=list(rows["origin"]), title="forecast from"))
    y = alt.Axis(grid=True, tickCount=5)
    bars = [
        base.transform_filter(f"isValid(datum.low{band})")
        .mark_rule(strokeWidth=width, opacity=opacity, color=theme.ACCENT)
        .encode(y=alt.Y(f"low{band}:Q", title=None, axis=y), y2=f"high{band}:Q")
        for band, (width, opacity) in BANDS.items()
    ]
    colour = alt.Color(
        "came:N",
        title=None,
        scale=alt.Scale(domain=[INSIDE, OUTSIDE], range=[theme.INK, theme.WARN]),
    )
    dots = base.mark_point(size=80, filled=True, opacity=1).encode(y="actual:Q", color=colour)
    return alt.layer(*bars, dots)
