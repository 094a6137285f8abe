"""No piece of a secret is ever seen: not in output, logs, errors, reprs, or any byte of a store."""

import logging
import os
import subprocess
import sys
import traceback
from dataclasses import replace

import pytest

import connectors
from connectors import hubspot
from connectors.errors import ConnectorError
from connectors.hubspot.settings import Settings
from connectors.progress import silent
from connectors.sandbox.hubspot import tokens
from connectors.store import Store

TOKEN = "pat-eu1-7Xq9Zk2v-0Jw4-Yt8R-bN6m-HfQ3zLs5VdWg"
CLIENT_SECRET = "9wZ7-kQx4-Jv2Yr8-T6pNb3"
REFRESH, REFRESH_NEXT = "eu1-Gz5K-w8Vq3Xj-7RtY2b", "eu1-Hq4W-z9Kx6Jv-3TpN8r"
ACCESS = "CKz7-Wq3X-v9Jk-5Yt2R-8bNp-Zx4Q"
SECRETS = (TOKEN[4:], CLIENT_SECRET, REFRESH, REFRESH_NEXT, ACCESS)
PIECES = {s[i : i + 6].lower().encode() for s in SECRETS for i in range(len(s) - 5)}
OAUTH = {
    "HUBSPOT_CLIENT_ID": "app",
    "HUBSPOT_CLIENT_SECRET": CLIENT_SECRET,
    "HUBSPOT_REFRESH_TOKEN": REFRESH,
}
WAYS = {"token": {"HUBSPOT_TOKEN": TOKEN}, "oauth": OAUTH}
KNOWN = {  # what the sandbox calls them, and what is sent in their place
    "local-refresh-0001": REFRESH_NEXT,
    "local-access-0001": ACCESS,
}
COMMAND = "import logging; logging.basicConfig(level=10); from workbench.cli import main; main()"


def seen(*texts):
    """Pieces of a secret in texts or bytes."""
    all_bytes = b"\n".join(t if isinstance(t, bytes) else str(t).encode() for t in texts).lower()
    return sorted(piece.decode() for piece in PIECES if piece in all_bytes)


