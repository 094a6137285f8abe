"""Slow work of a board: begun by a button, seen to go on, and stopped by another."""

import html
import threading
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

import ipywidgets as w

from kpi import TableError

Found = TypeVar("Found")
TICK = 0.5
"""Seconds between two looks at how long it takes."""


class StoppedError(Exception):
    """What runs was stopped: nobody waits for it any more."""


class OnDemand(Generic[Found]):
    """A button, a word on progress and a button to stop; the work runs beside the notebook.

    What was stopped, or begun for another state of the board, is dropped when it comes: it is never
    shown. Work of several steps calls `check` between them: stopped, it ends at the next. The work
    must not share a connection with other threads: give it a snapshot of its own
    (``snapshot.at(snapshot.as_of)``).

    Parameters
    ----------
    label : str
        What the button says.
    work : callable
        Returns what was found; a TableError is shown in words.
    done : callable
        Takes what was found and shows it.

    Attributes
    ----------
    button, stop_button : Button
    said : HTML
    view : HBox
    """

    def __init__(
        self, label: str, work: Callable[[], Found], done: Callable[[Found], None]
    ) -> None:
        self._work, self._done = work, done
        self._run = 0
        self._here = threading.local()
        self._thread: threading.Thread | None = None
        self.button = w.Button(
            description=label, icon="search", layout=w.Layout(width="auto", min_width="180px")
        )
        self.stop_button = w.Button(description="Stop", icon="stop", disabled=True)
        self.said = w.HTML()
        self.button.on_click(lambda _button: self.start())
        self.stop_button.on_click(lambda _button: self.stop())
        self.view = w.HBox([self.button, self.stop_button, self.said])

    @property
    def running(self) -> bool:
        """Whether something is being worked out that has not been dropped."""
        return not self.stop_button.disabled

    def start(self) -> None:
        """Begin; what runs already is dropped."""
        self._run += 1
        self._buttons(running=True)
        self._say("working…")
        self._thread = threading.Thread(target=self._worked, args=(self._run,), daemon=True)
        self._thread.start()
        threading.Thread(target=self._count, args=(self._run,), daemon=True).start()

    def stop(self, why: str = "stopped") -> None:
        """Drop what runs."""
        if self.running:
            self._run += 1
            self._buttons(running=False)
            self._say(why)

    def check(self) -> None:
        """Raise `StoppedError` in work that was stopped; elsewhere do nothing."""
        if getattr(self._here, "run", self._run) != self._run:
            raise StoppedError

    def join(self, seconds: float | None = None) -> None:
        """Wait until the last work begun has ended."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _worked(self, run: int) -> None:
        self._here.run = run
        try:
            found = self._work()
        except StoppedError:
            return
        except TableError as error:
            self._end(run, str(error))
            return
        except Exception:
            self._end(run, "this failed for a reason nobody foresaw: please report it")
            raise
        if run == self._run:
            self._done(found)
            self._end(run, "")

    def _end(self, run: int, why: str) -> None:
        if run == self._run:
            self._buttons(running=False)
            self._say(why)

    def _count(self, run: int) -> None:
        """Say how long it takes, until it ends or is dropped."""
        began, thread = monotonic(), self._thread
        while thread is not None and run == self._run:
            thread.join(TICK)
            if not thread.is_alive():
                return
            if run == self._run:
                self._say(f"working… {monotonic() - began:.0f} s")

    def _buttons(self, *, running: bool) -> None:
        self.button.disabled, self.stop_button.disabled = running, not running

    def _say(self, words: str) -> None:
        self.said.value = f'<span class="rf-note" role="status">{html.escape(words)}</span>'
