"""The shared parts of the boards, without a browser: through their traits and methods."""

import asyncio
import re
from datetime import date

import pandas as pd
import pytest
from companies import random_walks, stages
from companies import snapshot as company

from kpi import TableError, leads_created, win_rate
from workbench.boards.parts import Explain, Export, Filters, Frame, OnDemand, Shown
from workbench.boards.parts import pace as pace_module
from workbench.boards.parts.export import safe
from workbench.boards.parts.pace import Pace

HOSTILE = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def filters(snapshot):
    """Filters of the sample company."""
    return Filters(snapshot)


@pytest.fixture
def frame(filters):
    """A small board: the win rate of what the filters leave."""

    def show():
        table = filters.table(win_rate, deal_type=filters.business)
        sentence = f"{table['x'].iloc[0]} of {table['n'].iloc[0]}"
        shown = pd.DataFrame({"rate": [sentence]}, index=["=won"])
        asked = {"win_rate": {"deal_type": filters.business}}
        return Shown(
            sentence,
            facts=[(HOSTILE, HOSTILE)],
            tables={HOSTILE: shown},
            notes=[HOSTILE],
            source=filters.snapshot.described,
            data={"win_rate": table},
            asked=asked,
        )

    return Frame("test", show, controls={}, filters=filters, kpis=("win_rate", "stage_days"))


def markup(frame):
    """All mark-up that a frame shows."""
    return frame.answer.value + frame.tables.value + frame.source.value


def test_filters_show_only_what_can_change_something(filters, snapshot):
    """Sellers by name; a column with one value is no choice."""
    assert list(filters.controls)[:4] == ["as_of", "since", "every", "deal_type"]
    assert dict(filters.owner.options)["Tessa Quillan"] == "O-1"
    one = Filters(snapshot.where(source="event"))
    assert "source" not in one.controls
    assert set(Filters(snapshot, only=("as_of",)).controls) == {"as_of"}


def test_untouched_filters_leave_the_snapshot_as_it_is(filters, snapshot):
    """Nothing is narrowed, and every list says that it is all."""
    assert filters.snapshot is snapshot
    assert {c.label for n, c in filters.controls.items() if n in ("source", "owner")} == {"all"}
    assert filters.currency == "USD"


def test_filters_narrow_rewind_and_begin_the_periods(filters, snapshot):
    """What comes out is what the snapshot's own methods give."""
    filters.source.value, filters.as_of.value = "event", date(2026, 6, 30)
    filters.since.value = date(2026, 1, 1)
    by_hand = snapshot.at("2026-06-30").where(source="event")
    pd.testing.assert_frame_equal(win_rate(filters.snapshot), win_rate(by_hand))
    months = leads_created(filters.snapshot, every="month")["period"]
    assert months.min() == pd.Timestamp("2026-01-01")
    filters.source.value = ""
    assert filters.snapshot.filters == {}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        pytest.param("as_of", None, "set the as-of date", id="no date"),
        pytest.param("as_of", date(2030, 1, 1), "known up to", id="later than the data"),
        pytest.param("since", date(2027, 1, 1), "begin after the as-of date", id="later start"),
    ],
)
def test_impossible_dates_are_refused_in_words(filters, name, value, said):
    """As a TableError, which a frame shows."""
    getattr(filters, name).max = None
    getattr(filters, name).value = value
    with pytest.raises(TableError, match=said):
        _ = filters.snapshot


def test_unknown_settings_of_filters_are_refused(snapshot):
    """A slip of the pen would silently leave a control out."""
    with pytest.raises(TableError, match="no such filter"):
        Filters(snapshot, only=("sauce",))
    with pytest.raises(TableError, match="expected one of"):
        Filters(snapshot, every="week")


def test_a_kpi_is_worked_out_once_per_state(filters):
    """The same table again until a filter changes."""
    first = filters.table(win_rate, every="year")
    assert filters.table(win_rate, every="year") is first
    assert filters.table(win_rate) is not first
    filters.source.value = "event"
    assert filters.table(win_rate, every="year") is not first


