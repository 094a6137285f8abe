"""SQL of deals as they were known at the end of a day: every change made since is taken back."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from collections.abc import Callable
from datetime import date

from kpi.tracing.ask import Ask, text
from kpi.tracing.records import money
from kpi.tracing.stages import as_won, counted_pipeline, first_days, kind, recorded
from kpi.tracing.statement import Step

REWOUND = {
    "pipeline_id": "VARCHAR",
    "stage_id": "VARCHAR",
    "owner_id": "VARCHAR",
    "amount": "DOUBLE",
    "close_date": "DATE",
}

EVERY_CHANGE = Step(
    "every change recorded, with its place in the funnel",
    lambda ask: recorded(ask, "TRUE"),
    ("history", "deal_funnels", "stage_ranks"),
)


def known_at(end: str, last: date) -> dict[str, Step]:
    """Steps to ``deals_<end>``: the deals that counted on the day `last`, as they stood at its end.

    They read the step `EVERY_CHANGE`, called ``every_change``. Columns: those of deals, with
    ``outcome, closed_on, created_on``, ``closes`` (expected closing day), money in the reporting
    currency, ``original`` (amount in its own) and ``given`` (the CRM converted it).
    """

    def step(says: str, write: Callable[[Ask, date, str], str], *reads: str) -> Step:
        return Step(f"{end}: {says}", lambda ask: write(ask, last, end), reads)

    return {
        f"recorded_{end}": step(f"what history recorded by {last}", _recorded, "deal_funnels"),
        f"closings_{end}": step(
            "days on which deals came to won or lost", _closings, "stage_ranks"
        ),
        f"back_{end}": step(
            "deals with what was changed later taken back", _back, "pipelines", "stage_owners"
        ),
        f"stood_{end}": step("how each deal stood", _stood, "stage_ranks"),
        f"deals_{end}": Step(
            f"{end}: deals that counted, in the reporting currency",
            lambda ask: _known(ask, last, end),
            lambda ask: ("stages", *money(ask)),
        ),
    }


def _recorded(ask: Ask, last: date, _: str) -> str:
    day = ask.on(last)
    parts = [f"bool_or({name} IS NOT NULL) AS has_{name}" for name in REWOUND]
    parts += [
        f"last({name} ORDER BY changed, place) FILTER (WHERE {name} IS NOT NULL AND day <= {day})"
        f" AS then_{name}"
        for name in REWOUND
    ]
    listed = ",\n  ".join(parts)
    return f"""SELECT record_id, bool_or(day > {day}) AS late,
  {listed}
FROM every_change WHERE object = 'deal' GROUP BY record_id"""


def _closings(ask: Ask, last: date, _: str) -> str:
    return f"""SELECT m.record_id,
  max(m.day) FILTER (WHERE s.outcome = 'won') AS won_on,
  max(m.day) FILTER (WHERE s.outcome = 'lost') AS lost_on
FROM (
  SELECT *, lag(stage_id) OVER (PARTITION BY record_id ORDER BY changed, place) AS before
  FROM every_change
  WHERE object = 'deal' AND stage_id IS NOT NULL AND day <= {ask.on(last)}
) m
JOIN stage_ranks s ON s.object = 'deal' AND s.funnel = m.funnel AND s.stage_id = m.stage_id
WHERE m.before IS DISTINCT FROM m.stage_id
GROUP BY m.record_id"""


def _back(ask: Ask, last: date, end: str) -> str:
    created = ask.day("d.created_at")
    back = ",\n    ".join(
        f"CAST(CASE WHEN r.late AND r.has_{name} THEN r.then_{name} ELSE d.{name} END AS {kind})"
        f" AS {name}"
        for name, kind in REWOUND.items()
    )
    return f"""SELECT b.* REPLACE (
    coalesce(b.pipeline_id, own.pipeline_id) AS pipeline_id,
    CASE WHEN (SELECT several FROM pipelines)
         THEN coalesce(b.pipeline_id, own.pipeline_id, '') ELSE '' END AS funnel)
