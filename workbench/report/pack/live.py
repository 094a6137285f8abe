"""The live page of a pack: sliders that move the plan, in one file that opens by a double click.

Nothing is loaded and nothing is asked for: the tables of the what-if, a style and a script are in the
page, and its policy allows those two and no other. The script reckons as `kpi.planning.what_if` does.
"""

import base64
import hashlib
import json
import re
from dataclasses import asdict
from html import escape
from importlib.resources import files
from math import ceil
from pathlib import Path
from typing import Any

from workbench import words
from workbench.report.pack.accuracy import ASKED
from workbench.report.pack.contents import Contents
from workbench.report.pack.figures import Figure
from workbench.report.pack.live_inputs import Slider, sliders
from workbench.report.pack.text import clean

SCRIPTS = ("live_gamma.js", "live_reckon.js", "live_drawings.js", "live_state.js", "live.js")
LONG = 800  # characters of a sentence
TILES = (("chance", "Chance"), ("leads", ""), ("gap", ""), ("expected", "Expected"))
GROUPS = {
    "target": "Goal",
    "leads": "New {top}",
    "rate-0": "Rates, step by step",
    "deal_value": "Money",
    "annual_churn": "Money",
}
STAMP = "Contains names of deals and sellers"
SHOWN = """<div class="shown">
<section><h2>Funnel</h2><p class="legend" id="legend"></p>
<div class="drawing" id="funnel"></div>
<details><summary>Funnel as a table</summary><div class="wide" tabindex="0" role="region" \
aria-label="Funnel as a table"><table id="funnel-table"></table></div></details></section>
<section><h2>Months</h2>
<div class="drawing" id="months"></div>
<details><summary>Months as a table</summary><div class="wide" tabindex="0" role="region" \
aria-label="Months as a table"><table id="months-table"></table></div></details></section>
<section><h2>Moved from the plan</h2><ul id="moved"></ul></section>
</div>"""
UNSEEN = re.compile("[<>\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def write_live(contents: Contents, path: Path) -> None:
    """Write the live page.

    Parameters
    ----------
    contents : Contents
    path : Path
        ``what-if.html``; the same contents give the same bytes.

    Notes
    -----
    Scripts reach it by ``window.reverseFunnel``: ``inputs()``, ``set({...})``, ``result()`` and
    ``reset()``, in the names and units of `kpi.planning.what_if.WhatIf`; ``set`` also takes
    ``follow: true``, which keeps the leads at those needed. It throws what the page then shows.

    Ids: ``input-NAME`` is a number, ``slide-NAME`` its slider, ``back-NAME`` puts it back; NAME is
    ``target, confidence, leads, rate-0`` and on, ``deal_value, annual_churn``. ``follow, undo, reset``;
    ``answer``, and ``result-NAME`` of ``chance, leads, gap, expected``.
    """
    path.write_text(page(contents), encoding="utf-8", newline="\n")


def page(contents: Contents) -> str:
    """Return the live page as text."""
    style, script = _part("live.css"), _script()
    listed = sliders(contents)
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>What if – {_say(contents.title, 120)}</title>
<style>{style}</style>
</head>
<body>
{_top(contents)}
<div class="two">
{_inputs(contents, listed)}
{SHOWN}
</div>
{_rest(contents)}
<script type="application/json" id="data">{data(contents, listed)}</script>
<script>{script}</script>
</body>
</html>
"""


def data(contents: Contents, listed: list[Slider]) -> str:
    """What the script needs, as JSON that cannot end its element and hides nothing from a reader."""
    plan, reduced = contents.plan, contents.what_if
    money = plan.target.kind != "wins"
    found: dict[str, Any] = {
        "tables": reduced.plain(),
        "labels": [clean(label, 40) for label in reduced.labels],
        "months": [f"{month:%b %Y}" for month in plan.outcome["month"]],
        "long_months": [f"{month:%B %Y}" for month in plan.outcome["month"]],
        "sliders": [asdict(each) | {"shown": each.shown} for each in listed],
        "symbol": clean(contents.symbol, 8) if contents.symbol.strip() else "",
        "goal": words.FLOWS[plan.target.kind] if money else "{} wins",
        "by": words.day(plan.by),
        "top": plan.top,
        "credits": words.credit_names(plan),
        "answer": clean(contents.answer, LONG),
        "action": clean(contents.action, LONG),
    }
    found["tables"].pop("labels")
    text = json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _script() -> str:
    parts = "\n".join(_part(name) for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


def _part(name: str) -> str:
    return files("workbench.report.pack").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _say(text: str, most: int = LONG) -> str:
    return escape(clean(text, most), quote=True)


def _top(contents: Contents) -> str:
    figures, top = contents.figures, contents.plan.top
    wanted = figures["leads"].name
    labels = {name: label or figures[name].label for name, label in TILES}
    labels[wanted] = f"{top.capitalize()} needed"
    stamp = f'<p class="stamp">{STAMP}</p>\n' if contents.names else ""
    tiles = "\n".join(_tile(figures[name], labels[name], contents) for name, _ in TILES)
    return f"""<header>
{stamp}<p class="kind">What if</p>
<h1>{_say(contents.title, 120)}</h1>
<p id="answer">{_say(contents.answer)}</p>
<p class="unseen" id="said" aria-live="polite"></p>
<noscript><p class="error">This page needs JavaScript to move. The numbers of the plan are in
index.html.</p></noscript>
</header>
<main>
<div class="bar" id="bar" aria-hidden="true"><b id="bar-chance"></b><span id="bar-leads"></span></div>
<section class="tiles" id="tiles" aria-label="What it comes to">
{tiles}
</section>
<p class="next"><b>Next</b> <span id="action">{_say(contents.action)}</span></p>"""


def _tile(figure: Figure, label: str, contents: Contents) -> str:
    chance = figure.name == "chance"
    definition = f"{figure.definition} {_off(contents)}" if chance else figure.definition
    meter = '<div class="meter" aria-hidden="true"><i></i><b></b></div>\n'
    return f"""<div class="tile" id="tile-{figure.name}">
<p class="label" id="label-{figure.name}">{_say(label)}</p>
<p class="number" id="result-{figure.name}">{_say(figure.text)}</p>
{meter if chance else ""}<p class="versus" id="versus-{figure.name}">as planned</p>
{_why("What it means", definition, figure.formula, figure.n)}
</div>"""


def _why(summary: str, definition: str, formula: str, n: str) -> str:
    resting = f"<dt>Rests on</dt><dd>{_say(n)}</dd>" if n else ""
    return f"""<details><summary>{_say(summary)}</summary>
<p>{_say(definition)}</p><dl><dt>Reckoned</dt><dd>{_say(formula)}</dd>{resting}</dl></details>"""


def _inputs(contents: Contents, listed: list[Slider]) -> str:
    parts, heading = [], ""
    for each in listed:
        if (named := GROUPS.get(each.name, "")) and named != heading:
            parts.append(f"{'</fieldset>' if heading else ''}<fieldset>")
            parts.append(f"<legend>{named.format(top=contents.plan.top)}</legend>")
            heading = named
        parts.append(_row(each))
        if each.name == "leads":
            parts.append(
                '<p class="follow"><label><input type="checkbox" id="follow"> as many as the chance '
                "wanted takes</label></p>"
            )
    rows = "\n".join([*parts, "</fieldset>"])
    return f"""<form class="inputs" id="inputs" autocomplete="off" novalidate>
<div class="actions"><h2>Move</h2>
<button type="button" id="undo" disabled>Undo</button>
<button type="button" id="reset" disabled>Reset all</button></div>
<p class="error" id="trouble" role="alert" hidden></p>
{rows}
</form>"""


def _row(each: Slider) -> str:
    name = each.name
    field = f"""<input type="number" id="input-{name}" step="{each.by:.10g}" value="{each.shown}" \
aria-describedby="trouble-{name}">"""
    label = " → ".join(f"<bdi>{_say(part)}</bdi>" for part in each.label.split(" → "))
    front, after = ("", each.unit) if each.unit == "%" else (each.unit, "")
    return f"""<div class="row" id="row-{name}">
<div class="line"><label for="input-{name}">{label}</label>
<span class="field"><span>{escape(front)}</span>{field}<span class="after">{escape(after)}</span></span></div>
<div class="track"><i class="band"></i><i class="mark"></i>
<input type="range" id="slide-{name}" min="{each.low:.10g}" max="{each.high:.10g}" \
step="{each.by:.10g}" value="{each.shown}" aria-label="{_say(each.label)}"></div>
<p class="error" id="trouble-{name}" role="alert" hidden></p>
<div class="foot">{_why(each.note, each.definition, each.formula, "")}
<button type="button" class="back" id="back-{name}" title="Back to the plan" disabled \
aria-label="{_say(each.label)}: {_say(each.planned)}, put back">{_say(each.planned)}</button></div>
</div>"""


def _rest(contents: Contents) -> str:
    caveats = "".join(f"<li>{_say(note)}</li>" for note in contents.caveats)
    figures = "\n".join(
        f'<div class="figure"><p><b>{_say(each.label)}</b> {_say(each.text, 120)}</p>'
        f"{_why('What it means', each.definition, each.formula, each.n)}</div>"
        for each in contents.figures.values()
    )
    return f"""<section class="below"><h2>What to know</h2>
<ul><li id="off">{_say(_off(contents))}</li>{caveats}</ul></section>
<section class="below"><h2>The plan's own figures</h2>
<div class="figures">{figures}</div></section>
</main>
<footer>{_say(str(contents.origin))}</footer>"""


def _off(contents: Contents) -> str:
    draws, points = len(contents.what_if.deal), ceil(1000 * contents.off - 1e-9) / 10
    return (
        f"The chance on this page is reckoned from {draws:,} draws that stand for the planner's "
        f"{contents.plan.draws:,}. Where nothing is moved it is the planner's own; in {ASKED} random "
        f"tries it was within {points:.1f} points of the planner's. All else is exact."
    )