def below(folder):
    """Every byte of every file in a folder, and its name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [part for path in files for part in (str(path), path.read_bytes())]


def texts_of(error):
    """Whatever can be printed of an error and of those it came from, shown or suppressed."""
    found, links = [], [error]
    while links:
        one = links.pop()
        found += [str(one), repr(one), repr(one.args), repr(vars(one))]
        found += traceback.format_exception(one)
        links += [e for e in (one.__cause__, one.__context__) if e is not None]
    return found


@pytest.fixture
def guarded(hub, monkeypatch, tmp_path):
    """An account that takes our secrets; ``spoil(status)`` makes it echo them in refusals."""
    monkeypatch.setattr(tokens, "TOKEN", TOKEN)
    monkeypatch.setattr(tokens, "CLIENT", "app")
    monkeypatch.setattr(tokens, "SECRET", CLIENT_SECRET)
    monkeypatch.setattr("connectors.http.random.uniform", lambda *_: 0.0)
    for name in (*OAUTH, "HUBSPOT_TOKEN", "HUBSPOT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    one = hub(12, 4)
    one.server.tokens.refreshes = {REFRESH: 99, REFRESH_NEXT: 99}
    one.spoiled, one.after, one.count = None, 0, 0
    answer = one.server.handle

    def handle(request):
        one.count += 1
        if one.spoiled and one.count > one.after and "/_sandbox" not in request.target:
            return echo(answer(request), request, *one.spoiled)
        sent = request.headers.get("authorization", "")
        if ACCESS in sent:
            last = f"local-access-{one.server.tokens.issued:04d}"
            request.headers["authorization"] = f"Bearer {last}"
        reply = answer(request)
        if request.path.endswith("/token"):
            number = f"{one.server.tokens.issued:04d}"
            body = reply.body.replace(f"local-access-{number}".encode(), ACCESS.encode())
            body = body.replace(f"local-refresh-{number}".encode(), REFRESH_NEXT.encode())
            return replace(reply, body=body)
        return reply

    one.server.handle = handle
    return one


def echo(reply, request, status, kind):
    """A reply that repeats all it was sent, as proxies and error pages do."""
    told = f"{request.headers.get('authorization', '')} {request.raw.decode()} {request.target}"
    told = told.replace("\\", "/").replace('"', "'")
    if kind == "html":
        body = f"<html><title>{told}</title><body>{told}</body></html>"
    else:
        body = f'{{"message": "required all of the scopes {told}", "context": {{"a": ["{told}"]}}}}'
    headers = {"Location": f"https://elsewhere.test/{told.split()[-1]}?t={TOKEN}"}
    headers = headers if status == 302 else {}
    mime = "text/html" if kind == "html" else "application/json"
    return replace(reply, status=status, body=body.encode(), kind=mime, headers=headers, cut=False)


def use(one, folder):
    """Sync, check and read frames as a script does; return all that can be printed of it."""
    client, limits = hubspot.connect(url=one.server.url)
    work = hubspot.Sync(Store(folder), client, limits, Settings(lag_seconds=0))
    parts = [client, client.api, vars(client.api), limits, vars(limits), work, vars(work)]
    with client.api:
        report = work.run()
        found = hubspot.check(client, limits, Store(folder))
    frames = hubspot.frames(url=one.server.url, tables=["owners", "stages"], progress=silent)
    parts += [report, report.to_dict(), report.problems.to_csv(), found, vars(found), frames]
    parts += [client.api._authorization, vars(client.api._authorization)]
    return [text for part in parts for text in (repr(part), str(part))]


@pytest.mark.parametrize("way", WAYS)
def test_nothing_shows_a_secret_when_all_goes_well(
    guarded, way, tmp_path, monkeypatch, caplog, capfd
):
    """Reports, reprs, logs at DEBUG, output, and every byte of the store."""
    for name, value in WAYS[way].items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.DEBUG):
        texts = use(guarded, tmp_path / "s")
    used = {r.headers.get("authorization", "") for r in guarded.sent}
    assert len(used) >= 1, "the server was asked"
    assert seen(*texts, caplog.text, *capfd.readouterr(), *below(tmp_path / "s")) == []


SPOILED = [
    pytest.param(401, "json", id="401"),
    pytest.param(401, "html", id="401 page"),
    pytest.param(403, "json", id="403 missing scope"),
    pytest.param(403, "html", id="403 page"),
    pytest.param(400, "json", id="400"),
    pytest.param(429, "json", id="429"),
    pytest.param(500, "html", id="500 page"),
    pytest.param(302, "html", id="redirect"),
    pytest.param(200, "html", id="200 that is a page"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("status", "kind"), SPOILED)
def test_no_error_shows_a_secret_that_the_server_repeats(
    guarded, way, status, kind, tmp_path, monkeypatch, caplog, capfd
):
    """At the first call, and in the midst of a sync: texts, chains, logs, and what is kept."""
    for name, value in WAYS[way].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        "connectors.hubspot.limits.WAITS", {"TEN_SECONDLY_ROLLING": 0.0, "SECONDLY": 0.0}
    )
    texts, failed = [], 0
    for after in (0, 8, 14):
        guarded.spoiled, guarded.after, guarded.count = (status, kind), after, 0
        with caplog.at_level(logging.DEBUG):
            try:
                texts += use(guarded, tmp_path / "s")
            except ConnectorError as error:
                texts += texts_of(error)
                failed += 1
    assert failed, "something was refused"
    folder = tmp_path / "s"
    kept = below(folder) if folder.exists() else []
    assert seen(*texts, caplog.text, *capfd.readouterr(), *kept) == []


@pytest.mark.parametrize("way", WAYS)
def test_no_connection(guarded, way, tmp_path, monkeypatch, caplog):
    """The server is gone, and the network's own errors tell of addresses only."""
    for name, value in WAYS[way].items():
        monkeypatch.setenv(name, value)
    guarded.server.stop()
    with caplog.at_level(logging.DEBUG), pytest.raises(ConnectorError) as caught:
        connectors.sync("hubspot", tmp_path / "s", url=guarded.server.url, progress=silent)
    assert seen(*texts_of(caught.value), caplog.text) == []


@pytest.mark.parametrize(
    ("way", "spoiled"),
    [
        pytest.param("oauth", None, id="all goes well"),
        pytest.param("token", (401, "html"), id="refused"),
    ],
)
def test_the_command_shows_no_secret(guarded, way, spoiled, tmp_path):
    """`sync` and `check` in processes of their own, logging at DEBUG; the token is not in argv."""
    guarded.spoiled, guarded.after = spoiled, 0 if spoiled else 10**9
    environ = {**os.environ, **WAYS[way], "HUBSPOT_URL": guarded.server.url}
    folder = tmp_path / "s"
    for words in (["sync", "hubspot", "--json", "--lag", "0"], ["check", "hubspot"]):
        command = [sys.executable, "-c", COMMAND, *words, "--store", str(folder)]
        done = subprocess.run(command, env=environ, capture_output=True, check=False, timeout=120)
        assert done.returncode == (1 if spoiled else 0), done.stderr.decode()
        assert b"DEBUG" in done.stderr
        assert seen(done.stdout, done.stderr) == []
    assert seen(*(below(folder) if folder.exists() else [])) == []


def test_this_test_can_fail():
    """Six characters are found wherever they stand, in capitals or not."""
    assert seen("x" + TOKEN[10:16].upper() + "y", b"none")
    assert not seen(TOKEN[10:15])
