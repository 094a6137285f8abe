"""The settings file: what it may say, what is refused in which words; and every KPI follows it."""

from datetime import date

import pandas as pd
import pytest
from companies import ACCOUNTS, costs, day, lines, quotas, random_walks, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from kpi import Definitions, TableError
from kpi.catalogue import KPIS
from kpi.definitions import Count

FULL = """
time_zone = "Europe/Berlin"
fiscal_year_start = 7
reporting_currency = "EUR"
horizon_days = 365
pipelines = ["default", "partner"]

[deal_types]
"Existing Business" = "expansion"

[count.mql]
table = "leads"
column = "stage_id"
in = ["marketingqualifiedlead", "mql"]
"""


def test_a_full_file_is_read():
    """Every setting of the grammar arrives."""
    read = Definitions.from_text(FULL)
    assert read.time_zone == "Europe/Berlin"
    assert read.fiscal_year_start == 7
    assert read.horizon_days == 365
    assert read.pipelines == ("default", "partner")
    assert read.deal_types == {"Existing Business": "expansion"}
    assert read.count == {"mql": Count("leads", "stage_id", ("marketingqualifiedlead", "mql"))}


def test_an_empty_file_means_the_defaults(tmp_path):
    """Also one that Windows saved with a byte order mark."""
    path = tmp_path / "definitions.toml"
    path.write_text("", encoding="utf-8-sig")
    assert Definitions.read(path) == Definitions()


def test_what_is_written_reads_back_the_same():
    """And has the same version."""
    read = Definitions.from_text(FULL)
    again = Definitions.from_text(read.to_toml())
    assert again == read
    assert again.version == read.version


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.just("renewal"), max_size=3))
def test_any_words_of_a_crm_survive_writing(words):
    """Quotes, backslashes, line ends, control characters: CRM text is hostile."""
    before = Definitions(deal_types=words)
    assert Definitions.from_text(before.to_toml()).deal_types == words


