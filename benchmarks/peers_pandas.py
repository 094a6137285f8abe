"""The same KPIs as a good analyst writes them in pandas: vectorised merges and group-bys.

Every function takes the same prepared tables as the KPIs do (outcomes, closing days and stage ranks
already worked out) as pandas, for new business, without groups.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from benchmarks import curves
from benchmarks.curves import MOVES

Tables = Mapping[str, pd.DataFrame]
CENT = 0.005


def lead_conversion(tables: Tables, as_of: int) -> pd.DataFrame:
    """Share of leads that became a deal, disqualified ones competing."""
    stages, history = tables["stages"], tables["history"]
    lost = stages.loc[(stages["object"] == "lead") & (stages["outcome"] == "lost"), "stage_id"]
    changes = history[(history["object"] == "lead") & history["stage_id"].isin(lost)]
    lost_day = changes.groupby("record_id")["changed_day"].max().rename("lost_day")
    leads = tables["leads"].merge(lost_day, left_on="lead_id", right_index=True, how="left")
    undated = (leads["linked"] > 0) | leads["stage_id"].isin(lost) & leads["lost_day"].isna()
    leads = leads[leads["converted_day"].notna() | ~undated]
    converted = leads["converted_day"].notna()
    dropped = leads["stage_id"].isin(lost)
    cause = np.select([converted, dropped], [1, 2], 0)
    end = leads["converted_day"].where(converted, leads["lost_day"].where(dropped, as_of))
    return pd.DataFrame([curves.incidence(_days(end - leads["created_day"], cause))])


def win_rate(tables: Tables, as_of: int) -> pd.DataFrame:  # noqa: ARG001 - one signature for all
    """Won of won and lost."""
    deals = _new(tables)
    closed = deals.loc[deals["outcome"] != "open", "outcome"]
    return pd.DataFrame([curves.ratio(int((closed == "won").sum()), len(closed))])


def win_rate_cohort(tables: Tables, as_of: int) -> pd.DataFrame:
    """Cumulative incidence of winning among the deals created."""
    return pd.DataFrame([curves.incidence(_cycles(tables, as_of))])


def cycle_days(tables: Tables, as_of: int) -> pd.DataFrame:
    """Days from creation to close."""
    return pd.DataFrame([curves.cycle(_cycles(tables, as_of))])


def stage_conversion(tables: Tables, as_of: int) -> pd.DataFrame:
    """Share of the deals at each stage that went further, and the ratio of counts."""
    stages, deals = _open_stages(tables), _new(tables)
    last = len(stages)
    moves = _changes(tables).merge(
        stages[["funnel", "stage_id", "rank"]], on=["funnel", "stage_id"]
    )
    moves = moves.merge(deals[["deal_id"]], left_on="record_id", right_on="deal_id")
    highest = moves.groupby("deal_id")["rank"].max().rename("highest")
    table = deals.merge(highest, left_on="deal_id", right_index=True, how="left")
    won = table["outcome"] == "won"
    now = table["rank"].where(table["outcome"] == "open")
    furthest = table["highest"].where(~won, last).fillna(0)
    furthest = furthest.where(~(now > furthest), now)
    won_day = table["closed_day"].where(won)
    reach = {}
    for i in range(last + 1):
        day = moves[moves["rank"] >= i].groupby("deal_id")["changed_day"].min()
        first = table["deal_id"].map(day)
        if i == 0:
            first = first.where(table["highest"].notna(), table["created_day"])
        reach[i] = first.where(~(won_day < first) & first.notna(), won_day)
    rows = []
    for i in range(last):
        here = furthest >= i
        further, lost = here & (furthest > i), here & (table["outcome"] == "lost")
        dated = further & reach[i + 1].notna()
        cause = np.select([dated, further, lost], [1, -1, 2], 0)
        end = reach[i + 1].where(dated, table["closed_day"].where(lost, as_of))
        counts = _days((end - reach[i])[here], cause[here])
        count, following = int(here.sum()), int((furthest > i).sum())
        rows.append(curves.incidence(counts) | {"reached": count, "rate": following / count})
    rows.append({"x": 0, "n": 0, "reached": int(won.sum())})
    return pd.DataFrame(rows)


def stage_days(tables: Tables, as_of: int) -> pd.DataFrame:
    """Days in each stage on the first visit."""
    stages, deals = _open_stages(tables), _new(tables)
    moves = _changes(tables)
    moves = moves[moves["record_id"].isin(deals["deal_id"])]
    moves = moves.sort_values(["record_id", "changed_s", "place"])
    moves = moves[moves["stage_id"] != moves.groupby("record_id")["stage_id"].shift()]
    moves = moves.assign(after=moves.groupby("record_id")["changed_day"].shift(-1))
    visits = moves.drop_duplicates(["record_id", "stage_id"])
    visits = visits.merge(stages[["funnel", "stage_id", "rank"]], on=["funnel", "stage_id"])
    own = deals[["deal_id", "outcome", "closed_day"]]
    visits = visits.merge(own, left_on="record_id", right_on="deal_id")
    left = visits["after"].notna() | (visits["outcome"] != "open")
    end = visits["after"].fillna(visits["closed_day"]).where(left, as_of)
    counts = _days(end - visits["changed_day"], left.astype("int64"), visits["rank"])
    return pd.DataFrame([curves.stay(part) for _, part in counts.groupby("rank")])


def mrr_movements(tables: Tables, as_of: int) -> pd.DataFrame:
    """Monthly recurring revenue at both ends of every month, and the five moves between."""
    active = _customer_months(tables, as_of)
    before = active.assign(month=active["month"] + 1)
    pairs = active.merge(before, on=["customer", "month"], how="outer", suffixes=("", "_before"))
    pairs = pairs.fillna({"mrr": 0.0, "mrr_before": 0.0})
    now, had = pairs["mrr"], pairs["mrr_before"]
    first = pairs["month"] == pairs.groupby("customer")["month"].transform("min")
    rise, both = now - had, (now > 0) & (had > 0)
    came, went = (now > 0) & (had == 0), (now == 0) & (had > 0)
    pairs = pairs.assign(
        new=now.where(came & first, 0.0),
        expansion=rise.where(both & (rise > CENT), 0.0),
        contraction=(-rise).where(both & (rise < -CENT), 0.0),
        churn=had.where(went, 0.0),
        reactivation=now.where(came & ~first, 0.0),
        customers=(now > 0).astype("int64"),
    )
    monthly = pairs.groupby("month", as_index=False)[[*MOVES, "customers"]].sum()
    return curves.balance(monthly[monthly["month"] <= active["month"].max()])


def customer_churn(tables: Tables, as_of: int) -> pd.DataFrame:
    """Share of the customers of twelve months ago who are gone."""
    lines, calendar = _lines(tables), _calendar(tables, as_of)
    there = []
    for at in (calendar["last_day"].iloc[-13], calendar["last_day"].iloc[-1]):
        runs = (lines["starts_on_day"] <= at) & ~(lines["ends_on_day"] <= at) & (lines["mrr"] > 0)
        there.append(lines.loc[runs, "customer"].unique())
    gone = int((~pd.Index(there[0]).isin(there[1])).sum())
    row = curves.ratio(gone, len(there[0]))
    return pd.DataFrame([row | {"monthly": 1 - (1 - row["value"]) ** (1 / 12)}])


def _new(tables: Tables) -> pd.DataFrame:
    return tables["deals"][tables["deals"]["deal_type"] == "new"]


def _open_stages(tables: Tables) -> pd.DataFrame:
    stages = tables["stages"]
    return stages[(stages["object"] == "deal") & (stages["outcome"] == "open")]


def _changes(tables: Tables) -> pd.DataFrame:
    history = tables["history"]
    columns = ["record_id", "funnel", "stage_id", "changed_day", "changed_s", "place"]
    return history.loc[(history["object"] == "deal") & history["stage_id"].notna(), columns]


def _cycles(tables: Tables, as_of: int) -> pd.DataFrame:
    deals = _new(tables)
    cause = deals["outcome"].map({"open": 0, "won": 1, "lost": 2}).to_numpy()
    end = deals["closed_day"].where(cause > 0, as_of)
    return _days(end - deals["created_day"], cause)


def _days(duration: pd.Series, cause: object, rank: pd.Series | None = None) -> pd.DataFrame:
    """Count records by whole days and what ended them."""
    frame = pd.DataFrame({"duration": duration, "cause": cause})
    keys = ["duration", "cause"]
    if rank is not None:
        frame, keys = frame.assign(rank=rank), ["rank", *keys]
    return frame.groupby(keys).size().rename("n").reset_index()


def _lines(tables: Tables) -> pd.DataFrame:
    payers = tables["accounts"][["account_id", "billing_account_id"]]
    lines = tables["subscriptions"].merge(payers, on="account_id", how="left")
    return lines.assign(customer=lines["billing_account_id"].fillna(lines["account_id"]))


def _calendar(tables: Tables, as_of: int) -> pd.DataFrame:
    """Months from the first line on that had ended on the as-of date."""
    first = pd.Timestamp(int(tables["subscriptions"]["starts_on_day"].min()), unit="D")
    ends = pd.date_range(first, pd.Timestamp(as_of, unit="D"), freq="ME")
    days = (ends - pd.Timestamp(0)).days
    return pd.DataFrame({"month": range(len(days)), "last_day": days})


def _customer_months(tables: Tables, as_of: int) -> pd.DataFrame:
    """Revenue of each customer at the end of each month it had any."""
    lines, calendar = _lines(tables), _calendar(tables, as_of)
    ends = calendar["last_day"].to_numpy()
    first = np.searchsorted(ends, lines["starts_on_day"].to_numpy())
    until = lines["ends_on_day"].fillna(2**31).to_numpy()
    count = np.maximum(np.searchsorted(ends, until) - first, 0)
    month = (
        np.repeat(first, count) + np.arange(count.sum()) - np.repeat(count.cumsum() - count, count)
    )
    active = lines[["customer", "mrr"]].loc[lines.index.repeat(count)].assign(month=month)
    summed = active.groupby(["customer", "month"])["mrr"].sum().reset_index()
    return summed[summed["mrr"] > 0]


PEERS: dict[str, Callable[[Tables, int], pd.DataFrame]] = {
    "lead_conversion": lead_conversion,
    "win_rate": win_rate,
    "win_rate cohort": win_rate_cohort,
    "stage_conversion": stage_conversion,
    "stage_days": stage_days,
    "cycle_days": cycle_days,
    "mrr_movements": mrr_movements,
    "customer_churn": customer_churn,
}
