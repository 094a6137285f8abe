"""Calls to a CRM against a real local server: retries, limits, refusals, and no token anywhere."""

import gzip
import json
import logging
import pickle
import re
import threading
import time
import traceback
from datetime import UTC, datetime

import pytest
import requests
from replies import OK, Reply, serving

from connectors.buckets import Bucket
from connectors.errors import ApiError, CredentialsError, DailyLimitError, ScopeError
from connectors.http import Api
from connectors.secret import Secret
from connectors.verdicts import Again, Fail, judge, retry_after, said
from connectors.wire import Header, checked_address, new_session, unanswered

TOKEN = "pat-na1-3f9c1b7e-58d2-4c0a-9e6f-7ab1c2d3e4f5"
READS = re.compile(r"/read/\w+")


class Fresh:
    """An authorization with several tokens; each refusal brings the next."""

    def __init__(self, *tokens):
        self.tokens, self.refusals = list(tokens or [TOKEN]), []

    def header(self):
        return f"Bearer {self.tokens[0]}"

    def refused(self, used):
        self.refusals.append(used)
        if len(self.tokens) > 1:
            self.tokens.pop(0)
            return True
        return False


def opened(server, **options):
    """Open the Api on a server, with short waits."""
    settings = {
        "authorization": Fresh(),
        "buckets": {"burst": Bucket(10_000, 1.0), "search": Bucket(10_000, 1.0)},
        "reads": READS,
        "longest_wait": 0.02,
        "timeout": (5.0, 0.5),
        "threads": 4,
    }
    return Api(server.url, **{**settings, **options})


def failure(server, **options):
    """Return the error of one GET."""
    with opened(server, **options) as api, pytest.raises(ApiError) as caught:
        api.get("/a/b")
    return caught.value


def test_get_and_post_return_the_parsed_reply():
    """The token, the query and the body go along; lists repeat the name."""
    with serving(Reply(body={"n": 1}), Reply(body=[2])) as server, opened(server) as api:
        assert api.get("/a/b/", {"limit": 5, "properties": ["x", "y"]}) == {"n": 1}
        assert api.post("/read/it", {"ids": [1]}, bucket="search") == [2]
        assert (api.calls, api.retried) == (2, 0)
    (_, path, headers, _), (method, _, _, body) = server.asked
    assert path == "/a/b/?limit=5&properties=x&properties=y"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert (method, json.loads(body)) == ("POST", {"ids": [1]})


BROKEN = [
    *(pytest.param(Reply(s, {"message": "m"}), id=str(s)) for s in (408, 423, 429, 477)),
    *(pytest.param(Reply(s, b"<h1>down</h1>"), id=str(s)) for s in (500, 502, 503, 504, 521, 530)),
    pytest.param(Reply(200, b"<html>maintenance</html>"), id="200 but HTML"),
    pytest.param(Reply(200, b""), id="200 but empty"),
    pytest.param(Reply(200, b"[" * 200_000), id="200 but nested without end"),
    pytest.param(Reply(breaks=True), id="body cut off"),
    pytest.param(
        Reply(body=b"ff\r\n{", headers={"Transfer-Encoding": "chunked"}, breaks=True),
        id="chunks cut off",
    ),
    pytest.param(Reply(body=b"no gzip", headers={"Content-Encoding": "gzip"}), id="bad gzip"),
    pytest.param(Reply(waits=0.8), id="no reply in time"),
]


@pytest.mark.parametrize("reply", BROKEN)
def test_what_may_pass_is_asked_again(reply):
    """Once more is enough here."""
    with serving(reply) as server, opened(server) as api:
        assert api.get("/a/b") == OK
        assert (api.calls, api.retried, len(server.asked)) == (2, 1, 2)


def test_gzip_is_read():
    """As every CRM sends it."""
    packed = Reply(body=gzip.compress(b'{"n": 1}'), headers={"Content-Encoding": "gzip"})
    with serving(packed) as server, opened(server) as api:
        assert api.get("/a/b") == {"n": 1}


def test_attempts_are_bounded_and_the_last_answer_is_told():
    """The message has the path, but never the query."""
    down = Reply(503, {"message": "down\x1b[2J for now"})
    with serving(*[down] * 3) as server, opened(server, attempts=3) as api:
        with pytest.raises(ApiError) as caught:
            api.get("/a/b", {"q": "private"})
        assert (api.calls, api.retried) == (3, 2)
    assert str(caught.value) == (
        "GET /a/b failed after 3 attempts (the last: 503: down [2J for now);"
        " try again later, or see the status page of the service"
    )
    assert caught.value.status == 503


