"""No piece of a secret is ever seen: not in output, logs, errors, reprs, or any byte of a store."""

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from secrecy import below, echo, pieces, seen, texts_of

import connectors
from connectors import salesforce
from connectors.errors import ConnectorError
from connectors.progress import silent
from connectors.salesforce.settings import Settings
from connectors.sandbox.salesforce import Accepts
from connectors.sandbox.salesforce.auth import public_key_of
from connectors.store import Store

TOKEN = "00D7Xq9Zk2v!AQ0Jw4Yt8R.bN6mHfQ3zLs5VdWg"
CLIENT_SECRET = "9WZ7KQX4JV2YR8T6PNB3"
REFRESH, REFRESH_NEXT = "5Aep8Gz5Kw8Vq3Xj7RtY2b", "5Aep6Hq4Wz9Kx6Jv3TpN8r"
ACCESS = "00DCKz7Wq3X!AQv9Jk5Yt2R.8bNpZx4Q"
USERNAME = "integration.user@sandbox.example"
VARIABLES = [
    f"SALESFORCE_{name}"
    for name in (
        "INSTANCE_URL",
        "ACCESS_TOKEN",
        "CLIENT_ID",
        "CLIENT_SECRET",
        "REFRESH_TOKEN",
        "USERNAME",
        "PRIVATE_KEY_FILE",
        "LOGIN_URL",
    )
]
APP = {"SALESFORCE_CLIENT_ID": "app", "SALESFORCE_CLIENT_SECRET": CLIENT_SECRET}
WAYS = {
    "token": {"SALESFORCE_ACCESS_TOKEN": TOKEN},
    "app": APP,
    "refresh": {**APP, "SALESFORCE_REFRESH_TOKEN": REFRESH},
    "key": {"SALESFORCE_CLIENT_ID": "app", "SALESFORCE_USERNAME": USERNAME},
}
COMMAND = (
    "import logging; logging.basicConfig(level=10);"
    "from connectors.salesforce import jobs; jobs.FIRST_WAIT = 0.01;"
    "from workbench.cli import main; main()"
)


