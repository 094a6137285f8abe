"""Survival estimates of many groups side by side, as SQL steps: several ways out, several stages.

`survival` is the same for one group and one way out.
"""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from collections.abc import Callable

from kpi.tracing.ask import Ask
from kpi.tracing.statement import Step
from kpi.tracing.survival import ENOUGH

OPEN_TAIL = 0.05  # share still there beyond which a curve is read at its last age

Write = Callable[[Ask], str]


def curves(of: str) -> dict[str, Step]:
    """Steps from records followed to Aalen-Johansen curves, one curve a ``part``.

    Parameters
    ----------
    of : str
        A step with ``part`` (what has a curve of its own), ``started, ended`` (dates) and ``way``: 0
        still open, 1, 2, ... what ended it, -1 where it cannot be told.

    Returns
    -------
    dict of name to Step
        ``<of>_seen``: its rows, with ``days, entry`` and ``why`` not followed; ``<of>_curve``:
        ``part, age, followed, before, still``; ``<of>_ways``: ``part, way, age, share`` (share that
        took the way by that age).
    """
    return {
        f"{of}_days": Step("days each was under observation; open ones until now", _days(of)),
        f"{of}_clock": Step("the age from which enough were followed", _clock(of)),
        f"{of}_seen": Step("those followed, from that age on", _seen(of)),
        f"{of}_curve": Step("share still there before and after each age", _curve(of)),
        f"{of}_ways": Step("share that took each way by each age", _ways(of)),
    }


def _days(of: str) -> Write:
    def write(ask: Ask) -> str:
        window = f"{ask.on(ask.window_start)} - started" if ask.window_start else "0"
        return f"""SELECT *,
  CASE
    WHEN way < 0 OR days IS NULL OR days < 0 THEN 'its dates are missing or run backward'
    WHEN entry > days THEN 'ended before the export begins'
  END AS why
FROM (
  SELECT *, CASE WHEN way = 0 THEN {ask.today} ELSE ended END - started AS days,
    greatest(0, coalesce({window}, 0)) AS entry
  FROM {of}
)"""

    return write


def _clock(of: str) -> Write:
    def write(ask: Ask) -> str:
        if ask.window_start is None:
            return f"SELECT part, 0 AS start FROM {of} GROUP BY part"
        return f"""SELECT part, coalesce(min(age) FILTER (WHERE followed >= {ENOUGH}), 0) AS start
FROM ({_followed(f"{of}_days")})
GROUP BY part"""

    return write


def _followed(step: str) -> str:
    """SQL for each part and age at which anyone comes or goes: those followed, and gone."""
    return f"""SELECT *,
  sum(come) OVER each - sum(gone) OVER each + gone AS followed
FROM (
  SELECT part, age, sum(come) AS come, sum(gone) AS gone, sum(exit) AS exits
  FROM (
    SELECT part, entry AS age, 1 AS come, 0 AS gone, 0 AS exit FROM {step} WHERE why IS NULL
    UNION ALL
    SELECT part, days, 0, 1, CAST(way > 0 AS INT) FROM {step} WHERE why IS NULL
  )
  GROUP BY part, age
)
WINDOW each AS (PARTITION BY part ORDER BY age)"""


def _seen(of: str) -> Write:
    def write(_: Ask) -> str:
        return f"""SELECT * EXCLUDE (late, start) REPLACE (
  CASE WHEN why IS NULL AND late AND days < start
       THEN 'so few were followed at its age that the clock starts later' ELSE why END AS why,
  CASE WHEN late THEN greatest(entry, start) ELSE entry END AS entry)
FROM (
  SELECT d.*, c.start,
    coalesce(bool_or(d.why IS NULL AND d.way > 0 AND d.days < c.start)
      OVER (PARTITION BY d.part), FALSE) AS late
  FROM {of}_days d LEFT JOIN {of}_clock c ON c.part = d.part
)"""

    return write


def _curve(of: str) -> Write:
    def write(_: Ask) -> str:
        return f"""SELECT *, coalesce(lag(still) OVER (PARTITION BY part ORDER BY age), 1.0) AS before
FROM (
  SELECT *, product(1.0 - exits / followed) OVER (PARTITION BY part ORDER BY age) AS still
  FROM ({_followed(f"{of}_seen")})
  WHERE gone > 0
)"""

    return write


def _ways(of: str) -> Write:
    def write(_: Ask) -> str:
        return f"""SELECT part, way, age,
  sum(step) OVER (PARTITION BY part, way ORDER BY age) AS share
FROM (
  SELECT s.part, s.way, s.days AS age, any_value(c.before / c.followed) * count(*) AS step
  FROM {of}_seen s JOIN {of}_curve c ON c.part = s.part AND c.age = s.days
  WHERE s.why IS NULL AND s.way > 0
  GROUP BY s.part, s.way, s.days
)"""

    return write
