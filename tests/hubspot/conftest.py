"""A HubSpot account on this machine, a store that follows it, and their comparison row for row."""

import threading

import pandas as pd
import pytest

from connectors.hubspot import Settings, Sync, client, connect, limits
from connectors.hubspot import sync as sync_module
from connectors.progress import silent
from connectors.sandbox.hubspot import TOKEN, Account, serve
from connectors.store import Store
from kpi.conform import conform
from kpi.tables import TABLES

NOW = "2026-11-01T09:30:00Z"
OAUTH = {
    "HUBSPOT_CLIENT_ID": "local-client",
    "HUBSPOT_CLIENT_SECRET": "local-secret",
    "HUBSPOT_REFRESH_TOKEN": "local-refresh",
}
SHOWN = 3  # rows of a difference that are shown


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


def differences(store, truth):
    """Compare every table of the truth row for row; return what differs, in words."""
    found = []
    for name, frame in truth.items():
        if name not in store:
            found.append(f"{name}: not in the store, {len(frame)} rows in the account")
            continue
        found += _of_table(name, store[name], conform(name, frame).frame)
    return found


def _of_table(name, have, want):
    key, columns = list(TABLES[name].key), TABLES[name].names
    have, want = _by_key(have[columns], key), _by_key(want[columns], key)
    found = []
    for words, rows in (("in the store", have), ("in the account", want)):
        if rows.index.duplicated().any():
            twice = rows.index[rows.index.duplicated()]
            return [f"{name}: {len(twice)} keys twice {words}: {list(twice[:SHOWN])}"]
    for words, ids in (
        ("missing", want.index.difference(have.index)),
        ("in the store only", have.index.difference(want.index)),
    ):
        if len(ids):
            found.append(f"{name}: {len(ids)} of {len(want)} rows {words}: {list(ids[:SHOWN])}")
    both = want.index.intersection(have.index)
    have, want = have.loc[both], want.loc[both]
    for column in columns:
        other = _unequal(have[column], want[column])
        if other.any():
            ids = both[other][:SHOWN]
            cases = [f"{i}: {have[column][i]!r}, not {want[column][i]!r}" for i in ids]
            found.append(f"{name}.{column}: {other.sum()} of {len(both)} differ: {cases}")
    return found


def _by_key(rows, key):
    return rows.set_index(pd.MultiIndex.from_frame(rows[key].astype(str)))


def _unequal(have, want):
    missing = have.isna() & want.isna()
    if str(want.dtype) == "float64":
        return ~(((have - want).abs() <= 1e-6) | missing).to_numpy()
    return ~((have == want).fillna(value=False).astype(bool) | missing).to_numpy()


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
