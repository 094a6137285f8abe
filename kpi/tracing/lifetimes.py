"""SQL of how long customers stay, month end by month end, and of what they are worth by then."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from datetime import date

from kpi.tables import TableError
from kpi.tracing.ask import Ask
from kpi.tracing.customers import running
from kpi.tracing.deals import COUNTS
from kpi.tracing.statement import Statement, Step

ENOUGH = 10  # at risk in a month, for its own churn to be read
YEAR = 12


def _month_ends(ask: Ask, last: date) -> str:
    return f"""SELECT CAST(m AS DATE) AS first_on, last_day(CAST(m AS DATE)) AS last_on,
  row_number() OVER (ORDER BY m) - 1 AS month
FROM (
  SELECT unnest(generate_series(
    CAST(date_trunc('month', min(CAST(starts_on AS DATE))) AS TIMESTAMP),
    CAST({ask.on(last)} AS TIMESTAMP), INTERVAL 1 MONTH)) AS m
  FROM subscriptions
  WHERE coalesce(CAST(signed_on AS DATE), CAST(starts_on AS DATE)) <= {ask.today}
)
WHERE last_day(CAST(m AS DATE)) <= {ask.on(last)}"""


def _times(ask: Ask) -> str:
    opened = ask.on(ask.window_start) if ask.window_start else "NULL"
    return f"""SELECT t.*, m.first_on AS began_on,
  row_number() OVER (PARTITION BY customer ORDER BY start) AS nth,
  stop < last AS gone,
  CASE WHEN stop < last THEN stop + 1 ELSE last END - start AS months,
  CASE WHEN start <= opened THEN opened - start + 1 ELSE 0 END AS entry
FROM (
  SELECT customer, min(month) AS start, max(month) AS stop
  FROM (
    SELECT *, month - row_number() OVER (PARTITION BY customer ORDER BY month) AS island
    FROM (
      SELECT DISTINCT customer, month FROM lines JOIN month_ends ON {running("last_on")}
    )
  )
  GROUP BY customer, island
) t
JOIN month_ends m ON m.month = t.start
CROSS JOIN (
  SELECT max(month) AS last, count(*) FILTER (WHERE last_on < {opened}) - 1 AS opened
  FROM month_ends
)"""


def times(last: date) -> dict[str, Step]:
    """Steps of the times customers were there, as seen on a day."""
    return {
        "month_ends": Step(
            "months with revenue that had ended, counted from 0",
            lambda ask: _month_ends(ask, last),
            ("subscriptions",),
        ),
        "times": Step(
            "month ends in a row at which a customer had a line: who comes back begins anew",
            _times,
            ("lines",),
        ),
    }


NAME = (
    "customer || CASE WHEN nth > 1 THEN ', again from ' || strftime(began_on, '%Y-%m') ELSE '' END"
)
UNSEEN = "gone before the export begins"


def _at_risk(where: str) -> str:
    """SQL for the customers at risk in each month of their time, and those lost in it."""
    return f"""SELECT age, count(*) AS at_risk, count(*) FILTER (WHERE gone AND months = age) AS lost
FROM times
JOIN (SELECT unnest(range(0, 1 + (SELECT max(months) FROM times))) AS age) ON age BETWEEN entry AND months
WHERE {where}
GROUP BY age"""


def retention_curve(ask: Ask) -> Statement:
    """Kaplan-Meier share still there after so many months (by default, all that were seen)."""
    cohort = ask.cell("began_on")
    month = "(SELECT max(age) FROM curve)" if ask.month is None else f"{int(ask.month)}"

    def curve(_: Ask) -> str:
        return f"""SELECT *, product(1 - lost / at_risk) OVER (ORDER BY age) AS still
FROM ({_at_risk(cohort)})"""

    def rows(_: Ask) -> str:
        return f"""SELECT 'customer' AS object, {NAME} AS record_id, CAST(NULL AS VARCHAR) AS url,
  coalesce({cohort} AND gone AND months = age AND entry <= age, FALSE) AS numerator,
  coalesce({cohort} AND age BETWEEN entry AND months, FALSE) AS denominator,
  CAST(NULL AS DOUBLE) AS amount,
  CASE
    WHEN NOT ({cohort}) THEN 'began outside the period'
    WHEN entry > months THEN '{UNSEEN}'
    WHEN months < age THEN 'gone, or not followed for so long'
    WHEN entry > age THEN 'not yet followed at that age'
  END AS why,
  began_on, months, gone
