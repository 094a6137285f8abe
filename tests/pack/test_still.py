"""The static page: the numbers of its Contents, nothing that runs, names that stay names, order."""

import base64
import hashlib
import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.util import module_from_spec, spec_from_file_location
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from workbench.report import privacy
from workbench.report.pack import rows
from workbench.report.pack.changes import Changes
from workbench.report.pack.check import refuse_if_private
from workbench.report.pack.still import OTHERS, page, write_still
from workbench.theme import percent_text, whole_text

harness = spec_from_file_location("lab", Path(__file__).parents[1] / "lab.py")
lab = module_from_spec(harness)
harness.loader.exec_module(lab)
missing = lab.chromium_missing_reason()


class Reader(HTMLParser):
    """Elements in their order with their attributes, and the cells of every table as text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.tables, self.cell = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.cell = ""

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data

    def handle_endtag(self, tag):
        if tag in ("th", "td"):
            self.tables[-1][-1].append(self.cell.replace("\xa0", ""))
            self.cell = None

    def named(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def said_in(text):
    """What a reader of the page sees."""
    body = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.fixture(scope="module")
def changed(pack_contents):
    """The Contents with what changed since August, names in it that mean harm."""
    columns = ["label", "before", "now"]
    known = Changes(
        "2026-08-01",
        "2026-11-01",
        "Since 1 August the chance rose from 72% to 80%.",
        pd.DataFrame([("Win rate", "28%", "42%")], columns=columns),
        pd.DataFrame([("Leads to create", "800", "732")], columns=columns),
        pd.DataFrame([("volume", -1_200.0), ("churn", 90.0)], columns=["driver", "effect"]),
        pd.DataFrame(
            [("d1", "won", "Proposal", "Won", "<img src=x onerror=alert(1)>", "Pat\u202e")],
            columns=["deal", "what", "before", "now", "name", "owner"],
        ),
        ("the plan of July is not known",),
    )
    return replace(pack_contents, changes=known, names=True)


def check(contents):
    """Every number of the Contents stands in the page, those of a row in its row."""
    text = page(contents)
    said, tables = said_in(text), Reader(text).tables
    for figure in contents.figures.values():
        for part in (figure.label, figure.text, figure.definition, figure.formula, figure.n):
            assert part in said, figure.name
    for part in (contents.title, contents.answer, contents.action, *contents.caveats):
        assert part in said
    assert rows.origin_line(contents) in said
    for frame in (rows.months(contents), rows.rates(contents), rows.kpis(contents)):
        lines = [list(frame.columns), *frame.astype("str").to_numpy().tolist()]
        assert lines in tables
    for definition in contents.kpis["definition"]:
        assert " ".join(definition.split()) in said
    assert privacy.findings(text) == []
    return text, tables


def test_each_kind_of_target(each_kind):
    text, tables = check(each_kind)
    months, rates = tables[0][1:], tables[1][1:]
    assert [row[1] for row in months] == [whole_text(n) for n in each_kind.months["leads"]]
    assert [row[2] for row in rates] == [percent_text(r) for r in each_kind.rates["planned"]]
    assert [row[5] for row in rates] == [whole_text(n) for n in each_kind.rates["n"]]
    assert len(re.findall("<li><b>", text)) == 2 * len(each_kind.months)


def test_data_that_lacks_something_and_long_and_short_plans(each_odd):
    text, _ = check(each_odd)
    assert "nan" not in said_in(text).lower().replace("finan", "").split()


def test_the_answer_comes_first(pack_contents):
    said = said_in(page(pack_contents))
    figures = pack_contents.figures
    order = [
        pack_contents.title,
        pack_contents.answer,
        *(figures[name].text for name in ("chance", "leads", "gap")),
        pack_contents.action,
        *pack_contents.caveats,
        "Wins to expect",
    ]
    places, place = [], 0
    for part in order:
        place = said.index(part, place)
        places.append(place)
    assert places == sorted(places)


def test_the_bars_are_as_long_as_the_numbers(each_kind):
    text = page(each_kind)
    most = each_kind.funnel["total"].max()
    wide = [float(n) for n in re.findall(r'width="([\d.]+)%" height="100%"/>', text)]
    drawn = [n for n in wide if n != 100 or most == 0]
    parts = (100 * each_kind.funnel[list(rows.PARTS)] / most).to_numpy().ravel()
    assert sum(wide) - 100 * len(each_kind.funnel) == pytest.approx(sum(parts), abs=0.1)
    assert max(drawn, default=0) <= 100
    tall = [float(n) for n in re.findall(r'width="100%" height="([\d.]+)%"/>', text)]
    leads = each_kind.months["leads"]
    assert tall[: len(leads)] == pytest.approx(
        (100 * leads / max(leads.max(), 1)).tolist(), abs=0.01
    )


def test_the_policy_allows_its_own_style_and_nothing_else(pack_contents):
    text = page(pack_contents)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'"
    )
    assert "url(" not in style
    assert "@import" not in style


def test_it_links_to_the_other_files_and_nowhere_else(pack_contents):
    reader = Reader(page(pack_contents))
    assert [attrs["href"] for attrs in reader.named("a")] == list(OTHERS)
    assert set(OTHERS) == {"what-if.html", "plan.xlsx", "deck.pptx", "report.pdf"}
    assert not [attrs for _, attrs in reader.elements if {"src", "style", "srcset"} & set(attrs)]


def test_what_changed_and_the_stamp(changed, pack_contents):
    text = page(changed)
    said = said_in(text)
    reader = Reader(text)
    assert [
        ["", "Before", "Now"],
        ["Leads to create", "800", "732"],
        ["Win rate", "28%", "42%"],
    ] in (reader.tables)
    assert [["Driver", "Effect"], ["volume", "−$1.2K"], ["churn", "+$90"]] in reader.tables
    moved = ["d1", "won", "Proposal", "Won", "<img src=x onerror=alert(1)>", "Pat"]
    assert any(moved in table for table in reader.tables)
    assert not reader.named("img")
    for part in ("Since 1 August the chance rose", "the plan of July is not known", rows.STAMP):
        assert part in said
    assert rows.STAMP not in page(pack_contents)
    assert "What changed" not in page(pack_contents)


def test_who_cannot_see_finds_the_way(changed):
    reader = Reader(page(changed))
    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - level <= 1 for level, after in pairwise(levels))
    assert all(attrs["scope"] in ("row", "col") for attrs in reader.named("th"))
    assert len(reader.named("caption")) == len(reader.named("table")) == len(reader.tables)
    drawn = reader.named("svg")
    assert drawn
    assert all(
        attrs.get("aria-hidden") == "true" for attrs in drawn
    )  # each has its number in words
    assert reader.named("html") == [{"lang": "en"}]
    ids = [attrs["id"] for _, attrs in reader.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert len(reader.named("summary")) == len(reader.named("details"))
    for landmark in ("header", "main", "nav", "footer"):
        assert len(reader.named(landmark)) == 1


def test_hostile_names_stay_names(hostile_contents):
    text = page(hostile_contents)
    tags = {tag for tag, _ in Reader(text).elements}
    assert not tags & {"script", "img", "iframe", "object", "form", "base"}
    assert not [name for _, attrs in Reader(text).elements for name in attrs if name[:2] == "on"]
    assert not set(text) & set("\u202e\u202c\u2028\u2029\x00\x1b")
    assert max(len(word) for word in said_in(text).split()) < 130
    assert "__proto__" in said_in(text)
    assert privacy.findings(text) == []


def test_the_same_contents_give_the_same_bytes(each_kind, tmp_path):
    written = [tmp_path / name for name in ("index.html", "other.html")]
    for path in written:
        write_still(each_kind, path)
    assert written[0].read_bytes() == written[1].read_bytes()
    assert b"\r" not in written[0].read_bytes()
    assert written[0].stat().st_size < 200_000
    refuse_if_private(written)


@pytest.mark.browser
@pytest.mark.skipif(missing is not None, reason=str(missing))
class TestInABrowser:
    """How it opens from the disk: at once, whole, at any width, in the dark and on paper."""

    @pytest.mark.parametrize("name", ["changed", "hostile_contents"])
    @pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
    def test_it_opens_without_asking_for_anything(self, name, width, dark, request, tmp_path):
        path = tmp_path / "index.html"
        write_still(request.getfixturevalue(name), path)
        asked = []
        with lab.open_browser(tmp_path, width=width, dark=dark) as browser:
            browser.page.on("request", lambda asking: asked.append(asking.url))
            browser.page.goto(path.as_uri())
            across = browser.page.evaluate("document.documentElement.scrollWidth")
            hacked = browser.page.evaluate("window.hacked === undefined")
            paper = browser.page.evaluate("getComputedStyle(document.body).backgroundColor")
            action = browser.page.locator(".next").bounding_box()
            browser.screenshot(f"still_{name}_{width}{'_dark' if dark else ''}")
        assert asked == [path.as_uri()]
        assert (browser.offsite, browser.errors) == ([], [])
        assert hacked
        assert across == width
        assert (paper == "rgb(255, 255, 255)") != dark
        if width == 1280 and name == "changed":
            assert action["y"] + action["height"] < 800  # the answer without scrolling

    def test_a_number_opens_its_definition_by_keyboard(self, pack_contents, tmp_path):
        path = tmp_path / "index.html"
        write_still(pack_contents, path)
        with lab.open_browser(tmp_path) as browser:
            browser.page.goto(path.as_uri())
            said = browser.page.get_by_text(pack_contents.figures["chance"].definition)
            assert not said.is_visible()
            browser.page.locator(".chance summary").press("Enter")
            assert said.is_visible()
