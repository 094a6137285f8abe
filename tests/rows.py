"""Compare the tables of a store row for row with what a CRM truly holds."""

import pandas as pd

from kpi.conform import conform
from kpi.tables import TABLES

SHOWN = 3  # rows of a difference that are shown


def differences(store, truth, there="the account"):
    """Compare every table of the truth row for row; return what differs, in words."""
    found = []
    for name, frame in truth.items():
        if name in store:
            found += _of_table(name, store[name], conform(name, frame).frame, there)
        elif len(frame):
            found.append(f"{name}: not in the store, {len(frame)} rows in {there}")
    return found


def _of_table(name, have, want, there):
    key, columns = list(TABLES[name].key), TABLES[name].names
    have, want = _by_key(have[columns], key), _by_key(want[columns], key)
    found = []
    for words, rows in (("in the store", have), (f"in {there}", want)):
        if rows.index.duplicated().any():
            twice = rows.index[rows.index.duplicated()]
            return [f"{name}: {len(twice)} keys twice {words}: {list(twice[:SHOWN])}"]
    for words, ids in (
        ("missing", want.index.difference(have.index)),
        ("in the store only", have.index.difference(want.index)),
    ):
        if len(ids):
            found.append(f"{name}: {len(ids)} of {len(want)} rows {words}: {list(ids[:SHOWN])}")
    both = want.index.intersection(have.index)
    have, want = have.loc[both], want.loc[both]
    for column in columns:
        other = _unequal(have[column], want[column])
        if other.any():
            ids = both[other][:SHOWN]
            cases = [f"{i}: {have[column][i]!r}, not {want[column][i]!r}" for i in ids]
            found.append(f"{name}.{column}: {other.sum()} of {len(both)} differ: {cases}")
    return found


def _by_key(rows, key):
    return rows.set_index(pd.MultiIndex.from_frame(rows[key].astype(str)))


def _unequal(have, want):
    missing = have.isna() & want.isna()
    if str(want.dtype) == "float64":
        return ~(((have - want).abs() <= 1e-6) | missing).to_numpy()
    return ~((have == want).fillna(value=False).astype(bool) | missing).to_numpy()
