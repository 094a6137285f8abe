"""Foreign exports through a mapping: other names, other signs, lookups, filters, dates as history."""

import io
from datetime import datetime

import openpyxl
import pandas as pd
import pytest

from connectors.errors import FileError
from connectors.exports.cells import as_moments, as_numbers
from connectors.exports.read_options import ReadOptions
from connectors.files import read_folder
from kpi.conform import CLEARED, REJECTED


@pytest.fixture
def folder(tmp_path):
    """Write files into a fresh folder and return it."""

    def write(mapping, **files):
        (tmp_path / "mapping.toml").write_text(mapping, encoding="utf-8")
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            (tmp_path / f"{name}.csv").write_bytes(data)
        return tmp_path

    return write


FRENCH = """
as_of = 2026-10-31
[definitions]
time_zone = "Europe/Paris"
reporting_currency = "EUR"
[read]
delimiter = ";"
encoding = "cp1252"
decimal = ","
thousands = " "
strip = ["€", "EUR"]
day_first = true
missing = ["n.c."]
[deals]
file = "Affaires.csv"
constants = {currency = "EUR"}
[deals.columns]
deal_id = "N°"
name = "Société"
stage_id = "Étape"
amount = "Montant"
created_at = "Créé le"
close_date = "Clôture"
[deals.values.stage_id]
"Démonstration" = "demo"
"""


def test_a_french_export(folder):
    """cp1252, semicolons, decimal comma, no-break spaces and day-first dates."""
    text = (
        "N°;Société;Étape;Montant;Créé le;Clôture\r\n"
        "007;Café de l'Été;Démonstration;1\u00a0234,50 €;03/02/2026 14:30;31/12/26\r\n"
        "8;n.c.;Autre;(2 000);2026-02-03;31.12.2026\r\n"
        "9;C;;12.50;02/13/2026;n.c.\r\n"
    )
    found = read_folder(folder(FRENCH, Affaires=text.encode("cp1252")))
    deals = found.frames["deals"]
    assert deals["deal_id"].tolist() == ["007", "8", "9"]
    assert deals["name"].tolist()[0] == "Café de l'Été"
    assert deals["name"].isna().tolist() == [False, True, False]
    assert deals["stage_id"].tolist()[:2] == ["demo", "Autre"]
    assert deals["amount"][0] == 1234.5
    assert deals["created_at"][0] == pd.Timestamp("2026-02-03T13:30Z")
    assert deals["created_at"][1] == pd.Timestamp("2026-02-02T23:00Z")
    assert deals["close_date"].tolist()[:2] == [pd.Timestamp("2026-12-31")] * 2
    assert set(deals["currency"]) == {"EUR"}
    listed = found.report.problems[["row", "key", "column", "value", "reason", "action"]]
    assert listed.to_numpy().tolist() == [
        [2, "8", "amount", "(2 000)", "negative amount", CLEARED],
        [3, "9", "amount", "12.50", "no number (decimal ',', thousands ' ')", CLEARED],
        [3, "9", "created_at", "02/13/2026", "no date, day first", CLEARED],
    ]
    assert found.source.endswith("(mapping mapping.toml)")
    assert "/" not in found.source


@pytest.mark.parametrize(
    ("text", "options", "number"),
    [
        pytest.param(
            "1.234,50 EUR", {"decimal": ",", "thousands": ".", "strip": ("EUR",)}, 1234.5, id="de"
        ),
        pytest.param("$1,234,567.89", {"thousands": ",", "strip": ("$",)}, 1234567.89, id="us"),
        pytest.param("1'234.5", {"thousands": "'"}, 1234.5, id="ch"),
        pytest.param("12,34,567", {"thousands": ","}, 1234567.0, id="lakh"),
        pytest.param("1\u202f234", {"thousands": " "}, 1234.0, id="thin space"),
        pytest.param(
            "($ 1,000)", {"thousands": ",", "strip": ("$",)}, -1000.0, id="in parentheses"
        ),
        pytest.param("\u22125", {}, -5.0, id="minus sign"),
        pytest.param("1e3", {}, 1000.0, id="scientific"),
        pytest.param(".5", {}, 0.5, id="no leading zero"),
        pytest.param("1,5", {"thousands": ","}, None, id="a comma that groups nothing"),
        pytest.param("1.234", {"decimal": ","}, None, id="a point that was not announced"),
        pytest.param("1,234", {}, None, id="grouping that was not announced"),
        pytest.param("12 EUR", {}, None, id="a sign that was not announced"),
        pytest.param("inf", {}, None, id="infinity"),
        pytest.param("--5", {}, None, id="two signs"),
        pytest.param("(5", {}, None, id="half a pair of parentheses"),
    ],
)
def test_numbers(text, options, number):
    """A number is read as announced, or listed; never guessed."""
    values, unread = as_numbers(pd.Series([text]), ReadOptions(**options))
    assert unread.tolist() == [number is None]
    assert values.isna().all() if number is None else values.tolist() == [number]


