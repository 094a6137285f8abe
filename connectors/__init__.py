"""The shell: CRMs, export files, the local store. `open` and `sync` are what a notebook needs."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd

from connectors import hubspot, salesforce
from connectors.crm_settings import Fields
from connectors.errors import (
    ApiError,
    ConnectorError,
    CredentialsError,
    DailyLimitError,
    FileError,
    ScopeError,
    StoreError,
)
from connectors.exports.import_report import ImportReport
from connectors.files import Import, read_folder
from connectors.progress import Progress, bars
from connectors.secret import Secret
from connectors.store import Store, SyncResult
from connectors.sync_report import SyncReport
from kpi.definitions import Definitions
from kpi.snapshot import Snapshot

DEFINITIONS, WINDOW = "definitions.toml", "window_start.txt"

SOURCES = ("hubspot", "salesforce")

__all__ = [
    "ApiError",
    "ConnectorError",
    "CredentialsError",
    "DailyLimitError",
    "FileError",
    "Import",
    "ImportReport",
    "ScopeError",
    "Store",
    "StoreError",
    "SyncResult",
    "hubspot",
    "keep",
    "open",
    "read_folder",
    "salesforce",
    "sync",
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


def sync(
    source: str,
    store: str | Path,
    *,
    token: str | Secret | None = None,
    url: str | None = None,
    full: bool = False,
    since: date | str | None = None,
    fields: Fields | None = None,
    lag_seconds: int | None = None,
    prompt: bool = True,
    progress: Progress = bars,
) -> SyncReport:
    """Bring a store up to date with a CRM: everything at first, after that what has changed.

    Nothing is ever written to the CRM. A sync that was interrupted goes on where it stopped.

    Parameters
    ----------
    source : str
        ``hubspot`` or ``salesforce``.
    store : str or Path
        Folder of the store; made if it is not there. `connectors.open` opens it.
    token, url
        Default: from the environment or the keyring, else asked for; see `connect` of the source.
    full : bool
        Read every record anew, and let go of those that are gone.
    since : date or ISO text, optional
        Read again what has changed since that day; at the first sync, nothing older.
    fields : mapping of table to (column to property), optional
        Properties (Salesforce: fields) of your own to use, like
        ``{"deals": {"segment": "industry_vertical"}}``. Kept in the store's ``hubspot.toml`` or
        ``salesforce.toml``.
    lag_seconds : int, optional
        How long the CRM's search may lag behind a change; kept with the settings (at first 60,
        Salesforce: 300).
    prompt : bool
        Whether a token that is nowhere to be found may be asked for.
    progress : callable
        Shows how far it is; `connectors.progress.silent` shows nothing.

    Returns
    -------
    SyncReport
        Printed, it is a summary; ``refused`` names what the token may not read.

    Raises
    ------
    CredentialsError
        If there is no token, or it is refused.
    DailyLimitError
        If the calls of the day are used up; run it again later, and it goes on.
    FileError, StoreError
        If a setting cannot be meant, the store not be written, or it holds another CRM.
    """
    if source not in SOURCES:
        raise ConnectorError(f"sync: no source {source!r}; expected one of {list(SOURCES)}")
    crm = hubspot if source == "hubspot" else salesforce
    folder = Store(store)
    _refuse_another(folder, source)
    chosen = crm.Settings.read(folder.path).with_fields(fields or {})
    if lag_seconds is not None:
        chosen = chosen.with_lag(lag_seconds)
    day = None if since is None else _date(since)
    client, limits = crm.connect(token, url=url, prompt=prompt)
    with client.api:
        work = crm.Sync(folder, client, limits, chosen, full=full, since=day, progress=progress)
        report: SyncReport = work.run()
        return report


def _refuse_another(store: Store, source: str) -> None:
    """Two CRMs in one store would count the same company twice."""
    held = set(store.syncs()["source"]) if Store.exists(store.path) else set()
    other = sorted(held & set(SOURCES) - {source})
    if other:
        raise StoreError(
            f"{store.path} holds a sync of {other[0]}: a store is for one CRM; name another folder"
        )


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
