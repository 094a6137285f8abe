"""What the open leads and deals will still bring, each credited once, by step and age."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kpi.planning.curve import Floats, Ints
from kpi.planning.model import FunnelModel

MONTH_DAYS = 30.4375


def arrivals(model: FunnelModel, step: int, ages: Sequence[int], days: Ints) -> Iterator[Floats]:
    """Chance that a record open at `step` since so many days reaches each later step by each day.

    The record must first go on from its step, given that it has not yet at that age; from there it
    moves like any record that reached the next step. (Conditioning on the age in the step itself,
    rather than on having no outcome yet, is what keeps a long-stalled deal from being credited
    like one that moved on.)

    Parameters
    ----------
    ages : sequence of int, (k,)
        Days from reaching the step to the as-of date, as history counts them: where everything
        takes a tenth less, a record is at nine tenths of its age where it was.
    days : array of int, (d,)
        Days after the as-of date, 0 or more.

    Yields
    ------
    array, (k, d)
        For each step after `step` in turn: 0 to 1, not falling; 0 where the record is older than any
        that history saw waiting.
    """
    onward = model.curve(step, step + 1)
    ahead = np.arange(max(int(days.max(initial=0)), 1) + 1)
    known = np.rint(np.asarray(ages) * model.cycle).astype("int64")
    followed = known < len(onward.waiting)
    still = np.where(followed, onward.waiting[np.minimum(known, len(onward.waiting) - 1)], 0.0)
    gains = np.diff(onward.by(np.arange(int(known.max(initial=0)) + len(ahead) + 1)))
    moves = sliding_window_view(gains, len(ahead) - 1)[known]
    moves = np.divide(moves, still[:, None], out=np.zeros(moves.shape), where=still[:, None] > 0)
    left = days[None, :] - ahead[1:, None]
    for end in range(step + 1, len(model.steps)):
        then = model.curve(step + 1, end).by(left) if end > step + 1 else (left >= 0) * 1.0
        yield np.minimum(moves @ then, 1.0)


def credited(model: FunnelModel, edges: Sequence[int]) -> tuple[Floats, Floats, Floats]:
    """Credit what is open now between the edges (days after the as-of date).

    Returns
    -------
    (steps, len(edges) - 1), (k, len(edges) - 1) and (k,)
        Expected records that reach step i or a later one for the first time in each span; the
        chances of each group of like records to win; and how many records it holds.
    """
    days = np.asarray(edges, dtype="int64")
    total = np.zeros((len(model.steps), len(days) - 1))
    chances, records = [np.zeros((0, len(days) - 1))], [np.zeros(0)]
    for step, ages, count in _by_step(model):
        for end, by in enumerate(arrivals(model, step, ages, days), step + 1):
            gain = np.maximum(np.diff(by, axis=1), 0.0)
            total[end] += count @ gain
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
