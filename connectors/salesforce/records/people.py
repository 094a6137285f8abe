"""Users, accounts and events as the canonical tables of owners, accounts and meetings."""

import pandas as pd

from connectors.salesforce.records.columns import (
    column,
    field,
    ids,
    instants,
    is_true,
    live,
    mapped,
)
from connectors.salesforce.records.reading import Reading, framed

OUTCOMES = {
    "completed": "held",
    "no show": "no_show",
    "canceled": "cancelled",
}
MASTERS = ("IsChild", "IsRecurrence", "IsRecurrence2")
"""Events that are no meeting of their own: an invitee's copy, and the pattern of a series."""


def owners(raw: pd.DataFrame) -> pd.DataFrame:
    """Shape users, deactivated ones too; only standard ones, where the org tells.

    Parameters
    ----------
    raw : DataFrame of text
        Users with the fields of `wanted`.

    Returns
    -------
    DataFrame, one row per user
        ``owner_id, name, team, manager, active``; the team is the role, or the department where roles
        may not be read.

    Examples
    --------
    >>> raw = {"Id": ["005x"], "Name": ["Ann Lee"], "UserRole.Name": ["East"], "IsActive": ["false"]}
    >>> owners(pd.DataFrame(raw, dtype="str"))[["name", "team", "active"]].values.tolist()
    [['Ann Lee', 'East', False]]
    """
    rows = live(raw)
    if "UserType" in rows:
        rows = rows[rows["UserType"].eq("Standard").fillna(value=False)].reset_index(drop=True)
    team = "UserRole.Name" if "UserRole.Name" in rows else "Department"
    return pd.DataFrame(
        {
            "owner_id": rows["Id"],
            "name": field(rows, "Name"),
            "team": field(rows, team),
            "manager": field(rows, "Manager.Name"),
            "active": is_true(field(rows, "IsActive")).astype("boolean"),
        }
    )


def accounts(raw: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """Shape accounts; deleted and merged ones are left out.

    Parameters
    ----------
    raw : DataFrame of text
        Accounts with the fields of `wanted`.
    reading : Reading
        The org and the chosen fields.

    Returns
    -------
    DataFrame, one row per account
        Columns of `kpi.tables.ACCOUNTS`; ``billing_account_id`` only where a setting names its field.

    Examples
    --------
    >>> raw = pd.DataFrame({"Id": ["001x"], "NumberOfEmployees": ["120.0"]}, dtype="str")
    >>> accounts(raw, Reading("https://acme.my.salesforce.com", "UTC"))["size"].tolist()
    ['120']
    """
    rows = live(raw)
    columns = reading.columns("accounts", rows)
    columns["account_id"] = rows["Id"]
    if reading.sources("accounts")["size"] == "NumberOfEmployees":
        columns["size"] = columns["size"].str.replace(r"\.0+$", "", regex=True)
    return framed("accounts", columns)


def meetings(raw: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """Shape events, archived ones too; deleted ones are left out.

    A meeting of many is one row, and so is each meeting of a series. One that lasts all day starts
    with its day in the org's zone.

    Parameters
    ----------
    raw : DataFrame of text
        Events with the fields of `wanted`.
    reading : Reading
        The org and the chosen fields.

    Returns
    -------
    DataFrame, one row per meeting
        Columns of `kpi.tables.MEETINGS`; ``outcome`` only where a setting names its field: a word of
        the org's own stays as it is, for `kpi.conform` to list.

    Examples
    --------
    >>> raw = {"Id": ["00Ux"], "ActivityDate": ["2026-03-08"], "IsAllDayEvent": ["true"]}
    >>> reading = Reading("https://acme.my.salesforce.com", "America/New_York")
    >>> meetings(pd.DataFrame(raw, dtype="str"), reading)["starts_at"].tolist()
    [Timestamp('2026-03-08 05:00:00+0000', tz='UTC')]
    """
    rows = live(raw)
    for name in MASTERS:
        rows = rows[~is_true(field(rows, name))]
    rows = rows.reset_index(drop=True)
    columns = reading.columns("meetings", rows)
    columns["meeting_id"] = rows["Id"]
    columns["starts_at"] = _starts_at(rows, reading.time_zone)
    for name, prefix in (("owner_id", "005"), ("lead_id", "00Q"), ("deal_id", "006")):
        columns[name] = ids(columns[name], prefix)
    if "outcome" in columns:
        told = columns["outcome"]
        word = mapped(told.str.strip().str.lower(), OUTCOMES)
        known = word.isin({"held", "no_show", "cancelled", "scheduled"})
        columns["outcome"] = told.mask(known, word)
    return framed("meetings", columns)


def _starts_at(rows: pd.DataFrame, zone: str) -> pd.Series:
    day = instants(field(rows, "ActivityDate"), zone)
    all_day = is_true(field(rows, "IsAllDayEvent")) & day.notna()
    start = column("time", field(rows, "StartDateTime"), zone)
    return start if start.dtype == "str" else start.mask(all_day, day)
