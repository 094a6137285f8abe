"""Where deals go from each stage, steps back included."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import beta

from kpi.entry import Entry
from kpi.funnel.moves import ENDS, Stay, destinations, stays, visits
from kpi.periods import Every
from kpi.result import Groups
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.tables import TableError

Row = dict[Any, Any]


def transition_matrix(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    deal_type: str | None = "new",
    smoothing: float = 0.5,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of the visits to each stage that lead to each other stage, to won and to lost.

    Every move counts: forward, skipping, back, and again. Visits not over yet are followed for as
    long as they have lasted and are taken to end as the others of their age did. Won and lost are
    ends; a deal lost and later reopened went straight from stage to stage.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables deals, stages and history. Deals without recorded stages are left out.
    by : str or list of str, optional
        Columns of deals.
    every : {"month", "quarter", "year"}, optional
        Period in which the visit began.
    deal_type, level
        As in `kpi.win_rate`.
    smoothing : float
        Moves added to every possible one, so that what was not seen yet is not impossible.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, ``value`` (0 to 1; the rows of one stage sum to 1), ``low,
        high, x`` (such moves), ``n`` (visits to the stage followed), ``note``; then
        ``pipeline_id, from_stage, from_label, to_stage, to_label`` (``won`` and ``lost`` for the
        ends), ``observed`` (share before smoothing) and ``open`` (visits not over yet).

    Raises
    ------
    TableError
        If a table is missing, a column, period or deal type is unknown, or `smoothing` is not
        above 0.

    Notes
    -----
    ``(n_ab + a) / (n_a + a K)`` with a = `smoothing`, K possible destinations, n_a visits that
    ended, and ``n_ab = n_a F_ab / sum F_a`` from Aalen-Johansen incidences F at the last age with ten
    visits followed, or, where more than 5 % last longer than that, at the last age of all; where
    more than 5 % last longer than even that, the note says so. Limits: Beta quantiles of that
    Dirichlet distribution.

    References
    ----------
    .. [1] Aalen O, Johansen S (1978), Scand. J. Statist. 5:141-150.

    Examples
    --------
    >>> stages = pd.DataFrame({"object": "deal", "stage_id": ["S1", "S2", "W", "L"],
    ...     "position": [1, 2, 3, 4], "outcome": ["open", "open", "won", "lost"]})
    >>> history = pd.DataFrame({"record_id": ["a", "a", "b", "b"],
    ...     "stage_id": ["S1", "S2", "S1", "L"],
    ...     "changed_at": ["2026-01-01", "2026-01-09", "2026-01-05", "2026-01-20"]})
    >>> deals = pd.DataFrame({"deal_id": ["a", "b"], "stage_id": ["S2", "L"]})
    >>> snapshot = Snapshot.from_frames(
    ...     {"stages": stages, "history": history, "deals": deals}, as_of="2026-02-01")
    >>> matrix = transition_matrix(snapshot)
    >>> matrix[["from_stage", "to_stage", "observed", "value"]].head(3).round(2).values.tolist()
    [['S1', 'S2', 0.5, 0.43], ['S1', 'won', 0.0, 0.14], ['S1', 'lost', 0.5, 0.43]]
    """
    groups = asked(snapshot, by, every, smoothing, level, of="transition_matrix")
    table = groups.add_period(visits(snapshot, groups.columns, deal_type), "start")
    rows: list[Row] = []
    for key, stages, found in stays(groups, table):
        ways = destinations(stages)
        labels = [*stages["label"], *ENDS.values()]
        names = [*stages["stage_id"], *ENDS.values()]
        for i, stay in enumerate(found):
            own = {"rank": ways[i], "from_stage": names[i], "from_label": labels[i]}
            own |= {"pipeline_id": stages["pipeline_id"].iloc[i]}
            others = [j for j in range(len(ways)) if j != i]
            beside = [{"to": ways[j], "to_stage": names[j], "to_label": labels[j]} for j in others]
            shares = _shares(stay, others, smoothing, level).to_dict("records")
            rows += [key | own | to | row for to, row in zip(beside, shares, strict=True)]
    extra = ["pipeline_id", "from_stage", "from_label", "to_stage", "to_label", "observed", "open"]
    return finished(groups, rows, extra, ["funnel", "rank", "to"])


def asked(
    snapshot: Snapshot,
    by: str | Sequence[str] | None,
    every: Every | None,
    smoothing: float,
    level: float,
    *,
    of: str,
) -> Groups:
    """Check what was asked for, and return how it is cut."""
    snapshot.need("deals", "stages", "history", of=of)
    if not smoothing > 0:
        raise TableError(
            f"smoothing = {smoothing}; expected a number of moves above 0, such as 0.5"
        )
    check_level(level)
    return Groups(snapshot, "deals", by, every)


def _shares(stay: Stay, others: list[int], smoothing: float, level: float) -> pd.DataFrame:
    """Moves from one stage to each of the others."""
    weights = stay.weights(smoothing)[others]
    total, known = weights.sum(), not np.isnan(stay.moved).any()
    value = weights / total if known else np.full(len(others), np.nan)
    tail = (1 - level) / 2
    return pd.DataFrame(
        {
            "value": value,
            "low": beta.ppf(tail, weights, total - weights) if known else np.nan,
            "high": beta.ppf(1 - tail, weights, total - weights) if known else np.nan,
            "x": stay.counts[others],
            "n": stay.followed,
            "note": stay.note,
            "observed": stay.moved[others],
            "open": stay.followed - int(stay.counts.sum()),
        }
    )


def finished(groups: Groups, rows: list[Row], extra: list[str], within: list[str]) -> pd.DataFrame:
    """Make the one shape of the rows."""
    columns = [*groups.keys, *within, "value", "low", "high", "x", "n", "note", *extra]
    table = pd.DataFrame(rows, columns=[*dict.fromkeys(columns)])
    table["note"] = table["note"].astype("str")
    table = table.fillna({"x": 0, "n": 0}).astype({"x": "int64", "n": "int64"})
    return groups.finish(table, extra, within=within)


ENTRIES = (
    Entry(
        transition_matrix,
        question="Where do deals go from each stage, steps back included?",
        formula="visits to a stage that led to another, won or lost / visits; smoothed, open ones followed",
        unit="share, 0 to 1",
        basis="visits begun in the period",
        interval="Beta quantiles of the Dirichlet distribution of a stage's moves",
        options="smoothing=0.5: moves added to every possible one; deal_type=None: all business",
        needs="deals, stages, history",
        benchmark="none: stages differ from company to company",
        source="Aalen and Johansen 1978",
        caveats="A visit, not a deal, is counted: who comes back counts again.",
        also=("stage transitions", "backward moves", "Markov chain of the funnel"),
    ),
)
