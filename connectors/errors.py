"""The errors of everything that touches a file, a folder or the network, in one tree.

::

    ConnectorError           whatever could not be fetched, read or kept
    ├── StoreError           the local store: not one, in use, or a version that is gone
    ├── FileError            an export (CSV, Excel, Parquet) or mapping that cannot be read
    └── ApiError             a call to a CRM that did not succeed, and will not if repeated now
        ├── CredentialsError a token is missing, refused, or cannot be renewed
        ├── ScopeError       the token may not read one kind of record
        └── DailyLimitError  the account's calls of the day are used up

Every message says what failed, where, and what to do; none ever holds a password or token.
What is wrong with the *content* of a table is a `kpi.tables.TableError`.

Examples
--------
>>> issubclass(StoreError, ConnectorError)
True
"""

from collections.abc import Sequence
from datetime import datetime


class ConnectorError(Exception):
    """Something outside the program could not be fetched, read or kept."""


class StoreError(ConnectorError):
    """The local store cannot do what was asked: it is not there, in use, or past its keeping."""


class FileError(ConnectorError):
    """An export or a mapping file cannot be read."""


class ApiError(ConnectorError):
    """A call did not succeed.

    Attributes
    ----------
    status : int or None
        The HTTP status of the last reply; None if there was no reply, or no call was made.

    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class CredentialsError(ApiError):
    """A token or password is missing, was refused, or cannot be renewed."""


class ScopeError(ApiError):
    """The token may not read one kind of record.

    Attributes
    ----------
    object : str
        The kind of record, such as ``deals``; empty if the reply does not tell.
    scopes : tuple of str
        The scopes that are missing, as the CRM names them; empty if it does not tell.

    """

    def __init__(
        self,
        message: str,
        *,
        object: str = "",
        scopes: Sequence[str] = (),
        status: int | None = 403,
    ) -> None:
        super().__init__(message, status=status)
        self.object = object
        self.scopes = tuple(scopes)


class DailyLimitError(ApiError):
    """The calls of the day are used up; what was fetched until then is kept.

    Attributes
    ----------
    resets_at : datetime or None
        When calls are possible again, with its time zone; None if not known.

    """

    def __init__(
        self, message: str, resets_at: datetime | None = None, *, status: int | None = 429
    ) -> None:
        super().__init__(message, status=status)
        self.resets_at = resets_at
