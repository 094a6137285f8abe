"""What the board says of acquisition: the cost of a new customer."""

import pandas as pd

from kpi.acquisition.cost_ratio import by_channel, per_record
from kpi.acquisition.logos import logos_by_day, undated_wins
from kpi.acquisition.spend import YEAR, last_month, month_index, monthly_costs, unnarrowed
from kpi.lately import Asked, Shown, records


def acquisition_lately(asked: Asked) -> dict[str, Shown]:
    """Rows of `cac`: of the last twelve whole months, and of the two periods.

    Nothing without tables costs and deals.
    """
    snapshot = asked.snapshot
    if not {"costs", "deals"} <= snapshot.present:
        return {}
    before, now, after = (month_index(day) for day in asked.periods())
    last = last_month(snapshot)
    costs = monthly_costs(snapshot).set_index("month")
    logos = logos_by_day(snapshot, asked.deal_type)
    month = logos["day"].map({day: month_index(day) for day in logos["day"].unique()})
    events = logos.groupby(month)[["events", "alone"]].sum()
    table = pd.DataFrame(
        _held(costs, events, first, end)
        for first, end in ((last - YEAR + 1, last + 1), (now, after), (before, now))
    )
    table["shared"] = "channel" in snapshot.filters
    table["unnarrowed"] = ", ".join(unnarrowed(snapshot))
    groups = by_channel(snapshot, None, None, of="cac")
    said = undated_wins(snapshot, asked.deal_type)
    rows = per_record(groups, table, "no new customers", [said], asked.level)
    return {"cac": Shown(*records(rows))}


def _held(costs: pd.DataFrame, events: pd.DataFrame, first: int, end: int) -> dict[str, float]:
    """Sum costs and customers over the months, up to `end`, that have costs."""
    paid = costs[(costs.index >= first) & (costs.index < end)]
    won = events[events.index.isin(paid.index)]
    sums = {"cost": round(float(paid["cost"].sum()), 6), "items": int(paid["items"].sum())}
    counts = {name: int(won[name].sum()) for name in ("events", "alone")}
    return sums | counts | {"months": len(paid)}
