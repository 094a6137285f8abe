"""Accessibility, by axe-core: no serious violation of ours, on any board and any page.

Ours is what a cell shows; JupyterLab around it is not, nor are the colours in which it sets code, nor
the menu that vega-embed puts on a chart, whose only name is a title that axe does not count.
"""

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest
from lab import IDLE, chromium_missing_reason, open_browser, open_lab

from workbench.report.static_page import render

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
SERIOUS = {"serious", "critical"}
AXE = """
async within => {
  const found = await axe.run(within, {resultTypes: ['violations']});
  return found.violations.map(({id, impact, nodes}) => (
    {id, impact, where: nodes.map(node => `${node.target.join(' ')}: ${node.html}`)}));
}
"""
PAGE = {"include": ["html"]}
CELLS = {
    "include": [".rf-board", ".jp-Cell-outputWrapper", ".jp-MarkdownOutput"],
    "exclude": [".vega-embed > details", "pre code"],
}
UNCLIPPED = "* { overflow: visible !important }"  # or axe takes all that Lab clips for hidden
THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
THEMES = {"JupyterLab Light": "true", "JupyterLab Dark": "false"}
FOLDED = ".rf-board .widget-toggle-button:not(.widget-toggle-buttons *)"

missing = chromium_missing_reason()
if find_spec("axe_playwright_python") is None:
    missing = missing or "axe-core is not installed: pip install axe-playwright-python"
pytestmark = [pytest.mark.browser, pytest.mark.skipif(missing is not None, reason=str(missing))]
every_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def violations(page, within):
    """What axe-core finds in parts of a page, as ``{rule: {impact, where}}``."""
    scripts = files("axe_playwright_python")
    page.evaluate(scripts.joinpath("axe.min.js").read_text(encoding="utf-8"))
    return {found["id"]: found for found in page.evaluate(AXE, within)}


def serious(page, within):
    """Those that keep somebody out."""
    found = violations(page, within)
    return {rule: v["where"] for rule, v in found.items() if v["impact"] in SERIOUS}


@pytest.mark.parametrize(
    ("markup", "rule"),
    [
        pytest.param("<input>", "label", id="no label"),
        pytest.param("<img src='data:,'>", "image-alt", id="no description"),
        pytest.param("<p style='color: #aaa'>faint</p>", "color-contrast", id="faint"),
        pytest.param("<div tabindex=0 role=slider aria-valuenow=1></div>", "aria-input-field-name"),
    ],
)
def test_a_planted_violation_is_found(tmp_path, markup, rule):
    """Or the other tests would say nothing."""
    with open_browser(tmp_path) as browser:
        browser.page.set_content(f"<html lang=en><title>x</title><main>{markup}</main></html>")
        assert rule in serious(browser.page, PAGE)


@every_notebook
def test_what_a_notebook_shows(notebook, tmp_path):
    """Every board of it, all that folds unfolded, every table and text, by day and by night."""
    with open_lab(notebook, work_dir=tmp_path) as lab:
        lab.run_all()
        page = lab.page
        page.locator(".rf-board").first.wait_for()
        page.add_style_tag(content=UNCLIPPED)
        assert serious(page, CELLS) == {}
        page.evaluate("where => document.querySelectorAll(where).forEach(b => b.click())", FOLDED)
        page.wait_for_timeout(1000)  # for the kernel to be asked
        page.wait_for_selector(IDLE)
        page.evaluate("document.querySelectorAll('.rf-board details').forEach(d => d.open = true)")
        for theme, light in THEMES.items():
            page.evaluate(THEME, theme)
            page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")
            page.wait_for_timeout(500)  # its style sheet takes a moment
            assert serious(page, CELLS) == {}, theme


@every_notebook
def test_the_page_for_leadership(notebook, tmp_path):
    """As `reverse-funnel report` writes it: on a telephone and a laptop, by day and by night."""
    written = render(notebook, tmp_path / "page.html").path
    with open_browser(tmp_path) as browser:
        page = browser.page
        page.goto(written.as_uri())
        for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            assert serious(page, PAGE) == {}, (width, scheme)
