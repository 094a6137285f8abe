"""Canonical folders: CSV, Excel and Parquet files named like the tables come in whole."""

import io
from datetime import date, datetime

import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import FileError
from connectors.exports.csv_text import csv_rows
from connectors.exports.read_options import ReadOptions
from connectors.files import read_folder
from kpi.conform import CLEARED, KEPT, PROBLEMS, REJECTED, conform
from kpi.tables import TABLES


@pytest.fixture
def folder(tmp_path):
    """Write files by keyword-like names into a fresh folder and return it."""

    def write(files):
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            (tmp_path / name).write_bytes(data)
        return tmp_path

    return write


def test_a_canonical_folder_comes_back_as_it_was_written(folder, tmp_path):
    """What one import gives, written as CSV and as Parquet, is the same again."""
    first = read_folder(
        folder(
            {
                "deals.csv": "deal_id,stage_id,outcome,amount,created_at,close_date\n"
                "007,Demo,open,12.50,2026-01-02T03:04:05Z,2026-03-01\n8,Won,won,,,\n",
                "stages.csv": "object,stage_id,position,outcome,active\n"
                "deal,Demo,1,open,true\ndeal,Won,2,won,no\n",
                "costs.csv": "month,amount\n2026-01-01,-5\n",
                "as_of.txt": "2026-02-01\nwritten by hand\n",
                "definitions.toml": 'time_zone = "Europe/Berlin"\n',
                "notes.md": "nothing",
            }
        )
    )
    assert first.as_of == date(2026, 2, 1)
    assert first.window_start is None
    assert first.definitions is not None
    assert first.source == tmp_path.name
    assert first.report.problems.empty
    assert first.report.failed_joins.empty
    assert first.report.files_not_used == ("notes.md",)
    for suffix, write in (("csv", "to_csv"), ("parquet", "to_parquet")):
        again = tmp_path / suffix
        again.mkdir()
        for name, frame in first.frames.items():
            getattr(frame, write)(again / f"{name}.{suffix}", index=False)
        second = read_folder(again)
        assert list(second.frames) == list(first.frames) == ["stages", "deals", "costs"]
        for name, frame in first.frames.items():
            pd.testing.assert_frame_equal(second.frames[name], frame)


def test_frames_have_the_columns_of_the_contract(folder):
    """A frame holds every canonical column, in order, whatever the file has."""
    frames = read_folder(folder({"LEADS.CSV": "lead_id\nA\n"})).frames
    assert frames["leads"].columns.tolist() == TABLES["leads"].names


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("\ufeffdeal_id,name\n007,é\n".encode(), id="UTF-8 with a mark"),
        pytest.param("deal_id,name\n007,é\n".encode(), id="UTF-8 without"),
        pytest.param("deal_id,name\r\n007,é".encode(), id="CRLF, no newline at the end"),
        pytest.param("deal_id;name\n007;é\n".encode(), id="semicolons"),
        pytest.param('"deal_id";"name";"a, b"\n007;é;\n'.encode(), id="comma inside a quoted name"),
        pytest.param("deal_id\tname\n007\té\n".encode("utf-16"), id="UTF-16 with tabs"),
        pytest.param("\n\ndeal_id,name\n007,é\n\n".encode(), id="blank lines"),
        pytest.param(b"deal_id,name,,\n007,\xc3\xa9,,\n", id="empty columns at the end"),
    ],
)
def test_the_same_csv_in_many_clothes(folder, content):
    """Marks, line ends and delimiters do not change what is read; 007 stays 007."""
    deals = read_folder(folder({"deals.csv": content})).frames["deals"]
    assert deals[["deal_id", "name"]].to_dict("list") == {"deal_id": ["007"], "name": ["é"]}


def test_words_that_look_like_nothing_stay_words(folder):
    """NA, None and null are names of people and places; only an empty cell is missing."""
    names = ["NA", "None", "null", "NaN", "#N/A", "-"]
    rows = "".join(f"{n},{name}\n" for n, name in enumerate(names))
    deals = read_folder(folder({"deals.csv": f"deal_id,name\n{rows}9,\n"})).frames["deals"]
    assert deals["name"].tolist()[:-1] == names
    assert deals["name"].isna().sum() == 1


def test_hostile_text_stays_text(folder):
    """Formulas and markup are kept letter by letter, and shown without control characters."""
    ids = ["=cmd|' /C calc'!A0", "+1+1", "@SUM(A1)"]
    name = "<script>alert(1)</script>\x1b[2J\u202e"
    lines = "".join(f'"{i}",{name},{name}\n' for i in ids)
    found = read_folder(folder({"deals.csv": f"deal_id,name,amount\n{lines}"}))
    assert found.frames["deals"]["deal_id"].tolist() == ids
    assert found.frames["deals"]["name"].tolist() == [name] * 3
    shown = str(found.report)
    assert r"<script>alert(1)</script>\x1b[2J\u202e" in shown
    assert shown.replace("\n", "").isprintable()


