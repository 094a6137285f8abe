"""A query read by `soql_parse`, bound to an org: which rows, in which order, and which fields."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import eq, ge, gt, itemgetter, le, lt
from typing import Any

from connectors.sandbox.salesforce.errors import no_column, no_object, pointed
from connectors.sandbox.salesforce.schema import BY_PREFIX, BY_WORD, KINDS, TEXTS, Field, Kind, Row
from connectors.sandbox.salesforce.soql_parse import Compare, Condition, Literal, Name, Query
from connectors.sandbox.salesforce.state import State
from connectors.sandbox.salesforce.wire import DAY, long_id

Test = Callable[[Row], bool]
ORDERS: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge, "=": eq}
NUMBERS = {"int", "double", "currency", "percent"}
MONTH = 30.4375 * DAY
SHOWN_MONTHS = 18
KEPT_BRIEFLY = ("LeadHistory", "OpportunityFieldHistory")


@dataclass
class Column:
    """A selected field; `path` are the relations on the way to it, `hops` the ids' fields."""

    name: str
    field: Field
    path: tuple[str, ...] = ()
    hops: tuple[Field, ...] = ()


@dataclass
class Bound:
    """A query that can be run: object, columns, and the rows it found.

    `window` is the width in seconds of the time the query asks for, if it bounds one.
    """

    kind: Kind
    columns: list[Column]
    rows: list[Row] = field(default_factory=list)
    count: bool = False
    window: int | None = None


def run(state: State, query: Query, *, everything: bool) -> Bound:
    """Run a query; with `everything` also over what is deleted or archived.

    Raises
    ------
    Refusal
        INVALID_TYPE, INVALID_FIELD as Salesforce would.
    """
    name = BY_WORD.get(query.object.text.lower())
    if name is None or not state.has(name):
        raise no_object(query.text, query.object.at, query.object.text)
    binder = _Binder(state, query, KINDS[name])
    made = Bound(KINDS[name], [binder.column(f) for f in query.fields], count=query.count)
    test = binder.test(query.where) if query.where is not None else None
    order = [(binder.sortable(o.name), o.down, o.nulls_last) for o in query.order]
    rows: Iterable[Row] = _visible(state, KINDS[name], everything=everything)
    made.rows = [r for r in rows if test(r)] if test else list(rows)
    for getter, down, last in reversed(order):
        _sort(made.rows, getter, down=down, last=last)
    if query.limit is not None:
        del made.rows[query.limit :]
    made.window = binder.window()
    return made


def _visible(state: State, kind: Kind, *, everything: bool) -> Iterable[Row]:
    rows: Iterable[Row] = state.tables[kind.name].seen(state.now)
    if everything:
        return rows
    if kind.name in KEPT_BRIEFLY:
        made, oldest = kind.at["CreatedDate"], state.now - SHOWN_MONTHS * MONTH
        rows = (r for r in rows if r[made] >= oldest)
    for name in ("IsDeleted", "IsArchived"):
        if name in kind.at:
            rows = _without(rows, kind.at[name])
    return rows


def _without(rows: Iterable[Row], at: int) -> Iterable[Row]:
    return (r for r in rows if not r[at])


def _sort(rows: list[Row], getter: Callable[[Row], Any], *, down: bool, last: bool) -> None:
    blank = [r for r in rows if getter(r) is None]
    there = [r for r in rows if getter(r) is not None] if blank else rows
    there.sort(key=getter, reverse=down)
    if blank:
        rows[:] = there + blank if last else blank + there


