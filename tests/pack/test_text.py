"""Words from a CRM in one line: what is unseen goes, what is too long is cut, what is seen stays."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.report.pack.text import clean


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("Demo held", "Demo held", id="plain words stay"),
        pytest.param("<script>=1+1</script>", "<script>=1+1</script>", id="the writer escapes"),
        pytest.param("a\tb\r\nc\u2028d\u2029e\u00a0f", "a b c d e f", id="breaks are blanks"),
        pytest.param("a\u202eb\u2066c\u200fd\ufeffe", "abcde", id="marks of direction go"),
        pytest.param("a\x00b\x1bc\x85d\x7f", "abc d", id="control characters go"),
        pytest.param("a\ud800b\ufffec\uffff", "abc", id="what XML forbids goes"),
        pytest.param("می\u200cخواهم 👩\u200d💻", "می\u200cخواهم 👩\u200d💻", id="joiners stay"),
        pytest.param("", "–", id="nothing"),
        pytest.param("\u200e \x00", "–", id="nothing that is seen"),
        pytest.param("x" * 61, "x" * 59 + "…", id="long"),
    ],
)
def test_clean(text, shown):
    assert clean(text) == shown


@given(st.text(max_size=300), st.integers(1, 40))
def test_it_is_short_one_line_of_what_can_be_seen(text, most):
    shown = clean(text, most)
    assert 1 <= len(shown) <= most
    assert shown.splitlines() == [shown]
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert clean(shown, most) == shown


def test_a_long_text_takes_no_time():
    assert len(clean("\u202e" * 10_000_000 + "a")) == 1
