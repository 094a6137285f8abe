"""The page for leadership: what it shows, what it leaves out, what it refuses, and how it opens."""

import base64
import hashlib
import html
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import altair as alt
import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from workbench import theme
from workbench.report import markup, privacy, static_page

harness = spec_from_file_location("lab", Path(__file__).with_name("lab.py"))
lab = module_from_spec(harness)
harness.loader.exec_module(lab)

missing = lab.chromium_missing_reason()
in_browser = [pytest.mark.browser, pytest.mark.skipif(missing is not None, reason=str(missing))]

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SECRETS = {
    "e-mail address": "pat@example.com",
    "access token": "Bearer abcdefghijklmnop0123",
    "password or secret": "client_secret=hunter2hunter2",
    "path of a computer": "/home/pat/deals.csv",
}


def shown(data, **rest):
    """Return a run cell that shows one value."""
    output = new_output("execute_result", data=data, execution_count=1)
    return new_code_cell("hidden_code()", outputs=[output], execution_count=1, **rest)


def printed(text, name="stdout"):
    """Return a run cell that prints."""
    stream = new_output("stream", name=name, text=text)
    return new_code_cell("print(hidden_code)", outputs=[stream], execution_count=1)


def chart():
    """Return what a notebook stores for a chart of three stages."""
    rows = pd.DataFrame({"stage": ["Lead", "Demo", "Won"], "deals": [1234, 200, 60]})
    drawn = alt.Chart(rows, title="Deals by stage", description='Of "1,234" leads, 60 were won.')
    with alt.theme.enable(theme.NAME):
        spec = drawn.mark_bar().encode(x=alt.X("deals:Q", title="Deals"), y="stage:N").to_dict()
    return theme.mime_bundle(spec)


@pytest.fixture
def page(tmp_path):
    """Return a function: cells in, the text of the page out."""

    def render(*cells, **options):
        nbformat.write(new_notebook(cells=list(cells)), tmp_path / "plan.ipynb")
        made = static_page.render(tmp_path / "plan.ipynb", tmp_path / "plan.html", **options)
        data = made.path.read_bytes()
        assert made.size == len(data)
        return data.decode()

    return render


def body(text):
    """Return what stands between the head and the foot of a page."""
    return text.partition("<main>")[2].partition("</main>")[0]


def test_prose_prints_tables_and_charts_stay_and_code_goes(page):
    """The story of a plan, without its machinery."""
    table = pd.DataFrame({"n": [60, 41]}, index=["needed", "now"])._repr_html_()
    text = page(
        new_markdown_cell("# Plan for 2027\n\nWhat it **takes**."),
        printed("as of 2026-11-22 · n = 412\n"),
        shown({"text/html": table, "text/plain": "   n"}),
        shown(chart()),
        shown({"text/plain": "160"}),
        shown({"text/markdown": "*Fine.*", "text/plain": "x"}),
    )
    assert "<h1>Plan for 2027</h1>" in text
    assert text.count("Plan for 2027") == 2  # the title of the window, and the page's own
    assert "<strong>takes</strong>" in text
    assert "<pre>as of 2026-11-22 · n = 412</pre>" in text
    assert "<td>60</td>" in text
    assert "<pre>160</pre>" in text
    assert "<em>Fine.</em>" in text
    assert "hidden_code" not in text
    assert 'alt="Deals by stage. Of &quot;1,234&quot; leads, 60 were won."' in text
    drawn = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', text)[1]
    assert b"Deals by stage" in base64.b64decode(drawn)


def test_the_page_loads_and_runs_nothing(page):
    """No script, no address, and a policy that forbids both, down to the page's own style."""
    text = page(
        new_markdown_cell("[Source](https://example.com/a) ![p](https://example.com/b.png)")
    )
    assert "<script" not in text
    assert re.findall(r"(?:src|href|srcset|action)\s*=\s*[\"']?(?:https?:)?//", text) == []
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    assert policy.split("; ")[:3] == [
        "default-src 'none'",
        "img-src data:",
        f"style-src 'sha256-{digest}'",
    ]
    assert "Source (https://example.com/a)" in text  # can be read and typed, is not followed


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">go</a>',
    "<svg onload=alert(1)>",
    "<style>body{display:none}</style>",
    '<table><tr><td style="x" onclick="alert(1)">1</td></tr></table>',
    '<iframe src="https://example.com"></iframe>',
    '"><meta http-equiv="refresh" content="0;url=https://example.com">',
    "[go](javascript:alert(1))",
    "![x](javascript:alert(1))",
    '[x](https://example.com/"onmouseover="alert(1))',
    "</section></main><script>alert(1)</script>",
]


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("place", ["markdown", "print", "html", "text", "alt", "title"])
def test_hostile_words_stay_words(page, place, words):
    """A deal may be named anything; its name is shown or dropped, never obeyed."""
    cell = {
        "markdown": new_markdown_cell(words),
        "print": printed(words),
        "html": shown({"text/html": f"<p>ok</p>{words}"}),
        "text": shown({"text/plain": words}),
        "alt": shown({"image/png": PNG, "text/plain": f"chart: {words}"}),
        "title": new_markdown_cell("ok"),
    }[place]
    text = page(cell, title=words if place == "title" else "Plan")
    assert privacy.findings(text) == []
    tags = set(re.findall(r"<([a-z0-9]+)", text.partition("</style>")[2]))
    assert tags <= {"body", "header", "h1", "main", "section", "footer", "figure", "img"} | {
        *("p", "pre", "div", "table", "tbody", "tr", "td")
    }


