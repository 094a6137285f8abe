"""Native charts of a slide: stacked columns or bars, with their data in a workbook inside."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

from pptx.chart.chart import Chart
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import (
    XL_CHART_TYPE,
    XL_LABEL_POSITION,
    XL_LEGEND_POSITION,
    XL_TICK_LABEL_POSITION,
)
from pptx.slide import Slide
from pptx.util import Inches, Pt
from xlsxwriter import Workbook

from workbench import theme
from workbench.report.pack.deck_parts import Box, describe, rgb

LABELLED = 12  # columns at most that carry their number


def columns(
    slide: Slide,
    box: Box,
    names: Sequence[str],
    series: Mapping[str, Iterable[float]],
    *,
    about: str,
    day: date,
    colours: Sequence[str],
    digits: int = 0,
    across: bool = False,
) -> None:
    """Add a native stacked chart, columns or (``across``) bars with the first at the top.

    Its data lie in a workbook inside the slide, to be edited there.

    Parameters
    ----------
    names : sequence of str
        Below the columns, or left of the bars.
    series : mapping of name to numbers
        From the axis outwards.
    about : str
        What it shows, for those who cannot see it.
    day : date
        What the workbook names as the day it was made.
    """
    form = "#,##0" if digits == 0 else f"#,##0.{'0' * digits}"
    data: Any = CategoryChartData(form)  # type: ignore[no-untyped-call]
    data.categories = list(names)
    for name, values in series.items():
        data.add_series(name, [float(value) for value in values])
    kind = XL_CHART_TYPE.BAR_STACKED if across else XL_CHART_TYPE.COLUMN_STACKED
    shapes: Any = slide.shapes  # partly typed, and wrongly
    shape = shapes.add_chart(kind, *map(Inches, box), data)
    describe(shape, about)
    chart: Chart = shape.chart
    part: Any = chart.part
    part.chart_workbook.update_from_xlsx_blob(_workbook(names, series, day))
    chart.font.size, chart.font.color.rgb = Pt(10), rgb(theme.MUTED)
    chart.has_title = False
    chart.has_legend = len(series) > 1
    if chart.legend is not None:
        chart.legend.position, chart.legend.include_in_layout = XL_LEGEND_POSITION.TOP, False
    _axes(chart, across=across)
    plot = chart.plots[0]
    plot.gap_width, plot.overlap = 40, 100
    for each, colour in zip(plot.series, colours, strict=True):
        each.format.fill.solid()
        each.format.fill.fore_color.rgb = rgb(colour)
    if len(series) == 1 and len(names) <= LABELLED:
        plot.has_data_labels = True
        plot.data_labels.font.size = Pt(11)
        plot.data_labels.position = XL_LABEL_POSITION.INSIDE_END
        plot.data_labels.number_format, plot.data_labels.number_format_is_linked = "#,##0;;", False
        plot.data_labels.font.color.rgb = rgb(theme.PAPER)


def _axes(chart: Chart, *, across: bool) -> None:
    named, scale = chart.category_axis, chart.value_axis
    named.format.line.color.rgb = rgb(theme.MUTED)
    named.has_major_gridlines = False
    named.tick_label_position = XL_TICK_LABEL_POSITION.LOW
    named.reverse_order = across
    scale.minimum_scale = 0
    scale.format.line.fill.background()
    if across:
        scale.has_major_gridlines = scale.visible = False
    else:
        scale.major_gridlines.format.line.color.rgb = rgb(theme.RULE)


def _workbook(names: Sequence[str], series: Mapping[str, Iterable[float]], day: date) -> bytes:
    """Write the data of a chart: names are text, whatever they begin with, and lead nowhere."""
    out = BytesIO()
    book = Workbook(out, {"in_memory": True})
    book.set_properties({"created": datetime(day.year, day.month, day.day, tzinfo=UTC)})
    sheet = book.add_worksheet()
    for line, name in enumerate(names, start=1):
        sheet.write_string(line, 0, name)
    for place, (name, values) in enumerate(series.items(), start=1):
        sheet.write_string(0, place, name)
        sheet.write_column(1, place, [float(value) for value in values])
    book.close()
    return out.getvalue()