@pytest.mark.parametrize(
    ("text", "options", "moment"),
    [
        pytest.param("03/02/26", {"day_first": True}, "2026-02-03T00:00:00", id="day first"),
        pytest.param("03/02/26", {"day_first": False}, "2026-03-02T00:00:00", id="month first"),
        pytest.param("3.2.2026 9:05", {"day_first": True}, "2026-02-03T09:05:00", id="dots, short"),
        pytest.param("2/3/2026 1:05 PM", {"day_first": False}, "2026-02-03T13:05:00", id="PM"),
        pytest.param("2026-02-03", {"day_first": True}, "2026-02-03", id="ISO beside"),
        pytest.param(
            "02/23/26 12:15 AM",
            {"date_format": ("%m/%d/%y %I:%M %p",)},
            "2026-02-23T00:15:00",
            id="AM",
        ),
        pytest.param(
            "02/23/26",
            {"date_format": ("%m/%d/%y %H:%M", "%m/%d/%y")},
            "2026-02-23T00:00:00",
            id="two",
        ),
        pytest.param("46082", {"date_format": ("excel",)}, "2026-03-01T00:00:00", id="serial"),
        pytest.param(
            "01.02.2026 10:00 +0100",
            {"date_format": ("%d.%m.%Y %H:%M %z",)},
            "2026-02-01T09:00:00+00:00",
            id="offset",
        ),
        pytest.param("31/31/26", {"day_first": True}, None, id="no month 31"),
        pytest.param("02/03/0026", {"day_first": True}, None, id="year 26"),
        pytest.param("2026-02-03", {"date_format": ("%d/%m/%Y",)}, None, id="format is strict"),
        pytest.param("soon", {"date_format": ("excel",)}, None, id="no serial"),
    ],
)
def test_moments(text, options, moment):
    """A date is read as announced, or listed; never guessed."""
    values, unread = as_moments(pd.Series([text]), ReadOptions(**options))
    assert unread.tolist() == [moment is None]
    assert values.tolist() == [moment] or (moment is None and values.isna().all())


def test_a_required_value_that_does_not_fit_rejects_its_row(folder):
    """An unreadable date of history is listed once, with what stood there."""
    mapping = """
    [read]
    date_format = "%m/%d/%y"
    [history]
    file = "h.csv"
    columns = {record_id = "Deal", changed_at = "When", stage_id = "Stage"}
    """
    found = read_folder(folder(mapping, h="Deal,When,Stage\n1,02/23/26,Demo\n2,23.02.26,Demo\n"))
    assert found.frames["history"]["record_id"].tolist() == ["1"]
    assert found.report.problems.to_numpy().tolist() == [
        [
            "history",
            2,
            "2",
            "changed_at",
            "23.02.26",
            "does not fit date_format '%m/%d/%y'",
            REJECTED,
        ]
    ]


def test_the_filter_counts_what_it_drops_and_rows_keep_their_number(folder):
    """Rows left out are counted; a problem names the row of the file, not of the remainder."""
    mapping = """
    [deals]
    file = "d.csv"
    only = {Deleted = ["no", ""]}
    columns = {deal_id = "Id", amount = "Sum"}
    """
    text = "Id,Deleted,Sum\n1,yes,1\n2,no,x\n3,yes,1\n4,,4\n2,no,5\n"
    report = read_folder(folder(mapping, d=text)).report
    (row,) = report.summary.to_dict("records")
    assert (row["read"], row["left_out"], row["accepted"], row["rejected"]) == (5, 2, 2, 1)
    assert row["columns_not_used"] == ""
    assert report.problems["row"].tolist() == [2, 5]
    assert report.problems["reason"].tolist()[1].endswith("stands in row 2, which is kept")
    assert "2 left out by the filter" in str(report)


