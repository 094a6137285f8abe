"""What slides are made of: text in a box and tables with rules, all of it native."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
from pptx.dml.color import RGBColor
from pptx.enum.text import MSO_ANCHOR, MSO_AUTO_SIZE, PP_ALIGN
from pptx.oxml import parse_xml
from pptx.oxml.ns import nsdecls
from pptx.oxml.xmlchemy import BaseOxmlElement
from pptx.shapes.base import BaseShape
from pptx.slide import Slide
from pptx.table import _Cell
from pptx.util import Emu, Inches, Pt

from workbench import theme

NO_STYLE = "{2D5ABB26-0587-4C30-8999-92F81FD0307C}"  # of Office: no fill, no grid


class Box(NamedTuple):
    """A place on a slide, inches."""

    x: float
    y: float
    wide: float
    tall: float


def say(
    slide: Slide,
    box: Box,
    text: str | Sequence[str],
    *,
    size: float,
    colour: str = theme.INK,
    bold: bool = False,
    fill: str | None = None,
    align: PP_ALIGN = PP_ALIGN.LEFT,
    anchor: MSO_ANCHOR = MSO_ANCHOR.TOP,
    pad: float = 0.0,
    gap: float = 0.0,
) -> None:
    """Write paragraphs into a box.

    Parameters
    ----------
    size, gap : float
        Of the letters, and between paragraphs; points.
    pad : float
        Space inside the box, inches.
    fill : str, optional
        Colour of the box.
    """
    shape = slide.shapes.add_textbox(*map(Inches, box))
    if fill:
        shape.fill.solid()
        shape.fill.fore_color.rgb = rgb(fill)
    frame = shape.text_frame
    frame.word_wrap, frame.auto_size, frame.vertical_anchor = True, MSO_AUTO_SIZE.NONE, anchor
    frame.margin_left = frame.margin_right = Inches(pad)
    frame.margin_top = frame.margin_bottom = Inches(pad / 2)
    for place, line in enumerate([text] if isinstance(text, str) else text):
        paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
        paragraph.alignment, paragraph.space_after = align, Pt(gap)
        run = paragraph.add_run()
        run.text = line
        run.font.size, run.font.bold, run.font.color.rgb = Pt(size), bold, rgb(colour)


def table(
    slide: Slide,
    box: Box,
    rows: pd.DataFrame,
    wide: Sequence[float],
    *,
    about: str,
    size: float = 11,
    left: Sequence[str] = (),
    row: float = 0.34,
) -> None:
    """Add a native table: a heading row, a rule below each row, numbers to the right.

    Parameters
    ----------
    rows : DataFrame of str
    wide : sequence of float
        Width of each column; scaled to the box.
    about : str
        What it shows, for those who cannot see it.
    left : sequence of str
        Columns of words; the first is one anyway.
    row : float
        Height of a row, inches; a row that needs more grows.
    """
    shapes: Any = slide.shapes  # partly typed, and wrongly
    shape = shapes.add_table(len(rows) + 1, len(wide), *map(Inches, box[:3]), Inches(row))
    describe(shape, about)
    shape.element.xpath(".//a:tableStyleId")[0].text = NO_STYLE
    grid = shape.table
    grid.horz_banding = False
    for column, each in zip(grid.columns, wide, strict=True):
        column.width = Emu(int(Inches(box.wide) * each / sum(wide)))
    for line in grid.rows:
        line.height = Inches(row)
    words = {rows.columns[0], *left}
    for place, name in enumerate(rows.columns):
        align = PP_ALIGN.LEFT if name in words else PP_ALIGN.RIGHT
        for line, text in enumerate([name, *rows[name]]):
            muted = line == 0
            _cell(grid.cell(line, place), str(text), size=size, align=align, muted=muted)
            if place and align == PP_ALIGN.LEFT:
                grid.cell(line, place).margin_left = Inches(0.2)
    for place, cell in enumerate(shape.element.xpath(".//a:tc")):
        _rule(cell, theme.INK if place < len(wide) else theme.RULE)


def _cell(cell: _Cell, text: str, *, size: float, align: PP_ALIGN, muted: bool) -> None:
    cell.margin_left, cell.margin_right = Inches(0.04), Inches(0.08)
    cell.margin_top = cell.margin_bottom = Inches(0.03)
    cell.vertical_anchor = MSO_ANCHOR.MIDDLE
    paragraph = cell.text_frame.paragraphs[0]
    paragraph.alignment = align
    run = paragraph.add_run()
    run.text = text
    run.font.size, run.font.bold = Pt(size), muted
    run.font.color.rgb = rgb(theme.MUTED if muted else theme.RESULT)


def _rule(cell: BaseOxmlElement, colour: str) -> None:
    line = (
        f'<a:lnB {nsdecls("a")} w="6350"><a:solidFill><a:srgbClr val="{colour[1:]}"/>'
        "</a:solidFill></a:lnB>"
    )
    cell.get_or_add_tcPr().insert(0, parse_xml(line))


def describe(shape: BaseShape, about: str) -> None:
    """Give a chart or a table the words that stand for it."""
    shape.element.xpath(".//p:cNvPr")[0].set("descr", about)


def rgb(colour: str) -> RGBColor:
    """Read ``#0b6b78``."""
    red, green, blue = bytes.fromhex(colour[1:])
    return RGBColor(red, green, blue)  # type: ignore[no-untyped-call]
