"""What the org recorded of changes, as rows of `kpi.tables.HISTORY`."""

import numpy as np
import pandas as pd

from connectors.salesforce.records.columns import (
    SELLER,
    amounts,
    column,
    days,
    field,
    instants,
    live,
)
from connectors.salesforce.records.reading import Reading, framed
from connectors.salesforce.records.stages import StageNames

CONVERTED = "leadConverted"
"""What LeadHistory calls a conversion."""

ROW = ["record_id", "changed_at", "stage_id"]


def opportunity_history(
    raw: pd.DataFrame, reading: Reading, names: StageNames, codes: pd.Series | None = None
) -> pd.DataFrame:
    """Shape OpportunityHistory: what stood after each change of stage, amount or close date.

    Parameters
    ----------
    raw : DataFrame of text
        Any part of the object. Deleted rows are left out; of several of one opportunity, moment and
        stage the last one counts.
    reading : Reading
        The org.
    names : StageNames
        Of the org.
    codes : Series of text, optional
        Currency by opportunity id, for rows that do not say theirs.

    Returns
    -------
    DataFrame, one row per opportunity, moment and stage
        ``object, record_id, changed_at, stage_id, amount, close_date, probability``: the amount in
        the reporting currency, at the rate of the row's close date; probability 0 to 1.

    Examples
    --------
    >>> raw = {"Id": ["008x"], "OpportunityId": ["006x"], "StageName": ["Demo"], "Probability": ["40"]}
    >>> raw["CreatedDate"] = ["2026-03-08T10:30:00.000Z"]
    >>> reading = Reading("https://acme.my.salesforce.com", "UTC")
    >>> found = opportunity_history(pd.DataFrame(raw, dtype="str"), reading, StageNames({}, {}))
    >>> found[["record_id", "stage_id", "probability"]].values.tolist()
    [['006x', 'Demo', 0.4]]
    """
    rows = live(raw)
    code = field(rows, "CurrencyIsoCode")
    if codes is not None:
        code = code.fillna(rows["OpportunityId"].map(codes).astype("str"))
    amount = column("money", field(rows, "Amount"), reading.time_zone)
    close = column("date", field(rows, "CloseDate"), reading.time_zone)
    if reading.currencies.corporate is not None:
        day = days(field(rows, "CloseDate"), reading.time_zone) if close.dtype == "str" else close
        converted = reading.currencies.to_reporting(amounts(field(rows, "Amount")), code, day)
        amount = converted if amount.dtype == converted.dtype else amount
    probability = column("number", field(rows, "Probability"), reading.time_zone)
    return _changes(
        "deal",
        rows,
        reading,
        record_id=rows["OpportunityId"],
        stage_id=names.deal(field(rows, "StageName")),
        amount=amount,
        close_date=close,
        probability=probability if probability.dtype == "str" else probability / 100,
    )


