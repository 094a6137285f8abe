"""Opportunities as `kpi.tables.DEALS`."""

import pandas as pd

from connectors.among import among
from connectors.salesforce.records.columns import (
    amounts,
    days,
    field,
    instants,
    is_true,
    live,
    mapped,
)
from connectors.salesforce.records.history import entries
from connectors.salesforce.records.reading import Reading, framed
from connectors.salesforce.records.stages import StageNames

MONEY = {"amount": "amount_original", "mrr": "mrr", "margin": "margin"}
"""Columns in the reporting currency, and those that hold them in the opportunity's own."""


def deals(
    raw: pd.DataFrame,
    reading: Reading,
    names: StageNames,
    history: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Shape opportunities.

    Won and lost are what Salesforce derives from the stage, never the name of a stage. A closed deal
    closed when it last entered the stage it is in, by its history; without any, when the org says
    that its stage last changed.

    Parameters
    ----------
    raw : DataFrame of text
        Opportunities with the fields of `wanted`. Deleted ones are left out; of two with one id the
        one changed last is taken.
    reading : Reading
        The org and the chosen fields.
    names : StageNames
        Of the org.
    history : DataFrame, optional
        Canonical history, all of these deals: ``record_id, changed_at, stage_id``.

    Returns
    -------
    DataFrame, one row per opportunity
        Columns of `kpi.tables.DEALS` without ``pipeline_id`` and ``lead_id`` (the lead names its
        deal), others only where a setting names their field. ``amount``, ``mrr`` and ``margin`` are in
        the reporting currency, at the rate of the close date; ``currency`` is missing in an org with
        one currency.

    Examples
    --------
    >>> raw = {"Id": ["006x"], "StageName": ["Demo"], "Amount": ["500.0"], "Type": ["New Customer"]}
    >>> reading = Reading("https://acme.my.salesforce.com", "UTC")
    >>> found = deals(pd.DataFrame(raw, dtype="str"), reading, StageNames({}, {}))
    >>> found[["deal_id", "outcome", "deal_type", "amount"]].values.tolist()
    [['006x', 'open', 'new', 500.0]]
    """
    rows = live(raw)
    columns = reading.columns("deals", rows)
    columns["deal_id"] = rows["Id"]
    columns["deal_type"] = mapped(columns["deal_type"], reading.deal_words)
    columns["stage_id"] = names.deal(field(rows, "StageName"))
    columns["outcome"] = _outcome(rows)
    columns["closed_at"] = _closed_at(rows, columns, reading.time_zone, history)
    columns["currency"] = field(rows, "CurrencyIsoCode")
    columns |= _converted(rows, columns, reading)
    columns["url"] = reading.urls(rows["Id"])
    return framed("deals", columns)


def _outcome(rows: pd.DataFrame) -> pd.Series:
    closed = is_true(field(rows, "IsClosed"))
    outcome = closed.map({True: "lost", False: "open"}).astype("str")
    return outcome.mask(is_true(field(rows, "IsWon")), "won")


def _converted(
    rows: pd.DataFrame, columns: dict[str, pd.Series], reading: Reading
) -> dict[str, pd.Series]:
    """Return amounts in the reporting currency; what is no number stays for `conform` to list."""
    sources = reading.sources("deals")
    code = field(rows, "CurrencyIsoCode")
    day = days(field(rows, sources["close_date"]), reading.time_zone)
    found = {}
    for name, original in MONEY.items():
        if original not in columns:
            continue
        if columns[original].dtype == "str" and name == original:
            found[name] = columns[original]
        else:
            stated = amounts(field(rows, sources[original]))
            found[name] = reading.currencies.to_reporting(stated, code, day)
    return found


def _closed_at(
    rows: pd.DataFrame, columns: dict[str, pd.Series], zone: str, history: pd.DataFrame | None
) -> pd.Series:
    is_closed = columns["outcome"] != "open"
    at = instants(field(rows, "LastStageChangeDate"), zone)
    if history is not None and len(history):
        closed = rows.loc[is_closed, "Id"]
        entered = entries(history[among(history["record_id"], closed)])
        key = pd.DataFrame({"record_id": rows["Id"], "stage_id": columns["stage_id"]})
        found = key.merge(entered, on=["record_id", "stage_id"], how="left")["entered_at"]
        at = found.set_axis(rows.index).fillna(at)
    return at.where(is_closed)
