"""The one look of every chart, and how a chart gets into a notebook, a widget and a page.

Altair 6 and JupyterLab 4.6 do not fit each other out of the box: Altair's own renderers either
load scripts from the internet or emit a type that Lab cannot draw. `enable` installs ours. It hands
Lab a Vega-Lite 5 chart, which stays live without a kernel or a network, and beside it the same
chart as SVG and one line of text, for pages, viewers and screen readers. The bytes are the same
in every run and on every machine: vl-convert carries the font that is measured.

So keep to what Vega-Lite 5.6 can do: that is what Lab bundles.

Examples
--------
>>> import altair as alt
>>> from workbench import theme
>>> theme.enable()
>>> bars = alt.Chart(
...     alt.Data(values=[{"stage": "Demo", "deals": 1234}]),
...     title="Deals by stage",
...     description="Demo holds 1,234 deals.",
... ).mark_bar().encode(x="deals:Q", y="stage:N")
>>> theme.mime_bundle(bars.to_dict())["text/plain"]
'chart: Deals by stage. Demo holds 1,234 deals.'
>>> theme.whole_text(1234), theme.money_text(12_345), theme.percent_text(0.34)
('1,234', '$12.3K', '34%')
"""

import base64
import html
import json
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

NAME = "reverse_funnel"

ACCENT = "#0b6b78"  # deep teal: what the chart is about
ACCENT_SOFT = "#b9d9dd"  # intervals, bands, what is already there
INPUT = "#1f4fd8"  # numbers that people set
RESULT = "#111111"  # numbers that were computed
WARN = "#b8480a"  # late, short, overdue
INK = "#1b2430"
MUTED = "#5b6573"  # axis labels, notes, comparisons
RULE = "#dfe4e9"
PAPER = "#ffffff"

# Six colours, after Okabe and Ito, that stay apart for colour-blind readers too (test_theme.py
# measures it). Beyond six, group the rest as "other" and draw it in MUTED.
CATEGORIES = (ACCENT, "#e69f00", "#56b4e9", WARN, "#cc79a7", "#1b2f4b")
SEQUENCE = ("#e3f0f1", "#b9d9dd", "#7fb8bf", "#3f919b", ACCENT, "#074853")
DIVERGING = (WARN, "#e3a67f", "#eef0f2", "#7fb8bf", ACCENT)

# vl-convert carries Liberation Sans; Arial and Helvetica have the same widths.
CHART_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
PAGE_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'

WIDTH, HEIGHT = 640, 280  # pixels; fits a notebook column at a 1280-pixel screen

MISSING = "–"
WHOLE_LABEL = "(datum.value < 0 ? '−' : '') + format(abs(datum.value), ',.0f')"
PERCENT_LABEL = (
    "(datum.value < 0 ? '−' : '') + "
    "format(abs(100 * datum.value), abs(100 * datum.value) < 9.95 ? '.1~f' : '.0f') + '%'"
)

LAB_MIME = "application/vnd.vegalite.v5+json"
LAB_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.8.0.json"
_DRAWN_BY = "5.8"  # the oldest Vega-Lite in vl-convert, the nearest to Lab's 5.6
_GENERATED_ID = re.compile(r'(?<= id=")(?:clip|gradient_|pattern_)\d+(?=")')


def money_label(symbol: str = "$") -> str:
    """Vega expression for an axis of money: 12,345 reads ``$12.3K``, as `money_text` writes it.

    Use it as ``alt.Axis(labelExpr=money_label("€"))``.
    """
    size = "abs(datum.value)"
    short = f"replace(replace(format({size}, '.3~s'), 'k', 'K'), 'G', 'B')"
    plain = f"format({size}, ',.0f')"
    sign = f"(datum.value < 0 ? '−' : '') + {json.dumps(symbol)}"
    return f"{sign} + ({size} < 999.5 ? {plain} : {short})"


def whole_text(value: float | None) -> str:
    """Write a count as ``1,234``; missing as an en dash."""
    return _signed(value, lambda size: f"{_rounded(size, 0):,}")


def money_text(value: float | None, symbol: str = "$") -> str:
    """Write money to three figures: ``$950``, ``$12.3K``, ``$1.2M``, ``$3B``; missing as an en dash.

    Examples
    --------
    >>> money_text(-1_250_000, "€")
    '−€1.25M'
    """
    return _signed(value, lambda size: symbol + _three_figures(size))


def percent_text(share: float | None) -> str:
    """Write a share of 0 to 1 as ``34%``, below 10 % with one decimal; missing as an en dash.

    Examples
    --------
    >>> percent_text(0.016)
    '1.6%'
    """
    return _signed(
        share, lambda size: f"{_plain(_rounded(100 * size, 1 if 100 * size < 9.95 else 0))}%"
    )


