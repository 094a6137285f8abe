"""Records that are gone for good: no query shows them, so that the org is asked, or ids compared."""

from collections.abc import Collection
from datetime import datetime

from connectors.errors import ScopeError
from connectors.progress import Progress
from connectors.salesforce.client import Salesforce
from connectors.salesforce.context import Kind
from connectors.salesforce.errors import (
    QueryTimeoutError,
    ReplicationDateError,
    TooManyDeletedError,
)
from connectors.salesforce.plan import REMEMBERED, Plan
from connectors.salesforce.save import Saver
from connectors.salesforce.streams import ids_of
from kpi.tables import TABLES


class Deletions:
    """Lets records go, and keeps in the state of the sync which were let go.

    Parameters
    ----------
    client : Salesforce
        The org.
    plan : Plan
        Says since when deletions are asked for; hears where every id must be compared instead.
    saver : Saver
        Takes the rows out.
    progress : Progress
        Shows how far it is.
    """

    def __init__(self, client: Salesforce, plan: Plan, saver: Saver, progress: Progress) -> None:
        self._client, self._plan, self._saver, self._progress = client, plan, saver, progress
        self._store = saver.run.store

    def ask(self, kind: Kind) -> None:
        """Ask which records were deleted for good."""
        plan, now = self._plan[kind], self._plan.moment("now")
        since, known = datetime.fromisoformat(plan["since"]), self._plan.mark(kind, ".deletions")
        start = max(min(since, known or since), now - REMEMBERED)
        try:
            ids, known = self._client.deleted(kind.name, start, now)
        except (ReplicationDateError, TooManyDeletedError, ScopeError):
            plan["reconcile"] = True
            return
        plan["deletions"] = known.isoformat()
        self._remove(kind, ids)

    def compare(self, kind: Kind) -> None:
        """Compare every id, and let go of what the org no longer has."""
        seen: set[str] = set()
        bar = self._progress(f"{kind.name} compared", self._count(kind))
        try:
            for page in ids_of(self._client, kind.name):
                seen.update(page)
                bar.update(len(page))
        finally:
            bar.close()
        key = TABLES[kind.table].key[0]
        self._remove(kind, set(self._store.staged(kind.table, [key])[key]) - seen)

    def _count(self, kind: Kind) -> int | None:
        """Count an object's records for the eye; not known where that takes the org too long."""
        try:
            return self._client.count(kind.name)
        except QueryTimeoutError:
            return None

    def _remove(self, kind: Kind, ids: Collection[str]) -> None:
        key, gone = TABLES[kind.table].key[0], self._plan.state["gone"]
        held = set(self._store.staged(kind.table, [key], set(ids))[key])
        if held:
            gone[kind.table] = sorted({*gone.get(kind.table, []), *held})
            self._saver.let_go(kind, held)
