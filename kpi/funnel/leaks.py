"""The leak finder: where, for whom and since when fewer deals go on than elsewhere, and what that costs."""

from collections.abc import Sequence
from datetime import date

import narwhals as nw
import pandas as pd

from kpi.cohorts import durations
from kpi.engine import collect
from kpi.filters import id_column
from kpi.funnel.climbs import climbs, placed
from kpi.funnel.leak_cost import Finding, cost_of
from kpi.funnel.leak_tests import Comparison, comparisons, strongest
from kpi.funnel.moves import stages_of
from kpi.periods import Every, as_date, check_every, day_number, from_day, month_start, starts
from kpi.result import FEW, Groups, joined
from kpi.snapshot import Snapshot
from kpi.stats.discovery import q_values
from kpi.stats.intervals import check_level
from kpi.tables import TableError

SEGMENTS = ("source", "segment", "region", "product", "owner")
ALL = "all deals"
KEYS = ["funnel", "rank"]
COLUMNS = [
    *("pipeline_id", "stage_id", "label", "by", "group", "period", "against"),
    *("here", "elsewhere", "lost_deals", "money_lost", "low", "high", "x", "n", "p", "q", "note"),
]


def leaks(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    since: date | str | None = None,
    every: Every | None = "quarter",
    deal_type: str | None = "new",
    level: float = 0.95,
    q: float = 0.10,
) -> pd.DataFrame:
    """Find where fewer deals go on than elsewhere: at which stage, of which group, since when.

    For every stage, every group is compared with all other deals, over the whole time and since
    the start of each period of the last twelve months; and each group, and all deals together, since
    each of these starts with the time before. Both sides are read at the same age, so deals that
    have not had the time yet count for neither. Of the comparisons of one group at one stage the
    strongest is kept, with a p-value of all of them; and of all groups and stages only those are
    returned that stay below the false-discovery rate `q`.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables deals and stages; history makes it exact.
    by : str or list of str, optional
        Columns of deals that make the groups; default those of `SEGMENTS` that are filled. Deals
        without a value are no group, but belong to the rest of every one.
    since : date or ISO text, optional
        Leave out deals that reached the stage before.
    every : {"month", "quarter", "year"} or None
        Periods at whose start a leak may have begun; None looks at the whole time only.
    deal_type
        As in `kpi.win_rate`.
    level : float
        Share of the interval of ``money_lost``.
    q : float
        False-discovery rate: of the rows returned, on average at most this share is chance.

    Returns
    -------
    DataFrame, the costliest first
        ``pipeline_id, stage_id, label``, ``by`` and ``group`` (``all`` and ``all deals`` where no
        group is meant), ``period`` (first day of the time meant; missing: the whole time),
        ``against`` (``the rest`` or ``before``), ``here`` and ``elsewhere`` (share that went on by
        the same age, 0 to 1), ``lost_deals``, ``money_lost`` (reporting currency; missing where no
        amount is known, such rows come last), ``low, high``, ``x`` (went on), ``n`` (deals meant),
        ``p``, ``q`` and ``note``. No rows where nothing is found; either way ``attrs["note"]`` says
        how much was compared, and ``attrs["compared"]`` the number of groups and stages.

    Raises
    ------
    TableError
        If a table is missing, a column, period or deal type is unknown, or `q` is no share.

    Notes
    -----
    Shares: Aalen-Johansen incidence of going on, at the greatest age to which ten deals of both
    sides could be followed; fewer than ten on a side are not compared. p: Fisher's exact test,
    one-sided, on the counts that the shares are worth; of the comparisons of one group and stage
    together (Simes). q: Benjamini-Hochberg. ``lost_deals = (elsewhere - here) n``; ``money_lost =
    lost_deals x mean amount here x share of all that went on which are won in the end``. Limits by
    simulation: Beta posteriors of the three shares, normal mean amount (seeded). What was chosen for
    standing out is, on average, somewhat less far out in truth.

    Examples
    --------
    >>> stages = pd.DataFrame({"object": "deal", "stage_id": ["S1", "W", "L"],
    ...     "position": [1, 2, 3], "outcome": ["open", "won", "lost"]})
    >>> deals = pd.DataFrame({"deal_id": [f"d{i}" for i in range(80)],
    ...     "source": ["event"] * 40 + ["web"] * 40, "amount": 1000,
    ...     "stage_id": ["W"] * 30 + ["L"] * 10 + ["W"] * 10 + ["L"] * 30,
    ...     "created_at": "2026-01-05", "close_date": "2026-01-20"})
    >>> snapshot = Snapshot.from_frames({"stages": stages, "deals": deals}, as_of="2026-06-30")
    >>> found = leaks(snapshot)
    >>> found[["group", "here", "elsewhere", "lost_deals", "money_lost"]].values.tolist()
    [['web', 0.25, 0.75, 20.0, 20000.0]]
    >>> leaks(snapshot.where(source="web")).attrs["note"]
    'none found: 0 groups and stages compared'
    """
    snapshot.need("deals", "stages", of="leaks")
    check_level(level)
    if not 0 < q < 1:
        raise TableError(f"q = {q}; expected a share above 0 and below 1, such as 0.10")
    names = [by] if isinstance(by, str) else list(by or [])
    columns = [id_column(name) for name in names or SEGMENTS]
    Groups(snapshot, "deals", columns, every)  # refuses what there is not
    climbed = _climbed(snapshot, columns, deal_type, since)
    recent = _recent(snapshot, every)
    found: list[Finding] = []
    for name, column in zip(names or SEGMENTS, columns, strict=True):
        found += _of_column(snapshot, climbed, name, column, every, recent)
    if every is not None:
        found += _of_column(snapshot, climbed, "all", None, every, recent)
    qs = q_values([finding.p for finding in found])
    passing = [(f, float(v)) for f, v in zip(found, qs, strict=True) if v <= q]
    table = _table(snapshot, climbed, passing, level, since)
    said = f"{len(found):,} groups and stages compared"
    table.attrs = {
        "note": said if len(table) else f"none found: {said}",
        "compared": len(found),
    }
    return table


