"""The same KPIs as hand-written DuckDB SQL, on the very tables in memory that the KPIs read.

The SQL reduces events to counts by whole days; the light part after it is `benchmarks.curves`.
"""

from collections.abc import Callable, Sequence

import duckdb
import narwhals as nw
import pandas as pd

from benchmarks import curves
from kpi.snapshot import Snapshot

TABLES = ("stages", "leads", "deals", "history", "subscriptions", "accounts")

LEADS = """
WITH lost AS (SELECT stage_id FROM peer_stages WHERE object = 'lead' AND outcome = 'lost'),
ended AS (
    SELECT record_id, max(changed_day) AS lost_day FROM peer_history
    WHERE object = 'lead' AND stage_id IN (FROM lost) GROUP BY 1),
followed AS (
    SELECT created_day, converted_day, lost_day,
        CASE WHEN converted_day IS NOT NULL THEN 1
             WHEN lost_day IS NOT NULL AND stage_id IN (FROM lost) THEN 2 ELSE 0 END AS cause
    FROM peer_leads LEFT JOIN ended ON record_id = lead_id
    WHERE converted_day IS NOT NULL OR linked = 0
        AND (lost_day IS NOT NULL OR stage_id NOT IN (FROM lost)))
SELECT CASE cause WHEN 1 THEN converted_day WHEN 2 THEN lost_day ELSE {as_of} END - created_day
    AS duration, cause, count(*) AS n FROM followed GROUP BY 1, 2
"""

CLOSED = """
SELECT count(*) FILTER (outcome = 'won') AS x, count(*) AS n
FROM peer_deals WHERE deal_type = 'new' AND outcome <> 'open'
"""

CYCLES = """
SELECT CASE outcome WHEN 'open' THEN {as_of} ELSE closed_day END - created_day AS duration,
    CASE outcome WHEN 'won' THEN 1 WHEN 'lost' THEN 2 ELSE 0 END AS cause, count(*) AS n
FROM peer_deals WHERE deal_type = 'new' GROUP BY 1, 2
"""

STAGES = """
WITH opens AS (
    SELECT funnel, stage_id, rank FROM peer_stages WHERE object = 'deal' AND outcome = 'open'),
days AS (
    SELECT record_id, max(rank) AS highest, {days}
    FROM peer_history h JOIN opens USING (funnel, stage_id) WHERE object = 'deal' GROUP BY 1),
reach AS (
    SELECT outcome, closed_day,
        greatest(CASE WHEN outcome = 'won' THEN {last} WHEN outcome = 'open' THEN d.rank END,
                 highest, 0) AS furthest,
        CASE WHEN outcome = 'won' THEN closed_day END AS won_day,
        [{reach}, won_day] AS day
    FROM peer_deals d LEFT JOIN days ON record_id = deal_id WHERE deal_type = 'new'),
followed AS (
    SELECT r.rank, day[r.rank + 1] AS started, day[r.rank + 2] AS reached, closed_day,
        CASE WHEN furthest > r.rank THEN CASE WHEN reached IS NULL THEN -1 ELSE 1 END
             WHEN outcome = 'lost' THEN 2 ELSE 0 END AS cause
    FROM reach JOIN (FROM range({last} + 1) t(rank)) r ON furthest >= r.rank)
SELECT rank, CASE cause WHEN 1 THEN reached WHEN 2 THEN closed_day ELSE {as_of} END - started
    AS duration, cause, count(*) AS n FROM followed GROUP BY ALL
"""

VISITS = """
WITH deal AS (SELECT deal_id, outcome, closed_day FROM peer_deals WHERE deal_type = 'new'),
moves AS (
    SELECT record_id, funnel, stage_id, changed_day, changed_s, place,
        lag(stage_id) OVER w AS before
    FROM peer_history WHERE object = 'deal' AND stage_id IS NOT NULL
    WINDOW w AS (PARTITION BY record_id ORDER BY changed_s, place)),
stays AS (
    SELECT *, lead(changed_day) OVER (PARTITION BY record_id ORDER BY changed_s, place) AS after
    FROM moves WHERE before IS DISTINCT FROM stage_id),
visits AS (
    SELECT record_id, rank, min(changed_day) AS started, arg_min(struct_pack(after), changed_s) AS s
    FROM stays JOIN peer_stages USING (funnel, stage_id)
    WHERE object = 'deal' AND outcome = 'open' GROUP BY 1, 2),
followed AS (
    SELECT rank, started, coalesce(s.after, closed_day) AS ended,
        (s.after IS NOT NULL OR outcome <> 'open')::INT AS cause
    FROM visits JOIN deal ON deal_id = record_id)
SELECT rank, CASE cause WHEN 1 THEN ended ELSE {as_of} END - started AS duration, cause,
    count(*) AS n FROM followed GROUP BY ALL ORDER BY rank
"""

ACTIVE = """
WITH calendar AS (
    SELECT row_number() OVER (ORDER BY m) - 1 AS month, m AS last_day FROM (
        SELECT epoch(last_day(DATE '1970-01-01' + first::INT + to_months(i::INT)))::BIGINT // 86400
            AS m FROM (SELECT min(starts_on_day) AS first FROM peer_subscriptions),
        range(1200) t(i)) WHERE m <= {as_of}),
active AS (
    SELECT coalesce(billing_account_id, account_id) AS customer, month, sum(mrr) AS mrr
    FROM peer_subscriptions LEFT JOIN peer_accounts USING (account_id)
    JOIN calendar ON starts_on_day <= last_day AND coalesce(ends_on_day, 2147483647) > last_day
    GROUP BY 1, 2 HAVING sum(mrr) > 0)
"""

