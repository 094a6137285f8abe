"""Sales velocity: how much revenue the pipeline turns out a day."""

from collections.abc import Mapping, Sequence
from typing import Literal

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.deals.money import back, one
from kpi.deals.win_rate import of_type
from kpi.engine import collect
from kpi.entry import Entry
from kpi.periods import Every
from kpi.result import Groups, count_by, joined, rate_note
from kpi.snapshot import Snapshot
from kpi.stats.intervals import Floats, check_level, jeffreys
from kpi.tables import TableError

TRAILING = 12
DRAWS, SEED = 2000, 20260101
MANY = 2000  # won deals; from here on their means are taken as normal
PARTS = ["opportunities", "win_rate", "average_deal", "cycle_days"]


def sales_velocity(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    months: int = TRAILING,
    opportunities: Literal["open", "worked"] = "open",
    deal_type: str | None = "new",
    level: float = 0.95,
) -> pd.DataFrame:
    """Revenue a day: open qualified deals x win rate x average deal / days to win.

    All four parts are of the same deals and the same window. Where the definitions say what an SQL
    is among deals (``[count.sql]``), only deals that count as one are qualified; otherwise every
    deal is (said in ``note``). Lost deals count in the win rate only: the days are those of won
    deals.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table deals.
    by : str or list of str, optional
        Columns of deals, such as ``"segment"``; the velocities of segments do not add up.
    every : {"month", "quarter", "year"}, optional
        Deals closed in the period, and open at its end; without it, closed in the last `months`
        months, and open at the as-of date.
    months : int
        Length of the trailing window, 1 or more.
    opportunities : {"open", "worked"}
        ``worked``: the open ones and those closed in the window.
    deal_type : {"new", "expansion", "renewal"} or None
        Kind of business counted; None counts all.
    level : float
        Share of the intervals.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (reporting currency a day), ``low, high``, ``x``
        (won), ``n`` (won and lost), ``note``, then the four parts: ``opportunities`` (deals),
        ``win_rate`` (0 to 1), ``average_deal`` (mean amount of deals won), ``cycle_days`` (mean
        days from creation to win). Missing, with the reason, where a part cannot be told.

    Raises
    ------
    TableError
        If deals are missing, `months` or `opportunities` is out of range, or a column, period or
        deal type is unknown.

    Notes
    -----
    Limits by 2,000 seeded draws: the win rate from its Beta posterior, amounts and days by
    resampling the won deals together (a large deal takes longer); the number of opportunities is
    taken as known. Not to be confused with `kpi.lead_velocity_rate` or `kpi.stage_days`.

    References
    ----------
    .. [1] mavenlb.com/blog/sales-velocity-formula (40 x 25,000 x 25 % / 90 = 2,778 a day).

    Examples
    --------
    >>> deals = pd.DataFrame({
    ...     "deal_id": list("abcd"), "outcome": ["won", "lost", "open", "open"], "amount": 1000,
    ...     "created_at": "2026-01-01", "close_date": ["2026-01-11", "2026-01-31", None, None]})
    >>> snapshot = Snapshot.from_frames({"deals": deals}, as_of="2026-02-28")
    >>> sales_velocity(snapshot)[["value", *PARTS]].to_dict("records")[0]["value"]
    100.0
    """
    snapshot.need("deals", of="sales_velocity")
    check_level(level)
    if months < 1:
        raise TableError(f"months = {months}; expected a number of months, 1 or more")
    if opportunities not in ("open", "worked"):
        raise TableError(f"opportunities={opportunities!r}; expected 'open' or 'worked'")
    groups = Groups(snapshot, "deals", by, every)
    deals, which = _qualified(snapshot, of_type(snapshot, deal_type))
    closed = deals.filter(nw.col("outcome") != "open")
    if every is None:
        closed = closed.filter(nw.col("closed_day") > back(snapshot.as_of, months))
    counted = _counted(groups, deals, groups.add_period(closed, "closed_day"))
    window = "" if every else f"closed in the last {months} months"
    said = joined(which, window)
    won = _won(groups, closed)
    rows = [
        velocity(row, part, level, said, worked=opportunities == "worked")
        for row, part in _with_won(counted, won, groups.keys)
    ]
    found = pd.DataFrame(rows, columns=["value", "low", "high", "note", *PARTS])
    result = pd.concat([counted.reset_index(drop=True), found], axis=1)
    return groups.finish(result.astype({"x": "int64", "n": "int64"}), PARTS)


