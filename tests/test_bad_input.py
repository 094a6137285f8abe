"""Bad exports end to end: each fault stops with a sentence or is listed; no row is lost in silence."""

import json
import sys
from pathlib import Path

import pytest

import connectors
from connectors import FileError
from kpi import TableError
from workbench import cli, tables
from workbench.answer import answer

HEADER = "deal_id,name,stage_id,outcome,created_at,close_date,amount,currency,source\n"
STAGES = "object,stage_id,position,outcome\ndeal,Demo,0,open\ndeal,Won,1,won\ndeal,Lost,2,lost\n"
GOOD = "".join(
    f"{n},Deal {n},{'Won' if n % 2 else 'Lost'},{'won' if n % 2 else 'lost'},"
    f"2026-01-0{1 + n % 8},2026-0{2 + n % 4}-10,100,USD,web\n"
    for n in range(1, 21)
)
FORMULA = "=cmd|' /C calc'!A0"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def export(tmp_path):
    """Write an export of 20 good deals and some more rows."""

    def write(rows="", *, header=HEADER, good=GOOD, **files):
        content = {
            "deals.csv": header + good + rows,
            "stages.csv": STAGES,
            "as_of.txt": "2026-06-30",
        }
        folder = tmp_path / "export"
        folder.mkdir()
        for name, text in (content | files).items():
            data = text if isinstance(text, bytes) else text.encode()
            (folder / name).write_bytes(data)
        return folder

    return write


@pytest.fixture
def demo(monkeypatch, capfd):
    """Run `demo --json` on a folder: exit code, object, standard error."""

    def command(folder):
        monkeypatch.setattr(
            sys, "argv", ["reverse-funnel", "demo", "--json", "--data", str(folder)]
        )
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capfd.readouterr()
        return code, json.loads(out) if out else None, err

    return command


def accounted_for(folder):
    """Tell whether every row read is in the table or among the rejected."""
    report = connectors.read_folder(folder).report
    rejected = report.problems[report.problems["action"] == "row rejected"]
    for row in report.summary.itertuples():
        gone = rejected.loc[rejected["table"] == row.table, "row"].nunique()
        if row.read != row.left_out + row.accepted + gone or gone != row.rejected:
            return False
    return True


LISTED = {
    "a stage that is not among the stages": (
        "x,n,Mystery,open,2026-01-01,,5,,\n",
        ("stage_id", "Mystery", "unknown stage", "kept, listed only"),
        {"open_deals": 1},
    ),
    "the same id twice": (
        "1,again,Won,won,2026-01-01,2026-02-01,5,,\n",
        ("deal_id", "1", "stands in row 1, which is kept", "row rejected"),
        {"deals_closed": 20},
    ),
    "no id": (
        ",n,Won,won,2026-01-01,2026-02-01,5,,\n",
        ("deal_id", "", "required, but missing", "row rejected"),
        {"deals_closed": 20},
    ),
    "a negative amount": (
        "x,n,Won,won,2026-01-01,2026-02-01,-5,,\n",
        ("amount", "-5", "negative amount", "value set to missing"),
        {"deals_closed": 21, "deals_won": 11},
    ),
    "an amount in words": (
        "x,n,Won,won,2026-01-01,2026-02-01,lots,,\n",
        ("amount", "lots", "no number", "value set to missing"),
        {"deals_closed": 21},
    ),
    "created in the future": (
        "x,n,Demo,open,2027-01-01,,5,,\n",
        ("created_at", "2027-01-01", "after the as-of date", "kept, listed only"),
        {"open_deals": 0},
    ),
    "won in the future": (
        "x,n,Won,won,2026-01-01,2027-02-01,5,,\n",
        ("close_date", "2027-02-01", "counted as open", "kept, listed only"),
        {"open_deals": 1, "deals_closed": 20},
    ),
    "closed before it was created": (
        "x,n,Won,won,2026-05-01,2026-02-01,5,,\n",
        ("close_date", "2026-02-01", "closed before it was created", "kept, listed only"),
        {"deals_closed": 21},
    ),
    "a date that is none": (
        "x,n,Won,won,2026-02-30,2026-02-01,5,,\n",
        ("created_at", "2026-02-30", "no date", "value set to missing"),
        {"deals_closed": 21},
    ),
    "an outcome that is none": (
        "x,n,Won,perhaps,2026-01-01,2026-02-01,5,,\n",
        ("outcome", "perhaps", "not one of", "value set to missing"),
        {"deals_closed": 21, "deals_won": 11},
    ),
    "one field too many": (
        "x,n,Won,won,2026-01-01,2026-02-01,5,,web,more\n",
        ("", "more", "10 fields under a header of 9", "row rejected"),
        {"deals_closed": 20},
    ),
}


@pytest.mark.parametrize("case", LISTED)
def test_a_bad_row_or_value_is_listed_with_its_place_and_reason(export, case):
    """The row below the header, the column, the value, the reason and what was done; then it counts."""
    rows, (column, value, reason, action), counted = LISTED[case]
    folder = export(rows)
    snapshot = connectors.open(folder)
    listed = snapshot.problems
    found = listed[(listed["row"] == 21) & (listed["table"] == "deals")]
    hits = [
        row
        for row in found.itertuples()
        if row.column == column and value in str(row.value) and reason in row.reason
    ]
    assert [row.action for row in hits] == [action], listed.to_string()
    assert set(listed["row"]) == {21}
    assert accounted_for(folder)
    answered = answer(snapshot).json
    assert {key: answered[key] for key in counted} == counted
    assert answered["problems_in_data"] == len(listed) > 0


