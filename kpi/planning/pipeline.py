"""What the open leads and deals will still bring, each credited once, by step and age."""

from collections.abc import Iterator, Sequence

import numpy as np

from kpi.planning.curve import Floats, Ints
from kpi.planning.model import FunnelModel

MONTH_DAYS = 30.4375


def arrivals(model: FunnelModel, step: int, ages: Sequence[int], end: int, days: Ints) -> Floats:
    """Chance that a record open at `step` since so many days reaches `end` by each day.

    The record must first go on from its step, given that it has not yet at that age; from there it
    moves like any record that reached the next step. (Conditioning on the age in the step itself,
    rather than on having no outcome yet, is what keeps a long-stalled deal from being credited
    like one that moved on.)

    Parameters
    ----------
    ages : sequence of int, (k,)
        Days from reaching the step to the as-of date.
    days : array of int, (d,)
        Days after the as-of date, 0 or more.

    Returns
    -------
    array, (k, d)
        0 to 1, not falling; 0 where the record is older than any that history saw waiting.
    """
    onward = model.curve(step, step + 1)
    last = int(days.max(initial=0))
    ahead = np.arange(last + 1)
    then = model.curve(step + 1, end).by(ahead) if end > step + 1 else np.ones(last + 1)
    found = np.zeros((len(ages), len(days)))
    for i, age in enumerate(ages):
        if age < len(onward.waiting) and onward.waiting[age] > 0:
            left = np.diff(onward.by(age + ahead)) / onward.waiting[age]
            found[i] = np.concatenate([[0.0], np.convolve(left, then)[:last]])[days]
    return np.minimum(found, 1.0)


def expected(model: FunnelModel, edges: Sequence[int]) -> Floats:
    """Expected arrivals of open records at every step, between the edges (days after the as-of date).

    Returns
    -------
    array, (steps, len(edges) - 1)
        Row i: records that reach step i or a later one for the first time in each span.
    """
    days = np.asarray(edges, dtype="int64")
    total = np.zeros((len(model.steps), len(days) - 1))
    for step, ages, count in _by_step(model):
        for end in range(step + 1, len(model.steps)):
            by = arrivals(model, step, ages, end, days)
            total[end] += count @ np.maximum(np.diff(by, axis=1), 0.0)
    return total


def win_odds(model: FunnelModel, edges: Sequence[int]) -> tuple[Floats, Floats]:
    """Chance of open records to win between the edges (days after the as-of date).

    Returns
    -------
    (k, len(edges) - 1) and (k,)
        The chances of each group of like records, and how many records it holds.
    """
    days = np.asarray(edges, dtype="int64")
    chances, records = [np.zeros((0, len(days) - 1))], [np.zeros(0)]
    for step, ages, count in _by_step(model):
        gain = np.maximum(np.diff(arrivals(model, step, ages, model.top, days), axis=1), 0.0)
        some = gain.sum(axis=1) > 0
        chances.append(gain[some])
        records.append(count[some])
    return np.concatenate(chances), np.concatenate(records)


def direct_arrivals(model: FunnelModel, spans: Sequence[tuple[int, int]], horizon: int) -> Floats:
    """Expected arrivals, by step and span, of deals without a lead created after the as-of date."""
    found = np.zeros((len(model.steps), len(spans)))
    if model.direct_per_month == 0:
        return found
    a_day = model.direct_per_month / MONTH_DAYS
    for end in range(model.first_deal, len(model.steps)):
        for i, (a, b) in enumerate(spans):
            if end == model.first_deal:
                found[end, i] = a_day * (b - a)
            else:
                share = model.curve(model.first_deal, end).between((1, horizon + 1), (a, b))
                found[end, i] = a_day * horizon * share
    return found


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
