"""Where a funnel with steps back ends, and after how long: the fundamental matrix of a Markov chain."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def absorption(moves: ArrayLike, ends: ArrayLike, stay: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Chance of each end, visits until then and time until then, from every stage.

    Parameters
    ----------
    moves : array, (..., k, k)
        Probability to go from stage to stage; several matrices (draws) may be stacked in front.
    ends : array, (..., k, m)
        Probability to go from a stage straight to each of m ends. A row of `moves` and `ends`
        together is a distribution: published rows that sum to 1.01 are brought to 1.
    stay : array, (k,)
        Mean time of one visit to each stage.

    Returns
    -------
    (chances, visits, time) : arrays
        ``chances`` (..., k, m): rows sum to 1. ``visits`` (..., k): stages visited, the present
        one included. ``time`` (..., k), in the unit of `stay`.

    Raises
    ------
    ValueError
        If from some stage no end can be reached.

    Notes
    -----
    ``N = (I - Q)^-1``; chances ``N R``, visits ``N 1``, time ``N stay``.

    References
    ----------
    .. [1] Kemeny JG, Snell JL (1960), Finite Markov Chains, ch. 3.

    Examples
    --------
    From the first stage half go on and half are lost; from the second a fifth go back:

    >>> chances, visits, days = absorption(
    ...     [[0, 0.5], [0.2, 0]], [[0, 0.5], [0.6, 0.2]], [10, 20])
    >>> chances.round(3).tolist(), visits.round(3).tolist(), days.round(1).tolist()
    ([[0.333, 0.667], [0.667, 0.333]], [1.667, 1.333], [22.2, 24.4])
    """
    q, r = np.asarray(moves, dtype="float64"), np.asarray(ends, dtype="float64")
    total = q.sum(axis=-1, keepdims=True) + r.sum(axis=-1, keepdims=True)
    if not (total > 0).all():
        raise ValueError("a stage without any way out: every row of moves and ends needs one")
    q, r = q / total, r / total
    k = q.shape[-1]
    once = np.ones((*q.shape[:-1], 1))
    days = np.broadcast_to(np.asarray(stay, dtype="float64")[:, None], once.shape)
    wanted = np.concatenate([r, once, days], axis=-1)
    try:
        solved = np.linalg.solve(np.eye(k) - q, wanted)
    except np.linalg.LinAlgError as error:
        raise ValueError("from some stage no end can be reached: its deals go round") from error
    return solved[..., :-2], solved[..., -2], solved[..., -1]
