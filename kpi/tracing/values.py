"""SQL of what deals are worth: won, on average, and still open."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from kpi.periods import month_start
from kpi.tracing import deals
from kpi.tracing.ask import Ask
from kpi.tracing.counts import outside
from kpi.tracing.deals import COUNTS, no_defeat, of_type, why_not
from kpi.tracing.statement import Statement, Step

WORTH = {"amount": "amount", "mrr": "mrr", "margin": "margin", "tcv": "mrr * term_months"}


def _won_rows(_: Ask, worth: str, *more: tuple[str, str]) -> Step:
    """Deals won in the cell: those with a value above the line, all of them below."""

    def rows(ask: Ask) -> str:
        why = why_not(
            (f"NOT {of_type(ask)}", "another kind of business"),
            ("outcome <> 'won'", "not won"),
            (outside(ask, "closed_on") if ask.since else "FALSE", "closed outside the period"),
            *more,
        )
        return f"""SELECT 'deal' AS object, deal_id AS record_id, url, worth AS amount,
  why IS NULL AND worth IS NOT NULL AS numerator, why IS NULL AS denominator, why, closed_on
FROM (SELECT *, {worth} AS worth, {why} AS why FROM our_deals)"""

    return Step("every deal, and what a deal won is worth", rows, ("our_deals",))


def value_won(ask: Ask) -> Statement:
    """Sum of the values of deals won; missing where deals were won and none has a value."""
    of = ask.option("of", "amount", "mrr", "margin")
    none = (
        f"NOT EXISTS (SELECT 1 FROM our_deals WHERE {of_type(ask)})" if not ask.since else "FALSE"
    )
    return Statement(
        {"rows": _won_rows(ask, WORTH[of])},
        f"""SELECT CASE WHEN (n > 0 AND x = 0) OR {none} THEN NULL ELSE coalesce(total, 0) END AS value, x, n
FROM (SELECT
  (SELECT sum(amount) FROM rows WHERE numerator) AS total,
{COUNTS})""",
    )


AVERAGE = f"SELECT\n  (SELECT avg(amount) FROM rows WHERE numerator) AS value,\n{COUNTS}"


def average_deal_size(ask: Ask) -> Statement:
    """Mean amount of the deals won that have one."""
    return Statement({"rows": _won_rows(ask, "amount")}, AVERAGE)


def average_monthly_deal_value(ask: Ask) -> Statement:
    """Mean new MRR (contract value, one-off amount) of deals won in the trailing months."""
    of = ask.option("of", "mrr", "tcv", "one_off")
    more = []
    if ask.since is None:
        month = month_start(ask.as_of, -int(ask.options["months"]))
        last = (month_start(month, 1) - month).days
        begun = ask.on(month.replace(day=min(ask.as_of.day, last)))
        more.append(
            (f"NOT coalesce(closed_on > {begun}, FALSE)", "closed before the trailing months")
        )
    if of == "one_off":
        more.append(("coalesce(mrr, 0) > 0", "brings recurring revenue"))
    return Statement({"rows": _won_rows(ask, WORTH.get(of, "amount"), *more)}, AVERAGE)


def open_pipeline(ask: Ask) -> Statement:
    """Sum of the values of open deals."""
    of = ask.option("of", "amount", "mrr")

    def rows(ask: Ask) -> str:
        why = why_not(
            (f"NOT {of_type(ask)}", "another kind of business"), ("outcome <> 'open'", "closed")
        )
        return f"""SELECT 'deal' AS object, deal_id AS record_id, url, {of} AS amount,
  why IS NULL AND {of} IS NOT NULL AS numerator, why IS NULL AS denominator, why, stage_id, created_on
FROM (SELECT *, {why} AS why FROM our_deals)"""

    some = f"EXISTS (SELECT 1 FROM our_deals WHERE {of_type(ask)})"
    return Statement(
        {"rows": Step("every deal", rows, ("our_deals",))},
        f"""SELECT
  CASE WHEN n > 0 AND x = 0 OR NOT {some} THEN NULL ELSE coalesce(total, 0) END AS value, x, n
FROM (SELECT
  (SELECT sum(amount) FROM rows WHERE numerator) AS total,
{COUNTS})""",
    )


def final_stage_deals(ask: Ask) -> Statement:
    """Open deals in the last open stage of their funnel."""

    def rows(ask: Ask) -> str:
        why = why_not(
            (f"NOT {of_type(ask)}", "another kind of business"), ("outcome <> 'open'", "closed")
        )
        return f"""SELECT 'deal' AS object, d.deal_id AS record_id, d.url, d.amount,
  d.why IS NULL AND coalesce(d.rank = l.rank, FALSE) AS numerator, d.why IS NULL AS denominator,
  d.why, d.stage_id, d.owner_id
FROM (SELECT *, {why} AS why FROM our_deals) d
LEFT JOIN (
  SELECT funnel, max(rank) AS rank FROM stage_ranks
  WHERE object = 'deal' AND outcome = 'open' GROUP BY funnel
) l ON l.funnel = d.funnel"""

    some = f"""EXISTS (SELECT 1 FROM our_deals WHERE {of_type(ask)})
  AND EXISTS (SELECT 1 FROM stage_ranks WHERE object = 'deal' AND outcome = 'open')"""
    return Statement(
        {"rows": Step("every deal", rows, ("our_deals", "stage_ranks"))},
        f"SELECT CASE WHEN {some} THEN x END AS value, x, n\nFROM (SELECT\n{COUNTS})",
    )


def value_rate(_: Ask) -> Statement:
    """Value won / value won and lost, of the deals closed that have an amount."""

    def rows(ask: Ask) -> str:
        why = why_not(
            (f"NOT {of_type(ask)}", "another kind of business"),
            ("outcome = 'open'", "open: neither won nor lost"),
            (no_defeat(ask), "lost for a reason that is no defeat"),
            (outside(ask, "closed_on") if ask.since else "FALSE", "closed outside the period"),
            ("amount IS NULL", "no amount"),
        )
        return f"""SELECT 'deal' AS object, deal_id AS record_id, url, amount,
  why IS NULL AND outcome = 'won' AS numerator, why IS NULL AS denominator, why, outcome, closed_on
FROM (SELECT *, {why} AS why FROM our_deals)"""

    return Statement(
        {"rows": Step("every deal", rows, ("our_deals",))},
        f"""SELECT
  (SELECT sum(amount) FILTER (WHERE numerator) FROM rows)
    / nullif((SELECT sum(amount) FROM rows WHERE denominator), 0) AS value,
{COUNTS}""",
    )


def win_rate(ask: Ask) -> Statement:
    """Win rate by count, or by value."""
    if ask.option("weight", "count", "amount") == "amount" and ask.options["basis"] == "period":
        return value_rate(ask)
    return deals.win_rate(ask)
