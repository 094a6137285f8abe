"""Every way into an org, against a server that gives the answers Salesforce was seen to give."""

import json
import logging
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from replies import Reply, serving

from connectors.errors import ApiError, CredentialsError
from connectors.salesforce import auth
from connectors.salesforce.connect import connect
from connectors.secret import Secret

SECRET, REFRESH, ACCESS = (
    "Q1w2e3r4t5Y6",
    "5Aep861Z9y8x7w6v5",
    "00Dx0000000BV7z!AR8AQAxo9UfVkh8AlV0G",
)
EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
LIMITS = {"DailyApiRequests": {"Max": 15000, "Remaining": 14980}}


@pytest.fixture(scope="module")
def key():
    """A private key of this test's own."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key, password=None):
    """A key as a file holds it."""
    hidden = serialization.BestAvailableEncryption(password) if password else None
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        hidden or serialization.NoEncryption(),
    ).decode()


def given(server, token=ACCESS, **more):
    """A token reply; the address is the server's own."""
    return Reply(body={"access_token": token, "instance_url": server.url, **more})


def forms(server):
    """The forms that the token endpoint was sent."""
    return [
        {name: values[0] for name, values in parse_qs(body.decode()).items()}
        for method, path, _, body in server.asked
        if (method, path) == ("POST", "/services/oauth2/token")
    ]


def opened(server, tmp_path, **environ):
    """Connect with variables, and with settings in a folder of the test."""
    own = {"XDG_CONFIG_HOME": str(tmp_path), "APPDATA": str(tmp_path)}
    names = {f"SALESFORCE_{name}": value for name, value in environ.items()}
    return connect(environ={**own, **names}, prompt=False)


def test_a_pasted_session(tmp_path):
    """Address and token, and nothing asked for."""
    with serving(Reply(body=LIMITS)) as server:
        client, _ = opened(server, tmp_path, INSTANCE_URL=f"{server.url}/", ACCESS_TOKEN=ACCESS)
        with client.api:
            assert client.limits() == LIMITS
        assert client.instance_url == server.url
    (method, path, headers, _) = server.asked[0]
    assert (method, path) == ("GET", "/services/data/v66.0/limits/")
    assert headers["Authorization"] == f"Bearer {ACCESS}"


def test_a_token_in_the_call_goes_before_the_environment(tmp_path):
    """With the address from either."""
    with serving(Reply(body=LIMITS)) as server:
        client, _ = connect(ACCESS, url=server.url, environ={"SALESFORCE_INSTANCE_URL": "x"})
        with client.api:
            client.limits()
    assert server.asked[0][2]["Authorization"] == f"Bearer {ACCESS}"


def test_client_credentials_at_the_org_and_then_where_it_says(tmp_path):
    """The API is where the token reply says, not where the token was asked for."""
    with serving(Reply(body=LIMITS)) as org, serving() as domain:
        domain.replies.append(given(org))
        client, _ = opened(
            domain, tmp_path, INSTANCE_URL=domain.url, CLIENT_ID="app-1", CLIENT_SECRET=SECRET
        )
        with client.api:
            client.limits()
        assert client.instance_url == org.url
    assert forms(domain) == [
        {"grant_type": "client_credentials", "client_id": "app-1", "client_secret": SECRET}
    ]
    assert [path for _, path, *_ in org.asked] == ["/services/data/v66.0/limits/"]


def test_a_signed_request(tmp_path, key):
    """RS256, for three minutes, for the user and the login address; the file's name has a blank."""
    file = tmp_path / "my key.pem"
    file.write_text(pem(key))
    with serving() as server:
        server.replies.append(given(server))
        client, _ = opened(
            server,
            tmp_path,
            LOGIN_URL=server.url,
            CLIENT_ID="app-1",
            USERNAME="jane@acme.example",
            PRIVATE_KEY_FILE=str(file),
        )
        client.api.close()
        form = forms(server)[0]
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(
        form["assertion"], key.public_key(), algorithms=["RS256"], audience=server.url
    )
    assert (claims["iss"], claims["sub"]) == ("app-1", "jane@acme.example")
    assert 170 <= claims["exp"] - time.time() <= 181


def test_each_request_is_signed_anew(key):
    """The second token is not asked for with a request that has run out."""
    clock = [1000.0]
    with serving() as server:
        server.replies += [given(server, "one"), given(server, "two")]
        session = auth.signed_requests(
            server.url, "a", "u", Secret(pem(key)), auth.TOKENS, clock=lambda: clock[0]
        )
        used = session.header()
        clock[0] = 2000.0
        assert session.refused(used)
        expire = [
            jwt.decode(form["assertion"], options={"verify_signature": False})["exp"]
            for form in forms(server)
        ]
    assert expire == [1180, 2180]


