"""Every call made to Salesforce, one method each; nothing here knows what the answers mean.

Only reading: GET, and POST that asks a query in bulk. Bulk queries are ended, which is all else.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.errors import ApiError, ScopeError
from connectors.salesforce.bulk import PAGE, Bulk, Page
from connectors.salesforce.calls import JobApi
from connectors.salesforce.errors import ReplicationDateError
from connectors.salesforce.jobs import Job, Jobs
from connectors.salesforce.query import literal, queried, select

VERSION = "66.0"
"""Version of the API, here and nowhere else."""

Record = dict[str, Any]


class Salesforce:
    """One org, read through a `JobApi`.

    Parameters
    ----------
    api : JobApi
        The session, with bucket ``burst``.
    instance_url : str
        The org's address, for links to its records.
    version : str
        ``66.0`` or another that the org has; see `versions`.
    """

    def __init__(self, api: JobApi, instance_url: str, version: str = VERSION) -> None:
        self.api = api
        self.instance_url = instance_url
        self.version = version

    def versions(self) -> list[str]:
        """Return the versions of the API that the org has, such as ``66.0``, oldest first."""
        found = self.api.get("/services/data/")
        return sorted((str(row["version"]) for row in found), key=float)

    def identity(self) -> Record:
        """Return ``user_id, organization_id, preferred_username, name`` and more of who we are."""
        return dict(self.api.get("/services/oauth2/userinfo"))

    def limits(self) -> Record:
        """Return the org's limits by name, each with ``Max`` and ``Remaining``."""
        return dict(self.api.get(f"{self._data}/limits/"))

    def describe(self, object: str) -> Record:
        """Return what an object has for this user: its ``fields`` and more.

        Raises
        ------
        ScopeError
            If it is not there, or the user may not read it.
        """
        return self._get(f"/sobjects/{object}/describe", {}, of=object)

    def count(self, object: str, conditions: Sequence[str] = (), *, all_rows: bool = False) -> int:
        """Return how many records an object has; with `all_rows` deleted and archived ones too.

        Conditions are those of `connectors.salesforce.query.select`.
        """
        soql = select(object, ["COUNT()"], conditions)
        return int(self._get(_kind(all_rows=all_rows), {"q": soql}, of=object)["totalSize"])

    def rows(self, soql: str, *, all_rows: bool = False) -> Iterator[list[Record]]:
        """Yield the records of a query page by page, as they came; none if there are none.

        Parameters
        ----------
        soql : str
            From `connectors.salesforce.query.select`.
        all_rows : bool
            Deleted, merged and archived records too.

        Raises
        ------
        LocatorExpiredError
            If the place is lost between two pages: ask again for what comes after the last record.
        QueryTimeoutError, QueryTooLongError
            If less must be asked for.
        FieldError, ScopeError
            If a field, or the object, is not there for this user.
        ApiError
            If the pages do not lead to an end.
        """
        object = queried(soql)
        page = self._get(_kind(all_rows=all_rows), {"q": soql}, of=object)
        seen: set[str] = set()
        while True:
            if page.get("records"):
                yield page["records"]
            if page.get("done"):
                return
            following = page.get("nextRecordsUrl") or ""
            if not following or following in seen:
                raise ApiError(
                    f"the answer about {object} says that there is more, but not where: run the"
                    " same command again"
                )
            seen.add(following)
            page = self._follow(following, of=object)

    def deleted(self, object: str, start: datetime, end: datetime) -> tuple[list[str], datetime]:
        """Return the ids of the records deleted in a time, and up to when that is complete.

        Parameters
        ----------
        object : str
            API name.
        start, end : datetime
            With zone; more than a minute apart, and the start at most 15 days ago. The next time
            begins at the moment returned, which may be earlier than `end`.

        Raises
        ------
        ReplicationDateError
            If the org no longer knows all of that time.
        TooManyDeletedError
            If they are too many for one answer.
        """
        params = {"start": _whole(start), "end": _whole(end)}
        found = self._get(f"/sobjects/{object}/deleted/", params, of=object)
        earliest = found.get("earliestDateAvailable")
        if earliest and datetime.fromisoformat(earliest) > start:
            raise ReplicationDateError(
                f"{object}: the org no longer knows all deletions since {_whole(start)}, only those "
                f"since {earliest}: compare every id instead"
            )
        covered = datetime.fromisoformat(found["latestDateCovered"])
        return [row["id"] for row in found["deletedRecords"]], covered.astimezone(UTC)

    def asked(self, soql: str) -> str:
        """Make a bulk job, deleted and archived records too, and do not wait; return its id.

        `bulk` reads its answer, by the id and the same query. Errors are those of making one there.
        """
        return self._jobs().begin(soql).id

    def abandon(self, job: str) -> None:
        """End a bulk job that nobody will read; if that fails it goes by itself after 7 days."""
        self._jobs().abandon(job)

    def bulk(
        self,
        soql: str,
        *,
        job: str | None = None,
        locator: str | None = None,
        read: int = 0,
        page_rows: int = PAGE,
        told: Callable[[Job], object] = lambda _job: None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> Iterator[Page]:
        """Yield the records of a query in bulk, deleted and archived ones too, page by page.

        See `connectors.salesforce.bulk.Bulk.pages`, which says how to go on with a job that was
        left, by `job`, `locator` and `read` of the last page that was kept. `sleep` waits so many
        seconds between two looks at the job.
        """
        return Bulk(self._jobs(sleep)).pages(
            soql, job=job, locator=locator, read=read, page_rows=page_rows, told=told
        )

    def _jobs(self, sleep: Callable[[float], object] = time.sleep) -> Jobs:
        return Jobs(self.api, f"{self._data}/jobs/query", sleep=sleep)

    @property
    def _data(self) -> str:
        return f"/services/data/v{self.version}"

    def _get(self, path: str, params: Mapping[str, Any], *, of: str) -> Record:
        return self._asked(f"{self._data}{path}", params, of)

    def _follow(self, url: str, *, of: str) -> Record:
        """Read from where a page says that the next one is, on this org whatever host it names."""
        parts = urlsplit(url)
        return self._asked(parts.path, dict(parse_qsl(parts.query)), of)

    def _asked(self, path: str, params: Mapping[str, Any], of: str) -> Record:
        try:
            return dict(self.api.get(path, params=params))
        except ScopeError as error:
            raise ScopeError(str(error), object=error.object or of, status=error.status) from None


def _kind(*, all_rows: bool) -> str:
    return "/queryAll" if all_rows else "/query"


def _whole(moment: datetime) -> str:
    """Write a moment for an address: whole seconds, and no ``+``, which would be read as a blank."""
    return literal(moment.replace(microsecond=0))
