"""Quota attainment: what sellers and teams have won of what was asked of them."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.acquisition.spend import first_day, last_month, month_index
from kpi.engine import collect
from kpi.entry import Entry
from kpi.filters import id_column
from kpi.periods import Every, check_every, day_number, from_day, period_start
from kpi.quota.lines import monthly_quotas
from kpi.result import Groups, joined
from kpi.rewind import last_value
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level
from kpi.tables import TableError

OF_SELLERS = {"team", "manager", "name", "active"}
ROW = ["won", "quota", "x", "n", "sellers", "at_quota", "tracked", "unpriced", "ramped"]


def quota_attainment(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    of: Literal["amount", "mrr"] = "amount",
    ramp: bool = False,
    level: float = 0.95,
) -> pd.DataFrame:
    """Closed-won credited to sellers over their quotas.

    A team's attainment is the sum of what was won over the sum of the quotas, never the mean of
    percentages. A deal is credited to its owner at close where history tracks owners, else to its
    owner as of the date (the note says how many). It counts where its kind of business and product
    are those of a quota its seller has for the month in which it closed.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables quotas and deals; owners for ``"team"``, ``"manager"`` and `ramp`.
    by : str or list of str, optional
        Columns of quotas (``"owner"``, ``"deal_type"``, ``"product"``), or of owners (``"team"``,
        ``"manager"``).
    every : {"month", "quarter", "year"}, optional
        Period; the one that holds the as-of date is there with its whole quota and marked ``to
        date``. Default: every month with a quota that had ended on the as-of date.
    of : {"amount", "mrr"}
        What of a deal counts towards the quota.
    ramp : bool
        Prorate quotas while a seller ramps up, from ``owners.starts_on`` over ``ramp_months``;
        without it quotas count as they stand.
    level : float
        Unused: quotas and wins are exact records and have no interval.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (a share, 1 is the quota met; may exceed 1),
        ``low, high`` (missing), ``x`` (won deals credited), ``n`` (quotas of a seller and month),
        ``note``, and ``won``, ``quota`` (reporting currency), ``sellers`` (with a quota),
        ``at_quota`` (how many of them met theirs), ``sellers_at_quota`` (the share of them).
        ``value`` is missing, with the reason in ``note``, where there is no quota above zero.

    Raises
    ------
    TableError
        If a table is missing, or a column, period or option is unknown.

    Notes
    -----
    A quota of a quarter or year is spread evenly over its months, from the month its first day is
    in. Of quotas of several lengths for the same seller, business and month the shortest counts.
    A quota for less (one product, say) is part of the seller's quota for more, and is only shown
    when cut by that column. Ramp: the mean of a straight line from 0 at the start to 1 after
    ``ramp_months``, month by month; none before the start.

    References
    ----------
    .. [1] Moving Your KPI Levers Into Alignment, 2023 (monthly; new against existing; by product).

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["1", "2"], "outcome": "won", "owner_id": ["ann", "bob"],
    ...     "amount": [150, 50], "close_date": "2026-06-10"})
    >>> quotas = pd.DataFrame({"owner_id": ["ann", "bob"], "period_start": "2026-06-01",
    ...     "amount": [100, 200]})
    >>> snapshot = Snapshot.from_frames({"deals": deals, "quotas": quotas}, as_of="2026-06-30")
    >>> quota_attainment(snapshot, by="owner")["value"].tolist()
    [1.5, 0.25]
    >>> quota_attainment(snapshot)[["value", "won", "quota"]].round(3).to_dict("records")
    [{'value': 0.667, 'won': 200.0, 'quota': 300.0}]
    """
    snapshot.need("quotas", "deals", of="quota_attainment")
    check_level(level)
    if of not in ("amount", "mrr"):
        raise TableError(f"of={of!r}; expected 'amount' or 'mrr'")
    groups = _groups(snapshot, by, every)
    cut = [name for name in ("deal_type", "product") if name in groups.columns]
    quotas = monthly_quotas(snapshot, cut, ramp=ramp)
    won = _won(snapshot, of)
    table, others = _met(snapshot, groups, quotas, won)
    table = groups.complete(table, **dict.fromkeys(ROW, 0))
    value = table["won"] / table["quota"].where(table["quota"] > 0)
    share = table["at_quota"] / table["sellers"].where(table["sellers"] > 0)
    notes = [_note(groups, snapshot, row, others) for row in table.to_dict("records")]
    table = table.assign(
        value=value,
        low=np.nan,
        high=np.nan,
        sellers_at_quota=share,
        note=pd.array(notes, dtype="str"),
    )
    whole = dict.fromkeys(["x", "n", "sellers", "at_quota"], "int64")
    money = {"won": "float64", "quota": "float64", "sellers_at_quota": "float64"}
    extra = ["won", "quota", "sellers", "at_quota", "sellers_at_quota"]
    return groups.finish(table.astype(whole | money).round({"won": 6, "quota": 6}), extra)


def owner_at_close(snapshot: Snapshot, deals: nw.LazyFrame) -> nw.LazyFrame:
    """Credit closed deals: ``owner_id`` is the owner at close, ``tracked`` 1 where history says so.

    The last owner recorded up to the moment the deal entered a stage of won on its closing day
    (where no such move is recorded: up to the end of that day), so that a hand-over after the win
    takes nothing away. Else the owner as of the date, and ``tracked`` is 0.
    """
    closed = deals.select(record_id=nw.col("deal_id"), close=nw.col("closed_day"))
    changes = snapshot.history.lazy().filter(nw.col("object") == "deal")
    changes = changes.join(closed, on="record_id").filter(nw.col("changed_day") <= nw.col("close"))
    stages = snapshot.stages.lazy().filter(nw.col("object") == "deal", nw.col("outcome") == "won")
    moment = (
        changes.filter(nw.col("changed_day") == nw.col("close"))
        .join(stages.select("funnel", "stage_id"), on=["funnel", "stage_id"], how="semi")
        .group_by("record_id")
        .agg(moment=nw.col("changed_s").min())
    )
    before = changes.join(moment, on="record_id", how="left").filter(
        nw.col("moment").is_null() | (nw.col("changed_s") <= nw.col("moment"))
    )
    then = last_value(before, "owner_id")
    credited = deals.join(then, left_on="deal_id", right_on="record_id", how="left")
    known = ~nw.col("then").is_null()
    return credited.with_columns(
        owner_id=nw.coalesce("then", "owner_id"),
        tracked=nw.when(known).then(nw.lit(1)).otherwise(nw.lit(0)),
    ).drop("then")


def _groups(snapshot: Snapshot, by: str | Sequence[str] | None, every: Every | None) -> Groups:
    """Groups by columns of quotas, or of owners."""
    names = [by] if isinstance(by, str) else list(by or [])
    sellers = bool(names) and {id_column(name) for name in names} <= OF_SELLERS
    if sellers:
        snapshot.need("owners", of=f"quota_attainment by {names}")
    return Groups(snapshot, "owners" if sellers else "quotas", by, every)


def _won(snapshot: Snapshot, of: str) -> pd.DataFrame:
    """Won deals by seller, kind of business, product and month: how many and how much."""
    won = snapshot.deals.lazy().filter(nw.col("outcome") == "won", ~nw.col("closed_day").is_null())
    months = Groups(snapshot, "deals", None, "month")
    credited = months.add_period(owner_at_close(snapshot, won), "closed_day")
    unpriced = nw.when(nw.col(of).is_null()).then(nw.lit(1)).otherwise(nw.lit(0))
    counted = collect(
        credited.with_columns(unpriced=unpriced)
        .group_by("owner_id", "deal_type", "product", "period")
        .agg(
            won=nw.col(of).sum(),
            x=nw.len(),
            tracked=nw.col("tracked").sum(),
            unpriced=nw.col("unpriced").sum(),
        )
    )
    month = [month_index(day) for day in counted.pop("period")]
    counted = counted.assign(month=month, won=counted["won"].astype("float64").fillna(0.0))
    return counted.astype(dict.fromkeys(["month", "x", "tracked", "unpriced"], "int64"))


def _met(
    snapshot: Snapshot, groups: Groups, quotas: pd.DataFrame, won: pd.DataFrame
) -> tuple[pd.DataFrame, int]:
    """Quotas and what counts towards them by group and period; deals of sellers without one."""
    last = last_month(snapshot)
    fiscal, every = snapshot.definitions.fiscal_year_start, groups.every
    if every is None:
        quotas, won = quotas[quotas["month"] <= last], won[won["month"] <= last]
        quotas = quotas.assign(period=0)
    else:
        check_every(every)
        firsts = [period_start(from_day(first_day(m)), every, fiscal) for m in quotas["month"]]
        quotas = quotas.assign(
            period=pd.Series([day_number(d) for d in firsts], quotas.index, dtype="int64")
        )
        quotas = quotas[quotas["period"] <= snapshot.as_of_day]
    quotas = quotas.reset_index(drop=True).assign(line=range(len(quotas)))
    names = {"deal_type": "sold_type", "product": "sold_product"}
    found = quotas.merge(
        won.rename(columns=names).reset_index(names="cell"), on=["owner_id", "month"]
    )
    fits = (found["deal_type"].isna() | (found["deal_type"] == found["sold_type"])) & (
        found["product"].isna() | (found["product"] == found["sold_product"])
    )
    found = found[fits]
    others = int(won["x"].sum() - won.loc[won.index.isin(found["cell"]), "x"].sum())
    sums = found.groupby("line")[["won", "x", "tracked", "unpriced"]].sum()
    lines = quotas.join(sums, on="line").fillna(dict.fromkeys(sums, 0)).assign(n=1)
    return _summed(snapshot, groups, lines), others


def _summed(snapshot: Snapshot, groups: Groups, lines: pd.DataFrame) -> pd.DataFrame:
    """Sum lines by group and period, and count the sellers who met their quota."""
    extra = [name for name in groups.columns if name not in lines]
    if extra:
        owners = collect(snapshot.owners.lazy().select("owner_id", *extra))
        lines = lines.merge(owners, on="owner_id", how="left")
    keys = [*groups.columns, "period"]
    sums = ["won", "quota", "x", "n", "tracked", "unpriced", "ramped"]
    seller = list(dict.fromkeys([*keys, "owner_id"]))
    each = lines.groupby(seller, dropna=False, as_index=False)[sums].sum()
    each["sellers"] = (each["quota"] > 0).astype("int64")
    each["at_quota"] = ((each["quota"] > 0) & (each["won"] >= each["quota"])).astype("int64")
    return each.groupby(keys, dropna=False, as_index=False)[[*sums, "sellers", "at_quota"]].sum()


def _note(groups: Groups, snapshot: Snapshot, row: Mapping[Hashable, Any], others: int) -> str:
    without = "no quota" if row["n"] == 0 else "no quota above zero"
    here = f"{row['x'] - row['tracked']:.0f} of {row['x']:.0f} credited to the owner as of the date"
    day = snapshot.as_of_day
    running = groups.every is not None and _ends(int(row["period"]), groups.every) > day
    return joined(
        f"no_denominator: {without}" if row["quota"] <= 0 else "",
        "to date, against the whole period's quota" if running else "",
        "months with a quota that had ended" if groups.every is None else "",
        f"{here}, not at close" if row["tracked"] < row["x"] else "",
        f"{row['unpriced']:.0f} won without a value" if row["unpriced"] else "",
        f"{others} won outside every quota left out" if others and not groups.keys else "",
        f"{row['ramped']:.0f} quotas prorated for ramp" if row["ramped"] else "",
    )


def _ends(period: int, every: Every) -> int:
    """Day number of the last day of a period."""
    return first_day(month_index(period) + check_every(every)) - 1


ENTRIES = (
    Entry(
        quota_attainment,
        question="How much of their quotas have our sellers won?",
        formula="closed-won credited / quota (team: sum over sum)",
        unit="share",
        basis="deals closed in the months of the quotas, credited to the owner at close",
        interval="none: booked wins and quotas, nothing is estimated",
        options="by='owner', 'team', 'deal_type' (new against existing), 'product'; of='mrr'; ramp=True",
        needs="quotas, deals (history: owner at close; owners: team and ramp)",
        benchmark="none: quotas are set differently from company to company",
        source="Moving Your KPI Levers Into Alignment 2023",
        caveats="A few sellers far above hide many below: read sellers_at_quota beside it.",
        also=("sellers_at_quota", "share of sellers at quota", "quota", "attainment", "ramp"),
        better="higher",
    ),
)
