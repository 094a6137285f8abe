"""Take in tables that live on an engine: which engine, and what the contract found in them."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import narwhals as nw
import pandas as pd

from kpi.conform import problem_rows
from kpi.definitions import Definitions
from kpi.engines.between import between
from kpi.engines.given import held, require_types
from kpi.engines.spark import Spark
from kpi.engines.warehouse import Warehouse
from kpi.tables import TableError

UNTOLD = (
    "stays on the engine: problems are counted, not listed row by row; text is not trimmed, and "
    "changes of one second are not joined"
)


def taken(
    tables: Mapping[str, Any], as_of: date, definitions: Definitions
) -> tuple[Spark | Warehouse, dict[str, nw.LazyFrame], pd.DataFrame]:
    """Return the engine, the canonical tables as lazy frames with their twins, and the problems."""
    engine = _engine(tables)
    raw: dict[str, nw.LazyFrame] = {}
    found = [problem_rows("all", [0], [""], "", [""], UNTOLD)]
    for name, native in tables.items():
        table = require_types(name, native)
        frame = engine.take(name, native, definitions.time_zone)
        raw[name], problems = held(table, frame, engine, definitions.deal_types)
        found.append(problems)
    found.append(between(raw, as_of))
    listed = [problems for problems in found if not problems.empty]
    return engine, raw, pd.concat(listed, ignore_index=True)


def _engine(tables: Mapping[str, Any]) -> Spark | Warehouse:
    if not tables:
        raise TableError("from_tables needs at least one table: an engine is told by its tables")
    kinds = {name: _kind(name, native) for name, native in tables.items()}
    if len(set(kinds.values())) > 1:
        raise TableError(f"the tables are of several engines ({kinds}): bring them to one")
    first = next(iter(tables.values()))
    if "spark" in kinds.values():
        return Spark(first.sparkSession)
    return Warehouse(first.get_backend())


def _kind(name: str, native: object) -> str:
    frame = nw.from_native(native, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        if frame.implementation.is_spark_like():
            return "spark"
        if frame.implementation.is_ibis():
            return "ibis"
    raise TableError(
        f"table {name} is a {type(native).__name__}: expected a Spark data frame or an Ibis table: "
        "Snapshot.from_frames takes pandas"
    )
