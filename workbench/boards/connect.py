"""The connect board: choose a source, test it, bring a store up to date."""

import atexit
import html
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import ipywidgets as w

import connectors
from connectors import ConnectorError, Store, hubspot
from connectors.hubspot.settings import Fields
from connectors.sandbox import hubspot as sandbox
from kpi import Snapshot, TableError
from workbench import tables
from workbench.boards.inputs import LABEL, STYLE, html_table
from workbench.report.notebook import SAMPLES

SANDBOX, HUBSPOT = "sandbox", "hubspot"
LABELS = {SANDBOX: "Sandbox (a made-up HubSpot account)", HUBSPOT: "HubSpot"}
SANDBOX_FIELDS = {
    "deals": {
        "segment": "market_segment",
        "region": "sales_region",
        "product": "product_line",
        "margin": "gross_margin",
        "term_months": "contract_months",
    },
    "leads": {"channel": "lead_channel", "in_profile": "in_profile"},
}
"""Properties that the sandbox's account has of its own, and what they are to us."""
HINT = "Check tests the token and what it may read. Sync reads; nothing is written to the CRM."
ELSE_ASK = "; or call check() or sync() from a cell: it can ask for the token"

Found = TypeVar("Found")


class ConnectBoard:
    """Widgets to choose a source, test it and sync it; each button is a method too.

    No token is ever typed into a widget: notebooks keep what widgets hold. It comes from the
    environment or the keyring; `check` and `sync`, called from a cell, ask for it, hidden.

    Parameters
    ----------
    source : str
        ``sandbox`` (a made-up account, served on this computer) or ``hubspot``.
    store : str or Path, optional
        Folder of the store; default for the sandbox: a folder that goes with the notebook's kernel;
        for HubSpot: ``out/hubspot`` where the notebook runs.
    fields : mapping of table to (column to property), optional
        Properties of the account's own to use; see `connectors.sync`.

    Attributes
    ----------
    source : Dropdown
    store : Text
    check_button, sync_button : Button
    view : VBox
        What is shown.
    problem : str
        Why the last step failed; empty where it did not.
    """

    def __init__(
        self,
        source: str = SANDBOX,
        *,
        store: str | Path | None = None,
        fields: Fields | None = None,
    ) -> None:
        if source not in LABELS:
            raise TableError(f"source = {source!r}; expected one of {list(LABELS)}")
        self._fields = fields
        self.problem = ""
        wide = w.Layout(width="560px")
        self.source = w.Dropdown(
            options=[(label, name) for name, label in LABELS.items()],
            value=source,
            description="Source",
            style=LABEL,
            layout=wide,
        )
        self.store = w.Text(
            value=str(store or _folder(source)),
            description="Store (a folder)",
            style=LABEL,
            layout=wide,
            continuous_update=False,
        )
        for control in (self.source, self.store):
            control.add_class("rf-input")
        self._own_store = store is not None
        self.source.observe(self._other_source, names="value")
        self.check_button = w.Button(description="Check", icon="stethoscope")
        self.sync_button = w.Button(description="Sync", icon="refresh", button_style="primary")
        self.check_button.on_click(lambda _button: self._clicked(self.check))
        self.sync_button.on_click(lambda _button: self._clicked(self.sync))
        self._bar = w.IntProgress(layout=w.Layout(width="300px", visibility="hidden"))
        self._counted = w.Label()
        self._said = w.HTML(f'<div class="rf-note">{HINT}</div>')
        buttons = w.HBox([self.check_button, self.sync_button, self._bar, self._counted])
        self.view = w.VBox([w.HTML(STYLE), self.source, self.store, buttons, self._said])
        self.view.add_class("rf-board")

    def check(self, *, prompt: bool = True) -> hubspot.Check:
        """Test the token and the account, and compare the store with it if there is one.

        Raises
        ------
        ConnectorError
            If there is no token, it is refused, or the account cannot be reached.
        """
        token, url, _ = self._account()
        client, limits = hubspot.connect(token, url=url, prompt=prompt)
        with client.api:
            store = Store(self.store.value)
            found = self._tried(lambda: hubspot.check(client, limits, store, self._progress))
        self._said.value = f"<pre>{html.escape(str(found))}</pre>"
        return found

    def sync(self, *, full: bool = False, prompt: bool = True) -> hubspot.SyncReport:
        """Bring the store up to date.

        Raises
        ------
        ConnectorError
            If there is no token, it is refused, or the account cannot be reached; also if the
            calls of the day are used up (what was read is kept, the next sync goes on).
        """
        token, url, fields = self._account()
        found = self._tried(
            lambda: connectors.sync(
                HUBSPOT,
                self.store.value,
                token=token,
                url=url,
                full=full,
                fields=fields,
                prompt=prompt,
                progress=self._progress,
            )
        )
        self._said.value = html_table(tables.sync_table(found)) + _notes(found)
        return found

    def open(self, as_of: str | None = None) -> Snapshot:
        """Open the store, as `connectors.open` does."""
        return connectors.open(self.store.value, as_of)

    def _account(self) -> tuple[str | None, str | None, Fields | None]:
        if self.source.value == SANDBOX:
            return sandbox.TOKEN, _sandbox_url(), self._fields or SANDBOX_FIELDS
        return None, None, self._fields

    def _tried(self, work: Callable[[], Found]) -> Found:
        """Do it; an error is shown on the board too."""
        self.problem = ""
        try:
            return work()
        except (ConnectorError, TableError) as error:
            self.problem = str(error)
            self._said.value = f'<div class="rf-problem">{html.escape(self.problem)}</div>'
            raise
        finally:
            self._bar.layout.visibility = "hidden"
            self._counted.value = ""

    def _clicked(self, work: Callable[..., object]) -> None:
        """Do what a button says; nothing can be asked for from here."""
        for button in (self.check_button, self.sync_button):
            button.disabled = True
        try:
            work(prompt=False)
        except (ConnectorError, TableError) as error:
            more = ELSE_ASK if isinstance(error, connectors.CredentialsError) else ""
            self.problem = f"{error}{more}"
            self._said.value = f'<div class="rf-problem">{html.escape(self.problem)}</div>'
        finally:
            for button in (self.check_button, self.sync_button):
                button.disabled = False

    def _other_source(self, change: dict[str, Any]) -> None:
        if not self._own_store:
            self.store.value = str(_folder(change["new"]))

    def _progress(self, label: str, total: int | None) -> "_Bar":
        return _Bar(self._bar, self._counted, label, total)

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        """Show the widgets; where there are none (a viewer, a test), the source as text."""
        bundle: dict[str, Any] = dict(self.view._repr_mimebundle_(**options) or {})
        bundle["text/plain"] = f"source: {LABELS[self.source.value]}"
        return bundle


class _Bar:
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


_servers: dict[str, sandbox.Server] = {}


def _sandbox_url() -> str:
    """Address of this kernel's sandbox, started when it is first asked for."""
    if SANDBOX not in _servers:
        found = connectors.read_folder(SAMPLES)
        account = sandbox.Account.from_tables(found.frames, now=f"{found.as_of}T18:00:00Z")
        _servers[SANDBOX] = sandbox.serve(account)
        atexit.register(_servers[SANDBOX].stop)
    return str(_servers[SANDBOX].url)


def _folder(source: str) -> Path:
    if source == HUBSPOT:
        return Path("out") / "hubspot"
    folder = tempfile.TemporaryDirectory(prefix="sandbox-")
    atexit.register(folder.cleanup)
    return Path(folder.name) / "sandbox"


def _notes(found: hubspot.SyncReport) -> str:
    lines = [*found.notes, *(f"not read: {name}: {why}" for name, why in found.refused.items())]
    rows = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f'<ul class="rf-note">{rows}</ul>' if rows else ""