class _Binder:
    def __init__(self, state: State, query: Query, kind: Kind) -> None:
        self.state, self.text, self.kind = state, query.text, kind
        self.bounds: dict[str, list[int | None]] = {}

    def column(self, name: Name) -> Column:
        """Understand a field, also one of a parent: ``Owner.Name``."""
        kind, words = self.kind, name.text.split(".")
        if len(words) > 1 and words[0].lower() == kind.name.lower():
            words = words[1:]
        path: list[str] = []
        hops: list[Field] = []
        for word in words[:-1]:
            hop = next((f for f in self.state.fields(kind.name) if _leads(f, word)), None)
            parents = [] if hop is None else [w for w in hop.refers if self.state.has(w)]
            if hop is None or not parents:
                message = f"Didn't understand relationship '{word}' in field path."
                raise pointed("INVALID_FIELD", self.text, name.at, message)
            hops.append(hop)
            path.append(hop.relation or "")
            kind = KINDS["User" if "User" in parents else parents[0]]
        found = kind.by_word.get(words[-1].lower())
        if found is None or not self.state.shows(kind, found):
            raise no_column(self.text, name.at, words[-1], kind.name)
        return Column(found.name, found, tuple(path), tuple(hops))

    def getter(self, column: Column) -> Callable[[Row], Any]:
        """Function that finds the value of a column in a row."""
        if not column.hops:
            return itemgetter(column.field.at)
        return lambda row: parent_value(self.state, row, column)

    def sortable(self, name: Name) -> Callable[[Row], Any]:
        column = self.column(name)
        if not column.field.filterable:
            self._refuse(name, f"field '{name.text}' can not be sorted in a query call")
        return self.getter(column)

    def _refuse(self, name: Name, message: str) -> None:
        raise pointed("INVALID_FIELD", self.text, name.at, message)

    def test(self, condition: Condition) -> Test:
        """Function that tells whether a row meets a condition."""
        if isinstance(condition, Compare):
            return self._compare(condition)
        tests = [self.test(part) for part in condition.parts]
        if condition.word == "NOT":
            return lambda row: not tests[0](row)
        if condition.word == "OR":
            return lambda row: any(t(row) for t in tests)
        if len(tests) == 2:
            one, two = tests
            return lambda row: one(row) and two(row)
        return lambda row: all(t(row) for t in tests)

    def _compare(self, found: Compare) -> Test:
        column = self.column(found.name)
        if not column.field.filterable:
            word = found.name.text
            self._refuse(found.name, f"field '{word}' can not be filtered in a query call")
        values = [self._value(found.name, column.field, one) for one in found.literals]
        getter = self.getter(column)
        if column.field.type in TEXTS:
            values = [v.casefold() if isinstance(v, str) else v for v in values]
            plain, getter = getter, lambda row: _folded(plain(row))
        if column.field.type == "datetime":
            self._bound(column.field.name, found.operator, values[0])
        return _tester(getter, found.operator, values)

    def _value(self, name: Name, field: Field, literal: Literal) -> Any:  # noqa: ANN401
        """Check that a literal is of the field's type, as Salesforce does."""
        kind, value = literal.kind, literal.value
        if value is None:
            return None
        wanted = _literal_of(field)
        if kind != wanted:
            self._refuse(
                name,
                f"value of filter criterion for field '{field.name}' must be of type "
                f"{field.type} and should {'' if wanted == 'string' else 'not '}be enclosed in quotes",
            )
        return long_id(value) if field.type in ("id", "reference") else value

    def _bound(self, name: str, operator: str, moment: int | None) -> None:
        bounds = self.bounds.setdefault(name, [None, None])
        if operator in (">", ">=", "="):
            bounds[0] = moment
        if operator in ("<", "<=", "="):
            bounds[1] = moment

    def window(self) -> int | None:
        """Seconds between the bounds of the time asked for; None if it has not both."""
        widths = [b - a for a, b in self.bounds.values() if a is not None and b is not None]
        return max(widths, default=None)


def _leads(field: Field, word: str) -> bool:
    return field.relation is not None and field.relation.lower() == word.lower()


def _folded(value: Any) -> Any:  # noqa: ANN401
    return value.casefold() if isinstance(value, str) else value


def _literal_of(field: Field) -> str:
    """Kind of literal that a field is compared with."""
    if field.type in NUMBERS:
        return "number"
    return {"boolean": "name", "datetime": "time", "date": "date"}.get(field.type, "string")


def _tester(getter: Callable[[Row], Any], operator: str, values: list[Any]) -> Test:
    value = values[0]
    if operator in ("IN", "NOT IN"):
        among = set(values)
        inside = operator == "IN"
        return lambda row: (getter(row) in among) == inside
    if operator == "!=":
        return lambda row: bool(getter(row) != value)
    if operator == "LIKE":
        words = re.escape(value or "").replace("%", ".*").replace("_", ".")
        pattern = re.compile(words, re.DOTALL)
        return lambda row: pattern.fullmatch(getter(row) or "") is not None
    compare = ORDERS[operator]
    if value is None or operator == "=":
        return lambda row: bool(getter(row) == value)

    def ordered(row: Row) -> bool:
        there = getter(row)
        return there is not None and compare(there, value)

    return ordered


def parent_of(state: State, row: Row, hops: tuple[Field, ...]) -> tuple[Kind, Row] | None:
    """Row at the end of relations; None if there is none on the way."""
    kind: Kind | None = None
    for hop in hops:
        record_id = row[hop.at] if hop.at < len(row) else None
        kind = KINDS.get(BY_PREFIX.get(str(record_id)[:3], ""))
        found = state.tables[kind.name].rows.get(str(record_id)) if kind else None
        if found is None:
            return None
        row = found
    return None if kind is None else (kind, row)


def parent_value(state: State, row: Row, column: Column) -> Any:  # noqa: ANN401
    """Value of a parent's field; by name, as the parent may be of several kinds."""
    found = parent_of(state, row, column.hops)
    if found is None:
        return None
    kind, parent = found
    at = kind.at.get(column.name)
    return None if at is None else parent[at]