def test_a_server_that_is_not_there_is_told_without_its_address():
    """The address could hold anything; the path is enough."""
    with serving() as server:
        pass
    error = failure(server, attempts=2)
    assert "no connection" in str(error)
    assert error.status is None


def response(status, headers=None, body=b""):
    """Make a reply as requests hands it over."""
    made = requests.Response()
    made.status_code, made._content, made.url = status, body, "https://x.example/a/b?q=1"
    made.request = requests.Request("GET", made.url).prepare()
    made.headers.update(headers or {})
    return made


DATE = {"Date": "Fri, 02 Jan 2026 03:04:05 GMT"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 0.5 "}, 0.5),
        ({"Retry-After": "Fri, 02 Jan 2026 03:05:05 GMT", **DATE}, 60.0),
        ({"Retry-After": "Fri, 02 Jan 2026 03:00:00 GMT", **DATE}, 0.0),
        ({"Retry-After": "Fri, 02 Jan 2026 03:05:05 GMT"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1" * 400}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_servers_clock(headers, seconds):
    """Our own clock has no say, and nonsense is no wish."""
    assert retry_after(response(429, headers)) == seconds


@pytest.mark.parametrize(
    ("status", "headers", "verdict"),
    [
        (423, {}, Again(2.0)),
        (423, {"Retry-After": "9"}, Again(9.0)),
        (429, {}, Again(None, "*")),
        (429, {"Retry-After": "3"}, Again(3.0, "*")),
        (477, {"Retry-After": "30"}, Again(30.0)),
        (503, {}, Again(None)),
    ],
)
def test_how_long_each_status_waits(status, headers, verdict):
    """A lock is left alone for two seconds; a 429 closes the bucket."""
    assert judge(response(status, headers)) == verdict


def test_a_429_closes_the_bucket_for_everybody():
    """The call itself and every other waits as long as the server asks."""
    bucket = Bucket(100, 1.0)
    busy = Reply(429, {"message": "slow"}, {"Retry-After": "1"})
    buckets = {"burst": bucket}
    with serving(busy) as server, opened(server, buckets=buckets, longest_wait=5.0) as api:
        assert api.get("/a/b") == OK
        assert bucket.waited > 0.9


def test_what_the_server_asks_for_is_capped():
    """An hour of Retry-After is not waited for here."""
    busy = Reply(503, {"message": "m"}, {"Retry-After": "3600"})
    with serving(busy) as server, opened(server) as api:
        began = time.monotonic()
        assert api.get("/a/b") == OK
        assert time.monotonic() - began < 5


def test_a_new_token_is_tried_once():
    """And the refused header is handed over, so that one thread of many gets the new one."""
    tokens = Fresh("old-old-old", "new-new-new")
    expired = Reply(401, {"message": "expired"})
    options = {"authorization": tokens, "attempts": 1}
    with serving(expired) as server, opened(server, **options) as api:
        assert api.get("/a/b") == OK
        assert (api.calls, api.retried) == (2, 1)
    assert tokens.refusals == ["Bearer old-old-old"]
    assert server.asked[1][2]["Authorization"] == "Bearer new-new-new"


@pytest.mark.parametrize("tokens", [["first-token"], ["first-token", "second-token", "third"]])
def test_a_refused_token_is_an_error(tokens):
    """However many tokens there are to be had, a call is sent twice at most."""
    with serving(*[Reply(401, {"message": "no"})] * 9) as server:
        error = failure(server, authorization=Fresh(*tokens))
    assert isinstance(error, CredentialsError)
    assert len(server.asked) == min(len(tokens), 2)
    assert str(error) == "GET /a/b was refused (401: no); check the token"


def test_one_new_token_per_call_is_all():
    """Also when something else goes wrong in between: no endless renewing."""
    replies = [Reply(status, {"message": "no"}) for status in (401, 503, 401, 401)]
    with serving(*replies) as server:
        error = failure(server, authorization=Fresh("first-token", "second-token", "third"))
    assert isinstance(error, CredentialsError)
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(400, {"message": "bad filter"}), "(400: bad filter); this is a fault of the req"),
        (Reply(403, [{"message": "not yours", "errorCode": "X"}]), "(403: not yours); check what"),
        (Reply(404, b"", reason="Not Here"), "(404: Not Here); check the address"),
        (Reply(400, {"error": "e", "error_description": "d"}), "(400: d)"),
        (Reply(400, {"message": 5}), "(400: Reason)"),
        (Reply(400, []), "(400: Reason)"),
        (Reply(414, b"<html><h1>414 Too\x00 Large</h1>\n</html>"), "(414: 414 Too Large); ask for"),
        (Reply(409, b"\xff\xfe\xe2\x80\xaebad"), "bad); check what was asked for"),
    ],
)
def test_other_refusals_say_the_servers_words(reply, words):
    """From JSON, from a page, from the status line; once, without asking again."""
    with serving(reply) as server:
        error = failure(server)
        assert len(server.asked) == 1
    assert words in str(error)
    assert error.status == reply.status
    assert str(error).isprintable()


