"""`sync`, `check` and `sandbox` of both CRMs: what is printed, where, and with which exit code."""

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

import connectors
from connectors.sandbox import salesforce
from connectors.sandbox.hubspot import TOKEN, Account, serve
from workbench import cli

COMMAND = [sys.executable, "-m", "workbench"]
ROOT = Path(__file__).parents[2]
VARIABLES = [f"HUBSPOT_{name}" for name in ("CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN")]
VARIABLES += [
    f"SALESFORCE_{name}"
    for name in ("CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN", "USERNAME", "PRIVATE_KEY_FILE")
]


@pytest.fixture
def server():
    """A small account, served."""
    account = Account.generate(deals=20, seed=3, now="2026-11-01T09:30:00Z")
    with serve(account) as running:
        yield running


@pytest.fixture
def org(environ):
    """A small org, served and named in the environment."""
    environ.setattr("connectors.salesforce.jobs.FIRST_WAIT", 0.01)
    made = salesforce.Org.generate(opportunities=20, seed=3, now="2026-11-01T09:30:00Z")
    with salesforce.serve(made) as running:
        environ.setenv("SALESFORCE_INSTANCE_URL", running.url)
        environ.setenv("SALESFORCE_ACCESS_TOKEN", salesforce.TOKEN)
        yield running


@pytest.fixture
def environ(monkeypatch, server):
    """Nothing but the address and the token of that account."""
    for name in (*VARIABLES, "SALESFORCE_INSTANCE_URL", "SALESFORCE_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HUBSPOT_URL", server.url)
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    return monkeypatch


@pytest.fixture
def run(environ, monkeypatch, capfd):
    """Run the command in this process, its own error handling included."""

    def command(*words):
        monkeypatch.setattr(sys, "argv", ["reverse-funnel", *map(str, words)])
        monkeypatch.setattr("workbench.crm.atexit.register", lambda _quiet: None)
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capfd.readouterr()
        return code, out, err

    return command


def test_a_first_sync_and_one_after_it(run, server, tmp_path):
    """The summary says what happened and what to do next; errors stay empty."""
    code, out, err = run("sync", "hubspot", "--store", tmp_path / "s", "--lag", 0)
    assert (code, err) == (0, "")
    assert out.startswith("HubSpot, sync 1, as of 2026-11-01: complete\n")
    assert re.search(r"\ndeals +20 +20\b", out)
    assert re.search(r"\d+ calls to HubSpot in \d+\.\d s; 649,\d{3} of 650,000 left today\n", out)
    assert out.endswith(f"Next: reverse-funnel demo --data {tmp_path / 's'}\n")
    assert "removed" not in out
    assert "removed" not in run("sync", "hubspot", "--store", tmp_path / "s")[1]
    deal = next(iter(server.account.shelves["deals"].records())).id
    server.account.archive("deals", deal)
    server.account.advance(100)
    out = run("sync", "hubspot", "--store", tmp_path / "s")[1]
    assert "Removed deals: 1 archived there" in out
    assert run("check", "hubspot", "--store", tmp_path / "s")[0] == 0


def test_every_line_of_a_table_is_aligned(run, tmp_path):
    """Numbers end in the same column, and no column holds only zeros."""
    out = run("sync", "hubspot", "--store", tmp_path / "s")[1]
    table = out.split("\n\n")[1].splitlines()
    ends = [re.search(r"in the store", table[0]).end()]
    ends += [re.match(r"\w+ +[\d,–]+", line).end() for line in table[1:]]
    assert len(set(ends)) == 1
    assert "changed" not in table[0]


def test_json_is_one_last_line(run, tmp_path):
    """Rows per table, calls, seconds, rejected; tables without changes are there too."""
    for _ in range(2):
        code, out, err = run("sync", "hubspot", "--store", tmp_path / "s", "--json")
        told = json.loads(out)
        assert (code, err, out.count("\n")) == (0, "", 1)
        frames = connectors.Store(tmp_path / "s").frames()
        assert told["rows"] == {name: len(frames[name]) for name in told["rows"]}
        assert {"deals", "history", "leads", "stages"} <= told["rows"].keys()
        assert told["complete"] is True
        assert {"calls", "seconds", "rejected"} <= told.keys()


