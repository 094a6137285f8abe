"""The planning boards in a real JupyterLab: charts drawn, inputs moved, the planner's numbers shown."""

import re
from datetime import date
from pathlib import Path

import pytest
from lab import chromium_missing_reason, open_lab

import connectors
from kpi.planning import FunnelModel, Target, chance
from workbench.boards.plan_numbers import leads_each_month
from workbench.theme import percent_text

ROOT = Path(__file__).parents[1]
missing = chromium_missing_reason()
pytestmark = [pytest.mark.browser, pytest.mark.skipif(missing is not None, reason=str(missing))]


def until_said(page, where, words):
    """Wait until an element holds these words."""
    page.wait_for_function(
        "([where, words]) => document.querySelector(where)?.innerText.includes(words)",
        arg=[where, words],
    )


def test_own_leads_a_scenario_and_a_frozen_plan(tmp_path):
    """Typed and clicked: the chance of the own leads, the file of the plan, levers, undo."""
    model = FunnelModel.fit(connectors.open(ROOT / "data" / "samples"))
    target = Target(wins=32, by=date(2027, 5, 31))
    own = chance(model, target, leads_each_month(target, model.as_of, 100))
    with open_lab(ROOT / "notebooks" / "02_reverse_funnel.ipynb", work_dir=tmp_path) as lab:
        lab.run_all()
        page = lab.page
        page.locator(".rf-answer").wait_for()
        page.get_by_role("button", name="what else counts").click()
        field = page.get_by_label("Own leads a month", exact=True)
        field.fill("100")
        field.press("Enter")
        until_said(page, ".rf-facts", f"reaches it with a chance of {percent_text(own)}")
        lab.screenshot("02_own_leads")
        page.get_by_role("button", name="What closes the gap").click()
        until_said(page, ".rf-board", "With your own 100 a month")
        lab.screenshot("02_levers")
        page.get_by_label("Plan", exact=True).fill("Next half")
        page.get_by_label("Plan", exact=True).press("Enter")
        page.get_by_role("button", name="Freeze").click()
        until_said(page, ".rf-board", "written: out/plans/next-half.toml")
        page.get_by_role("button", name="Undo").click()
        page.wait_for_function(
            "!document.querySelector('.rf-facts')?.innerText.includes('Your own plan')"
        )
        assert lab.offsite == []
        assert lab.errors == []
    assert len(list(tmp_path.rglob("next-half.toml"))) == 1


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        pytest.param(
            "03_bottoms_up",
            {"Wins", "Monthly recurring revenue at the end of the month"},
            id="03_bottoms_up",
        ),
        pytest.param(
            "07_leadership",
            {"Actual / planned", "From the plan to what came", "Leads to create"},
            id="07_leadership",
        ),
    ],
)
def test_every_chart_is_drawn_and_the_board_answers(name, titles, tmp_path):
    """Lab bundles an older Vega than Altair speaks: each chart must be seen drawn there."""
    with open_lab(ROOT / "notebooks" / f"{name}.ipynb", work_dir=tmp_path) as lab:
        lab.run_all()
        lab.page.locator(".rf-board .rf-answer").first.scroll_into_view_if_needed()
        lab.screenshot(f"{name}_board")
        lab.page.locator(".vega-embed svg").last.wait_for()
        lab.page.wait_for_timeout(1500)
        drawn = set(lab.page.locator(".vega-embed svg text").all_text_contents())
        assert titles <= drawn
        assert lab.page.locator(".rf-board img").count() >= 1
        assert lab.offsite == []
        assert lab.errors == []


def test_the_lag_switch_moves_the_answer(tmp_path):
    """By keyboard: the buttons can be reached and pressed."""
    with open_lab(ROOT / "notebooks" / "03_bottoms_up.ipynb", work_dir=tmp_path) as lab:
        lab.run_all()
        answer = lab.page.locator(".rf-board .rf-answer")
        answer.wait_for()
        before = answer.inner_text()
        button = lab.page.get_by_role("button", name="no lag")
        button.focus()
        button.press("Enter")
        lab.page.wait_for_function(
            "before => document.querySelector('.rf-board .rf-answer').innerText !== before",
            arg=before,
        )
        assert re.search(r"bring [\d.]+ wins", answer.inner_text())
        assert lab.errors == []


def test_the_rest_is_planned_anew_at_a_click(tmp_path):
    """Progress is said; the answer is that of the notebook's own cell."""
    with open_lab(ROOT / "notebooks" / "07_leadership.ipynb", work_dir=tmp_path) as lab:
        lab.run_all()
        page = lab.page
        button = page.get_by_role("button", name="Plan the rest anew")
        button.scroll_into_view_if_needed()
        button.click()
        until_said(page, ".rf-board", "So far: 25 wins. Create 330 leads")
        lab.screenshot("07_rest")
        assert lab.errors == []
