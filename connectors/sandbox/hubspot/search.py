"""``POST …/search``: filters, one sort, offset paging up to 10,000, and what the index has seen."""

from collections.abc import Callable
from typing import Any

import numpy as np

from connectors.sandbox.hubspot.exchange import Reply, Request, html, invalid
from connectors.sandbox.hubspot.render import Renderer
from connectors.sandbox.hubspot.schema import TYPES
from connectors.sandbox.hubspot.shelf import Record
from connectors.sandbox.hubspot.state import State
from connectors.sandbox.hubspot.wire import Json, dumps, parse_time

PAGE, REACH, GROUPS, FILTERS, FILTERS_IN_ALL, LONGEST = 200, 10_000, 5, 6, 18, 3_000
ORDERED: dict[str, Callable[[Any, Any], Any]] = {
    "EQ": lambda a, b: a == b,
    "NEQ": lambda a, b: a != b,
    "LT": lambda a, b: a < b,
    "LTE": lambda a, b: a <= b,
    "GT": lambda a, b: a > b,
    "GTE": lambda a, b: a >= b,
}
Rows = np.ndarray[tuple[int], np.dtype[np.int64]]
Found = dict[tuple[str, str], tuple[int, int, list[int]]]


class Search:
    """Answers searches; an answer is kept for the next page until the index changes."""

    def __init__(self, account: State) -> None:
        self.account = account
        self.kept: Found = {}

    def reply(self, kind: str, request: Request) -> Reply:
        """Answer a search.

        Raises
        ------
        Refusal
            400 if it asks for too much, for a result past 10,000 or for an unknown property.
        """
        body, shelf = request.body, self.account.shelves[kind]
        limit, after = int(body.get("limit", 10)), _whole(body.get("after") or 0)
        if not 1 <= limit <= PAGE:
            raise invalid(f"Page size {limit} is out of range: the maximum is {PAGE}")
        if after + limit > REACH:
            raise invalid(f"paging.after plus limit must not be above {REACH}")
        shelf.settle(self.account.now)
        ids = self._found(kind, _groups(body), _sorts(body))
        renderer = Renderer(self.account, kind, body.get("properties") or [])
        page = [r for r in map(shelf.seen, ids[after : after + limit]) if r is not None]
        texts = [
            renderer.text(r) if shelf.is_fresh(r.id) else dumps(renderer.as_json(r)) for r in page
        ]
        text = f'{{"total":{len(ids)},"results":[{",".join(texts)}]'
        if after + limit < len(ids):
            text += f',"paging":{{"next":{{"after":"{after + limit}"}}}}'
        return Reply(200, (text + "}").encode())

    def _found(self, kind: str, groups: list[list[Json]], sort: tuple[str, bool]) -> list[int]:
        shelf = self.account.shelves[kind]
        key = (kind, dumps([groups, sort]))
        version, size, ids = self.kept.get(key, (-1, 0, []))
        if version == shelf.seen_version and size == len(shelf.ids):
            return ids
        rows = shelf.seen_rows()
        if groups:
            parts = [self._group(kind, rows, group) for group in groups]
            rows = np.unique(np.concatenate(parts))
        ids = self._sorted(kind, rows, *sort)
        if len(self.kept) > 8:
            self.kept.clear()
        self.kept[key] = (shelf.seen_version, len(shelf.ids), ids)
        return ids

    def _group(self, kind: str, rows: Rows, group: list[Json]) -> Rows:
        slow = []
        for one in group:
            column = self._column(kind, str(one.get("propertyName")), rows)
            if column is None or one.get("operator") in ("CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"):
                slow.append(_test(self.account, kind, one))
            else:
                rows = rows[_mask(column, one)]
        if not slow:
            return rows
        shelf = self.account.shelves[kind]
        ids = ((row, shelf.seen(shelf.ids[row])) for row in rows.tolist())
        kept = [row for row, record in ids if record is not None and all(t(record) for t in slow)]
        return np.array(kept, dtype=np.int64)

    def _column(self, kind: str, name: str, rows: Rows) -> Rows | None:
        shelf, what = self.account.shelves[kind], TYPES[kind]
        if name not in self.account.definitions(kind):
            raise invalid(f"There was a problem with the request: no property {name!r}")
        columns = {
            what.modified: shelf.seen_modified,
            what.created: shelf.created,
            "hs_createdate": shelf.created,
            "hs_object_id": shelf.ids,
        }
        return np.array(columns[name], dtype=np.int64)[rows] if name in columns else None

    def _sorted(self, kind: str, rows: Rows, name: str, descending: bool) -> list[int]:  # noqa: FBT001
        """Sort; records that are equal come in an order of their own, the same every time."""
        shelf = self.account.shelves[kind]
        ids = np.array(shelf.ids, dtype=np.int64)[rows]
        column = self._column(kind, name, rows)
        if column is None:
            column = self._ranks(kind, ids, name)
        ties = (ids * 2_654_435_761) & 0xFFFFFFFF
        order = np.lexsort((ties, -column if descending else column))
        return [int(i) for i in ids[order]]

    def _ranks(self, kind: str, ids: Rows, name: str) -> Rows:
        shelf, type_of = self.account.shelves[kind], self.account.definitions(kind)[name]["type"]
        records = [r for r in map(shelf.seen, ids.tolist()) if r is not None]
        texts = [_value(self.account, kind, r, name) for r in records]
        values = [_comparable(type_of, t) for t in texts]
        known = sorted({v for v in values if v is not None})
        rank = {v: n for n, v in enumerate(known)}
        return np.array([len(rank) if v is None else rank[v] for v in values], dtype=np.int64)


