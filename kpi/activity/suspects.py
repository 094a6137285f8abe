"""Suspects: contacts newly put into outbound."""

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.entry import Entry
from kpi.leads.flow import to_date
from kpi.periods import Every, day_number, from_day, period_start
from kpi.result import Groups, count_by
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level


def suspects_added(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Suspects: contacts newly targeted outbound, each once.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table suspects.
    by : str or list of str, optional
        Columns of suspects, such as ``"owner"`` or ``"campaign"``.
    every : {"month", "quarter", "year"}, optional
        Period in which the contact was added; the one still running is marked ``to date``.
    level : float
        No interval is given: the contacts are counted, not estimated.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (contacts), ``low, high`` (missing), ``x`` and
        ``n`` (contacts), ``note``; then ``seller_months`` (pairs of a seller and a month in which
        that seller added any) and ``per_seller_month`` (contacts with a seller / seller_months).

    Raises
    ------
    TableError
        If suspects are missing, or a column or period is unknown.

    Notes
    -----
    A month in which a seller added none is no seller-month here; `kpi.seller_minimums` counts it,
    as a month of zero.

    References
    ----------
    .. [1] Tracking Success (sales newsletter 067): about 300 contacts a seller and month.

    Examples
    --------
    >>> suspects = pd.DataFrame({"suspect_id": list("abc"), "owner_id": ["1", "1", "2"],
    ...     "added_at": ["2026-01-05", "2026-02-05", "2026-02-06"]})
    >>> snapshot = Snapshot.from_frames({"suspects": suspects}, as_of="2026-02-28")
    >>> suspects_added(snapshot)[["value", "seller_months", "per_seller_month"]].to_dict("records")
    [{'value': 3.0, 'seller_months': 3, 'per_seller_month': 1.0}]
    """
    snapshot.need("suspects", of="suspects_added")
    check_level(level)
    groups = Groups(snapshot, "suspects", by, every)
    monthly = Groups(snapshot, "suspects", by, "month")
    dated = monthly.add_period(snapshot.suspects.lazy(), "added_day")
    one = nw.when(~nw.col("suspect_id").is_null()).then(nw.lit(1)).otherwise(nw.lit(0))
    parts = list(dict.fromkeys([*monthly.keys, "owner_id"]))
    counted = count_by(dated, parts, x=one)
    owned = counted["owner_id"].notna()
    counted = counted.assign(
        seller_months=owned.astype("int64"), owned=counted["x"].where(owned, 0)
    )
    if every:
        fiscal = snapshot.definitions.fiscal_year_start
        begins = {
            month: day_number(period_start(from_day(month), every, fiscal))
            for month in counted["period"].unique()
        }
        counted["period"] = counted["period"].map(begins).astype("int64")
    sums = counted.groupby(groups.keys or (lambda _: 0), dropna=False)
    table = sums[["x", "seller_months", "owned"]].sum().reset_index(drop=not groups.keys)
    zeros = {"x": 0, "seller_months": 0, "owned": 0}
    table = groups.complete(table, **zeros).astype(dict.fromkeys(zeros, "int64"))
    some = bool(table["x"].sum())
    each = table["seller_months"].where(table["seller_months"] > 0)
    result = table.assign(
        value=table["x"].astype("float64") if some else np.nan,
        low=np.nan,
        high=np.nan,
        n=table["x"],
        note=np.where(to_date(groups, table), "to date", "")
        if some
        else "not enough data: no suspects",
        per_seller_month=(table["owned"] / each).astype("float64"),
    )
    return groups.finish(result, ["seller_months", "per_seller_month"])


ENTRIES = (
    Entry(
        suspects_added,
        question="How many contacts did we newly target?",
        formula="count of contacts by the day they were put into outbound",
        unit="count",
        basis="contacts added in the period",
        interval="none: contacts are counted, not estimated",
        options="by='owner': each seller; per_seller_month: the average beside the count",
        needs="suspects",
        benchmark="about 300 contacts a seller and month (sales newsletter 067)",
        source="Tracking Success, sales newsletter 067",
        caveats="Volume without profile is noise: read it beside appointments in profile.",
        also=("suspects", "outbound contacts", "suspects per seller and month"),
        better="higher",
    ),
)
