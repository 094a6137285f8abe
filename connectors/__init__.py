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

DEFINITIONS, WINDOW = "definitions.toml", "window_start.txt"

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
    found = read_folder(folder, mapping=mapping, definitions=definitions)
    day = _date(as_of) if as_of is not None else None
    known = found.as_of or day
    if known is None:
        raise FileError(
            f"{folder.name}: nothing says as of when this export is; give as_of, or put a file "
            "as_of.txt with the date (2026-11-01) into the folder, or as_of into its mapping"
        )
    _refuse_later(day, known, folder.name)
    snapshot = Snapshot.from_frames(
        found.frames,
        as_of=known,
        window_start=found.window_start,
        definitions=found.definitions,
        source=found.source,
    )
    listed = [p for p in (found.report.problems, snapshot.problems) if not p.empty]
    if listed:
        snapshot = replace(snapshot, problems=pd.concat(listed, ignore_index=True))
    return snapshot.at(day) if day is not None and day < known else snapshot


def keep(path: str | Path, store: str | Path, *, mapping: str | Path | None = None) -> SyncResult:
    """Read a folder and keep it in a store: a new sync, with every earlier one still there.

    The export counts as complete: of the tables it has, rows no longer in it leave the current
    version. Its definitions and the start of its window are kept beside the tables.

    Raises
    ------
    FileError
        If the folder cannot be read, or nothing says as of when it is.
    """
    found = read_folder(path, mapping=mapping)
    if found.as_of is None:
        raise FileError(f"{Path(path).name}: put a file as_of.txt with the date into the folder")
    folder = Path(store)
    settings = found.definitions or Definitions()
    result = Store(folder).merge(
        found.frames,
        source=found.source,
        as_of=found.as_of,
        replace=list(found.frames),
        time_zone=settings.time_zone,
    )
    kept = {
        DEFINITIONS: settings.to_toml(),
        WINDOW: str(found.window_start) if found.window_start else "",
    }
    for name, text in kept.items():
        (folder / name).write_text(text + "\n", encoding="utf-8", newline="\n")
    return result


def _stored(folder: Path, as_of: date | str | None, definitions: Definitions | None) -> Snapshot:
    store = Store(folder)
    last = store.as_of()
    wanted = _date(as_of) if as_of is not None else last
    _refuse_later(wanted, last, folder.name)
    settings, window = folder / DEFINITIONS, folder / WINDOW
    if definitions is None and settings.exists():
        definitions = Definitions.read(settings)
    made = store.syncs().sort_values("sync_id")
    known = made[pd.to_datetime(made["as_of"]).dt.date <= wanted]
    # before the first sync there is only its history to rewind by
    sync = int((known if len(known) else made[:1])["sync_id"].iloc[-1])
    return Snapshot.from_parquet(
        store.files(sync),
        as_of=wanted,
        window_start=window.read_text(encoding="utf-8").strip() or None
        if window.exists()
        else None,
        definitions=definitions,
        source=f"store {folder.name}",
    )


def _refuse_later(day: date | None, known: date, name: str) -> None:
    if day is not None and day > known:
        raise FileError(f"{name}: as of {day} is not known; the data goes up to {known}")


def _date(day: date | str) -> date:
    try:
        if isinstance(day, str):
            return date.fromisoformat(day.strip()[:10])
        return date(day.year, day.month, day.day)
    except ValueError as error:
        raise StoreError(f"as_of = {day!r}: expected a date like 2026-11-01") from error
