"""What the open pipeline may bring: every open deal times its chance of being won."""

from collections.abc import Sequence
from typing import Literal

import narwhals as nw
import numpy as np
import pandas as pd

from kpi.engine import collect
from kpi.entry import Entry
from kpi.funnel.climbs import placed
from kpi.funnel.reach import steps
from kpi.periods import Every
from kpi.pipeline.open_deals import at_ends, by_group, open_deals, total
from kpi.pipeline.stock import lacking_deals
from kpi.pipeline.win_chance import WinChance, win_chance
from kpi.result import Groups, joined
from kpi.rewind import last_value
from kpi.snapshot import Snapshot
from kpi.stats.intervals import Floats, check_level
from kpi.tables import TableError

DRAWS, SEED, CHUNK = 2000, 20260101, 250
MANY = 2000  # deals; from here on their sum is taken as normal
CRM_NOTE = "by the CRM's own probabilities"


def weighted_pipeline(
    snapshot: Snapshot,
    *,
    by: str | Sequence[str] | None = None,
    every: Every | None = None,
    of: Literal["amount", "mrr"] = "amount",
    probability: Literal["fitted", "crm"] = "fitted",
    deal_type: str | None = "new",
    level: float = 0.95,
) -> pd.DataFrame:
    """Expected value of the open deals: each deal's value times its chance of being won.

    The chance is learnt from the company's own history: from the stage, and from how long the deal
    has been there (a deal that waits longer than most is worth less). A deal older than any that
    history saw waiting counts nothing. The stage percentages of a CRM are mostly wishes; they are
    used only when asked for.

    Parameters
    ----------
    snapshot : Snapshot
        Needs tables deals and stages; history for the ages.
    by : str or list of str, optional
        Columns of deals, such as ``"stage"`` or ``"owner"``.
    every : {"month", "quarter", "year"}, optional
        As it was known at the end of each period, chances included.
    of : {"amount", "mrr"}
        What is summed.
    probability : {"fitted", "crm"}
        ``crm``: the probability that the CRM states for the deal, else for its stage.
    deal_type : {"new", "expansion", "renewal"} or None
        Kind of business counted, and learnt from; None counts all.
    level : float
        Share of the intervals.

    Returns
    -------
    DataFrame
        ``by`` columns, ``period``, then ``value`` (reporting currency), ``low, high`` (of what
        these deals will bring in; missing for ``crm``), ``x`` (deals weighted), ``n`` (open
        deals), ``note``, then ``open_value`` (unweighted) and ``expected_wins`` (deals). Missing,
        with the reason, where no deal of the kind was ever won or lost.

    Raises
    ------
    TableError
        If deals or stages are missing, or a column, period, option or deal type is unknown.

    Notes
    -----
    ``sum value x P(win | stage, age)``, with the chance of `kpi.pipeline.win_chance.win_chance`. Limits by
    2,000 seeded draws: each stage's rate from its Beta posterior, then every deal won or not. It
    says when deals are won at all, not when: see the planner for that.

    References
    ----------
    .. [1] Aalen O, Johansen S (1978), Scand. J. Statist. 5:141-150.

    Examples
    --------
    >>> stages = pd.DataFrame({"object": "deal", "stage_id": ["S1", "Won", "Lost"],
    ...     "position": [1, 2, 3], "outcome": ["open", "won", "lost"]})
    >>> deals = pd.DataFrame({"deal_id": list("abcde"), "amount": 100.0,
    ...     "stage_id": ["Won", "Lost", "Lost", "Lost", "S1"],
    ...     "created_at": ["2026-01-01"] * 4 + ["2026-02-01"],
    ...     "close_date": ["2026-01-21"] * 4 + [None]})
    >>> snapshot = Snapshot.from_frames({"deals": deals, "stages": stages}, as_of="2026-02-11")
    >>> weighted_pipeline(snapshot)[["value", "open_value", "n"]].to_dict("records")
    [{'value': 25.0, 'open_value': 100.0, 'n': 1}]
    """
    snapshot.need("deals", "stages", of="weighted_pipeline")
    check_level(level)
    if of not in ("amount", "mrr"):
        raise TableError(f"of={of!r}; expected 'amount' or 'mrr'")
    if probability not in ("fitted", "crm"):
        raise TableError(f"probability={probability!r}; expected 'fitted' or 'crm'")
    groups = Groups(snapshot, "deals", by, every)

    def reckon(then: Snapshot) -> pd.DataFrame:
        deals = open_deals(then, groups.columns, deal_type)
        lacking = lacking_deals(then, deals, deal_type)
        if probability == "crm":
            chance = None
            deals = deals.merge(_stated(then), on="deal_id", how="left")
        else:
            chance = win_chance(then, deal_type)
            deals = _learnt(then, deals, chance, deal_type)
            if chance.rates.empty:
                lacking = lacking or "not enough data: no closed deal to learn from"
        return by_group(
            deals, groups.columns, lambda part: _weighted(part, of, chance, lacking, level)
        )

    empty = {"value": 0.0, "x": 0, "n": 0, "note": "", "open_value": 0.0, "expected_wins": 0.0}
    result = at_ends(groups, reckon, **empty)
    return groups.finish(
        result.astype({"x": "int64", "n": "int64"}), ["open_value", "expected_wins"]
    )


