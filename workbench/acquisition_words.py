"""What a customer costs and brings, in plain words: the answer, the band, and the channels."""

from typing import Any

import pandas as pd

from kpi.acquisition.unit_economics import HEALTHY, band
from kpi.result import FEW
from workbench.acquisition_numbers import ENOUGH, LABELS, NEEDS, Choices, Numbers
from workbench.kpi_tables import unit_text
from workbench.tables import each
from workbench.theme import MISSING, money_text, percent_text

HEALTHY_RATIO = HEALTHY[1]
BANDS = {
    "loses_money": "below 1, a customer brings less than it costs",
    "break_even": "between 1 and 3, it earns its cost back with little to spare",
    "healthy": "between 3 and 5, called healthy",
    "maybe_underinvesting": "above 5, perhaps too little is spent on growth",
}
"""How the field reads the ratio of lifetime value to acquisition cost."""
CONVENTION = (
    "3:1 and its neighbours are conventions of the field (an MSP KPI paper; where “too high” begins is "
    "our own 5:1), no laws and no part of your numbers."
)
MARGIN_UNKNOWN = ("margin not known", "taken as 1")
"""How notes say that all revenue was taken as margin."""
FIRST_DEAL = {
    "new": "",
    "expansion": " whose first deal is an expansion",
    "renewal": " whose first deal is a renewal",
    None: ", whatever its first deal,",
}
HOW = {
    "costs": " (a file costs.csv: month, category, channel, amount)",
    "subscriptions": " (a file subscriptions.csv: account_id, mrr, starts_on, ends_on)",
}
"""What a table that no CRM holds looks like."""


def said(row: "pd.Series[Any]", unit: str, currency: str = "USD") -> str:
    """Write a number with its interval and n; where there is none, the reason.

    >>> row = pd.Series({"value": 4465.2, "low": 3483.1, "high": 5824.0, "n": 62, "note": ""})
    >>> said(row, "reporting currency")
    '$4.47K (3.48K to 5.82K, n 62)'
    """
    if pd.isna(row["value"]):
        return f"not known ({_briefly(row['note'])})"
    number = unit_text(unit, currency)(row["value"])
    between = limits(row["low"], row["high"], unit)
    few = ": not enough data" if row["n"] < ENOUGH else " only" if row["n"] < FEW else ""
    return f"{number} ({f'{between}, ' if between != MISSING else ''}n {row['n']:,.0f}{few})"


def limits(low: float, high: float, unit: str) -> str:
    """Write an interval without the currency: between two dollar signs Lab sets mathematics."""
    if pd.isna(low) or pd.isna(high):
        return MISSING
    if unit.startswith("reporting currency"):
        return f"{money_text(low, '')} to {money_text(high, '')}"
    say = unit_text("ratio")
    return f"{say(low)} to {say(high)}"


def reason(note: str) -> str:
    """Return a note without the codes that KPI tables keep before its parts.

    >>> reason("no_denominator: no new customers; last twelve whole months")
    'no new customers; last twelve whole months'
    """
    for code in ("no_denominator: ", "not enough data: ", "not known: "):
        note = note.replace(code, "")
    return note


def _briefly(note: str) -> str:
    """Return the first of the reasons; the tables have them all."""
    return reason(note).partition("; ")[0]


def answer(now: "dict[str, pd.Series[Any]]", choices: Choices, currency: str = "USD") -> str:
    """Say what a new customer costs, when it has paid for itself, and what it brings.

    Parameters
    ----------
    now : mapping of name to row
        `workbench.acquisition_numbers.Numbers.now`.
    choices : Choices
        Under which it was worked out.
    """
    cost, horizon = now["cac_lagged" if choices.lagged else "cac"], choices.horizon_months
    if pd.isna(cost["value"]):
        unknown = f"What a new customer costs is not known: {_briefly(cost['note'])}."
        return f"{unknown} {_may_cost(now['lifetime_value'], horizon, currency)}".strip()
    if cost["value"] == 0:
        return "What a new customer costs is not known: the costs recorded are 0."
    who = f"A new customer{FIRST_DEAL[choices.deal_type]}"
    costs = f"{who} costs {said(cost, 'reporting currency', currency)}"
    return f"{costs} {_paid_back(now['cac_payback'])}."


def _paid_back(row: "pd.Series[Any]") -> str:
    if pd.isna(row["value"]):
        return f"and when it has paid for itself is not known ({_briefly(row['note'])})"
    between = limits(row["low"], row["high"], "months")
    after = f"{row['value']:,.1f} months" + (f" ({between})" if between != MISSING else "")
    return f"and pays back in {after}{_at_margin(row['gross_margin'], row['note'])}"


def _at_margin(margin: float, note: str) -> str:
    if any(words in note for words in MARGIN_UNKNOWN):
        return ", were all revenue margin: the gross margin is not known"
    return f" at a gross margin of {percent_text(margin)}"


