"""Charts by their specification: what is drawn, in which order, and nothing else inside."""

import base64
import html
import re

import pandas as pd
import pytest
import vl_convert
from companies import random_walks, stages
from companies import snapshot as company

import kpi
from kpi.planning import FunnelModel, reverse_funnel
from workbench import charts, theme

STAGES = ["Discovery", "Assessment", "Proposal", "Negotiation", "Won"]
MARKUP = re.compile(r"<script|<img|onerror=(?!alert\(1\)(&|$))|javascript:", re.IGNORECASE)
SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def kpis(snapshot):
    """The KPI tables that charts take."""
    return {
        "conversion": kpi.stage_conversion(snapshot),
        "by_source": kpi.win_rate(snapshot, by="source"),
        "by_month": kpi.win_rate(snapshot, every="month"),
        "movements": kpi.mrr_movements(snapshot, every="quarter"),
    }


@pytest.fixture(scope="module")
def drawn(kpis, plan):
    """Every chart there is, by name."""
    return {
        "funnel": charts.funnel(kpis["conversion"]),
        "rates": charts.rates(kpis["by_source"], "source", "Win rate by source"),
        "rate_over_time": charts.rate_over_time(kpis["by_month"], "Win rate by month"),
        "mrr_bridge": charts.mrr_bridge(kpis["movements"]),
        "plan_funnel": charts.plan_funnel(plan),
        "plan_months": charts.plan_months(plan),
    }


NAMES = ["funnel", "rates", "rate_over_time", "mrr_bridge", "plan_funnel", "plan_months"]


def rows(spec):
    """Every data set inside a specification, as one list of columns each."""
    return [list(values[0]) for values in spec["datasets"].values() if values]


def encodings(spec, channel):
    """Find a channel's encodings anywhere in a specification."""
    found = [spec["encoding"][channel]] if channel in spec.get("encoding", {}) else []
    for kind in ("layer", "vconcat"):
        for part in spec.get(kind, []):
            found += encodings(part, channel)
    return found


def heading(spec):
    """Title of a chart or of its first panel."""
    found = theme._first(spec, "title")
    return found["text"] if isinstance(found, dict) else found


def written(spec):
    """Draw as Lab's Vega-Lite would, and return the words in the picture."""
    svg = vl_convert.vegalite_to_svg(spec, vl_version="5.8", allowed_base_urls=[])
    return [html.unescape(words) for words in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def test_every_chart_function_is_tested_here():
    """A new chart must come with its tests."""
    functions = [n for n, f in vars(charts).items() if callable(f) and n[0].islower()]
    own = [n for n in functions if getattr(charts, n).__module__ == charts.__name__]
    assert sorted(own) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_chart_says_what_it_shows_and_can_be_drawn(drawn, name, capfd):
    """A title for all, a description for those who cannot see, no warning from Vega-Lite 5.8."""
    spec = drawn[name].to_dict()
    title, description = heading(spec), theme._first(spec, "description")
    assert len(title) > 5
    assert re.search(r"\d", description), description
    assert title in written(spec)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        pytest.param("funnel", [{"label", "reached", "share"}], id="funnel"),
        pytest.param(
            "rates",
            [{"source", "value", "low", "high", "x", "n", "counts", "size"}],
            id="rates",
        ),
        pytest.param("rate_over_time", [{"period", "value", "low", "high"}], id="over time"),
        pytest.param(
            "mrr_bridge",
            [{"period", "end"}, {"period", "move", "amount", "order"}],
            id="recurring revenue",
        ),
        pytest.param(
            "plan_funnel",
            [{"label", "credit", "amount", "order"}, {"label", "total"}],
            id="plan by stage",
        ),
        pytest.param(
            "plan_months",
            [{"month", "to_create"}, {"month", "credit", "amount", "order"}],
            id="plan by month",
        ),
    ],
)
def test_a_chart_holds_only_the_sums_it_draws(drawn, snapshot, name, columns):
    """Altair embeds every column it is given: no id, no name may travel with the picture."""
    spec = drawn[name].to_dict()
    assert sorted(map(sorted, rows(spec))) == sorted(map(sorted, columns))
    held = str(spec["datasets"])
    people = [*snapshot.owners.to_pandas()["name"], *snapshot.accounts.to_pandas()["name"]]
    assert not [person for person in people if person in held]
    assert not re.search(r"\b[LDAO]-\d+", held)


