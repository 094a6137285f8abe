"""Let a producer run ahead of its consumer: fetching goes on while rows are being saved."""

import queue
import threading
import traceback
from collections.abc import Generator, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
POLL = 0.05
"""Seconds after which a producer with a full queue looks whether anybody still listens."""


def ahead(items: Iterable[T], size: int) -> Iterator[T]:
    """Yield `items` as they are, produced in a thread of their own, at most `size` in advance.

    An error of the producer is raised after the items that came before it. When the consumer
    stops, so does the producer, before its next item.

    >>> list(ahead(range(5), size=2))
    [0, 1, 2, 3, 4]
    """
    yield from begun(items, size)


def begun(items: Iterable[T], size: int) -> Generator[T, None, None]:
    """Yield as `ahead`, but let the producer begin at once, before the first item is wanted.

    >>> list(begun(range(5), size=2))
    [0, 1, 2, 3, 4]
    """
    producer = _Producer(items, size)
    producer.thread.start()
    taken = _taken(producer)
    next(taken)  # into its try, so that dropping it ends the thread whenever that is
    return taken


def _taken(producer: "_Producer[T]") -> Generator[T, None, None]:
    try:
        yield _END  # type: ignore[misc]
        while (item := producer.ready.get()) is not _END:
            yield item  # type: ignore[misc]
        if producer.error is not None:
            raise producer.error
    finally:
        producer.stopped.set()
        producer.thread.join()


_END = object()


class _Producer(Generic[T]):
    def __init__(self, items: Iterable[T], size: int) -> None:
        self.items = items
        self.error: BaseException | None = None
        self.ready: queue.Queue[T | object] = queue.Queue(size)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._produce, daemon=True)

    def _produce(self) -> None:
        try:
            for item in self.items:
                if not self._put(item):
                    return
        except BaseException as error:
            # who keeps the error must not keep what the source holds: a producer of its own, say
            traceback.clear_frames(error.__traceback__)
            self.error = error
        self._put(_END)

    def _put(self, item: T | object) -> bool:
        """Hand an item over; False if nobody listens any more."""
        while not self.stopped.is_set():
            try:
                self.ready.put(item, timeout=POLL)
            except queue.Full:
                continue
            return True
        return False
