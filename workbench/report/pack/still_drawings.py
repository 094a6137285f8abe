"""The months and the funnel of a plan as bars that need no script and fit any width.

Lengths are shares of the room there is, colours are classes of the page's style: so they follow a
phone, the dark and the printer. Each bar has its number beside it in words.
"""

from collections.abc import Sequence
from html import escape

from workbench.report.pack import rows
from workbench.report.pack.contents import Contents
from workbench.report.pack.text import clean
from workbench.theme import whole_text

CLASSES = ("open", "direct", "new")


def months(contents: Contents) -> str:
    """Leads to create by month above, wins to expect by month below."""
    table, named = contents.months, rows.month_names(contents)
    leads = [[float(n)] for n in table["leads"]]
    wins = table[list(rows.WINS)].to_numpy().tolist()
    created = _columns(leads, ["new"], named, [whole_text(n[0]) for n in leads])
    expected = _columns(wins, CLASSES, named, [rows.decimal(sum(each)) for each in wins])
    return f"""<h3>{contents.plan.top.capitalize()} to create</h3>
{created}
<h3>Wins to expect</h3>
{_legend(contents)}
{expected}"""


def funnel(contents: Contents) -> str:
    """One bar per step: all that the plan needs there, by where it comes from."""
    table = contents.funnel
    most = float(table["total"].max()) or 1.0
    lines = "\n".join(
        f"<li><span>{escape(clean(label, rows.LABEL))}</span><b>{whole_text(sum(parts))}</b>"
        f"{_across([part / most for part in parts])}</li>"
        for label, parts in zip(
            table["label"], table[list(rows.PARTS)].to_numpy().tolist(), strict=True
        )
    )
    return f"{_legend(contents)}\n<ul class='bars'>\n{lines}\n</ul>"


def _legend(contents: Contents) -> str:
    named = zip(CLASSES, rows.parts(contents), strict=True)
    return f'<p class="legend">{"".join(_named(*pair) for pair in named)}</p>'


def _named(kind: str, said: str) -> str:
    square = f'<rect class="{kind}" width="12" height="12"/>'
    return (
        f'<span><svg width="12" height="12" aria-hidden="true">{square}</svg> {escape(said)}</span>'
    )


def _across(shares: Sequence[float]) -> str:
    place, parts = 0.0, ['<rect class="ground" width="100%" height="100%"/>']
    for kind, share in zip(CLASSES, shares, strict=True):
        size = f'x="{100 * place:.2f}%" width="{100 * share:.2f}%" height="100%"'
        parts.append(f'<rect class="{kind}" {size}/>')
        place += share
    return f'<svg class="across" aria-hidden="true">{"".join(parts)}</svg>'


def _columns(
    stacks: Sequence[Sequence[float]],
    kinds: Sequence[str],
    named: Sequence[str],
    said: Sequence[str],
) -> str:
    most = max((sum(stack) for stack in stacks), default=0.0) or 1.0
    cells = []
    for stack, label, text in zip(stacks, named, said, strict=True):
        top, parts = 100.0, []
        for kind, part in zip(kinds, stack, strict=True):
            tall = 100 * part / most
            top -= tall
            size = f'y="{top:.2f}%" width="100%" height="{tall:.2f}%"'
            parts.append(f'<rect class="{kind}" {size}/>')
        drawn = f'<svg class="upright" aria-hidden="true">{"".join(parts)}</svg>'
        month, year = label.split(" ")
        cells.append(f"<li><b>{text}</b>{drawn}<span>{month}<br>{year}</span></li>")
    return f'<ul class="columns" tabindex="0">{"".join(cells)}</ul>'
