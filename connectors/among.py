"""Which values of a column of ids are among others, without a Python object for each."""

from collections.abc import Collection

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.extensions import ExtensionArray


def among(column: pd.Series, values: pd.Series | ExtensionArray | Collection[str]) -> pd.Series:
    """Tell which values of a text column are among `values`; a missing one never is.

    As `pandas.Series.isin`, which goes through text one by one.

    >>> among(pd.Series(["a", "b", None], dtype="str"), ["b", "c"]).tolist()
    [False, True, False]
    >>> among(pd.Series(dtype="int64"), pd.Series(["a"])).tolist()
    []
    """
    known = pa.array(
        values if isinstance(values, pd.Series) else list(values),
        pa.large_string(),
        from_pandas=True,
    )
    mine = pa.array(column.astype("str"), pa.large_string(), from_pandas=True)
    found = pc.is_in(mine, value_set=known, skip_nulls=True)
    return pd.Series(found.to_numpy(zero_copy_only=False), index=column.index, dtype="bool")
