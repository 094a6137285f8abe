"""Recurring line items of won deals as `kpi.tables.SUBSCRIPTIONS`."""

from collections.abc import Hashable, Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd

from connectors.hubspot.records.columns import Record, days, live, numbers, texts
from connectors.hubspot.records.values import Day, Number, after, day, number
from kpi.conform import REJECTED, no_problems, problem_rows
from kpi.tables import SUBSCRIPTIONS

UTC = ZoneInfo("UTC")

MONTHS: dict[str, float] = {
    "weekly": 12 / 52,
    "biweekly": 12 / 26,
    "monthly": 1,
    "quarterly": 3,
    "per_six_months": 6,
    "annually": 12,
    "per_two_years": 24,
    "per_three_years": 36,
}


NO_COMPANY = "the deal of this recurring line has no company: associate one with the deal"
NO_RATE = "its deal has no exchange rate into the home currency: set one in HubSpot"


class Subscriptions(NamedTuple):
    """Subscriptions, and the lines that could not become one (columns of `kpi.conform`)."""

    frame: pd.DataFrame
    problems: pd.DataFrame


def subscriptions(
    line_items: Iterable[Record],
    deal_of: Mapping[str, str],
    deals: pd.DataFrame,
    home: str,
    rates: Mapping[str, float] | None = None,
) -> Subscriptions:
    """Shape line items that recur and whose deal is won.

    Monthly revenue is what HubSpot computes, else the amount over the months of its billing
    frequency. A line is signed on its deal's close date, starts then unless it says otherwise, and
    ends after its billing period; without one it runs on.

    Parameters
    ----------
    line_items : iterable of dict
        Line items with the properties of `asked`. Archived ones are left out.
    deal_of : mapping of str to str
        Deal by line item, from the associations.
    deals : DataFrame
        Their deals, canonical: ``deal_id, outcome, account_id, currency, close_date``.
    home : str
        The account's home currency.
    rates : mapping of str to float, optional
        Units of it per unit of the deal's currency, by deal, for those in another currency.

    Returns
    -------
    Subscriptions
        ``frame``: columns of `kpi.tables.SUBSCRIPTIONS`, ``mrr`` in the home currency.
        ``problems``: lines left out because their deal has no company, or no exchange rate.

    Examples
    --------
    >>> line = {"id": "3", "properties": {"recurringbillingfrequency": "annually", "amount": "1200"}}
    >>> won = {"deal_id": ["1"], "outcome": ["won"], "account_id": ["9"], "currency": ["EUR"]}
    >>> deals = pd.DataFrame({**won, "close_date": pd.to_datetime(["2026-03-01"])})
    >>> subscriptions([line], {"3": "1"}, deals, "USD", {"1": 1.5}).frame["mrr"].tolist()
    [150.0]
    """
    won = _won(deals)
    rows: list[dict[str, Any]] = []
    left_out: list[tuple[int, str, str, str, str]] = []
    for position, item in enumerate(live(line_items), start=1):
        line, properties = str(item["id"]), item.get("properties") or {}
        deal = deal_of.get(line, "")
        if deal not in won or not properties.get("recurringbillingfrequency"):
            continue
        currency = properties.get("hs_line_item_currency_code") or won[deal]["currency"] or home
        rate = 1.0 if currency == home else (rates or {}).get(deal)
        if won[deal]["account_id"] is None:
            left_out.append((position, line, deal, "account_id", NO_COMPANY))
        elif rate is None:
            left_out.append((position, line, currency, "currency", NO_RATE))
        else:
            row = _row(properties, won[deal], rate)
            rows.append({"subscription_id": line, "currency": home, **row})
    return Subscriptions(_frame(rows), _listed(left_out))


def _won(deals: pd.DataFrame) -> dict[str, dict[Hashable, Any]]:
    """Return what a line takes from its deal, by won deal; missing is None."""
    part = deals.loc[deals["outcome"] == "won", ["deal_id", "account_id", "currency", "close_date"]]
    plain = part.astype("object").where(part.notna(), None)
    return {str(row["deal_id"]): {**row} for row in plain.to_dict("records")}


def _row(properties: Record, deal: Mapping[Hashable, Any], rate: float) -> dict[str, Any]:
    signed = deal["close_date"]
    if isinstance(signed, date):  # a pandas moment is one
        signed = date(signed.year, signed.month, signed.day)
    # a date property is a plain day; as milliseconds it is midnight in UTC, whatever the account
    starts = day(properties.get("hs_recurring_billing_start_date"), UTC) or signed
    mrr = _mrr(properties)
    return {
        "account_id": deal["account_id"],
        "product": properties.get("name"),
        "mrr": mrr * rate if isinstance(mrr, float) else mrr,
        "signed_on": signed,
        "starts_on": starts,
        "ends_on": _end(starts, properties.get("hs_recurring_billing_period")),
    }


def _mrr(properties: Record) -> Number:
    stated = number(properties.get("hs_mrr"))
    if stated is not None:
        return stated
    amount = number(properties.get("amount"))
    months = MONTHS.get(str(properties["recurringbillingfrequency"]))
    if not isinstance(amount, float):
        return amount
    return None if months is None else amount / months


def _end(starts: Day, period: str | None) -> Day:
    if not period:
        return None
    return after(starts, period) if isinstance(starts, date) else None


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    lists = {name: [row.get(name) for row in rows] for name in SUBSCRIPTIONS.names}
    columns = {name: texts(values) for name, values in lists.items()}
    columns["mrr"] = numbers(lists["mrr"])
    for name in ("signed_on", "starts_on", "ends_on"):
        columns[name] = days(lists[name])
    del columns["notice_on"]
    return pd.DataFrame(columns)


def _listed(lines: list[tuple[int, str, str, str, str]]) -> pd.DataFrame:
    found = [
        problem_rows("subscriptions", [row], [line], column, [value], reason)
        for row, line, value, column, reason in lines
    ]
    return (pd.concat(found, ignore_index=True) if found else no_problems()).assign(action=REJECTED)
