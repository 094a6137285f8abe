"""Steps every KPI of leads and deals begins with: the leads and deals that count, inside the filters."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from kpi.tables import TABLES
from kpi.tracing.ask import Ask, one_of, text
from kpi.tracing.stages import first_days
from kpi.tracing.statement import Step


def _all_leads(ask: Ask) -> str:
    later = f"coalesce({ask.day('l.converted_at')} > {ask.today}, FALSE)"
    return f"""SELECT
  l.* REPLACE (CASE WHEN {later} THEN NULL ELSE l.deal_id END AS deal_id),
  {ask.day("l.created_at")} AS created_on,
  CASE WHEN NOT {later} THEN {ask.day("l.converted_at")} END AS stated_on,
  CASE WHEN {ask.day("l.created_at")} > {ask.today} THEN 'created after the as-of date' END AS why
FROM leads l"""


def _deal_leads(_: Ask) -> str:
    return """SELECT d.deal_id, l.lead_id
FROM dated_deals d
LEFT JOIN (
  SELECT deal_id, min(lead_id) AS lead_id
  FROM all_leads WHERE why IS NULL AND deal_id IS NOT NULL GROUP BY deal_id
) n ON n.deal_id = d.deal_id
JOIN all_leads l ON l.lead_id = coalesce(d.lead_id, n.lead_id) AND l.why IS NULL"""


def _linked_leads(_: Ask) -> str:
    return """SELECT
  l.* EXCLUDE (why, stated_on),
  coalesce(l.stated_on, o.first_on, named.created_on) AS converted_on,
  o.lead_id IS NOT NULL OR named.deal_id IS NOT NULL AS linked
FROM all_leads l
LEFT JOIN (
  SELECT t.lead_id, min(d.created_on) AS first_on
  FROM deal_leads t JOIN dated_deals d ON d.deal_id = t.deal_id GROUP BY t.lead_id
) o ON o.lead_id = l.lead_id
LEFT JOIN dated_deals named ON named.deal_id = l.deal_id
WHERE l.why IS NULL"""


def _known_leads(ask: Ask) -> str:
    if "lead" not in ask.definitions.count:
        return "SELECT * FROM linked_leads"
    first = first_days(ask, "lead", "linked_leads", ended="converted_on")
    return f"""SELECT l.* REPLACE (f.first_day AS created_on)
FROM linked_leads l JOIN ({first}) f ON f.id = l.lead_id"""


def _our_leads(ask: Ask) -> str:
    return f"SELECT l.* FROM known_leads l WHERE {ask.columns('leads', 'l')}"


def _our_deals(ask: Ask) -> str:
    held = ask.columns("deals", "d")
    for name in ask.by_lead:
        held += f"\n  AND d.deal_id IN ({of_leads(ask, name)})"
    if "rates" not in ask.present:
        return f"SELECT d.* FROM dated_deals d WHERE {held}"
    foreign = (
        f"d.currency <> {text(ask.definitions.reporting_currency)} AND d.amount_original IS NULL"
    )
    factor = f"CASE WHEN {foreign} THEN r.rate ELSE 1 END"
    money = ", ".join(f"d.{name} * {factor} AS {name}" for name in ("amount", "mrr", "margin"))
    return f"""SELECT d.* REPLACE ({money})
FROM dated_deals d
LEFT JOIN rate_days r ON {foreign} AND r.currency = d.currency
  AND coalesce(d.closed_on, {ask.today}) >= r.from_day AND coalesce(d.closed_on, {ask.today}) < r.to_day
WHERE {held}"""


def of_leads(ask: Ask, column: str) -> str:
    """Deals whose lead holds the values: filters up to and with `column`."""
    names = list(ask.filters)
    upto = names[: names.index(column) + 1]
    held = " AND ".join(
        one_of("leads", name, ask.filters[name], "l")
        for name in upto
        if name in TABLES["leads"].names
    )
    return f"""SELECT t.deal_id FROM deal_leads t JOIN known_leads l ON l.lead_id = t.lead_id
    WHERE {held}"""


def _rate_days(_: Ask) -> str:
    return """SELECT
  currency, rate,
  CASE WHEN row_number() OVER each = 1 THEN DATE '1900-01-01' ELSE CAST(from_date AS DATE) END AS from_day,
  coalesce(lead(CAST(from_date AS DATE)) OVER each, DATE '9999-12-31') AS to_day
FROM rates
WINDOW each AS (PARTITION BY currency ORDER BY from_date)"""


def converted(ask: Ask, day: str, column: str) -> tuple[str, str]:
    """SQL for money of an alias ``s`` in the reporting currency, and the join that it needs."""
    if "rates" not in ask.present:
        return f"s.{column}", ""
    foreign = f"s.currency <> {text(ask.definitions.reporting_currency)}"
    join = f"""LEFT JOIN rate_days r ON {foreign} AND r.currency = s.currency
  AND {day} >= r.from_day AND {day} < r.to_day"""
    return f"s.{column} * CASE WHEN {foreign} THEN r.rate ELSE 1 END", join


def lines_reads(ask: Ask) -> tuple[str, ...]:
    """Tables and steps of recurring lines."""
    return ("subscriptions", "accounts", *money(ask))


def money(ask: Ask) -> tuple[str, ...]:
    """Step that gives exchange rates, where there are any."""
    return ("rate_days",) if "rates" in ask.present else ()


def _lines(ask: Ask) -> str:
    mrr, join = converted(ask, "CAST(s.starts_on AS DATE)", "mrr")
    held = [one_of("accounts", name, values, "a") for name, values in ask.within.items()]
    narrowed = "".join(f"\n  AND {condition}" for condition in held)
    return f"""SELECT
  s.subscription_id, s.account_id, s.product, {mrr} AS mrr,
  coalesce(a.billing_account_id, s.account_id) AS customer,
  CAST(s.starts_on AS DATE) AS starts_on, CAST(s.ends_on AS DATE) AS ends_on,
  CAST(s.signed_on AS DATE) AS signed_on, CAST(s.notice_on AS DATE) AS notice_on
FROM subscriptions s
LEFT JOIN accounts a ON a.account_id = s.account_id
{join}
WHERE coalesce(CAST(s.signed_on AS DATE), CAST(s.starts_on AS DATE)) <= {ask.today}
  AND s.mrr > 0
  AND (s.ends_on IS NULL OR CAST(s.ends_on AS DATE) > CAST(s.starts_on AS DATE)){narrowed}"""


def _deals_reads(ask: Ask) -> tuple[str, ...]:
    return ("dated_deals", *money(ask), *(["known_leads", "deal_leads"] if ask.by_lead else []))


STEPS = {
    "all_leads": Step(
        "leads; what is dated after the as-of date is not yet known", _all_leads, ("leads",)
    ),
    "deal_leads": Step(
        "the lead each deal came from, named by either side",
        _deal_leads,
        ("dated_deals", "all_leads"),
    ),
    "linked_leads": Step(
        "a lead converts when it says so, else when its first deal was opened",
        _linked_leads,
        ("all_leads", "deal_leads", "dated_deals"),
    ),
    "known_leads": Step(
        "leads that count (definitions)",
        _known_leads,
        lambda ask: ("linked_leads", *(["changes"] if "lead" in ask.definitions.count else [])),
    ),
    "rate_days": Step("exchange rates and the days they hold", _rate_days, ("rates",)),
    "our_leads": Step("leads inside the filters", _our_leads, ("known_leads",)),
    "our_deals": Step(
        "deals inside the filters, money in the reporting currency", _our_deals, _deals_reads
    ),
    "lines": Step("recurring lines, by the customer who pays", _lines, lines_reads),
}
