"""From what a user asks (period, stage, filters, options) to one cell of one KPI."""

import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, cast

import narwhals as nw

from kpi.catalogue import KPIS
from kpi.engine import collect
from kpi.filters import id_column
from kpi.periods import MONTHS, Every, as_date, month_start, period_start
from kpi.snapshot import Snapshot
from kpi.tables import TABLES, TableError
from kpi.tracing import WRITERS
from kpi.tracing.ask import Ask

LABEL = re.compile(r"(?P<year>\d{4})(?:-(?:Q(?P<quarter>[1-4])|(?P<month>0[1-9]|1[0-2])))?")
CUTS = ("by", "every", "level")
ENDS = ("won", "lost")


@dataclass(frozen=True)
class Cell:
    """One cell: the narrowed snapshot, the question in terms of SQL, and how the KPI is asked for it."""

    snapshot: Snapshot
    ask: Ask
    options: Mapping[str, Any]
    every: Every | None
    stage: Mapping[str, Any]
    said: Mapping[str, object] = field(default_factory=dict)


def asked(
    snapshot: Snapshot,
    name: str,
    *,
    period: str | None,
    since: date | str | None,
    until: date | str | None,
    stage: str | None,
    given: Mapping[str, Any],
) -> Cell:
    """Sort what was given into options and filters, and find the cell."""
    takes = inspect.signature(KPIS[name]).parameters
    options = {key: value for key, value in given.items() if key in takes}
    _refuse(name, options)
    rest = {key: value for key, value in given.items() if key not in takes}
    to = rest.pop("to", None) if WRITERS[name].row == "move" else None
    month = rest.pop("month", None) if WRITERS[name].row == "month" else None
    within: dict[str, tuple[str, ...]] = {}
    if WRITERS[name].about == "customer":
        within = {id_column(k): _several(v) for k, v in rest.items() if id_column(k) in _accounts()}
        rest = {k: v for k, v in rest.items() if id_column(k) not in within}
    every, first, last = _span(snapshot, name, period, since, until)
    if WRITERS[name].begins and first is not None and last is not None and last < snapshot.as_of:
        snapshot = snapshot.at(first - timedelta(days=1))
    seller = _seller(snapshot, name, rest)
    narrowed = snapshot.where(**rest) if rest else snapshot
    defaults = {key: p.default for key, p in takes.items() if key not in ("snapshot", *CUTS)}
    if "since" in takes and (since is not None or until is not None):
        first = as_date(since) if since is not None else None
        options |= {"since": since, "until": until}
    filters, by_lead = _filters(narrowed)
    ask = Ask(
        as_of=narrowed.as_of,
        window_start=narrowed.window_start,
        definitions=narrowed.definitions,
        present=narrowed.present,
        filters=filters,
        by_lead=by_lead,
        options=defaults | options,
        since=first,
        until=last,
        within=within,
        month=month,
    )
    row = _stage(narrowed, name, stage, rest.get("pipeline"))
    if row:
        ask = replace(ask, stage=(str(row["funnel"]), cast("int", row["rank"])))
    if seller:
        row = seller
        ask = replace(ask, seller=(seller["owner_id"], seller["indicator"]))
    if WRITERS[name].row == "move":
        goes_to, row = _move(narrowed, name, row, to)
        ask = replace(ask, to=goes_to)
    said = (
        {"period": period, "since": since, "until": until, "stage": stage, "to": to, "month": month}
        | within
        | dict(seller)
        | options
    )
    said = {key: value for key, value in said.items() if value is not None or key in options}
    return Cell(narrowed, ask, options, every, row, said)


def _refuse(name: str, options: Mapping[str, object]) -> None:
    for key in options:
        if key in CUTS:
            raise TableError(
                f"trace: {key} does not narrow to one number; name the value, such as "
                "source='event', or period='2026-03'"
            )
        if key not in WRITERS[name].options:
            raise TableError(
                f"trace: {name} has no SQL for {key}; it has for {list(WRITERS[name].options)}"
            )


def _accounts() -> list[str]:
    return TABLES["accounts"].names


def _several(value: object) -> tuple[str, ...]:
    many = isinstance(value, Iterable) and not isinstance(value, str)
    return tuple(str(v) for v in cast("Iterable[object]", value)) if many else (str(value),)


def _span(
    snapshot: Snapshot,
    name: str,
    period: str | None,
    since: date | str | None,
    until: date | str | None,
) -> tuple[Every | None, date | None, date | None]:
    """Length, first and last day of the cell."""
    if WRITERS[name].stock and any(day is not None for day in (period, since, until)):
        raise TableError(f"trace: {name} is a stock; take it from snapshot.at(the day) instead")
    if period is not None and (since is not None or until is not None):
        raise TableError("trace: say either period or since and until")
    if since is not None or until is not None:
        first = as_date(since) if since is not None else date(1970, 1, 1)
        return None, first, as_date(until) if until is not None else snapshot.as_of
    always = WRITERS[name].every
    start = snapshot.definitions.fiscal_year_start
    if period is not None:
        every, first = _labelled(period, start)
    elif always is not None:
        ended = month_start(snapshot.as_of + timedelta(days=1), -MONTHS[always])
        every, first = always, period_start(ended, always, start)
    else:
        return None, None, None
    return every, first, month_start(first, MONTHS[every]) - timedelta(days=1)