FROM times CROSS JOIN (SELECT {month} AS age)"""

    return Statement(
        {
            **times(ask.as_of),
            "curve": Step("by month since they began: at risk, lost, share still there", curve),
            "rows": Step("every customer's time", rows),
        },
        f"SELECT\n  (SELECT still FROM curve WHERE age = {month}) AS value,\n{COUNTS}",
    )


def _hazards(ask: Ask) -> str:
    horizon = ask.option("horizon_months")
    if horizon is None:
        raise TableError("trace: no SQL for horizon_months=None; give a number of months")
    return f"""SELECT t, CASE
    WHEN t = 0 THEN 0.0
    WHEN at_risk >= {ENOUGH} THEN lost / at_risk
    ELSE coalesce((SELECT sum(lost) / nullif(sum(at_risk), 0) FROM at_risk WHERE age > 0), 0.0)
  END AS hazard
FROM (SELECT unnest(range({int(horizon)})) AS t) LEFT JOIN at_risk ON age = t"""


def _worth(ask: Ask) -> str:
    given = ask.option("gross_margin")
    told = "outcome = 'won' AND amount > 0 AND margin IS NOT NULL"
    share = f"(SELECT sum(margin) / sum(amount) FROM our_deals WHERE {told})"
    margin = f"CASE WHEN {share} > 0 AND {share} <= 1 THEN {share} ELSE 1.0 END"
    if given is not None:
        margin = repr(float(given))
    count = float(1 + (ask.option("discount") or 0.0))
    return f"""SELECT
  (SELECT avg(mrr) FROM payers) AS arpa,
  {margin} AS margin,
  (SELECT sum(still / power({count!r}, t / {YEAR})) FROM (
    SELECT t, product(1 - hazard) OVER (ORDER BY t) AS still FROM hazards)) AS months_paid,
  (SELECT count(*) FROM times WHERE entry <= months) AS followed"""


def _value_rows(_: Ask) -> str:
    return f"""SELECT 'customer' AS object, {NAME} AS record_id, CAST(NULL AS VARCHAR) AS url,
  gone AND entry <= months AS numerator, entry <= months AS denominator, mrr AS amount,
  CASE WHEN entry > months THEN '{UNSEEN}' END AS why, began_on, months, gone
FROM (
  SELECT t.*, p.mrr FROM times t LEFT JOIN payers p ON p.customer = t.customer AND NOT t.gone
)
UNION ALL
SELECT 'customer', customer || CASE WHEN customer IN (SELECT customer FROM times)
    THEN ', again since the last month' ELSE '' END, NULL, FALSE, FALSE, mrr,
  'began after the last month end: in what a customer pays only', NULL, 0, FALSE
FROM payers
WHERE customer NOT IN (SELECT customer FROM times WHERE NOT gone)"""


def worth(ask: Ask) -> dict[str, Step]:
    """Steps of the lifetime value; ``clv`` has ``arpa, margin, months_paid, followed, clv``."""
    day = min(ask.as_of, ask.until) if ask.until is not None else ask.as_of
    return {
        **times(day),
        "payers": Step(
            "what each customer pays on the day",
            lambda _: (
                f"""SELECT customer, sum(mrr) AS mrr
FROM lines WHERE {running(ask.on(day))} GROUP BY customer"""
            ),
            ("lines",),
        ),
        "at_risk": Step(
            "customers by month of their time: at risk, and lost in it",
            lambda _: _at_risk("TRUE"),
        ),
        "hazards": Step(
            f"chance to leave in each month: its own where {ENOUGH} are at risk, else the average",
            _hazards,
        ),
        "parts": Step("what makes up the value", _worth, ("our_deals",)),
        "clv": Step(
            "lifetime value; none where nobody pays or is followed",
            lambda _: (
                """SELECT *,
  CASE WHEN followed > 0 THEN round(arpa * margin * months_paid, 6) END AS clv
FROM parts"""
            ),
        ),
        "rows": Step(
            "every customer's time: those who left above, all followed below", _value_rows
        ),
    }


def lifetime_value(ask: Ask) -> Statement:
    """MRR a customer x margin x months it is expected to pay within the horizon."""
    ask.option("method", "survival")
    return Statement(worth(ask), f"SELECT\n  (SELECT clv FROM clv) AS value,\n{COUNTS}")
