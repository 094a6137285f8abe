"""The printed report: the numbers of its Contents, tagged, titled, the same bytes; names stay text."""

import re
import shutil
import subprocess
import time
from dataclasses import replace
from io import BytesIO

import pandas as pd
import pytest
import typst
from pypdf import PdfReader

from workbench.report.pack import rows
from workbench.report.pack.changes import Changes
from workbench.report.pack.paper import paper, write_paper
from workbench.report.pack.paper_data import MOVES, paper_data
from workbench.theme import money_text, percent_text, whole_text

MM = 72 / 25.4


def text(data):
    """Words of all pages, however they are broken into lines."""
    return squeezed(" ".join(page.extract_text() for page in PdfReader(BytesIO(data)).pages))


def squeezed(said):
    return "".join(said.replace("\u200b", "").split())


@pytest.fixture
def changed(pack_contents):
    """The Contents with what changed since August: a plan, a bridge, forty deals with names."""
    columns = ["label", "before", "now"]
    deals = [(f"d{n}", "won", "Proposal", "Won", f"#Deal *{n}*", "Pat") for n in range(40)]
    known = Changes(
        "2026-08-01",
        "2026-11-01",
        "Since 1 August the chance rose from 72% to 80%.",
        pd.DataFrame([("Win rate", "28%", "42%")], columns=columns),
        pd.DataFrame([("Leads to create", "800", "732")], columns=columns),
        pd.DataFrame([("volume", -1_200.0), ("churn", 90.0)], columns=["driver", "effect"]),
        pd.DataFrame(deals, columns=["deal", "what", "before", "now", "name", "owner"]),
        ("the plan of July is not known",),
    )
    return replace(pack_contents, changes=known, names=True)


def check(contents):
    """Every number that the Contents hold stands in the PDF, and it has two to four pages."""
    data = paper(contents)
    said = text(data)
    for figure in contents.figures.values():
        for part in (figure.label, figure.text, figure.definition, figure.formula, figure.n):
            assert squeezed(part) in said, figure.name
    months, symbol = contents.months, contents.symbol
    assert months["leads"].sum() == contents.figures["leads"].value
    for row in months.itertuples():
        money = [money_text(n, symbol) for n in (row.new_mrr, row.mrr) if not pd.isna(n)]
        wins = [f"{n:,.1f}" for n in (row.wins_pipeline, row.wins_direct, row.wins_new, row.wins)]
        band = f"{whole_text(row.wins_low)} to {whole_text(row.wins_high)}"
        month = f"{pd.Period(row.month):%b %Y}"
        line = [month, whole_text(row.leads), *wins, band, *money]
        assert squeezed("".join(line)) in said, row.month
    for row in contents.rates.itertuples():
        line = f"{percent_text(row.planned)}{percent_text(row.history)}{percent_text(row.low)} to "
        assert squeezed(f"{line}{percent_text(row.high)}{whole_text(row.n)}") in said, row.step
    assert all(squeezed(note) in said for note in contents.caveats)
    assert squeezed(contents.answer) in said
    assert squeezed(contents.action) in said
    pages = PdfReader(BytesIO(data)).pages
    assert 2 <= len(pages) <= 4
    assert all(squeezed(rows.origin_line(contents)) in squeezed(p.extract_text()) for p in pages)


def test_each_kind_of_target(each_kind):
    check(each_kind)


def test_data_that_lacks_something_and_long_and_short_plans(each_odd):
    check(each_odd)


def test_kpis(pack_contents):
    said = text(paper(pack_contents))
    found = pack_contents.kpis
    for shown, row in zip(
        rows.kpis(pack_contents).itertuples(index=False), found.itertuples(), strict=True
    ):
        assert squeezed("".join(shown[:4])) in said, row.name
        assert squeezed(row.definition) in said
        assert squeezed(row.formula) in said
    won = found.set_index("name").loc["win_rate", "value"]
    assert squeezed(f"Win rate{percent_text(won)}") in said


def test_the_drawings_are_drawn_from_the_numbers(each_kind):
    told = paper_data(each_kind)
    assert told["months"]["leads"]["stacks"] == [each_kind.months["leads"].tolist()]
    stacks = [each_kind.months[name].tolist() for name in rows.WINS]
    assert told["months"]["wins"]["stacks"] == stacks
    assert told["months"]["wins"]["most"] == pytest.approx(each_kind.months["wins"].max())
    stacks = [each_kind.funnel[name].tolist() for name in rows.PARTS]
    assert told["funnel"]["drawn"]["stacks"] == stacks


