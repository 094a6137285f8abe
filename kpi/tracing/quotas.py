"""SQL of quotas: what was won of them, and whether the pipeline covers what is missing."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from datetime import date, timedelta

from kpi.periods import MONTHS, month_start, period_start
from kpi.tracing.ask import Ask, text
from kpi.tracing.customers import last_whole_day
from kpi.tracing.deals import COUNTS, of_type, why_not
from kpi.tracing.records import converted, money
from kpi.tracing.statement import Statement, Step

NO_TEXT = "CAST(NULL AS VARCHAR)"


def _spread(ask: Ask) -> str:
    amount, join = converted(ask, "CAST(s.period_start AS DATE)", "amount")
    lengths = " ".join(f"WHEN {text(name)} THEN {n}" for name, n in MONTHS.items())
    return f"""SELECT owner_id, deal_type, product, length, amount / length AS quota,
  CAST(date_trunc('month', begins) + to_months(CAST(nth AS INTEGER)) AS DATE) AS month
FROM (
  SELECT *, unnest(range(length)) AS nth
  FROM (
    SELECT s.owner_id, s.deal_type, s.product, CAST(s.period_start AS DATE) AS begins,
      {amount} AS amount, CASE coalesce(s.period, 'month') {lengths} ELSE 1 END AS length
    FROM quotas s
    {join}
  )
)"""


def _shortest(_: Ask) -> str:
    return """SELECT * FROM spread_quotas
QUALIFY length = min(length) OVER (PARTITION BY owner_id, deal_type, product, month)"""


def _asked(*cut: str) -> Step:
    """Quotas that are no part of a wider one; of those that differ by `cut` none is."""
    every = (["deal_type"], ["product"], ["deal_type", "product"])
    wider = [names for names in every if not set(names) & set(cut)]

    def write(_: Ask) -> str:
        parts = [_part_of(names) for names in wider]
        return "SELECT q.*\nFROM shortest_quotas q\nWHERE " + "\n  AND ".join(parts)

    return Step("quotas by month, each thing asked of a seller once", write)


def _part_of(names: list[str]) -> str:
    """SQL condition that there is no quota for all of what one names by these columns."""
    kept = [name for name in ("deal_type", "product") if name not in names]
    same = " AND ".join(f"w.{name} IS NOT DISTINCT FROM q.{name}" for name in kept)
    given = " AND ".join(f"q.{name} IS NOT NULL AND w.{name} IS NULL" for name in names)
    return f"""NOT EXISTS (SELECT 1 FROM shortest_quotas w
    WHERE w.owner_id = q.owner_id AND w.month = q.month AND {given}{" AND " + same if same else ""})"""


def _reads(ask: Ask) -> tuple[str, ...]:
    return ("quotas", *money(ask))


SPREAD = {
    "spread_quotas": Step("quotas spread evenly over their months", _spread, _reads),
    "shortest_quotas": Step("of several lengths for the same the shortest", _shortest),
}


def _ramped(ask: Ask) -> str:
    if not ask.option("ramp", False, True):
        return "SELECT *, quota AS due FROM asked_quotas"
    nth = "date_diff('month', o.starts_on, q.month) + 1"
    return f"""SELECT q.*, q.quota * CASE
    WHEN o.starts_on IS NULL THEN 1.0
    WHEN {nth} <= 0 THEN 0.0
    WHEN coalesce(o.ramp_months, 0) <= 0 THEN 1.0
    ELSE least(1.0, ({nth} - 0.5) / o.ramp_months) END AS due
FROM asked_quotas q
LEFT JOIN (SELECT owner_id, CAST(starts_on AS DATE) AS starts_on, ramp_months FROM owners) o
  ON o.owner_id = q.owner_id"""


def _lines(ask: Ask) -> str:
    last = last_whole_day(ask) if ask.since is None or ask.until is None else ask.until
    since = f"month >= {ask.on(ask.since)} AND " if ask.since else ""
    return f"""SELECT *, month || ' ' || owner_id || ' ' || coalesce(deal_type, 'all business') || ' '
    || coalesce(product, 'all products') || ' ' || row_number() OVER (
      PARTITION BY month, owner_id, deal_type, product ORDER BY due) AS quota_id
FROM due_quotas
WHERE {since}month <= {ask.on(last)}"""


def _credited(_: Ask) -> str:
    return """SELECT d.*, coalesce(h.owner_then, d.owner_id) AS seller
FROM our_deals d
LEFT JOIN (
  SELECT c.record_id, last(c.owner_id ORDER BY c.changed, c.place) AS owner_then
  FROM changes c
  JOIN our_deals d ON d.deal_id = c.record_id AND c.day <= d.closed_on
  LEFT JOIN won_moments m ON m.record_id = c.record_id
  WHERE c.object = 'deal' AND c.owner_id IS NOT NULL AND coalesce(c.changed <= m.moment, TRUE)
  GROUP BY c.record_id
) h ON h.record_id = d.deal_id"""


def _won_moments(_: Ask) -> str:
    return """SELECT c.record_id, min(c.changed) AS moment
FROM changes c
JOIN our_deals d ON d.deal_id = c.record_id AND d.closed_on = c.day
JOIN stage_ranks s ON s.object = 'deal' AND s.outcome = 'won' AND s.funnel = c.funnel
  AND s.stage_id = c.stage_id
