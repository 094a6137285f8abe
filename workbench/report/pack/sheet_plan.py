"""Sheet "Plan": the answer, the inputs in blue, and what follows from them."""

from collections.abc import Iterable, Sequence

from xlsxwriter import Workbook

from workbench.report.pack.contents import Contents
from workbench.report.pack.rows import STAMP, month_names, origin_line, parts
from workbench.report.pack.sheet_chance import Level
from workbench.report.pack.sheet_charts import funnel_chart, months_chart
from workbench.report.pack.sheet_inputs import Entry, entries
from workbench.report.pack.sheet_look import Page
from workbench.report.pack.sheet_model import Model
from workbench.theme import MISSING, WARN

LEFT, RIGHT = 1, 12  # columns that the sheet is laid out in
STATE, TILES = 10, 7  # rows
CHART_ROWS = 17
COLUMN = 12  # characters


def write_plan(
    book: Workbook, page: Page, contents: Contents, m: Model, levels: Sequence[Level]
) -> None:
    """Write the first sheet of the workbook."""
    listed = entries(contents.what_if, contents.plan.top)
    _columns(page)
    _head(page, contents)
    _tiles(page, contents, m, levels)
    row = _caveats(page, contents, STATE + 2)
    below = _inputs(book, page, listed, row)
    funnel = max(below, row + CHART_ROWS) + 1
    below, first = _funnel(page, contents, m, funnel), funnel + 2
    chart = funnel_chart(book, contents, first, 520)
    page.sheet.insert_chart(funnel, 7, chart, {"x_offset": 12})
    months = max(below, funnel + CHART_ROWS) + 1
    below, first = _months(page, contents, m, months), months + 2
    chart = months_chart(book, contents, first, 750)
    page.sheet.insert_chart(row, 4, chart, {"x_offset": 40})
    _levels(page, contents, m, levels, below + 1)
    page.sheet.freeze_panes(STATE + 1, 0)
    page.sheet.set_selection("A1")
    page.sheet.set_h_pagebreaks([months])


def _columns(page: Page) -> None:
    page.sheet.set_column(0, 0, 2)
    page.sheet.set_column(1, 1, 30)
    page.sheet.set_column(2, RIGHT, COLUMN)


def _head(page: Page, contents: Contents) -> None:
    """Write the answer and the action."""
    heights = {0: 36, 3: 38, 4: 22, 6: 8}
    for row, pixels in heights.items():
        page.sheet.set_row_pixels(row, pixels)
    page.text(0, LEFT, contents.title, "title", most=120)
    page.wide(1, (LEFT, RIGHT), origin_line(contents), "small", most=400)
    if contents.names:
        page.text(2, LEFT, STAMP, "stamp")
    page.wide(3, (LEFT, RIGHT), contents.answer, "said", most=400)
    page.wide(4, (LEFT, RIGHT), contents.action, "action")


def _tiles(page: Page, contents: Contents, m: Model, levels: Sequence[Level]) -> None:
    """Write the five numbers that count, and whether they are the plan's."""
    what, top = contents.what_if, contents.plan.top
    number = "count" if what.kind == "wins" else "money"
    told, put = m.told, what.inputs
    page.sheet.set_row_pixels(TILES + 1, 40)
    page.sheet.set_row_pixels(TILES + 2, 26)
    now = levels[0]
    gap = f"{m.used['Target']}-{m.without_new}" if m.without_new else ""
    tiles = [
        ("Target", m.used["Target"], put.target, number),
        ("Chance of reaching it", now.chance_cell, now.chance, "percent"),
        (f"Gap that new {top} must close", gap, told["gap"], number),
        (f"{top.capitalize()} to create", m.used["Leads"], put.leads, "whole"),
        (f"Expected with these {top}", m.expected, told["expected"], number),
    ]
    places = [(1, 1), (2, 4), (5, 7), (8, 9), (10, 12)]
    for (label, formula, value, kind), (first, last) in zip(tiles, places, strict=True):
        for column in range(first, last + 1):
            page.sheet.write_blank(TILES, column, None, page.look("tile_label"))
        page.text(TILES, first, label, "tile_label")
        _shown(page, TILES + 1, (first, last), formula, value, kind, m)
    _state(page, m, now)
    wanted = {"type": "formula", "criteria": f"=$C${TILES + 2}<ChanceWanted"}
    page.sheet.conditional_format(
        TILES + 1,
        2,
        TILES + 1,
        4,
        {**wanted, "format": page.look.book.add_format({"font_color": WARN})},
    )