def owner_history(raw: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """Shape what OpportunityFieldHistory says of owners.

    Salesforce writes two rows for one change, one with names and one with ids: the one with ids
    counts. An owner that is no user (a queue) is left out.

    Parameters
    ----------
    raw : DataFrame of text
        Any part of the object.
    reading : Reading
        The org.

    Returns
    -------
    DataFrame, one row per opportunity and moment
        ``object, record_id, changed_at, owner_id``.

    Examples
    --------
    >>> raw = {"Id": ["1", "2"], "OpportunityId": ["006x"] * 2, "Field": ["Owner"] * 2}
    >>> raw |= {"NewValue": ["Ann Lee", "005000000000001AAA"], "CreatedDate": ["2026-03-08T10:30:00Z"] * 2}
    >>> reading = Reading("https://acme.my.salesforce.com", "UTC")
    >>> owner_history(pd.DataFrame(raw, dtype="str"), reading)["owner_id"].tolist()
    ['005000000000001AAA']
    """
    rows = _owners(live(raw))
    return _changes(
        "deal", rows, reading, record_id=rows["OpportunityId"], owner_id=rows["NewValue"]
    )


def lead_history(raw: pd.DataFrame, reading: Reading, names: StageNames) -> pd.DataFrame:
    """Shape LeadHistory: changes of status, and of the owner where that is a user.

    Parameters
    ----------
    raw : DataFrame of text
        Any part of the object.
    reading : Reading
        The org.
    names : StageNames
        Of the org.

    Returns
    -------
    DataFrame, one row per lead, moment and stage
        ``object, record_id, changed_at, stage_id, owner_id, status``; a change of owner is a row of
        its own.

    Examples
    --------
    >>> raw = {"Id": ["1"], "LeadId": ["00Qx"], "Field": ["Status"], "NewValue": ["Working"]}
    >>> raw["CreatedDate"] = ["2026-03-08T10:30:00.000Z"]
    >>> reading = Reading("https://acme.my.salesforce.com", "UTC")
    >>> found = lead_history(pd.DataFrame(raw, dtype="str"), reading, StageNames({}, {}))
    >>> found[["record_id", "stage_id", "status"]].values.tolist()
    [['00Qx', 'Working', 'Working']]
    """
    rows = live(raw)
    moves = rows[rows["Field"].eq("Status") & rows["NewValue"].notna()].reset_index(drop=True)
    owners = _owners(rows)
    status = moves["NewValue"]
    parts = [
        _changes(
            "lead",
            moves,
            reading,
            record_id=moves["LeadId"],
            stage_id=names.lead(status),
            status=status,
        ),
        _changes("lead", owners, reading, record_id=owners["LeadId"], owner_id=owners["NewValue"]),
    ]
    columns = ["object", *ROW, "owner_id", "status"]
    texts = dict.fromkeys(["stage_id", "owner_id", "status"], "str")
    parts = [part.reindex(columns=columns).astype(texts) for part in parts]
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def conversions(raw: pd.DataFrame) -> pd.Series:
    """Return when leads were converted, by lead id, as LeadHistory tells.

    >>> raw = {"Id": ["1"], "LeadId": ["00Qx"], "Field": ["leadConverted"]}
    >>> raw["CreatedDate"] = ["2026-03-08T10:30:00.000Z"]
    >>> conversions(pd.DataFrame(raw, dtype="str")).to_dict()
    {'00Qx': Timestamp('2026-03-08 10:30:00+0000', tz='UTC')}
    """
    rows = live(raw)
    rows = rows[rows["Field"].eq(CONVERTED)]
    at = instants(rows["CreatedDate"], "UTC")
    return at.groupby(rows["LeadId"].rename("lead_id")).max()


def entries(history: pd.DataFrame) -> pd.DataFrame:
    """Return when records last entered each of their stages: rows without a change of it do not count.

    Parameters
    ----------
    history : DataFrame
        Canonical, all of the records concerned: ``record_id, changed_at, stage_id``.

    Returns
    -------
    DataFrame, one row per record and stage
        ``record_id, stage_id, entered_at``.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-03-01", "2026-03-02", "2026-03-03"], utc=True)
    >>> rows = {"record_id": ["006x"] * 3, "changed_at": days, "stage_id": ["Demo", "Won", "Won"]}
    >>> entries(pd.DataFrame(rows))[["stage_id", "entered_at"]].values.tolist()
    [['Demo', Timestamp('2026-03-01 ...')], ['Won', Timestamp('2026-03-02 ...')]]
    """
    rows = history.loc[history["stage_id"].notna(), ROW]
    rows = rows.sort_values(["record_id", "changed_at"], kind="stable")
    record, stage = (pd.factorize(rows[name])[0] for name in ("record_id", "stage_id"))
    is_entry = np.ones(len(rows), dtype=bool)
    is_entry[1:] = (record[1:] != record[:-1]) | (stage[1:] != stage[:-1])
    found = rows[is_entry].drop_duplicates(["record_id", "stage_id"], keep="last")
    found = found.rename(columns={"changed_at": "entered_at"}).reset_index(drop=True)
    return found[["record_id", "stage_id", "entered_at"]]


def _owners(rows: pd.DataFrame) -> pd.DataFrame:
    is_user = rows["NewValue"].str.fullmatch(SELLER, na=False)
    return rows[rows["Field"].eq("Owner") & is_user].reset_index(drop=True)


def _changes(kind: str, rows: pd.DataFrame, reading: Reading, **columns: pd.Series) -> pd.DataFrame:
    """Frame changes in the order they happened; of repeats the last one counts."""
    head = {
        "object": pd.Series(kind, index=rows.index, dtype="str"),
        "changed_at": column("time", rows["CreatedDate"], reading.time_zone),
    }
    found = framed("history", {**head, **columns})
    key = [name for name in ROW if name in found]
    shared = found.duplicated(key[:2], keep=False)
    if shared.any():  # two in one second: the ids say which came first
        order = found.loc[shared, key[:2]].assign(id=rows["Id"]).sort_values([*key[:2], "id"]).index
        in_order = found.loc[order].set_axis(found.index[shared])
        in_order = in_order.drop_duplicates(key, keep="last")
        found = pd.concat([found[~shared], in_order]).sort_index().reset_index(drop=True)
    return found