@pytest.fixture(scope="module")
def key():
    """A private key of this test's own, in PEM."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture(scope="module")
def secret(key):
    """Pieces of every secret; of the key those lines that no other key has."""
    lines = key.decode().splitlines()[2:-1]
    return pieces(TOKEN, CLIENT_SECRET, REFRESH, REFRESH_NEXT, ACCESS, *lines)


@pytest.fixture
def guarded(crm, key, monkeypatch, tmp_path):
    """An org that takes our secrets; set ``spoiled`` to make it repeat them in refusals."""
    monkeypatch.setattr("connectors.http.random.uniform", lambda *_: 0.0)
    monkeypatch.setattr("connectors.salesforce.jobs.FIRST_WAIT", 0.01)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    one = crm(12, 4, now=None)  # a signed request is good for minutes of the real time
    one.key = tmp_path / "key.pem"
    one.key.write_bytes(key)
    sessions = one.server.sessions
    sessions.accepts = Accepts(TOKEN, "app", CLIENT_SECRET, REFRESH, USERNAME, public_key_of(key))
    sessions.refreshes, sessions.rotate = {REFRESH, REFRESH_NEXT}, False
    one.spoiled, one.after, one.count, one.tokens = None, 0, 0, 0
    answer = one.server.handle

    def handle(request):
        one.count += 1
        if one.spoiled and one.count > one.after:
            return echo(answer(request), request, *one.spoiled)
        if ACCESS in request.headers.get("authorization", ""):
            request.headers["authorization"] = f"Bearer local-session-{sessions.logins:04d}"
        reply = answer(request)
        return renewed(one, reply) if request.path.endswith("/token") else reply

    one.server.handle = handle
    return one


def renewed(one, reply):
    """A token reply with our access token, and with a new refresh token."""
    one.tokens += 1
    body = {**json.loads(reply.body), "access_token": ACCESS, "refresh_token": REFRESH_NEXT}
    return replace(reply, body=json.dumps(body).encode())


def variables(one, way):
    """Return the variables of a way in."""
    more = {"SALESFORCE_INSTANCE_URL": one.server.url, "SALESFORCE_LOGIN_URL": one.server.url}
    more |= {"SALESFORCE_PRIVATE_KEY_FILE": str(one.key)} if way == "key" else {}
    return {**WAYS[way], **more}


@pytest.fixture(params=WAYS)
def way(request, guarded, monkeypatch):
    """Each way in, set in the environment."""
    for name, value in variables(guarded, request.param).items():
        monkeypatch.setenv(name, value)
    return request.param


def use(folder):
    """Sync, check and read frames as a script does; return all that can be printed of it."""
    client, limits = salesforce.connect(prompt=False)
    work = salesforce.Sync(Store(folder), client, limits, Settings(lag_seconds=0))
    session = client.api._authorization
    parts = [client, client.api, vars(client.api), limits, vars(limits), work, vars(work)]
    parts += [session, vars(session)]
    with client.api:
        report = work.run()
        found = salesforce.check(client, limits, Store(folder))
    frames = salesforce.frames(tables=["owners", "rates"], progress=silent)
    parts += [report, report.to_dict(), report.problems.to_csv(), found, vars(found), frames]
    return [text for part in parts for text in (repr(part), str(part))]


def test_nothing_shows_a_secret_when_all_goes_well(guarded, way, secret, tmp_path, caplog, capfd):
    """Reports, reprs, logs at DEBUG, output, and every byte of the store."""
    with caplog.at_level(logging.DEBUG):
        texts = use(tmp_path / "s")
    used = {r.headers.get("authorization", "") for r in guarded.sent}
    assert len(used) >= 1, "the server was asked"
    assert guarded.tokens == (0 if way == "token" else 2)
    assert seen(secret, *texts, caplog.text, *capfd.readouterr(), *below(tmp_path / "s")) == []


SPOILED = [
    pytest.param(401, "list", id="401"),
    pytest.param(401, "html", id="401 page"),
    pytest.param(403, "list", id="403"),
    pytest.param(400, "json", id="400 of a login"),
    pytest.param(400, "list", id="400 of a call"),
    pytest.param(414, "html", id="414 page"),
    pytest.param(429, "list", id="429"),
    pytest.param(500, "html", id="500 page"),
    pytest.param(302, "html", id="redirect"),
    pytest.param(200, "html", id="200 that is a page"),
]


@pytest.mark.parametrize(("status", "kind"), SPOILED)
def test_no_error_shows_a_secret_that_the_server_repeats(
    guarded, way, secret, status, kind, tmp_path, caplog, capfd
):
    """At the first call, and in the midst of a sync: texts, chains, logs, and what is kept."""
    texts, failed = [], 0
    for after in (0, 8, 25):
        guarded.spoiled, guarded.after, guarded.count = (status, kind), after, 0
        with caplog.at_level(logging.DEBUG):
            try:
                texts += use(tmp_path / "s")
            except ConnectorError as error:
                texts += texts_of(error)
                failed += 1
    assert failed, "something was refused"
    assert seen(secret, *texts, caplog.text, *capfd.readouterr(), *below(tmp_path / "s")) == []


def test_no_connection(guarded, way, secret, tmp_path, caplog):
    """The server is gone, and the network's own errors tell of addresses only."""
    guarded.server.stop()
    with caplog.at_level(logging.DEBUG), pytest.raises(ConnectorError) as caught:
        connectors.sync("salesforce", tmp_path / "s", prompt=False, progress=silent)
    assert seen(secret, *texts_of(caught.value), caplog.text) == []


def test_a_key_that_cannot_be_read_is_not_shown(guarded, secret, monkeypatch, key):
    """Half a key, pasted into the file."""
    for name, value in variables(guarded, "key").items():
        monkeypatch.setenv(name, value)
    guarded.key.write_bytes(key[:900])
    with pytest.raises(ConnectorError, match="private key cannot be read") as caught:
        salesforce.connect(prompt=False)
    assert seen(secret, *texts_of(caught.value)) == []


@pytest.mark.parametrize(
    ("name", "spoiled"),
    [
        pytest.param("key", None, id="a key, all goes well"),
        pytest.param("refresh", (400, "json"), id="a refresh token, refused"),
    ],
)
def test_the_command_shows_no_secret(guarded, name, spoiled, secret, tmp_path):
    """`sync` and `check` in processes of their own, logging at DEBUG; no secret is in argv."""
    guarded.spoiled = spoiled
    environ = {**os.environ, **variables(guarded, name)}
    folder = tmp_path / "s"
    for words in (["sync", "salesforce", "--json", "--lag", "0"], ["check", "salesforce"]):
        command = [sys.executable, "-c", COMMAND, *words, "--store", str(folder)]
        done = subprocess.run(command, env=environ, capture_output=True, check=False, timeout=120)
        assert done.returncode == (1 if spoiled else 0), done.stderr.decode()
        assert b"DEBUG" in done.stderr
        assert seen(secret, done.stdout, done.stderr) == []
    assert seen(secret, *below(folder)) == []


def test_this_test_can_fail(secret, key):
    """Six characters are found wherever they stand, in capitals or not."""
    assert seen(secret, "x" + TOKEN[10:16].upper() + "y", b"none")
    assert seen(secret, key)
    assert not seen(secret, TOKEN[10:15])
