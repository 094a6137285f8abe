"""SQL of what becomes of leads."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from collections.abc import Mapping

from kpi.tables import TableError
from kpi.tracing import survival
from kpi.tracing.ask import Ask
from kpi.tracing.deals import of_type
from kpi.tracing.stages import first_days
from kpi.tracing.statement import Statement, Step

DROPPED = Step(
    "the day a lead was last moved to a stage that means lost",
    lambda _: (
        """SELECT m.record_id AS lead_id, max(m.day) AS lost_on
FROM moves m
WHERE m.object = 'lead' AND m.stage_id IN (
  SELECT stage_id FROM stage_list WHERE object = 'lead' AND outcome = 'lost')
GROUP BY m.record_id"""
    ),
    ("moves", "stage_list"),
)


def lead_conversion(ask: Ask) -> Statement:
    """Cumulative incidence of becoming a deal (or MQL, SQL), disqualified leads competing."""
    became = turned(ask.option("to", "deal", "mql", "sql"))
    if ask.option("basis", "cohort", "period") == "period":
        return _ratio({"turned": became}, "turned", "created_on", "turned_on")
    followed = Step("leads from creation: 1 converted, 2 disqualified, 0 worked", _followed)
    return survival.incidence({"turned": became, "dropped": DROPPED, "followed": followed})


def turned(name: str) -> Step:
    """Step: leads inside the filters, whether each became a deal, MQL or SQL (``did``), and when."""
    if name == "deal":
        return Step(
            "leads and the day each became a deal",
            lambda _: (
                """SELECT *, converted_on AS turned_on, converted_on IS NOT NULL OR linked AS did
FROM our_leads"""
            ),
            ("our_leads",),
        )

    def write(ask: Ask) -> str:
        if name not in ask.definitions.count:
            raise TableError(f"definitions: [count.{name}] is not set")
        return _first_entries(ask, name)

    return Step(
        f"leads and the day each first counted as {name} (definitions)",
        write,
        ("our_leads", "changes", "our_deals", "deal_leads"),
    )


def _first_entries(ask: Ask, name: str) -> str:
    if ask.definitions.count[name].table == "leads":
        first = first_days(ask, name, "our_leads", ended="converted_on")
    else:
        deals = first_days(ask, name, "our_deals", ended="closed_on")
        first = f"""SELECT t.lead_id AS id, min(f.first_day) AS first_day
FROM deal_leads t JOIN our_deals d ON d.deal_id = t.deal_id JOIN ({deals}) f ON f.id = t.deal_id
GROUP BY t.lead_id"""
    return f"""SELECT l.*, f.first_day AS turned_on, f.id IS NOT NULL AS did
FROM our_leads l LEFT JOIN ({first}) f ON f.id = l.lead_id"""


def _followed(ask: Ask) -> str:
    return f"""SELECT *, CASE WHEN NOT did AND NOT lost THEN 0 WHEN ended IS NULL THEN -1
  WHEN did THEN 1 ELSE 2 END AS cause
FROM (
  SELECT 'lead' AS object, t.lead_id AS record_id, t.url, CAST(NULL AS DOUBLE) AS amount,
    t.created_on AS started, t.did, s.stage_id IS NOT NULL AS lost,
    coalesce(t.turned_on, CASE WHEN s.stage_id IS NOT NULL
      THEN coalesce(d.lost_on, {ask.day("t.updated_at")}) END) AS ended
  FROM turned t
  LEFT JOIN (SELECT DISTINCT stage_id FROM stage_list WHERE object = 'lead' AND outcome = 'lost') s
    ON s.stage_id = t.stage_id
  LEFT JOIN dropped d ON d.lead_id = t.lead_id
  WHERE {ask.cell("t.created_on")}
)"""


def _ratio(steps: Mapping[str, Step], source: str, below: str, above: str) -> Statement:
    """Leads of the cell by one day over leads of the cell by another: two different sets."""

    def rows(ask: Ask) -> str:
        return f"""SELECT *, CASE WHEN NOT numerator AND NOT denominator
  THEN 'in the period by neither day' END AS why
