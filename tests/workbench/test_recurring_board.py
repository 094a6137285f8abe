"""The recurring board without a browser: what grows, what is lost, and what only replaces it."""

import math
from datetime import date

import pandas as pd
import pytest

import kpi
from kpi import Snapshot
from workbench import (
    charts_recurring,
    recurring_customers,
    recurring_tables,
    recurring_words,
    theme,
)
from workbench.boards import RecurringBoard
from workbench.boards.recurring import KPIS
from workbench.recurring_loss import followed, loss
from workbench.tables import movement_table
from workbench.theme import money_text, percent_text

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def fresh(snapshot):
    """One board for all tests; drawing takes time."""
    return RecurringBoard(snapshot)


@pytest.fixture
def board(fresh):
    """The board as it first stood."""
    yield fresh
    fresh.frame.reset()


def lines(*rows, as_of="2026-10-31", **others):
    """A snapshot of recurring lines: account, MRR, first day, first day without it."""
    names = ["account_id", "mrr", "starts_on", "ends_on"]
    table = pd.DataFrame(rows, columns=names)
    table.insert(0, "subscription_id", [str(i) for i in range(len(table))])
    return Snapshot.from_frames({"subscriptions": table, **others}, as_of=as_of)


def table(board, beginning):
    """The table whose heading begins so."""
    (found,) = [t for h, t in board.frame.shown.tables.items() if h.startswith(beginning)]
    return found


def fact(board, name):
    """What is said behind the answer under a name."""
    (text,) = [text for key, text in board.frame.shown.facts if f"{key}:".startswith(name)]
    return text


def test_the_numbers_of_the_answer_are_those_of_the_kpis(board, snapshot):
    """MRR of the day, its net change in the last whole month, a year's loss of the customers then."""
    now = kpi.mrr(snapshot).iloc[0]
    october = kpi.mrr_movements(snapshot).set_index("period").loc["2026-10-01"]
    kept = kpi.gross_retention(snapshot).iloc[0]
    lost = 1 - kept["value"]
    monthly = 1 - kept["value"] ** (1 / 12)
    replace = [math.ceil(share * now["n"]) for share in (lost, 1 - kept["high"], 1 - kept["low"])]
    assert board.sentence == (
        f"Recurring revenue is {money_text(now['value'])} a month, up "
        f"{money_text(october['net'])} in October 2026; churn of {percent_text(monthly)} a month "
        f"takes {percent_text(lost)} a year ({percent_text(1 - kept['high'])}–"
        f"{percent_text(1 - kept['low'])}, n {kept['n']}), so {replace[0]} new customers a year "
        f"({replace[1]}–{replace[2]}) only replace what leaves."
    )
    assert board.loss.months == 12
    assert board.problem == ""


def test_every_rate_behind_it_has_its_interval_and_n(board, snapshot):
    """As the KPIs give them, over twelve months."""
    churn = kpi.customer_churn(snapshot).iloc[0]
    said = fact(board, "Customers lost, last 12 months")
    assert said.startswith(f"{churn['x']} of {churn['n']}: {percent_text(churn['value'])} (")
    assert f"{percent_text(churn['low'])}–{percent_text(churn['high'])}" in said
    net, gross = kpi.net_retention(snapshot).iloc[0], kpi.gross_mrr_churn(snapshot).iloc[0]
    assert recurring_words.rate(net) in fact(board, "Revenue kept")
    assert recurring_words.rate(gross) in fact(board, "Revenue churn")
    quick = kpi.quick_ratio(snapshot).iloc[0]
    assert fact(board, "Quick ratio").startswith(f"{quick['value']:.1f} ({quick['low']:.1f}–")
    now = kpi.mrr(snapshot).iloc[0]
    shares = f"{percent_text(now['largest'])} of all, the five largest {percent_text(now['top5'])}"
    assert fact(board, "Customers:").startswith(f"{now['n']}, who pay")
    assert fact(board, "Customers:").endswith(shares)


