"""One model a segment, each leaning on all of them as far as its own data is thin."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from kpi.engine import collect
from kpi.planning.ladder import ladder
from kpi.planning.model import FunnelModel
from kpi.planning.posterior import Memory
from kpi.rewind import count
from kpi.snapshot import Snapshot
from kpi.stats.shrinkage import beta_binomial_shrinkage
from kpi.tables import TableError

MANY_SEGMENTS = 30


def fit_segments(snapshot: Snapshot, by: str) -> Mapping[str, FunnelModel]:
    """Fit one model for each value of a column of leads or deals, with rates shrunk together.

    Each segment keeps its own delays, values and open records. What its leads win is drawn towards
    the common rate, the more the fewer of them there are (empirical Bayes); a segment that never won
    takes delays and values from all and says so.

    Parameters
    ----------
    snapshot : Snapshot
    by : str
        A column to filter by, such as ``"source"`` or ``"segment"`` (`Snapshot.where`).

    Returns
    -------
    mapping of value to FunnelModel
        Records without a value are in none of them.

    Raises
    ------
    TableError
        If the column is unknown or holds more than thirty values.
    """
    pooled = FunnelModel.fit(snapshot)
    values = _values(snapshot, by)
    if len(values) > MANY_SEGMENTS:
        raise TableError(f"by={by!r} has {len(values):,} values; expected {MANY_SEGMENTS} at most")
    fits = {value: _one(snapshot.where(**{by: value}), pooled) for value in values}
    own = [model.curves[0, model.top] for model in fits.values()]
    shrunk = beta_binomial_shrinkage([c.x for c in own], [c.n for c in own])
    mu, precision = float(shrunk.attrs["mu"]), float(shrunk.attrs["precision"])
    alike = str(shrunk.attrs["note"])
    together = (sum(c.x for c in own), sum(c.n for c in own))
    found = {}
    for value, model in fits.items():
        curve = model.curves[0, model.top]
        borrowed = (mu * precision, precision)
        x, n = together if np.isinf(precision) else (curve.x + borrowed[0], curve.n + borrowed[1])
        found[value] = _leaning(model, x, n, alike)
    return found


def _values(snapshot: Snapshot, by: str) -> list[str]:
    for name in ("leads", "deals"):
        if name not in snapshot.present:
            continue
        frame = getattr(snapshot, name).lazy()
        if by in frame.collect_schema().names():
            found = collect(frame.select(by).unique())[by].dropna()
            return sorted(str(value) for value in found)
    raise TableError(f"by={by!r}: neither leads nor deals have such a column")


def _one(part: Snapshot, pooled: FunnelModel) -> FunnelModel:
    """Model of a segment; of one that never won, that of all with its own open records."""
    try:
        return FunnelModel.fit(part)
    except TableError as error:
        rungs = ladder(part)
        names = tuple(name for name, _ in rungs.steps)
        alike = names == tuple(step.name for step in pooled.steps)
        followed = count(rungs.lead_climbs if rungs.has_leads else rungs.deal_climbs)
        curves = dict(pooled.curves)
        curves[0, pooled.top] = replace(curves[0, pooled.top], x=0.0, n=float(followed))
        return replace(
            pooled,
            curves=curves,
            waiting=rungs.waiting() if alike else pooled.waiting.iloc[:0],
            source=part.described,
            direct_per_month=0.0,
            notes=(f"delays and deal values are those of all segments: {error}",),
            memory=Memory(),
        )


def _leaning(model: FunnelModel, x: float, n: float, alike: str) -> FunnelModel:
    """Return the model whose leads win with the share that `x` of `n` make."""
    top = model.top
    factor = (x / n) / model.curves[0, top].final
    curves = dict(model.curves)
    curves |= {(0, j): curves[0, j].scaled(factor) for j in range(1, top + 1)}
    own = model.curves[0, top].n
    curves[0, top] = replace(curves[0, top], x=x, n=n)
    note = alike or f"the common rate weighs {1 - own / n:.0%} beside the segment's own"
    return replace(model, curves=curves, notes=(*model.notes, note), memory=Memory())
