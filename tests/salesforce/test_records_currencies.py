"""Amounts in several currencies: plain and dated rates."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import ConnectorError
from connectors.salesforce.records.currencies import Currencies, rates

TYPES = pd.DataFrame(
    {
        "IsoCode": ["USD", "EUR", "JPY", "OLD"],
        "ConversionRate": ["1", "0.8", "150", "2"],
        "IsActive": ["true", "true", "true", "false"],
        "IsCorporate": ["true", "false", "false", "false"],
    },
    dtype="str",
)
DATED = pd.DataFrame(
    {
        "IsoCode": ["EUR", "EUR", "USD", "EUR"],
        "StartDate": ["2026-02-01", "2025-01-01", "0001-01-01", "2026-03-01"],
        "NextStartDate": ["2026-03-01", "2026-02-01", "9999-12-30", "9999-12-30"],
        "ConversionRate": ["0.5", "0.25", "1", "0.4"],
    },
    dtype="str",
)


def converted(currencies, amount, code, day):
    """One amount in the reporting currency."""
    days = pd.Series(pd.to_datetime([day])).astype("datetime64[us]")
    return currencies.to_reporting(pd.Series([amount]), pd.Series([code], dtype="str"), days)[0]


@pytest.mark.parametrize(
    ("code", "day", "amount"),
    [
        pytest.param("USD", "2026-02-10", 100.0, id="corporate"),
        pytest.param("EUR", "2026-01-31", 400.0, id="day before the next rate"),
        pytest.param("EUR", "2026-02-01", 200.0, id="first day of a rate"),
        pytest.param("EUR", "2030-01-01", 250.0, id="the last rate runs on"),
        pytest.param("EUR", "2024-12-31", 400.0, id="before the first rate"),
        pytest.param("EUR", None, 125.0, id="no day: the rate of now"),
        pytest.param("JPY", "2026-02-10", 100 / 150, id="no dated rates"),
        pytest.param("OLD", "2026-02-10", 50.0, id="no longer active"),
    ],
)
def test_dated_rates(code, day, amount):
    """The rate of the day, and which stands in where there is none."""
    assert converted(Currencies.read(TYPES, DATED), 100.0, code, day) == amount


def test_plain_rates():
    """Without dated rates the day does not matter."""
    currencies = Currencies.read(TYPES)
    assert converted(currencies, 100.0, "EUR", "2020-01-01") == 125.0


def test_one_currency():
    """Nothing is converted, and no rate lacks."""
    currencies = Currencies.read(TYPES.iloc[:0])
    assert converted(currencies, 100.0, None, None) == 100.0
    assert not currencies.lacking(pd.Series(["EUR"])).any()


@pytest.mark.parametrize("code", ["CHF", None])
def test_no_rate_is_no_amount(code):
    """Never taken for the corporate currency."""
    currencies = Currencies.read(TYPES, DATED)
    assert pd.isna(converted(currencies, 100.0, code, "2026-02-10"))
    assert currencies.lacking(pd.Series([code], dtype="str")).all()


def test_no_corporate_currency_is_refused():
    """Then no amount means anything."""
    with pytest.raises(ConnectorError, match="corporate"):
        Currencies.read(TYPES.iloc[1:])


@settings(derandomize=True, deadline=None)
@given(
    st.floats(0, 1e9),
    st.sampled_from(["USD", "EUR", "JPY"]),
    st.dates(pd.Timestamp("2025-01-01").date(), pd.Timestamp("2030-01-01").date()),
)
def test_rates_undo_the_conversion(amount, code, day):
    """The table of rates says the same as the amounts."""
    own = converted(Currencies.read(TYPES, DATED), amount, code, day.isoformat())
    table = rates(TYPES, DATED)
    mine = table[(table["currency"] == code) & (table["from_date"] <= pd.Timestamp(day))]
    factor = mine["rate"].iloc[-1] if len(mine) else 1 if code == "USD" else 1 / 150
    assert own == pytest.approx(amount * factor)


def test_tables_of_rates():
    """Dated rows where there are some, else the active currencies; never the corporate one."""
    assert rates(TYPES, DATED).astype("str").values.tolist() == [
        ["EUR", "2025-01-01", "4.0"],
        ["EUR", "2026-02-01", "2.0"],
        ["EUR", "2026-03-01", "2.5"],
    ]
    for dated in (None, DATED.iloc[:0]):
        found = rates(TYPES, dated)
        assert found["currency"].tolist() == ["EUR", "JPY"]
        assert (found["from_date"] == pd.Timestamp("1970-01-01")).all()
    for none in (TYPES.iloc[:0], pd.DataFrame()):
        assert rates(none).empty
        assert Currencies.read(none) == Currencies()
