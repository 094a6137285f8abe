"""The Salesforce sandbox in a process of its own.

Its input takes ``calls`` (list the calls since last asked), answered by one line of JSON.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # as benchmarks/salesforce.py

from benchmarks.noted import noting  # noqa: E402
from connectors.sandbox.salesforce import Org, serve  # noqa: E402

NOW = "2026-11-01T09:30:00Z"


def main() -> None:
    """Serve until the input ends."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--opportunities", type=int, required=True)
    asked.add_argument(
        "--history", type=int, help="about how many rows of it; default: some six each"
    )
    asked.add_argument("--delay", type=float, default=0, help="milliseconds added to every call")
    given = asked.parse_args()
    org = Org.generate(given.opportunities, 1, now=NOW, history_rows=given.history)
    server = serve(org, delay=given.delay / 1_000)
    passed = noting(server)
    with server:
        say({"url": server.url})
        for _ in sys.stdin:
            say(passed)
            passed.clear()


def say(what: object) -> None:
    """Print at once."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
