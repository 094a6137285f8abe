"""Conversion from stage to stage, under each of the four counting rules that tools use."""

from collections.abc import Sequence
from typing import Literal

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.cohorts import durations, horizon_of, incidence
from kpi.engine import collect
from kpi.entry import Entry
from kpi.funnel.climbs import climbs, each_rank, placed, stage_cells
from kpi.funnel.reach import entries, steps
from kpi.periods import Every
from kpi.result import Groups, joined
from kpi.snapshot import Snapshot
from kpi.tables import TableError

Mode = Literal["furthest", "all", "any", "linear"]
MODES = ("furthest", "all", "any", "linear")


def stage_conversion(
    snapshot: Snapshot,
    *,
    mode: Mode = "furthest",
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    deal_type: str | None = "new",
    horizon_days: int | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of the deals at each stage that went further, one row per stage.

    Two figures stand side by side. ``rate`` is the plain ratio of counts that a CRM report shows,
    under the counting rule `mode`; deals still open pull it down. ``value`` follows every deal that
    reached the stage until it reached a later one: open deals are censored, lost ones compete.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables deals and stages; history makes it exact.
    mode : {"furthest", "all", "any", "linear"}
        What counts as having reached a stage. ``furthest`` (default): the deal once was there or
        further, so a skipped stage counts. ``all`` (HubSpot "all stages"): it entered this stage
        and every earlier one, in order. ``any`` (HubSpot "any stages"): it entered this stage at
        some time. ``linear`` (gap fill, backward erases): its last stage, before it was lost, is
        this one or a later one.
    by : str or list of str, optional
        Columns of deals.
    every : {"month", "quarter", "year"}, optional
        Period in which the deal was created.
    deal_type, horizon_days, level
        As in `kpi.win_rate`.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, ``value, low, high, x, n, note`` as everywhere (``x`` went
        further, ``n`` followed), then ``pipeline_id``, ``stage_id``, ``label``, ``reached`` (deals)
        and ``rate`` (0 to 1; above 1 is possible under ``any`` and noted). The last row of a
        funnel is won; it has no rate.

    Raises
    ------
    TableError
        If a table is missing, or a column, period or mode is unknown.

    Notes
    -----
    The clock of ``value`` starts on the day the deal first reached the stage or a later one.
    Multiplying the rows to an end-to-end rate is right only where no deal skips or goes back:
    use ``kpi.win_rate(basis="cohort")`` for that.

    References
    ----------
    .. [1] HubSpot, "Differences between funnel reports types", knowledge.hubspot.com.
    .. [2] Varicent, "Linear funnel model" (ELT opportunity funnel guide).

    Examples
    --------
    >>> stages = pd.DataFrame({"object": "deal", "stage_id": ["S1", "S2", "Won"],
    ...     "position": [1, 2, 3], "outcome": ["open", "open", "won"]})
    >>> history = pd.DataFrame({"record_id": ["a", "a", "b"], "stage_id": ["S1", "Won", "S1"],
    ...     "changed_at": ["2026-01-01", "2026-01-09", "2026-01-05"]})
    >>> deals = pd.DataFrame({"deal_id": ["a", "b"], "stage_id": ["Won", "S1"],
    ...     "created_at": ["2026-01-01", "2026-01-05"]})
    >>> snapshot = Snapshot.from_frames(
    ...     {"stages": stages, "history": history, "deals": deals}, as_of="2026-02-01")
    >>> stage_conversion(snapshot)[["stage_id", "reached", "rate"]].to_dict("list")
    {'stage_id': ['S1', 'S2', 'Won'], 'reached': [2, 1, 1], 'rate': [0.5, 1.0, nan]}
    """
    snapshot.need("deals", "stages", of="stage_conversion")
    if mode not in MODES:
        raise TableError(f"mode={mode!r}; expected one of {MODES}")
    groups = Groups(snapshot, "deals", by, every)
    table = groups.add_period(placed(snapshot, groups.columns, deal_type), "created_day")
    keys = [*groups.keys, "funnel", "rank"]
    followed = durations(snapshot, climbs(snapshot, table), keys, start="start", end="end")
    if mode == "furthest":
        counted = followed.groupby(keys, dropna=False, as_index=False).agg(reached=("n", "sum"))
    else:
        counted = _counts(groups, table, mode)
    horizon = horizon_of(snapshot, horizon_days)
    rates = incidence(followed, keys, level=level, horizon_days=horizon)
    return _table(groups, counted, rates)


def _counts(groups: Groups, table: nw.LazyFrame, mode: Mode) -> pd.DataFrame:
    """Deals that reached each rank under the rule: keys, funnel, rank, reached."""
    snapshot = groups.snapshot
    ranked = {
        "linear": lambda: each_rank(snapshot, _with_last(snapshot, table), "final"),
        "any": lambda: _entered(snapshot, table),
        "all": lambda: _in_order(snapshot, table),
    }[mode]()
    keys = [*groups.keys, "funnel", "rank"]
    return collect(ranked.group_by(*keys).agg(nw.len().alias("reached")))


def _with_last(snapshot: Snapshot, table: nw.LazyFrame) -> nw.LazyFrame:
    """Add ``final``: won, or the open stage a deal was in last."""
    order = ["changed_s", "place"]
    following = nw.col("changed_s").shift(-1).over("deal_id", order_by=order)
    final = entries(snapshot).select("deal_id", latest=nw.col("rank"), following=following)
    final = final.filter(nw.col("following").is_null()).drop("following")
    known = table.join(final, on="deal_id", how="left")
    own = nw.when(nw.col("outcome") == "won").then(nw.col("last"))
    now = nw.when(nw.col("outcome") == "open").then(nw.col("rank"))
    return known.with_columns(final=nw.coalesce(own, now, "latest", nw.lit(0)))


def _entered(snapshot: Snapshot, table: nw.LazyFrame) -> nw.LazyFrame:
    """One row per deal and rank it was ever in, won included."""
    deals = table.drop("rank")
    recorded = entries(snapshot).select("deal_id", "rank")
    present = table.filter(nw.col("outcome") == "open", ~nw.col("rank").is_null())
    won = table.filter(nw.col("outcome") == "won").select("deal_id", rank=nw.col("last"))
    first = _undated(table).select("deal_id", rank=nw.lit(0, dtype=nw.Int64))
    ever = nw.concat([recorded, present.select("deal_id", "rank"), won, first]).unique()
    return deals.join(ever, on="deal_id")


def _undated(table: nw.LazyFrame) -> nw.LazyFrame:
    """Return deals without recorded stages, which began in the first."""
    return table.filter(nw.col("recorded").is_null(), nw.col("last") > 0)


def _in_order(snapshot: Snapshot, table: nw.LazyFrame) -> nw.LazyFrame:
    """One row per deal and rank entered after every earlier one."""
    recorded = entries(snapshot).select("deal_id", "rank", at=nw.col("changed_s"))
    far = nw.lit(2**60, dtype=nw.Int64)
    won = table.filter(nw.col("outcome") == "won").select("deal_id", rank=nw.col("last"), at=far)
    start = nw.lit(0, dtype=nw.Int64)
    first = _undated(table).select("deal_id", rank=start, at=start)
    moves = nw.concat([recorded, won, first])
    deals, passed = table.drop("rank"), []
    since = table.select("deal_id", after=nw.lit(0, dtype=nw.Int64))
    for i in range(steps(snapshot) + 1):
        at = moves.filter(nw.col("rank") == i).join(since, on="deal_id")
        since = (
            at.filter(nw.col("at") >= nw.col("after"))
            .group_by("deal_id")
            .agg(nw.col("at").min().alias("after"))
        )
        passed.append(since.select("deal_id", rank=nw.lit(i, dtype=nw.Int64)))
    return deals.join(nw.concat(passed), on="deal_id")


def _table(groups: Groups, counted: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    cells = stage_cells(groups, counted)
    on = [*groups.keys, "funnel", "rank"]
    table = cells.merge(counted, on=on, how="left").merge(rates, on=on, how="left")
    table = table.sort_values(on, ignore_index=True).fillna({"reached": 0, "x": 0, "n": 0})
    table = table.astype({"reached": "int64", "x": "int64", "n": "int64"})
    group = [*groups.keys, "funnel"]
    following = table.groupby(group, dropna=False)["reached"].shift(-1)
    table["rate"] = (following / table["reached"].where(table["reached"] > 0)).astype("float64")
    end = following.isna()
    table["note"] = np.where(
        end, "last stage", table["note"].fillna("no_denominator: no deal reached it")
    )
    above = table["rate"] > 1
    table["note"] = [
        joined(note, "rate above 1: deals skipped this stage") if flag else note
        for note, flag in zip(table["note"], above, strict=True)
    ]
    extra = ["pipeline_id", "stage_id", "label", "reached", "rate"]
    return groups.finish(table, extra, within=["funnel", "rank"])


ENTRIES = (
    Entry(
        stage_conversion,
        question="Where in the funnel do deals stop?",
        formula="deals that reached a later stage / deals that reached the stage; counts, and Aalen-Johansen",
        unit="share, 0 to 1",
        basis="cohort of deals created",
        interval="log-log limits from Aalen's variance",
        options="mode='furthest' (default), 'all', 'any' (HubSpot's two reports) or 'linear'",
        needs="deals, stages, history",
        benchmark="none: stages differ from company to company",
        source="HubSpot knowledge base, funnel report types; Aalen and Johansen 1978",
        caveats="Multiplying the rows is not the win rate where deals skip stages or go back.",
        also=("conversion by stage", "step conversion"),
        better="higher",
    ),
)
