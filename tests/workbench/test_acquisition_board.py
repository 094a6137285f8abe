"""The acquisition board without a browser: what a customer costs, brings, and when it is paid back."""

import re
from datetime import date

import pandas as pd
import pytest

import kpi
from kpi import MissingTableError, Snapshot
from workbench import acquisition_words, charts_acquisition, theme
from workbench.acquisition_numbers import Choices, Numbers
from workbench.boards import AcquisitionBoard
from workbench.boards.acquisition import CHANNELS, HEIGHT, NUMBERS
from workbench.theme import money_text

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def fresh(snapshot):
    """One board for all tests; lifetimes and drawing take time."""
    return AcquisitionBoard(snapshot)


@pytest.fixture
def board(fresh):
    """The board as it first stood."""
    yield fresh
    fresh.frame.reset()


@pytest.fixture(scope="module")
def frames(snapshot):
    """The tables of the sample company."""
    return {name: snapshot.table(name).to_pandas() for name in snapshot.present}


@pytest.fixture
def company(snapshot, frames):
    """The sample company without some tables, or with others in their place."""

    def make(without=(), **others):
        kept = {name: frame for name, frame in frames.items() if name not in without}
        return Snapshot.from_frames(kept | others, as_of=snapshot.as_of)

    return make


def row(table):
    """The only row of a KPI."""
    (only,) = table.to_dict("records")
    return only


def costs_said(cac):
    """How the answer begins for a row of `kpi.cac`."""
    limits = f"{money_text(cac['low'], '')} to {money_text(cac['high'], '')}"
    return f"A new customer costs {money_text(cac['value'])} ({limits}, n {cac['n']})"


def numbers(board):
    """The table of all numbers."""
    return board.frame.shown.tables[NUMBERS]


def test_the_answer_is_that_of_the_kpis(board, snapshot):
    """Cost, payback and margin, with the interval of each."""
    back = row(kpi.cac_payback(snapshot))
    assert board.sentence.startswith(costs_said(row(kpi.cac(snapshot))))
    assert (
        f"in {back['value']:.1f} months ({back['low']:.1f} to {back['high']:.1f})" in board.sentence
    )
    assert f"at a gross margin of {back['gross_margin']:.0%}" in board.sentence


def test_what_a_customer_brings_is_that_of_the_kpis(board, snapshot):
    """Lifetime value, its ratio to the cost, and the band of the field."""
    ratio = row(kpi.clv_to_cac(snapshot))
    said = dict(board.frame.shown.facts)["A customer brings"]
    assert said.startswith(money_text(ratio["clv"]))
    assert f"{ratio['value']:.1f} times its cost ({ratio['low']:.1f} to {ratio['high']:.1f}" in said
    assert ratio["band"] == "maybe_underinvesting"
    assert "perhaps too little is spent on growth" in said
    assert any("conventions of the field" in note for note in board.frame.shown.notes)


def test_every_number_stands_with_its_interval_and_n(board, snapshot):
    """Records have no interval: the magic number."""
    shown = numbers(board)
    lead = row(kpi.cost_per_lead(snapshot))
    assert shown.loc["Cost per lead", "now"] == money_text(lead["value"])
    assert shown.loc["Cost per lead", "n"] == f"{lead['n']:,} leads"
    magic = row(kpi.magic_number(snapshot))
    assert shown.loc["Magic number", ["now", "95% interval"]].tolist() == [
        f"{magic['value']:.1f}",
        "–",
    ]
    lagged = row(kpi.cac(snapshot, lagged=True))
    assert shown.loc["CAC, lagged by a sales cycle", "now"] == money_text(lagged["value"])
    assert "median cycle" in shown.loc["CAC, lagged by a sales cycle", "note"]


def test_leads_of_two_channels_are_compared(board, snapshot):
    """The dearest against the cheapest, of those that have costs."""
    leads = kpi.cost_per_lead(snapshot, by="channel").dropna(subset=["value"])
    dear, cheap = leads["value"].max(), leads["value"].min()
    assert f"A lead from Events costs {dear / cheap:.1f} times one from Outbound" in board.sentence


