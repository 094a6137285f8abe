"""How the workbook looks, and the one way in which text, numbers and formulas get into it."""

from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_range_abs, xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from workbench.report.pack.contents import Contents
from workbench.report.pack.figures import FEW
from workbench.report.pack.rows import STAMP, origin_line
from workbench.report.pack.text import clean
from workbench.theme import ACCENT, INK, INPUT, MISSING, MUTED, RESULT, RULE, WARN

FONT = "Arial"
INPUT_FILL = "#eef3ff"
A4 = 9
FOOTER = 190  # characters; Excel takes 255 with the codes in them
LINE = 17  # pixels of a line of text
LETTER = 1.05  # width of a letter, where words wrap, in characters of a column's width

STYLES: dict[str, dict[str, Any]] = {
    "title": {"bold": True, "font_size": 18, "font_color": INK},
    "said": {"font_size": 12, "font_color": INK, "text_wrap": True},
    "action": {"font_size": 12, "bold": True, "font_color": ACCENT, "text_wrap": True},
    "section": {"bold": True, "font_size": 13, "font_color": INK},
    "small": {"font_size": 9, "font_color": MUTED},
    "note": {"font_size": 9, "font_color": MUTED, "text_wrap": True, "valign": "top"},
    "stamp": {"bold": True, "font_color": WARN},
    "head": {"font_color": MUTED, "font_size": 9, "bottom": 1, "bottom_color": MUTED}
    | {"text_wrap": True, "valign": "bottom"},
    "label": {"font_color": INK, "bottom": 1, "bottom_color": RULE, "align": "left"},
    "wrapped": {"font_color": INK, "bottom": 1, "bottom_color": RULE}
    | {"text_wrap": True, "valign": "top"},
    "value": {"font_color": RESULT, "bottom": 1, "bottom_color": RULE, "align": "right"},
    "top": {"font_color": RESULT, "bottom": 1, "bottom_color": RULE}
    | {"align": "right", "valign": "top"},
    "named": {"font_color": RESULT, "bottom": 1, "bottom_color": RULE, "align": "left"},
    "beside": {"font_color": INK, "bottom": 1, "bottom_color": RULE}
    | {"text_wrap": True, "valign": "top", "align": "left", "indent": 1},
    "frozen": {"font_color": MUTED, "bottom": 1, "bottom_color": RULE, "align": "right"},
    "input": {"font_color": INPUT, "bg_color": INPUT_FILL, "border": 1, "border_color": "#b9c8f2"}
    | {"align": "right"},
    "tile_label": {"font_color": MUTED, "font_size": 9, "top": 5, "top_color": ACCENT},
    "tile": {"bold": True, "font_size": 18, "font_color": RESULT, "align": "left"},
    "state": {"italic": True, "font_color": MUTED, "bg_color": "#f4f7f8", "indent": 1},
    "data": {"font_size": 9, "font_color": MUTED},
    "worked": {"font_size": 9, "font_color": RESULT},
}
NUMBERS = {
    "": "General",
    "whole": "#,##0;−#,##0",
    "count": "#,##0.0;−#,##0.0",
    "percent": "0.0%;−0.0%",
    "fine": "#,##0.0000;−#,##0.0000",
}


@dataclass(frozen=True)
class Look:
    """Formats of a workbook by style and number, each made once."""

    book: Workbook
    symbol: str
    made: dict[tuple[object, ...], Format] = field(default_factory=dict, repr=False)

    def __call__(self, style: str, number: str = "", **more: object) -> Format:
        """Return a format; ``more`` are settings of XlsxWriter."""
        number = number or ("fine" if style in {"data", "worked"} else "")
        key = (style, number, *sorted(more.items()))
        if key not in self.made:
            settings = {"font_name": FONT, "font_size": 10, "valign": "vcenter", **STYLES[style]}
            settings["num_format"] = self.money if number == "money" else NUMBERS[number]
            self.made[key] = self.book.add_format({**settings, **more})
        return self.made[key]

    @property
    def money(self) -> str:
        """Format of money, with the currency in front, its own marks taken from it."""
        mark = self.symbol.replace('"', "").replace("\\", "")
        return f'"{mark}"#,##0;"−{mark}"#,##0'


