"""The notebooks as apps, by Voilà: boards alive, no code on the page, nothing asked of the network.

Served as the README says, from the root of the project: its ``voila.json`` keeps the browser from
what Voilà's own page would load from elsewhere.
"""

import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec

import pytest
from lab import ROOT, _environment, _free_port, _wait, chromium_missing_reason, open_browser

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TARGET = "02_reverse_funnel"
SHORT = {"00_connect", "07_leadership"}  # with the target's: one that asks, one that tracks
WIDE = 1280
REFUSED = "violates the following Content Security Policy directive"  # the style of Voilà's page

missing = chromium_missing_reason()
if find_spec("voila") is None:
    missing = missing or 'Voilà is not installed: pip install "reverse-funnel[voila]"'
pytestmark = [pytest.mark.browser, pytest.mark.skipif(missing is not None, reason=str(missing))]


@contextmanager
def served(folder):
    """The notebooks, on this machine only; yields the address."""
    port, log = _free_port(), folder / "voila.log"
    command = [sys.executable, "-m", "voila", "notebooks", "--no-browser", f"--port={port}"]
    command += ["--Voila.ip=127.0.0.1", "--Voila.port_retries=0"]
    environment = _environment(folder, "")
    with log.open("w", encoding="utf-8") as out:
        server = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            _wait(f"http://127.0.0.1:{port}/", server, log)
            yield f"http://127.0.0.1:{port}/voila/render"
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where the notebooks are served."""
    with served(tmp_path_factory.mktemp("voila")) as base:
        yield base


@pytest.fixture
def opened(address, tmp_path):
    """Open a notebook: its page, once its board is there."""

    @contextmanager
    def opening(name):
        with open_browser(tmp_path, width=WIDE) as browser:
            browser.page.goto(f"{address}/{name}.ipynb")
            browser.page.locator(".rf-board").first.wait_for()
            yield browser

    return opening


def of_ours(errors):
    """Errors of the console but for what ``voila.json`` is there to refuse."""
    return [error for error in errors if REFUSED not in error]


def test_an_input_moves_the_answer(opened):
    """Typed in the browser, said by the kernel; nothing leaves the machine."""
    with opened(TARGET) as browser:
        page, answer = browser.page, browser.page.locator(".rf-answer")
        assert "for 32 wins" in answer.inner_text()
        before = answer.inner_text()
        field = page.get_by_label("Target", exact=True)
        field.fill("40")
        field.press("Enter")
        page.wait_for_function(
            "before => document.querySelector('.rf-answer').innerText !== before", arg=before
        )
        assert "for 40 wins" in answer.inner_text()
        page.locator(".vega-embed svg").last.wait_for()
        browser.screenshot("voila_02")
        assert browser.offsite == []
        assert of_ours(browser.errors) == []


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(path.stem, marks=[] if path.stem in SHORT else pytest.mark.campaign)
        for path in NOTEBOOKS
    ],
)
def test_every_notebook_is_an_app(opened, name):
    """Prose, boards across the whole width, no code and no error."""
    with opened(name) as browser:
        page = browser.page
        assert page.locator("h1").first.inner_text()
        assert page.locator(".jp-Editor, .jp-InputArea-editor, .cm-editor").count() == 0
        assert page.locator(".jp-RenderedText[data-mime-type*=error], .jp-mod-error").count() == 0
        assert page.locator(".rf-board").first.bounding_box()["width"] > 0.9 * WIDE
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDE
        browser.screenshot(f"voila_{name}")
        assert browser.offsite == []
        assert of_ours(browser.errors) == []
