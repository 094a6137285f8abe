"""Sheet "Model", lower half: revenue by month, and what each date of the target takes."""

import numpy as np

from kpi.planning.curve import Floats
from kpi.planning.target import MONTHS_A_YEAR
from kpi.planning.what_if import WhatIf
from workbench.report.pack.sheet_look import Page
from workbench.report.pack.sheet_model import FIRST, Model, Row, churn_a_month, kept_a_month

LEVELS = {"mrr", "arr"}


def money(page: Page, row: int, what: WhatIf, m: Model, churned: str) -> int:
    """Write wins and revenue by month, with the leads of the inputs and without any.

    Parameters
    ----------
    churned : str
        Range of the monthly churn of each draw.
    """
    put = what.inputs
    found = _planned(what, m)
    page.text(row, 0, "Wins and recurring revenue by month", "section")
    page.heads(row + 1, 0, ["", "", "", *what.months], left=2)
    place = row + 2
    won = len(what.steps) - 1
    unit = [f"{cell}*{m.reach[0][won]}" for cell in m.one_lead]
    pairs = zip(m.flow["pipeline"][won], m.flow["direct"][won], strict=True)
    without = [f"{opened}+{direct}" for opened, direct in pairs][:-1]
    place = _line(page, place, "wins of one of the leads", "unit", unit, found, m)
    place = _line(page, place, "wins without new leads", "without", without, found, m)
    all_wins = zip(m.money["without"], m.flow["new"][won], strict=False)
    place = _line(page, place, "wins", "wins", [f"{a}+{b}" for a, b in all_wins], found, m)
    if np.isnan(put.deal_value):
        return place + 1
    place = _given(page, place, "new MRR over wins times their value", "ratio", what.value_ratio, m)
    for name, wins in (("new_mrr", "wins"), ("new_mrr_without", "without")):
        pairs = zip(m.money[wins], m.money["ratio"], strict=True)
        worth = [f"{cell}*{m.used['DealValue']}*{ratio}" for cell, ratio in pairs]
        label = "new MRR" if name == "new_mrr" else "new MRR without new leads"
        place = _line(page, place, label, name, worth, found, m)
    if np.isnan(what.base):
        return place + 1
    return _mrr(page, place, what, m, churned, found) + 1


def base_runs(what: WhatIf) -> Floats:
    """What runs of today's customers at the end of each month as planned, (draws, months)."""
    ahead = np.arange(1, len(what.months) + 1)
    churn = np.minimum(what.churn * churn_a_month(what), 1.0)[:, None]
    if what.base_known:
        return np.asarray(what.base * (1 - churn + what.expansion) ** ahead)
    return np.asarray(what.base * ((1 - churn) * (1 + what.expansion)) ** ahead)


def _planned(what: WhatIf, m: Model) -> dict[str, Floats]:
    """What the rows come to with the inputs of the plan."""
    found: dict[str, Floats] = {"unit": what.new[-1]}
    for ending, told in (("", m.told), ("_without", m.none)):
        for name in ("wins", "new_mrr", "mrr"):
            if told[name] is not None:
                found[f"{name}{ending}"] = np.array(told[name])
    found["without"] = found.pop("wins_without")
    return found


def _mrr(
    page: Page, place: int, what: WhatIf, m: Model, churned: str, found: dict[str, Floats]
) -> int:
    runs = base_runs(what).mean(axis=0)
    found["base"] = runs
    base, more, draws = m.used["base"], m.used["expansion"], len(what.churn)
    formulas = []
    for ahead in range(1, len(what.months) + 1):
        if what.base_known:
            kept = f"SUMPRODUCT((1-{churned}+{more})^{ahead})"
        else:
            kept = f"(1+{more})^{ahead}*SUMPRODUCT((1-{churned})^{ahead})"
        formulas.append(f"{base}*{kept}/{draws}")
    place = _line(page, place, "MRR of today's customers", "base", formulas, found, m)
    place = _given(page, place, "and beyond that, as in the plan", "rest", what.base_rest, m)
    for name in ("new_mrr", "new_mrr_without"):
        total = name.replace("new_mrr", "mrr")
        found[f"{name}_runs"] = found[total] - runs - what.base_rest
        label = "MRR of new customers" + (" without new leads" if "_" in total else "")
        place = _running(page, place, label, f"{name}_runs", m.money[name], "growth", 1, found, m)
        parts = zip(m.money["base"], m.money["rest"], m.money[f"{name}_runs"], strict=True)
        label = "MRR" + (" without new leads" if "_" in total else "")
        place = _line(page, place, label, total, ["+".join(part) for part in parts], found, m)
    return place


def _line(
    page: Page, row: int, label: str, name: str, formulas: Row, found: dict[str, Floats], m: Model
) -> int:
    page.text(row, 0, label)
    values = zip(formulas, found[name], strict=True)
    m.money[name] = [
        page.formula(row, FIRST + t, f, v, "worked") for t, (f, v) in enumerate(values)
    ]
    return row + 1


def _given(page: Page, row: int, label: str, name: str, values: Floats, m: Model) -> int:
    page.text(row, 0, label)
    m.money[name] = [page.number(row, FIRST + t, v, "data") for t, v in enumerate(values)]
    return row + 1