def test_the_version_changes_with_any_setting():
    """So a number can say under which definitions it was made."""
    others = [
        Definitions(time_zone="Europe/Berlin"),
        Definitions(fiscal_year_start=2),
        Definitions(reporting_currency="EUR"),
        Definitions(horizon_days=90),
        Definitions(pipelines=("a",)),
        Definitions(deal_types={"x": "new"}),
        Definitions(count={"won": Count("deals", "stage_id", ("w",))}),
    ]
    assert len({d.version for d in [Definitions(), *others]}) == len(others) + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("time_zone = 'Mars/Base'", "no time zone 'Mars/Base'", id="zone"),
        pytest.param("time_zone = '../../etc/passwd'", "no time zone", id="zone as a path"),
        pytest.param("time_zone = 5", "no time zone 5|time_zone", id="zone as a number"),
        pytest.param("fiscal_year_start = 13", "expected a month, 1 to 12", id="month 13"),
        pytest.param("fiscal_year_start = 'July'", "expected a month", id="month as a word"),
        pytest.param("fiscal_year_start = true", "expected a month", id="month as a flag"),
        pytest.param("horizon_days = 0", "whole number of days above 0", id="no horizon"),
        pytest.param("horizon_days = 1.5", "whole number of days", id="broken horizon"),
        pytest.param("horizon_days = true", "whole number of days", id="horizon as a flag"),
        pytest.param("reporting_currency = 5", "reporting_currency", id="currency as a number"),
        pytest.param("pipelines = 'a'", "expected a list of ids", id="one pipeline"),
        pytest.param("fiscal_yaer_start = 7", "unknown setting 'fiscal_yaer_start'", id="misspelt"),
        pytest.param("[deal_types]\nx = 'big'", "'x' = 'big'; expected one of", id="deal type"),
        pytest.param("deal_types = 'x'", "deal_types", id="deal types as text"),
        pytest.param("count = 5", "count", id="count as a number"),
        pytest.param("[count.sal]\ntable='leads'", "count.sal: expected one of", id="count name"),
        pytest.param(
            "[count.mql]\ntable='leads'", "exactly table, column and in", id="count parts"
        ),
        pytest.param(
            "[count.mql]\ntable='notes'\ncolumn='x'\nin=['y']",
            "expected leads or deals",
            id="table",
        ),
        pytest.param(
            "[count.mql]\ntable='leads'\ncolumn='phase'\nin=['y']", "no column 'phase'", id="column"
        ),
        pytest.param(
            "[count.mql]\ntable='leads'\ncolumn='status'\nin=[]", "expected a list", id="no values"
        ),
        pytest.param(
            "[count.lead]\ntable='deals'\ncolumn='stage_id'\nin=['y']",
            "count.lead: table = 'deals'; expected leads",
            id="leads counted in deals",
        ),
        pytest.param(
            "[count.won]\ntable='leads'\ncolumn='stage_id'\nin=['y']",
            "count.won: table = 'leads'; expected deals",
            id="wins counted in leads",
        ),
        pytest.param("a = = 1", "not valid TOML", id="no TOML"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(text, message):
    """The message says which setting, what it held and what is expected."""
    with pytest.raises(TableError, match=message) as refused:
        Definitions.from_text(text)
    assert str(refused.value).startswith("definitions: ")


@pytest.mark.parametrize(
    ("zone", "day", "seconds"),
    [
        ("UTC", date(1970, 1, 2), 86_400),
        ("America/New_York", date(2026, 7, 1), 1_782_878_400),
        ("Asia/Kolkata", date(2026, 7, 1), 1_782_844_200),
        ("Europe/Berlin", date(2026, 3, 29), 1_774_738_800),
        ("Europe/Berlin", date(2026, 3, 30), 1_774_821_600),
    ],
)
def test_a_day_begins_at_local_midnight(zone, day, seconds):
    """In UTC seconds; the day of the clock change in Berlin has 23 hours."""
    assert Definitions(time_zone=zone).midnight(day) == seconds


def company():
    """Every table filled: two pipelines, moments at any hour, leads behind every third deal."""
    frames = random_walks(seed=3, count=60)
    deals = frames["deals"]
    deals["pipeline_id"] = ["sales" if i % 4 else "partner" for i in range(len(deals))]
    deals["owner_id"] = ["o1" if i % 2 else "o2" for i in range(len(deals))]
    deals["account_id"] = [f"a{i % 7}" for i in range(len(deals))]
    deals["lead_id"] = [f"l{i}" if i % 3 == 0 else None for i in range(len(deals))]
    deals["mrr"], deals["margin"] = deals["amount"] / 12, deals["amount"] / 2
    hours = pd.to_timedelta([i * 7 % 24 for i in range(len(deals))], unit="h")
    for column in ("created_at", "closed_at"):
        deals[column] = deals[column] + hours - pd.Timedelta(hours=12)
    shift = dict(zip(deals["deal_id"], hours, strict=True))
    history = frames["history"]
    moved = history["record_id"].map(shift) - pd.Timedelta(hours=12)
    frames["history"] = history.assign(changed_at=history["changed_at"] + moved)
    numbers = range(60)
    frames["leads"] = pd.DataFrame(
        {
            "lead_id": [f"l{i}" for i in numbers],
            "created_at": [day(i * 2) + pd.Timedelta(hours=i % 24 - 12) for i in numbers],
            "stage_id": ["sql" if i % 2 else "mql" for i in numbers],
            "channel": ["Ads" if i % 2 else "Fair" for i in numbers],
            "owner_id": ["o1" if i % 2 else "o2" for i in numbers],
            "account_id": [f"a{i % 7}" for i in numbers],
        }
    )
    frames["meetings"] = pd.DataFrame(
        {
            "meeting_id": [f"m{i}" for i in numbers],
            "starts_at": [day(i * 2 + 3) + pd.Timedelta(hours=i % 24 - 12) for i in numbers],
            "booked_at": [day(i * 2 + 1) for i in numbers],
            "outcome": ["held" if i % 3 else "no_show" for i in numbers],
            "lead_id": [f"l{i}" for i in numbers],
            "account_id": [f"a{i % 7}" for i in numbers],
            "owner_id": "o1",
        }
    )
    frames["suspects"] = pd.DataFrame(
        {
            "suspect_id": [f"s{i}" for i in numbers],
            "added_at": [day(i * 3) + pd.Timedelta(hours=i % 24 - 12) for i in numbers],
            "owner_id": "o1",
        }
    )
    owners = {"owner_id": ["o1", "o2"], "team": "East", "annual_ote": 120_000.0}
    frames |= {"owners": pd.DataFrame(owners), "accounts": ACCOUNTS}
    frames["subscriptions"] = lines(
        ("a0", 100, "2025-03-10", None),
        ("a1", 50, "2025-06-10", "2026-03-31"),
        ("a2", 80, "2025-09-10", "2026-05-31"),
        ("a2", 20, "2026-02-10", None),
        ("a3", 70, "2026-01-10", None),
    )
    return frames | {"costs": costs(), "quotas": quotas()}


RULES = {
    "mql": Count("leads", "stage_id", ("mql", "sql")),
    "sql": Count("leads", "stage_id", ("sql",)),
}


@pytest.fixture(scope="module")
def whole():
    """Snapshots of the company by what changes in its definitions, each made once."""
    frames = company()
    deals, history = frames["deals"], frames["history"]
    sales = set(deals.loc[deals["pipeline_id"] == "sales", "deal_id"])
    cut = {"deals": deals[deals["deal_id"].isin(sales)]}
    cut["history"] = history[history["record_id"].isin(sales)]
    moments = {name: [c for c in frame if c.endswith("_at")] for name, frame in frames.items()}
    local = {
        name: frame.assign(**{c: _in_new_york(frame[c]) for c in moments[name]})
        for name, frame in frames.items()
    }
    return {
        "plain": snapshot(frames, count=RULES),
        "sales": snapshot(frames, count=RULES, pipelines=("sales",)),
        "sales by hand": snapshot(frames | cut, count=RULES),
        "new york": snapshot(
            {
                n: f.assign(**{c: f[c].dt.tz_localize("UTC") for c in moments[n]})
                for n, f in frames.items()
            },
            count=RULES,
            time_zone="America/New_York",
        ),
        "new york by hand": snapshot(local, count=RULES),
        "fiscal": snapshot(frames, count=RULES, fiscal_year_start=2),
    }


def _in_new_york(moments):
    """Wall clock time in New York of moments in UTC."""
    return moments.dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.tz_localize(None)


@pytest.mark.parametrize("name", KPIS)
def test_every_kpi_counts_the_included_pipelines_only(whole, name):
    """As if the deals of the others had never been exported."""
    one, other = KPIS[name](whole["sales"]), KPIS[name](whole["sales by hand"])
    pd.testing.assert_frame_equal(one, other, rtol=1e-9)


@pytest.mark.parametrize("name", KPIS)
def test_every_kpi_has_the_companys_days(whole, name):
    """Moments in UTC under a time zone are the same as that zone's wall clock."""
    one, other = (KPIS[name](whole[key], every="month") for key in ("new york", "new york by hand"))
    pd.testing.assert_frame_equal(one, other, rtol=1e-9)


@pytest.mark.parametrize("name", KPIS)
def test_every_kpi_has_the_companys_quarters(whole, name):
    """With a fiscal year from February quarters begin in February, May, August and November."""
    table = KPIS[name](whole["fiscal"], every="quarter")
    assert len(table) > 0 or name == "slippage"  # it needs a history of close dates
    assert set(table["period"].dt.month) <= {2, 5, 8, 11}


def test_another_meaning_of_sql_moves_the_count_of_it():
    """Conversion to SQL follows the setting, from 30 of 60 leads to all."""
    snap = snapshot({"leads": company()["leads"]}, count=RULES)
    wide = snap.under(Definitions(count=RULES | {"sql": RULES["mql"]}))
    rates = [KPIS["lead_conversion"](s, to="sql")["x"].iloc[0] for s in (snap, wide)]
    assert rates == [30, 60]


def test_a_deal_that_names_no_pipeline_is_in_the_only_one():
    """So the pipelines setting keeps it."""
    frames = random_walks(seed=3, count=5)
    stages = frames["stages"].assign(pipeline_id="sales")
    snap = snapshot(frames | {"stages": stages}, pipelines=("sales",))
    assert len(snap.deals) == 5
