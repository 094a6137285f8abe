"""Sentences about a plan, and words from the data that must not act as Markdown."""

import re
from dataclasses import replace
from datetime import date

import mistune
import pytest
from companies import random_walks, stages
from companies import snapshot as company

from kpi.definitions import Definitions
from kpi.planning import FunnelModel, reverse_funnel
from workbench import words

MONTHS = "January February March April May June July August September October November December"
HOSTILE = "<img src=x onerror=alert(1)> [a](javascript:alert(2)) **b** `c` | d"


@pytest.fixture(scope="module")
def without_leads():
    """A model and a plan of a company that keeps deals only."""
    model = FunnelModel.fit(company(random_walks(seed=3, count=80) | {"stages": stages()}))
    return model, reverse_funnel(model, wins=10, by="2026-12-31")


def page(markdown):
    """Markdown as a page shows it."""
    return mistune.html(markdown.data)


@pytest.mark.parametrize("number", range(1, 13))
def test_a_day_is_written_the_same_on_every_system(number):
    """No leading zero, whatever the platform's strftime can do."""
    name = MONTHS.split()[number - 1]
    assert words.day(date(2026, number, 1)) == f"1 {name} 2026"
    assert words.day(date(2026, number, 28)) == f"28 {name} 2026"


def test_the_sentence_names_the_number_the_date_and_the_chance(plan):
    """Whoever reads one line only has the answer."""
    said = words.sentence(plan)
    assert said.startswith(f"Create {plan.total_leads:,} leads by the end of ")
    assert f"{plan.last_useful_month:%B %Y}" in said
    assert "for 40 wins between 1 December 2026 and 31 May 2027" in said
    assert said.endswith("with a chance of 80%.")


def test_the_pace_is_that_of_the_busiest_month(plan):
    """ "About 200 a month" must not be less than any month takes."""
    pace = int(re.search(r"about ([\d,]+) a month", words.sentence(plan))[1].replace(",", ""))
    assert pace == plan.months_to_create.max()


def test_one_month_needs_no_pace(plan):
    """The total says it."""
    rows = plan.table[plan.table["month"] == plan.table["month"].min()]
    assert " a month" not in words.sentence(replace(plan, table=rows))


def test_a_target_within_reach_asks_for_nothing(model):
    """Not "create 0 leads"."""
    plan = reverse_funnel(model, wins=1, by="2027-05-31")
    assert plan.to_create == 0
    said = words.sentence(plan)
    assert said.startswith("No further leads are needed for 1 win")
    assert "Create" not in said


def test_revenue_is_named_as_revenue(model):
    """Money short, no wins spoken of."""
    plan = reverse_funnel(model, new_mrr=55_000, by="2027-05-31")
    assert words.target(plan) == "55K of new monthly recurring revenue"
    assert "wins" not in words.sentence(plan)


@pytest.mark.parametrize(
    ("wins", "said"),
    [
        pytest.param(40.0, "40 wins", id="whole"),
        pytest.param(1234.0, "1,234 wins", id="thousands"),
        pytest.param(2.5, "2.5 wins", id="a fraction"),
    ],
)
def test_wins_are_written_as_they_were_asked_for(plan, wins, said):
    """No 40.0, no 1234."""
    assert words.target(replace(plan, target=replace(plan.target, wins=wins))) == said


def test_the_facts_carry_the_plans_numbers(plan, model):
    """Chances, pipeline, what is too late, and the usual pace."""
    facts = dict(words.facts(plan, model))
    for chance, leads in plan.needs.items():
        assert f"{chance:.0%}: {leads:,} leads" in facts["More or less certain"]
    assert f"{model.waiting['n'].sum():,}" in facts["Already open"]
    assert f"{plan.from_pipeline:,.1f} wins" in facts["Already open"]
    assert facts["Already too late"].startswith(f"{100 * plan.too_late:.0f}%")
    assert facts["Usual pace"].startswith(f"{model.leads_per_month:,.0f} leads a month")


def test_without_leads_nobody_speaks_of_leads(without_leads):
    """A company that keeps deals only creates deals."""
    model, plan = without_leads
    said = [words.sentence(plan), *[text for _, text in words.facts(plan, model)]]
    assert "Create" in said[0]
    assert not [text for text in said if "leads" in text]


def test_the_answer_ends_with_where_the_numbers_come_from(plan, model, snapshot):
    """As-of date, source, filters and definitions on every answer."""
    last = re.sub(r"\\", "", words.answer(plan, model, snapshot).data.splitlines()[-1])
    assert last.strip("*") == snapshot.described
    assert "as of 2026-11-01" in last


def test_words_of_the_data_do_not_act_as_markdown(plan, model, snapshot):
    """A filter or a source may be named anything."""
    odd = replace(snapshot, filters={"source": (HOSTILE,)})
    shown = page(words.answer(plan, model, odd))
    assert not re.search(r"<img|<a |<code|<table", shown)
    assert "<strong>b</strong>" not in shown
    assert "onerror=alert(1)" in shown
    noted = page(words.caveats(replace(plan, notes=(HOSTILE, "second"))))
    assert not re.search(r"<img|<a |<code|<strong", noted)
    assert noted.count("<li>") == 2


def test_no_caveat_is_said_to_be_none(plan):
    """An empty cell would look like a failure."""
    assert words.caveats(replace(plan, notes=())).data == "None."


def test_definitions_are_shown_whole_and_stay_in_their_block(snapshot):
    """The words of the CRM for kinds of deals are hostile too."""
    odd = Definitions(deal_types={"```\n<script>alert(1)</script>": "renewal"})
    shown = words.definitions(replace(snapshot, definitions=odd))
    assert odd.version in shown.data
    assert odd.to_toml() in shown.data
    page_part = mistune.html(shown.data)
    assert "<script" not in page_part
    assert page_part.count("<pre>") == 1
