"""Rows of the table ``stages``."""

from collections.abc import Iterator
from typing import Any

from connectors.sandbox.hubspot.pipelines import Stage
from connectors.sandbox.hubspot.schema import LIFECYCLE
from connectors.sandbox.hubspot.state import State

Row = dict[str, Any]


def stage_rows(account: State, *, leads: bool, tombstones: bool) -> Iterator[Row]:
    """Stages of deals, and of leads or of the contacts' life cycle."""
    kinds = {"deals": "deal", "leads": "lead"} if leads else {"deals": "deal"}
    for kind, what in kinds.items():
        for pipeline in account.pipelines[kind]:
            for stage in pipeline.stages:
                yield _row(what, pipeline.id, stage)
    if not leads:
        yield from _life_cycle()
    for kind, pipeline_id, stage in account.tombstones if tombstones else ():
        if kind in kinds:
            yield _row(kinds[kind], pipeline_id, stage) | {"active": False}


def _row(what: str, pipeline_id: str, stage: Stage) -> Row:
    probability = None if stage.probability is None else float(stage.probability)
    return {
        "object": what,
        "pipeline_id": pipeline_id,
        "stage_id": stage.id,
        "label": stage.label,
        "position": stage.position,
        "outcome": _deal(stage, probability) if what == "deal" else _lead(stage, probability),
        "probability": probability,
        "active": True,
    }


def _deal(stage: Stage, probability: float | None) -> str:
    if not stage.closed:
        return "open"
    return "won" if probability == 1 else "lost"


def _lead(stage: Stage, probability: float | None) -> str:
    words = f"{stage.lead_state} {stage.label}".upper()
    out = "UNQUALIFIED" in words or stage.id == "unqualified-stage-id"
    return "lost" if out or (stage.closed and probability == 0) else "open"


def _life_cycle() -> Iterator[Row]:
    for position, (value, label, hidden) in enumerate(LIFECYCLE):
        yield {
            "object": "lead",
            "pipeline_id": "lifecyclestage",
            "stage_id": value,
            "label": label,
            "position": position,
            "outcome": "open",
            "active": not hidden,
        }