def test_the_funnel_stands_in_funnel_order_with_room_for_its_numbers(drawn, kpis):
    """Not alphabetical, from zero, each bar with its count and the share that went on."""
    spec, table = drawn["funnel"].to_dict(), kpis["conversion"]
    assert {tuple(y["sort"]) for y in encodings(spec, "y")} == {tuple(STAGES)}
    (domain,) = [x["scale"]["domain"] for x in encodings(spec, "x") if "scale" in x]
    assert domain[0] == 0
    assert domain[1] > table["reached"].max()
    values = next(iter(spec["datasets"].values()))
    assert [row["label"] for row in values] == STAGES
    assert [row["reached"] for row in values] == table["reached"].tolist()
    first = table.iloc[0]
    assert values[0]["share"].startswith(f"{100 * first['value']:.0f}% (")
    assert values[-1]["share"] == ""
    assert f"{first['reached']:,}" in written(spec)


def test_rates_are_sorted_and_small_numbers_are_greyed(drawn, kpis):
    """Largest first; a rate of fewer than 30 looks weak."""
    spec = drawn["rates"].to_dict()
    by_value = kpis["by_source"].dropna(subset=["value"]).sort_values("value", ascending=False)
    expected = ["(none)" if pd.isna(s) else s for s in by_value["source"]]
    assert {tuple(y["sort"]) for y in encodings(spec, "y")} == {tuple(expected)}
    values = {row["source"]: row for row in next(iter(spec["datasets"].values()))}
    small = {name for name, row in values.items() if row["size"] == "fewer than 30"}
    assert small == {name for name, row in values.items() if row["n"] < 30}
    assert small
    assert small != set(values)
    colours = encodings(spec, "color")[0]["scale"]
    assert colours["range"][colours["domain"].index("30 or more")] == theme.ACCENT
    domain = encodings(spec, "x")[0]["scale"]["domain"]
    assert domain[0] == 0
    assert by_value["high"].max() <= domain[1] <= 1


def test_a_rate_of_no_cases_is_left_out_of_the_chart():
    """Nothing divided by nothing is not 0 %."""
    table = pd.DataFrame(
        {"team": ["a", "b"], "value": [0.5, None], "low": [0.4, None], "high": [0.6, None]}
    ).assign(x=[20, 0], n=[40, 0], note="")
    spec = charts.rates(table, "team", "Rate").to_dict()
    assert [row["team"] for row in next(iter(spec["datasets"].values()))] == ["a"]


def test_months_without_a_value_are_a_gap_not_zero(drawn, kpis):
    """Each period once, those without closed deals not at all, in calendar order."""
    spec, known = drawn["rate_over_time"].to_dict(), kpis["by_month"].dropna(subset=["value"])
    values = next(iter(spec["datasets"].values()))
    assert [row["value"] for row in values] == known["value"].tolist()
    assert {x["timeUnit"] for x in encodings(spec, "x")} == {"utcyearmonth"}


def test_losses_of_revenue_stand_below_the_line(drawn, kpis):
    """Contraction and churn are drawn negative; all moves add up to the change."""
    spec, table = drawn["mrr_bridge"].to_dict(), kpis["movements"]
    moves = next(v for v in spec["datasets"].values() if "move" in v[0])
    signs = {(row["move"], row["amount"] > 0) for row in moves if row["amount"]}
    assert {("churn", False), ("contraction", False), ("new", True), ("expansion", True)} <= signs
    assert not {("churn", True), ("contraction", True), ("new", False)} & signs
    total = sum(row["amount"] for row in moves)
    assert total == pytest.approx(table["end"].iloc[-1] - table["start"].iloc[0])


