"""Owners, companies and meetings as the canonical tables of those names."""

from collections.abc import Iterable

import pandas as pd

from connectors.hubspot.records.columns import Record, column, ids, live, mapped, texts
from connectors.hubspot.records.reading import Reading
from connectors.hubspot.records.values import text
from kpi.tables import ACCOUNTS, MEETINGS

OUTCOMES = {
    "COMPLETED": "held",
    "NO_SHOW": "no_show",
    "CANCELED": "cancelled",
    "SCHEDULED": "scheduled",
    "RESCHEDULED": "scheduled",
}


def owners(raw: Iterable[Record]) -> pd.DataFrame:
    """Shape owners, deactivated ones too; queues own nothing that is sold and are left out.

    Parameters
    ----------
    raw : iterable of dict
        Owners of both listings, with and without ``archived=true``.

    Returns
    -------
    DataFrame, one row per owner
        ``owner_id``; ``name``, the e-mail address where there is none; ``team``: the primary one,
        else the first; ``active``.

    Examples
    --------
    >>> owners([{"id": "1", "email": "a@b.c", "archived": True}])[["name", "active"]].values.tolist()
    [['a@b.c', False]]
    """
    people: dict[str, Record] = {}
    for owner in raw:
        if owner.get("type") != "QUEUE" and (
            owner["id"] not in people or not owner.get("archived")
        ):
            people[owner["id"]] = owner
    return pd.DataFrame(
        {
            "owner_id": ids(people.values()),
            "name": texts([_name(owner) for owner in people.values()]),
            "team": texts([_team(owner) for owner in people.values()]),
            "active": pd.Series([not o.get("archived") for o in people.values()], dtype="boolean"),
        }
    )


def accounts(raw: Iterable[Record], reading: Reading) -> pd.DataFrame:
    """Shape companies; archived ones are left out.

    Parameters
    ----------
    raw : iterable of dict
        Companies with the properties of `asked`.
    reading : Reading
        The account and the chosen fields.

    Returns
    -------
    DataFrame, one row per company
        Columns of `kpi.tables.ACCOUNTS`; ``billing_account_id`` only where a setting names its
        property.

    Examples
    --------
    >>> company = {"id": "1", "properties": {"name": "Acme", "country": ""}}
    >>> accounts([company], Reading("7", "app.hubspot.com", "UTC", "USD"))[["name", "region"]].values.tolist()
    [['Acme', nan]]
    """
    records = live(raw)
    columns = {"account_id": ids(records)}
    for name, source in reading.sources("companies").items():
        values = [(record.get("properties") or {}).get(source) for record in records]
        columns[name] = column(ACCOUNTS.column(name).kind, values, reading)
    return pd.DataFrame({name: columns[name] for name in ACCOUNTS.names if name in columns})


def meetings(raw: Iterable[Record], reading: Reading) -> pd.DataFrame:
    """Shape meetings; archived ones are left out.

    Parameters
    ----------
    raw : iterable of dict
        Meetings with the properties of `asked`.
    reading : Reading
        The account.

    Returns
    -------
    DataFrame, one row per meeting
        Columns of `kpi.tables.MEETINGS` except the three that need associations (see `links`). An
        outcome of the account's own stays as it is, for `kpi.conform` to list.

    Examples
    --------
    >>> meeting = {"id": "1", "properties": {"hs_meeting_outcome": "NO_SHOW"}}
    >>> meetings([meeting], Reading("7", "app.hubspot.com", "UTC", "USD")).outcome.tolist()
    ['no_show']
    """
    records = live(raw)
    columns = {"meeting_id": ids(records)}
    properties = [record.get("properties") or {} for record in records]
    for name, source in reading.sources("meetings").items():
        values = [one.get(source) for one in properties]
        if name == "outcome":
            values = [mapped(OUTCOMES)(value) for value in values]
        columns[name] = column(MEETINGS.column(name).kind, values, reading)
    starts = [v.get("hs_meeting_start_time") or v.get("hs_timestamp") for v in properties]
    columns["starts_at"] = column("time", starts, reading)
    return pd.DataFrame({name: columns[name] for name in MEETINGS.names if name in columns})


def _name(owner: Record) -> str | None:
    full = f"{owner.get('firstName') or ''} {owner.get('lastName') or ''}".strip()
    return full or text(owner.get("email"))


def _team(owner: Record) -> str | None:
    teams = owner.get("teams") or ()
    primary = [team for team in teams if team.get("primary")]
    return next((text(team.get("name")) for team in (*primary, *teams)), None)
