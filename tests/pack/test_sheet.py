"""The workbook: the same numbers as the pack, and formulas that follow the inputs as Python does."""

import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import openpyxl
import pandas as pd
import pytest

from workbench.report.pack.changes import Changes
from workbench.report.pack.check import refuse_if_private
from workbench.report.pack.sheet import write_sheet
from workbench.report.pack.sheet_inputs import entries

GOALS = {
    "wins": {"wins": 40, "by": "2027-05-31"},
    "new_mrr": {"new_mrr": 60_000, "by": "2027-05-31"},
    "bookings": {"bookings": 600_000, "by": "2027-05-31", "season": {12: 0.5}},
    "mrr": {"mrr": 240_000, "by": "2027-05-31"},
    "arr": {"arr": {"2026-12": 2_450_000, "2027-03": 2_600_000, "2027-06": 2_900_000}},
}
KNOWN = {
    "ABS AND AVERAGE EXP IF IFERROR INDEX INT ISNUMBER LN MATCH MAX MIN PRODUCT ROUND SQRT SUM",
    "SUMPRODUCT GAMMA.DIST",
}
HEAD = {"target": 2, "chance": 3, "gap": 6, "leads": 9, "expected": 11}  # columns of the tiles
RANDOM = 4  # inputs of each kind


def book_of(path, **how):
    return openpyxl.load_workbook(path, **how)


def written(contents, folder, name="plan"):
    path = folder / f"{name}.xlsx"
    write_sheet(contents, path)
    return path


def found_at(sheet, text, column=2):
    """Row of a text in a column."""
    rows = (row for row in range(1, sheet.max_row + 1) if sheet.cell(row, column).value == text)
    return next(rows)


def tiles(sheet):
    return {name: sheet.cell(9, column).value for name, column in HEAD.items()}


def block(sheet, title, rows, columns, column=2):
    """Values of a table: its title stands two rows above the first."""
    top = found_at(sheet, title, column) + 2
    return [[sheet.cell(top + r, column + c).value for c in columns] for r in range(rows)]


def assert_says(book, what, told, chance_at):
    """Every number on the first sheet is the one that `WhatIf.result` gives."""
    sheet, months, near = book["Plan"], len(what.months), {"rtol": 1e-9, "atol": 1e-9}
    shown = tiles(sheet)
    for name in ("gap", "expected", "chance"):
        if np.isfinite(told[name]):
            np.testing.assert_allclose(shown[name], told[name], err_msg=name, **near)
    funnel = "Funnel: records that the plan brings to each step"
    parts = np.array(block(sheet, funnel, len(what.steps), range(1, 5)))
    expected = np.column_stack([told["funnel"][n] for n in ("in_pipeline", "direct", "to_create")])
    np.testing.assert_allclose(parts[:, :3], expected, **near)
    np.testing.assert_allclose(parts[:, 3], expected.sum(axis=1), **near)
    names = ["leads", "wins_pipeline", "wins_direct", "wins_new", "wins", "new_mrr", "mrr"]
    names = [name for name in names if told[name] is not None]
    table = np.array(block(sheet, "Months", months, range(1, 1 + len(names))))
    np.testing.assert_allclose(table, np.column_stack([told[n] for n in names]), **near)
    top = found_at(sheet, next(t for t in texts(sheet) if t.startswith("Chance by number")))
    for row in range(top + 2, top + 14):
        leads, chance = sheet.cell(row, 2).value, sheet.cell(row, 3).value
        np.testing.assert_allclose(chance, chance_at(float(leads)), **near)


def texts(sheet):
    return [c.value for row in sheet.iter_rows() for c in row if isinstance(c.value, str)]


def test_first_sheet_says_what_contents_say(each_kind, tmp_path):
    """Without reckoning, the workbook shows the numbers of the frozen plan."""
    book = book_of(written(each_kind, tmp_path), data_only=True)
    shown, figures = tiles(book["Plan"]), each_kind.figures
    for name in ("target", "chance", "gap", "leads", "expected"):
        assert shown[name] == pytest.approx(figures[name].value, rel=1e-9)
    what = each_kind.what_if
    told = what.result()
    assert_says(book, what, told, lambda leads: what.chance(what.put(leads=leads)))
    bands = np.array(block(book["Plan"], "Months", len(what.months), range(8, 12)), dtype="float64")
    names = ["wins_low", "wins_high", "new_mrr_low", "new_mrr_high"]
    np.testing.assert_allclose(bands, each_kind.months[names].to_numpy("float64"))


