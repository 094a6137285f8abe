"""Rows of the table ``stages``, and which stage a name in a record means."""

from collections.abc import Iterable, Iterator
from typing import Any

from connectors.sandbox.salesforce.schema import KINDS, Row
from connectors.sandbox.salesforce.state import State

LOST_WORDS = ("NOT CONVERTED", "UNQUALIFIED", "DISQUALIFIED")


class Stages:
    """Stages of deals or leads. Names no stage has (`strays`) become stages of their own.

    With `tombstones` a stage deleted since the org was made is still there, not in use, and what
    bears its name is in it.
    """

    def __init__(self, state: State, table: str, *, tombstones: bool) -> None:
        self.table = table
        self.what = "lead" if table == "LeadStatus" else "deal"
        at = KINDS[table].at
        self.at = at
        there = state.live(table) if state.has(table) else []
        self.rows = sorted(there, key=lambda r: r[at["SortOrder"]])
        names = {r[at["ApiName"]] for r in self.rows}
        gone = state.deleted_stages[table] if tombstones else []
        self.gone = [r for r in gone if r[at["ApiName"]] not in names]
        self.by_name: dict[str, str] = {}
        for column in ("ApiName", "MasterLabel"):
            for row in (*self.rows, *self.gone):
                self.by_name.setdefault(row[at[column]], row[at["ApiName"]])
        self.strays: dict[str, list[tuple[bool, bool]]] = {}

    def find(self, name: str | None) -> str | None:
        """Id of the stage that a name means."""
        if not name:
            return None
        found = self.by_name.get(name)
        if found is None:
            self.strays.setdefault(name, [])
        return found or name

    def count(self, name: str | None, *, won: bool, closed: bool) -> None:
        """Take note of a live record in a stage."""
        if name in self.strays:
            self.strays[name].append((won, closed))

    def rows_of(self) -> Iterator[dict[str, Any]]:
        """Rows of the table; ask once every name has been looked up."""
        for row in self.rows:
            yield self._row(row)
        for row in self.gone:
            yield self._row(row) | {"active": False}
        highest = max((r[self.at["SortOrder"]] for r in self.rows), default=0)
        for n, name in enumerate(sorted(self.strays), start=1):
            yield {
                "object": self.what,
                "stage_id": name,
                "label": name,
                "position": highest + n,
                "outcome": self._stray(self.strays[name]),
                "active": False,
            }

    def _stray(self, seen: Iterable[tuple[bool, bool]]) -> str:
        found = list(seen)
        if not found or self.what == "lead":
            return "open"
        if all(won for won, _ in found):
            return "won"
        return "lost" if all(c for _, c in found) and not any(w for w, _ in found) else "open"

    def _row(self, row: Row) -> dict[str, Any]:
        at = self.at
        deal = self.what == "deal"
        chance = row[at["DefaultProbability"]] if deal else None
        return {
            "object": self.what,
            "stage_id": row[at["ApiName"]],
            "label": row[at["MasterLabel"]],
            "position": row[at["SortOrder"]],
            "outcome": self._outcome(row),
            "probability": None if chance is None else chance / 100,
            "active": row[at["IsActive"]] if deal else True,
        }

    def _outcome(self, row: Row) -> str:
        if self.what == "lead":
            label = (row[self.at["MasterLabel"]] or "").upper()
            return "lost" if any(w in label for w in LOST_WORDS) else "open"
        if row[self.at["IsWon"]]:
            return "won"
        return "lost" if row[self.at["IsClosed"]] else "open"