def test_the_servers_words_are_cut():
    """A page of text is not a message."""
    assert len(said(response(400, body=b"word " * 10_000))) < 310


def test_redirects_are_not_followed():
    """The other host gets no request, and the message names it without user or path."""
    with serving() as other:
        port = other.server_port
        away = Reply(302, b"", {"Location": f"http://user:secret@127.0.0.1:{port}/a?b=c"})
        with serving(away) as server:
            error = failure(server)
    assert other.asked == []
    assert "redirected to 127.0.0.1; redirects are not followed" in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize("location", ["", "/elsewhere", "http://[broken", "//h\x7fost/"])
def test_any_location_can_be_told(location):
    """Whatever stands in the header."""
    verdict = judge(response(301, {"Location": location}))
    assert isinstance(verdict, Fail)
    assert "redirected to" in str(verdict.error)


@pytest.mark.parametrize(
    "path",
    ["/write/it", "/read/it/more", "/read/", "/read", "/x/read/it", "/read/it/", "/read/it\n"],
)
def test_a_post_that_does_not_read_is_never_sent(path):
    """The whole path must be on the list."""
    with serving() as server, opened(server) as api:
        with pytest.raises(ApiError):
            api.post(path, {})
        assert (server.asked, api.calls) == ([], 0)


@pytest.mark.parametrize(
    "path",
    [
        *("/read/../write", "/read/%2e%2e/write", "/read/./it", "//host/read", "/read//it", "read"),
        *(
            "/read/it?x=1",
            "/read/it#x",
            "/read\\it",
            "@host/read",
            "",
            "/",
            "/read/it\x00",
            "/r it",
        ),
    ],
)
def test_a_path_cannot_lead_elsewhere(path):
    """Not even a GET: requests would tidy such paths into others."""
    with serving() as server, opened(server, reads=re.compile(".*", re.DOTALL)) as api:
        for send in (api.get, lambda path: api.post(path, {})):
            with pytest.raises(ApiError, match="not made"):
                send(path)
        assert server.asked == []


@pytest.mark.parametrize(
    "address",
    [
        *("http://api.hubapi.com", "http://localhost:1", "http://127.0.0.1.evil.com", "ftp://x.y"),
        *("https://user:secret@x.y", "http://127.0.0.1@x.y", "http://127.0.0.1:80@x.y", "", "x.y"),
        *(
            "https://x.y?secret=1",
            "https://x.y#secret",
            "https://x.y/../z",
            "https://",
            "https://.y",
        ),
        *("https://x.y:0", "https://x.y:99999", "http://127.0.0.1\\@x.y", " https://x.y"),
        *("https://x.y\n", "http://127.1", "http://2130706433", "http://[::1]", "https://x y"),
    ],
)
def test_addresses_that_a_token_is_not_sent_to(address):
    """And the message repeats none of it."""
    with pytest.raises(ApiError, match="cannot be used") as caught:
        checked_address(address)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["https://api.hubapi.com", "https://x-1.my.y:8443/gate/v1", "http://127.0.0.1:8000"],
)
def test_addresses_that_are_fine(address):
    """With and without the slash at the end."""
    assert checked_address(address) == checked_address(address + "/") == address


