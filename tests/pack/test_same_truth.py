"""Story 10, hand to leadership and prove it: five files, one set of numbers."""

from html import unescape
from zipfile import ZipFile

import openpyxl
import pytest
from pptx import Presentation
from pypdf import PdfReader

from workbench.report.pack.make import FILES

ANSWER = ("target", "chance", "leads", "gap")


@pytest.fixture(scope="module")
def written(each_kind, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack")
    for name, write in FILES.items():
        write(each_kind, folder / name)
    return each_kind, folder


def words_of(path):
    """What a reader sees in a file, blanks made alike."""
    if path.suffix == ".html":
        text = unescape(path.read_text(encoding="utf-8"))
    elif path.suffix == ".pptx":
        show = Presentation(str(path))
        text = " ".join(
            shape.text_frame.text
            for slide in show.slides
            for shape in slide.shapes
            if shape.has_text_frame
        )
    elif path.suffix == ".pdf":
        text = " ".join(page.extract_text() for page in PdfReader(path).pages)
    else:
        book = openpyxl.load_workbook(path, data_only=True)
        cells = (cell.value for sheet in book for row in sheet.iter_rows() for cell in row)
        text = " ".join(str(value) for value in cells if value is not None)
    return " ".join(text.replace("\xa0", " ").split())


@pytest.mark.parametrize("name", FILES)
def test_10_hand_to_leadership_and_prove_it(written, name):
    found, folder = written
    said = words_of(folder / name)
    assert found.answer in said
    assert found.action in said
    assert found.origin.as_of in said
    assert found.origin.data_version in said
    if name != "plan.xlsx":
        for figure in ANSWER:
            assert found.figures[figure].text in said, figure


def test_the_sheet_holds_the_numbers_themselves(written):
    found, folder = written
    book = openpyxl.load_workbook(folder / "plan.xlsx", data_only=True)
    cells = [cell.value for row in book.worksheets[0].iter_rows() for cell in row]
    numbers = [value for value in cells if isinstance(value, (int, float))]
    for name in ("target", "chance", "leads", "gap", "expected"):
        value = found.figures[name].value
        assert any(abs(n - value) <= 1e-9 * max(1, abs(value)) for n in numbers), name


@pytest.mark.parametrize("name", FILES)
def test_every_file_opens_the_definitions(written, name):
    found, folder = written
    said = words_of(folder / name)
    if name == "deck.pptx":
        show = Presentation(str(folder / name))
        said = " ".join(
            " ".join(slide.notes_slide.notes_text_frame.text.split()) for slide in show.slides
        )
    for figure in ANSWER:
        assert found.figures[figure].definition in said, figure
        assert found.figures[figure].formula in said, figure


@pytest.mark.parametrize("name", ["plan.xlsx", "deck.pptx"])
def test_office_files_name_nobody(written, name):
    _, folder = written
    with ZipFile(folder / name) as archive:
        core = archive.read("docProps/core.xml").decode()
    for tag in ("creator", "lastModifiedBy"):
        held = core.partition(f"<{'dc' if tag == 'creator' else 'cp'}:{tag}>")[2].partition("<")[0]
        assert held.strip() in ("", "reverse-funnel")
