"""SQL of what a seller gets done in a month, and of the deals in a seller's last open stage."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from datetime import date, timedelta

from kpi.periods import month_start
from kpi.tables import TableError
from kpi.tracing.ask import Ask, text
from kpi.tracing.customers import last_whole_day
from kpi.tracing.deals import COUNTS, of_type
from kpi.tracing.leads import turned
from kpi.tracing.statement import Statement, Step

NO_TEXT, NO_DAY = "CAST(NULL AS VARCHAR)", "CAST(NULL AS DATE)"
OWN = ("our_deals", "our_leads", "suspects", "owners")


def seller_minimums(ask: Ask) -> Statement:
    """Monthly average of one indicator of one seller; or deals in the last stage, on one day."""
    if ask.seller is None:
        raise TableError("trace: this KPI has one row a seller and indicator: say both")
    owner, indicator = ask.seller
    if indicator == "last_stage_deals":
        return _last_stage(ask, owner)
    return _average(ask, owner, indicator)


def _seller(owner: str) -> Step:
    def write(_: Ask) -> str:
        return f"""SELECT max(CAST(starts_on AS DATE)) AS starts_on, max(annual_ote) AS annual_ote
FROM owners WHERE owner_id = {text(owner)}"""

    return Step("the seller: first day of selling, earnings on target", write, ("owners",))


def _recorded(indicator: str) -> Step:
    """Records that the indicator counts, each with its owner and its day."""

    def write(ask: Ask) -> str:
        if indicator == "suspects":
            return f"""SELECT 'suspect' AS object, suspect_id AS record_id, {NO_TEXT} AS url, owner_id,
  {ask.day("added_at")} AS day, CAST(NULL AS DOUBLE) AS amount
FROM suspects WHERE coalesce({ask.day("added_at")} <= {ask.today}, TRUE)"""
        if indicator == "leads":
            source = "turned WHERE did" if "mql" in ask.definitions.count else "our_leads"
            day = "turned_on" if "mql" in ask.definitions.count else "created_on"
            return f"""SELECT 'lead' AS object, lead_id AS record_id, url, owner_id, {day} AS day,
  CAST(NULL AS DOUBLE) AS amount
FROM {source}"""
        day = "created_on" if indicator == "deals_created" else "closed_on"
        won = "TRUE" if indicator == "deals_created" else "outcome = 'won'"
        return f"""SELECT 'deal' AS object, deal_id AS record_id, url, owner_id, {day} AS day, amount
FROM our_deals WHERE {of_type(ask)} AND {won}"""

    return Step("the records counted, of all sellers", write, OWN)


def _begins(indicator: str) -> Step:
    """First month that the data holds for the indicator."""

    def write(ask: Ask) -> str:
        days = {"suspects": "day FROM recorded", "leads": "created_on AS day FROM our_leads"}
        deals = f"""created_on AS day FROM our_deals WHERE {of_type(ask)}
  UNION ALL SELECT closed_on FROM our_deals WHERE {of_type(ask)} AND outcome = 'won'"""
        start = ask.window_start
        whole = month_start(start - timedelta(days=1), 1) if start else date(1970, 1, 1)
        return f"""SELECT CASE WHEN count(day) > 0
    THEN greatest(date_trunc('month', min(day)), {ask.on(whole)}) END AS first_month
FROM (
  SELECT {days.get(indicator, deals)}
)"""

    return Step("first month that the data holds whole", write, OWN)


def _months(ask: Ask) -> str:
    last = month_start(last_whole_day(ask))
    since = month_start(ask.since) if ask.since else month_start(last, -11)
    return f"""SELECT month
