"""The face of a pack: one page without a script, that prints well and says the plan at a glance."""

import base64
import hashlib
from html import escape
from importlib.resources import files
from pathlib import Path

import pandas as pd

from workbench.report.pack import headlines, rows
from workbench.report.pack.contents import Contents
from workbench.report.pack.figures import Figure
from workbench.report.pack.still_drawings import funnel, months
from workbench.report.pack.text import clean

LONG = 600  # characters of a sentence
TILES = ("chance", "leads", "gap", "expected")
OTHERS = {
    "what-if.html": "Move the inputs",
    "plan.xlsx": "The sheet, with live formulas",
    "deck.pptx": "Slides",
    "report.pdf": "To print",
}
WORDS = {"Month", "Step", "From", "To", "KPI", "Trend", "Note", ""}


def write_still(contents: Contents, path: Path) -> None:
    """Write the static page.

    Parameters
    ----------
    contents : Contents
    path : Path
        ``index.html``; the same contents give the same bytes.
    """
    path.write_text(page(contents), encoding="utf-8", newline="\n")


def page(contents: Contents) -> str:
    """Return the static page as text."""
    style = files("workbench.report.pack").joinpath("still.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
    policy += "; base-uri 'none'; form-action 'none'"
    body = "\n".join(part for part in _body(contents) if part)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>{_say(contents.title, 120)}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def _body(contents: Contents) -> list[str]:
    return [
        _head(contents),
        "<main>",
        _answer(contents),
        _months(contents),
        _funnel(contents),
        _changes(contents),
        _kpis(contents),
        _definitions(contents),
        "</main>",
        f"<footer>{_say(rows.origin_line(contents))}</footer>",
    ]


def _head(contents: Contents) -> str:
    stamp = f'<p class="stamp">{rows.STAMP}</p>\n' if contents.names else ""
    links = " ".join(f'<a href="{name}">{said}</a>' for name, said in OTHERS.items())
    return f"""<header>
{stamp}<h1>{_say(contents.title, 120)}</h1>
<p class="answer">{_say(contents.answer)}</p>
<nav aria-label="The other files of this pack">{links}</nav>
</header>"""


def _answer(contents: Contents) -> str:
    """Chance, leads, gap, the one action and what to know: all that most readers want."""
    tiles = "\n".join(_tile(contents.figures[name]) for name in TILES)
    caveats = "".join(f"<li>{_say(note)}</li>" for note in contents.caveats)
    known = f'<h2>What to know</h2>\n<ul class="caveats">{caveats}</ul>' if caveats else ""
    return f"""<section aria-label="The plan at a glance">
<div class="tiles">
{tiles}
</div>
<p class="next"><b>Do this next</b> {_say(contents.action)}</p>
{known}
</section>"""


def _tile(figure: Figure) -> str:
    return f"""<div class="tile {figure.name}">
<p class="label">{_say(figure.label)}</p>
<p class="number">{_say(figure.text, 40)}</p>
{_why("What it means", figure)}
</div>"""


def _why(summary: str, figure: Figure) -> str:
    return f"""<details><summary>{summary}<span class="unseen"> of {_say(figure.label)}</span></summary>
<p>{_say(figure.definition)}</p>
<dl><dt>Reckoned</dt><dd>{_say(figure.formula)}</dd><dt>Rests on</dt><dd>{_say(figure.n)}</dd></dl>
</details>"""


def _months(contents: Contents) -> str:
    return f"""<section>
<h2>{_say(headlines.months(contents))}</h2>
{months(contents)}
{_table(rows.months(contents), "Months", "Leads to create, wins to expect with their 80% band, revenue.")}
</section>"""


def _funnel(contents: Contents) -> str:
    said = "Shares that go on from each step: planned, and in history with its interval; n records followed."
    return f"""<section>
<h2>{_say(headlines.funnel(contents))}</h2>
{funnel(contents)}
{_table(rows.rates(contents), "Rates", said)}
</section>"""


def _changes(contents: Contents) -> str:
    """What changed since the last pack; nothing where there is none."""
    found = contents.changes
    if found is None:
        return ""
    notes = "".join(f"<li>{_say(note)}</li>" for note in found.notes)
    tables = [_table(rows.changes(contents), "Before and now", f"{found.since} to {found.until}")]
    gap = found.bridge.assign(effect=[rows.effect(contents, n) for n in found.bridge["effect"]])
    for frame, name, said in (
        (gap, "Bridge", "What made the gap between plan and actual."),
        (found.moves, "Deals that moved", "By id; most important first."),
    ):
        if len(frame):
            shown = frame.rename(columns=lambda column: str(column).capitalize())
            tables.append(_table(shown, name, said, folded=True))
    listed = f'<ul class="caveats">{notes}</ul>' if notes else ""
    return f"""<section>
<h2>What changed since {found.since}</h2>
<p>{_say(found.sentence)}</p>
{"".join(tables)}
{listed}
</section>"""


def _kpis(contents: Contents) -> str:
    meanings = "\n".join(
        f"<dt>{_say(name)}</dt><dd>{_say(definition)}<br><i>Formula: {_say(formula)}</i></dd>"
        for name, definition, formula in zip(
            rows.kpis(contents)["KPI"],
            contents.kpis["definition"],
            contents.kpis["formula"],
            strict=True,
        )
    )
    said = "Now, with 95% interval and n; a trend only where chance would not make it."
    return f"""<section>
<h2>{_say(headlines.record(contents))}</h2>
{_table(rows.kpis(contents), "KPIs", said)}
<details class="meanings"><summary>What the KPIs mean</summary><dl>{meanings}</dl></details>
</section>"""


def _definitions(contents: Contents) -> str:
    listed = [each for name, each in contents.figures.items() if name not in TILES]
    figures = "\n".join(
        f'<div class="figure"><p><b>{_say(each.label)}</b> {_say(each.text, 120)}</p>'
        f"{_why('What it means', each)}</div>"
        for each in listed
    )
    return f"""<section>
<h2>All other figures of the plan</h2>
<div class="figures">
{figures}
</div>
</section>"""


def _table(frame: pd.DataFrame, name: str, caption: str, *, folded: bool = False) -> str:
    """Table that scrolls by itself, by keyboard too; columns of words to the left."""
    sides = [' class="words"' if column in WORDS or folded else "" for column in frame.columns]
    heads = "".join(
        f'<th scope="col"{side}>{_say(str(column), 40) if column else "&nbsp;"}</th>'
        for column, side in zip(frame.columns, sides, strict=True)
    )
    lines = "\n".join(_row(list(row), sides) for row in frame.itertuples(index=False))
    table = f"""<div class="wide" role="region" aria-label="{name}" tabindex="0"><table>
<caption>{_say(caption)}</caption>
<thead><tr>{heads}</tr></thead>
<tbody>
{lines}
</tbody></table></div>"""
    if not folded:
        return table
    return f"<details><summary>{name} ({len(frame):,})</summary>\n{table}\n</details>"


def _row(cells: list[object], sides: list[str]) -> str:
    first = f'<th scope="row"{sides[0]}>{_cell(cells[0])}</th>'
    rest = "".join(
        f"<td{side}>{_cell(cell)}</td>" for cell, side in zip(cells[1:], sides[1:], strict=True)
    )
    return f"<tr>{first}{rest}</tr>"


def _cell(value: object) -> str:
    return _say(str(value), 90) if str(value) else ""


def _say(text: str, most: int = LONG) -> str:
    return escape(clean(text, most), quote=True)
