"""Deals as `kpi.tables.DEALS`, without the columns that need associations: those are in `links`."""

from collections.abc import Iterable, Mapping

import pandas as pd

from connectors.hubspot.records.columns import (
    Record,
    column,
    ids,
    live,
    mapped,
    moments,
    numbers,
    texts,
)
from connectors.hubspot.records.history import values_over_time
from connectors.hubspot.records.reading import Reading
from connectors.hubspot.records.values import Moment, Number, is_true, moment, number
from kpi.tables import DEALS


def deals(raw: Iterable[Record], reading: Reading) -> pd.DataFrame:
    """Shape deals.

    Won and lost are what HubSpot computes from the stage, never the name of a stage. A closed deal
    closed when it last entered the stage it is in, by its history; without any, at its close date.

    Parameters
    ----------
    raw : iterable of dict
        Deals with the properties of `asked` and the histories of `history_asked`. Archived ones are
        left out; of two with one id the one changed last is taken.
    reading : Reading
        The account and the chosen fields.

    Returns
    -------
    DataFrame, one row per deal
        Columns of `kpi.tables.DEALS` except ``account_id`` and ``lead_id``; ``segment``,
        ``region``, ``product``, ``margin`` and ``term_months`` only where a setting names their
        property. ``amount`` and ``mrr`` are in the home currency; ``mrr`` is missing where the deal
        has another currency and no exchange rate. A column that holds what cannot be read is text,
        for `kpi.conform` to list.

    Examples
    --------
    >>> deal = {"id": "11", "properties": {"amount_in_home_currency": "500", "hs_is_closed_won": "false"}}
    >>> reading = Reading("7", "app.hubspot.com", "UTC", "USD")
    >>> deals([deal], reading)[["deal_id", "amount", "outcome"]].values.tolist()
    [['11', 500.0, 'open']]
    """
    records = live(raw)
    outcomes = [outcome(record.get("properties") or {}) for record in records]
    columns = {"deal_id": ids(records)}
    for name, source in reading.sources("deals").items():
        values = [(record.get("properties") or {}).get(source) for record in records]
        if name == "deal_type":
            values = [mapped(reading.deal_words)(value) for value in values]
        columns[name] = column(DEALS.column(name).kind, values, reading)
    if reading.sources("deals")["mrr"] == "hs_mrr":
        columns["mrr"] = numbers([_mrr(r.get("properties") or {}, reading) for r in records])
    closed = [_closed_at(r, how) for r, how in zip(records, outcomes, strict=True)]
    columns["outcome"] = texts(outcomes)
    columns["closed_at"] = moments(closed)
    columns["url"] = texts([reading.url("deals", str(record["id"])) for record in records])
    return pd.DataFrame({name: columns[name] for name in DEALS.names if name in columns})


def _mrr(properties: Mapping[str, str | None], reading: Reading) -> Number:
    """Monthly revenue in the home currency: HubSpot computes it in the deal's."""
    stated = number(properties.get("hs_mrr"))
    same = (properties.get("deal_currency_code") or reading.currency) == reading.currency
    if same or isinstance(stated, str):  # what is no number goes on as it is, to be listed
        return stated
    rate = number(properties.get("hs_exchange_rate"))
    return stated * rate if isinstance(stated, float) and isinstance(rate, float) else None


def outcome(properties: Mapping[str, str | None]) -> str:
    """Tell how a deal stands.

    >>> outcome({"hs_is_closed": "true", "hs_is_closed_won": "false"})
    'lost'
    """
    if is_true(properties.get("hs_is_closed_won")):
        return "won"
    return "lost" if is_true(properties.get("hs_is_closed")) else "open"


def _closed_at(record: Record, how: str) -> Moment:
    if how == "open":
        return None
    properties = record.get("properties") or {}
    entered = [
        at
        for at, stage in values_over_time(record, "dealstage")
        if stage == properties.get("dealstage")
    ]
    return entered[-1] if entered else moment(properties.get("closedate"))
