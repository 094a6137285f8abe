"""Which company, lead and deal a record belongs to: rules over the associations of HubSpot."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from connectors.hubspot.records.columns import Record, texts

PRIMARY = {"contacts": 1, "deals": 5}
"""Type of HubSpot's own association with the primary company."""

DAY = 24 * 60 * 60 * 1_000_000

Targets = Mapping[str, Sequence[Record]]
"""By record the associations it has, as the API lists them; one end may stand in several."""

Candidate = tuple[str, int | None]
"""A lead and when it was created, microseconds since 1970 in UTC."""


def choose_company(kind: str, to: Iterable[Record]) -> str | None:
    """Choose the company of a record: the primary one, else the one with the lowest id.

    Parameters
    ----------
    kind : str
        HubSpot object that the associations come from, like ``deals``.
    to : iterable of dict
        Its associations with companies; one company may stand in several.

    Returns
    -------
    str or None
        Id of the company; None if there is none.

    Examples
    --------
    >>> first = {"toObjectId": 9, "associationTypes": [{"typeId": 341, "label": None}]}
    >>> second = {"toObjectId": 10, "associationTypes": [{"typeId": 5, "label": "Primary"}]}
    >>> choose_company("deals", [first, second]), choose_company("deals", [first])
    ('10', '9')
    """
    rows = list(to)
    primary = [row for row in rows if _is_primary(kind, row)]
    return lowest(primary or rows)


def lowest(to: Iterable[Record]) -> str | None:
    """Return the lowest id, as a number, of what a record is associated with; None without any.

    >>> lowest([{"toObjectId": 10}, {"toObjectId": "9"}])
    '9'
    """
    return min((str(row["toObjectId"]) for row in to), key=_rank, default=None)


def lead_of(candidates: Iterable[Candidate], moment: int | None) -> str | None:
    """Choose the lead that a deal came from, or that a meeting is about.

    Of those created no later than one day after `moment` it is the one created last; of two at the
    same time the one with the highest id.

    Parameters
    ----------
    candidates : iterable of (str, int or None)
        Leads of the contacts concerned, with their creation; one without it is never chosen.
    moment : int or None
        Creation of the deal or start of the meeting, microseconds since 1970 in UTC.

    Returns
    -------
    str or None
        Id of the lead; None if there is none: the deal is a direct one.

    Examples
    --------
    >>> lead_of([("1", 0), ("2", 5), ("3", 2 * DAY)], 10), lead_of([("3", 2 * DAY)], 10)
    ('2', None)
    """
    if moment is None:
        return None
    known = [(at, lead) for lead, at in candidates if at is not None and at <= moment + DAY]
    return max(known, key=lambda found: (found[0], _rank(found[1])))[1] if known else None


def leads_by_contact(
    leads: pd.DataFrame, contact_leads: Targets | None = None
) -> dict[str, list[Candidate]]:
    """Return the leads of each contact, with their creation.

    Parameters
    ----------
    leads : DataFrame
        Canonical: ``lead_id, created_at``.
    contact_leads : mapping, optional
        Associations of contacts with the leads object; without it the contacts are the leads.

    Examples
    --------
    >>> leads = pd.DataFrame({"lead_id": ["4"], "created_at": pd.to_datetime(["1970-01-01"], utc=True)})
    >>> leads_by_contact(leads), leads_by_contact(leads, {"8": [{"toObjectId": 4}]})
    ({'4': [('4', 0)]}, {'8': [('4', 0)]})
    """
    created = dict(zip(leads["lead_id"], microseconds(leads["created_at"]), strict=True))
    if contact_leads is None:
        return {lead: [(lead, at)] for lead, at in created.items()}
    found: dict[str, list[Candidate]] = {}
    for contact, to in contact_leads.items():
        ids = {str(row["toObjectId"]) for row in to} & created.keys()
        if ids:
            found[contact] = [(lead, created[lead]) for lead in sorted(ids)]
    return found


def lead_links(leads: pd.DataFrame, kind: str, companies: Targets) -> pd.DataFrame:
    """Return `leads` with ``account_id``; `kind` is the HubSpot object: leads or contacts."""
    return leads.assign(account_id=_companies(leads["lead_id"], kind, companies))


def deal_links(
    deals: pd.DataFrame,
    companies: Targets,
    contacts: Targets,
    leads: Mapping[str, Sequence[Candidate]],
) -> pd.DataFrame:
    """Return `deals` with ``account_id`` and ``lead_id``.

    Parameters
    ----------
    deals : DataFrame
        Canonical: ``deal_id, created_at``.
    companies, contacts : mapping
        Associations of the deals.
    leads : mapping
        Of `leads_by_contact`.
    """
    return deals.assign(
        account_id=_companies(deals["deal_id"], "deals", companies),
        lead_id=_leads(deals["deal_id"], deals["created_at"], contacts, leads),
    )


def meeting_links(
    meetings: pd.DataFrame,
    companies: Targets,
    contacts: Targets,
    deals: Targets,
    leads: Mapping[str, Sequence[Candidate]],
) -> pd.DataFrame:
    """Return `meetings` with ``account_id``, ``lead_id`` and ``deal_id``: as `deal_links`."""
    ids = meetings["meeting_id"]
    return meetings.assign(
        account_id=_companies(ids, "meetings", companies),
        lead_id=_leads(ids, meetings["starts_at"], contacts, leads),
        deal_id=_beside(ids, [lowest(deals.get(i, ())) for i in ids]),
    )


def microseconds(times: pd.Series) -> list[int | None]:
    """Return moments as microseconds since 1970 in UTC; None where missing or no moment.

    >>> microseconds(pd.Series(["1970-01-01T00:00:01Z", None, "soon"]))
    [1000000, None, None]
    """
    read = pd.to_datetime(times, utc=True, errors="coerce", format="ISO8601")
    whole = read.astype("datetime64[us, UTC]").astype("int64")
    return [value if there else None for value, there in zip(whole, read.notna(), strict=True)]


def _companies(ids: pd.Series, kind: str, companies: Targets) -> pd.Series:
    return _beside(ids, [choose_company(kind, companies.get(i, ())) for i in ids])


def _leads(
    ids: pd.Series,
    times: pd.Series,
    contacts: Targets,
    leads: Mapping[str, Sequence[Candidate]],
) -> pd.Series:
    found = []
    for record, at in zip(ids, microseconds(times), strict=True):
        people = {str(row["toObjectId"]) for row in contacts.get(record, ())}
        found.append(lead_of([lead for one in people for lead in leads.get(one, ())], at))
    return _beside(ids, found)


def _beside(ids: pd.Series, values: Sequence[str | None]) -> pd.Series:
    return texts(values).set_axis(ids.index)


def _is_primary(kind: str, row: Record) -> bool:
    return any(
        how.get("label") == "Primary"
        # numbers of labels of the account's own start at 1 too
        or (how.get("typeId") == PRIMARY.get(kind, -1) and how.get("category") != "USER_DEFINED")
        for how in row.get("associationTypes") or ()
    )


def _rank(record: str) -> tuple[int, str]:
    """Order ids as numbers, and any that are none after them."""
    return (int(record), "") if record.isdecimal() else (2**63, record)