def test_nothing_follows_the_json_line_in_a_process(environ, tmp_path):
    """Both streams in one pipe, without a terminal: the last byte belongs to the line of JSON."""
    command = [*COMMAND, "sync", "hubspot", "--store", str(tmp_path / "s"), "--json"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0
    assert done.stdout.count(b"\n") == 1, "no bar, no warning, no leak"
    assert json.loads(done.stdout)["rows"]["deals"] == 20


def test_a_terminal_shows_bars_with_counts(environ, tmp_path):
    """Counts and time left on the terminal; the summary comes after them."""
    ours, theirs = pty.openpty()
    command = [*COMMAND, "sync", "hubspot", "--store", str(tmp_path / "s")]
    with subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # Linux says so when the other side is closed
                break
            if not piece:
                break
            shown += piece
    os.close(ours)
    text = shown.decode()
    assert running.returncode == 0
    assert re.search(r"deals +100% .*20 of 20 \[\d\d:\d\d, \d\d:\d\d left\]", text)
    assert text.rindex("left]") < text.index("HubSpot, sync 1")


MISSING = {
    "hubspot": "set HUBSPOT_TOKEN, or HUBSPOT_CLIENT_ID and",
    "salesforce": "set SALESFORCE_INSTANCE_URL and SALESFORCE_CLIENT_ID and",
}


@pytest.mark.parametrize("source", MISSING)
@pytest.mark.parametrize("command", [("sync", "--store", "s"), ("check",)], ids=["sync", "check"])
def test_without_a_terminal_the_missing_variable_is_named(run, environ, source, command, tmp_path):
    """Nothing is asked for."""
    environ.chdir(tmp_path)
    environ.delenv("HUBSPOT_TOKEN")
    words = (command[0], source, *command[1:])
    environ.setattr("getpass.getpass", lambda *_: pytest.fail("it asked"))
    environ.setattr("sys.stdin", io.StringIO())
    code, out, err = run(*words)
    assert (code, out) == (1, "")
    assert MISSING[source] in err
    assert not (tmp_path / "s").exists()


def test_the_calls_of_the_day_stop_it_and_it_goes_on_later(run, server, tmp_path):
    """Exit code 3, when it begins anew, and the end of it on another day."""
    server.faults.daily_calls = 30
    server.faults.switch("daily", on=True)
    code, out, err = run("sync", "hubspot", "--store", tmp_path / "s", "--json")
    told = json.loads(out)
    assert (code, told["complete"], told["stopped"]) == (3, False, True)
    assert told["resets_at"].startswith("2026-11-02T00:00")
    assert "they begin anew at 2026-11-02 00:00" in err
    assert {"rows", "calls", "seconds", "rejected"} <= told.keys()
    server.faults.switch("daily", on=False)
    server.limits.reset_day()
    code, out, _ = run("sync", "hubspot", "--store", tmp_path / "s", "--json")
    assert (code, json.loads(out)["rows"]["deals"]) == (0, 20)


def test_an_object_refused_leaves_the_rest(run, server, tmp_path):
    """Exit code 1; the scope is named; all else is in the store."""
    server.faults.switch("no_scope_meetings", on=True)
    code, out, err = run("sync", "hubspot", "--store", tmp_path / "s", "--json")
    told = json.loads(out)
    assert (code, told["complete"], list(told["refused"])) == (1, False, ["meetings"])
    assert "crm.objects.contacts.read" in err
    assert len(connectors.Store(tmp_path / "s").frames()["deals"]) == 20
    code, out, _ = run("sync", "hubspot", "--store", tmp_path / "s")
    assert code == 1
    assert "not read: meetings" in out.splitlines()[0]
    assert "Next: grant what is missing" in out


WRONG = [
    pytest.param("pipes", [], r"no source 'pipes'; expected .*hubspot.*salesforce", id="source"),
    pytest.param(
        "hubspot", ["--since", "yesterday"], "--since 'yesterday'.*2026-11-01", id="since"
    ),
    pytest.param("hubspot", ["--field", "segment=x"], "expected like deals.segment", id="form"),
    pytest.param("hubspot", ["--field", "deals.segmnt=x"], "did you mean 'segment'", id="column"),
    pytest.param("hubspot", ["--field", "deals.segment=nope"], "no such property", id="property"),
    pytest.param("hubspot", ["--lag", "-3"], "lag_seconds = -3; expected", id="lag"),
    pytest.param(
        "salesforce", ["--field", "deals.segment=No__c"], "the org has no such field", id="field"
    ),
]


@pytest.mark.parametrize("json_too", [False, True], ids=["text", "json"])
@pytest.mark.parametrize(("source", "options", "words"), WRONG)
def test_a_wrong_option_is_one_sentence(run, org, tmp_path, source, options, words, json_too):
    """What, where, what to do; exit code 1, no traceback, no store."""
    more = ["--json"] if json_too else []
    code, out, err = run("sync", source, "--store", tmp_path / "s", *options, *more)
    assert code == 1
    assert re.fullmatch(f"reverse-funnel: .*{words}.*\n", err)
    assert json.loads(out)["complete"] is False if json_too else out == ""
    assert not connectors.Store.exists(tmp_path / "s")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HUBSPOT_TOKEN", "pat-na1-other-one", "401.*check the token"),
        ("HUBSPOT_TOKEN", "two words", "copy it once more"),
        ("HUBSPOT_URL", "http://api.example.com", "give https://"),
        ("HUBSPOT_URL", "api.hubapi.com", "give https://"),
    ],
)
def test_a_wrong_account_is_one_sentence(run, environ, tmp_path, name, value, words):
    """The same for `sync` and `check`."""
    environ.setenv(name, value)
    for command in (["sync", "hubspot", "--store", tmp_path / "s"], ["check", "hubspot"]):
        code, out, err = run(*command)
        assert (code, out) == (1, "")
        assert re.fullmatch(f"reverse-funnel: .*{words}.*\n", err)


