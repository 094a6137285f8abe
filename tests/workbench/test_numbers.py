"""Commands and tables that show numbers: the board, leaks, and the account of one number."""

import sys
from pathlib import Path

import pandas as pd
import pytest

import connectors
import kpi
from workbench import cli
from workbench.kpi_tables import board_table, leaks_table, unit_text

SAMPLES = Path(__file__).parents[2] / "data" / "samples"


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


def test_the_board_says_twelve_numbers_and_the_planted_leak(run):
    """Each of the core KPIs in a line of its own, and paid search at Proposal."""
    code, out, err = run("board")
    assert (code, err) == (0, "")
    for words in ("Win rate", "Leads created", "MRR", "CAC", "Customer churn"):
        assert f"\n{words} " in out
    assert "as of 2026-11-01" in out.splitlines()[0]
    assert "Proposal  source: paid search" in out


def test_a_board_of_deals_alone_names_what_is_missing(run, tmp_path):
    """Tables the data lacks are named in the line of the KPI that needs them."""
    (tmp_path / "deals.csv").write_text("deal_id,outcome\n1,won\n", encoding="utf-8")
    (tmp_path / "as_of.txt").write_text("2026-06-30", encoding="utf-8")
    code, out, _ = run("board", "--data", tmp_path)
    assert code == 0
    assert "needs the table(s) ['subscriptions']" in out
    assert "lost beyond chance" not in out


def test_a_trace_counts_its_records_and_says_what_it_left_out(run):
    """SQL, links, reasons; narrowed by a column and a period."""
    words = ("trace", "win_rate", "--where", "source=event", "--period", "2026-Q2")
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    assert "the KPI says the same" in out
    assert "https://crm.example/deals/D-0227" in out
    assert "outside the filters" in out
    assert "CAST('event' AS VARCHAR)" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("trace", "velocity"), "no KPI is called 'velocity'"),
        (("trace", "win_rate", "--where", "colour=red"), "colour"),
        (("trace", "win_rate", "--period", "Q2"), "Q2"),
        (("kpis", "horoscope"), "no KPI is called 'horoscope'"),
        (("board", "--every", "week"), "week"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(run, words, told):
    """Exit code 1, one line, what and what instead."""
    code, _, err = run(*words)
    assert code == 1
    assert told in err
    assert len(err.strip().splitlines()) == 1


def test_a_kpi_is_found_by_the_name_people_use(run):
    """Close rate is win rate, show rate is in appointments."""
    assert "win_rate" in run("kpis", "close rate")[1]
    assert "appointments" in run("kpis", "show rate")[1]


def test_text_of_the_crm_does_not_steer_the_terminal(run, tmp_path):
    """An escape sequence in an id shows as a dot."""
    deals = 'deal_id,outcome,close_date\n"a\x1b[2J",won,2026-01-02\nb,lost,2026-01-03\n'
    (tmp_path / "deals.csv").write_text(deals, encoding="utf-8")
    (tmp_path / "as_of.txt").write_text("2026-06-30", encoding="utf-8")
    code, out, _ = run("trace", "win_rate", "--data", tmp_path)
    assert code == 0
    assert "\x1b" not in out
    assert "a·[2J" in out


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("share, 0 to 1", 0.318, "32%"),
        ("reporting currency", 12_340, "€12.3K"),
        ("count", 1234.0, "1,234"),
        ("months", 5.43, "5.4 months"),
        ("ratio", None, "–"),
    ],
)
def test_numbers_are_written_in_their_unit(unit, value, text):
    """As the field writes them; missing is a dash."""
    assert unit_text(unit, "EUR")(value) == text


def test_every_unit_of_the_catalogue_can_be_written():
    """No KPI falls through to a bare number by a unit nobody knows."""
    known = ("share", "count", "ratio", "calendar days", "months", "reporting currency")
    assert [u for u in kpi.catalogue()["unit"] if not u.startswith(known)] == []


def test_good_and_bad_news_are_told_apart():
    """Churn that rises is bad news, wins that rise are good."""
    board = pd.DataFrame(
        {
            "name": ["customer_churn", "deals_won"],
            **dict.fromkeys(["value", "low", "high", "before"], 0.5),
            "n": 3,
            "period": pd.NaT,
            "unit": ["share, 0 to 1", "count"],
            "trend": "up",
            "better": ["lower", "higher"],
            "benchmark": "none",
            "note": "",
        }
    )
    assert board_table(board)["trend"].tolist() == ["▲ up !", "▲ up +"]


def test_no_cell_holds_two_dollar_signs():
    """JupyterLab would set what stands between them as mathematics."""
    snapshot = connectors.open(SAMPLES)
    board, leaks = board_table(kpi.board(snapshot)), leaks_table(kpi.leaks(snapshot))
    cells = [str(cell) for table in (board, leaks) for cell in table.to_numpy().ravel()]
    assert any(cell.startswith("$") for cell in cells)
    assert [cell for cell in cells if cell.count("$") > 1] == []
    assert board.loc["Cycle days", "95% interval"] == "47 to 96"


def test_no_leak_is_said_in_words():
    """An empty list says that none was found and among how many."""
    none = pd.DataFrame(columns=["label"])
    none.attrs["note"] = "none found: 40 comparisons"
    assert leaks_table(none).iloc[0, 0] == "none found: 40 comparisons"
