"""The notebooks in a real JupyterLab: every cell runs, charts are drawn, inputs move the answer."""

import re
from datetime import date
from pathlib import Path

import pytest
from lab import chromium_missing_reason, open_lab

import connectors
import kpi
from kpi.planning import FunnelModel, reverse_funnel
from workbench import theme

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WIDTHS = (1280, 1024)
TALL = 6000  # pixels: a notebook whole in one picture
CHARTS = """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON().cells
  .flatMap(cell => cell.outputs ?? [])
  .flatMap(output => output.data?.['application/vnd.vegalite.v5+json'] ?? [])"""
TO_TOP = "() => document.querySelectorAll('.jp-WindowedPanel-outer').forEach(p => p.scrollTo(0, 0))"
WITHOUT_MARKS = """() => [...document.querySelectorAll('.vega-embed svg.marks')]
  .filter(svg => !svg.querySelector('[role=graphics-object] path') || svg.clientWidth < 100)
  .map(svg => svg.outerHTML.slice(0, 300))"""
BROKEN = """() => [...document.querySelectorAll('.jp-OutputArea img')]
  .filter(img => !img.complete || img.naturalWidth < 100 || !img.alt)
  .map(img => img.outerHTML.slice(0, 300))"""
CUT_OFF = """() => [...document.querySelectorAll('.rf-board')]
  .filter(board => board.scrollWidth > board.clientWidth + 1)
  .map(board => `${board.scrollWidth} in ${board.clientWidth}: ${board.innerText.slice(0, 100)}`)"""
missing = chromium_missing_reason()
pytestmark = [pytest.mark.browser, pytest.mark.skipif(missing is not None, reason=str(missing))]


every_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def until_said(page, where, words):
    """Wait until an element holds these words."""
    page.wait_for_function(
        "([where, words]) => document.querySelector(where)?.innerText.includes(words)",
        arg=[where, words],
    )


def typed(page, label, value):
    """Type into a field of a board, and leave it by Enter."""
    field = page.get_by_label(label, exact=True)
    field.fill(value)
    field.press("Enter")


def titles(chart):
    """Titles in a Vega-Lite specification, of its parts too."""
    title = chart.get("title")
    text = title.get("text") if isinstance(title, dict) else title
    yield from [text] if isinstance(text, str) else text or []
    for how in ("hconcat", "vconcat", "layer"):
        for part in chart.get(how, []):
            yield from titles(part)


def leads_said(text):
    """The number in the board's sentence."""
    return int(re.search(r"Create ([\d,]+) leads", text)[1].replace(",", ""))


def test_the_board_answers_with_the_planners_number_and_follows_its_inputs(tmp_path):
    """Typing a target and a rate changes the answer to what the planner itself says."""
    model = FunnelModel.fit(connectors.open(ROOT / "data" / "samples"))

    def planned(wins, **rates):
        by = date(2027, 5, 31)
        return reverse_funnel(model.with_rates(rates), wins=wins, by=by).total_leads

    with open_lab(ROOT / "notebooks" / "02_reverse_funnel.ipynb", work_dir=tmp_path) as lab:
        lab.run_all()
        page, answer = lab.page, lab.page.locator(".rf-answer")
        answer.wait_for()
        answer.scroll_into_view_if_needed()
        lab.screenshot("02_before")
        assert leads_said(answer.inner_text()) == planned(32)

        typed(page, "Target", "40")
        until_said(page, ".rf-answer", f"Create {planned(40):,} leads")
        typed(page, "Leads → Discovery, %", "20")
        until_said(page, ".rf-answer", f"Create {planned(40, leads=0.2):,} leads")
        answer.scroll_into_view_if_needed()
        lab.screenshot("02_after")
        page.get_by_role("button", name="Reset all to history").click()
        until_said(page, ".rf-answer", f"Create {planned(40):,} leads")
        typed(page, "Target", "-3")
        page.locator(".rf-problem").wait_for()
        assert "expected a number above 0" in page.locator(".rf-problem").inner_text()
        assert page.locator(".vega-embed svg").count() >= 1
        assert lab.offsite == []
        assert lab.errors == []


