"""What each seller gets done in a month, beside the bare minimum that a rule of thumb names."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from kpi.activity.seller_counts import SUMS, Flow, last_stage, monthly
from kpi.deals.win_rate import OWNER_NOTE
from kpi.engine import collect
from kpi.entry import Entry
from kpi.periods import Every, day_number, from_day, month_start, period_start
from kpi.result import Groups, joined
from kpi.snapshot import Snapshot
from kpi.stats.intervals import check_level

# a seller and month, from "Tracking Success" (sales newsletter 067); nan: no upper end is named
SUSPECTS = (300.0, np.nan)
LEADS = (70.0, 80.0)
DEALS_CREATED = (30.0, 40.0)
LAST_STAGE_DEALS = (3.0, 5.0)  # open at any time, not a month's sum
DEALS_WON = (6.0, 8.0)
VALUE_WON = (0.45, 0.90)  # of annual on-target earnings
RULES = {
    "suspects": SUSPECTS,
    "leads": LEADS,
    "deals_created": DEALS_CREATED,
    "last_stage_deals": LAST_STAGE_DEALS,
    "deals_won": DEALS_WON,
    "value_won": VALUE_WON,
}
WINDOW = 12
EXTRA = ["owner_id", "name", "indicator", "rule_low", "rule_high", "standing"]
NOBODY = "not enough data: no seller then"
MONTH = 365.25 / 12


def seller_minimums(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    deal_type: str | None = "new",
    level: float = 0.95,
) -> pd.DataFrame:
    """The bare-minimum table: what each seller gets done a month, beside a rule of thumb.

    One row per seller and indicator: ``suspects`` (contacts newly targeted), ``leads`` (qualified
    where ``[count.mql]`` is set, else all), ``deals_created``, ``last_stage_deals`` (open in the last
    open stage), ``deals_won``, ``value_won`` (amount won as a share of annual on-target earnings).
    Records belong to the seller who owns them now; what nobody owns is in no row. Sellers who no
    longer sell are left out.

    Parameters
    ----------
    snapshot : Snapshot
        Needs table deals; leads, suspects, owners, stages and history add what they hold.
    by : str or list of str, optional
        Columns of owners, such as ``"team"``.
    every : {"month", "quarter", "year"}, optional
        One row a period as well. Default: the last twelve whole months.
    deal_type : {"new", "expansion", "renewal"} or None
        Kind of business counted; None counts all.
    level : float
        No interval is given: the records are counted, not estimated.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value``, ``low, high`` (missing), ``x`` (records), ``n``
        (whole months they are the average of; ``last_stage_deals``: 1, the day looked at), ``note``;
        then ``owner_id``, ``name``, ``indicator``, ``rule_low, rule_high`` (the rule of thumb, in
        the unit of the value) and ``standing``: ``below``, ``within`` or ``above`` it, missing where
        the value is.

    Raises
    ------
    TableError
        If deals are missing, or a column, period or deal type is unknown.

    Notes
    -----
    ``value`` is a monthly average over whole months only, so that it can be compared for any
    period: the running month is in none. Months before the data begin, or in which the seller
    had not sold from the first day on, do not count. ``last_stage_deals`` is the number at the end
    of the period (default: on the as-of date); a past day is told from stage history.
    ``value_won = sum of amounts / months / annual_ote``. The rules of thumb are a company's that
    sells outbound: they are no part of the value.

    References
    ----------
    .. [1] Tracking Success, sales newsletter 067.

    Examples
    --------
    >>> days = ["2026-01-10"] * 7
    >>> deals = pd.DataFrame({"deal_id": list("abcdefg"), "owner_id": "7", "outcome": "won",
    ...     "created_at": days, "close_date": days, "amount": 9000})
    >>> owners = pd.DataFrame({"owner_id": ["7"], "annual_ote": [120000]})
    >>> snapshot = Snapshot.from_frames({"deals": deals, "owners": owners}, as_of="2026-01-31")
    >>> table = seller_minimums(snapshot).set_index("indicator")
    >>> table.loc[["deals_won", "value_won"], ["value", "standing"]].to_dict("list")
    {'value': [7.0, 0.525], 'standing': ['within', 'within']}
    """
    snapshot.need("deals", of="seller_minimums")
    check_level(level)
    groups = Groups(snapshot, "owners", by, every)
    flows = monthly(snapshot, deal_type)
    spans = _spans(snapshot, [flow.since for flow in flows.values()], every)
    days = [int(day) for day in spans["last_day"].unique()]
    stock, untold = last_stage(snapshot, deal_type, days)
    owned = [stock, *(flow.counts for flow in flows.values())]
    sellers = _sellers(snapshot, groups.columns, owned)
    parts = [_averages(sellers, spans, name, flow) for name, flow in flows.items()]
    parts.append(_at_the_end(sellers, spans, stock, untold))
    table = _judged(pd.concat(parts, ignore_index=True))
    extra = [name for name in EXTRA if name not in groups.columns]
    within = [name for name in ("owner_id", "place") if name not in groups.columns]
    return groups.finish(table, extra, within=within)


def _spans(snapshot: Snapshot, since: Sequence[int | None], every: Every | None) -> pd.DataFrame:
    """One row a whole month looked at: ``month`` and ``period`` (day numbers), ``last_day``.

    ``last_day`` is that of the period, without periods the as-of date.
    """
    following = month_start(snapshot.as_of + timedelta(days=1))
    first = month_start(following, -WINDOW)
    if every is not None:
        first = min([from_day(day) for day in since if day is not None], default=following)
    count = (following.year - first.year) * 12 + following.month - first.month
    months = [month_start(first, i) for i in range(count)]
    spans = pd.DataFrame({"month": [day_number(m) for m in months]}, dtype="int64")
    if every is None:
        return spans.assign(period=0, last_day=snapshot.as_of_day)
    fiscal = snapshot.definitions.fiscal_year_start
    spans["period"] = [day_number(period_start(m, every, fiscal)) for m in months]
    spans["last_day"] = [day_number(month_start(m, 1)) - 1 for m in months]
    spans["last_day"] = spans.groupby("period")["last_day"].transform("max")
    return spans.astype("int64")


def _sellers(
    snapshot: Snapshot, columns: Sequence[str], owned: Sequence[pd.DataFrame]
) -> pd.DataFrame:
    """Sellers who still sell: those of table owners, and any others who own records."""
    wanted = ["name", "starts_on_day", "annual_ote", "ramp_months", "active"]
    named = list(dict.fromkeys(["owner_id", *wanted, *columns]))
    listed = collect(snapshot.owners.lazy().select(*named))
    found = {owner for frame in owned for owner in frame["owner_id"].dropna()}
    others = pd.DataFrame({"owner_id": sorted(found - set(listed["owner_id"])) or [None]})
    gone = listed["active"].astype("boolean").eq(other=False).fillna(value=False)
    still = listed[~gone.to_numpy(dtype="bool")]
    if others["owner_id"].notna().any() or still.empty:
        still = pd.concat([still.astype("object"), others.astype("object")], ignore_index=True)
    numbers = dict.fromkeys(["starts_on_day", "annual_ote", "ramp_months"], "float64")
    return still.astype(numbers | {"owner_id": "str"}).reset_index(drop=True)


def _averages(
    sellers: pd.DataFrame, spans: pd.DataFrame, indicator: str, flow: Flow
) -> pd.DataFrame:
    """Monthly averages of one indicator: a row per seller and period."""
    grid = sellers[["owner_id", "starts_on_day"]].merge(spans, how="cross")
    since = np.inf if flow.since is None else flow.since
    begun = ~(grid["month"] < grid["starts_on_day"]) & grid["owner_id"].notna()
    grid["n"] = ((grid["month"] >= since) & begun).astype("int64")
    grid = grid.merge(flow.counts, on=["owner_id", "month"], how="left")
    grid[SUMS] = grid[SUMS].fillna(0).mul(grid["n"], axis=0)
    keys = ["owner_id", "period", "last_day"]
    sums = grid.groupby(keys, dropna=False)[["n", *SUMS]].sum().reset_index()
    table = sellers.merge(sums, on="owner_id")
    months = table["n"].where(table["n"] > 0)
    table["value"] = table["x"] / months
    if indicator == "value_won":
        table["value"] = (
            table["money"] / months / table["annual_ote"].where(table["annual_ote"] > 0)
        )
        table["x"] -= table["unpriced"]
    notes = [_why(row, indicator, flow) for row in table.to_dict("records")]
    return table.assign(indicator=indicator, note=notes)


def _why(row: Mapping[Any, Any], indicator: str, flow: Flow) -> str:
    """What the note of one average says."""
    if flow.since is None:
        return flow.note
    if not row["n"]:
        return (
            NOBODY if pd.isna(row["owner_id"]) else "not enough data: no whole month of this seller"
        )
    if indicator != "value_won":
        return flow.note
    if np.isnan(row["value"]):
        return "not enough data: no annual_ote of this seller"
    unpriced = row["unpriced"]
    return joined(flow.note, f"{unpriced:,.0f} won without an amount" if unpriced else "")


def _at_the_end(
    sellers: pd.DataFrame, spans: pd.DataFrame, stock: pd.DataFrame, untold: dict[int, str]
) -> pd.DataFrame:
    """Deals in the last open stage at the end of each period: a row per seller and period."""
    table = sellers.merge(spans[["period", "last_day"]].drop_duplicates(), how="cross")
    table = table.merge(stock, on=["owner_id", "last_day"], how="left")
    there = table["owner_id"].notna() & ~(table["last_day"] < table["starts_on_day"])
    why = table["last_day"].map(untold).where(there, NOBODY)
    told = why == ""
    table["x"] = table["x"].fillna(0).where(told, 0)
    return table.assign(
        indicator="last_stage_deals",
        value=table["x"].astype("float64").where(told),
        n=told.astype("int64"),
        note=why.where(~told, OWNER_NOTE),
    )


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """Add the rule of thumb of each indicator, how the value stands to it, and who still ramps."""
    low = table["indicator"].map({name: rule[0] for name, rule in RULES.items()}).astype("float64")
    high = table["indicator"].map({name: rule[1] for name, rule in RULES.items()}).astype("float64")
    value = table["value"].astype("float64").round(9)
    standing = np.select([value < low, value > high], ["below", "above"], "within")
    place = table["indicator"].map({name: i for i, name in enumerate(RULES)})
    ends = table["starts_on_day"] + table["ramp_months"].fillna(0) * MONTH
    ramping = np.where(ends > table["last_day"], "still ramping", "")
    notes = [joined(note, ramp) for note, ramp in zip(table["note"], ramping, strict=True)]
    return table.assign(
        value=value,
        low=np.nan,
        high=np.nan,
        note=notes,
        rule_low=low,
        rule_high=high,
        place=place,
        standing=pd.Series(standing, index=table.index).where(value.notna()),
    ).astype({"x": "int64", "n": "int64", "name": "str", "owner_id": "str", "standing": "str"})


ENTRIES = (
    Entry(
        seller_minimums,
        question="Does each seller get the bare minimum done?",
        formula="records of a seller / whole months; last stage: deals open there at the end",
        unit="count",
        basis="whole months of the period (last_stage_deals: at its end)",
        interval="none: records are counted, not estimated",
        options="deal_type=None: all business; by='team'",
        needs="deals (leads, suspects, owners, stages, history: what they add)",
        benchmark="a seller and month: about 300 suspects, 70-80 leads, 30-40 deals, 3-5 in the last "
        "stage, 6-8 won, 45-90 % of annual OTE won (outbound; a lead is a booked meeting)",
        source="Tracking Success, sales newsletter 067",
        caveats="A lead there is a booked meeting: do not mix these rates with 15 % x 33 % of all leads. "
        "value_won is a share of annual OTE, the other rows are counts.",
        also=(
            "bare minimum",
            "seller activity",
            "final-stage deals",
            "value of deals won",
            "OTE share",
        ),
    ),
)
