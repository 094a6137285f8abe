"""What the measurements of both CRM connectors share: a server, parts in processes, the table.

Server, syncs and peers each run in a process of their own, so that time and memory are theirs alone.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import connectors
from benchmarks.run import highest
from connectors.progress import silent

HERE = Path(__file__).resolve().parent
DELAY = 50
"""Milliseconds added to every call."""
Call = tuple[float, str]
Told = dict[str, Any]


class Measure(NamedTuple):
    """One line of the table."""

    name: str
    ours: str
    other: str
    ratio: float
    needed: float | None
    most: bool = False

    @property
    def met(self) -> bool:
        """Whether the ratio is what it should be; so it is where nothing is needed."""
        if self.needed is None:
            return True
        return self.ratio <= self.needed if self.most else self.ratio >= self.needed


class Server:
    """A sandbox in a process of its own.

    Parameters
    ----------
    script : str
        File in this folder; it prints its address as one line of JSON.
    arguments : str
        Its command line.
    """

    def __init__(self, script: str, *arguments: str) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - ours
            [sys.executable, str(HERE / script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = str(self._answer()["url"])

    def tell(self, words: str) -> Any:  # noqa: ANN401 - JSON
        """Tell the server something and return what it answers."""
        assert self.process.stdin is not None
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        return self._answer()

    def calls(self) -> list[Call]:
        """Return the calls that passed since this was last asked, in their order."""
        return sorted((at, path) for at, path in self.tell("calls"))

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait()

    def _answer(self) -> Any:  # noqa: ANN401 - JSON
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@contextmanager
def serving(script: str, *arguments: str) -> Iterator[Server]:
    """Run a server for a while."""
    server = Server(script, *arguments)
    try:
        yield server
    finally:
        server.stop()


def run(script: str, *arguments: str) -> Told:
    """Run a part of a script in a process of its own and return what it says."""
    command = [sys.executable, script, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    found: Told = json.loads(done.stdout)
    return found


def synced(
    source: str, url: str, store: str, token: str, *, lag_seconds: int | None = None
) -> Told:
    """Sync here; return seconds, peak memory in MB, calls and the records of the store."""
    began = time.perf_counter()
    report = connectors.sync(
        source, store, token=token, url=url, lag_seconds=lag_seconds, progress=silent
    )
    seconds = time.perf_counter() - began
    rows = report.counts.set_index("table")[["new", "changed"]].sum(axis="columns")
    history = int(rows.get("history", 0))
    return {**cost(seconds, report.calls, int(rows.sum()) - history), "history": history}


def cost(seconds: float, calls: int, records: int) -> Told:
    """Return what a part took, of this process."""
    return {
        "seconds": seconds,
        "peak": highest(),
        "calls": calls,
        "records": records,
        "cpu": time.process_time(),
    }


def note(name: str, told: Told) -> None:
    """Print what a run took."""
    past = f" and {told['history']:,} of history" if "history" in told else ""
    say(
        f"{name}: {told['records']:,} records{past} in {told['seconds']:.1f} s"
        f" ({told['cpu']:.1f} s of it computing), {told['calls']:,} calls,"
        f" peak {told['peak']:,.0f} MB, load {os.getloadavg()[0]:.1f}"
    )


def show(found: list[Measure]) -> None:
    """Print the table."""
    say(f"\n{'measure':36}{'ours':>9}{'other':>9}{'ratio':>8}{'needed':>12}")
    for one in found:
        needed, verdict = "", "for comparison"
        if one.needed is not None:
            needed = f"{'at most' if one.most else 'at least'} {one.needed}"
            verdict = "met" if one.met else "MISSED"
        say(f"{one.name:36}{one.ours:>9}{one.other:>9}{one.ratio:8.2f}{needed:>14}  {verdict}")


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
