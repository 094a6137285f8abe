"""Quotas month by month: longer ones spread, parts of a whole recognised, ramp prorated."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kpi.acquisition.spend import month_index
from kpi.engine import collect
from kpi.periods import MONTHS
from kpi.snapshot import Snapshot

WHAT = ["deal_type", "product"]


def monthly_quotas(snapshot: Snapshot, cut: Sequence[str] = (), *, ramp: bool) -> pd.DataFrame:
    """Spread quotas over their months, each thing asked of a seller once.

    Parameters
    ----------
    cut : sequence of str
        Which of ``deal_type`` and ``product`` tell groups apart: there a quota for one value is no
        part of a quota for all.
    ramp : bool
        Prorate while a seller ramps up.

    Returns
    -------
    DataFrame
        ``owner_id, deal_type, product`` (missing: all), ``month`` (`kpi.acquisition.spend.month_index`),
        ``quota`` (reporting currency), ``ramped`` (1 where it was prorated).
    """
    columns = ["owner_id", *WHAT, "period", "period_start_day", "amount"]
    rows = collect(snapshot.quotas.lazy().select(*columns))
    length = rows["period"].map(MONTHS).fillna(1).astype("int64")
    start = pd.Series([month_index(day) for day in rows["period_start_day"]], dtype="int64")
    rows = rows.assign(length=length, quota=rows["amount"].astype("float64") / length)
    spread = rows.loc[rows.index.repeat(length)]
    spread["month"] = start.loc[spread.index] + spread.groupby(level=0).cumcount()
    kept = _whole(_shortest(spread.reset_index(drop=True)), cut)
    return _ramped(snapshot, kept[["owner_id", *WHAT, "month", "quota"]], ramp=ramp)


def _shortest(spread: pd.DataFrame) -> pd.DataFrame:
    """Of quotas of several lengths for the same, keep the shortest."""
    same = spread.groupby(["owner_id", *WHAT, "month"], dropna=False)["length"]
    return spread[spread["length"] == same.transform("min")]


def _whole(spread: pd.DataFrame, cut: Sequence[str]) -> pd.DataFrame:
    """Leave out quotas that are part of a wider one of the same seller and month."""
    given = spread[WHAT].notna()
    asked = pd.MultiIndex.from_frame(_named(spread))
    part = np.zeros(len(spread), dtype=bool)
    for wider in (["deal_type"], ["product"], WHAT):
        if set(wider) & set(cut):
            continue
        over = _named(spread.assign(**dict.fromkeys(wider, None)))
        part |= given[wider].all(axis=1).to_numpy() & pd.MultiIndex.from_frame(over).isin(asked)
    return spread[~part]


def _named(spread: pd.DataFrame) -> pd.DataFrame:
    """Return what tells quotas apart, with "" for all (canonical text is never "")."""
    return spread[["owner_id", "month", *WHAT]].astype(dict.fromkeys(WHAT, "object")).fillna("")


def _ramped(snapshot: Snapshot, quotas: pd.DataFrame, *, ramp: bool) -> pd.DataFrame:
    """Prorate months of ramp: the mean of a straight line from 0 at the start to 1 after it."""
    if not ramp:
        return quotas.assign(ramped=0)
    snapshot.need("owners", of="quota_attainment(ramp=True)")
    owners = collect(snapshot.owners.lazy().select("owner_id", "starts_on_day", "ramp_months"))
    owners = owners.dropna(subset=["starts_on_day"])
    owners["start"] = [month_index(day) for day in owners["starts_on_day"]]
    each = quotas.merge(owners[["owner_id", "start", "ramp_months"]], on="owner_id", how="left")
    nth = each["month"] - each["start"].fillna(-1e6) + 1
    months = each["ramp_months"].fillna(0).clip(lower=0)
    share = ((nth - 0.5) / months.where(months > 0)).fillna(1.0).clip(upper=1.0).where(nth > 0, 0.0)
    return quotas.assign(
        quota=quotas["quota"].to_numpy() * share.to_numpy(),
        ramped=(share.to_numpy() < 1).astype("int64"),
    )
