"""What a trace asks for: settings, options and one cell; and how each is written in SQL.

Whatever comes from a CRM or a user reaches SQL through `text`, `texts` or `literal`, and columns
through the contract (`kpi.tables`): nothing else is ever put between the words of a statement.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from kpi.definitions import Definitions
from kpi.periods import month_start
from kpi.tables import TABLES, Kind, TableError

BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"  # what ends a line, for some reader or other

TYPES: dict[Kind, str] = {
    "id": "VARCHAR",
    "text": "VARCHAR",
    "time": "TIMESTAMPTZ",
    "date": "DATE",
    "money": "DOUBLE",
    "number": "DOUBLE",
    "whole": "BIGINT",
    "flag": "BOOLEAN",
}


def text(value: object) -> str:
    r"""Write a value as an SQL string, on one line whatever is in it.

    >>> print(text("O'Hara'; DROP TABLE deals; --"))
    'O''Hara''; DROP TABLE deals; --'
    >>> print(text("two\nlines"))
    ('two' || chr(10) || 'lines')
    """
    words = str(value).replace("\x00", "")
    parts = [part for part in re.split(f"([{BREAKS}])", words) if part]
    if len(parts) < 2 and not set(words) & set(BREAKS):
        return _quoted(words)
    return "(" + " || ".join(f"chr({ord(p)})" if p in BREAKS else _quoted(p) for p in parts) + ")"


def _quoted(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"


def texts(values: Iterable[object]) -> str:
    """Write values as the inside of an SQL ``IN (...)``; ``NULL`` where there is none.

    >>> print(texts(["a", "b'"]))
    'a', 'b'''
    """
    return ", ".join(text(value) for value in values) or "NULL"


def literal(value: object, kind: Kind) -> str:
    """Write a value as SQL of the type of its column."""
    return f"CAST({text(value)} AS {TYPES[kind]})"


@dataclass(frozen=True)
class Ask:
    """One question: the definitions and filters of a snapshot, options of a KPI, and one cell.

    Attributes
    ----------
    as_of, window_start, definitions
        As of the snapshot.
    present : frozenset of str
        Tables that the data has.
    filters : mapping of column to values, with the table whose values decide
        What the snapshot was narrowed to; ``("deals by lead", ...)`` where deals never fill a column.
    options : mapping
        Options of the KPI, its defaults included.
    since, until : date or None
        First and last day of the cell; None for everything up to the as-of date.
    stage : (funnel, rank) or None
        Row asked for, of a KPI that has one row a stage.
    to : int, "won", "lost" or None
        Where the moves lead, of a KPI that has one row a move: the rank of a stage, or an end.
    month : int or None
        Month of customers' time asked for, of a KPI that has one row a month; None: the last.
    seller : (owner_id, indicator) or None
        Row asked for, of a KPI that has one row a seller.
    within : mapping of column of accounts to values
        Filter of a KPI about customers.
    """

    as_of: date
    window_start: date | None
    definitions: Definitions
    present: frozenset[str]
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    by_lead: frozenset[str] = frozenset()
    options: Mapping[str, Any] = field(default_factory=dict)
    since: date | None = None
    until: date | None = None
    stage: tuple[str, int] | None = None
    to: int | str | None = None
    seller: tuple[str, str] | None = None
    month: int | None = None
    within: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def day(self, moment: str) -> str:
        """SQL for the calendar day of a moment in the company's time zone."""
        return (
            f"CAST({self.moment(moment)} AT TIME ZONE {text(self.definitions.time_zone)} AS DATE)"
        )

    @staticmethod
    def moment(column: str) -> str:
        """SQL for a moment, whatever type the column came in."""
        return f"CAST({column} AS TIMESTAMPTZ)"

    def on(self, value: date) -> str:
        """SQL for a date.

        >>> Ask(date(2026, 1, 2), None, Definitions(), frozenset()).on(date(2026, 1, 2))
        "DATE '2026-01-02'"
        """
        return f"DATE '{value.isoformat()}'"

    @property
    def today(self) -> str:
        """SQL for the as-of date."""
        return self.on(self.as_of)

    def cell(self, day: str) -> str:
        """SQL condition that a day lies in the cell; ``TRUE`` where all of time was asked for."""
        bounds = []
        if self.since is not None:
            bounds.append(f"{day} >= {self.on(self.since)}")
        if self.until is not None:
            bounds.append(f"{day} <= {self.on(self.until)}")
        return " AND ".join(bounds) or "TRUE"

    def columns(self, table: str, alias: str) -> str:
        """SQL conditions by which `table` is narrowed, those of the leads not among them."""
        held = [
            one_of(table, name, values, alias)
            for name, values in self.filters.items()
            if name in TABLES[table].names and not (table == "deals" and name in self.by_lead)
        ]
        return " AND ".join(held) or "TRUE"

    @property
    def whole_months(self) -> tuple[date, date]:
        """First and last day of the twelve whole months up to the as-of date."""
        following = month_start(self.as_of + timedelta(days=1))
        return month_start(following, -12), following - timedelta(days=1)

    def option(self, name: str, *expected: object) -> Any:  # noqa: ANN401 - whatever the KPI takes
        """Return an option; one that has no SQL is refused with those that have."""
        value = self.options.get(name)
        if expected and value not in expected:
            raise TableError(f"trace: no SQL for {name}={value!r}; expected one of {expected}")
        return value


def one_of(table: str, column: str, values: Iterable[object], alias: str) -> str:
    """SQL condition that a column of the contract holds one of the values."""
    kind = TABLES[table].column(column).kind
    wanted = ", ".join(literal(value, kind) for value in values) or "NULL"
    return f'CAST({alias}."{column}" AS {TYPES[kind]}) IN ({wanted})'
