"""The deck: the numbers of its Contents in slides, charts and notes; native, safe, the same bytes."""

import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from io import BytesIO

import openpyxl
import pandas as pd
import pytest
from lxml import etree
from pptx import Presentation
from pptx.util import Inches

from workbench.report.pack import rows
from workbench.report.pack.changes import Changes
from workbench.report.pack.deck import write_deck
from workbench.theme import money_text, percent_text, whole_text

EMU = 914_400


def written(contents, tmp_path, name="deck.pptx"):
    write_deck(contents, tmp_path / name)
    return Presentation(str(tmp_path / name))


def texts(slide):
    found = []
    for shape in slide.shapes:
        if shape.has_text_frame:
            found.append(shape.text_frame.text)
        if shape.has_table:
            found += [cell.text for row in shape.table.rows for cell in row.cells]
    return found


def tables(slide):
    return [
        [[cell.text for cell in row.cells] for row in shape.table.rows]
        for shape in slide.shapes
        if shape.has_table
    ]


def charts(slide):
    return [shape.chart for shape in slide.shapes if shape.has_chart]


def parts(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def everything(path):
    """Text of every part, of the workbooks in it too."""
    found = parts(path)
    for name, data in list(found.items()):
        if name.endswith(".xlsx"):
            found |= {f"{name}/{n}": d for n, d in parts(BytesIO(data)).items()}
    return found


@pytest.fixture
def changed(pack_contents):
    """The Contents with something that changed since August, names in it."""
    columns = ["label", "before", "now"]
    known = Changes(
        "2026-08-01",
        "2026-11-01",
        "Since 1 August the chance rose from 72% to 80%.",
        pd.DataFrame([("Win rate", "28%", "42%")], columns=columns),
        pd.DataFrame([("Leads to create", "800", "732")], columns=columns),
        pd.DataFrame(columns=["driver", "effect"]),
        pd.DataFrame([("d1", "won", "", "", "=Deal", "Pat")] * 3),
    )
    return replace(pack_contents, changes=known, names=True)


def test_each_slide_has_a_title_notes_the_origin_and_its_number(each_kind, tmp_path):
    deck = written(each_kind, tmp_path)
    assert len(deck.slides) == 5
    for slide in deck.slides:
        assert len(slide.shapes.title.text_frame.text) > 20
        assert rows.origin_line(each_kind) in texts(slide)
        assert slide.notes_slide.notes_text_frame.text.endswith(rows.origin_line(each_kind))
        kinds = [holder.placeholder_format.type for holder in slide.placeholders]
        assert [kind.name for kind in kinds] == ["TITLE", "FOOTER", "SLIDE_NUMBER"]


def test_the_answer_stands_on_the_first_slide(each_kind, tmp_path):
    slide = written(each_kind, tmp_path).slides[0]
    told = each_kind.figures
    assert slide.shapes.title.text_frame.text == each_kind.answer
    for name in ("leads", "chance", "gap", "target"):
        assert told[name].text in texts(slide)
        assert told[name].label in texts(slide)
    assert each_kind.action in texts(slide)
    whole = "\n".join(texts(slide))
    assert all(note in whole for note in each_kind.caveats[:3])
    assert all(f.text in whole for name, f in told.items() if name.startswith("leads_"))


def test_charts_carry_the_numbers_to_the_last_digit(each_kind, tmp_path):
    check_charts(each_kind, written(each_kind, tmp_path))
    check_rates(each_kind, tmp_path)


def test_data_that_lacks_something_and_long_and_short_plans(each_odd, tmp_path):
    check_charts(each_odd, written(each_odd, tmp_path))
    check_rates(each_odd, tmp_path)
    check_places(written(each_odd, tmp_path))


def check_charts(contents, deck):
    (leads, wins), (funnel,) = charts(deck.slides[1]), charts(deck.slides[2])
    wanted = (
        (leads, [contents.months["leads"]], contents.months),
        (wins, [contents.months[n] for n in rows.WINS], contents.months),
        (funnel, [contents.funnel[n] for n in rows.PARTS], contents.funnel),
    )
    for chart, series, table in wanted:
        assert [list(s.values) for s in chart.plots[0].series] == [
            list(map(float, s)) for s in series
        ]
        assert len(list(chart.plots[0].categories)) == len(table)
        book = openpyxl.load_workbook(BytesIO(chart.part.chart_workbook.xlsx_part.blob))
        inside = [list(row)[1:] for row in book.active.iter_rows(min_row=2, values_only=True)]
        for shown, row in zip(inside, zip(*series, strict=True), strict=True):
            assert shown == pytest.approx(list(map(float, row)), rel=1e-14)


def test_the_months_stand_below_their_charts(pack_contents, tmp_path):
    (table,) = tables(written(pack_contents, tmp_path).slides[1])
    found = pack_contents.months
    assert table[1] == ["Leads", *[whole_text(n) for n in found["leads"].tolist()]]
    assert table[2] == ["Wins in all", *[f"{n:.1f}" for n in found["wins"]]]
    assert table[4] == ["New MRR", *[money_text(n, "$") for n in found["new_mrr"]]]


def check_rates(contents, tmp_path):
    (table,) = tables(written(contents, tmp_path).slides[2])
    for shown, row in zip(table[1:], contents.rates.itertuples(), strict=True):
        assert shown[2:4] == [percent_text(row.planned), percent_text(row.history)]
        assert shown[4] == f"{percent_text(row.low)} to {percent_text(row.high)}"
        assert shown[5] == whole_text(row.n)


def test_few_records_are_said_not_counted(pack_contents, tmp_path):
    rates = pack_contents.rates.copy()
    rates.loc[1, "n"] = 3
    rates.loc[1, ["history", "low", "high"]] = float("nan")
    (table,) = tables(written(replace(pack_contents, rates=rates), tmp_path).slides[2])
    assert table[2][3:] == ["–", "–", "under 5"]


def test_kpis_with_their_definitions_in_the_notes(pack_contents, tmp_path):
    slide = written(pack_contents, tmp_path).slides[3]
    (table,) = tables(slide)
    found = pack_contents.kpis
    assert len(table) == len(found) + 1
    win_rate = found.set_index("name").loc["win_rate"]
    shown = next(row for row in table if row[0] == "Win rate")
    assert shown[1] == percent_text(win_rate["value"])
    assert shown[2] == f"{percent_text(win_rate['low'])} to {percent_text(win_rate['high'])}"
    assert shown[3] == whole_text(float(win_rate["n"]))
    notes = slide.notes_slide.notes_text_frame.text
    assert all(text in notes for text in [*found["definition"], *found["formula"]])


def test_each_figure_stands_in_a_note_with_definition_formula_and_n(each_kind, tmp_path):
    deck = written(each_kind, tmp_path)
    notes = "\n".join(slide.notes_slide.notes_text_frame.text for slide in deck.slides)
    for figure in each_kind.figures.values():
        start = notes.index(f"{figure.label}: {figure.text}. {figure.definition}")
        assert f"Formula: {figure.formula}. n: {figure.n}." in notes[start:]
    assert all(note in notes for note in each_kind.caveats)


def test_what_changed_and_the_stamp(changed, pack_contents, tmp_path):
    deck = written(changed, tmp_path)
    assert deck.slides[3].shapes.title.text_frame.text == changed.changes.sentence
    assert tables(deck.slides[3])[1][1:] == [
        ["Leads to create", "800", "732"],
        ["Win rate", "28%", "42%"],
    ]
    assert "3 deals moved; report.pdf lists the first" in texts(deck.slides[3])
    assert all(rows.STAMP in texts(slide) for slide in deck.slides)
    plain = written(pack_contents, tmp_path, "plain.pptx")
    assert not any(rows.STAMP in texts(slide) for slide in plain.slides)


def test_what_can_be_edited_is_described_and_nothing_is_a_picture(pack_contents, tmp_path):
    deck = written(pack_contents, tmp_path)
    drawn = [s for slide in deck.slides for s in slide.shapes if s.has_chart or s.has_table]
    assert len(drawn) == 7
    assert all(shape.element.xpath(".//p:cNvPr/@descr")[0] for shape in drawn)
    assert not [name for name in parts(tmp_path / "deck.pptx") if "/media/" in name]


def test_nothing_lies_outside_a_slide(changed, hostile_contents, tmp_path):
    check_places(written(changed, tmp_path))
    check_places(written(hostile_contents, tmp_path))


def check_places(deck):
    assert (deck.slide_width, deck.slide_height) == (Inches(13.333), Inches(7.5))
    for slide in deck.slides:
        ids = [shape.shape_id for shape in slide.shapes]
        assert len(ids) == len(set(ids))
        for shape in slide.shapes:
            assert shape.left >= 0.45 * EMU
            assert shape.left + shape.width <= deck.slide_width - 0.59 * EMU
            assert shape.top + shape.height <= deck.slide_height


def test_hostile_names_stay_text(hostile_contents, tmp_path):
    deck = written(hostile_contents, tmp_path)
    found = everything(tmp_path / "deck.pptx")
    for name, part in found.items():
        assert b'TargetMode="External"' not in part, name
        if name.endswith((".xml", ".rels")):
            etree.fromstring(part)
            assert b"<f>" not in part or "/charts/" not in name or "Sheet1!" in part.decode()
            assert not set("\u202e\u2028\x1b") & set(part.decode()), name
    cells = [part for name, part in found.items() if "/worksheets/sheet" in name]
    assert len(cells) == 3
    assert not any(b"<f>" in part or b"hyperlink" in part for part in cells)
    longest = max(len(word) for slide in deck.slides for t in texts(slide) for word in t.split())
    assert longest < 80
    (funnel,) = charts(deck.slides[2])
    assert any(name.startswith("=HYPERLINK(") for name in funnel.plots[0].categories)


def test_the_same_contents_give_the_same_bytes_without_names_or_clock(pack_contents, tmp_path):
    deck = written(pack_contents, tmp_path)
    first = (tmp_path / "deck.pptx").read_bytes()
    written(pack_contents, tmp_path)
    assert (tmp_path / "deck.pptx").read_bytes() == first
    told = deck.core_properties
    assert (told.author, told.last_modified_by) == ("", "")
    assert told.title == pack_contents.title
    assert str(told.created.date()) == str(told.modified.date()) == str(pack_contents.plan.as_of)
    with zipfile.ZipFile(tmp_path / "deck.pptx") as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
    whole = b"".join(everything(tmp_path / "deck.pptx").values())
    years = set(re.findall(rb"<dcterms:\w+[^>]*>(\d{4}-\d\d-\d\d)", whole))
    assert years == {str(pack_contents.plan.as_of).encode()}
    assert not re.search(rb"Steve|Canny|printerSettings|thumbnail", whole)


def test_a_hostile_currency(pack_contents, tmp_path):
    deck = written(replace(pack_contents, symbol="\u202e<b>\x00" + "X" * 9_000 + " "), tmp_path)
    shown = [text for slide in deck.slides for text in texts(slide)]
    assert max(map(len, shown)) < 500
    assert any(text.startswith("<b>XXXX… ") for text in shown)


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")
def test_libreoffice_opens_it(hostile_contents, pack_contents, tmp_path):
    written(pack_contents, tmp_path, "sample.pptx")
    written(hostile_contents, tmp_path, "hostile.pptx")
    home = f"-env:UserInstallation={(tmp_path / 'office').as_uri()}"
    asked = ["soffice", home, "--headless", "--convert-to", "pdf", "sample.pptx", "hostile.pptx"]
    subprocess.run(asked, cwd=tmp_path, check=True, capture_output=True, timeout=180)
    for name in ("sample", "hostile"):
        command = ["pdftotext", "-layout", f"{name}.pdf", "-"]
        said = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        assert said.stdout.count("\f") == 5, name
    shown = " ".join(said.stdout.split())
    assert hostile_contents.figures["leads"].text in shown
    assert hostile_contents.figures["gap"].text in shown
