"""SQL of where deals go from each stage, and of what these moves amount to."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from kpi.tables import TableError
from kpi.tracing.ask import Ask, text
from kpi.tracing.curves import OPEN_TAIL, curves
from kpi.tracing.deals import COUNTS, of_type
from kpi.tracing.statement import Statement, Step
from kpi.tracing.survival import ENOUGH

WON, LOST = 1_000_000, 1_000_001  # places of the two ends, after all stages


def _funnel(ask: Ask) -> tuple[str, int]:
    if ask.stage is None:
        raise TableError("trace: this KPI has one row a stage: say stage=...")
    return ask.stage


def _visits(ask: Ask) -> str:
    funnel, _ = _funnel(ask)
    return f"""SELECT v.*, v.rank AS part, d.url, d.amount, d.outcome,
  coalesce(v.next_day, d.closed_on) AS ended,
  coalesce(v.next_rank, CASE d.outcome WHEN 'won' THEN {WON} WHEN 'lost' THEN {LOST} END) AS goes_to,
  CASE WHEN goes_to IS NULL THEN 0 ELSE goes_to + 1 END AS way
FROM (
  SELECT deal_id, rank, day AS started,
    lead(rank) OVER each AS next_rank, lead(day) OVER each AS next_day
  FROM (
    SELECT e.*, lag(e.rank) OVER (PARTITION BY e.deal_id ORDER BY e.changed, e.place) AS came_from
    FROM entered e
  )
  WHERE came_from IS DISTINCT FROM rank
  WINDOW each AS (PARTITION BY deal_id ORDER BY changed, place)
) v
JOIN our_deals d ON d.deal_id = v.deal_id
WHERE d.funnel = {text(funnel)} AND {of_type(ask)} AND {ask.cell("v.started")}"""


def _entered(ask: Ask) -> str:
    funnel, _ = _funnel(ask)
    return f"""SELECT c.record_id AS deal_id, s.rank, c.day, c.changed, c.place
FROM changes c
JOIN stage_ranks s ON s.object = 'deal' AND s.outcome = 'open' AND s.funnel = c.funnel
  AND s.stage_id = c.stage_id
JOIN our_deals d ON d.deal_id = c.record_id AND d.funnel = c.funnel
WHERE c.object = 'deal' AND c.funnel = {text(funnel)}"""


def _read_at(_: Ask) -> str:
    return f"""SELECT part, CASE WHEN still <= {OPEN_TAIL} + 1e-9 THEN enough ELSE last END AS age
FROM (
  SELECT part, max(age) AS last, max(age) FILTER (WHERE followed >= {ENOUGH}) AS enough,
    arg_max(still, age) FILTER (WHERE followed >= {ENOUGH}) AS still
  FROM visits_curve GROUP BY part
)"""


def _known(_: Ask) -> str:
    return """SELECT part, goes_to, share / sum(share) OVER (PARTITION BY part) AS share,
  completed
FROM (
  SELECT w.part, w.way - 1 AS goes_to, max(w.share) AS share,
    (SELECT count(*) FROM visits_seen s WHERE s.part = w.part AND s.why IS NULL AND s.way > 0) AS completed
  FROM visits_ways w JOIN read_at r ON r.part = w.part AND w.age <= r.age
  GROUP BY w.part, w.way
)"""


def _shares(ask: Ask) -> str:
    more = f"CAST({float(ask.options['smoothing'])!r} AS DOUBLE)"
    return f"""SELECT a.place AS stage, b.place AS goes_to, k.share AS observed,
  (coalesce(k.share * k.completed, 0) + {more})
    / sum(coalesce(k.share * k.completed, 0) + {more}) OVER (PARTITION BY a.place) AS share
FROM places a
JOIN places b ON b.place <> a.place
LEFT JOIN known_shares k ON k.part = a.place AND k.goes_to = b.place
WHERE a.place < {WON}"""


def _places(ask: Ask) -> str:
    funnel, _ = _funnel(ask)
    return f"""SELECT DISTINCT rank AS place FROM stage_ranks