FROM (
  SELECT d.* REPLACE (
    {back}),
  {created} AS created_on, r.then_stage_id, r.then_close_date,
  coalesce(r.late AND r.has_stage_id, FALSE) AS staged,
  coalesce(r.late AND r.has_close_date, FALSE) AS redated,
  coalesce(d.outcome, s.outcome, 'open') AS today
  FROM deal_funnels d
  LEFT JOIN recorded_{end} r ON r.record_id = d.deal_id
  LEFT JOIN stage_ranks s ON s.object = 'deal' AND s.funnel = d.funnel AND s.stage_id = d.stage_id
  WHERE coalesce({created} <= {ask.on(last)}, TRUE)
) b
LEFT JOIN stage_owners own ON own.stage_id = b.stage_id"""


def _stood(ask: Ask, _: date, end: str) -> str:
    return f"""SELECT d.* REPLACE (
    coalesce(d.stage_id, d.then_stage_id) AS stage_id, {kind(ask)} AS deal_type),
  s.rank,
  coalesce(CASE WHEN NOT d.staged THEN d.outcome END, s.outcome, 'open') AS stands,
  coalesce(
    CASE WHEN NOT d.staged THEN {ask.day("d.closed_at")} END,
    CASE stands WHEN 'won' THEN c.won_on WHEN 'lost' THEN c.lost_on END,
    CASE WHEN NOT d.staged THEN d.close_date END) AS ended_on
FROM back_{end} d
LEFT JOIN stage_ranks s ON s.object = 'deal' AND s.funnel = d.funnel
  AND s.stage_id = coalesce(d.stage_id, d.then_stage_id)
LEFT JOIN closings_{end} c ON c.record_id = d.deal_id"""


def _known(ask: Ask, last: date, end: str) -> str:
    day = ask.on(last)
    return f"""SELECT d.* REPLACE ({_money(ask)}),
  d.amount_original IS NOT NULL AS given,
  CASE WHEN {_foreign(ask)} THEN d.amount ELSE d.amount_original END AS original
FROM (
{_counted(ask, last, end)}
) d
{_rates(ask, day)}"""


def _counted(ask: Ask, last: date, end: str) -> str:
    closed = "stands <> 'open' AND NOT later"
    known = f"""SELECT * EXCLUDE (stands, ended_on, staged, redated, today, then_stage_id, then_close_date)
    REPLACE (
    CASE WHEN later THEN NULL ELSE stage_id END AS stage_id,
    CASE WHEN later THEN NULL ELSE rank END AS rank,
    CASE WHEN later THEN 'open' ELSE stands END AS outcome),
  CASE WHEN {closed} THEN ended_on END AS closed_on,
  coalesce(then_close_date, CASE WHEN {closed} OR today = 'open' OR redated
    THEN close_date END) AS closes
FROM (
  SELECT *, coalesce(stands <> 'open' AND ended_on > {ask.on(last)}, FALSE) AS later FROM stood_{end}
)
WHERE {counted_pipeline(ask)}"""
    if "won" not in ask.definitions.count:
        return known
    changes = f"(SELECT * FROM every_change WHERE day <= {ask.on(last)})"
    won = first_days(ask, "won", f"({known})", ended="closed_on", changes=changes)
    return as_won(f"({known})", f"({won})")


def _foreign(ask: Ask) -> str:
    home = text(ask.definitions.reporting_currency)
    return f"coalesce(d.currency <> {home} AND d.amount_original IS NULL, FALSE)"


def _money(ask: Ask) -> str:
    factor = f"CASE WHEN {_foreign(ask)} THEN r.rate ELSE 1 END" if "rates" in ask.present else "1"
    return ", ".join(f"d.{name} * {factor} AS {name}" for name in ("amount", "mrr", "margin"))


def _rates(ask: Ask, day: str) -> str:
    if "rates" not in ask.present:
        return ""
    return f"""LEFT JOIN rate_days r ON {_foreign(ask)} AND r.currency = d.currency
  AND coalesce(d.closed_on, {day}) >= r.from_day AND coalesce(d.closed_on, {day}) < r.to_day"""
