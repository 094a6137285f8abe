"""SOQL as text: every value quoted, every name checked, times in UTC, never a relative date.

Examples
--------
>>> from datetime import UTC, datetime
>>> since = datetime(2026, 3, 8, 10, 30, tzinfo=UTC)
>>> select("Lead", ["Id", "Owner.Name"], [where("SystemModstamp", ">=", since)], ["Id"], 10)
'SELECT Id,Owner.Name FROM Lead WHERE SystemModstamp >= 2026-03-08T10:30:00Z ORDER BY Id LIMIT 10'
"""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import quote as in_address

Value: TypeAlias = str | bool | int | float | Decimal | datetime | date | None

LONGEST = 12_000
"""Bytes of a query in an address; all of it and the headers together may be 16,384."""
OPERATORS = {"=", "!=", "<", "<=", ">", ">=", "LIKE"}
NAME = re.compile(r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)*", re.ASCII)
_ESCAPED = str.maketrans(
    {"\\": r"\\", "'": r"\'", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
    | {"\b": r"\b", "\f": r"\f"}
)


def quote(text: str) -> str:
    r"""Return a text as SOQL writes it.

    Examples
    --------
    >>> print(quote("O'Brien \\ Sons"))
    'O\'Brien \\ Sons'

    """
    return f"'{text.translate(_ESCAPED)}'"


def literal(value: Value) -> str:
    """Return a value as SOQL writes it.

    Raises
    ------
    ValueError
        If a time has no zone.

    Examples
    --------
    >>> literal(True), literal(None), literal(1.5), literal(date(2026, 3, 8))
    ('TRUE', 'null', '1.5', '2026-03-08')

    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        return value.isoformat()
    return quote(value) if isinstance(value, str) else format(value, "")


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone; give it one, such as datetime.UTC")
    exact = "milliseconds" if value.microsecond else "seconds"
    return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=exact)}Z"


def where(field: str, operator: str, value: Value) -> str:
    r"""Return a condition on a field.

    Raises
    ------
    ValueError
        If the field cannot be one, or the operator is not in `OPERATORS`.

    Examples
    --------
    >>> print(where("Name", "=", "O'Brien"))
    Name = 'O\'Brien'

    """
    if operator not in OPERATORS:
        raise ValueError(f"{operator!r} is no operator; use one of {sorted(OPERATORS)}")
    return f"{name(field)} {operator} {literal(value)}"


def among(field: str, values: Collection[Value]) -> str:
    """Return the condition that a field has one of some values.

    Raises
    ------
    ValueError
        If there are no values, or the field cannot be one.

    Examples
    --------
    >>> among("Field", ["Status", "Owner"])
    "Field IN ('Status','Owner')"

    """
    if not values:
        raise ValueError(f"no values for {field}: a query of nothing is not asked")
    return f"{name(field)} IN ({','.join(map(literal, values))})"


def select(
    object: str,
    fields: Sequence[str],
    conditions: Sequence[str] = (),
    order: Sequence[str] = (),
    limit: int | None = None,
) -> str:
    """Return a query.

    Parameters
    ----------
    object : str
        API name of the object.
    fields : sequence of str
        API names; of a parent's with a dot, as ``Owner.Name``. ``COUNT()`` alone counts.
    conditions : sequence of str
        From `where` and `among`; all must hold.
    order : sequence of str
        Fields, ascending.
    limit : int, optional
        Rows at most.

    Raises
    ------
    ValueError
        If a name cannot be one, or there are no fields.

    """
    if not fields:
        raise ValueError(f"no fields of {object} to select; name one, such as Id")
    listed = ["COUNT()"] if list(fields) == ["COUNT()"] else [name(field) for field in fields]
    parts = [f"SELECT {','.join(listed)}", f"FROM {name(object)}"]
    if conditions:
        parts.append(f"WHERE {' AND '.join(conditions)}")
    if order:
        parts.append(f"ORDER BY {','.join(map(name, order))}")
    if limit is not None:
        parts.append(f"LIMIT {limit:d}")
    return " ".join(parts)


def name(text: str) -> str:
    """Return an API name, if it can be one.

    Raises
    ------
    ValueError
        If it holds anything but letters, digits, ``_`` and the dots of relations.

    Examples
    --------
    >>> name("Account.Market_Segment__c")
    'Account.Market_Segment__c'

    """
    if NAME.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no API name; see the object's fields in Setup")
    return text


def selected(soql: str) -> list[str]:
    """Return the fields that a query of ours selects.

    Examples
    --------
    >>> selected("SELECT Id,Owner.Name FROM Lead")
    ['Id', 'Owner.Name']

    """
    listed = re.split(r"\sFROM\s", soql, maxsplit=1, flags=re.IGNORECASE)[0].strip()[
        len("SELECT") :
    ]
    return [field.strip() for field in listed.split(",")]


def queried(soql: str) -> str:
    """Return the object that a query is about; empty if that cannot be seen.

    Examples
    --------
    >>> queried("SELECT Id FROM Lead WHERE Name = 'FROM x'")
    'Lead'

    """
    found = re.search(r"\sFROM\s+(\w+)", soql, re.IGNORECASE)
    return found[1] if found else ""


def fits(soql: str) -> bool:
    """Tell whether a query fits into an address; else ask in bulk, or for fewer fields.

    Examples
    --------
    >>> fits("SELECT Id FROM Lead")
    True

    """
    return len(in_address(soql, safe="")) <= LONGEST