def test_channels_with_too_few_customers_are_named_not_compared(board):
    """Two customers each: their cost says nothing."""
    said = dict(board.frame.shown.facts)["New customers by channel, by its own costs"]
    assert "A customer from Paid search costs" in said
    assert said.endswith("Not enough data (fewer than 5): Partners, Outbound.")


def channels(**values):
    """A KPI by channel: value, low, high and n of each."""
    rows = [dict(zip(("value", "low", "high", "n"), v, strict=True)) for v in values.values()]
    return pd.DataFrame(rows).assign(channel=list(values))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param(channels(a=(10, 8, 12, 50)), "", id="one channel"),
        pytest.param(channels(a=(10, 8, 25, 9), b=(30, 20, 50, 9)), "", id="within chance"),
        pytest.param(channels(a=(10, 8, 12, 4), b=(30, 20, 50, 90)), "", id="too few"),
        pytest.param(channels(a=(0, 0, 0, 40), b=(30, 20, 50, 90)), "", id="no cost at all"),
        pytest.param(
            channels(a=(10, 8, 12, 50), b=(30, 20, 50, 90), c=(20, 9, 60, 5)),
            "A lead from b costs 3.0 times one from a ($30 against $10).",
            id="apart",
        ),
    ],
)
def test_only_channels_that_are_truly_apart_are_compared(rows, said):
    """No ranking of what chance explains."""
    assert acquisition_words.dearer(rows, "lead") == said


def test_the_comparison_holds_for_all_channels_together(board, monkeypatch):
    """Five channels and costs without one: limits at 1 - 0.05 / 7 each."""
    asked = []
    monkeypatch.setattr(
        acquisition_words, "dearer", lambda rows, *_: asked.append(rows) or "compared"
    )
    board._dearer("lead", "cost_per_lead")
    plain = board.numbers.kpi("cost_per_lead", by="channel")
    wide = (asked[0]["high"] - asked[0]["low"]) / (plain["high"] - plain["low"])
    assert wide.dropna().gt(1.3).all()


def test_lagged_costs_are_those_of_the_kpi(board, snapshot):
    """The answer, the payback and the ratio follow."""
    board.lagged.value = True
    assert board.sentence.startswith(costs_said(row(kpi.cac(snapshot, lagged=True))))
    assert any("costs of 2 months earlier" in note for note in board.frame.shown.notes)
    assert board.numbers.now()["clv_to_cac"]["value"] == pytest.approx(
        kpi.clv_to_cac(snapshot, lagged=True)["value"].iloc[0]
    )


def test_a_margin_of_ones_own_moves_payback_and_worth(board, snapshot):
    """Untouched, each KPI takes what its own deals state."""
    assert board.gross_margin.override is None
    board.gross_margin.field.value = 80
    back = row(kpi.cac_payback(snapshot, gross_margin=0.8))
    assert f"pays back in {back['value']:.1f} months" in board.sentence
    worth = kpi.lifetime_value(snapshot, gross_margin=0.8)["value"].iloc[0]
    assert numbers(board).loc["Lifetime value (CLV)", "now"] == money_text(worth)
    board.frame.undo()
    assert "at a gross margin of 45%" in board.sentence


def test_a_shorter_lifetime_is_worth_less(board, snapshot):
    """Months that count."""
    board.horizon.value = 24
    worth = kpi.lifetime_value(snapshot, horizon_months=24)["value"].iloc[0]
    assert f"{money_text(worth)} (" in dict(board.frame.shown.facts)["A customer brings"]


def test_labour_can_be_shared_with_the_customers_one_has(board, snapshot):
    """Of labour alone: what is advertised stays whole."""
    board.labour.field.value = 50
    assert board.sentence.startswith(costs_said(row(kpi.cac(snapshot, allocation={"labour": 0.5}))))
    assert "50% labour" in numbers(board).loc["Cost of a new customer (CAC)", "note"]


@pytest.mark.parametrize(
    ("label", "value", "said"),
    [
        pytest.param("Gross margin, %", 0, "gross_margin", id="no margin"),
        pytest.param("Gross margin, %", 130, "gross_margin", id="more than all"),
        pytest.param("Labour for new, %", -5, "allocation: labour", id="less than nothing"),
    ],
)
def test_bad_inputs_are_said_in_place_and_undone(board, label, value, said):
    """In the KPI's own words."""
    before = board.sentence
    board.frame._controls[label].value = value
    assert said in board.problem
    board.frame.undo()
    assert board.sentence == before


