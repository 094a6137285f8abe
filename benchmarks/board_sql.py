"""The numbers of `kpi.board` as hand-written DuckDB SQL, on the very tables that the KPIs read.

Each of the twelve by a query of its own (CAC by two): its value, counts and limits, of the last whole
quarter or, for stocks and trailing windows, as of the date; and its trend, from the last two whole
quarters. The same query reduces both quarters, and the window. The light part after the SQL (curves,
medians, limits, whether two values are apart) is `kpi.stats`, as in `benchmarks.peers_sql`.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import curves
from benchmarks.peers_sql import TABLES, Sql
from kpi.periods import day_number, month_start, period_start
from kpi.snapshot import Snapshot
from kpi.stats.bootstrap import mean_limits
from kpi.stats.poisson import per_event, poisson

RIPE_DAYS = 90
Numbers = dict[Any, Any]
PART = "({day} >= {last})::INT AS part"
WITHIN = "{day} >= {before} AND {day} < {after}"

CREATED = f"SELECT {PART}, count(*) AS x FROM peer_{{table}} WHERE {WITHIN} AND {{kind}} GROUP BY 1"

CONVERTED = f"""
WITH lost AS (SELECT stage_id FROM peer_stages WHERE object = 'lead' AND outcome = 'lost'),
ours AS (
    SELECT lead_id, created_day, converted_day, linked, stage_id FROM peer_leads WHERE {WITHIN}),
ended AS (
    SELECT record_id, max(changed_day) AS lost_day FROM peer_history
    SEMI JOIN ours ON lead_id = record_id
    WHERE object = 'lead' AND stage_id IN (FROM lost) GROUP BY 1),
followed AS (
    SELECT created_day, converted_day, lost_day,
        CASE WHEN converted_day IS NOT NULL THEN 1
             WHEN lost_day IS NOT NULL AND stage_id IN (FROM lost) THEN 2 ELSE 0 END AS cause
    FROM ours LEFT JOIN ended ON record_id = lead_id
    WHERE converted_day IS NOT NULL OR linked = 0
        AND (lost_day IS NOT NULL OR stage_id NOT IN (FROM lost)))
SELECT {PART}, CASE cause WHEN 1 THEN converted_day WHEN 2 THEN lost_day ELSE {{as_of}} END
    - created_day AS duration, cause, count(*) AS n FROM followed GROUP BY ALL
"""

CLOSED = f"""
SELECT {PART}, count(*) FILTER (outcome = 'won') AS x, count(*) AS n
FROM peer_deals WHERE deal_type = 'new' AND outcome <> 'open' AND {WITHIN} GROUP BY 1
"""

CYCLES = f"""
SELECT {PART}, closed_day - created_day AS days, (outcome = 'won') AS won, count(*) AS n
FROM peer_deals WHERE deal_type = 'new' AND outcome <> 'open' AND {WITHIN}
    AND closed_day >= created_day GROUP BY ALL
"""

AMOUNTS = f"""
SELECT {PART}, list(amount) FILTER (amount IS NOT NULL) AS amounts, count(*) AS n
FROM peer_deals WHERE deal_type = 'new' AND outcome = 'won' AND {WITHIN} GROUP BY 1
"""

VALUE = f"""
SELECT {PART}, sum(amount) AS value, count(amount) AS x, count(*) AS n
FROM peer_deals WHERE deal_type = 'new' AND outcome = 'won' AND {WITHIN} GROUP BY 1
"""

VELOCITY = """
WITH won AS (SELECT * FROM peer_deals
    WHERE deal_type = 'new' AND outcome = 'won' AND closed_day > {year_ago})
SELECT (SELECT count(*) FROM peer_deals WHERE deal_type = 'new' AND outcome = 'open') AS open,
    (SELECT count(*) FROM won) AS x,
    (SELECT count(*) FROM peer_deals
        WHERE deal_type = 'new' AND outcome <> 'open' AND closed_day > {year_ago}) AS n,
    (SELECT avg(amount) FROM won) AS amount,
    (SELECT avg(closed_day - created_day) FROM won WHERE closed_day >= created_day) AS days
"""

OPEN = """
SELECT sum(amount) AS value, count(amount) AS x, count(*) AS n
FROM peer_deals WHERE deal_type = 'new' AND outcome = 'open'
"""

RECURRING = """
SELECT day, sum(mrr) AS value, count(*) AS x, count(DISTINCT customer) AS n FROM (
    SELECT coalesce(billing_account_id, account_id) AS customer, mrr, day
    FROM peer_subscriptions LEFT JOIN peer_accounts USING (account_id)
    JOIN (SELECT unnest([{days}]) AS day) d
        ON mrr > 0 AND starts_on_day <= day AND coalesce(ends_on_day, 2147483647) > day)
