"""Sheet "Chance": one row a draw of what is uncertain, and the chance of each, by formulas.

As `kpi.planning.what_if.WhatIf.met`: given a draw, wins are a Poisson number shifted by what is
certain, so the chance of enough of them is the regularised incomplete gamma function, GAMMA.DIST.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit
from xlsxwriter.utility import xl_rowcol_to_cell

from kpi.planning.curve import Floats
from kpi.planning.what_if import SAFE, WhatIf
from workbench.report.pack.sheet_look import Page
from workbench.report.pack.sheet_model import Model, churn_a_month, kept_a_month
from workbench.report.pack.sheet_money import LEVELS, base_runs

NAME, LEADS, LEAST, KEPT, SPREAD, ROUGH, SET, HEAD, BEGIN = range(5, 14)  # rows
DRAW, RELATIVE, CHURN, DEAL, VALUE, OWN = range(6)  # columns; OWN: the first by date
TIMES = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6)
ROUND_OFF = 1e-9


@dataclass(frozen=True)
class Level:
    """A number of leads: what it is, its address, the chance with it and its address."""

    leads: float
    cell: str
    chance: float
    chance_cell: str


@dataclass
class Sheet:
    """What the columns of the sheet share."""

    page: Page
    what: WhatIf
    m: Model
    column: int = OWN

    @property
    def level(self) -> bool:
        """Whether the target is what runs at a date, rather than what comes by then."""
        return self.what.kind in LEVELS

    def fill(self, head: str, values: Floats, formula: str = "", number: str = "") -> int:
        """Write a column: data, or a formula in which ``{r}`` is the row; return where it is."""
        column = self.column
        self.page.text(HEAD, column, head, "head", align="right")
        for d, value in enumerate(values):
            if formula:
                told = formula.format(r=BEGIN + d + 1)
                self.page.formula(BEGIN + d, column, told, value, "worked")
            else:
                self.page.number(BEGIN + d, column, value, "data", number)
        self.column += 1
        return column


def churned(page: Page, what: WhatIf) -> str:
    """Range of the monthly churn of each draw."""
    return page.range(BEGIN, CHURN, BEGIN + len(what.churn) - 1, CHURN)


def chances(page: Page, what: WhatIf, m: Model) -> list[Level]:
    """Write the draws and their chances: with the leads of the inputs, with none, and around.

    Returns
    -------
    list of Level
        The leads of the inputs, none, and 60 to 160 % of the first.
    """
    sheet = Sheet(page, what, m)
    rows = {LEADS: "leads", LEAST: "chance", ROUGH: "average", SET: "set to plan"}
    rows |= {KEPT: "kept", SPREAD: "variance"} if sheet.level else {}
    for row, label in rows.items():
        page.text(row, 0, label, "small")
    _draws(sheet)
    dates = [_date(sheet, c) for c in range(len(what.checkpoints))]
    return [_level(sheet, dates, *asked) for asked in _asked(what, m)]


def _draws(sheet: Sheet) -> None:
    what, m = sheet.what, sheet.m
    sheet.column = DRAW
    sheet.fill("draw", np.arange(1.0, len(what.deal) + 1), number="whole")
    sheet.fill("churn over planned", what.churn)
    monthly = np.minimum(what.churn * churn_a_month(what), 1.0)
    sheet.fill("churn a month", monthly, f"MIN($B{{r}}*{m.used['monthly']},1)")
    sheet.fill("share of deals won, relative", what.deal)
    sheet.fill("value, relative", what.value)


@dataclass(frozen=True)
class Date:
    """Columns of one date of the target, and what they come to as planned."""

    c: int
    month: int
    lead: str
    luck: str
    missing: str
    rest: str
    certain: str
    needed: str


def _date(sheet: Sheet, c: int) -> Date:
    """Write what does not depend on the leads: by date, by draw."""
    what, m, page = sheet.what, sheet.m, sheet.page
    put, month = what.inputs, int(what.checkpoints[c])
    page.text(HEAD - 1, sheet.column, f"end of {what.months[month]}", "small")
    lead = _column(sheet.fill("wins of one lead", what.by_lead[:, c]))
    direct = _column(sheet.fill("wins of direct deals", what.by_direct[:, c]))
    luck = _column(sheet.fill("luck", what.luck[:, c]))
    flow = what.flow(put)
    pipe = float(flow["pipeline"][-1, : month + 1].sum())
    sure = float(what.certain[:-1, c].sum())
    opened, squared = m.dates["open"][c], m.dates["sure"][c]
    certain = _column(sheet.fill("certain", sure * what.deal**2, f"{squared}*$D{{r}}^2"))
    onward = m.reach[what.first_deal][-1]
    told = f"{direct}*{onward}+{opened}*$D{{r}}-{certain}"
    fixed = what.by_direct[:, c] + pipe * what.deal - sure * what.deal**2
    rest = _column(sheet.fill("open and direct, less certain", fixed, told))
    missing, values = _missing(sheet, c, month)
    needed = ""
    if not sheet.level:
        needed = _needed(sheet, c, month, missing, values, luck)
    return Date(c, month, lead, luck, missing, rest, certain, needed)


def _column(column: int) -> str:
    """Cell of a column in the row that a formula is in."""
    return f"${xl_rowcol_to_cell(0, column)[:-1]}{{r}}"


def _missing(sheet: Sheet, c: int, month: int) -> tuple[str, Floats]:
    """Write how much of the amount is missing before any win, in the unit of the target."""
    what, m = sheet.what, sheet.m
    amount = float(what.amounts[c] * what.inputs.target) / (12 if what.kind == "arr" else 1)
    if not sheet.level:
        values = np.full(len(what.deal), amount - what.done)
        told = f"{m.dates['amount'][c]}-{m.used['done']}"
        return _column(sheet.fill("missing", values, told)), values
    ahead = month + 1
    now = np.minimum(what.churn * churn_a_month(what), 1.0)
    stays = (1 - now) ** ahead
    spread = stays * (1 - stays)
    before = _column(sheet.fill("churn's variance as planned", spread))
    now_cell = f"(1-$C{{r}})^{ahead}"
    staying = _column(sheet.fill("of today's customers left", stays, now_cell))
    luck = _column(sheet.fill("luck of churn", what.base_luck[:, c]))
    left = base_runs(what)[:, month] + what.base_luck[:, c]
    more = m.used["expansion"]
    runs = f"(1-$C{{r}}+{more})^{ahead}" if what.base_known else f"{staying}*(1+{more})^{ahead}"
    fades = f"IF({before}>0,SQRT(MAX({staying}*(1-{staying}),0)/{before}),1)"
    told = f"{m.dates['amount'][c]}-({m.used['base']}*{runs}+{luck}*{fades})"
    return _column(sheet.fill("missing", amount - left, told)), amount - left


def _needed(sheet: Sheet, c: int, month: int, missing: str, values: Floats, luck: str) -> str:
    """Write the wins that a flow takes, which do not depend on the leads."""
    what, m = sheet.what, sheet.m
    x = f"{missing}/({m.used['booking']}*{m.used['dearer']}*$E{{r}})"
    wins = np.zeros(len(what.months))
    found = what.needed(what.inputs, c, month, wins)
    if what.whole:
        return _column(sheet.fill("wins needed", found, f"-INT(-({x}-{ROUND_OFF:.0E}))"))
    share = values / (what.booking * what.value)
    x = _column(sheet.fill("wins needed on average", share, x))
    return _column(sheet.fill("wins needed", found, _many(x, m.used["spread"], luck)))


def _many(x: str, spread: str, luck: str) -> str:
    """Formula of the wins needed, where they are not of one value: with half a win, and luck."""
    return f"IF({x}>0,{x}+0.5+{spread}/2+SQRT(MAX({spread},0)*MAX({x},0))*{luck},0)"


def _asked(what: WhatIf, m: Model) -> Iterator[tuple[str, float, str]]:
    """Formula, value and name of each number of leads that is asked about."""
    leads = what.inputs.leads
    usual = leads if leads > 0 else 100.0
    around = f"IF({m.used['Leads']}>0,{m.used['Leads']},{usual:.0f})"
    yield m.used["Leads"], leads, "leads of the inputs"
    yield "0", 0.0, "none"
    for times in TIMES:
        yield f"ROUND({times}*{around},0)", float(int(times * usual + 0.5)), f"{times:.0%} of them"


def _level(sheet: Sheet, dates: list[Date], formula: str, leads: float, name: str) -> Level:
    """Write the chance with a number of leads: of the least likely date."""
    page, what, first = sheet.page, sheet.what, sheet.column
    page.text(NAME, first, name, "small")
    cell = page.formula(LEADS, first, formula, leads, "worked", "whole")
    put = replace(what.inputs, leads=leads)
    met = what.met(put)
    for date in dates:
        _chance(sheet, date, leads, cell, met)
    last = sheet.column - 1
    chance = what.chance(put)
    told = f"MIN({page.range(SET, first, SET, last)})"
    least = page.formula(LEAST, first, told, chance, "worked", "percent")
    return Level(leads, cell, chance, least)


def _chance(sheet: Sheet, date: Date, leads: float, cell: str, met: Floats) -> None:
    what, m, page = sheet.what, sheet.m, sheet.page
    short = f"{date.needed}-{date.certain}"
    if sheet.level:
        short = _needed_for_level(sheet, date, leads, cell)
    mean = f"MAX({cell}*{date.lead}*{m.reach[0][-1]}+{date.rest},0)"
    told = f"IF({short}<=0,1,_xlfn.GAMMA.DIST({mean},MAX({short},{SAFE:.0E}),1,TRUE))"
    column = sheet.fill(f"chance, end of {what.months[date.month]}", met[:, date.c], told)
    ends = [xl_rowcol_to_cell(row, column) for row in (BEGIN, BEGIN + len(met) - 1)]
    rough = float(met[:, date.c].mean())
    page.formula(ROUGH, column, f"AVERAGE({ends[0]}:{ends[1]})", rough, "worked", "percent")
    at, safe, offset = xl_rowcol_to_cell(ROUGH, column), f"{SAFE:.0E}", m.dates["offset"][date.c]
    told = f"IF(AND({at}>{safe},{at}<1-{safe}),1/(1+EXP(-(LN({at}/(1-{at}))+{offset}))),{at})"
    inside = SAFE < rough < 1 - SAFE
    shown = float(expit(logit(rough) + what.offset[date.c])) if inside else rough
    page.formula(SET, column, told, shown, "worked", "percent")


def _needed_for_level(sheet: Sheet, date: Date, leads: float, cell: str) -> str:
    """Write the wins that a level takes, less the certain: what is kept depends on when they come."""
    what, m, page, column = sheet.what, sheet.m, sheet.page, sheet.column
    flow = what.flow(replace(what.inputs, leads=leads))
    wins = flow["pipeline"][-1] + flow["direct"][-1] + flow["new"][-1]
    parts = [
        f"({m.money[f'without_{p}'][date.month]}+{cell}*{m.money[f'unit_{p}'][date.month]})"
        for p in range(3)
    ]
    growth = kept_a_month(what) ** np.arange(date.month, -1.0, -1.0)
    many = float(wins[: date.month + 1].sum())
    when = wins[: date.month + 1] / max(many, SAFE)
    kept = float(when @ growth) if many > SAFE else 1.0
    square = float(when @ growth**2) if many > SAFE else 1.0
    safe = f"{SAFE:.0E}"
    at_kept, at_spread = (xl_rowcol_to_cell(row, column, True) for row in (KEPT, SPREAD))
    page.formula(KEPT, column, f"IF({parts[0]}>{safe},{parts[1]}/{parts[0]},1)", kept, "worked")
    told = f"(1+{m.used['spread']})*IF({parts[0]}>{safe},{parts[2]}/{parts[0]},1)/{at_kept}^2-1"
    page.formula(SPREAD, column, told, (1 + what.spread**2) * square / kept**2 - 1, "worked")
    x = f"({date.missing}/({m.used['booking']}*{m.used['dearer']}*{at_kept}*$E{{r}}))"
    certain = what.certain[:-1, date.c].sum() * what.deal**2
    found = what.needed(replace(what.inputs, leads=leads), date.c, date.month, wins) - certain
    told = f"{_many(x, at_spread, date.luck)}-{date.certain}"
    return _column(sheet.fill("wins needed, less certain", found, told))
