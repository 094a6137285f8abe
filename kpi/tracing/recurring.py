"""SQL of recurring revenue: what runs on a day, what moved in a period, and what was kept."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from kpi.tracing.ask import Ask
from kpi.tracing.customers import MRR, SPAN, running
from kpi.tracing.deals import COUNTS
from kpi.tracing.statement import Statement, Step

CENT = 0.005  # a smaller change is rounding
NO_URL = "CAST(NULL AS VARCHAR) AS url"


def _knows_lines(ask: Ask) -> str:
    """SQL condition that the data has any line."""
    return f"""EXISTS (SELECT 1 FROM subscriptions
  WHERE coalesce(CAST(signed_on AS DATE), CAST(starts_on AS DATE)) <= {ask.today})"""


def _day(ask: Ask) -> str:
    """SQL for the day a stock is read: the period's last, the as-of date at the latest."""
    return ask.on(min(ask.as_of, ask.until) if ask.until is not None else ask.as_of)


def _live(ask: Ask, start: str) -> str:
    """SQL condition that a line runs on the day."""
    day = _day(ask)
    return f"{start} <= {day} AND (ends_on IS NULL OR ends_on > {day})"


def _on_day(start: str) -> Step:
    return Step(
        "lines, and whether they run on the day",
        lambda ask: (
            f"""SELECT *, {_live(ask, start)} AS live
FROM (SELECT *, least(signed_on, starts_on) AS signed FROM lines)"""
        ),
        ("lines", "subscriptions"),
    )


def mrr(ask: Ask) -> Statement:
    """Sum of the lines that run on the day; x counts lines, n customers."""
    return _stock(ask, "starts_on", times=1)


def arr_run_rate(ask: Ask) -> Statement:
    """Twelve times the lines that run (are signed) on the day."""
    return _stock(ask, "signed" if ask.options["contracted"] else "starts_on", times=12)


def _stock(ask: Ask, start: str, *, times: int) -> Statement:
    rows = Step(
        "lines above, customers below",
        lambda _: (
            f"""SELECT 'subscription' AS object, subscription_id AS record_id, {NO_URL},
  mrr AS amount, live AS numerator, FALSE AS denominator,
  CASE WHEN NOT live THEN 'does not run on the day' END AS why, customer, starts_on, ends_on
FROM on_day
UNION ALL
SELECT 'customer', customer, NULL, NULL, FALSE, TRUE, NULL, customer, NULL, NULL
FROM on_day WHERE live GROUP BY customer"""
        ),
    )
    return Statement(
        {"on_day": _on_day(start), "rows": rows},
        f"""SELECT
  CASE WHEN {_knows_lines(ask)}
       THEN {times} * coalesce((SELECT sum(amount) FROM rows WHERE numerator), 0) END AS value,
{COUNTS}""",
    )


def customers(ask: Ask) -> Statement:
    """Customers with a line that runs on the day."""
    who = "account_id" if ask.option("count", "payer", "company") == "company" else "customer"
    rows = Step(
        "every customer",
        lambda _: (
            f"""SELECT 'customer' AS object, {who} AS record_id, {NO_URL},
  sum(mrr) FILTER (WHERE live) AS amount, bool_or(live) AS numerator, bool_or(live) AS denominator,
  CASE WHEN NOT bool_or(live) THEN 'no line runs on the day' END AS why
FROM on_day GROUP BY {who}"""
        ),
    )
    return Statement(
        {"on_day": _on_day("starts_on"), "rows": rows},
        f"SELECT CASE WHEN {_knows_lines(ask)} THEN x END AS value, x, n\nFROM (SELECT\n{COUNTS})",
    )


def minimum_mrr(ask: Ask) -> Statement:
    """Least that a paying customer pays; x counts customers below the threshold."""
    least = ask.options["threshold"]
    below = "FALSE" if least is None else f"mrr < {float(least)!r} - 1e-9"
    rows = Step(
        "every customer, and what it pays on the day",
        lambda _: (
            f"""SELECT 'customer' AS object, customer AS record_id, {NO_URL}, mrr AS amount,
  coalesce({below}, FALSE) AS numerator, mrr IS NOT NULL AS denominator,
  CASE WHEN mrr IS NULL THEN 'no line runs on the day' END AS why
FROM (SELECT customer, sum(mrr) FILTER (WHERE live) AS mrr FROM on_day GROUP BY customer)"""
        ),
    )
    return Statement(
        {"on_day": _on_day("starts_on"), "rows": rows},
        f"SELECT\n  (SELECT min(amount) FROM rows WHERE denominator) AS value,\n{COUNTS}",
    )


