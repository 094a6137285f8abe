"""What REST and Bulk answer, in one shape: a frame of text, missing where Salesforce says nothing.

REST says null where Bulk says "", and numbers and booleans where Bulk has text. Here both are text:
``true``, ``12.5``, ``2026-03-08T10:30:00.000+0000``; "" is missing, and "NA" is a text like others.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from connectors.errors import ConnectorError


class Page(NamedTuple):
    """A page of a bulk result.

    ``frame``: text, a column per field asked for, in that order. ``cleaned``: the ids of records in
    which NUL signs were removed, each with the field.
    """

    frame: pd.DataFrame
    cleaned: list[tuple[str, str]]


def rows_of(records: Iterable[Mapping[str, Any]], fields: Sequence[str]) -> pd.DataFrame:
    """Return records of a REST query as the frame that Bulk would give.

    Parameters
    ----------
    records : iterable of dict
        ``records`` of a query.
    fields : sequence of str
        API names, also of a parent's field (``UserRole.Name``).

    Returns
    -------
    DataFrame of text, one row per record
        Those fields; missing where the record has null, "" or no such field.

    Examples
    --------
    >>> user = {"Id": "005x", "IsActive": True, "UserRole": {"Name": "East"}, "Manager": None}
    >>> rows_of([user], ["Id", "IsActive", "UserRole.Name", "Manager.Name"]).values.tolist()
    [['005x', 'true', 'East', nan]]
    """
    listed = list(records)
    columns = {}
    for name in fields:
        path = name.split(".")
        columns[name] = pd.Series([_written(_value(one, path)) for one in listed], dtype="str")
    return pd.DataFrame(columns, columns=pd.Index(fields))


def csv_rows(content: bytes, fields: Sequence[str]) -> Page:
    r"""Read a page of a bulk result.

    Parameters
    ----------
    content : bytes
        The body: CSV in UTF-8, with its header row or, as a later page may be, without. Empty if
        there are no rows.
    fields : sequence of str
        The fields of the query, in its order.

    Returns
    -------
    Page
        All values text. Whether rows are missing is for the caller to count.

    Raises
    ------
    ConnectorError
        If the body is no CSV of these fields: other columns, rows of another length, or cut short
        within a row.

    Examples
    --------
    >>> csv_rows(b'"Id","Name"\n"001x","NA"\n"001y",""\n', ["Id", "Name"]).frame.values.tolist()
    [['001x', 'NA'], ['001y', nan]]
    """
    if not content.strip():
        return Page(rows_of([], fields), [])
    if _is_cut(content):
        raise ConnectorError("Salesforce: a bulk result ends within a row; fetch the page again")
    table = _read(content, len(fields))
    head = [str(table.column(place)[0]) for place in range(len(fields))]
    order = _order(head, fields)
    if order is None:
        order = {name: place for place, name in enumerate(fields)}
    else:
        table = table.slice(1)
    cells = {name: table.column(order[name]) for name in fields}
    cleaned = _without_nul(cells) if b"\0" in content else []
    return Page(pa.table(cells).to_pandas(strings_to_categorical=False), cleaned)


def _is_cut(content: bytes) -> bool:
    """Tell whether a body ends within a row: Bulk puts every value in quotes, empty ones too."""
    end = content[-2:].rstrip(b"\r\n")
    return content.count(b'"') % 2 == 1 or (content.startswith(b'"') and not end.endswith(b'"'))


def _read(content: bytes, width: int) -> pa.Table:
    names = [f"c{place}" for place in range(width)]
    try:
        return csv.read_csv(
            pa.BufferReader(content),
            # one block: a value that lies across two of them cannot be read
            read_options=csv.ReadOptions(
                column_names=names, block_size=len(content) + 1, use_threads=False
            ),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowException as error:
        raise ConnectorError(
            f"Salesforce: a bulk result is no CSV of {width} columns; fetch the page again ({error})"
        ) from error


def _order(head: Sequence[str], fields: Sequence[str]) -> dict[str, int] | None:
    """Return where each field stands; None if the first row is no header but a record."""
    lower = {name.lower(): place for place, name in enumerate(head)}
    lacking = [name for name in fields if name.lower() not in lower]
    if not lacking:
        return {name: lower[name.lower()] for name in fields}
    if len(lacking) == len(fields):
        return None
    raise ConnectorError(
        f"Salesforce: a bulk result lacks the column(s) {lacking}; its header is {list(head)}"
    )


def _without_nul(cells: dict[str, pa.ChunkedArray]) -> list[tuple[str, str]]:
    """Remove NUL signs, and return where some were."""
    found = []
    names = cells["Id"] if "Id" in cells else next(iter(cells.values()))
    for name, values in cells.items():
        has = pc.fill_null(pc.match_substring(values, "\0"), fill_value=False)
        if pc.any(has).as_py():
            found += [(str(key), name) for key in names.filter(has).to_pylist()]
            plain = pc.replace_substring(values, "\0", "")
            cells[name] = pc.if_else(pc.equal(plain, ""), pa.scalar(None, plain.type), plain)
    return found


def _value(record: Mapping[str, Any], path: Sequence[str]) -> object:
    value: Any = record
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _written(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)