@pytest.mark.parametrize(
    ("every", "said"),
    [
        pytest.param("quarter", "up $38.1K in the quarter from July 2026;", id="quarter"),
        pytest.param("year", "up $67.5K in the year from January 2025;", id="year"),
    ],
)
def test_periods_of_other_lengths(board, snapshot, every, said):
    """The latest whole one of each, in the answer and in the tables."""
    board.filters.every.value = every
    assert said in board.sentence
    moved = kpi.mrr_movements(snapshot, every=every).tail(12)
    pd.testing.assert_frame_equal(table(board, "What moved it"), movement_table(moved))
    assert table(board, "Rates").index.tolist() == list(moved["period"].dt.strftime("%b %Y"))


@pytest.mark.parametrize("column", ["product", "industry", "region", "size"])
def test_revenue_is_broken_down_as_asked(board, snapshot, column):
    """A line a group, the largest first; the parts add up to the whole."""
    board.part.value = column
    shown = table(board, f"By {column}")
    parts = kpi.mrr(snapshot, by=column).sort_values("value", ascending=False)
    assert shown.index.tolist() == parts[column].tolist()[: recurring_words.PARTS]
    assert shown["MRR"].tolist() == [money_text(v) for v in parts["value"]]
    assert parts["value"].sum() == pytest.approx(kpi.mrr(snapshot)["value"].item())
    said = [note for note in board.frame.shown.notes if note.startswith("By product")]
    assert bool(said) == (column == "product")
    assert f"mrr_by_{column}" in board.frame.shown.data


def test_who_comes_back_counts_as_asked():
    """Lost by default; kept, the year's net retention and the quick ratio rise."""
    board = RecurringBoard(
        lines(
            ("A", 100, "2025-01-01", None),
            ("B", 100, "2025-01-01", "2026-02-01"),
            ("B", 100, "2026-05-01", None),
        )
    )
    before = fact(board, "Revenue kept"), fact(board, "Quick ratio")
    assert "50% with it" in before[0]
    board.comebacks.value = True
    assert "100% with it" in fact(board, "Revenue kept")
    assert fact(board, "Quick ratio").startswith("1.0")
    board.frame.undo()
    assert (fact(board, "Revenue kept"), fact(board, "Quick ratio")) == before


def test_the_margin_changes_what_a_customer_brings(board, snapshot):
    """Untouched it is that of the won deals; half of it, half the worth; nonsense is said in place."""
    own = kpi.lifetime_value(snapshot).iloc[0]
    assert board.margin.default == round(100 * own["margin"], 1)
    assert fact(board, "A customer brings").startswith(money_text(own["value"]))
    before = board.sentence
    board.margin.field.value = 50
    half = kpi.lifetime_value(snapshot, gross_margin=0.5)["value"].item()
    assert fact(board, "A customer brings").startswith(money_text(half))
    assert "at 50%" in fact(board, "A customer brings")
    board.margin.field.value = 150
    assert board.sentence == "gross margin: 150 %; expected above 0 and up to 100"
    assert board.frame.tables.value == ""
    board.frame.undo()
    board.frame.undo()
    assert board.sentence == before


def test_an_earlier_date_knows_what_was_known_then(board, snapshot):
    """Stocks on that day, moves of the month before it."""
    board.filters.as_of.value = date(2026, 3, 15)
    then = snapshot.at("2026-03-15")
    assert money_text(kpi.mrr(then)["value"].item()) in board.sentence
    assert "in February 2026" in board.sentence
    assert "15 March" not in board.sentence


def test_periods_begin_where_asked(board):
    """What stands on the day does not change."""
    before = board.sentence
    board.filters.since.value = date(2026, 5, 1)
    assert table(board, "What moved it").index[0] == "May 2026"
    assert board.sentence == before