@pytest.mark.parametrize("text", ["no key", "", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_key_that_cannot_be_read_is_told(text):
    """Before anything is sent, and without the key."""
    with pytest.raises(CredentialsError, match="PRIVATE_KEY_FILE") as caught:
        auth.signed_requests("http://127.0.0.1:9", "a", "u", Secret(text), "x")
    assert "AAAA" not in "".join(traceback.format_exception(caught.value))


def test_a_key_with_a_password_is_told(key):
    """And how to mend it."""
    with pytest.raises(CredentialsError, match="without a password"):
        auth.signed_requests("http://127.0.0.1:9", "a", "u", Secret(pem(key, b"pw")), "x")


def test_a_key_file_that_is_not_there(tmp_path):
    """The variable is named, not the path."""
    with pytest.raises(CredentialsError, match="file of SALESFORCE_PRIVATE_KEY_FILE"):
        opened(None, tmp_path, CLIENT_ID="a", USERNAME="u", PRIVATE_KEY_FILE=str(tmp_path / "no"))


def refreshed(server, tmp_path):
    """Connect with a refresh token."""
    return opened(
        server,
        tmp_path,
        INSTANCE_URL=server.url,
        CLIENT_ID="app-1",
        CLIENT_SECRET=SECRET,
        REFRESH_TOKEN=REFRESH,
    )


def test_a_replaced_refresh_token_is_kept_before_its_access_token_is_used(tmp_path):
    """So a program that dies now does not lose the way in."""
    seen = []

    def limits(_asked):
        seen.append([json.loads(f.read_text())["token"] for f in tmp_path.rglob("*.json")])
        return Reply(body=LIMITS)

    with serving() as server:
        server.replies += [given(server, refresh_token="second-one"), limits]
        client, _ = refreshed(server, tmp_path)
        with client.api:
            client.limits()
        server.replies.append(given(server))
        again, _ = refreshed(server, tmp_path)
        again.api.close()
    assert seen == [["second-one"]]
    assert [form["refresh_token"] for form in forms(server)] == [REFRESH, "second-one"]


def test_an_ended_session_is_renewed_once_for_all(tmp_path):
    """Eight calls hear 401 at a time; one new token is asked for, and all calls succeed."""

    def org(asked):
        good = asked[2]["Authorization"] == "Bearer two"
        return Reply(body=LIMITS, waits=0.05) if good else Reply(401, EXPIRED, waits=0.05)

    with serving() as server:
        server.replies += [given(server, "one"), *[org] * 8, given(server, "two"), *[org] * 8]
        client, _ = opened(
            server, tmp_path, INSTANCE_URL=server.url, CLIENT_ID="a", CLIENT_SECRET=SECRET
        )
        with client.api, ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda _: client.limits(), range(8))) == [LIMITS] * 8
    assert len(forms(server)) == 2


@pytest.mark.parametrize(
    "body", [EXPIRED, [{"message": "This session is not valid for use with the REST API"}]]
)
def test_a_lasting_401_ends_after_one_new_token(tmp_path, body):
    """No loop, and no third request."""
    with serving() as server:
        server.replies += [given(server), Reply(401, body), given(server, "two"), Reply(401, body)]
        client, _ = opened(
            server, tmp_path, INSTANCE_URL=server.url, CLIENT_ID="a", CLIENT_SECRET=SECRET
        )
        with client.api, pytest.raises(CredentialsError, match="may use the API"):
            client.limits()
        assert len(server.asked) == 4


def test_a_pasted_session_that_ended_is_told_at_once(tmp_path):
    """There is nothing to renew it with."""
    with serving(Reply(401, EXPIRED)) as server:
        client, _ = opened(server, tmp_path, INSTANCE_URL=server.url, ACCESS_TOKEN=ACCESS)
        with client.api, pytest.raises(CredentialsError, match="ends after some hours"):
            client.limits()
        assert len(server.asked) == 1


def test_identity_refuses_in_words_of_its_own(tmp_path):
    """403 Bad_OAuth_Token in plain text is a token that ended."""
    with serving(Reply(403, b"Bad_OAuth_Token")) as server:
        client, _ = opened(server, tmp_path, INSTANCE_URL=server.url, ACCESS_TOKEN=ACCESS)
        with client.api, pytest.raises(CredentialsError, match="Bad_OAuth_Token"):
            client.identity()


