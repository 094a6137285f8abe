"""Whether the intervals hold the truth as often as they say, and the default estimates are unbiased.

Run as ``python benchmarks/coverage.py [--companies 1000]``; README.md says how to read it. Each
company is an export of a process whose truth is known (`chances.py`): skipped stages, moves back,
open deals, and only deals closed since the export's window began.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # not this folder: its names are those of packages

from benchmarks import chances  # noqa: E402
from benchmarks.chances import NAMES, STAGES, Company  # noqa: E402
from kpi import Snapshot, stage_conversion, stage_days, win_rate  # noqa: E402

COMPANIES, PROCESSES, HORIZON = 1_000, 20, 180
KINDS = {
    "old, cut export": Company(days=1_500, deals=1_200, window=270),
    "young": Company(days=300, deals=300, window=None),
}
CLOSED = "win_rate of closed deals"
"""What a CRM shows; in a young company it cannot be right, whoever computes it: its note says so."""
LEVEL, LOW, HIGH = 0.90, 0.87, 0.93
BIAS, NAIVE = 0.01, 0.20
TRUE_DEALS = 1_000_000


def main() -> None:
    """Simulate, print the table, and say of each measure whether it is met."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--companies", type=int, default=COMPANIES)
    given = asked.parse_args()
    each = max(given.companies // PROCESSES, 1)
    with ProcessPoolExecutor() as pool:
        parts = list(pool.map(studied, range(PROCESSES), [each] * PROCESSES))
    table = summed(pd.concat(parts, ignore_index=True))
    print(f"{each * PROCESSES:,} companies, {PROCESSES} processes, intervals of {LEVEL:.0%}")
    print(table.to_string(index=False, float_format=lambda x: f"{x:.3f}"))
    say_verdicts(table[~((table["company"] == "young") & (table["number"] == CLOSED))])


def say_verdicts(table: pd.DataFrame) -> None:
    """Say of each KPI whether its intervals hold, and its bias where the naive figure is far off."""
    for kpi, part in table.groupby(table["number"].str.split().str[0], sort=False):
        covered = np.average(part["coverage"], weights=part["companies"])
        print(f"{kpi}: coverage {covered:.3f}: {verdict(LOW <= covered <= HIGH)}")
        far = part[part["naive_bias"].abs() > NAIVE]
        bias = np.average(far["bias"], weights=far["companies"]) if len(far) else np.nan
        naive = f"{far['naive_bias'].abs().min():.0%} to {far['naive_bias'].abs().max():.0%}"
        print(
            f"{kpi}: bias {bias:+.3f} where the naive figure is off by {naive}: {verdict(abs(bias) < BIAS)}"
        )


def verdict(met: bool) -> str:  # noqa: FBT001 - one condition
    """Say it in capitals where a measure is missed."""
    return "met" if met else "NOT MET"


def studied(process: int, companies: int) -> pd.DataFrame:
    """Return one row per company and number: ``company, number, true, value, low, high, naive``."""
    draw = np.random.default_rng([2026, process])
    rules = chances.drawn(draw)
    true = chances.truth(rules, HORIZON, draw, TRUE_DEALS)
    rows = []
    for i in range(companies):
        kind = list(KINDS)[i % len(KINDS)]
        snapshot = chances.export(rules, KINDS[kind], draw)
        rows += [{"company": kind} | row for row in measured(snapshot, true)]
    return pd.DataFrame(rows)


def measured(snapshot: Snapshot, true: dict[str, float]) -> list[dict[str, object]]:
    """Measure one company by the defaults, and as it is done without care."""
    period = win_rate(snapshot, level=LEVEL).iloc[0]
    cohort = win_rate(snapshot, basis="cohort", horizon_days=HORIZON, level=LEVEL).iloc[0]
    deals = snapshot.deals.to_pandas()["outcome"]
    of_all = float((deals == "won").mean())
    rows = [
        {"number": CLOSED, "true": true["won"], "naive": of_all} | _limits(period),
        {"number": "win_rate of cohorts", "true": true["won by"], "naive": of_all}
        | _limits(cohort),
    ]
    steps = stage_conversion(snapshot, horizon_days=HORIZON, level=LEVEL).set_index("stage_id")
    stays = stage_days(snapshot, level=LEVEL).set_index("stage_id")
    done = completed(snapshot)
    for name in NAMES[:STAGES]:
        step, stay = steps.loc[name], stays.loc[name]
        rows += [
            {
                "number": f"stage_conversion {name}",
                "true": true[f"on {name}"],
                "naive": step["rate"],
            }
            | _limits(step),
            {"number": f"stage_days {name}", "true": true[f"days {name}"], "naive": done[name]}
            | _limits(stay),
        ]
    return rows


def completed(snapshot: Snapshot) -> "pd.Series[float]":
    """Median days of the first visits that are over, by stage: what a report of past stays shows."""
    moves = snapshot.history.to_pandas().sort_values(["record_id", "changed_at"])
    day = moves["changed_at"].dt.floor("D")
    moves["days"] = (day.groupby(moves["record_id"]).shift(-1) - day).dt.days
    first = moves.drop_duplicates(["record_id", "stage_id"]).dropna(subset=["days"])
    return first.groupby("stage_id")["days"].median()


def _limits(row: "pd.Series[float]") -> dict[str, object]:
    return {name: row[name] for name in ("value", "low", "high", "n")}


def summed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return coverage, and bias of ours and of the naive figure as a share of the truth, by number."""
    inside = (rows["low"] <= rows["true"]) & (rows["true"] <= rows["high"])
    rows = rows.assign(
        coverage=inside,
        bias=rows["value"] / rows["true"] - 1,
        naive_bias=rows["naive"] / rows["true"] - 1,
        missing=rows["value"].isna() | rows["low"].isna() | rows["high"].isna(),
    )
    shown = ["n", "coverage", "bias", "naive_bias", "missing"]
    groups = rows.groupby(["company", "number"], sort=False)
    return groups[shown].mean().assign(companies=groups.size()).reset_index()


if __name__ == "__main__":
    main()
