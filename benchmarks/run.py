"""Speed and memory of every KPI against pandas and hand-written SQL, in one process and one run.

Run as ``python benchmarks/run.py [--rows 1000000] [--rounds 5]``; README.md says how to read it.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.company import AS_OF, company  # noqa: E402 - the script may run from anywhere
from benchmarks.peers_pandas import PEERS  # noqa: E402
from benchmarks.peers_sql import TABLES, Sql  # noqa: E402
from kpi import Definitions, Snapshot  # noqa: E402
from kpi.catalogue import KPIS  # noqa: E402
from kpi.conform import conform  # noqa: E402
from kpi.engine import collect  # noqa: E402
from kpi.planning.model import FunnelModel  # noqa: E402
from kpi.planning.reverse import reverse_funnel  # noqa: E402

VARIANTS = ("ours", "pandas", "SQL")
OPTIONS: dict[str, dict[str, str]] = {"win_rate cohort": {"basis": "cohort"}}
FASTER_THAN_PANDAS, SLOWER_THAN_SQL = 3.0, 1.3
Calls = dict[str, Callable[[], pd.DataFrame]]


def main() -> None:
    """Measure, print a table, and say of each measure whether it is met."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=1_000_000, help="rows of history")
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--peak", nargs=2, metavar=("VARIANT", "FOLDER"), help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.peak:
        say(f"{peak(*given.peak):.0f}")
        return
    found = {rows: measure(rows, given.rounds) for rows in sorted({100_000, given.rows})}
    slider()
    totals = found[given.rows]
    verdict("pandas / ours", totals["pandas"] / totals["ours"], FASTER_THAN_PANDAS, least=True)
    verdict("ours / SQL", totals["ours"] / totals["SQL"], SLOWER_THAN_SQL, least=False)


