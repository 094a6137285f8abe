"""The five slides: each a sentence for its title, what shows it, and notes for who speaks."""

import pandas as pd
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.presentation import Presentation as Deck
from pptx.slide import Slide

from workbench import theme
from workbench.charts import CREDIT_COLOURS
from workbench.report.pack import headlines, rows
from workbench.report.pack.contents import Contents
from workbench.report.pack.deck_charts import columns
from workbench.report.pack.deck_master import BOTTOM, MARGIN, ROOM, TOP, add_slide
from workbench.report.pack.deck_notes import HISTORY, notes
from workbench.report.pack.deck_parts import Box, say, table
from workbench.report.pack.text import clean

TALL = BOTTOM - TOP
TABLED = 8  # months at most that stand in a table below the charts
SAID = 3  # caveats on the first slide
LISTED = 7  # caveats on the last
MEANT = ("chance", "leads", "gap", "chance_without", "expected", "from_pipeline", "deal_value")
CHANGED = 12  # lines of what changed


def add_answer(deck: Deck, contents: Contents) -> None:
    """Add the answer: what to create, target, chance, gap, the next step, what to know."""
    told = contents.figures
    slide = add_slide(deck, contents, headlines.answer(contents), notes(contents, "answer"))
    _big(slide, contents)
    left, wide = MARGIN + 4.1, ROOM - 4.1
    cards = (("target", 3.2), ("chance", 2.1), ("gap", 2.53))
    for name, room in cards:
        box = Box(left, TOP, room, 1.55)
        _card(slide, box, told[name].label, clean(told[name].text, 70), words=name == "target")
        left += room + 0.1
    left = MARGIN + 4.1
    say(slide, Box(left, 3.6, wide, 0.3), "Do this next", size=12, bold=True, colour=theme.ACCENT)
    action = clean(contents.action, 200)
    box = Box(left, 3.9, wide, 0.85)
    say(slide, box, action, size=16, bold=True, fill="#e3f0f1", pad=0.16, anchor=MSO_ANCHOR.MIDDLE)
    if contents.caveats:
        said = [f"•  {clean(note, 160)}" for note in contents.caveats[:SAID]]
        more = len(contents.caveats) - SAID
        said += [f"•  and {more} more, on the last slide"] if more > 0 else []
        say(slide, Box(left, 4.95, wide, 0.3), "Know this", size=12, bold=True, colour=theme.ACCENT)
        say(slide, Box(left, 5.25, wide, 1.5), said, size=11, gap=3)


def _big(slide: Slide, contents: Contents) -> None:
    """The number of the plan, large, and what more or less certainty takes."""
    told = contents.figures
    box = Box(MARGIN, TOP, 3.9, TALL)
    say(slide, box, "", size=12, fill=theme.ACCENT)
    number = told["leads"].text
    big = 80 if len(number) < 6 else 60
    white, middle = theme.PAPER, PP_ALIGN.CENTER
    place = Box(MARGIN, TOP + 0.65, 3.9, 1.4)
    say(
        slide,
        place,
        number,
        size=big,
        bold=True,
        colour=white,
        align=middle,
        anchor=MSO_ANCHOR.MIDDLE,
    )
    say(
        slide,
        Box(MARGIN, TOP + 2.05, 3.9, 0.4),
        told["leads"].label,
        size=18,
        colour=white,
        align=middle,
    )
    others = [f for name, f in told.items() if name.startswith("leads_")]
    lines = [f"{f.text} {f.label.partition(' ')[2]}" for f in others]
    say(slide, Box(MARGIN, TOP + 3.0, 3.9, 1.2), lines, size=13, colour=white, align=middle, gap=4)


def _card(slide: Slide, box: Box, label: str, text: str, *, words: bool) -> None:
    say(slide, box, "", size=12, fill="#f4f7f8")
    inner = Box(box.x + 0.16, box.y + 0.12, box.wide - 0.32, 0.3)
    say(slide, inner, label, size=11, colour=theme.MUTED)
    place = Box(inner.x, box.y + 0.5, inner.wide, 0.95)
    colour = theme.INPUT if words else theme.RESULT
    size = 16 if words else (34 if len(text) < 7 else 22)
    say(slide, place, text, size=size, bold=True, colour=colour, anchor=MSO_ANCHOR.MIDDLE)


def add_months(deck: Deck, contents: Contents) -> None:
    """Add what to create and what to expect, month by month."""
    slide = add_slide(deck, contents, headlines.months(contents), notes(contents, "months"))
    shown, found = rows.months(contents), contents.months
    few = len(shown) <= TABLED
    tall = 2.55 if few else TALL - 0.35
    half = (ROOM - 0.4) / 2
    top = contents.plan.top
    day = contents.plan.as_of or contents.plan.start
    names = rows.month_names(contents)
    for x, heading in (
        (MARGIN, f"{top.capitalize()} to create"),
        (MARGIN + half + 0.4, "Wins to expect"),
    ):
        say(slide, Box(x, TOP, half, 0.3), heading, size=13, bold=True)
    columns(
        slide,
        Box(MARGIN, TOP + 0.3, half, tall),
        names,
        {f"{top.capitalize()} to create": found["leads"]},
        about=f"{headlines.months(contents)}: {top} to create by month",
        day=day,
        colours=[theme.ACCENT],
    )
    columns(
        slide,
        Box(MARGIN + half + 0.4, TOP + 0.3, half, tall),
        names,
        {said: found[name] for name, said in zip(rows.WINS, rows.parts(contents), strict=True)},
        about=f"{headlines.months(contents)}: wins to expect by month and by where they come from",
        day=day,
        colours=CREDIT_COLOURS,
        digits=1,
    )
    if few:
        drop = [name for name in shown.columns if str(name).startswith("Wins: ")]
        turned = shown.drop(columns=drop).set_index("Month").T.rename_axis("").reset_index()
        turned.columns = ["", *names]
        wide = [1.5] + [1.2] * len(names)
        box = Box(MARGIN, TOP + tall + 0.45, min(ROOM, 2.2 + 1.8 * len(names)), 1.7)
        table(slide, box, turned, wide, about="The same by month, with the 80% band", row=0.32)


