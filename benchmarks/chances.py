"""Sales processes whose truth is known: deals that skip stages, go back, are won or lost, in time.

A deal stays in a stage for a gamma-distributed time, then goes to the next stage, skips one, goes
back one, or is lost; after the last stage it is won. Times are days since 1970-01-01.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kpi import Snapshot
from kpi.periods import from_day

STAGES = 4
WON, LOST = STAGES, STAGES + 1
NAMES = np.array(["qualify", "discover", "propose", "negotiate", "won", "lost"])
AS_OF = 20_635
"""30 June 2026."""
MOST_MOVES = 60

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Process:
    """How deals move: of each stage the chance to lose, skip and go back, the mean stay, its shape."""

    lose: Floats
    skip: float
    back: float
    stay: Floats
    linger: float
    shape: float


@dataclass(frozen=True)
class Company:
    """How long it has sold, how many deals in all, and since when its export is complete."""

    days: int
    deals: int
    window: int | None


def drawn(draw: np.random.Generator) -> Process:
    """Draw a process: a sixth to a third lost in each stage, stays of five to ten weeks."""
    return Process(
        lose=draw.uniform(0.15, 0.35, STAGES),
        skip=float(draw.uniform(0.05, 0.15)),
        back=float(draw.uniform(0.03, 0.08)),
        stay=draw.uniform(35, 70, STAGES),
        linger=float(draw.uniform(1.0, 1.5)),
        shape=float(draw.uniform(1.0, 2.0)),
    )


def moves(process: Process, created: Floats, draw: np.random.Generator) -> pd.DataFrame:
    """Return every move of deals created at these times: ``deal, stage, at``, the first at creation."""
    deal, at = np.arange(len(created)), created.copy()
    stage = np.zeros(len(created), dtype=np.int64)
    rows = [(deal, stage, at)]
    for _ in range(MOST_MOVES):
        going = stage < STAGES
        if not going.any():
            break
        deal, stage, at = deal[going], stage[going], at[going]
        stage, at = _next(process, stage, at, draw)
        rows.append((deal, stage, at))
    parts = [pd.DataFrame({"deal": d, "stage": s, "at": a}) for d, s, a in rows]
    return pd.concat(parts, ignore_index=True)


def _next(
    process: Process, stage: Ints, at: Floats, draw: np.random.Generator
) -> tuple[Ints, Floats]:
    u = draw.random(len(stage))
    lost = u < process.lose[stage]
    rest = (u - process.lose[stage]) / (1 - process.lose[stage])
    back = ~lost & (rest < process.back) & (stage > 0)
    skip = ~lost & ~back & (rest > 1 - process.skip) & (stage < STAGES - 1)
    following = stage + 1 + skip - 2 * back
    mean = process.stay[stage] * np.where(lost, process.linger, 1.0)
    stay = draw.gamma(process.shape, mean / process.shape)
    return np.where(lost, LOST, following), at + stay


def export(process: Process, company: Company, draw: np.random.Generator) -> Snapshot:
    """Return what a CRM export shows: deals open, or closed since the window began; moves up to now."""
    created = np.sort(draw.uniform(AS_OF - company.days, AS_OF + 1, company.deals))
    opened = AS_OF - (company.window or company.days)
    all_moves = moves(process, created, draw)
    closed = all_moves[all_moves["stage"] >= STAGES].groupby("deal")["at"].first()
    gone = closed.index[closed < opened]
    seen = all_moves[(all_moves["at"] < AS_OF + 1) & ~all_moves["deal"].isin(gone)]
    seen = seen.sort_values(["deal", "at"], kind="stable")
    moments = pd.to_datetime((seen["at"] * 86_400).astype("int64"), unit="s", utc=True)
    history = pd.DataFrame(
        {
            "object": "deal",
            "record_id": "D" + seen["deal"].astype(str),
            "stage_id": NAMES[seen["stage"]],
            "changed_at": moments,
        }
    )
    last = history.groupby("record_id", sort=False).agg(
        stage_id=("stage_id", "last"), created_at=("changed_at", "first"), at=("changed_at", "last")
    )
    over = last["stage_id"].isin(["won", "lost"])
    last["closed_at"] = last.pop("at").where(over)
    stages = pd.DataFrame(
        {
            "object": "deal",
            "stage_id": NAMES,
            "position": range(1, len(NAMES) + 1),
            "outcome": ["open"] * STAGES + ["won", "lost"],
        }
    )
    frames = {
        "deals": last.rename_axis("deal_id").reset_index(),
        "history": history,
        "stages": stages,
    }
    start = from_day(opened) if company.window else None
    return Snapshot.from_frames(frames, as_of=from_day(AS_OF), window_start=start)


def truth(
    process: Process, horizon: int, draw: np.random.Generator, deals: int
) -> dict[str, float]:
    """Return what is true of the process: shares by `horizon` days and medians, in calendar days.

    ``won`` (ever), ``won by``, and for each open stage ``on <stage>`` and ``days <stage>``.
    """
    every = moves(process, draw.uniform(0, 1, deals), draw)
    every["day"] = np.floor(every["at"]).astype("int64")
    every = every.sort_values(["deal", "at"], kind="stable", ignore_index=True)
    won = every[every["stage"] == WON]
    found = {"won": len(won) / deals, "won by": float((won["day"] <= horizon).sum() / deals)}
    every["left"] = every.groupby("deal")["day"].shift(-1)
    first = every[every["stage"] < STAGES].drop_duplicates(["deal", "stage"])
    further = every[every["stage"] != LOST]
    reached = [further[further["stage"] >= i].groupby("deal")["day"].min() for i in range(WON + 1)]
    for i in range(STAGES):
        stays = first[first["stage"] == i]
        found[f"days {NAMES[i]}"] = float((stays["left"] - stays["day"]).median())
        after = (reached[i + 1].reindex(reached[i].index) - reached[i]) <= horizon
        found[f"on {NAMES[i]}"] = float(after.mean())
    return found