def test_a_frame_follows_its_controls_and_goes_back(frame, filters):
    """Each change is a step; undo takes them back one by one; reset is a step too."""
    first = frame.sentence
    filters.owner.value = "O-1"
    second = frame.sentence
    filters.source.value = "event"
    third = frame.sentence
    assert len({first, second, third}) == 3
    frame.undo()
    assert (frame.sentence, filters.source.value) == (second, "")
    frame.reset()
    assert (frame.sentence, frame.reset_button.disabled) == (first, True)
    frame.undo()
    assert (frame.sentence, filters.owner.value) == (second, "O-1")
    frame.undo()
    frame.undo()
    assert (frame.sentence, frame.undo_button.disabled) == (first, True)


def test_quiet_changes_are_one_step(frame, filters):
    """Two controls set at once, one undo."""
    first = frame.sentence
    with frame.quiet():
        filters.owner.value, filters.source.value = "O-1", "website"
        assert frame.sentence == first
    assert frame.sentence != first
    frame.undo()
    assert (frame.sentence, filters.owner.value, filters.source.value) == (first, "", "")


def test_what_makes_no_sense_is_said_in_place(frame, filters):
    """No picture, no table, no file; the next good input brings them back."""
    filters.as_of.value = None
    assert frame.shown is None
    assert frame.sentence == frame.problem == "set the as-of date: the last day that is known"
    assert 'role="alert"' in frame.answer.value
    assert frame.tables.value == frame.source.value == ""
    with pytest.raises(TableError, match="nothing is shown"):
        frame.export.write_csv()
    frame.undo()
    assert frame.problem == ""
    assert "<table" in frame.tables.value


def test_words_are_escaped(frame):
    """Names from a CRM are text wherever they stand."""
    assert "<img" not in markup(frame)
    assert markup(frame).count("&lt;img") == 4
    assert frame.bundle()["text/plain"] == frame.sentence


def test_a_change_while_it_works_is_painted_last_and_only(snapshot):
    """What was made for a state that has been left is never shown."""
    painted = []

    def make():
        pace.made += 1
        if pace.made == 1:
            pace.ask()  # somebody goes on while the first is being worked out
        return pace.made

    pace = Pace(make, painted.append)
    pace.made = 0
    pace.ask()
    assert painted == [2]


def test_of_changes_from_a_browser_the_first_is_painted_at_once(monkeypatch):
    """Those of one message are one repaint; those soon after it wait for the last of them."""
    monkeypatch.setattr(pace_module, "from_browser", lambda: True)
    monkeypatch.setattr(pace_module, "GATHER", 0.4)
    said, painted = [0], []
    pace = Pace(lambda: said[0], painted.append)

    async def drag():
        seen = []
        for values in ((1, 2), (3,), (4, 5)):
            for said[0] in values:
                pace.ask()
            for _ in range(3):
                await asyncio.sleep(0)
            seen.append(list(painted))
        await asyncio.sleep(0.6)
        return seen

    assert asyncio.run(drag()) == [[2], [2], [2]]
    assert painted == [2, 5]


def test_an_explanation_is_made_when_it_is_opened(frame):
    """Definition, SQL, records with links; closed, there is nothing."""
    explain = frame.explain
    assert explain.page.value == ""
    explain.open.value = True
    page = explain.page.value
    assert "won / (won + lost)" in page
    assert "own code says the same" in page
    assert "<summary>SQL</summary>" in page
    assert page.count('rel="noopener noreferrer"') == 50
    assert "Records counted: 324, the first 50" in page
    explain.open.value = False
    assert explain.page.value == ""


def test_an_explanation_follows_the_board(frame, filters):
    """The options of the board, and what the reader asks for in their place."""
    frame.explain.open.value = True
    filters.deal_type.value = ""
    assert "Left out: 33" in frame.explain.page.value
    frame.explain.which.value = "period=2026-Q3"
    assert "period=&#x27;2026-Q3&#x27;" in frame.explain.page.value


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param("", "say stage=", id="one row a stage"),
        pytest.param("Proposal", "expected name=value", id="no name"),
        pytest.param("stage=<b>", "&lt;b&gt;", id="hostile"),
    ],
)
def test_what_cannot_be_explained_is_said_below_the_definition(frame, asked, said):
    """The definition stays."""
    frame.explain.name.value = "stage_days"
    frame.explain.which.value = asked
    frame.explain.open.value = True
    assert said in frame.explain.page.value
    assert "<b>formula</b>" in frame.explain.page.value


