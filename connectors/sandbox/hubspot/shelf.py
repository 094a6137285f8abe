"""All records of one type: what they are now, and what the search index has seen of them.

Records the account was generated with are made anew whenever they are asked for, from their number
alone; only those that were changed or created since are kept. So an account of any size starts
at once.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

LIVE, ARCHIVED, GONE, UNSEEN = 0, 1, 2, 3
CACHED = 60_000

Entry = tuple[int, str, str]  # moment in ms, value, source type


@dataclass(frozen=True, slots=True)
class Record:
    """One record; never changed, only replaced.

    `history` holds, oldest first, the entries of the properties whose history differs from a single
    entry at creation. `entered` holds stages whose entry the history has lost (milliseconds).
    """

    id: int
    created: int
    modified: int
    props: dict[str, str]
    history: dict[str, tuple[Entry, ...]] = field(default_factory=dict)
    entered: dict[str, int] = field(default_factory=dict)
    archived_at: int | None = None

    def entries(self, name: str) -> tuple[Entry, ...]:
        """History of a property, oldest first."""
        kept = self.history.get(name)
        if kept is not None:
            return kept
        value = self.props.get(name)
        return () if value is None else ((self.created, value, "INTEGRATION"),)


class Shelf:
    """Records of one type by id; ids only ever grow."""

    def __init__(
        self,
        ids: Sequence[int] = (),
        created: Sequence[int] = (),
        modified: Sequence[int] = (),
        make: Callable[[int], Record] | None = None,
    ) -> None:
        self.ids = array("q", ids)
        self.created = array("q", created)
        self.modified = array("q", modified)
        self.state = bytearray(len(self.ids))
        self.make = make
        self.changed: dict[int, Record] = {}
        self.made: dict[int, Record] = {}
        self.hidden: set[int] = set()
        self.aliases: dict[int, int] = {}
        self.fragments: dict[object, dict[int, str]] = {}
        self.seen_modified = array("q", self.modified)
        self.seen_state = bytearray(self.state)
        self.seen_version = 0
        self._stale: dict[int, Record] = {}
        self._waiting: dict[int, int] = {}
        self._pending: deque[tuple[int, int, Record, int]] = deque()

    def __len__(self) -> int:
        return len(self.ids) - len(self.hidden)

    def row(self, record_id: int) -> int:
        """Row of an id, or -1."""
        at = bisect_left(self.ids, record_id)
        return at if at < len(self.ids) and self.ids[at] == record_id else -1

    def get(self, record_id: int) -> Record | None:
        """Record of that id, live or archived; None if there is none (any more)."""
        kept = self.changed.get(record_id) or self.made.get(record_id)
        if kept is not None:
            return kept
        row = self.row(record_id)
        if row < 0 or self.state[row] == GONE or self.make is None:
            return None
        record = self.make(row)
        if len(self.made) < CACHED:
            self.made[record_id] = record
        return record

    def live(self, record_id: int) -> Record | None:
        """Record of that id if it is not archived."""
        return None if record_id in self.hidden else self.get(record_id)

    def after(self, record_id: int, state: int = LIVE) -> Iterator[int]:
        """Ids in that state, above the one given."""
        start = bisect_right(self.ids, record_id)
        for row in range(start, len(self.ids)):
            if self.state[row] == state:
                yield self.ids[row]

    def records(self) -> Iterator[Record]:
        """Every live record, by id."""
        return (r for r in map(self.get, self.after(-1)) if r is not None)

    def put(self, record: Record, now: int, lag: int = 0, state: int = LIVE) -> None:
        """Keep a record's new state; the search index follows `lag` milliseconds later."""
        row, old = self.row(record.id), self.get(record.id)
        if row < 0:
            row = self._append(record)
        if lag and old is not None:
            self._stale.setdefault(record.id, old)
        self.modified[row], self.state[row] = record.modified, state
        self.made.pop(record.id, None)
        self.changed.pop(record.id, None)
        if state != GONE:
            self.changed[record.id] = record
        (self.hidden.discard if state == LIVE else self.hidden.add)(record.id)
        for known in self.fragments.values():
            known.pop(record.id, None)
        if lag:
            self._waiting[record.id] = self._waiting.get(record.id, 0) + 1
            self._pending.append((now + lag, row, record, state))
        else:
            self._index(row, record.modified, state)

    def settle(self, now: int) -> None:
        """Let the search index see what is due."""
        while self._pending and self._pending[0][0] <= now:
            _, row, record, state = self._pending.popleft()
            self._index(row, record.modified, state)
            self._waiting[record.id] -= 1
            if self._waiting[record.id]:
                self._stale[record.id] = record
            else:
                del self._waiting[record.id]
                self._stale.pop(record.id, None)

    def seen(self, record_id: int) -> Record | None:
        """Record as the search index has it."""
        return self._stale.get(record_id) or self.get(record_id)

    def is_fresh(self, record_id: int) -> bool:
        """Whether the search index has the record as it is now."""
        return record_id not in self._stale

    def seen_rows(self) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        """Rows the search index holds."""
        return np.flatnonzero(np.frombuffer(bytes(self.seen_state), dtype=np.uint8) == LIVE)

    def _index(self, row: int, modified: int, state: int) -> None:
        self.seen_modified[row], self.seen_state[row] = modified, state
        self.seen_version += 1

    def _append(self, record: Record) -> int:
        if len(self.ids) and record.id <= self.ids[-1]:
            raise ValueError(f"id {record.id} is not above the last, {self.ids[-1]}")
        self.ids.append(record.id)
        self.created.append(record.created)
        self.modified.append(record.modified)
        self.seen_modified.append(record.modified)
        self.state.append(LIVE)
        self.seen_state.append(UNSEEN)
        return len(self.ids) - 1


def written(
    record: Record, now: int, values: dict[str, str], source: str = "CRM_UI", *, bump: bool = True
) -> Record:
    """Give the record with new values, its history extended; `bump` is the modified date.

    >>> written(Record(1, 0, 0, {"amount": "5"}), 9, {"amount": ""}).entries("amount")
    ((0, '5', 'INTEGRATION'), (9, '', 'CRM_UI'))
    """
    history = dict(record.history)
    for name, value in values.items():
        earlier = record.entries(name)
        if earlier and earlier[-1][0] >= now:  # one value a moment
            earlier = tuple(e for e in earlier if e[0] < now)
        history[name] = tuple(chain(earlier, [(now, value, source)]))
    modified = max(now, record.modified) if bump else record.modified
    return replace(record, props=record.props | values, history=history, modified=modified)