def test_bad_values_and_rows_are_listed_with_their_row(folder):
    """Rejected rows and cleared values stand in the report, and the counts add up."""
    found = read_folder(
        folder(
            {
                "deals.csv": "deal_id,amount,close_date,note\n"
                "1,12,2026-01-01,\n\n,5,,\n3,abc,31/12/2026,\n4,-1,,\n1,7,,\n5,1,2,3,4,5\n6,1\n"
                '"Copyright by the CRM"\n'
            }
        )
    )
    listed = found.report.problems
    assert listed.columns.tolist() == PROBLEMS
    by_row = {
        (r, c): (v, a) for r, c, v, a in listed[["row", "column", "value", "action"]].to_numpy()
    }
    assert by_row[4, "amount"] == ("abc", CLEARED)
    assert by_row[4, "close_date"] == ("31/12/2026", CLEARED)
    assert by_row[5, "amount"] == ("-1", CLEARED)
    assert by_row[6, "deal_id"] == ("1", REJECTED)
    assert by_row[7, ""] == ("5 | 1 | 2 | 3 | 4 | 5", REJECTED)
    assert by_row[8, ""] == ("6 | 1", KEPT)
    assert by_row[9, ""] == ("Copyright by the CRM", REJECTED)
    assert by_row[3, "deal_id"][1] == REJECTED
    assert len(listed) == 8
    (row,) = found.report.summary.to_dict("records")
    assert row == {
        "table": "deals",
        "file": "deals.csv",
        "read": 8,
        "left_out": 0,
        "accepted": 4,
        "rejected": 4,
        "values_cleared": 3,
        "columns_not_used": "note",
    }
    text = str(found.report)
    assert "8 rows read, 4 accepted, 4 rejected, 3 values set to missing" in text
    assert "row 7 (5): 5 | 1 | 2 | 3 | 4 | 5" in text


def test_at_most_ten_examples_of_a_kind(folder):
    """A thousand equal problems do not fill the screen; the table has them all."""
    rows = "".join(f"{n},x{n}\n" for n in range(1000))
    report = read_folder(folder({"deals.csv": f"deal_id,amount\n{rows}"})).report
    assert len(report.problems) == 1000
    assert sum(": x" in line for line in str(report).splitlines()) == 10
    assert "and 990 more" in str(report)


def test_a_misspelt_column_is_pointed_out(folder):
    """A canonical file with a near miss says which column was probably meant."""
    report = read_folder(folder({"deals.csv": "deal_id,ammount\n1,2\n"})).report
    assert report.summary["columns_not_used"].tolist() == ["ammount"]
    assert "ammount -> 'amount'?" in str(report)


def test_empty_files(folder):
    """No header: the table is absent and listed; a header alone: an empty table."""
    found = read_folder(
        folder({"deals.csv": "", "leads.csv": "lead_id\n", "owners.csv": "\ufeff\n"})
    )
    assert list(found.frames) == ["leads"]
    assert found.frames["leads"].empty
    assert sorted(found.report.problems["table"]) == ["deals", "owners"]
    assert set(found.report.problems["reason"]) == {"file is empty"}
    assert "file is empty" in str(found.report)


def test_names_that_lead_nowhere_are_failed_joins(folder):
    """Stages, owners and accounts that their tables lack are counted, commonest first."""
    found = read_folder(
        folder(
            {
                "deals.csv": "deal_id,stage_id,owner_id\n1,Demo,a\n2,Dmeo,z\n3,Dmeo,z\n4,X,\n",
                "stages.csv": "object,stage_id,position\ndeal,Demo,1\n",
                "owners.csv": "owner_id\na\n",
                "leads.csv": "lead_id,stage_id\n1,New\n",
            }
        )
    )
    assert found.report.failed_joins.to_dict("split")["data"] == [
        ["deals", "owner_id", "z", 2, "owners"],
        ["deals", "stage_id", "Dmeo", 2, "stages"],
        ["deals", "stage_id", "X", 1, "stages"],
    ]
    assert "Dmeo: 2 rows" in str(found.report)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        pytest.param({"x.csv": "a\n"}, "no table there", id="no canonical name"),
        pytest.param({"deals.csv": "name\nA\n"}, "deals.csv: table deals lacks", id="no id column"),
        pytest.param(
            {"deals.csv": "deal_id\n", "deals.xlsx": b""}, "both are deals", id="two of a kind"
        ),
        pytest.param(
            {"deals.csv": "deal_id,name\n1,a\n2,Société\n".encode("cp1252")},
            r'byte 23 \(line 3\); .* encoding = "cp1252"',
            id="cp1252 without saying so",
        ),
        pytest.param(
            {"deals.csv": "deal_id\n1\n".encode("utf-16-le")},
            "many zero bytes",
            id="UTF-16 without mark",
        ),
        pytest.param(
            {"deals.csv": 'deal_id,name\n1,a\n2,"b\n3,c\n'},
            "deals.csv: line 3: a quote",
            id="open quote",
        ),
        pytest.param({"deals.xlsx": b"PK no"}, "not a readable Excel", id="broken Excel"),
        pytest.param({"deals.parquet": b"PAR1"}, "not a readable Parquet", id="broken Parquet"),
        pytest.param(
            {"deals.csv": "deal_id\n", "as_of.txt": "soon"}, "as_of.txt: 'soon'", id="as_of"
        ),
        pytest.param(
            {"deals.csv": "deal_id\n", "definitions.toml": "x = 1"},
            "definitions.toml: .*'x'",
            id="def",
        ),
    ],
)
def test_what_cannot_be_read_is_said(folder, files, said):
    """A file that cannot be used is named, with what to do."""
    with pytest.raises(FileError, match=said):
        read_folder(folder(files))