GROUP BY 1 ORDER BY 1
"""

SPANS = "(VALUES {spans}) s(span, begin, after)"

GONE = f"""
WITH lines AS (
    SELECT coalesce(billing_account_id, account_id) AS customer, starts_on_day AS starts,
        coalesce(ends_on_day, 2147483647) AS ends
    FROM peer_subscriptions LEFT JOIN peer_accounts USING (account_id) WHERE mrr > 0),
followed AS (
    SELECT span, customer, bool_or(starts < begin) AS was, bool_or(ends >= after) AS still
    FROM lines JOIN {SPANS} ON starts < after AND ends >= begin GROUP BY 1, 2)
SELECT span, count(*) FILTER (NOT still) AS x, count(*) AS n FROM followed WHERE was
GROUP BY 1 ORDER BY 1
"""

COST = f"""
SELECT span, sum(amount) AS value, count(*) AS x
FROM peer_costs JOIN {SPANS} ON month_day >= begin AND month_day < after GROUP BY 1 ORDER BY 1
"""

LOGOS = f"""
WITH won AS (
    SELECT coalesce(billing_account_id, account_id) AS payer, min(closed_day) AS first,
        arg_min(deal_type = 'new', (closed_day, deal_type <> 'new')) AS fresh
    FROM peer_deals LEFT JOIN peer_accounts USING (account_id)
    WHERE outcome = 'won' AND closed_day IS NOT NULL GROUP BY 1),
live AS (
    SELECT coalesce(billing_account_id, account_id) AS payer, min(starts_on_day) AS began
    FROM peer_subscriptions LEFT JOIN peer_accounts USING (account_id) WHERE mrr > 0
        AND coalesce(ends_on_day, 2147483647) > starts_on_day GROUP BY 1)
