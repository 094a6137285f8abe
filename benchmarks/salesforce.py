"""Speed and memory of the Salesforce connector against simple-salesforce.

Run as ``python benchmarks/salesforce.py [--quick]``; README.md says how to read it. Server, syncs
and the peer each run in a process of their own.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # not this folder: its names are those of packages

from benchmarks import crm  # noqa: E402
from benchmarks.crm import DELAY, Measure, Told, note, say, serving  # noqa: E402
from connectors.salesforce import Settings, connect  # noqa: E402
from connectors.salesforce.context import opened  # noqa: E402
from connectors.salesforce.query import select  # noqa: E402
from connectors.sandbox.salesforce import TOKEN  # noqa: E402
from connectors.store import Store  # noqa: E402

SERVER = "salesforce_server.py"
OPPORTUNITIES, HISTORY = 25_000, 100_000
USUAL = 5.6
"""Rows of stage history that an opportunity of the sandbox has."""
ROUNDS = 3
FASTER, AS_FAST, GROWN = 3.0, 1.0, 1.3
SOONER = 0.1
"""Seconds after which our sync first looks whether a bulk job is done."""
NEEDED = {"query_all": FASTER, "bulk2": AS_FAST, "bulk2, told to look": None}
"""Ways of the peer. By itself it first looks at a bulk job after five seconds, and that is the
measure; told to look as soon as ours does, it is shown for comparison."""


def main() -> None:
    """Measure, print a table, and say of each measure whether it is met."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--quick", action="store_true", help="a tenth of the records, one round")
    asked.add_argument("--only", choices=("peer", "memory"), help="one part")
    asked.add_argument("--sync", nargs=2, metavar=("URL", "STORE"), help=argparse.SUPPRESS)
    asked.add_argument("--peer", nargs=2, metavar=("URL", "WAY"), help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.sync:
        url, store = given.sync
        say(json.dumps(crm.synced("salesforce", url, store, TOKEN)))
        return
    if given.peer:
        say(json.dumps(fetched(*given.peer)))
        return
    size, rounds = (10, 1) if given.quick else (1, ROUNDS)
    say(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    found: list[Measure] = []
    with tempfile.TemporaryDirectory() as folder:
        if given.only in (None, "peer"):
            found += peers(OPPORTUNITIES // size, rounds, Path(folder))
        if given.only in (None, "memory"):
            found += memory(HISTORY // size, Path(folder))
    crm.show(found)


def peers(opportunities: int, rounds: int, folder: Path) -> list[Measure]:
    """Compare a first load with the same records fetched by the peer, in turns."""
    taken: dict[str, list[float]] = {way: [] for way in ("sync", *NEEDED)}
    records = 0
    arguments = ("--opportunities", str(opportunities), "--delay", str(DELAY))
    with serving(SERVER, *arguments) as server:
        for number in range(rounds):
            ways = list(taken) if number % 2 == 0 else list(taken)[::-1]
            for way in ways:
                told = once(way, server.url, str(folder / f"store_{number}"))
                note(f"round {number + 1}, {way}", told)
                taken[way].append(told["seconds"])
                records = records if way == "sync" else told["records"]
    return [compared(way, taken, records) for way in NEEDED]


def once(way: str, url: str, store: str) -> Told:
    """Take one turn."""
    asked = ("--sync", url, store) if way == "sync" else ("--peer", url, way)
    return crm.run(__file__, *asked)


def compared(way: str, taken: dict[str, list[float]], records: int) -> Measure:
    """Compare what both fetch, by the seconds of each, round by round."""
    ratios = [theirs / ours for ours, theirs in zip(taken["sync"], taken[way], strict=True)]
    each = ", ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
    say(f"records/s, to {way}: {each}")
    fast, slow = (records / median(taken[one]) for one in ("sync", way))
    name = f"records/s, to {way}"
    return Measure(name, f"{fast:,.0f}", f"{slow:,.0f}", median(ratios), NEEDED[way])


def memory(rows: int, folder: Path) -> list[Measure]:
    """Compare the peak memory of a first load with that of one ten times as large."""
    peaks = []
    for number in (rows, 10 * rows):
        opportunities = round(number / USUAL)
        arguments = ("--opportunities", str(opportunities), "--history", str(number))
        with serving(SERVER, *arguments) as server:
            told = once("sync", server.url, str(folder / f"memory_{number}"))
        note(f"first load, {number:,} rows of stage history", told)
        peaks.append(told["peak"])
    few, many = peaks
    name = f"peak MB, {10 * rows:,} rows to {rows:,}"
    return [Measure(name, f"{many:,.0f}", f"{few:,.0f}", many / few, GROWN, most=True)]


def fetched(url: str, way: str) -> Told:
    """Fetch here what a first sync fetches, by the peer; return as `crm.synced` does."""
    from benchmarks.salesforce_peer import peer  # noqa: PLC0415 - needed here only

    queries = asked_for(url)
    began = time.perf_counter()
    with peer(url, TOKEN) as (client, counted):
        if way == "query_all":
            frames = [client.queried(soql) for soql in queries.values()]
        else:
            wait = None if way == "bulk2" else SOONER
            frames = [client.in_bulk(name, soql, wait) for name, soql in queries.items()]
        seconds = time.perf_counter() - began
        return crm.cost(seconds, counted.calls, sum(map(len, frames)))


def asked_for(url: str) -> dict[str, str]:
    """Return the query of each object that a first sync reads."""
    client, _ = connect(TOKEN, url=url, environ={})
    with tempfile.TemporaryDirectory() as folder, client.api:
        earlier = Store(Path(folder) / "none").staged("stages")
        wanted = opened(client, Settings(), None, earlier).wanted
    return {name: select(name, found.fields) for name, found in wanted.items()}


if __name__ == "__main__":
    main()
