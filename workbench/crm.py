"""The commands that talk to a CRM: `sync`, `check hubspot` and `sandbox`."""

import json as json_text
import sys
import threading
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

import connectors
from connectors import ConnectorError, DailyLimitError, FileError, Store, hubspot
from connectors.progress import Progress, bars, silent
from connectors.sandbox import hubspot as sandbox
from workbench.report.notebook import SAMPLES

STOPPED = 3
"""Exit code of a sync that a daily limit stopped, with its progress kept."""

Source = Annotated[str, typer.Argument(help="The CRM: hubspot.")]
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
        typer.Option(help="TABLE.COLUMN=PROPERTY: use a property of the account's own."),
    ] = None,
    lag: Annotated[
        int | None, typer.Option(help="Seconds HubSpot's search may lag behind; default 60.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Bring a store up to date with a CRM: everything at first, then what changed. Only reads."""
    try:
        report = connectors.sync(
            source,
            store,
            since=_day(since),
            full=full,
            fields=_fields(field or []),
            lag_seconds=lag,
            progress=_progress(quiet=json),
        )
    except ConnectorError as error:
        stopped = isinstance(error, DailyLimitError)
        typer.echo(f"reverse-funnel: {error}", err=True)
        if json:
            _line({"complete": False, "stopped": stopped, "error": str(error)})
        raise typer.Exit(STOPPED if stopped else 1) from None
    if not json:
        typer.echo(str(report))
    elif report.refused:
        for name, why in report.refused.items():
            typer.echo(f"reverse-funnel: not read: {name}: {why}", err=True)
    if json:
        _line(report.to_dict())
    raise typer.Exit(0 if report.complete else 1)


def check_crm(source: str, store: Path | None) -> None:
    """Test the token and the account, and compare the store with it if one is given."""
    client, limits = hubspot.connect(prompt=sys.stdin.isatty())
    with client.api:
        found = hubspot.check(
            client, limits, None if store is None else Store(store), _progress(quiet=False)
        )
    typer.echo(str(found))
    if store is not None and not Store.exists(store):
        typer.echo(f"{store} is not a store yet: reverse-funnel sync {source} --store {store}")
    raise typer.Exit(0 if found.usable and found.agrees else 1)


def serve(
    source: Source,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8091,
    data: Annotated[Path, typer.Option(help="Folder of canonical tables to serve.")] = SAMPLES,
) -> None:
    """Serve a made-up account on this computer, to try `sync` and the notebooks without one."""
    if source not in connectors.SOURCES:
        raise ConnectorError(f"sandbox: no source {source!r}; expected {list(connectors.SOURCES)}")
    found = connectors.read_folder(data)
    account = sandbox.Account.from_tables(found.frames)
    with sandbox.serve(account, port=port) as server:
        typer.echo(f"A HubSpot account with the company of {data} is at {server.url}")
        typer.echo("In another terminal:")
        typer.echo(f"  export HUBSPOT_URL={server.url} HUBSPOT_TOKEN=pat-na1-local")
        typer.echo("  reverse-funnel sync hubspot --store out/hubspot")
        typer.echo("Ctrl-C ends it.")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            typer.echo("\nEnded.")


def _progress(*, quiet: bool) -> Progress:
    return bars if sys.stderr.isatty() and not quiet else silent


def _line(found: dict[str, Any]) -> None:
    typer.echo(json_text.dumps(found, ensure_ascii=False))


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
            raise FileError(f"--field {text!r}: expected like deals.segment=industry_vertical")
        found.setdefault(table, {})[column] = name
    return found
