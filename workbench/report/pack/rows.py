"""What a pack says row by row, as text: for the slides and the printed report alike."""

from dataclasses import replace

import pandas as pd

from workbench import words
from workbench.kpi_tables import SYMBOLS, board_table
from workbench.plan_tables import signed
from workbench.report.pack.contents import Contents
from workbench.report.pack.figures import FEW
from workbench.report.pack.text import clean
from workbench.tables import each
from workbench.theme import MISSING, money_text, percent_text, whole_text

STAMP = "Contains names of deals and sellers"
LABEL = 26  # characters of a stage's name in a table or under a bar
SENTENCE = 400  # characters of a sentence, names of the CRM within it included
PARTS = ("in_pipeline", "direct", "to_create")
WINS = ("wins_pipeline", "wins_direct", "wins_new")


def origin_line(contents: Contents) -> str:
    """Say where the numbers come from in one line, long names and filters cut."""
    origin = contents.origin
    short = replace(origin, source=clean(origin.source, 40), filters=clean(origin.filters, 60))
    return clean(str(short), 240)


def parts(contents: Contents) -> list[str]:
    """Name the three sources of records, in the order of `PARTS` and of `WINS`."""
    return [clean(name, LABEL) for name in words.credit_names(contents.plan)]


def months(contents: Contents) -> pd.DataFrame:
    """Rows of the months: ``Month``, leads, wins with 80 % band, money; none for what is not known."""
    table = contents.months
    top = contents.plan.top.capitalize()
    shown = pd.DataFrame(
        {"Month": month_names(contents), top: [whole_text(n) for n in table["leads"]]}
    )
    for name, said in zip(WINS, parts(contents), strict=True):
        shown[f"Wins: {said}"] = [decimal(n) for n in table[name]]
    shown["Wins in all"] = [decimal(n) for n in table["wins"]]
    limits = zip(table["wins_low"], table["wins_high"], strict=True)
    shown["80% band"] = [between(whole_text(low), whole_text(high)) for low, high in limits]
    for name, said in (("new_mrr", "New MRR"), ("mrr", "MRR")):
        if table[name].notna().any():
            shown[said] = [money_text(n, symbol(contents)) for n in table[name]]
    return shown


def month_names(contents: Contents) -> list[str]:
    """Months as people write them: ``Dec 2026``."""
    return [f"{pd.Period(month):%b %Y}" for month in contents.months["month"]]


def funnel(contents: Contents) -> pd.DataFrame:
    """Rows of the funnel: ``Step``, the three sources, ``In all``."""
    shown = pd.DataFrame({"Step": [clean(label, LABEL) for label in contents.funnel["label"]]})
    for name, said in zip(PARTS, parts(contents), strict=True):
        shown[said.capitalize()] = [decimal(n) for n in contents.funnel[name]]
    shown["In all"] = [decimal(n) for n in contents.funnel["total"]]
    return shown


def rates(contents: Contents) -> pd.DataFrame:
    """Rows of the rates: ``From, To, Planned, History, 95% interval, n``."""
    rows = []
    for row in each(contents.rates):
        limits = between(percent_text(row.low), percent_text(row.high))
        n = "under 5" if row.n < FEW else whole_text(row.n)
        told = (percent_text(row.planned), percent_text(row.history), limits, n)
        rows.append((clean(row.label, LABEL), clean(row.to, LABEL), *told))
    return pd.DataFrame(rows, columns=["From", "To", "Planned", "History", "95% interval", "n"])


def kpis(contents: Contents) -> pd.DataFrame:
    """Rows of the KPIs: ``KPI, Now, 95% interval, n, From, Before, Trend, Note``."""
    sign = symbol(contents)
    code = next((c for c, s in SYMBOLS.items() if s == sign), sign.strip())
    table = board_table(contents.kpis, code)
    names = {"now": "Now", "period from": "From", "before": "Before", "trend": "Trend"}
    table = table.rename(columns={**names, "note": "Note"}).drop(columns="rule of thumb")
    table["n"] = ["under 5" if n < FEW else whole_text(n) for n in contents.kpis["n"]]
    table["Note"] = [
        clean(n.replace("low_n", "few"), 90) if n else "" for n in table["Note"].fillna("")
    ]
    table.insert(0, "KPI", table.index)
    return table.reset_index(drop=True)


def symbol(contents: Contents) -> str:
    """Return what stands in front of money: a sign, or a code of sensible length and a blank."""
    return clean(contents.symbol, 8) + " " * contents.symbol.endswith(" ")


def decimal(value: float) -> str:
    """Write expected records with one decimal; missing as an en dash."""
    return MISSING if pd.isna(value) else f"{value:,.1f}"


def effect(contents: Contents, amount: float) -> str:
    """Write an effect on the gap with its sign, in wins or in the company's currency."""
    if contents.plan.target.kind == "wins":
        return signed(amount, money=False)
    return f"{'+' if amount > 0 else ''}{money_text(amount, symbol(contents))}"


def between(low: str, high: str) -> str:
    """Write two limits.

    >>> between("2", "8"), between("–", "–")
    ('2 to 8', '–')
    """
    return MISSING if MISSING in (low, high) else f"{low} to {high}"


def changes(contents: Contents) -> pd.DataFrame:
    """Rows of what changed, of the plan first and then of the KPIs: no name, ``Before, Now``."""
    found = contents.changes
    if found is None:
        return pd.DataFrame(columns=["", "Before", "Now"])
    listed = pd.concat([frame[["label", "before", "now"]] for frame in (found.plan, found.kpis)])
    shown = listed.map(lambda text: clean(str(text), 40))
    return shown.set_axis(["", "Before", "Now"], axis=1).reset_index(drop=True)