@dataclass(frozen=True)
class Page:
    """A sheet: every text goes in as text, every formula with its value."""

    sheet: Worksheet
    look: Look

    def at(self, row: int, col: int) -> str:
        """Address of a cell for formulas of any sheet."""
        return f"{self.sheet.get_name()}!{xl_rowcol_to_cell(row, col, True, True)}"

    def range(self, row: int, col: int, last_row: int, last_col: int) -> str:
        """Address of a range for formulas of any sheet."""
        return f"{self.sheet.get_name()}!{xl_range_abs(row, col, last_row, last_col)}"

    def text(
        self,
        row: int,
        col: int,
        text: str,
        style: str = "label",
        *,
        most: int = 120,
        **more: object,
    ) -> None:
        """Write a text as text, whatever it begins with."""
        line = clean(text, most)
        if line[0] in "=+-@":
            more["quote_prefix"] = True
        self.sheet.write_string(row, col, line, self.look(style, "", **more))

    def records(self, row: int, col: int, n: float, style: str = "value") -> None:
        """Write how many records a number rests on: of few only that they are few."""
        if n < FEW:
            self.text(row, col, f"under {FEW}", style)
        else:
            self.number(row, col, n, style, "whole")

    def number(
        self, row: int, col: int, value: float, style: str = "value", number: str = ""
    ) -> str:
        """Write a number, a dash where it is missing; return its address."""
        if np.isfinite(value):
            self.sheet.write_number(row, col, float(value), self.look(style, number))
        else:
            self.text(row, col, MISSING, style)
        return self.at(row, col)

    def formula(
        self,
        row: int,
        col: int,
        formula: str,
        value: object,
        style: str = "value",
        number: str = "",
    ) -> str:
        """Write a formula and what it comes to; return its address."""
        shown = value if isinstance(value, str | int) else float(value)  # type: ignore[arg-type]
        self.sheet.write_formula(row, col, f"={formula}", self.look(style, number), shown)
        return self.at(row, col)

    def heads(self, row: int, col: int, heads: list[str], *, left: int = 1) -> None:
        """Write the head of a table: the first columns to the left, the others over numbers."""
        for place, head in enumerate(heads):
            align = "left" if place < left else "right"
            if head:
                self.text(row, col + place, head, "head", align=align)
            else:
                self.sheet.write_blank(row, col + place, None, self.look("head"))

    def tall(self, row: int, texts: dict[str, int]) -> None:
        """Make a row as tall as its texts are in columns of so many characters."""
        lines = max(ceil(LETTER * len(text) / wide) for text, wide in texts.items())
        self.sheet.set_row_pixels(row, LINE * max(lines, 1) + 6)

    def wide(self, row: int, cols: tuple[int, int], text: str, style: str, most: int = 300) -> None:
        """Write a text over several columns."""
        self.sheet.merge_range(row, cols[0], row, cols[1], "", self.look(style))
        self.text(row, cols[0], text, style, most=most)


def page(book: Workbook, look: Look, contents: Contents, name: str) -> Page:
    """Add a sheet with its set-up for the screen and for paper, as wide as the paper."""
    sheet = book.add_worksheet(name)
    sheet.hide_gridlines(2)
    sheet.set_landscape()
    sheet.set_paper(A4)
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.5, right=0.5, top=0.7, bottom=0.7)
    stamp = f"&R{STAMP}" if contents.names else ""
    sheet.set_header(f"&L&9{_plain(contents.title, 120)}{stamp}")
    sheet.set_footer(f"&L&7{_plain(origin_line(contents), FOOTER)}&R&8&P / &N")
    return Page(sheet, look)


def opening(page: Page, contents: Contents, title: str, said: str = "") -> int:
    """Write the head of a sheet; return the row below it."""
    page.sheet.set_row_pixels(0, 34)
    page.text(0, 0, title, "title", most=120)
    page.text(1, 0, origin_line(contents), "small", most=400)
    row = 2
    if contents.names:
        page.text(row, 0, STAMP, "stamp")
        row += 1
    if said:
        page.text(row, 0, said, "small", most=400)
        row += 1
    return row + 1


def _plain(text: str, most: int) -> str:
    """Keep words from acting as codes of a header, and to the length that a header takes."""
    said = clean(text, most)
    while len(said.replace("&", "&&")) > most:
        said = clean(said, len(said) - 1)
    return said.replace("&", "&&")