MOVES = (
    ACTIVE
    + """,
pairs AS (
    SELECT coalesce(a.month, b.month + 1) AS month, coalesce(a.mrr, 0) AS now,
        coalesce(b.mrr, 0) AS before,
        a.month = f.first AS fresh
    FROM active a FULL JOIN active b ON a.customer = b.customer AND a.month = b.month + 1
    JOIN (SELECT customer, min(month) AS first FROM active GROUP BY 1) f
        ON f.customer = coalesce(a.customer, b.customer))
SELECT month, coalesce(sum(now) FILTER (before = 0 AND fresh), 0) AS new,
    coalesce(sum(now - before) FILTER (before > 0 AND now > 0 AND now - before > 0.005), 0)
        AS expansion,
    coalesce(sum(before - now) FILTER (before > 0 AND now > 0 AND now - before < -0.005), 0)
        AS contraction,
    coalesce(sum(before) FILTER (now = 0), 0) AS churn,
    coalesce(sum(now) FILTER (before = 0 AND NOT fresh), 0) AS reactivation,
    count(*) FILTER (now > 0) AS customers
FROM pairs WHERE month <= (SELECT max(month) FROM calendar) GROUP BY 1
"""
)

GONE = (
    ACTIVE
    + """,
start AS (SELECT customer FROM active WHERE month = (SELECT max(month) - 12 FROM calendar)),
final AS (SELECT customer FROM active WHERE month = (SELECT max(month) FROM calendar))
SELECT count(*) FILTER (customer NOT IN (FROM final)) AS x, count(*) AS n FROM start
"""
)


class Sql:
    """The peers on one snapshot's tables."""

    def __init__(self, snapshot: Snapshot, tables: Sequence[str] = TABLES) -> None:
        natives = {name: nw.to_native(snapshot.table(name).lazy()) for name in tables}
        for name, relation in natives.items():
            relation.create_view(f"peer_{name}", replace=True)
        self._relation: duckdb.DuckDBPyRelation = natives["deals"]
        self._as_of = snapshot.as_of_day
        opens = natives["stages"].filter("object = 'deal' AND outcome = 'open'")
        self._last = len(opens.fetchall())

    def ask(self, query: str, **parts: object) -> pd.DataFrame:
        """Run a query on the snapshot's own database."""
        text = query.format(as_of=self._as_of, last=self._last, **parts)
        answer = self._relation.query("peer_unused", text)
        if answer is None:
            raise TypeError(f"no result: expected a SELECT, got {text[:80]!r}")
        counts: pd.DataFrame = answer.to_df()
        return counts

    def lead_conversion(self) -> pd.DataFrame:
        """Share of leads that became a deal, disqualified ones competing."""
        return pd.DataFrame([curves.incidence(self.ask(LEADS))])

    def win_rate(self) -> pd.DataFrame:
        """Won of won and lost."""
        x, n = self.ask(CLOSED).iloc[0]
        return pd.DataFrame([curves.ratio(x, n)])

    def win_rate_cohort(self) -> pd.DataFrame:
        """Cumulative incidence of winning among the deals created."""
        return pd.DataFrame([curves.incidence(self.ask(CYCLES))])

    def cycle_days(self) -> pd.DataFrame:
        """Days from creation to close."""
        return pd.DataFrame([curves.cycle(self.ask(CYCLES))])

    def stage_conversion(self) -> pd.DataFrame:
        """Share of the deals at each stage that went further, and the ratio of counts."""
        places = range(self._last)
        days = ", ".join(f"min(changed_day) FILTER (rank >= {i}) AS day_{i}" for i in places)
        first = "CASE WHEN highest IS NULL THEN created_day ELSE day_0 END"
        known = [first, *(f"day_{i}" for i in places if i)]
        reach = ", ".join(f"least({day}, won_day)" for day in known)
        counts = self.ask(STAGES, days=days, reach=reach)
        reached = counts.groupby("rank")["n"].sum()
        rows = [curves.incidence(counts[counts["rank"] == i]) for i in places]
        table = pd.DataFrame([*rows, {"x": 0, "n": 0}]).assign(reached=reached)
        return table.assign(rate=reached.shift(-1) / reached)

    def stage_days(self) -> pd.DataFrame:
        """Days in each stage on the first visit."""
        counts = self.ask(VISITS)
        return pd.DataFrame([curves.stay(part) for _, part in counts.groupby("rank")])

    def mrr_movements(self) -> pd.DataFrame:
        """Monthly recurring revenue at both ends of every month, and the five moves between."""
        return curves.balance(self.ask(MOVES))

    def customer_churn(self) -> pd.DataFrame:
        """Share of the customers of twelve months ago who are gone."""
        x, n = self.ask(GONE).iloc[0]
        row = curves.ratio(x, n)
        return pd.DataFrame([row | {"monthly": 1 - (1 - row["value"]) ** (1 / 12)}])

    @property
    def peers(self) -> dict[str, Callable[[], pd.DataFrame]]:
        """Every KPI of `benchmarks.run`, by its name there."""
        return {
            "lead_conversion": self.lead_conversion,
            "win_rate": self.win_rate,
            "win_rate cohort": self.win_rate_cohort,
            "stage_conversion": self.stage_conversion,
            "stage_days": self.stage_days,
            "cycle_days": self.cycle_days,
            "mrr_movements": self.mrr_movements,
            "customer_churn": self.customer_churn,
        }
