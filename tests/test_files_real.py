"""Two real exports through the mappings we ship; their figures are those of their provenance notes."""

from pathlib import Path

import pandas as pd
import pytest

from connectors.files import read_folder

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"


def imported(folder, mapping):
    """Read a real export, or skip where it does not lie beside the project."""
    if not (SHARED / folder).is_dir():
        pytest.skip(f"the export {folder} does not lie beside this checkout")
    return read_folder(SHARED / folder, mapping=ROOT / "data" / "mappings" / mapping)


@pytest.fixture(scope="module")
def maven():
    """The Maven CRM export, imported once."""
    return imported("maven_crm", "maven_crm.toml")


@pytest.fixture(scope="module")
def salesforce():
    """The Salesforce sample, imported once."""
    return imported("salesforce_dev_org_sample", "salesforce_dev_org.toml")


def test_every_maven_deal_is_accepted(maven):
    """8,800 deals; the 500 Prospecting without a date are open deals, not rejects."""
    deals = maven.frames["deals"]
    assert deals["outcome"].value_counts().to_dict() == {"won": 4238, "lost": 2473, "open": 2089}
    assert deals["created_at"].isna().sum() == 500
    assert set(deals.loc[deals["created_at"].isna(), "stage_id"]) == {"Prospecting"}
    assert deals["account_id"].isna().sum() == 1425
    counts = maven.report.summary.set_index("table")
    assert counts["accepted"].to_dict() == {
        "stages": 4,
        "deals": 8800,
        "history": 15011,  # 8,300 engaged + 6,711 closed
        "owners": 35,
        "accounts": 85,
    }
    assert not counts["rejected"].any()
    assert maven.report.problems.empty


def test_maven_money_and_dates(maven):
    """Only won deals have a value; a close value of 0 on a lost deal means none."""
    deals = maven.frames["deals"]
    assert deals["amount"].notna().sum() == 4238
    assert deals["amount"].sum() == 10_005_534  # sum of close_value, counted with awk
    assert deals.loc[deals["amount"].notna(), "outcome"].unique().tolist() == ["won"]
    assert deals["closed_at"].min() == pd.Timestamp("2017-03-01", tz="UTC")
    assert (maven.as_of.isoformat(), maven.window_start.isoformat()) == ("2017-12-31", "2017-03-01")


def test_maven_failed_join_is_visible(maven):
    """GTXPro is not in products.csv: 1,480 deals would lose their product without a word."""
    assert maven.report.failed_joins.to_numpy().tolist() == [
        ["deals", "product", "GTXPro", 1480, "products.csv: product"]
    ]
    assert "GTXPro: 1,480 rows" in str(maven.report)


def test_the_correction_shipped_as_a_comment_works(maven, tmp_path):
    """Taking out the '#' of the spelling line mends the join."""
    assert maven is not None
    text = (ROOT / "data" / "mappings" / "maven_crm.toml").read_text(encoding="utf-8")
    assert text.count("# spelling = {") == 1
    corrected = tmp_path / "corrected.toml"
    corrected.write_text(text.replace("# spelling = {", "spelling = {"), encoding="utf-8")
    found = read_folder(SHARED / "maven_crm", mapping=corrected)
    assert found.report.failed_joins.empty
    assert (found.frames["deals"]["product"] == "GTX Pro").sum() == 1480


def test_maven_history_and_stages(maven):
    """Each engaged deal has its day; won and lost stand only in the history of such deals."""
    history, deals = maven.frames["history"], maven.frames["deals"].set_index("deal_id")
    assert history["stage_id"].value_counts().to_dict() == {
        "Engaging": 8300,
        "Won": 4238,
        "Lost": 2473,
    }
    closed = history[history["stage_id"] != "Engaging"]
    assert (deals.loc[closed["record_id"], "stage_id"].to_numpy() == closed["stage_id"]).all()
    stages = maven.frames["stages"].sort_values("position")
    assert stages["stage_id"].tolist() == ["Prospecting", "Engaging", "Won", "Lost"]
    assert set(maven.frames["owners"]["team"]) == {"Central", "East", "West"}
    assert "technolgy" in set(maven.frames["accounts"]["industry"])


def test_salesforce_counts(salesforce):
    """36 opportunities, 48 changes, 22 leads of which 5 converted, nothing refused."""
    frames = salesforce.frames
    assert frames["deals"]["outcome"].value_counts().to_dict() == {"open": 16, "won": 12, "lost": 8}
    assert {n: len(f) for n, f in frames.items()} == {
        "stages": 10,
        "leads": 22,
        "deals": 36,
        "history": 48,
        "accounts": 18,
    }
    assert frames["leads"]["converted_at"].notna().sum() == 5
    assert frames["leads"]["created_at"].isna().all()
    assert salesforce.report.problems.empty
    assert salesforce.report.failed_joins.empty


def test_salesforce_dates_and_chances(salesforce):
    """Two-digit years, AM/PM, per cent to share; nothing happened after the as-of date."""
    deals = salesforce.frames["deals"].set_index("deal_id")
    history = salesforce.frames["history"]
    assert deals.loc["006bm00000LKJNNAA5", "created_at"] == pd.Timestamp("2024-02-12", tz="UTC")
    assert deals.loc["006bm00000LKJNPAA5", "closed_at"] == pd.Timestamp("2024-03-07", tz="UTC")
    assert deals["created_at"].isna().sum() == 5
    assert history["changed_at"].min() == pd.Timestamp("2026-02-23T20:55", tz="UTC")
    assert history["changed_at"].max() == pd.Timestamp("2026-03-07T21:00", tz="UTC")
    assert history["changed_at"].max().date() == salesforce.as_of
    assert set(history["probability"]) <= {0, 0.1, 0.2, 0.5, 0.6, 0.7, 0.75, 0.9, 1}
    assert (history["close_date"].dt.year == 2021).sum() == 31