def _learnt(
    then: Snapshot, deals: pd.DataFrame, chance: WinChance, deal_type: str | None
) -> pd.DataFrame:
    """Add ``chance`` (missing in stages without history), ``old`` and the place it is read at."""
    since = nw.lit(None, dtype=nw.Int64)
    for i in range(steps(then)):
        since = nw.when(nw.col("furthest") == i).then(nw.col(f"reach_{i}")).otherwise(since)
    table = placed(then, [], deal_type).filter(nw.col("outcome") == "open")
    reached = collect(table.select("deal_id", top=nw.col("furthest"), since=since))
    found = deals.merge(reached, on="deal_id", how="left")
    found["place"] = found["top"].astype("float64")
    found["waited"] = then.as_of_day - found["since"].astype("float64")
    ages = chance.by_age.rename(columns={"rank": "place", "age": "waited"})
    ages = ages.astype({"funnel": "str", "place": "float64", "waited": "float64"})
    found = found.merge(ages, on=["funnel", "place", "waited"], how="left")
    rates = chance.rates.rename(columns={"rank": "place"})
    rates = rates.astype({"funnel": "str", "place": "float64"})
    found = found.merge(rates, on=["funnel", "place"], how="left")
    seen = found["share"].notna() & found["waited"].notna()
    found["old"] = seen & found["chance"].isna()
    found["chance"] = found["chance"].where(seen).mask(found["old"], 0.0).astype("float64")
    return found


def _stated(then: Snapshot) -> pd.DataFrame:
    """Probability that the CRM states: ``deal_id, chance, old``."""
    history = then.history.lazy().filter(nw.col("object") == "deal")
    own = last_value(history, "probability").rename({"record_id": "deal_id", "then": "own"})
    stages = then.stages.lazy().filter(nw.col("object") == "deal")
    stages = stages.select("funnel", "stage_id", staged_chance=nw.col("probability"))
    deals = then.deals.lazy().select("deal_id", "funnel", "stage_id")
    told = deals.join(stages, on=["funnel", "stage_id"], how="left")
    told = told.join(own, on="deal_id", how="left")
    chance = nw.coalesce("own", "staged_chance")
    return collect(told.select("deal_id", chance=chance)).assign(old=False)


def _weighted(
    part: pd.DataFrame, of: str, chance: WinChance | None, lacking: str, level: float
) -> dict[str, object]:
    n = len(part)
    known = part[part["chance"].notna() & part[of].notna()]
    old, left = int(known["old"].sum()), n - len(known)
    worth = known[of].to_numpy("float64") * known["chance"].to_numpy("float64")
    value = float(np.round(worth.sum(), 9))
    lacking = lacking or ("not enough data: no open deal can be weighted" if n == left > 0 else "")
    limits = (np.nan, np.nan)
    if chance is not None and len(known) and not lacking:
        limits = _limits(known, of, value, level)
    note = joined(
        lacking,
        CRM_NOTE if chance is None else "",
        f"{left:,} without {of} or known stage left out" if 0 < left < n else "",
        f"{old:,} older than any that history saw waiting count nothing" if old else "",
    )
    return {
        "value": np.nan if lacking else value,
        "low": limits[0],
        "high": limits[1],
        "x": len(known),
        "n": n,
        "note": note,
        "open_value": total(part[of]) if n else 0.0,
        "expected_wins": np.nan if lacking else float(part["chance"].sum()),
    }


def _limits(deals: pd.DataFrame, of: str, value: float, level: float) -> tuple[float, float]:
    """Limits of what the deals will bring: rates uncertain, every deal won or not."""
    rng = np.random.default_rng(SEED)
    places, index = np.unique(deals[["funnel", "place"]].agg(tuple, axis=1), return_inverse=True)
    first = [int(np.flatnonzero(index == i)[0]) for i in range(len(places))]
    stage = deals.iloc[first]
    x, n, share = (stage[c].to_numpy("float64") for c in ("x", "n", "share"))
    rates = rng.beta(x + 0.5, n - x + 0.5, size=(DRAWS, len(places)))
    factors = np.divide(rates, share, out=np.ones_like(rates), where=share > 0)
    chance, worth = deals["chance"].to_numpy("float64"), deals[of].to_numpy("float64")
    sums = [
        _drawn(rng, np.minimum(chance * factors[i : i + CHUNK, index], 1.0), worth)
        for i in range(0, DRAWS, CHUNK)
    ]
    low, high = np.quantile(np.concatenate(sums), [(1 - level) / 2, (1 + level) / 2])
    return float(min(low, value)), float(max(high, value))


def _drawn(rng: np.random.Generator, chance: Floats, worth: Floats) -> Floats:
    """Draw sums of the deals won, one a row of chances."""
    if chance.shape[1] <= MANY:
        drawn: Floats = (rng.random(chance.shape) < chance) @ worth
        return drawn
    spread = np.sqrt((chance * (1 - chance)) @ worth**2)
    normal: Floats = chance @ worth + spread * rng.standard_normal(len(chance))
    return np.maximum(normal, 0.0)


ENTRIES = (
    Entry(
        weighted_pipeline,
        question="What will the open pipeline bring?",
        formula="sum of amount x P(win | stage, age), learnt from own history",
        unit="reporting currency",
        basis="open at the as-of date, or at the period's end",
        interval="simulation: stage rates from their Beta posteriors, every deal won or not; seeded",
        options="probability='crm': the CRM's percentages; of='mrr'; deal_type=None: all business",
        needs="deals, stages (history: ages)",
        benchmark="none: the weights are the company's own",
        source="Aalen and Johansen 1978; sum of amount x probability: Salesforce, forecast pipeline",
        caveats="Says whether deals are won, not when; stages' rates are drawn independently.",
        also=("expected pipeline value", "pipeline forecast", "expected wins"),
        better="higher",
    ),
)
