"""A real JupyterLab under a real browser, on this machine only: the harness of the browser tests.

Load it by path, whatever pytest's import mode is, as ``test_lab_harness.py`` does::

    harness = spec_from_file_location("lab", Path(__file__).with_name("lab.py"))
    lab = module_from_spec(harness)
    harness.loader.exec_module(lab)

It needs Playwright and a Chromium; where they are absent `chromium_missing_reason` says so, to skip.
Screenshots go to the folder named by the environment variable ``RF_SCREENSHOTS``, else beside the
copied notebook.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Route

ROOT = Path(__file__).parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
START_SECONDS = 60.0
PATIENCE_MS = 40_000  # of every wait in the browser; a run of all cells has RUN_MS
RUN_MS = 120_000
IDLE = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
NO_NEWS = '{"fetchNews": "false", "checkForUpdates": false}'
ALL_CELLS_DRAWN = '{"windowingMode": "none"}'
_LOCAL = re.compile(
    r"(?:https?|wss?)://(?:127\.0\.0\.1|localhost)(?::\d+)?/|(?:file|data|blob|about):"
)


def chromium() -> str | None:
    """Return the path of an installed Chromium, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def chromium_missing_reason() -> str | None:
    """Return why browser tests cannot run here, or None where they can."""
    if find_spec("playwright") is None:
        return "Playwright is not installed: pip install playwright"
    if chromium() is None:
        return f"no Chromium found: install one of {', '.join(BROWSERS)}"
    return None


@dataclass
class Browser:
    """A page in headless Chromium that can reach this machine and nothing else."""

    page: (
        Any  # a playwright.sync_api.Page; named by no string, so that any loader can load this file
    )
    screenshots: Path
    offsite: list[str] = field(default_factory=list)  # addresses asked for elsewhere, all blocked
    errors: list[str] = field(default_factory=list)  # what the console reported as an error

    def screenshot(self, name: str) -> Path:
        """Save what is seen as ``NAME.png`` and return where."""
        self.screenshots.mkdir(parents=True, exist_ok=True)
        path = self.screenshots / f"{name}.png"
        self.page.screenshot(path=path)
        return path


@dataclass
class Lab(Browser):
    """A notebook open in JupyterLab, its kernel started."""

    def run_all(self) -> None:
        """Run every cell as the menu does, and wait until each has its number.

        Raises
        ------
        AssertionError
            If a cell shows an error; a screenshot is kept, and the message holds the error.
        """
        run = "window.jupyterapp.commands.execute('notebook:run-all-cells')"
        self.page.evaluate(f"() => {{ {run}; }}")  # not awaited here: that would have no time limit
        self.page.wait_for_function(f"() => {{ {_CELLS} return {_DONE} }}", timeout=RUN_MS)
        self.page.wait_for_selector(IDLE)
        failed = self.page.evaluate(f"() => {{ {_CELLS} return {_FAILED} }}")
        if failed:
            shot = self.screenshot("cell_error")
            raise AssertionError(f"a cell failed (see {shot}): {failed}")


# The notebook as Lab now holds it, in the format of a notebook file.
_CELLS = """
  const cells = window.jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON().cells
    .filter(cell => cell.cell_type === 'code' && [cell.source].flat().join('').trim());
"""
_FAILED = """cells.flatMap(cell => cell.outputs).filter(output => output.output_type === 'error')
  .map(output => `${output.ename}: ${output.evalue}`)"""
_DONE = f"cells.every(cell => cell.execution_count) || {_FAILED}.length > 0"


@contextmanager
def open_browser(
    screenshots: Path, *, width: int = 1280, height: int = 1000, dark: bool = False
) -> Iterator[Browser]:
    """Open a page that is kept off the network twice over: by name look-up and by route.

    Parameters
    ----------
    screenshots : Path
        Where pictures go unless ``RF_SCREENSHOTS`` names a folder.
    width, height : int
        The window, in CSS pixels.
    dark : bool
        Whether the reader prefers a dark screen.
    """
    from playwright.sync_api import sync_playwright  # optional: see chromium_missing_reason

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=_flags())
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            locale="en-US",
            timezone_id="UTC",
        )
        seen = Browser(context.new_page(), Path(os.environ.get("RF_SCREENSHOTS", screenshots)))
        seen.page.set_default_timeout(PATIENCE_MS)
        context.route("**/*", lambda route: _guard(route, seen.offsite))
        seen.page.on("websocket", lambda socket_: _note_offsite(socket_.url, seen.offsite))
        seen.page.on("console", lambda message: _note_error(message, seen.errors))
        seen.page.on("pageerror", lambda error: seen.errors.append(f"page error: {error}"))
        try:
            yield seen
        finally:
            browser.close()


