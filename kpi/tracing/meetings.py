"""SQL of first meetings with companies that are no customers yet."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from kpi.filters import RECORDS
from kpi.tables import TABLES
from kpi.tracing.ask import Ask, one_of
from kpi.tracing.counts import NO_MONEY, OUTSIDE, outside
from kpi.tracing.deals import COUNTS, why_not
from kpi.tracing.statement import Statement, Step

OURS = {
    "leads": """SELECT coalesce('account ' || account_id, 'lead ' || lead_id) FROM our_leads""",
    "deals": """SELECT unnest([
    'account ' || d.account_id, 'account ' || l.account_id, 'lead ' || t.lead_id, 'deal ' || d.deal_id])
  FROM our_deals d LEFT JOIN deal_leads t ON t.deal_id = d.deal_id
  LEFT JOIN our_leads l ON l.lead_id = t.lead_id""",
}


def _companies(ask: Ask) -> str:
    return f"""SELECT *, CASE
    WHEN account IS NOT NULL THEN 'account ' || account
    WHEN lead IS NOT NULL THEN 'lead ' || lead
    WHEN deal_id IS NOT NULL THEN 'deal ' || deal_id
    ELSE 'meeting ' || meeting_id END AS company
FROM (
  SELECT m.meeting_id, m.owner_id, m.deal_id, m.outcome,
    {ask.day("m.starts_at")} AS starts_on, {ask.day("m.booked_at")} AS booked_on,
    date_trunc('second', {ask.moment("m.starts_at")}) AS starts,
    date_trunc('second', {ask.moment("m.booked_at")}) AS booked,
    coalesce(m.lead_id, t.lead_id) AS lead,
    coalesce(m.account_id, l.account_id, d.account_id) AS account
  FROM meetings m
  LEFT JOIN our_deals d ON d.deal_id = m.deal_id
  LEFT JOIN deal_leads t ON t.deal_id = d.deal_id
  LEFT JOIN our_leads l ON l.lead_id = coalesce(m.lead_id, t.lead_id)
)"""


def _customer_since(_: Ask) -> str:
    return """SELECT account_id AS account, min(day) AS since
FROM (
  SELECT account_id, starts_on AS day FROM lines
  UNION ALL SELECT account_id, closed_on FROM our_deals WHERE outcome = 'won'
)
WHERE account_id IS NOT NULL
GROUP BY account_id"""


def _with_new(ask: Ask) -> str:
    return f"""SELECT *, past AND coalesce(outcome = 'held', FALSE) AND new AS met
FROM (
  SELECT m.*, m.starts_on IS NULL OR m.starts_on <= {ask.today} AS past,
    c.since IS NULL OR c.since >= coalesce(m.starts_on, m.booked_on, {ask.today}) AS new,
    coalesce(m.booked_on <= {ask.today},
      m.booked_on IS NULL AND (m.starts_on IS NULL OR m.starts_on <= {ask.today})) AS known
  FROM met_companies m LEFT JOIN customer_since c ON c.account = m.account
)
WHERE known"""


def _first_times(ask: Ask) -> str:
    return f"""SELECT *
FROM (
  SELECT *, new AND held_before = 0 AS first_time,
    row_number() OVER (
      PARTITION BY company, new AND held_before = 0
      ORDER BY coalesce(booked, starts) NULLS LAST, meeting_id) AS turn
  FROM (
    SELECT *, coalesce(sum(CAST(met AS INTEGER)) OVER (
      PARTITION BY company ORDER BY starts NULLS LAST, meeting_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS held_before
    FROM with_new
  )
) m
WHERE {_inside(ask)}"""


def _inside(ask: Ask) -> str:
    """SQL condition that a meeting is inside the filters: by its seller, by its company's records."""
    held = []
    for name, values in ask.filters.items():
        if name == "owner_id":
            held.append(one_of("meetings", name, values, "m"))
            continue
        ours = " UNION ALL ".join(OURS[t] for t in RECORDS if name in TABLES[t].names)
        held.append(f"company IN ({ours})")
    return " AND ".join(dict.fromkeys(held)) or "TRUE"


STEPS = {
    "met_companies": Step(
        "the company of each meeting: its own, else its lead's or deal's, else what is known",
        _companies,
        ("meetings", "our_deals", "deal_leads", "our_leads"),
    ),
    "customer_since": Step(
        "companies that are customers, and since when", _customer_since, ("lines", "our_deals")
    ),
    "with_new": Step("meetings known of: was the company still new, was it met?", _with_new),
    "first_times": Step(
        "meetings up to the first one held with each company, in the order of booking", _first_times
    ),
}


def appointments(ask: Ask) -> Statement:
    """Companies first met (or first booked) in the cell, customers not among them."""
    booked = ask.option("booked", False, True)
    day = "booked_on" if booked else "starts_on"

    def rows(ask: Ask) -> str:
        held = (
            ("NOT past", "has not taken place yet"),
            ("coalesce(outcome, 'scheduled') = 'scheduled'", "does not say what became of it"),
            ("outcome <> 'held'", "missed or cancelled"),
            ("NOT first_time", "the company was met before"),
        )
        first = (("NOT first_time OR turn > 1", "not the first booked with the company"),)
        why = why_not(
            ("NOT new", "the company was a customer"),
            *(first if booked else held),
            (outside(ask, day) if ask.since else "FALSE", OUTSIDE),
        )
        return f"""SELECT 'meeting' AS object, meeting_id AS record_id, CAST(NULL AS VARCHAR) AS url,
  why IS NULL AS numerator, why IS NULL AS denominator, {NO_MONEY}, why,
  company, starts_on, booked_on, outcome, owner_id, first_time
FROM (SELECT *, {why} AS why FROM first_times)"""

    told = "first_time" if booked else "first_time AND outcome IN ('held', 'no_show', 'cancelled')"
    told += " AND past" if not booked else ""
    dated = f" AND {day} IS NOT NULL" if ask.since else ""
    return Statement(
        {**STEPS, "rows": Step("every meeting", rows)},
        f"""SELECT CASE WHEN EXISTS (SELECT 1 FROM first_times WHERE {told}{dated}) THEN x END AS value, x, n
FROM (SELECT
{COUNTS})""",
    )
