"""Rate limits kept on our side: a call waits here until the server will allow it."""

import threading
import time
from collections import deque
from collections.abc import Callable

MARGIN = 1.025  # windows are taken this much longer, as calls travel unevenly


class Bucket:
    """One limit: at most `calls` in any window of `seconds`, for all threads together.

    The wait comes first and the passing is noted after it, one thread at a time, so a thread that
    wakes late never lets the next ones pass too early.

    Parameters
    ----------
    calls : int
        Calls allowed in a window, 1 or more. For no limit, give a number never reached.
    seconds : float
        Length of the window. It is taken 2.5 % longer, which leaves 97.5 % of the rate.
    clock : callable
        Seconds, never going back.
    sleep : callable or None
        Waits for so many seconds; None: a wait that `end` cuts short.

    Attributes
    ----------
    waited : float
        Seconds that threads have spent waiting here, added up.

    Examples
    --------
    >>> time, slept = [0.0], []
    >>> def sleep(seconds):
    ...     slept.append(round(seconds, 3))
    ...     time[0] += seconds
    >>> bucket = Bucket(2, 1.0, clock=lambda: time[0], sleep=sleep)
    >>> for _ in range(3):
    ...     bucket.take()
    >>> slept
    [1.025]

    """

    def __init__(
        self,
        calls: int,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.waited = 0.0
        self._clock = clock
        self._ended = threading.Event()
        self._sleep = sleep or self._ended.wait
        self._turn = threading.Lock()  # held by the one thread that waits at the front
        self._state = threading.Lock()  # held for a moment only
        self._passed: deque[float] = deque()
        self._closed_until = float("-inf")
        self.change(calls, seconds)

    def take(self) -> None:
        """Wait until one more call is allowed, and count it."""
        came = self._clock()
        with self._turn:
            while (wait := self._pass()) > 0 and not self._ended.is_set():
                self._sleep(wait)
            with self._state:
                self.waited += self._clock() - came

    def _pass(self) -> float:
        """Count a call if one is allowed now, else say how long to wait, in seconds."""
        with self._state:
            now = self._clock()
            allowed_at = self._closed_until
            if len(self._passed) == self._passed.maxlen:
                allowed_at = max(allowed_at, self._passed[0] + self._window)
            if allowed_at <= now:
                self._passed.append(now)
            return allowed_at - now

    def change(self, calls: int, seconds: float) -> None:
        """Take another limit from now on; the calls already made count under it too.

        Raises
        ------
        ValueError
            If it allows no call at all.

        """
        if calls < 1 or not seconds > 0:
            raise ValueError(f"a limit of {calls} calls in {seconds} s allows none; give 1 or more")
        with self._state:
            self._window = seconds * MARGIN
            if self._passed.maxlen != calls:
                self._passed = deque(self._passed, maxlen=calls)

    def pause(self, seconds: float) -> None:
        """Let nobody pass for so many seconds; a longer pause that runs already goes on."""
        with self._state:
            self._closed_until = max(self._closed_until, self._clock() + seconds)

    def end(self) -> None:
        """Send everybody who waits on their way, now and from now on."""
        self._ended.set()
