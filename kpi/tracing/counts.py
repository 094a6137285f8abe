"""SQL of plain counts: leads, qualified leads, deals created and won, suspects, and their growth."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from datetime import date, timedelta

from kpi.periods import month_start
from kpi.tracing.ask import Ask, text
from kpi.tracing.deals import COUNTS, of_type, why_not
from kpi.tracing.leads import turned
from kpi.tracing.statement import Statement, Step

NO_MONEY = "CAST(NULL AS DOUBLE) AS amount"
OUTSIDE = "outside the period"


def outside(ask: Ask, day: str) -> str:
    """SQL condition that a day is not in the cell (an unknown day is in none)."""
    return f"NOT coalesce({ask.cell(day)}, FALSE)"


def counted(value: str = "x") -> str:
    """Result whose value is a count."""
    return f"SELECT {value} AS value, x, n\nFROM (SELECT\n{COUNTS})"


def leads_created(ask: Ask) -> Statement:
    """Leads by the day they were created; of each company only the first, where asked for."""

    def rows(ask: Ask) -> str:
        one = "TRUE"
        if ask.option("dedupe", None, "company") == "company":
            one = """account_id IS NULL OR row_number() OVER (
      PARTITION BY account_id ORDER BY created_at NULLS LAST, lead_id) = 1"""
        return f"""SELECT 'lead' AS object, lead_id AS record_id, url, {NO_MONEY},
  why IS NULL AND alone AS numerator, why IS NULL AS denominator, why, created_on, account_id
FROM (
  SELECT *, {why_not((outside(ask, "created_on"), OUTSIDE))} AS why, {one} AS alone
  FROM our_leads
)"""

    value = "x" if ask.since else "CASE WHEN n > 0 THEN x END"
    return Statement({"rows": Step("every lead", rows, ("our_leads",))}, counted(value))


def mqls_created(ask: Ask) -> Statement:
    """Leads by the day they first qualified."""
    what = ask.option("what", "mql", "sql")
    missing = what not in ask.definitions.count
    steps = {} if missing else {"turned": turned(what)}

    def rows(ask: Ask) -> str:
        if missing:
            return f"""SELECT 'lead' AS object, lead_id AS record_id, url, {NO_MONEY}, FALSE AS numerator,
  FALSE AS denominator, {text(f"[count.{what}] is not set in the definitions")} AS why
FROM our_leads"""
        why = why_not(("NOT did", "never qualified"), (outside(ask, "turned_on"), OUTSIDE))
        return f"""SELECT 'lead' AS object, lead_id AS record_id, url, {NO_MONEY},
  why IS NULL AS numerator, why IS NULL AS denominator, why, turned_on
FROM (SELECT *, {why} AS why FROM turned)"""

    value = "x" if ask.since else "CASE WHEN n > 0 THEN x END"
    value = "CAST(NULL AS DOUBLE)" if missing else value
    rows_step = Step("every lead", rows, ("our_leads",))
    return Statement({**steps, "rows": rows_step}, counted(value))


def lead_velocity_rate(ask: Ask) -> Statement:
    """Growth of qualified leads from one whole period to the next."""
    what = ask.option("what", None, "lead", "mql", "sql")
    what = what or ("mql" if "mql" in ask.definitions.count else "lead")
    since, until = _this_period(ask)
    months = (until.year - since.year) * 12 + until.month - since.month + 1
    before = month_start(since, -months)

    def rows(ask: Ask) -> str:
        return f"""SELECT *, CASE WHEN NOT numerator AND NOT denominator THEN 'in neither period' END AS why
FROM (
  SELECT 'lead' AS object, lead_id AS record_id, url, {NO_MONEY}, {day} AS day,
    coalesce({day} BETWEEN {ask.on(since)} AND {ask.on(until)}, FALSE) AS numerator,
    coalesce({day} >= {ask.on(before)} AND {day} < {ask.on(since)}, FALSE) AS denominator
  FROM {source}
)"""

    day, source = ("created_on", "our_leads") if what == "lead" else ("turned_on", "turned")
    steps = {} if what == "lead" else {"turned": turned(what)}
    value = "x / nullif(n, 0) - 1" if until <= ask.as_of else "CAST(NULL AS DOUBLE)"
    rows_step = Step("every lead", rows, ("our_leads",))
    return Statement({**steps, "rows": rows_step}, counted(value))


def _this_period(ask: Ask) -> tuple[date, date]:
    if ask.since is not None and ask.until is not None:
        return ask.since, ask.until
    following = month_start(ask.as_of + timedelta(days=1))
    return month_start(following, -1), following - timedelta(days=1)


def deals_created(ask: Ask) -> Statement:
    """Deals by the day they were created."""

    def rows(ask: Ask) -> str:
        why = why_not(
            (f"NOT {of_type(ask)}", "another kind of business"),
            (outside(ask, "created_on"), OUTSIDE),
        )
        return f"""SELECT 'deal' AS object, deal_id AS record_id, url, amount,
  why IS NULL AS numerator, why IS NULL AS denominator, why, created_on
FROM (SELECT *, {why} AS why FROM our_deals)"""

    value = "x" if ask.since else "CASE WHEN n > 0 THEN x END"
    return Statement({"rows": Step("every deal", rows, ("our_deals",))}, counted(value))


def deals_won(ask: Ask) -> Statement:
    """Deals won, of those closed."""

    def rows(ask: Ask) -> str:
        why = why_not(
            (f"NOT {of_type(ask)}", "another kind of business"),
            ("outcome = 'open'", "open: neither won nor lost"),
            (outside(ask, "closed_on"), "closed outside the period"),
        )
        return f"""SELECT 'deal' AS object, deal_id AS record_id, url, amount,
  why IS NULL AND outcome = 'won' AS numerator, why IS NULL AS denominator, why, outcome, closed_on
FROM (SELECT *, {why} AS why FROM our_deals)"""

    some = f"EXISTS (SELECT 1 FROM our_deals WHERE {of_type(ask)})"
    value = "x" if ask.since else f"CASE WHEN {some} THEN x END"
    return Statement({"rows": Step("every deal", rows, ("our_deals",))}, counted(value))


def suspects_added(ask: Ask) -> Statement:
    """Contacts by the day they were targeted."""

    def rows(ask: Ask) -> str:
        day = ask.day("added_at")
        why = why_not(
            (f"{day} > {ask.today}", "added after the as-of date"), (outside(ask, day), OUTSIDE)
        )
        return f"""SELECT 'suspect' AS object, suspect_id AS record_id, CAST(NULL AS VARCHAR) AS url,
  {NO_MONEY}, why IS NULL AS numerator, why IS NULL AS denominator, why, added_on, owner_id
FROM (SELECT *, {day} AS added_on, {why} AS why FROM suspects)"""

    value = "x" if ask.since else "CASE WHEN n > 0 THEN x END"
    return Statement({"rows": Step("every contact", rows, ("suspects",))}, counted(value))
