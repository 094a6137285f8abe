"""Narrow leads and deals, and their history, to those that hold some values."""

from collections.abc import Iterable, Mapping

import narwhals as nw

from kpi.engine import collect
from kpi.known import Frames
from kpi.tables import TABLES, TableError

RECORDS = ("leads", "deals")
Filters = Mapping[str, tuple[str, ...]]


def id_column(name: str) -> str:
    """Return the column that a filter or group name means: ``pipeline`` -> ``pipeline_id``.

    >>> id_column("pipeline"), id_column("source")
    ('pipeline_id', 'source')
    """
    plural = {column for table in RECORDS for column in TABLES[table].names}
    return f"{name}_id" if name not in plural and f"{name}_id" in plural else name


def narrowed(
    frames: Frames, filters: Mapping[str, object], before: Filters
) -> tuple[Frames, Filters]:
    """Return the tables narrowed by `filters`, and what they are narrowed to with those `before`.

    A table without the column is left as it is; deals that never fill it are narrowed by that of
    their lead. History follows the leads and deals left. See `kpi.Snapshot.where`.
    """
    frames, wanted = dict(frames), dict(before)
    whole = dict(frames)  # which columns are filled is told before any of these filters
    for name, value in filters.items():
        values = _values(value)
        frames = _by_column(frames, whole, name, values)
        said = tuple(str(v) for v in values)
        wanted[name] = tuple(v for v in wanted.get(name, said) if v in said)
    ids = nw.concat(
        [
            frames["leads"].select(nw.lit("lead").alias("object"), record_id=nw.col("lead_id")),
            frames["deals"].select(nw.lit("deal").alias("object"), record_id=nw.col("deal_id")),
        ]
    )
    frames["history"] = frames["history"].join(ids, on=["object", "record_id"], how="semi")
    return frames, wanted


def _by_column(frames: Frames, whole: Frames, name: str, values: tuple[object, ...]) -> Frames:
    """Narrow by one column."""
    column = id_column(name)
    holders = [table for table in RECORDS if column in TABLES[table].names]
    if not holders:
        raise TableError(
            f"where({name}=...): neither leads nor deals have that column; "
            f"expected one of {sorted({*TABLES['leads'].names, *TABLES['deals'].names})}"
        )
    by_lead = len(holders) == len(RECORDS) and not _fills(whole["deals"], column)
    by_lead = by_lead and _fills(whole["leads"], column)
    narrow = {
        table: frames[table].filter(nw.col(column).is_in(values))
        for table in (["leads"] if by_lead else holders)
    }
    if by_lead:
        ours = narrow["leads"].select(lead=nw.col("lead_id"))
        narrow["deals"] = frames["deals"].join(ours, on="lead", how="semi")
    return frames | narrow


def _fills(table: nw.LazyFrame, column: str) -> bool:
    """Tell whether any row of a table holds a value in the column."""
    held = table.filter(~nw.col(column).is_null()).head(1)
    return len(collect(held.select(column))) > 0


def _values(value: object) -> tuple[object, ...]:
    """Return one value, or each of several."""
    several = isinstance(value, Iterable) and not isinstance(value, str)
    return tuple(value) if several else (value,)  # type: ignore[arg-type]
