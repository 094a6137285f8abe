"""Leads as `kpi.tables.LEADS`: from the leads object, or from contacts by their lifecycle stage."""

from collections.abc import Collection, Iterable, Mapping

import pandas as pd

from connectors.hubspot.records.columns import Record, column, ids, live, moments, texts
from connectors.hubspot.records.history import values_over_time
from connectors.hubspot.records.reading import Reading, lead_source
from connectors.hubspot.records.values import Moment, moment
from kpi.tables import LEADS


def leads_from_objects(raw: Iterable[Record], reading: Reading) -> pd.DataFrame:
    """Shape records of the leads object.

    Parameters
    ----------
    raw : iterable of dict
        Leads with the properties of `asked`. Archived ones are left out.
    reading : Reading
        The account and the chosen fields.

    Returns
    -------
    DataFrame, one row per lead
        Columns of `kpi.tables.LEADS` except ``account_id`` (see `links`), ``converted_at`` and
        ``deal_id`` (the deal names its lead).

    Examples
    --------
    >>> lead = {"id": "5", "properties": {"hs_pipeline_stage": "new-stage-id"}}
    >>> leads_from_objects([lead], Reading("7", "app.hubspot.com", "UTC", "USD")).url[0]
    'https://app.hubspot.com/contacts/7/record/0-136/5'
    """
    records = live(raw)
    sources = reading.sources("leads")
    if sources["source"] == "hs_lead_source":  # what the account lacks is not in the reply
        sources["source"] = lead_source({n for r in records for n in r.get("properties") or ()})
    return _frame("leads", records, sources, reading)


def leads_from_contacts(
    raw: Iterable[Record], reading: Reading, reached: Collection[str]
) -> pd.DataFrame:
    """Shape contacts that are, or once were, leads.

    A lead comes in when the contact first enters one of the stages in `reached`, by its history;
    without such an entry, when the contact was created.

    Parameters
    ----------
    raw : iterable of dict
        Contacts with the properties of `asked` and the histories of `history_asked`. Archived ones
        are left out, and those that never were a lead.
    reading : Reading
        The account and the chosen fields.
    reached : collection of str
        Stages that make a lead: `reached_stages`.

    Returns
    -------
    DataFrame, one row per lead
        As `leads_from_objects`.

    Examples
    --------
    >>> contacts = [{"id": i, "properties": {"lifecyclestage": i}} for i in ("lead", "subscriber")]
    >>> reading = Reading("7", "app.hubspot.com", "UTC", "USD")
    >>> leads_from_contacts(contacts, reading, ["lead", "customer"]).lead_id.tolist()
    ['lead']
    """
    records, created = [], []
    for record in live(raw):
        entries = [
            at for at, stage in values_over_time(record, "lifecyclestage") if stage in reached
        ]
        properties = record.get("properties") or {}
        if entries or properties.get("lifecyclestage") in reached:
            records.append(record)
            created.append(entries[0] if entries else moment(properties.get("createdate")))
    return _frame("contacts", records, reading.sources("contacts"), reading, created)


def _frame(
    kind: str,
    records: list[Record],
    sources: Mapping[str, str],
    reading: Reading,
    created: list[Moment] | None = None,
) -> pd.DataFrame:
    columns = {"lead_id": ids(records)}
    for name, source in sources.items():
        values = [(record.get("properties") or {}).get(source) for record in records]
        columns[name] = column(LEADS.column(name).kind, values, reading)
    if created is not None:
        columns["created_at"] = moments(created)
    columns["url"] = texts([reading.url(kind, str(record["id"])) for record in records])
    return pd.DataFrame({name: columns[name] for name in LEADS.names if name in columns})
