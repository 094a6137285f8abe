"""A small account, a server for it, and plain calls to that server."""

from types import SimpleNamespace

import pytest
import requests

from connectors.sandbox.hubspot import TOKEN, Account, serve

NOW = "2026-11-01T09:30:00Z"


@pytest.fixture
def start():
    """Start servers; all are stopped at the end."""
    running = []

    def begin(account=None, **options):
        account = account or Account.generate(deals=120, seed=4, now=NOW)
        server = serve(account, limits=options.pop("limits", False), **options)
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        running.append((server, session))

        def get(path, **query):
            return session.get(server.url + path, params=query, timeout=20)

        def post(path, **body):
            return session.post(server.url + path, json=body, timeout=20)

        return SimpleNamespace(
            account=account, server=server, url=server.url, session=session, get=get, post=post
        )

    yield begin
    for server, session in running:
        session.close()
        server.stop()
