"""Take records that changed after a moment back to the last values recorded before it."""

import narwhals as nw

from kpi.engine import Engine, collect

REWOUND = ("stage_id", "status", "owner_id", "amount")
WHO = ("object", "record_id")
ORDER = ("changed_s", "place")


def rewind(
    records: nw.LazyFrame, name: str, all_history: nw.LazyFrame, engine: Engine, cut: int
) -> nw.LazyFrame:
    """Rewind leads or deals to the UTC second `cut`; those that did not change since stay as they are.

    A column is rewound only where history recorded it for that record at some time; what history
    never recorded is taken to have been as it is now. Added: ``staged``, true where the stage was
    rewound.
    """
    own = all_history.filter(nw.col("object") == name)
    late = engine.store(own.filter(nw.col("changed_s") >= cut).select("record_id").unique())
    if count(late) == 0:
        return records.with_columns(staged=nw.lit(value=False))
    own = engine.store(own.join(late, on="record_id", how="semi"))
    result, key = records, f"{name}_id"
    for column in [c for c in REWOUND if c in records.collect_schema().names()]:
        recorded = own.filter(~nw.col(column).is_null())
        ever = recorded.select("record_id", has=nw.lit(value=True)).unique()
        then = last_value(recorded.filter(nw.col("changed_s") < cut), column)
        result = result.join(ever, left_on=key, right_on="record_id", how="left")
        result = result.join(then, left_on=key, right_on="record_id", how="left")
        value = nw.col("then") * _converted() if column == "amount" else nw.col("then")
        has = ~nw.col("has").is_null()
        stage = {"staged": has} if column == "stage_id" else {}
        result = result.with_columns(
            nw.when(has).then(value).otherwise(nw.col(column)).alias(column), **stage
        ).drop("has", "then")
    return result


def last_value(history: nw.LazyFrame, column: str) -> nw.LazyFrame:
    """Last recorded value of a column for each record: ``record_id`` and ``then``."""
    following = nw.col("changed_s").shift(-1).over("record_id", order_by=list(ORDER))
    recorded = history.filter(~nw.col(column).is_null())
    recorded = recorded.select("record_id", then=nw.col(column), following=following)
    return recorded.filter(nw.col("following").is_null()).select("record_id", "then")


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


def _converted() -> nw.Expr:
    """Rate at which the deal's amount was converted, 1 where it was not."""
    rate = nw.col("amount") / nw.col("amount_original")
    both = (nw.col("amount") > 0) & (nw.col("amount_original") > 0)
    return nw.when(both).then(rate).otherwise(nw.lit(1.0))