def test_other_sheets_say_what_contents_say(pack_contents, tmp_path):
    book = book_of(written(pack_contents, tmp_path), data_only=True)
    assert book.sheetnames == ["Plan", "Rates", "KPIs", "Definitions", "Model", "Chance"]
    assert book.active.title == "Plan"
    rates, kpis, definitions = book["Rates"], book["KPIs"], book["Definitions"]
    top = found_at(rates, "from", 1) + 1
    names = ["planned", "history", "low", "high", "x", "n"]
    shown = [[rates.cell(top + r, 3 + c).value for c in range(6)] for r in range(5)]
    np.testing.assert_allclose(shown, pack_contents.rates[names].to_numpy("float64"))
    top = found_at(kpis, "KPI", 1) + 1
    for place, value in enumerate(pack_contents.kpis["value"], start=top):
        assert kpis.cell(place, 2).value == (pytest.approx(value) if pd.notna(value) else "–")
    top = found_at(definitions, "figure", 1) + 1
    for place, figure in enumerate(pack_contents.figures.values(), start=top):
        row = [definitions.cell(place, c).value for c in range(1, 6)]
        assert row == [figure.label, figure.text, figure.definition, figure.formula, figure.n]
    for sheet in book:
        assert any("As of 2026-11-01 · source: samples" in text for text in texts(sheet))


def test_rates_of_few_records_are_not_shown(pack_contents, tmp_path):
    rates = pack_contents.rates.copy()
    rates.loc[0, ["history", "low", "high", "x"]] = np.nan
    rates.loc[0, "n"] = 3
    path = written(replace(pack_contents, rates=rates), tmp_path)
    sheet = book_of(path, data_only=True)["Rates"]
    top = found_at(sheet, "from", 1) + 1
    assert [sheet.cell(top, c).value for c in range(4, 9)] == ["–", "–", "–", "–", "under 5"]


def test_same_contents_same_bytes(pack_contents, tmp_path):
    assert written(pack_contents, tmp_path, "a").read_bytes() == (
        written(pack_contents, tmp_path, "b").read_bytes()
    )


