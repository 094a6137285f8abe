"""What the board says of deals, from two looks at them: how they stand, and those closed lately."""

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.deals.days import cycle
from kpi.deals.money import DIGITS, average, back, one, undated
from kpi.deals.sales_velocity import TRAILING, velocity
from kpi.deals.value import note_of
from kpi.deals.win_rate import of_type
from kpi.engine import collect
from kpi.lately import Asked, Row, Shown, period_of, records
from kpi.pipeline.stock import worth
from kpi.result import joined, shares

EXACT = {"low": np.nan, "high": np.nan}


def deals_lately(asked: Asked) -> dict[str, Shown]:
    """Rows of `deals_created, win_rate, cycle_days, average_deal_size, value_won, open_pipeline`.

    And of `sales_velocity`, where every deal is taken as qualified. Each row is reckoned by the KPI's
    own rule; only the reduction on the engine is shared. Nothing without table deals.
    """
    if "deals" not in asked.snapshot.present:
        return {}
    stand, closed = _standing(asked), _closed(asked)
    periods = asked.periods()
    parts = [
        closed[closed["closed_day"].between(first, after - 1)]
        for first, after in ((periods.now, periods.after), (periods.before, periods.now))
    ]
    left = stand.loc[(stand["outcome"] == "won") & (stand["undated"] == 1), "n"].sum()
    rates = shares(pd.DataFrame([_won_of(part) for part in parts]), asked.level)
    rows: dict[str, list[Any]] = {
        "deals_created": [_created(stand, day, asked) for day in (periods.now, periods.before)],
        "win_rate": records(rates),
        "cycle_days": [cycle(_followed(part), asked.level, asked.every) for part in parts],
        "average_deal_size": [_average(part, asked.level) for part in parts],
        "value_won": [_value(part, left, asked) for part in parts],
    }
    shown = {name: Shown(None, now, before) for name, (now, before) in rows.items()}
    shown["open_pipeline"] = Shown(_open(stand))
    count = asked.snapshot.definitions.count.get("sql")
    if count is None or count.table != "deals":
        shown["sales_velocity"] = Shown(_velocity(stand, closed, asked))
    return shown


def _standing(asked: Asked) -> pd.DataFrame:
    """Count all deals, and sum amounts, by outcome, period created and whether a closing day is known."""
    deals = of_type(asked.snapshot, asked.deal_type).select(
        "outcome",
        "amount",
        undated=one(nw.col("closed_day").is_null()),
        period=period_of("created_day", asked.periods()),
        valued=one(~nw.col("amount").is_null()),
    )
    sums = deals.group_by("outcome", "undated", "period").agg(
        nw.col("amount").sum(), nw.col("valued").sum(), n=nw.len()
    )
    found = collect(sums).fillna({"amount": 0.0})
    return found.astype(dict.fromkeys(["undated", "period", "valued", "n"], "int64"))


def _closed(asked: Asked) -> pd.DataFrame:
    """Count the deals closed in the two periods and the trailing window of `sales_velocity`.

    By ``closed_day``, ``won``, ``amount`` and ``days`` of won deals (0 of lost ones; -1 where they
    cannot be told), and whether a won deal of new business is of no company (``homeless``).
    """
    first = min(asked.periods().before, back(asked.snapshot.as_of, TRAILING) + 1)
    won = nw.col("outcome") == "won"
    days = nw.coalesce(nw.col("closed_day") - nw.col("created_day"), nw.lit(-1))
    alone = won & nw.col("account_id").is_null() & (nw.col("deal_type") == "new")
    closed = of_type(asked.snapshot, asked.deal_type).filter(
        nw.col("outcome") != "open", nw.col("closed_day") >= first
    )
    closed = closed.select(
        "closed_day",
        won=one(won),
        amount=nw.when(won).then(nw.col("amount")),
        days=nw.when(days < 0)
        .then(nw.lit(-1))
        .otherwise(nw.when(won).then(days).otherwise(nw.lit(0))),
        homeless=one(alone),
    )
    keys = ["closed_day", "won", "amount", "days", "homeless"]
    counted = collect(closed.group_by(*keys).agg(deals=nw.len()))
    whole = dict.fromkeys(["closed_day", "won", "days", "homeless", "deals"], "int64")
    return counted.astype(whole | {"amount": "float64"}).sort_values("amount", ignore_index=True)


def _won_of(closed: pd.DataFrame) -> dict[str, int]:
    return {"x": int((closed["won"] * closed["deals"]).sum()), "n": int(closed["deals"].sum())}


def _created(stand: pd.DataFrame, period: int, asked: Asked) -> Row:
    n = int(stand.loc[stand["period"] == period, "n"].sum())
    without = stand.loc[stand["period"] == -1, "n"].sum()
    note = undated(without, "creation date", asked.every)
    return {"value": float(n), **EXACT, "x": n, "n": n, "note": note}


def _followed(closed: pd.DataFrame) -> pd.DataFrame:
    """Closed deals as counts by days, as `kpi.cohorts.durations` gives them."""
    cause = np.where(closed["days"] < 0, -1, 2 - closed["won"])
    return pd.DataFrame(
        {"duration": closed["days"], "entry": 0, "cause": cause, "n": closed["deals"]}
    )


def _average(closed: pd.DataFrame, level: float) -> Row:
    won = closed.loc[closed["won"] == 1, ["amount", "deals"]]
    return average(won.rename(columns={"deals": "count"}), "amount", level, "deals won")


def _value(closed: pd.DataFrame, without: float, asked: Asked) -> Row:
    won = closed[closed["won"] == 1]
    known = won[won["amount"].notna()]
    x, n = int(known["deals"].sum()), int(won["deals"].sum())
    value = round(float((known["amount"] * known["deals"]).sum()), DIGITS) if x else np.nan
    homeless = int((won["homeless"] * won["deals"]).sum())
    told = note_of(n, n, x, homeless, "amount")
    note = joined(told, undated(without, "closing date", asked.every))
    return {"value": value, **EXACT, "x": x, "n": n, "note": note}


def _open(stand: pd.DataFrame) -> Row:
    still = stand[stand["outcome"] == "open"]
    x, n = int(still["valued"].sum()), int(still["n"].sum())
    value = round(float(still["amount"].sum()), DIGITS) if x else np.nan
    return worth(value, x, n, "amount", "" if len(stand) else "not enough data: no deals")


def _velocity(stand: pd.DataFrame, closed: pd.DataFrame, asked: Asked) -> Row:
    year = closed[closed["closed_day"] > back(asked.snapshot.as_of, TRAILING)]
    still = stand.loc[stand["outcome"] == "open", "n"].sum()
    row = _won_of(year) | {"open": int(still)}
    won = year.loc[year["won"] == 1, ["amount", "days", "deals"]]
    won = won.assign(worth=won["amount"], days=won["days"].where(won["days"] >= 0))
    pairs = won.groupby(["worth", "days"], dropna=False)["deals"].sum().reset_index()
    said = f"every deal taken as qualified; closed in the last {TRAILING} months"
    return row | velocity(row, pairs, asked.level, said, worked=False)
