"""What does not agree within the account: listed, while the record is kept as it is."""

from collections.abc import Iterable

import pandas as pd

from connectors.hubspot.records.columns import Record, live
from connectors.hubspot.records.history import values_over_time
from connectors.hubspot.records.stages import StageDates
from connectors.hubspot.records.values import iso, moment
from kpi.conform import no_problems, problem_rows

TOLERANCE = 60 * 1_000_000
Found = tuple[int, str, str]


def reconcile(raw: Iterable[Record], stages: pd.DataFrame, dates: StageDates) -> pd.DataFrame:
    """List the deals whose pipeline, stage or stage dates do not fit.

    A stage-date property holds one moment for a stage, and a deal may enter a stage more than once:
    it fits if it is within a minute of the first or of the last entry in the history. The history
    counts; where it has no entry of that stage at all, the property does (see `deal_history`).

    Parameters
    ----------
    raw : iterable of dict
        Deals with their stage dates and histories.
    stages : DataFrame
        Stages that the account has: `stages`, without those kept after their deletion.
    dates : StageDates
        Of `stage_dates`.

    Returns
    -------
    DataFrame
        Columns of `kpi.conform.PROBLEMS`; ``row`` counts the deals from 1.

    Examples
    --------
    >>> deal = {"id": "1", "properties": {"pipeline": "x", "dealstage": "y"}}
    >>> from connectors.hubspot.records.stages import stages
    >>> reconcile([deal], stages([]), StageDates({}, ()))[["key", "column", "value"]].values.tolist()
    [['1', 'pipeline_id', 'x']]
    """
    deals = stages[stages["object"] == "deal"]
    known = set(deals[["pipeline_id", "stage_id"]].itertuples(index=False, name=None))
    pipelines = {pipeline for pipeline, _ in known}
    no_pipeline: list[Found] = []
    no_stage: list[Found] = []
    apart: list[Found] = []
    for row, record in enumerate(live(raw), start=1):
        key, properties = str(record["id"]), record.get("properties") or {}
        pipeline, stage = properties.get("pipeline"), properties.get("dealstage")
        if pipeline and pipeline not in pipelines:
            no_pipeline.append((row, key, pipeline))
        elif stage and (pipeline, stage) not in known:
            no_stage.append((row, key, stage))
        apart += [(row, key, text) for text in _apart(record, dates)]
    found = [
        _listed("deals", "pipeline_id", no_pipeline, "the account has no such pipeline"),
        _listed("deals", "stage_id", no_stage, "the deal's pipeline has no such stage"),
        _listed(
            "history",
            "changed_at",
            apart,
            "the stage date and the history differ by more than a minute; the history counts",
        ),
    ]
    listed = [problems for problems in found if len(problems)]
    return pd.concat(listed, ignore_index=True) if listed else no_problems()


def _apart(record: Record, dates: StageDates) -> list[str]:
    """Describe the stage dates of a deal that fit neither the first nor the last entry."""
    properties = record.get("properties") or {}
    entries: dict[str, list[int]] = {}
    for at, stage in values_over_time(record, "dealstage"):
        entries.setdefault(stage, []).append(at)
    found = []
    for name, (_, stage) in dates.stages.items():
        stated = moment(properties.get(name)) if stage in entries else None
        if isinstance(stated, int):
            first, last = entries[stage][0], entries[stage][-1]
            if min(abs(stated - first), abs(stated - last)) > TOLERANCE:
                told = iso(first) if first == last else f"{iso(first)} to {iso(last)}"
                found.append(f"{name} = {iso(stated)}; history: {told}")
    return found


def _listed(table: str, column: str, found: list[Found], reason: str) -> pd.DataFrame:
    rows = [row for row, _, _ in found]
    keys, values = [key for _, key, _ in found], [value for _, _, value in found]
    return problem_rows(table, rows, keys, column, values, reason)
