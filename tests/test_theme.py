"""The look, the numbers and the way a chart reaches Lab, a widget and a page."""

import base64
import html
import itertools
import json
import re
from html.parser import HTMLParser

import altair as alt
import numpy as np
import pandas as pd
import pytest
import vl_convert

from workbench import theme

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


@pytest.fixture
def bars():
    """A bar chart with everything a reader needs: title, subtitle, description, axis titles."""
    rows = pd.DataFrame({"stage": ["Lead", "Demo", "Won"], "deals": [1234, 200, 60]})
    title = alt.Title("Deals by stage", subtitle="2026, n = 1,234")
    chart = alt.Chart(rows, title=title, description="Of 1,234 leads, 60 were won.")
    return chart.mark_bar().encode(x=alt.X("deals:Q", title="Deals"), y="stage:N")


@pytest.fixture
def clipped(bars):
    """A chart whose SVG needs generated ids, which Vega counts on from one drawing to the next."""
    return bars.mark_line(clip=True)


@pytest.fixture
def enabled():
    """Altair as `theme.enable` leaves it, put back afterwards."""
    looks, renderers = alt.theme.active, alt.renderers.active
    theme.enable()
    yield
    alt.theme.enable(looks)
    alt.renderers.enable(renderers)


@pytest.mark.usefixtures("enabled")
def test_a_notebook_gets_a_live_chart_a_drawing_and_a_line_of_text(bars):
    """Lab draws the first, viewers and pages the second, nbval and screen readers read the third."""
    bundle = bars._repr_mimebundle_()
    assert set(bundle) == {theme.LAB_MIME, "image/svg+xml", "text/plain"}
    assert bundle["text/plain"] == "chart: Deals by stage. Of 1,234 leads, 60 were won."
    assert bundle["image/svg+xml"].startswith("<svg")
    assert bundle[theme.LAB_MIME]["$schema"].endswith("/v5.8.0.json")
    assert bundle[theme.LAB_MIME]["config"]["background"] == theme.PAPER


@pytest.mark.usefixtures("enabled")
def test_the_same_chart_gives_the_same_bytes_every_time(clipped):
    """A stored notebook must not change because it was run again, or in another order."""
    first, second = (json.dumps(clipped._repr_mimebundle_()) for _ in range(2))
    assert "clip1" in first
    assert first == second


@pytest.mark.parametrize("vl_version", ["5.8", vl_convert.get_vegalite_versions()[-1]])
def test_old_and_new_vega_lite_draw_the_theme_without_a_warning(bars, vl_version, capfd):
    """Lab bundles 5.6, Altair speaks 6: the theme must be understood by both ends."""
    with alt.theme.enable(theme.NAME):
        spec = bars.to_dict()
    spec["$schema"] = f"https://vega.github.io/schema/vega-lite/v{vl_version}.0.json"
    drawn = vl_convert.vegalite_to_svg(spec, vl_version=vl_version, show_warnings=True)
    assert capfd.readouterr().err == ""
    assert theme.ACCENT in drawn
    assert "Deals by stage" in drawn
    assert ">1,200<" in drawn


def test_a_chart_has_the_fixed_width_and_the_font_that_is_the_same_everywhere(bars):
    """Fixed width and a font that vl-convert carries: no machine draws it differently."""
    drawn = theme.svg(bars)
    width = int(re.search(r'<svg[^>]* width="(\d+)"', drawn)[1])
    assert theme.WIDTH < width < 800
    assert set(re.findall(r'font-family="([^"]+)"', drawn)) == {theme.CHART_FONT}


def test_the_live_chart_offers_no_button_that_sends_data_away(bars):
    """Vega's own menu posts the data to its online editor."""
    embed = theme.mime_bundle(bars.to_dict())[theme.LAB_MIME]["usermeta"]["embedOptions"]
    assert embed["actions"]["editor"] is False


def test_the_specification_handed_in_is_not_changed(bars):
    """Altair may reuse it."""
    spec = bars.to_dict()
    before = json.dumps(spec)
    theme.mime_bundle(spec)
    assert json.dumps(spec) == before


