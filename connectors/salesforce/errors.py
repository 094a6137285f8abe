"""What only Salesforce answers with; branches of `connectors.errors.ApiError`.

::

    ApiError
    ├── FieldError             a query names a field that is hidden, absent or not filterable
    ├── QueryTimeoutError      the org gave up on a query: ask for less, such as half the time
    ├── QueryTooLongError      the query does not fit into an address: fewer fields, or bulk
    ├── LocatorExpiredError    the place in a long answer is lost: go on after the last row read
    ├── ReplicationDateError   deletions of so long ago are no longer told: compare all ids
    ├── TooManyDeletedError    more than can be told: a shorter time, or compare all ids
    ├── BulkUnsupportedError   not in the Bulk API: use the query of the REST API
    └── JobLostError           the bulk job is gone: begin a new one

Examples
--------
>>> issubclass(QueryTimeoutError, ApiError)
True
"""

from connectors.errors import ApiError


class FieldError(ApiError):
    """A query names a field that the user may not see, that is not there, or cannot be filtered.

    Attributes
    ----------
    object, field : str
        What the org says of it; empty where it does not tell.

    """

    def __init__(
        self, message: str, *, object: str = "", field: str = "", status: int | None = 400
    ) -> None:
        super().__init__(message, status=status)
        self.object = object
        self.field = field


class QueryTimeoutError(ApiError):
    """A query took the org too long, or touches too much; one that asks for less may pass."""


class QueryTooLongError(ApiError):
    """A query is longer than an address may be."""


class LocatorExpiredError(ApiError):
    """The place in an answer of many pages is lost; what came before it is good."""


class ReplicationDateError(ApiError):
    """The time asked for is out of what the org remembers of deletions, or the wrong way round."""


class TooManyDeletedError(ApiError):
    """More records were deleted than one answer holds."""


class BulkUnsupportedError(ApiError):
    """The Bulk API does not take a query that the REST API may take."""


class JobLostError(ApiError):
    """A bulk job, or its results, are no longer there."""
