"""The shell: export files and the local store. `open` is what a notebook needs."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd

from connectors.errors import ConnectorError, FileError, StoreError
from connectors.exports.import_report import ImportReport
from connectors.files import Import, read_folder
from connectors.store import Store, SyncResult
from kpi.definitions import Definitions
from kpi.snapshot import Snapshot

__all__ = [
    "ConnectorError",
    "FileError",
    "Import",
    "ImportReport",
    "Store",
    "StoreError",
    "SyncResult",
    "keep",
    "open",
    "read_folder",
]


def open(
    path: str | Path,
    as_of: date | str | None = None,
    *,
    mapping: str | Path | None = None,
    definitions: Definitions | None = None,
) -> Snapshot:
    """Open a store, a folder of canonical tables, or a foreign export with its mapping.

    Parameters
    ----------
    path : str or Path
        A store (`Store`), or a folder of CSV, Excel or Parquet files.
    as_of : date or ISO text, optional
        Last day that counts as known. Default: the last sync of a store; the ``as_of.txt`` of a
        folder, or the ``as_of`` of its mapping. Never the clock.
    mapping : str or Path, optional
        Mapping file of a foreign export; default ``mapping.toml`` inside the folder.
    definitions : Definitions, optional
        What counts; default ``definitions.toml`` inside the folder (or the store), or the mapping's.

    Returns
    -------
    kpi.Snapshot
        ``problems`` lists every row and value that was rejected, cleared or remarked on.

    Raises
    ------
    FileError
        If the folder cannot be read, or nothing says as of when it is.
    StoreError
        If the store has no sync up to that day.
    """
    folder = Path(path)
    if Store.exists(folder):
        return _stored(folder, as_of, definitions)
    found = read_folder(folder, mapping=mapping)
    day = as_of or found.as_of
    if day is None:
        raise FileError(
            f"{folder.name}: nothing says as of when this export is; give as_of, or put a file "
            "as_of.txt with the date (2026-11-01) into the folder, or as_of into its mapping"
        )
    snapshot = Snapshot.from_frames(
        found.frames,
        as_of=day,
        window_start=found.window_start,
        definitions=definitions or found.definitions,
        source=found.source,
    )
    listed = [p for p in (found.report.problems, snapshot.problems) if not p.empty]
    return replace(snapshot, problems=pd.concat(listed, ignore_index=True)) if listed else snapshot


def keep(path: str | Path, store: str | Path, *, mapping: str | Path | None = None) -> SyncResult:
    """Read a folder and keep it in a store: a new sync, with every earlier one still there.

    Its ``definitions.toml`` is kept beside the tables.

    Raises
    ------
    FileError
        If the folder cannot be read, or nothing says as of when it is.
    """
    found = read_folder(path, mapping=mapping)
    if found.as_of is None:
        raise FileError(f"{Path(path).name}: put a file as_of.txt with the date into the folder")
    result = Store(store).merge(found.frames, source=found.source, as_of=found.as_of)
    if found.definitions is not None:
        text = found.definitions.to_toml() + "\n"
        (Path(store) / "definitions.toml").write_text(text, encoding="utf-8", newline="\n")
    return result


def _stored(folder: Path, as_of: date | str | None, definitions: Definitions | None) -> Snapshot:
    store = Store(folder)
    day = as_of or store.as_of()
    settings = folder / "definitions.toml"
    if definitions is None and settings.exists():
        definitions = Definitions.read(settings)
    wanted = _date(day)
    made = store.syncs().sort_values("sync_id")
    known = made[pd.to_datetime(made["as_of"]).dt.date <= wanted]
    # before the first sync there is only its history to rewind by
    sync = int((known if len(known) else made[:1])["sync_id"].iloc[-1])
    return Snapshot.from_parquet(
        store.files(sync), as_of=wanted, definitions=definitions, source=f"store {folder.name}"
    )


def _date(day: date | str) -> date:
    try:
        return day if isinstance(day, date) else date.fromisoformat(day.strip()[:10])
    except ValueError as error:
        raise StoreError(f"as_of = {day!r}: expected a date like 2026-11-01") from error
