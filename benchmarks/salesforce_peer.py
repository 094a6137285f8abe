"""simple-salesforce reading what a first sync reads, object after object, into pandas.

By ``query_all``, the way its pages show; and in bulk by ``bulk2``. Deleted and archived records too,
as a sync reads them. Columns are left as they come: nothing is typed, shaped or kept.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import requests
from requests.adapters import HTTPAdapter

from connectors.salesforce import VERSION

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from simple_salesforce.api import Salesforce


class ToThisMachine(HTTPAdapter):
    """The client knows https only: send what it asks of any host to the server here."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url, self.calls = url, 0

    def send(self, request: requests.PreparedRequest, *given: Any, **named: Any) -> Any:  # noqa: ANN401
        """Change scheme and host, keep the path."""
        assert request.url is not None
        self.calls += 1
        request.url = f"{self.url}/{request.url.split('/', 3)[3]}"
        return super().send(request, *given, **named)


class Peer:
    """The client, one call after the other.

    Parameters
    ----------
    session : requests.Session
        With `ToThisMachine` in front.
    token : str
        What lets it in.
    """

    def __init__(self, session: requests.Session, token: str) -> None:
        self.client = Salesforce(
            instance_url="https://sandbox.my.salesforce.com",
            session_id=token,
            session=session,
            version=VERSION,
        )

    def queried(self, soql: str) -> pd.DataFrame:
        """Read all pages of a query."""
        found = self.client.query_all(soql, include_deleted=True)["records"]
        return pd.DataFrame(found).drop(columns="attributes")

    def in_bulk(self, name: str, soql: str, wait: float | None) -> pd.DataFrame:
        """Read by a bulk job, of which it first asks after `wait` seconds; None: as it likes."""
        told = {} if wait is None else {"wait": wait}
        pages = getattr(self.client.bulk2, name).query_all(soql, **told)
        return pd.concat([pd.read_csv(io.StringIO(page), dtype="str") for page in pages])


@contextmanager
def peer(url: str, token: str) -> Iterator[tuple[Peer, ToThisMachine]]:
    """Open the client; what counts its calls comes with it."""
    with requests.Session() as session:
        session.trust_env = False
        way = ToThisMachine(url)
        session.mount("https://", way)
        yield Peer(session, token), way
