"""The settings file: what it may say, what is refused and in which words."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpi import Definitions, TableError
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
