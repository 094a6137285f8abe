"""The command: what it prints, where, with which exit code, and the page it writes."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest

import kpi
from workbench import cli

ROOT = Path(__file__).parents[2]
SAMPLES, NOTEBOOKS, MAPPINGS = ROOT / "data" / "samples", ROOT / "notebooks", ROOT / "data/mappings"
DEALS = "deal_id,outcome,created_at,close_date\n"
LOST = "1,lost,2026-01-01,2026-02-01\n2,open,2026-01-01,\n"
WON = "".join(
    f"{n},{'won' if n % 2 else 'lost'},2026-01-01,2026-0{1 + n % 5}-15\n" for n in range(3, 23)
)


@pytest.fixture
def run(monkeypatch, capfd):
    """Run the command in this process, its own error handling included."""

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


@pytest.fixture
def export(tmp_path):
    """Write a folder of files by table; ``as_of=None`` leaves the date out."""

    def write(as_of="2026-06-30", **tables):
        folder = tmp_path / "export"
        folder.mkdir()
        for name, text in tables.items():
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        if as_of:
            (folder / "as_of.txt").write_text(as_of, encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="module")
def asked():
    """The main job as a machine asks for it: another process, in another folder."""
    command = [sys.executable, "-m", "workbench", "demo", "--json", "--as-of", "2026-05-01"]
    command += ["--data", str(SAMPLES), "--wins", "40", "--by", "2026-12-31", "--confidence", "0.9"]
    return subprocess.run(command, capture_output=True, cwd=ROOT, check=False)


def one_sentence(err):
    """Tell whether standard error holds one plain line from the program and nothing else."""
    lines = err.strip().splitlines()
    return len(lines) == 1 and lines[0].startswith("reverse-funnel: ") and len(lines[0]) > 30


def test_json_is_all_there_is_on_standard_output(asked):
    """UTF-8, one object, nothing before or after it, nothing on standard error."""
    assert asked.returncode == 0
    assert asked.stderr == b""
    found = json.loads(asked.stdout.decode("utf-8"), parse_constant=pytest.fail)
    assert isinstance(found, dict)
    assert asked.stdout.startswith(b"{")


def test_options_reach_the_answer(asked):
    """As-of date, target, date and chance."""
    found = json.loads(asked.stdout)
    assert found["as_of"] == "2026-05-01"
    assert (found["wins"], found["by"], found["confidence"]) == (40, "2026-12-31", 0.9)
    assert found["create_by_month"]
    assert min(found["create_by_month"]) == "2026-06"
    assert found["for_50_80_90"]["90%"] == found["leads_to_create"]


def test_json_writes_no_page(run, export, tmp_path, monkeypatch):
    """Machines ask often; a page is for people."""
    folder = export(deals=DEALS + WON)
    monkeypatch.chdir(tmp_path)
    code, out, _ = run("demo", "--json", "--data", folder)
    assert (code, list(tmp_path.iterdir())) == (0, [folder])
    assert json.loads(out)["deals_to_create"] > 0


def test_no_plan_is_said_in_words_and_makes_no_page(run, export, tmp_path, monkeypatch):
    """Nothing was ever won: the reason, the rates there are, no traceback."""
    monkeypatch.chdir(tmp_path)
    folder = export(deals=DEALS + LOST)
    for more in ([], ["--wins", "3"]):
        code, out, err = run("demo", "--data", folder, *more)
        assert "Traceback" not in out + err
        assert code in (0, 1)
        assert re.search(r"No plan +no (win|deal)", out)
        assert "0 of 1" in out
        assert not (tmp_path / "out").exists()
    code, out, err = run("demo", "--data", folder, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out, parse_constant=pytest.fail)
    assert found["leads_to_create"] is found["deals_needed"] is None
    assert found["reasons"]["plan"]


def test_problems_in_the_data_are_counted_and_lead_to_check(run, export):
    """A plan made from part of the rows must say so."""
    folder = export(deals=DEALS + LOST + "1,won,2026-01-01,2026-03-01\n")
    _, out, _ = run("demo", "--data", folder)
    assert re.search(rf"1 problems?: reverse-funnel check {re.escape(str(folder))}", out)


BROKEN = {
    "missing folder": (["demo", "--data", "{tmp}/nowhere"], "no such folder"),
    "empty folder": (["demo", "--data", "{empty}"], "no table there"),
    "no as-of date": (["demo", "--data", "{undated}"], "as_of"),
    "as-of no date": (["demo", "--data", "{undated}", "--as-of", "tomorrow"], "tomorrow"),
    "as-of after the data": (["demo", "--data", "{won}", "--as-of", "2030-01-01"], "2026-06-30"),
    "mapping with a typo": (["demo", "--data", "{undated}", "--mapping", "{typo}"], "did you mean"),
    "mapping not there": (["demo", "--data", "{undated}", "--mapping", "{tmp}/no.toml"], "no.toml"),
    "no date wanted": (["demo", "--data", "{won}", "--by", "soon"], "soon"),
    "no target": (["demo", "--data", "{won}", "--wins", "0"], "wins"),
    "endless target": (["demo", "--data", "{won}", "--wins", "inf"], "wins"),
    "no chance": (["demo", "--data", "{won}", "--confidence", "nan"], "confidence"),
    "check nothing": (["check", "{tmp}/nowhere"], "no such folder"),
    "keep without a date": (["keep", "{undated}", "--store", "{tmp}/store"], "as_of.txt"),
    "store is a file": (["keep", "{won}", "--store", "{typo}"], "is a file"),
    "unknown KPI": (["kpis", "nonsense"], "win_rate"),
    "report no notebook": (["report", "{tmp}/no.ipynb"], "no.ipynb"),
    "report a folder": (["report", "{empty}"], "notebook"),
    "report no JSON": (["report", "{typo}", "--out", "{tmp}/page.html"], "not a notebook"),
    "report other JSON": (["report", "{other}", "--out", "{tmp}/page.html"], "notebook"),
    "page is a folder": (["report", "{funnel}", "--out", "{empty}"], "folder"),
    "page of a run is a folder": (["demo", "--data", "{won}", "--out", "{empty}"], "folder"),
    "unknown parameter": (
        ["report", "{funnel}", "--out", "{tmp}/page.html", "--set", "WINZ=40"],
        "no parameter WINZ",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_error_is_one_plain_sentence(run, tmp_path, case):
    """On standard error, exit code 1; no traceback, and no page half written."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "undated").mkdir()
    (tmp_path / "undated" / "deals.csv").write_text(DEALS + LOST, encoding="utf-8")
    (tmp_path / "won").mkdir()
    (tmp_path / "won" / "deals.csv").write_text(DEALS + WON, encoding="utf-8")
    (tmp_path / "won" / "as_of.txt").write_text("2026-06-30", encoding="utf-8")
    (tmp_path / "typo.toml").write_text('[dealz]\nfile = "deals.csv"\n', encoding="utf-8")
    (tmp_path / "other.ipynb").write_text("{}", encoding="utf-8")
    places = {name: tmp_path / name for name in ("empty", "undated", "won")}
    places |= {"tmp": tmp_path, "typo": tmp_path / "typo.toml", "other": tmp_path / "other.ipynb"}
    places |= {"funnel": NOTEBOOKS / "01_funnel.ipynb"}
    words, message = BROKEN[case]
    code, _, err = run(*[word.format(**places) for word in words])
    assert code == 1
    assert one_sentence(err), err
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "page.html").exists()