def measure(rows: int, rounds: int) -> dict[str, float]:
    """Print every figure of one size and return the median seconds of all KPIs by variant."""
    tables = company(rows)
    frames = {name: tables[name] for name in TABLES}
    say(f"\n{', '.join(f'{len(f):,} {name}' for name, f in frames.items())}")
    began = time.perf_counter()
    snapshot = Snapshot.from_frames(frames, as_of=AS_OF)
    say(f"snapshot from data frames    {time.perf_counter() - began:8.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        write(frames, snapshot, Path(folder))
        began = time.perf_counter()
        opened(Path(folder))
        say(f"snapshot from Parquet files  {time.perf_counter() - began:8.2f} s")
        peaks = {variant: peak_of(variant, folder) for variant in (*VARIANTS, "frames")}
    say(f"peak of the first of these   {peaks['frames']:8.0f} MB")
    seconds = timed(snapshot, rounds)
    per_kpi = seconds.pivot_table("seconds", "kpi", "variant", aggfunc="median", sort=False)
    say((per_kpi[list(VARIANTS)] * 1000).round(1).rename_axis("median ms").to_string())
    totals = seconds.groupby(["round", "variant"])["seconds"].sum().groupby("variant").median()
    say(f"{'all KPIs':10}{'s, median':>10}{'to ours':>9}{'peak MB':>9}")
    for variant in VARIANTS:
        ratio = totals[variant] / totals["ours"]
        say(f"{variant:10}{totals[variant]:10.3f}{ratio:9.2f}{peaks[variant]:9.0f}")
    return {str(variant): float(total) for variant, total in totals.items()}


def timed(snapshot: Snapshot, rounds: int) -> pd.DataFrame:
    """Seconds by round, KPI and variant, the variants taking turns; results are compared first.

    Every round starts with nothing kept from the one before.
    """
    others = {
        "pandas": in_pandas(prepared(snapshot), snapshot.as_of_day),
        "SQL": Sql(snapshot).peers,
    }
    agree(ours(snapshot), others)
    rows = []
    for turn in range(rounds):
        calls = {"ours": ours(replace(snapshot, kept={}))} | others
        for kpi in PEERS:
            for variant in np.roll(VARIANTS, turn):
                began = time.perf_counter()
                calls[variant][kpi]()
                rows.append((turn, kpi, variant, time.perf_counter() - began))
    return pd.DataFrame(rows, columns=["round", "kpi", "variant", "seconds"])


def agree(own: Calls, others: dict[str, Calls]) -> None:
    """Refuse to time peers whose numbers are not ours."""
    for kpi, call in own.items():
        mine = call()
        for variant, calls in others.items():
            theirs = calls[kpi]()
            columns = list(theirs.columns)
            np.testing.assert_allclose(
                mine[columns].astype("float64"),
                theirs.astype("float64"),
                rtol=1e-9,
                atol=1e-5,
                err_msg=f"{kpi}: {variant} disagrees",
            )


def ours(snapshot: Snapshot) -> Calls:
    """Every KPI of the catalogue on the snapshot."""

    def call(name: str) -> Callable[[], pd.DataFrame]:
        return lambda: KPIS[name.split(maxsplit=1)[0]](snapshot, **OPTIONS.get(name, {}))

    return {name: call(name) for name in PEERS}


def in_pandas(tables: dict[str, pd.DataFrame], as_of: int) -> Calls:
    """Every peer on prepared pandas tables."""

    def call(name: str) -> Callable[[], pd.DataFrame]:
        return lambda: PEERS[name](tables, as_of)

    return {name: call(name) for name in PEERS}


def prepared(snapshot: Snapshot) -> dict[str, pd.DataFrame]:
    """Return the tables that the KPIs read as pandas with plain numpy numbers."""
    tables = {name: collect(snapshot.table(name).lazy()) for name in TABLES}
    for name, table in tables.items():
        nullable = [c for c in table if str(table[c].dtype) == "Int64"]
        tables[name] = table.astype(dict.fromkeys(nullable, "float64"))
    return tables


def write(frames: dict[str, pd.DataFrame], snapshot: Snapshot, folder: Path) -> None:
    """Write plain, conformed and prepared tables, for what runs in a process of its own."""
    for name, frame in frames.items():
        frame.to_parquet(folder / f"plain_{name}.parquet")
        conform(name, frame).frame.to_parquet(folder / f"store_{name}.parquet")
    for name, frame in prepared(snapshot).items():
        frame.to_parquet(folder / f"prepared_{name}.parquet")


def opened(folder: Path) -> Snapshot:
    """Open a snapshot on the conformed Parquet files."""
    return Snapshot.from_parquet(
        {name: [str(folder / f"store_{name}.parquet")] for name in TABLES}, as_of=AS_OF
    )


def peak_of(variant: str, folder: str) -> float:
    """Peak memory in MB of a process that loads the tables and computes every KPI once."""
    command = [sys.executable, __file__, "--peak", variant, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return float(done.stdout)


def peak(variant: str, folder: str) -> float:
    """Do the work of one variant here and return the peak memory of this process in MB."""
    if variant == "frames":
        plain = {n: pd.read_parquet(Path(folder) / f"plain_{n}.parquet") for n in TABLES}
        Snapshot.from_frames(plain, as_of=AS_OF)
        calls: Calls = {}
    elif variant == "pandas":
        tables = {n: pd.read_parquet(Path(folder) / f"prepared_{n}.parquet") for n in TABLES}
        calls = in_pandas(tables, (AS_OF - pd.Timestamp(0).date()).days)
    else:
        snapshot = opened(Path(folder))
        calls = ours(snapshot) if variant == "ours" else Sql(snapshot).peers
    for call in calls.values():
        call()
    return highest()


def highest() -> float:
    """Peak memory of this process in MB.

    Linux is asked for this program's own peak: ``getrusage`` there begins with the parent's.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text("utf-8").splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource  # noqa: PLC0415 - not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def slider() -> None:
    """Print how long a plan takes after a slider moved, on the sample company."""
    folder = ROOT / "data" / "samples"
    frames = {path.stem: pd.read_csv(path, dtype="str") for path in folder.glob("*.csv")}
    as_of = (folder / "as_of.txt").read_text(encoding="utf-8").strip()
    settings = Definitions.read(folder / "definitions.toml")
    model = FunnelModel.fit(Snapshot.from_frames(frames, as_of=as_of, definitions=settings))
    by = pd.Timestamp(as_of) + pd.DateOffset(years=1)
    taken = []
    for wins in range(20, 40):
        began = time.perf_counter()
        reverse_funnel(model, wins=wins, by=by.date())
        taken.append(time.perf_counter() - began)
    say(f"\nreverse_funnel on the sample company: {np.median(taken) * 1000:.1f} ms (median of 20)")


def verdict(name: str, figure: float, limit: float, *, least: bool) -> None:
    """Say whether a measure is met."""
    met = figure >= limit if least else figure <= limit
    word = "at least" if least else "at most"
    say(f"{'met' if met else 'missed'}: {name} is {figure:.2f}, expected {word} {limit}")


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
