"""A writer in a process of its own, for tests/test_store.py: it competes, or it stops half-way."""

import json
import sys
import time
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from connectors.lake import delta, syncs
from connectors.store import Store


def compete(path: str, name: str, rounds: int) -> None:
    """Merge, `rounds` times, one deal of our own and one that every writer has."""
    store = Store(path)
    for turn in range(rounds):
        deals = pd.DataFrame({"deal_id": [f"{name}-{turn}", "shared"], "name": [name, name]})
        store.merge({"deals": deals}, source=name, as_of="2026-11-01")


def stall(path: str, after: int, tables: dict[str, list[dict[str, object]]]) -> None:
    """Merge the tables, say so and wait to be killed once `after` tables are committed."""
    done = 0
    save, publish = delta.save, syncs.publish

    def wait() -> None:
        sys.stdout.write("stalled\n")
        sys.stdout.flush()
        time.sleep(60)

    def stalling_save(*args, **options):
        nonlocal done
        if done == after:
            wait()
        done += 1
        return save(*args, **options)

    def stalling_publish(*args, **options):
        wait()
        return publish(*args, **options)

    delta.save, syncs.publish = stalling_save, stalling_publish
    marks = {"deals": "2026-11-02", "history": "2026-11-02"}
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    Store(path).merge(frames, source="crm", as_of="2026-11-02", watermark=marks)


if __name__ == "__main__":
    if sys.argv[1] == "compete":
        compete(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        stall(sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4]))