def test_an_error_in_json_mode_leaves_standard_output_empty(run, tmp_path):
    """A machine that reads only standard output must not take words for data."""
    code, out, err = run("demo", "--json", "--data", tmp_path / "nowhere")
    assert (code, out) == (1, "")
    assert one_sentence(err)


@pytest.mark.parametrize("words", [["demo", "--winz", "3"], ["report", "{nb}", "--set", "WINS"]])
def test_a_command_that_is_not_understood_is_explained(run, words):
    """Usage goes to standard error; exit code above 0, nothing is run."""
    notebook = NOTEBOOKS / "01_funnel.ipynb"
    code, out, err = run(*[word.format(nb=notebook) for word in words])
    assert code in (1, 2)
    assert out == ""
    assert "--winz" in err or "NAME=VALUE" in err
    assert "Traceback" not in err


def test_check_counts_every_row_and_gives_every_reason(run, export):
    """Read, accepted, rejected; the row, the value and why."""
    rows = "1,won,2026-01-01,2026-02-01\n1,won,2026-01-01,2026-03-01\n"
    rows += "2,perhaps,2026-01-01,2026-02-01\n3,won,2026-05-01,2026-02-01\n,open,2026-01-01,\n"
    code, out, err = run("check", export(deals=DEALS + rows, notes="a,b\n1,2\n"))
    assert (code, err) == (0, "")
    assert "5 rows read, 3 accepted, 2 rejected, 1 values set to missing" in out
    assert "row 2 (1): 1" in out
    assert "stands in another row, which is kept" in out
    assert "perhaps" in out
    assert "required, but missing" in out
    assert "deals.close_date: closed before it was created" in out
    assert "Files not used: notes.csv" in out