def _shown(
    page: Page,
    row: int,
    cols: tuple[int, int],
    formula: str,
    value: float,
    number: str,
    m: Model,
) -> None:
    """Write a result in large, a dash while an input cannot be."""
    if cols[0] != cols[1]:
        page.sheet.merge_range(row, cols[0], row, cols[1], "", page.look("tile", number))
    if formula:
        page.formula(row, cols[0], _guarded(formula, m), value, "tile", number)
    else:
        page.text(row, cols[0], MISSING, "tile")


def _guarded(formula: str, m: Model) -> str:
    """Show a dash instead of a number that an impossible input would give."""
    return f'IF({m.ok}=1,IFERROR({formula},"{MISSING}"),"{MISSING}")'


def _state(page: Page, m: Model, now: Level) -> None:
    as_planned = "These are the numbers of the frozen plan. Change a blue cell to ask what if."
    moved = "What if: inputs were changed, so these are not the numbers of the frozen plan."
    unknown = "No chance can be told for inputs so far from the plan: bring them closer to it."
    told = (
        f"IF({m.ok}=0,{m.fault},IF(ISNUMBER({now.chance_cell}),"
        f'IF({m.moved}=0,"{as_planned}","{moved}"),"{unknown}"))'
    )
    page.sheet.merge_range(STATE - 1, LEFT, STATE - 1, RIGHT, "", page.look("state"))
    page.formula(STATE - 1, LEFT, told, as_planned, "state")
    warns = page.look.book.add_format({"font_color": WARN, "bold": True})
    fault = {"type": "formula", "criteria": f"={m.ok}=0", "format": warns}
    page.sheet.conditional_format(STATE - 1, LEFT, STATE - 1, RIGHT, fault)


def _caveats(page: Page, contents: Contents, row: int) -> int:
    """Write what the reader must know; return the row below."""
    if not contents.caveats:
        return row
    page.text(row - 1, LEFT, "Read with care", "head", align="left")
    for place, caveat in enumerate(contents.caveats, start=row):
        page.wide(place, (LEFT, RIGHT), f"• {caveat}", "note", most=240)
    return row + len(contents.caveats) + 1


def _inputs(book: Workbook, page: Page, listed: Sequence[Entry], row: int) -> int:
    """Write the inputs; return the row below."""
    page.text(row, LEFT, "Inputs", "section")
    page.heads(row + 1, LEFT, ["", "now: change here", "frozen plan"])
    for place, entry in enumerate(listed, start=row + 2):
        page.text(place, LEFT, entry.label)
        cell = page.number(place, 2, entry.planned, "input", entry.number)
        page.number(place, 3, entry.planned, "frozen", entry.number)
        book.define_name(entry.name, f"={cell}")
        rule = {
            "validate": "custom",
            "value": f"={entry.ok(cell.partition('!')[2])}=1",
            "ignore_blank": False,
            "error_title": "This input cannot be that",
            "error_message": f"Put in {entry.expected}.",
        }
        page.sheet.data_validation(place, 2, place, 2, rule)
        wrong = book.add_format({"font_color": "#ffffff", "bg_color": WARN})
        fault = f"={entry.ok(cell.partition('!')[2])}=0"
        page.sheet.conditional_format(
            place, 2, place, 2, {"type": "formula", "criteria": fault, "format": wrong}
        )
    return row + 2 + len(listed)


