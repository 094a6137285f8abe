"""Work done several at a time, its results taken in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """Run some work on each item in a pool and yield the results in the order of the items.

    Parameters
    ----------
    pool : Executor
        Where the work runs. The work must not use the same pool, or they wait for one another.
    work : callable
        Item in, result out.
    items : iterable
        Is asked for the next item only when there is room for it.
    ahead : int
        Items at most that are under way or wait to be taken.

    Raises
    ------
    Exception
        What the work or the items raise, at its place: after the results before it. What has not
        begun by then is cancelled.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as pool:
    ...     list(in_order(pool, str.upper, "abc", ahead=2))
    ['A', 'B', 'C']

    """
    source = iter(items)
    under_way: deque[Future[Result]] = deque()
    try:
        while True:
            while len(under_way) < ahead and (future := _begin(pool, work, source)):
                under_way.append(future)
            if not under_way:
                return
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()


def _begin(
    pool: Executor, work: Callable[[Item], Result], source: Iterator[Item]
) -> Future[Result] | None:
    """Begin the work on the next item; None at the end."""
    try:
        item = next(source)
    except StopIteration:
        return None
    except Exception as error:
        failed: Future[Result] = Future()  # so that it comes out at its place
        failed.set_exception(error)
        return failed
    return pool.submit(work, item)
