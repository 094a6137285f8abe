"""Survival estimates in SQL: Aalen-Johansen shares and Kaplan-Meier medians of followed records.

The step ``followed`` must give ``object, record_id, url, amount, started, ended`` (dates) and
``cause``: 0 still open, 1 what is counted, 2 what competes, -1 where it cannot be told.
"""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from collections.abc import Mapping

from kpi.tracing.ask import Ask
from kpi.tracing.statement import Statement, Step

ENOUGH = 10  # followed at an age, for a rate to be read there


def _observed(ask: Ask) -> str:
    entry = f"greatest(0, {ask.on(ask.window_start)} - started)" if ask.window_start else "0"
    return f"""SELECT *, CASE WHEN cause = 0 THEN {ask.today} ELSE ended END - started AS days,
  coalesce({entry}, 0) AS entry
FROM followed"""


def _usable(_: Ask) -> str:
    return """SELECT *,
  CASE
    WHEN cause < 0 OR days IS NULL OR days < 0 THEN 'its dates are missing or run backward'
    WHEN entry > days THEN 'closed before the export begins'
  END AS why
FROM observed"""


def _clock(ask: Ask) -> str:
    if ask.window_start is None:
        return "SELECT 0 AS start"
    return f"""SELECT coalesce(min(age), 0) AS start
FROM ({_followed_at("usable")})
WHERE followed >= {ENOUGH}"""


def _followed_at(step: str) -> str:
    """SQL for each age at which anyone comes or goes: those followed, gone, and how."""
    return f"""SELECT *, sum(come) OVER (ORDER BY age) - sum(gone) OVER (ORDER BY age) + gone AS followed
FROM (
  SELECT age, sum(come) AS come, sum(gone) AS gone, sum(hit) AS hits, sum(ended) AS exits
  FROM (
    SELECT entry AS age, 1 AS come, 0 AS gone, 0 AS hit, 0 AS ended FROM {step} WHERE why IS NULL
    UNION ALL
    SELECT days, 0, 1, CAST(cause = 1 AS INT), CAST(cause > 0 AS INT) FROM {step} WHERE why IS NULL
  )
  GROUP BY age
)"""


def _seen(_: Ask) -> str:
    return """SELECT * REPLACE (
  CASE WHEN why IS NULL AND late AND days < (SELECT start FROM clock)
       THEN 'so few were followed at its age that the clock starts later' ELSE why END AS why,
  CASE WHEN late THEN greatest(entry, (SELECT start FROM clock)) ELSE entry END AS entry)
FROM (
  SELECT *, EXISTS (
    SELECT 1 FROM usable e WHERE e.why IS NULL AND e.cause > 0 AND e.days < (SELECT start FROM clock)
  ) AS late
  FROM usable
)"""


def _ages(_: Ask) -> str:
    return f"SELECT * FROM (\n{_followed_at('seen')}\n) WHERE gone > 0"


def _curve(_: Ask) -> str:
    return """SELECT *, sum(before * hits / followed) OVER (ORDER BY age) AS share
FROM (
  SELECT *, coalesce(lag(still) OVER (ORDER BY age), 1.0) AS before
  FROM (SELECT *, product(1.0 - exits / followed) OVER (ORDER BY age) AS still FROM ages)
)"""


def _read_at(ask: Ask) -> str:
    horizon = ask.options.get("horizon_days") or ask.definitions.horizon_days
    if horizon is not None:
        return f"SELECT {int(horizon)} AS age"
    return f"""SELECT coalesce(max(age) FILTER (WHERE followed >= {ENOUGH}), max(age)) AS age
FROM curve"""


def _incidence_rows(_: Ask) -> str:
    return """SELECT object, record_id, url,
  why IS NULL AND cause = 1 AND days <= (SELECT age FROM read_at) AS numerator,
  why IS NULL AS denominator,
  amount, why, started, CASE WHEN cause <> 0 THEN ended END AS ended, cause, days
FROM seen"""


def _visit_rows(_: Ask) -> str:
    return """SELECT object, record_id, url,
  why IS NULL AND cause = 1 AS numerator, why IS NULL AS denominator,
  amount, why, started, CASE WHEN cause <> 0 THEN ended END AS ended, cause, days
FROM seen"""


CURVE = {
    "observed": Step("days each record was under observation; open ones until now", _observed),
    "usable": Step("what can be followed", _usable),
    "clock": Step("the age from which enough were followed", _clock),
    "seen": Step("those followed, from that age on", _seen),
    "ages": Step("at each age: followed, ended as counted, ended in any way", _ages),
    "curve": Step("share still open before each age, and share that got there by it", _curve),
}


def incidence(steps: Mapping[str, Step]) -> Statement:
    """Share that got there (Aalen-Johansen), read where ten are still followed or at the horizon."""
    rows = {
        "read_at": Step("the age at which the share is read", _read_at),
        "rows": Step("every record looked at", _incidence_rows),
    }
    return Statement(
        {**steps, **CURVE, **rows},
        """SELECT
  CASE WHEN (SELECT count(*) FROM curve) > 0 THEN least(1.0, coalesce(
    (SELECT max(share) FROM curve WHERE age <= (SELECT age FROM read_at)), 0)) END AS value,
  (SELECT count(*) FROM rows WHERE numerator) AS x,
  (SELECT count(*) FROM rows WHERE denominator) AS n""",
    )


def median(steps: Mapping[str, Step]) -> Statement:
    """Age at which half have ended in any way (Kaplan-Meier); missing while fewer have."""
    curve = {name: step for name, step in CURVE.items() if name != "clock"}
    curve["seen"] = Step("those followed", lambda _: "SELECT * FROM usable")
    rows = {"rows": Step("every record looked at", _visit_rows)}
    return Statement(
        {**steps, **curve, **rows},
        """SELECT
  (SELECT min(age) FROM curve WHERE still <= 0.5 + 1e-12) AS value,
  (SELECT count(*) FROM rows WHERE numerator) AS x,
  (SELECT count(*) FROM rows WHERE denominator) AS n""",
    )


def half_way(steps: Mapping[str, Step]) -> Statement:
    """First age at which half of those who get there have; read as long as one event moves little."""
    rows = {
        "read_at": Step(
            "the last age at which one event moves the share by a tenth at most",
            lambda _: (
                f"""SELECT coalesce(
  max(age) FILTER (WHERE before / followed <= 1.0 / {ENOUGH} + 1e-12), max(age)) AS age
FROM curve"""
            ),
        ),
        "rows": Step("every record looked at", _incidence_rows),
    }
    return Statement(
        {**steps, **CURVE, **rows},
        """SELECT
  (SELECT min(age) FROM curve WHERE share > 0 AND share >= (
    SELECT max(share) FROM curve WHERE age <= (SELECT age FROM read_at)) / 2 - 1e-12) AS value,
  (SELECT count(*) FROM rows WHERE numerator) AS x,
  (SELECT count(*) FROM rows WHERE denominator) AS n""",
    )