LOOKUP = """
[deals]
file = "d.csv"
columns = {deal_id = "Id", product = "Product", region = "Seller"}
[deals.lookup.product]
file = "p.csv"
key = "name"
%s
[deals.lookup.region]
file = "s.csv"
key = "seller"
value = "office"
"""
LOOKED_UP = {
    "d": "Id,Product,Seller\n1,GTXPro,a\n2,GTX Pro,b\n3,GTXPro,z\n4,,\n",
    "p": "name\nGTX Pro\n",
    "s": "seller,office\na,West\nb,East\n",
}


def test_failed_joins_are_counted(folder):
    """A check keeps the value and lists it; a value that is taken is missing where not found."""
    found = read_folder(folder(LOOKUP % "", **LOOKED_UP))
    assert found.frames["deals"]["product"].tolist()[:3] == ["GTXPro", "GTX Pro", "GTXPro"]
    assert found.frames["deals"]["region"].tolist()[:2] == ["West", "East"]
    assert found.frames["deals"]["region"].isna().tolist() == [False, False, True, True]
    assert found.report.failed_joins.to_numpy().tolist() == [
        ["deals", "product", "GTXPro", 2, "p.csv: name"],
        ["deals", "region", "z", 1, "s.csv: seller"],
    ]
    assert found.report.summary["values_cleared"].tolist() == [1]
    assert found.report.files_not_used == ()


def test_a_spelling_correction_mends_the_join(folder):
    """With the correction, nothing fails and the value is the corrected one."""
    found = read_folder(folder(LOOKUP % 'spelling = {GTXPro = "GTX Pro"}', **LOOKED_UP))
    assert set(found.frames["deals"]["product"].dropna()) == {"GTX Pro"}
    assert found.report.failed_joins["column"].tolist() == ["region"]


def test_a_key_with_two_values_is_refused(folder):
    """A lookup that could mean two things is an error, not a choice."""
    files = {**LOOKED_UP, "s": "seller,office\na,West\na,East\n"}
    with pytest.raises(FileError, match=r"s\.csv: seller 'a' stands there with several values"):
        read_folder(folder(LOOKUP % "", **files))


def test_history_from_date_columns(folder):
    """A date column per stage becomes one change each; an unreadable date is listed."""
    mapping = """
    [read]
    day_first = true
    [[stages]]
    stage_id = "Demo"
    [[stages]]
    stage_id = "Won"
    outcome = "won"
    [deals]
    file = "d.csv"
    columns = {deal_id = "Id", stage_id = "Stage", pipeline_id = "Pipe"}
    values.pipeline_id = {p = "main"}
    [history]
    file = "h.csv"
    columns = {record_id = "Deal", changed_at = "When", owner_id = "Owner"}
    [history.from_dates]
    Demo = "Entered Demo"
    Won = {column = "Closed", only = {Stage = ["Won"]}}
    [leads]
    file = "l.csv"
    columns = {lead_id = "Id"}
    [history.from_lead_dates]
    MQL = "Became MQL"
    """
    found = read_folder(
        folder(
            mapping,
            d="Id,Pipe,Stage,Entered Demo,Closed\n1,p,Won,01/02/2026,03/02/2026\n2,p,Demo,,09/09/2026\n"
            "3,p,Demo,soon,\n",
            h="Deal,When,Owner\n1,02/02/2026,anna\n",
            l="Id,Became MQL\nL1,05/01/2026\n",
        )
    )
    history = found.frames["history"]
    shown = history[["object", "record_id", "pipeline_id", "stage_id", "owner_id"]].fillna("-")
    assert shown.to_numpy().tolist() == [
        ["-", "1", "-", "-", "anna"],
        ["deal", "1", "main", "Demo", "-"],
        ["deal", "1", "main", "Won", "-"],
        ["lead", "L1", "-", "MQL", "-"],
    ]
    assert history["changed_at"].dt.strftime("%d.%m.").tolist() == [
        "02.02.",
        "01.02.",
        "03.02.",
        "05.01.",
    ]
    assert found.report.problems[["table", "row", "key", "value"]].to_numpy().tolist() == [
        ["history", 3, "3", "soon"]
    ]
    counts = found.report.summary.set_index("table").loc["history"]
    assert (counts["read"], counts["accepted"], counts["rejected"]) == (5, 4, 1)
    assert counts["file"] == "h.csv + dates in d.csv + dates in l.csv"


