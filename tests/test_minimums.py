"""The bare-minimum table of each seller."""

import numpy as np
import pandas as pd
import pytest
from companies import snapshot, stages

from kpi import TableError
from kpi.activity.minimums import RULES, seller_minimums
from kpi.definitions import Count


def deals(*rows):
    """Build deals from (seller, created, outcome, closed, amount)."""
    names = ["owner_id", "created_at", "outcome", "close_date", "amount"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.assign(deal_id=[f"d{i}" for i in range(len(rows))])


def owners(**columns):
    """Build sellers 1 and 2."""
    both = {"owner_id": ["1", "2"], "name": ["Ann", "Bo"], "annual_ote": [120_000.0, None]}
    return pd.DataFrame(both | columns)


WON = [("1", "2026-01-05", "won", "2026-02-03", 30_000.0)] * 3


def cell(table, seller, indicator):
    """One row of the table, of the only period."""
    rows = table[(table["owner_id"] == seller) & (table["indicator"] == indicator)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_every_seller_has_a_row_for_every_indicator():
    """In the order of the chain, those who did nothing included."""
    table = seller_minimums(snapshot({"deals": deals(*WON), "owners": owners()}))
    assert table["indicator"].tolist() == list(RULES) * 2
    assert table["owner_id"].tolist() == ["1"] * 6 + ["2"] * 6
    assert table["name"].tolist() == ["Ann"] * 6 + ["Bo"] * 6
    assert cell(table, "2", "deals_won")["value"] == 0
    assert cell(table, "2", "deals_won")["standing"] == "below"


def test_a_value_is_the_average_over_the_whole_months_of_the_data():
    """January to June; the running month and those before the data are in none."""
    snap = snapshot({"deals": deals(*WON), "owners": owners()}, as_of="2026-07-15")
    table = seller_minimums(snap)
    won = cell(table, "1", "deals_won")
    assert (won["value"], won["x"], won["n"]) == (0.5, 3, 6)
    assert cell(table, "1", "value_won")["value"] == pytest.approx(90_000 / 6 / 120_000)


def test_only_the_last_twelve_months_count():
    """Wins of two years ago are no work of today."""
    frame = deals(*WON, ("1", "2023-01-05", "won", "2023-02-03", 1.0))
    won = cell(seller_minimums(snapshot({"deals": frame})), "1", "deals_won")
    assert (won["x"], won["n"]) == (3, 12)


@pytest.mark.parametrize(
    ("starts", "months"),
    [("2026-03-01", 4), ("2026-03-02", 3), ("2025-01-01", 6), (None, 6)],
)
def test_a_seller_is_measured_from_the_first_whole_month(starts, months):
    """A month in which somebody began on the second day is none of theirs."""
    frames = {"deals": deals(*WON), "owners": owners(starts_on=[starts, None])}
    assert cell(seller_minimums(snapshot(frames)), "1", "deals_created")["n"] == months


def test_who_has_not_sold_a_whole_month_has_no_value():
    """Started in the last days: not 0."""
    frames = {"deals": deals(*WON), "owners": owners(starts_on=["2026-06-20", None])}
    row = cell(seller_minimums(snapshot(frames)), "1", "deals_won")
    assert np.isnan(row["value"])
    assert pd.isna(row["standing"])
    assert row["note"].startswith("not enough data: no whole month of this seller")


def test_who_still_ramps_is_marked():
    """Four months from March end in July."""
    frames = {"deals": deals(*WON), "owners": owners(starts_on="2026-03-01", ramp_months=[4, 2])}
    table = seller_minimums(snapshot(frames))
    assert "still ramping" in cell(table, "1", "deals_won")["note"]
    assert "still ramping" not in cell(table, "2", "deals_won")["note"]


def test_sellers_who_left_are_out_and_unlisted_ones_in():
    """Seller 2 no longer sells; seller 3 owns deals and is in no list; nobody's are in no row."""
    frame = deals(
        *WON, ("3", "2026-01-05", "open", None, 1.0), (None, "2026-01-05", "open", None, 1.0)
    )
    frames = {"deals": frame, "owners": owners(active=[None, False])}
    assert seller_minimums(snapshot(frames))["owner_id"].unique().tolist() == ["1", "3"]


def test_without_a_list_of_sellers_there_is_no_share_of_ote():
    """The owners of the records are the sellers."""
    table = seller_minimums(snapshot({"deals": deals(*WON)}))
    row = cell(table, "1", "value_won")
    assert np.isnan(row["value"])
    assert row["note"] == "not enough data: no annual_ote of this seller"
    assert cell(table, "1", "deals_won")["value"] == 0.5


def test_wins_without_an_amount_are_counted_in_the_note():
    """They are won, and of unknown value."""
    frame = deals(*WON, ("1", "2026-01-05", "won", "2026-02-03", None))
    table = seller_minimums(snapshot({"deals": frame, "owners": owners()}))
    row = cell(table, "1", "value_won")
    assert (row["x"], row["value"]) == (3, pytest.approx(0.125))
    assert "1 won without an amount" in row["note"]
    assert cell(table, "1", "deals_won")["x"] == 4


def test_leads_and_suspects_are_those_the_seller_owns():
    """Qualified leads where they are defined, else all; the note says which."""
    leads = pd.DataFrame(
        {
            "lead_id": list("abc"),
            "owner_id": ["1", "1", "2"],
            "created_at": "2026-05-05",
            "status": ["MQL", "new", "MQL"],
        }
    )
    suspects = pd.DataFrame({"suspect_id": ["s"], "owner_id": ["1"], "added_at": ["2026-06-05"]})
    frames = {"deals": deals(*WON), "leads": leads, "suspects": suspects}
    table = seller_minimums(snapshot(frames))
    lead = cell(table, "1", "leads")
    assert (lead["value"], lead["x"], lead["n"]) == (1, 2, 2)
    assert "set [count.mql]" in lead["note"]
    assert cell(table, "1", "suspects")[["value", "n"]].tolist() == [1, 1]
    count = {"mql": Count("leads", "status", ("MQL",))}
    lead = cell(seller_minimums(snapshot(frames, count=count)), "1", "leads")
    assert (lead["x"], lead["note"]) == (1, "mqls")


def test_what_a_company_does_not_record_has_a_reason():
    """No leads, no suspects, no stages: each says so."""
    table = seller_minimums(snapshot({"deals": deals(*WON)})).set_index("indicator")
    assert table.loc["suspects", "note"] == "not enough data: no suspects"
    assert table.loc["leads", "note"] == "not enough data: no leads with a date"
    assert table.loc["last_stage_deals", "note"] == "not enough data: no stages of deals"
    assert table.loc[["suspects", "leads", "last_stage_deals"], "value"].isna().all()


def moving():
    """Two deals of seller 1 that were in the last stage, S3, at different times; one still is."""
    moves = [
        ("a", "S1", "2026-01-05"),
        ("a", "S3", "2026-02-10"),
        ("a", "S2", "2026-03-10"),
        ("b", "S3", "2026-02-20"),
        ("b", "Won", "2026-05-05"),
        ("c", "S3", "2026-06-01"),
    ]
    history = pd.DataFrame(moves, columns=["record_id", "stage_id", "changed_at"])
    frame = pd.DataFrame(
        {
            "deal_id": list("abc"),
            "owner_id": "1",
            "stage_id": ["S2", "Won", "S3"],
            "created_at": ["2026-01-05", "2026-02-20", "2026-06-01"],
            "closed_at": [None, "2026-05-05", None],
        }
    )
    return {"deals": frame, "history": history, "stages": stages()}


def test_the_last_stage_is_a_stock_at_the_end_of_the_period():
    """From history for months gone by; January none, February two, then one, none, one."""
    table = seller_minimums(snapshot(moving()), every="month")
    stock = table[table["indicator"] == "last_stage_deals"]
    assert stock["value"].tolist() == [0, 2, 1, 1, 0, 1]
    assert stock["n"].tolist() == [1] * 6
    assert cell(seller_minimums(snapshot(moving())), "1", "last_stage_deals")["value"] == 1


def test_without_history_only_today_is_known():
    """The months gone by say why they have no value."""
    frames = {k: v for k, v in moving().items() if k != "history"}
    table = seller_minimums(snapshot(frames), every="month")
    stock = table[table["indicator"] == "last_stage_deals"]
    assert stock["value"].isna().tolist() == [True] * 5 + [False]
    assert stock["note"].iloc[0] == "not enough data: no history of the stages"
    assert stock["value"].iloc[-1] == 1


def test_the_stock_of_a_past_month_is_what_a_snapshot_of_that_day_says():
    """History and rewinding agree."""
    snap = snapshot(moving())
    table = seller_minimums(snap, every="month")
    stock = table[table["indicator"] == "last_stage_deals"].set_index("period")["value"]
    for month, value in stock.items():
        then = snap.at((month + pd.offsets.MonthEnd(0)).date())
        assert cell(seller_minimums(then), "1", "last_stage_deals")["value"] == value


def test_each_pipeline_has_its_own_last_stage():
    """Position 2 is the last of one and in the middle of the other."""
    steps = pd.concat(
        [
            stages("A1", "A2", "Won").assign(pipeline_id="a"),
            stages("B1", "B2", "B3", "Won").assign(pipeline_id="b"),
        ]
    )
    frame = pd.DataFrame(
        {
            "deal_id": list("wxyz"),
            "owner_id": "1",
            "pipeline_id": ["a", "b", "b", "a"],
            "stage_id": ["A2", "B2", "B3", "A1"],
            "created_at": "2026-01-05",
        }
    )
    table = seller_minimums(snapshot({"deals": frame, "stages": steps}))
    assert cell(table, "1", "last_stage_deals")["value"] == 2


def test_quarters_average_their_months_and_new_business_is_the_default():
    """A fiscal quarter from February; an expansion counts where all business does."""
    frame = deals(*WON, ("1", "2026-02-05", "won", "2026-03-03", 1.0)).assign(
        deal_type=["new"] * 3 + ["expansion"]
    )
    snap = snapshot({"deals": frame, "owners": owners()}, fiscal_year_start=2, as_of="2026-04-30")
    table = seller_minimums(snap, every="quarter")
    table = table[(table["indicator"] == "deals_won") & (table["owner_id"] == "1")]
    assert table["period"].tolist() == [pd.Timestamp("2025-11-01"), pd.Timestamp("2026-02-01")]
    assert table["value"].tolist() == [0, 1]
    assert table["n"].tolist() == [1, 3]
    assert cell(seller_minimums(snap, deal_type=None), "1", "deals_won")["x"] == 4


def test_by_team():
    """Columns of owners; those in no list are in no team."""
    frame = deals(*WON, ("9", "2026-01-05", "open", None, 1.0))
    snap = snapshot({"deals": frame, "owners": owners(team=["North", "South"])})
    teams = (
        seller_minimums(snap, by="team").drop_duplicates("owner_id").set_index("owner_id")["team"]
    )
    assert teams[["1", "2"]].tolist() == ["North", "South"]
    assert pd.isna(teams["9"])
    assert "owner_id" not in seller_minimums(snap, by="owner")
    assert seller_minimums(snap, by="owner")["owner"].unique().tolist() == ["1", "2", "9"]


def test_only_whole_months_of_the_window_count():
    """An export from 15 February on: February is not whole."""
    snap = snapshot({"deals": deals(*WON)}, window_start="2026-02-15")
    assert cell(seller_minimums(snap), "1", "deals_created")["n"] == 4


def test_without_a_seller_there_is_a_reason():
    """Deals of nobody."""
    table = seller_minimums(snapshot({"deals": deals((None, "2026-01-05", "open", None, 1.0))}))
    assert table["value"].isna().all()
    assert table.loc[table["indicator"] == "deals_won", "note"].tolist() == [
        "not enough data: no seller then"
    ]


def test_what_cannot_be_is_refused():
    """A table, a kind of business, a column, a level."""
    snap = snapshot({"deals": deals(*WON)})
    with pytest.raises(TableError, match="seller_minimums needs the table"):
        seller_minimums(snapshot({}))
    with pytest.raises(TableError, match="deal_type='old'"):
        seller_minimums(snap, deal_type="old")
    with pytest.raises(TableError, match="by='colour'"):
        seller_minimums(snap, by="colour")
    with pytest.raises(ValueError, match="level"):
        seller_minimums(snap, level=95)
