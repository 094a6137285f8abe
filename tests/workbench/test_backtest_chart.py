"""The chart of a backtest: an interval and a dot a date, missed dates apart, nothing else inside."""

import html
import re

import numpy as np
import pandas as pd
import pytest
import vl_convert

from kpi.planning.forecasts import CAME, SIMPLE
from workbench import charts
from workbench.charts_backtest import INSIDE, OUTSIDE


def row(origin, method, actual, low=np.nan, high=np.nan):
    """One row of a backtest, its intervals all alike."""
    ends = {f"{end}{band}": v for band in (50, 80, 90) for end, v in (("low", low), ("high", high))}
    middle = (low + high) / 2
    return (
        {"origin": pd.Timestamp(origin), "method": method, "actual": actual}
        | ends
        | {
            "forecast": middle,
            "note": "",
            "leads": 400.0,
        }
    )


@pytest.fixture
def table():
    """Three dates: one held, one missed, one without a model."""
    found = pd.DataFrame(
        [
            row("2025-06-30", CAME, 12.0, 8, 15),
            row("2025-06-30", SIMPLE[0], 12.0, 1, 2),
            row("2025-12-31", CAME, 22.0, 9, 16),
            row("2024-12-31", CAME, 3.0),
        ]
    )
    found.attrs["sentence"] = "From 2 past dates the 80 % interval held the wins once."
    return found


def test_each_date_has_its_interval_and_a_dot_and_misses_stand_out(table):
    """In the order of the table; the simple methods are not drawn."""
    spec = charts.backtest_chart(table).to_dict()
    (rows,) = spec["datasets"].values()
    assert [r["origin"] for r in rows] == ["30 Jun 2025", "31 Dec 2025", "31 Dec 2024"]
    assert [r["came"] for r in rows] == [INSIDE, OUTSIDE, INSIDE]
    assert [r["actual"] for r in rows] == [12, 22, 3]
    assert rows[0]["low80"] == 8
    assert rows[2]["low80"] is None
    assert "leads" not in rows[0]
    drawn = [part["encoding"]["y"]["field"] for part in spec["layer"]]
    assert drawn == ["low90", "low80", "low50", "actual"]


def test_it_says_in_words_what_it_shows(table, capfd):
    """The sentence is the subtitle; numbers are in the description; drawn without a warning."""
    spec = charts.backtest_chart(table).to_dict()
    description = spec.get("description") or spec["layer"][0]["description"]
    assert "from 31 Dec 2025: 22 came, 12 forecast" in description
    assert "from 31 Dec 2024: 3 came" in description
    svg = vl_convert.vegalite_to_svg(spec, vl_version="5.8", allowed_base_urls=[])
    words = [html.unescape(w) for w in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]
    assert table.attrs["sentence"] in words
    assert OUTSIDE in words
    assert capfd.readouterr().err == ""
