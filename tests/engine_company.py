"""One company in all its tables, small enough for any engine, and its results by every KPI."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from kpi import Definitions, Snapshot
from kpi.catalogue import KPIS
from kpi.conform import conform
from kpi.tables import TABLES

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
AS_OF = date(2026, 11, 1)
ZONE = "Europe/Berlin"
# every so many rows of the tables that would only make it slow
THINNED = {"leads": 12, "suspects": 50, "meetings": 4}
# one KPI of each way of reckoning: counts, survival, history, money by month
FEW = ("win_rate", "lead_conversion", "stage_conversion", "mrr_movements")


def definitions() -> Definitions:
    """The definitions of the sample, in a zone whose clock changes."""
    read = Definitions.read(SAMPLES / "definitions.toml")
    return Definitions(time_zone=ZONE, count=read.count, fiscal_year_start=2)


def company() -> dict[str, pd.DataFrame]:
    """Read the sample's tables as canonical frames, a part of each."""
    frames = {}
    for name in TABLES:
        rows = pd.read_csv(SAMPLES / f"{name}.csv", dtype="str", keep_default_na=False)
        frames[name] = conform(name, rows.iloc[:: THINNED.get(name, 1)], time_zone=ZONE).frame
    deals = frames["deals"]
    deals = frames["deals"] = deals[deals.index % 4 == 0]
    known = [*deals["deal_id"], *frames["leads"]["lead_id"]]
    history = frames["history"]
    frames["history"] = history[history["record_id"].isin(known)]
    return frames


def embedded() -> Snapshot:
    """The company on the embedded engine."""
    return Snapshot.from_frames(company(), as_of=AS_OF, definitions=definitions())


def same_results(name: str, one: Snapshot, other: Snapshot, **options: Any) -> None:
    """One KPI, on two engines; floats may differ by the order of sums."""
    pd.testing.assert_frame_equal(
        KPIS[name](one, **options), KPIS[name](other, **options), rtol=1e-9, atol=1e-9, obj=name
    )


def same_tables(one: Snapshot, other: Snapshot) -> None:
    """Every canonical table."""
    for name in TABLES:
        mine, theirs = one.table(name).to_pandas(), other.table(name).to_pandas()
        order = list(mine.columns)  # costs have no key
        pd.testing.assert_frame_equal(
            mine.sort_values(order, ignore_index=True),
            theirs.sort_values(order, ignore_index=True),
            obj=name,
        )
