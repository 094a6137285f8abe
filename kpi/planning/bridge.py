"""Why a plan was missed or beaten: the gap split between its causes, without a rest."""

from datetime import date
from itertools import pairwise
from math import fsum, prod

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.engine import collect
from kpi.periods import day_number
from kpi.planning.actuals import begins, caution, months
from kpi.planning.cohort import DIRECT, NEW, PIPELINE, Cohort, cohort
from kpi.planning.curve import Floats, span
from kpi.planning.decompose import decompose
from kpi.planning.plan import Plan
from kpi.planning.target import MONTHS_A_YEAR, PlanError
from kpi.recurring.billing import customer_lines
from kpi.snapshot import Snapshot

VOLUME, SIZE, TIMING, CHURN, BILLING = "volume", "size", "timing", "churn", "billing"
NOISE = 1e-9


def bridge(plan: Plan, snapshot: Snapshot) -> pd.DataFrame:
    """Split the gap between plan and actual, up to the as-of date, between its drivers.

    Parameters
    ----------
    plan : Plan
        As made, or read from its file.
    snapshot : Snapshot
        Of the same company, narrowed like the one that the plan was made from. What is later than
        the last day of the plan does not count.

    Returns
    -------
    DataFrame
        Rows ``driver, effect`` in the unit of the target (deals, or money): ``volume`` (records
        created at the top of the funnel), ``conversion: ...`` (of each stage), ``timing``, ``open
        pipeline`` and ``direct deals`` (what was there when the plan began, and deals without a
        lead: not by step, the plan holds only what they bring), ``size`` (value of a win; not where
        wins are the target), and for ``mrr`` and ``arr`` ``churn`` (what customers there at the
        start pay more or less than planned: churn, contraction, expansion) and ``billing``
        (revenue of customers added since, less the new MRR of the deals won: contracts that do not
        run yet). No total row: the effects sum to ``.attrs["gap"]``, actual less plan;
        ``.attrs`` also has ``plan``, ``actual``, ``until`` and ``notes``.

    Raises
    ------
    PlanError
        If the plan has not begun when the data ends, or the data lacks one of its stages.

    Notes
    -----
    The plan is what it expects by the day, not the target: a plan made for a chance of 80 % expects
    more. Of the month still running, the days that have passed count in proportion. What was won
    before the data of the plan ended stands on both sides and is left out.

    New records up to a stage are ``volume x conversions x timing``. The conversion of a stage is
    what its records come to in the end: of the plan, its rates; of what came, those that went on
    plus those that are still to, by their age (of those that the data does not follow to their end,
    as many as the plan's rate leaves open). Timing is the share of that which has come by now,
    against the share that was due: what is merely late is not a lower conversion. It is also where
    leads created later than planned count less. The shares of all stages are pooled in one driver.

    Products are split by the logarithmic mean Divisia index, or Shapley values where a factor is
    zero (`kpi.planning.decompose`); where nothing reached a stage its conversion is taken to be the
    plan's, and where nothing was won so is the size.

    References
    ----------
    .. [1] Ang BW (2005), "The LMDI approach to decomposition analysis", Energy Policy 33:867-871.

    Examples
    --------
    >>> from kpi.planning import FunnelModel, reverse_funnel
    >>> deals = pd.DataFrame({"deal_id": ["1"], "lead_id": ["a"], "outcome": ["won"],
    ...     "created_at": ["2027-01-10"], "close_date": ["2027-01-20"]})
    >>> leads = pd.DataFrame({"lead_id": list("abcd"), "created_at": "2027-01-05"})
    >>> snapshot = Snapshot.from_frames({"deals": deals, "leads": leads}, as_of="2027-01-31")
    >>> model = FunnelModel.assume(lead_conversion=0.5, win_rate=0.5)
    >>> plan = reverse_funnel(model, wins=2, start="2027-01-01", by="2027-01-31")
    >>> found = bridge(plan, snapshot)
    >>> found["driver"].tolist()
    ['volume', 'conversion: Leads', 'conversion: Deals', 'timing']
    >>> plan.total_leads, round(found.attrs["plan"], 6), round(found.attrs["gap"], 6)
    (12, 3.0, -2.0)
    """
    first = begins(plan)
    if snapshot.as_of < first:
        raise PlanError(
            f"the plan begins on {first} and the data ends on {snapshot.as_of}: there is no gap "
            "to explain yet"
        )
    data = snapshot if snapshot.as_of <= plan.by else snapshot.at(plan.by)
    seen = cohort(plan, data)
    due = _due(plan, data.as_of)
    pairs = _flow(plan, seen, due)
    effects = _split(pairs)
    expected, came = (fsum(prod(side.values()) for side in sides) for sides in _sides(pairs))
    if plan.target.is_level:
        planned, actual, billed = _levels(plan, data)
        effects[CHURN] = (actual - billed) - (planned - expected)
        effects[BILLING] = billed - came
        expected, came = planned, actual
    return _told(plan, effects, expected, came, data.as_of, caution(plan, snapshot))