def test_a_store_that_is_a_file(run, tmp_path):
    """Told, for both commands."""
    (tmp_path / "s").write_text("", encoding="utf-8")
    for command in ("sync", "check"):
        code, _, err = run(command, "hubspot", "--store", tmp_path / "s")
        assert code == 1
        assert "is a file; a store is a folder" in err


def test_stopping_it_keeps_what_was_fetched(run, environ, tmp_path):
    """Ctrl-C: a sentence, exit code 1, and the next run goes on."""

    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    with environ.context() as patch:
        patch.setattr("connectors.sync", interrupted)
        code, out, err = run("sync", "hubspot", "--store", tmp_path / "s")
    assert (code, out) == (1, "")
    assert "stopped by you" in err


def test_check_says_what_to_do(run, server, tmp_path):
    """No store yet; then a difference, by id, with exit code 1."""
    code, out, _ = run("check", "hubspot", "--store", tmp_path / "s")
    assert code == 0
    assert f"sync hubspot --store {tmp_path / 's'}" in out
    run("sync", "hubspot", "--store", tmp_path / "s")
    deal = server.account.create_deals(1, 5)[0]
    code, out, _ = run("check", "hubspot", "--store", tmp_path / "s")
    assert code == 1
    assert re.search(rf"deals +{deal} +\(record\) +there +missing", out)


def test_salesforce_from_first_sync_to_the_next(run, org, tmp_path):
    """The same words: no store yet, a sync, an agreement, a change, a difference, a sync."""
    store = tmp_path / "s"
    code, out, err = run("check", "salesforce", "--store", store)
    assert (code, err) == (0, "")
    assert out.startswith("Salesforce org Sandbox Company\n")
    assert f"sync salesforce --store {store}" in out
    field = "deals.segment=Market_Segment__c"
    code, out, err = run("sync", "salesforce", "--store", store, "--lag", 0, "--field", field)
    assert (code, err) == (0, "")
    assert out.startswith("Salesforce, sync 1, as of 2026-11-01: complete\n")
    many = len(org.org.truth()["deals"])
    assert re.search(rf"\ndeals +{many} +{many}\b", out)
    assert re.search(r"\d+ calls to Salesforce in \d+\.\d s; 99,\d{3} of 100,000 left today\n", out)
    assert out.endswith(f"Next: reverse-funnel demo --data {store}\n")
    assert connectors.Store(store).frames()["deals"]["segment"].notna().any()
    code, out, _ = run("check", "salesforce", "--store", store)
    assert (code, "The store agrees with Salesforce." in out) == (0, True)
    deal = org.org.create("Opportunity", {"Name": "New", "Amount": 5.0})
    code, out, _ = run("check", "salesforce", "--store", store)
    assert code == 1
    assert re.search(rf"deals +{deal} +\(record\) +there +missing", out)
    org.org.advance(600)
    code, out, _ = run("sync", "salesforce", "--store", store, "--json")
    assert (code, out.count("\n"), json.loads(out)["rows"]["deals"]) == (0, 1, many + 1)