@pytest.mark.parametrize("every", ["month", "quarter", "year"])
def test_periods_are_those_of_the_kpis(board, snapshot, every):
    """The latest eight, with the customers won in each."""
    board.filters.every.value = every
    table = board.frame.shown.tables[f"By {every}"]
    expected = kpi.cac(snapshot, every=every).tail(8)
    assert table["new customers"].tolist() == [f"{n:,}" for n in expected["n"]]
    assert table.index.tolist() == expected["period"].dt.strftime("%b %Y").tolist()


def test_periods_begin_where_asked(board):
    """What is of now stays."""
    before = board.sentence
    board.filters.since.value = date(2026, 4, 1)
    assert board.frame.shown.tables["By quarter"].index.tolist() == [
        "Apr 2026",
        "Jul 2026",
        "Oct 2026",
    ]
    assert board.sentence == before


def test_nobody_won_is_said(board):
    """Nobody's first deal was a renewal; what a customer brings is known all the same."""
    board.filters.deal_type.value = "renewal"
    assert board.problem == ""
    assert board.sentence.startswith("What a new customer costs is not known: no new customers.")
    assert "three times its cost, the convention, it may cost" in board.sentence
    assert numbers(board).loc["Payback", "note"].startswith("not enough data: no new customers")


def test_before_there_was_anything(board):
    """An as-of date before the first record."""
    board.filters.as_of.value = date(2019, 1, 1)
    assert board.sentence == "What a new customer costs is not known: no costs recorded."
    assert board.frame.shown.picture == ""


def test_one_customer_is_not_enough(board):
    """The number stands, with how little it rests on."""
    board.filters.as_of.value = date(2025, 1, 15)
    assert "n 1: not enough data)" in board.sentence
    said = dict(board.frame.shown.facts)["A customer brings"]
    assert said.endswith("its interval reaches into another band")


def test_without_costs_it_says_so_by_name_and_shows_the_rest(company, snapshot):
    """What a customer brings, what it may cost, and what becomes of each channel's leads."""
    board = AcquisitionBoard(company(without=["costs"]))
    worth = row(kpi.lifetime_value(snapshot))
    assert board.problem == ""
    assert board.sentence.startswith(
        "What a new customer costs is not known: the data has no costs."
    )
    assert board.sentence.endswith(f"it may cost {money_text(worth['value'] / 3)}.")
    assert board.frame.shown.notes[0].startswith("The data has no costs (a file costs.csv: month,")
    assert "CLV : CAC, Payback, Magic number" in board.frame.shown.notes[0]
    assert list(board.frame.shown.tables[CHANNELS].columns) == [
        "of its leads so far became customers"
    ]
    assert "Leads that became customers" in board.frame.shown.picture
    assert "rf-problem" not in board.frame.answer.value
    assert "cac" not in dict(board.frame.explain.name.options).values()


@pytest.mark.parametrize(
    ("gone", "unknown", "known"),
    [
        pytest.param("leads", "Cost per lead", "Payback", id="no leads"),
        pytest.param("subscriptions", "CLV : CAC", "Payback", id="no subscriptions"),
    ],
)
def test_what_else_is_missing_is_named(company, gone, unknown, known):
    """The rest stands."""
    board = AcquisitionBoard(company(without=[gone]))
    shown = numbers(board)
    assert shown.loc[unknown, "note"] == f"not enough data: the data has no {gone}"
    assert shown.loc[known, "now"] == "5.4 months"
    assert any(note.startswith(f"The data has no {gone}") for note in board.frame.shown.notes)


def test_deals_are_needed(company):
    """Named, rather than an empty board."""
    with pytest.raises(MissingTableError, match="deals"):
        AcquisitionBoard(company(without=["deals"]))


def test_an_unknown_margin_is_not_passed_over(company, frames):
    """The KPI takes revenue for margin; the answer says so."""
    board = AcquisitionBoard(company(deals=frames["deals"].assign(margin=None)))
    assert "were all revenue margin: the gross margin is not known" in board.sentence
    assert board.gross_margin.field.value == 100
    assert "not known" in board.gross_margin.note.value


