"""SQL of the pipeline's speed, and of what it may bring."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from datetime import date

from kpi.deals.money import back
from kpi.periods import from_day
from kpi.tracing.ask import Ask
from kpi.tracing.curves import curves
from kpi.tracing.deals import COUNTS, of_type, why_not
from kpi.tracing.funnel import REACHED
from kpi.tracing.stages import first_days
from kpi.tracing.statement import Statement, Step


def _by_sql(ask: Ask) -> bool:
    """Tell whether the definitions say which deals are qualified."""
    count = ask.definitions.count.get("sql")
    return count is not None and count.table == "deals"


def _qualified(ask: Ask) -> str:
    if not _by_sql(ask):
        return "SELECT *, created_on AS opened_on FROM our_deals"
    return f"""SELECT d.*, f.first_day AS opened_on
FROM our_deals d JOIN ({first_days(ask, "sql", "our_deals", ended="closed_on")}) f ON f.id = d.deal_id"""


def _open_at(last: date, ask: Ask) -> str:
    """SQL condition that a deal was qualified and open at the end of a day."""
    if ask.since is None:
        return "outcome = 'open'"
    day = ask.on(last)
    return f"coalesce(opened_on <= {day} AND (outcome = 'open' OR closed_on > {day}), FALSE)"


def sales_velocity(ask: Ask) -> Statement:
    """Open qualified deals x win rate x mean deal won / mean days to the win."""
    worked = ask.option("opportunities", "open", "worked") == "worked"
    begun = from_day(back(ask.as_of, int(ask.options["months"])))
    inside = f"closed_on > {ask.on(begun)}" if ask.since is None else ask.cell("closed_on")
    still = _open_at(min(ask.until or ask.as_of, ask.as_of), ask)

    def rows(_: Ask) -> str:
        why = why_not(
            (f"NOT {of_type(ask)}", "another kind of business"),
            (still, "an opportunity, open at the end"),
            ("outcome = 'open'", "opened later"),
            (f"NOT coalesce({inside}, FALSE)", "closed outside the period"),
        )
        return f"""SELECT 'deal' AS object, deal_id AS record_id, url, amount, opened_on, closed_on,
  {of_type(ask)} AND {still} AS opportunity,
  {of_type(ask)} AND outcome <> 'open' AND coalesce({inside}, FALSE) AS denominator,
  denominator AND outcome = 'won' AS numerator,
  CASE WHEN closed_on >= created_on THEN closed_on - created_on END AS days,
  CASE WHEN NOT denominator THEN {why} END AS why
FROM qualified"""

    reads = ("our_deals", *(["changes"] if _by_sql(ask) else []))
    return Statement(
        {
            "qualified": Step(
                "deals that count as opportunities, from that day", _qualified, reads
            ),
            "rows": Step("deals closed in the period: won above the line; and those open", rows),
        },
        f"""SELECT
  (opportunities{" + n" if worked else ""}) * x / nullif(n, 0) * mean_amount
    / CASE WHEN mean_days > 0 THEN mean_days END AS value, x, n
FROM (SELECT
  (SELECT count(*) FROM rows WHERE opportunity) AS opportunities,
  (SELECT avg(amount) FROM rows WHERE numerator) AS mean_amount,
  (SELECT avg(days) FROM rows WHERE numerator) AS mean_days,
{COUNTS})""",
    )


def _placed(ask: Ask) -> str:
    return f"""SELECT d.*, l.last_rank, h.recorded,
  greatest(CASE WHEN d.outcome = 'won' THEN l.last_rank END, h.highest,
    CASE WHEN d.outcome = 'open' THEN d.rank END, CASE WHEN l.last_rank > 0 THEN 0 END) AS furthest,
  CASE WHEN d.outcome = 'won' THEN d.closed_on END AS won_on
