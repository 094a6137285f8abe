"""The last look into every file of a pack: what must not leave is refused, and not repeated."""

import zipfile

import pytest
import typst
import xlsxwriter
from pptx import Presentation
from pptx.util import Inches

import connectors
from workbench.report.notebook import SAMPLES
from workbench.report.pack.check import names_in, refuse_if_private
from workbench.report.pack.remade import PackError
from workbench.report.privacy import PrivateContentError

MAIL = "pat.doe@example.com"
TOKEN = "pat-eu1-12345678-aaaa-bbbb-cccc-1234567890ab"
PATH = "/home/pat/secret.csv"
PERSON = "Nedra Vasquel"


def sheet(path, text, **about):
    book = xlsxwriter.Workbook(str(path), {"strings_to_urls": False})
    book.set_properties(about)
    book.add_worksheet().write_string(0, 0, text)
    book.close()
    return path


def deck(path, text, *, note="", link=""):
    show = Presentation()
    slide = show.slides.add_slide(show.slide_layouts[6])
    run = slide.shapes.add_textbox(0, 0, Inches(3), Inches(1)).text_frame.paragraphs[0].add_run()
    run.text = text
    if link:
        run.hyperlink.address = link
    slide.notes_slide.notes_text_frame.text = note
    show.save(path)
    return path


def paper(path, text, title="Plan"):
    source = f'#set document(title: "{title}")\n#let said = "{text}"\n#said'
    typst.compile(source.encode(), output=str(path))
    return path


@pytest.mark.parametrize("private", [MAIL, TOKEN, PATH, PERSON])
def test_private_text_is_refused_in_every_kind_of_file(tmp_path, private):
    files = [
        sheet(tmp_path / "plan.xlsx", f"see {private}"),
        deck(tmp_path / "deck.pptx", f"see {private}"),
        paper(tmp_path / "report.pdf", f"see {private}"),
    ]
    page = tmp_path / "index.html"
    page.write_text(f"<p>see {private}</p>", encoding="utf-8")
    kept = tmp_path / "plan.toml"
    kept.write_text(f'note = "see {private}"', encoding="utf-8")
    for path in (*files, page, kept):
        with pytest.raises(PrivateContentError) as told:
            refuse_if_private([path], names=[PERSON])
        assert path.name in str(told.value)
        assert private not in str(told.value)


def test_notes_and_data_about_a_file_are_read_too(tmp_path):
    files = [
        deck(tmp_path / "deck.pptx", "fine", note=MAIL),
        sheet(tmp_path / "plan.xlsx", "fine", author=MAIL),
        paper(tmp_path / "report.pdf", "fine", title=f"by {PERSON}"),
    ]
    for path in files:
        with pytest.raises(PrivateContentError):
            refuse_if_private([path], names=[PERSON])


def test_a_workbook_inside_a_deck_is_read(tmp_path):
    inner = sheet(tmp_path / "inner.xlsx", MAIL)
    whole = deck(tmp_path / "deck.pptx", "fine")
    with zipfile.ZipFile(whole, "a") as archive:
        archive.write(inner, "ppt/embeddings/chart.xlsx")
    with pytest.raises(PrivateContentError, match=r"e-mail address in deck\.pptx"):
        refuse_if_private([whole])


def test_a_link_that_leads_outside_is_refused(tmp_path):
    path = deck(tmp_path / "deck.pptx", "more", link="https://example.com/track")
    with pytest.raises(PrivateContentError, match=r"link to outside in deck\.pptx"):
        refuse_if_private([path])


def test_only_the_live_page_may_hold_a_script(tmp_path):
    live, still = tmp_path / "what-if.html", tmp_path / "index.html"
    for page in (live, still):
        page.write_text("<p>fine</p><script>1</script>", encoding="utf-8")
    refuse_if_private([live])
    with pytest.raises(PrivateContentError, match=r"script in index\.html"):
        refuse_if_private([still])


def test_clean_files_pass(tmp_path):
    files = [
        sheet(tmp_path / "plan.xlsx", "Leads 1,234"),
        deck(tmp_path / "deck.pptx", "Leads 1,234", note="n = 12"),
        paper(tmp_path / "report.pdf", "Leads 1,234"),
    ]
    refuse_if_private(files, names=[PERSON])


def test_a_file_nobody_can_read_is_refused(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"")
    with pytest.raises(PackError, match=r"picture\.png"):
        refuse_if_private([path])


def test_names_of_the_data_are_looked_for():
    found = names_in(connectors.open(SAMPLES))
    assert len(found) > 300
    assert all(len(name) >= 8 and " " in name for name in found)
