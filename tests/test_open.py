"""`connectors.open`, `keep` and `read_folder`: the same data by whichever way it comes."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

import connectors
import kpi
from connectors import ConnectorError, FileError
from kpi import Definitions, TableError
from kpi.planning import FunnelModel, reverse_funnel
from kpi.tables import TABLES

ROOT = Path(__file__).parents[1]
SAMPLES, MAPPINGS = ROOT / "data" / "samples", ROOT / "data" / "mappings"
MAVEN = ROOT.parent / "shared" / "data" / "maven_crm"
DEALS = """deal_id,outcome,created_at,close_date,deal_type
1,won,2026-01-05,2026-02-01,New Business
2,lost,2026-01-05,2026-03-01,New Business
3,won,2026-01-05,2026-03-15,Existing Business
4,open,2026-05-05,,
"""
DEFINITIONS = """time_zone = "America/New_York"
[deal_types]
"New Business" = "new"
"Existing Business" = "expansion"
"""


@pytest.fixture(scope="module")
def samples():
    """The sample company, read from its folder."""
    return connectors.open(SAMPLES)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The sample company, kept in a store and read from there."""
    folder = tmp_path_factory.mktemp("kept") / "store"
    connectors.keep(SAMPLES, folder)
    return connectors.open(folder)


@pytest.fixture
def folder(tmp_path):
    """A folder of canonical deals; ``write(name=text)`` adds files."""
    place = tmp_path / "export"
    place.mkdir()
    files = {"deals.csv": DEALS, "as_of.txt": "2026-06-30\n", "definitions.toml": DEFINITIONS}
    for name, text in files.items():
        (place / name).write_text(text, encoding="utf-8")
    return place


def figures(snapshot):
    """Every KPI and a plan, as one text: equal only if all of it is."""
    found = [
        kpi.win_rate(snapshot, by="source", every="quarter"),
        kpi.lead_conversion(snapshot, by="channel"),
        kpi.stage_conversion(snapshot),
        kpi.stage_days(snapshot),
        kpi.cycle_days(snapshot),
        kpi.mrr_movements(snapshot, every="quarter"),
        kpi.customer_churn(snapshot),
    ]
    plan = reverse_funnel(FunnelModel.fit(snapshot), wins=40, by="2027-05-31")
    return [table.to_csv() for table in found] + [plan.table.to_csv(), plan.probability]


def test_a_store_gives_the_numbers_of_its_folder(samples, stored):
    """Every KPI and the plan, to the last digit."""
    assert figures(stored) == figures(samples)
    assert stored.as_of == samples.as_of
    assert stored.definitions == samples.definitions


def test_a_store_holds_the_rows_of_its_folder(samples, stored):
    """Every table, every column, every type."""
    assert stored.present == samples.present == set(TABLES)
    for name in TABLES:
        ours, theirs = stored.table(name).to_pandas(), samples.table(name).to_pandas()
        columns = list(ours.columns)
        pd.testing.assert_frame_equal(
            ours.sort_values(columns, ignore_index=True),
            theirs.sort_values(columns, ignore_index=True),
            obj=name,
        )


def test_an_earlier_day_is_the_same_from_folder_store_and_rewind(samples, stored):
    """Three ways to ask what was known on 1 May."""
    ways = [
        connectors.open(SAMPLES, "2026-05-01"),
        samples.at("2026-05-01"),
        stored.at(date(2026, 5, 1)),
    ]
    assert {snapshot.as_of for snapshot in ways} == {date(2026, 5, 1)}
    for table in (kpi.win_rate, kpi.cycle_days, kpi.stage_conversion):
        first, second, third = (table(snapshot).to_csv() for snapshot in ways)
        assert first == second == third


def test_a_rewind_is_no_problem_in_the_data(samples):
    """What came later is not yet known then; nothing is wrong with it."""
    assert len(connectors.open(SAMPLES, "2026-05-01").problems) == len(samples.problems) == 0


def test_a_day_after_the_data_is_refused(folder, tmp_path):
    """Silence since the export is not knowledge."""
    connectors.keep(folder, tmp_path / "store")
    for place in (folder, tmp_path / "store"):
        assert connectors.open(place, "2026-06-30").as_of == date(2026, 6, 30)
        with pytest.raises((ConnectorError, TableError), match="2026-06-30"):
            connectors.open(place, "2026-07-01")


def test_the_day_may_be_given_where_the_folder_says_none(folder):
    """As text or as a date."""
    (folder / "as_of.txt").unlink()
    for day in ("2026-06-30", date(2026, 6, 30)):
        assert connectors.open(folder, day).as_of == date(2026, 6, 30)


