"""What an org holds: tables, settings, a clock, and the lock that guards them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import RLock
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

from connectors.sandbox.salesforce.schema import KINDS, Field, Kind, Row
from connectors.sandbox.salesforce.tables import Table
from connectors.sandbox.salesforce.wire import record_id

VERSION = "66.0"
ADMIN = record_id("005", 1)
BY = {"CreatedById": ADMIN, "LastModifiedById": ADMIN}


@dataclass
class State:
    """Everything a Salesforce org holds.

    Times are whole seconds since 1970, UTC. Whoever reads or changes it from several threads holds
    `lock`. With `fixed_now` the clock moves only when told. `hidden` names fields that the user may
    not read, by object; `without` objects. `late` is how many seconds, at most, pass until a
    change is seen.
    """

    multi_currency: bool = True
    dated_rates: bool = True
    record_types: bool = False
    lead_history: bool = True
    time_zone: str = "America/New_York"
    corporate: str = "USD"
    instance_url: str = "https://sandbox.my.salesforce.com"
    fixed_now: int | None = None
    offset: int = 0
    late: int = 0
    hidden: dict[str, set[str]] = field(default_factory=dict)
    without: set[str] = field(default_factory=set)
    custom: set[str] = field(default_factory=set)
    not_in_bulk: set[str] = field(default_factory=set)
    deleted_stages: dict[str, list[Row]] = field(
        default_factory=lambda: {"OpportunityStage": [], "LeadStatus": []}
    )
    latest: dict[str, str] = field(default_factory=dict, repr=False)
    left_out: dict[str, int] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock, repr=False)
    tables: dict[str, Table] = field(
        default_factory=lambda: {name: Table(kind) for name, kind in KINDS.items()}
    )

    # the clock

    @property
    def now(self) -> int:
        """The org's time, in whole seconds since 1970."""
        base = int(time.time()) if self.fixed_now is None else self.fixed_now
        return base + self.offset

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.offset += round(seconds)

    @property
    def zone(self) -> ZoneInfo:
        """The org's time zone."""
        return ZoneInfo(self.time_zone)

    # what can be read

    def has(self, name: str) -> bool:
        """Whether the org has an object, and its user may read it."""
        absent = {
            "CurrencyType": not self.multi_currency,
            "DatedConversionRate": not (self.multi_currency and self.dated_rates),
            "RecordType": not self.record_types,
            "LeadHistory": not self.lead_history,
        }
        return name in KINDS and name not in self.without and not absent.get(name, False)

    def shows(self, kind: Kind, field: Field) -> bool:
        """Whether the org has a field, and its user may read it."""
        if field.name in self.hidden.get(kind.name, ()):
            return False
        if field.name == "CurrencyIsoCode":
            return self.multi_currency
        if field.name == "RecordTypeId":
            return self.record_types
        if field.name == "PushCount":
            return False
        return not field.name.endswith("__c") or f"{kind.name}.{field.name}" in self.custom

    def fields(self, name: str) -> list[Field]:
        """Fields of an object that can be read."""
        kind = KINDS[name]
        return [f for f in kind.fields if self.shows(kind, f)]

    # rows

    def value(self, name: str, row: Row, column: str) -> Any:  # noqa: ANN401 - any field
        """What a user who may read the field finds there; None if it is hidden or not there."""
        kind = KINDS[name]
        field = kind.by_word.get(column.lower())
        return row[field.at] if field and self.has(name) and self.shows(kind, field) else None

    def new_id(self, name: str) -> str:
        """Id for a new row, above all there are."""
        table = self.tables[name]
        table.last += 1
        return record_id(KINDS[name].prefix, table.last)

    def add(self, name: str, values: Mapping[str, Any], *, late_as: str = "") -> Row:
        """Enter a row; id, who and when are filled in where they are not given."""
        kind, now = KINDS[name], self.now
        given = dict(values)
        if "Id" not in given:
            given["Id"] = self.new_id(name)
        created = given.setdefault("CreatedDate", now)
        row = kind.row({"LastModifiedDate": created, "SystemModstamp": created, **BY, **given})
        self.tables[name].put(row, now, self.lateness(late_as or given["Id"]))
        if name == "OpportunityHistory":
            self.latest[given["OpportunityId"]] = given["Id"]
        return row

    def write(self, name: str, record_id: str, values: Mapping[str, Any]) -> Row:
        """Give a row new values, exactly these: who and when move only if they are among them.

        Raises
        ------
        KeyError
            If there is no such row.
        """
        table, late = self.tables[name], self.lateness(record_id)
        row = list(table.rows[record_id])
        for column, value in values.items():
            row[table.kind.at[column]] = value
        table.put(row, self.now, late)
        return row

    def lateness(self, record_id: str) -> int:
        """Seconds until a change of a record made now is seen."""
        if not self.late:
            return 0
        return crc32(f"{record_id}{self.now}".encode()) % (self.late + 1)

    def live(self, name: str) -> list[Row]:
        """Rows that are not deleted."""
        table = self.tables[name]
        at = table.kind.at.get("IsDeleted")
        return [r for r in table.rows.values() if at is None or not r[at]]
