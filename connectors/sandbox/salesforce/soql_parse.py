r"""SOQL as far as a connector writes it, read into a tree.

``SELECT fields | COUNT() FROM object [WHERE ...] [ORDER BY ...] [LIMIT n]``; comparisons, ``IN``,
``NOT IN``, ``LIKE``, ``AND``, ``OR``, ``NOT``. As in Salesforce, AND and OR do not mix without
parentheses. Dates like ``TODAY`` are not read: what they mean depends on who asks.

Examples
--------
>>> found = parse("SELECT Id, Owner.Name FROM Lead WHERE Name = 'O\\'Hara' LIMIT 5")
>>> [name.text for name in found.fields], found.where.literals[0].value, found.limit
(['Id', 'Owner.Name'], "O'Hara", 5)
"""

import re
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.salesforce.errors import malformed, pointed
from connectors.sandbox.salesforce.wire import parse_time

TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>'(?:\\.|[^'\\])*')
  | (?P<time>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))
  | (?P<date>\d{4}-\d\d-\d\d(?![\dT]))
  | (?P<number>-?\d+(?:\.\d+)?)
  | (?P<name>[A-Za-z_][\w.]*)
  | (?P<sign><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE,
)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
OPERATORS = {"=", "!=", "<>", "<", "<=", ">", ">="}


@dataclass(frozen=True)
class Name:
    """A field or object as written, and where."""

    text: str
    at: int


@dataclass(frozen=True)
class Literal:
    """A value as written: its kind (string, time, date, number, name) and what it means."""

    kind: str
    value: Any


@dataclass(frozen=True)
class Compare:
    """A field, an operator, and what it is compared with."""

    name: Name
    operator: str
    literals: tuple[Literal, ...]


@dataclass(frozen=True)
class Logic:
    """Conditions joined by AND or OR, or one that must not hold (NOT)."""

    word: str
    parts: tuple["Condition", ...]


Condition = Compare | Logic


@dataclass(frozen=True)
class Order:
    """A field to sort by."""

    name: Name
    down: bool
    nulls_last: bool


@dataclass
class Query:
    """A query, read."""

    text: str
    fields: list[Name] = field(default_factory=list)
    count: bool = False
    object: Name = Name("", 0)
    where: Any = None
    order: list[Order] = field(default_factory=list)
    limit: int | None = None


def parse(text: str) -> Query:
    """Read a query.

    Raises
    ------
    Refusal
        MALFORMED_QUERY, with the place, if it cannot be read.
    """
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        while text[at:].strip():
            match = TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                self._lost(at + len(text[at:]) - len(text[at:].lstrip()))
            else:
                kind = match.lastgroup
                self.tokens.append((kind, match[kind], match.start(kind)))
                at = match.end()
        self.next = 0

    def _lost(self, at: int) -> None:
        word = self.text[at : at + 20].split()
        raise pointed(
            "MALFORMED_QUERY", self.text, at, f"unexpected token: '{word[0] if word else '<EOF>'}'"
        )

    def _fail(self) -> None:
        self._lost(self.tokens[self.next][2] if self.next < len(self.tokens) else len(self.text))

    def _is(self, *words: str) -> bool:
        """Whether the next words are these, and take them if so."""
        found = [t[1].upper() for t in self.tokens[self.next : self.next + len(words)]]
        if found != list(words):
            return False
        self.next += len(words)
        return True

    def _need(self, *words: str) -> None:
        if not self._is(*words):
            self._fail()

    def _take(self, *kinds: str) -> tuple[str, str, int]:
        if self.next >= len(self.tokens) or self.tokens[self.next][0] not in kinds:
            self._fail()
        self.next += 1
        return self.tokens[self.next - 1]

    def _name(self) -> Name:
        _, text, at = self._take("name")
        return Name(text, at)

    def query(self) -> Query:
        made = Query(self.text)
        self._need("SELECT")
        if self._is("COUNT", "(", ")"):
            made.count = True
        else:
            made.fields = [self._name()]
            while self._is(","):
                made.fields.append(self._name())
        self._need("FROM")
        made.object = self._name()
        if self._is("WHERE"):
            made.where = self._conditions()
        if self._is("ORDER", "BY"):
            made.order = [self._order()]
            while self._is(","):
                made.order.append(self._order())
        if self._is("LIMIT"):
            made.limit = int(self._take("number")[1])
        if self.next < len(self.tokens):
            self._fail()
        return made

    def _order(self) -> Order:
        name = self._name()
        down = self._is("DESC") or (self._is("ASC") and False)
        last = self._is("NULLS", "LAST")
        if not last:
            self._is("NULLS", "FIRST")
        return Order(name, down, last)

    def _conditions(self) -> Condition:
        parts, word = [self._condition()], ""
        while self.next < len(self.tokens):
            joined = next((w for w in ("AND", "OR") if self._is(w)), "")
            if not joined:
                break
            if word and joined != word:
                self.next -= 1
                self._fail()
            word = joined
            parts.append(self._condition())
        return Logic(word, tuple(parts)) if word else parts[0]

    def _condition(self) -> Condition:
        if self._is("NOT"):
            return Logic("NOT", (self._condition(),))
        if self._is("("):
            inner = self._conditions()
            self._need(")")
            return inner
        name = self._name()
        if self._is("NOT", "IN"):
            return Compare(name, "NOT IN", self._list())
        if self._is("IN"):
            return Compare(name, "IN", self._list())
        if self._is("LIKE"):
            return Compare(name, "LIKE", (self._literal(),))
        _, sign, _ = self._take("sign")
        if sign not in OPERATORS:
            self.next -= 1
            self._fail()
        return Compare(name, "!=" if sign == "<>" else sign, (self._literal(),))

    def _list(self) -> tuple[Literal, ...]:
        self._need("(")
        found = [self._literal()]
        while self._is(","):
            found.append(self._literal())
        self._need(")")
        return tuple(found)

    def _literal(self) -> Literal:
        kind, text, _ = self._take("string", "time", "date", "number", "name")
        if kind == "string":
            return Literal(kind, _unescaped(text[1:-1]))
        if kind == "number":
            return Literal(kind, float(text))
        if kind == "time":
            moment = parse_time(text)
            if moment is None:
                raise malformed(f"line 1: '{text}' is not a date and time")
            return Literal(kind, moment)
        if kind == "name":
            known = {"TRUE": True, "FALSE": False, "NULL": None}
            if text.upper() not in known:
                self.next -= 1
                self._fail()
            return Literal(kind, known[text.upper()])
        return Literal(kind, text)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[1]), text, flags=re.DOTALL)
