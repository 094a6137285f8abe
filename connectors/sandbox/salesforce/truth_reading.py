"""How the truth reads an org: only what its user may see, blank texts as missing."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from connectors.sandbox.salesforce.schema import KINDS, Row
from connectors.sandbox.salesforce.state import State
from connectors.sandbox.salesforce.wire import day_text, parse_time, start_of
from kpi.tables import TABLES

Fields = Mapping[str, Mapping[str, str]]


class Reader:
    """Rows of an object that are not deleted, and their values."""

    def __init__(self, state: State, name: str) -> None:
        there = state.has(name)
        self.at = {f.name: f.at for f in state.fields(name)} if there else {}
        self.words = {name.lower(): at for name, at in self.at.items()}
        self.rows = state.live(name) if there else []

    def __call__(self, row: Row, name: str) -> Any:  # noqa: ANN401 - any field
        """Value of a field; None if it is missing, blank or hidden."""
        at = self.at.get(name)
        value = None if at is None else row[at]
        return None if value == "" else value

    def has(self, name: str) -> bool:
        """Whether a field can be read."""
        return name in self.at


class Chosen:
    """Columns that the settings take from a field of their own."""

    def __init__(self, fields: Fields, zone: ZoneInfo) -> None:
        self.fields, self.zone = fields, zone

    def of(self, table: str, column: str) -> str | None:
        """Field that a column is taken from."""
        return self.fields.get(table, {}).get(column)

    def values(self, table: str, reader: Reader, row: Row) -> dict[str, Any]:
        """Those columns of a row."""
        found = {}
        for column, name in self.fields.get(table, {}).items():
            at = reader.words.get(name.lower())
            value = None if at is None else row[at]
            kind = TABLES[table].column(column).kind
            found[column] = typed(kind, None if value == "" else value, self.zone)
        return found


def typed(kind: str, value: Any, zone: ZoneInfo) -> Any:  # noqa: ANN401
    """Bring a value to a column's kind; times in milliseconds, days as text."""
    if value is None:
        return None
    if kind == "flag" and isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    if kind == "time":
        return moment(value, zone)
    if kind == "date" and isinstance(value, int):
        return day_text(value, zone)
    if kind in ("id", "text"):
        return word(value)
    return value


def moment(value: Any, zone: ZoneInfo) -> int | None:  # noqa: ANN401
    """Milliseconds of a time, or of the start of a day."""
    if isinstance(value, str):
        seconds = parse_time(value) if "T" in value else start_of(value, zone)
        return None if seconds is None else seconds * 1_000
    return None if value is None else int(value) * 1_000


def word(value: Any) -> str:  # noqa: ANN401
    """Write a value as a text: ``12.0`` as ``12``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value)


class Money:
    """Turns amounts into the corporate currency."""

    def __init__(self, state: State) -> None:
        self.on = state.multi_currency and state.has("CurrencyType")
        self.dated: dict[str, list[tuple[str, str, float]]] = {}
        self.plain: dict[str, float] = {}
        self.known: dict[tuple[str, str | None], float | None] = {}
        at = KINDS["CurrencyType"].at
        self.rows = state.live("CurrencyType") if self.on else []
        self.home = next((r[at["IsoCode"]] for r in self.rows if r[at["IsCorporate"]]), None)
        for row in self.rows:
            self.plain[row[at["IsoCode"]]] = row[at["ConversionRate"]]
        if state.has("DatedConversionRate"):
            at = KINDS["DatedConversionRate"].at
            names = ("StartDate", "NextStartDate", "ConversionRate")
            for row in state.live("DatedConversionRate"):
                span = tuple(row[at[name]] for name in names)
                self.dated.setdefault(row[at["IsoCode"]], []).append(span)

    def home_amount(self, amount: float | None, code: str | None, day: str | None) -> float | None:
        """Divide by the rate of the day; missing if there is none."""
        if amount is None or not self.on or code is None or code == self.home:
            return amount
        if (code, day) not in self.known:
            self.known[code, day] = self._rate(code, day)
        rate = self.known[code, day]
        return amount / rate if rate else None

    def _rate(self, code: str, day: str | None) -> float | None:
        if not self.dated:
            return self.plain.get(code)
        return next((r for a, b, r in self.dated.get(code, ()) if day and a <= day < b), None)

    def rates(self) -> list[dict[str, Any]]:
        """Rows of the table ``rates``."""
        spans = [(code, a, r) for code, rows in self.dated.items() for a, _, r in rows]
        if not spans and self.on:
            at = KINDS["CurrencyType"].at
            spans = [
                (r[at["IsoCode"]], "1970-01-01", r[at["ConversionRate"]])
                for r in self.rows
                if r[at["IsActive"]]
            ]
        return [
            {"currency": code, "from_date": start, "rate": 1 / rate}
            for code, start, rate in spans
            if code != self.home
        ]
