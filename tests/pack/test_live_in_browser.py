"""The live page in a real browser, opened from a file: as Python reckons, by hand and by keyboard."""

import json
import math
from dataclasses import replace
from importlib.resources import files
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
from scipy.special import gammainc

from workbench import theme
from workbench.report.pack.live import write_live

harness = spec_from_file_location("lab", Path(__file__).parents[1] / "lab.py")
lab = module_from_spec(harness)
harness.loader.exec_module(lab)

missing = lab.chromium_missing_reason()
pytestmark = [pytest.mark.browser, pytest.mark.skipif(missing is not None, reason=str(missing))]

ASKED = 200  # random inputs of each of the five kinds
SAME = 1e-9
EVALUATE = """asked => JSON.parse(asked).map(changed => {
  reverseFunnel.reset();
  reverseFunnel.set(changed);
  return reverseFunnel.result();
})"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with lab.open_browser(tmp_path_factory.mktemp("pictures"), height=900) as opened:
        yield opened


@pytest.fixture
def show(browser, tmp_path):
    """Return a function: Contents in, the page opened from a file out; it asked for nothing else."""
    browser.errors.clear()
    browser.offsite.clear()
    asked = []
    note = lambda request: asked.append(request.url)  # noqa: E731
    browser.page.on("request", note)

    def open_page(contents, width=1280):
        path = tmp_path / "what-if.html"
        write_live(contents, path)
        browser.page.set_viewport_size({"width": width, "height": 900})
        browser.page.goto(path.as_uri())
        return browser.page

    yield open_page
    browser.page.remove_listener("request", note)
    assert {url.partition("#")[0] for url in asked} <= {(tmp_path / "what-if.html").as_uri()}
    assert browser.offsite == []
    assert browser.errors == []  # violations of the policy are errors too


def part(name):
    return files("workbench.report.pack").joinpath(name).read_text(encoding="utf-8")


def drawn(rng, planned, name):
    """A random value of one input, near the plan or far from it."""
    wide = rng.random() < 0.3
    if name == "confidence":
        return rng.uniform(0.02, 0.98)
    if name == "annual_churn":
        return rng.uniform(0, 0.9 if wide else 0.3)
    if name == "leads":
        return rng.uniform(0, 4 if wide else 1.5) * max(planned.leads, 50)
    return getattr(planned, name) * rng.uniform(*((0.3, 2.5) if wide else (0.9, 1.1)))


def random_inputs(rng, planned):
    """A random set of inputs, each changed or not, as Python and the page take them."""
    names = ["target", "confidence", "leads", "deal_value", "annual_churn"]
    named = [n for n in names if rng.random() < 0.5 and not math.isnan(getattr(planned, n))]
    changed = {name: float(drawn(rng, planned, name)) for name in named}
    rates = {s: float(rng.uniform(0.6, 1.5) * r) for s, r in planned.rates.items()}
    moved = {s: min(r, 1.0) for s, r in rates.items() if rng.random() < 0.5}
    return changed | ({"rates": moved} if moved else {})


def flat(value):
    """All numbers of a result in one order; missing is NaN."""
    if isinstance(value, dict):
        return [number for key in sorted(value) for number in flat(value[key])]
    if isinstance(value, list):
        return [number for each in value for number in flat(each)]
    return [math.nan if value is None else float(value)]


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    assert found["leads_needed"] == expected["leads_needed"]
    assert found["chance"] == pytest.approx(expected["chance"], abs=SAME)
    assert flat(found) == pytest.approx(flat(expected), rel=SAME, abs=SAME, nan_ok=True)


def assert_equal_to_python(page, contents, count):
    rng = np.random.default_rng(len(contents.title))
    asked = [random_inputs(rng, contents.what_if.inputs) for _ in range(count)]
    for changed, found in zip(asked, page.evaluate(EVALUATE, json.dumps(asked)), strict=True):
        assert_same(found, contents.what_if.result(**changed))


def test_random_inputs_give_what_python_gives(show, each_kind):
    assert_equal_to_python(show(each_kind), each_kind, ASKED)


def test_odd_plans_give_what_python_gives(show, each_odd):
    assert_equal_to_python(show(each_odd), each_odd, 25)


def test_nothing_moved_gives_the_plan_in_number_and_word(show, each_kind):
    page, figures = show(each_kind), each_kind.figures
    found = page.evaluate("() => reverseFunnel.result()")
    assert_same(found, each_kind.what_if.result())
    assert found["chance"] == pytest.approx(each_kind.plan.probability, abs=SAME)
    for name in ("chance", "leads", "gap", "expected"):
        assert page.inner_text(f"#result-{name}") == figures[name].text
    assert page.inner_text("#answer") == each_kind.answer
    assert page.inner_text("#action") == each_kind.action
    assert page.inner_text("#moved") == "Nothing: this is the plan as it was frozen."
    assert page.is_disabled("#reset")
    inputs = page.evaluate("() => reverseFunnel.inputs()")
    assert inputs["rates"] == dict(each_kind.what_if.inputs.rates)
    assert inputs["target"] == each_kind.what_if.inputs.target


def test_the_incomplete_gamma_function(browser):
    rng = np.random.default_rng(0)
    near = 10 ** rng.uniform(
        -1, 5, 4_000
    )  # beyond, SciPy's series stops too early to be compared with
    a = np.concatenate([10 ** rng.uniform(-12, 9, 4_000), near])
    near = near + rng.normal(0, 3, 4_000) * np.sqrt(near)
    x = np.concatenate([10 ** rng.uniform(-12, 9, 4_000), np.maximum(near, 0)])
    call = f"pairs => {{ {part('live_gamma.js')}; return pairs.map(([a, x]) => gammaP(a, x)); }}"
    browser.page.goto("about:blank")
    found = browser.page.evaluate(call, np.column_stack([a, x]).tolist())
    assert np.abs(np.array(found, dtype=float) - gammainc(a, x)).max() < 1e-12


def test_numbers_are_written_as_everywhere_else(browser):
    rng = np.random.default_rng(1)
    values = [*(10 ** rng.uniform(-3, 16, 400)), 0.0, 999.5, 999.49, 9_995.0, 999_500.0, 1e15]
    values += [0.0995, 0.09949, 0.5, 0.005, 1.0, 0.125, 2.5, 12.25]
    values += [-value for value in values]
    call = (
        f"values => {{ {part('live_drawings.js')}; return values.map("
        "v => [moneyText(v, '$'), percentText(v), wholeText(v)]); }"
    )
    browser.page.goto("about:blank")
    found = browser.page.evaluate(call, values)
    for value, (money, percent, whole) in zip(values, found, strict=True):
        assert money == theme.money_text(value, "$")
        assert percent == theme.percent_text(value)
        assert whole == theme.whole_text(value)


@pytest.mark.parametrize(
    ("changed", "where", "said"),
    [
        ({"rates": {"leads": 1.1}}, "rate-0", "above 0 and up to 100%"),
        ({"rates": {"leads": 0}}, "rate-0", "above 0 and up to 100%"),
        ({"confidence": 1}, "confidence", "below 100%"),
        ({"target": 0}, "target", "above 0"),
        ({"leads": -1}, "leads", "0 or more"),
        ({"leads": "12"}, "leads", "0 or more"),
        ({"deal_value": 0}, "deal_value", "above 0"),
        ({"annual_churn": 1}, "annual_churn", "below 100%"),
        ({"rates": {"nobody": 0.5}}, None, "no such step"),
        ({"rates": {"toString": 0.5}}, None, "no such step"),
        ({"price": 3}, None, "no such input"),
        ({"target": 50_000, "leads": None}, "leads", "0 or more"),
    ],
)
def test_inputs_out_of_range_are_refused_where_they_stand(
    show, pack_contents, changed, where, said
):
    page = show(pack_contents)
    told = page.evaluate(
        "changed => { try { reverseFunnel.set(changed); } catch (e) { return e.message; } }",
        changed,
    )
    assert said in told
    shown = page.locator(f"#trouble-{where}" if where else "#trouble")
    assert shown.is_visible()
    assert shown.inner_text() == told
    assert page.evaluate("() => reverseFunnel.inputs().target") == 60_000
    page.evaluate("() => reverseFunnel.set({leads: 700})")
    assert not shown.is_visible()


def test_what_is_not_known_cannot_be_moved(show, made):
    contents = made(wins=40, by="2027-05-31")
    inputs = replace(contents.what_if.inputs, annual_churn=math.nan)
    figures = {n: f for n, f in contents.figures.items() if n != "annual_churn"}
    lacking = replace(contents, what_if=replace(contents.what_if, inputs=inputs), figures=figures)
    page = show(lacking)
    assert page.locator("#input-annual_churn").count() == 0
    with pytest.raises(Exception, match="not known in this plan"):
        page.evaluate("() => reverseFunnel.set({annual_churn: 0.1})")


def test_a_slider_by_mouse_is_one_step_back(show, pack_contents):
    page = show(pack_contents)
    slide = page.locator("#slide-target")
    slide.scroll_into_view_if_needed()
    box = slide.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(box["x"] + box["width"] * (0.5 + 0.03 * step), y)
    page.mouse.up()
    target = page.evaluate("() => reverseFunnel.inputs().target")
    assert target == pytest.approx(60_000 * 1.24, rel=0.02)
    assert page.input_value("#input-target") == f"{target:.0f}"
    expected = pack_contents.what_if.result(target=target)
    page.wait_for_function("() => document.getElementById('answer').textContent.startsWith('With')")
    assert page.inner_text("#result-chance") == theme.percent_text(expected["chance"])
    assert page.inner_text("#result-leads") == theme.whole_text(expected["leads_needed"])
    assert f"Target: ${target:,.0f} (plan $60,000)" in page.inner_text("#moved")
    page.click("#undo")
    assert page.evaluate("() => reverseFunnel.inputs().target") == 60_000
    page.wait_for_function("() => document.getElementById('undo').disabled")


def test_the_keyboard_alone_moves_and_puts_back(show, pack_contents):
    page = show(pack_contents)
    page.focus("#slide-rate-0")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => reverseFunnel.inputs().rates.leads") == pytest.approx(0.163)
    assert page.get_attribute("#slide-rate-0", "aria-valuetext") == "16.3%"
    page.focus("#input-leads")
    page.keyboard.press("Control+a")
    page.keyboard.type("900")
    page.keyboard.press("Tab")
    assert page.evaluate("() => reverseFunnel.inputs().leads") == 900
    page.wait_for_function("() => !document.getElementById('back-leads').disabled")
    page.focus("#back-leads")
    page.keyboard.press("Enter")
    assert page.evaluate("() => reverseFunnel.inputs().leads") == 732
    page.focus("#slide-rate-0")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")  # reads as the plan does: it is the plan's own value again
    planned = pack_contents.plan.rates["leads"]
    assert page.evaluate("() => reverseFunnel.inputs().rates.leads") == planned
    page.wait_for_function("() => document.getElementById('reset').disabled")


def test_every_control_is_reached_by_tab_and_has_a_name(show, pack_contents):
    page = show(pack_contents)
    named = page.evaluate(
        """() => [...document.querySelectorAll('input, button, summary')].map(
        node => [node.tabIndex, node.ariaLabel || node.textContent || node.labels?.[0]?.textContent])"""
    )
    assert len(named) > 30
    assert all(tab == 0 and name.strip() for tab, name in named)


def test_a_number_that_makes_no_sense_is_refused_in_place(show, pack_contents):
    page = show(pack_contents)
    page.fill("#input-rate-0", "130")
    assert page.inner_text("#trouble-rate-0").endswith("is above 0 and up to 100%")
    assert page.get_attribute("#input-rate-0", "aria-invalid") == "true"
    page.locator("#input-rate-0").blur()
    assert page.input_value("#input-rate-0") == "16.1"
    assert not page.is_visible("#trouble-rate-0")
    assert page.evaluate("() => reverseFunnel.result().chance") == pytest.approx(
        pack_contents.plan.probability, abs=SAME
    )


def test_the_leads_follow_what_is_needed(show, pack_contents):
    page = show(pack_contents)
    page.check("#follow")
    page.evaluate("() => reverseFunnel.set({confidence: 0.9})")
    needed = pack_contents.what_if.result(confidence=0.9)["leads_needed"]
    assert page.evaluate("() => reverseFunnel.inputs().leads") == needed
    assert needed == pytest.approx(pack_contents.plan.needs[0.9], rel=0.01)
    page.evaluate("() => reverseFunnel.set({leads: 500})")
    page.wait_for_function("() => !document.getElementById('follow').checked")
    assert page.evaluate("() => reverseFunnel.inputs().leads") == 500
    page.click("#reset")
    assert page.evaluate("() => reverseFunnel.inputs().leads") == 732
    page.click("#undo")
    assert page.evaluate("() => reverseFunnel.inputs().leads") == 500


def test_a_target_that_nothing_reaches_is_said(show, made):
    page = show(made(arr={"2026-12": 2_450_000, "2027-03": 2_600_000, "2027-06": 2_900_000}))
    page.evaluate("() => reverseFunnel.set({target: 4e6, follow: true})")
    page.wait_for_function("() => document.getElementById('result-leads').textContent === 'none'")
    assert "no number of leads has a chance of 80%" in page.inner_text("#answer")
    assert page.evaluate("() => reverseFunnel.result().leads_needed") is None


def test_tables_and_drawings_say_the_same(show, pack_contents):
    page = show(pack_contents)
    page.evaluate("() => reverseFunnel.set({leads: 900})")
    page.wait_for_function("() => !document.getElementById('undo').disabled")
    page.evaluate("() => document.querySelectorAll('details').forEach(d => { d.open = true; })")
    told = pack_contents.what_if.result(leads=900.0)
    rows = page.locator("#months-table tbody tr").all_inner_texts()
    for row, month, leads, mrr in zip(
        rows, pack_contents.plan.outcome["month"], told["leads"], told["new_mrr"], strict=True
    ):
        cells = row.split("\t")
        assert cells[:2] == [f"{month:%b %Y}", theme.whole_text(leads)]
        assert cells[7] == theme.money_text(mrr)
    totals = [sum(parts) for parts in zip(*told["funnel"].values(), strict=True)]
    shown = page.locator("#funnel text.value").all_text_contents()
    for text, total in zip(shown, totals, strict=True):
        assert text.split(" ")[0] == theme.whole_text(total)
    assert "Leads 900" in page.get_attribute("#funnel svg", "aria-label")


def test_the_answer_is_read_out_once_the_hand_is_still(show, pack_contents):
    page = show(pack_contents)
    page.evaluate("""() => {
      window.heard = [];
      new MutationObserver(() => heard.push(document.getElementById('said').textContent))
        .observe(document.getElementById('said'), {childList: true, characterData: true, subtree: true});
    }""")
    for leads in (800, 810, 820, 830):
        page.evaluate("leads => reverseFunnel.set({leads})", leads)
        page.wait_for_timeout(30)
    page.wait_for_function("() => heard.length > 0")
    assert page.evaluate("() => heard.length") == 1
    assert page.inner_text("#said") == page.inner_text("#answer")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_scrolls_sideways_or_is_cut(show, hostile_contents, pack_contents, width):
    for contents in (pack_contents, hostile_contents):
        page = show(contents, width)
        page.evaluate("() => document.querySelectorAll('details').forEach(d => { d.open = true; })")
        page.wait_for_timeout(50)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        outside = page.evaluate(
            """() => [...document.querySelectorAll('svg text')].filter(node => {
            const box = node.getBoundingClientRect();
            return box.left < 0 || box.right > innerWidth; }).map(node => node.textContent)"""
        )
        assert outside == []


def test_hostile_names_do_nothing(show, hostile_contents):
    page, told = show(hostile_contents), hostile_contents.what_if
    steps = told.steps[:-1]
    assert_equal_to_python(page, hostile_contents, 10)
    inputs = page.evaluate("() => JSON.stringify(reverseFunnel.inputs().rates)")
    assert list(json.loads(inputs)) == steps
    page.wait_for_timeout(100)
    assert page.evaluate("() => window.hacked") is None
    assert page.locator("img, a, iframe").count() == 0


def test_a_dark_screen_and_paper_are_meant(show, pack_contents):
    page = show(pack_contents)
    colours = "() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    light = page.evaluate(colours)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(colours)
    page.emulate_media(color_scheme="light", media="print")
    assert not page.is_visible("#slide-target")
    page.emulate_media(media="screen")
    assert light == ["rgb(255, 255, 255)", "rgb(17, 17, 17)"]
    assert dark == ["rgb(21, 26, 32)", "rgb(238, 241, 244)"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_somebody_out(show, pack_contents, scheme):
    axe = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
    page = show(pack_contents)
    page.emulate_media(color_scheme=scheme)
    page.evaluate("() => reverseFunnel.set({target: 66_000, rates: {leads: 0.2}})")
    page.evaluate("() => document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.evaluate(files(axe).joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run(document)).violations")
    page.emulate_media(color_scheme="light")
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
