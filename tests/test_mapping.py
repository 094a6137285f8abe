"""The grammar of a mapping: what it accepts, and that every mistake is named before any file opens."""

import re
from datetime import date
from pathlib import Path

import pytest

from connectors.errors import ConnectorError, FileError
from connectors.exports.mapping import mapping_from_text, read_mapping
from connectors.exports.read_options import CHECKS, ReadOptions, read_options

MAPPINGS = Path(__file__).parents[1] / "data" / "mappings"
DEALS = '[deals]\nfile = "d.csv"\ncolumns = {deal_id = "Id", amount = "Sum", outcome = "State"}\n'


def test_everything_a_mapping_can_say_is_kept():
    """One mapping with every key of the grammar arrives whole."""
    mapping = mapping_from_text(
        """
        as_of = 2026-10-31
        window_start = "2024-01-01"
        [definitions]
        time_zone = "Europe/Paris"
        fiscal_year_start = 4
        pipelines = ["a", "b"]
        deal_types = {"Existing \\"Biz\\" \U0001f600" = "expansion"}
        count.mql = {table = "leads", column = "status", in = ["MQL"]}
        [read]
        delimiter = ";"
        missing = ["-"]
        [[stages]]
        stage_id = "Demo"
        [[stages]]
        stage_id = "Won"
        outcome = "won"
        probability = 1
        [[stages]]
        object = "lead"
        stage_id = "New"
        [deals]
        file = "sub/d.csv"
        read = {decimal = ","}
        only = {Deleted = ["no", ""]}
        columns = {deal_id = "Id", amount = "Sum", product = "What"}
        constants = {currency = "EUR", term_months = 12}
        scale = {amount = 1000}
        values.product = {old = "", "*" = "new"}
        lookup.product = {file = "p.csv", key = "name", value = "family", spelling = {a = "b"}}
        [leads]
        file = "l.csv"
        columns = {lead_id = "Id"}
        [history.from_dates]
        Demo = "Date entered Demo"
        Won = {column = "Closed", only = {Phase = ["Won"]}}
        [history.from_lead_dates]
        New = "Created"
        """
    )
    assert (mapping.as_of, mapping.window_start) == (date(2026, 10, 31), date(2024, 1, 1))
    assert mapping.definitions is not None
    assert mapping.definitions.time_zone == "Europe/Paris"
    assert mapping.definitions.deal_types == {'Existing "Biz" \U0001f600': "expansion"}
    assert mapping.definitions.count["mql"].values == ("MQL",)
    assert [(s["object"], s["stage_id"], s["position"]) for s in mapping.stages] == [
        ("deal", "Demo", 1),
        ("deal", "Won", 2),
        ("lead", "New", 1),
    ]
    deals = mapping.tables["deals"]
    assert (deals.read.delimiter, deals.read.decimal, deals.read.missing) == (";", ",", ("-",))
    assert deals.only == {"Deleted": ("no", "")}
    assert deals.constants == {"currency": "EUR", "term_months": "12"}
    assert deals.lookup["product"].spelling == {"a": "b"}
    assert mapping.tables["leads"].read.decimal == "."
    assert [(d.stage_id, d.column) for d in mapping.dates["deal"]] == [
        ("Demo", "Date entered Demo"),
        ("Won", "Closed"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("[deals", "not valid TOML", id="no TOML"),
        pytest.param("[deals]\nonly = {Supprimé = []}", "accents go in quotes", id="bare name"),
        pytest.param("", "fills no table", id="nothing in it"),
        pytest.param("[deal]\nfile = 'd.csv'", "'deal', did you mean 'deals'", id="table misspelt"),
        pytest.param(DEALS + "colums = {}", "'colums', did you mean 'columns'", id="key misspelt"),
        pytest.param(
            '[deals]\nfile = "d"\ncolumns = {deal_id = "Id", ammount = "A"}',
            "'ammount', did you mean 'amount'",
            id="canonical column misspelt",
        ),
        pytest.param(
            '[deals]\nfile = "d.csv"\ncolumns = {name = "N"}', "required ['deal_id']", id="no id"
        ),
        pytest.param('[deals]\ncolumns = {deal_id = "Id"}', "file = None", id="no file"),
        pytest.param(
            DEALS + 'constants = {amount = "1"}', "in both columns and", id="filled twice"
        ),
        pytest.param(DEALS + "[deals.values.name]\na = 'b'", "would do nothing", id="idle values"),
        pytest.param(
            DEALS + "[deals.values.outcome]\nGained = 'Won'",
            "expected ['open', 'won'",
            id="no outcome",
        ),
        pytest.param(
            DEALS + "constants = {deal_type = 'New'}", "expected one of ['new'", id="constant"
        ),
        pytest.param(DEALS + "scale = {outcome = 2}", "holds no numbers", id="scale of a text"),
        pytest.param(DEALS + "scale = {amount = 0}", "other than 0", id="scale of nothing"),
        pytest.param(DEALS + "only = {A = 'x'}", '["value", ...]', id="filter is no list"),
        pytest.param(DEALS + "only = {A = []}", '["value", ...]', id="filter keeps nothing"),
        pytest.param(DEALS + "only = 'x'", "table of keys", id="filter is no table"),
        pytest.param(DEALS + "read = {decimal = ';'}", "expected '.' or ','", id="decimal"),
        pytest.param(
            DEALS + "read = {decimal = ',', thousands = ','}", "are both ','", id="one sign for two"
        ),
        pytest.param(
            "[read]\nencoding = 'latin-99'\n" + DEALS, "name of an encoding", id="encoding"
        ),
        pytest.param(
            "[read]\nencoding = 'hex'\n" + DEALS, "name of an encoding", id="no text codec"
        ),
        pytest.param("[read]\ndelimiter = ';;'\n" + DEALS, "one character", id="delimiter"),
        pytest.param(
            "[read]\ndate_format = 'DD/MM/YYYY'\n" + DEALS, "names year, month", id="date words"
        ),
        pytest.param("[read]\ndate_format = '%d/%m'\n" + DEALS, "names year, month", id="no year"),
        pytest.param("[read]\nday_first = 'yes'\n" + DEALS, "true or false", id="day_first"),
        pytest.param("[read]\nmissing = 'NA'\n" + DEALS, "a list of texts", id="missing"),
        pytest.param("as_of = 'today'\n" + DEALS, "expected a day", id="as_of no day"),
        pytest.param("as_of = 2026-10-31T10:00:00\n" + DEALS, "expected a day", id="as_of a time"),
        pytest.param(
            "as_of = 2024-01-01\nwindow_start = 2025-01-01\n" + DEALS, "lies after", id="window"
        ),
        pytest.param("definitions = 3\n" + DEALS, "table of keys", id="definitions no table"),
        pytest.param(
            DEALS + "[definitions]\nfiscal_yaer_start = 7", "'fiscal_yaer_start'", id="definition"
        ),
        pytest.param(DEALS + "[definitions]\ncount = 'won'", "count = 'won'", id="count no table"),
        pytest.param(DEALS + "[definitions]\ntime_zone = 5", "time_zone = 5", id="zone no text"),
        pytest.param(DEALS + "[[stages]]\nstage = 'x'", "did you mean 'stage_id'", id="stage key"),
        pytest.param(DEALS + "[[stages]]\nlabel = 'x'", "stage_id, label", id="stage without id"),
        pytest.param(
            DEALS + "[[stages]]\nstage_id = 'x'\noutcome = 'gained'", "'gained'", id="stage outcome"
        ),
        pytest.param(
            DEALS + "[[stages]]\nstage_id = 'x'\n[[stages]]\nstage_id = 'x'",
            "twice",
            id="stage twice",
        ),
        pytest.param(
            DEALS + "[[stages]]\nstage_id = 'x'\nprobability = 90", "0 to 1", id="stage in per cent"
        ),
        pytest.param(
            DEALS + "[[stages]]\nstage_id = 'Demo'\n[history.from_dates]\nDmeo = 'D'",
            "'Dmeo' is not among the stages, did you mean 'Demo'",
            id="history of an unknown stage",
        ),
        pytest.param(
            DEALS + "[history.from_lead_dates]\nNew = 'D'",
            "need a [leads] table",
            id="dates of nothing",
        ),
        pytest.param(
            DEALS + "[deals.lookup.amount]\nfile = 'p.csv'", "key = None", id="lookup without key"
        ),
    ],
)
def test_a_mistake_is_named_with_what_was_meant(text, said):
    """Every mistake is a FileError that names the mapping and the remedy."""
    with pytest.raises(FileError) as caught:
        mapping_from_text(text, name="mine.toml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("mapping mine.toml")
    assert isinstance(caught.value, ConnectorError)


@pytest.mark.parametrize(
    "file",
    [
        "../d.csv",
        "/etc/passwd",
        "a/../../d.csv",
        r"..\d.csv",
        r"C:\d.csv",
        "c:d.csv",
        r"\\host\d.csv",
    ],
)
@pytest.mark.parametrize("place", ["table", "lookup"])
def test_no_file_outside_the_folder(file, place):
    """A mapping from a stranger cannot make the import read other files."""
    text = f"[deals]\nfile = '{file}'\ncolumns = {{deal_id = 'Id'}}"
    if place == "lookup":
        text = DEALS + f"[deals.lookup.amount]\nfile = '{file}'\nkey = 'k'"
    with pytest.raises(FileError, match="inside the folder"):
        mapping_from_text(text)


def test_the_settings_nearer_to_the_table_win():
    """A table's day_first sets aside the format given for all files."""
    base = read_options({"date_format": "%m/%d/%y"}, ReadOptions(), "[read]")
    assert read_options({"day_first": True}, base, "x").date_format == ()
    assert read_options({"decimal": ","}, base, "x").date_format == ("%m/%d/%y",)


def test_every_read_option_is_checked_and_documented():
    """No option can be added without a check and a line in the table at the head of the file."""
    import connectors.exports.read_options as module

    assert set(CHECKS) == set(ReadOptions.__dataclass_fields__)
    assert all(f"``{name}``" in str(module.__doc__) for name in CHECKS)


def test_a_mapping_that_is_not_there(tmp_path):
    """A missing mapping, and one that is not text, are said in plain words."""
    with pytest.raises(FileError, match="cannot be read"):
        read_mapping(tmp_path / "no.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileError, match="save it as UTF-8"):
        read_mapping(tmp_path / "bad.toml")


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.toml")), ids=lambda p: p.name)
def test_the_mappings_we_ship_are_valid(path):
    """Every shipped mapping passes its own check and states its as-of date."""
    assert read_mapping(path).as_of is not None


def test_the_guide_for_mappings_holds():
    """Every TOML example of the guide, put together, is a valid mapping."""
    text = (MAPPINGS / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 6
    mapping = mapping_from_text("\n".join(blocks), name="README.md")
    assert list(mapping.tables) == ["deals", "history"]
    assert mapping.tables["deals"].lookup["product"].key == "name"
    assert all(f"`{path.name}`" in text for path in MAPPINGS.glob("*.toml"))
