"""What is odd between tables on an engine: told by lazy expressions, nothing dropped.

The same as `kpi.crosscheck` tells of data frames, without bringing more than the odd rows out.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import NamedTuple

import narwhals as nw
import pandas as pd

from kpi.conform import no_problems, problem_rows
from kpi.crosscheck import REFERENCES, TELLS, UNSURE, hopeless, shared
from kpi.engine import collect, to_pandas
from kpi.periods import day_number

LATE = "after the as-of date: not yet known, not used"
BORN = (("leads", "created"), ("deals", "created"), ("deals", "closed"), ("history", "changed"))
LISTED = 1_000
"""Odd rows of one kind that are listed one by one; of more, only how many there are is said."""


class Odd(NamedTuple):
    """Rows of a table that are odd for one reason, and the column that shows it."""

    table: str
    column: str
    reason: str
    rows: nw.LazyFrame


def between(frames: Mapping[str, nw.LazyFrame], as_of: date) -> pd.DataFrame:
    """Count unknown stages, impossible dates and references to nowhere.

    Returns
    -------
    DataFrame
        Columns of `kpi.conform`; one row a table, column and reason, ``value`` says how many rows.
    """
    found = list(odd(frames, as_of))
    if not found:
        return no_problems()
    counts = [
        one.rows.select(n=nw.len()).select(at=nw.lit(i), n=nw.col("n").cast(nw.Int64))
        for i, one in enumerate(found)
    ]
    told = collect(nw.concat(counts))
    numbers = [int(told.loc[told["at"] == i, "n"].sum()) for i in range(len(found))]
    return _joined([_counted(one, n) for one, n in zip(found, numbers, strict=True) if n])


def listed(frames: Mapping[str, nw.LazyFrame], as_of: date) -> pd.DataFrame:
    """List them one by one, sorted by id; more than `LISTED` of one kind are counted.

    One check after the other, so that memory holds one at a time.

    Returns
    -------
    DataFrame
        Columns of `kpi.conform`; ``row`` is 0: rows of a store have no number.
    """
    found = [_each(one) for one in odd(frames, as_of)]
    if "stages" in frames and "deals" in frames:
        found.append(hopeless(to_pandas("stages", frames["stages"])).assign(row=0))
    return _joined(found)


def odd(frames: Mapping[str, nw.LazyFrame], as_of: date) -> Iterator[Odd]:
    """Yield what to look for in the tables there are, with the rows that are so."""
    yield from _stages(frames)
    yield from _pipelines(frames)
    yield from _dates(frames, day_number(as_of))
    yield from _references(frames)


def _each(one: Odd) -> pd.DataFrame:
    """List the rows, or count them where they are many."""
    told = collect(one.rows.select(n=nw.len()))
    n = int(told["n"].iloc[0])
    if n == 0:
        return no_problems()
    if n > LISTED:
        return _counted(one, n)
    key = TELLS[one.table]
    rows = to_pandas(one.table, one.rows, [key, one.column])
    text = rows.astype("str").sort_values([key, one.column], ignore_index=True)
    ids, values = text[key].tolist(), text[one.column].tolist()
    return problem_rows(one.table, [0] * n, ids, one.column, values, one.reason)


def _counted(one: Odd, n: int) -> pd.DataFrame:
    return problem_rows(one.table, [0], [""], one.column, [f"{n:,} rows"], one.reason)


def _joined(found: list[pd.DataFrame]) -> pd.DataFrame:
    some = [problems for problems in found if not problems.empty]
    return pd.concat(some, ignore_index=True) if some else no_problems()


def _dates(frames: Mapping[str, nw.LazyFrame], last: int) -> Iterator[Odd]:
    for table, column in BORN:
        if table in frames:
            late = frames[table].filter(nw.col(f"{column}_day") > last)
            yield Odd(table, f"{column}_at", LATE, late)
    if "deals" in frames:
        closed = frames["deals"].filter(nw.col("outcome").is_in(["won", "lost"]))
        day = nw.coalesce("closed_day", "close_date_day")
        reason = "closed before it was created: left out of durations"
        yield Odd("deals", "close_date", reason, closed.filter(day < nw.col("created_day")))
        if "history" not in frames:
            reason = "closed without a date: left out of rates by period and of durations"
            yield Odd("deals", "close_date", reason, closed.filter(day.is_null()))
            reason = "closed with a date after the as-of date: counted as open"
            future = nw.col("closed_day").is_null() & (nw.col("close_date_day") > last)
            yield Odd("deals", "close_date", reason, closed.filter(future))


def _stages(frames: Mapping[str, nw.LazyFrame]) -> Iterator[Odd]:
    """Stages that the table of stages lacks, for objects of which it has any."""
    reason = "unknown stage: counted, but not placed in the funnel"
    for table, name in (("deals", "deal"), ("leads", "lead"), ("history", None)):
        if table in frames and "stages" in frames:
            known = frames["stages"].with_columns(any=nw.lit(1))
            known = known.filter(nw.col("object") == name) if name else known
            rows = frames[table].with_columns(any=nw.lit(1))
            asked = rows.join(known.select("any").unique(), on="any", how="semi")
            lost = _nowhere(asked, "stage_id", known, "stage_id")
            yield Odd(table, "stage_id", reason, lost)


def _pipelines(frames: Mapping[str, nw.LazyFrame]) -> Iterator[Odd]:
    """Deals that could be in several pipelines."""
    if "stages" in frames and "deals" in frames:
        several = shared(to_pandas("stages", frames["stages"]))
        unsure = nw.col("pipeline_id").is_null() & nw.col("stage_id").is_in(several)
        if several:
            yield Odd("deals", "pipeline_id", UNSURE, frames["deals"].filter(unsure))


def _references(frames: Mapping[str, nw.LazyFrame]) -> Iterator[Odd]:
    for table, column, target, key in REFERENCES:
        if table in frames and target in frames:
            lost = _nowhere(frames[table], column, frames[target], key)
            yield Odd(table, column, f"no such row in {target}", lost)


def _nowhere(frame: nw.LazyFrame, column: str, target: nw.LazyFrame, key: str) -> nw.LazyFrame:
    """Rows that name what the other table does not have."""
    named = target.select(nw.col(key).alias("named"))
    there = frame.filter(~nw.col(column).is_null())
    return there.join(named, left_on=column, right_on="named", how="anti")
