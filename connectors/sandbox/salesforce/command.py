"""The server as a program: options, the variables it goes by, and a truth file that keeps up."""

import argparse
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from connectors.sandbox.program import stop_event, write_truth
from connectors.sandbox.salesforce.auth import CLIENT, SECRET, TOKEN, Accepts
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.server import Server, serve

VARIABLES = (
    "SALESFORCE_ACCESS_TOKEN", "SALESFORCE_CLIENT_ID", "SALESFORCE_CLIENT_SECRET",
    "SALESFORCE_REFRESH_TOKEN", "SALESFORCE_USERNAME", "SALESFORCE_PRIVATE_KEY_FILE",
)  # fmt: skip


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="A server that behaves like Salesforce.")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--opportunities", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fault", action="append", default=[], help="may be given several times")
    parser.add_argument("--truth", type=Path, help="file that states the org as tables (JSON)")
    parser.add_argument("--delay", type=float, default=0, help="milliseconds added to every reply")
    parser.add_argument(
        "--sample", action="store_true", help="the sample company, not a made-up one"
    )
    parser.add_argument("--single-currency", action="store_true", help="no currencies, no rates")
    parser.add_argument("--no-dated-rates", action="store_true", help="one rate for each currency")
    parser.add_argument("--history-rows", type=int, help="about so many rows of stage history")
    parser.add_argument("--now", help="fixed time of the org's clock (ISO); default: real time")
    parser.add_argument("--mutate-every", type=float, default=0, help="seconds; 0: never")
    return parser.parse_args(arguments)


def run(given: argparse.Namespace, frames: Mapping[str, pd.DataFrame] | None = None) -> int:
    """Serve until told to stop (SIGTERM, SIGINT); `frames` are the tables of ``--sample``.

    What the ``SALESFORCE_*`` variables name is what the server accepts. Where none is set it prints
    its own, as NAME=value; then ``listening on http://127.0.0.1:PORT``.
    """
    stop = stop_event()
    org = _org(given, frames)
    own = not any(os.environ.get(name) for name in VARIABLES)
    try:
        accepts = Accepts.from_environment(os.environ)
        server = serve(
            org, given.port, faults=given.fault, delay=given.delay / 1_000, accepts=accepts
        )
    except (ValueError, OSError) as error:
        sys.stderr.write(f"the server cannot start: {error}\n")
        return 1
    with server:
        keep_truth(server, given.truth)
        sys.stdout.write(_lines(server.url) if own else "")
        sys.stdout.write(f"listening on {server.url}\n")
        sys.stdout.flush()
        _live(server, given, stop)
        keep_truth(server, given.truth)
    return 0


def _lines(url: str) -> str:
    named = {
        "SALESFORCE_INSTANCE_URL": url,
        "SALESFORCE_ACCESS_TOKEN": TOKEN,
        "SALESFORCE_CLIENT_ID": CLIENT,
        "SALESFORCE_CLIENT_SECRET": SECRET,
    }
    return "".join(f"{name}={value}\n" for name, value in named.items())


def _org(given: argparse.Namespace, frames: Mapping[str, pd.DataFrame] | None) -> Org:
    if frames is not None:
        return Org.from_tables(frames, now=given.now)
    return Org.generate(
        given.opportunities,
        given.seed,
        now=given.now,
        multi_currency=not given.single_currency,
        dated_rates=not given.no_dated_rates,
        history_rows=given.history_rows,
    )


def _live(server: Server, given: argparse.Namespace, stop: threading.Event) -> None:
    """Wait; now and then change something, and keep the truth file up to that."""
    turn, known = 0, server.changes
    while not stop.wait(given.mutate_every or 0.5):
        if given.mutate_every:
            turn += 1
            server.org.mutate(20, given.seed + turn)
            keep_truth(server, given.truth)
        elif server.changes != known:  # somebody asked for changes at a control point
            known = server.changes
            keep_truth(server, given.truth)


def keep_truth(server: Server, path: Path | None) -> None:
    """Write the org as tables, if there is a file for them."""
    if path is not None:
        write_truth(server.org.truth(), path)