FROM our_deals d
LEFT JOIN (
  SELECT funnel, max(rank) + 1 AS last_rank FROM stage_ranks
  WHERE object = 'deal' AND outcome = 'open' GROUP BY funnel
) l ON l.funnel = d.funnel
LEFT JOIN (
  SELECT deal_id, count(*) AS recorded, max(rank) AS highest FROM reached GROUP BY deal_id
) h ON h.deal_id = d.deal_id
WHERE {of_type(ask)}"""


def _climbed(_: Ask) -> str:
    told = "s.last_rank = s.step OR (s.last_rank > s.step AND s.recorded IS NOT NULL)"
    return f"""SELECT *, lead(here_on) OVER (PARTITION BY deal_id ORDER BY step) AS next_on
FROM (
  SELECT s.*, least(m.day, CASE WHEN s.step = 0 THEN s.created_on END,
    CASE WHEN {told} THEN s.won_on END) AS here_on
  FROM (SELECT *, unnest(range(CAST(furthest AS BIGINT) + 1)) AS step FROM placed) s
  LEFT JOIN (
    SELECT p.deal_id, r.rank AS step, min(p.day) AS day
    FROM reached p JOIN (SELECT DISTINCT rank FROM stage_ranks WHERE object = 'deal') r ON p.rank >= r.rank
    GROUP BY p.deal_id, r.rank
  ) m ON m.deal_id = s.deal_id AND m.step = s.step
)"""


def _onward(_: Ask) -> str:
    return """SELECT deal_id, funnel, step, (funnel, step) AS part, here_on AS started,
  CASE WHEN went THEN next_on ELSE closed_on END AS ended,
  CASE WHEN went THEN 1 WHEN furthest > step OR step >= last_rank THEN -1
    WHEN outcome = 'lost' THEN 2 ELSE 0 END AS way
FROM (SELECT *, furthest > step AND next_on IS NOT NULL AS went FROM climbed)"""


def _outcome(_: Ask) -> str:
    return """SELECT deal_id, funnel, step, (funnel, step) AS part, here_on AS started,
  closed_on AS ended, CASE outcome WHEN 'won' THEN 1 WHEN 'lost' THEN 2 ELSE 0 END AS way
FROM climbed
WHERE step < last_rank"""


def _wins(_: Ask) -> str:
    return """SELECT funnel, step, any_value(w.share) AS share,
  count(*) FILTER (WHERE why IS NULL AND s.way > 0) AS closed
FROM final_seen s
LEFT JOIN (
  SELECT part, max(share) AS share FROM final_ways WHERE way = 1 GROUP BY part
) w ON w.part = s.part
GROUP BY funnel, step"""


def _waiting(ask: Ask) -> str:
    return f"""SELECT d.*, {ask.today} - c.here_on AS waited, (d.funnel, d.furthest) AS part
FROM placed d LEFT JOIN climbed c ON c.deal_id = d.deal_id AND c.step = d.furthest
WHERE d.outcome = 'open'"""


def _chances(_: Ask) -> str:
    return """SELECT w.deal_id, w.waited, here.closed > 0 AND w.waited IS NOT NULL AS learnt,
  CASE WHEN w.waited <= c.last THEN
    greatest(0.0, least(1.0, (coalesce(g.total, 0) - coalesce(g.gone, 0))
      / nullif(coalesce(b.still, 1.0), 0)))
    * CASE WHEN onward.step IS NULL THEN 1.0 ELSE coalesce(onward.share, 0) END
  END AS ahead
