"""Associations: which record of one type is linked to which of another, and as what.

A link has a kind: ``plain``, ``primary`` or ``labelled``. On the wire each kind is a list of types.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from connectors.sandbox.hubspot.wire import Json

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]

PLAIN, PRIMARY, LABELLED = 0, 1, 2

# type ids that HubSpot gives: (plain, primary), None where there is no primary
TYPE_IDS: dict[tuple[str, str], tuple[int, int | None]] = {
    ("deals", "contacts"): (3, None),
    ("deals", "companies"): (341, 5),
    ("contacts", "leads"): (579, 578),
    ("leads", "companies"): (610, None),
    ("contacts", "companies"): (279, 1),
    ("meetings", "contacts"): (200, None),
    ("meetings", "companies"): (188, None),
    ("meetings", "deals"): (212, None),
    ("line_items", "deals"): (20, None),
    ("contacts", "deals"): (4, None),
    ("companies", "deals"): (342, 6),
    ("leads", "contacts"): (577, 576),
    ("companies", "leads"): (611, None),
    ("companies", "contacts"): (280, 2),
    ("contacts", "meetings"): (199, None),
    ("companies", "meetings"): (187, None),
    ("deals", "meetings"): (211, None),
    ("deals", "line_items"): (19, None),
}
PAIRS = tuple(TYPE_IDS)[:9]


def association_types(pair: tuple[str, str], kind: int) -> list[Json]:
    """List the types of a link, as the API states them.

    >>> [t["typeId"] for t in association_types(("deals", "companies"), PRIMARY)]
    [5, 341]
    """
    plain, primary = TYPE_IDS[pair]
    types: list[Json] = [{"category": "HUBSPOT_DEFINED", "typeId": plain, "label": None}]
    if kind == PRIMARY and primary is not None:
        label = "Primary" if pair[0] != "leads" and pair[1] != "leads" else None
        types.insert(0, {"category": "HUBSPOT_DEFINED", "typeId": primary, "label": label})
    if kind == LABELLED:
        types.append({"category": "USER_DEFINED", "typeId": 36, "label": "Decision maker"})
    return types


class Half:
    """Links of one direction: for an id, the ids it is linked to and the kind of each."""

    def __init__(self, start: Ints, end: Ints, kinds: Ints) -> None:
        order = np.argsort(start, kind="stable")
        self.start, self.end, self.kinds = start[order], end[order], kinds[order]
        self.changed: dict[int, dict[int, int]] = {}

    def of(self, record_id: int) -> Mapping[int, int]:
        """Ids linked to that id, each with its kind, in the order they were linked."""
        known = self.changed.get(record_id)
        if known is not None:
            return known
        low = int(np.searchsorted(self.start, record_id, "left"))
        high = int(np.searchsorted(self.start, record_id, "right"))
        return dict(zip(self.end[low:high].tolist(), self.kinds[low:high].tolist(), strict=True))

    def open(self, record_id: int) -> dict[int, int]:
        """Links of that id, to be changed."""
        if record_id not in self.changed:
            self.changed[record_id] = dict(self.of(record_id))
        return self.changed[record_id]


class Links:
    """Links of every pair of types, seen from both ends."""

    def __init__(self, base: Mapping[tuple[str, str], tuple[Ints, Ints, Ints]]) -> None:
        empty = np.zeros(0, dtype=np.int64)
        self.halves: dict[tuple[str, str], Half] = {}
        for pair in PAIRS:
            start, end, kinds = base.get(pair, (empty, empty, empty))
            self.halves[pair] = Half(start, end, kinds)
            self.halves[pair[1], pair[0]] = Half(end, start, kinds)

    def of(self, start: str, record_id: int, end: str) -> Mapping[int, int]:
        """Ids of type `end` linked to a record; those archived are still among them."""
        return self.halves[start, end].of(record_id)

    def add(self, start: str, a: int, end: str, b: int, kind: int = PLAIN) -> None:
        """Link two records; a link already there takes the kind."""
        self.halves[start, end].open(a)[b] = kind
        self.halves[end, start].open(b)[a] = kind

    def remove(self, start: str, a: int, end: str, b: int) -> None:
        """Take a link away."""
        self.halves[start, end].open(a).pop(b, None)
        self.halves[end, start].open(b).pop(a, None)

    def types_of(self, start: str) -> Iterator[str]:
        """Types a type can be linked to."""
        return (pair[1] for pair in self.halves if pair[0] == start)

    def move(self, start: str, a: int, b: int | None) -> None:
        """Give every link of one record to another; to None, drop them."""
        for end in list(self.types_of(start)):
            for other, kind in list(self.of(start, a, end).items()):
                self.remove(start, a, end, other)
                if b is not None:
                    self._give(start, b, end, other, kind)

    def _give(self, start: str, b: int, end: str, other: int, kind: int) -> None:
        held = self.of(start, b, end)
        one_primary = (start, end) in PAIRS  # a deal has one primary company, a company many deals
        if one_primary and kind == PRIMARY and PRIMARY in held.values():
            kind = PLAIN
        if other not in held or kind == PRIMARY:
            self.add(start, b, end, other, kind)
