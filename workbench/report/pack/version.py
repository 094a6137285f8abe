"""Which state of the data a pack was made from, in words that find it again."""

import hashlib
from pathlib import Path

import pandas as pd

from connectors import Store
from kpi import TABLES, Snapshot


def data_version(path: Path | None, snapshot: Snapshot) -> str:
    """Name the sync of a store, and the first digits of a sum over the data.

    Parameters
    ----------
    path : Path or None
        The store, if it is one.

    Returns
    -------
    str
        ``sync 12, data 3f2a91bc``; without a store only the second part. The same rows give the same
        digits, in whatever order they come.
    """
    digits = f"data {fingerprint(snapshot)}"
    if path is None or not Store.exists(path):
        return digits
    made = Store(path).syncs()
    known = made[pd.to_datetime(made["as_of"]).dt.date <= snapshot.as_of]
    return f"sync {int((known if len(known) else made)['sync_id'].max())}, {digits}"


def fingerprint(snapshot: Snapshot) -> str:
    """First eight digits of a sum over every row of every table."""
    found = hashlib.sha256()
    for name in sorted(snapshot.present, key=list(TABLES).index):
        rows = snapshot.table(name).to_pandas()
        rows = rows[sorted(rows.columns)].astype("str")
        total = int(pd.util.hash_pandas_object(rows, index=False).to_numpy().sum(dtype="uint64"))
        found.update(f"{name} {len(rows)} {total}\n".encode())
    return found.hexdigest()[:8]
