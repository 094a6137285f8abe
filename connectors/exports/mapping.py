"""The mapping of a foreign export: which file and column fills which canonical column.

A mapping is one small TOML file, checked in full before any export is opened::

    as_of = 2026-10-31                     # day the export was made
    window_start = 2024-01-01              # closed deals are complete from this day on (optional)

    [definitions]                          # the grammar of definitions.toml (optional)
    time_zone = "Europe/Paris"

    [read]                                 # how the files write things: connectors/read_options.py
    delimiter = ";"

    [[stages]]                             # one per stage, first to last
    stage_id = "Demo"                      # also: object ("deal"), pipeline_id, label,
    outcome = "open"                       # probability (0 to 1), active

    [deals]
    file = "Affaires.csv"                  # inside the folder
    read = {decimal = ","}                 # this file only
    only = {Deleted = ["no"]}              # keep rows whose source column holds one of these
    columns = {deal_id = "Id", stage_id = "Phase", amount = "Montant"}
    constants = {currency = "EUR"}
    scale = {amount = 1000}                # multiply numbers
    values.stage_id = {"Démo" = "Demo"}    # source value = canonical value; "" means missing,
                                           # "*" is any value not named
    [deals.lookup.product]                 # look the value up in another file
    file = "products.csv"
    key = "name"                           # value = "family" takes that column instead
    spelling = {GTXPro = "GTX Pro"}        # corrections made before looking up

    [history.from_dates]                   # deal stage = date column of the deals file
    Demo = "Date entered Demo"
    Won = {column = "Closed", only = {Phase = ["Won"]}}

    [history.from_lead_dates]              # the same for leads

Within a column the order is: source, `spelling`, `lookup`, `values`, `scale`.
"""

import tomllib
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from connectors.errors import FileError
from connectors.exports.mapping_definitions import mapped_definitions
from connectors.exports.mapping_stages import mapped_stages
from connectors.exports.mapping_table import (
    TABLE_KEYS,
    StageDate,
    TablePlan,
    stage_dates,
    table_plan,
)
from connectors.exports.read_options import ReadOptions, check_keys, meant, read_options
from kpi.definitions import Definitions
from kpi.tables import TABLES


@dataclass(frozen=True)
class Mapping:
    """A whole mapping file, checked."""

    name: str
    as_of: date | None
    window_start: date | None
    definitions: Definitions | None
    stages: tuple[Dict[str, Any], ...]
    tables: Dict[str, TablePlan]
    dates: Dict[str, tuple[StageDate, ...]]  # by object: deal, lead


DATE_KEYS = {"from_dates": "deal", "from_lead_dates": "lead"}
TOP_KEYS = ("as_of", "window_start", "definitions", "read", *TABLES)


def read_mapping(path: str | Path) -> Mapping:
    """Read and check a mapping file.

    Raises
    ------
    FileError
        If there is no such file, it is not TOML, or it says what no mapping can mean.

    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FileError(f"mapping {path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise FileError(f"mapping {path.name}: not UTF-8 text; save it as UTF-8") from error
    return mapping_from_text(text, name=path.name)


def mapping_from_text(text: str, *, name: str = "mapping.toml") -> Mapping:
    r"""Check the text of a mapping; `name` stands in messages.

    Examples
    --------
    >>> mapping = mapping_from_text('[deals]\nfile = "d.csv"\ncolumns = {deal_id = "Id"}')
    >>> mapping.tables["deals"].columns
    {'deal_id': 'Id'}

    """
    where = f"mapping {name}"
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FileError(
            f"{where}: not valid TOML: {error}; names with spaces or accents go in quotes"
        ) from error
    check_keys(raw, TOP_KEYS, where)
    base = read_options(raw.get("read", {}), ReadOptions(), f"{where}, [read]")
    listed = isinstance(raw.get("stages"), list)
    stages = mapped_stages(raw["stages"], f"{where}, [[stages]]") if listed else ()
    tables, dates = _tables(raw, base, where)
    _check_dates(dates, stages, tables, f"{where}, [history]")
    if not tables and not stages:
        raise FileError(f"{where}: fills no table; expected one of {list(TABLES)}")
    as_of, start = _day(raw, "as_of", where), _day(raw, "window_start", where)
    if as_of and start and start > as_of:
        raise FileError(f"{where}: window_start {start} lies after as_of {as_of}")
    definitions = mapped_definitions(raw.get("definitions"), f"{where}, [definitions]")
    return Mapping(name, as_of, start, definitions, stages, tables, dates)


def _tables(
    raw: dict[str, Any], base: ReadOptions, where: str
) -> tuple[dict[str, TablePlan], dict[str, tuple[StageDate, ...]]]:
    plans: dict[str, TablePlan] = {}
    dates: dict[str, tuple[StageDate, ...]] = {}
    for name in [n for n in TABLES if n in raw and not isinstance(raw[n], list)]:
        here = f"{where}, [{name}]"
        more = tuple(DATE_KEYS) if name == "history" else ()
        entry = check_keys(raw[name], (*TABLE_KEYS, *more), here)
        for key in [key for key in more if key in entry]:
            dates[DATE_KEYS[key]] = stage_dates(entry[key], f"{where}, [history.{key}]")
        if not set(entry) <= set(more):
            plans[name] = table_plan(TABLES[name], entry, base, here)
    return plans, dates


def _check_dates(
    dates: dict[str, tuple[StageDate, ...]],
    stages: tuple[Dict[str, Any], ...],
    tables: dict[str, TablePlan],
    where: str,
) -> None:
    for kind, entries in dates.items():
        if f"{kind}s" not in tables:
            raise FileError(f"{where}: dates of {kind}s need a [{kind}s] table in the mapping")
        known = [stage["stage_id"] for stage in stages if stage["object"] == kind]
        unknown = [e.stage_id for e in entries if known and e.stage_id not in known]
        if unknown:
            hint = meant(unknown[0], known)
            raise FileError(f"{where}: {unknown[0]!r} is not among the stages{hint} Known: {known}")


def _day(raw: dict[str, Any], key: str, where: str) -> date | None:
    value = raw.get(key)
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError as error:
            raise FileError(f"{where}: {key} = {value!r}; expected a day, 2026-10-31") from error
    if value is not None and (isinstance(value, datetime) or not isinstance(value, date)):
        raise FileError(f"{where}: {key} = {value!r}; expected a day, 2026-10-31")
    return value