def test_hostile_records_and_addresses_stay_text():
    """A link leads to a web address or nowhere; ids and labels are escaped."""
    frames = random_walks(seed=3, count=40)
    deals = frames["deals"].assign(url="javascript:alert(1)")
    deals.loc[0, "url"] = 'https://crm.example/"><script>'
    named = stages().assign(label=HOSTILE)
    snapshot = company(frames | {"deals": deals, "stages": named}, source=HOSTILE)
    explain = Explain(Filters(snapshot), ("win_rate",))
    explain.of({"win_rate": {"deal_type": None}})
    explain.open.value = True
    page = explain.page.value
    assert "javascript:" not in page
    assert "<script" not in page
    assert "<img" not in page


def test_files_hold_what_is_shown(frame, tmp_path, monkeypatch):
    """Named by board, table and as-of date; unrounded numbers as CSV, the page without script."""
    monkeypatch.chdir(tmp_path)
    (path,) = frame.export.write_csv()
    assert path.as_posix() == "out/test_win_rate_2026-11-01.csv"
    assert pd.read_csv(path)["value"].iloc[0] == pytest.approx(103 / 324)
    page = frame.export.write_page()
    text = page.read_text(encoding="utf-8")
    assert page.as_posix() == "out/test_2026-11-01.html"
    assert frame.sentence in text
    assert "<script" not in text
    assert "<img" not in text


def test_buttons_say_where_the_files_are(frame, tmp_path, monkeypatch):
    """Or why there are none."""
    monkeypatch.chdir(tmp_path)
    frame.export.csv.click()
    assert "out/test_win_rate_2026-11-01.csv" in frame.export.said.value
    (tmp_path / "out" / "test_2026-11-01.html").mkdir()
    frame.export.page.click()
    assert "rf-problem" in frame.export.said.value


def test_a_page_with_something_private_is_not_written(tmp_path, monkeypatch):
    """The same guard as the report's."""
    monkeypatch.chdir(tmp_path)
    export = Export("test", lambda: Shown("ask ann.lee@acme-mail.com"))
    with pytest.raises(TableError, match="was not written"):
        export.write_page()
    assert not (tmp_path / "out" / "test.html").exists()


def test_copied_text_has_tabs_and_runs_no_formula(frame):
    """A spreadsheet that it is pasted into takes it for text; a second click hides it."""
    frame.export.copy.click()
    assert frame.export.text.value.splitlines() == ["\trate", "'=won\t103 of 324"]
    frame.export.copy.click()
    assert frame.export.text.value == ""


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_is_a_formula(start):
    """In cells, column names and row labels; numbers stay numbers."""
    text = f"{start}cmd"
    table = safe(pd.DataFrame({text: [text], "n": [-2]}, index=[text]), index=True)
    assert [c for c in table.columns if c.startswith(start)] == []
    assert table.iloc[0].tolist() == [f"'{text}", f"'{text}", -2]


def test_slow_work_ends_with_what_it_found():
    """The buttons say whether it runs."""
    found = []
    work = OnDemand("Look", lambda: 7, found.append)
    work.start()
    work.join(10)
    assert found == [7]
    assert (work.running, work.button.disabled) == (False, False)


def test_stopped_work_is_never_shown():
    """What comes after the stop is dropped."""
    found, entered, leave = [], threading_event(), threading_event()

    def slow():
        entered.set()
        leave.wait(10)
        return 7

    work = OnDemand("Look", slow, found.append)
    work.start()
    entered.wait(10)
    assert work.running
    work.stop_button.click()
    leave.set()
    work.join(10)
    assert found == []
    assert "stopped" in work.said.value


def test_stopped_work_of_several_steps_ends_at_the_next():
    """It does not work on for nobody; the same work run by a cell is never stopped."""
    steps, entered, leave = [], threading_event(), threading_event()

    def slow():
        for step in range(3):
            work.check()
            steps.append(step)
            entered.set()
            leave.wait(10)
        return 7

    work = OnDemand("Look", slow, list)
    work.start()
    entered.wait(10)
    work.stop_button.click()
    leave.set()
    work.join(10)
    assert steps == [0]
    assert "stopped" in work.said.value
    assert slow() == 7


def test_slow_work_that_cannot_be_done_says_why():
    """In words, escaped."""

    def refused():
        raise TableError("no <b>stages</b>")

    work = OnDemand("Look", refused, list)
    work.start()
    work.join(10)
    assert re.search("no &lt;b&gt;stages", work.said.value)
    assert not work.running


def threading_event():
    """An event of the standard library."""
    from threading import Event

    return Event()
