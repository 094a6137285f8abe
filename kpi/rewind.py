"""Take records that changed after a moment back to the last values recorded before it."""

from collections.abc import Iterable, Mapping, Sequence

import narwhals as nw

from kpi.engine import Engine, collect
from kpi.tables import TABLES

REWOUND = {
    "stage_id": (),
    "status": (),
    "owner_id": (),
    "amount": (),
    "close_date": ("close_date_s", "close_date_day"),
    "pipeline_id": (),
}
"""Columns that history records, each with the whole-number twins that go back with it."""
SETTLED = {"lead_id", "deal_id", "created_at", "url"}
"""Columns of leads and deals that do not change in life, ..."""
TOLD = {"converted_at", "outcome", "closed_at", "lost_reason"}
"""... and those whose past is told by dates and by the stage."""
FLAGS = {"stage_id": "staged", "close_date": "redated"}
NO = nw.lit(value=False)
WHO = ("object", "record_id")
ORDER = ("changed_s", "place")


def rewind(
    records: nw.LazyFrame, name: str, all_history: nw.LazyFrame, engine: Engine, cut: int
) -> nw.LazyFrame:
    """Rewind leads or deals to the UTC second `cut`; those that did not change since stay as they are.

    A column is rewound only where history recorded it for that record at some time; what history
    never recorded is taken to have been as it is now. Added: ``staged`` and ``redated``, true where
    the stage, or the close date, was rewound.
    """
    own = all_history.filter(nw.col("object") == name)
    late = engine.store(own.filter(nw.col("changed_s") >= cut).select("record_id").unique())
    if count(late) == 0:
        return records.with_columns(staged=NO, redated=NO)
    there = records.collect_schema().names()
    taken = {column: twins for column, twins in REWOUND.items() if column in there}
    then = _last_values(own.join(late, on="record_id", how="semi"), taken, engine, cut)
    result = records.join(then, left_on=f"{name}_id", right_on="record_id", how="left")
    has = {column: nw.coalesce(f"has_{column}", nw.lit(0)) > 0 for column in taken}
    back = {
        name: nw.when(has[column]).then(nw.col(f"then_{name}")).otherwise(nw.col(name))
        for column, twins in taken.items()
        for name in (column, *twins)
    }
    flags = {flag: has.get(column, NO) for column, flag in FLAGS.items()}
    return engine.store(result.with_columns(**back, **flags).select(*there, *flags))


def _last_values(
    history: nw.LazyFrame, taken: Mapping[str, Sequence[str]], engine: Engine, cut: int
) -> nw.LazyFrame:
    """Last values recorded before the second `cut`, record by record, all columns in two passes.

    ``record_id``; of each column ``has_<column>``, how often it was recorded at any time, and
    ``then_<column>`` with that of its twins: missing where it was not recorded before.
    """
    numbered = history.with_columns(one=nw.lit(1)).with_columns(
        step=nw.col("one").cum_sum().over("record_id", order_by=list(ORDER))
    )
    numbered = engine.store(
        numbered.select(
            "record_id", "changed_s", "step", *taken, *[t for ts in taken.values() for t in ts]
        )
    )
    before = nw.col("changed_s") < cut
    last = {
        f"at_{column}": nw.when(before & ~nw.col(column).is_null()).then(nw.col("step")).max()
        for column in taken
    }
    ever = {f"has_{column}": nw.col(column).count() for column in taken}
    steps = numbered.group_by("record_id").agg(**last, **ever)
    then = {
        f"then_{name}": nw.when(nw.col("step") == nw.col(f"at_{column}")).then(nw.col(name)).max()
        for column, twins in taken.items()
        for name in (column, *twins)
    }
    found = numbered.join(steps, on="record_id").group_by("record_id", *ever)
    return found.agg(**then)


def not_rewound(raw: Mapping[str, nw.LazyFrame]) -> dict[str, tuple[str, ...]]:
    """Columns of leads and deals that change in life, are filled, and have no history at all.

    In the past they are as they are now. A column that history records of some records only is not
    listed; the others stand as they are now.
    """
    history = raw["history"].with_columns(object=nw.coalesce(nw.col("object"), nw.lit("deal")))
    found = {}
    for name in ("leads", "deals"):
        own = history.filter(nw.col("object") == name.removesuffix("s"))
        recorded = filled(own, REWOUND)
        changing = [c for c in TABLES[name].names if c not in SETTLED | TOLD]
        found[name] = tuple(c for c in filled(raw[name], changing) if c not in recorded)
    return found


def filled(frame: nw.LazyFrame, columns: Iterable[str]) -> list[str]:
    """Those of the columns that hold any value."""
    there = frame.collect_schema().names()
    wanted = [column for column in columns if column in there]
    held = collect(frame.select(*[nw.col(column).count() for column in wanted])).iloc[0]
    return [column for column in wanted if held[column] > 0]


def last_value(history: nw.LazyFrame, column: str, also: Sequence[str] = ()) -> nw.LazyFrame:
    """Last recorded value of a column for each record: ``record_id`` and ``then``.

    Columns `also` of the same change are ``then_<column>``.
    """
    following = nw.col("changed_s").shift(-1).over("record_id", order_by=list(ORDER))
    recorded = history.filter(~nw.col(column).is_null())
    twins = {f"then_{name}": nw.col(name) for name in also}
    recorded = recorded.select("record_id", then=nw.col(column), **twins, following=following)
    return recorded.filter(nw.col("following").is_null()).drop("following")


def moves(history: nw.LazyFrame) -> nw.LazyFrame:
    """Return the changes that brought a record into another stage than the one it was in.

    Some sources repeat the stage with every change (an amount edited after the win); such rows
    are no entry into the stage.
    """
    before = nw.col("stage_id").shift(1).over(*WHO, order_by=list(ORDER))
    staged = history.filter(~nw.col("stage_id").is_null()).with_columns(before=before)
    return staged.filter(nw.col("before").is_null() | (nw.col("before") != nw.col("stage_id")))


def count(frame: nw.LazyFrame) -> int:
    """Count the rows."""
    return int(collect(frame.select(nw.len().alias("n")))["n"].iloc[0])
