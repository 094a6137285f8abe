"""Show how far long work has come: counts and time left, in a terminal and in a notebook."""

from collections.abc import Callable
from typing import Protocol

from tqdm.auto import tqdm


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
    """Show a bar with counts and the time left."""
    bar: Bar = tqdm(desc=f"{label:<14}", total=total, unit=" records", mininterval=0.3)
    return bar


def silent(label: str, total: int | None) -> Bar:  # noqa: ARG001 - a `Progress`
    """Show nothing."""
    return _Nothing()


class _Nothing:
    def update(self, n: int) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