SELECT span, count(*) AS n
FROM won LEFT JOIN live USING (payer) JOIN {SPANS} ON first >= begin AND first < after
WHERE fresh AND (began IS NULL OR began >= first) GROUP BY 1 ORDER BY 1
"""


class SqlBoard:
    """The same numbers by name: value, low, high, x, n, ``before`` (a quarter earlier) and ``trend``.

    Stocks and trailing windows have no earlier one, but MRR.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.ask = Sql(snapshot, (*TABLES, "costs")).ask
        self._as_of = snapshot.as_of_day
        following = snapshot.as_of + timedelta(days=1)
        self._quarter = _three(period_start(following, "quarter"))
        self._ripe = _three(period_start(following - timedelta(days=RIPE_DAYS), "quarter"))
        year = [day_number(month_start(following, months)) for months in (-12, 0)]
        before, last, after = self._quarter.values()
        spans = [year, [last, after], [before, last]]
        self._spans = ", ".join(f"({i}, {begin}, {end})" for i, (begin, end) in enumerate(spans))
        self._year_ago = day_number(snapshot.as_of.replace(year=snapshot.as_of.year - 1))

    def two(self, query: str, day: str, span: dict[str, int], **parts: str) -> pd.DataFrame:
        """Ask of the last quarter and of the one before it."""
        text = query.replace("{day}", day)
        for name, word in parts.items():
            text = text.replace(f"{{{name}}}", word)
        for name, number in span.items():
            text = text.replace(f"{{{name}}}", str(number))
        return self.ask(text)

    def created(self, table: str, kind: str) -> Numbers:
        """How many came in."""
        found = self.two(CREATED, "created_day", self._quarter, table=table, kind=kind)
        x = found.set_index("part")["x"]
        return compared(*({"value": x[i], "x": x[i], "n": x[i]} for i in (1, 0)))

    def lead_conversion(self) -> Numbers:
        """Share of the leads that were a deal by day 90."""
        found = self.two(CONVERTED, "created_day", self._ripe)
        return compared(*(curves.incidence(found[found["part"] == i], RIPE_DAYS) for i in (1, 0)))

    def win_rate(self) -> Numbers:
        """Won of won and lost."""
        found = self.two(CLOSED, "closed_day", self._quarter).set_index("part")
        return compared(*(curves.ratio(*found.loc[i, ["x", "n"]]) for i in (1, 0)))

    def cycle_days(self) -> Numbers:
        """Median days of the deals won."""
        found = self.two(CYCLES, "closed_day", self._quarter)
        return compared(*(curves.middle(found[found["part"] == i]) for i in (1, 0)))

    def average_deal_size(self) -> Numbers:
        """Mean amount of the deals won."""
        found = self.two(AMOUNTS, "closed_day", self._quarter).set_index("part")
        rows = []
        for i in (1, 0):
            amounts = np.asarray(found["amounts"][i], "float64")
            low, high = mean_limits(amounts)
            row = {"value": amounts.mean(), "low": low, "high": high, "x": len(amounts)}
            rows.append(row | {"n": found["n"][i]})
        return compared(*rows)

    def value_won(self) -> Numbers:
        """Sum of the deals won."""
        found = self.two(VALUE, "closed_day", self._quarter).set_index("part")
        return compared(*(found.loc[i].to_dict() for i in (1, 0)))

    def sales_velocity(self) -> Numbers:
        """Open deals x win rate x average deal / days."""
        row = self.ask(VELOCITY, year_ago=self._year_ago).iloc[0]
        value = row["open"] * row["x"] / row["n"] * row["amount"] / row["days"]
        return {"value": value, "x": row["x"], "n": row["n"]}

    def open_pipeline(self) -> Numbers:
        """Sum of the open deals."""
        return self.ask(OPEN).iloc[0].to_dict()

    def mrr(self) -> Numbers:
        """Monthly recurring revenue now, and a quarter ago."""
        days = [self._quarter["last"] - 1, self._as_of]
        ends = [self._quarter["last"] - 1, self._quarter["after"] - 1, self._as_of]
        days = sorted(set(ends))
        found = self.ask(RECURRING, days=", ".join(map(str, days))).set_index("day")
        before, now, stands = ({"limits": None} | found.loc[end].to_dict() for end in ends)
        trend = compared(now, before)
        return {name: stands[name] for name in ("value", "x", "n")} | {
            name: trend[name] for name in ("before", "trend")
        }

    def customer_churn(self) -> Numbers:
        """Share of the customers of twelve months ago who are gone."""
        found = self.ask(GONE, spans=self._spans)
        year, now, before = (curves.ratio(x, n) for x, n in found[["x", "n"]].to_numpy())
        return year | {"trend": compared(now, before)["trend"]}

    def cac(self) -> Numbers:
        """Cost of sales and marketing of twelve months by new customer."""
        cost, logos = (self.ask(query, spans=self._spans) for query in (COST, LOGOS))
        limits = zip(*per_event(cost["value"], logos["n"]), strict=True)
        year, now, before = (
            dict(zip(("value", "low", "high"), row, strict=True)) for row in limits
        )
        counts = {"x": cost["x"][0], "n": logos["n"][0]}
        return year | counts | {"trend": compared(now, before)["trend"]}

    @property
    def numbers(self) -> dict[str, Callable[[], Numbers]]:
        """Every number of the board by name."""
        return {
            "leads_created": lambda: self.created("leads", "true"),
            "lead_conversion": self.lead_conversion,
            "deals_created": lambda: self.created("deals", "deal_type = 'new'"),
            "win_rate": self.win_rate,
            "cycle_days": self.cycle_days,
            "average_deal_size": self.average_deal_size,
            "value_won": self.value_won,
            "sales_velocity": self.sales_velocity,
            "open_pipeline": self.open_pipeline,
            "mrr": self.mrr,
            "customer_churn": self.customer_churn,
            "cac": self.cac,
        }


def _three(after: date) -> dict[str, int]:
    """First days of the quarter before the last whole one, of that one, and of the one after it."""
    first = [day_number(month_start(after, months)) for months in (-6, -3, 0)]
    return dict(zip(("before", "last", "after"), first, strict=True))


def compared(now: Numbers, before: Numbers) -> Numbers:
    """Numbers of the last quarter, with the value before and whether the two are apart."""
    limits = [_limits(row) for row in (now, before)]
    apart = all(
        not low <= row["value"] <= high
        for (low, high), row in zip(limits, (before, now), strict=True)
    )
    way = "up" if now["value"] > before["value"] else "down"
    return now | {"before": before["value"], "trend": way if apart else "level"}


def _limits(row: Numbers) -> tuple[float, float]:
    """Limits given; else of a count, or a sum over one; None asks for none: a stock is exact."""
    if "limits" in row:
        return row["value"], row["value"]
    if "low" in row:
        return row["low"], row["high"]
    low, high = poisson(row["x"])
    each = row["value"] / row["x"]
    return float(low * each), float(high * each)