def test_a_folder_that_is_not_there(tmp_path):
    """A missing folder is an error of its own."""
    with pytest.raises(FileError, match="no such folder"):
        read_folder(tmp_path / "nowhere")


def excel(rows, sheet="Sheet1"):
    """Bytes of a workbook with one filled sheet after a title sheet."""
    book = openpyxl.Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_an_excel_file(folder):
    """Text ids keep their zeros, whole numbers lose .0, dates come real or as serial numbers."""
    rows = [
        ["deal_id", "amount", "close_date", "created_at", "active"],
        ["007", 12.5, datetime(2026, 3, 1), datetime(2026, 3, 1, 14, 30), True],  # noqa: DTZ001
        [7.0, "3", 46082, 46082.604166666664, None],
        [None, None, None, None, None],
        [9, "n/a", "2026-03-01", "soon", None],
    ]
    found = read_folder(folder({"deals.xlsx": excel(rows)}))
    deals = found.frames["deals"]
    assert deals["deal_id"].tolist() == ["007", "7", "9"]
    assert deals["amount"].tolist()[:2] == [12.5, 3.0]
    assert deals["close_date"].tolist() == [pd.Timestamp("2026-03-01")] * 3
    assert deals["created_at"].tolist()[:2] == [pd.Timestamp("2026-03-01T14:30Z")] * 2
    assert found.report.problems[["row", "column", "value"]].to_numpy().tolist() == [
        [4, "amount", "n/a"],
        [4, "created_at", "soon"],
    ]


def test_a_parquet_file_with_real_types(tmp_path):
    """Whole-number ids survive beside missing ones, beyond what a float can hold."""
    frame = pd.DataFrame(
        {
            "deal_id": pd.array([9007199254740993, 2, None], dtype="Int64"),
            "amount": [1.5, None, 2.0],
            "created_at": pd.to_datetime(["2026-01-01T10:00-05:00", None, None], utc=True),
            "close_date": [date(2026, 1, 2), None, None],
        }
    )
    frame.to_parquet(tmp_path / "deals.parquet")
    found = read_folder(tmp_path)
    assert found.frames["deals"]["deal_id"].tolist() == ["9007199254740993", "2"]
    assert found.frames["deals"]["created_at"][0] == pd.Timestamp("2026-01-01T15:00Z")
    assert found.frames["deals"]["close_date"][0] == pd.Timestamp("2026-01-02")
    assert found.report.summary["rejected"].tolist() == [1]


def test_moments_without_offset_are_local_to_the_definitions(folder):
    """The time zone of definitions.toml says what 14:30 means."""
    files = {
        "deals.csv": "deal_id,created_at\n1,2026-03-01 14:30\n",
        "definitions.toml": 'time_zone = "America/New_York"',
    }
    deals = read_folder(folder(files)).frames["deals"]
    assert deals["created_at"][0] == pd.Timestamp("2026-03-01T19:30Z")


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8))
def test_any_text_survives_quoting(rows):
    """Whatever a CRM user typed, a properly quoted CSV brings back."""
    text = "a,b,c\n" + "".join(
        ",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows
    )
    assert [fields for _, fields in csv_rows(text.encode(), "x.csv", ReadOptions())][1:] == rows


def test_conform_is_what_decides(folder):
    """A canonical file gives exactly what conform gives for the same text."""
    text = "deal_id,amount,outcome\n1,x,won\n2,3,lost\n2,4,gone\n"
    found = read_folder(folder({"deals.csv": text}))
    frame, problems = conform("deals", pd.read_csv(io.StringIO(text), dtype="str"))
    pd.testing.assert_frame_equal(found.frames["deals"], frame)
    keys = ["row", "key", "column", "value", "action"]
    assert found.report.problems[keys].to_numpy().tolist() == problems[keys].to_numpy().tolist()
