"""The notebooks in a real JupyterLab: every cell runs, charts are drawn, inputs move the answer."""

import re
from datetime import date
from pathlib import Path

import pytest
from lab import chromium_missing_reason, open_lab

import connectors
from kpi.planning import FunnelModel, reverse_funnel

ROOT = Path(__file__).parents[1]
missing = chromium_missing_reason()
pytestmark = [pytest.mark.browser, pytest.mark.skipif(missing is not None, reason=str(missing))]


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

        def typed(label, value, expected):
            field = page.get_by_label(label, exact=True)
            field.fill(value)
            field.press("Enter")
            page.wait_for_function(
                "said => document.querySelector('.rf-answer')?.innerText.includes(said)",
                arg=f"Create {expected:,} leads",
            )

        typed("Target", "40", planned(40))
        typed("Leads → Discovery, %", "20", planned(40, leads=0.2))
        answer.scroll_into_view_if_needed()
        lab.screenshot("02_after")
        page.get_by_role("button", name="Reset all to history").click()
        page.wait_for_function(
            "said => document.querySelector('.rf-answer')?.innerText.includes(said)",
            arg=f"Create {planned(40):,} leads",
        )
        field = page.get_by_label("Target", exact=True)
        field.fill("-3")
        field.press("Enter")
        page.locator(".rf-problem").wait_for()
        assert "expected a number above 0" in page.locator(".rf-problem").inner_text()
        assert page.locator(".vega-embed svg").count() >= 1
        assert lab.offsite == []
        assert lab.errors == []


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        pytest.param(
            "01_funnel",
            {"Deals that reached each stage", "Win rate by source", "What moved it"},
            id="01_funnel",
        ),
    ],
)
def test_every_chart_is_drawn_by_lab(name, titles, tmp_path):
    """Lab bundles an older Vega than Altair speaks: each chart must be seen drawn there."""
    with open_lab(ROOT / "notebooks" / f"{name}.ipynb", work_dir=tmp_path) as lab:
        lab.run_all()
        lab.page.wait_for_selector(".vega-embed svg")
        lab.page.wait_for_timeout(1500)
        lab.screenshot(name)
        drawn = set(lab.page.locator(".vega-embed svg text").all_text_contents())
        assert titles <= drawn
        assert lab.page.locator(".vega-embed").count() == len(titles)
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