def test_check_says_when_nothing_is_wrong(run, export):
    """And then nothing else."""
    code, out, _ = run("check", export(deals=DEALS + WON))
    assert code == 0
    assert "deals from deals.csv: 20 rows read, 20 accepted, 0 rejected\n" in out
    assert out.rstrip().endswith("No row or value was refused.")


def test_a_terminal_is_not_steered_by_the_data(run, export):
    """Escape sequences in a value could rewrite what stands on the screen."""
    code, out, _ = run("check", export(deals=DEALS + "1,\x1b[2Jwon,2026-01-01,2026-02-01\n"))
    assert code == 0
    assert "\x1b" not in out
    assert "\\x1b[2Jwon" in out


def test_keep_counts_what_is_new_and_what_changed(run, export, tmp_path):
    """Twice the same export: nothing new."""
    folder = export(deals=DEALS + LOST)
    first = run("keep", folder, "--store", tmp_path / "store")
    again = run("keep", folder, "--store", tmp_path / "store")
    assert (first[0], again[0]) == (0, 0)
    assert "sync 1, as of 2026-06-30" in first[1]
    assert re.search(r"deals +2 +0 +0 +0", first[1])
    assert "sync 2" in again[1]
    assert re.search(r"deals +0 +0 +0 +0", again[1])
    code, out, _ = run("demo", "--data", tmp_path / "store", "--json")
    assert code == 0
    assert json.loads(out)["open_deals"] == 1


def test_kpis_lists_all_and_explains_one(run):
    """Every name of the catalogue; for one its question, formula and source."""
    code, out, _ = run("kpis")
    names = kpi.catalogue()["name"]
    assert code == 0
    assert [name for name in names if not re.search(rf"^ *{name} ", out, re.MULTILINE)] == []
    assert len(out.strip().splitlines()) == len(names) + 1
    code, out, _ = run("kpis", "win_rate")
    assert code == 0
    assert "won / (won + lost)" in out
    assert "source:" in out


def test_without_words_the_command_shows_its_help(run):
    """Every subcommand with what it does."""
    code, out, err = run()
    assert code in (0, 2)
    for name in ("demo", "report", "check", "keep", "kpis", "lab"):
        assert re.search(rf"\b{name}\b +[A-Z]", out + err), name


def test_report_renders_a_stored_notebook_and_says_where(run, tmp_path):
    """No run, a second's work; the folder is made."""
    target = tmp_path / "pages" / "funnel.html"
    code, out, err = run("report", NOTEBOOKS / "01_funnel.ipynb", "--out", target)
    assert (code, out.strip(), err) == (0, str(target), "")
    page = target.read_text(encoding="utf-8")
    assert "<h1>Funnel health" in page
    assert "connectors.open" not in page


def test_report_refuses_a_notebook_with_an_address_in_it(run, tmp_path):
    """One sentence that names the cell and not the address."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("Ask pat@example.com")])
    nbformat.write(book, tmp_path / "plan.ipynb")
    code, _, err = run("report", tmp_path / "plan.ipynb", "--out", tmp_path / "plan.html")
    assert code == 1
    assert one_sentence(err)
    assert "e-mail address" in err
    assert "cell 1" in err
    assert "pat@" not in err
    assert not (tmp_path / "plan.html").exists()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page that `demo` writes (it runs a notebook: the one slow test), and what is printed."""
    out = tmp_path_factory.mktemp("page") / "plan.html"
    command = [sys.executable, "-m", "workbench", "demo", "--wins", "17", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return out.read_text(encoding="utf-8"), done.stdout, out


def words_of(page):
    """What a reader sees of a page."""
    return re.sub(r"<[^>]+>", " ", re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL))


