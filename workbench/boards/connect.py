"""The connect board: choose a source, test it, bring a store up to date."""

import atexit
import html
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import ipywidgets as w

import connectors
from connectors import ConnectorError, Store
from connectors.check_report import CheckReport
from connectors.crm_settings import Fields
from connectors.sync_report import SyncReport
from kpi import Snapshot, TableError
from workbench import sandboxes, tables
from workbench.boards.inputs import LABEL, STYLE, html_table
from workbench.boards.widget_bar import WidgetBar

SANDBOX = "sandbox"
LABELS = {
    f"{SANDBOX} hubspot": "Sandbox (a made-up HubSpot account)",
    f"{SANDBOX} salesforce": "Sandbox (a made-up Salesforce org)",
    "hubspot": "HubSpot",
    "salesforce": "Salesforce",
}
"""What can be chosen; ``sandbox`` alone is the first."""
MAIN = ("deals", "leads")
HINT = "Check tests the login and what it may read. Sync reads; nothing is written to the CRM."
ELSE_ASK = "; or call check() or sync() from a cell: it can ask for the token"

Found = TypeVar("Found")


class ConnectBoard:
    """Widgets to choose a source, test it and sync it; each button is a method too.

    No token is ever typed into a widget: notebooks keep what widgets hold. It comes from the
    environment or the keyring; `check` and `sync`, called from a cell, ask for it, hidden.

    Parameters
    ----------
    source : str or Snapshot
        ``hubspot`` or ``salesforce``; or ``sandbox hubspot``, ``sandbox salesforce``: a made-up
        company, served on this computer (``sandbox``: the first of them). Of a snapshot the board
        says what it holds; a source can be chosen to bring in more.
    store : str or Path, optional
        Folder of the store; default for a sandbox: a folder that goes with the notebook's kernel;
        else ``out/hubspot`` or ``out/salesforce`` where the notebook runs.
    fields : mapping of table to (column to field), optional
        Fields of the company's own to use; see `connectors.sync`. Default for a sandbox: its own.

    Attributes
    ----------
    source : Dropdown
    store : Text
    check_button, sync_button : Button
    view : VBox
        What is shown.
    sentence : str
        What has been read so far; where a step failed, why.
    problem : str
        Why the last step failed; empty where it did not.
    """

    def __init__(
        self,
        source: str | Snapshot = SANDBOX,
        *,
        store: str | Path | None = None,
        fields: Fields | None = None,
    ) -> None:
        known = source if isinstance(source, Snapshot) else None
        if isinstance(source, Snapshot) or source == SANDBOX:
            source = next(iter(LABELS))
        if source not in LABELS:
            raise TableError(f"source = {source!r}; expected one of {list(LABELS)}")
        self._fields = fields
        self._folders: dict[str, str] = {}
        self._folder_is_chosen = store is not None
        self.problem = ""
        self._read = "" if known is None else _held(known)
        wide = w.Layout(width="560px")
        self.source = w.Dropdown(
            options=[(label, name) for name, label in LABELS.items()],
            value=source,
            description="Source",
            style=LABEL,
            layout=wide,
        )
        self.store = w.Text(
            value=str(store or self._folder(source)),
            description="Store (a folder)",
            style=LABEL,
            layout=wide,
            continuous_update=False,
        )
        for control in (self.source, self.store):
            control.add_class("rf-input")
        self.source.observe(self._other_source, names="value")
        self.check_button = w.Button(description="Check", icon="stethoscope")
        self.sync_button = w.Button(description="Sync", icon="refresh", button_style="primary")
        self.check_button.on_click(lambda _button: self._clicked(self.check))
        self.sync_button.on_click(lambda _button: self._clicked(self.sync))
        self._bar = w.IntProgress(layout=w.Layout(width="300px", visibility="hidden"))
        self._counted = w.Label()
        held = f"<p>{html.escape(self._read)}</p>" if self._read else ""
        self._said = w.HTML(f'{held}<div class="rf-note">{HINT}</div>')
        buttons = w.HBox([self.check_button, self.sync_button, self._bar, self._counted])
        self.view = w.VBox([w.HTML(STYLE), self.source, self.store, buttons, self._said])
        self.view.add_class("rf-board")

    def check(self, *, prompt: bool = True) -> CheckReport:
        """Test the login and what it may read, and compare the store with it if there is one.

        Raises
        ------
        ConnectorError
            If there is no token, it is refused, or the CRM cannot be reached.
        """
        found = self._tried(lambda: self._checked(prompt=prompt))
        self._said.value = f"<pre>{html.escape(str(found))}</pre>"
        return found

    def sync(self, *, full: bool = False, prompt: bool = True) -> SyncReport:
        """Bring the store up to date.

        Raises
        ------
        ConnectorError
            If there is no token, it is refused, or the CRM cannot be reached; also if the calls of
            the day are used up (what was read is kept, the next sync goes on).
        """
        found = self._tried(lambda: self._synced(full=full, prompt=prompt))
        self._said.value = html_table(tables.sync_table(found)) + _notes(found)
        rows = found.counts.set_index("table")["rows"]
        self._read = f"The store holds {_counted({str(name): int(n) for name, n in rows.items()})}."
        return found

    @property
    def sentence(self) -> str:
        """What has been read so far; where a step failed, why."""
        return (
            self.problem or self._read or f"Source: {LABELS[self.source.value]}; nothing read yet."
        )

    def open(self, as_of: str | None = None) -> Snapshot:
        """Open the store, as `connectors.open` does."""
        return connectors.open(self.store.value, as_of)

    @property
    def _crm(self) -> str:
        """Name of the CRM, as `connectors.sync` has it."""
        return str(self.source.value).removeprefix(f"{SANDBOX} ")

    def _login(self) -> tuple[str | None, str | None, Fields | None]:
        """Return token, address and fields; None where they are not the board's to know."""
        if self.source.value == self._crm:
            return None, None, self._fields
        made = _sandbox(self._crm)
        return made.token, made.server.url, self._fields or sandboxes.FIELDS[self._crm]

    def _checked(self, *, prompt: bool) -> CheckReport:
        crm: Any = getattr(connectors, self._crm)
        store = Store(self.store.value)
        token, url, _ = self._login()
        client, limits = crm.connect(token, url=url, prompt=prompt)
        with client.api:
            found: CheckReport = crm.check(client, limits, store, self._progress)
        return found

    def _synced(self, *, full: bool, prompt: bool) -> SyncReport:
        token, url, fields = self._login()
        return connectors.sync(
            self._crm,
            self.store.value,
            token=token,
            url=url,
            full=full,
            fields=fields,
            prompt=prompt,
            progress=self._progress,
        )

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
        """Go to the store of the new source, unless the folder is one that the user has named."""
        if not self._folder_is_chosen and self.store.value == self._folder(change["old"]):
            self.store.value = self._folder(change["new"])

    def _folder(self, source: str) -> str:
        """Folder of a source's store, always the same one."""
        if source not in self._folders:
            self._folders[source] = str(_folder(source))
        return self._folders[source]

    def _progress(self, label: str, total: int | None) -> WidgetBar:
        return WidgetBar(self._bar, self._counted, label, total)

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        """Show the widgets; where there are none (a viewer, a test), the source as text."""
        bundle: dict[str, Any] = dict(self.view._repr_mimebundle_(**options) or {})
        bundle["text/plain"] = self._read or f"source: {LABELS[self.source.value]}"
        return bundle


