"""The board's twelve numbers against hand-written SQL, in one process and one run.

Both give value, counts, limits and trend of each of the twelve (`benchmarks.board_sql` says how the
SQL does); the SQL gives no notes, and none of what each says when data is missing.

Run as ``python benchmarks/board.py [--rows 1000000] [--rounds 5]``; README.md says how to read it.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.board_sql import Numbers, SqlBoard  # noqa: E402 - the script may run from anywhere
from benchmarks.run import say, verdict  # noqa: E402
from benchmarks.scale import make, opened  # noqa: E402
from kpi import Snapshot, board  # noqa: E402

SLOWER_THAN_SQL = 1.5


def main() -> None:
    """Compare, measure and print the ratio."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=1_000_000, help="rows of history")
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--folder", type=Path, help="a store that scale.py kept")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = given.folder or Path(folder) / "company"
        if not store.exists():
            make(given.rows, store)
        snapshot = opened(store)
        peer = SqlBoard(snapshot)
        agree(board(snapshot).set_index("name"), peer.numbers)
        report(timed(snapshot, peer.numbers, given.rounds))


def agree(ours: pd.DataFrame, numbers: dict[str, Callable[[], Numbers]]) -> None:
    """Refuse to time numbers that are not ours."""
    rows: dict[Any, Any] = ours.to_dict("index")
    for name, call in numbers.items():
        for column, theirs in call().items():
            what = f"{name}: {column}"
            if isinstance(theirs, str):
                np.testing.assert_equal(rows[name][column], theirs, err_msg=what)
            else:
                np.testing.assert_allclose(
                    float(rows[name][column]), theirs, rtol=1e-9, err_msg=what
                )


def timed(
    snapshot: Snapshot, numbers: dict[str, Callable[[], Numbers]], rounds: int
) -> pd.DataFrame:
    """Seconds by round, ours and SQL taking turns; nothing is kept from one round to the next."""
    rows = []
    for turn in range(rounds):
        fresh = replace(snapshot, kept={})
        calls: dict[str, Callable[[], object]] = {
            "ours": lambda fresh=fresh: board(fresh),  # type: ignore[misc]
            "SQL": lambda: [call() for call in numbers.values()],
        }
        for variant in np.roll(list(calls), turn):
            began, busy = time.perf_counter(), time.process_time()
            calls[variant]()
            taken = {"seconds": time.perf_counter() - began, "busy": time.process_time() - busy}
            rows.append({"round": turn, "variant": variant} | taken)
    return pd.DataFrame(rows)


def report(found: pd.DataFrame) -> None:
    """Print the medians and the ratio."""
    medians = found.groupby("variant")[["seconds", "busy"]].median()
    say((medians * 1000).round(1).rename_axis("median ms").to_string())
    wide = found.pivot_table("seconds", "round", "variant")
    verdict(
        "board / SQL", float((wide["ours"] / wide["SQL"]).median()), SLOWER_THAN_SQL, least=False
    )


if __name__ == "__main__":
    main()