def _qualified(snapshot: Snapshot, deals: nw.LazyFrame) -> tuple[nw.LazyFrame, str]:
    """Deals that count as opportunities, with ``opened``: the day from which they do."""
    count = snapshot.definitions.count.get("sql")
    if count is None or count.table != "deals":
        return deals.with_columns(opened=nw.col("created_day")), "every deal taken as qualified"
    first = snapshot.first_days("sql").select(deal_id=nw.col("id"), opened=nw.col("first_day"))
    return deals.join(first, on="deal_id"), ""


def _counted(groups: Groups, deals: nw.LazyFrame, closed: nw.LazyFrame) -> pd.DataFrame:
    """Keys, ``x`` won, ``n`` closed and ``open`` at the as-of date or each period's end."""
    keys = groups.keys
    ended = count_by(closed, keys, x=one(nw.col("outcome") == "won"), n=one(_closed()))
    if groups.every is None:
        still = count_by(deals, keys, open=one(~_closed()))
        counted = still.merge(ended, on=keys, how="left") if keys else still.join(ended)
        return counted.fillna({"x": 0, "n": 0})
    until_closed = nw.coalesce(nw.col("closed_day") >= nw.col("opened"), ~_closed())
    dated = deals.filter(~nw.col("opened").is_null(), until_closed)
    begun = groups.add_period(dated, "opened").with_columns(net=nw.lit(1))
    left = groups.add_period(dated.filter(_closed()), "closed_day").with_columns(net=nw.lit(-1))
    moved = nw.concat([f.select(*keys, "net") for f in (begun, left)])
    stock = collect(moved.group_by(*keys).agg(nw.col("net").sum()))
    counted = groups.complete(stock.merge(ended, on=keys, how="outer"), net=0, x=0, n=0)
    counted = counted.sort_values(keys, kind="stable", ignore_index=True)
    counted = counted.fillna({"net": 0, "x": 0, "n": 0})
    net = counted.groupby(groups.columns, dropna=False)["net"] if groups.columns else counted["net"]
    return counted.assign(open=net.cumsum()).drop(columns="net")


def _closed() -> nw.Expr:
    return nw.col("outcome") != "open"


def _won(groups: Groups, closed: nw.LazyFrame) -> pd.DataFrame:
    """Won deals as counts: keys, ``amount``, ``days`` (missing where they cannot be told), ``n``."""
    days = nw.col("closed_day") - nw.col("created_day")
    won = groups.add_period(closed.filter(nw.col("outcome") == "won"), "closed_day")
    won = won.with_columns(days=nw.when(days >= 0).then(days), worth=nw.col("amount"))
    parts = [*groups.keys, "worth", "days"]
    counted = collect(won.group_by(*parts).agg(nw.len().alias("deals")))
    typed = counted.astype({"worth": "float64", "days": "float64", "deals": "int64"})
    return typed.sort_values(parts, ignore_index=True)


def _with_won(
    counted: pd.DataFrame, won: pd.DataFrame, keys: list[str]
) -> list[tuple[dict[str, float], pd.DataFrame]]:
    """Each row of counts with the won deals of its group."""
    rows: list[dict[str, float]] = counted[["x", "n", "open"]].to_dict("records")  # type: ignore[assignment]
    if not keys:
        return [(row, won) for row in rows]
    place = counted[keys].assign(place=range(len(counted)))
    placed = won.merge(place, on=keys)
    parts = dict(iter(placed.groupby("place")))
    return [(row, parts.get(i, won.iloc[:0])) for i, row in enumerate(rows)]


