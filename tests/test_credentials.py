"""Where tokens come from, that they are never seen, and how they are renewed."""

import copy
import json
import logging
import os
import pickle
import stat
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from replies import Reply, serving

from connectors.credentials import Token, read, read_first, remember, usable
from connectors.errors import ApiError, CredentialsError
from connectors.kept import KeptToken, settings_folder
from connectors.oauth import OAuthToken
from connectors.secret import HIDDEN, Secret, plain, redacted

TOKEN = "pat-na1-3f9c1b7e-58d2-4c0a-9e6f-7ab1c2d3e4f5"
CHOICES = (("HUBSPOT_TOKEN",), ("HUBSPOT_CLIENT_ID", "HUBSPOT_CLIENT_SECRET"))


class Ring(dict):
    """A keyring in memory."""

    def get_password(self, service, name):
        return self.get((service, name))

    def set_password(self, service, name, value):
        self[service, name] = value


class Broken:
    """A keyring as a server without a desktop has it."""

    def get_password(self, *_names):
        raise RuntimeError(TOKEN)

    set_password = get_password


def ring(**values):
    """A keyring that holds values of ours."""
    return Ring({("reverse-funnel", name): value for name, value in values.items()})


def revealed(found):
    return {name: secret.reveal() for name, secret in found.items()}


def pieces(text, size=6):
    return {text[start : start + size].lower() for start in range(len(text) - size + 1)}


@pytest.mark.parametrize(
    ("environ", "kept", "found"),
    [
        pytest.param({"A": "env"}, {"A": "ring"}, "env", id="the environment goes first"),
        pytest.param({}, {"A": "ring"}, "ring", id="then the keyring"),
        pytest.param({"A": " "}, {"A": "ring"}, "ring", id="blank counts as missing"),
        pytest.param({"A": "\tenv\n"}, {}, "env", id="blanks around it are dropped"),
    ],
)
def test_the_environment_then_the_keyring(environ, kept, found):
    """The first that has it."""
    assert revealed(read(["A"], environ=environ, keyring=ring(**kept))) == {"A": found}


@pytest.mark.parametrize(
    ("environ", "kept", "names"),
    [
        ({"HUBSPOT_TOKEN": "t"}, {"HUBSPOT_CLIENT_ID": "i", "HUBSPOT_CLIENT_SECRET": "s"}, 0),
        ({"HUBSPOT_CLIENT_ID": "i", "HUBSPOT_CLIENT_SECRET": "s"}, {"HUBSPOT_TOKEN": "t"}, 1),
        ({"HUBSPOT_CLIENT_ID": "i"}, {"HUBSPOT_CLIENT_SECRET": "s"}, 1),
        ({"HUBSPOT_CLIENT_ID": "i"}, {"HUBSPOT_TOKEN": "t"}, 0),
    ],
)
def test_the_first_set_of_names_that_is_there_whole(environ, kept, names):
    """What the environment has whole is never hidden by the keyring."""
    assert tuple(read_first(CHOICES, environ=environ, keyring=ring(**kept))) == CHOICES[names]


def test_a_set_may_come_from_both():
    """Each name from the environment where it has it."""
    kept = ring(A="ring", B="ring")
    assert revealed(read(["A", "B"], environ={"A": "env"}, keyring=kept)) == {
        "A": "env",
        "B": "ring",
    }


def test_what_is_missing_is_named():
    """All of it, the set that is begun first, and why the keyring did not help."""
    with pytest.raises(CredentialsError) as caught:
        read_first(CHOICES, environ={"HUBSPOT_CLIENT_ID": TOKEN}, keyring=Broken())
    assert str(caught.value) == (
        "set HUBSPOT_CLIENT_SECRET, or HUBSPOT_TOKEN in the environment, or keep it in the"
        " keyring (which does not work here: RuntimeError)"
    )
    with pytest.raises(CredentialsError, match=r"set A and B in .*\(where it is not\)"):
        read(["A", "B"], environ={}, keyring=ring())


def test_the_keyring_of_this_computer_may_be_missing():
    """Whichever it is here: it does not hold this."""
    with pytest.raises(CredentialsError, match="set NOT_THERE_AT_ALL in the environment"):
        read(["NOT_THERE_AT_ALL"], "reverse-funnel-test", environ={})


def test_remember_keeps_in_the_keyring_or_says_why_not():
    """The reason holds no word of the keyring's, which could repeat the value."""
    kept = ring()
    assert remember("A", f" {TOKEN}\n", keyring=kept) == (True, "")
    assert revealed(read(["A"], environ={}, keyring=kept)) == {"A": TOKEN}
    assert remember("A", Secret("x"), keyring=Broken()) == (
        False,
        "the keyring does not work here: RuntimeError",
    )