def committed_mrr(ask: Ask) -> Statement:
    """Lines live, plus signed to come, less those under notice or replaced, within the horizon."""
    ahead = ask.options["horizon_days"]
    day = _day(ask)
    soon = "TRUE" if ahead is None else f"starts_on <= {day} + {int(ahead)}"
    ends = "TRUE" if ahead is None else f"ends_on <= {day} + {int(ahead)}"
    told = Step(
        "lines agreed on the day: live, to come, going by notice, or going because one is signed instead",
        lambda _: (
            f"""SELECT *,
  going AND NOT noticed AND max(comes) OVER (PARTITION BY customer, coalesce(product, '')) AS replaced
FROM (
  SELECT *, starts_on <= {day} AS live, starts_on > {day} AND {soon} AS comes,
    starts_on <= {day} AND ends_on IS NOT NULL AND {ends} AS going,
    coalesce(notice_on <= {day}, FALSE) AS noticed
  FROM (SELECT *, least(signed_on, starts_on) AS signed FROM lines)
  WHERE signed <= {day} AND (ends_on IS NULL OR ends_on > {day})
)"""
        ),
        ("lines", "subscriptions"),
    )
    rows = Step(
        "every line agreed: what comes or goes above, what is live below",
        lambda _: (
            f"""SELECT 'subscription' AS object, subscription_id AS record_id, {NO_URL},
  comes OR (going AND noticed) OR replaced AS numerator, live AS denominator,
  CASE WHEN (live AND NOT (going AND noticed) AND NOT replaced) OR comes THEN mrr ELSE 0 END AS amount,
  CASE WHEN NOT live AND NOT comes THEN 'goes live after the horizon' END AS why, customer, product
FROM agreed"""
        ),
    )
    return Statement(
        {"agreed": told, "rows": rows},
        f"""SELECT
  CASE WHEN {_knows_lines(ask)} THEN coalesce((SELECT sum(amount) FROM rows), 0) END AS value,
{COUNTS}""",
    )


MONTHS = Step(
    "the months of the period: the day before each, and its last day",
    lambda _: (
        """SELECT CAST(m AS DATE) - 1 AS day_before, last_day(CAST(m AS DATE)) AS month_end
FROM (SELECT unnest(generate_series(before + 1, last, INTERVAL 1 MONTH)) AS m FROM span)"""
    ),
    ("subscriptions",),
)

MOVED = Step(
    "what moved, by customer and month: told by what was paid at the ends of the two months",
    lambda _: (
        f"""SELECT customer, month_end,
  CASE WHEN was IS NULL AND month_end = first_end THEN now_paid ELSE 0 END AS fresh,
  CASE WHEN was IS NULL AND month_end > first_end THEN now_paid ELSE 0 END AS reactivation,
  CASE WHEN now_paid - was > {CENT} THEN now_paid - was ELSE 0 END AS expansion,
  CASE WHEN was - now_paid > {CENT} THEN was - now_paid ELSE 0 END AS contraction,
  CASE WHEN now_paid IS NULL THEN was ELSE 0 END AS churn
FROM (
  SELECT customer, month_end, min(first_end) AS first_end,
    sum(mrr) FILTER (WHERE {running("day_before")}) AS was,
    sum(mrr) FILTER (WHERE {running("month_end")}) AS now_paid
  FROM (
    SELECT *, min(CASE WHEN ends_on IS NULL OR ends_on > last_day(starts_on)
      THEN last_day(starts_on) END) OVER (PARTITION BY customer) AS first_end
    FROM lines
  ) CROSS JOIN month_list
  GROUP BY customer, month_end
)
WHERE was IS NOT NULL OR now_paid IS NOT NULL"""
    ),
    ("lines",),
)