def _groups(body: Json) -> list[list[Json]]:
    groups = [g.get("filters") or [] for g in body.get("filterGroups") or []]
    if len(groups) > GROUPS or any(len(g) > FILTERS for g in groups):
        raise invalid(f"at most {GROUPS} filterGroups of {FILTERS} filters each")
    if sum(map(len, groups)) > FILTERS_IN_ALL:
        raise invalid(f"at most {FILTERS_IN_ALL} filters in all")
    if len(dumps(groups)) > LONGEST or len(str(body.get("query") or "")) > LONGEST:
        raise invalid(f"The request must be at most {LONGEST} characters long")
    if body.get("query"):
        raise invalid("this server knows no text search; use filters")
    return [g for g in groups if g]


def _sorts(body: Json) -> tuple[str, bool]:
    sorts = body.get("sorts") or ["hs_object_id"]
    if len(sorts) > 1:
        raise invalid("only one sort is allowed")
    if isinstance(sorts[0], str):
        return sorts[0].lstrip("-"), sorts[0].startswith("-")
    return str(sorts[0].get("propertyName")), sorts[0].get("direction") == "DESCENDING"


def _mask(column: Rows, one: Json) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Test a column of whole numbers: ids or milliseconds."""
    operator = one.get("operator")
    read = _whole if one.get("propertyName") == "hs_object_id" else _moment
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return np.full(len(column), operator == "HAS_PROPERTY")
    if operator in ("IN", "NOT_IN"):
        among = np.isin(column, [read(v) for v in one.get("values") or []])
        return among if operator == "IN" else ~among
    value = read(one.get("value"))
    if operator == "BETWEEN":
        return (column >= value) & (column <= read(one.get("highValue")))
    if operator not in ORDERED:
        raise invalid(f"unknown operator {operator!r}")
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = ORDERED[str(operator)](column, value)
    return found


def _moment(value: object) -> int:
    found = parse_time(None if value is None else str(value))
    if found is None:
        raise invalid(f"{value!r} is neither epoch milliseconds nor an ISO time")
    if found == 0:  # seen on the real one: a search from 1970 on fails inside
        raise html(500, "Internal Server Error")
    return found


def _whole(value: object) -> int:
    if not str(value).isdigit():
        raise invalid(f"after must be a whole number, not {value!r}")
    return int(str(value))


def _value(account: State, kind: str, record: Record, name: str) -> str | None:
    value = record.props.get(name)
    if value is None:
        value = account.values(kind, record, stage_times=name.startswith("hs_v2")).get(name)
    return value or None


def _comparable(type_of: str, text: str | None) -> Any:  # noqa: ANN401 - a number or a text
    if text is None:
        return None
    if type_of in ("datetime", "date"):
        return parse_time(text)
    if type_of == "number":
        try:
            return float(text)
        except ValueError:
            return None
    return text if type_of == "enumeration" else text.lower()


def _test(account: State, kind: str, one: Json) -> Callable[[Record], bool]:
    """Test of one record, for properties that have no column here."""
    name, operator = str(one.get("propertyName")), str(one.get("operator"))
    type_of = account.definitions(kind)[name]["type"]
    value = _comparable(type_of, str(one.get("value") or ""))
    high = _comparable(type_of, str(one.get("highValue") or ""))
    # of texts only lower case is found, as on the real one
    among = {
        str(v) if type_of == "string" else _comparable(type_of, str(v))
        for v in one.get("values") or []
    }

    def test(record: Record) -> bool:
        have = _comparable(type_of, _value(account, kind, record, name))
        if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
            return (have is not None) == (operator == "HAS_PROPERTY")
        if have is None:
            return operator in ("NEQ", "NOT_IN", "NOT_CONTAINS_TOKEN")
        if operator in ("IN", "NOT_IN"):
            return (have in among) == (operator == "IN")
        if operator == "BETWEEN":
            return bool(value <= have <= high)
        if operator in ("CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"):
            tokens = str(have).lower().split()
            return (str(value).strip("*").lower() in tokens) == (operator == "CONTAINS_TOKEN")
        if operator not in ORDERED:
            raise invalid(f"unknown operator {operator!r}")
        return bool(ORDERED[operator](have, value))

    return test
