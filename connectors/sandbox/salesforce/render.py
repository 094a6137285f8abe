"""Rows as REST records and as bulk CSV: worked out column by column, many rows at a time."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from connectors.sandbox.salesforce.schema import Kind, Row
from connectors.sandbox.salesforce.soql import Column, parent_of, parent_value
from connectors.sandbox.salesforce.state import VERSION, State
from connectors.sandbox.salesforce.wire import bulk_time, rest_time
from connectors.sandbox.wire import dumps

Maker = Callable[[Any], str]

_text = json.encoder.encode_basestring


def _flag(value: bool) -> str:  # noqa: FBT001 - the value itself
    return "true" if value else "false"


def _json_number(value: float) -> str:
    return repr(float(value))


def _any(value: Any) -> str:  # noqa: ANN401 - field histories hold texts, numbers and flags
    return dumps(value)


def _json(type_: str) -> Maker:
    makers: dict[str, Maker] = {
        "boolean": _flag,
        "datetime": lambda v: f'"{rest_time(v)}"',
        "int": str,
        "double": _json_number,
        "currency": _json_number,
        "percent": _json_number,
        "anyType": _any,
        "address": _any,
    }
    return makers.get(type_, _text)


def _csv_text(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if '"' in value else f'"{value}"'


def _csv_number(value: float) -> str:
    """Write a number; whole ones with one decimal, as the bulk interface does."""
    return f'"{float(value)!r}"'


def _csv_any(value: Any) -> str:  # noqa: ANN401
    return _csv_text(_flag(value) if isinstance(value, bool) else str(value))


def _csv(type_: str) -> Maker:
    makers: dict[str, Maker] = {
        "boolean": lambda v: '"true"' if v else '"false"',
        "datetime": lambda v: f'"{bulk_time(v)}"',
        "int": lambda v: f'"{v}"',
        "double": _csv_number,
        "currency": _csv_number,
        "percent": _csv_number,
        "anyType": _csv_any,
    }
    return makers.get(type_, _csv_text)


def _values(state: State, rows: Sequence[Row], column: Column) -> list[Any]:
    if column.hops:
        return [parent_value(state, row, column) for row in rows]
    at = column.field.at
    return [row[at] for row in rows]


def _url(name: str, record_id: str) -> str:
    return f"/services/data/v{VERSION}/sobjects/{name}/{record_id}"


def _attributes(name: str, record_id: str) -> str:
    return f'"attributes":{{"type":"{name}","url":"{_url(name, record_id)}"}}'


def records(state: State, kind: Kind, columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    """Write rows as REST does: attributes first, parents as records in the record."""
    parts = [[_attributes(kind.name, row[0]) for row in rows]]
    groups: dict[str, list[Column]] = {}
    for column in columns:
        if column.path:
            if column.path[0] not in groups:
                parts.append([])  # its place; filled below
            groups.setdefault(column.path[0], []).append(column)
            continue
        make = _json(column.field.type)
        begin = f'"{column.name}":'
        null = begin + "null"
        values = _values(state, rows, column)
        parts.append([null if v is None else begin + make(v) for v in values])
    filled = iter(groups.items())
    for n, part in enumerate(parts):
        if not part and rows:
            relation, inner = next(filled)
            parts[n] = [f'"{relation}":{_parent(state, row, inner, 0)}' for row in rows]
    return ["{" + ",".join(row) + "}" for row in zip(*parts, strict=True)]


def _parent(state: State, row: Row, columns: Sequence[Column], depth: int) -> str:
    """Write a parent, and its parents in it."""
    found = parent_of(state, row, columns[0].hops[: depth + 1])
    if found is None:
        return "null"
    parts, groups = [_attributes(found[0].name, found[1][0])], dict[str, list[Column]]()
    for column in columns:
        if len(column.path) > depth + 1:
            groups.setdefault(column.path[depth + 1], []).append(column)
        else:
            value = parent_value(state, row, column)
            parts.append(
                f'"{column.name}":{"null" if value is None else _json(column.field.type)(value)}'
            )
    for relation, inner in groups.items():
        parts.append(f'"{relation}":{_parent(state, row, inner, depth + 1)}')
    return "{" + ",".join(parts) + "}"


def header(columns: Sequence[Column]) -> str:
    """Write the line of a CSV that names its columns."""
    return ",".join(f'"{".".join((*c.path, c.name))}"' for c in columns) + "\n"


def csv_lines(state: State, columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    """Write rows as the bulk interface does: every value in quotes, missing as nothing in them."""
    parts = []
    for column in columns:
        make = _csv(column.field.type)
        parts.append(['""' if v is None else make(v) for v in _values(state, rows, column)])
    return [",".join(row) + "\n" for row in zip(*parts, strict=True)]
