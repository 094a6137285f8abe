"""Property histories as rows of `kpi.tables.HISTORY`: one per record and moment."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pandas as pd

from connectors.hubspot.records.columns import Record, column, live, moments, texts
from connectors.hubspot.records.reading import HISTORY, Reading
from connectors.hubspot.records.stages import LIFECYCLE, StageDates
from connectors.hubspot.records.values import Moment, moment
from kpi.tables import HISTORY as TABLE

NO_DATES = StageDates({}, ())
Changes = dict[Moment, dict[str, Any]]
Change = tuple[Moment, dict[str, Any]]


def deal_history(
    raw: Iterable[Record], reading: Reading, dates: StageDates = NO_DATES
) -> pd.DataFrame:
    """Shape the histories of deals.

    Changes of one moment are one row, and repeats (a merge leaves some) count once; of two values
    of one property at the same moment the one listed first stands, as HubSpot lists the newest
    first. A cleared value is not recorded. A row that names a stage names the pipeline the deal was
    in as well. A stage without any entry in the history makes a row of its own, at the moment that
    its stage-date property gives, if there is one.

    Parameters
    ----------
    raw : iterable of dict
        Deals read with the histories of `history_asked`, archived ones left out here.
    reading : Reading
        The account; close dates are days in its time zone.
    dates : StageDates
        Of `stage_dates`.

    Returns
    -------
    DataFrame, one row per deal and moment, and one per stage known by its date only
        Columns of `kpi.tables.HISTORY` that HubSpot can fill; missing: not recorded in this change.

    Examples
    --------
    >>> entry = {"value": "demo", "timestamp": "2026-01-05T10:00:00Z"}
    >>> deal = {"id": "1", "properties": {}, "propertiesWithHistory": {"dealstage": [entry, entry]}}
    >>> reading = Reading("7", "app.hubspot.com", "UTC", "USD")
    >>> deal_history([deal], reading)[["record_id", "stage_id"]].values.tolist()
    [['1', 'demo']]
    """
    found = []
    for record in live(raw):
        changes = _with_pipeline(_changes(record, HISTORY["deals"]))
        lost = _lost(changes, record, dates.stages)
        found.append((str(record["id"]), [*changes.items(), *lost]))
    return _frame("deal", found, reading)


def lead_history(
    kind: str, raw: Iterable[Record], reading: Reading, lead_ids: Collection[str]
) -> pd.DataFrame:
    """Shape the histories of leads.

    Parameters
    ----------
    kind : str
        ``leads`` for the leads object, ``contacts`` where contacts are the leads: their stages are
        those of the lifecycle.
    raw : iterable of dict
        Records of that kind, read with the histories of `history_asked`.
    reading : Reading
        The account.
    lead_ids : collection of str
        Ids of the table of leads: the history of other records is left out.

    Returns
    -------
    DataFrame, one row per lead and moment
        As `deal_history`.
    """
    wanted = set(lead_ids)
    found = []
    for record in live(raw):
        if str(record["id"]) in wanted:
            changes = _changes(record, HISTORY[kind])
            if kind == "contacts":
                for change in changes.values():
                    if "stage_id" in change:
                        change["pipeline_id"] = LIFECYCLE
            found.append((str(record["id"]), list(_with_pipeline(changes).items())))
    return _frame("lead", found, reading)


def values_over_time(record: Record, name: str) -> list[tuple[int, str]]:
    """Values a property took, oldest first; repeats in a row count once.

    >>> history = [{"value": v, "timestamp": f"2026-01-0{d}T00:00:00Z"} for v, d in ("b3", "a2", "a1")]
    >>> [v for _, v in values_over_time({"propertiesWithHistory": {"dealstage": history}}, "dealstage")]
    ['a', 'b']
    """
    changes = _changes(record, {name: "value"})
    found: list[tuple[int, str]] = []
    for at in sorted(at for at in changes if isinstance(at, int)):
        if not found or found[-1][1] != changes[at]["value"]:
            found.append((at, changes[at]["value"]))
    return found


def _changes(record: Record, columns: Mapping[str, str]) -> Changes:
    """Return what changed at each moment, by canonical column."""
    found: Changes = {}
    histories = record.get("propertiesWithHistory") or {}
    for name, target in columns.items():
        for entry in histories.get(name) or ():
            value = entry.get("value")
            if value is not None and value != "":
                found.setdefault(moment(entry.get("timestamp")), {}).setdefault(target, value)
    return found


def _with_pipeline(changes: Changes) -> Changes:
    """Give each change of stage the pipeline as it stood then."""
    pipeline = None
    for at in sorted(at for at in changes if isinstance(at, int)):
        change = changes[at]
        pipeline = change.get("pipeline_id", pipeline)
        if pipeline is not None and "stage_id" in change:
            change["pipeline_id"] = pipeline
    return changes


def _lost(changes: Changes, record: Record, stages: Mapping[str, tuple[str, str]]) -> list[Change]:
    """Return the stages that only their dates still tell, each as a change of its own."""
    known = {change["stage_id"] for change in changes.values() if "stage_id" in change}
    properties = record.get("properties") or {}
    return [
        (moment(properties[name]), {"pipeline_id": pipeline, "stage_id": stage})
        for name, (pipeline, stage) in stages.items()
        if properties.get(name) and stage not in known
    ]


def _frame(kind: str, found: list[tuple[str, list[Change]]], reading: Reading) -> pd.DataFrame:
    ids, times, changes = [], [], []
    for record_id, listed in found:
        for at, change in sorted(listed, key=_order):
            ids.append(record_id)
            times.append(at)
            changes.append(change)
    names = ("pipeline_id", "stage_id", "amount", "close_date", "owner_id", "status")
    columns = {
        name: column(TABLE.column(name).kind, [change.get(name) for change in changes], reading)
        for name in names
    }
    head = {"object": texts([kind] * len(ids)), "record_id": texts(ids)}
    return pd.DataFrame({**head, "changed_at": moments(times), **columns})


def _order(change: Change) -> tuple[bool, int]:
    """Moments in their order; what is none stands last."""
    at = change[0]
    return (False, at) if isinstance(at, int) else (True, 0)
