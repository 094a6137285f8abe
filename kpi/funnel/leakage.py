"""Stage leakage: which share of the deals at each stage was lost there, for which reasons."""

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.cohorts import durations, horizon_of, incidence
from kpi.engine import collect
from kpi.entry import Entry
from kpi.funnel.climbs import climbs, placed, stage_cells
from kpi.periods import Every
from kpi.result import Groups
from kpi.snapshot import Snapshot
from kpi.tables import TableError

UNTOLD = "no reason given"
COUNTS = ["entered", "lost", "amount_entered", "amount_lost"]


def stage_leakage(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    reasons: bool = False,
    deal_type: str | None = "new",
    horizon_days: int | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of the deals at each stage that was lost before they reached a later one.

    The counterpart of `stage_conversion`: the two and the share still open make one. A deal that
    moved back and was then lost is lost from the furthest stage it had reached. A lost deal that
    was reopened is not lost. Open deals are followed for as long as they have been there.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables deals and stages; history makes it exact.
    by : str or list of str, optional
        Columns of deals (not ``lost_reason``: only lost deals have one; see `reasons`).
    every : {"month", "quarter", "year"}, optional
        Period in which the deal was created.
    reasons : bool
        One row per stage and reason of loss, the other reasons competing: which share is lost for
        this reason. Reasons are those of the whole table, so that rows compare.
    deal_type, horizon_days, level
        As in `kpi.win_rate`.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, ``value`` (0 to 1), ``low, high, x`` (lost there), ``n``
        (followed), ``note``; then ``pipeline_id, stage_id, label``, with `reasons` ``lost_reason``
        (missing where nothing was lost there), ``entered`` and ``lost`` (deals, undated ones
        included), ``rate`` (the plain ratio: open deals pull it down), ``amount_entered,
        amount_lost`` (reporting currency, deals without an amount left out) and ``amount_rate``.
        One row per open stage.

    Raises
    ------
    TableError
        If a table is missing, or a column, period or deal type is unknown.

    Notes
    -----
    Cumulative incidence (Aalen-Johansen) of being lost, going further competing, by days since the
    stage was reached; read at `horizon_days`, else at the last age with ten deals followed.

    References
    ----------
    .. [1] Aalen O, Johansen S (1978), Scand. J. Statist. 5:141-150.

    Examples
    --------
    >>> stages = pd.DataFrame({"object": "deal", "stage_id": ["S1", "S2", "Won", "Lost"],
    ...     "position": [1, 2, 3, 4], "outcome": ["open", "open", "won", "lost"]})
    >>> history = pd.DataFrame({"record_id": ["a", "a", "b", "b"],
    ...     "stage_id": ["S1", "Won", "S1", "Lost"],
    ...     "changed_at": ["2026-01-01", "2026-01-09", "2026-01-05", "2026-01-20"]})
    >>> deals = pd.DataFrame({"deal_id": ["a", "b"], "stage_id": ["Won", "Lost"],
    ...     "created_at": ["2026-01-01", "2026-01-05"], "amount": [100, 300]})
    >>> snapshot = Snapshot.from_frames(
    ...     {"stages": stages, "history": history, "deals": deals}, as_of="2026-02-01")
    >>> stage_leakage(snapshot)[["stage_id", "value", "x", "n", "amount_rate"]].to_dict("list")
    {'stage_id': ['S1', 'S2'], 'value': [0.5, 0.0], 'x': [1, 0], 'n': [2, 1], 'amount_rate': [0.75, 0.0]}
    """
    snapshot.need("deals", "stages", of="stage_leakage")
    groups = Groups(snapshot, "deals", by, every)
    if "lost_reason" in groups.columns:
        raise TableError("by='lost_reason': only lost deals have one; ask for reasons=True")
    wanted = [*groups.columns, "amount", "lost_reason"]
    table = groups.add_period(placed(snapshot, wanted, deal_type), "created_day")
    climbed = climbs(snapshot, table).with_columns(reason=_reason())
    on = [*groups.keys, "funnel", "rank"]
    counted = _counts(climbed, [*on, "reason"])
    followed = durations(snapshot, climbed, [*on, "reason"], start="start", end="end")
    swapped = followed.assign(cause=followed["cause"].replace({1: 2, 2: 1}))
    horizon = horizon_of(snapshot, horizon_days)
    cells = stage_cells(groups, counted).query("stage_outcome == 'open'")
    if not reasons:
        rates = incidence(swapped, on, level=level, horizon_days=horizon)
        return _table(groups, cells, counted.groupby(on, dropna=False)[COUNTS].sum(), rates)
    each = [_for_reason(swapped, reason) for reason in sorted(set(followed["reason"]) - {""})]
    split = pd.concat([swapped.iloc[:0].assign(lost_reason=""), *each], ignore_index=True)
    on = [*on, "lost_reason"]
    rates = incidence(split, on, level=level, horizon_days=horizon)
    return _table(groups, cells, _by_reason(counted, on), rates)


def _reason() -> nw.Expr:
    """Return why a deal was lost, on the row of the stage it was lost from; else nothing."""
    return (
        nw.when(nw.col("cause") == 2)
        .then(nw.coalesce(nw.col("lost_reason"), nw.lit(UNTOLD)))
        .otherwise(nw.lit(""))
    )


def _counts(climbed: nw.LazyFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Deals and money that entered each stage, and that were lost from it."""
    lost = nw.when(nw.col("cause") == 2)
    frame = climbed.with_columns(
        entered=nw.lit(1),
        lost=lost.then(nw.lit(1)).otherwise(nw.lit(0)),
        amount_entered=nw.coalesce(nw.col("amount"), nw.lit(0.0)),
        amount_lost=lost.then(nw.coalesce(nw.col("amount"), nw.lit(0.0))).otherwise(nw.lit(0.0)),
    )
    counted = collect(frame.group_by(*keys).agg(*[nw.col(name).sum() for name in COUNTS]))
    counted = counted.astype({"entered": "int64", "lost": "int64"})
    return counted.astype({"amount_entered": "float64", "amount_lost": "float64"})


def _for_reason(followed: pd.DataFrame, reason: str) -> pd.DataFrame:
    """Counts in which only losses for one reason are losses (cause 1); others compete."""
    other = (followed["cause"] == 1) & (followed["reason"] != reason)
    return followed.assign(lost_reason=reason, cause=followed["cause"].mask(other, 2))


def _by_reason(counted: pd.DataFrame, on: list[str]) -> pd.DataFrame:
    """Losses by reason beside all that entered the stage, whatever became of it."""
    entered = counted.groupby(on[:-1], dropna=False)[["entered", "amount_entered"]].sum()
    lost = counted[counted["reason"] != ""].rename(columns={"reason": "lost_reason"})
    lost = lost.drop(columns=["entered", "amount_entered"])
    return lost.merge(entered.reset_index(), on=on[:-1]).set_index(on)


def _table(
    groups: Groups, cells: pd.DataFrame, counted: pd.DataFrame, rates: pd.DataFrame
) -> pd.DataFrame:
    """Put rates and counts beside the stages."""
    on = [*groups.keys, "funnel", "rank"]
    counts = counted.reset_index()
    reason = ["lost_reason"] if "lost_reason" in counts else []
    beside = counts.merge(rates, on=[*on, *reason])
    table = cells.merge(beside, on=on, how="left")
    whole = ["entered", "lost", "x", "n"]
    table = table.fillna(dict.fromkeys([*whole, "amount_entered", "amount_lost"], 0))
    table = table.astype(dict.fromkeys(whole, "int64"))
    nothing = "no_denominator: no deal reached it"
    if reason:
        nothing = "no_denominator: nothing was lost there"
        table["lost_reason"] = table["lost_reason"].astype("str")
    table["note"] = table["note"].fillna(nothing)
    for name, top, bottom in (
        ("rate", "lost", "entered"),
        ("amount_rate", "amount_lost", "amount_entered"),
    ):
        below = table[bottom].where(table[bottom] > 0)
        table[name] = (table[top] / below).astype("float64").clip(upper=1.0)
    money = ["amount_entered", "amount_lost"]
    table[money] = table[money].astype("float64").replace(np.inf, np.nan).round(6)
    order = ["pipeline_id", "stage_id", "label", *reason]
    extra = [*order, "entered", "lost", "rate", *money, "amount_rate"]
    return groups.finish(table, extra, within=["funnel", "rank", *reason])


ENTRIES = (
    Entry(
        stage_leakage,
        question="From which stage do we lose deals, and why?",
        formula="deals lost before a later stage / deals that reached the stage (Aalen-Johansen)",
        unit="share, 0 to 1",
        basis="cohort of deals created",
        interval="log-log limits from Aalen's variance",
        options="reasons=True: by reason of loss; deal_type=None: all business",
        needs="deals, stages, history",
        benchmark="none: stages differ from company to company",
        source="Aalen and Johansen 1978",
        caveats="Which loss could have been avoided it cannot tell: kpi.leaks compares groups and periods.",
        also=("leaks", "leak finder", "loss reasons", "amount lost by stage", "drop-off"),
        better="lower",
    ),
)
