"""The pipeline as it stands: what is open, where it is stuck, and what is about to close."""

from collections.abc import Sequence
from typing import Literal

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.engine import collect
from kpi.entry import Entry
from kpi.periods import Every
from kpi.pipeline.open_deals import at_ends, at_least_one, by_group, open_deals, total
from kpi.result import Groups, joined
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.tables import TableError

AGES = ["age_days", "stage_age_days", "stalled", "stalled_value", "overdue"]


def open_pipeline(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    of: Literal["amount", "mrr"] = "amount",
    deal_type: str | None = "new",
    level: float = 0.95,
) -> pd.DataFrame:
    """Value and number of the open deals, with their age and how many have stalled.

    A deal has stalled when it has been in its stage for longer than three of four visits to that
    stage last (Kaplan-Meier on the company's own history). Deals without a value count in ``n``,
    not in ``value``.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table deals; stages and history tell stage, age in stage and expected closing day.
    by : str or list of str, optional
        Columns of deals: ``"stage"`` gives the pipeline by stage, ``"forecast_category"`` by
        category.
    every : {"month", "quarter", "year"}, optional
        As it was known at the end of each period (the snapshot rewound to its last day).
    of : {"amount", "mrr"}
        What is summed.
    deal_type : {"new", "expansion", "renewal"} or None
        Kind of business counted; None counts all.
    level : float
        Not used: a sum of records has no interval.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (reporting currency; missing where no open deal
        has a value), ``low, high`` (missing), ``x`` (open deals with a value), ``n`` (open deals),
        ``note``, then ``age_days`` and ``stage_age_days`` (medians; missing where not recorded),
        ``stalled`` (deals), ``stalled_value`` (what they are worth), ``overdue`` (deals whose
        expected closing day is past). With ``by="stage"`` also ``label``, and stages in order.

    Raises
    ------
    TableError
        If deals are missing, or a column, period, `of` or deal type is unknown.

    Notes
    -----
    Other currencies at the as-of date's rate. The forecast category of the past is not recorded:
    with `every` it is the present one.

    References
    ----------
    .. [1] "Moving Your KPI Levers Into Alignment", 2023 (pipeline by stage).

    Examples
    --------
    >>> deals = pd.DataFrame({
    ...     "deal_id": list("abc"), "outcome": ["open", "open", "won"], "amount": [100, 50, 70],
    ...     "created_at": "2026-01-01", "close_date": ["2026-03-31", "2026-01-31", "2026-01-09"]})
    >>> snapshot = Snapshot.from_frames({"deals": deals}, as_of="2026-02-28")
    >>> open_pipeline(snapshot)[["value", "n", "age_days", "overdue"]].to_dict("records")
    [{'value': 150.0, 'n': 2, 'age_days': 58.0, 'overdue': 1}]
    """
    snapshot.need("deals", of="open_pipeline")
    check_level(level)
    if of not in ("amount", "mrr"):
        raise TableError(f"of={of!r}; expected 'amount' or 'mrr'")
    groups = Groups(snapshot, "deals", by, every)

    def reckon(then: Snapshot) -> pd.DataFrame:
        deals = open_deals(then, groups.columns, deal_type)
        lacking = lacking_deals(then, deals, deal_type)
        return by_group(
            deals, groups.columns, lambda part: _stock(part, of, then.as_of_day, lacking)
        )

    empty = {"value": 0.0, "x": 0, "n": 0, "note": "", "stalled": 0, "stalled_value": 0.0}
    result = at_ends(groups, reckon, **empty, overdue=0)
    whole = dict.fromkeys(["x", "n", "stalled", "overdue"], "int64")
    return _by_stage(groups, result.astype(whole))


def lacking_deals(then: Snapshot, deals: pd.DataFrame, deal_type: str | None) -> str:
    """Say so where the data has no deal of that kind at all."""
    some = len(deals) > 0 or at_least_one(then, deal_type)
    return "" if some else "not enough data: no deals"


def _stock(part: pd.DataFrame, of: str, today: int, lacking: str) -> dict[str, object]:
    stuck = part[part["stalled"].astype("bool")]
    return _worth(part, of, lacking) | {
        "age_days": part["age"].median(),
        "stage_age_days": part["stage_age"].median(),
        "stalled": len(stuck),
        "stalled_value": total(stuck[of]) if len(stuck) else 0.0,
        "overdue": int((part["closes_day"] < today).sum()),
    }


def _worth(part: pd.DataFrame, of: str, lacking: str) -> dict[str, object]:
    return worth(total(part[of]), int(part[of].notna().sum()), len(part), of, lacking)


def worth(value: float, x: int, n: int, of: str, lacking: str) -> dict[str, object]:
    """One row of a stock: the sum of the `x` values that `n` open deals have."""
    if not n and not lacking:
        value = 0.0
    bare = f"not enough data: no open deal has its {of}" if n and not x else ""
    note = joined(lacking, bare, f"{n - x:,} without {of} left out" if 0 < x < n else "")
    return {"value": value, "low": np.nan, "high": np.nan, "x": x, "n": n, "note": note}