def test_an_analysts_cells_parameters_widgets_and_warnings_are_left_out(page):
    """They are for the one who works, not for those who decide."""
    text = page(
        new_markdown_cell("kept"),
        new_markdown_cell("secret thought", metadata={"tags": ["analyst-only"]}),
        shown({"text/plain": "raw rows"}, metadata={"tags": ["analyst-only", "x"]}),
        shown({"text/plain": "target 60"}, metadata={"tags": ["injected-parameters"]}),
        shown({"text/plain": "default 50"}, metadata={"tags": ["parameters"]}),
        shown({static_page.WIDGET: {"model_id": "1"}, "text/plain": "IntSlider()"}),
        printed("DeprecationWarning", name="stderr"),
        new_markdown_cell("<!-- a note to self -->"),
    )
    assert re.sub(r"<[^>]*>|\s", "", body(text)) == "kept"
    assert body(text).count("<section") == 1


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        pytest.param([new_code_cell("1")], "has not been run", id="not run"),
        pytest.param(
            [
                new_markdown_cell("a"),
                new_code_cell(
                    "boom", outputs=[new_output("error", ename="E", evalue="pat@example.com")]
                ),
            ],
            "cell 2 of plan.ipynb ended in an error",
            id="error",
        ),
        pytest.param(
            [shown({"text/html": "<div id='vis'></div><script>draw()</script>"})],
            r"cell 1 .*theme\.enable\(\)",
            id="chart that needs a script",
        ),
        pytest.param(
            [shown({theme.LAB_MIME: {}, "text/plain": "<VegaLite 5 object>"})],
            r"cell 1 .*theme\.enable\(\)",
            id="chart without a drawing",
        ),
    ],
)
def test_a_notebook_that_is_not_ready_is_refused(page, tmp_path, cells, said):
    """Better no page than half of one; what an error said is not repeated."""
    with pytest.raises(static_page.NotebookError, match=said) as refused:
        page(*cells)
    assert "pat@example.com" not in str(refused.value)
    assert not (tmp_path / "plan.html").exists()


def test_blank_output_shows_nothing(page):
    """An empty HTML value has no words, and its Python name is of no use to anyone."""
    text = page(shown({"text/html": "<div> </div>", "text/plain": "<HTML object>"}))
    assert body(text).strip() == ""


def test_a_file_that_is_no_notebook_and_a_page_over_its_notebook_are_refused(tmp_path):
    """Both would end in tears."""
    (tmp_path / "plan.ipynb").write_text("not json", encoding="utf-8")
    with pytest.raises(static_page.NotebookError, match=r"plan\.ipynb is not a notebook"):
        static_page.render(tmp_path / "plan.ipynb", tmp_path / "plan.html")
    with pytest.raises(static_page.NotebookError, match="would replace"):
        static_page.render(tmp_path / "plan.ipynb", tmp_path / "plan.ipynb")


@pytest.mark.parametrize(("kind", "words"), SECRETS.items())
@pytest.mark.parametrize("place", ["print", "table", "drawing", "alt"])
def test_private_content_is_refused_and_not_repeated(page, tmp_path, kind, words, place):
    """In plain text, in a table, in the words of a drawing and in its description."""
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><text>{html.escape(words)}</text></svg>'
    cell = {
        "print": printed(f"ask {words} today"),
        "table": shown({"text/html": pd.DataFrame({"a": [words]})._repr_html_()}),
        "drawing": shown({"image/svg+xml": svg, "text/plain": "chart: x"}),
        "alt": shown({"image/png": PNG, "text/plain": f"chart: {words}"}),
    }[place]
    (tmp_path / "plan.html").write_text("the last good page", encoding="utf-8")
    with pytest.raises(privacy.PrivateContentError) as refused:
        page(new_markdown_cell("fine"), cell)
    message = str(refused.value)
    assert f"{kind} (1) in cell 2" in message
    value = words.rpartition("=")[2]
    assert not any(value[at : at + 5] in message for at in range(len(value) - 4))
    assert (tmp_path / "plan.html").read_text(encoding="utf-8") == "the last good page"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        pytest.param("a<b class='x'>@</b>b.com", ["e-mail address"], id="split by a tag"),
        pytest.param("a&#64;b.com", ["e-mail address"], id="written as an entity"),
        pytest.param("Pat <pat@example.com>", ["e-mail address"], id="plain text"),
        pytest.param("<!-- pat@example.com -->", ["e-mail address"], id="comment"),
        pytest.param("00D5g000004abcd!AQ8AQabcdefg", ["access token"], id="Salesforce session"),
        pytest.param(
            "pat-na1-1a2b3c4d-1111-2222-3333-444455556666", ["access token"], id="HubSpot"
        ),
        pytest.param("C:\\Users\\Pat", ["path of a computer"], id="Windows"),
        pytest.param("<td>x</td><td>/home/a</td>", ["path of a computer"], id="next to a cell"),
        pytest.param("<img src=x onerror=y>", ["script"], id="event"),
        pytest.param("<a href='java&#115;cript:x'>", ["script"], id="hidden script address"),
        pytest.param("<link href=//example.com>", ["load from outside"], id="no scheme"),
        pytest.param("<p style='background:url(//x)'>", ["load from outside"], id="style"),
        pytest.param("<a href=https://example.com>", ["link to outside"], id="link"),
        pytest.param("&lt;script&gt;", [], id="escaped words are words"),
        pytest.param("34 % of 1,234 n/a; and/or 3/4; token 3", [], id="ordinary numbers"),
        pytest.param("win rate = 34, GET /crm/v3/objects/deals", [], id="an API is no path"),
    ],
)
def test_findings(text, kinds):
    """What the last look sees, and what it leaves alone."""
    assert [found.kind for found in privacy.findings(text)] == kinds