def test_what_changed(changed, pack_contents):
    said = text(paper(changed))
    for words in ("Leads to create800732", "volume−$1.2K", "churn+$90", "Win rate28%42%"):
        assert squeezed(words) in said
    assert squeezed(changed.changes.sentence) in said
    assert squeezed("the plan of July is not known") in said
    assert said.count("#Deal*") == MOVES
    assert squeezed(f"The first {MOVES} of 40 deals that moved.") in said
    pages = PdfReader(BytesIO(paper(changed))).pages
    assert all(squeezed(rows.STAMP) in squeezed(page.extract_text()) for page in pages)
    assert squeezed(rows.STAMP) not in text(paper(pack_contents))


def test_it_is_tagged_titled_in_a_language_and_carries_its_letters(pack_contents):
    reader = PdfReader(BytesIO(paper(pack_contents)))
    root = reader.trailer["/Root"]
    assert bool(root["/MarkInfo"]["/Marked"])
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert reader.metadata.title == pack_contents.title
    assert reader.metadata.author is None
    fonts = {
        str(font.get_object()["/BaseFont"]).partition("+")[2]
        for page in reader.pages
        for font in page["/Resources"]["/Font"].values()
    }
    assert fonts
    assert all(name.startswith("LibertinusSerif") for name in fonts)
    assert b"/URI" not in paper(pack_contents)


def test_it_complies_with_pdf_ua_unless_no_font_has_a_sign(each_kind, changed, hostile_contents):
    assert claims_ua(paper(each_kind))
    assert claims_ua(paper(changed))
    assert not claims_ua(paper(hostile_contents))


def claims_ua(data):
    return (
        b"<pdfuaid:part>1</pdfuaid:part>" in PdfReader(BytesIO(data)).xmp_metadata.stream.get_data()
    )


def test_the_same_contents_give_the_same_bytes_in_no_time(pack_contents, tmp_path):
    took = []
    for name in ("a.pdf", "b.pdf", "c.pdf"):
        start = time.perf_counter()
        write_paper(pack_contents, tmp_path / name)
        took.append(time.perf_counter() - start)
    assert len({(tmp_path / name).read_bytes() for name in ("a.pdf", "b.pdf", "c.pdf")}) == 1
    assert min(took) < 2
    made = PdfReader(tmp_path / "a.pdf").metadata.creation_date
    assert made.date() == pack_contents.plan.as_of


def test_hostile_names_stay_text(hostile_contents):
    data = paper(hostile_contents)
    said = text(data)
    for name in ("</script><script>window", "=HYPERLINK(", "#[panic()]$x$*_`{{7*7}}", "__proto__"):
        assert name in said
    assert 2 <= len(PdfReader(BytesIO(data)).pages) <= 4
    assert b"/JavaScript" not in data
    assert b"/URI" not in data
    assert max(len(word) for word in _words(paper_data(hostile_contents))) < 130


def _words(told):
    if isinstance(told, str):
        return told.split()
    inside = told.values() if isinstance(told, dict) else told if isinstance(told, list) else []
    return [word for each in inside for word in _words(each)]


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")
@pytest.mark.parametrize("name", ["hostile_contents", "changed"])
def test_nothing_runs_over_a_margin(name, request, tmp_path):
    write_paper(request.getfixturevalue(name), tmp_path / "report.pdf")
    command = ["pdftotext", "-bbox", "report.pdf", "-"]
    said = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    places = re.findall(
        r'xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)"', said.stdout
    )
    assert len(places) > 1_000
    left, top, right, bottom = zip(*[map(float, place) for place in places], strict=True)
    assert min(left) >= 20 * MM - 1
    assert max(right) <= 190 * MM + 1
    assert min(top) >= 8 * MM
    assert max(bottom) <= 292 * MM


def test_where_the_machine_has_no_fonts_only_foreign_signs_suffer(pack_contents, monkeypatch):
    usual = typst.compile
    monkeypatch.setattr(typst, "compile", lambda *a, **k: usual(*a, **k, ignore_system_fonts=True))
    without = paper(pack_contents)
    monkeypatch.undo()
    assert without == paper(pack_contents)


@pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="pdftoppm is not installed")
def test_another_reader_draws_it(pack_contents, tmp_path):
    write_paper(pack_contents, tmp_path / "report.pdf")
    command = ["pdftoppm", "-r", "20", "-png", "report.pdf", "page"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    drawn = sorted(tmp_path.glob("page*.png"))
    assert len(drawn) == len(PdfReader(tmp_path / "report.pdf").pages)
    assert all(path.stat().st_size > 500 for path in drawn)
