"""What the moves of deals amount to: from each stage, the chance to win and the days until the end."""

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.entry import Entry
from kpi.funnel.moves import Stay, stays, visits
from kpi.funnel.transitions import Row, asked, finished
from kpi.periods import Every
from kpi.result import count_by, joined
from kpi.snapshot import Snapshot
from kpi.stats.markov import absorption

SEED, DRAWS = 20260101, 2000
AHEAD = ["value", "low", "high", "note", "visits", "expected_days", "stay_days"]


def stage_outlook(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    deal_type: str | None = "new",
    smoothing: float = 0.5,
    level: float = 0.95,
) -> pd.DataFrame:
    """From each stage: the chance to win in the end, the stages still to visit, and the days until then.

    What the moves of `transition_matrix` amount to when a deal goes on moving by them until it is
    won or lost. How long the deal has been there already, and by which way it came, are not
    considered.

    Parameters
    ----------
    snapshot, by, every, deal_type, smoothing, level
        As in `transition_matrix`.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, ``value`` (probability to win, 0 to 1; missing where no deal
        was there), ``low, high, x`` (deals that were in the stage and are won), ``n`` (deals
        that were in the stage), ``note``; then ``pipeline_id, stage_id, label``, ``visits``
        (stage visits until the end, this one included), ``expected_days`` (until the end) and
        ``stay_days`` (mean of one visit). ``expected_days`` is missing where the stay of a stage
        on the way is not known.

    Raises
    ------
    TableError
        As in `transition_matrix`.

    Notes
    -----
    With Q the moves between stages and R those to the ends: ``N = (I - Q)^-1``, win probability
    ``N R``, visits ``N 1``, days ``N m`` with m the restricted mean stays. Limits: quantiles over
    2,000 draws of the Dirichlet distributions of the rows (seeded).

    References
    ----------
    .. [1] Kemeny JG, Snell JL (1960), Finite Markov Chains, ch. 3.

    Examples
    --------
    >>> stages = pd.DataFrame({"object": "deal", "stage_id": ["S1", "W", "L"],
    ...     "position": [1, 2, 3], "outcome": ["open", "won", "lost"]})
    >>> history = pd.DataFrame({"record_id": ["a", "a", "b", "b"],
    ...     "stage_id": ["S1", "W", "S1", "L"],
    ...     "changed_at": ["2026-01-01", "2026-01-09", "2026-01-05", "2026-01-17"]})
    >>> deals = pd.DataFrame({"deal_id": ["a", "b"], "stage_id": ["W", "L"]})
    >>> snapshot = Snapshot.from_frames(
    ...     {"stages": stages, "history": history, "deals": deals}, as_of="2026-02-01")
    >>> stage_outlook(snapshot)[["value", "x", "n", "visits", "expected_days"]].values.tolist()
    [[0.5, 1.0, 2.0, 1.0, 10.0]]
    """
    groups = asked(snapshot, by, every, smoothing, level, of="stage_outlook")
    table = groups.add_period(visits(snapshot, groups.columns, deal_type), "start")
    keys = [*groups.keys, "funnel", "rank"]
    once = table.select(*keys, "deal_id", "outcome").unique()
    won = nw.when(nw.col("outcome") == "won").then(nw.lit(1)).otherwise(nw.lit(0))
    counted = count_by(once, keys, x=won, n=nw.when(nw.col("rank") >= 0).then(nw.lit(1)))
    rows: list[Row] = []
    for key, stages, found in stays(groups, table):
        ahead = _ahead(found, smoothing, level)
        named = stages.drop(columns="funnel").reset_index(drop=True)
        rows += [key | row for row in pd.concat([named, ahead], axis=1).to_dict("records")]
    extra = ["pipeline_id", "stage_id", "label", "visits", "expected_days", "stay_days"]
    frame = pd.DataFrame(rows, columns=[*dict.fromkeys([*keys, *AHEAD, *extra])])
    frame = frame.merge(counted, on=keys, how="left") if len(counted) else frame.assign(x=0, n=0)
    return finished(groups, frame.to_dict("records"), extra, ["funnel", "rank"])


def _ahead(found: list[Stay], smoothing: float, level: float) -> pd.DataFrame:
    """Win probability, visits and days from each stage of one funnel."""
    k = len(found)
    rng = np.random.default_rng(SEED)
    mean, drawn = np.zeros((k, k + 2)), np.zeros((DRAWS, k, k + 2))
    for i, stay in enumerate(found):
        others = [j for j in range(k + 2) if j != i]
        weights = stay.weights(smoothing)[others]
        mean[i, others] = weights / weights.sum()
        drawn[:, i, others] = rng.dirichlet(weights, DRAWS)
    stay_days = np.array([stay.days for stay in found])
    ends, visited, days = absorption(mean[:, :k], mean[:, k:], stay_days)
    chances = absorption(drawn[..., :k], drawn[..., k:], stay_days)[0][..., 0]
    tail = (1 - level) / 2
    low, high = np.quantile(chances, [tail, 1 - tail], axis=0)
    value = ends[:, 0]
    ahead = pd.DataFrame({"value": value, "low": np.minimum(low, value)})
    ahead = ahead.assign(high=np.maximum(high, value), visits=visited, expected_days=days)
    unknown = [bool(np.isnan(stay.moved).any()) for stay in found]
    ahead.loc[unknown] = np.nan
    others_unknown = any(unknown) and not all(unknown)
    guess = "a stage nobody has left yet is taken to lead anywhere" if others_unknown else ""
    notes = [
        joined(stay.note, "" if lacking else guess)
        for stay, lacking in zip(found, unknown, strict=True)
    ]
    return ahead.assign(note=notes, stay_days=stay_days)


ENTRIES = (
    Entry(
        stage_outlook,
        question="From each stage, how likely is the win and how long will it take?",
        formula="(I - Q)^-1 R of the transition matrix; visits (I - Q)^-1 1; days (I - Q)^-1 m",
        unit="share, 0 to 1",
        basis="visits begun in the period",
        interval="quantiles over Dirichlet draws of the moves",
        options="smoothing=0.5: moves added to every possible one; deal_type=None: all business",
        needs="deals, stages, history",
        benchmark="the probability a CRM states for the stage (not yours: compare)",
        source="Kemeny and Snell 1960",
        caveats="How long a deal has been in the stage is not considered: an old deal is worth less.",
        also=("win probability by stage", "expected days to close", "stage-specific win rate"),
        better="higher",
    ),
)
