"""The live page as a file: what it says, what it may do, and that names of any kind stay names."""

import base64
import hashlib
import html
import json
import re
from dataclasses import replace

import numpy as np

from workbench.report.pack.check import refuse_if_private
from workbench.report.pack.live import data, page, write_live
from workbench.report.pack.live_inputs import sliders

MOST_BYTES = 1_200_000


def blocks(text):
    """The data and the script of a page."""
    return re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL)


def words_of(text):
    """What a reader of the page sees, without marks."""
    return html.unescape(re.sub(r"<[^>]+>", "", text))


def hashed(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_its_own_style_and_script_and_nothing_else(pack_contents):
    text = page(pack_contents)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    _, script = blocks(text)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    assert policy == (
        f"default-src 'none'; script-src {hashed(script)}; style-src {hashed(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"innerHTML|insertAdjacent|document\.write|\beval\b|Function\(", script)
    assert re.findall(r"\s(?:src|href|action|style|on\w+)\s*=", words_free(text)) == []


def words_free(text):
    """A page without its data, style and script."""
    return re.sub(r"<(script|style)[^>]*>.*?</\1>", "", text, flags=re.DOTALL)


def test_each_kind_is_written_the_same_each_time_and_small(each_kind, tmp_path):
    one, other = tmp_path / "what-if.html", tmp_path / "again" / "what-if.html"
    other.parent.mkdir()
    write_live(each_kind, one)
    write_live(each_kind, other)
    assert one.read_bytes() == other.read_bytes()
    assert one.stat().st_size < MOST_BYTES
    assert b"\r" not in one.read_bytes()
    refuse_if_private([one])


def test_it_says_what_the_contents_say(each_kind):
    said = words_of(words_free(page(each_kind)))
    for figure in each_kind.figures.values():
        for part in (figure.label, figure.text, figure.definition, figure.formula, figure.n):
            assert part in said, part
    for part in (each_kind.title, each_kind.answer, each_kind.action, str(each_kind.origin)):
        assert part in said
    for caveat in each_kind.caveats:
        assert caveat in said


def test_the_error_of_the_chance_is_said_and_not_less_than_it_is(each_kind):
    said = float(re.search(r"within ([\d.]+) points", page(each_kind))[1])
    assert each_kind.off <= said / 100 <= each_kind.off + 0.001


def test_the_tables_are_the_what_ifs(each_kind):
    found = json.loads(blocks(page(each_kind))[0])
    plain = each_kind.what_if.plain()
    labels = plain.pop("labels")
    assert found["tables"] == json.loads(json.dumps(plain))
    assert found["labels"] == labels


def test_the_stamp_is_there_when_names_are(pack_contents):
    assert "Contains names" not in page(pack_contents)
    assert "Contains names of deals and sellers" in page(replace(pack_contents, names=True))


def test_only_what_is_known_can_be_moved(each_odd):
    inputs, names = each_odd.what_if.inputs, {each.name for each in sliders(each_odd)}
    assert ("deal_value" in names) == (not np.isnan(inputs.deal_value))
    assert ("annual_churn" in names) == (not np.isnan(inputs.annual_churn))
    assert sum(name.startswith("rate-") for name in names) == len(inputs.rates)


def test_a_slider_reaches_around_the_plan(each_kind):
    for each in sliders(each_kind):
        shown = each.value * each.scale
        assert each.low < shown < each.high, each.name
        assert 20 <= (each.high - each.low) / each.by <= 2_000, each.name
        assert each.low >= 0
        if each.band:
            assert each.low <= each.band[0] <= each.band[1] <= each.high
        if each.unit == "%":
            assert each.high <= 100


def test_history_with_its_interval_stands_beside_a_rate(pack_contents):
    rate = next(each for each in sliders(pack_contents) if each.name == "rate-0")
    assert (rate.label, rate.note) == ("Leads → Discovery", "history 16.1% (14.5–17.8%), n = 1,995")
    rows = pack_contents.rates.assign(history=np.nan, low=np.nan, high=np.nan, x=np.nan, n=3)
    few = next(e for e in sliders(replace(pack_contents, rates=rows)) if e.name == "rate-0")
    assert (few.note, few.band) == ("history: fewer than 5 records", None)


def test_hostile_names_stay_names(hostile_contents):
    text = page(hostile_contents)
    assert len(blocks(text)) == text.count("</script>") == 2
    assert "<img" not in text
    assert "W" * 600 not in words_free(text)
    assert not set(text) & set("\u202e\u202c\u2028\u2029\x00\x1b")
    found = json.loads(blocks(text)[0])
    assert found["tables"]["steps"] == hostile_contents.what_if.steps
    assert max(map(len, found["labels"])) <= 40


def test_the_data_cannot_end_its_element(pack_contents):
    for words in ("</script>", "<!--<script>", "]]>", "\u2028"):
        text = data(replace(pack_contents, action=words), sliders(pack_contents))
        assert "<" not in text
        assert "\u2028" not in text
        assert json.loads(text)["action"] in {words, "–"}
