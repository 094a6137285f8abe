"""The charts of the workbook: Excel's own, on the cells of sheet "Plan"."""

from xlsxwriter import Workbook
from xlsxwriter.chart import Chart

from workbench.charts import CREDIT_COLOURS
from workbench.report.pack.contents import Contents
from workbench.report.pack.rows import parts
from workbench.report.pack.sheet_look import FONT
from workbench.theme import INK, MUTED, RULE

TALL = 340  # pixels


def months_chart(book: Workbook, contents: Contents, first: int, wide: int) -> Chart:
    """Wins to expect by month, by where they come from; ``first`` is the row of the first month."""
    chart = book.add_chart({"type": "column", "subtype": "stacked"})
    last = first + len(contents.what_if.months) - 1
    _series(chart, contents, [3, 4, 5], first, last, gap=60)
    chart.set_title(_title("Wins to expect by month"))
    chart.set_x_axis(_axis(line={"color": MUTED}))
    chart.set_y_axis(_axis(num_format="#,##0", major_gridlines=_grid(), line={"none": True}))
    return _dressed(chart, wide)


def funnel_chart(book: Workbook, contents: Contents, first: int, wide: int) -> Chart:
    """Records at each step, by where they come from; ``first`` is the row of the first step."""
    chart = book.add_chart({"type": "bar", "subtype": "stacked"})
    last = first + len(contents.what_if.labels) - 1
    _series(chart, contents, [2, 3, 4], first, last, gap=45)
    chart.set_title(_title("The funnel of this plan"))
    chart.set_x_axis(_axis(line={"none": True}, num_format="#,##0", major_gridlines=_grid()))
    none = {"visible": False}
    chart.set_y_axis(
        _axis(reverse=True, crossing="max", line={"color": MUTED}, major_gridlines=none)
    )
    return _dressed(chart, wide)


def _series(
    chart: Chart, contents: Contents, columns: list[int], first: int, last: int, gap: int
) -> None:
    names = parts(contents)
    for column, name, colour in zip(columns, names, CREDIT_COLOURS, strict=True):
        chart.add_series(
            {
                "name": name,
                "categories": ["Plan", first, 1, last, 1],
                "values": ["Plan", first, column, last, column],
                "fill": {"color": colour},
                "border": {"none": True},
                "gap": gap,
            }
        )


def _dressed(chart: Chart, wide: int) -> Chart:
    chart.set_legend({"position": "bottom", "font": _font()})
    chart.set_chartarea({"border": {"none": True}, "fill": {"color": "#ffffff"}})
    chart.set_size({"width": wide, "height": TALL})
    return chart


def _title(text: str) -> dict[str, object]:
    font = {"name": FONT, "size": 12, "bold": True, "color": INK}
    return {"name": text, "name_font": font, "overlay": False}


def _axis(**more: object) -> dict[str, object]:
    return {"num_font": _font(), "major_tick_mark": "none", "minor_tick_mark": "none", **more}


def _grid() -> dict[str, object]:
    return {"visible": True, "line": {"color": RULE, "width": 0.75}}


def _font() -> dict[str, object]:
    return {"name": FONT, "size": 9, "color": MUTED}