FROM (
  SELECT 'lead' AS object, lead_id AS record_id, url, CAST(NULL AS DOUBLE) AS amount,
    {above} IS NOT NULL AND coalesce({ask.cell(above)}, FALSE) AS numerator,
    coalesce({ask.cell(below)}, FALSE) AS denominator, {below}, {above}
  FROM {source}
)"""

    return Statement(
        {**steps, "rows": Step("every lead", rows)},
        """SELECT x / nullif(n, 0) AS value, x, n
FROM (SELECT count(*) FILTER (WHERE numerator) AS x, count(*) FILTER (WHERE denominator) AS n FROM rows)""",
    )


def lead_to_customer(ask: Ask) -> Statement:
    """Cumulative incidence of a first won deal; who is lost, or converted elsewhere, competes."""
    of = ask.option("of", "lead", "mql", "sql")
    steps: dict[str, Step] = {"dropped": DROPPED, "lead_deals": _lead_deals()}
    if of != "lead":
        steps["turned"] = turned(of)
    steps["bought"] = _bought(of)
    if ask.option("basis", "cohort", "period") == "period":
        return _ratio(steps, "bought", "started", "won_on")
    followed = Step(
        "leads: 1 customer, 2 lost, 3 converted into no deal that counts, 0 open",
        lambda ask: f"SELECT * FROM bought WHERE {ask.cell('started')}",
    )
    return survival.incidence({**steps, "followed": followed})


def _lead_deals() -> Step:
    return Step(
        "what became of each lead's deals",
        lambda ask: (
            f"""SELECT t.lead_id,
  count(*) FILTER (WHERE d.outcome = 'won') AS won, count(*) FILTER (WHERE d.outcome = 'open') AS open,
  min(d.closed_on) FILTER (WHERE d.outcome = 'won') AS won_on,
  max(d.closed_on) FILTER (WHERE d.outcome = 'lost') AS lost_on
FROM deal_leads t JOIN our_deals d ON d.deal_id = t.deal_id
WHERE {of_type(ask)}
GROUP BY t.lead_id"""
        ),
        ("deal_leads", "our_deals"),
    )


def _bought(of: str) -> Step:
    source, day = ("our_leads", "l.created_on") if of == "lead" else ("turned", "l.turned_on")
    only = "" if of == "lead" else "\nWHERE l.did"

    def write(ask: Ask) -> str:
        return f"""SELECT *, CASE WHEN cause = 1 THEN ended END AS won_on
FROM (
  SELECT 'lead' AS object, l.lead_id, l.lead_id AS record_id, l.url, CAST(NULL AS DOUBLE) AS amount,
    {day} AS started,
    CASE WHEN d.won > 0 THEN d.won_on WHEN d.lead_id IS NOT NULL THEN d.lost_on
      WHEN l.converted_on IS NOT NULL THEN l.converted_on
      WHEN s.stage_id IS NOT NULL THEN coalesce(x.lost_on, {ask.day("l.updated_at")}) END AS ended,
    CASE WHEN d.won > 0 THEN 1 WHEN d.open > 0 THEN 0 WHEN d.lead_id IS NOT NULL THEN 2
      WHEN l.converted_on IS NOT NULL OR l.linked THEN 3
      WHEN s.stage_id IS NOT NULL THEN 2 ELSE 0 END AS cause
  FROM {source} l
  LEFT JOIN lead_deals d ON d.lead_id = l.lead_id
  LEFT JOIN (SELECT DISTINCT stage_id FROM stage_list WHERE object = 'lead' AND outcome = 'lost') s
    ON s.stage_id = l.stage_id
  LEFT JOIN dropped x ON x.lead_id = l.lead_id{only}
)"""

    return Step("leads, and what became of them", write, ("our_leads", "stage_list"))


def lead_cycle_days(ask: Ask) -> Statement:
    """Median days to a deal, of those who convert."""
    ask.option("to", "deal")
    followed = Step("leads from creation: 1 converted, 2 disqualified, 0 worked", _followed)
    return survival.half_way({"turned": turned("deal"), "dropped": DROPPED, "followed": followed})
