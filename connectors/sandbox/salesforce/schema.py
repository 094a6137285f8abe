"""Objects of an org and their fields, read from the lines of `fields_sales` and `fields_people`."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from connectors.sandbox.salesforce.fields_people import PEOPLE
from connectors.sandbox.salesforce.fields_sales import SALES

Row = list[Any]

AUDIT = """CreatedDate datetime d
CreatedById reference d >User:CreatedBy
LastModifiedDate datetime d
LastModifiedById reference d >User:LastModifiedBy
SystemModstamp datetime d"""
LINE = re.compile(
    r"(\w+) (\w+)(?:\(([\d,]+)\))? ([ncuNdpxk-]+)(?: >([\w|]+)(?::(\w+))?)?(?: @(\w+))?"
)
PREFIX = {
    "Opportunity": "006", "Lead": "00Q", "OpportunityHistory": "008", "Account": "001",
    "OpportunityFieldHistory": "017", "LeadHistory": "01i", "OpportunityStage": "01J",
    "LeadStatus": "01K", "OpportunityLineItem": "00k", "Contact": "003", "Event": "00U",
    "User": "005", "UserRole": "00E", "Group": "00G", "Product2": "01t", "RecordType": "012",
    "Organization": "00D", "CurrencyType": "01L", "DatedConversionRate": "04w",
}  # fmt: skip
BY_PREFIX = {prefix: name for name, prefix in PREFIX.items()}
TEXTS = {"string", "picklist", "textarea", "phone", "email", "url", "combobox", "anyType"}


@dataclass(frozen=True)
class Field:
    """One field: its place in a row, its type and what may be done with it."""

    name: str
    at: int
    type: str
    size: str
    flags: str
    refers: tuple[str, ...]
    relation: str | None
    compound: str | None

    @property
    def filterable(self) -> bool:
        """Whether a query may filter by it (and, here, sort by it)."""
        return "x" not in self.flags

    @property
    def missing(self) -> object:
        """What a row holds if nobody said otherwise."""
        return False if self.type == "boolean" else None


@dataclass(frozen=True)
class Kind:
    """One object: its name, the first letters of its ids, and its fields."""

    name: str
    prefix: str
    fields: tuple[Field, ...]

    @cached_property
    def by_word(self) -> dict[str, Field]:
        """Fields by their name in small letters: case does not matter."""
        return {f.name.lower(): f for f in self.fields}

    @cached_property
    def at(self) -> dict[str, int]:
        """Place of each field in a row."""
        return {f.name: f.at for f in self.fields}

    @cached_property
    def blank(self) -> Row:
        """Row in which nothing is said."""
        return [f.missing for f in self.fields]

    def row(self, values: dict[str, Any]) -> Row:
        """Make a row of named values; names the object has not are passed over."""
        made, at = self.blank.copy(), self.at
        for name, value in values.items():
            if name in at:
                made[at[name]] = value
        return made


def _kind(name: str, text: str) -> Kind:
    lines = text.replace("%audit", AUDIT).strip().splitlines()
    return Kind(name, PREFIX[name], tuple(_field(n, line) for n, line in enumerate(lines)))


def _field(at: int, line: str) -> Field:
    match = LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"not the line of a field: {line!r}")
    name, type_, size, flags, refers, relation, compound = match.groups()
    size = size or ("18" if type_ in ("id", "reference") else "")
    words = tuple(refers.split("|")) if refers else ()
    return Field(name, at, type_, size, flags, words, relation, compound)


KINDS: dict[str, Kind] = {name: _kind(name, text) for name, text in (SALES | PEOPLE).items()}
BY_WORD = {name.lower(): name for name in KINDS}