ASK = """
import sys
from connectors.credentials import read
from connectors.errors import CredentialsError
class Empty:
    def get_password(self, service, name): return None
try:
    found = read(["SOME_TOKEN"], environ={}, keyring=Empty(), prompt=sys.argv[1] == "yes")
    print("found", len(found["SOME_TOKEN"].reveal()), found)
except CredentialsError as error:
    print(error)
"""


def test_without_a_terminal_nobody_is_asked():
    """The variable is named instead, though asking was allowed."""
    run = [sys.executable, "-c", ASK, "yes"]
    done = subprocess.run(run, input=f"{TOKEN}\n", capture_output=True, text=True, check=True)
    assert done.stdout.startswith("set SOME_TOKEN in the environment")
    assert done.stderr == ""


def heard(terminal, until=None):
    """Read a pseudo terminal up to some words, or to its end."""
    text = ""
    while until is None or until not in text:
        try:
            piece = os.read(terminal, 1024).decode()
        except OSError:  # Linux: the other end is closed
            piece = ""
        text += piece
        if not piece:
            break
    return text


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
@pytest.mark.parametrize(("allowed", "told"), [("yes", f"found {len(TOKEN)}"), ("no", "set SOME")])
def test_in_a_terminal_the_answer_is_not_echoed(allowed, told):
    """A real pseudo terminal, in a process of its own."""
    ours, theirs = os.openpty()
    run = [sys.executable, "-c", ASK, allowed]
    ends = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with subprocess.Popen(run, **ends, start_new_session=True):
        os.close(theirs)
        text = heard(ours, "SOME_TOKEN: ") if allowed == "yes" else ""
        if allowed == "yes":
            os.write(ours, f"{TOKEN}\n".encode())
        text += heard(ours)
    os.close(ours)
    assert told in text
    assert not {piece for piece in pieces(TOKEN) if piece in text}


@pytest.mark.parametrize(
    "token", ["", " \n", "tok b", "tok\nb", "tok\x00b", "tok\u200ben", "tok\u00f6n"]
)
def test_a_token_that_was_not_copied_whole_is_refused(token):
    """Without showing it."""
    with pytest.raises(CredentialsError, match="copy it once more") as caught:
        Token(token)
    assert "tok" not in str(caught.value).replace("the token", "")


def test_a_token_is_stripped_and_never_seen():
    """Its header is the only way to it."""
    token = Token(f"\n{TOKEN}\r\n")
    assert token.header() == f"Bearer {TOKEN}"
    assert token.refused(token.header()) is False
    assert repr(token) == str(token) == "Token(***)"


@pytest.mark.parametrize("show", ["{0}", "{0!s}", "{0!r}", "{0:>50}", "{0!r:>50}", "{1}"])
def test_a_secret_is_not_shown(show):
    """In whatever way it is printed."""
    shown = show.format(Secret(TOKEN), [Secret(TOKEN)])
    assert HIDDEN in shown
    assert not {piece for piece in pieces(TOKEN) if piece in shown}


TAKERS = [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars, hash]


@pytest.mark.parametrize("take", TAKERS, ids=["pickle", "copy", "deepcopy", "json", "vars", "hash"])
def test_a_secret_is_not_taken_along(take):
    """No copy, no file, no dictionary key."""
    with pytest.raises(TypeError) as caught:
        take(Secret(TOKEN))
    assert not {piece for piece in pieces(TOKEN) if piece in str(caught.value)}


def test_secrets_compare_with_secrets_only():
    """A comparison with a text is always false."""
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"


@given(st.text(min_size=6), st.text(), st.text(), st.data())
def test_no_piece_of_a_secret_is_left(secret, before, after, data):
    """Whole or in part, in any capitals, whatever stands around it."""
    start = data.draw(st.integers(0, len(secret) - 6))
    piece = secret[start : data.draw(st.integers(start + 6, len(secret)))]
    clean = redacted(before + piece + after, [Secret(secret)])
    assert "*" in secret or not [i for i in range(len(secret) - 5) if secret[i : i + 6] in clean]


@pytest.mark.parametrize(
    ("text", "secrets", "clean"),
    [
        ("id abc12 abc1", ["abc12"], "id *** abc1"),
        ("nothing", [""], "nothing"),
        ("nothing", [], "nothing"),
        ("abcdefgh 123456", ["abcdefgh", "123456"], "*** ***"),
        ("", ["abcdefgh"], ""),
    ],
)
def test_what_is_hidden(text, secrets, clean):
    """Short secrets as a whole; several; none."""
    assert redacted(text, [Secret(secret) for secret in secrets]) == clean