def _told(
    plan: Plan,
    effects: dict[str, float],
    expected: float,
    came: float,
    until: date,
    notes: tuple[str, ...],
) -> pd.DataFrame:
    times = MONTHS_A_YEAR if plan.target.kind == "arr" else 1
    table = pd.DataFrame(
        {"driver": list(effects), "effect": [times * effect for effect in effects.values()]}
    ).astype({"driver": "str", "effect": "float64"})
    gap = times * (came - expected)
    scale = max(1.0, abs(times * came), abs(times * expected), *table["effect"].abs())
    if abs(fsum(table["effect"]) - gap) > NOISE * scale:
        raise ArithmeticError(f"the drivers sum to {fsum(table['effect'])}, the gap is {gap}")
    table.attrs = {
        "gap": gap,
        "plan": times * expected,
        "actual": times * came,
        "until": until,
        "notes": notes,
    }
    return table


Pair = tuple[dict[str, float], dict[str, float]]


def _sides(pairs: list[Pair]) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    return [before for before, _ in pairs], [after for _, after in pairs]


def _split(pairs: list[Pair]) -> dict[str, float]:
    """Effects of the factors of several products, those of the same name added."""
    found: dict[str, list[float]] = {}
    for before, after in pairs:
        for name, effect in decompose(before, after).items():
            found.setdefault(name, []).append(effect)
    size = found.pop(SIZE, None)
    if size is not None:
        found[SIZE] = size
    return {name: fsum(effects) for name, effects in found.items()}


def _elapsed(plan: Plan, until: date) -> Floats:
    """Share of the days of each month of the plan that have passed by the end of a day, 0 to 1."""
    first = begins(plan)
    passed = (until - first).days + 1
    spans = [span(month, first, plan.by, first) for month in months(plan)]
    return np.array([min(max((passed - a) / (b - a), 0.0), 1.0) for a, b in spans])


def _due(plan: Plan, until: date) -> pd.DataFrame:
    """What the plan expects by a day: by stage, ``to_create``, ``in_pipeline``, ``direct``."""
    share = dict(zip(months(plan), _elapsed(plan, until), strict=True))
    table = plan.table[["in_pipeline", "direct", "to_create"]].mul(
        [share[month.date()] for month in plan.table["month"]], axis=0
    )
    return table.groupby(plan.table["stage"].astype("str"), sort=False).sum()