def test_salesforce_calls_of_the_day(run, org, tmp_path):
    """Exit code 3, progress kept, and the end of it later."""
    org.faults.daily_calls = 25
    org.faults.switch("request_limit")
    code, out, err = run("sync", "salesforce", "--store", tmp_path / "s", "--json")
    told = json.loads(out)
    assert (code, told["complete"], told["stopped"], told["resets_at"]) == (3, False, True, None)
    assert "run the same command later, and it goes on from here" in err
    org.faults.switch("request_limit", on=False)
    code, out, _ = run("sync", "salesforce", "--store", tmp_path / "s", "--json")
    assert (code, json.loads(out)["rows"]["deals"]) == (0, len(org.org.truth()["deals"]))


def test_salesforce_refusing_an_object(run, org, tmp_path):
    """Exit code 1; the object is named; all else is in the store."""
    org.faults.switch("no_Event")
    code, out, err = run("sync", "salesforce", "--store", tmp_path / "s", "--json")
    told = json.loads(out)
    assert (code, told["complete"], list(told["refused"])) == (1, False, ["Event"])
    assert "not read: Event" in err
    many = len(org.org.truth()["deals"])
    assert len(connectors.Store(tmp_path / "s").frames()["deals"]) == many


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SALESFORCE_ACCESS_TOKEN", "00D-other", "401.*copy a new one"),
        ("SALESFORCE_INSTANCE_URL", "http://acme.my.salesforce.com", "give https://"),
    ],
)
def test_a_wrong_org_is_one_sentence(run, org, environ, tmp_path, name, value, words):
    """The same for `sync` and `check`."""
    environ.setenv(name, value)
    for command in (["sync", "salesforce", "--store", tmp_path / "s"], ["check", "salesforce"]):
        code, out, err = run(*command)
        assert (code, out) == (1, "")
        assert re.fullmatch(f"reverse-funnel: .*{words}.*\n", err)


@pytest.mark.parametrize("command", ["sync", "check", "sandbox"])
def test_help_names_both(run, command):
    """Whoever reads the help finds either CRM."""
    code, out, _ = run(command, "--help")
    assert code == 0
    assert "hubspot" in out
    assert "salesforce" in out


def test_a_sandbox_that_cannot_start_is_one_sentence(run, server):
    """A port in use, a source that is none."""
    code, out, err = run("sandbox", "hubspot", "--port", server.url.rpartition(":")[2])
    assert (code, out) == (1, "")
    assert "give another one with --port" in err
    assert "expected one of ['hubspot', 'salesforce']" in run("sandbox", "pipes")[2]


EXPORTS = {
    "hubspot": r"HUBSPOT_URL=http://127\.0\.0\.1:\d+ HUBSPOT_TOKEN=pat-na1-local",
    "salesforce": r"SALESFORCE_INSTANCE_URL=http://127\.0\.0\.1:\d+ SALESFORCE_ACCESS_TOKEN=local-token",
}


@pytest.mark.parametrize("source", EXPORTS)
def test_the_sandbox_says_how_to_use_it(run, monkeypatch, source):
    """The address and the lines to copy; Ctrl-C is its end."""

    class Interrupted:
        def wait(self):
            raise KeyboardInterrupt

    monkeypatch.setattr("workbench.crm.Event", Interrupted)
    code, out, err = run("sandbox", source, "--port", 0)
    assert (code, err) == (0, "")
    assert re.search(rf"\n  export {EXPORTS[source]}", out)
    assert f"\n  reverse-funnel check {source}\n" in out
    assert out.endswith("Ctrl-C ends it.\n\nEnded.\n")
