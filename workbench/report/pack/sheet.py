"""The plan as a workbook: inputs that move, and formulas that follow; no macro, no link."""

from pathlib import Path

import pandas as pd
from xlsxwriter import Workbook

from workbench.report.pack import rows, sheet_chance, sheet_model, sheet_money
from workbench.report.pack.contents import Contents
from workbench.report.pack.sheet_chance import Level
from workbench.report.pack.sheet_inputs import entries
from workbench.report.pack.sheet_look import Look, Page, opening, page
from workbench.report.pack.sheet_model import Model
from workbench.report.pack.sheet_plan import write_plan
from workbench.report.pack.sheet_tables import (
    write_changes,
    write_definitions,
    write_kpis,
    write_rates,
)

SETTINGS = {"in_memory": True, "strings_to_urls": False, "strings_to_formulas": False}


def write_sheet(contents: Contents, path: Path) -> None:
    """Write what a pack says as an Excel workbook.

    Parameters
    ----------
    contents : Contents
    path : Path
        File to write, ``.xlsx``. The same contents give the same bytes.

    Notes
    -----
    Sheets: Plan (the answer, the inputs, months and funnel), Rates, KPIs, Changes (where there are
    any), Definitions, Model and Chance (the tables of `Contents.what_if` and the formulas on them).
    Every formula carries what it comes to as planned, for programs that do not reckon.
    """
    book = Workbook(str(path), SETTINGS)
    book.set_properties(
        {"title": contents.title, "created": pd.Timestamp(contents.origin.as_of).to_pydatetime()}
    )
    look = Look(book, rows.symbol(contents))
    names = ["Plan", "Rates", "KPIs", *(["Changes"] if contents.changes else []), "Definitions"]
    pages = {name: page(book, look, contents, name) for name in (*names, "Model", "Chance")}
    model, levels = _reckoned(pages["Model"], pages["Chance"], contents)
    write_plan(book, pages["Plan"], contents, model, levels)
    write_rates(pages["Rates"], contents)
    write_kpis(pages["KPIs"], contents)
    if contents.changes:
        write_changes(pages["Changes"], contents, contents.changes)
    write_definitions(pages["Definitions"], contents)
    pages["Plan"].sheet.activate()
    book.close()


def _reckoned(model: Page, chance: Page, contents: Contents) -> tuple[Model, list[Level]]:
    """Write the two sheets that reckon."""
    what = contents.what_if
    found = Model(told=what.result(), none=what.result(leads=0.0))
    said = "Tables of the plan in grey, formulas in black. Change inputs on sheet Plan, not here."
    row = opening(model, contents, "Model", said)
    row = sheet_model.inputs_in_use(model, row, what, entries(what, contents.plan.top), found)
    row = sheet_model.steps(model, row, what, found)
    row = sheet_model.flow(model, row, what, found)
    row = sheet_money.money(model, row, what, found, sheet_chance.churned(chance, what))
    row = sheet_money.dates(model, row, what, found)
    sheet_money.expected(model, row, what, found)
    model.sheet.set_column(0, 0, 48)
    model.sheet.set_column(1, 2, 16)
    model.sheet.set_column(3, 30, 12)
    model.sheet.freeze_panes(2, 1)
    said = (
        f"{len(what.deal)} draws stand for the {contents.plan.draws:,} of the plan: one a row. "
        "Given a draw, the wins are a Poisson number; GAMMA.DIST is its chance to be enough."
    )
    opening(chance, contents, "Chance", said)
    levels = sheet_chance.chances(chance, what, found)
    chance.sheet.set_column(0, 0, 9)
    chance.sheet.set_column(1, 1200, 12)
    chance.sheet.set_row_pixels(sheet_chance.HEAD, 44)
    chance.sheet.freeze_panes(sheet_chance.BEGIN, 1)
    return found, levels