def velocity(
    row: Mapping[str, float], won: pd.DataFrame, level: float, said: str, *, worked: bool
) -> dict[str, object]:
    """One row of `sales_velocity` from ``x, n, open`` and the won deals as counts."""
    x, n = row["x"], row["n"]
    count = row["open"] + (n if worked else 0)
    amount, cycle = _mean(won, "worth"), _mean(won, "days")
    rate = x / n if n else np.nan
    parts: dict[str, object] = dict(zip(PARTS, (count, rate, amount, cycle), strict=True))
    lacking = _lacking(row, amount, cycle)
    if lacking:
        nothing = {"value": np.nan, "low": np.nan, "high": np.nan, "note": joined(lacking, said)}
        return parts | nothing
    value = count * rate * amount / cycle
    low, high = _limits(row, won, level)
    limits = jeffreys(x, n, level)
    note = joined(rate_note(n, float(limits[0]), float(limits[1])), _left_out(won), said)
    low, high = min(count * low, value), max(count * high, value)
    return parts | {"value": value, "low": low, "high": high, "note": note}


def _lacking(row: Mapping[str, float], amount: float, cycle: float) -> str:
    """Say which part of the formula is missing."""
    if not row["n"]:
        return "no_denominator: nothing closed"
    if not row["x"]:
        return "not enough data: nothing won, so no average deal and no days to win"
    if np.isnan(amount):
        return "not enough data: no deal won has its amount"
    if np.isnan(cycle):
        return "not enough data: no deal won has both its dates"
    return "" if cycle > 0 else "no_denominator: every deal was won on the day it was created"


def _left_out(won: pd.DataFrame) -> str:
    bare, undated = (int(won.loc[won[c].isna(), "deals"].sum()) for c in ("worth", "days"))
    return joined(
        f"{bare:,} won without amount left out of the average" if bare else "",
        f"{undated:,} won without usable dates left out of the days" if undated else "",
    )


def _mean(won: pd.DataFrame, column: str) -> float:
    known = won[won[column].notna()]
    total = known["deals"].sum()
    return float((known[column] * known["deals"]).sum() / total) if total else float("nan")


def _limits(row: Mapping[str, float], won: pd.DataFrame, level: float) -> tuple[float, float]:
    """Limits of win rate x average deal / days: what one opportunity is worth a day."""
    rng = np.random.default_rng(SEED)
    rate = rng.beta(row["x"] + 0.5, row["n"] - row["x"] + 0.5, DRAWS)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = rate * _ratios(rng, won)
    usable = drawn[np.isfinite(drawn)]
    low, high = np.quantile(usable, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _ratios(rng: np.random.Generator, won: pd.DataFrame) -> Floats:
    """Draw average deal / days, won deals resampled together."""
    count = won["deals"].to_numpy("float64")
    total = int(count.sum())
    values = won[["worth", "days"]].to_numpy("float64")
    known = ~np.isnan(values)
    if len(won) > MANY:
        full = known.all(axis=1)
        pairs, weights = values[full], count[full]
        spread = np.cov(pairs.T, fweights=weights.astype("int64")) / weights.sum()
        centre = np.average(pairs, axis=0, weights=weights)
        means = rng.multivariate_normal(centre, spread, DRAWS)
        return np.asarray(means[:, 0] / means[:, 1])
    drawn = rng.multinomial(total, count / total, size=DRAWS)
    means = (drawn @ np.where(known, values, 0.0)) / (drawn @ known.astype("float64"))
    return np.asarray(means[:, 0] / means[:, 1])


ENTRIES = (
    Entry(
        sales_velocity,
        question="How much revenue does our pipeline turn out a day?",
        formula="open qualified deals x win rate x average deal / days to win",
        unit="reporting currency a day",
        basis="deals closed in the period, and open at its end",
        interval="simulation of the parts: Beta posterior of the win rate, won deals resampled; seeded",
        options="opportunities='worked'; months; deal_type=None: all business",
        needs="deals",
        benchmark="none: compare with yourself over time",
        source="mavenlb.com and winsabove.pages.dev, sales velocity formula",
        caveats="More open deals raise it even when none of them moves.",
        also=("velocity", "deal velocity", "pipeline velocity", "revenue a day"),
        better="higher",
    ),
)