WHERE object = 'deal' AND outcome = 'open' AND funnel = {text(funnel)}
UNION ALL VALUES ({WON}), ({LOST})"""


STEPS = {
    "entered": Step(
        "open stages that deals were moved to, in their own funnel",
        _entered,
        ("changes", "stage_ranks", "our_deals"),
    ),
    "visits": Step(
        f"each visit to a stage, and where it led: a stage's rank, {WON} won, {LOST} lost",
        _visits,
        ("our_deals",),
    ),
    **curves("visits"),
    "places": Step("where a visit can lead: open stages, won, lost", _places, ("stage_ranks",)),
    "read_at": Step(
        f"the last age with {ENOUGH} followed; the last of all where many last longer", _read_at
    ),
    "known_shares": Step("where visits went by that age, open ones as the others", _known),
    "shares": Step("the same, each possible move counted a little more often", _shares),
}


def transition_matrix(ask: Ask) -> Statement:
    """Share of the visits to one stage that lead to another, to won or to lost."""
    _, rank = _funnel(ask)
    to = {"won": WON, "lost": LOST}.get(str(ask.to), ask.to)

    def rows(_: Ask) -> str:
        return f"""SELECT 'deal' AS object, deal_id AS record_id, url,
  why IS NULL AND coalesce(goes_to = {to}, FALSE) AS numerator, why IS NULL AS denominator,
  amount, why, started, CASE WHEN way > 0 THEN ended END AS ended, days, goes_to
FROM visits_seen
WHERE rank = {rank}
QUALIFY why IS NULL OR NOT bool_or(why IS NULL) OVER (PARTITION BY deal_id)"""

    return Statement(
        {**STEPS, "rows": Step("every visit to the stage", rows)},
        f"""SELECT
  (SELECT share FROM shares WHERE stage = {rank} AND goes_to = {to}
    AND stage IN (SELECT part FROM known_shares)) AS value,
{COUNTS}""",
    )


def stage_outlook(ask: Ask) -> Statement:
    """Chance to be won in the end, from one stage: what the moves amount to."""
    _, rank = _funnel(ask)

    def rows(_: Ask) -> str:
        return f"""SELECT 'deal' AS object, deal_id AS record_id, any_value(url) AS url,
  any_value(outcome) = 'won' AS numerator, TRUE AS denominator, any_value(amount) AS amount,
  CAST(NULL AS VARCHAR) AS why, count(*) AS visits, min(started) AS started
FROM visits
WHERE rank = {rank}
GROUP BY deal_id"""

    def order(_: Ask) -> str:
        return f"""SELECT place, row_number() OVER (ORDER BY place) AS turn
FROM places WHERE place < {WON} AND place <> {rank}"""

    steps = {
        **STEPS,
        "turns": Step("the other stages, in the order in which they are taken out", order),
        "taken_out": Step(
            "one stage after another is taken out: who would go there goes where it leads",
            _taken_out,
        ),
        "rows": Step("every deal that was in the stage", rows),
    }
    return Statement(
        steps,
        f"""SELECT
  (SELECT sum(share) FILTER (WHERE goes_to = {WON}) / sum(share) FILTER (WHERE goes_to >= {WON})
   FROM taken_out
   WHERE stage = {rank} AND {rank} IN (SELECT part FROM known_shares)) AS value,
{COUNTS}""",
    )


def _taken_out(_: Ask) -> str:
    return """WITH RECURSIVE left_over AS (
  SELECT CAST(0 AS BIGINT) AS turn, stage, goes_to, share FROM shares
  UNION ALL
  SELECT now.turn + 1, now.stage, now.goes_to,
    now.share + there.share * onward.share / away.share
  FROM left_over now
  JOIN turns t ON t.turn = now.turn + 1
  JOIN left_over there ON there.stage = now.stage AND there.goes_to = t.place
  JOIN left_over onward ON onward.stage = t.place AND onward.goes_to = now.goes_to
  JOIN (SELECT stage, sum(share) AS share FROM left_over GROUP BY stage)
    away ON away.stage = t.place
  WHERE now.stage <> t.place AND now.goes_to <> t.place
)
SELECT stage, goes_to, share FROM left_over
WHERE turn = (SELECT count(*) FROM turns)"""
