"""Published and computed intervals of shares; figures retyped, each with its source."""

import pytest

from kpi.stats import jeffreys, wilson


@pytest.mark.parametrize(
    ("interval", "x", "n", "low", "high", "tolerance"),
    [
        # PSIAIMS/CAMIS ci_for_prop (R DescTools), 6 decimals from statsmodels 0.15.0
        pytest.param(
            wilson, 36, 154, 0.17390341055789038, 0.3065879596267267, 1e-6, id="T08 wilson"
        ),
        pytest.param(
            jeffreys, 36, 154, 0.1722823055547333, 0.30514835017849706, 1e-6, id="T08 jeffreys"
        ),
        # Newcombe 1998, Statist. Med. 17:857, table I, method 3
        pytest.param(wilson, 81, 263, 0.2553, 0.3662, 6e-5, id="T09 81 of 263"),
        pytest.param(wilson, 15, 148, 0.0624, 0.1605, 6e-5, id="T09 15 of 148"),
        pytest.param(wilson, 0, 20, 0.0, 0.1611, 6e-5, id="T09 0 of 20"),
        pytest.param(wilson, 1, 29, 0.0061, 0.1718, 6e-5, id="T09 1 of 29"),
        # counts of the seed articles (S02, S03), statsmodels 0.15.0
        pytest.param(
            wilson, 40, 200, 0.15045200926098118, 0.2608551865653788, 1e-6, id="T10 40 of 200"
        ),
        pytest.param(
            wilson, 25, 100, 0.17545211362287677, 0.3430446354806161, 1e-6, id="T10 25 of 100"
        ),
        pytest.param(
            jeffreys,
            40,
            200,
            0.14910086994513733,
            0.259507688803366,
            1e-6,
            id="T10 jeffreys 40 of 200",
        ),
        pytest.param(
            jeffreys,
            25,
            100,
            0.17307978991348877,
            0.3411513111128474,
            1e-6,
            id="T10 jeffreys 25 of 100",
        ),
        # Brown, Cai and DasGupta 2001: lower limit 0 at x = 0, upper limit 1 at x = n
        pytest.param(jeffreys, 0, 20, 0.0, 0.11663898290487543, 1e-6, id="T11 0 of 20"),
        pytest.param(jeffreys, 5, 5, 0.6206228577009606, 1.0, 1e-6, id="T11 5 of 5"),
    ],
)
def test_published_intervals(interval, x, n, low, high, tolerance):
    """The limits are those published, to the digits published."""
    limits = [float(limit) for limit in interval(x, n)]
    assert limits == pytest.approx([low, high], abs=tolerance)