def test_a_chart_that_would_load_its_data_from_elsewhere_is_refused():
    """A drawing must need nothing but what is in it."""
    away = alt.Chart("https://example.com/deals.csv").mark_point().encode(x="a:Q")
    with pytest.raises(ValueError, match="not allowed"):
        theme.svg(away)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        pytest.param({}, "chart: ", id="nothing said"),
        pytest.param({"title": "A"}, "chart: A", id="title"),
        pytest.param({"title": {"text": ["A", "b"]}}, "chart: A b", id="title of two lines"),
        pytest.param({"title": "A", "description": "B\nc."}, "chart: A. B c.", id="one line"),
        pytest.param({"layer": [{}, {"title": "A"}]}, "chart: A", id="title of a layer"),
    ],
)
def test_caption(spec, said):
    """One line, whatever the title is made of."""
    assert theme.caption(spec) == said


def test_words_from_a_crm_cannot_leave_the_picture_element():
    """`ipywidgets.HTML` shows raw HTML, and a deal may be named anything."""
    rows = pd.DataFrame({"stage": [HOSTILE], "deals": [1]})
    chart = alt.Chart(rows).mark_bar().encode(x="deals:Q", y="stage:N")
    seen = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: seen.append((tag, dict(attributes)))
    parser.handle_data = lambda data: seen.append((data, {}))
    parser.feed(theme.image(chart, HOSTILE))
    ((tag, attributes),) = seen
    assert (tag, set(attributes)) == ("img", {"alt", "style", "src"})
    assert attributes["alt"] == HOSTILE
    drawn = base64.b64decode(attributes["src"].partition(",")[2]).decode()
    assert "<script" not in drawn
    assert html.escape("<script>", quote=False) in drawn


NUMBERS = [0, 0.016, 0.5, 2.5, 12.5, 950, 999.4, 999.5, 1234, 12_345, 999_499, 999_500, 1_250_000]
NUMBERS += [3e9, 4.5e12, -0.3, -12_345]
LABELS = {"money": theme.money_label("€"), "whole": theme.WHOLE_LABEL, "share": theme.PERCENT_LABEL}
WRITERS = {
    "money": lambda value: theme.money_text(value, "€"),
    "whole": theme.whole_text,
    "share": theme.percent_text,
}


@pytest.mark.parametrize("kind", LABELS)
def test_a_chart_and_a_table_write_a_number_alike(kind):
    """The same figure in two spellings makes people look for a difference."""
    rows = [{"value": value, "at": place} for place, value in enumerate(NUMBERS)]
    chart = alt.Chart(alt.Data(values=rows)).transform_calculate(label=LABELS[kind]).mark_text()
    drawn = theme.svg(chart.encode(y=alt.Y("at:O", axis=None), text="label:N"))
    said = [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]+)</text>", drawn)]
    assert said == [WRITERS[kind](value) for value in NUMBERS]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
def test_a_missing_number_is_a_dash_never_zero(write, missing):
    """Null is not 0."""
    assert write(missing) == "–"


# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
SIGHT = {
    "full": "1 0 0 / 0 1 0 / 0 0 1",
    "no red cones": "0.152286 1.052583 -0.204868 / 0.114503 0.786281 0.099216 / "
    "-0.003882 -0.048116 1.051998",
    "no green cones": "0.367322 0.860646 -0.227968 / 0.280085 0.672501 0.047413 / "
    "-0.011820 0.042940 0.968881",
    "no blue cones": "1.255528 -0.076749 -0.178779 / -0.078411 0.930809 0.147602 / "
    "0.004733 0.691367 0.303900",
}


def linear(colour):
    """Return a hex colour as linear RGB, 0 to 1."""
    share = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lab_colour(rgb):
    """Return linear RGB in CIE L*a*b*, where a distance of about 2 can just be seen."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    white = np.array([0.9505, 1, 1.089])
    x, y, z = np.cbrt(np.clip(np.array(to_xyz) @ np.clip(rgb, 0, 1) / white, 0.008856, None))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHT)
def test_the_categories_stay_apart_for_colour_blind_readers(sight):
    """Every pair keeps a clear distance, as one person in twelve sees it."""
    matrix = np.array([row.split() for row in SIGHT[sight].split("/")], dtype="float64")
    seen = [lab_colour(matrix @ linear(colour)) for colour in theme.CATEGORIES]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 15


@pytest.mark.parametrize("name", ["ACCENT", "INPUT", "RESULT", "WARN", "INK", "MUTED"])
def test_text_colours_can_be_read_on_white(name):
    """WCAG AA asks a contrast of 4.5."""
    luminance = linear(getattr(theme, name)) @ [0.2126, 0.7152, 0.0722]
    assert 1.05 / (luminance + 0.05) >= 4.5