@every_notebook
def test_every_chart_is_drawn_by_lab(notebook, tmp_path):
    """Lab bundles an older Vega than Altair speaks: each chart must be seen drawn there, at any width."""
    with open_lab(notebook, work_dir=tmp_path) as lab:
        lab.run_all()
        page = lab.page
        charts = page.evaluate(CHARTS)
        page.wait_for_function(
            "count => document.querySelectorAll('.vega-embed svg.marks').length === count",
            arg=len(charts),
        )
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": TALL})
            page.wait_for_timeout(1000)
            page.evaluate(TO_TOP)
            lab.screenshot(f"{notebook.stem}_{width}")
            assert page.evaluate(WITHOUT_MARKS) == []
            assert page.evaluate(BROKEN) == []
            assert width < WIDTHS[0] or page.evaluate(CUT_OFF) == []
        drawn = set(page.locator(".vega-embed svg text").all_text_contents())
        assert {title for chart in charts for title in titles(chart)} <= drawn
        assert lab.offsite == []
        assert lab.errors == []


def test_the_gross_margin_moves_the_recurring_board(tmp_path):
    """Typed: what a customer brings in its time. The as-of date: what customers pay."""
    snapshot = connectors.open(ROOT / "data" / "samples")
    worth = kpi.lifetime_value(snapshot, gross_margin=0.25)["value"].item()
    paid = kpi.mrr(snapshot.at("2026-06-30"))["value"].item()
    with open_lab(ROOT / "notebooks" / "04_recurring.ipynb", work_dir=tmp_path) as lab:
        lab.run_all()
        before = lab.page.locator(".rf-facts").inner_text()
        assert theme.money_text(worth) not in before
        typed(lab.page, "Gross margin, %", "25")
        until_said(lab.page, ".rf-facts", theme.money_text(worth))
        lab.page.get_by_label("As of", exact=True).fill("2026-06-30")
        lab.page.get_by_label("As of", exact=True).press("Enter")
        until_said(lab.page, ".rf-answer", f"revenue is {theme.money_text(paid)} a month")
        lab.screenshot("04_moved")
        assert lab.offsite == []
        assert lab.errors == []


def test_the_gross_margin_moves_the_acquisition_board(tmp_path):
    """Typed: the months in which a customer pays back what it cost."""
    snapshot = connectors.open(ROOT / "data" / "samples")
    months = kpi.cac_payback(snapshot, gross_margin=0.25)["value"].item()
    with open_lab(ROOT / "notebooks" / "05_acquisition.ipynb", work_dir=tmp_path) as lab:
        lab.run_all()
        said = f"pays back in {months:.1f} months"
        assert said not in lab.page.locator(".rf-answer").inner_text()
        typed(lab.page, "Gross margin, %", "25")
        until_said(lab.page, ".rf-answer", said)
        lab.screenshot("05_moved")
        assert lab.offsite == []
        assert lab.errors == []


def test_the_connect_board_checks_and_syncs_at_a_click(tmp_path):
    """Its buttons do what its methods do; a second sync brings nothing new."""
    with open_lab(ROOT / "notebooks" / "00_connect.ipynb", work_dir=tmp_path) as lab:
        lab.run_all()
        page = lab.page
        lab.screenshot("00_first")
        button = page.locator(".rf-board button[title=Sync]")
        button.wait_for()
        button.scroll_into_view_if_needed()
        lab.screenshot("00_synced")
        page.locator(".rf-board button[title=Check]").click()
        page.wait_for_function(
            "document.querySelector('.rf-board pre')?.innerText.includes('HubSpot account')"
        )
        button.click()
        page.wait_for_function(
            "document.querySelector('.rf-board table.rf')?.innerText.includes('1,995')"
        )
        lab.screenshot("00_clicked")
        assert "new" not in page.locator(".rf-board table.rf").inner_text()
        assert lab.offsite == []
        assert lab.errors == []