REFUSALS = [
    ("invalid_grant", "request not supported on this domain", "my.salesforce.com"),
    ("invalid_grant", "user hasn't approved this consumer", "pre-authorise"),
    ("invalid_grant", "expired access/refresh token", "SALESFORCE_REFRESH_TOKEN"),
    ("invalid_grant", "no client credentials user enabled", "Run As"),
    ("invalid_client", "invalid client credentials", "SALESFORCE_CLIENT_SECRET"),
    ("invalid_client_id", "client identifier invalid", "SALESFORCE_CLIENT_ID"),
    ("unsupported_grant_type", "grant type not supported", "policies"),
]


@pytest.mark.parametrize(("error", "words", "todo"), REFUSALS)
def test_what_to_do_about_a_refusal(tmp_path, error, words, todo):
    """In the server's words, once, and with what to do."""
    with serving(Reply(400, {"error": error, "error_description": words})) as server:
        with pytest.raises(CredentialsError, match=todo) as caught:
            refreshed(server, tmp_path)
        assert len(server.asked) == 1
    assert words in str(caught.value)


def test_no_secret_in_what_is_told(tmp_path, caplog):
    """Even where the server repeats them."""
    caplog.set_level(logging.DEBUG)
    told = {"error": "invalid_grant", "error_description": f"bad {SECRET} and {REFRESH}"}
    with serving(Reply(400, told)) as server:
        with pytest.raises(CredentialsError) as caught:
            refreshed(server, tmp_path)
        server.replies.append(given(server))
        client, _ = refreshed(server, tmp_path)
        server.replies += [Reply(401, [{"message": f"what is {ACCESS}?"}]), given(server)]
        server.replies.append(Reply(401, [{"message": f"what is {ACCESS}?"}]))
        with client.api, pytest.raises(CredentialsError) as later:
            client.limits()
    text = caplog.text + repr(client.api) + repr(client.api._authorization)
    for error in (caught.value, later.value):
        text += "".join(traceback.format_exception(error)) + repr(vars(error))
    assert not [secret for secret in (SECRET, REFRESH, ACCESS) if secret[4:12] in text]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({"access_token": "x"}, "no instance_url"),
        ({"instance_url": "https://x.example"}, "no access_token"),
        ({"access_token": "x", "instance_url": "http://x.example"}, "cannot be used"),
        ({"access_token": "x", "instance_url": "https://a:b@x.example"}, "cannot be used"),
    ],
)
def test_a_token_reply_that_leads_nowhere(tmp_path, reply, words):
    """Neither plain http nor a user in the address."""
    with serving(Reply(body=reply)) as server, pytest.raises(ApiError, match=words):
        refreshed(server, tmp_path)


def test_an_org_that_moves_meanwhile():
    """The token is not sent to the old address."""
    with serving() as server:
        server.replies += [
            given(server),
            Reply(body={"access_token": "b", "instance_url": "https://y.example"}),
        ]
        session = auth.client_credentials(server.url, "a", Secret(SECRET))
        used = session.header()
        with pytest.raises(ApiError, match="has moved"):
            session.refused(used)


@pytest.mark.parametrize("url", ["http://acme.my.salesforce.com", "acme.my.salesforce.com"])
def test_secrets_go_to_safe_addresses_only(tmp_path, url):
    """Plain http is for this computer."""
    for more in ({"ACCESS_TOKEN": ACCESS}, {"CLIENT_ID": "a", "CLIENT_SECRET": SECRET}):
        with pytest.raises(ApiError, match="cannot be used"):
            opened(None, tmp_path, INSTANCE_URL=url, **more)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "SALESFORCE_CLIENT_SECRET"),
        ({"INSTANCE_URL": "https://x.example"}, "SALESFORCE_ACCESS_TOKEN"),
        ({"CLIENT_ID": "a", "USERNAME": "u"}, "SALESFORCE_PRIVATE_KEY_FILE"),
    ],
)
def test_what_is_missing_is_named(tmp_path, environ, words):
    """All the ways in."""
    with pytest.raises(CredentialsError, match=words):
        opened(None, tmp_path, **environ)


def test_a_pasted_token_in_the_environment_goes_first(tmp_path):
    """Whoever pastes one means it."""
    with serving() as server:
        both = {"INSTANCE_URL": server.url, "CLIENT_ID": "a", "CLIENT_SECRET": SECRET}
        client, _ = opened(server, tmp_path, ACCESS_TOKEN=ACCESS, **both)
        client.api.close()
        assert server.asked == []


def test_a_signed_request_of_another_time_asks_for_the_clock():
    assert "clock" in auth.advice("invalid_grant: expired authorization code")
