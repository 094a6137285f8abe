"""A HubSpot account on this machine, a store that follows it, and their comparison row for row."""

import threading

import pandas as pd
import pytest
from rows import differences

from connectors.hubspot import Settings, Sync, client, connect, limits
from connectors.hubspot import sync as sync_module
from connectors.progress import silent
from connectors.sandbox.hubspot import TOKEN, Account, serve
from connectors.store import Store
from kpi.tables import TABLES

NOW = "2026-11-01T09:30:00Z"
OAUTH = {
    "HUBSPOT_CLIENT_ID": "local-client",
    "HUBSPOT_CLIENT_SECRET": "local-secret",
    "HUBSPOT_REFRESH_TOKEN": "local-refresh",
}


class Hub:
    """An account, a server for it and a store.

    `sent` holds every request as the server received it. `after_each` is called with each of them,
    once it is answered: the account may be changed there, in the midst of a sync.
    """

    def __init__(self, folder, account, **options):
        self.account = account
        self.server = serve(account, limits=options.pop("limits", False), **options)
        self.store = Store(folder / "store")
        self.home = folder / "home"  # where a renewed token is kept
        self.sent = []
        self.after_each = None
        self._keeping = threading.Lock()
        answer, self.server.handle = self.server.handle, self._handle
        self._answer = answer

    def _handle(self, request):
        reply = self._answer(request)
        with self._keeping:
            self.sent.append(request)
            if self.after_each:
                self.after_each(request)
        return reply

    def sync(self, *, oauth=False, version=client.VERSION, lag_seconds=0, **options):
        """Bring the store up to date; return the report."""
        token = None if oauth else TOKEN
        environ = {**OAUTH, "XDG_CONFIG_HOME": str(self.home)}
        given = {name: options.pop(name) for name in ("leads", "fields") if name in options}
        settings = Settings(lag_seconds=lag_seconds, **given)
        hubspot, allowed = connect(token, url=self.server.url, environ=environ, version=version)
        with hubspot.api:
            work = Sync(self.store, hubspot, allowed, settings, progress=silent, **options)
            return work.run()

    def same(self, **truth):
        """Assert that the store holds what the account does, row for row."""
        found = differences(self.store.frames(), self.account.truth(**truth))
        assert not found, "the store differs from the account:\n" + "\n".join(found)

    def rows(self, table, sync=None):
        """Return a table of the store by its first key."""
        return self.store.frames(sync)[table].set_index(TABLES[table].key[0])

    def mark(self, table):
        """Return up to where a table is read, as a moment."""
        return pd.Timestamp(self.store.watermark(table, "hubspot"))

    def bodies(self, word):
        """Return the bodies of the POST requests whose path ends so."""
        return [r.body for r in self.sent if r.method == "POST" and r.path.endswith(word)]

    def ids(self, kind):
        """Return the ids of the live records of an object."""
        return [record.id for record in self.account.shelves[kind].records()]

    def bytes_below(self):
        """Return everything that the folder of the store holds, file by file."""
        files = [path for path in self.store.path.rglob("*") if path.is_file()]
        return {path: path.read_bytes() for path in files}


@pytest.fixture
def hub(tmp_path):
    """Make a `Hub`: ``hub(deals=60, seed=1, limits=False, faults=(), ...)``; stopped at the end."""
    made = []

    def make(deals=60, seed=1, *, now=NOW, account=None, **options):
        generated = {"leads", "time_zone", "lag", "many_properties"} & options.keys()
        taken = {name: options.pop(name) for name in generated}
        account = account or Account.generate(deals=deals, seed=seed, now=now, **taken)
        made.append(Hub(tmp_path / f"hub{len(made)}", account, **options))
        return made[-1]

    yield make
    for one in made:
        one.server.stop()


@pytest.fixture
def only_search(monkeypatch):
    """Let no sync compare the whole account before the day is over: search has to find it all."""
    monkeypatch.setattr(sync_module, "SMALL", 0)


@pytest.fixture
def quick_limits(monkeypatch):
    """Take every limit's window for a tenth as long, on the connector's side."""
    monkeypatch.setattr(limits, "BURST", (100, 1.0))
    monkeypatch.setattr(limits, "SEARCH", (5, 0.1))
    monkeypatch.setattr(limits, "WAITS", {"SECONDLY": 0.1, "TEN_SECONDLY_ROLLING": 1.0})
