"""SQL of what a new customer costs against what it brings: payback, CLV:CAC, magic number."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from datetime import timedelta

from kpi.periods import month_start
from kpi.tracing.ask import Ask
from kpi.tracing.costs import COSTS, PAID, counted_month, known_costs
from kpi.tracing.customers import running
from kpi.tracing.deals import COUNTS
from kpi.tracing.lifetimes import worth
from kpi.tracing.logos import LOGOS
from kpi.tracing.statement import Statement, Step

YEAR = 12


def _cac(ask: Ask) -> str:
    cost = "(SELECT sum(amount) FROM our_costs WHERE counts)" if known_costs(ask) else "NULL"
    return f"""SELECT {cost} / nullif(count(*), 0) AS cac
FROM logos
WHERE {counted_month(ask, "won_on")}
  AND date_trunc('month', won_on) IN (SELECT month FROM paid_months)"""


CAC = {
    "our_costs": COSTS,
    "paid_months": PAID,
    **LOGOS,
    "cost": Step("cost of a new customer, in the months with costs", _cac),
}


def cac_payback(ask: Ask) -> Statement:
    """CAC over what a new customer leaves a month: its new MRR x gross margin."""
    ask.option("lagged", False)
    given = ask.option("gross_margin")
    stated = "CASE WHEN sum(sold) > 0 THEN sum(kept) / sum(sold) ELSE 1.0 END"
    margin = (
        f"(SELECT {stated} FROM rows WHERE denominator)" if given is None else repr(float(given))
    )

    def rows(ask: Ask) -> str:
        return f"""SELECT 'customer' AS object, customer AS record_id, CAST(NULL AS VARCHAR) AS url,
  counts AND mrr IS NOT NULL AS numerator, counts AS denominator, mrr AS amount,
  CASE WHEN NOT counts THEN 'outside the months counted' END AS why, won_on, sold, kept
FROM (SELECT *, coalesce({counted_month(ask, "won_on")}, FALSE) AS counts FROM logos)"""

    return Statement(
        {**CAC, "rows": Step("new customers; above those whose deals state their MRR", rows)},
        f"""SELECT
  CASE WHEN arpa > 0 AND margin > 0 THEN (SELECT cac FROM cost) / (arpa * margin) END AS value, x, n
FROM (SELECT
  (SELECT avg(amount) FROM rows WHERE numerator) AS arpa,
  {margin} AS margin,
{COUNTS})""",
    )


def clv_to_cac(ask: Ask) -> Statement:
    """Lifetime value over acquisition cost; the customers are those of the lifetime value."""
    ask.option("lagged", False)
    return Statement(
        {**CAC, **worth(ask)},
        f"""SELECT
  (SELECT clv FROM clv) / (SELECT cac FROM cost WHERE cac > 0) AS value,
{COUNTS}""",
    )


def magic_number(ask: Ask) -> Statement:
    """Growth of revenue from the period before, a year, over the cost of the period before."""
    arr = ask.option("of", "revenue", "arr") == "arr"
    since, until = ask.since or ask.as_of, ask.until or ask.as_of
    length = (until.year - since.year) * YEAR + until.month - since.month + 1
    first, last = ask.on(month_start(since)), ask.on(month_start(until, 1) - timedelta(days=1))
    earlier = ask.on(month_start(since, -length))

    def month_mrr(_: Ask) -> str:
        return f"""SELECT last_on, coalesce(sum(mrr), 0) AS mrr
FROM (
  SELECT last_day(CAST(m AS DATE)) AS last_on
  FROM (SELECT unnest(generate_series(
    CAST({earlier} AS TIMESTAMP), CAST({last} AS TIMESTAMP), INTERVAL 1 MONTH)) AS m)
) LEFT JOIN lines ON {running("last_on")}
GROUP BY last_on"""

    def rows(ask: Ask) -> str:
        before = (
            f"month_on >= {earlier} AND month_on < {first} AND last_day(month_on) <= {ask.today}"
        )
        return f"""SELECT 'customer' AS object, customer AS record_id, CAST(NULL AS VARCHAR) AS url,
  bool_or({running(last)}) AS numerator, FALSE AS denominator,
  sum(mrr) FILTER (WHERE {running(last)}) AS amount,
  CASE WHEN NOT bool_or({running(last)}) THEN 'no revenue at the end' END AS why,
  CAST(NULL AS DATE) AS month_on
FROM lines GROUP BY customer
UNION ALL
SELECT 'cost', cost_id, NULL, FALSE, {before}, amount,
  CASE WHEN NOT ({before}) THEN 'not of the period before' END, month_on
FROM our_costs"""

    now, then, times = f"last_on >= {first}", f"last_on < {first}", f"{YEAR}.0 / {length}"
    if arr:
        now, then, times = f"last_on = {last}", f"last_on = {first} - 1", f"{YEAR}.0"
    gained = f"{times} * (sum(mrr) FILTER (WHERE {now}) - sum(mrr) FILTER (WHERE {then}))"
    return Statement(
        {
            "our_costs": COSTS,
            "month_mrr": Step(
                "MRR at each month's end, of the period and the one before",
                month_mrr,
                ("lines", "subscriptions"),
            ),
            "rows": Step("customers at the end, and the costs of the period before", rows),
        },
        f"""SELECT
  CASE WHEN {last} <= {ask.today}  -- the period has ended
    AND begun < {first}  -- there was revenue in the one before
    AND paid_months = {length} AND cost > 0 AND {known_costs(ask)} THEN gained / cost END AS value, x, n
FROM (SELECT
  (SELECT {gained} FROM month_mrr) AS gained,
  (SELECT sum(amount) FROM rows WHERE denominator) AS cost,
  (SELECT count(DISTINCT month_on) FROM rows WHERE denominator) AS paid_months,
  (SELECT min(CAST(starts_on AS DATE)) FROM subscriptions
    WHERE coalesce(CAST(signed_on AS DATE), CAST(starts_on AS DATE)) <= {ask.today}) AS begun,
{COUNTS})""",
    )
