"""What is odd between tables: listed for the user, nothing dropped; `kpi.known` says how it counts."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from kpi.conform import no_problems, problem_rows

REFERENCES = (
    ("deals", "lead_id", "leads", "lead_id"),
    ("deals", "account_id", "accounts", "account_id"),
    ("deals", "owner_id", "owners", "owner_id"),
    ("leads", "deal_id", "deals", "deal_id"),
    ("leads", "owner_id", "owners", "owner_id"),
    ("subscriptions", "account_id", "accounts", "account_id"),
)

UNSURE = "no pipeline, and its stage is in several: not placed in a funnel"
TELLS = {
    "stages": "stage_id",
    "leads": "lead_id",
    "deals": "deal_id",
    "history": "record_id",
    "subscriptions": "subscription_id",
}
"""The column that tells whose row is listed."""


def crosscheck(frames: Mapping[str, pd.DataFrame], as_of: date) -> pd.DataFrame:
    """List unknown stages, impossible dates and references to nowhere.

    Returns
    -------
    DataFrame
        Columns of `kpi.conform`; every row's action is "kept, listed only".

    Examples
    --------
    >>> from kpi.conform import conform
    >>> deals, _ = conform("deals", pd.DataFrame({"deal_id": ["1"], "outcome": ["won"],
    ...     "created_at": ["2026-03-02"], "close_date": ["2026-02-01"]}))
    >>> crosscheck({"deals": deals}, date(2026, 4, 1))["reason"].tolist()
    ['closed before it was created: left out of durations']
    """
    found = [
        *_stages(frames),
        *_pipelines(frames),
        *_dates(frames, as_of),
        *_references(frames),
    ]
    listed = [problems for problems in found if not problems.empty]
    return pd.concat(listed, ignore_index=True) if listed else no_problems()


def _odd(frame: pd.DataFrame, odd: pd.Series, table: str, column: str, reason: str) -> pd.DataFrame:
    at = frame.index[np.asarray(odd, dtype=bool)]
    key = TELLS[table]
    return problem_rows(
        table,
        [int(row) + 1 for row in at],
        frame.loc[at, key].astype("str").tolist(),
        column,
        frame.loc[at, column].astype("str").tolist(),
        reason,
    )


def _stages(frames: Mapping[str, pd.DataFrame]) -> list[pd.DataFrame]:
    if "stages" not in frames:
        return []
    stages = frames["stages"]
    found = []
    for table, name in (("deals", "deal"), ("leads", "lead"), ("history", None)):
        if table not in frames:
            continue
        frame = frames[table]
        known = stages if name is None else stages[stages["object"] == name]
        if known.empty:
            continue
        unknown = frame["stage_id"].notna() & ~frame["stage_id"].isin(known["stage_id"])
        reason = "unknown stage: counted, but not placed in the funnel"
        found.append(_odd(frame, unknown, table, "stage_id", reason))
    return found


def _pipelines(frames: Mapping[str, pd.DataFrame]) -> list[pd.DataFrame]:
    """List deals that could be in several pipelines, and pipelines in which nothing can be won."""
    if "stages" not in frames or "deals" not in frames:
        return []
    deals, found = frames["deals"], [hopeless(frames["stages"])]
    if several := shared(frames["stages"]):
        unsure = deals["pipeline_id"].isna() & deals["stage_id"].isin(several)
        found = [_odd(deals, unsure, "deals", "pipeline_id", UNSURE), *found]
    return found


def shared(stages: pd.DataFrame) -> list[str]:
    """Stages of deals that several pipelines have."""
    own = stages[stages["object"] == "deal"]
    if len(set(own["pipeline_id"].dropna())) <= 1:
        return []
    return sorted(set(own.loc[own["stage_id"].duplicated(keep=False), "stage_id"]))


def hopeless(stages: pd.DataFrame) -> pd.DataFrame:
    """List the pipelines of deals in which nothing can be won, each by its first stage."""
    own = stages[stages["object"] == "deal"]
    won = own["outcome"].eq("won") | own["probability"].eq(1)
    none = ~own["pipeline_id"].fillna("").isin(own.loc[won, "pipeline_id"].fillna(""))
    first = own[none].sort_values("position", kind="stable").drop_duplicates("pipeline_id")
    reason = "no stage of this pipeline is marked as won: set the outcome of its stages"
    at = stages.index.to_series().isin(first.index)
    return _odd(stages, at, "stages", "outcome", reason)


def _dates(frames: Mapping[str, pd.DataFrame], as_of: date) -> list[pd.DataFrame]:
    found = []
    end = pd.Timestamp(as_of, tz="UTC") + pd.Timedelta(days=2)
    late = "after the as-of date: not yet known, not used"
    for table, column in (
        ("leads", "created_at"),
        ("deals", "created_at"),
        ("deals", "closed_at"),
        ("history", "changed_at"),
    ):
        if table in frames:
            frame = frames[table]
            found.append(_odd(frame, frame[column] >= end, table, column, late))
    if "deals" not in frames:
        return found
    deals = frames["deals"]
    closed = deals["outcome"].isin(["won", "lost"])
    day = deals["closed_at"].dt.tz_localize(None).dt.normalize().fillna(deals["close_date"])
    created = deals["created_at"].dt.tz_localize(None).dt.normalize()
    backward = closed & (day < created)
    reason = "closed before it was created: left out of durations"
    found.append(_odd(deals, backward, "deals", "close_date", reason))
    if "history" not in frames:
        future = closed & deals["closed_at"].isna() & (deals["close_date"] >= end.tz_localize(None))
        reason = "closed with a date after the as-of date: counted as open"
        found.append(_odd(deals, future, "deals", "close_date", reason))
        undated = closed & day.isna()
        reason = "closed without a date: left out of rates by period and of durations"
        found.append(_odd(deals, undated, "deals", "close_date", reason))
    return found


def _references(frames: Mapping[str, pd.DataFrame]) -> list[pd.DataFrame]:
    found = []
    for table, column, target, key in REFERENCES:
        if table in frames and target in frames:
            frame = frames[table]
            lost = frame[column].notna() & ~_among(frame[column], frames[target][key])
            reason = f"no such row in {target}"
            found.append(_odd(frame, lost, table, column, reason))
    return found


def _among(values: pd.Series, keys: pd.Series) -> pd.Series:
    """Tell which values are among many keys (a set is ten times as fast as ``isin`` here)."""
    known = set(keys.tolist())
    return pd.Series([value in known for value in values.tolist()], index=values.index, dtype=bool)
