"""Sheets "Rates", "KPIs", "Changes" and "Definitions": what the plan rests on, and what it means."""

import pandas as pd

from workbench.report.pack.changes import Changes
from workbench.report.pack.contents import Contents
from workbench.report.pack.rows import kpis
from workbench.report.pack.sheet_look import Page, opening
from workbench.tables import each

LONG = 800  # characters of a definition
UNITS = {"share": "percent", "reporting currency": "money", "count": "whole"}


def write_rates(page: Page, contents: Contents) -> None:
    """Write the rate of each step: as planned, in history, with its limits."""
    said = (
        "Share of the records at a step that go on to the next. Under five records none is shown."
    )
    row = opening(page, contents, "Rates", said)
    heads = ["from", "to", "planned", "history", "95 %, low", "95 %, high", "went on", "followed"]
    page.heads(row, 0, heads, left=2)
    for place, rate in enumerate(each(contents.rates), start=row + 1):
        page.text(place, 0, rate.label, most=40)
        page.text(place, 1, rate.to, most=40)
        shares = (rate.planned, rate.history, rate.low, rate.high)
        for column, share in enumerate(shares, start=2):
            page.number(place, column, share, "value", "percent")
        page.number(place, 6, rate.x, "value", "whole")
        page.records(place, 7, rate.n)
    page.sheet.set_column(0, 1, 34)
    page.sheet.set_column(2, 7, 13)
    page.sheet.freeze_panes(row + 1, 0)


def write_kpis(page: Page, contents: Contents) -> None:
    """Write the KPIs as they are, each with what it means."""
    row = opening(
        page, contents, "KPIs", "Values and limits of fewer than five records are not shown."
    )
    heads = ["KPI", "now", "95 %, low", "95 %, high", "before", "n"]
    texts = ["unit", "from", "trend", "rule of thumb", "note", "definition", "formula"]
    names = kpis(contents)["KPI"]
    page.heads(row, 0, [*heads, *texts])
    for column, head in enumerate(texts, start=len(heads)):
        page.text(row, column, head, "head", align="left", indent=1)
    for place, (name, kpi) in enumerate(zip(names, each(contents.kpis), strict=True), row + 1):
        number = next((n for unit, n in UNITS.items() if kpi.unit.startswith(unit)), "count")
        page.text(place, 0, name, "wrapped")
        for column, value in enumerate((kpi.value, kpi.low, kpi.high, kpi.before), start=1):
            page.number(place, column, value, "top", number)
        page.records(place, 5, kpi.n, "top")
        began = "to date" if pd.isna(kpi.period) else f"{kpi.period:%Y-%m-%d}"
        note = kpi.note.replace("low_n", "few")
        said = [kpi.unit, began, kpi.trend, kpi.benchmark, note, kpi.definition, kpi.formula]
        page.tall(place, dict.fromkeys(said[3:], 34) | {kpi.unit: 12})
        for column, text in enumerate(said, start=len(heads)):
            if text:
                page.text(place, column, str(text), "beside", most=LONG)
            else:
                page.sheet.write_blank(place, column, None, page.look("beside"))
    page.sheet.set_column(0, 0, 24)
    page.sheet.set_column(1, 5, 11)
    page.sheet.set_column(6, 8, 12)
    page.sheet.set_column(9, 12, 34)
    page.sheet.freeze_panes(row + 1, 1)


def write_changes(page: Page, contents: Contents, changes: Changes) -> None:
    """Write what changed between two days."""
    row = opening(page, contents, f"Changes from {changes.since} to {changes.until}")
    page.text(row, 0, changes.sentence, "said", most=400, text_wrap=False)
    row += 2
    tables = {
        "Plan": changes.plan,
        "KPIs": changes.kpis.drop(columns="name", errors="ignore"),
        "From the plan to what came": changes.bridge,
        "Deals that moved": changes.moves,
    }
    for title, table in tables.items():
        if len(table):
            row = _table(page, row, title, table)
    for note in changes.notes:
        page.text(row, 0, note, "small", most=300)
        row += 1
    page.sheet.set_column(0, 0, 34)
    page.sheet.set_column(1, 8, 18)


def _table(page: Page, row: int, title: str, table: pd.DataFrame) -> int:
    page.text(row, 0, title, "section")
    page.heads(row + 1, 0, [str(name).replace("_", " ") for name in table], left=len(table.columns))
    for place, cells in enumerate(table.itertuples(index=False), start=row + 2):
        for column, cell in enumerate(cells):
            if isinstance(cell, int | float):
                page.number(place, column, cell, "value", "count")
            else:
                page.text(place, column, str(cell), most=80)
    return row + 3 + len(table)


def write_definitions(page: Page, contents: Contents) -> None:
    """Write every figure of the frozen plan with what stands behind it, and the origin of it all."""
    said = "As in the frozen plan: these numbers do not follow the inputs."
    row = opening(page, contents, "Definitions", said)
    heads = ["figure", "in the plan", "what it means", "how it is reckoned", "rests on"]
    for column, head in enumerate(heads):
        page.text(row, column, head, "head", align="left", indent=int(column > 1))
    for place, figure in enumerate(contents.figures.values(), start=row + 1):
        texts = (figure.label, figure.text, figure.definition, figure.formula, figure.n)
        page.tall(place, {figure.text: 24, **dict.fromkeys(texts[2:], 46)})
        for column, text in enumerate(texts):
            page.text(place, column, text, "beside" if column > 1 else "wrapped", most=LONG)
    row += len(contents.figures) + 2
    _about(page, contents, row)
    page.sheet.set_column(0, 0, 34)
    page.sheet.set_column(1, 1, 24)
    page.sheet.set_column(2, 4, 46)


def _about(page: Page, contents: Contents, row: int) -> None:
    """Write how near the workbook is to the planner, and where the data comes from."""
    origin = contents.origin
    told = {
        "How this workbook reckons": "Expected records and revenue are the planner's own. The chance "
        f"comes from {len(contents.what_if.deal)} draws that stand for all "
        f"{contents.plan.draws:,}; as planned it is the plan's own, and for moved inputs the largest "
        f"difference found from the planner's was {contents.off:.1%}.",
        "Data as of": origin.as_of,
        "Source": origin.source,
        "Data version": origin.data_version,
        "Filters": origin.filters,
        "Definitions": origin.definitions,
        "Plan": origin.plan,
    }
    page.text(row, 0, "About this workbook", "section")
    for place, (label, text) in enumerate(told.items(), start=row + 1):
        page.text(place, 0, label, "wrapped")
        page.sheet.merge_range(place, 1, place, 4, "", page.look("wrapped"))
        page.text(place, 1, text, "wrapped", most=LONG)
        page.tall(place, {text: 24 + 3 * 46})
