"""What counts: one `definitions.toml` says what a lead, an SQL or a win is, and in which calendar.

Grammar (every line is optional; a missing file means the defaults)::

    time_zone = "Europe/Berlin"          # IANA name; default UTC: where a day begins
    fiscal_year_start = 7                # month in which the fiscal year begins; default 1
    reporting_currency = "USD"           # default USD
    horizon_days = 365                   # age at which cohort rates are read; default: see KPIs
    pipelines = ["default"]              # pipelines that count; default: all

    [deal_types]                         # the CRM's words -> new, expansion or renewal
    "Existing Business" = "expansion"

    [count.mql]                          # lead, mql, sql or won: the first day on which
    table = "leads"                      # the column held one of these values, from history
    column = "stage_id"                  # where there is some
    in = ["marketingqualifiedlead"]
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kpi.tables import DEAL_TYPES, TABLES, TableError

COUNTED = ("lead", "mql", "sql", "won")


@dataclass(frozen=True)
class Count:
    """What counts as something: the first day `column` of `table` held one of `values`."""

    table: str
    column: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.table}.{self.column} in {list(self.values)}"


@dataclass(frozen=True)
class Definitions:
    """The settings under which numbers are computed; immutable, so a number can name its version.

    Examples
    --------
    >>> Definitions.from_text('fiscal_year_start = 7').fiscal_year_start
    7
    >>> Definitions.from_text('fiscal_yaer_start = 7')
    Traceback (most recent call last):
    kpi.tables.TableError: definitions: unknown setting 'fiscal_yaer_start'; expected one of [...]
    """

    time_zone: str = "UTC"
    fiscal_year_start: int = 1
    reporting_currency: str = "USD"
    horizon_days: int | None = None
    pipelines: tuple[str, ...] = ()
    deal_types: Mapping[str, str] = field(default_factory=dict)
    count: Mapping[str, Count] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse settings that no number could rest on."""
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError, TypeError, AttributeError) as error:
            raise TableError(
                f"definitions: no time zone {self.time_zone!r}; expected a name like 'Europe/Berlin'"
            ) from error
        _expect(
            isinstance(self.reporting_currency, str) and self.reporting_currency != "",
            f"reporting_currency = {self.reporting_currency!r}; expected a code such as 'USD'",
        )
        _expect(
            type(self.fiscal_year_start) is int and 1 <= self.fiscal_year_start <= 12,
            f"fiscal_year_start = {self.fiscal_year_start!r}; expected a month, 1 to 12",
        )
        _expect(
            self.horizon_days is None or (type(self.horizon_days) is int and self.horizon_days > 0),
            f"horizon_days = {self.horizon_days!r}; expected a whole number of days above 0",
        )
        for word, kind in self.deal_types.items():
            _expect(
                kind in DEAL_TYPES,
                f"deal_types: {word!r} = {kind!r}; expected one of {DEAL_TYPES}",
            )
        for name, table in (("lead", "leads"), ("won", "deals")):
            given = self.count[name].table if name in self.count else table
            _expect(given == table, f"count.{name}: table = {given!r}; expected {table}")

    @classmethod
    def read(cls, path: str | Path) -> "Definitions":
        """Read a `definitions.toml`.

        Raises
        ------
        TableError
            If a setting is unknown or holds what it cannot; the message names it.
        """
        return cls.from_text(Path(path).read_text(encoding="utf-8-sig"))

    @classmethod
    def from_text(cls, text: str) -> "Definitions":
        """Read the text of a `definitions.toml`."""
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise TableError(f"definitions: not valid TOML: {error}") from error
        known = [f.name for f in fields(cls)]
        for name in raw:
            _expect(name in known, f"unknown setting {name!r}; expected one of {known}")
        settings: dict[str, Any] = dict(raw)
        if "pipelines" in raw:
            _expect(isinstance(raw["pipelines"], list), "pipelines: expected a list of ids")
            settings["pipelines"] = tuple(str(p) for p in raw["pipelines"])
        for name in ("deal_types", "count"):
            _expect(isinstance(raw.get(name, {}), dict), f"{name}: expected a table, [{name}]")
        if "count" in raw:
            settings["count"] = {name: _count(name, raw["count"][name]) for name in raw["count"]}
        return cls(**settings)

    @property
    def version(self) -> str:
        """Eight letters that change with any setting: printed beside numbers."""
        return hashlib.sha256(self.to_toml().encode()).hexdigest()[:8]

    def to_toml(self) -> str:
        """Write the settings in the grammar of the file, in a fixed order.

        >>> print(Definitions(fiscal_year_start=7).to_toml())
        time_zone = "UTC"
        fiscal_year_start = 7
        reporting_currency = "USD"
        """
        lines = [
            f"time_zone = {_quote(self.time_zone)}",
            f"fiscal_year_start = {self.fiscal_year_start}",
            f"reporting_currency = {_quote(self.reporting_currency)}",
        ]
        if self.horizon_days is not None:
            lines.append(f"horizon_days = {self.horizon_days}")
        if self.pipelines:
            lines.append(f"pipelines = {_quote_all(self.pipelines)}")
        if self.deal_types:
            lines += ["", "[deal_types]"]
            lines += [f"{_quote(w)} = {_quote(k)}" for w, k in sorted(self.deal_types.items())]
        for name, count in sorted(self.count.items()):
            lines += ["", f"[count.{name}]", f"table = {_quote(count.table)}"]
            lines += [f"column = {_quote(count.column)}", f"in = {_quote_all(count.values)}"]
        return "\n".join(lines)

    def midnight(self, day: date) -> int:
        """UTC seconds at which `day` begins in the company's time zone.

        >>> from datetime import date
        >>> Definitions(time_zone="Europe/Berlin").midnight(date(1970, 1, 2))
        82800
        """
        zone = ZoneInfo(self.time_zone)
        return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def _count(name: str, raw: object) -> Count:
    where = f"count.{name}"
    _expect(name in COUNTED, f"{where}: expected one of {[f'count.{c}' for c in COUNTED]}")
    _expect(
        isinstance(raw, dict) and set(raw) == {"table", "column", "in"},
        f"{where}: expected exactly table, column and in",
    )
    assert isinstance(raw, dict)
    table, column, values = raw["table"], raw["column"], raw["in"]
    _expect(table in ("leads", "deals"), f"{where}: table = {table!r}; expected leads or deals")
    _expect(
        column in TABLES[table].names,
        f"{where}: {table} has no column {column!r}; it has {TABLES[table].names}",
    )
    _expect(
        isinstance(values, list) and len(values) > 0,
        f"{where}: in = {values!r}; expected a list of values",
    )
    return Count(table, column, tuple(str(v) for v in values))


def _expect(holds: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise TableError(f"definitions: {message}")


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return (
        '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'
    )


def _quote_all(values: tuple[str, ...]) -> str:
    return "[" + ", ".join(_quote(v) for v in values) + "]"
