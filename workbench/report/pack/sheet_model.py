"""Sheet "Model": the tables of a what-if, and by formulas what they come to for the inputs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from xlsxwriter.utility import xl_rowcol_to_cell

from kpi.planning.curve import Floats
from kpi.planning.target import MONTHS_A_YEAR
from kpi.planning.what_if import WhatIf
from workbench.report.pack.sheet_inputs import Entry
from workbench.report.pack.sheet_look import Page

FIRST = 3  # column of the first month, and of the first date
Row = list[str]
Told = dict[str, Any]


@dataclass
class Model:
    """Where the results of the sheet are, for the formulas of others.

    Attributes
    ----------
    told, none : dict
        `WhatIf.result` as planned, and without new leads.
    ok, fault, moved : str
        1 where all inputs may be; what to say where not; how many are not as planned.
    used : dict of name to address
        Inputs and what follows from them at once.
    planned : dict of name to address
        Inputs of the frozen plan.
    reach : list of list of str
        Share from one step to another over the planned one.
    onward : dict of step to range
        The same for records open at each earlier step.
    flow : dict of name to rows
        Records by step and month: ``pipeline, direct, new``.
    one_lead : row
        Wins of one lead by month, with the planned rates.
    money : dict of name to row
        By month: ``wins, without, new_mrr, mrr`` and others.
    dates : dict of name to row
        By checkpoint: ``amount, offset, open, sure``.
    expected, without_new : str
        In the unit of the target; empty where not known.
    """

    told: Told
    none: Told
    ok: str = ""
    fault: str = ""
    moved: str = ""
    used: dict[str, str] = field(default_factory=dict)
    planned: dict[str, str] = field(default_factory=dict)
    reach: list[Row] = field(default_factory=list)
    onward: dict[int, str] = field(default_factory=dict)
    flow: dict[str, list[Row]] = field(default_factory=dict)
    one_lead: Row = field(default_factory=list)
    money: dict[str, Row] = field(default_factory=dict)
    dates: dict[str, Row] = field(default_factory=dict)
    expected: str = ""
    without_new: str = ""


def churn_a_month(what: WhatIf) -> float:
    """Monthly churn as planned; 0 where no revenue is known."""
    yearly = what.inputs.annual_churn
    return 0.0 if np.isnan(yearly) else float(1 - (1 - yearly) ** (1 / MONTHS_A_YEAR))


def kept_a_month(what: WhatIf) -> float:
    """What is kept of revenue from month to month, as planned."""
    return 1 - churn_a_month(what) + what.expansion


def inputs_in_use(page: Page, row: int, what: WhatIf, entries: Sequence[Entry], m: Model) -> int:
    """Write the inputs as they are used: as planned while one of them cannot be."""
    page.text(row, 0, "Inputs in use", "section")
    page.heads(row + 1, 0, ["", "in use", "planned", "may be (1) or not (0)", "if not"])
    first, last = row + 2, row + 1 + len(entries)
    m.ok = page.at(last + 1, 3)
    for place, entry in enumerate(entries, start=first):
        page.text(place, 0, entry.label)
        used = f"IF({m.ok}=1,{entry.name},{xl_rowcol_to_cell(place, 2)})"
        m.used[entry.name] = page.formula(place, 1, used, entry.planned, "worked")
        m.planned[entry.name] = page.number(place, 2, entry.planned, "data")
        page.formula(place, 3, entry.ok(entry.name), 1, "worked", "whole")
        page.text(place, 4, entry.sentence, "small", most=200)
    oks = page.range(first, 3, last, 3)
    page.text(last + 1, 0, "all may be; what to say if not")
    page.formula(last + 1, 3, f"MIN({oks})", 1, "worked", "whole")
    said = page.range(first, 4, last, 4)
    m.fault = page.formula(
        last + 1, 4, f'IF({m.ok}=1,"",INDEX({said},MATCH(0,{oks},0)))', "", "worked"
    )
    page.text(last + 2, 0, "inputs that are not as planned")
    used, planned = page.range(first, 1, last, 1), page.range(first, 2, last, 2)
    m.moved = page.formula(last + 2, 1, f"SUMPRODUCT(--({used}<>{planned}))", 0, "worked")
    return _settings(page, last + 3, what, m)


def _settings(page: Page, row: int, what: WhatIf, m: Model) -> int:
    """Write what follows from the inputs at once, and the constants of the plan."""
    churn = m.used.get("AnnualChurn")
    monthly = churn_a_month(what)
    dearer = "1"
    if what.kind != "wins" and "DealValue" in m.used:
        dearer = f"{m.used['DealValue']}/{m.planned['DealValue']}"
    rows: list[tuple[str, str, str | float, float]] = [
        ("monthly", "churn a month", f"1-(1-{churn})^(1/12)" if churn else 0.0, monthly),
        ("monthly_planned", "churn a month as planned", monthly, monthly),
        ("expansion", "expansion a month", what.expansion, what.expansion),
        (
            "growth",
            "what is kept of a win's revenue from month to month",
            "1-{monthly}+{expansion}",
            kept_a_month(what),
        ),
        ("dearer", "value of a win over the planned one", dearer, 1.0),
        ("booking", "mean value of a win as planned, in the unit of the target", what.booking, 0.0),
        ("done", "counts already", what.done, 0.0),
        ("base", "recurring revenue when the data ends", what.base, 0.0),
        ("spread", "variance of a win's value over its squared mean", what.spread**2, 0.0),
    ]
    for place, (name, label, found, value) in enumerate(rows, start=row):
        page.text(place, 0, label)
        if isinstance(found, str):
            m.used[name] = page.formula(place, 1, found.format(**m.used), value, "worked")
        else:
            m.used[name] = page.number(place, 1, found, "data")
    return row + len(rows) + 1


def steps(page: Page, row: int, what: WhatIf, m: Model) -> int:
    """Write how far each share is from the planned one: step to next step, then step to any."""
    page.text(row, 0, "Rates over the planned ones", "section")
    page.heads(row + 1, 0, ["step", "planned over history", "in use over planned"])
    first = row + 2
    for place, label in enumerate(what.labels[:-1]):
        page.text(first + place, 0, label, most=40)
        page.number(first + place, 1, what.factors[place], "data")
        name = f"Rate_{place + 1}"
        page.formula(first + place, 2, f"{m.used[name]}/{m.planned[name]}", 1.0, "worked")
    row = first + len(what.steps) - 1
    caps = _largest(page, row + 1, what)
    return _reach(page, caps, first, what, m)


def _largest(page: Page, row: int, what: WhatIf) -> int:
    """Write the largest factor of each share; return the row of the next table."""
    page.text(row, 0, "Largest factor of a share over history: with it the share is 1", "section")
    page.heads(row + 1, 0, ["from", *what.labels])
    for i, label in enumerate(what.labels):
        page.text(row + 2 + i, 0, label, most=40)
        for j in range(i, len(what.labels)):
            page.number(row + 2 + i, 1 + j, what.caps[i, j], "data")
    return row + 3 + len(what.labels)


def _reach(page: Page, row: int, first: int, what: WhatIf, m: Model) -> int:
    page.text(row, 0, "Share from step to step over the planned one", "section")
    page.heads(row + 1, 0, ["from", *what.labels])
    count = len(what.labels)
    for i, label in enumerate(what.labels):
        page.text(row + 2 + i, 0, label, most=40)
        m.reach.append([""] * count)
        for j in range(i, count):
            place = (row + 2 + i, 1 + j)
            cap = xl_rowcol_to_cell(row - count - 1 + i, 1 + j)
            if i == j:
                m.reach[i][j] = page.number(*place, 1.0, "data")
                continue
            cells = [
                f"PRODUCT({xl_rowcol_to_cell(first + i, col)}:{xl_rowcol_to_cell(first + j - 1, col)})"
                for col in (1, 2)
            ]
            formula = f"MIN({cells[0]}*{cells[1]},{cap})/MIN({cells[0]},{cap})"
            m.reach[i][j] = page.formula(*place, formula, 1.0, "worked")
    return row + 3 + count


def flow(page: Page, row: int, what: WhatIf, m: Model) -> int:
    """Write the records by step and month: those of one lead, and what the inputs make of them."""
    put = what.inputs
    found = what.flow(put)
    row, new = _table(page, row, "New: records that one of the leads brings", what.new, what)
    row, direct = _table(page, row, "Direct: records of deals without a lead", what.direct, what)
    row, opened = _opened(page, row, what, m)
    last = len(what.steps)
    m.one_lead = new[-1]
    leads, first = m.used["Leads"], what.first_deal
    per_month = range(len(what.months))
    cells = {
        "new": [[f"{new[s][t]}*{leads}*{m.reach[0][s]}" for t in per_month] for s in range(last)],
        "direct": [
            [f"{direct[s][t]}*{m.reach[min(first, s)][s]}" for t in per_month] for s in range(last)
        ],
        "pipeline": [
            [_from_open(page, opened.get(s), s, t, m) for t in per_month] for s in range(last)
        ],
    }
    titles = {"new": "New", "direct": "Direct", "pipeline": "From what is open now"}
    for name, formulas in cells.items():
        title = f"{titles[name]}: records with the inputs in use"
        row, m.flow[name] = _worked(page, row, title, formulas, found[name], what)
    return row


def _opened(page: Page, row: int, what: WhatIf, m: Model) -> tuple[int, dict[int, int]]:
    """Write what is open: per later step one row for each step that it may stand at."""
    page.text(row, 0, "Open now: records that reach a later step", "section")
    page.heads(row + 1, 0, ["to", "from", "moves by", *what.months], left=2)
    place, starts = row + 2, {}
    for s in range(1, len(what.steps)):
        starts[s] = place
        for i in range(s):
            page.text(place, 0, what.labels[s], most=40)
            page.text(place, 1, what.labels[i], most=24)
            page.formula(place, 2, f"{m.reach[i][i + 1]}*{m.reach[i + 1][s]}", 1.0, "worked")
            for t, value in enumerate(what.pipeline[i, s]):
                page.number(place, FIRST + t, value, "data")
            place += 1
        m.onward[s] = page.range(starts[s], 2, place - 1, 2)
    return place + 1, starts


def _from_open(page: Page, start: int | None, s: int, t: int, m: Model) -> str:
    if start is None:
        return "0"
    return f"SUMPRODUCT({m.onward[s]},{page.range(start, FIRST + t, start + s - 1, FIRST + t)})"


def _table(page: Page, row: int, title: str, values: Floats, what: WhatIf) -> tuple[int, list[Row]]:
    """Write a table of the what-if by step and month."""
    _head(page, row, title, what)
    cells = []
    for s, label in enumerate(what.labels):
        page.text(row + 2 + s, 0, label, most=40)
        cells.append(
            [page.number(row + 2 + s, FIRST + t, v, "data") for t, v in enumerate(values[s])]
        )
    return row + 3 + len(what.labels), cells


def _worked(
    page: Page, row: int, title: str, formulas: list[Row], values: Floats, what: WhatIf
) -> tuple[int, list[Row]]:
    """Write a table of formulas by step and month, with the sum of each row."""
    _head(page, row, title, what, "sum")
    cells = []
    for s, label in enumerate(what.labels):
        place = row + 2 + s
        page.text(place, 0, label, most=40)
        ends = [xl_rowcol_to_cell(place, FIRST + t) for t in (0, len(what.months) - 1)]
        total = page.formula(place, 2, f"SUM({ends[0]}:{ends[1]})", values[s].sum(), "worked")
        listed = zip(formulas[s], values[s], strict=True)
        months = [page.formula(place, FIRST + t, f, v, "worked") for t, (f, v) in enumerate(listed)]
        cells.append([*months, total])
    return row + 3 + len(what.labels), cells


def _head(page: Page, row: int, title: str, what: WhatIf, before: str = "") -> None:
    page.text(row, 0, title, "section")
    page.heads(row + 1, 0, ["step", "", before, *what.months], left=2)
