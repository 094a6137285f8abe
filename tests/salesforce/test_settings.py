"""The settings file: its grammar, its refusals, and what changes the rows."""

import pytest

from connectors.errors import FileError
from connectors.hubspot.settings import Settings as HubSpotSettings
from connectors.salesforce.settings import CHOSEN, FILE, Settings, check_fields
from kpi.tables import TABLES

FULL = """\
overlap_minutes = 20
lag_seconds = 3
refresh_hours = 12

[fields.deals]
mrr = "MRR__c"
segment = "Market_Segment__c"

[fields.leads]
channel = "Channel__c"

[fields.subscriptions]
mrr = "MRR__c"
"""


def test_defaults(tmp_path):
    """Without a file."""
    found = Settings.read(tmp_path)
    assert (found.overlap_minutes, found.lag_seconds, found.refresh_hours) == (10, 300, 24)
    assert found.fields == {}


def test_written_and_read_again(tmp_path):
    """The same text, the same settings."""
    found = Settings.from_text(FULL)
    found.write(tmp_path)
    assert (tmp_path / FILE).read_text(encoding="utf-8") == FULL
    assert Settings.read(tmp_path) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lag_second = 1", "unknown key 'lag_second', did you mean 'lag_seconds'"),
        ("lag_seconds = -1", "lag_seconds = -1; expected a whole number"),
        ("lag_seconds = true", "expected a whole number"),
        ("lag_seconds = 1.5", "expected a whole number"),
        ("lag_seconds", "not valid TOML"),
        ("fields = 3", "expected"),
        ("[fields.deal]\na = 'b'", "did you mean 'deals'"),
        ("[fields.deals]\namount = 'b'", "unknown key 'amount'"),
        ("[fields.deals]\nsegment = ''", "expected the name of a field"),
        ("[fields.deals]\nsegment = 3", "expected the name of a field"),
        ("[fields.subscriptions]\nends_on = 'End__c'", "mrr is missing"),
    ],
)
def test_what_cannot_be_meant_is_refused(text, words):
    """With the file, the key and what is expected."""
    with pytest.raises(FileError, match=rf"salesforce\.toml.*{words}"):
        Settings.from_text(text)


def test_fingerprint():
    """It changes with what changes the rows, and only with that."""
    found = Settings.from_text(FULL)
    assert found.fingerprint() == Settings(fields=found.fields, lag_seconds=9).fingerprint()
    assert found.fingerprint() != Settings().fingerprint()
    assert (
        found.with_fields({"leads": {"channel": "Other__c"}}).fingerprint() != found.fingerprint()
    )


def test_fields_that_the_org_lacks():
    """The nearest one is named; objects not described are not checked."""
    chosen = Settings(fields={"deals": {"segment": "Segmnt__c"}})
    with pytest.raises(
        FileError, match=r"did you mean 'Segment__c'\?.*user may not see|Segment__c"
    ):
        check_fields(chosen, {"deals": ["Segment__c"]})
    check_fields(chosen, {"deals": ["Segmnt__c"]})
    check_fields(chosen, {})


def test_columns_that_may_be_chosen_are_of_their_tables():
    """As the contract has them, and in both CRMs by the same words."""
    for table, columns in CHOSEN.items():
        assert set(columns) <= set(TABLES[table].names)
    assert HubSpotSettings(fields={"deals": dict.fromkeys(CHOSEN["deals"], "x")})
