"""A plain loop over HubSpot's official client that fetches what a first sync fetches, and no more.

Ids from the list, a hundred a page; records by batch, fifty with history; associations a thousand
at a time. Objects without history come from the list itself. Nothing is shaped or kept.
"""

from collections.abc import Callable, Iterator
from typing import Any

import hubspot
from hubspot.crm import objects
from hubspot.crm.associations import v4

LINKS = (
    ("deals", "companies"),
    ("deals", "contacts"),
    ("leads", "companies"),
    ("contacts", "leads"),
    ("meetings", "companies"),
    ("meetings", "contacts"),
    ("meetings", "deals"),
    ("line_items", "deals"),
)


class Peer:
    """The official client, one call after the other.

    Parameters
    ----------
    url, token : str
        The server.
    """

    def __init__(self, url: str, token: str) -> None:
        self.client = hubspot.HubSpot(access_token=token, host=url)
        self.calls = 0

    def fetch(self, kind: str, properties: list[str], history: list[str]) -> list[str]:
        """Fetch every record of an object; return the ids."""
        if not history:
            return [record.id for record in self.listed(kind, properties)]
        ids = [record.id for record in self.listed(kind, ["hs_object_id"])]
        for part in parts(ids, 50):
            question = objects.BatchReadInputSimplePublicObjectId(
                properties_with_history=history,
                inputs=[{"id": i} for i in part],
                properties=properties,
            )
            self.ask(self.client.crm.objects.batch_api.read, kind, question)
        return ids

    def listed(self, kind: str, properties: list[str]) -> Iterator[Any]:
        """Yield every record of the list."""
        after = None
        while True:
            get_page = self.client.crm.objects.basic_api.get_page
            page = self.ask(get_page, kind, limit=100, after=after, properties=properties)
            yield from page.results
            if page.paging is None:
                return
            after = page.paging.next.after

    def link(self, start: str, end: str, ids: list[str]) -> set[str]:
        """Fetch the associations of records; return the ids of what they are associated with."""
        found: set[str] = set()
        for part in parts(ids, 1000):
            question = v4.BatchInputPublicFetchAssociationsBatchRequest(
                inputs=[{"id": i} for i in part]
            )
            get_page = self.client.crm.associations.v4.batch_api.get_page
            page = self.ask(get_page, start, end, question)
            found |= {str(to.to_object_id) for row in page.results for to in row.to}
        return found

    def ask(self, call: Callable[..., Any], *arguments: object, **named: object) -> Any:  # noqa: ANN401
        """Make one call."""
        self.calls += 1
        return call(*arguments, **named)


def parts(ids: list[str], size: int) -> Iterator[list[str]]:
    """Cut a list."""
    return (ids[at : at + size] for at in range(0, len(ids), size))
