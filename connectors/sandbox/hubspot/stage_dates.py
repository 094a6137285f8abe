"""The ``hs_v2_`` family: dates on which a record entered and left each stage.

Their names cannot be derived from the stage's id alone, and they hold one time a stage: a deal that
came back to a stage shows its last entry only.
"""

from collections.abc import Sequence

from connectors.sandbox.hubspot.pipelines import Pipeline
from connectors.sandbox.hubspot.schema import LIFECYCLE
from connectors.sandbox.hubspot.shelf import Record
from connectors.sandbox.hubspot.wire import iso

STAGE_PROPERTY = {
    "deals": "dealstage",
    "leads": "hs_pipeline_stage",
    "contacts": "lifecyclestage",
}
FAMILIES = {
    "date_entered": "Date entered",
    "date_exited": "Date exited",
    "latest_time_in": "Latest time in",
    "cumulative_time_in": "Cumulative time in",
}


CURRENT = ("hs_v2_date_entered_current_stage", "hs_v2_time_in_current_stage")


def suffixes(kind: str, pipelines: Sequence[Pipeline]) -> dict[str, str]:
    """Ending of the properties' names by stage id."""
    if kind == "contacts":
        return {value: value for value, _, _ in LIFECYCLE}
    return {stage.id: stage.suffix for pipeline in pipelines for stage in pipeline.stages}


def names(kind: str, pipelines: Sequence[Pipeline]) -> dict[str, str]:
    """Names and labels of the properties; the label tells the stage and its pipeline."""
    if kind == "contacts":
        rows = [(value, f"{text} (Lifecycle Stage Pipeline)") for value, text, _ in LIFECYCLE]
    elif kind in STAGE_PROPERTY:
        rows = [(s.suffix, f"{s.label} ({p.label})") for p in pipelines for s in p.stages]
    else:
        return {}
    return {
        f"hs_v2_{family}_{suffix}": f'{words} "{text}"'
        for suffix, text in rows
        for family, words in FAMILIES.items()
    }


def values(kind: str, record: Record, known: dict[str, str], now: int) -> dict[str, str]:
    """Dates and durations (milliseconds) of the stages a record was in."""
    entered, left, total = dict(record.entered), dict[str, int](), dict[str, int]()
    stage, since = None, 0
    for moment, value, _ in record.entries(STAGE_PROPERTY[kind]):
        if value == stage:
            continue
        if stage:
            left[stage] = moment
            total[stage] = total.get(stage, 0) + moment - since
        if value:
            entered[value] = moment
        stage, since = value, moment
    found: dict[str, str] = {}
    for value in entered.keys() & known.keys():
        moment, end, suffix = entered[value], left.get(value, now), known[value]
        spent = max(end - moment, 0)
        found[f"hs_v2_date_entered_{suffix}"] = iso(moment)
        found[f"hs_v2_latest_time_in_{suffix}"] = str(spent)
        found[f"hs_v2_cumulative_time_in_{suffix}"] = str(total.get(value, spent))
        if value in left:
            found[f"hs_v2_date_exited_{suffix}"] = iso(left[value])
    if stage and kind == "deals":
        found |= dict.fromkeys(CURRENT, iso(since))
    return found