@alt.theme.register(NAME, enable=False)
def look() -> alt.theme.ThemeConfig:
    """Return the theme: one accent, quiet axes, room to breathe, numbers with separators."""
    title = {"color": INK, "fontSize": 15, "fontWeight": 600, "anchor": "start", "offset": 14}
    subtitle = {"subtitleColor": MUTED, "subtitleFontSize": 12, "subtitlePadding": 6}
    axis = {
        "domain": False,
        "gridColor": RULE,
        "labelColor": MUTED,
        "labelFontSize": 12,
        "labelPadding": 6,
        "ticks": False,
        "titleColor": MUTED,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 10,
    }
    legend = {"labelColor": INK, "titleColor": MUTED, "titleFontWeight": "normal"}
    config: dict[str, Any] = {
        "background": PAPER,
        "padding": 12,
        "font": CHART_FONT,
        "numberFormat": ",~f",
        "view": {"continuousWidth": WIDTH, "continuousHeight": HEIGHT, "stroke": None}
        | {"discreteWidth": WIDTH, "discreteHeight": {"step": 28}},
        "title": {**title, **subtitle, "frame": "group"},
        "axis": axis,
        "axisX": {"grid": False, "domain": True, "domainColor": RULE}
        | {"labelAngle": 0, "labelOverlap": "greedy"},
        "axisXQuantitative": {"tickCount": 6, "labelFlush": False},
        "axisBand": {"grid": False},
        "legend": {**legend, "orient": "top", "labelFontSize": 12},
        "header": {"labelColor": INK, "labelFontSize": 12, "titleColor": MUTED},
        "range": {"category": CATEGORIES, "ordinal": SEQUENCE, "ramp": SEQUENCE}
        | {"heatmap": SEQUENCE, "diverging": DIVERGING},
        "mark": {"color": ACCENT},
        "bar": {"cornerRadiusEnd": 2, "discreteBandSize": {"band": 0.72}},
        "line": {"strokeWidth": 2.5, "strokeCap": "round"},
        "area": {"fillOpacity": 0.25},
        "point": {"filled": True, "size": 60},
        "rule": {"color": MUTED},
        "text": {"color": INK, "fontSize": 12},
    }
    return alt.theme.ThemeConfig(config=json.loads(json.dumps(config)))


def enable() -> None:
    """Give every chart this look, and show it in Lab, offline, by `mime_bundle`; tables whole."""
    pd.set_option("display.max_colwidth", None)  # a note is read to its end
    alt.theme.enable(NAME)
    alt.renderers.register(NAME, mime_bundle)
    alt.renderers.enable(NAME)


def mime_bundle(spec: dict[str, Any], **_options: object) -> dict[str, Any]:
    """Return what a notebook stores for a chart: live for Lab, SVG, and one line of text.

    Parameters
    ----------
    spec : dict
        A chart as ``chart.to_dict()`` gives it. It is not changed.
    """
    embed = {"actions": {"export": True, "source": False, "compiled": False, "editor": False}}
    live = {
        **spec,
        "$schema": LAB_SCHEMA,
        "usermeta": {"embedOptions": {**embed, "renderer": "svg"}},
    }
    return {LAB_MIME: live, "image/svg+xml": _drawn(spec), "text/plain": caption(spec)}


def caption(spec: dict[str, Any]) -> str:
    """Return the line that stands for a chart: ``chart: TITLE. DESCRIPTION``."""
    title = _first(spec, "title")
    words = title.get("text", "") if isinstance(title, dict) else title
    parts = [" ".join(words) if isinstance(words, list) else words, _first(spec, "description")]
    flat = [" ".join(str(part).split()).rstrip(".") for part in parts]
    return "chart: " + ". ".join(part for part in flat if part) + ("." if flat[1] else "")


def svg(chart: alt.typing.ChartType) -> str:
    """Draw a chart as SVG in this look, whether or not `enable` was called.

    Nothing is loaded from outside: a chart whose data is an address is refused by vl-convert
    with a ValueError.
    """
    with alt.theme.enable(NAME):
        return _drawn(chart.to_dict())


def image(chart: alt.typing.ChartType, alt_text: str) -> str:
    """Return a chart as an ``<img>``, safe inside ``ipywidgets.HTML`` whatever the data holds.

    Parameters
    ----------
    chart : Chart
        Any Altair chart.
    alt_text : str
        What the chart shows, for those who cannot see it; escaped here.
    """
    return embedded(svg(chart), alt_text)


def embedded(drawing: str, alt_text: str) -> str:
    """Return an SVG as an ``<img>``: a drawing in an image runs nothing and loads nothing."""
    data = base64.b64encode(drawing.encode()).decode()
    words = html.escape(alt_text, quote=True)
    return f'<img alt="{words}" style="max-width:100%" src="data:image/svg+xml;base64,{data}">'


def _drawn(spec: dict[str, Any]) -> str:
    drawing = vl_convert.vegalite_to_svg(spec, vl_version=_DRAWN_BY, allowed_base_urls=[])
    return _numbered_from_one(drawing)


def _first(spec: dict[str, Any], key: str) -> object:
    """Find a property of the chart, or of the first of its layers or panels that has it."""
    inner = [
        part for kind in ("layer", "hconcat", "vconcat", "concat") for part in spec.get(kind, [])
    ]
    return spec.get(key) or next((_first(part, key) for part in inner if _first(part, key)), "")


def _numbered_from_one(drawing: str) -> str:
    """Renumber generated ids: Vega counts them on from one chart to the next in a session."""
    found = dict.fromkeys(_GENERATED_ID.findall(drawing))
    fresh = {old: f"{old.rstrip('0123456789')}{n}" for n, old in enumerate(found, start=1)}
    return re.sub(
        r'(?<= id=")[a-z_]+\d+(?=")|(?<=url\(#)[a-z_]+\d+(?=\))',
        lambda match: fresh.get(match[0], match[0]),
        drawing,
    )


def _signed(value: float | None, write: Callable[[float], str]) -> str:
    if value is None or pd.isna(value):
        return MISSING
    written = write(abs(value))
    return f"−{written}" if value < 0 else written


def _rounded(size: float, places: int) -> Decimal:
    """Round halves up, as a chart does, so that a table and a chart say the same."""
    return Decimal(size).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _plain(number: Decimal) -> str:
    return f"{number:f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:f}"


def _three_figures(size: float) -> str:
    if size < 999.5:
        return f"{_rounded(size, 0)}"
    digits = Decimal(size).quantize(Decimal(1).scaleb(Decimal(size).adjusted() - 2), ROUND_HALF_UP)
    step = min(digits.adjusted() // 3, 4)
    return _plain(digits.scaleb(-3 * step)) + " KMBT"[step]
