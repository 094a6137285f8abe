"""Steps every funnel needs: stages in order, changes of stage, and how every deal stands."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from kpi.tables import DEAL_TYPES
from kpi.tracing.ask import Ask, text, texts
from kpi.tracing.statement import Step


def _pipelines(_: Ask) -> str:
    return "SELECT count(DISTINCT pipeline_id) > 1 AS several FROM stages WHERE object = 'deal'"


def _closing_stages(_: Ask) -> str:
    return """SELECT stage_id, min(outcome) AS outcome
FROM deals
WHERE outcome IS NOT NULL AND stage_id IS NOT NULL
GROUP BY stage_id
HAVING count(DISTINCT outcome) = 1 AND min(outcome) <> 'open'"""


def _stage_list(_: Ask) -> str:
    return """SELECT
  s.object, s.pipeline_id, s.stage_id, coalesce(s.label, s.stage_id) AS label, s.position,
  CASE WHEN s.object = 'deal' AND (SELECT several FROM pipelines)
       THEN coalesce(s.pipeline_id, '') ELSE '' END AS funnel,
  coalesce(
    s.outcome,
    CASE s.probability WHEN 1 THEN 'won' WHEN 0 THEN 'lost' END,
    CASE WHEN s.object = 'deal' THEN seen.outcome END,
    'open') AS outcome
FROM stages s LEFT JOIN closing_stages seen ON seen.stage_id = s.stage_id"""


def _stage_ranks(_: Ask) -> str:
    return """SELECT
  *,
  CASE outcome
    WHEN 'open' THEN count(*) FILTER (WHERE outcome = 'open') OVER (
      PARTITION BY object, funnel ORDER BY position ROWS UNBOUNDED PRECEDING) - 1
    WHEN 'won' THEN count(*) FILTER (WHERE outcome = 'open') OVER (PARTITION BY object, funnel)
  END AS rank
FROM stage_list"""


def _stage_owners(_: Ask) -> str:
    return """SELECT stage_id, min(pipeline_id) AS pipeline_id
FROM stage_ranks
WHERE object = 'deal' AND funnel <> ''
GROUP BY stage_id
HAVING count(*) = 1"""


def _deal_funnels(_: Ask) -> str:
    return """SELECT
  d.* REPLACE (coalesce(d.pipeline_id, own.pipeline_id) AS pipeline_id),
  CASE WHEN (SELECT several FROM pipelines)
       THEN coalesce(d.pipeline_id, own.pipeline_id, '') ELSE '' END AS funnel
FROM deals d
LEFT JOIN stage_owners own ON own.stage_id = d.stage_id"""


def _changes(ask: Ask) -> str:
    return recorded(ask, f"{ask.day('h.changed_at')} <= {ask.today}")


def recorded(ask: Ask, when: str) -> str:
    """SQL for the changes of which something is true, with the funnel they happened in."""
    return f"""SELECT h.*, coalesce(p.place, -1) AS place
FROM (
  SELECT
    coalesce(h.object, 'deal') AS object, h.record_id,
    date_trunc('second', {ask.moment("h.changed_at")}) AS changed, {ask.day("h.changed_at")} AS day,
    CASE WHEN d.funnel <> '' THEN coalesce(h.pipeline_id, d.funnel) ELSE '' END AS funnel,
    h.pipeline_id, h.stage_id, h.amount, CAST(h.close_date AS DATE) AS close_date,
    h.probability, h.owner_id, h.status
  FROM history h
  LEFT JOIN deal_funnels d ON coalesce(h.object, 'deal') = 'deal' AND d.deal_id = h.record_id
  WHERE {when}
) h
LEFT JOIN (
  SELECT object, funnel, stage_id, min(position) AS place FROM stage_ranks GROUP BY ALL
) p ON p.object = h.object AND p.funnel = h.funnel AND p.stage_id = h.stage_id"""


def _moves(_: Ask) -> str:
    return """SELECT
  *,
  lead(day) OVER (PARTITION BY object, record_id ORDER BY changed, place) AS left_on