REFUSED = {
    "no column with the ids": (
        {"header": HEADER.replace("deal_id", "Id")},
        r"deals\.csv: .*lacks the column\(s\) \['deal_id'\]; it has \['Id'",
    ),
    "another encoding": (
        {"rows": "x,Caf\xe9,Won,won,2026-01-01,2026-02-01,5,,\n".encode("cp1252")},
        r"deals\.csv: not valid utf-8 at byte \d+ \(line 22\).*cp1252",
    ),
    "a quote never closed": (
        {"rows": 'x,"open quote,Won,won,2026-01-01,2026-02-01,5,,\n'},
        r"deals\.csv: line 22: a quote",
    ),
    "no text at all": ({"header": b"\x00\x01" * 500}, r"deals\.csv: .*zero bytes"),
    "currencies without exchange rates": (
        {"rows": "x,n,Won,won,2026-01-01,2026-02-01,5,EUR,\n"},
        r"deals holds amounts in \['EUR'\].*rates",
    ),
    "a date of the export that is none": (
        {"as_of.txt": "yesterday"},
        r"as_of\.txt: 'yesterday'; expected a day",
    ),
    "a setting that does not exist": (
        {"definitions.toml": 'time_zome = "UTC"'},
        r"definitions\.toml: .*unknown setting 'time_zome'",
    ),
    "the same table twice": ({"deals.tsv": HEADER}, r"deals\.csv and deals\.tsv: both are deals"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_export_that_cannot_be_read_is_refused_in_one_sentence(export, demo, case):
    """What, where, what to do; on standard error, and nothing on standard output."""
    change, message = REFUSED[case]
    parts = {"header": HEADER, "good": GOOD, "rows": ""} | change
    text = [parts.pop(name) for name in ("header", "good", "rows")]
    whole = b"".join(part if isinstance(part, bytes) else part.encode() for part in text)
    folder = export(**{"deals.csv": whole} | parts)
    with pytest.raises((FileError, TableError), match=message):
        connectors.open(folder)
    code, answered, err = demo(folder)
    assert (code, answered) == (1, None)
    assert err.startswith("reverse-funnel: ")
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err


def test_an_empty_file_is_no_table(export, demo):
    """Left out, listed, and the answer says that it needs deals."""
    folder = export(**{"deals.csv": ""})
    listed = connectors.open(folder).problems
    assert listed[["table", "value", "reason", "action"]].to_dict("split")["data"] == [
        ["deals", "deals.csv", "file is empty", "table left out"]
    ]
    code, _, err = demo(folder)
    assert code == 1
    assert "deals" in err
    assert "Traceback" not in err


def test_a_header_without_rows_is_a_table_of_nothing(export, demo):
    """No deals are no problem, and no rate."""
    folder = export(good="")
    assert connectors.open(folder).problems.empty
    code, answered, _ = demo(folder)
    assert code == 0
    assert answered["win_rate"] is None
    assert answered["reasons"]["plan"]


def test_an_id_that_is_a_formula_stays_an_id(export, demo):
    """Letter by letter, counted like any other, and found again in the store."""
    folder = export(f'"{FORMULA}",n,Won,won,2026-01-01,2026-02-01,5,,\n')
    deals = connectors.open(folder).deals.to_pandas()
    assert FORMULA in deals["deal_id"].tolist()
    assert demo(folder)[1]["deals_closed"] == 21
    connectors.keep(folder, folder.parent / "store")
    kept = connectors.open(folder.parent / "store").deals.to_pandas()
    assert FORMULA in kept["deal_id"].tolist()


def test_a_name_that_is_a_script_stays_a_name(export, demo):
    """Kept as text; neither the answer nor its JSON repeats it."""
    folder = export(f"x,{SCRIPT},Won,won,2026-01-01,2026-02-01,5,,{SCRIPT}\n")
    snapshot = connectors.open(folder)
    assert SCRIPT in snapshot.deals.to_pandas()["name"].tolist()
    assert SCRIPT not in str(answer(snapshot))
    code, answered, _ = demo(folder)
    assert code == 0
    assert answered["deals_closed"] == 21
    assert SCRIPT not in json.dumps(answered)


def test_a_stage_that_is_a_script_is_escaped_in_tables(export):
    """Its label stands in every table of the plan."""
    stages = STAGES.replace("Demo", SCRIPT)
    history = "record_id,changed_at,stage_id\n"
    history += "".join(f"{n},2026-01-0{1 + n % 8},{SCRIPT}\n" for n in range(1, 21))
    folder = export(**{"stages.csv": stages, "history.csv": history})
    plan = answer(connectors.open(folder)).plan
    shown = tables.plan_table(plan)._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


def test_many_faults_at_once_leave_every_row_accounted_for(export, demo):
    """Rows accepted and rejected are the rows read, whatever is wrong with them."""
    usable = "".join(row for row, *_ in LISTED.values())
    folder = export(usable)
    summary = connectors.read_folder(folder).report.summary.set_index("table").loc["deals"]
    assert summary["read"] == 20 + len(LISTED)
    # the good ones, and the first of those called x: the others repeat its id
    assert summary["accepted"] == 20 + 1
    assert accounted_for(folder)
    code, answered, _ = demo(folder)
    assert code == 0
    assert answered["deals_closed"] + answered["open_deals"] == 20 + 1


def test_a_folder_with_another_date_beside_it_is_read_as_of_that_date(export):
    """Windows writes a byte-order mark and \\r\\n."""
    folder = export(**{"as_of.txt": b"\xef\xbb\xbf2026-05-31\r\n"})
    assert str(connectors.open(Path(folder)).as_of) == "2026-05-31"