def add_funnel(deck: Deck, contents: Contents) -> None:
    """Add the funnel as bars, and the rates that it is made of."""
    slide = add_slide(deck, contents, headlines.funnel(contents), notes(contents, "funnel"))
    found = contents.funnel
    totals = zip(rows.funnel(contents)["Step"], found["total"], strict=True)
    half = 5.6
    say(slide, Box(MARGIN, TOP, half, 0.3), "The funnel this plan needs", size=13, bold=True)
    columns(
        slide,
        Box(MARGIN - 0.1, TOP + 0.3, half, TALL - 0.3),
        [f"{label}  {theme.whole_text(total)}" for label, total in totals],
        {said: found[name] for name, said in zip(rows.PARTS, rows.parts(contents), strict=True)},
        about=headlines.funnel(contents),
        day=contents.plan.as_of or contents.plan.start,
        colours=CREDIT_COLOURS,
        across=True,
    )
    left = MARGIN + half + 0.4
    wide = ROOM - half - 0.4
    say(slide, Box(left, TOP, wide, 0.3), "How many go on, in time", size=13, bold=True)
    shown = rows.rates(contents)
    names = ["From", "To"]
    shown[names] = shown[names].map(lambda label: clean(label, 22 if len(shown) <= 8 else 16))
    row = min(0.5, (TALL - 0.9) / (len(shown) + 1))
    table(
        slide,
        Box(left, TOP + 0.4, wide, 1),
        shown,
        [1.35, 1.45, 0.95, 0.9, 1.3, 0.75],
        about="Rate of each step: planned, in history with its 95% interval, and the records followed",
        size=10.5 if len(shown) <= 8 else 9,
        left=["To"],
        row=row,
    )
    say(slide, Box(left, BOTTOM - 0.4, wide, 0.4), HISTORY, size=10, colour=theme.MUTED)


def add_record(deck: Deck, contents: Contents) -> None:
    """Add the KPIs with interval and n, and what changed if that is known."""
    slide = add_slide(deck, contents, headlines.changes(contents), notes(contents, "record"))
    shown = rows.kpis(contents)
    changed = contents.changes is not None
    names = ["KPI", "Now", "95% interval", "n", "Before", "Trend"]
    wide = [2.0, 1.3, 1.75, 0.8, 1.1, 0.95]
    if not changed:
        names, wide = [*names, "Note"], [*wide, 4.0]
    row = min(0.34, TALL / (len(shown) + 1))
    about = "KPIs: value, 95% interval, records behind it, the period before, trend"
    box = Box(MARGIN, TOP, 7.7 if changed else ROOM, 1)
    table(slide, box, shown[names], wide, about=about, size=11, left=["Trend", "Note"], row=row)
    if changed:
        _changes(slide, contents, Box(MARGIN + 8.0, TOP, ROOM - 8.0, TALL))


def _changes(slide: Slide, contents: Contents, box: Box) -> None:
    found = contents.changes
    if found is None:
        return
    head = f"Since {found.since}"
    say(slide, Box(box.x, box.y, box.wide, 0.3), head, size=13, bold=True, colour=theme.ACCENT)
    told = rows.changes(contents)
    if told.empty:
        text = "Nothing that the plan or the KPIs say moved."
        say(slide, Box(box.x, box.y + 0.4, box.wide, 0.6), text, size=12)
        return
    place = Box(box.x, box.y + 0.4, box.wide, 1)
    about = f"What changed since {found.since}: before and now"
    table(slide, place, told.head(CHANGED), [2, 1.1, 1.1], about=about, row=0.3)
    if len(found.moves):
        text = f"{len(found.moves) + found.unlisted:,} deals moved; report.pdf lists the first"
        say(slide, Box(box.x, BOTTOM - 0.4, box.wide, 0.4), text, size=11, colour=theme.MUTED)


def add_caveats(deck: Deck, contents: Contents) -> None:
    """Add all that there is to know, and what the figures mean."""
    slide = add_slide(deck, contents, headlines.caveats(contents), notes(contents, "caveats"))
    wide = 4.3
    said = [f"•  {clean(note, 220)}" for note in contents.caveats[:LISTED]] or ["No caveats."]
    more = len(contents.caveats) - LISTED
    said += [f"•  and {more} more, in the notes"] if more > 0 else []
    say(slide, Box(MARGIN, TOP, wide, 0.3), "Know this", size=13, bold=True, colour=theme.ACCENT)
    size = 13 if len(said) <= 4 else 11
    say(slide, Box(MARGIN, TOP + 0.4, wide, TALL - 0.4), said, size=size, gap=9)
    told = [contents.figures[name] for name in MEANT if name in contents.figures]
    meant = [(f.label, clean(f.text, 60), clean(f.definition, 210)) for f in told]
    shown = pd.DataFrame(meant, columns=["Figure", "Now", "What it means"])
    left = MARGIN + wide + 0.4
    box = Box(left, TOP, ROOM - wide - 0.4, 1)
    about = "What the figures of this plan mean"
    table(
        slide, box, shown, [1.5, 1.3, 4.4], about=about, size=10, left=list(shown.columns), row=0.4
    )