FROM waiting w
LEFT JOIN wins here ON here.funnel = w.funnel AND here.step = w.furthest
LEFT JOIN wins onward ON onward.funnel = w.funnel AND onward.step = w.furthest + 1
LEFT JOIN (SELECT part, max(age) AS last FROM onward_curve GROUP BY part) c ON c.part = w.part
LEFT JOIN LATERAL (
  SELECT max(share) AS total, max(share) FILTER (WHERE age <= w.waited) AS gone
  FROM onward_ways WHERE way = 1 AND part = w.part
) g ON TRUE
LEFT JOIN LATERAL (
  SELECT min(still) AS still FROM onward_curve WHERE part = w.part AND age <= w.waited
) b ON TRUE"""


FITTED = {
    "reached": REACHED,
    "placed": Step("how far each deal came", _placed, ("our_deals", "stage_ranks")),
    "climbed": Step("every stage up to there, and since when", _climbed, ("stage_ranks",)),
    "onward": Step("from each stage: 1 went further, 2 lost, 0 still there", _onward),
    **curves("onward"),
    "final": Step("from each stage to the end: 1 won, 2 lost, 0 open", _outcome),
    **curves("final"),
    "wins": Step("share that wins of those who came to a stage", _wins),
    "waiting": Step("open deals, and the days since they came to their furthest stage", _waiting),
    "chances": Step(
        "chance to go further after such a wait, times the share that wins from there", _chances
    ),
}


def _stated(_: Ask) -> str:
    return """SELECT d.deal_id, coalesce(own.probability, s.probability) AS chance
FROM our_deals d
LEFT JOIN stage_chances s ON s.funnel = d.funnel AND s.stage_id = d.stage_id
LEFT JOIN (
  SELECT record_id, last(probability ORDER BY changed, place) AS probability
  FROM changes WHERE object = 'deal' AND probability IS NOT NULL GROUP BY record_id
) own ON own.record_id = d.deal_id"""


def _stage_chances(_: Ask) -> str:
    return """SELECT r.funnel, r.stage_id, s.probability
FROM stage_ranks r
JOIN stages s ON s.object = r.object AND s.stage_id = r.stage_id
  AND s.pipeline_id IS NOT DISTINCT FROM r.pipeline_id
WHERE r.object = 'deal'"""


STATED = {
    "stage_chances": Step(
        "the probability the CRM states for each stage", _stage_chances, ("stages", "stage_ranks")
    ),
    "chance": Step(
        "the probability the CRM states for each deal, else for its stage",
        _stated,
        ("our_deals", "changes"),
    ),
}


def _learnt(_: Ask) -> str:
    return """SELECT deal_id, waited, CASE WHEN learnt THEN coalesce(ahead, 0) END AS chance
FROM chances"""


def weighted_pipeline(ask: Ask) -> Statement:
    """Sum of the open deals' values, each times its chance to be won."""
    of = ask.option("of", "amount", "mrr")
    crm = ask.option("probability", "fitted", "crm") == "crm"

    def rows(_: Ask) -> str:
        why = why_not(
            (f"NOT {of_type(ask)}", "another kind of business"), ("outcome <> 'open'", "closed")
        )
        return f"""SELECT 'deal' AS object, d.deal_id AS record_id, d.url, d.{of} AS amount,
  d.why IS NULL AND d.{of} IS NOT NULL AND c.chance IS NOT NULL AS numerator,
  d.why IS NULL AS denominator, d.why, d.stage_id, c.chance, d.{of} * c.chance AS worth
FROM (SELECT *, {why} AS why FROM our_deals) d LEFT JOIN chance c ON c.deal_id = d.deal_id"""

    chance = Step("its chance; none where history saw nobody wait that long", _learnt)
    steps = STATED if crm else {**FITTED, "chance": chance}
    some = f"EXISTS (SELECT 1 FROM our_deals WHERE {of_type(ask)})"
    taught = "TRUE" if crm else "EXISTS (SELECT 1 FROM wins WHERE closed > 0)"
    return Statement(
        {**steps, "rows": Step("every deal, and what it is likely to bring", rows, ("our_deals",))},
        f"""SELECT
  CASE WHEN {some} AND {taught} AND NOT (n > 0 AND x = 0) THEN coalesce(worth, 0) END AS value, x, n
FROM (SELECT
  (SELECT sum(worth) FROM rows WHERE numerator) AS worth,
{COUNTS})""",
    )
