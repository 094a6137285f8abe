"""The deals behind a finding of `kpi.leaks`, with their pages in the CRM."""

from collections.abc import Mapping
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.engine import collect
from kpi.filters import id_column
from kpi.funnel.climbs import climbs, placed
from kpi.funnel.moves import stages_of
from kpi.periods import as_date, day_number
from kpi.result import Groups
from kpi.snapshot import Snapshot
from kpi.tables import TableError


def leak_records(
    snapshot: Snapshot, leak: Mapping[str, Any] | pd.Series, *, deal_type: str | None = "new"
) -> pd.DataFrame:
    """Return the deals behind one row of `leaks`, the lost ones first.

    Parameters
    ----------
    snapshot : Snapshot
        The one that was searched.
    leak : mapping or Series
        The row; its ``by, group, stage_id, pipeline_id`` and ``period`` are used.
    deal_type
        As was asked of `leaks`.

    Returns
    -------
    DataFrame, one row a deal
        ``deal_id, name, reached_on`` (date the stage was reached), ``course`` (``lost``, ``open`` or
        ``went on``), ``ended_on`` (missing while open), ``amount`` (reporting currency),
        ``lost_reason, owner_id`` and ``url`` (its page in the CRM, as the CRM gave it). As many
        rows as the leak's ``n``, and those whose days cannot be told.

    Raises
    ------
    TableError
        If the stage or column of the row is unknown.

    Examples
    --------
    >>> stages = pd.DataFrame({"object": "deal", "stage_id": ["S1", "W", "L"],
    ...     "position": [1, 2, 3], "outcome": ["open", "won", "lost"]})
    >>> deals = pd.DataFrame({"deal_id": ["a", "b"], "source": "web", "stage_id": ["W", "L"],
    ...     "created_at": "2026-01-05", "close_date": "2026-01-20"})
    >>> snapshot = Snapshot.from_frames({"stages": stages, "deals": deals}, as_of="2026-06-30")
    >>> row = {"by": "source", "group": "web", "stage_id": "S1", "pipeline_id": None, "period": None}
    >>> leak_records(snapshot, row)[["deal_id", "course"]].values.tolist()
    [['b', 'lost'], ['a', 'went on']]
    """
    stages = stages_of(snapshot)
    own = stages["stage_id"] == leak["stage_id"]
    if not pd.isna(leak["pipeline_id"]):
        own &= stages["pipeline_id"] == leak["pipeline_id"]
    if not own.any():
        raise TableError(
            f"no open stage {leak['stage_id']!r}; expected one of {list(stages['stage_id'])}"
        )
    column = [] if leak["by"] == "all" else [id_column(leak["by"])]
    Groups(snapshot, "deals", column, None)
    shown = ["name", "amount", "lost_reason", "owner_id", "url"]
    stage = stages[own].iloc[0]
    frame = climbs(snapshot, placed(snapshot, [*column, *shown], deal_type))
    frame = frame.filter(nw.col("funnel") == stage["funnel"], nw.col("rank") == int(stage["rank"]))
    for name in column:
        frame = frame.filter(nw.col(name) == leak["group"])
    if not pd.isna(leak["period"]):
        frame = frame.filter(nw.col("start") >= day_number(as_date(leak["period"])))
    table = collect(
        frame.select(
            "deal_id", "start", "end", "cause", "furthest", "outcome", *dict.fromkeys(shown)
        )
    )
    return _courses(table, int(stage["rank"]))


def _courses(table: pd.DataFrame, rank: int) -> pd.DataFrame:
    """Say in words what became of each deal at the stage, and give days as dates."""
    on = table["furthest"] > rank
    table["course"] = np.select([on, table["outcome"] == "lost"], ["went on", "lost"], "open")
    table["order"] = table["course"].map({"lost": 0, "open": 1, "went on": 2})
    for name, column in (("reached_on", "start"), ("ended_on", "end")):
        days = pd.to_timedelta(table[column].astype("float64"), unit="D")
        table[name] = (pd.Timestamp("1970-01-01") + days).astype("datetime64[us]")
    table.loc[table["course"] == "open", "ended_on"] = pd.NaT
    table = table.sort_values(
        ["order", "amount", "deal_id"], ascending=[True, False, True], ignore_index=True
    )
    shown = ["deal_id", "name", "reached_on", "course", "ended_on"]
    return table[[*shown, "amount", "lost_reason", "owner_id", "url"]]