def test_costs_without_labour_leave_nothing_to_share(company, frames):
    """An input that changes nothing is not shown."""
    costs = frames["costs"]
    board = AcquisitionBoard(company(costs=costs[costs["category"] != "labour"]))
    assert board.labour.view not in board._useful()
    assert board.lagged in board._useful()


def test_hostile_names_of_channels_are_text(company, frames):
    """In sentence, facts and tables; the picture is an image that runs nothing."""
    named = {"Events": HOSTILE, "Paid search": "'; DROP TABLE leads; --"}
    others = {
        t: frames[t].assign(channel=frames[t]["channel"].replace(named)) for t in ("leads", "costs")
    }
    board = AcquisitionBoard(company(**others))
    assert HOSTILE in board.sentence
    for area in (board.frame.answer, board.frame.tables, board.frame.picture):
        assert "<img src=x" not in area.value
    assert "&lt;img src=x onerror=alert(1)&gt;" in board.frame.answer.value
    assert "&#x27;; DROP TABLE leads; --" in board.frame.tables.value


def test_numbers_can_be_explained(board):
    """With the margin and the share of labour asked for; that lagged ones cannot yet, is said."""
    board.gross_margin.field.value = 60
    board.labour.field.value = 80
    explain = board.frame.explain
    explain.open.value = True
    for name in ("cac", "cac_payback", "clv_to_cac", "cost_per_lead"):
        explain.name.value = name
        assert "own code says the same" in explain.page.value
    board.lagged.value = True
    explain.name.value = "cac"
    assert "no SQL for lagged=True" in explain.page.value
    explain.open.value = False


def test_few_customers_stay_in_the_picture(snapshot):
    """Grey, cut off at the top, or `none`: left out, the dear periods would be missing."""
    table = kpi.cac(snapshot, every="month")
    whole = kpi.cac(snapshot)["value"].iloc[0]
    chart = charts_acquisition.cost_over_time(table, whole, "CAC").to_dict()
    (rows,) = [data for data in chart["datasets"].values() if len(data) == len(table)]
    assert max(r["value"] for r in rows if r["value"] is not None) <= 4 * whole
    assert {r["size"] for r in rows} == {"few", "enough"}
    assert [r["says"] for r in rows].count("none") == (table["n"] == 0).sum() > 0


def test_channels_without_a_point_say_why(board):
    """No costs of its own, or too few."""
    chart = charts_acquisition.channels(board.numbers.by_channel()).to_dict()
    says = {(r["channel"], r["says"]) for data in chart["datasets"].values() for r in data}
    assert ("Word of mouth", "no costs of its own") in says
    assert ("Partners", "not enough data: n 2") in says


def test_the_pictures_fit_their_area(board):
    """However many channels there are: its height is fixed, and nothing lies over the tables."""
    rows = board.numbers.by_channel()
    many = pd.concat([rows.assign(channel=rows["channel"] + str(i)) for i in range(9)])
    drawn = [
        charts_acquisition.worth(board.numbers.now()["clv_to_cac"]),
        charts_acquisition.cost_over_time(board.numbers.kpi("cac", every="month"), 4500.0, "CAC"),
        charts_acquisition.channels(many),
    ]
    sizes = [re.search(r'<svg[^>]* width="(\d+)" height="(\d+)"', theme.svg(c)) for c in drawn]
    assert sum(int(size[2]) for size in sizes) <= HEIGHT
    assert max(int(size[1]) for size in sizes) <= theme.WIDTH


def test_a_csv_holds_the_unrounded_numbers(board, snapshot):
    """As the KPIs give them."""
    data = board.frame.shown.data
    pd.testing.assert_frame_equal(data["cac"], kpi.cac(snapshot))
    assert {"by_period", "by_channel"} <= set(data)


def test_numbers_without_tables_are_empty_not_errors():
    """No table at all: each says what it lacks."""
    nothing = Numbers(frozenset(), lambda *_, **__: pytest.fail("asked a KPI"), Choices())
    assert nothing.by_period("month").empty
    assert nothing.by_channel().empty
    assert nothing.now()["cac"]["note"] == "not known: the data has no costs and no deals"
    assert pd.isna(nothing.unnamed())
