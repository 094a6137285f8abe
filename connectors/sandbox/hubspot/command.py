"""The server as a program: options, a truth file that follows the account, and an orderly end."""

import argparse
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from connectors.sandbox.hubspot.account import Account
from connectors.sandbox.hubspot.server import Server, serve
from connectors.sandbox.program import stop_event, write_truth


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="A server that behaves like HubSpot.")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--deals", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fault", action="append", default=[], help="may be given several times")
    parser.add_argument("--no-limits", action="store_true", help="no rate limits")
    parser.add_argument("--truth", type=Path, help="file that states the account as tables (JSON)")
    parser.add_argument("--delay", type=float, default=0, help="milliseconds added to every reply")
    parser.add_argument("--lag", type=float, default=0, help="seconds until search sees a change")
    parser.add_argument("--version-only", choices=("v3", "2026-03"))
    parser.add_argument("--mutate-every", type=float, default=0, help="seconds; 0: never")
    parser.add_argument("--leads", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument(
        "--sample", action="store_true", help="the sample company, not a made-up one"
    )
    parser.add_argument("--now", help="fixed time of the account's clock (ISO); default: real time")
    return parser.parse_args(arguments)


def run(given: argparse.Namespace, frames: Mapping[str, pd.DataFrame] | None = None) -> int:
    """Serve until told to stop (SIGTERM, SIGINT); `frames` are the tables of ``--sample``.

    The first line of the output is ``listening on http://127.0.0.1:PORT``.
    """
    stop = stop_event()
    account = _account(given, frames)
    try:
        server = serve(
            account,
            given.port,
            faults=given.fault,
            limits=not given.no_limits,
            delay=given.delay / 1_000,
            version_only=given.version_only,
        )
    except (ValueError, OSError) as error:
        sys.stderr.write(f"the server cannot start: {error}\n")
        return 1
    with server:
        keep_truth(server, given.truth)
        sys.stdout.write(f"listening on {server.url}\n")
        sys.stdout.flush()
        _live(server, given, stop)
        keep_truth(server, given.truth)
    return 0


def _account(given: argparse.Namespace, frames: Mapping[str, pd.DataFrame] | None) -> Account:
    if frames is not None:
        return Account.from_tables(frames, now=given.now)
    return Account.generate(
        deals=given.deals, seed=given.seed, now=given.now, leads=given.leads, lag=given.lag
    )


def _live(server: Server, given: argparse.Namespace, stop: threading.Event) -> None:
    """Wait; now and then change something, and keep the truth file up to that."""
    turn, known = 0, server.changes
    while not stop.wait(given.mutate_every or 0.5):
        if given.mutate_every:
            turn += 1
            server.account.mutate(20, given.seed + turn)
            keep_truth(server, given.truth)
        elif server.changes != known:  # somebody asked for changes at a control point
            known = server.changes
            keep_truth(server, given.truth)


def keep_truth(server: Server, path: Path | None) -> None:
    """Write the account as tables, if there is a file for them."""
    if path is not None:
        write_truth(server.account.truth(), path)