def _climbed(
    snapshot: Snapshot, columns: Sequence[str], deal_type: str | None, since: date | str | None
) -> nw.LazyFrame:
    """Deals by open stage reached, computed once; those since a date only."""
    frame = climbs(snapshot, placed(snapshot, [*columns, "amount"], deal_type))
    frame = frame.filter(nw.col("rank") < nw.col("last"))
    if since is not None:
        frame = frame.filter(nw.col("start") >= day_number(as_date(since)))
    wanted = [*columns, *KEYS, "amount", "outcome", "closed_day", "start", "end", "cause"]
    return snapshot.engine.keep(frame.select(dict.fromkeys(wanted)))


def _recent(snapshot: Snapshot, every: Every | None) -> list[int]:
    """First days of the periods begun in the last twelve months."""
    if every is None:
        return []
    check_every(every)
    year_ago = month_start(snapshot.as_of, -11)
    fiscal = snapshot.definitions.fiscal_year_start
    found = starts(year_ago, snapshot.as_of, every, fiscal)
    return [day_number(first) for first in found]


def _of_column(
    snapshot: Snapshot,
    climbed: nw.LazyFrame,
    by: str,
    column: str | None,
    every: Every | None,
    recent: Sequence[int],
) -> list[Finding]:
    """Compare the groups that one column makes, at every stage."""
    cut = Groups(snapshot, "deals", column, every)
    frame = cut.add_period(climbed, "start")
    frame = frame.with_columns(
        group=nw.col(column) if column else nw.lit(ALL),
        period=nw.col("period") if every else nw.lit(0),
    )
    keys = ["group", "period", *KEYS]
    followed = durations(snapshot, frame, keys, start="start", end="end")
    dated = frame.filter(nw.col("cause") >= 0).group_by(*keys, "start")
    entered = collect(dated.agg(nw.len().alias("n")))
    found = []
    stages = followed[KEYS].drop_duplicates().itertuples(index=False, name=None)
    for funnel, rank in stages:
        part = followed[(followed["funnel"] == funnel) & (followed["rank"] == rank)]
        own = entered[(entered["funnel"] == funnel) & (entered["rank"] == rank)]
        place = (str(funnel), int(rank))
        sides = comparisons(part, own, today=snapshot.as_of_day, since=recent)
        for group, made in sides:
            if made:
                best, p = strongest(made)
                found.append(Finding(place, by, column, group, best, p))
    return found


def _table(
    snapshot: Snapshot,
    climbed: nw.LazyFrame,
    passing: Sequence[tuple[Finding, float]],
    level: float,
    since: date | str | None,
) -> pd.DataFrame:
    """One row per finding, the costliest first."""
    listed = stages_of(snapshot).to_dict("records")
    stages = {(row["funnel"], row["rank"]): row for row in listed}
    whole = pd.NaT if since is None else pd.Timestamp(as_date(since))
    rows = []
    for finding, q in passing:
        best, stage = finding.best, stages[finding.stage]
        cost = cost_of(snapshot, climbed, finding, level)
        rows.append(
            {
                "pipeline_id": stage["pipeline_id"],
                "stage_id": stage["stage_id"],
                "label": stage["label"],
                "by": finding.by,
                "group": finding.group,
                "period": whole if best.since is None else pd.Timestamp(from_day(best.since)),
                "against": best.against,
                "here": best.here.value,
                "elsewhere": best.elsewhere.value,
                **cost,
                "x": best.here.x,
                "n": best.here.n,
                "p": finding.p,
                "q": q,
                "note": joined(_few(best), f"by day {best.age}", str(cost["note"])),
            }
        )
    table = pd.DataFrame(rows, columns=COLUMNS)
    floats = ["here", "elsewhere", "lost_deals", "money_lost", "low", "high", "p", "q"]
    kinds = dict.fromkeys(floats, "float64") | {"x": "int64", "n": "int64"}
    texts = dict.fromkeys(("stage_id", "label", "by", "group", "against", "note"), "str")
    table = table.astype(kinds | texts | {"period": "datetime64[us]"})
    order = ["money_lost", "lost_deals", "p"]
    return table.sort_values(order, ascending=[False, False, True], ignore_index=True)


def _few(best: Comparison) -> str:
    """Warn where either side is small."""
    fewest = min(best.here.n, best.elsewhere.n)
    return f"low_n: {fewest} only" if fewest < FEW else ""
