"""SQL of the pipeline's changes between two days: both ends as they were known then."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from datetime import date, timedelta

from kpi.periods import MONTHS, as_date, month_start, period_start
from kpi.tables import TableError
from kpi.tracing.ask import Ask
from kpi.tracing.deals import COUNTS, of_type, why_not
from kpi.tracing.ends import EVERY_CHANGE, known_at
from kpi.tracing.records import of_leads
from kpi.tracing.statement import Statement, Step

PARTS = {
    "was_there": "CASE WHEN begins THEN coalesce(amount_0, 0) ELSE 0 END",
    "new": "CASE WHEN enters AND NOT was AND fresh THEN coalesce(amount_1, 0) ELSE 0 END",
    "reopened": "CASE WHEN enters AND NOT was AND NOT fresh THEN coalesce(amount_1, 0) ELSE 0 END",
    "pulled_in": "CASE WHEN enters AND was THEN coalesce(amount_1, 0) ELSE 0 END",
    "increased": "greatest(changed - revalued, 0)",
    "decreased": "greatest(revalued - changed, 0)",
    "revalued": "revalued",
    "pushed_out": "CASE WHEN begins AND NOT here THEN coalesce(amount_0, 0) ELSE 0 END",
    "won": "CASE WHEN closed AND outcome = 'won' THEN coalesce(amount_1, 0) ELSE 0 END",
    "lost": "CASE WHEN closed AND outcome = 'lost' THEN coalesce(amount_1, 0) ELSE 0 END",
    "is_there": "CASE WHEN ends THEN coalesce(amount_1, 0) ELSE 0 END",
}


def _days(ask: Ask) -> tuple[date, date, date, date]:
    """First and last day looked at, and of the period in which the deals are expected to close."""
    by_period = ask.since is not None and not (ask.options["since"] or ask.options["until"])
    if by_period and ask.since is not None and ask.until is not None:
        if ask.since > ask.as_of:
            raise TableError(
                f"trace: the period begins {ask.since}, after the as-of date {ask.as_of}"
            )
        return ask.since, min(ask.until, ask.as_of), ask.since, ask.until
    last = ask.until or ask.as_of
    quarter = period_start(last, "quarter", ask.definitions.fiscal_year_start)
    first = ask.since or quarter
    return first, last, first, month_start(quarter, MONTHS["quarter"]) - timedelta(days=1)


def one_period(ask: Ask) -> dict[str, object]:
    """Options by which the KPI gives one period as ``every`` would."""
    first, last, begun, ended = _days(ask)
    closing = (begun, ended) if ask.options["closing"] == "period" else ask.options["closing"]
    return {"since": first, "until": last, "closing": closing}


def _closing(ask: Ask, begun: date, ended: date) -> str:
    """SQL condition that an expected closing day ``{}`` belongs to the pipeline."""
    closing = ask.options["closing"]
    if closing == "any":
        return "TRUE"
    first, last = (begun, ended) if closing == "period" else map(as_date, closing)
    return f"coalesce({{0}} BETWEEN {ask.on(first)} AND {ask.on(last)}, FALSE)"


def inside(ask: Ask) -> str:
    """SQL condition that a deal is inside the filters at the end."""
    held = [ask.columns("deals", "d")]
    held += [f"d.deal_id IN ({of_leads(ask, name)})" for name in ask.by_lead]
    return " AND ".join(held)


def pipeline_changes(ask: Ask) -> Statement:
    """Value of the pipeline at the end; deals in it at the end and at the start."""
    first, last, begun, ended = _days(ask)
    closing = _closing(ask, begun, ended)

    def both(ask: Ask) -> str:
        return f"""SELECT d.*, s.deal_id IS NOT NULL AS was, d.amount AS amount_1, s.amount AS amount_0,
  s.original AS original_0, s.closes AS closes_0,
  coalesce(d.created_on >= {ask.on(first)}, FALSE) AS fresh,
  d.outcome <> 'open' AND (coalesce(d.closed_on >= {ask.on(first)}, FALSE) OR was) AS closed,
  was AND {closing.format("s.closes")} AS begins,
  d.outcome = 'open' AND {closing.format("d.closes")} AS ends,
  {inside(ask)} AS inside
FROM (SELECT *, {of_type(ask)} AS of_type FROM deals_after) d
LEFT JOIN (SELECT * FROM deals_before WHERE outcome = 'open') s ON s.deal_id = d.deal_id"""

    def moved(_: Ask) -> str:
        parts = ",\n  ".join(f"{sql} AS {name}" for name, sql in PARTS.items())
        return f"""SELECT deal_id, url, outcome, closed_on, of_type, inside, begins, ends, closed,
  amount_0, amount_1, closes_0, closes,
  {parts}
FROM (
  SELECT *, CASE WHEN here AND begins THEN coalesce(amount_1, 0) - coalesce(amount_0, 0) ELSE 0 END
      AS changed,
    CASE WHEN here AND begins AND NOT given AND original_0 > 0 AND original > 0
      THEN coalesce(original_0 * (amount_1 / original - amount_0 / original_0), 0) ELSE 0 END AS revalued
  FROM (SELECT *, ends OR closed AS here, here AND NOT begins AS enters FROM both_ends)
)"""

    def rows(_: Ask) -> str:
        why = why_not(
            ("m.deal_id IS NULL", "not known yet, or its pipeline does not count (definitions)"),
            ("NOT m.of_type", "another kind of business"),
            ("NOT coalesce(m.inside, FALSE)", "outside the filters"),
            ("NOT m.begins AND NOT m.ends AND m.closed", "came in and closed in between"),
            ("NOT m.begins AND NOT m.ends AND m.outcome = 'open'", "expected to close outside"),
            ("NOT m.begins AND NOT m.ends", "closed before"),
        )
        shown = ", ".join((*PARTS, "outcome", "closed_on", "closes_0", "closes"))
        return f"""SELECT 'deal' AS object, deal_id AS record_id, page AS url,
  why IS NULL AND coalesce(ends, FALSE) AS numerator,
  why IS NULL AND coalesce(begins, FALSE) AS denominator,
  coalesce(amount_1, amount_0) AS amount, why, {shown}
FROM (
  SELECT d.url AS page, m.* REPLACE (d.deal_id AS deal_id), {why} AS why
  FROM deals d LEFT JOIN moved m ON m.deal_id = d.deal_id
)"""

    leads = ("deal_leads", "known_leads") if ask.by_lead else ()
    steps = {
        "every_change": EVERY_CHANGE,
        **known_at("before", first - timedelta(days=1)),
        **known_at("after", last),
        "both_ends": Step("each deal at both ends", both, leads),
        "moved": Step("what it adds to each part of the bridge", moved),
        "rows": Step("every deal: at the end above the line, at the start below", rows, ("deals",)),
    }
    some = f"EXISTS (SELECT 1 FROM our_deals WHERE {of_type(ask)})"
    steps["any_deal"] = Step(
        "whether there is any such deal", lambda _: f"SELECT {some} AS there", ("our_deals",)
    )
    return Statement(
        steps,
        f"""SELECT CASE WHEN (SELECT there FROM any_deal) THEN
    coalesce((SELECT sum(is_there) FROM rows WHERE numerator), 0) END AS value,
{COUNTS}""",
    )
