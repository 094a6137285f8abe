"""The harness itself: a widget and a chart, alive in a real JupyterLab without any network."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import nbformat
import pytest

harness = spec_from_file_location("lab", Path(__file__).with_name("lab.py"))
lab = module_from_spec(harness)
harness.loader.exec_module(lab)

missing = lab.chromium_missing_reason()
pytestmark = [pytest.mark.browser, pytest.mark.skipif(missing is not None, reason=str(missing))]

BOARD = """
import ipywidgets as w
wins = w.IntSlider(60, min=1, max=200, description="Wins")
said = w.HTML(f"<b>Leads: {wins.value * 20:,}</b>")
def refresh(_change):
    said.value = f"<b>Leads: {wins.value * 20:,}</b>"
wins.observe(refresh, names="value")
w.VBox([wins, said])
"""
CHART = """
import altair as alt
from workbench import theme
theme.enable()
rows = [{"stage": "Demo", "deals": 1200}, {"stage": "Won", "deals": 60}]
bars = alt.Chart(alt.Data(values=rows), title="Deals by stage").mark_bar()
money = alt.Axis(labelExpr=theme.money_label())
bars.encode(x=alt.X("deals:Q", title="Value", axis=money), y="stage:N", color="stage:N")
"""


@pytest.fixture
def notebook(tmp_path):
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in (BOARD, CHART)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "small.ipynb")
    return tmp_path / "small.ipynb"


def test_a_slider_moves_a_number_and_lab_draws_the_chart(notebook, tmp_path):
    """Keyboard to kernel and back; the chart is drawn by Lab's own Vega; nothing leaves."""
    with lab.open_lab(notebook, work_dir=tmp_path / "lab") as opened:
        opened.run_all()
        page = opened.page
        page.wait_for_selector("text=Leads: 1,200")
        handle = page.locator(".noUi-handle")
        handle.focus()
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        page.wait_for_selector("text=Leads: 1,300")
        page.wait_for_selector(".vega-embed svg")
        drawn = page.locator(".vega-embed svg text").all_text_contents()
        bar = page.locator(".vega-embed svg .mark-rect.role-mark path").first
        filled = bar.evaluate("bar => getComputedStyle(bar).fill")
        shot = opened.screenshot("lab_harness")

    assert {"Deals by stage", "Value", "Demo", "Won", "$1.2K"} <= set(drawn)
    assert "Error" not in "".join(drawn)
    assert filled == "rgb(11, 107, 120)"
    assert opened.offsite == []
    assert opened.errors == []
    assert shot.stat().st_size > 10_000


def test_a_failing_cell_is_reported_with_its_error(tmp_path):
    """A notebook that fails must fail the test that opens it, in the words of its error."""
    cell = nbformat.v4.new_code_cell("1 / 0")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "bad.ipynb")
    with (
        lab.open_lab(tmp_path / "bad.ipynb", work_dir=tmp_path / "lab") as opened,
        pytest.raises(AssertionError, match="ZeroDivisionError"),
    ):
        opened.run_all()


def test_a_request_to_the_world_outside_is_blocked_and_recorded(tmp_path):
    """Otherwise the empty lists above would prove nothing."""
    with lab.open_browser(tmp_path) as browser:
        browser.page.set_content('<img src="https://example.com/pixel.png">')
        browser.page.wait_for_load_state("load")
    assert browser.offsite == ["https://example.com/pixel.png"]
    assert any("ERR_FAILED" in error for error in browser.errors)
