"""Rows of one object: what they are now, and which of them can already be seen.

A row is never changed, only replaced; so whoever holds one (a result being paged through) keeps
what was there when it was asked for.
"""

from collections import deque
from collections.abc import Iterator

from connectors.sandbox.salesforce.schema import Kind, Row


class Table:
    """The rows of one object, by id. `log` holds when rows were deleted, also for good."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.rows: dict[str, Row] = {}
        self.log: dict[str, int] = {}
        self.purged: list[Row] = []
        self.last = 0
        self._unseen: dict[str, tuple[int, Row | None]] = {}
        self._due: deque[tuple[int, str]] = deque()

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, record_id: str, name: str) -> object:
        """Value of a field; None if there is no such record."""
        row = self.rows.get(record_id)
        return None if row is None else row[self.kind.at[name]]

    def put(self, row: Row, now: int, late: int = 0) -> None:
        """Keep a row; with `late` it is seen only so many seconds from now, and the old until then."""
        record_id = row[0]
        if late:
            before = self._unseen.get(record_id)
            old = before[1] if before else self.rows.get(record_id)
            self._unseen[record_id] = (now + late, old)
            self._due.append((now + late, record_id))
        self.rows[record_id] = row

    def remove(self, record_id: str) -> Row | None:
        """Take a row out for good."""
        self._unseen.pop(record_id, None)
        return self.rows.pop(record_id, None)

    def seen(self, now: int) -> Iterator[Row]:
        """Every row as a query of this moment finds it."""
        self._settle(now)
        if not self._unseen:
            return iter(self.rows.values())
        return self._partly()

    def _partly(self) -> Iterator[Row]:
        for record_id, row in self.rows.items():
            waiting = self._unseen.get(record_id)
            if waiting is None:
                yield row
            elif waiting[1] is not None:
                yield waiting[1]

    def _settle(self, now: int) -> None:
        """Let those be seen that are due, in whatever order they came."""
        for _ in range(len(self._due)):
            due, record_id = self._due.popleft()
            waiting = self._unseen.get(record_id)
            if waiting is None or waiting[0] > due:
                continue  # gone, or written again since
            if due <= now:
                del self._unseen[record_id]
            else:
                self._due.append((due, record_id))
