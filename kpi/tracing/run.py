"""Run the SQL of a trace on DuckDB, over the tables it names."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

import duckdb
import narwhals as nw
import pandas as pd

from kpi.conform import REJECTED
from kpi.engine import collect, to_pandas
from kpi.snapshot import Snapshot
from kpi.tables import TABLES
from kpi.tracing.cell import Cell
from kpi.tracing.deals import of_type
from kpi.tracing.statement import Written, select_rows

ROW = ["object", "record_id", "url", "numerator", "denominator", "amount", "why"]
LEFT_OUT = ["object", "record_id", "url", "why"]


class Database:
    """A DuckDB of its own that holds the canonical tables under their names."""

    def __init__(self, tables: Mapping[str, pd.DataFrame]) -> None:
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("SET TimeZone = 'UTC'")
        for name, frame in tables.items():
            self._connection.register(name, frame)

    def __enter__(self) -> "Database":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def one(self, sql: str) -> dict[str, Any]:
        """Run a statement of one row."""
        result = self._connection.execute(sql)
        names = [column[0] for column in result.description or []]
        (row,) = result.fetchall()
        return dict(zip(names, row, strict=True))

    def frame(self, sql: str) -> pd.DataFrame:
        """Run a statement and return its rows."""
        result: pd.DataFrame = self._connection.execute(sql).df()
        return result

    def rows(self, written: Written) -> pd.DataFrame:
        """Return the records looked at, those of the contract's columns first."""
        rows = self.frame(written.select(select_rows()))
        rows = rows.astype({"numerator": "bool", "denominator": "bool", "amount": "float64"})
        return rows[[*ROW, *(c for c in rows.columns if c not in ROW)]]


def ground(
    snapshot: Snapshot, names: Sequence[str], *, rewinds: bool = False
) -> dict[str, pd.DataFrame]:
    """Return the tables the SQL stands on, without the snapshot's filters (the SQL has them).

    Those read from the source; those of the snapshot where it was rewound and the SQL does not
    rewind.
    """
    present = [name for name in names if name in snapshot.present]
    if rewinds or not _rewound(snapshot):
        return {name: to_pandas(name, snapshot.raw[name]) for name in present}
    whole = replace(snapshot, filters={}).at(snapshot.as_of) if snapshot.filters else snapshot
    return {name: whole.table(name).to_pandas() for name in present}


def _rewound(snapshot: Snapshot) -> bool:
    """Tell whether anything was recorded after the as-of date."""
    late = snapshot.raw["history"].filter(nw.col("changed_day") > snapshot.as_of_day).head(1)
    return len(collect(late.select("record_id"))) > 0


def left_out(
    database: Database,
    written: Written,
    rows: pd.DataFrame,
    cell: Cell,
    about: str,
    *,
    listed: bool,
) -> pd.DataFrame:
    """List the records looked at and not counted, each once, with the reason.

    `rows` are the records looked at, `listed` says whether those are all there are.
    """
    counted = rows["numerator"] | rows["denominator"]
    parts = [rows.loc[~counted, LEFT_OUT]]
    if about in ("deal", "lead") and not listed:
        parts.append(database.frame(written.select("\nUNION ALL\n".join(_outside(cell, about)))))
    rejected = _rejected(cell.snapshot, about)
    # where another row of it counts, it is not left out
    parts.append(rejected[~rejected["record_id"].isin(rows.loc[counted, "record_id"])])
    some = [part for part in parts if len(part)] or parts[:1]
    every = pd.concat(some, ignore_index=True)
    every = every.drop_duplicates(["object", "record_id"])
    return every.sort_values(["why", "object", "record_id"], ignore_index=True)[LEFT_OUT]


def _outside(cell: Cell, about: str) -> list[str]:
    """SQL for records that never came as far as the rows: unknown yet, filtered, of another kind."""
    key, counted, ours = f"{about}_id", _counted(about), f"our_{about}s"
    kind = of_type(cell.ask) if about == "deal" else "TRUE"
    asked_for = f"""CASE WHEN NOT ({kind}) THEN 'another kind of business'
  ELSE 'outside the period or stage asked for' END"""
    return [
        f"""SELECT '{about}' AS object, {key} AS record_id, url, why
FROM all_{about}s WHERE why IS NOT NULL""",
        f"""SELECT '{about}', {key}, url, 'does not count (definitions)' FROM all_{about}s
WHERE why IS NULL AND {key} NOT IN (SELECT {key} FROM {counted})""",
        f"""SELECT '{about}', {key}, url, 'outside the filters' FROM {counted}
WHERE {key} NOT IN (SELECT {key} FROM {ours})""",
        f"""SELECT '{about}', {key}, url, {asked_for} FROM {ours}
WHERE {key} NOT IN (SELECT record_id FROM rows WHERE object = '{about}')""",
    ]


def _counted(about: str) -> str:
    return "dated_deals" if about == "deal" else "known_leads"


def _rejected(snapshot: Snapshot, about: str) -> pd.DataFrame:
    """Rows that never became records: rejected when the table was read."""
    name = f"{about}s"
    if name not in TABLES or snapshot.problems.empty:
        return pd.DataFrame(columns=LEFT_OUT)
    listed = snapshot.problems
    listed = listed[(listed["table"] == name) & (listed["action"] == REJECTED)]
    why = "row rejected: " + listed["reason"].astype("str")
    return pd.DataFrame({"object": about, "record_id": listed["key"], "url": None, "why": why})
