"""The live page of a pack beside bare Vega pages in the same browser: load, and input to repaint.

Run as ``python benchmarks/live_page.py [--loads 8] [--moves 40]``; it needs Playwright and a Chromium.
All pages are opened from files. Loading is timed by the page: from the start of its navigation to the first
frame after it has drawn; the Vega page is an empty chart with Vega, Vega-Lite and
Vega-Embed in it. Repaint is timed from setting a slider and its input event to the frame after the
change is drawn: of the live page its answer and drawings, of the bare page one mark that a bound slider
moves. Pages take turns, so that what else runs disturbs all alike.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import altair as alt
import numpy as np

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # not this folder: its names are those of packages
sys.path.append(str(ROOT / "tests"))

from lab import chromium_missing_reason, open_browser  # noqa: E402

import connectors  # noqa: E402
from kpi.planning import FunnelModel, reverse_funnel  # noqa: E402
from workbench.report.notebook import SAMPLES  # noqa: E402
from workbench.report.pack.contents import contents  # noqa: E402
from workbench.report.pack.live import write_live  # noqa: E402

MOST_BYTES, MOST_MS, RATIO = 1_200_000, 1_000.0, 2.0
LOOK = """
const look = () => {
  const there = document.querySelector('#funnel rect, #vis svg');
  requestAnimationFrame(there ? () => { window.drawnAt = performance.now(); } : look);
};
look();
"""
MOVE = """
async ([slider, shown]) => {
  const read = () => [...document.querySelectorAll(shown)].map(
    part => part.getAttribute('d') ?? part.getAttribute('transform') ?? part.textContent).join();
  const field = document.querySelector(slider);
  const before = read();
  const began = performance.now();
  if (Number(field.value) < Number(field.max)) field.stepUp(); else field.stepDown(20);
  field.dispatchEvent(new Event('input', {bubbles: true}));
  while (read() === before) {
    if (performance.now() - began > 10000) throw new Error(`${slider} moved nothing`);
    await new Promise(requestAnimationFrame);
  }
  await new Promise(requestAnimationFrame);
  return performance.now() - began;
}
"""
LOADS = ("live", "vega")
PLACES = {
    "live": ("#slide-rate-0", "#result-leads, #funnel text.value, #moved"),
    "vega": ("input[type=range]", "#vis svg .mark-rect path, #vis svg .mark-text text"),
}


def main() -> None:
    """Measure, print a table, and say of each measure whether it is met."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--loads", type=int, default=8)
    asked.add_argument("--moves", type=int, default=40)
    options = asked.parse_args()
    missing = chromium_missing_reason()
    if missing:
        sys.exit(missing)
    with tempfile.TemporaryDirectory() as folder:
        pages = written(Path(folder))
        with open_browser(Path(folder)) as browser:
            loads = loading(browser.page, pages, options.loads)
            moves = moving(browser.page, pages, options.moves)
        size = pages["live"].stat().st_size
    for name, times in (*loads.items(), *moves.items()):
        print(f"{name:28} least {min(times):6.1f} ms, median {np.median(times):6.1f} ms")
    verdict("live page, bytes", size, MOST_BYTES)
    verdict("live page, load, median ms", float(np.median(loads["live, load"])), MOST_MS)
    verdict("load, live / empty Vega", ratio(loads, "load"), RATIO)
    verdict("repaint, live / bare Vega", ratio(moves, "repaint"), RATIO)


def written(folder: Path) -> dict[str, Path]:
    """Write the live page of the sample company, an empty Vega page, and one with a bare slider."""
    snapshot = connectors.open(SAMPLES)
    plan = reverse_funnel(FunnelModel.fit(snapshot), new_mrr=60_000, by="2027-05-31")
    pages = {name: folder / f"{name}.html" for name in ("live", "vega", "slider")}
    write_live(contents(plan, snapshot, data_version="sync 1"), pages["live"])
    empty = alt.Chart(alt.Data(values=[])).mark_point()
    height = alt.param(value=50, bind=alt.binding_range(min=0, max=100, step=1))
    bar = alt.Chart(alt.Data(values=[{"a": 1}])).mark_bar().add_params(height)
    bar = bar.transform_calculate(b=height.name).encode(
        y=alt.Y("b:Q", scale=alt.Scale(domain=[0, 100]))
    )
    for name, chart in (("vega", empty), ("slider", bar)):
        text = chart.to_html(inline=True, embed_options={"renderer": "svg"})
        pages[name].write_text(text, encoding="utf-8")
    return pages


def loading(page: "Page", pages: dict[str, Path], count: int) -> dict[str, list[float]]:
    """Milliseconds from the start of a navigation to the frame in which a page answers."""
    taken: dict[str, list[float]] = {f"{name}, load": [] for name in LOADS}
    page.add_init_script(LOOK)
    for _ in range(count + 1):
        for name in LOADS:
            page.goto(pages[name].as_uri())
            page.wait_for_function("() => window.drawnAt")
            taken[f"{name}, load"].append(float(page.evaluate("() => window.drawnAt")))
    return {name: times[1:] for name, times in taken.items()}


def moving(page: "Page", pages: dict[str, Path], count: int) -> dict[str, list[float]]:
    """Milliseconds from the input of a slider to the frame after what it moves is drawn."""
    taken: dict[str, list[float]] = {}
    for name, file in (("live", pages["live"]), ("vega", pages["slider"])):
        page.goto(file.as_uri())
        page.wait_for_timeout(500)
        times = [float(page.evaluate(MOVE, list(PLACES[name]))) for _ in range(count + 2)]
        taken[f"{name}, repaint"] = times[2:]
    return taken


def ratio(taken: dict[str, list[float]], what: str) -> float:
    """Median of the live page over that of the Vega page."""
    return float(np.median(taken[f"live, {what}"]) / np.median(taken[f"vega, {what}"]))


def verdict(name: str, found: float, limit: float) -> None:
    """Say whether a measure is met."""
    print(f"{name:28}{found:10.2f}, at most {limit:g}: {'met' if found <= limit else 'NOT MET'}")


if __name__ == "__main__":
    main()