def _flow(plan: Plan, seen: Cohort, due: pd.DataFrame) -> list[Pair]:
    """Factors of the new records, of the open pipeline and of direct deals: (plan, actual)."""
    pairs, names = [_new(plan, seen, due)], []
    for stream, column in ((PIPELINE, "in_pipeline"), (DIRECT, "direct")):
        expected, came = float(due[column]["won"]), float(seen.counts["won"][stream])
        if expected > 0 or came > 0:
            names.append(stream)
            pairs.append(({stream: expected}, {stream: came}))
    if plan.target.kind == "wins":
        return pairs
    kind = "bookings" if plan.target.kind == "bookings" else "new_mrr"
    size = plan.deal_booking if kind == "bookings" else plan.deal_value
    for stream, pair in zip([NEW, *names], pairs, strict=True):
        won, brought = (float(seen.counts[column][stream]) for column in ("won", kind))
        pair[0][SIZE], pair[1][SIZE] = size, brought / won if won > 0 else size
    return pairs


def _new(plan: Plan, seen: Cohort, due: pd.DataFrame) -> Pair:
    """Volume, conversions and timing of new records."""
    labels = dict(zip(plan.table["stage"].astype("str"), plan.table["label"], strict=True))
    stages = list(due.index)
    planned, came = due["to_create"], seen.counts.loc[NEW]
    before = {VOLUME: float(planned[stages[0]])}
    after = {VOLUME: float(came[stages[0]])}
    ripe = [1.0, 1.0]
    adjust = _adjust(plan)
    for place, (a, b) in enumerate(pairwise(stages)):
        times = adjust if place else 1.0
        rate = min(plan.rates[a] * times, 1.0)
        due_now = _ratio(planned[b], planned[a], rate)
        rate = rate if rate > 0 else due_now
        name = _name(labels[a], a, before)
        before[name] = after[name] = rate
        on_time = due_now / rate if rate > 0 else 1.0
        ripe[0] *= on_time
        if came[a] > 0:
            after[name] = (float(came[b]) + seen.going_on(a, rate, times)) / float(came[a])
            on_time = float(came[b] / came[a]) / after[name] if after[name] > 0 else 1.0
        ripe[1] *= on_time
    return {**before, TIMING: ripe[0]}, {**after, TIMING: ripe[1]}


def _ratio(part: float, whole: float, otherwise: float) -> float:
    return float(part) / float(whole) if whole > 0 else otherwise


def _name(label: str, stage: str, taken: dict[str, float]) -> str:
    name = f"conversion: {label}"
    return name if name not in taken else f"conversion: {label} ({stage})"


def _adjust(plan: Plan) -> float:
    """How a new record's rates from stage to stage relate to those of all the deals.

    The rates of a plan are those of all deals, also of direct ones; its new leads win with their own
    end-to-end share. The difference lies somewhere after the first step: evenly over the others.
    """
    whole = plan.lead_to_won if plan.top == "leads" else plan.deal_to_won
    steps = len(plan.rates) - 1
    product = prod(plan.rates.values())
    return float((whole / product) ** (1 / steps)) if steps and whole > 0 and product > 0 else 1.0


def _levels(plan: Plan, data: Snapshot) -> tuple[float, float, float]:
    """Recurring revenue a month: as planned for the day, as it is, and of customers added since."""
    data.need("subscriptions", of="bridge of a plan for recurring revenue")
    first = begins(plan)
    then, now = _paying(data, day_number(first) - 1), _paying(data, data.as_of_day)
    passed = _elapsed(plan, data.as_of)
    levels = np.array([then.sum(), *plan.outcome["mrr"]], dtype="float64")
    ended = int((passed == 1.0).sum())
    planned = float(levels[ended] + np.diff(levels)[ended:] @ passed[ended:])
    return planned, float(now.sum()), float(now[~now.index.isin(then.index)].sum())


def _paying(data: Snapshot, day: int) -> pd.Series:
    """Recurring revenue a month by customer on a day."""
    ends = nw.col("ends_on_day")
    lines = customer_lines(data).filter(
        nw.col("starts_on_day") <= day, ends.is_null() | (ends > day)
    )
    paying = collect(lines.group_by("customer").agg(nw.col("mrr").sum()))
    return paying.set_index("customer")["mrr"].astype("float64")
