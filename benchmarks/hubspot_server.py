"""The sandbox server in a process of its own, which notes when it let each call pass.

Its input takes ``touch N`` (change N deals, two seconds apart), ``bulk N`` (change N deals in one
millisecond) and ``calls`` (list the calls since last asked); each is answered by one line of JSON.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # not this folder: its hubspot would hide the package of that name

from benchmarks.noted import noting  # noqa: E402
from connectors.sandbox.hubspot import Account, serve  # noqa: E402

NOW = "2026-11-01T09:00:00Z"


def main() -> None:
    """Serve until the input ends."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--deals", type=int, required=True)
    asked.add_argument("--delay", type=float, default=0, help="milliseconds added to every call")
    asked.add_argument("--no-limits", action="store_true")
    given = asked.parse_args()
    account = Account.generate(given.deals, seed=1, now=NOW)
    server = serve(account, limits=not given.no_limits, delay=given.delay / 1_000)
    passed = noting(server)
    with server:
        say({"url": server.url})
        for line in sys.stdin:
            word, _, number = line.strip().partition(" ")
            if word == "calls":
                say(passed)
                passed.clear()
            else:
                say(change(account, int(number), together=word == "bulk"))


def change(account: Account, number: int, *, together: bool) -> int:
    """Change deals, two seconds apart or all in one millisecond; return how many."""
    account.advance(5)
    done = 0
    for record_id in first(account, number):
        account.edit("deals", record_id, {"hs_next_step": f"call {account.now}"})
        if not together:
            account.advance(2)
        done += 1
    account.advance(5)
    return done


def first(account: Account, number: int) -> Iterator[int]:
    """Ids of the first deals."""
    return (record.id for record in list(account.shelves["deals"].records())[:number])


def say(what: object) -> None:
    """Print at once."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
