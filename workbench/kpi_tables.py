"""KPIs of any unit as people read them: the board, and the leaks with what they cost."""

from collections.abc import Callable

import pandas as pd

from workbench.tables import each
from workbench.theme import MISSING, money_text, percent_text, whole_text

ARROWS = {"up": "▲ up", "down": "▼ down", "level": "level", "": ""}
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}


def board_table(board: pd.DataFrame, currency: str = "USD") -> pd.DataFrame:
    """`kpi.board`: one line per KPI, numbers in their unit, the trend in a word.

    A trend stands only where chance would not make it; ``+`` after it is good news, ``!`` bad.
    """
    shown = pd.DataFrame({"": [_titled(name) for name in board["name"]]})
    rows = list(each(board))
    says = [unit_text(row.unit, currency) for row in rows]
    shown["now"] = [say(row.value) for say, row in zip(says, rows, strict=True)]
    shown["95% interval"] = [_interval(row.low, row.high, row.unit) for row in rows]
    shown["n"] = [whole_text(row.n) for row in rows]
    shown["period from"] = board["period"].dt.strftime("%b %Y").fillna("to date")
    shown["before"] = [say(row.before) for say, row in zip(says, rows, strict=True)]
    shown["trend"] = [_trend(row.trend, row.better) for row in rows]
    shown["rule of thumb"] = board["benchmark"].where(
        ~board["benchmark"].str.startswith("none"), ""
    )
    shown["note"] = board["note"]
    return shown.set_index("").rename_axis(index=None)


def leaks_table(leaks: pd.DataFrame, currency: str = "USD") -> pd.DataFrame:
    """`kpi.leaks`: where deals are lost beyond chance, the costliest first."""
    if leaks.empty:
        return pd.DataFrame({"": [leaks.attrs["note"]]}, index=["no leak found"])
    money = unit_text("reporting currency", currency)
    rows = list(each(leaks))
    shown = pd.DataFrame(
        {
            "stage": leaks["label"],
            "where": leaks["by"] + ": " + leaks["group"].astype("str"),
            "since": pd.to_datetime(leaks["period"]).dt.strftime("%b %Y"),
            "goes on here": [percent_text(row.here) for row in rows],
            "elsewhere": [percent_text(row.elsewhere) for row in rows],
            "deals": [whole_text(row.n) for row in rows],
            "money lost": [money(row.money_lost) for row in rows],
            "95% interval": [_interval(row.low, row.high, "reporting currency") for row in rows],
            "note": leaks["note"],
        }
    )
    return shown.set_index("stage").rename_axis(index=None, columns="stage")


def unit_text(unit: str, currency: str = "USD") -> Callable[[float], str]:
    """Return the function that writes a number of a catalogue unit.

    >>> unit_text("share, 0 to 1")(0.318), unit_text("calendar days")(66), unit_text("ratio")(3.14159)
    ('32%', '66 days', '3.1')
    """
    if unit.startswith("share"):
        return percent_text
    if unit.startswith("reporting currency"):
        return lambda value: money_text(value, SYMBOLS.get(currency, f"{currency} "))
    if unit == "count":
        return whole_text
    word = {"calendar days": " days", "months": " months"}.get(unit, "")
    digits = 0 if unit == "calendar days" else 1
    return lambda value: MISSING if pd.isna(value) else f"{value:,.{digits}f}{word}"


def _interval(low: float, high: float, unit: str) -> str:
    """Write limits without the currency: between two dollar signs JupyterLab sets mathematics."""
    if pd.isna(low) or pd.isna(high):
        return MISSING
    if unit.startswith("reporting currency"):
        return f"{money_text(low, '')} to {money_text(high, '')}"
    say = unit_text("count" if unit == "calendar days" else unit)
    return f"{say(low)} to {say(high)}"


def _short(benchmark: str) -> str:
    """Leave out of a rule of thumb what the heading says already."""
    return "" if benchmark.startswith("none") else benchmark.partition(" (")[0]


def _titled(name: str) -> str:
    words = name.replace("_", " ")
    return words.upper() if name in {"mrr", "cac"} else words.capitalize()


def _trend(trend: str, better: str) -> str:
    if trend not in {"up", "down"} or not better:
        return ARROWS[trend]
    good = (trend == "up") == (better == "higher")
    return f"{ARROWS[trend]} {'+' if good else '!'}"