def _by_stage(groups: Groups, result: pd.DataFrame) -> pd.DataFrame:
    """Finish; where cut by stage, with labels and in the order of the stages."""
    if "stage_id" not in groups.columns:
        return groups.finish(result, AGES)
    stages = collect(groups.snapshot.stages.lazy().filter(nw.col("object") == "deal"))
    stages = stages.sort_values(["position", "funnel"]).drop_duplicates("stage_id")
    stages["label"] = stages["label"].fillna(stages["stage_id"])
    named = result.merge(stages[["stage_id", "label", "position"]], on="stage_id", how="left")
    finished = groups.finish(named, [*AGES, "label", "position"])
    stage = groups.by[groups.columns.index("stage_id")]
    order = ["position" if name == stage else name for name in groups.by]
    order += ["period"] if groups.every else []
    ordered = finished.sort_values(order, kind="stable", ignore_index=True)
    return ordered.drop(columns="position")


def final_stage_deals(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    deal_type: str | None = "new",
    level: float = 0.95,
) -> pd.DataFrame:
    """Deals about to close: open in the last open stage of their pipeline. A stock, not a flow.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables deals and stages.
    by : str or list of str, optional
        Columns of deals; ``"owner"`` gives them by seller.
    every, deal_type
        As in `kpi.open_pipeline`.
    level : float
        Not used: a count of records has no interval.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (deals in the last open stage), ``low, high``
        (missing), ``x`` (the same), ``n`` (open deals), ``note``, then ``amount`` (theirs;
        missing where none has one), ``sellers`` (owners of open deals) and ``per_seller`` (value /
        sellers; missing without any).

    Raises
    ------
    TableError
        If deals or stages are missing, or a column, period or deal type is unknown.

    References
    ----------
    .. [1] "Tracking Success", sales newsletter 067 (3 to 5 at any time a seller).

    Examples
    --------
    >>> stages = pd.DataFrame({"object": "deal", "stage_id": ["S1", "S2", "Won"],
    ...     "position": [1, 2, 3], "outcome": ["open", "open", "won"]})
    >>> deals = pd.DataFrame({"deal_id": list("abc"), "stage_id": ["S1", "S2", "S2"],
    ...     "owner_id": ["x", "x", "y"], "created_at": "2026-01-01"})
    >>> snapshot = Snapshot.from_frames({"deals": deals, "stages": stages}, as_of="2026-02-28")
    >>> final_stage_deals(snapshot)[["value", "n", "per_seller"]].to_dict("records")
    [{'value': 2.0, 'n': 3, 'per_seller': 1.0}]
    """
    snapshot.need("deals", "stages", of="final_stage_deals")
    check_level(level)
    groups = Groups(snapshot, "deals", by, every)

    def reckon(then: Snapshot) -> pd.DataFrame:
        deals = open_deals(then, [*groups.columns, "owner_id"], deal_type)
        stages = collect(
            then.stages.lazy().filter(nw.col("object") == "deal", nw.col("outcome") == "open")
        )
        last = stages.groupby("funnel")["rank"].max().astype("float64")
        lacking = lacking_deals(then, deals, deal_type)
        lacking = lacking or ("" if len(last) else "not enough data: no open stages")
        deals["final"] = deals["rank"] == deals["funnel"].map(last)
        return by_group(deals, groups.columns, lambda part: _final(part, lacking))

    empty = {"value": 0.0, "x": 0, "n": 0, "note": "", "sellers": 0}
    result = at_ends(groups, reckon, **empty)
    whole = result.astype(dict.fromkeys(["x", "n", "sellers"], "int64"))
    return groups.finish(whole, ["amount", "sellers", "per_seller"])


def _final(part: pd.DataFrame, lacking: str) -> dict[str, object]:
    final = part[part["final"].astype("bool")]
    sellers = part["owner_id"].nunique()
    return {
        "value": np.nan if lacking else float(len(final)),
        "low": np.nan,
        "high": np.nan,
        "x": len(final),
        "n": len(part),
        "note": lacking,
        "amount": total(final["amount"]),
        "sellers": sellers,
        "per_seller": len(final) / sellers if sellers and not lacking else np.nan,
    }


ENTRIES = (
    Entry(
        open_pipeline,
        question="What is in the pipeline, and where is it stuck?",
        formula="sum of the amounts of open deals; stalled: longer in the stage than 75 % of visits last",
        unit="reporting currency",
        basis="open at the as-of date, or at the period's end",
        interval="none: an exact sum of records",
        options="by='stage', 'forecast_category'; of='mrr'; deal_type=None: all business",
        needs="deals (stages, history: age in stage)",
        benchmark="none: pipelines differ with deal size and cycle",
        source="Moving Your KPI Levers Into Alignment 2023; Kaplan and Meier 1958",
        caveats="Nothing is weighted: see weighted_pipeline for what it may bring.",
        also=("pipeline by stage", "pipeline value", "stalled deals", "deal age", "stage age"),
        better="higher",
    ),
    Entry(
        final_stage_deals,
        question="How many deals are about to close?",
        formula="open deals in the last open stage of their pipeline",
        unit="count",
        basis="open at the as-of date, or at the period's end",
        interval="none: an exact count",
        options="by='owner'; deal_type=None: all business",
        needs="deals, stages",
        benchmark="3 to 5 a seller at any time (rule of thumb; not your own figure)",
        source="Tracking Success, newsletter 067",
        caveats="A stock: deals that have stalled there count as well (see open_pipeline).",
        also=("last-stage deals", "deals about to close"),
        better="higher",
    ),
)
