"""Which records were deleted or changed in a span of time: ``deleted`` and ``updated``."""

from connectors.sandbox.exchange import Reply, Request, ok
from connectors.sandbox.salesforce.errors import not_found, refuse
from connectors.sandbox.salesforce.schema import BY_WORD, KINDS
from connectors.sandbox.salesforce.state import State
from connectors.sandbox.salesforce.wire import DAY, parse_time, rest_time

KEPT_DAYS = {"deleted": 15, "updated": 30}
MOST = 600_000
BEHIND = 60


class Replication:
    """Answers both; it covers the past up to a minute ago, in whole minutes."""

    def __init__(self, state: State) -> None:
        self.state = state

    def answer(self, word: str, request: Request, *, deleted: bool) -> Reply:
        """Answer for an object.

        Raises
        ------
        Refusal
            INVALID_REPLICATION_DATE, EXCEEDED_ID_LIMIT, NOT_FOUND.
        """
        name = BY_WORD.get(word.lower(), "")
        if not self.state.has(name) or "SystemModstamp" not in KINDS[name].at:
            raise not_found()
        days = KEPT_DAYS["deleted" if deleted else "updated"]
        start, end = self._span(request, days)
        covered = min(end, (self.state.now - BEHIND) // 60 * 60)
        if deleted:
            log = self.state.tables[name].log
            found = [(i, t) for i, t in log.items() if start <= t // 60 * 60 < covered]
            self._few(len(found))
            rows = [{"id": i, "deletedDate": rest_time(t)} for i, t in found]
            return ok(
                {
                    "deletedRecords": rows,
                    "earliestDateAvailable": rest_time(self.state.now - days * DAY),
                    "latestDateCovered": rest_time(covered),
                }
            )
        kind = KINDS[name]
        at, gone = kind.at["SystemModstamp"], kind.at.get("IsDeleted")
        seen = self.state.tables[name].seen(self.state.now)
        ids = [r[0] for r in seen if start <= r[at] // 60 * 60 < covered and not (gone and r[gone])]
        self._few(len(ids))
        return ok({"ids": ids, "latestDateCovered": rest_time(covered)})

    def _span(self, request: Request, days: int) -> tuple[int, int]:
        found = []
        for name in ("start", "end"):
            moment = parse_time(request.text(name))
            if moment is None:
                raise refuse(
                    400, "INVALID_FIELD", f"{name}: '{request.text(name)}' is no date and time"
                )
            found.append(moment // 60 * 60)
        start, end = found
        if end - start <= 60:
            message = "startDate must be more than one minute before endDate"
            raise refuse(400, "INVALID_REPLICATION_DATE", message)
        if start < self.state.now - days * DAY:
            message = f"startDate before org replication enabled date or more than {days} days ago"
            raise refuse(400, "INVALID_REPLICATION_DATE", message)
        return start, end

    def _few(self, number: int) -> None:
        if number > MOST:
            raise refuse(400, "EXCEEDED_ID_LIMIT", "Too many data items: over 600000")