def test_a_page_may_be_allowed_what_it_needs_by_name_only():
    """The live page has scripts; a typing slip must not allow nothing in silence."""
    privacy.refuse_if_private("<script>1</script>", allow={"script"})
    with pytest.raises(ValueError, match=r"no such kind\(s\).*scripts"):
        privacy.refuse_if_private("", allow={"scripts"})


def test_tables_read_well(page):
    """Words to the left, missing as a dash, one line of headings, wide ones scroll alone."""
    frame = pd.DataFrame({"value": [0.5, None], "note": ["", "no deal closed"]})
    frame.index = pd.Index(["Partner", "Event"], name="source")
    text = page(shown({"text/html": frame._repr_html_()}))
    assert "<tr><th>source</th><th>value</th>" in text
    assert '<td>–</td><td class="words">no deal closed</td>' in text
    assert 'role="region" aria-label="Table" tabindex="0"><table>' in text
    assert "NaN" not in text


def test_a_progress_bar_and_terminal_colours_leave_plain_text():
    """Only the last state of a line that was written over and over."""
    assert markup.printed("0 %\r50 %\r\x1b[32m100 %\x1b[0m\nrows\r\n") == "<pre>100 %\nrows</pre>"


def test_the_same_notebook_gives_the_same_bytes(page):
    """No clock, no random id: a page can be compared with the last one."""
    cells = [new_markdown_cell("# Plan"), shown(chart())]
    assert page(*cells) == page(*cells)


def test_the_page_and_the_charts_share_their_colours():
    """One accent, one ink: page.css repeats what theme.py says."""
    css = Path(static_page.__file__).with_name("page.css").read_text(encoding="utf-8")
    for colour in (theme.ACCENT, theme.INK, theme.MUTED, theme.RULE, theme.PAGE_FONT):
        assert colour in css


@pytest.fixture
def story(page, tmp_path):
    """The path of a page with prose, a chart and a table wider than a telephone."""
    wide = pd.DataFrame({f"month {at}": [at * 1000] for at in range(14)})
    page(
        new_markdown_cell("# Plan for 2027\n\nWhat it takes."),
        printed("as of 2026-11-22 · source HubSpot · n = 412"),
        shown(chart()),
        shown({"text/html": wide._repr_html_()}),
    )
    return tmp_path / "plan.html"


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, False), (1280, True)])
class TestInABrowser:
    """Opened from the disk, as an attachment is."""

    pytestmark = in_browser

    def test_it_opens_offline_without_an_error_and_fits_the_screen(self, story, width, dark):
        """Nothing asked for, nothing blocked by its own policy, nothing wider than the screen."""
        with lab.open_browser(story.parent, width=width, dark=dark) as browser:
            asked = []
            browser.page.on("request", lambda request: asked.append(request.url))
            browser.page.goto(story.as_uri())
            drawn = browser.page.evaluate("document.querySelector('figure img').naturalWidth")
            across = browser.page.evaluate("document.documentElement.scrollWidth")
            ink = browser.page.evaluate("getComputedStyle(document.body).backgroundColor")
            browser.screenshot(f"static_page_{width}{'_dark' if dark else ''}")
        assert [url for url in asked if not url.startswith("data:")] == [story.as_uri()]
        assert browser.offsite == []
        assert browser.errors == []
        assert drawn > 600
        assert across <= width
        assert ink == ("rgb(21, 26, 32)" if dark else "rgb(255, 255, 255)")

    def test_it_prints(self, story, width, dark):
        """To PDF, from any of the screens."""
        with lab.open_browser(story.parent, width=width, dark=dark) as browser:
            browser.page.goto(story.as_uri())
            paper = browser.page.pdf(format="A4")
        assert paper.startswith(b"%PDF-")
        assert len(paper) > 10_000
