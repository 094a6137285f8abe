"""No call that could change anything in HubSpot: not sent in use, and refused before the network."""

import re
import socket

import pytest

from connectors import hubspot
from connectors.errors import ApiError
from connectors.http import Api
from connectors.progress import silent
from connectors.sandbox.hubspot import TOKEN

READING = re.compile(
    r"GET /(crm|account-info)/.*"
    r"|POST /crm/.*/(search|batch/read)"
    r"|POST /oauth/[\w-]+/token"
)


def used_in_every_way(hub, version=hubspot.VERSION):
    """First load, incremental with comparison, full, OAuth, check against the store."""
    hub.sync(version=version)
    hub.account.mutate(15, 7)
    hub.account.advance(120)
    hub.sync(version=version, oauth=True)
    client, limits = hubspot.connect(TOKEN, url=hub.server.url, version=version)
    with client.api:
        assert hubspot.check(client, limits, hub.store).agrees


@pytest.mark.parametrize(
    ("version", "leads"),
    [
        pytest.param("2026-03", True, id="dated paths, leads object"),
        pytest.param("v3", False, id="v3 paths, contacts as leads"),
    ],
)
def test_only_reading_calls_are_sent(hub, version, leads):
    """Whatever is done, the server receives GET, searches, batch reads and token requests."""
    one = hub(12, 3, leads=leads)
    used_in_every_way(one, version)
    calls = [f"{method} {path}" for method, path, _ in one.server.calls]
    assert [call for call in calls if not READING.fullmatch(call)] == []
    assert not one.server.writes
    kinds = {READING.fullmatch(call).group(2) or call.split("/")[1] for call in calls}
    assert kinds == {"account-info", "crm", "oauth", "search", "batch/read"}, "not all was tried"


def test_frames_read_only_too(hub):
    """The functions that return pandas."""
    one = hub(6, 3)
    hubspot.frames(TOKEN, url=one.server.url, progress=silent)
    assert all(READING.fullmatch(f"{method} {path}") for method, path, _ in one.server.calls)
    assert not one.server.writes


WRITING = [
    "/crm/v3/objects/deals",
    "/crm/v3/objects/deals/1",
    "/crm/v3/objects/deals/batch/create",
    "/crm/v3/objects/deals/batch/update",
    "/crm/v3/objects/deals/batch/archive",
    "/crm/v3/objects/deals/merge",
    "/crm/v3/objects/contacts/gdpr-delete",
    "/crm/objects/2026-03/0-3",
    "/crm/objects/2026-03/0-3/batch/upsert",
    "/crm/v4/associations/deals/contacts/batch/create",
    "/crm/associations/2026-03/deals/contacts/batch/archive",
    "/crm/v3/pipelines/deals",
    "/crm/v3/properties/deals/batch/read/../create",
    "/crm/v3/objects/deals/search?x=/batch/create",
    "/crm/v3/objects/deals/search/../batch/create",
    "/crm/v3/objects/deals/batch/create/batch/read",
    "/crm/v3/objects/deals/search\n/create",
]


@pytest.mark.parametrize("path", WRITING)
def test_a_writing_path_is_refused_before_a_socket_is_opened(path, monkeypatch):
    """The list of reading paths decides, and the whole path has to match."""
    client, _ = hubspot.connect("pat-na1-none", url="http://127.0.0.1:9")
    opened = []
    monkeypatch.setattr(socket.socket, "connect", lambda _s, place: opened.append(place))
    monkeypatch.setattr(socket, "create_connection", lambda *a, **_k: opened.append(a))
    with client.api, pytest.raises(ApiError, match=r"not sent|not made"):
        client.api.post(path, {})
    assert opened == []
    assert client.api.calls == 0


def test_there_is_no_other_verb():
    """An `Api` has two ways to send, GET and the guarded POST."""
    public = {name for name in vars(Api) if not name.startswith("_")}
    assert public == {"get", "post", "map", "now", "close"}