@contextmanager
def open_lab(notebook_path: Path, *, work_dir: Path) -> Iterator[Lab]:
    """Open a copy of a notebook in JupyterLab, served to this machine only.

    Parameters
    ----------
    notebook_path : Path
        Copied to ``work_dir/notebooks``; this project's packages can be imported from it, and
        its ``data/samples`` are at ``../data/samples`` as they are for the notebooks of the project.
    work_dir : Path
        An empty folder: the root of the server, and home to its settings and its log.
    """
    folder = work_dir / "notebooks"
    folder.mkdir(parents=True)
    _copy(notebook_path, folder)
    if (samples := ROOT / "data" / "samples").is_dir():
        shutil.copytree(samples, work_dir / "data" / "samples")
    with _server(work_dir) as (base, token), open_browser(work_dir / "screenshots") as browser:
        page = browser.page
        page.goto(f"{base}/lab/tree/notebooks/{notebook_path.name}?token={token}")
        page.wait_for_selector(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell")
        for _ in range(2):  # a kernel that has just come up can be idle, then restart: look twice
            page.wait_for_selector(IDLE)
            page.wait_for_timeout(1000)
        page.wait_for_selector(IDLE)
        yield Lab(page, browser.screenshots, browser.offsite, browser.errors)


@contextmanager
def _server(work_dir: Path) -> Iterator[tuple[str, str]]:
    """Run JupyterLab until the block ends; yields its address and the token it asks for."""
    port, token = _free_port(), secrets.token_hex(16)
    _settings(work_dir / "settings" / "@jupyterlab")
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
    ]
    command += [f"--ServerApp.root_dir={work_dir}", "--ServerApp.terminals_enabled=False"]
    command += ["--LabApp.news_url=", "--LabApp.expose_app_in_browser=True"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    log = work_dir / "server.log"
    with log.open("w", encoding="utf-8") as out:
        server = subprocess.Popen(
            command, env=_environment(work_dir, token), stdout=out, stderr=subprocess.STDOUT
        )
        try:
            _wait(f"http://127.0.0.1:{port}/api", server, log)
            yield f"http://127.0.0.1:{port}", token
        finally:
            server.terminate()
            server.wait(30)


def _copy(notebook_path: Path, folder: Path) -> None:
    """Copy a notebook, its stored outputs cleared, so that all that is seen was run here.

    One that names no kernel gets Python, or Lab would ask which and wait.
    """
    notebook = json.loads(notebook_path.read_text(encoding="utf-8"))
    python = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook["metadata"].setdefault("kernelspec", python)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    (folder / notebook_path.name).write_text(json.dumps(notebook), encoding="utf-8")


def _settings(folder: Path) -> None:
    """Turn off the news, and draw every cell, also those below the edge of the screen."""
    for plugin, name, text in (
        ("apputils-extension", "notification", NO_NEWS),
        ("notebook-extension", "tracker", ALL_CELLS_DRAWN),
    ):
        (folder / plugin).mkdir(parents=True)
        (folder / plugin / f"{name}.jupyterlab-settings").write_text(text, encoding="utf-8")


def _environment(work_dir: Path, token: str) -> dict[str, str]:
    """Return an environment in which nothing of the user's own Jupyter is read or written."""
    places = {"CONFIG_DIR": "config", "RUNTIME_DIR": "runtime", "DATA_DIR": "data_dir"}
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return (
        {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
        | {f"JUPYTER_{name}": str(work_dir / place) for name, place in places.items()}
        | {
            "JUPYTERLAB_SETTINGS_DIR": str(work_dir / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(work_dir / "workspaces"),
            "IPYTHONDIR": str(work_dir / "ipython"),
            "JUPYTER_TOKEN": token,
            "PYTHONPATH": paths,
        }
    )


def _wait(address: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise RuntimeError(
        f"JupyterLab did not start within {START_SECONDS:.0f} s; its log ends:\n{tail}"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _flags() -> list[str]:
    flags = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    flags += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"]
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*flags, "--no-sandbox"] if root else flags


def _guard(route: "Route", offsite: list[str]) -> None:
    _note_offsite(route.request.url, offsite)
    if _LOCAL.match(route.request.url):
        route.continue_()
    else:
        route.abort()


def _note_offsite(url: str, offsite: list[str]) -> None:
    if not _LOCAL.match(url):
        offsite.append(url)


def _note_error(message: "ConsoleMessage", errors: list[str]) -> None:
    if message.type == "error":
        errors.append(message.text)
