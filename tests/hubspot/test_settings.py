"""The settings file of a sync: its grammar, its defaults and what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import FileError
from connectors.hubspot.settings import CHOSEN, FILE, Settings, check_fields
from kpi.tables import TABLES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param('leeds = "auto"', "unknown key 'leeds', did you mean 'leads'?", id="typo"),
        pytest.param('leads = "lead"', "leads = 'lead'; expected one of", id="no such mode"),
        pytest.param("leads = 1", "leads = 1; expected one of", id="mode is a number"),
        pytest.param("lag_seconds = -1", "lag_seconds = -1; expected a whole", id="negative"),
        pytest.param("lag_seconds = true", "lag_seconds = True; expected a whole", id="flag"),
        pytest.param("refresh_hours = 1.5", "refresh_hours = 1.5; expected", id="fraction"),
        pytest.param("fields = 3", "stands where a table of keys is expected", id="no table"),
        pytest.param(
            '[fields.deal]\nsegment = "x"', "'deal', did you mean 'deals'?", id="table, typo"
        ),
        pytest.param('[fields.deals]\nsegmnet = "x"', "did you mean 'segment'?", id="column, typo"),
        pytest.param('[fields.deals]\namount = "x"', "unknown key 'amount'", id="not to be chosen"),
        pytest.param('[fields.meetings]\noutcome = "x"', "unknown key 'meetings'", id="no choice"),
        pytest.param("[fields.deals]\nsegment = 1", "expected the name of a property", id="number"),
        pytest.param('[fields.deals]\nsegment = " "', "expected the name of a prop", id="blank"),
        pytest.param("leads = ", "not valid TOML", id="no TOML"),
    ],
)
def test_refused(text, message):
    """Each with what, where and the nearest word."""
    with pytest.raises(FileError, match=FILE) as error:
        Settings.from_text(text)
    assert message in str(error.value)


def test_refused_from_python_too():
    """The same checks where no file is read."""
    with pytest.raises(FileError, match="'channel'"):
        Settings(fields={"deals": {"channel": "x"}})
    with pytest.raises(FileError, match="lag_seconds"):
        Settings(lag_seconds="60")


def test_defaults_where_there_is_no_file(tmp_path):
    """And what is written reads back."""
    assert Settings.read(tmp_path) == Settings() == Settings.from_text("")
    chosen = Settings("contacts", 0, 6, {"leads": {"channel": "utm"}, "deals": {"margin": "gm"}})
    chosen.write(tmp_path)
    assert Settings.read(tmp_path) == chosen
    (tmp_path / FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(FileError, match="UTF-8"):
        Settings.read(tmp_path)


def test_a_file_that_cannot_be_read_or_written(tmp_path):
    """A folder of that name is neither."""
    (tmp_path / FILE).mkdir()
    with pytest.raises(FileError, match="cannot be read"):
        Settings.read(tmp_path)
    with pytest.raises(FileError, match="cannot be written"):
        Settings().write(tmp_path)


names = st.text(st.characters(codec="utf-8"), min_size=1).filter(
    lambda name: name.isprintable() and name.strip()
)


@given(names)
def test_every_name_survives_the_file(name):
    """Quotes, backslashes and any script."""
    chosen = Settings(fields={"deals": {"segment": name}})
    assert Settings.from_text(chosen.to_toml()) == chosen


def test_fields_are_merged():
    """Over those there, and the original stays as it was."""
    first = Settings(fields={"deals": {"segment": "a", "region": "b"}})
    second = first.with_fields({"deals": {"segment": "c"}, "leads": {"channel": "d"}})
    assert second.fields == {"deals": {"region": "b", "segment": "c"}, "leads": {"channel": "d"}}
    assert first.fields == {"deals": {"segment": "a", "region": "b"}}


def test_the_fingerprint_changes_with_what_changes_rows_only():
    """Not with the lag, nor with the order of the lines."""
    text = '[fields.deals]\nsegment = "a"\nregion = "b"'
    turned = '[fields.deals]\nregion = "b"\nsegment = "a"'
    prints = [Settings.from_text(t).fingerprint() for t in (text, turned, 'leads = "leads"', "")]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
    assert Settings(lag_seconds=1, refresh_hours=1).fingerprint() == Settings().fingerprint()


def test_what_may_be_chosen_is_canonical():
    """Every column that may be chosen is one of its table."""
    for table, columns in CHOSEN.items():
        assert set(columns) <= set(TABLES[table].names)


def test_a_property_that_the_account_lacks():
    """The nearest one is named; an object that was not read is not checked."""
    settings = Settings(fields={"deals": {"segment": "industry_verticle"}})
    with pytest.raises(FileError, match="did you mean 'industry_vertical'") as error:
        check_fields(settings, {"deals": {"industry_vertical", "dealname"}})
    assert "[fields.deals]: segment" in str(error.value)
    check_fields(settings, {"leads": ["x"]})
    check_fields(settings, {"deals": ["industry_verticle"]})