def test_neither_netrc_nor_a_proxy_gets_in_the_way(tmp_path, monkeypatch):
    """A .netrc would replace the token; a proxy would carry a local call off this computer."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login user password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serving() as server, opened(server) as api:
        assert api.get("/a/b") == OK
        assert server.asked[0][2]["Authorization"] == f"Bearer {TOKEN}"
    session = new_session("https://x.example", 1)
    assert session.trust_env
    asked = requests.Request("GET", "https://x.example/a", auth=Header(Secret("Bearer mine")))
    assert session.prepare_request(asked).headers["Authorization"] == "Bearer mine"
    asked.auth = Header(Secret(""))
    assert "Authorization" not in session.prepare_request(asked).headers


def test_cookies_are_not_kept():
    """No state but the token goes from one call to the next."""
    with serving(Reply(headers={"Set-Cookie": "a=b"})) as server, opened(server) as api:
        api.get("/a/b")
        api.get("/a/b")
    assert "Cookie" not in server.asked[1][2]


def test_now_is_the_servers_time():
    """Also after an error; ours before the first reply and where the server has none."""
    replies = (Reply(), Reply(404, {}, DATE), Reply(headers={"Date": "x"}))
    with serving(*replies) as server, opened(server) as api:
        assert abs((datetime.now(UTC) - api.now()).total_seconds()) < 5
        api.get("/a/b")
        assert abs((datetime.now(UTC) - api.now()).total_seconds()) < 5
        with pytest.raises(ApiError):
            api.get("/a/b")
        api.get("/a/b")
        late = (api.now() - datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)).total_seconds()
        assert 0 <= late < 5


def test_every_reply_is_shown_and_may_change_the_limit():
    """The headers of a reply tell the true limits."""
    bucket, seen = Bucket(1, 30.0), []

    def look(reply):
        seen.append(reply.status_code)
        bucket.change(int(reply.headers["X-Max"]), 10.0)

    many = {"X-Max": "100"}
    replies = (Reply(503, {}, many), Reply(headers=many), Reply(headers=many))
    options = {"seen": look, "buckets": {"burst": bucket}}
    with serving(*replies) as server, opened(server, **options) as api:
        api.get("/a/b")
        api.get("/a/b")
    assert seen == [503, 200, 200]


def test_a_crm_may_judge_by_itself():
    """Its own errors come out as they are, and a bucket it names is closed."""

    def own(reply):
        if reply.status_code == 429:
            return Again(0.3, "search")
        if reply.status_code == 403:
            return Fail(ScopeError("no", object="deals", scopes=(f"needs {TOKEN}",)))
        return judge(reply)

    search = Bucket(100, 1.0)
    buckets = {"burst": Bucket(100, 1.0), "search": search}
    options = {"judge": own, "buckets": buckets, "longest_wait": 1.0}
    replies = (Reply(429, {}), Reply(), Reply(), Reply(403, {}))
    with serving(*replies) as server, opened(server, **options) as api:
        api.get("/a/b")
        api.get("/a/b", bucket="search")
        assert search.waited > 0.2
        with pytest.raises(ScopeError) as caught:
            api.get("/a/b")
    assert caught.value.object == "deals"
    assert caught.value.scopes == ("needs ***",)


def test_a_bucket_of_another_name_is_a_mistake():
    """It is found before anything is sent."""
    with serving() as server, opened(server) as api, pytest.raises(KeyError, match="serch"):
        api.get("/a/b", bucket="serch")


def test_map_works_ahead_in_order_and_no_further():
    """Four at a time, results in order, at most eight items taken before they are asked for."""
    taken, busy, most = [], 0, 0
    lock = threading.Lock()

    def items():
        for item in range(40):
            taken.append(item)
            yield item

    def work(item):
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.002 * (item % 5))
        with lock:
            busy -= 1
        return item * 10

    with serving() as server, opened(server) as api:
        results = api.map(work, items())
        assert next(results) == 0
        assert len(taken) <= 8
        assert list(results) == [item * 10 for item in range(1, 40)]
    assert most == 4


def test_map_raises_at_its_place():
    """The results before the error are not lost."""

    def work(item):
        if item == 3:
            raise DailyLimitError("used up")
        return item

    got = []
    with serving() as server, opened(server) as api, pytest.raises(DailyLimitError):
        got.extend(api.map(work, range(1000)))
    assert got == [0, 1, 2]


def test_after_an_error_the_rest_is_cancelled():
    """What waits for a thread by then never begins, though the Api stays open."""
    begun = []

    def work(item):
        begun.append(item)
        if item == 0:
            raise DailyLimitError("used up")
        time.sleep(0.1)

    with serving() as server, opened(server) as api:
        with pytest.raises(DailyLimitError):
            next(api.map(work, range(1000)))
        time.sleep(0.3)
        assert len(begun) <= 5


def test_an_error_of_the_items_comes_after_the_results():
    """A listing that breaks off keeps what it had given."""

    def items():
        yield 1
        yield 2
        raise DailyLimitError("used up")

    with serving() as server, opened(server) as api:
        results = api.map(str, items())
        assert [next(results), next(results)] == ["1", "2"]
        with pytest.raises(DailyLimitError):
            next(results)


def test_closing_ends_every_wait():
    """Ctrl-C does not wait for a pause to pass, and a closed Api says so."""
    bucket, errors = Bucket(1, 60.0), []

    def ask():
        try:
            api.get("/a/b")
        except ApiError as error:
            errors.append(str(error))

    with serving() as server:
        with opened(server, buckets={"burst": bucket}) as api:
            api.get("/a/b")
            waiting = threading.Thread(target=ask)
            waiting.start()
            time.sleep(0.05)
        waiting.join(5)
        ask()
    assert len(errors) == 2
    assert all("is closed" in error for error in errors)
    assert len(server.asked) == 1


def test_closing_ends_the_wait_between_attempts():
    """And the call is not sent again."""
    down = Reply(503, {}, {"Retry-After": "60"})
    with serving(*[down] * 6) as server:
        with opened(server, longest_wait=60.0) as api:
            result = api._pool.submit(api.get, "/a/b")
            time.sleep(0.1)
        with pytest.raises(ApiError, match="is closed"):
            result.result(5)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED url?q"), "is not trusted"),
        (requests.exceptions.InvalidURL("url?q"), "could not be sent (InvalidURL)"),
        (requests.exceptions.InvalidHeader("url?q"), "the token cannot be sent"),
    ],
)
def test_what_no_repeat_would_mend_is_given_up_at_once(problem, words):
    """In our words: theirs hold the address with its query, or the header."""
    verdict = unanswered("GET /a", problem)
    assert isinstance(verdict, Fail)
    assert words in str(verdict.error)
    assert "q" not in str(verdict.error).removeprefix("GET /a: the ").replace("request", "")


def shown(error, log):
    """Everything a person could get to see of an error."""
    chain = "".join(traceback.format_exception(error))
    context = [repr(error.__context__), repr(error.__cause__)]
    return "\n".join([str(error), repr(error), chain, *context, repr(vars(error)), log])


def pieces(text, size=6):
    """Every piece of a secret."""
    return {text[start : start + size].lower() for start in range(len(text) - size + 1)}


TELLTALES = [
    *(Reply(s, {"message": f"token {TOKEN} and {TOKEN[3:15]} {TOKEN.upper()}"})
      for s in (400, 401, 403, 404, 429, 503)),
    Reply(400, f"<b>{TOKEN}</b>".encode()),
    Reply(400, b"", reason=f"Bearer {TOKEN}"),
    Reply(302, b"", {"Location": f"https://{TOKEN}.example/?t={TOKEN}"}),
    Reply(302, b"", {"Location": f"https://x.example/{TOKEN}"}),
    Reply(200, TOKEN.encode()),
    Reply(400, {"message": "x" * 280 + TOKEN}),
    Reply(breaks=True),
    Reply(waits=0.8),
]  # fmt: skip


@pytest.fixture
def log(caplog, monkeypatch):
    """The log with the libraries below at their most talkative, whatever ran before silenced them."""
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "urllib3.connectionpool", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
        monkeypatch.setattr(logging.getLogger(name), "disabled", False)
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    return caplog


@pytest.mark.parametrize("reply", TELLTALES)
def test_no_piece_of_the_token_is_ever_shown(reply, log):
    """Not in errors, tracebacks, chained errors or the logs of any library at their most talkative."""
    with serving(*[reply] * 2) as server, opened(server, attempts=2) as api:
        with pytest.raises(ApiError) as caught:
            api.get("/a/b")
        text = shown(caught.value, log.text) + repr(api)
    text += str(pickle.loads(pickle.dumps(caught.value)))
    assert not {piece for piece in pieces(TOKEN) if piece in text.lower()}
    assert "DEBUG" in log.text


@pytest.mark.parametrize("token", [f"{TOKEN}\n{TOKEN}", f"{TOKEN}\r\nX: y", f"{TOKEN}\u4e2d"])
def test_a_token_that_cannot_be_sent_is_not_shown(token, caplog):
    """The libraries below put the whole header into their errors."""
    caplog.set_level(logging.DEBUG)
    with serving() as server:
        error = failure(server, authorization=Fresh(token))
    assert isinstance(error, CredentialsError)
    assert server.asked == []
    assert not {p for p in pieces(TOKEN) if p in shown(error, caplog.text).lower()}