@given(st.text())
def test_foreign_text_comes_out_in_one_printable_line(text):
    """No control, no line end, no invisible or turning character."""
    assert plain(text).replace("\u3000", " ").isprintable()
    assert len(plain(text * 400)) <= 304


def app(server, **options):
    """An OAuth app on a server; its secrets are words of nobody's message."""
    secrets = {"client_secret": Secret("Q1w2e3r4t5"), "refresh_token": Secret("Z9y8x7w6v5")}
    return OAuthToken(f"{server.url}/oauth/v1/token", "app-1", **{**secrets, **options})


def given_token(name, **more):
    return Reply(body={"access_token": name, "expires_in": 1800, "token_type": "bearer", **more})


def test_a_token_is_renewed_a_minute_before_its_end():
    """On the clock, as a 401 is no sign of it."""
    clock = [0.0]
    with serving(given_token("one"), given_token("two")) as server:
        token = app(server, clock=lambda: clock[0])
        assert token.header() == "Bearer one"
        clock[0] = 1739.0
        assert token.header() == "Bearer one"
        clock[0] = 1740.0
        assert token.header() == "Bearer two"
    method, path, headers, body = server.asked[0]
    assert (method, path) == ("POST", "/oauth/v1/token")
    assert "Authorization" not in headers
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(body.decode()) == {
        "grant_type": ["refresh_token"],
        "client_id": ["app-1"],
        "client_secret": ["Q1w2e3r4t5"],
        "refresh_token": ["Z9y8x7w6v5"],
    }


@pytest.mark.parametrize(("lasts", "fresh"), [(20, 9.0), (None, 1e9), ("soon", 1e9)])
def test_a_short_life_is_halved_and_none_is_for_ever(lasts, fresh):
    """A token that lasts 20 s is not renewed on every call."""
    clock = [0.0]
    with serving(given_token("one", expires_in=lasts)) as server:
        token = app(server, clock=lambda: clock[0])
        token.header()
        clock[0] = fresh
        assert token.header() == "Bearer one"


def test_a_refused_token_is_renewed_once_for_all_threads():
    """Eight threads hear 401 for the same token; one asks."""
    with serving(given_token("one"), given_token("two")) as server:
        token = app(server)
        used = token.header()
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(token.refused, [used] * 8))
        assert token.header() == "Bearer two"
        assert len(server.asked) == 2


def test_the_first_token_is_asked_for_once():
    """By whichever thread comes first."""
    slow = given_token("one")
    slow.waits = 0.1
    with serving(slow) as server:
        token, headers = app(server), []
        threads = [
            threading.Thread(target=lambda: headers.append(token.header())) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert headers == ["Bearer one"] * 8
        assert len(server.asked) == 1


def test_a_new_refresh_token_is_kept_and_used():
    """Before its access token is; the same one again is no news."""
    kept = []
    again = {"refresh_token": "new-one"}
    with serving(*[given_token(n, **again) for n in ("one", "two", "three")]) as server:
        token = app(server, keep=kept.append)
        for _ in range(3):
            token.refused(token.header()) if kept else token.header()
        assert [secret.reveal() for secret in kept] == ["new-one"]
        sent = [parse_qs(body.decode())["refresh_token"] for *_, body in server.asked]
    assert sent == [["Z9y8x7w6v5"], ["new-one"], ["new-one"]]


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (Reply(400, {"message": "bad Z9y8x7w6v5 of Q1w2e3r4"}), CredentialsError, "bad *** of ***"),
        (Reply(401, {"error": "invalid_client"}), CredentialsError, "(401: invalid_client); check"),
        (Reply(302, b"", {"Location": "https://x.example"}), ApiError, "to x.example;"),
        (Reply(200, {"token": "x"}), CredentialsError, "sent no access_token"),
        (Reply(200, ["x"]), CredentialsError, "sent no access_token"),
        (Reply(200, {"access_token": "a b"}), CredentialsError, "copy it once more"),
    ],
)
def test_why_there_is_no_token(reply, kind, words, caplog):
    """In the server's words, without the secrets they may repeat."""
    caplog.set_level(logging.DEBUG)
    with serving(reply) as server:
        token = app(server)
        with pytest.raises(ApiError) as caught:
            token.header()
    assert type(caught.value) is kind
    assert words in str(caught.value)
    text = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(token)
    text += repr(caught.value.__context__) + repr(vars(caught.value))
    hidden = pieces("Z9y8x7w6v5") | pieces("Q1w2e3r4t5")
    assert not {piece for piece in hidden if piece in text.lower()}