def test_before_the_first_line_there_is_nobody(board):
    """Said in place; the way back is one step."""
    before = board.sentence
    board.filters.as_of.value = date(2020, 1, 1)
    assert board.problem == (
        "not enough data: no recurring line had begun by 2020-01-01; choose a later as-of date, "
        "or check starts_on in table subscriptions"
    )
    assert board.loss is None
    board.frame.undo()
    assert board.sentence == before


def test_without_subscriptions_the_board_says_what_is_missing(snapshot):
    """By name, where the answer would stand; nothing is raised."""
    bare = RecurringBoard(
        Snapshot.from_frames({"deals": snapshot.deals.to_pandas()}, as_of=snapshot.as_of)
    )
    assert bare.sentence == bare.problem
    assert "the recurring board needs the table subscriptions" in bare.sentence
    assert bare.sentence.endswith("the data has ['deals']")
    assert "rf-problem" in bare.frame.answer.value
    assert bare.frame.explain.open.value is False
    bare.frame.explain.open.value = True
    assert "mrr needs the table(s)" in bare.frame.explain.page.value
    assert bare._repr_mimebundle_()["text/plain"] == bare.problem


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param(
            [("A", 100, "2026-10-01", None)],
            "up $100 in October 2026; not enough data to say what churn takes.",
            id="one month of data",
        ),
        pytest.param(
            [("A", 100, "2026-08-01", None), ("B", 100, "2026-08-01", "2026-09-10")],
            "unchanged in October 2026; churn of 29% a month takes 98% a year",
            id="three months of data",
        ),
        pytest.param(
            [("A", 100, "2025-01-01", None), ("B", 50, "2025-01-01", None)],
            "unchanged in October 2026; nothing of it was lost in the last 12 months "
            "(n 2, too few for an interval).",
            id="nobody left",
        ),
        pytest.param(
            [("A", 100, "2025-01-01", None), ("B", 30, "2025-01-01", "2026-10-10")],
            "down $30 in October 2026; churn of 2.2% a month takes 23% a year",
            id="less than before",
        ),
        pytest.param(
            [("A", 100, "2025-01-01", "2026-10-10")],
            "No customer pays recurring revenue on 31 October 2026.",
            id="everybody left",
        ),
    ],
)
def test_little_data_is_said(rows, said):
    """No number is made up where there is none, and a short window is named."""
    board = RecurringBoard(lines(*rows))
    assert board.problem == ""
    assert said in board.sentence
    assert ("from 2 months only" in board.sentence) == ("98%" in said)


def test_many_groups_are_cut_short_and_that_is_said():
    """The largest are shown; their number is named."""
    count = recurring_words.PARTS + 5
    ids = [f"A-{i:02}" for i in range(count)]
    accounts = pd.DataFrame({"account_id": ids, "industry": ids})
    rows = [(name, 100 + i, "2025-01-01", None) for i, name in enumerate(ids)]
    board = RecurringBoard(lines(*rows, accounts=accounts))
    board.part.value = "industry"
    assert table(board, "By industry").index.tolist() == ids[::-1][: recurring_words.PARTS]
    assert (
        board.frame.shown.notes[-1]
        == f"The {recurring_words.PARTS} largest of 25 groups are shown."
    )


def test_a_window_that_is_not_stated_is_said(snapshot):
    """Who left before the data begins is not in the curve."""
    one = [("A", 100, "2025-01-01", None)]
    assert recurring_words.WINDOW_NOTE in RecurringBoard(lines(*one)).frame.shown.notes
    told = recurring_words.notes("", 0, date(2025, 1, 1))
    assert recurring_words.WINDOW_NOTE not in told


def test_one_customer_to_replace_is_one():
    """Singular."""
    board = RecurringBoard(
        lines(("A", 100, "2025-01-01", None), ("B", 30, "2025-01-01", "2026-10-10"))
    )
    assert "(n 2, too few for an interval), so 1 new customer a year only rep" in board.sentence


