"""A sheet of cohorts, each followed as far as it is old: the share won at each age."""

import numpy as np
from numpy.typing import ArrayLike

from kpi.planning.curve import Floats
from kpi.planning.target import PlanError


def rates_by_age(triangle: ArrayLike) -> Floats:
    """Read the share won at each age from a table of cohorts, each followed as far as it is old.

    For whoever has no CRM but a sheet: one row per cohort, what it won at age 0, 1, 2, ... A cohort
    too young for an age does not count at that age, and is not taken for one that won nothing.

    Parameters
    ----------
    triangle : array, (cohorts, ages)
        Share of the cohort won at each age (any unit); missing (nan) where it is not yet so old.
        Cohorts weigh the same.

    Returns
    -------
    array, (ages,)
        Mean over the cohorts that are old enough, in the unit of the input; the sum is the share
        that wins at all. Missing where no cohort is old enough.

    Raises
    ------
    PlanError
        If the table is not one of rows and columns, holds a negative share, or has a gap before a
        known value.

    References
    ----------
    .. [1] Kellogg, "Why every startup needs an inverted demand generation funnel, part III", 2020.

    Examples
    --------
    >>> rates_by_age([[2, 4], [4, float("nan")]]).tolist()
    [3.0, 4.0]
    """
    table = np.asarray(triangle, dtype="float64")
    seen = ~np.isnan(table)
    if table.ndim != 2 or table.size == 0:
        raise PlanError("the triangle must have a row per cohort and a column per age")
    if (table[seen] < 0).any() or (seen[:, 1:] & ~seen[:, :-1]).any():
        raise PlanError("the triangle holds a negative share, or a gap before a known one")
    n = seen.sum(axis=0)
    total = np.where(seen, table, 0.0).sum(axis=0)
    return np.asarray(np.where(n > 0, total / np.maximum(n, 1), np.nan))
