"""The whole pack: five files of the same numbers, all or none, and nothing private in them."""

import json
import sys
from datetime import date

import pytest

import connectors
from kpi.planning import FunnelModel, Plan, reverse_funnel
from workbench import cli
from workbench.report.notebook import SAMPLES
from workbench.report.pack import make
from workbench.report.pack.check import names_in
from workbench.report.pack.make import FILES, PLAN, make_pack
from workbench.report.pack.remade import PackError
from workbench.report.privacy import PrivateContentError

ALL = {*FILES, PLAN}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "crm"
    connectors.keep(SAMPLES, folder)
    return folder


@pytest.fixture(scope="module")
def snapshot(store):
    return connectors.open(store)


@pytest.fixture(scope="module")
def frozen(snapshot, tmp_path_factory):
    plan = reverse_funnel(FunnelModel.fit(snapshot), new_mrr=60_000, by="2027-05-31")
    return plan.freeze(tmp_path_factory.mktemp("plans") / "h1.toml")


@pytest.fixture
def run(monkeypatch, capfd):
    def command(*words):
        monkeypatch.setattr(sys, "argv", ["reverse-funnel", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capfd.readouterr()
        return code, out, err

    return command


def test_the_command_writes_the_pack_and_says_so(run, frozen, store, tmp_path):
    out = tmp_path / "pack"
    code, said, told = run("report", "--plan", frozen, "--store", store, "--out", out)
    assert code == 0, told
    assert {path.name for path in out.iterdir()} == ALL
    plan = Plan.load(frozen)
    assert f"Create {plan.to_create:,} leads" in said
    assert all(name in said for name in ALL)


def test_json_says_what_was_written(run, frozen, store, tmp_path):
    out = tmp_path / "pack"
    code, said, told = run("report", "--plan", frozen, "--store", store, "--out", out, "--json")
    assert (code, told) == (0, "")
    found, plan = json.loads(said), Plan.load(frozen)
    assert found["files"] == {path.name: path.stat().st_size for path in out.iterdir()}
    assert found["figures"]["leads"] == plan.to_create
    assert found["figures"]["chance"] == plan.probability
    assert found["origin"]["data_version"].startswith("sync 1, data ")
    assert found["origin"]["plan"] == frozen.read_text(encoding="utf-8").split('"')[-2][:12]
    assert found["what_if_off"] < 0.02


def test_the_same_plan_and_data_give_the_same_bytes(frozen, snapshot, tmp_path):
    for name in ("one", "two"):
        make_pack(frozen, snapshot, tmp_path / name, data_version="sync 1")
    for name in ALL:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_an_earlier_pack_tells_what_changed(snapshot, frozen, tmp_path):
    before = snapshot.at("2026-08-01")
    earlier = reverse_funnel(FunnelModel.fit(before), new_mrr=50_000, by="2027-05-31")
    first = earlier.freeze(tmp_path / "earlier.toml")
    out = tmp_path / "pack"
    assert make_pack(first, before, out, data_version="sync 1").contents.changes is None
    found = make_pack(frozen, snapshot, out, data_version="sync 1").contents.changes
    assert (found.since, found.until) == ("2026-08-01", "2026-11-01")
    assert len(found.kpis) > 3
    assert len(found.plan) > 0
    again = make_pack(frozen, snapshot, out, data_version="sync 1")
    assert again.contents.changes is None


def test_since_any_day(frozen, snapshot, tmp_path):
    day = date(2026, 9, 1)
    found = make_pack(frozen, snapshot, tmp_path, data_version="sync 1", since=day)
    assert found.contents.changes.since == "2026-09-01"
    with pytest.raises(PackError, match="give an earlier day"):
        make_pack(frozen, snapshot, tmp_path, data_version="sync 1", since=snapshot.as_of)


def test_names_only_when_asked_for(frozen, snapshot, tmp_path):
    day = date(2026, 9, 1)
    owners = set(snapshot.owners.to_pandas()["name"])
    without = make_pack(frozen, snapshot, tmp_path / "a", data_version="1", since=day)
    moves = without.contents.changes.moves
    assert "name" not in moves
    assert len(moves) > 0
    page = (tmp_path / "a" / "index.html").read_text(encoding="utf-8")
    assert not any(name in page for name in names_in(snapshot) | owners)
    named = make_pack(frozen, snapshot, tmp_path / "b", data_version="1", since=day, names=True)
    assert set(named.contents.changes.moves["owner"].dropna()) & owners
    stamped = (tmp_path / "b" / "index.html").read_text(encoding="utf-8")
    assert "Contains names of deals and sellers" in stamped


def test_nothing_is_written_where_one_file_is_refused(frozen, snapshot, tmp_path, monkeypatch):
    def leaks(_contents, path):
        path.write_text("<p>pat.doe@example.com</p>", encoding="utf-8")

    monkeypatch.setitem(make.FILES, "index.html", leaks)
    out = tmp_path / "pack"
    with pytest.raises(PrivateContentError, match=r"e-mail address in index\.html"):
        make_pack(frozen, snapshot, out, data_version="sync 1")
    assert not out.exists()


def test_the_data_must_be_the_plans(run, frozen, store, tmp_path):
    narrow = ["--where", "source=outbound", "--out", tmp_path / "pack"]
    code, _, told = run("report", "--plan", frozen, "--store", store, *narrow)
    assert code == 1
    assert "the plan was made with filters: none" in told
    assert not (tmp_path / "pack").exists()


def test_a_narrowed_plan_takes_the_same_filters(run, snapshot, store, tmp_path):
    narrow = snapshot.where(region="East")
    plan = reverse_funnel(FunnelModel.fit(narrow), wins=5, by="2027-05-31")
    path = plan.freeze(tmp_path / "east.toml")
    words = ["--where", "region=East", "--out", tmp_path / "pack"]
    code, _, told = run("report", "--plan", path, "--store", store, *words)
    assert code == 0, told
    page = (tmp_path / "pack" / "index.html").read_text(encoding="utf-8")
    assert "region: East" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--plan", "nowhere.toml", "--store", "x"], "no frozen plan can be read"),
        (["--plan", "nowhere.toml"], "goes with --store"),
        ([], "give either a notebook"),
        (["x.ipynb", "--store", "y"], "go with --plan"),
    ],
)
def test_wrong_words_are_told_in_a_sentence(run, words, said):
    code, _, told = run("report", *words)
    assert code in (1, 2)
    assert said in " ".join(told.replace("│", " ").split())
    assert "Traceback" not in told


def test_a_changed_plan_is_refused(run, frozen, store, tmp_path):
    text = frozen.read_text(encoding="utf-8").replace("total_leads = 7", "total_leads = 6", 1)
    changed = tmp_path / "plan.toml"
    changed.write_text(text, encoding="utf-8")
    code, _, told = run("report", "--plan", changed, "--store", store, "--out", tmp_path / "pack")
    assert code == 1
    assert "changed since it was frozen" in told
    assert not (tmp_path / "pack").exists()
