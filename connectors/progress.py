"""Show how far long work has come: counts and time left, in a terminal and in a notebook."""

import shutil
import sys
from collections.abc import Callable
from typing import Any, Protocol

from tqdm.auto import tqdm
from tqdm.notebook import tqdm as in_notebook

KNOWN = "{desc:<15} {percentage:3.0f}% {bar:24} {n:,} of {total:,} [{elapsed}, {remaining} left]"
UNKNOWN = "{desc:<15} {n:,} records [{elapsed}]"


class Bar(Protocol):
    """One piece of work under way."""

    def update(self, n: int) -> object:
        """Count `n` more as done."""
        ...

    def close(self) -> object:
        """End it."""
        ...


Progress = Callable[[str, int | None], Bar]
"""Begins a piece of work: what it is, and how many there are (None: not known)."""


def bars(label: str, total: int | None) -> Bar:
    """Show a bar with counts and the time left, where somebody looks: not in a pipe or a log."""
    notebook = issubclass(tqdm, in_notebook)
    if not (sys.stderr.isatty() or notebook):
        return silent(label, total)
    shape: dict[str, Any] = {"bar_format": KNOWN if total else UNKNOWN}
    if not notebook:  # some terminals say they are 0 wide, and tqdm believes them
        size = shutil.get_terminal_size()
        shape |= {"ncols": size.columns - 1, "nrows": size.lines}
    return _Shown(tqdm(desc=label, total=total, mininterval=0.3, **shape))


def silent(label: str, total: int | None) -> Bar:  # noqa: ARG001 - a `Progress`
    """Show nothing."""
    return _Nothing()


class _Shown:
    def __init__(self, bar: Any) -> None:  # noqa: ANN401 - tqdm's class depends on the place
        self._bar = bar

    def update(self, n: int) -> None:
        """Count `n` more as done."""
        self._bar.update(n)

    def close(self) -> None:
        """End it; a bar that has counted nothing goes away."""
        self._bar.leave = bool(self._bar.n)
        self._bar.close()


class _Nothing:
    def update(self, n: int) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