FROM (
  SELECT *, lag(stage_id) OVER (PARTITION BY object, record_id ORDER BY changed, place) AS before
  FROM changes
  WHERE stage_id IS NOT NULL
)
WHERE before IS DISTINCT FROM stage_id"""


def _standing(ask: Ask) -> str:
    return f"""SELECT
  d.* REPLACE (
    coalesce(d.stage_id, latest.stage_id) AS stage_id, {kind(ask)} AS deal_type),
  s.rank,
  coalesce(d.outcome, s.outcome, 'open') AS stands,
  {ask.day("d.created_at")} AS created_on,
  coalesce({ask.day("d.closed_at")}, CASE coalesce(d.outcome, s.outcome)
    WHEN 'won' THEN entered.won_on WHEN 'lost' THEN entered.lost_on END,
    CAST(d.close_date AS DATE)) AS ended_on
FROM deal_funnels d
LEFT JOIN (
  SELECT record_id, last(stage_id ORDER BY changed, place) AS stage_id
  FROM changes WHERE object = 'deal' AND stage_id IS NOT NULL GROUP BY record_id
) latest ON latest.record_id = d.deal_id
LEFT JOIN stage_ranks s ON s.object = 'deal' AND s.funnel = d.funnel
  AND s.stage_id = coalesce(d.stage_id, latest.stage_id)
LEFT JOIN (
  SELECT
    m.record_id,
    max(m.day) FILTER (WHERE s.outcome = 'won') AS won_on,
    max(m.day) FILTER (WHERE s.outcome = 'lost') AS lost_on
  FROM moves m
  JOIN stage_ranks s ON s.object = 'deal' AND s.funnel = m.funnel AND s.stage_id = m.stage_id
  WHERE m.object = 'deal'
  GROUP BY m.record_id
) entered ON entered.record_id = d.deal_id"""


def kind(ask: Ask) -> str:
    """SQL for the kind of business of a deal ``d``, in our words."""
    words = sorted(ask.definitions.deal_types.items())
    kinds = [f"WHEN d.deal_type = {text(w)} THEN {text(k)}" for w, k in words]
    kinds.append(f"WHEN d.deal_type IN ({texts(DEAL_TYPES)}) THEN d.deal_type")
    return f"CASE {' '.join(kinds)} ELSE 'new' END"


def counted_pipeline(ask: Ask) -> str:
    """SQL condition that the pipeline of a deal counts; one that names none is in the only one."""
    kept = ask.definitions.pipelines
    if not kept:
        return "TRUE"
    return f"""coalesce(coalesce(pipeline_id, (
    SELECT min(pipeline_id) FROM stages WHERE object = 'deal'
    HAVING count(DISTINCT pipeline_id) = 1)) IN ({texts(kept)}), FALSE)"""


def _all_deals(ask: Ask) -> str:
    return f"""SELECT
  * EXCLUDE (stands, ended_on) REPLACE (
    CASE WHEN later THEN NULL ELSE stage_id END AS stage_id,
    CASE WHEN later THEN NULL ELSE rank END AS rank,
    CASE WHEN later THEN 'open' ELSE stands END AS outcome),
  CASE WHEN stands <> 'open' AND NOT later THEN ended_on END AS closed_on,
  CASE
    WHEN created_on > {ask.today} THEN 'created after the as-of date'
    WHEN NOT {counted_pipeline(ask)} THEN 'its pipeline does not count (definitions)'
  END AS why
