"""Change several tables, one commit each; `connectors.lake.syncs.publish` then makes them visible."""

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from connectors.errors import StoreError
from connectors.lake import delta, syncs
from connectors.lake.changes import LEAVING, schema
from kpi.conform import known_table
from kpi.tables import TABLES

TRACKED = {"leads": "lead", "deals": "deal"}
"""Tables whose changes ``history`` holds, and the word for their records there."""


class Committed(NamedTuple):
    """The version of each table touched, and ``table, new, changed, removed, rejected`` of each."""

    versions: dict[str, int]
    counts: pd.DataFrame


def commit(
    path: Path,
    frames: Mapping[str, pd.DataFrame],
    *,
    remove: Mapping[str, list[str]],
    watermarks: Mapping[str, Mapping[str, str]],
    replace: Collection[str] = (),
    always: bool = False,
) -> Committed:
    """Bring canonical frames into their tables; the parameters are those of `Store.merge`.

    Parameters
    ----------
    always : bool
        Whether each table gets a commit even where nothing changes, so that any other writer who
        began before it has to begin again.
    """
    _refuse_unusable(frames, remove, watermarks, replace)
    leaving = {name: _leaving(name, ids) for name, ids in remove.items()}
    if any(name in TRACKED for name in leaving):
        tracked = [rows for name, rows in leaving.items() if name in TRACKED]
        leaving["history"] = pa.concat_tables(tracked)
    published = syncs.last(path)["versions"]
    versions: dict[str, int] = {}
    counts = []
    for name, table in TABLES.items():
        folder = path / name
        known = name in leaving and delta.is_table(folder)
        if not (name in frames or name in watermarks or known):
            continue
        work = partial(
            delta.save,
            folder,
            table,
            _rows(name, frames),
            leaving.get(name, LEAVING.empty_table()),
            watermarks_at(path, published, name) | dict(watermarks.get(name, {})),
            replace=name in replace,
            always=always,
        )
        saved = delta.retried(f"table {name}", work)
        versions[name] = saved.version
        counts.append([name, saved.new, saved.changed, saved.removed, 0])
    return Committed(versions, pd.DataFrame(counts, columns=["table", *syncs.COUNTS]))


def watermarks_at(path: Path, versions: Mapping[str, int], table: str) -> dict[str, str]:
    """Return the watermarks of a table at the version named; empty where none is."""
    known_table(table)
    if table not in versions:
        return {}
    return delta.watermarks_at(path / table, versions[table])


def _rows(name: str, frames: Mapping[str, pd.DataFrame]) -> pa.Table | None:
    if name not in frames:
        return None
    return pa.Table.from_pandas(frames[name], schema=schema(TABLES[name]), preserve_index=False)


def _leaving(name: str, ids: list[str]) -> pa.Table:
    words = [TRACKED.get(name)] * len(ids)
    return pa.table({"object": words, "id": [str(i) for i in ids]}, schema=LEAVING)


def _refuse_unusable(
    frames: Collection[str],
    remove: Mapping[str, list[str]],
    watermarks: Collection[str],
    replace: Collection[str],
) -> None:
    for name in [*watermarks, *remove]:
        known_table(name)
    for name in remove:
        if len(TABLES[name].key) != 1:
            having = [table.name for table in TABLES.values() if len(table.key) == 1]
            raise StoreError(
                f"records cannot be removed from {name} by id; expected one of {having} "
                "(history leaves with its lead or deal)"
            )
    missing = [name for name in replace if name not in frames]
    if missing:
        raise StoreError(
            f"replace names {missing}, but there is no frame of it: pass the frame too"
        )