def test_a_token_endpoint_that_is_busy_is_asked_again():
    """As any other call."""
    busy = Reply(429, {"message": "slow"}, {"Retry-After": "0"})
    with serving(busy, given_token("one")) as server:
        assert app(server).header() == "Bearer one"


def test_secrets_go_to_safe_addresses_only():
    """The rule of all calls."""
    with pytest.raises(ApiError, match="cannot be used"):
        OAuthToken("http://api.hubapi.com/oauth/v1/token", "a", Secret("b"), Secret("c"))


def kept_token(tmp_path, given="first", **options):
    """The kept token of a user whose settings lie in a folder of the test."""
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "APPDATA": str(tmp_path)}
    return KeptToken("HUBSPOT_REFRESH_TOKEN", Secret(given), environ=environ, **options)


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_renewed_token_survives_a_restart_in_the_keyring(tmp_path):
    """And no file is written."""
    memory = Ring()
    first = kept_token(tmp_path, keyring=memory)
    assert first.newest() == Secret("first")
    first.keep(Secret("second"))
    first.keep(Secret("third"))
    assert kept_token(tmp_path, keyring=memory).newest() == Secret("third")
    assert files(tmp_path) == []
    assert "first" not in str(memory)


@pytest.mark.skipif(sys.platform == "darwin", reason="the folder is fixed there")
def test_without_a_keyring_it_survives_in_a_file(tmp_path):
    """For the user's eyes only; told once, without the token."""
    told = []
    first = kept_token(tmp_path, keyring=Broken(), tell=told.append)
    first.keep(Secret("second"))
    first.keep(Secret("third"))
    assert kept_token(tmp_path, keyring=Broken()).newest() == Secret("third")
    (file,) = files(tmp_path)
    assert [str(file) in sentence for sentence in told] == [True]
    assert "third" not in told[0]
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_another_token_from_the_user_goes_before_the_kept_one(tmp_path):
    """What was kept descends from the one before."""
    memory = Ring()
    kept_token(tmp_path, keyring=memory).keep(Secret("second"))
    assert kept_token(tmp_path, given="other", keyring=memory).newest() == Secret("other")


@pytest.mark.skipif(sys.platform == "darwin", reason="the folder is fixed there")
def test_a_keyring_that_works_again_replaces_the_file(tmp_path):
    """The newest is always found, and the file does not stay."""
    memory = Ring()
    kept_token(tmp_path, keyring=memory).keep(Secret("second"))
    kept_token(tmp_path, keyring=Broken()).keep(Secret("third"))
    again = kept_token(tmp_path, keyring=memory)
    assert again.newest() == Secret("third")
    again.keep(Secret("fourth"))
    assert files(tmp_path) == []
    assert kept_token(tmp_path, keyring=memory).newest() == Secret("fourth")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"ancestor": 1}', '{"token": "x"}', "\udcff"]
)
def test_nonsense_that_was_kept_is_as_nothing(tmp_path, text):
    """Somebody else's, or half of ours."""
    memory = Ring({("reverse-funnel", "HUBSPOT_REFRESH_TOKEN_RENEWED"): text})
    assert kept_token(tmp_path, keyring=memory).newest() == Secret("first")


@pytest.mark.skipif(sys.platform == "darwin", reason="the folder is fixed there")
def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    """The token works all the same; the next run may need another."""
    (tmp_path / "reverse-funnel").write_text("a file, not a folder")
    told = []
    kept = kept_token(tmp_path, keyring=Broken(), tell=told.append)
    kept.keep(Secret("second"))
    assert "could not be kept" in told[0]
    assert kept.newest() == Secret("first")


def test_oauth_and_the_kept_token_together(tmp_path):
    """A second run goes on with the refresh token that the first one was handed."""
    memory = Ring()
    with serving(given_token("one", refresh_token="R2"), given_token("two")) as server:
        for access in ("one", "two"):
            kept = kept_token(tmp_path, given="R1", keyring=memory)
            token = app(server, refresh_token=kept.newest(), keep=kept.keep)
            assert token.header() == f"Bearer {access}"
        sent = [parse_qs(body.decode())["refresh_token"] for *_, body in server.asked]
    assert sent == [["R1"], ["R2"]]


def test_settings_lie_in_the_users_folder():
    """In the home folder where nothing else is said."""
    assert settings_folder({}).name == "reverse-funnel"
    assert settings_folder({}).is_absolute()


def test_usable_takes_secrets_too():
    """As they come out of `read`."""
    assert usable("it", Secret(" x ")) == Secret("x")
