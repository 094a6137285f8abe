"""What the printed report says, as plain values for its template."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from workbench import theme
from workbench.charts import CREDIT_COLOURS
from workbench.report.pack import headlines, rows
from workbench.report.pack.contents import Contents
from workbench.report.pack.deck_notes import HISTORY
from workbench.report.pack.text import clean
from workbench.tables import each
from workbench.theme import whole_text

COLOURS = {
    "accent": theme.ACCENT,
    "input": theme.INPUT,
    "result": theme.RESULT,
    "warn": theme.WARN,
    "ink": theme.INK,
    "muted": theme.MUTED,
    "rule": theme.RULE,
}
CARDS = (("leads", "big"), ("chance", "result"), ("gap", "result"), ("target", "input"))
MOVES = 25  # deals that moved, at most
_LONG = 300


def paper_data(contents: Contents) -> dict[str, Any]:
    """Return all that the template `paper.typ` reads: text, and numbers of drawings only."""
    plan = contents.plan
    day = plan.as_of or plan.start
    return {
        "title": clean(contents.title, 120),
        "origin": rows.origin_line(contents),
        "stamp": rows.STAMP if contents.names else "",
        "day": [day.year, day.month, day.day],
        "colours": COLOURS,
        "credits": list(CREDIT_COLOURS),
        "parts": rows.parts(contents),
        "answer": headlines.answer(contents),
        "action": clean(contents.action, _LONG),
        "cards": [_card(contents, name, kind) for name, kind in CARDS],
        "needs": _needs(contents),
        "caveats": [clean(note, _LONG) for note in contents.caveats],
        "months": _months(contents),
        "funnel": _funnel(contents),
        "record": {
            "headline": headlines.record(contents),
            "table": _table(rows.kpis(contents).drop(columns="From"), {"Trend": 0.7, "Note": 1.9}),
        },
        "changes": _changes(contents),
        "meant": [
            {
                "label": figure.label,
                "said": clean(figure.text, 120),
                "definition": figure.definition,
                "formula": clean(figure.formula, _LONG),
                "n": clean(figure.n, _LONG),
            }
            for figure in contents.figures.values()
        ],
        "kpis": [
            {"label": label, "definition": row.definition, "formula": row.formula}
            for label, row in zip(rows.kpis(contents)["KPI"], each(contents.kpis), strict=True)
        ],
    }


def _card(contents: Contents, name: str, kind: str) -> dict[str, object]:
    figure = contents.figures[name]
    said = clean(figure.text, 70)
    size = 13 if kind == "input" else (26 if len(said) < 7 else 18)
    return {"label": figure.label, "said": said, "size": size, "kind": kind}


def _needs(contents: Contents) -> str:
    told = [f for name, f in contents.figures.items() if name.startswith("leads_")]
    return " · ".join(f"{f.label}: {f.text}" for f in told)


def _months(contents: Contents) -> dict[str, Any]:
    found, top = contents.months, contents.plan.top
    names = rows.month_names(contents)
    leads, wins = found["leads"].astype("float64"), found["wins"]
    headline = headlines.months(contents)
    shown = rows.months(contents)
    return {
        "headline": headline,
        "leads": {
            "heading": f"{top.capitalize()} to create",
            "about": f"{contents.figures['leads'].text} in all",
            "alt": f"{headline}: {top} to create by month",
            **_drawn(names, [leads], [whole_text(n) for n in leads]),
        },
        "wins": {
            "heading": "Wins to expect",
            "alt": f"{headline}: wins to expect by month and by where they come from",
            **_drawn(names, [found[n] for n in rows.WINS], [rows.decimal(n) for n in wins]),
        },
        "table": _table(shown, {}),
    }


def _funnel(contents: Contents) -> dict[str, Any]:
    found = contents.funnel
    headline = headlines.funnel(contents)
    said = [whole_text(n) for n in found["total"]]
    return {
        "headline": headline,
        "drawn": {
            "alt": headline,
            **_drawn(list(rows.funnel(contents)["Step"]), [found[n] for n in rows.PARTS], said),
        },
        "rates": _table(rows.rates(contents), {"To": 1.0}),
        "history": HISTORY,
    }


def _drawn(
    names: Sequence[str], stacks: Sequence["pd.Series[float]"], said: Sequence[str]
) -> dict[str, Any]:
    values = [[float(value) for value in stack] for stack in stacks]
    most = max(sum(column) for column in zip(*values, strict=True))
    return {"names": list(names), "stacks": values, "said": list(said), "most": most}


def _table(shown: pd.DataFrame, words: dict[str, float]) -> dict[str, Any]:
    """Rows for the template; the first column and those named hold words, with their share of room."""
    share = {shown.columns[0]: 1.0, **words}
    return {
        "head": [str(name) for name in shown.columns],
        "rows": [[str(text) for text in row] for row in shown.itertuples(index=False)],
        "left": {str(shown.columns.get_loc(name)): size for name, size in share.items()},
    }


def _changes(contents: Contents) -> list[dict[str, Any]]:
    """What changed: nothing, or one part with its tables."""
    found = contents.changes
    if found is None:
        return []
    notes = [clean(note, _LONG) for note in found.notes]
    if len(found.moves) > MOVES:
        notes.append(
            f"The first {MOVES} of {len(found.moves) + found.unlisted:,} deals that moved."
        )
    moves = _moves(contents)
    tables = [
        (rows.changes(contents), {}),
        (_bridge(contents), {}),
        (moves, {name: 2.4 if name == "Name" else 1.0 for name in moves.columns[1:]}),
    ]
    return [
        {
            "headline": headlines.changes(contents),
            "tables": [_table(table, words) for table, words in tables if len(table)],
            "notes": notes,
        }
    ]


def _bridge(contents: Contents) -> pd.DataFrame:
    found = contents.changes
    if found is None or found.bridge.empty:
        return pd.DataFrame()
    told = [rows.effect(contents, n) for n in found.bridge["effect"]]
    drivers = [clean(str(driver), 40) for driver in found.bridge["driver"]]
    return pd.DataFrame({"From the plan to today": drivers, "Effect": told})


def _moves(contents: Contents) -> pd.DataFrame:
    found = contents.changes
    if found is None or found.moves.empty:
        return pd.DataFrame()
    shown = found.moves.head(MOVES).map(lambda text: clean(str(text), 32))
    return shown.rename(columns=str.capitalize)
