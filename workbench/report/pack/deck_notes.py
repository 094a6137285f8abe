"""Notes for whoever speaks: the figures of a slide with definition, formula and n."""

from collections.abc import Iterator

from workbench.report.pack import rows
from workbench.report.pack.contents import Contents
from workbench.report.pack.figures import Figure
from workbench.report.pack.text import clean
from workbench.tables import each

SHOWN = {
    "answer": ("target", "chance", "leads", "gap", "chance_without", "expected", "without_new"),
    "months": ("leads", "from_pipeline", "from_direct", "from_new", "expected"),
    "funnel": ("from_pipeline", "from_direct", "from_new"),
    "caveats": ("deal_value", "spend", "annual_churn", "leads_50", "leads_80", "leads_90"),
}
HISTORY = (
    "History: share that goes on; a record still open is followed as far as it goes, never counted as "
    "lost. n: records followed."
)
_LONG = 600


def notes(contents: Contents, about: str) -> str:
    """Return the notes of a slide: ``answer``, ``months``, ``funnel``, ``record`` or ``caveats``."""
    told = [contents.figures[n] for n in SHOWN.get(about, ()) if n in contents.figures]
    lines = [_figure(figure) for figure in told]
    if about == "months":
        lines += _by_column(contents)
    elif about == "funnel":
        lines += _steps(contents)
    elif about == "record":
        lines += _record(contents)
    elif about == "caveats":
        lines += [f"Caveat: {clean(note, _LONG)}" for note in contents.caveats]
    return "\n".join(lines)


def _figure(figure: Figure) -> str:
    formula, n = clean(figure.formula, _LONG), clean(figure.n, _LONG)
    said = f"{figure.label}: {clean(figure.text, 120)}. {figure.definition}"
    return f"{said} Formula: {formula}. n: {n}."


def _by_column(contents: Contents) -> Iterator[str]:
    for row in rows.months(contents).to_dict("records"):
        yield "; ".join(f"{name} {text}" for name, text in row.items())


def _steps(contents: Contents) -> Iterator[str]:
    for row in rows.funnel(contents).to_dict("records"):
        yield "; ".join(f"{name} {text}" for name, text in row.items())
    for row in rows.rates(contents).to_dict("records"):
        yield (
            f"{row['From']} to {row['To']}: planned {row['Planned']}, history {row['History']}, "
            f"95% interval {row['95% interval']}, n {row['n']}"
        )
    yield HISTORY


def _record(contents: Contents) -> Iterator[str]:
    shown = rows.kpis(contents)
    for row, known in zip(shown.to_dict("records"), each(contents.kpis), strict=True):
        yield (
            f"{row['KPI']}: {row['Now']} (95% interval {row['95% interval']}, n {row['n']}, from "
            f"{row['From']}). {known.definition} Formula: {known.formula}. {row['Note']}".strip()
        )
    if contents.changes is not None:
        for row in rows.changes(contents).to_dict("records"):
            yield f"{row['']}: {row['Before']} before, {row['Now']} now"
        yield from (clean(note, _LONG) for note in contents.changes.notes)
