"""What is odd between tables that stay on an engine: counted by lazy expressions, nothing dropped."""

from collections.abc import Iterator, Mapping
from datetime import date

import narwhals as nw
import pandas as pd

from kpi.conform import no_problems, problem_rows
from kpi.crosscheck import REFERENCES
from kpi.engine import collect
from kpi.periods import day_number

Found = tuple[str, str, str, nw.LazyFrame]
LATE = "after the as-of date: not yet known, not used"
BORN = (("leads", "created"), ("deals", "created"), ("history", "changed"))


def between(frames: Mapping[str, nw.LazyFrame], as_of: date) -> pd.DataFrame:
    """Count unknown stages, impossible dates and references to nowhere, as `kpi.crosscheck` lists them.

    Returns
    -------
    DataFrame
        Columns of `kpi.conform`; one row a table, column and reason, ``value`` says how many rows.
    """
    odd = [*_dates(frames, day_number(as_of)), *_stages(frames), *_references(frames)]
    if not odd:
        return no_problems()
    counts = [
        rows.select(n=nw.len()).select(at=nw.lit(i), n=nw.col("n").cast(nw.Int64))
        for i, (_, _, _, rows) in enumerate(odd)
    ]
    told = collect(nw.concat(counts))
    found = [
        problem_rows(table, [0], [""], column, [f"{n:,} rows"], reason)
        for i, (table, column, reason, _) in enumerate(odd)
        if (n := int(told.loc[told["at"] == i, "n"].sum()))
    ]
    return pd.concat(found, ignore_index=True) if found else no_problems()


def _dates(frames: Mapping[str, nw.LazyFrame], last: int) -> Iterator[Found]:
    for table, column in BORN:
        if table in frames:
            yield table, f"{column}_at", LATE, frames[table].filter(nw.col(f"{column}_day") > last)
    if "deals" in frames:
        closed = frames["deals"].filter(nw.col("outcome").is_in(["won", "lost"]))
        day = nw.coalesce("closed_day", "close_date_day")
        reason = "closed before it was created: left out of durations"
        yield "deals", "close_date", reason, closed.filter(day < nw.col("created_day"))
        if "history" not in frames:
            reason = "closed without a date: left out of rates by period and of durations"
            yield "deals", "close_date", reason, closed.filter(day.is_null())
            reason = "closed with a date after the as-of date: counted as open"
            yield "deals", "close_date", reason, closed.filter(day > last)


def _stages(frames: Mapping[str, nw.LazyFrame]) -> Iterator[Found]:
    """Stages that the table of stages lacks, for objects of which it has any."""
    reason = "unknown stage: counted, but not placed in the funnel"
    for table, name in (("deals", "deal"), ("leads", "lead"), ("history", None)):
        if table in frames and "stages" in frames:
            known = frames["stages"].with_columns(any=nw.lit(1))
            known = known.filter(nw.col("object") == name) if name else known
            rows = frames[table].with_columns(any=nw.lit(1))
            asked = rows.join(known.select("any").unique(), on="any", how="semi")
            yield table, "stage_id", reason, _nowhere(asked, "stage_id", known, "stage_id")


def _references(frames: Mapping[str, nw.LazyFrame]) -> Iterator[Found]:
    for table, column, target, key in REFERENCES:
        if table in frames and target in frames:
            lost = _nowhere(frames[table], column, frames[target], key)
            yield table, column, f"no such row in {target}", lost


def _nowhere(frame: nw.LazyFrame, column: str, target: nw.LazyFrame, key: str) -> nw.LazyFrame:
    """Rows that name what the other table does not have."""
    named = frame.filter(~nw.col(column).is_null()).select(named=nw.col(column))
    return named.join(target.select(nw.col(key).alias("named")), on="named", how="anti")
