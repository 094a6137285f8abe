"""Objects that are read whole, side by side: while one is saved, pages of the next one come in.

The org works all of them out at once. Of two at a time pages are fetched and shaped, each in threads
of its own, a few in advance; they are handed over in the fixed order, one object after the other.
"""

from collections.abc import Callable, Generator, Sequence
from threading import Event
from typing import NamedTuple

from connectors.ahead import begun
from connectors.salesforce.context import Kind
from connectors.salesforce.save import Work
from connectors.salesforce.streams import Batch, Stream

SIDE_BY_SIDE = 2
"""Objects whose pages are fetched at a time: that whose turn it is, and the next one."""
FETCHED, SHAPED = 1, 1
"""Pages kept in advance of each, as they came and shaped."""

Works = Generator[Work, None, None]
"""Whoever leaves one before its end closes it: that ends the threads behind it."""


class Lane(NamedTuple):
    """The pages of one object under way, and what tells its threads that nobody waits for them."""

    works: Works
    ended: Event

    def close(self) -> None:
        """End it, wherever it is."""
        self.ended.set()
        self.works.close()


class Lanes:
    """Reads objects side by side and hands out their pages one object after the other.

    Parameters
    ----------
    kinds : sequence of Kind
        The objects, in the order in which they will be taken.
    opened : callable
        Returns the pages of an object as they come; the event is set when nobody waits any more.
    shaped : callable
        Shapes one page; runs in a thread.
    """

    def __init__(
        self,
        kinds: Sequence[Kind],
        opened: Callable[[Kind, Event], Stream],
        shaped: Callable[[Kind, Batch], Work],
    ) -> None:
        self._waiting = list(kinds)
        self._opened, self._shaped = opened, shaped
        self._lanes: dict[str, Lane] = {}
        self._begin()

    def taken(self, kind: Kind) -> Works:
        """Yield the pages of an object, and have those of the next one fetched meanwhile."""
        self._waiting = self._waiting[self._waiting.index(kind) :]
        self._begin()
        lane = self._lanes[kind.name]
        try:
            yield from lane.works
        finally:
            lane.close()
            del self._lanes[kind.name]

    def close(self) -> None:
        """End all threads, whatever they wait for."""
        for lane in self._lanes.values():
            lane.ended.set()  # all of them first: none then waits for the others
        for lane in self._lanes.values():
            lane.works.close()

    def _begin(self) -> None:
        for kind in self._waiting[:SIDE_BY_SIDE]:
            if kind.name not in self._lanes:
                self._lanes[kind.name] = self._lane(kind)

    def _lane(self, kind: Kind) -> Lane:
        ended = Event()
        fetched = begun(self._opened(kind, ended), FETCHED)
        works = begun((self._shaped(kind, batch) for batch in fetched), SHAPED)
        return Lane(works, ended)