def _may_cost(worth: "pd.Series[Any]", horizon: int, currency: str) -> str:
    """Say what a customer brings, and what it may cost by convention, where its cost is not known."""
    if pd.isna(worth["value"]):
        return ""
    most = unit_text("reporting currency", currency)(worth["value"] / HEALTHY_RATIO)
    brings = f"A customer brings {said(worth, 'reporting currency', currency)} in {horizon} months"
    return f"{brings}; to bring three times its cost, the convention, it may cost {most}."


def band_said(row: "pd.Series[Any]") -> str:
    """Say how the field reads the ratio of lifetime value to cost, and whether chance could move it."""
    between = limits(row["low"], row["high"], "ratio")
    inside = "" if between == MISSING else f"{between}, "
    text = f"{row['value']:,.1f} times its cost ({inside}n {row['n']:,.0f}): {BANDS[row['band']]}"
    ends = {band(end) for end in (row["low"], row["high"]) if pd.notna(end)}
    return text if ends <= {row["band"]} else f"{text}; its interval reaches into another band"


def worth_facts(
    now: "dict[str, pd.Series[Any]]", choices: Choices, currency: str = "USD"
) -> list[tuple[str, str]]:
    """Say what a customer brings, and how that stands to its cost; nothing where neither is known."""
    worth, ratio = now["lifetime_value"], now["clv_to_cac"]
    if pd.isna(worth["value"]):
        return []
    brings = f"{said(worth, 'reporting currency', currency)} in {choices.horizon_months} months"
    times = "" if pd.isna(ratio["value"]) else f"; {band_said(ratio)}"
    return [("A customer brings", f"{brings}{_at_margin(worth['margin'], worth['note'])}{times}")]


def dearer(rows: pd.DataFrame, what: str, currency: str = "USD") -> str:
    """Say how much dearer a lead or customer of the dearest channel is than one of the cheapest.

    Parameters
    ----------
    rows : DataFrame
        `kpi.cost_per_lead` or `kpi.cac` by channel, with limits that hold for all channels together
        (``level=1 - 0.05 / channels``): of twenty channels that cost the same, some would lie apart
        by limits of their own.
    what : str
        ``"lead"`` or ``"customer"``.

    Returns
    -------
    str
        Empty where fewer than two channels have enough, or chance may explain the difference.
    """
    known = rows[rows["value"].notna() & (rows["n"] >= ENOUGH)]
    if len(known) < 2:
        return ""
    ordered = known.sort_values("value", kind="stable")
    cheap, dear = ordered.iloc[0], ordered.iloc[-1]
    if cheap["value"] <= 0 or cheap["high"] >= dear["low"]:
        return ""
    money = unit_text("reporting currency", currency)
    return (
        f"A {what} from {dear['channel']} costs {dear['value'] / cheap['value']:,.1f} times one from "
        f"{cheap['channel']} ({money(float(dear['value']))} against {money(float(cheap['value']))})."
    )


def channel_facts(by_channel: pd.DataFrame, compared: str) -> list[tuple[str, str]]:
    """Say what is known of customers by channel: how they compare, and how many are too few.

    Parameters
    ----------
    by_channel : DataFrame
        `workbench.acquisition_numbers.Numbers.by_channel`.
    compared : str
        What `dearer` says of the customers.
    """
    costed = by_channel[by_channel["cac_value"].notna()]
    if costed.empty:
        return []
    few = [str(row.channel) for row in each(costed) if row.cac_n < ENOUGH]
    apart = compared or "no two channels are further apart than chance explains."
    too_few = f" Not enough data (fewer than {ENOUGH}): {', '.join(few)}." if few else ""
    return [("New customers by channel, by its own costs", apart + too_few)]


def lag_notes(row: "pd.Series[Any]") -> list[str]:
    """Say by how much costs and customers are apart, of the row of a lagged `kpi.cac`."""
    told = [part for part in row["note"].split("; ") if "earlier" in part]
    return [f"Customers, by period and channel too, are held against {part}." for part in told]


def unnamed_notes(share: float) -> list[str]:
    """Say which part of the costs no channel carries, so that channels look cheaper than customers are."""
    if pd.isna(share) or share <= 0:
        return []
    return [
        f"{percent_text(share)} of the costs name no channel (as a rule labour, commissions, tools) and "
        "are in the company's numbers only: compare channels with each other, not with the company."
    ]


def lacking_notes(numbers: Numbers) -> list[str]:
    """Say by name which tables the data lacks, and which numbers are not there for it."""
    lacks = {name: numbers.lacking(name) for name in NEEDS if name in LABELS}
    found = []
    for table in sorted({table for tables in lacks.values() for table in tables}):
        without = ", ".join(LABELS[name] for name, tables in lacks.items() if table in tables)
        found.append(
            f"The data has no {table}{HOW.get(table, '')}. Not known without it: {without}."
        )
    return found
