"""SQL of the win rate, the cycle, and what else is told deal by deal."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from kpi.tracing import survival
from kpi.tracing.ask import Ask, text, texts
from kpi.tracing.statement import Statement, Step

CAUSE = "CASE outcome WHEN 'won' THEN 1 WHEN 'lost' THEN 2 ELSE 0 END"
COUNTS = """  (SELECT count(*) FROM rows WHERE numerator) AS x,
  (SELECT count(*) FROM rows WHERE denominator) AS n"""
SHARE = f"""SELECT
  x / nullif(n, 0) AS value, x, n
FROM (SELECT
{COUNTS})"""


def of_type(ask: Ask) -> str:
    """SQL condition that a deal is of the kind asked for."""
    kind = ask.options.get("deal_type")
    return "TRUE" if kind is None else f"deal_type = {text(kind)}"


def why_not(*reasons: tuple[str, str]) -> str:
    """SQL for the first reason that holds; null where none does."""
    return "CASE " + " ".join(f"WHEN {when} THEN {text(why)}" for when, why in reasons) + " END"


def win_rate(ask: Ask) -> Statement:
    """Won / (won + lost) of those closed; or the cumulative incidence of winning."""
    if ask.option("basis", "period", "cohort") == "cohort":
        ask.option("weight", "count")
        return survival.incidence({"followed": followed(ask, "created_on")})
    return Statement({"rows": Step("every deal", _closed_rows, ("our_deals",))}, SHARE)


def no_defeat(ask: Ask) -> str:
    """SQL condition that a deal was lost for a reason that is none (``no_decision``)."""
    given = ask.options.get("no_decision") or ()
    reasons = [given] if isinstance(given, str) else list(given)
    if not reasons:
        return "FALSE"
    return f"outcome = 'lost' AND coalesce(lost_reason, '') IN ({texts(reasons)})"


def _closed_rows(ask: Ask) -> str:
    why = why_not(
        (f"NOT {of_type(ask)}", "another kind of business"),
        ("outcome = 'open'", "open: neither won nor lost"),
        (no_defeat(ask), "lost for a reason that is no defeat"),
        (f"NOT coalesce({ask.cell('closed_on')}, FALSE)", "closed outside the period"),
    )
    return f"""SELECT 'deal' AS object, deal_id AS record_id, url,
  why IS NULL AND outcome = 'won' AS numerator, why IS NULL AS denominator,
  amount, why, deal_type, outcome, created_on, closed_on
FROM (SELECT *, {why} AS why FROM our_deals)"""


def followed(_: Ask, day: str, *, closed_only: bool = False) -> Step:
    """Deals from creation to close, of those whose `day` lies in the cell."""

    def write(ask: Ask) -> str:
        closed = "\n  AND outcome <> 'open'" if closed_only else ""
        return f"""SELECT 'deal' AS object, deal_id AS record_id, url, amount,
  created_on AS started, closed_on AS ended, {CAUSE} AS cause
FROM our_deals
WHERE {of_type(ask)} AND {ask.cell(day)} AND NOT ({no_defeat(ask)}){closed}"""

    return Step("deals from creation to close: 1 won, 2 lost, 0 open", write, ("our_deals",))


def cycle_days(ask: Ask) -> Statement:
    """Median days from creation to close of the deals won."""

    def rows(ask: Ask) -> str:
        return f"""SELECT object, record_id, url, coalesce(why IS NULL AND cause = 1, FALSE) AS numerator,
  why IS NULL AS denominator, amount, why, started, ended, days
FROM (
  SELECT *, CASE WHEN days IS NULL OR days < 0 THEN 'its dates are missing or run backward' END AS why
  FROM (SELECT *, CASE WHEN cause = 0 THEN {ask.today} ELSE ended END - started AS days FROM followed)
)"""

    steps = {
        "followed": followed(ask, "closed_on", closed_only=ask.since is not None),
        "rows": Step("every deal", rows),
    }
    result = f"SELECT\n  (SELECT median(days) FROM rows WHERE numerator) AS value,\n{COUNTS}"
    return Statement(steps, result)
