"""The grammar of `hubspot.toml` and `salesforce.toml`: whole numbers, and fields chosen by table.

Each CRM has its own keys and columns; how they are read, checked, written and compared is here.
"""

import hashlib
import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from connectors.errors import FileError
from connectors.exports.read_options import check_keys, meant

Fields = Mapping[str, Mapping[str, str]]
"""By table, our column and the CRM's name of the field that fills it."""


def read_text(folder: str | Path, file: str) -> str:
    """Return the text of a settings file in a store's folder; empty where it has none.

    Raises
    ------
    FileError
        If the file cannot be read.
    """
    path = Path(folder) / file
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not UTF-8 text; save it as UTF-8") from error


def write_text(folder: str | Path, file: str, text: str) -> None:
    """Write a settings file into a store's folder.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    path = Path(folder) / file
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror})") from error


def parsed(text: str, known: Iterable[str], file: str) -> dict[str, Any]:
    """Return the keys of a settings file.

    Raises
    ------
    FileError
        If the text is no TOML, or a key is unknown; the message names the nearest one.

    Examples
    --------
    >>> parsed("refresh_hours = 12", ["refresh_hours"], "hubspot.toml")
    {'refresh_hours': 12}
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FileError(f"{file}: not valid TOML: {error}") from error
    return check_keys(raw, list(known), file)


def check_whole(values: Mapping[str, object], file: str) -> None:
    """Refuse settings that are no whole numbers, 0 or more.

    >>> check_whole({"lag_seconds": -1}, "salesforce.toml")
    Traceback (most recent call last):
    connectors.errors.FileError: salesforce.toml: lag_seconds = -1; expected a whole number, 0 or more
    """
    for name, value in values.items():
        if type(value) is not int or value < 0:
            raise FileError(f"{file}: {name} = {value!r}; expected a whole number, 0 or more")


def checked_fields(
    chosen: object, columns: Mapping[str, Collection[str]], file: str, word: str
) -> dict[str, dict[str, str]]:
    """Return the chosen fields in a fixed order, if they can be meant.

    Parameters
    ----------
    chosen : object
        What stands under ``[fields]``.
    columns : mapping of table to column names
        What may be chosen.
    file, word : str
        Name of the settings file, and the CRM's word for a field, for messages.

    Raises
    ------
    FileError
        If a table or column is unknown, or what it names is no name.

    Examples
    --------
    >>> checked_fields({"deals": {"segment": "Segment__c"}}, {"deals": ["segment"]}, "f.toml", "field")
    {'deals': {'segment': 'Segment__c'}}
    """
    tables = check_keys(chosen, columns, f"{file}, [fields]")
    found: dict[str, dict[str, str]] = {}
    for table in [name for name in columns if name in tables]:
        where = f"{file}, [fields.{table}]"
        names = check_keys(tables[table], columns[table], where)
        for column, name in names.items():
            if not isinstance(name, str) or not name.strip() or not name.isprintable():
                raise FileError(f"{where}: {column} = {name!r}; expected the name of a {word}")
        if names:
            found[table] = {column: names[column] for column in sorted(names)}
    return found


def check_fields(
    fields: Fields, available: Mapping[str, Collection[str]], file: str, lacking: str, hint: str
) -> None:
    """Refuse a chosen field that the CRM does not have.

    Parameters
    ----------
    fields : mapping of table to (column to name)
        Those chosen.
    available : mapping of table to names
        What there is; a table that is not there is not checked.
    file, lacking, hint : str
        For the message: the file, "but the account has no such property" and where to find names.

    Raises
    ------
    FileError
        Naming the field, and the nearest one that there is.
    """
    for table, chosen in fields.items():
        names = available.get(table, chosen.values())
        for column, name in chosen.items():
            if name not in names:
                raise FileError(
                    f"{file}, [fields.{table}]: {column} = {name!r}, {lacking}{meant(name, names)} "
                    f"{hint}"
                )


def merged(fields: Fields, chosen: Fields) -> dict[str, dict[str, str]]:
    """Return fields with those of `chosen` over them.

    >>> merged({"leads": {"channel": "a", "source": "b"}}, {"leads": {"channel": "utm"}})
    {'leads': {'channel': 'utm', 'source': 'b'}}
    """
    tables = {**fields, **chosen}
    return {table: {**fields.get(table, {}), **chosen.get(table, {})} for table in tables}


def fields_toml(fields: Fields) -> list[str]:
    """Return the lines of the chosen fields in the grammar of the file.

    >>> fields_toml({"deals": {"segment": "Segment__c"}})
    ['', '[fields.deals]', 'segment = "Segment__c"']
    """
    lines = []
    for table, chosen in fields.items():
        lines += ["", f"[fields.{table}]"]
        lines += [f"{column} = {quoted(name)}" for column, name in chosen.items()]
    return lines


def quoted(text: str) -> str:
    """Write a text as TOML does."""
    return json.dumps(text, ensure_ascii=False)


def fingerprint(parts: object) -> str:
    """Eight letters that change with any of the settings in `parts`."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]
