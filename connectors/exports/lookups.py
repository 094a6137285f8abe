"""Values of a column looked up in another file of the export, and those it lacks."""

from collections.abc import Callable

import pandas as pd

from connectors.errors import FileError
from connectors.exports.cells import as_text
from connectors.exports.mapping_table import Lookup
from connectors.exports.raw_tables import RawTable, require_columns
from connectors.exports.read_options import ReadOptions

FAILED_JOINS = ["table", "column", "value", "rows", "looked_up_in"]
Load = Callable[[str, ReadOptions], RawTable]


def looked_up(
    cells: pd.Series, lookup: Lookup, options: ReadOptions, load: Load
) -> tuple[pd.Series, pd.DataFrame]:
    """Correct, check and, where the lookup takes a value, exchange the cells.

    Returns the cells and the values not found (``value, rows, looked_up_in``). A cell not found
    keeps its value where the lookup only checks, and is missing where it takes another value.

    Raises
    ------
    FileError
        If the other file lacks a column, or holds one key with several values.

    """
    other = load(lookup.file, lookup.read)
    require_columns(other, [lookup.key, *([lookup.value] if lookup.value else [])])
    text = as_text(cells, options.missing)
    text = text.replace(dict(lookup.spelling))
    keys = as_text(other.frame[lookup.key], lookup.read.missing)
    missed = counted(text[~text.isin(keys)], f"{lookup.file}: {lookup.key}")
    if lookup.value is None:
        return text, missed
    pairs = pd.DataFrame({"key": keys, "value": as_text(other.frame[lookup.value])})
    pairs = pairs.dropna(subset="key").drop_duplicates()
    twice = pairs["key"][pairs["key"].duplicated()]
    if not twice.empty:
        raise FileError(
            f"{lookup.file}: {lookup.key} {twice.iloc[0]!r} stands there with several values of "
            f"{lookup.value}; keep one of them"
        )
    return text.map(pairs.set_index("key")["value"]).astype("str"), missed


def no_failed_joins() -> pd.DataFrame:
    """Return an empty list of failed joins.

    >>> no_failed_joins().columns.tolist()
    ['table', 'column', 'value', 'rows', 'looked_up_in']
    """
    empty = pd.DataFrame(columns=FAILED_JOINS, dtype="str")
    return empty.astype({"rows": "int64"})


def counted(values: pd.Series, looked_up_in: str) -> pd.DataFrame:
    """Failed values with their number of rows, the commonest first."""
    counts = values.value_counts().rename_axis("value").reset_index(name="rows")
    return counts.assign(looked_up_in=looked_up_in)
