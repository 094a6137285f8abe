"""The connect board through its traits: sources, stores, what is shown, and errors in their place."""

import re
from pathlib import Path

import pytest

import connectors
from connectors.errors import CredentialsError
from connectors.sandbox import hubspot, salesforce
from kpi import TableError
from workbench import sandboxes
from workbench.boards import ConnectBoard, connect

SANDBOXES = ["sandbox hubspot", "sandbox salesforce"]
NOW = "2026-11-01T09:30:00Z"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Sandboxes of 30 deals, of this test alone; no login in the environment, nobody to ask."""
    monkeypatch.setattr("connectors.salesforce.jobs.FIRST_WAIT", 0.01)
    monkeypatch.setattr("getpass.getpass", lambda *_: pytest.fail("it asked"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name in ("HUBSPOT_TOKEN", "SALESFORCE_ACCESS_TOKEN", "SALESFORCE_INSTANCE_URL"):
        monkeypatch.delenv(name, raising=False)
    made = {
        "hubspot": hubspot.serve(hubspot.Account.generate(deals=30, seed=3, now=NOW)),
        "salesforce": salesforce.serve(salesforce.Org.generate(30, 3, now=NOW)),
    }
    tokens = {"hubspot": hubspot.TOKEN, "salesforce": salesforce.TOKEN}
    monkeypatch.setattr(
        sandboxes, "start", lambda crm: sandboxes.Sandbox(made[crm], tokens[crm], {})
    )
    monkeypatch.setattr(connect, "_started", {})
    yield made
    for server in made.values():
        server.stop()


def shown(board):
    """What the board says, without its tags."""
    return re.sub(r"<[^>]*>", " ", board.view.children[-1].value)


def test_four_sources_can_be_chosen():
    """Short words that fit beside their label, the first of them for ``sandbox`` alone."""
    board = ConnectBoard()
    labels = [label for label, _ in board.source.options]
    assert [name for _, name in board.source.options] == [*SANDBOXES, "hubspot", "salesforce"]
    assert board.source.value == SANDBOXES[0]
    width = int(board.source.layout.width.removesuffix("px"))
    beside = int(board.source.style.description_width.removesuffix("px"))
    assert max(map(len, labels)) * 9 + 40 < width - beside
    with pytest.raises(TableError, match="source = 'pipes'; expected one of"):
        ConnectBoard("pipes")


@pytest.mark.parametrize("source", SANDBOXES)
def test_check_sync_and_sync_again(source, tmp_path):
    """Everything at first, then nothing, and the board shows what came of it each time."""
    board = ConnectBoard(source, store=tmp_path / "s")
    crm = connectors.hubspot if source.endswith("hubspot") else connectors.salesforce
    found = board.check()
    assert isinstance(found, crm.Check)
    assert found.usable
    assert found.counts.empty
    assert found.crm in shown(board)
    report = board.sync()
    assert report.complete
    deals = int(report.counts.set_index("table")["rows"]["deals"])
    assert 20 < deals <= 30
    assert re.search(rf"deals +{deals} ", shown(board))
    assert board.sync().counts["new"].sum() == 0
    assert board.check().agrees
    assert f"The store agrees with {found.crm}." in shown(board)
    assert board.problem == ""
    assert len(connectors.Store(tmp_path / "s").frames()["deals"]) == deals
    assert str(board.open().as_of) == "2026-11-01"


@pytest.mark.parametrize("source", SANDBOXES)
def test_a_sandbox_uses_its_own_fields(source, tmp_path):
    """Segment, region, product, channel: what a company adds itself."""
    board = ConnectBoard(source, store=tmp_path / "s")
    board.sync()
    crm = source.split()[1]
    settings = getattr(connectors, crm).Settings.read(tmp_path / "s")
    assert settings.fields == sandboxes.FIELDS[crm]
    frames = connectors.Store(tmp_path / "s").frames()
    assert frames["deals"]["segment"].notna().any()
    assert frames["leads"]["channel"].notna().any()
    assert len(frames["subscriptions"])


def test_fields_of_your_own(tmp_path):
    """In place of those of the sandbox."""
    fields = {"deals": {"segment": "Sales_Region__c"}}
    ConnectBoard("sandbox salesforce", store=tmp_path / "s", fields=fields).sync()
    deals = connectors.Store(tmp_path / "s").frames()["deals"]
    assert deals["segment"].notna().any()
    assert deals["region"].isna().all()


def test_another_source_has_another_folder():
    """No CRM is synced into the store of another; coming back finds the first store again."""
    board = ConnectBoard()
    first = board.store.value
    board.source.value = "hubspot"
    assert board.store.value == str(Path("out") / "hubspot")
    board.source.value = "salesforce"
    assert board.store.value == str(Path("out") / "salesforce")
    board.source.value = "sandbox salesforce"
    assert board.store.value not in (first, "")
    board.source.value = "sandbox hubspot"
    assert board.store.value == first


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "given"])
def test_a_folder_of_the_users_stays(typed, tmp_path):
    """Whoever named a folder means it."""
    folder = str(tmp_path / "mine")
    board = ConnectBoard(store=None if typed else folder)
    if typed:
        board.store.value = folder
    for source in ("salesforce", "hubspot", "sandbox salesforce"):
        board.source.value = source
        assert board.store.value == folder


@pytest.mark.parametrize(
    ("source", "variable"),
    [("hubspot", "HUBSPOT_TOKEN"), ("salesforce", "SALESFORCE_INSTANCE_URL")],
)
@pytest.mark.parametrize("button", ["check_button", "sync_button"])
def test_without_a_token_the_board_says_so(source, variable, button, tmp_path):
    """A button asks nothing: it names the variable, and says where to be asked."""
    board = ConnectBoard(source, store=tmp_path / "s")
    getattr(board, button).click()
    assert f"set {variable}" in board.problem
    assert "or call check() or sync() from a cell" in shown(board)
    assert not getattr(board, button).disabled
    assert not (tmp_path / "s").exists()


def test_an_error_is_shown_in_its_place(small, tmp_path):
    """Raised to the cell, shown on the board, and gone with the next step that works."""
    board = ConnectBoard("sandbox salesforce", store=tmp_path / "s")
    small["salesforce"].faults.switch("permanent_401")
    for step in (board.check, board.sync):
        with pytest.raises(CredentialsError, match="401"):
            step()
        assert "401" in board.problem
        assert "rf-problem" in board.view.children[-1].value
    small["salesforce"].faults.switch("permanent_401", on=False)
    board.check()
    assert board.problem == ""
    assert "rf-problem" not in board.view.children[-1].value


def test_an_object_refused_is_named_on_the_board(small, tmp_path):
    """What is not there, and why, beside what is."""
    small["salesforce"].faults.switch("no_Event")
    board = ConnectBoard("sandbox salesforce", store=tmp_path / "s")
    assert not board.sync().complete
    assert "not read: Event" in shown(board)


def test_text_of_the_board_where_no_widget_is_drawn():
    """The source in words."""
    bundle = ConnectBoard("sandbox salesforce")._repr_mimebundle_()
    assert bundle["text/plain"] == "source: Sandbox (a made-up Salesforce org)"


@pytest.mark.parametrize("source", SANDBOXES)
def test_2_connect_and_reconcile(source, small, tmp_path):
    """First-hour story 2: all of it comes, the totals agree, nothing is written, no token shows."""
    crm = source.split()[1]
    board = ConnectBoard(source, store=tmp_path / "s")
    board.sync()
    assert board.sentence.startswith("The store holds ")
    assert board.check().agrees
    sent = {(method, path) for method, path, _ in small[crm].calls}
    reading = ("search", "batch/read", "jobs/query", "oauth2/token")
    assert all(
        m == "GET" or any(part in path for part in reading) for m, path in sent if m != "DELETE"
    )
    assert {path for m, path in sent if m == "DELETE"} <= {p for _, p in sent if "jobs/query" in p}
    token = {"hubspot": hubspot.TOKEN, "salesforce": salesforce.TOKEN}[crm]
    kept = b"".join(p.read_bytes() for p in (tmp_path / "s").rglob("*") if p.is_file())
    assert token[:12].encode() not in kept
    assert token[:12] not in board.view.children[-1].value + repr(board) + board.sentence


def test_of_a_snapshot_it_says_what_it_holds():
    board = ConnectBoard(connectors.open(Path(__file__).parents[2] / "data" / "samples"))
    assert board.sentence == "samples holds 406 deals and 1,995 leads as of 2026-11-01."
    assert board.sentence in shown(board)
    assert ConnectBoard().sentence.endswith("nothing read yet.")