FROM (
  SELECT CAST(unnest(generate_series({ask.on(since)}, {ask.on(last)}, INTERVAL 1 MONTH)) AS DATE) AS month
), begins, seller
WHERE month >= first_month AND coalesce(month >= starts_on, TRUE)"""


def _average(ask: Ask, owner: str, indicator: str) -> Statement:
    """Records of the seller's whole months over those months."""
    priced = "amount IS NOT NULL" if indicator == "value_won" else "TRUE"

    def rows(_: Ask) -> str:
        return f"""SELECT r.object, r.record_id, r.url, m.month IS NOT NULL AND r.{priced} AS numerator,
  FALSE AS denominator, r.amount, CASE WHEN m.month IS NULL THEN 'outside the months counted'
    WHEN NOT (r.{priced}) THEN 'without an amount' END AS why, r.day
FROM recorded r LEFT JOIN counted_months m ON m.month = date_trunc('month', r.day)
WHERE r.owner_id = {text(owner)}
UNION ALL
SELECT 'month', strftime(month, '%Y-%m'), {NO_TEXT}, FALSE, TRUE, NULL, NULL, month
FROM counted_months""".replace("r.TRUE", "TRUE")

    mql = indicator == "leads" and "mql" in ask.definitions.count
    value = "x / nullif(n, 0)"
    if indicator == "value_won":
        value = """coalesce(won, 0) / nullif(n, 0)
  / (SELECT annual_ote FROM seller WHERE annual_ote > 0)"""
    steps = {
        "seller": _seller(owner),
        **({"turned": turned("mql")} if mql else {}),
        "recorded": _recorded(indicator),
        "begins": _begins(indicator),
        "counted_months": Step(
            "whole months that the data holds, from the seller's first day on", _months
        ),
        "rows": Step("the seller's records above, months below", rows),
    }
    return Statement(
        steps,
        f"""SELECT round({value}, 9) AS value, x, n
FROM (SELECT
  (SELECT sum(amount) FROM rows WHERE numerator) AS won,
{COUNTS})""",
    )


def _top(_: Ask) -> str:
    return """SELECT funnel, stage_id, rank FROM stage_ranks
WHERE object = 'deal' AND outcome = 'open'
QUALIFY rank = max(rank) OVER (PARTITION BY funnel)"""


def _last_stage(ask: Ask, owner: str) -> Statement:
    """Deals of the seller in the last open stage: as they stand, on a past day as history says."""
    day = last_whole_day(ask) if ask.since else ask.as_of
    now = day == ask.as_of
    on = ask.on(day)

    def there(_: Ask) -> str:
        if now:
            return """SELECT d.deal_id FROM our_deals d
JOIN top_stages t ON t.funnel = d.funnel AND t.rank = d.rank
WHERE d.outcome = 'open'"""
        return f"""SELECT DISTINCT m.record_id AS deal_id
FROM moves m
JOIN top_stages t ON t.funnel = m.funnel AND t.stage_id = m.stage_id
JOIN our_deals d ON d.deal_id = m.record_id
WHERE m.object = 'deal' AND m.day <= {on} AND coalesce(coalesce(m.left_on, d.closed_on) > {on}, TRUE)"""

    known = "TRUE" if now or "history" in ask.present else "FALSE"

    def told(_: Ask) -> str:
        return f"""SELECT {on} AS day FROM seller
WHERE {known} AND EXISTS (SELECT 1 FROM top_stages) AND coalesce(starts_on <= {on}, TRUE)"""

    def rows(ask: Ask) -> str:
        return f"""SELECT 'deal' AS object, d.deal_id AS record_id, d.url,
  EXISTS (SELECT 1 FROM told) AND {of_type(ask)} AND l.deal_id IS NOT NULL AS numerator,
  FALSE AS denominator, d.amount,
  CASE WHEN NOT {of_type(ask)} THEN 'another kind of business'
    WHEN l.deal_id IS NULL THEN 'not in the last open stage then'
    WHEN NOT EXISTS (SELECT 1 FROM told) THEN 'the day cannot be told' END AS why
FROM our_deals d LEFT JOIN in_last_stage l ON l.deal_id = d.deal_id
WHERE d.owner_id = {text(owner)}
UNION ALL
SELECT 'day', strftime(day, '%Y-%m-%d'), NULL, FALSE, TRUE, NULL, NULL FROM told"""

    steps = {
        "seller": _seller(owner),
        "top_stages": Step("the last open stage of each funnel", _top, ("stage_ranks",)),
        "in_last_stage": Step(
            "deals that stand in it" if now else "deals that had come to it and not left or closed",
            there,
            ("our_deals", *(() if now else ("moves",))),
        ),
        "told": Step("the day looked at; none where it cannot be told", told),
        "rows": Step("the seller's deals above, the day below", rows, ("our_deals",)),
    }
    return Statement(
        steps, f"SELECT CASE WHEN n > 0 THEN x END AS value, x, n\nFROM (SELECT\n{COUNTS})"
    )
