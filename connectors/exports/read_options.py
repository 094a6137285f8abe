"""How an export writes things: its delimiter, encoding, numbers, dates and words for "nothing".

The grammar of `[read]` in a mapping, and of `read = {...}` in one of its tables. Every key is
optional; unknown keys and values that cannot work are refused before any file is opened.

===============  =====================================================================
key              meaning (default)
===============  =====================================================================
``delimiter``    one character between fields (comma, or what the header shows)
``encoding``     e.g. ``"cp1252"`` (UTF-8; a byte-order mark in the file goes first)
``skip``         lines above the header (0)
``sheet``        sheet of an Excel file (the first)
``missing``      texts that mean "no value", e.g. ``["-", "n/a"]`` (only the empty one)
``decimal``      ``"."`` or ``","`` (``"."``)
``thousands``    ``"."``, ``","``, ``" "`` or ``"'"`` (none)
``strip``        texts taken off numbers, e.g. ``["EUR", "$"]`` (none)
``day_first``    ``true``: 03/02/26 is 3 February; ``false``: 2 March (ISO dates only)
``date_format``  one strptime format or a list tried in turn; ``"excel"``: serial numbers
===============  =====================================================================
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connectors.errors import FileError

PROBE = datetime(2001, 2, 3, 16, 5, 6)  # noqa: DTZ001 - only tries a format out
THOUSANDS = (".", ",", " ", "'")


@dataclass(frozen=True)
class ReadOptions:
    """The settings of `[read]`; see the head of this file for each."""

    delimiter: str | None = None
    encoding: str | None = None
    skip: int = 0
    sheet: str | None = None
    missing: tuple[str, ...] = ()
    decimal: str = "."
    thousands: str | None = None
    strip: tuple[str, ...] = ()
    day_first: bool | None = None
    date_format: tuple[str, ...] = ()


def read_options(raw: object, base: ReadOptions, where: str) -> ReadOptions:
    """Check the settings in `raw` and lay them over `base`.

    Raises
    ------
    FileError
        If a key is unknown or a value cannot be meant; the message begins with `where`.

    Examples
    --------
    >>> read_options({"decimal": ",", "strip": ["EUR"]}, ReadOptions(), "[read]").decimal
    ','
    >>> read_options({"decimals": ","}, ReadOptions(), "[read]")
    Traceback (most recent call last):
    connectors.errors.FileError: [read]: unknown key 'decimals', did you mean 'decimal'? Known: [...]

    """
    settings = check_keys(raw, CHECKS, where)
    for key, value in settings.items():
        holds, expected = CHECKS[key]
        if not holds(value):
            raise FileError(f"{where}: {key} = {value!r}; expected {expected}")
    given: dict[str, Any] = {key: _plain(key, value) for key, value in settings.items()}
    if "day_first" in given and "date_format" not in given:
        given["date_format"] = ()  # what stands nearer to the table wins
    options = replace(base, **given)
    if options.decimal == options.thousands:
        raise FileError(f"{where}: decimal and thousands are both {options.decimal!r}")
    return options


def check_keys(raw: object, known: Iterable[str], where: str) -> dict[str, Any]:
    """Return `raw` if it is a TOML table with known keys only, else say which one is not."""
    if not isinstance(raw, dict):
        raise FileError(f"{where}: {raw!r} stands where a table of keys is expected")
    for key in raw:
        if key not in known:
            raise FileError(f"{where}: unknown key {key!r}{meant(key, known)} Known: {list(known)}")
    return raw


def meant(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant.

    >>> meant("Amuont", ["Amount", "Name"])
    ", did you mean 'Amount'?"
    >>> meant("xyz", ["Amount", "Name"])
    '.'
    """
    lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), lower, n=3, cutoff=0.6)
    return f", did you mean {' or '.join(repr(lower[n]) for n in near)}?" if near else "."


def _plain(key: str, value: object) -> object:
    if key == "date_format" and isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_encoding(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        b"a".decode(value, "replace")
    except (LookupError, UnicodeError, ValueError):  # unknown, or no encoding of text
        return False
    return True


def _are_formats(value: object) -> bool:
    formats = [value] if isinstance(value, str) else value
    return isinstance(formats, list) and bool(formats) and all(map(_is_format, formats))


def _is_format(text: object) -> bool:
    """Whether a format reads back the day it wrote."""
    if not isinstance(text, str) or text == "excel":
        return text == "excel"
    try:
        again = datetime.strptime(PROBE.strftime(text), text)  # noqa: DTZ007 - only tried out
    except ValueError:
        return False
    return again.date() == PROBE.date()


CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "delimiter": (
        lambda v: isinstance(v, str) and len(v) == 1 and v not in '"\r\n',
        "one character",
    ),
    "encoding": (_is_encoding, "the name of an encoding, like 'utf-8' or 'cp1252'"),
    "skip": (lambda v: type(v) is int and v >= 0, "a whole number of lines, 0 or more"),
    "sheet": (lambda v: isinstance(v, str) and v != "", "the name of a sheet"),
    "missing": (_is_texts, "a list of texts"),
    "decimal": (lambda v: v in (".", ","), "'.' or ','"),
    "thousands": (lambda v: v in THOUSANDS, f"one of {list(THOUSANDS)}"),
    "strip": (lambda v: _is_texts(v) and "" not in v, "a list of texts"),
    "day_first": (lambda v: isinstance(v, bool), "true or false"),
    "date_format": (
        _are_formats,
        "a format that names year, month and day, like '%d/%m/%Y' or '%m/%d/%y %I:%M %p', a list "
        "of such, or 'excel'",
    ),
}