def test_a_year_is_compounded_from_the_months_there_are():
    """Six months that keep 0.81 make a year that keeps 0.6561; limits change places."""
    told = loss(pd.Series({"value": 0.81, "low": 0.64, "high": 1.0, "n": 40}), 6, 10)
    assert told.yearly == pytest.approx(1 - 0.81**2)
    assert (told.low, told.high) == pytest.approx((0.0, 1 - 0.64**2))
    assert told.monthly == pytest.approx(1 - 0.81 ** (1 / 6))
    assert told.replacing(0.3) == 3
    assert told.replacing(0.31) == 4


def test_the_months_followed_are_those_of_the_data(snapshot):
    """Twelve, or as many as there are."""
    assert followed(snapshot) == 12
    assert followed(lines(("A", 1, "2026-08-01", None))) == 2
    assert followed(lines(("A", 1, "2026-08-01", None), as_of="2026-07-01")) == 0


def test_the_largest_add_up_to_the_concentration(snapshot):
    """One and five of them are what `mrr` says."""
    paid, now = recurring_customers.largest(snapshot), kpi.mrr(snapshot).iloc[0]
    assert paid["share"].iloc[0] == pytest.approx(now["largest"])
    assert paid["share"].sum() == pytest.approx(now["top5"])
    assert paid["mrr"].is_monotonic_decreasing


def test_those_lost_add_up_to_the_churn(snapshot):
    """All of them, over the months of the board."""
    gone = recurring_customers.lost(snapshot, count=1000)
    assert gone["churn"].sum() == pytest.approx(kpi.gross_mrr_churn(snapshot)["churn"].item())
    assert gone["month"].between("2025-11-01", "2026-10-01").all()


def test_hostile_names_of_customers_are_text():
    """In every table; the picture is an image that runs nothing."""
    accounts = pd.DataFrame(
        {"account_id": ["A", "B", "C"], "name": HOSTILE, "region": [HOSTILE, "x", None]}
    )
    rows = [("A", 100, "2025-01-01", None), ("B", 30, "2025-01-01", "2026-10-10")]
    board = RecurringBoard(lines(*rows, ("C", 9, "2025-01-01", None), accounts=accounts))
    board.part.value = "region"
    assert "<script" not in board.frame.tables.value
    assert "&lt;script&gt;alert(1)&lt;/script&gt; (A)" in board.frame.tables.value
    assert "&lt;script&gt;alert(1)&lt;/script&gt;</td>" in board.frame.tables.value
    assert "(none)" in table(board, "By region").index
    assert "<script" not in board.frame.picture.value


@pytest.mark.parametrize("name", KPIS)
def test_every_number_can_be_explained(board, name):
    """The account by SQL says the same as the board."""
    explain = board.frame.explain
    explain.open.value = True
    explain.name.value = name
    assert "own code says the same" in explain.page.value
    explain.open.value = False


def test_the_curve_stops_where_few_are_followed(snapshot):
    """Ten at least; the words give every year."""
    curve = kpi.retention_curve(snapshot)
    spec = charts_recurring.retention(curve).to_dict()
    months = [row["month"] for rows in spec["datasets"].values() for row in rows]
    last = curve.loc[curve["n"] >= 10, "month"].max()
    assert max(months) == last < curve["month"].max()
    year = curve.set_index("month")["value"].loc[12]
    assert f"after 12 months {percent_text(year)} of customers" in str(spec)
    assert recurring_tables.curve_table(curve).loc["after 12 months"].iloc[0] == percent_text(year)


def test_churn_is_drawn_gross_and_net(snapshot):
    """Both lines, and what they say for those who cannot see them."""
    gross = kpi.gross_mrr_churn(snapshot, every="quarter")
    net = kpi.net_mrr_churn(snapshot, every="quarter")
    chart = charts_recurring.churn(gross, net, "Revenue churn by quarter")
    said = theme.caption(chart.to_dict())
    assert f"Jul 2026 {percent_text(gross['value'].iloc[-2])}" in said
    drawn = theme.svg(chart)
    assert charts_recurring.GROSS in drawn
    assert charts_recurring.NET in drawn
