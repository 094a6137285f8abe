"""Walk everything that changed in a span of time, however much it is, over HubSpot's search.

A search stops at 10,000 results, and its pages are counted in rows, which move while they are read.
So only first pages are asked for: the next search starts at the last moment of the page before,
which is read again, since records of that moment may have been cut off. Where a moment holds more
than a page, it is walked by record id.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

SEARCH_PAGE = 200

Found = list[tuple[str, int]]
"""Ids of records and the millisecond each was changed."""
Search = Callable[[Sequence[dict[str, Any]], str], Found]
"""First page of the records that meet all filters, sorted by a property, at most `SEARCH_PAGE`."""


def changed(
    search: Search, modified: str, since: int, until: int
) -> Iterator[tuple[list[str], int]]:
    """Yield the ids of records changed from `since` to `until` (both included), oldest first.

    Parameters
    ----------
    search : callable
        The search; see `Search`.
    modified : str
        Name of the property that says when a record was changed.
    since, until : int
        Milliseconds since 1970 (UTC).

    Yields
    ------
    ids : list of str
        Each id once, at the place of its first sight.
    upto : int
        Everything changed before this millisecond has been yielded.

    Examples
    --------
    >>> held = [("1", 10), ("2", 10), ("3", 20)]
    >>> def search(filters, by):
    ...     low = int(filters[0]["value"])
    ...     return [row for row in held if row[1] >= low]
    >>> list(changed(search, "hs_lastmodifieddate", 5, 30))
    [(['1', '2', '3'], 31)]
    """
    low = max(since, 1)  # searching from the epoch itself is answered by an error
    before: set[str] = set()  # those of the millisecond `low`, met on the page before
    while low <= until:
        span = {"propertyName": modified, "operator": "BETWEEN"}
        page = search([{**span, "value": str(low), "highValue": str(until)}], modified)
        # the index may answer a little outside of what was asked
        inside = [(i, ms) for i, ms in page if low <= ms <= until]
        if len(page) < SEARCH_PAGE:
            yield [i for i, _ in inside if i not in before], until + 1
            return
        last = page[-1][1] if page[-1][1] > low else max((ms for _, ms in inside), default=low)
        if last > low:
            yield [i for i, _ in inside if i not in before], min(last, until + 1)
            before = {i for i, ms in inside if ms >= last}
            low = last
            continue
        for ids in _of_one_moment(search, modified, low):
            yield [i for i in ids if i not in before], low
        before, low = set(), low + 1


def _of_one_moment(search: Search, modified: str, moment: int) -> Iterator[list[str]]:
    """Yield the ids of the records changed in one millisecond, by id."""
    last = "0"
    while True:
        page = search(
            [
                {"propertyName": modified, "operator": "EQ", "value": str(moment)},
                {"propertyName": "hs_object_id", "operator": "GT", "value": last},
            ],
            "hs_object_id",
        )
        yield [i for i, _ in page]
        if len(page) < SEARCH_PAGE:
            return
        last = max((i for i, _ in page), key=int)


def milliseconds(text: str) -> int:
    """Milliseconds since 1970 of a moment as HubSpot writes it: ISO with or without ms, or epoch.

    >>> milliseconds("2023-02-24T03:01:01.711Z"), milliseconds("2023-01-15T05:00:00Z")
    (1677207661711, 1673758800000)
    >>> milliseconds("1743685150726")
    1743685150726
    """
    if text.isdigit():
        return int(text)
    moment = datetime.fromisoformat(text)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