def test_holds_no_link_macro_or_author(pack_contents, tmp_path):
    path = written(pack_contents, tmp_path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert not [name for name in parts if "external" in name.lower() or name.endswith(".bin")]
    assert not [name for name, text in parts.items() if 'TargetMode="External"' in text]
    core = ET.fromstring(parts["docProps/core.xml"])
    said = {part.tag.partition("}")[2]: part.text for part in core}
    assert not said["creator"]
    assert not said["lastModifiedBy"]
    assert said["created"] == said["modified"] == "2026-11-01T00:00:00Z"
    refuse_if_private([path])


def test_only_functions_that_excel_and_libreoffice_share(each_kind, tmp_path):
    known = set(" ".join(KNOWN).split())
    for sheet in book_of(written(each_kind, tmp_path)):
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    named = re.findall(r"([A-Z][A-Z0-9.]*)\(", cell.value)
                    assert set(named) <= known, cell.value
                    assert "[" not in cell.value


def test_text_of_a_crm_is_never_a_formula(hostile_contents, tmp_path):
    """Names that are formulas, scripts or endless stand in the cells as cut, plain text."""
    path = written(hostile_contents, tmp_path)
    book = book_of(path)
    said = {text for sheet in book for text in texts(sheet)}
    formulas = {c.value for s in book for r in s.iter_rows() for c in r if c.data_type == "f"}
    assert not [f for f in formulas if "HYPERLINK" in f or "cmd|" in f or "SUM(1+1)" in f]
    assert any(text.startswith("=HYPERLINK") for text in said - formulas)
    assert max(len(text) for text in said - formulas) <= 800
    assert not [text for text in said if re.search("[\x00-\x08\x1b\u202a-\u202e\u2028]", text)]
    assert not [sheet.title for sheet in book for row in sheet for c in row if c.hyperlink]
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            ET.fromstring(archive.read(name))


def test_hostile_currency_stays_in_its_quotes(pack_contents, tmp_path):
    path = written(replace(pack_contents, symbol='"[R]\\;x '), tmp_path)
    sheet = book_of(path)["Plan"]
    assert sheet["B9"].number_format == '"[R];x "#,##0;"−[R];x "#,##0'


def test_plans_that_lack_something_are_written(each_odd, tmp_path):
    """Without leads, values or revenue, for one month or two years: nothing missing is made up."""
    book = book_of(written(each_odd, tmp_path), data_only=True)
    what = each_odd.what_if
    assert_says(book, what, what.result(), lambda leads: what.chance(what.put(leads=leads)))
    named = set(book.defined_names)
    assert ("DealValue" in named) == (not np.isnan(what.inputs.deal_value))
    assert ("AnnualChurn" in named) == (not np.isnan(what.inputs.annual_churn))
    bad = [c.value for s in book for r in s.iter_rows() for c in r if c.value in ("nan", "None")]
    assert not bad


def test_names_are_stamped_and_changes_shown(pack_contents, tmp_path):
    changes = Changes(
        since="2026-10-01",
        until="2026-11-01",
        sentence="Two deals moved.",
        kpis=pd.DataFrame(
            {"name": ["mrr"], "label": ["MRR"], "before": ["$1K"], "now": ["$2K"], "n": [9]}
        ),
        plan=pd.DataFrame(columns=["label", "before", "now"]),
        bridge=pd.DataFrame({"driver": ["volume"], "effect": [-2.5]}),
        moves=pd.DataFrame({"deal": ["=1+1"], "what": ["stage"], "before": ["A"], "now": ["B"]}),
        notes=("No earlier plan.",),
    )
    path = written(replace(pack_contents, changes=changes, names=True), tmp_path)
    book = book_of(path)
    for sheet in book:
        assert "Contains names of deals and sellers" in texts(sheet)
        assert "Contains names" in sheet.oddHeader.right.text
    shown = [c.value for row in book["Changes"].iter_rows() for c in row if c.value is not None]
    for wanted in ("Two deals moved.", "MRR", "$1K", "volume", -2.5, "=1+1", "No earlier plan."):
        assert wanted in shown
    assert not [c for row in book["Changes"].iter_rows() for c in row if c.data_type == "f"]


def test_unmoved_copy_lacks_the_stamp(pack_contents, tmp_path):
    book = book_of(written(pack_contents, tmp_path))
    assert not [s.title for s in book if "Contains names of deals and sellers" in texts(s)]


def put_in(book, **values):
    """Change inputs by the names of their cells."""
    for name, value in values.items():
        sheet, cell = book.defined_names[name].attr_text.replace("$", "").split("!")
        book[sheet][cell].value = value


def moved(what, rng):
    """Inputs about those planned, as `WhatIf.result` takes them."""
    planned, level = what.inputs, what.kind in ("mrr", "arr")
    wide = 0.1 if level else 0.4
    changed = {
        "target": planned.target * rng.uniform(1 - wide, 1 + wide),
        "confidence": rng.uniform(0.3, 0.95),
        "leads": float(rng.integers(0, 2 * int(planned.leads) + 50)),
        "rates": {n: min(1.0, r * rng.uniform(0.6, 1.6)) for n, r in planned.rates.items()},
    }
    if not np.isnan(planned.deal_value):
        changed["deal_value"] = planned.deal_value * rng.uniform(0.6, 1.5)
    if not np.isnan(planned.annual_churn):
        changed["annual_churn"] = rng.uniform(0, 0.5)
    return changed


def as_cells(changed):
    names = {"target": "Target", "confidence": "ChanceWanted", "leads": "Leads"}
    names |= {"deal_value": "DealValue", "annual_churn": "AnnualChurn"}
    cells = {names[name]: value for name, value in changed.items() if name != "rates"}
    rates = enumerate(changed.get("rates", {}).values(), start=1)
    return cells | {f"Rate_{place}": rate for place, rate in rates}


@pytest.fixture(scope="module")
def soffice():
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("no LibreOffice here: soffice is not on the path")
    return program


@pytest.fixture(scope="module")
def reckon(soffice, tmp_path_factory):
    """Return a function: workbooks whose inputs were changed in, the same reckoned anew out."""

    def reckoned(paths):
        out = tmp_path_factory.mktemp("reckoned")
        profile = f"-env:UserInstallation=file://{out}/profile"
        listed = [str(path) for path in paths]
        command = [soffice, profile, "--headless", "--convert-to", "xlsx", "--outdir", str(out)]
        subprocess.run([*command, *listed], check=True, capture_output=True, timeout=300)
        return [book_of(out / path.name, data_only=True) for path in paths]

    return reckoned


def errors(book):
    return [c.value for s in book for row in s.iter_rows() for c in row if c.data_type == "e"]


def test_libreoffice_reckons_as_python_does(reckon, made, tmp_path):
    """For inputs as planned and 20 random ones, over the five kinds."""
    rng, jobs = np.random.default_rng(20), []
    for kind, goal in GOALS.items():
        contents = made(**goal)
        book = book_of(written(contents, tmp_path, kind))
        for turn in range(RANDOM + 1):
            changed = moved(contents.what_if, rng) if turn else {}
            put_in(book, **as_cells(changed))
            path = tmp_path / f"{kind}_{turn}.xlsx"
            book.save(path)
            jobs.append((path, contents.what_if, changed))
    for (path, what, changed), book in zip(jobs, reckon([job[0] for job in jobs]), strict=True):
        told = what.result(**changed)
        assert not errors(book), path.name

        def at(leads, what=what, changed=changed):
            return what.chance(what.put(**{**changed, "leads": leads}))

        assert_says(book, what, told, at)
        wanted = "What if: inputs were changed" if changed else "These are the numbers"
        assert book["Plan"]["B10"].value.startswith(wanted)


def test_libreoffice_reckons_odd_plans(reckon, each_odd, tmp_path):
    what, jobs = each_odd.what_if, []
    book = book_of(written(each_odd, tmp_path))
    changed = moved(what, np.random.default_rng(4))
    for turn, inputs in enumerate(({}, changed)):
        put_in(book, **as_cells(inputs))
        book.save(tmp_path / f"odd_{turn}.xlsx")
        jobs.append(tmp_path / f"odd_{turn}.xlsx")
    for inputs, done in zip(({}, changed), reckon(jobs), strict=True):
        assert not errors(done)

        def at(leads, inputs=inputs):
            return what.chance(what.put(**{**inputs, "leads": leads}))

        assert_says(done, what, what.result(**inputs), at)


def test_impossible_inputs_get_a_sentence(reckon, pack_contents, tmp_path):
    """An input that cannot be is named, and no number is shown; those that only just may be are."""
    what, path = pack_contents.what_if, written(pack_contents, tmp_path)
    bad = {"Target": 0, "ChanceWanted": 1, "Leads": -1, "Rate_1": 1.2, "Rate_5": 0}
    bad |= {"DealValue": "much", "AnnualChurn": 1, "Rate_2": None}
    jobs = []
    for name, value in bad.items():
        book = book_of(path)
        put_in(book, **{name: value})
        book.save(tmp_path / f"{name}.xlsx")
        jobs.append(tmp_path / f"{name}.xlsx")
    edge = {"Leads": 0, "Rate_1": 1, "AnnualChurn": 0, "Target": 1}
    book = book_of(path)
    put_in(book, **edge)
    book.save(tmp_path / "edge.xlsx")
    listed = {entry.name: entry for entry in entries(what, pack_contents.plan.top)}
    *broken, good = reckon([*jobs, tmp_path / "edge.xlsx"])
    for name, book in zip(bad, broken, strict=True):
        assert book["Plan"]["B10"].value == listed[name].sentence
        assert set(tiles(book["Plan"]).values()) == {"–"}
        assert not errors(book)
    changed = {"leads": 0.0, "annual_churn": 0.0, "target": 1.0, "rates": {what.steps[0]: 1.0}}
    assert tiles(good["Plan"])["chance"] == pytest.approx(what.result(**changed)["chance"])