def _funnel(page: Page, contents: Contents, m: Model, row: int) -> int:
    """Write the records of each step; return the row below."""
    what = contents.what_if
    page.text(row, LEFT, "Funnel: records that the plan brings to each step", "section")
    names = parts(contents)
    page.heads(row + 1, LEFT, ["step", *names, "total"])
    flow = what.flow(what.inputs)
    for s, label in enumerate(what.labels):
        place = row + 2 + s
        page.text(place, LEFT, label, most=28)
        total = 0.0
        for column, name in enumerate(("pipeline", "direct", "new"), start=2):
            value = float(flow[name][s].sum())
            total += value
            page.formula(place, column, _guarded(m.flow[name][s][-1], m), value, "value", "count")
        told = f"SUM(C{place + 1}:E{place + 1})"
        page.formula(place, 5, _guarded(told, m), total, "value", "count")
    return row + 2 + len(what.labels)


def _months(page: Page, contents: Contents, m: Model, row: int) -> int:
    """Write what each month brings; return the row below."""
    months = contents.months
    names = parts(contents)
    columns: list[tuple[str, str, Sequence[str], Iterable[float]]] = [
        (f"{contents.plan.top} to create", "whole", m.flow["new"][0], months["leads"]),
        *(
            (f"wins: {said}", "count", m.flow[name][-1], months[f"wins_{name}"])
            for name, said in zip(("pipeline", "direct", "new"), names, strict=True)
        ),
        ("wins", "count", m.money["wins"], months["wins"]),
    ]
    if "new_mrr" in m.money:
        columns.append(("new MRR", "money", m.money["new_mrr"], m.told["new_mrr"]))
    if "mrr" in m.money:
        columns.append(("MRR at its end", "money", m.money["mrr"], m.told["mrr"]))
    page.text(row, LEFT, "Months", "section")
    page.heads(row + 1, LEFT, ["month", *(head for head, *_ in columns)])
    for t, month in enumerate(month_names(contents)):
        page.text(row + 2 + t, LEFT, month)
    for column, (_, number, cells, shown) in enumerate(columns, start=2):
        for t, value in enumerate(shown):
            page.formula(row + 2 + t, column, _guarded(cells[t], m), value, "value", number)
    return _bands(page, contents, row, 2 + len(columns))


def _bands(page: Page, contents: Contents, row: int, column: int) -> int:
    """Write beside the months between what they may lie; return the row below."""
    page.text(row, column, "80 % band of the frozen plan", "small")
    bands = [("wins_low", "wins, low", "count"), ("wins_high", "wins, high", "count")]
    if contents.months["new_mrr_low"].notna().any():
        bands += [
            ("new_mrr_low", "new MRR, low", "money"),
            ("new_mrr_high", "new MRR, high", "money"),
        ]
    page.heads(row + 1, column, [head for _, head, _ in bands], left=0)
    for place, (name, _, number) in enumerate(bands, start=column):
        for t, value in enumerate(contents.months[name]):
            page.number(row + 2 + t, place, value, "frozen", number)
    return row + 2 + len(contents.months)


def _levels(page: Page, contents: Contents, m: Model, levels: Sequence[Level], row: int) -> None:
    """Write the chance by number of leads, and beside it what the frozen plan says."""
    top = contents.plan.top
    page.text(row, LEFT, f"Chance by number of {top}, with the inputs above", "section")
    page.heads(row + 1, LEFT, [top, "chance", "enough"])
    for place, level in enumerate(levels[1:], start=row + 2):
        page.formula(place, LEFT, _guarded(level.cell, m), level.leads, "named", "whole")
        cell = page.formula(
            place, 2, _guarded(level.chance_cell, m), level.chance, "value", "percent"
        )
        enough = f'IF({cell.partition("!")[2]}>=ChanceWanted,"yes","no")'
        shown = "yes" if level.chance >= contents.what_if.inputs.confidence else "no"
        page.formula(place, 3, _guarded(enough, m), shown, "value")
    page.text(row, 5, f"{top.capitalize()} needed, as in the frozen plan", "section")
    page.heads(row + 1, 5, ["chance", top], left=1)
    for place, (chance, needed) in enumerate(contents.plan.needs.items(), start=row + 2):
        page.number(place, 5, chance, "frozen", "percent")
        page.number(place, 6, needed, "frozen", "whole")
    place = row + 3 + len(contents.plan.needs)
    page.text(place, 5, "These do not follow the inputs.", "small")