def test_values_scale_and_a_named_sheet(tmp_path):
    """An Excel sheet by name, lines above its header, per cent to share, '*' for the rest."""
    book = openpyxl.Workbook()
    sheet = book.create_sheet("Export")
    for row in (
        ["My report"],
        [],
        ["Id", "State", "Chance", "Sum", "On", "Gone"],
        ["007", "Gagné", 75, 1234.5, datetime(2026, 3, 1), False],  # noqa: DTZ001
        [8, "Other", 20, "1.234,50", "01/03/2026", True],
        [9, None, None, 0, 46082, False],
    ):
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    (tmp_path / "d.xlsx").write_bytes(out.getvalue())
    mapping = tmp_path / "elsewhere" / "mine.toml"
    mapping.parent.mkdir()
    mapping.write_text(
        """
        [read]
        sheet = "Export"
        skip = 2
        decimal = ","
        thousands = "."
        day_first = true
        [deals]
        file = "d.xlsx"
        columns = {deal_id = "Id", outcome = "State", amount = "Sum", close_date = "On", margin = "Sum"}
        values.outcome = {"Gagné" = "won", "*" = "open"}
        values.amount = {"0" = ""}
        scale = {margin = 0.01}
        """,
        encoding="utf-8",
    )
    found = read_folder(tmp_path, mapping=mapping)
    deals = found.frames["deals"].fillna({"outcome": "-", "amount": -1})
    assert deals["deal_id"].tolist() == ["007", "8", "9"]
    assert deals["outcome"].tolist() == ["won", "open", "-"]
    assert deals["amount"].tolist() == [1234.5, 1234.5, -1]
    assert deals["margin"].tolist() == [12.345, 12.345, 0]
    assert deals["close_date"].tolist() == [pd.Timestamp("2026-03-01")] * 3
    assert found.report.summary["columns_not_used"].tolist() == ["Chance, Gone"]
    assert found.report.problems.empty
    mapping.write_text(mapping.read_text(encoding="utf-8").replace("Export", "Exprot"), "utf-8")
    with pytest.raises(FileError, match="no sheet 'Exprot'; it has"):
        read_folder(tmp_path, mapping=mapping)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            ('"Sum"', '"Amuont"'), "d.csv: no column 'Amuont', did you mean 'Amount'", id="column"
        ),
        pytest.param(
            ('"d.csv"', '"e.csv"'), "e.csv: no such file, did you mean 'd.csv'", id="file"
        ),
        pytest.param(('"d.csv"', '"d.xls"'), "d.xls: .xls suffix; save it as", id="old Excel"),
    ],
)
def test_what_the_mapping_names_must_be_there(folder, change, said):
    """A file or column that is not there is named with the closest that is."""
    mapping = '[deals]\nfile = "d.csv"\ncolumns = {deal_id = "Id", amount = "Sum"}'.replace(*change)
    at = folder(mapping, d="Id,Amount\n1,2\n")
    (at / "d.xls").write_bytes(b"old")
    with pytest.raises(FileError, match=said):
        read_folder(at)


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path_factory):
    """A file that leads elsewhere is not read, though its name lies inside."""
    outside = tmp_path_factory.mktemp("outside") / "secret.csv"
    outside.write_text("Id\n1\n", encoding="utf-8")
    at = folder('[deals]\nfile = "d.csv"\ncolumns = {deal_id = "Id"}')
    try:
        (at / "d.csv").symlink_to(outside)
    except OSError:
        pytest.skip("this system does not let us make links")
    with pytest.raises(FileError, match="leads out of the folder"):
        read_folder(at)
