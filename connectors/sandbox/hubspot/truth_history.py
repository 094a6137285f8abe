"""Rows of the table ``history``: what changed at one moment makes one row."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from connectors.sandbox.hubspot.shelf import Entry, Record
from connectors.sandbox.hubspot.state import State
from connectors.sandbox.hubspot.wire import day_in, parse_time

Row = dict[str, Any]


def changes(leads: Iterable[Record], *, by_object: bool) -> Iterator[Row]:
    """Changes of leads: stage, owner, and of contacts the lead status."""
    for record in leads:
        if by_object:
            taken = {"stage_id": "hs_pipeline_stage", "pipeline_id": "hs_pipeline"}
        else:
            taken = {"stage_id": "lifecyclestage", "status": "hs_lead_status"}
        rows = _collect(record, taken | {"owner_id": "hubspot_owner_id"})
        pipes = record.entries("hs_pipeline") if by_object else ((0, "lifecyclestage", ""),)
        _carry(rows, pipes)
        yield from _named("lead", record, rows)


def deal_changes(account: State, zone: ZoneInfo) -> Iterator[Row]:
    """Changes of deals, with the stages that only the stage dates still know."""
    pipeline_of = {s.id: p.id for p in account.pipelines["deals"] for s in p.stages}
    taken = {
        "stage_id": "dealstage",
        "pipeline_id": "pipeline",
        "amount": "amount_in_home_currency",
        "close_date": "closedate",
        "owner_id": "hubspot_owner_id",
    }
    for record in account.shelves["deals"].records():
        rows = _collect(record, taken)
        for row in rows.values():
            if "close_date" in row:
                row["close_date"] = day_in(parse_time(row["close_date"]) or 0, zone)
        _carry(rows, record.entries("pipeline"))
        made = list(_named("deal", record, rows))
        told = {value for _, value, _ in record.entries("dealstage")}
        lost = {s: t for s, t in record.entered.items() if s not in told and s in pipeline_of}
        for stage, moment in lost.items():
            extra = {"stage_id": stage, "pipeline_id": pipeline_of[stage]}
            made += _named("deal", record, {moment: extra})
        yield from made


def _collect(record: Record, taken: dict[str, str]) -> dict[int, Row]:
    rows: dict[int, Row] = {}
    for column, name in taken.items():
        for moment, value, _ in record.entries(name):
            if value:
                rows.setdefault(moment, {})[column] = value
    return rows


def _carry(rows: dict[int, Row], pipes: Sequence[Entry]) -> None:
    """Tell the pipeline, as it stood, wherever a stage is told."""
    for moment, row in rows.items():
        if "stage_id" in row and "pipeline_id" not in row:
            stood = [value for t, value, _ in pipes if t <= moment]
            if stood and stood[-1]:
                row["pipeline_id"] = stood[-1]


def _named(what: str, record: Record, rows: dict[int, Row]) -> Iterator[Row]:
    for moment, row in sorted(rows.items()):
        yield {"object": what, "record_id": str(record.id), "changed_at": moment, **row}
