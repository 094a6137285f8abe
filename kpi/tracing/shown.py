"""What the KPI itself says of one cell, to hold against the SQL."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, cast

import pandas as pd

from kpi.catalogue import KPIS
from kpi.tracing import WRITERS
from kpi.tracing.cell import Cell

NOISE = 1e-9
TOLD_BY = ("pipeline_id", "stage_id", "from_stage", "to_stage", "owner_id", "indicator")


@dataclass(frozen=True)
class Counted:
    """A number and the counts behind it: ``value`` (None: missing), ``x``, ``n``."""

    value: float | None
    x: int
    n: int

    def same(self, other: "Counted") -> bool:
        """Tell whether two are equal, but for float noise."""
        if (self.x, self.n) != (other.x, other.n):
            return False
        if self.value is None or other.value is None:
            return self.value is other.value
        return abs(self.value - other.value) <= NOISE * max(1.0, abs(other.value))


def shown(cell: Cell, name: str) -> Counted | None:
    """Return what the KPI itself says of the cell; None where it has no such cell."""
    one_each = all(len(values) == 1 for values in cell.ask.within.values())
    free = cell.every is None and cell.ask.since is not None and "since" not in cell.options
    if free or not one_each:
        return None
    cut: dict[str, Any] = {"by": list(cell.ask.within)} if cell.ask.within else {}
    cut |= _period(cell, name)
    table = _asked(cell, name, cut)
    for column, values in cell.ask.within.items():
        table = table[table[column] == values[0]]
    for column in [c for c in TOLD_BY if c in cell.stage]:
        same = table[column].isna() if pd.isna(cell.stage[column]) else False
        table = table[same | (table[column] == cell.stage[column])]
    if cell.ask.month is not None:
        table = table[table["month"] == cell.ask.month]
    if table.empty:
        return None
    row = table.iloc[-1 if WRITERS[name].row == "month" else 0]
    value = None if pd.isna(row["value"]) else float(row["value"])
    return Counted(value, int(row["x"]), int(row["n"]))


def _asked(cell: Cell, name: str, cut: dict[str, Any]) -> pd.DataFrame:
    """Rows of the KPI in the period of the cell, or all.

    Where every period rewinds the data, those before are not asked for; a table may then begin
    after a period in which there was nothing.
    """
    options = {**cell.options, **cut}
    if "every" not in cut:
        return KPIS[name](cell.snapshot, **options)
    first = cast("date", cell.ask.since)
    slow = WRITERS[name].begins or WRITERS[name].rewinds
    for snapshot in [replace(cell.snapshot, since=first)] * slow + [cell.snapshot]:
        table = KPIS[name](snapshot, **options)
        table = table[table["period"] == pd.Timestamp(first)]
        if len(table):
            break
    return table


def _period(cell: Cell, name: str) -> dict[str, Any]:
    """Options by which the KPI is asked for the period of the cell."""
    alone = WRITERS[name].alone
    if cell.every is None:
        return {}
    return {"every": cell.every} if alone is None else dict(alone(cell.ask))
