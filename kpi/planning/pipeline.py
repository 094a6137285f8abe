"""What the open leads and deals will still bring, each credited once, by step and age."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kpi.planning.curve import Floats
from kpi.planning.model import FunnelModel

MONTH_DAYS = 30.4375


def going_on(model: FunnelModel, step: int, ages: Sequence[int], days: int) -> Floats:
    """Chance that a record open at `step` since so many days goes on in 1, 2, ... days.

    Given that it has not yet at that age. (Conditioning on the age in the step itself, rather than
    on having no outcome yet, is what keeps a long-stalled deal from being credited like one that
    moved on.)

    Parameters
    ----------
    ages : sequence of int, (k,)
        Days from reaching the step to the as-of date.
    days : int
        How many days ahead, 1 or more.

    Returns
    -------
    array, (k, days)
        0 where the record is older than any that history saw waiting.
    """
    onward = model.curve(step, step + 1)
    known = np.rint(np.asarray(ages) * model.cycle).astype("int64")  # at the pace of history
    followed = known < len(onward.waiting)
    still = np.where(followed, onward.waiting[np.minimum(known, len(onward.waiting) - 1)], 0.0)
    gains = np.diff(onward.by(np.arange(int(known.max(initial=0)) + days + 1)))
    moves = sliding_window_view(gains, days)[known]
    found = np.zeros(moves.shape)
    np.divide(moves, still[:, None], out=found, where=still[:, None] > 0)
    return found


def credited(model: FunnelModel, edges: Sequence[int]) -> tuple[Floats, Floats, Floats]:
    """Credit what is open now between the edges (days after the as-of date).

    A record must first go on from its step (`going_on`); from there it moves like any that reached
    the next step.

    Returns
    -------
    (steps, len(edges) - 1), (k, len(edges) - 1) and (k,)
        Expected records that reach step i or a later one for the first time in each span; the
        chances of each group of like records to win; and how many records it holds.
    """
    days = np.asarray(edges, dtype="int64")
    ahead = max(int(days.max(initial=0)), 1)
    left = days[None, :] - np.arange(1, ahead + 1)[:, None]
    total = np.zeros((len(model.steps), len(days) - 1))
    chances, records = [np.zeros((0, len(days) - 1))], [np.zeros(0)]
    for step, ages, count in _by_step(model):
        moves = going_on(model, step, ages, ahead)
        together = count @ moves
        for end in range(step + 1, len(model.steps)):
            then = model.curve(step + 1, end).by(left) if end > step + 1 else (left >= 0) * 1.0
            total[end] += np.maximum(np.diff(together @ then), 0.0)
        gain = np.maximum(np.diff(np.minimum(moves @ then, 1.0), axis=1), 0.0)
        some = gain.sum(axis=1) > 0
        chances.append(gain[some])
        records.append(count[some])
    return total, np.concatenate(chances), np.concatenate(records)


def expected(model: FunnelModel, edges: Sequence[int]) -> Floats:
    """Expected arrivals of open records at every step: the first of what `credited` returns."""
    return credited(model, edges)[0]


def direct_arrivals(model: FunnelModel, spans: Sequence[tuple[int, int]], horizon: int) -> Floats:
    """Expected arrivals, by step and span, of deals without a lead created after the as-of date."""
    found = np.zeros((len(model.steps), len(spans)))
    if model.direct_per_month == 0:
        return found
    a_day = model.direct_per_month / MONTH_DAYS
    edges = np.array([spans[0][0], *(b for _, b in spans)])
    found[model.first_deal] = a_day * np.diff(edges)
    for end in range(model.first_deal + 1, len(model.steps)):
        curve = model.curve(model.first_deal, end)
        found[end] = a_day * np.diff(
            curve.integral(edges - 1) - curve.integral(edges - 1 - horizon)
        )
    return np.maximum(found, 0.0)


def _by_step(model: FunnelModel) -> Iterator[tuple[int, list[int], Floats]]:
    for step, part in model.waiting.groupby("step"):
        yield int(str(step)), part["age"].tolist(), part["n"].to_numpy(dtype="float64")


def stalled(model: FunnelModel) -> int:
    """Open records older than any that history saw waiting: credited nothing."""
    n = 0
    for step, ages, count in _by_step(model):
        waiting = model.curves[step, step + 1].waiting
        gone = [age >= len(waiting) or waiting[age] <= 0 for age in ages]
        n += int(count[np.array(gone)].sum())
    return n
