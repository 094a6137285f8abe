"""The numbers of `kpi.board` as hand-written DuckDB SQL, on the very tables that the KPIs read.

Of the last whole quarter, with the value of the one before it; stocks and trailing windows as of the
date. The light part after the SQL (curves, medians, limits) is `kpi.stats`, as in
`benchmarks.peers_sql`.
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
from kpi.stats.poisson import per_event

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

GONE = """
WITH active AS (
    SELECT DISTINCT coalesce(billing_account_id, account_id) AS customer, day
    FROM peer_subscriptions LEFT JOIN peer_accounts USING (account_id)
    JOIN (SELECT unnest([{before}, {as_of}]) AS day) d
        ON mrr > 0 AND starts_on_day <= day AND coalesce(ends_on_day, 2147483647) > day)
SELECT count(*) FILTER (NOT still) AS x, count(*) AS n FROM (
    SELECT bool_or(day = {as_of}) AS still FROM active GROUP BY customer
    HAVING bool_or(day = {before}))
"""

COST = """
SELECT sum(amount) AS value, count(*) AS x FROM peer_costs
WHERE month_day >= {begin} AND month_day < {after}
"""

LOGOS = """
WITH won AS (
    SELECT coalesce(billing_account_id, account_id) AS payer, min(closed_day) AS first,
        arg_min(deal_type = 'new', (closed_day, deal_type <> 'new')) AS fresh
    FROM peer_deals LEFT JOIN peer_accounts USING (account_id)
    WHERE outcome = 'won' AND closed_day IS NOT NULL GROUP BY 1),
live AS (
    SELECT coalesce(billing_account_id, account_id) AS payer, min(starts_on_day) AS began
    FROM peer_subscriptions LEFT JOIN peer_accounts USING (account_id) WHERE mrr > 0
        AND coalesce(ends_on_day, 2147483647) > starts_on_day GROUP BY 1)
SELECT count(*) AS n FROM won LEFT JOIN live USING (payer)
WHERE first >= {begin} AND first < {after} AND fresh AND (began IS NULL OR began >= first)
"""


class SqlBoard:
    """The same numbers by name: value, low, high, x, n, and ``before``, the value a quarter earlier.

    Stocks and trailing windows have no earlier one, but MRR. The board tells the trend of churn and of
    CAC by quarters; that is left out here, in the favour of SQL.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.ask = Sql(snapshot, (*TABLES, "costs")).ask
        self._as_of = snapshot.as_of_day
        following = snapshot.as_of + timedelta(days=1)
        self._quarter = _three(period_start(following, "quarter"))
        self._ripe = _three(period_start(following - timedelta(days=RIPE_DAYS), "quarter"))
        first = month_start(following, 0)
        self._year = {"begin": day_number(month_start(first, -12)), "after": day_number(first)}
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
        now, before = _now_before(found.set_index("part")["x"])
        return {"value": now, "x": now, "n": now, "before": before}

    def lead_conversion(self) -> Numbers:
        """Share of the leads that were a deal by day 90."""
        found = self.two(CONVERTED, "created_day", self._ripe)
        rows = [curves.incidence(found[found["part"] == i], RIPE_DAYS) for i in (1, 0)]
        return rows[0] | {"before": rows[1]["value"]}

    def win_rate(self) -> Numbers:
        """Won of won and lost."""
        found = self.two(CLOSED, "closed_day", self._quarter).set_index("part")
        now, before = (curves.ratio(*found.loc[i, ["x", "n"]]) for i in (1, 0))
        return now | {"before": before["value"]}

    def cycle_days(self) -> Numbers:
        """Median days of the deals won."""
        found = self.two(CYCLES, "closed_day", self._quarter)
        now, before = (curves.middle(found[found["part"] == i]) for i in (1, 0))
        return now | {"before": before["value"]}

    def average_deal_size(self) -> Numbers:
        """Mean amount of the deals won."""
        found = self.two(AMOUNTS, "closed_day", self._quarter).set_index("part")
        before, amounts = (np.asarray(found["amounts"][i], "float64") for i in (0, 1))
        low, high = mean_limits(amounts)
        row = {"value": amounts.mean(), "low": low, "high": high, "x": len(amounts)}
        return row | {"n": found["n"][1], "before": before.mean()}

    def value_won(self) -> Numbers:
        """Sum of the deals won."""
        found = self.two(VALUE, "closed_day", self._quarter).set_index("part")
        return found.loc[1].to_dict() | {"before": found.loc[0, "value"]}

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
        before, now = self.ask(RECURRING, days=f"{days[0]}, {days[1]}").to_dict("records")
        return {name: now[name] for name in ("value", "x", "n")} | {"before": before["value"]}

    def customer_churn(self) -> Numbers:
        """Share of the customers of twelve months ago who are gone."""
        x, n = self.ask(GONE, before=self._year["begin"] - 1).iloc[0]
        return curves.ratio(x, n)

    def cac(self) -> Numbers:
        """Cost of sales and marketing of twelve months by new customer."""
        cost = self.ask(COST, **self._year).iloc[0]
        n = self.ask(LOGOS, **self._year)["n"].iloc[0]
        value, low, high = (float(limit[0]) for limit in per_event([cost["value"]], [n]))
        return {"value": value, "low": low, "high": high, "x": cost["x"], "n": n}

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


def _now_before(by_part: pd.Series) -> tuple[int, int]:
    return int(by_part[1]), int(by_part[0])
