"""Columns of text as they arrive, read as canonical columns; whole columns at a time.

A column that holds what cannot be read stays text, so that `kpi.conform` lists it: nothing is lost.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from kpi.tables import Kind

SELLER = r"005[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?"
"""An id of a user; a queue's begins with 00G."""


def live(raw: pd.DataFrame) -> pd.DataFrame:
    """Return the records that are not deleted, each id once: the state changed last.

    Parameters
    ----------
    raw : DataFrame of text
        With ``Id``; ``SystemModstamp`` and ``IsDeleted`` where the object has them.

    Examples
    --------
    >>> raw = pd.DataFrame({"Id": ["1", "2"], "IsDeleted": ["false", "true"]}, dtype="str")
    >>> live(raw)["Id"].tolist(), gone(raw)
    (['1'], ['2'])
    """
    rows = newest(raw)
    return rows[~is_true(field(rows, "IsDeleted"))].reset_index(drop=True)


def gone(raw: pd.DataFrame) -> list[str]:
    """Return the ids of the records that are deleted, or merged into others."""
    rows = newest(raw)
    return [str(key) for key in rows.loc[is_true(field(rows, "IsDeleted")), "Id"]]


def newest(raw: pd.DataFrame) -> pd.DataFrame:
    """Return each id once, in the state with the newest ``SystemModstamp``, else the one read last."""
    if not raw["Id"].duplicated().any():
        return raw
    stamps = field(raw, "SystemModstamp").str[:23].fillna("")
    ordered = raw.iloc[np.argsort(stamps.to_numpy(dtype=object), kind="stable")]
    return ordered[~ordered["Id"].duplicated(keep="last")].sort_index()


def field(raw: pd.DataFrame, name: str) -> pd.Series:
    """Return a field as text; all missing where it was not read."""
    if name in raw:
        return raw[name]
    return pd.Series(None, index=raw.index, dtype="str")


def is_true(text: pd.Series) -> pd.Series:
    """Tell where a flag is set; missing is not.

    >>> is_true(pd.Series(["true", "false", None], dtype="str")).tolist()
    [True, False, False]
    """
    return text.str.lower().eq("true").fillna(value=False).astype("bool")


def ids(text: pd.Series, prefix: str) -> pd.Series:
    """Keep the ids of one kind of record, by how they begin; others are missing."""
    return text.where(text.str.startswith(prefix, na=False))


def mapped(text: pd.Series, words: Mapping[str, str]) -> pd.Series:
    """Put one word for another; a word that is not known stays as it is.

    >>> mapped(pd.Series(["a", "b", None], dtype="str"), {"a": "x"}).tolist()
    ['x', 'b', nan]
    """
    place, told = pd.factorize(text)  # few words in many rows: each is looked up once
    said = [words.get(word, word) for word in told]
    found = pd.array([*said, None], dtype="str").take(place)
    return pd.Series(found, index=text.index, name=text.name)


def amounts(text: pd.Series) -> pd.Series:
    """Read numbers to compute with; what is none is missing here."""
    read = pd.to_numeric(text, errors="coerce").astype("float64")
    return read.where(np.isfinite(read))


def instants(text: pd.Series, zone: str) -> pd.Series:
    """Read moments to compute with; a day begins in `zone`, and what is no moment is missing here.

    >>> instants(pd.Series(["2026-03-08", "2026-03-08T10:00:00.000+0000"]), "America/New_York").tolist()
    [Timestamp('2026-03-08 05:00:00+0000', tz='UTC'), Timestamp('2026-03-08 10:00:00+0000', tz='UTC')]
    """
    is_day = text.str.len() == 10
    moments = _parsed(text.where(text.str.len() >= 19))
    if is_day.any():
        moments = moments.fillna(starts(plain_days(text), zone))
    return moments


def starts(days: pd.Series, zone: str) -> pd.Series:
    """Return when days begin; where clocks skip midnight, at the first moment of the day.

    >>> starts(pd.Series(pd.to_datetime(["2018-11-04"])), "America/Sao_Paulo").tolist()
    [Timestamp('2018-11-04 03:00:00+0000', tz='UTC')]
    """
    first = np.ones(len(days), dtype=bool)
    local: Any = days.dt.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    utc: pd.Series = local.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    return utc


def plain_days(text: pd.Series) -> pd.Series:
    """Read plain days (``2026-03-08``); anything else is missing."""
    found: pd.Series = _parsed(text.where(text.str.len() == 10)).dt.tz_localize(None)
    return found


def days(text: pd.Series, zone: str) -> pd.Series:
    """Read days to compute with: of a moment the day it falls on in `zone`.

    >>> days(pd.Series(["2026-03-08T02:00:00.000Z"], dtype="str"), "America/New_York").tolist()
    [Timestamp('2026-03-07 00:00:00')]
    """
    found = plain_days(text)
    is_moment = text.str.len() >= 19
    if not is_moment.any():
        return found
    local = _parsed(text.where(is_moment)).dt.tz_convert(zone).dt.tz_localize(None)
    return found.fillna(local.dt.normalize())


def column(kind: Kind, text: pd.Series, zone: str) -> pd.Series:
    """Read a field as a canonical column of that kind; text where a value cannot be read.

    >>> column("money", pd.Series(["1.50", None], dtype="str"), "UTC").tolist()
    [1.5, nan]
    >>> column("money", pd.Series(["1.50", "many"], dtype="str"), "UTC").tolist()
    ['1.50', 'many']
    """
    if kind == "time":
        read = instants(text, zone)
    elif kind == "date":
        read = days(text, zone)
    elif kind in ("money", "number", "whole"):
        read = amounts(text)
    else:
        return text
    return read if (read.notna() | text.isna()).all() else text


def _parsed(text: pd.Series) -> pd.Series:
    read = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    return read.astype("datetime64[us, UTC]")
