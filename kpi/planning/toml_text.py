"""Plain values as TOML: what plans and scenarios are kept in; `tomllib` reads it back to the digit."""

import json
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np


def toml_text(values: Mapping[str, object]) -> str:
    r"""Write values as TOML; entries that are None are left out.

    Parameters
    ----------
    values : mapping of str
        Text, numbers (also nan and inf), truth values, dates, lists of these, and mappings of
        these, nested.

    Examples
    --------
    >>> print(toml_text({"name": 'a "b"', "share": 0.1, "by": {"2027-01": 3}}))
    name = "a \"b\""
    share = 0.1
    <BLANKLINE>
    [by]
    2027-01 = 3
    """
    return "\n".join(_lines(values, ())).lstrip("\n")


def _lines(values: Mapping[str, object], path: tuple[str, ...]) -> list[str]:
    kept = {str(key): value for key, value in values.items() if value is not None}
    own = {key: value for key, value in kept.items() if not isinstance(value, Mapping)}
    lines = ["", f"[{'.'.join(_key(part) for part in path)}]"] if path else []
    lines += [f"{_key(key)} = {_value(value)}" for key, value in own.items()]
    for key, value in kept.items():
        if isinstance(value, Mapping):
            lines += _lines(value, (*path, key))
    return lines


def _key(text: str) -> str:
    bare = text and all(c.isascii() and (c.isalnum() or c in "-_") for c in text)
    return text if bare else _text(text)


def _text(text: str) -> str:
    """Quote as JSON does, which TOML reads alike but for DEL and lone surrogates."""
    safe = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return json.dumps(safe, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: object) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    if isinstance(value, date):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, (Sequence, np.ndarray)):
        return f"[{', '.join(_value(item) for item in value)}]"
    raise TypeError(f"{type(value).__name__} cannot be written as TOML")
