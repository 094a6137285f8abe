"""Pipelines and lifecycle stages as `kpi.tables.STAGES`, and the stage-date properties of deals."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from connectors.hubspot.records.columns import Record, numbers, texts
from connectors.hubspot.records.values import is_true, number

DATE_ENTERED = "hs_v2_date_entered_"
LIFECYCLE = "lifecyclestage"
NO_LEADS = ("subscriber", "evangelist", "other")
COLUMNS = [
    "object",
    "pipeline_id",
    "stage_id",
    "label",
    "position",
    "outcome",
    "probability",
    "active",
]


class StageDates(NamedTuple):
    """Which property says when a deal entered which stage.

    ``stages``: by property name the ``(pipeline_id, stage_id)``. ``unmatched``: names of properties
    that belong to no stage of the account, or could belong to several.
    """

    stages: Mapping[str, tuple[str, str]]
    unmatched: tuple[str, ...]


def stages(
    deal_pipelines: Iterable[Record],
    lead_pipelines: Iterable[Record] = (),
    lifecycle: Record | None = None,
) -> pd.DataFrame:
    """Shape pipelines, and the lifecycle where contacts are the leads, as stages.

    A closed deal stage with probability 1 is won, any other closed one lost. No stage of a lead is
    won: a lead becomes a deal.

    Parameters
    ----------
    deal_pipelines, lead_pipelines : iterable of dict
        ``results`` of the pipelines of deals, and of leads where that object is in use.
    lifecycle : dict, optional
        The contacts property ``lifecyclestage``, where contacts are the leads.

    Returns
    -------
    DataFrame, one row per stage
        The columns of `kpi.tables.STAGES`; ``probability`` 0 to 1, missing where none is stated.

    Examples
    --------
    >>> metadata = {"isClosed": "true", "probability": "1.0"}
    >>> won = {"id": "9", "label": "Won", "displayOrder": 1, "metadata": metadata}
    >>> stages([{"id": "default", "stages": [won]}])[["stage_id", "outcome"]].values.tolist()
    [['9', 'won']]
    """
    rows = [row for pipeline in deal_pipelines for row in _of_pipeline("deal", pipeline)]
    rows += [row for pipeline in lead_pipelines for row in _of_pipeline("lead", pipeline)]
    rows += [_of_option(option) for option in (lifecycle or {}).get("options") or ()]
    lists = {name: [row[at] for row in rows] for at, name in enumerate(COLUMNS)}
    columns = {name: texts(values) for name, values in lists.items()}
    columns["position"] = pd.Series(lists["position"], dtype="Int64")
    columns["probability"] = numbers(lists["probability"])
    columns["active"] = pd.Series(lists["active"], dtype="boolean")
    return pd.DataFrame(columns)


def reached_stages(lifecycle: Record) -> frozenset[str]:
    """Lifecycle stages that make a contact a lead: ``lead`` and those after it.

    Subscribers, evangelists and "other" do not count, wherever they stand. In an account without a
    stage ``lead`` every other stage counts.

    >>> options = [{"value": v, "displayOrder": i} for i, v in enumerate(["subscriber", "lead", "sql"])]
    >>> sorted(reached_stages({"options": options}))
    ['lead', 'sql']
    """
    order = {o["value"]: o.get("displayOrder") or 0 for o in lifecycle.get("options") or ()}
    first = order.get("lead", min(order.values(), default=0))
    return frozenset(v for v, rank in order.items() if rank >= first and v not in NO_LEADS)


def stage_dates(properties: Iterable[str], found: pd.DataFrame) -> StageDates:
    """Find the properties ``hs_v2_date_entered_*`` of the deal stages.

    Their names are not the prefix and the stage id: in a name, signs of the id have become ``_``,
    and a number may follow. So the names come from the properties of the account.

    Parameters
    ----------
    properties : iterable of str
        Names of all properties of deals.
    found : DataFrame
        Stages, as `stages` returns them.

    Examples
    --------
    >>> pipeline = {"id": "p", "stages": [{"id": "a-1f", "displayOrder": 0}]}
    >>> stage_dates(["hs_v2_date_entered_a_1f_127", "hs_v2_date_entered_x"], stages([pipeline]))
    StageDates(stages={'hs_v2_date_entered_a_1f_127': ('p', 'a-1f')}, unmatched=('hs_v2_date_entered_x',))
    """
    known: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    deals = found.loc[found["object"] == "deal", ["pipeline_id", "stage_id"]]
    for pipeline, stage in deals.itertuples(index=False, name=None):
        known[_plain(stage)].add((pipeline, stage))
    candidates = {}
    for name in properties:
        if name.startswith(DATE_ENTERED) and name != f"{DATE_ENTERED}current_stage":
            word = _plain(name.removeprefix(DATE_ENTERED))
            candidates[name] = known.get(word) or known.get(re.sub(r"_\d+$", "", word)) or set()
    claims = Counter(stage for stages_ in candidates.values() for stage in stages_)
    matched = {
        name: next(iter(stages_))
        for name, stages_ in candidates.items()
        if len(stages_) == 1 and claims[next(iter(stages_))] == 1
    }
    return StageDates(matched, tuple(name for name in candidates if name not in matched))


def _of_pipeline(kind: str, pipeline: Record) -> Iterable[tuple[Any, ...]]:
    for stage in pipeline.get("stages") or ():
        metadata = stage.get("metadata") or {}
        probability = number(metadata.get("probability"))
        closed = is_true(metadata.get("isClosed"))
        is_lost = _unqualified(stage, metadata) or (closed and probability == 0)
        outcome = "lost" if is_lost else "open"
        if kind == "deal":
            outcome = "open" if not closed else "won" if probability == 1 else "lost"
        yield (
            kind,
            pipeline["id"],
            stage["id"],
            stage.get("label"),
            stage.get("displayOrder"),
            outcome,
            probability,
            not (stage.get("archived") or pipeline.get("archived")),
        )


def _unqualified(stage: Record, metadata: Record) -> bool:
    said = f"{metadata.get('leadState')} {stage.get('label')}".upper()
    return "UNQUALIFIED" in said or stage["id"] == "unqualified-stage-id"


def _of_option(option: Record) -> tuple[Any, ...]:
    return (
        "lead",
        LIFECYCLE,
        option["value"],
        option.get("label"),
        option.get("displayOrder"),
        "open",
        None,
        not option.get("hidden"),
    )


def _plain(stage: str) -> str:
    return re.sub(r"[^0-9a-z]", "_", stage.lower())
