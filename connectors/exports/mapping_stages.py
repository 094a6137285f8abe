"""The stages that a mapping lists: one `[[stages]]` each, in their order."""

from typing import Any

from connectors.errors import FileError
from connectors.exports.read_options import check_keys
from kpi.tables import OUTCOMES

STAGE_KEYS = ("object", "pipeline_id", "stage_id", "label", "outcome", "probability", "active")


def mapped_stages(raw: list[Any], where: str) -> tuple[dict[str, Any], ...]:
    """Check the stages and number them from 1 within their object and pipeline.

    Raises
    ------
    FileError
        If a stage has an unknown key, no id, an impossible value, or stands twice.

    Examples
    --------
    >>> mapped_stages([{"stage_id": "Demo"}, {"stage_id": "Won", "outcome": "won"}], "stages")[1]
    {'object': 'deal', 'stage_id': 'Won', 'outcome': 'won', 'position': 2}

    """
    stages: list[dict[str, Any]] = []
    for number, entry in enumerate(raw, start=1):
        stage = {"object": "deal", **check_keys(entry, STAGE_KEYS, f"{where} {number}")}
        _check_stage(stage, f"{where} {number}")
        before = [s for s in stages if _pipeline(s) == _pipeline(stage)]
        if any(s["stage_id"] == stage["stage_id"] for s in before):
            raise FileError(f"{where} {number}: stage {stage['stage_id']!r} stands twice")
        stages.append({**stage, "position": len(before) + 1})
    return tuple(stages)


def _pipeline(stage: dict[str, Any]) -> tuple[str, str | None]:
    return stage["object"], stage.get("pipeline_id")


def _check_stage(stage: dict[str, Any], where: str) -> None:
    texts = [stage.get(key, "-") for key in ("pipeline_id", "label")]
    name, chance = stage.get("stage_id"), stage.get("probability", 0)
    if not all(isinstance(text, str) and text for text in (*texts, name)):
        raise FileError(f"{where}: stage_id, label and pipeline_id are texts in quotes")
    if stage["object"] not in ("deal", "lead"):
        raise FileError(f"{where}: object = {stage['object']!r}; expected 'deal' or 'lead'")
    if stage.get("outcome", "open") not in OUTCOMES:
        raise FileError(f"{where}: outcome = {stage['outcome']!r}; expected one of {OUTCOMES}")
    if isinstance(chance, bool) or not isinstance(chance, int | float) or not 0 <= chance <= 1:
        raise FileError(f"{where}: probability = {chance!r}; expected 0 to 1")
    if not isinstance(stage.get("active", True), bool):
        raise FileError(f"{where}: active = {stage['active']!r}; expected true or false")
