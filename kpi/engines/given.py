"""Tables that stay on an engine, held to the contract of `kpi.tables` without bringing rows out.

What `kpi.conform` does to rows is done here by lazy expressions; what it lists row by row is counted.
"""

from collections.abc import Mapping
from datetime import date

import narwhals as nw
import pandas as pd

from kpi.conform import CLEARED, HINTS, REJECTED, known_table, no_problems, problem_rows
from kpi.engine import DAY, Engine, collect
from kpi.periods import day_number
from kpi.tables import Column, Table, TableError, day, seconds

KINDS: dict[str, tuple[type, ...]] = {
    "time": (nw.Datetime, nw.Date),
    "date": (nw.Datetime, nw.Date),
    "flag": (nw.Boolean,),
}
LATEST = day_number(date(2100, 1, 1)) * DAY
NUMBERS = ("money", "number", "whole")


def require_types(name: str, native: object) -> Table:
    """Return the canonical table, if the frame has what it requires, in types that can be used.

    Raises
    ------
    TableError
        If there is no such table, a required column is missing, or a column is of a type that would
        have to be parsed: text instead of moments, numbers or truth values.
    """
    table = known_table(name)
    schema = nw.from_native(native).collect_schema()  # type: ignore[call-overload]
    lacking = [c.name for c in table.columns if c.required and c.name not in schema]
    if lacking:
        raise TableError(
            f"table {name} lacks the column(s) {lacking}; it has {schema.names()}: add them, or "
            "rename their source on the engine"
        )
    for column in table.columns:
        kind = schema.get(column.name)
        if kind is not None and not _usable(column, kind):
            raise TableError(
                f"table {name}: column {column.name} is {kind} on the engine, where a {column.kind} "
                "is expected: cast it there"
            )
    return table


def held(
    table: Table, frame: nw.LazyFrame, engine: Engine, deal_types: Mapping[str, str]
) -> tuple[nw.LazyFrame, pd.DataFrame]:
    """Bring a typed frame to the contract: the frame, and how often that took what.

    A row is left out where a required value is missing, or its key stands in another row too (the
    one updated last is kept, else any one, the same each time). A negative amount, a value that is not
    one of the column's, and a moment outside 1970 to 2100 are set to missing.
    """
    frame = _worded(table, frame, deal_types if table.name == "deals" else {})
    faults = {c.name: fault for c in table.columns if (fault := _fault(c)) is not None}
    missing = {c.name: nw.col(c.name).is_null() for c in table.columns if c.required}
    wrong = {f"{c}_wrong": _times(fault) for c, (fault, _) in faults.items()}
    without = {f"{c}_missing": _times(none) for c, none in missing.items()}
    told = collect(frame.select(**wrong, **without)).fillna(0).iloc[0].astype("int64")
    found = [no_problems()]
    for column, (bad, reason) in faults.items():
        if n := told[f"{column}_wrong"]:
            frame = frame.with_columns(*_cleared(table.column(column), bad))
            action = REJECTED if column in missing else CLEARED
            found.append(_counted(table, reason, column, n, action))
    for column in missing:
        if n := told[f"{column}_missing"]:
            found.append(_counted(table, "required, but missing", column, n, REJECTED))
        if n or told.get(f"{column}_wrong", 0):
            frame = frame.filter(~nw.col(column).is_null())
    frame, n = _once_each(table, frame)
    if n:
        reason = f"the same {' + '.join(table.key)} stands in another row, which is kept"
        found.append(_counted(table, reason, table.key[0], n, REJECTED))
    if len(found) > 1:
        return engine.store(frame), pd.concat(found[1:], ignore_index=True)
    return frame, found[0]


def _usable(column: Column, kind: nw.dtypes.DType) -> bool:
    if column.kind in NUMBERS:
        return kind.is_numeric()
    return isinstance(kind, KINDS[column.kind]) if column.kind in KINDS else True


def _worded(table: Table, frame: nw.LazyFrame, words: Mapping[str, str]) -> nw.LazyFrame:
    """Blank text is missing; the CRM's own words for a deal's type mean what the definitions say."""
    texts = [c.name for c in table.columns if c.kind in ("id", "text")]
    frame = frame.with_columns(*[nw.when(nw.col(c) != "").then(nw.col(c)) for c in texts])
    meant: nw.Expr = nw.col("deal_type")
    for word, kind in words.items():
        meant = nw.when(nw.col("deal_type") == word).then(nw.lit(kind)).otherwise(meant)
    return frame.with_columns(deal_type=meant) if words else frame


def _fault(column: Column) -> tuple[nw.Expr, str] | None:
    """What a value of the column must not be, and the reason given for it."""
    value = nw.col(column.name)
    if column.values:
        reason = f"not one of {list(column.values)}{HINTS.get(column.name, '')}"
        return ~value.is_null() & ~value.is_in(column.values), reason
    if column.kind == "money":
        return value < 0, "negative amount"
    if column.kind in ("time", "date"):
        at = nw.col(seconds(column.name))
        return (at < 0) | (at >= LATEST), "no date between 1970 and 2100"
    return None


def _cleared(column: Column, fault: nw.Expr) -> list[nw.Expr]:
    """Set the column, and its whole-number twins, to missing where the fault holds."""
    twins = [seconds(column.name), day(column.name)] if column.kind in ("time", "date") else []
    right = ~fault | nw.col(column.name).is_null()
    return [nw.when(right).then(nw.col(name)).alias(name) for name in [column.name, *twins]]


def _times(holds: nw.Expr) -> nw.Expr:
    return nw.when(holds).then(nw.lit(1)).otherwise(nw.lit(0)).sum()


def _once_each(table: Table, frame: nw.LazyFrame) -> tuple[nw.LazyFrame, int]:
    """Keep one row a key; how many rows that leaves out.

    Changes of one record and second may have recorded different fields: only what is the same
    throughout is a repeat there.
    """
    key = table.names if table.name == "history" else list(table.key)
    if not key:
        return frame, 0
    times = frame.group_by(*key).agg(times=nw.len())
    again = collect(times.select(rows=nw.col("times").sum(), keys=nw.len())).fillna(0).iloc[0]
    n = int(again["rows"] - again["keys"])
    rest = [c for c in table.names if c not in key]
    if not n or not rest:
        return frame.unique() if n else frame, n
    order = [*(["updated_s"] if "updated_at" in rest else []), *rest]
    one = frame.with_columns(one=nw.lit(1)).with_columns(
        place=nw.col("one").cum_sum().over(*key, order_by=order),
        places=nw.col("one").sum().over(*key),
    )
    last = one.filter(nw.col("place") == nw.col("places"))
    return last.drop("one", "place", "places"), n


def _counted(table: Table, reason: str, column: str, n: int, action: str) -> pd.DataFrame:
    rows = problem_rows(table.name, [0], [""], column, [f"{n:,} rows"], reason)
    return rows.assign(action=action)
