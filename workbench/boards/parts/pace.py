"""When a board repaints: at once for a cell, and for a browser only for the latest of many changes."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

from IPython.core.getipython import get_ipython

GATHER = 0.03
"""Seconds after a repaint in which changes from the browser are gathered before the next begins."""

Made = TypeVar("Made")


class Pace(Generic[Made]):
    """Makes and paints for the newest request; what a newer one supersedes is dropped.

    A change made by a cell (or a test) is painted before the next line runs. Of changes sent by a
    browser the first is painted as soon as its message is dealt with; those that follow, in a row while
    somebody drags, wait a moment for the last of them.

    Parameters
    ----------
    make : callable
        Does the work for what the controls say now.
    paint : callable
        Shows what was made; never called for a state that the controls have left.

    Examples
    --------
    >>> pace = Pace(lambda: "made", print)
    >>> pace.ask()
    made
    """

    def __init__(self, make: Callable[[], Made], paint: Callable[[Made], None]) -> None:
        self._make, self._paint = make, paint
        self._asked = self._painted = 0
        self._waits = self._works = False
        self._ended = -GATHER

    def ask(self) -> None:
        """Ask for a repaint."""
        self._asked += 1
        if not from_browser():
            self.settle()
        elif not self._waits:
            self._waits = True
            wait = max(self._ended + GATHER - monotonic(), 0.0)
            asyncio.get_running_loop().call_later(wait, self.settle)

    def settle(self) -> None:
        """Do now what was asked for and has not been painted."""
        self._waits = False
        if self._works:
            return  # the loop below sees that more was asked
        self._works = True
        try:
            while self._painted != self._asked:
                mark = self._asked
                made = self._make()
                if mark == self._asked:
                    self._paint(made)
                    self._painted = mark
        finally:
            self._works = False
            self._ended = monotonic()


def from_browser() -> bool:
    """Tell whether the code that runs was set off by a widget in a browser, not by a cell."""
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return False
    return bool(kernel.get_parent().get("header", {}).get("msg_type") == "comm_msg")
