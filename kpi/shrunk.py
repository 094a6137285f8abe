"""A rate by groups, drawn towards what the groups have in common: for comparing small groups fairly."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kpi.result import VALUES, joined
from kpi.stats.shrinkage import beta_binomial_shrinkage
from kpi.tables import TableError

Floats = NDArray[np.float64]


def shrunk(
    table: pd.DataFrame, *, within: str | Sequence[str] | None = None, level: float = 0.80
) -> pd.DataFrame:
    """Return a rate by groups with each group drawn towards the common rate (empirical Bayes).

    No ranking of sellers or sources without it: of ten equally good sellers with eight deals each
    one has won six by chance. A group keeps its own rate as far as it has records. Where the groups
    differ no more than chance makes them, all get the common rate and the note says so.

    Parameters
    ----------
    table : DataFrame
        Result of a KPI that is a share (`kpi.win_rate`, `kpi.lead_conversion`,
        `kpi.stage_conversion`, ...), asked for with ``by``.
    within : str or list of str, optional
        Columns whose values are not compared with each other, beside ``period``, ``pipeline_id``
        and ``stage_id``, which never are.
    level : float
        Share of the band.

    Returns
    -------
    DataFrame
        The same rows and columns; ``value, low, high`` are the posterior mean (0 to 1) and its
        band, then, at the end, ``plain`` (the rate as it was), ``weight`` (0 to 1: how much of the
        value is the common rate) and ``p_above`` (probability that the group is above it; rank by
        this; missing where there is no evidence that groups differ). A group without any record
        gets the common rate and a note.

    Raises
    ------
    TableError
        If the table is no rate by groups.

    Notes
    -----
    Rates that follow open deals count as many records as their ``x`` is worth, ``x / value``, so
    that an open deal is no failure; see `kpi.stats.beta_binomial_shrinkage` for the rest.

    Examples
    --------
    >>> table = pd.DataFrame({"owner": ["a", "b", "c"], "value": [2 / 3, 0.3, 0.6], "low": 0.0,
    ...     "high": 1.0, "x": [2, 30, 60], "n": [3, 100, 100], "note": ""})
    >>> shrunk(table)[["owner", "value", "plain"]].round(2).values.tolist()
    [['a', 0.51, 0.67], ['b', 0.32, 0.3], ['c', 0.59, 0.6]]
    """
    lacking = [name for name in VALUES if name not in table]
    if lacking:
        raise TableError(f"shrunk: the table lacks {lacking}; expected the result of a KPI with by")
    if table.columns[0] in VALUES:
        raise TableError("shrunk: the table has no groups to compare; ask the KPI with by=...")
    if not table["value"].dropna().between(0, 1).all():
        raise TableError("shrunk: values outside 0 to 1; expected a share, such as win_rate")
    named = [within] if isinstance(within, str) else list(within or [])
    unknown = [name for name in named if name not in table]
    if unknown:
        raise TableError(f"within={unknown}: no such column; the table has {list(table)}")
    apart = [c for c in ("period", "pipeline_id", "stage_id") if c in table.columns[1:]]
    keys = list(dict.fromkeys([*named, *apart]))
    if not keys:
        return _together(table, level)
    parts = [_together(part, level) for _, part in table.groupby(keys, dropna=False, sort=False)]
    return pd.concat(parts).loc[table.index] if parts else _together(table, level)


def _together(table: pd.DataFrame, level: float) -> pd.DataFrame:
    """Shrink rows that are compared with each other."""
    n = _trials(table)
    x = np.minimum(table["x"].to_numpy(dtype="float64"), n)
    found = beta_binomial_shrinkage(x, n, level=level).set_index(table.index)
    said = str(found.attrs["note"])
    none = np.where((n == 0) & found["mean"].notna(), "no records of its own", "")
    notes = [
        joined(said, own, note) for own, note in zip(none, table["note"].fillna(""), strict=True)
    ]
    new = {"value": found["mean"], "low": found["low"], "high": found["high"]}
    extra = {"plain": table["value"], "weight": found["weight"], "p_above": found["p_above"]}
    return table.assign(**new, note=pd.array(notes, dtype="str"), **extra)


def _trials(table: pd.DataFrame) -> Floats:
    """Return the records each rate is worth: n, less the part that open deals have still to go."""
    x, n = table["x"].to_numpy(dtype="float64"), table["n"].to_numpy(dtype="float64")
    value = table["value"].to_numpy(dtype="float64", na_value=np.nan)
    told = (x > 0) & (value > 0)
    whole = np.divide(x, value, out=np.zeros(len(x)), where=told)
    expected = n[told].sum()
    worth = whole.sum() / expected if expected else 1.0
    trials: Floats = np.where(told, whole, n * worth)
    trials[np.isnan(value)] = 0.0
    return trials
