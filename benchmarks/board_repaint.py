"""From an input to the repainted result in a real browser: the planning board beside a bare slider.

Run as ``python benchmarks/board_repaint.py [--moves 25]``; it needs Playwright and a Chromium. One
JupyterLab, one kernel, one page: a bare ipywidgets slider whose Label says its value, and the reverse-
funnel board of the sample company. A key moves one slider by a step, then the other's turn comes. Timed
in the page, from the key to the frame after the last change is drawn: of the Label its text; of the board
its sentence, and its new pictures, decoded.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import nbformat
import numpy as np
from nbformat import v4

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # not this folder: its names are those of packages
sys.path.append(str(ROOT / "tests"))

from lab import Lab, chromium_missing_reason, open_lab  # noqa: E402

MEDIAN, P95, RATIO = 150.0, 300.0, 3.0
FIRST = 50  # chance at first, per cent: there is room for as many moves up
MOST = 40
BARE = """
import ipywidgets as w
slider = w.IntSlider(value=0, min=0, max=99)
label = w.Label(value="0")
label.add_class("bare-label")
slider.add_class("bare-slider")
slider.observe(lambda change: setattr(label, "value", str(change["new"])), names="value")
w.VBox([slider, label])
"""
BOARD = """
import connectors
from workbench.boards import ReverseFunnelBoard
board = ReverseFunnelBoard(connectors.open({data!r}), confidence={first})
board.confidence.add_class("timed-slider")
board
"""
MOVE = """
async ([slider, text, picture]) => {
  const shown = () => [text, picture].filter(Boolean).map(
    where => [...document.querySelectorAll(where)].map(part => part.src ?? part.innerText).join());
  const before = shown();
  const handle = document.querySelector(`${slider} .noUi-handle`);
  const field = document.querySelector(`${slider} input`);
  const began = performance.now();
  if (field) {  // a number: as the arrow key steps it
    field.stepUp();
    field.dispatchEvent(new Event('change', {bubbles: true}));
  } else {
    handle.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
  }
  while (shown().some((now, place) => now === before[place])) {
    if (performance.now() - began > 20000) throw new Error(`${slider} moved nothing`);
    await new Promise(requestAnimationFrame);
  }
  if (picture) await Promise.all([...document.querySelectorAll(picture)].map(p => p.decode()));
  await new Promise(requestAnimationFrame);
  return performance.now() - began;
}
"""
PLACES = {
    "bare": (".bare-slider", ".bare-label", ""),
    "board": (".timed-slider", ".rf-board .rf-answer", ".rf-board img"),
}


def main() -> None:
    """Measure, print a table, and say of each measure whether it is met."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--moves", type=int, default=25, help=f"of each slider, at most {MOST}")
    moves = min(asked.parse_args().moves, MOST)
    missing = chromium_missing_reason()
    if missing:
        sys.exit(missing)
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder) / "repaint.ipynb"
        board = BOARD.format(data=str(ROOT / "data" / "samples"), first=FIRST / 100)
        cells = [v4.new_code_cell(source.strip()) for source in (BARE, board)]
        nbformat.write(v4.new_notebook(cells=cells), book)
        with open_lab(book, work_dir=Path(folder) / "work") as lab:
            taken = measured(lab, moves)
    for name, times in taken.items():
        print(f"{name:6} median {np.median(times):6.0f} ms, p95 {np.quantile(times, 0.95):6.0f} ms")
    median = float(np.median(taken["board"]))
    verdict("board, median ms", median, MEDIAN)
    verdict("board, p95 ms", float(np.quantile(taken["board"], 0.95)), P95)
    verdict("board / bare, medians", median / float(np.median(taken["bare"])), RATIO)


def measured(lab: Lab, moves: int) -> dict[str, list[float]]:
    """Milliseconds of each move, the first of each left out: it warms both up."""
    lab.run_all()
    lab.page.locator(".rf-board img").first.wait_for()
    taken: dict[str, list[float]] = {name: [] for name in PLACES}
    for _ in range(moves + 1):
        for name, places in PLACES.items():
            lab.page.wait_for_timeout(250)
            taken[name].append(float(lab.page.evaluate(MOVE, list(places))))
    return {name: times[1:] for name, times in taken.items()}


def verdict(name: str, found: float, limit: float) -> None:
    """Say whether a measure is met."""
    print(f"{name:24}{found:8.2f}, at most {limit:g}: {'met' if found <= limit else 'NOT MET'}")


if __name__ == "__main__":
    main()
