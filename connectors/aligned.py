"""Tables as plain text: words to the left, numbers to the right, two blanks between."""

import math
from collections.abc import Sequence

from connectors.secret import plain

WIDEST = 48


def aligned(rows: Sequence[Sequence[object]], head: Sequence[str]) -> list[str]:
    r"""Return the lines of a table: the head, then a line per row.

    Numbers have thousands separators; zero is a dash, so that what happened stands out; what is
    missing is blank. A column with nothing in it is left out. Foreign text is made fit for a line.

    Examples
    --------
    >>> print(*aligned([["deals", 1200, 0], ["leads", 38, 2]], ["", "rows", "new"]), sep="\n")
              rows  new
    deals    1,200    –
    leads       38    2
    """
    columns = [[cell(value) for value in column] for column in zip(*rows, strict=True)]
    right = [any(_is_number(row[place]) for row in rows) for place in range(len(columns))]
    kept = [place for place, column in enumerate(columns) if set(column) - {"", "–"}]
    padded = []
    for place in kept:
        lines = [head[place], *columns[place]]
        width = max(map(len, lines)) + (2 if place == 0 else 0)
        padded.append([line.rjust(width) if right[place] else line.ljust(width) for line in lines])
    return ["  ".join(parts).rstrip() for parts in zip(*padded, strict=True)]


def cell(value: object) -> str:
    r"""Write one value.

    >>> [cell(value) for value in (1234567, 0, 1.5, 2000.0, None, "a\tb")]
    ['1,234,567', '–', '1.50', '2,000', '', 'a b']
    """
    if value is None or value != value:  # noqa: PLR0124 - nothing, NaN and NaT differ from themselves
        return ""
    if not _is_number(value):
        return plain(str(value), WIDEST)
    number = float(str(value))
    if not math.isfinite(number) or not number.is_integer():
        return f"{number:,.2f}"
    return f"{int(number):,}" if number else "–"


def times(count: int, one: str, many: str = "") -> str:
    """Count things in words.

    >>> times(1, "row"), times(2000, "row"), times(0, "reply", "replies")
    ('1 row', '2,000 rows', '0 replies')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _is_number(value: object) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, str | bool)
