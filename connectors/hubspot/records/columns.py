"""Lists of read values as columns: typed where every value could be read, else text for `conform`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from connectors.hubspot.records.reading import Reading
from connectors.hubspot.records.values import Day, Moment, Number, day, iso, moment, number, text
from kpi.tables import Kind

Record = Mapping[str, Any]
"""One object as batch/read or list returns it."""

MISSING = np.iinfo("int64").min


def live(records: Iterable[Record]) -> list[Record]:
    """Return the records that are not archived, each id once: the state changed last.

    >>> [r["id"] for r in live([{"id": "1"}, {"id": "1"}, {"id": "2", "archived": True}])]
    ['1']
    """
    found: dict[str, Record] = {}
    for record in records:
        if record.get("archived"):
            continue
        known = found.get(record["id"])
        if known is None or (record.get("updatedAt") or "") > (known.get("updatedAt") or ""):
            found[record["id"]] = record
    return list(found.values())


def ids(records: Iterable[Record]) -> pd.Series:
    """Return the ids as a column."""
    return texts([str(record["id"]) for record in records])


def texts(values: Iterable[Any]) -> pd.Series:
    """Return a column of ids or text; blank is missing."""
    return pd.Series([text(value) for value in values], dtype="str")


def numbers(values: Sequence[Number]) -> pd.Series:
    """Return a column of numbers; of text if one is none."""
    if any(isinstance(value, str) for value in values):
        return texts(value if isinstance(value, str) else _exact(value) for value in values)
    return pd.Series(values, dtype="float64")


def moments(values: Sequence[Moment]) -> pd.Series:
    """Return a column of moments in UTC; of text if one is none."""
    if any(isinstance(value, str) for value in values):
        return texts(iso(value) if isinstance(value, int) else value for value in values)
    raw = np.array([MISSING if value is None else value for value in values], dtype="int64")
    return pd.Series(raw.view("datetime64[us]")).dt.tz_localize("UTC")


def days(values: Sequence[Day]) -> pd.Series:
    """Return a column of days; of text if one is none."""
    if any(isinstance(value, str) for value in values):
        return texts(value.isoformat() if isinstance(value, date) else value for value in values)
    return pd.Series(np.array(values, dtype="datetime64[D]").astype("datetime64[us]"))


def column(kind: Kind, values: Iterable[Any], reading: Reading) -> pd.Series:
    """Read the values of one property as a canonical column of that kind."""
    if kind == "time":
        return moments([moment(value) for value in values])
    if kind == "date":
        zone = reading.zone
        return days([day(value, zone) for value in values])
    if kind in ("money", "number", "whole"):
        return numbers([number(value) for value in values])
    return texts(values)


def mapped(words: Mapping[str, str]) -> Callable[[Any], Any]:
    """Return what turns HubSpot's word into ours; a word that is not known stays as it is.

    >>> [mapped({"COMPLETED": "held"})(word) for word in ("COMPLETED", "Skipped", None)]
    ['held', 'Skipped', None]
    """
    return lambda word: words.get(word, word)


def _exact(value: float | None) -> str | None:
    return None if value is None else repr(value)
