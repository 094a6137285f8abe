"""How far long work has come, as widgets of a board."""

from time import monotonic

import ipywidgets as w


class WidgetBar:
    """A `connectors.progress.Bar` made of widgets: counts, and the time left."""

    def __init__(self, bar: w.IntProgress, counted: w.Label, label: str, total: int | None) -> None:
        self._bar, self._counted, self._label, self._total = bar, counted, label, total
        self._done = 0
        self._began = monotonic()
        bar.layout.visibility = "visible"
        bar.max, bar.value = max(total or 1, 1), 0
        self._show()

    def update(self, n: int) -> None:
        """Count `n` more as done."""
        self._done += n
        self._bar.value = self._done if self._total else 0
        self._show()

    def close(self) -> None:
        """End it."""
        self._bar.value = self._bar.max

    def _show(self) -> None:
        of = f" of {self._total:,}" if self._total else ""
        left = ""
        if self._total and self._done:
            seconds = (monotonic() - self._began) * (self._total / self._done - 1)
            left = f", {max(seconds, 0):.0f} s left"
        self._counted.value = f"{self._label}: {self._done:,}{of}{left}"