def test_without_any_day_nothing_is_opened_or_kept(folder, tmp_path):
    """Never the clock; the message says where to write the date, and no store is begun."""
    (folder / "as_of.txt").unlink()
    with pytest.raises(FileError, match=r"export: nothing says as of when .* as_of\.txt"):
        connectors.open(folder)
    with pytest.raises(FileError, match=r"as_of\.txt"):
        connectors.keep(folder, tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("day", ["soon", "31.12.2026", "2026-02-30", ""])
def test_what_is_no_day_is_said(folder, tmp_path, day):
    """For a folder and for a store."""
    connectors.keep(folder, tmp_path / "store")
    for place in (folder, tmp_path / "store"):
        with pytest.raises((ConnectorError, TableError), match="expected"):
            connectors.open(place, day)


def kinds(snapshot):
    """Kind of business by deal, as it counts."""
    return dict(snapshot.deals.to_pandas()[["deal_id", "deal_type"]].itertuples(index=False))


def test_the_crms_words_for_kinds_of_business_are_translated(folder, tmp_path):
    """From `[deal_types]`, on every way in: an expansion is no part of the win rate."""
    connectors.keep(folder, tmp_path / "store")
    by_frames = kpi.Snapshot.from_frames(
        {"deals": pd.read_csv(folder / "deals.csv", dtype="str")},
        as_of="2026-06-30",
        definitions=Definitions.from_text(DEFINITIONS),
    )
    for snapshot in (connectors.open(folder), connectors.open(tmp_path / "store"), by_frames):
        found = kinds(snapshot)
        assert (found["1"], found["2"], found["3"]) == ("new", "new", "expansion")
        assert kpi.win_rate(snapshot)[["x", "n"]].to_dict("records") == [{"x": 1, "n": 2}]
        assert snapshot.problems.empty


def test_a_kind_of_business_that_nothing_translates_is_listed(folder):
    """It counts as new, and the value is among the problems."""
    (folder / "definitions.toml").unlink()
    snapshot = connectors.open(folder)
    assert kpi.win_rate(snapshot)["n"].item() == 3
    listed = snapshot.problems[["row", "column", "value"]].to_dict("split")["data"]
    assert listed == [
        [1, "deal_type", "New Business"],
        [2, "deal_type", "New Business"],
        [3, "deal_type", "Existing Business"],
    ]


def test_definitions_given_go_before_those_that_lie_there(folder, tmp_path):
    """For a try, without touching the files."""
    connectors.keep(folder, tmp_path / "store")
    other = Definitions(time_zone="Asia/Tokyo")
    for place in (folder, tmp_path / "store"):
        assert connectors.open(place).definitions.time_zone == "America/New_York"
        assert connectors.open(place, definitions=other).definitions == other


def test_definitions_given_translate_kinds_of_business_too(folder):
    """They need not lie in the folder."""
    (folder / "definitions.toml").unlink()
    snapshot = connectors.open(folder, definitions=Definitions.from_text(DEFINITIONS))
    assert kinds(snapshot)["3"] == "expansion"


def test_definitions_given_set_the_time_zone_of_moments(folder):
    """Midnight in Tokyo, not in New York."""
    deals = connectors.open(folder, definitions=Definitions(time_zone="Asia/Tokyo")).deals
    assert deals.to_pandas()["created_at"].iloc[0] == pd.Timestamp("2026-01-04T15:00Z")


def test_moments_without_offset_are_those_of_the_company(folder, tmp_path):
    """Midnight of 5 January in New York is five hours later in UTC, from folder and store."""
    connectors.keep(folder, tmp_path / "store")
    for place in (folder, tmp_path / "store"):
        deals = connectors.open(place).deals.to_pandas()
        assert deals["created_at"].iloc[0] == pd.Timestamp("2026-01-05T05:00Z")
        assert deals["close_date"].iloc[0] == pd.Timestamp("2026-02-01")


def test_a_second_keep_adds_and_the_first_is_still_there(folder, tmp_path):
    """A deal won in July is open as of June."""
    store = tmp_path / "store"
    connectors.keep(folder, store)
    text = DEALS.replace("4,open,2026-05-05,,", "4,won,2026-05-05,2026-07-10,")
    (folder / "deals.csv").write_text(text + "5,open,2026-07-02,,\n", encoding="utf-8")
    (folder / "as_of.txt").write_text("2026-07-31", encoding="utf-8")
    result = connectors.keep(folder, store)
    deals = result.counts.set_index("table").loc["deals"]
    assert (deals["new"], deals["changed"]) == (1, 1)
    june, july = connectors.open(store, "2026-06-30"), connectors.open(store)
    assert (june.as_of, july.as_of) == (date(2026, 6, 30), date(2026, 7, 31))
    assert (kpi.win_rate(june)["x"].item(), kpi.win_rate(july)["x"].item()) == (1, 2)
    assert (len(june.deals), len(july.deals)) == (4, 5)


def test_a_row_that_left_the_export_leaves_the_store_but_not_its_past(folder, tmp_path):
    """Deleted or merged in the CRM: gone from now on, still there as of June."""
    store = tmp_path / "store"
    connectors.keep(folder, store)
    text = DEALS.replace("2,lost,2026-01-05,2026-03-01,New Business\n", "")
    (folder / "deals.csv").write_text(text, encoding="utf-8")
    (folder / "as_of.txt").write_text("2026-07-31", encoding="utf-8")
    result = connectors.keep(folder, store)
    assert result.counts.set_index("table").loc["deals", "removed"] == 1
    assert list(kinds(connectors.open(store))) == ["1", "3", "4"]
    assert list(kinds(connectors.open(store, "2026-06-30"))) == ["1", "2", "3", "4"]


def test_what_the_folder_rejects_the_store_does_not_hold(folder, tmp_path):
    """Both have the same rows; the folder's snapshot lists the rest."""
    (folder / "deals.csv").write_text(DEALS + "1,won,2026-01-05,2026-02-01,\n", encoding="utf-8")
    opened = connectors.open(folder)
    connectors.keep(folder, tmp_path / "store")
    assert len(opened.deals) == len(connectors.open(tmp_path / "store").deals) == 4
    assert opened.problems["action"].tolist() == ["row rejected"]


def test_what_is_wrong_in_the_file_and_between_tables_stand_in_one_list(folder):
    """Rejected, cleared and remarked on: `problems` has it all."""
    rows = DEALS + "4,won,2026-01-05,2026-02-01,\n6,won,2026-05-05,2026-02-01,Gift\n"
    (folder / "deals.csv").write_text(rows, encoding="utf-8")
    listed = connectors.open(folder).problems
    assert sorted(listed["action"]) == [
        "kept, listed only",
        "row rejected",
        "value set to missing",
    ]


def test_a_mapping_inside_the_folder_is_found(folder):
    """Foreign names, no option needed; the source names the mapping."""
    (folder / "deals.csv").rename(folder / "Opportunities.csv")
    text = 'as_of = 2026-06-30\n[deals]\nfile = "Opportunities.csv"\n[deals.columns]\n'
    text += 'deal_id = "deal_id"\noutcome = "outcome"\nclose_date = "close_date"\n'
    (folder / "mapping.toml").write_text(text, encoding="utf-8")
    snapshot = connectors.open(folder)
    assert len(snapshot.deals) == 4
    assert snapshot.source == "export (mapping mapping.toml)"


def test_a_source_never_holds_a_path(folder, tmp_path):
    """It is printed on pages."""
    connectors.keep(folder, tmp_path / "store")
    for place in (folder, tmp_path / "store"):
        assert str(tmp_path) not in connectors.open(place).described


def test_a_window_survives_the_store(tmp_path):
    """Deals closed before the export begins are missing: durations are taken with delayed entry."""
    if not MAVEN.is_dir():
        pytest.skip("the Maven export lies outside the project and is not there")
    mapping = MAPPINGS / "maven_crm.toml"
    connectors.keep(MAVEN, tmp_path / "store", mapping=mapping)
    opened = connectors.open(MAVEN, mapping=mapping)
    kept = connectors.open(tmp_path / "store")
    assert kept.window_start == opened.window_start == date(2017, 3, 1)
    assert kpi.cycle_days(kept).to_csv() == kpi.cycle_days(opened).to_csv()


def test_a_folder_without_a_window_takes_it_out_of_the_store(folder, tmp_path):
    """The last export kept says what is complete; an earlier one's window does not linger."""
    store = tmp_path / "store"
    mapping = tmp_path / "with_window.toml"
    columns = "columns = {deal_id = 'deal_id', outcome = 'outcome', close_date = 'close_date'}"
    mapping.write_text(
        f"as_of = 2026-06-30\nwindow_start = 2026-02-01\n[deals]\nfile = 'deals.csv'\n{columns}\n",
        encoding="utf-8",
    )
    connectors.keep(folder, store, mapping=mapping)
    assert connectors.open(store).window_start == date(2026, 2, 1)
    connectors.keep(folder, store)
    assert connectors.open(store).window_start is None


def test_a_store_is_for_one_crm(tmp_path):
    """Two in one would count the same company twice; nothing is asked of the second."""
    store = connectors.Store(tmp_path / "store")
    store.merge({"deals": pd.DataFrame({"deal_id": ["1"]})}, source="hubspot", as_of="2026-11-01")
    with pytest.raises(connectors.StoreError, match="holds a sync of hubspot"):
        connectors.sync("salesforce", store.path, token="x", url="https://127.0.0.1:9")
