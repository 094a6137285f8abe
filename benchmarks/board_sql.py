"""The numbers of `kpi.board` as hand-written DuckDB SQL, on the very tables that the KPIs read.

Of the last whole quarter and the one before it; stocks and trailing windows as of the date. The light
part after the SQL (curves, medians, limits) is `kpi.stats`, as in `benchmarks.peers_sql`.
"""

from datetime import timedelta

import pandas as pd

from benchmarks.peers_sql import Sql
from kpi.periods import day_number, month_start, period_start
from kpi.snapshot import Snapshot

RIPE_DAYS = 90
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
    JOIN (SELECT unnest([{days}]) AS day) d
        ON mrr > 0 AND starts_on_day <= day AND coalesce(ends_on_day, 2147483647) > day),
lives AS (SELECT customer, list(day) AS days FROM active GROUP BY 1)
SELECT before, count(*) AS n, count(*) FILTER (NOT list_contains(days, after)) AS x
FROM lives JOIN (FROM (VALUES {pairs}) p(before, after)) ON list_contains(days, before)
GROUP BY 1
"""

COST = """
SELECT sum(amount) AS value, count(*) AS x FROM peer_costs
WHERE month_day >= {begin} AND month_day < {after}
"""

LOGOS = """
WITH won AS (
    SELECT coalesce(billing_account_id, account_id) AS payer, min(closed_day) AS first
    FROM peer_deals LEFT JOIN peer_accounts USING (account_id)
    WHERE deal_type = 'new' AND outcome = 'won' AND closed_day IS NOT NULL GROUP BY 1)
SELECT count(*) AS n FROM won WHERE first >= {begin} AND first < {after}
"""


class SqlBoard(Sql):
    """The same numbers by name: value, low, high, x, n, before."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(snapshot, ("costs",))
        following = snapshot.as_of + timedelta(days=1)
        self._quarters = self._of(period_start(following, "quarter"))
        ripe = period_start(following - timedelta(days=RIPE_DAYS), "quarter")
        self._ripe = self._of(ripe)
        year = month_start(following, -12)
        self._year = {"begin": day_number(year), "after": day_number(following)}

    @staticmethod
    def _of(after: "pd.Timestamp | object") -> dict[str, int]:
        first = [day_number(month_start(after, -3 * i)) for i in (2, 1, 0)]  # type: ignore[arg-type]
        return dict(zip(("before", "last", "after"), first, strict=True))
