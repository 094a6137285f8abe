"""Speed and memory of the HubSpot connector against its limits and the official client.

Run as ``python benchmarks/hubspot.py [--quick]``; README.md says how to read it. Server, syncs and
the plain loop each run in a process of their own.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # not this folder: this file would hide the official client

from benchmarks import crm  # noqa: E402
from benchmarks.crm import DELAY, Call, Measure, Server, Told, note, say, show  # noqa: E402
from connectors.hubspot import Settings, connect  # noqa: E402
from connectors.hubspot.context import opened  # noqa: E402
from connectors.hubspot.records.stages import stages  # noqa: E402
from connectors.sandbox.hubspot import TOKEN  # noqa: E402

BURST, WINDOW, SEARCH = 190, 10.0, 5
USED, FASTER, GROWN = 0.9, 3.0, 1.3


@contextmanager
def serving(deals: int, *, delay: float = DELAY, limits: bool = True) -> Iterator[Server]:
    """Run a server for a while."""
    arguments = ["--deals", str(deals), "--delay", str(delay), *([] if limits else ["--no-limits"])]
    with crm.serving("hubspot_server.py", *arguments) as server:
        yield server


def main() -> None:
    """Measure, print a table, and say of each measure whether it is met."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--quick", action="store_true", help="a tenth of the records")
    asked.add_argument("--sync", nargs=2, metavar=("URL", "STORE"), help=argparse.SUPPRESS)
    asked.add_argument("--loop", metavar="URL", help=argparse.SUPPRESS)
    asked.add_argument("--only", choices=("limits", "peer", "memory"), help="one part")
    given = asked.parse_args()
    if given.sync:
        say(json.dumps(synced(*given.sync)))
        return
    if given.loop:
        say(json.dumps(looped(given.loop)))
        return
    size = 10 if given.quick else 1
    say(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    found: list[Measure] = []
    with tempfile.TemporaryDirectory() as folder:
        if given.only in (None, "limits"):
            found += limits(30_000 // size, Path(folder))
        if given.only in (None, "peer"):
            found += peer(30_000 // size, Path(folder))
        if given.only in (None, "memory"):
            found += memory(20_000 // size, Path(folder))
    show(found)


def limits(deals: int, folder: Path) -> list[Measure]:
    """Measure how much of what HubSpot allows is used: by a first load, then by incremental runs."""
    found = []
    with serving(deals) as server:
        store = folder / "limits"
        told = run("--sync", server.url, str(store))
        calls = server.calls()
        times = [at for at, path in calls if counts(path)]
        found.append(used("first load: burst calls/s", times, BURST, WINDOW))
        by_object(calls)
        note("first load", told)
        for words, name in (("touch", "changes apart"), ("bulk", "changes in one ms")):
            server.tell(f"{words} {deals}")
            told = run("--sync", server.url, str(store))
            times = [at for at, path in server.calls() if path.endswith("/0-3/search")]
            found.append(used(f"{name}: searches/s", times, SEARCH, 1.0))
            note(name, told)
    return found


def used(name: str, times: list[float], calls: int, seconds: float) -> Measure:
    """Return the share of a limit used, from the end of the first window on.

    That window may begin full, and so lets more pass than goes on later.
    """
    steady = [at for at in times if at >= times[0] + seconds]
    rate, allowed = len(steady) / (times[-1] - times[0] - seconds), calls / seconds
    return Measure(name, f"{rate:.2f}", f"{allowed:.2f}", rate / allowed, USED)


def counts(path: str) -> bool:
    """Whether a call counts in the burst bucket."""
    return not path.endswith("/search") and "/oauth/" not in path


def by_object(calls: list[Call]) -> None:
    """Print the calls and seconds of each object, as they followed one another."""
    names = {"0-1": "contacts", "0-2": "companies", "0-3": "deals", "0-8": "line items"}
    names |= {"0-47": "meetings", "0-136": "leads"}
    spans: dict[str, list[float]] = {}
    for at, path in calls:
        kind = next((part for part in path.split("/") if part in names), None)
        if kind is not None and counts(path):
            spans.setdefault(names[kind], []).append(at)
    for name, times in spans.items():
        seconds = times[-1] - times[0]
        say(f"  {name:12}{len(times):7,} calls in {seconds:6.1f} s, {len(times) / seconds:5.1f}/s")


def peer(deals: int, folder: Path) -> list[Measure]:
    """Compare a first load with the same data fetched by a plain loop over the official client."""
    with serving(deals, limits=False) as server:
        ours = run("--sync", server.url, str(folder / "peer"))
        by_object(server.calls())
        theirs = run("--loop", server.url)
    note("first load, no limits", ours)
    note("plain loop", theirs)
    # what both fetch, by the seconds of each
    fast, slow = (theirs["records"] / told["seconds"] for told in (ours, theirs))
    return [Measure("first load: records/s", f"{fast:,.0f}", f"{slow:,.0f}", fast / slow, FASTER)]


def memory(deals: int, folder: Path) -> list[Measure]:
    """Compare the peak memory of a first load with that of one ten times as large."""
    peaks = []
    for number in (deals, 10 * deals):
        with serving(number, delay=0, limits=False) as server:
            told = run("--sync", server.url, str(folder / f"memory_{number}"))
        note(f"first load of {number:,} deals", told)
        peaks.append(told["peak"])
    few, many = peaks
    name = f"peak MB, {10 * deals:,} deals to {deals:,}"
    return [Measure(name, f"{many:,.0f}", f"{few:,.0f}", many / few, GROWN, most=True)]


def synced(url: str, store: str) -> Told:
    """Sync here; return what it took."""
    return crm.synced("hubspot", url, store, TOKEN, lag_seconds=0)


def looped(url: str) -> Told:
    """Fetch here what a first sync fetches, by the official client; return as `synced`."""
    from benchmarks.hubspot_peer import LINKS, Peer  # noqa: PLC0415 - needed here only

    client, _ = connect(TOKEN, url=url, environ={})
    with client.api:
        account = opened(client, Settings(), None, stages([]))
    began = time.perf_counter()
    peer_ = Peer(url, TOKEN)
    ids: dict[str, list[str]] = {}
    for kind, wanted in account.wanted.items():
        ids[kind] = peer_.fetch(kind, list(wanted.properties), list(wanted.history))
    for start, end in LINKS:
        found = peer_.link(start, end, ids[start])
        ids.setdefault(end, sorted(found))
    seconds = time.perf_counter() - began
    return crm.cost(seconds, peer_.calls, sum(len(ids[kind]) for kind in account.wanted))


def run(*arguments: str) -> Told:
    """Run a part of this script in a process of its own."""
    return crm.run(__file__, *arguments)


if __name__ == "__main__":
    main()