BOOK = Step(
    "each customer: paid before the period and at its end, and what moved within",
    lambda _: (
        """SELECT c.customer, coalesce(c.mrr_before, 0) AS mrr_before, coalesce(c.mrr_after, 0) AS mrr_after,
  coalesce(m.fresh, 0) AS fresh, coalesce(m.reactivation, 0) AS reactivation,
  coalesce(m.expansion, 0) AS expansion, coalesce(m.contraction, 0) AS contraction,
  coalesce(m.churn, 0) AS churn
FROM customer_mrr c
LEFT JOIN (
  SELECT customer, sum(fresh) AS fresh, sum(reactivation) AS reactivation,
    sum(expansion) AS expansion, sum(contraction) AS contraction, sum(churn) AS churn
  FROM moved GROUP BY customer
) m ON m.customer = c.customer"""
    ),
)
BOOKED = {"span": SPAN, "customer_mrr": MRR, "month_list": MONTHS, "moved": MOVED, "book": BOOK}


def _ratio(above: str, below: str, numerator: str, denominator: str) -> Statement:
    """Sum of one amount over customers by the sum of another; missing where that is nothing."""
    rows = Step(
        "every customer",
        lambda _: (
            f"""SELECT 'customer' AS object, customer AS record_id, {NO_URL},
  {above} AS amount, {below} AS amount_below, {numerator} AS numerator, {denominator} AS denominator,
  CASE WHEN NOT ({numerator}) AND NOT ({denominator}) THEN 'neither there at the start nor moved' END AS why,
  mrr_before, mrr_after, fresh, reactivation, expansion, contraction, churn
FROM book"""
        ),
    )
    return Statement(
        {**BOOKED, "rows": rows},
        f"""SELECT
  (SELECT CASE WHEN sum(amount_below) > 1e-9 THEN sum(amount) / sum(amount_below) END FROM rows) AS value,
{COUNTS}""",
    )


def gross_mrr_churn(_: Ask) -> Statement:
    """(contraction + churn) / MRR at the start."""
    return _ratio(
        "contraction + churn", "mrr_before", "contraction > 0 OR churn > 0", "mrr_before > 0"
    )


def net_mrr_churn(_: Ask) -> Statement:
    """(contraction + churn - expansion - reactivation) / MRR at the start."""
    return _ratio(
        "contraction + churn - expansion - reactivation",
        "mrr_before",
        "contraction > 0 OR churn > 0 OR expansion > 0 OR reactivation > 0",
        "mrr_before > 0",
    )


def quick_ratio(ask: Ask) -> Statement:
    """(new + expansion) / (contraction + churn)."""
    gained = "fresh + expansion" + (" + reactivation" if ask.options["reactivation"] else "")
    lost = "contraction + churn"
    return _ratio(gained, lost, f"{gained} > 0", f"{lost} > 0")


def gross_retention(_: Ask) -> Statement:
    """Of what the customers of the start paid, what they still pay, growth left out."""
    kept = "CASE WHEN churn = 0 THEN mrr_after ELSE 0 END"
    return _ratio(
        f"CASE WHEN mrr_before > 0 THEN least(mrr_before, {kept}) ELSE 0 END",
        "mrr_before",
        f"mrr_before > 0 AND {kept} > 0",
        "mrr_before > 0",
    )


def net_retention(ask: Ask) -> Statement:
    """Of what the customers of the start paid, what they pay now."""
    back = (
        "mrr_after"
        if ask.options["reactivation"]
        else "CASE WHEN churn = 0 THEN mrr_after ELSE 0 END"
    )
    return _ratio(
        f"CASE WHEN mrr_before > 0 THEN {back} ELSE 0 END",
        "mrr_before",
        f"mrr_before > 0 AND {back} > 0",
        "mrr_before > 0",
    )


def upsell_rate(_: Ask) -> Statement:
    """Customers of the start with a rise in any month of the period."""
    statement = _ratio(
        "expansion", "mrr_before", "mrr_before > 0 AND expansion > 0", "mrr_before > 0"
    )
    share = f"SELECT x / nullif(n, 0) AS value, x, n\nFROM (SELECT\n{COUNTS})"
    return Statement(statement.steps, share)
