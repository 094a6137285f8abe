"""Rows of the table ``subscriptions``: line items that recur, of deals that were won."""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.sandbox.hubspot.shelf import Record
from connectors.sandbox.hubspot.state import State
from connectors.sandbox.hubspot.truth_links import company_of
from connectors.sandbox.hubspot.wire import day_in, parse_time

MONTHS = {
    "weekly": 12 / 52,
    "biweekly": 12 / 26,
    "monthly": 1.0,
    "quarterly": 3.0,
    "per_six_months": 6.0,
    "annually": 12.0,
    "per_two_years": 24.0,
    "per_three_years": 36.0,
}


def subscription_rows(account: State, zone: ZoneInfo) -> Iterator[tuple[dict[str, Any], Record]]:
    """Rows with the line item each comes from; a deal without a company gives none."""
    for record in account.shelves["line_items"].records():
        deal_id = min(account.linked("line_items", record.id, "deals"), default=None)
        deal = account.shelves["deals"].live(deal_id) if deal_id is not None else None
        if deal is None or deal.props.get("hs_is_closed_won") != "true":
            continue
        company = company_of(account, "deals", deal.id)
        if company and record.props.get("recurringbillingfrequency"):
            yield _row(account, record, deal, company, zone), record


def _row(
    account: State, record: Record, deal: Record, company: str, zone: ZoneInfo
) -> dict[str, Any]:
    props = record.props
    closed = parse_time(deal.props.get("closedate"))
    signed = None if closed is None else day_in(closed, zone)
    start = props.get("hs_recurring_billing_start_date")
    starts = date.fromisoformat(start[:10]) if start else signed
    return {
        "subscription_id": str(record.id),
        "account_id": company,
        "product": props.get("name"),
        "mrr": home_mrr(account, _mrr(record), deal),
        "currency": account.currency,
        "signed_on": signed,
        "starts_on": starts,
        "ends_on": after(starts, props.get("hs_recurring_billing_period")),
    }


def home_mrr(account: State, mrr: object, deal: Record) -> float | None:
    """Turn monthly revenue in a deal's currency into the account's own."""
    if not mrr:
        return None
    code = deal.props.get("deal_currency_code") or account.currency
    rate = 1.0 if code == account.currency else float(str(deal.props["hs_exchange_rate"]))
    return float(str(mrr)) * rate


def _mrr(record: Record) -> float | None:
    stated, amount = record.props.get("hs_mrr"), record.props.get("amount")
    if stated:
        return float(stated)
    months = MONTHS.get(record.props["recurringbillingfrequency"])
    return float(amount) / months if amount and months else None


def after(start: date | None, period: str | None) -> date | None:
    """Day on which a period of years, months, weeks and days is over.

    >>> after(date(2026, 1, 31), "P1M"), after(date(2026, 1, 31), "P1Y2M1W3D")
    (datetime.date(2026, 2, 28), datetime.date(2027, 4, 10))
    """
    parts = re.fullmatch(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?", period or "")
    if start is None or parts is None or not any(parts.groups()):
        return None
    years, months, weeks, days = (int(n or 0) for n in parts.groups())
    count = start.year * 12 + start.month - 1 + years * 12 + months
    year, month = divmod(count, 12)
    last = monthrange(year, month + 1)[1]
    return date(year, month + 1, min(start.day, last)) + timedelta(days=7 * weeks + days)
