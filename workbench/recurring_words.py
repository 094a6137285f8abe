"""Recurring revenue in plain words: what it is, what it loses, and what only replaces that."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import pandas as pd

from kpi.periods import MONTHS, Every, month_start
from kpi.recurring.billing import YEAR
from workbench import words
from workbench.kpi_tables import unit_text
from workbench.recurring_loss import Loss
from workbench.theme import percent_text

CENT = 0.005
NOTHING = 1e-9
PARTS = 20
"""Groups shown at most where revenue is broken down."""
RETENTION_NOTE = (
    "Revenue kept follows the customers of the start alone; revenue churn sums what was lost month by "
    "month, that of customers who joined since included, so it is higher where many join."
)
LOST_NOTE = (
    "The list of customers lost names those, too, who joined and left within these months; the rate "
    "follows the customers of the start alone."
)
WINDOW_NOTE = (
    "If the data leaves out customers who were gone before it begins, the later months of the curve "
    "look better than they are: set window_start in the mapping to the day from which all are in it."
)
PRODUCT_NOTE = (
    "By product, a customer counts once for each; who drops one of several is lost to it."
)


def last_ended(movements: pd.DataFrame, every: Every, as_of: date) -> "pd.Series[Any] | None":
    """Return the latest period of `kpi.mrr_movements` that had ended on the as-of date."""
    ended = [
        month_start(day, MONTHS[every]) - timedelta(days=1) <= as_of for day in movements["period"]
    ]
    rows = movements[ended]
    return None if rows.empty else rows.iloc[-1]


def sentence(
    now: "pd.Series[Any]",
    last: "pd.Series[Any] | None",
    every: Every,
    lost: Loss | None,
    as_of: date,
    currency: str,
) -> str:
    """Say what recurring revenue is, how it moved, what churn takes and what only replaces that.

    Parameters
    ----------
    now : Series
        The row of `kpi.mrr` on the as-of date.
    last : Series or None
        The latest whole period of `kpi.mrr_movements`; None where none has ended.
    lost : Loss or None
        None where it cannot be told.
    """
    if now["value"] < CENT:
        return f"No customer pays recurring revenue on {words.day(as_of)}."
    money = unit_text("reporting currency", currency)
    grew = "" if last is None else f", {_moved(last['net'], money)} {_when(last['period'], every)}"
    return f"Recurring revenue is {money(now['value'])} a month{grew}; {_taken(lost)}."


def _moved(net: float, money: Callable[[float], str]) -> str:
    if abs(net) < CENT:
        return "unchanged"
    return f"{'up' if net > 0 else 'down'} {money(abs(net))}"


def _when(first: pd.Timestamp, every: Every) -> str:
    since = f"{first:%B %Y}"
    return f"in {since}" if every == "month" else f"in the {every} from {since}"


def _taken(lost: Loss | None) -> str:
    if lost is None:
        return "not enough data to say what churn takes"
    if lost.yearly < NOTHING:
        return f"nothing of it was lost in the last {window(lost.months)} ({_behind(lost)})"
    return (
        f"churn of {percent_text(lost.monthly)} a month takes {percent_text(lost.yearly)} a year "
        f"({_behind(lost)}), {_replacing(lost)}"
    )


def _behind(lost: Loss) -> str:
    """Say how sure it is: interval, n, and the months where they are no year."""
    known = pd.notna(lost.low) and pd.notna(lost.high)
    limits = f"{percent_text(lost.low)}–{percent_text(lost.high)}, " if known else ""
    few = "" if known else ", too few for an interval"
    short = "" if lost.months == YEAR else f", from {window(lost.months)} only"
    return f"{limits}n {lost.n:,}{few}{short}"


def _replacing(lost: Loss) -> str:
    count = lost.replacing(lost.yearly)
    between = ""
    if pd.notna(lost.low) and pd.notna(lost.high):
        between = f" ({lost.replacing(lost.low):,}–{lost.replacing(lost.high):,})"
    if count == 1:
        return f"so 1 new customer a year{between} only replaces what leaves"
    return f"so {count:,} new customers a year{between} only replace what leaves"


FIVE = 5
NO_MONTH = "not enough data: no whole month since the first line began"


def window(length: int) -> str:
    """Write a number of months.

    >>> window(12), window(1)
    ('12 months', '1 month')
    """
    return f"{length} month{'s' * (length != 1)}"


def facts(
    found: Mapping[str, "pd.Series[Any]"], length: int, currency: str
) -> list[tuple[str, str]]:
    """Say what stands behind the answer, each rate with its interval and n, or why it is missing.

    Parameters
    ----------
    found : mapping of KPI name to Series
        The row of each KPI on the as-of date: ``mrr, gross_retention, net_retention,
        gross_mrr_churn, net_mrr_churn, customer_churn, quick_ratio, lifetime_value``.
    length : int
        Months over which rates are told.
    """
    money = unit_text("reporting currency", currency)
    over = f"last {window(length)}"
    if length < 1:
        return [("Customers", _customers(found["mrr"], money)), ("Rates", NO_MONTH)]
    return [
        ("Customers", _customers(found["mrr"], money)),
        (f"Customers lost, {over}", _lost(found["customer_churn"])),
        (f"Revenue kept, {over}", _kept(found["gross_retention"], found["net_retention"])),
        (f"Revenue churn, {over}", _churn(found["gross_mrr_churn"], found["net_mrr_churn"])),
        (f"Quick ratio, {over}", _quick(found["quick_ratio"])),
        ("A customer brings", _brings(found["lifetime_value"], money)),
    ]


def rate(row: "pd.Series[Any]", write: Callable[[float], str] = percent_text) -> str:
    """Write a number with its interval; where there is none, the reason."""
    if pd.isna(row["value"]):
        return reason(row)
    limits = "" if pd.isna(row["low"]) else f" ({write(row['low'])}–{write(row['high'])})"
    return f"{write(row['value'])}{limits}"


def reason(row: "pd.Series[Any]") -> str:
    """Say why a number is missing, without the code of the reason.

    >>> reason(pd.Series({"note": "no_denominator: nothing was lost"}))
    'nothing was lost'
    """
    return str(row["note"]).removeprefix("no_denominator: ")


def _customers(now: "pd.Series[Any]", money: Callable[[float], str]) -> str:
    if now["n"] == 0:
        return "none"
    if now["n"] == 1:
        return f"1, who pays {money(now['arpa'])} a month"
    five = f", the five largest {percent_text(now['top5'])}" if now["n"] > FIVE else ""
    return (
        f"{now['n']:,}, who pay {money(now['arpa'])} a month on average; the largest pays "
        f"{percent_text(now['largest'])} of all{five}"
    )


def _lost(churn: "pd.Series[Any]") -> str:
    if pd.isna(churn["value"]):
        return reason(churn)
    monthly = "" if pd.isna(churn["monthly"]) else f", {percent_text(churn['monthly'])} a month"
    return f"{churn['x']:,} of {churn['n']:,}: {rate(churn)}{monthly}{_noted(churn)}"


def _kept(gross: "pd.Series[Any]", net: "pd.Series[Any]") -> str:
    if pd.isna(gross["value"]):
        return reason(gross)
    stay = f"{gross['x']:,} of {gross['n']:,} customers"
    return f"{rate(gross)} without growth, {rate(net)} with it; {stay} stayed{_noted(gross)}"


def _churn(gross: "pd.Series[Any]", net: "pd.Series[Any]") -> str:
    if pd.isna(gross["value"]):
        return reason(gross)
    both = f"gross {rate(gross)}, net of what customers added {rate(net)}"
    return f"{both}; who joined since counts too, n {gross['n']:,}{_noted(gross)}"


def _quick(row: "pd.Series[Any]") -> str:
    if pd.isna(row["value"]):
        return reason(row)
    said = f"{rate(row, unit_text('ratio'))} gained for each 1 lost"
    return f"{said}; {row['x']:,} customers added, {row['n']:,} took away{_noted(row)}"


def _brings(row: "pd.Series[Any]", money: Callable[[float], str]) -> str:
    if pd.isna(row["value"]):
        return reason(row)
    said = f"{rate(row, money)} of gross margin over 60 months, at {percent_text(row['margin'])}"
    return f"{said}; {row['x']:,} of {row['n']:,} customers followed have left{_noted(row)}"


def _noted(row: "pd.Series[Any]") -> str:
    return f"; {row['note'].replace('low_n: ', '')}" if row["note"] else ""


def notes(column: str, groups: int, window_start: date | None) -> list[str]:
    """Say what the reader must know, a line each.

    Parameters
    ----------
    column : str
        What revenue is broken down by; empty: not at all.
    groups : int
        How many groups that makes.
    window_start : date or None
        Day from which the data holds everybody who left; None if it does not say.
    """
    found = [RETENTION_NOTE, LOST_NOTE]
    if window_start is None:
        found.append(WINDOW_NOTE)
    if column == "product":
        found.append(PRODUCT_NOTE)
    if groups > PARTS:
        found.append(f"The {PARTS} largest of {groups} groups are shown.")
    return found
