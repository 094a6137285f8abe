"""Every call made to HubSpot, one method each; nothing here knows what the answers mean.

Only reading: GET, and POST to searches and batch reads.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from connectors.batches import batches
from connectors.errors import ScopeError
from connectors.http import Api

VERSION = "2026-03"
"""Version of the API, here and nowhere else; ``v3`` (until September 2027) works as well."""

TYPES = {
    "contacts": "0-1",
    "companies": "0-2",
    "deals": "0-3",
    "line_items": "0-8",
    "meetings": "0-47",
    "leads": "0-136",
}
MODIFIED = dict.fromkeys(TYPES, "hs_lastmodifieddate") | {"contacts": "lastmodifieddate"}
"""The property that says when a record was last changed."""

READS = re.compile(
    r"/crm/(?:v3/objects|objects/[\w-]+)/[\w-]+/(?:search|batch/read)"
    r"|/crm/(?:v4/associations|associations/[\w-]+)/[\w-]+/[\w-]+/batch/read"
)
"""The paths a POST may go to."""

PAGE, SEARCH_PAGE, READ, READ_WITH_HISTORY, LINKED = 100, 200, 100, 50, 1000

Record = dict[str, Any]
Links = dict[str, list[Record]]
"""By id: its associations, ``toObjectId`` and ``associationTypes`` each."""


class HubSpot:
    """One account, read through an `Api`.

    Parameters
    ----------
    api : Api
        The session, with buckets ``burst`` and ``search``.
    version : str
        ``2026-03`` or any later date, or ``v3``.
    """

    def __init__(self, api: Api, version: str = VERSION) -> None:
        self.api = api
        self.version = version

    def account(self) -> Record:
        """Return ``portalId, timeZone, companyCurrency, uiDomain`` and more of the account."""
        return self._dictionary(f"/account-info/{self.version}/details")

    def usage(self) -> list[Record]:
        """Return the calls of the day: ``currentUsage, usageLimit, resetsAt`` per kind of app."""
        path = f"/account-info/{self.version}/api-usage/daily/private-apps"
        return list(self._dictionary(path).get("results", []))

    def pipelines(self, kind: str) -> list[Record]:
        """Return the pipelines of deals or leads, each with its stages in any order."""
        return list(self._dictionary(self._path("pipelines", kind), of=kind)["results"])

    def properties(self, kind: str) -> list[Record]:
        """Return the properties an object has: ``name, label, type, options`` and more."""
        return list(self._dictionary(self._path("properties", kind), of=kind)["results"])

    def owners(self) -> list[Record]:
        """Return every owner, deactivated ones too."""
        path = f"{self._path('owners')}/" if self.version == "v3" else self._path("owners")
        found: list[Record] = []
        for archived in ("false", "true"):
            params: dict[str, Any] = {"limit": PAGE, "archived": archived}
            while True:
                page = self._get(path, params, of="owners")
                found += page["results"]
                if (after := _after(page)) is None:
                    break
                params = {**params, "after": after}
        return found

    def pages(
        self,
        kind: str,
        properties: Sequence[str] = (),
        *,
        after: str | None = None,
        archived: bool = False,
    ) -> Iterator[tuple[list[Record], str | None]]:
        """Yield an object's records page by page, by id, each page with the cursor that follows it.

        The cursor is the id read last, so a record that changes meanwhile is neither met twice nor
        missed; one created meanwhile is left to the next search.
        """
        params: dict[str, Any] = {"limit": PAGE, "archived": str(archived).lower()}
        if properties:
            params["properties"] = ",".join(properties)
        while True:
            page = self._get(
                self._path("objects", kind),
                {**params, "after": after} if after else params,
                of=kind,
            )
            after = _after(page)
            yield page["results"], after
            if after is None:
                return

    def search(self, kind: str, filters: Sequence[Record], by: str, limit: int) -> Record:
        """Return the first page of a search: ``total`` and ``results``, sorted by a property.

        Never a later page: its place is counted in rows, and rows move while they are read.
        """
        body = {
            "filterGroups": [{"filters": list(filters)}],
            "sorts": [{"propertyName": by, "direction": "ASCENDING"}],
            "properties": [MODIFIED[kind], "hs_object_id"],
            "limit": limit,
        }
        found: Record = self._post(f"{self._path('objects', kind)}/search", body, kind, "search")
        return found

    def count(self, kind: str) -> int:
        """Return how many records there are, as the search index has it."""
        return int(self.search(kind, [], "hs_object_id", 1).get("total", 0))

    def read(
        self,
        kind: str,
        ids: Sequence[str],
        properties: Sequence[str],
        history: Sequence[str] = (),
        *,
        archived: bool = False,
    ) -> list[Record]:
        """Return records by id, with the history of some properties; ids that are gone are absent.

        In one call: at most 100 ids, 50 with history.
        """
        body: Record = {"inputs": [{"id": i} for i in ids], "properties": list(properties)}
        if history:
            body["propertiesWithHistory"] = list(history)
        path = f"{self._path('objects', kind)}/batch/read"
        params = {"archived": "true"} if archived else None
        return list(self._post(path, body, kind, params=params)["results"])

    def links(self, start: str, end: str, ids: Iterable[str]) -> Links:
        """Return the associations of records of one object with those of another.

        Every page of every record is read. A pair may stand there several times, once per type.
        """
        path = f"{self._associations(start, end)}/batch/read"
        found: dict[str, list[Record]] = {}

        def one(inputs: list[Record]) -> Record:
            return self._post(path, {"inputs": inputs}, end)

        asked: list[Record] = [{"id": i} for i in ids]
        while asked:
            further: list[Record] = []
            for page in self.api.map(one, batches(asked, LINKED)):
                for row in page.get("results", ()):
                    record = str(row["from"]["id"])
                    found.setdefault(record, []).extend(row.get("to") or ())
                    if (after := _after(row)) is not None:
                        further.append({"id": record, "after": after})
            asked = further
        return found

    def _path(self, area: str, kind: str | None = None) -> str:
        if area == "objects" and kind is not None and self.version != "v3":
            kind = TYPES[kind]
        head = f"/crm/v3/{area}" if self.version == "v3" else f"/crm/{area}/{self.version}"
        return head if kind is None else f"{head}/{kind}"

    def _associations(self, start: str, end: str) -> str:
        if self.version == "v3":
            return f"/crm/v4/associations/{start}/{end}"
        return f"/crm/associations/{self.version}/{start}/{end}"

    def _dictionary(self, path: str, *, of: str = "account") -> Record:
        found: Record = self._get(path, {}, of=of)
        return found

    def _get(self, path: str, params: Mapping[str, Any], *, of: str) -> Record:
        try:
            return dict(self.api.get(path, params=params))
        except ScopeError as error:
            raise _of(error, of) from None

    def _post(
        self,
        path: str,
        body: Record,
        of: str,
        bucket: str = "burst",
        params: Mapping[str, Any] | None = None,
    ) -> Record:
        try:
            return dict(self.api.post(path, body, params=params, bucket=bucket))
        except ScopeError as error:
            raise _of(error, of) from None


def _after(page: Mapping[str, Any]) -> str | None:
    following = (page.get("paging") or {}).get("next") or {}
    return None if following.get("after") is None else str(following["after"])


def _of(error: ScopeError, name: str) -> ScopeError:
    """The same error, with the object it is about."""
    return ScopeError(str(error), object=name, scopes=error.scopes)