def _labelled(period: str, start: int) -> tuple[Every, date]:
    found = LABEL.fullmatch(period.strip())
    if found is None:
        raise TableError(f"period={period!r}; expected one like '2026-03', '2026-Q1' or '2026'")
    year = int(found["year"])
    if found["month"]:
        return "month", date(year, int(found["month"]), 1)
    if found["quarter"]:
        return "quarter", month_start(date(year, start, 1), 3 * (int(found["quarter"]) - 1))
    return "year", date(year, start, 1)


def _filters(snapshot: Snapshot) -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    """Columns a snapshot was narrowed by, and those by which deals follow their lead.

    `Snapshot.where` decides that by whether any deal fills the column at that point: so it is
    narrowed again, one column after the other.
    """
    columns = {id_column(name): values for name, values in snapshot.filters.items()}
    both = [c for c in columns if c in TABLES["leads"].names and c in TABLES["deals"].names]
    if not both:
        return columns, frozenset()
    point, by_lead = replace(snapshot, filters={}).at(snapshot.as_of), set()
    for name, values in columns.items():
        if name in both and not _filled(point, "deals", name) and _filled(point, "leads", name):
            by_lead.add(name)
        point = point.where(**{name: list(values)})
    return columns, frozenset(by_lead)


def _filled(snapshot: Snapshot, table: str, column: str) -> bool:
    held = snapshot.table(table).lazy().filter(~nw.col(column).is_null()).head(1)
    return len(collect(held.select(column))) > 0


def _stage(snapshot: Snapshot, name: str, stage: str | None, pipeline: object) -> Mapping[str, Any]:
    """Find the stage asked for: funnel, rank, pipeline_id, stage_id; empty for other KPIs."""
    if WRITERS[name].row not in ("stage", "move"):
        if stage is not None:
            raise TableError(f"trace: {name} has no row a stage; leave stage out")
        return {}
    snapshot.need("deals", "stages", of=name)
    stages = collect(snapshot.stages.lazy().filter(nw.col("object") == "deal"))
    stages = stages[stages["rank"].notna()]
    there = sorted(set(stages["stage_id"]))
    if stage is None:
        raise TableError(f"trace: {name} has one row a stage; say stage=..., one of {there}")
    found = stages[(stages["stage_id"] == stage) | (stages["label"] == stage)]
    if pipeline is not None:
        found = found[found["pipeline_id"] == pipeline]
    if found.empty:
        raise TableError(f"trace: no stage {stage!r}; expected one of {there}")
    if len(found) > 1:
        among = sorted(set(found["pipeline_id"].dropna()))
        raise TableError(f"trace: stage {stage!r} stands in {among}; say pipeline=... too")
    row = found.iloc[0]
    return {
        "funnel": str(row["funnel"]),
        "rank": int(row["rank"]),
        "pipeline_id": row["pipeline_id"],
        "stage_id": row["stage_id"],
    }


def _seller(snapshot: Snapshot, name: str, rest: dict[str, Any]) -> Mapping[str, str]:
    """Take the seller and the indicator asked for out of what was given; empty for other KPIs."""
    if WRITERS[name].row != "seller":
        return {}
    snapshot.need("deals", of=name)
    asked_for = {"owner_id": rest.pop("owner", None), "indicator": rest.pop("indicator", None)}
    listed = KPIS[name](snapshot)
    for column, value in asked_for.items():
        there = sorted(set(listed[column].dropna()))
        if value not in there:
            said = column.removesuffix("_id")
            raise TableError(
                f"trace: {name} has one row a seller and indicator; say {said}=..., one of {there}"
            )
    return asked_for


def _move(
    snapshot: Snapshot, name: str, stage: Mapping[str, Any], to: object
) -> tuple[int | str, Mapping[str, Any]]:
    """Where a move from a stage leads (the rank of an open stage, or an end), and its row in the KPI."""
    stages = collect(snapshot.stages.lazy().filter(nw.col("object") == "deal"))
    stages = stages[(stages["outcome"] == "open") & (stages["funnel"] == stage["funnel"])]
    others = stages[stages["rank"] != stage["rank"]]
    found = others[(others["stage_id"] == to) | (others["label"] == to)]
    if found.empty and to not in ENDS:
        there = [*others.sort_values("rank")["stage_id"], *ENDS]
        raise TableError(f"trace: {name} has one row a move; say to=..., one of {there}")
    row = {key: stage[key] for key in ("funnel", "rank", "pipeline_id")}
    row |= {"from_stage": stage["stage_id"]}
    if found.empty:
        return str(to), row | {"to_stage": to}
    return int(found["rank"].iloc[0]), row | {"to_stage": found["stage_id"].iloc[0]}
