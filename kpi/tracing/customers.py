"""SQL of customers and their recurring revenue."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from datetime import date, timedelta

from kpi.periods import month_start
from kpi.tracing.ask import Ask
from kpi.tracing.statement import Statement, Step


def last_whole_day(ask: Ask) -> date:
    """Last day of the last month of the cell that had ended on the as-of date."""
    ended = month_start(ask.as_of + timedelta(days=1)) - timedelta(days=1)
    return min(ended, ask.until) if ask.until is not None else ended


def running(day: str) -> str:
    """SQL condition that a line runs on a day."""
    return f"starts_on <= {day} AND (ends_on IS NULL OR ends_on > {day})"


def _span(ask: Ask) -> str:
    last = last_whole_day(ask)
    if ask.since is not None:
        return f"SELECT {ask.on(ask.since - timedelta(days=1))} AS before, {ask.on(last)} AS last"
    begun = f"{ask.on(month_start(last, -11) - timedelta(days=1))}"
    return f"""SELECT greatest({begun}, last_day(min(CAST(starts_on AS DATE)))) AS before,
  {ask.on(last)} AS last
FROM subscriptions
WHERE coalesce(CAST(signed_on AS DATE), CAST(starts_on AS DATE)) <= {ask.today}"""


SPAN = Step(
    "the day before the period, and its last day that ends a month", _span, ("subscriptions",)
)


def _customer_mrr(_: Ask) -> str:
    return f"""SELECT customer,
  sum(mrr) FILTER (WHERE {running("before")}) AS mrr_before,
  sum(mrr) FILTER (WHERE {running("last")}) AS mrr_after,
  coalesce(bool_or(starts_on > before AND starts_on <= last), FALSE) AS joined
FROM lines CROSS JOIN span
GROUP BY customer"""


MRR = Step("each customer's MRR before the period and at its end", _customer_mrr, ("lines",))


def mrr_movements(_: Ask) -> Statement:
    """MRR at the end of a period; customers at its end and start."""

    def rows(_: Ask) -> str:
        return """SELECT 'customer' AS object, customer AS record_id, CAST(NULL AS VARCHAR) AS url,
  mrr_after IS NOT NULL AS numerator, mrr_before IS NOT NULL AS denominator,
  coalesce(mrr_after, 0) AS amount,
  CASE WHEN mrr_after IS NULL AND mrr_before IS NULL THEN 'no revenue at either end' END AS why,
  mrr_before, mrr_after
FROM customer_mrr"""

    return Statement(
        {"span": SPAN, "customer_mrr": MRR, "rows": Step("every customer", rows)},
        """SELECT
  coalesce(sum(amount) FILTER (WHERE numerator), 0) AS value,
  count(*) FILTER (WHERE numerator) AS x, count(*) FILTER (WHERE denominator) AS n
FROM rows""",
    )


def customer_churn(ask: Ask) -> Statement:
    """Customers at the start who are gone at the end; or, besides, those who joined and left."""
    joiners = ask.option("basis", "start", "joiners") == "joiners"
    lines = "all_lines" if ask.within else "lines"

    there = "c.mrr_before IS NOT NULL" + (" OR c.joined" if joiners else "")

    def rows(_: Ask) -> str:
        return f"""SELECT 'customer' AS object, c.customer AS record_id, CAST(NULL AS VARCHAR) AS url,
  ({there}) AND s.customer IS NULL AS numerator,
  c.mrr_before IS NOT NULL AS denominator, c.mrr_before AS amount,
  CASE WHEN c.mrr_before IS NULL THEN 'no customer at the start' END AS why,
  c.mrr_before, c.mrr_after
FROM customer_mrr c
LEFT JOIN (SELECT DISTINCT customer FROM {lines} CROSS JOIN span WHERE {running("last")}) s
  ON s.customer = c.customer"""

    everywhere = Step(
        "a customer who stays under another account has not left",
        _everywhere,
        ("subscriptions", "accounts"),
    )
    steps = {"span": SPAN, "customer_mrr": MRR, **({"all_lines": everywhere} if ask.within else {})}
    return Statement(
        {**steps, "rows": Step("every customer", rows)},
        """SELECT x / nullif(n, 0) AS value, x, n
FROM (SELECT count(*) FILTER (WHERE numerator) AS x, count(*) FILTER (WHERE denominator) AS n FROM rows)""",
    )


def _everywhere(ask: Ask) -> str:
    return f"""SELECT coalesce(a.billing_account_id, s.account_id) AS customer,
  CAST(s.starts_on AS DATE) AS starts_on, CAST(s.ends_on AS DATE) AS ends_on
FROM subscriptions s LEFT JOIN accounts a ON a.account_id = s.account_id
WHERE coalesce(CAST(s.signed_on AS DATE), CAST(s.starts_on AS DATE)) <= {ask.today}
  AND s.mrr > 0
  AND (s.ends_on IS NULL OR CAST(s.ends_on AS DATE) > CAST(s.starts_on AS DATE))"""