WHERE c.object = 'deal'
GROUP BY c.record_id"""


CREDITED = {
    "won_moments": Step(
        "the moment a deal came to won, on the day it closed",
        _won_moments,
        ("changes", "our_deals", "stage_ranks"),
    ),
    "credited": Step(
        "deals with the seller who owned them then; else who owns them now",
        _credited,
        ("changes", "our_deals"),
    ),
}


def quota_attainment(ask: Ask) -> Statement:
    """What was won and credited to sellers over what was asked of them in those months."""
    of = ask.option("of", "amount", "mrr")

    def rows(_: Ask) -> str:
        why = why_not(
            ("d.outcome <> 'won'", "not won"),
            ("d.closed_on IS NULL", "won on a day unknown"),
            ("q.quota_id IS NULL", "its seller has no quota for it in a month counted"),
        )
        return f"""SELECT 'deal' AS object, d.deal_id AS record_id, d.url,
  q.quota_id IS NOT NULL AS numerator, FALSE AS denominator, d.{of} AS amount, {why} AS why,
  d.seller, d.closed_on, q.quota_id
FROM credited d
LEFT JOIN quota_lines q ON q.owner_id = d.seller AND q.month = date_trunc('month', d.closed_on)
  AND d.outcome = 'won'
  AND (q.deal_type IS NULL OR q.deal_type = d.deal_type)
  AND (q.product IS NULL OR q.product = d.product)
UNION ALL
SELECT 'quota', quota_id, NULL, FALSE, TRUE, due, NULL, owner_id, NULL, quota_id
FROM quota_lines"""

    owners = ("owners",) if ask.options.get("ramp") else ()
    steps = {
        **SPREAD,
        "asked_quotas": _asked(),
        "due_quotas": Step("what is due of them, sellers who ramp up prorated", _ramped, owners),
        "quota_lines": Step("quotas of the months counted", _lines),
        **CREDITED,
        "rows": Step("deals won above, quotas of a seller and month below", rows),
    }
    return Statement(
        steps,
        f"""SELECT won / CASE WHEN quota > 0 THEN quota END AS value, x, n
FROM (SELECT
  (SELECT coalesce(sum(amount), 0) FROM rows WHERE numerator) AS won,
  (SELECT sum(amount) FROM rows WHERE denominator) AS quota,
{COUNTS})""",
    )


def _span(ask: Ask) -> tuple[date, date]:
    """First and last day of the cell; else of the fiscal quarter that holds the as-of date."""
    if ask.since is not None and ask.until is not None:
        return ask.since, ask.until
    first = period_start(ask.as_of, "quarter", ask.definitions.fiscal_year_start)
    return first, month_start(first, MONTHS["quarter"]) - timedelta(days=1)


def coverage(ask: Ask) -> Statement:
    """Open pipeline due in the period over quota less what is won so far."""
    first, last = _span(ask)
    inside = f"BETWEEN {ask.on(first)} AND {ask.on(last)}"
    kind = ask.option("deal_type")

    def lines(_: Ask) -> str:
        own = "FALSE" if kind is None else f"coalesce(deal_type = {text(kind)}, FALSE)"
        held = "TRUE" if kind is None else "own OR deal_type IS NULL AND NOT has_own"
        return f"""SELECT *, month || ' ' || owner_id || ' ' || coalesce(product, 'all products') || ' '
    || row_number() OVER (PARTITION BY month, owner_id, product ORDER BY quota) AS quota_id
FROM (
  SELECT *, {own} AS own, bool_or({own}) OVER (PARTITION BY owner_id, month) AS has_own
  FROM asked_quotas
)
WHERE month {inside} AND ({held})"""

    def rows(ask: Ask) -> str:
        won = f"outcome = 'won' AND coalesce(closed_on {inside}, FALSE)"
        why = why_not(
            (f"NOT {of_type(ask)}", "another kind of business"),
            (won, "won in the period: taken off the quota"),
            ("outcome <> 'open'", "closed"),
            (f"NOT coalesce(closes_on {inside}, FALSE)", "not expected to close in the period"),
            ("amount IS NULL", "no amount"),
        )
        return f"""SELECT 'deal' AS object, deal_id AS record_id, url, why IS NULL AS numerator,
  FALSE AS denominator, amount, why, closes_on, closed_on, {of_type(ask)} AND {won} AS taken_off
FROM (SELECT *, {why} AS why FROM expected)
UNION ALL
SELECT 'quota', quota_id, {NO_TEXT}, FALSE, TRUE, quota, NULL, month, NULL, FALSE FROM quota_lines"""

    steps = {
        **SPREAD,
        "asked_quotas": _asked(*(() if kind is None else ("deal_type",))),
        "quota_lines": Step("quotas of the period for that kind of business, else for all", lines),
        "expected": EXPECTED,
        "rows": Step("open deals due above, quotas of a seller and month below", rows),
    }
    return Statement(
        steps,
        f"""SELECT open_value / CASE WHEN n > 0 AND to_go > 1e-9 THEN to_go END AS value, x, n
FROM (SELECT
  (SELECT coalesce(sum(amount), 0) FROM rows WHERE numerator) AS open_value,
  (SELECT coalesce(sum(amount) FILTER (WHERE denominator), 0)
    - coalesce(sum(amount) FILTER (WHERE taken_off), 0) FROM rows) AS to_go,
{COUNTS})""",
    )


def _expected(_: Ask) -> str:
    return """SELECT d.*, coalesce(h.close_date, CASE
    WHEN d.later AND coalesce(stated.outcome, 'open') <> 'open' THEN NULL
    ELSE CAST(d.close_date AS DATE) END) AS closes_on
FROM our_deals d
JOIN deals stated ON stated.deal_id = d.deal_id
LEFT JOIN (
  SELECT record_id, last(close_date ORDER BY changed, place) AS close_date
  FROM changes WHERE object = 'deal' AND close_date IS NOT NULL GROUP BY record_id
) h ON h.record_id = d.deal_id"""


EXPECTED = Step(
    "deals and the day they are expected to close, as last recorded",
    _expected,
    ("our_deals", "changes", "deals"),
)