def _running(
    page: Page,
    row: int,
    label: str,
    name: str,
    added: Row,
    growth: str,
    power: int,
    found: dict[str, Floats],
    m: Model,
) -> int:
    """Write what is left each month of all that was added, when it grows or fades by month."""
    kept = f"*{m.used[growth]}" + (f"^{power}" if power > 1 else "") if power else ""
    formulas = [
        cell if t == 0 else f"{page.at(row, FIRST + t - 1)}{kept}+{cell}"
        for t, cell in enumerate(added)
    ]
    return _line(page, row, label, name, formulas, found, m)


def dates(page: Page, row: int, what: WhatIf, m: Model) -> int:
    """Write what each date of the target takes, and what is expected at the last one."""
    months = [int(month) for month in what.checkpoints]
    if what.kind in LEVELS:
        row = _weights(page, row, what, m) + 1
    page.text(row, 0, "Dates of the target", "section")
    page.heads(row + 1, 0, ["by the end of", "", "", *(what.months[i] for i in months)], left=2)
    row += 2
    flow = what.flow(what.inputs)
    m.dates["share"] = _dated(page, row, "amount over the last one", what.amounts)
    yearly = f"/{MONTHS_A_YEAR}" if what.kind == "arr" else ""
    amounts = [f"{share}*{m.used['Target']}{yearly}" for share in m.dates["share"]]
    due = what.amounts * what.inputs.target / (MONTHS_A_YEAR if yearly else 1)
    m.dates["amount"] = _dated(page, row + 1, "amount, a month", due, amounts)
    m.dates["offset"] = _dated(page, row + 2, "what the few draws are off, in logits", what.offset)
    won = m.flow["pipeline"][-1]
    opened = [f"SUM({won[0]}:{won[month].partition('!')[2]})" for month in months]
    planned = np.array([flow["pipeline"][-1, : month + 1].sum() for month in months])
    m.dates["open"] = _dated(page, row + 3, "wins of what is open now", planned, opened)
    return _sure(page, row + 4, what, m)


def _sure(page: Page, row: int, what: WhatIf, m: Model) -> int:
    won = len(what.steps) - 1
    for i in range(won):
        page.text(row + i, 0, f"squared chances, open at {what.labels[i]}")
        for c, value in enumerate(what.certain[i]):
            page.number(row + i, FIRST + c, value, "data")
    formulas = [
        f"SUMPRODUCT({page.range(row, FIRST + c, row + won - 1, FIRST + c)},{m.onward[won]}^2)"
        for c in range(len(what.checkpoints))
    ]
    planned = what.certain[:won].sum(axis=0)
    m.dates["sure"] = _dated(page, row + won, "squared chances", planned, formulas)
    return row + won + 2


def _dated(page: Page, row: int, label: str, values: Floats, formulas: Row | None = None) -> Row:
    page.text(row, 0, label)
    if formulas is None:
        return [page.number(row, FIRST + c, v, "data") for c, v in enumerate(values)]
    pairs = enumerate(zip(formulas, values, strict=True))
    return [page.formula(row, FIRST + c, f, v, "worked") for c, (f, v) in pairs]


def _weights(page: Page, row: int, what: WhatIf, m: Model) -> int:
    """Write how many wins came by each month, and what is left of their revenue and its square."""
    page.text(row, 0, "Wins so far, what is kept of them, and its square", "section")
    page.heads(row + 1, 0, ["", "", "", *what.months], left=2)
    growth, place = kept_a_month(what), row + 2
    added = {"unit": what.new[-1], "without": _planned(what, m)["without"]}
    found: dict[str, Floats] = {}
    for name, label in (("unit", "of one of the leads"), ("without", "without new leads")):
        for power, said in enumerate(("wins so far", "kept", "square of it")):
            kept = growth ** (power * np.arange(len(what.months)))
            found[f"{name}_{power}"] = np.convolve(added[name], kept)[: len(kept)]
            words, key = f"{said}, {label}", f"{name}_{power}"
            place = _running(page, place, words, key, m.money[name], "growth", power, found, m)
    return place


def expected(page: Page, row: int, what: WhatIf, m: Model) -> int:
    """Write what is expected at the last date, with the leads of the inputs and with none."""
    last = int(what.checkpoints[-1])
    page.text(row, 0, "Expected at the last date", "section")
    for place, name in enumerate(("expected", "without_new"), start=row + 1):
        page.text(place, 0, name.replace("_", " "))
        formula = _formula(what, m, "" if name == "expected" else "_without", last)
        cell = page.formula(place, 1, formula, m.told[name], "worked") if formula else ""
        setattr(m, name, cell)
    return row + 4


def _formula(what: WhatIf, m: Model, ending: str, last: int) -> str:
    """Formula of what is expected; empty where it is not known."""
    if what.kind in LEVELS:
        row = m.money.get(f"mrr{ending}")
        return (
            "" if row is None else row[last] + (f"*{MONTHS_A_YEAR}" if what.kind == "arr" else "")
        )
    name = f"new_mrr{ending}" if what.kind == "new_mrr" else ending[1:] or "wins"
    row = m.money.get(name)
    if row is None:
        return ""
    each = f"*{m.used['booking']}*{m.used['dearer']}" if what.kind == "bookings" else ""
    return f"{m.used['done']}+SUM({row[0]}:{row[last].partition('!')[2]}){each}"
