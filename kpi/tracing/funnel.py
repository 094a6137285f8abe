"""SQL of one stage: how many went further, and how long deals stay."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from kpi.tables import TableError
from kpi.tracing import survival
from kpi.tracing.ask import Ask, text
from kpi.tracing.deals import of_type
from kpi.tracing.statement import Statement, Step


def _stage(ask: Ask) -> tuple[str, int]:
    if ask.stage is None:
        raise TableError("trace: this KPI has one row a stage: say stage=...")
    return ask.stage


REACHED = Step(
    "the stages each deal was ever in: in its own funnel, as history has them",
    lambda _: (
        """SELECT
  d.deal_id, d.funnel, c.day, s.rank
FROM our_deals d
JOIN changes c ON c.object = 'deal' AND c.record_id = d.deal_id AND c.funnel = d.funnel
LEFT JOIN stage_ranks s ON s.object = 'deal' AND s.funnel = c.funnel AND s.stage_id = c.stage_id
  AND s.outcome = 'open'
WHERE c.stage_id IS NOT NULL"""
    ),
    ("our_deals", "changes", "stage_ranks"),
)


def stage_conversion(ask: Ask) -> Statement:
    """Of the deals that reached a stage or a later one, those that reached one further on."""
    return _from_here(ask, further=1, lost=2)


def stage_leakage(ask: Ask) -> Statement:
    """Of the deals that reached a stage or a later one, those lost before they came further."""
    ask.option("reasons", False)
    return _from_here(ask, further=2, lost=1)


def _from_here(ask: Ask, *, further: int, lost: int) -> Statement:
    funnel, rank = _stage(ask)

    def climbed(ask: Ask) -> str:
        return f"""SELECT d.*, l.last_rank, h.recorded,
  greatest(CASE WHEN d.outcome = 'won' THEN l.last_rank END, h.highest,
    CASE WHEN d.outcome = 'open' THEN d.rank END, CASE WHEN l.last_rank > 0 THEN 0 END) AS furthest,
  CASE WHEN d.outcome = 'won' THEN d.closed_on END AS won_on, h.here_on, h.further_on
FROM our_deals d
LEFT JOIN (
  SELECT funnel, max(rank) + 1 AS last_rank FROM stage_ranks
  WHERE object = 'deal' AND outcome = 'open' GROUP BY funnel
) l ON l.funnel = d.funnel
LEFT JOIN (
  SELECT deal_id, count(*) AS recorded, max(rank) AS highest,
    min(day) FILTER (WHERE rank >= {rank}) AS here_on,
    min(day) FILTER (WHERE rank > {rank}) AS further_on
  FROM reached GROUP BY deal_id
) h ON h.deal_id = d.deal_id
WHERE d.funnel = {text(funnel)} AND {of_type(ask)} AND {ask.cell("d.created_on")}"""

    def followed(_: Ask) -> str:
        first = ", created_on" if rank == 0 else ""
        return f"""SELECT 'deal' AS object, deal_id AS record_id, url, amount, started,
  CASE WHEN went THEN next_on ELSE closed_on END AS ended,
  CASE WHEN went THEN {further} WHEN furthest > {rank} OR last_rank <= {rank} THEN -1
    WHEN outcome = 'lost' THEN {lost} ELSE 0 END AS cause
FROM (
  SELECT *, furthest > {rank} AND next_on IS NOT NULL AS went
  FROM (
    SELECT *,
      least(here_on{first}, CASE WHEN {_told(rank)} THEN won_on END) AS started,
      least(further_on, CASE WHEN {_told(rank + 1)} THEN won_on END) AS next_on
    FROM climbed WHERE furthest >= {rank}
  )
)"""

    return survival.incidence(
        {
            "reached": REACHED,
            "climbed": Step(
                "how far each deal came, and when it came here and further",
                climbed,
                ("our_deals", "stage_ranks"),
            ),
            "followed": Step(
                f"deals that came here: {further} went further, {lost} lost, 0 still here", followed
            ),
        }
    )


def _told(rank: int) -> str:
    """SQL condition that the day of the win tells when a rank was reached at the latest."""
    return f"last_rank = {rank} OR (last_rank > {rank} AND recorded IS NOT NULL)"


def stage_days(ask: Ask) -> Statement:
    """Median days of the first visit to a stage (Kaplan-Meier on any exit)."""
    funnel, rank = _stage(ask)

    def followed(ask: Ask) -> str:
        return f"""SELECT 'deal' AS object, d.deal_id AS record_id, d.url, d.amount, v.day AS started,
  coalesce(v.left_on, d.closed_on) AS ended,
  CASE WHEN v.left_on IS NOT NULL OR d.outcome <> 'open' THEN 1 ELSE 0 END AS cause
FROM first_visits v
JOIN our_deals d ON d.deal_id = v.record_id
JOIN stage_ranks s ON s.object = 'deal' AND s.outcome = 'open' AND s.funnel = v.funnel
  AND s.stage_id = v.stage_id
WHERE s.funnel = {text(funnel)} AND s.rank = {rank} AND {of_type(ask)} AND {ask.cell("v.day")}"""

    first = Step(
        "the first visit of each deal to each stage",
        lambda _: (
            """SELECT * FROM moves WHERE object = 'deal'
QUALIFY row_number() OVER (PARTITION BY record_id, stage_id ORDER BY changed, place) = 1"""
        ),
        ("moves",),
    )
    visits = Step(
        "first visits to this stage: 1 left it, 0 still there",
        followed,
        ("our_deals", "stage_ranks"),
    )
    return survival.median({"first_visits": first, "followed": visits})
