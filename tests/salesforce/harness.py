"""A Salesforce org on this machine, a store that follows it, and their comparison row for row."""

import threading

import pandas as pd
from rows import differences

from connectors.progress import silent
from connectors.salesforce import Settings, Sync, connect
from connectors.sandbox.salesforce import TOKEN, serve
from connectors.store import Store
from kpi.tables import TABLES

FIELDS = {
    "deals": {"segment": "Market_Segment__c", "mrr": "MRR__c", "next_step_on": "Next_Step_On__c"},
    "leads": {"channel": "Channel__c", "in_profile": "In_Profile__c"},
    "meetings": {"outcome": "Outcome__c"},
    "subscriptions": {"mrr": "MRR__c", "ends_on": "Ends_On__c"},
}
APP = {"SALESFORCE_CLIENT_ID": "local-client", "SALESFORCE_CLIENT_SECRET": "local-secret"}
LAG = 300  # seconds: what came in later is for the next sync
RECORDS = ("Account", "Lead", "Opportunity", "Event", "OpportunityLineItem")


class Crm:
    """An org, a server for it and a store.

    `sent` holds every request as the server received it. `after_each` is called with each of them,
    once it is answered: the org may be changed there, in the midst of a sync. `before_each` is
    called before, several at a time: a request may be made to wait there for another.
    """

    def __init__(self, folder, org, **options):
        self.org = org
        self.server = serve(org, **options)
        self.store = Store(folder / "store")
        self.home = folder / "home"  # where a renewed token is kept
        self.sent = []
        self.before_each = self.after_each = None
        self._keeping = threading.RLock()
        answer, self.server.handle = self.server.handle, self._handle
        self._answer = answer

    def _handle(self, request):
        if self.before_each:
            self.before_each(request)
        reply = self._answer(request)
        with self._keeping:
            self.sent.append(request)
            if self.after_each:
                self.after_each(request)
        return reply

    def environ(self, way):
        """Return the variables of a way in: ``token``, ``app`` or ``refresh``."""
        found = {"SALESFORCE_INSTANCE_URL": self.server.url, "XDG_CONFIG_HOME": str(self.home)}
        if way == "token":
            return {**found, "SALESFORCE_ACCESS_TOKEN": TOKEN}
        renewed = {"SALESFORCE_REFRESH_TOKEN": "local-refresh"} if way == "refresh" else {}
        return {**found, **APP, **renewed}

    def sync(
        self,
        *,
        way="token",
        lag_seconds=LAG,
        fields=FIELDS,
        settings=None,
        progress=silent,
        **options,
    ):
        """Bring the store up to date; return the report."""
        chosen = Settings(lag_seconds=lag_seconds, fields=fields, **(settings or {}))
        client, limits = connect(environ=self.environ(way), prompt=False)
        with client.api:
            return Sync(self.store, client, limits, chosen, progress=progress, **options).run()

    def same(self, *, fields=FIELDS, **truth):
        """Assert that the store holds what the org does, row for row."""
        found = differences(self.store.frames(), self.org.truth(fields=fields, **truth), "the org")
        assert not found, "the store differs from the org:\n" + "\n".join(found)

    def wait(self, seconds=600):
        """Let time pass: more than the lag."""
        self.org.advance(seconds)

    def rows(self, table, sync=None):
        """Return a table of the store by its first key."""
        return self.store.frames(sync)[table].set_index(TABLES[table].key[0])

    def history(self, record):
        """Return what the store knows of a record's past, in order."""
        frame = self.store.frames()["history"]
        return frame[frame["record_id"] == record].sort_values("changed_at", ignore_index=True)

    def mark(self, table):
        """Return up to where a table is read, as a moment."""
        return pd.Timestamp(self.store.watermark(table, "salesforce"))

    def ids(self, name, **values):
        """Return the ids of an object's live records, those with these values."""
        at = self.org.tables[name].kind.at
        rows = [r for r in self.org.live(name) if all(r[at[f]] == v for f, v in values.items())]
        return [row[0] for row in rows]

    def value(self, name, record, field):
        """Return the value that a record has in the org."""
        return self.org.tables[name].get(record, field)

    def queries(self, since=0):
        """Return the queries sent since a request, those of jobs with ``bulk: `` before them."""
        found = []
        for request in self.sent[since:]:
            if request.path.endswith(("/query", "/queryAll")) and request.method == "GET":
                found.append(request.text("q"))
            elif request.path.endswith("/jobs/query"):
                found.append(f"bulk: {request.body['query']}")
        return found

    def jobs(self, since=0):
        """Return the objects that were read in bulk."""
        asked = [q for q in self.queries(since) if q.startswith("bulk: ")]
        return [query.split(" FROM ")[1].split()[0] for query in asked]

    def statuses(self):
        """Return the status of every reply."""
        return [status for _, _, status in self.server.calls]

    def bytes_below(self):
        """Return everything that the folder of the store holds, file by file."""
        files = [path for path in self.store.path.rglob("*") if path.is_file()]
        return {path: path.read_bytes() for path in files}
