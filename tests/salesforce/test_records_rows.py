"""REST and Bulk answers become the same frame of text, and nothing in a value is lost."""

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import ConnectorError
from connectors.salesforce.records.rows import csv_rows, rows_of

RECORDED = Path(__file__).parents[2].parent / "shared" / "recorded" / "salesforce"
FIELDS = ["Id", "Name", "Owner.Name"]


def written(rows, header=FIELDS):
    """CSV as Bulk writes it: every value in quotes."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([header, *rows])
    return out.getvalue().encode()


def plain(frame):
    """Rows with None for missing."""
    return frame.astype("object").where(frame.notna(), None).values.tolist()


@pytest.mark.parametrize(
    ("value", "read"),
    [
        pytest.param("NA", "NA", id="no missing word"),
        pytest.param("null", "null", id="the word null"),
        pytest.param("nan", "nan", id="the word nan"),
        pytest.param("", None, id="empty is missing"),
        pytest.param("01234", "01234", id="zip code"),
        pytest.param("true", "true", id="flag stays text"),
        pytest.param("a\nb\r\nc", "a\nb\r\nc", id="newlines"),
        pytest.param('say "hi", ok', 'say "hi", ok', id="quotes and commas"),
        pytest.param("é 漢 😀", "é 漢 😀", id="any script"),
        pytest.param("x" * 200_000, "x" * 200_000, id="long"),
        pytest.param("2026-03-08", "2026-03-08", id="day stays text"),
        pytest.param(" a ", " a ", id="blanks"),
    ],
)
def test_values_of_a_bulk_result(value, read):
    """Text in, text out."""
    page = csv_rows(written([["1", value, "x"]]), FIELDS)
    assert plain(page.frame) == [["1", read, "x"]]
    assert page.cleaned == []


def test_nul_signs_are_removed_and_listed():
    """The record and field are told; what was nothing but NUL is missing."""
    content = written([["1", "a~b", "~"], ["2", "c", "d"]]).replace(b"~", b"\0")
    page = csv_rows(content, FIELDS)
    assert plain(page.frame) == [["1", "ab", None], ["2", "c", "d"]]
    assert page.cleaned == [("1", "Name"), ("1", "Owner.Name")]


@pytest.mark.parametrize("content", [b"", b"\n", written([])], ids=["empty", "blank", "header"])
def test_no_rows(content):
    """Zero rows come with a header or with nothing at all."""
    frame = csv_rows(content, FIELDS).frame
    assert list(frame) == FIELDS
    assert len(frame) == 0
    assert (frame.dtypes == "str").all()


def test_a_page_without_its_header():
    """Some servers send the header on the first page only."""
    content = written([["1", "a", "b"]], header=["0", "x", "y"])
    assert plain(csv_rows(content, FIELDS).frame) == [["0", "x", "y"], ["1", "a", "b"]]


def test_columns_in_another_order():
    """The header says which is which, in any case of letters."""
    content = written([["a", "1", "b"]], header=["NAME", "id", "Owner.Name"])
    assert plain(csv_rows(content, FIELDS).frame) == [["1", "a", "b"]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(written([], ["Id", "Name", "Extra"]), "lacks the column", id="other column"),
        pytest.param(b'"Id","Name"\n"1","a"\n', "no CSV of 3 columns", id="too few columns"),
        pytest.param(written([["1", "a", "b"]])[:-4], "ends within", id="cut between values"),
        pytest.param(written([["1", "a", "b"]])[:-2], "ends within", id="cut within a value"),
        pytest.param(b"<html>busy</html>", "no CSV", id="a page"),
        pytest.param(written([["1", "a", "b"]]).replace(b"a", b"\xff"), "UTF8", id="no UTF-8"),
    ],
)
def test_what_is_no_result_is_refused(content, words):
    """Never read as fewer rows, or as other ones."""
    with pytest.raises(ConnectorError, match=words):
        csv_rows(content, FIELDS)


def test_values_of_rest_records():
    """Null, flags, numbers and parents."""
    record = {
        "attributes": {"type": "Opportunity"},
        "Id": "1",
        "Amount": 1200.0,
        "Count": 7,
        "IsWon": False,
        "Name": "",
        "Owner": {"attributes": {}, "Name": "Ann", "Role": None},
    }
    fields = ["Id", "Amount", "Count", "IsWon", "Name", "Owner.Name", "Owner.Role.Name", "Gone"]
    assert plain(rows_of([record], fields)) == [
        ["1", "1200.0", "7", "false", None, "Ann", None, None]
    ]
    assert (rows_of([], fields).dtypes == "str").all()


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.tuples(texts, texts, texts)))
def test_rest_and_bulk_give_the_same_frame(rows):
    """Whatever the texts are."""
    records = [
        {"Id": f"0{place}", "Name": name, "Owner": {"Name": owner}}
        for place, (_, name, owner) in enumerate(rows)
    ]
    cells = [[one["Id"], one["Name"], one["Owner"]["Name"]] for one in records]
    by_rest = rows_of(records, FIELDS)
    pd.testing.assert_frame_equal(csv_rows(written(cells), FIELDS).frame, by_rest)


@pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the recorded bodies do not lie beside this checkout"
)
def test_recorded_answers():
    """A bulk result of the documentation, and users as an org once answered."""
    content = (RECORDED / "docs_examples" / "bulk2_results.csv").read_bytes()
    assert csv_rows(content, ["Id", "Name"]).frame["Name"].tolist()[0] == "Jane Dunn"
    calls = json.loads((RECORDED / "cumulusci" / "Organization.record.json").read_text("utf-8"))
    frame = rows_of([calls], ["Id", "TimeZoneSidKey", "Division"])
    assert plain(frame) == [["00D0xORGID00000000", "America/Los_Angeles", None]]
