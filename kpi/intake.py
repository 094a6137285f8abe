"""Bring data frames, or the files of a store, onto the embedded engine."""

from collections.abc import Mapping, Sequence
from datetime import date

import pandas as pd

from kpi.conform import conform, no_problems
from kpi.crosscheck import crosscheck
from kpi.definitions import Definitions
from kpi.engines.between import listed
from kpi.engines.duckdb import DuckDB
from kpi.known import Frames

Taken = tuple[DuckDB, Frames, pd.DataFrame]


def frames_taken(given: Mapping[str, pd.DataFrame], as_of: date, settings: Definitions) -> Taken:
    """Return the engine, the canonical tables with their twins, and the problems found in them.

    Raises
    ------
    TableError
        If a table is unknown or lacks a required column.
    """
    engine, found = DuckDB(), []
    raw: Frames = {}
    canonical: dict[str, pd.DataFrame] = {}
    for name, frame in given.items():
        canonical[name], problems = conform(
            name, frame, time_zone=settings.time_zone, deal_types=settings.deal_types
        )
        found.append(problems)
        raw[name] = engine.load(name, canonical[name], settings.time_zone)
    found.append(crosscheck(canonical, as_of))
    some = [problems for problems in found if not problems.empty]
    return engine, raw, pd.concat(some, ignore_index=True) if some else no_problems()


def files_taken(files: Mapping[str, Sequence[str]], as_of: date, settings: Definitions) -> Taken:
    """Return the same for Parquet files of tables that were conformed when written.

    What is odd is looked for on the engine: rows do not come out of it, but for those listed. The
    history is not held here: `kpi.known` holds it once it is placed.
    """
    engine, zone = DuckDB(), settings.time_zone
    take = {"history": engine.scan_parquet}
    raw = {n: take.get(n, engine.load_parquet)(n, f, zone) for n, f in files.items()}
    return engine, raw, listed(raw, as_of)