def test_the_page_gives_the_answer_that_was_printed(page):
    """The target asked for, the same number of leads, and where the page is."""
    shown, printed, out = page
    answer = re.search(r"Answer +(.+)", printed)[1]
    assert "for 17 wins" in answer
    assert answer in words_of(shown)
    assert f"Page for leadership: {out}" in printed


def test_the_page_says_as_of_when_by_which_definitions_and_from_how_much(page):
    """Every figure with its n, its date and its definitions."""
    seen = words_of(page[0])
    assert "as of 2026-11-01" in seen
    assert "source: samples" in seen
    version = re.search(r"definitions ([0-9a-f]{8})", page[1])[1]
    assert seen.count(version) >= 2
    assert "time_zone = " in seen
    assert re.search(r"\d+ of 1,995", seen)


def test_the_page_holds_no_script_no_code_and_nothing_private(page):
    """Neither a path, nor an address, nor a seller, a company or a record of the sample."""
    shown, _, out = page
    assert not re.search(r"(?i)<script|javascript:|\son\w+=|https?://(?!www\.w3\.org)", shown)
    assert not re.search(r"import connectors|ReverseFunnelBoard|board\.plan", shown)
    assert str(ROOT) not in shown
    assert str(out.parent) not in shown
    assert "@" not in words_of(shown)
    people = pd.read_csv(SAMPLES / "owners.csv")["name"].tolist()
    people += pd.read_csv(SAMPLES / "accounts.csv")["name"].tolist()
    assert len(people) > 300
    assert [person for person in people if person in shown] == []
    assert not re.search(r"\b[LDAO]-\d{1,5}\b", words_of(shown))


def test_report_set_runs_the_notebook_anew_on_other_data(run, tmp_path):
    """A parameter from the command line reaches the notebook, and its error comes back in words."""
    shutil.copy(NOTEBOOKS / "01_funnel.ipynb", tmp_path / "funnel.ipynb")
    book = nbformat.read(tmp_path / "funnel.ipynb", as_version=4)
    tagged = [cell for cell in book.cells if "parameters" in cell.metadata.get("tags", [])]
    book.cells = [
        *tagged,
        nbformat.v4.new_code_cell("print('read from', DATA)\nassert DATA != 'x'"),
    ]
    nbformat.write(book, tmp_path / "funnel.ipynb")
    target = tmp_path / "page.html"
    code, out, _ = run("report", tmp_path / "funnel.ipynb", "--set", "DATA=there", "--out", target)
    assert (code, out.strip()) == (0, str(target))
    assert "read from there" in target.read_text(encoding="utf-8")
    target.unlink()
    code, _, err = run("report", tmp_path / "funnel.ipynb", "--set", "DATA=x", "--out", target)
    assert code == 1
    assert "AssertionError" in err
    assert not target.exists()


def test_check_of_a_store_says_what_it_holds(run, export, tmp_path):
    """Rows of each table, the syncs, and what is wrong with the rows."""
    store = tmp_path / "s"
    folder = export(deals=DEALS + WON + LOST)
    run("keep", folder, "--store", store)
    (folder / "deals.csv").write_text(
        DEALS + WON + LOST + "99,open,2026-06-01,\n", encoding="utf-8"
    )
    run("keep", folder, "--store", store)
    code, out, err = run("check", store)
    assert (code, err) == (0, "")
    assert out.startswith("Store s, as of 2026-06-30, 2 syncs\n")
    assert re.search(r"\ndeals +23\n", out)
    newest, first = re.findall(r"\nsync (\d) .*", out)
    assert (newest, first) == ("2", "1")
    assert out.rstrip().endswith("No problem found in the rows.")


def test_check_of_a_store_counts_its_problems(run, export, tmp_path):
    """By reason, as for an export."""
    wrong = "7,won,2026-01-01,2026-02-01\n8,won,2026-03-01,2026-02-01\n"
    run("keep", export(deals=DEALS + wrong), "--store", tmp_path / "s")
    code, out, _ = run("check", tmp_path / "s")
    assert code == 0
    assert re.search(r"\n1 problem by reason\n +1  deals\.\w+: ", out)