def test_the_plans_funnel_shows_all_that_is_needed_by_where_it_comes_from(drawn, plan):
    """Stage by stage in order; the three credits add up to the number beside the bar."""
    spec = drawn["plan_funnel"].to_dict()
    labels = plan.table.drop_duplicates("stage")["label"].tolist()
    assert {tuple(y["sort"]) for y in encodings(spec, "y")} == {tuple(labels)}
    parts = pd.DataFrame(next(v for v in spec["datasets"].values() if "credit" in v[0]))
    totals = pd.DataFrame(next(v for v in spec["datasets"].values() if "total" in v[0]))
    need = plan.table.groupby("label", sort=False)["need"].sum()
    sums = parts.groupby("label", sort=False)["amount"].sum()
    assert sums[labels].tolist() == pytest.approx(need[labels].tolist())
    assert totals.set_index("label")["total"][labels].tolist() == pytest.approx(
        need[labels].tolist()
    )
    (domain,) = [x["scale"]["domain"] for x in encodings(spec, "x") if "scale" in x]
    assert domain[1] > need.max()


def test_the_plans_months_are_those_of_the_plan(drawn, plan):
    """Leads to create as whole numbers by month, wins to expect below."""
    spec = drawn["plan_months"].to_dict()
    above = pd.DataFrame(next(v for v in spec["datasets"].values() if "to_create" in v[0]))
    below = pd.DataFrame(next(v for v in spec["datasets"].values() if "credit" in v[0]))
    assert above["month"].tolist()[:2] == ["Dec 2026", "Jan 2027"]
    assert above["to_create"].sum() == plan.total_leads
    expected = plan.from_pipeline + plan.from_direct + plan.from_new
    assert below["amount"].sum() == pytest.approx(expected)
    assert {tuple(x["sort"]) for x in encodings(spec, "x")} == {tuple(above["month"])}


def test_the_legend_names_what_the_plan_creates():
    """A company that keeps no leads creates deals."""
    frames = random_walks(seed=3, count=80) | {"stages": stages()}
    plan = reverse_funnel(FunnelModel.fit(company(frames)), wins=10, by="2026-12-31")
    assert plan.total_leads is None
    said = written(charts.plan_funnel(plan).to_dict()) + written(charts.plan_months(plan).to_dict())
    assert "Deals to create" in said
    assert not [words for words in said if "leads" in words]


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("name", ["funnel", "rates", "rate_over_time", "mrr_bridge"])
def test_a_chart_of_nothing_or_of_one_row_is_drawn(kpis, name, count):
    """A filter may leave nothing over."""
    makers = {
        "funnel": lambda: charts.funnel(kpis["conversion"].head(count)),
        "rates": lambda: charts.rates(kpis["by_source"].head(count), "source", "Rate"),
        "rate_over_time": lambda: charts.rate_over_time(kpis["by_month"].tail(count), "Rate"),
        "mrr_bridge": lambda: charts.mrr_bridge(kpis["movements"].tail(count)),
    }
    spec = makers[name]().to_dict()
    assert heading(spec) in written(spec)
    assert "nan" not in theme._first(spec, "description").lower()


def test_hostile_labels_stay_words_in_the_picture_and_around_it():
    """A stage or source may be named anything; the picture goes into raw HTML."""
    frames = random_walks(seed=3, count=60)
    named = stages().assign(label=[SCRIPT, IMAGE, "a & b", "Won", "Lost"])
    deals = frames["deals"].assign(source=[SCRIPT, IMAGE] * 30)
    snapshot = company(frames | {"stages": named, "deals": deals})
    plan = reverse_funnel(FunnelModel.fit(snapshot), wins=5, by="2026-12-31")
    hostile = {
        "funnel": charts.funnel(kpi.stage_conversion(snapshot)),
        "rates": charts.rates(kpi.win_rate(snapshot, by="source"), "source", "Win rate"),
        "plan_funnel": charts.plan_funnel(plan),
    }
    for chart in hostile.values():
        spec = chart.to_dict()
        shown = theme.image(chart, theme.caption(spec))
        svg = base64.b64decode(re.search(r"base64,([^\"]+)", shown)[1]).decode()
        assert shown.count("<") == 1
        assert not MARKUP.search(re.sub(r"(?<=>)[^<]*(?=<)|\"[^\"]*\"", "", svg))
        assert any(word.startswith("<script>") for word in written(spec))