def _held(snapshot: Snapshot) -> str:
    counts = {name: len(snapshot.table(name)) for name in sorted(snapshot.present)}
    odd = len(snapshot.problems)
    told = f"; {odd:,} rows or values remarked on" if odd else ""
    return f"{snapshot.source} holds {_counted(counts)} as of {snapshot.as_of}{told}."


def _counted(counts: Mapping[str, int]) -> str:
    """Say how many of what people know by name.

    >>> _counted({"deals": 406, "rates": 25, "leads": 1995})
    '406 deals and 1,995 leads'
    """
    return " and ".join(f"{n:,} {name}" for name, n in counts.items() if name in MAIN) or "no deals"


_started: dict[str, sandboxes.Sandbox] = {}


def _sandbox(crm: str) -> sandboxes.Sandbox:
    """Return this kernel's sandbox of a CRM, started when it is first asked for."""
    if crm not in _started:
        _started[crm] = sandboxes.start(crm)
        atexit.register(_started[crm].server.stop)
    return _started[crm]


def _folder(source: str) -> Path:
    if not source.startswith(SANDBOX):
        return Path("out") / source
    folder = tempfile.TemporaryDirectory(prefix="sandbox-")
    atexit.register(folder.cleanup)
    return Path(folder.name) / SANDBOX


def _notes(found: SyncReport) -> str:
    lines = [*found.notes, *(f"not read: {name}: {why}" for name, why in found.refused.items())]
    rows = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f'<ul class="rf-note">{rows}</ul>' if rows else ""
