"""SQL of what sales and marketing cost, and what a lead and a customer cost."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from collections.abc import Mapping

from kpi.tracing.ask import Ask, text, texts
from kpi.tracing.customers import last_whole_day
from kpi.tracing.deals import COUNTS, why_not
from kpi.tracing.logos import LOGOS
from kpi.tracing.records import converted, money
from kpi.tracing.statement import Statement, Step


def counted_month(ask: Ask, day: str) -> str:
    """SQL condition that a day is in the cell's months that had ended; else the twelve last ones."""
    since = ask.since if ask.since is not None else ask.whole_months[0]
    return f"{day} >= {ask.on(since)} AND {day} <= {ask.on(last_whole_day(ask))}"


def _costs_reads(ask: Ask) -> tuple[str, ...]:
    return ("costs", *money(ask))


def known_costs(ask: Ask) -> bool:
    """Tell whether costs follow the filters: they name a channel, nothing else."""
    return all(name == "channel" for name in ask.filters)


def _allocated(ask: Ask) -> str:
    """SQL factor: the share of a cost that goes into winning customers."""
    given = ask.options.get("allocation", 1.0)
    if not isinstance(given, Mapping):
        return repr(float(given))
    shares = [f"WHEN {text(name)} THEN {float(share)!r}" for name, share in given.items()]
    return (
        f"CASE coalesce(s.category, 'other') {' '.join(shares)} ELSE 1.0 END" if shares else "1.0"
    )


def _our_costs(ask: Ask) -> str:
    amount, join = converted(ask, "CAST(s.month AS DATE)", "amount")
    channels = ask.filters.get("channel")
    held = f" AND s.channel IN ({texts(channels)})" if channels else ""
    month = "CAST(s.month AS DATE)"
    return f"""SELECT {month} AS month_on, s.category, s.channel, {amount} * {_allocated(ask)} AS amount,
  coalesce({counted_month(ask, month)}, FALSE) AS counts,
  strftime({month}, '%Y-%m') || ' ' || coalesce(s.category, 'other') || ' '
    || coalesce(s.channel, 'all channels') || ' ' || row_number() OVER (
      PARTITION BY s.month, s.category, s.channel ORDER BY s.amount) AS cost_id
FROM costs s
{join}
WHERE {month} <= {ask.today}{held}"""


COSTS = Step("cost records, in the reporting currency", _our_costs, _costs_reads)
PAID = Step(
    "months with costs: one without any is not known to have cost nothing",
    lambda _: "SELECT DISTINCT date_trunc('month', month_on) AS month FROM our_costs WHERE counts",
)
COST_ROWS = """SELECT 'cost' AS object, cost_id AS record_id, CAST(NULL AS VARCHAR) AS url,
  counts AS numerator, {below} AS denominator, amount,
  CASE WHEN NOT counts THEN 'outside the months counted' END AS why
FROM our_costs"""


def sales_marketing_cost(_: Ask) -> Statement:
    """Sum of the costs of the months that had ended; missing where no cost is recorded."""
    rows = Step("every cost record", lambda _: COST_ROWS.format(below="counts"))
    return Statement(
        {"our_costs": COSTS, "rows": rows},
        f"SELECT\n  (SELECT sum(amount) FROM rows WHERE numerator) AS value,\n{COUNTS}",
    )


def _per_record(ask: Ask, steps: dict[str, Step], records: Step) -> Statement:
    """Cost of the months counted over the records of the same months."""
    return Statement(
        {"our_costs": COSTS, "paid_months": PAID, **steps, "rows": records},
        f"""SELECT {"cost / nullif(n, 0)" if known_costs(ask) else "CAST(NULL AS DOUBLE)"} AS value, x, n
FROM (SELECT
  (SELECT sum(amount) FROM rows WHERE numerator) AS cost,
{COUNTS})""",
    )


def cost_per_lead(ask: Ask) -> Statement:
    """Costs over the leads created in the same months."""
    ask.option("scope", "all")

    def rows(ask: Ask) -> str:
        why = why_not(
            (
                f"NOT coalesce({counted_month(ask, 'created_on')}, FALSE)",
                "outside the months counted",
            ),
            (
                "date_trunc('month', created_on) NOT IN (SELECT month FROM paid_months)",
                "created in a month without costs",
            ),
        )
        return f"""{COST_ROWS.format(below="FALSE")}
UNION ALL
SELECT 'lead', lead_id, url, FALSE, why IS NULL, NULL, why FROM (SELECT *, {why} AS why FROM our_leads)"""

    return _per_record(ask, {}, Step("costs above, leads below", rows, ("our_leads",)))


def cac(ask: Ask) -> Statement:
    """Costs over the new customers won in the same months."""
    ask.option("lagged", False)

    def rows(ask: Ask) -> str:
        why = why_not(
            (f"NOT coalesce({counted_month(ask, 'won_on')}, FALSE)", "outside the months counted"),
            (
                "date_trunc('month', won_on) NOT IN (SELECT month FROM paid_months)",
                "won in a month without costs",
            ),
        )
        return f"""{COST_ROWS.format(below="FALSE")}
UNION ALL
SELECT 'customer', customer, NULL, FALSE, why IS NULL, NULL, why FROM (SELECT *, {why} AS why FROM logos)"""

    return _per_record(ask, LOGOS, Step("costs above, customers below", rows))
