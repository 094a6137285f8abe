"""SQL of the deals due in a period that were pushed out of it."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from datetime import date, timedelta
from itertools import pairwise

from kpi.periods import MONTHS, month_start, period_start
from kpi.tables import TableError
from kpi.tracing.ask import Ask
from kpi.tracing.changes import inside
from kpi.tracing.deals import SHARE, of_type
from kpi.tracing.ends import EVERY_CHANGE, known_at
from kpi.tracing.statement import Statement, Step

POOLED = 4  # whole fiscal quarters, where no period is asked for


def _spans(ask: Ask) -> list[tuple[date, date]]:
    """First and last day of the periods counted."""
    if ask.since is not None and ask.until is not None:
        if ask.since > ask.as_of:
            raise TableError(
                f"trace: the period begins {ask.since}, after the as-of date {ask.as_of}"
            )
        return [(ask.since, ask.until)]
    following = ask.as_of + timedelta(days=1)
    start = period_start(following, "quarter", ask.definitions.fiscal_year_start)
    begins = [month_start(start, -MONTHS["quarter"] * i) for i in range(POOLED, -1, -1)]
    return [(first, after - timedelta(days=1)) for first, after in pairwise(begins)]


def _due(ask: Ask, first: date, last: date, slipped: str) -> str:
    """Deals open when the period began and then expected to close in it, and what became of them."""
    before, after = _end(first - timedelta(days=1)), _end(min(last, ask.as_of))
    return f"""SELECT {ask.on(first)} AS period, d.deal_id, d.url, s.amount, s.closes AS due_on,
  d.outcome, d.closes AS closes_on, {slipped.format(ask.on(last))} AS slipped
FROM (SELECT *, {of_type(ask)} AS of_type FROM deals_{after}) d
JOIN deals_{before} s ON s.deal_id = d.deal_id AND s.outcome = 'open'
WHERE s.closes BETWEEN {ask.on(first)} AND {ask.on(last)}
  AND d.of_type AND {inside(ask)} AND (SELECT told FROM recorded_at_all)"""


def _end(day: date) -> str:
    return f"{day:%Y%m%d}"


def _recorded_at_all(ask: Ask) -> str:
    return f"""SELECT count(*) > 0 AS told FROM every_change
WHERE object = 'deal' AND close_date IS NOT NULL AND day <= {ask.today}"""


def _rows(_: Ask) -> str:
    return """SELECT 'deal' AS object, deal_id AS record_id, url, slipped AS numerator,
  TRUE AS denominator, amount, CAST(NULL AS VARCHAR) AS why, period, due_on, outcome, closes_on
FROM due
UNION ALL
SELECT 'deal', deal_id, url, FALSE, FALSE, amount,
  'not open and due in a period counted, or of another kind, or outside the filters',
  NULL, NULL, outcome, NULL
FROM deals WHERE deal_id NOT IN (SELECT deal_id FROM due)"""


def slippage(ask: Ask) -> Statement:
    """Share of the deals due in the periods that were moved out of them while open."""
    not_won = ask.option("not_won", False, True)
    slipped = "d.outcome <> 'won'"
    if not not_won:
        slipped = "d.outcome = 'open' AND coalesce(d.closes > {}, FALSE)"
    spans = _spans(ask)
    days = {first - timedelta(days=1) for first, _ in spans}
    days |= {min(last, ask.as_of) for _, last in spans}

    def due(ask: Ask) -> str:
        return "\nUNION ALL\n".join(_due(ask, first, last, slipped) for first, last in spans)

    leads = ("deal_leads", "known_leads") if ask.by_lead else ()
    steps = {"every_change": EVERY_CHANGE}
    for day in sorted(days):
        steps |= known_at(_end(day), day)
    steps |= {
        "recorded_at_all": Step(
            "whether history records expected closing days: else nothing can be told",
            _recorded_at_all,
        ),
        "due": Step("deals due in each period, and what became of them by its end", due, leads),
        "rows": Step("deals due: those that slipped above the line", _rows, ("deals",)),
    }
    return Statement(steps, SHARE)
