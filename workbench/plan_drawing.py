"""A plan drawn without Vega, for a board that repaints while an input moves.

The same bars, colours and words as `workbench.charts.plan_months` and `plan_funnel`, which take a
hundred times as long and are for pages and notebooks.
"""

import re
from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10

import pandas as pd

from kpi.planning import Plan
from workbench import theme, words
from workbench.charts import CREDIT_COLOURS, CREDITS
from workbench.theme import whole_text

LEFT, RIGHT = 46, 12
LABELS = 12  # months named below a chart at most
MONTHS_HEIGHT, FUNNEL_TOP, STEP = 380, 84, 34
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def months(plan: Plan) -> str:
    """Draw the records to create by month above, the wins to expect by month below; as SVG."""
    table = plan.table
    first = table[table["stage"] == table["stage"].iloc[0]]
    wins = table[table["stage"] == table["stage"].iloc[-1]]
    named = [f"{month:%b %Y}" for month in first["month"]]
    parts = [
        _text(LEFT, 26, f"{plan.top.capitalize()} to create", size=15, weight=600),
        *_columns([first["to_create"]], [theme.ACCENT], 50, 112, named),
        _text(LEFT, 206, "Wins to expect", size=15, weight=600),
        *_legend(plan, 228),
        *_columns([wins[name] for name in CREDITS], CREDIT_COLOURS, 254, 94, named, digits=1),
    ]
    return _svg(MONTHS_HEIGHT, parts)


def funnel(plan: Plan) -> str:
    """Draw a bar per stage: all that the plan needs there, by where it comes from; as SVG."""
    sums = plan.table.groupby(["stage", "label"], sort=False)[list(CREDITS)].sum().reset_index()
    totals = sums[list(CREDITS)].sum(axis=1)
    most = float(totals.max()) or 1.0
    left = 150
    room = theme.WIDTH - left - 70
    when = f"{words.day(plan.start)} to {words.day(plan.by)}"
    parts = [
        _text(LEFT, 26, "The funnel this plan needs", size=15, weight=600),
        _text(LEFT, 44, when, colour=theme.MUTED),
        *_legend(plan, 66),
    ]
    for place, (label, total) in enumerate(zip(sums["label"], totals, strict=True)):
        y, x = FUNNEL_TOP + STEP * place, float(left)
        shown = label if len(label) <= 20 else f"{label[:19]}…"
        parts.append(_text(left - 8, y + 16, shown, colour=theme.MUTED, anchor="end"))
        for name, colour in zip(CREDITS, CREDIT_COLOURS, strict=True):
            long = room * float(sums[name].iloc[place]) / most
            parts.append(_bar(x, y, long, 22, colour))
            x += long
        parts.append(_text(x + 6, y + 16, whole_text(total), weight=600))
    return _svg(FUNNEL_TOP + STEP * len(sums) + 10, parts)


def _columns(
    stacks: Sequence["pd.Series[float]"],
    colours: Sequence[str],
    top: float,
    height: float,
    named: Sequence[str],
    *,
    digits: int = 0,
) -> list[str]:
    """Draw columns, stacked, with their sums above and months below; few enough to be read."""
    sums = sum((stack.to_numpy("float64") for stack in stacks[1:]), stacks[0].to_numpy("float64"))
    most = _round_up(max(float(max(sums)), 1e-9))
    step = (theme.WIDTH - LEFT - RIGHT) / len(named)
    every = ceil(len(named) / LABELS)
    base, parts = top + height, []
    parts.append(_line(base))
    for place, label in enumerate(named):
        x, y = LEFT + step * (place + 0.14), base
        for stack, colour in zip(stacks, colours, strict=True):
            tall = height * float(stack.iloc[place]) / most
            y -= tall
            parts.append(_bar(x, y, step * 0.72, tall, colour))
        if place % every == 0:
            middle = x + step * 0.36
            said = f"{sums[place]:,.{digits}f}" if digits else whole_text(sums[place])
            parts.append(_text(middle, y - 6, said, weight=600, anchor="middle"))
            parts.append(_text(middle, base + 18, label, colour=theme.MUTED, anchor="middle"))
    return parts


def _legend(plan: Plan, y: float) -> list[str]:
    parts, x = [], float(LEFT)
    for name, colour in zip(words.credit_names(plan), CREDIT_COLOURS, strict=True):
        parts += [_bar(x, y - 10, 11, 11, colour), _text(x + 16, y, name)]
        x += 30 + 7 * len(name)
    return parts


def _round_up(most: float) -> float:
    """Top of a scale: so that it does not move with each small change of what is drawn."""
    unit = 10.0 ** floor(log10(most))
    return next(unit * size for size in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if unit * size >= most)


def _bar(x: float, y: float, wide: float, tall: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}" fill="{colour}"/>'


def _line(y: float) -> str:
    end = theme.WIDTH - RIGHT
    return f'<line x1="{LEFT}" x2="{end}" y1="{y:.1f}" y2="{y:.1f}" stroke="{theme.RULE}"/>'


def _text(
    x: float,
    y: float,
    said: str,
    *,
    size: int = 12,
    weight: int = 400,
    colour: str = theme.INK,
    anchor: str = "start",
) -> str:
    style = f'font-size="{size}" font-weight="{weight}" fill="{colour}" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(_NO_XML.sub("·", said))}</text>'


def _svg(height: int, parts: Sequence[str]) -> str:
    size = f'width="{theme.WIDTH}" height="{height}" viewBox="0 0 {theme.WIDTH} {height}"'
    font = escape(theme.CHART_FONT, quote=True)
    paper = f'<rect width="100%" height="100%" fill="{theme.PAPER}"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{font}">'
    return f"{head}{paper}{''.join(parts)}</svg>"
