"""The empty deck: 16:9, one layout, our colours and font, and the frame around every slide."""

import re
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from pptx import Presentation
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.oxml import parse_xml
from pptx.oxml.ns import nsdecls, qn
from pptx.oxml.xmlchemy import BaseOxmlElement
from pptx.presentation import Presentation as Deck
from pptx.slide import Slide
from pptx.text.text import TextFrame
from pptx.util import Inches, Pt

from workbench import theme
from workbench.report.pack.contents import Contents
from workbench.report.pack.deck_parts import Box, rgb, say
from workbench.report.pack.rows import STAMP, origin_line
from workbench.report.pack.text import clean

FONT = "Arial"  # Liberation Sans and Helvetica have the same widths
WIDE, TALL, MARGIN = 13.333, 7.5, 0.6
ROOM = WIDE - 2 * MARGIN
TITLE, TOP, BOTTOM = (MARGIN, 0.7, ROOM, 1.05), 1.85, 6.75
FOOT = 6.98
LAYOUT = "Title Only"
COLOURS = {
    "dk1": theme.INK,
    "dk2": theme.INK,
    "lt2": theme.RULE,
    **{f"accent{n}": colour for n, colour in enumerate(theme.CATEGORIES, start=1)},
    "hlink": theme.ACCENT,
    "folHlink": theme.ACCENT,
}
_MUTED = f'<a:srgbClr {nsdecls("a")} val="{theme.MUTED[1:]}"/>'


def empty_deck(contents: Contents) -> Deck:
    """Make a deck without slides, whose properties name no person and no clock."""
    deck = Presentation()
    deck.slide_width, deck.slide_height = Inches(WIDE), Inches(TALL)
    for layout in list(deck.slide_layouts):
        if layout.name != LAYOUT:
            deck.slide_layouts.remove(layout)
    _drop_extras(deck)
    _dress(deck)
    told = deck.core_properties
    told.title, told.subject = clean(contents.title, 120), origin_line(contents)
    told.author = told.last_modified_by = told.keywords = told.comments = ""
    told.language, told.revision = "en", 1
    day = contents.plan.as_of or contents.plan.start
    told.created = told.modified = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return deck


def add_slide(deck: Deck, contents: Contents, title: str, notes: str) -> Slide:
    """Add a slide with its title, the origin and its number at the foot, and notes.

    Parameters
    ----------
    title : str
        A sentence that says what the slide shows.
    notes : str
        For whoever speaks; the origin is added.
    """
    slide: Slide = deck.slides.add_slide(deck.slide_layouts[0])
    if slide.shapes.title is not None:
        slide.shapes.title.text_frame.text = title
    holders: Any = slide.slide_layout.placeholders
    for holder in holders:
        if holder.placeholder_format.idx in (11, 12):
            slide.shapes._spTree.append(deepcopy(holder.element))  # noqa: SLF001 - no public way
    for holder in slide.placeholders:
        if holder.placeholder_format.idx == 11:
            _foot(holder.text_frame, origin_line(contents))
    say(
        slide, Box(MARGIN, 0.38, ROOM, 0.3), clean(contents.title, 90), size=12, colour=theme.ACCENT
    )
    if contents.names:
        corner = Box(WIDE - MARGIN - 4, 0.38, 4, 0.3)
        say(slide, corner, STAMP, size=12, colour=theme.WARN, align=PP_ALIGN.RIGHT)
    frame = slide.notes_slide.notes_text_frame
    if frame is not None:
        frame.text = f"{notes}\n\n{origin_line(contents)}"
    return slide


def _foot(frame: TextFrame, text: str) -> None:
    """Write the foot with its looks spelled out: LibreOffice does not take them from the master."""
    frame.text = text
    font = frame.paragraphs[0].runs[0].font
    font.size, font.name, font.color.rgb = Pt(9), FONT, rgb(theme.MUTED)
    frame.margin_left = Inches(0)


def _drop_extras(deck: Deck) -> None:
    """Drop what the template brings and nobody needs: settings of a printer, a small picture."""
    package = deck.part.package
    for rels in (deck.part.rels, package._rels):  # noqa: SLF001 - no public way
        for key, rel in list(rels.items()):
            if rel.reltype.endswith(("/printerSettings", "/thumbnail")):
                rels.pop(key)


def _dress(deck: Deck) -> None:
    master = deck.slide_master
    theme_part = next(
        r.target_part for r in master.part.rels.values() if r.reltype.endswith("/theme")
    )
    theme_part._blob = _themed(theme_part.blob)  # noqa: SLF001 - no public way
    for holder in list(deck.slide_layouts[0].placeholders):
        if holder.placeholder_format.idx == 10:
            holder.element.getparent().remove(holder.element)
    places = {
        "title": TITLE,
        "body": (MARGIN, TOP, ROOM, BOTTOM - TOP),
        "dt": (MARGIN, FOOT, 1, 0.3),
        "ftr": (MARGIN, FOOT, ROOM - 0.8, 0.3),
        "sldNum": (WIDE - MARGIN - 0.7, FOOT, 0.7, 0.3),
    }
    for holder in list(master.placeholders):
        kind = holder.element.xpath(".//p:nvPr/p:ph/@type")[0]
        holder.left, holder.top, holder.width, holder.height = map(Inches, places[kind])
        frame = holder.text_frame
        frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
        if kind == "dt":
            holder.element.getparent().remove(holder.element)
        elif kind == "title":
            frame.vertical_anchor = MSO_ANCHOR.TOP
        elif kind in ("ftr", "sldNum"):
            _small(holder.element, "r" if kind == "sldNum" else "l")
    _title_style(master.element)


def _themed(blob: bytes) -> bytes:
    text = blob.decode("utf-8")
    for name, colour in COLOURS.items():
        value = f'<a:{name}><a:srgbClr val="{colour[1:].upper()}"/></a:{name}>'
        text = re.sub(rf"<a:{name}>.*?</a:{name}>", value, text, flags=re.DOTALL)
    text = re.sub(r'<a:latin typeface="[^"]*"', f'<a:latin typeface="{FONT}"', text)
    return text.encode("utf-8")


def _small(element: BaseOxmlElement, align: str) -> None:
    """Write the foot small and muted, in the master: slides follow it."""
    style = next(element.iter(qn("a:lvl1pPr")))
    style.set("algn", align)
    run = next(style.iter(qn("a:defRPr")))
    run.set("sz", str(Pt(9).centipoints))
    for colour in list(run.iter(qn("a:schemeClr"))):
        colour.getparent().replace(colour, parse_xml(_MUTED))


def _title_style(master: BaseOxmlElement) -> None:
    style = next(next(master.iter(qn("p:titleStyle"))).iter(qn("a:lvl1pPr")))
    style.set("algn", "l")
    run = next(style.iter(qn("a:defRPr")))
    run.set("sz", str(Pt(20).centipoints))
    run.set("b", "1")
