"""Products of won opportunities that recur, as `kpi.tables.SUBSCRIPTIONS`."""

from typing import NamedTuple

import pandas as pd

from connectors.salesforce.records.columns import amounts, field, live
from connectors.salesforce.records.reading import Reading, framed
from kpi.conform import REJECTED, no_problems, problem_rows

NO_ACCOUNT = "its opportunity has no account: name one in Salesforce"
NO_RATE = "the org has no exchange rate for the currency of its opportunity"


class Subscriptions(NamedTuple):
    """Subscriptions, and the products that could not become one (columns of `kpi.conform`)."""

    frame: pd.DataFrame
    problems: pd.DataFrame


def subscriptions(raw: pd.DataFrame, deals: pd.DataFrame, reading: Reading) -> Subscriptions:
    """Shape products of won opportunities that have monthly revenue.

    Parameters
    ----------
    raw : DataFrame of text
        Opportunity products with the fields of `wanted`. Deleted ones are left out, and those
        without monthly revenue: they do not recur.
    deals : DataFrame
        Their deals, canonical: ``deal_id, outcome, account_id, currency, close_date``.
    reading : Reading
        The org, and the chosen fields: without one for ``mrr`` there are no subscriptions.

    Returns
    -------
    Subscriptions
        ``frame``: columns of `kpi.tables.SUBSCRIPTIONS` without ``currency``, as ``mrr`` is in the
        reporting currency, at the rate of the close date. ``problems``: what was left out because the
        opportunity has no account, or its currency no rate.

    Examples
    --------
    >>> line = {"Id": ["00kx"], "OpportunityId": ["006x"], "MRR__c": ["100"], "ProductCode": ["A1"]}
    >>> won = {"deal_id": ["006x"], "outcome": ["won"], "account_id": ["001x"], "currency": [None]}
    >>> deals = pd.DataFrame({**won, "close_date": pd.to_datetime(["2026-03-01"])})
    >>> reading = Reading("https://a.my.salesforce.com", "UTC", fields={"subscriptions": {"mrr": "MRR__c"}})
    >>> found = subscriptions(pd.DataFrame(line, dtype="str"), deals, reading).frame
    >>> found[["account_id", "product", "mrr"]].values.tolist()
    [['001x', 'A1', 100.0]]
    """
    rows, deal = _recurring(live(raw), deals, reading)
    columns = reading.columns("subscriptions", rows)
    stated = amounts(field(rows, reading.sources("subscriptions").get("mrr", "")))
    code, day = deal["currency"].astype("str"), deal["close_date"]
    if columns.get("mrr", stated).dtype != "str":
        columns["mrr"] = reading.currencies.to_reporting(stated, code, day)
    columns["subscription_id"] = rows["Id"]
    columns["account_id"] = deal["account_id"].astype("str")
    columns["product"] = field(rows, "Product2.Name").fillna(field(rows, "ProductCode"))
    columns["signed_on"] = day
    if columns["starts_on"].dtype != "str":
        columns["starts_on"] = columns["starts_on"].fillna(day)
    no_account = columns["account_id"].isna()
    no_rate = reading.currencies.lacking(code) & ~no_account
    listed = [
        _listed(rows[no_account], "account_id", rows["OpportunityId"], NO_ACCOUNT),
        _listed(rows[no_rate], "currency", code, NO_RATE),
    ]
    frame = framed("subscriptions", columns)[~(no_account | no_rate)].reset_index(drop=True)
    found = [problems for problems in listed if len(problems)]
    return Subscriptions(frame, pd.concat(found, ignore_index=True) if found else no_problems())


def _recurring(
    rows: pd.DataFrame, deals: pd.DataFrame, reading: Reading
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the products that recur, of won deals, and beside each its deal."""
    won = deals[deals["outcome"] == "won"].set_index("deal_id")
    revenue = field(rows, reading.sources("subscriptions").get("mrr", ""))
    mine = rows["OpportunityId"].isin(won.index) & revenue.notna()
    rows = rows[mine].reset_index(drop=True)
    return rows, won.reindex(pd.Index(rows["OpportunityId"])).set_axis(rows.index)


def _listed(rows: pd.DataFrame, column: str, values: pd.Series, reason: str) -> pd.DataFrame:
    said = values[rows.index].fillna("").tolist()
    places = [int(place) + 1 for place in rows.index]
    keys = rows["Id"].tolist()
    found = problem_rows("subscriptions", places, keys, column, said, reason)
    return found.assign(action=REJECTED)