FROM (SELECT *, coalesce(stands <> 'open' AND ended_on > {ask.today}, FALSE) AS later FROM standing)"""


def _dated_deals(ask: Ask) -> str:
    if "won" not in ask.definitions.count:
        return "SELECT * EXCLUDE (why) FROM all_deals WHERE why IS NULL"
    return f"""SELECT * EXCLUDE (why) FROM (
{as_won("all_deals", "counts_as_won")}
)
WHERE why IS NULL"""


def as_won(deals: str, won: str) -> str:
    """SQL for deals with the outcome that follows from what counts as won: ``id, first_day``."""
    return f"""SELECT d.* REPLACE (
  CASE
    WHEN w.first_day IS NOT NULL AND d.outcome <> 'lost' THEN 'won'
    WHEN d.outcome = 'won' THEN 'open'
    ELSE d.outcome
  END AS outcome,
  CASE WHEN d.outcome <> 'won' OR w.first_day IS NOT NULL THEN d.rank END AS rank,
  CASE WHEN d.outcome = 'lost' THEN d.closed_on ELSE w.first_day END AS closed_on)
FROM {deals} d LEFT JOIN {won} w ON w.id = d.deal_id"""


def first_days(ask: Ask, name: str, records: str, *, ended: str, changes: str = "changes") -> str:
    """SQL for the first day on which each record of a step counts as `name`: ``id, first_day``."""
    count = ask.definitions.count[name]
    about = "lead" if count.table == "leads" else "deal"
    held = f'CAST("{count.column}" AS VARCHAR) IN ({texts(count.values)})'
    now = f"""SELECT {about}_id AS id, coalesce({ended}, created_on) AS first_day
FROM {records} WHERE {held}"""
    kept = {"pipeline_id", "stage_id", "amount", "close_date", "probability", "owner_id", "status"}
    if count.column not in kept:
        return now
    return f"""SELECT
  coalesce(now.id, recorded.id) AS id, coalesce(recorded.first_day, now.first_day) AS first_day
FROM ({now}) now
FULL JOIN (
  SELECT record_id AS id, min(day) AS first_day
  FROM {changes} WHERE object = '{about}' AND {held} GROUP BY record_id
) recorded ON recorded.id = now.id"""


def _counts_as_won(ask: Ask) -> str:
    return first_days(ask, "won", "(SELECT * FROM all_deals WHERE why IS NULL)", ended="closed_on")


STEPS = {
    "pipelines": Step(
        "several pipelines: each has its own funnel; else all deals share one",
        _pipelines,
        ("stages",),
    ),
    "closing_stages": Step(
        "what a stage without an outcome means: what all closed deals in it are",
        _closing_stages,
        ("deals",),
    ),
    "stage_list": Step(
        "stages with their outcome", _stage_list, ("stages", "pipelines", "closing_stages")
    ),
    "stage_ranks": Step(
        "open stages are ranked 0, 1, ...; won comes after the last of them",
        _stage_ranks,
        ("stage_list",),
    ),
    "stage_owners": Step(
        "the pipeline of each stage that only one has", _stage_owners, ("stage_ranks",)
    ),
    "deal_funnels": Step(
        "deals with the funnel they move through",
        _deal_funnels,
        ("deals", "stage_owners", "pipelines"),
    ),
    "changes": Step(
        "changes recorded up to the as-of date; place orders those of one second",
        _changes,
        ("history", "deal_funnels", "stage_ranks"),
    ),
    "moves": Step(
        "changes into another stage than before, and the day it was left again",
        _moves,
        ("changes",),
    ),
    "standing": Step(
        "how each deal stands: stated, else as its stage says; closed as stated, else as history says",
        _standing,
        ("deal_funnels", "changes", "moves", "stage_ranks"),
    ),
    "all_deals": Step(
        "what is dated after the as-of date is not yet known",
        _all_deals,
        ("standing",),
    ),
    "counts_as_won": Step(
        "what counts as won, and from when (definitions)", _counts_as_won, ("all_deals", "changes")
    ),
    "dated_deals": Step(
        "deals that count, with outcome and closing day",
        _dated_deals,
        lambda ask: ("all_deals", *(["counts_as_won"] if "won" in ask.definitions.count else [])),
    ),
}
