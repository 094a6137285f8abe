"""The commands that talk to a CRM: `sync`, `check hubspot` (or salesforce) and `sandbox`."""

import atexit
import json as json_text
import os
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Annotated, Any

import typer

import connectors
from connectors import ConnectorError, DailyLimitError, FileError, Store
from connectors.progress import bars
from connectors.sync_report import SyncReport
from kpi import TableError
from workbench import sandboxes
from workbench.report.notebook import SAMPLES

STOPPED = 3
"""Exit code of a sync that a daily limit stopped, with its progress kept."""
INTERRUPTED = (
    "stopped by you; what was fetched is kept: run the same command, and it goes on from here"
)

Source = Annotated[str, typer.Argument(help="The CRM: hubspot or salesforce.")]
StoreFolder = Annotated[Path, typer.Option("--store", help="Folder of the store; made if needed.")]


def sync(
    source: Source,
    store: StoreFolder,
    since: Annotated[
        str | None, typer.Option(help="Read what changed since this day, like 2026-11-01.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Read every record anew.")] = False,
    field: Annotated[
        list[str] | None,
        typer.Option(help="TABLE.COLUMN=FIELD: use a property or field of the company's own."),
    ] = None,
    lag: Annotated[
        int | None,
        typer.Option(
            help="Seconds a change may take to show; default: HubSpot 60, Salesforce 300."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Bring a store up to date with a CRM: everything at first, then what changed. Only reads.

    Exit code: 0 complete; 3 stopped by the calls of the day (run it again later); 1 otherwise.
    """
    began = monotonic()
    try:
        report = connectors.sync(
            source,
            store,
            since=_day(since),
            full=full,
            fields=_fields(field or []),
            lag_seconds=lag,
            progress=bars,
        )
    except (ConnectorError, TableError, KeyboardInterrupt) as error:
        raise _ended(error, store if json else None, monotonic() - began) from None
    if json:
        _complain(f"not read: {name}: {why}" for name, why in report.refused.items())
        _line({**report.to_dict(), "stopped": False})
    else:
        typer.echo(f"{report}\n\nNext: {_next(report, store)}")
    raise typer.Exit(0 if report.complete else 1)


def check_crm(source: str, store: Path | None) -> None:
    """Test the login and what it may read, and compare the store with it if one is given."""
    crm: Any = getattr(connectors, source)
    client, limits = crm.connect()
    with client.api:
        found = crm.check(client, limits, None if store is None else Store(store), bars)
    typer.echo(str(found))
    if store is not None and not Store.exists(store):
        typer.echo(f"\n{store} is no store yet: reverse-funnel sync {source} --store {store}")
    raise typer.Exit(0 if found.usable and found.agrees else 1)


def serve(
    source: Source,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8091,
    data: Annotated[Path, typer.Option(help="Folder of canonical tables to serve.")] = SAMPLES,
) -> None:
    """Serve a made-up account on this computer, to try `sync` and the notebooks without one."""
    made = sandboxes.start(source, data, port)
    variables = " ".join(f"{name}={value}" for name, value in made.variables.items())
    with made.server:
        typer.echo(
            f"A made-up {sandboxes.KINDS[source]} is at {made.server.url}. In another terminal:\n\n"
            f"  export {variables}\n"
            f"  reverse-funnel check {source}\n"
            f"  reverse-funnel sync {source} --store out/sandbox-{source}\n\n"
            "Ctrl-C ends it."
        )
        try:
            Event().wait()
        except KeyboardInterrupt:
            typer.echo("\nEnded.")


def _ended(error: BaseException, store: Path | None, seconds: float) -> typer.Exit:
    """Say why a sync did not come to its end; with a store, as a line of JSON too."""
    stopped = isinstance(error, DailyLimitError)
    words = INTERRUPTED if isinstance(error, KeyboardInterrupt) else str(error)
    _complain([words])
    if store is not None:
        resets = error.resets_at if isinstance(error, DailyLimitError) else None
        _line(
            {
                "complete": False,
                "stopped": stopped,
                "error": words,
                "resets_at": None if resets is None else resets.isoformat(),
                "rows": _rows(store),
                "calls": None,
                "seconds": round(seconds, 3),
                "rejected": 0,
            }
        )
    return typer.Exit(STOPPED if stopped else 1)


def _rows(store: Path) -> dict[str, int]:
    """Count what a reader of the store finds, by table: the sync before, if there was one."""
    try:
        found = Store(store).frames() if Store.exists(store) else {}
    except ConnectorError:
        return {}
    return {name: len(frame) for name, frame in found.items()}


def _next(report: SyncReport, store: Path) -> str:
    if report.refused:
        return "grant what is missing, then run the same command again"
    return f"reverse-funnel demo --data {store}"


def _complain(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        typer.echo(f"reverse-funnel: {sentence}", err=True)


def _line(found: dict[str, Any]) -> None:
    """Print one line of JSON, after everything else."""
    sys.stderr.flush()
    typer.echo(json_text.dumps(found, ensure_ascii=False))
    atexit.register(_quiet)


def _quiet() -> None:
    """Let nothing follow: DuckDB may complain of leaks while the interpreter shuts down."""
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise FileError(f"--since {text!r}: expected a day like 2026-11-01") from error


def _fields(texts: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        target, sign, name = text.partition("=")
        table, dot, column = target.partition(".")
        if not (sign and dot and name):
            raise FileError(f"--field {text!r}: expected like deals.segment=NAME_OF_THE_FIELD")
        found.setdefault(table, {})[column] = name
    return found
