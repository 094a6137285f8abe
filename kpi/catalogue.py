"""Every KPI as data: its question, formula, unit, basis, benchmark and source; and its explanation."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import pandas as pd

from kpi import customers, deals, funnel, leads, recurring, velocity
from kpi.entry import Entry
from kpi.tables import TableError

FAMILIES = (leads, funnel, velocity, deals, recurring, customers)
ENTRIES: tuple[Entry, ...] = tuple(entry for family in FAMILIES for entry in family.ENTRIES)
KPIS: dict[str, Callable[..., pd.DataFrame]] = {entry.name: entry.kpi for entry in ENTRIES}
SAID = [field.name for field in fields(Entry) if field.name != "kpi"]


@dataclass(frozen=True)
class Explanation:
    """What a KPI means, in words; printing it reads as a page."""

    entry: Entry
    meaning: str

    def __str__(self) -> str:
        said = _said(self.entry)
        lines = [f"{name}: {text}" for name, text in said.items() if text and name != "name"]
        return "\n".join([self.entry.name, *lines, "", self.meaning])

    def __repr__(self) -> str:
        return str(self)


def catalogue() -> pd.DataFrame:
    """List every KPI: its ``name`` and, as text, what `kpi.entry.Entry` says of it.

    ``also`` holds the other names people look for, so that a search finds the option or column.
    Benchmarks are rules of thumb with their source, never mixed into a company's own numbers.

    >>> "win_rate" in catalogue()["name"].tolist()
    True
    """
    return pd.DataFrame([_said(entry) for entry in ENTRIES])


def explain(name: str) -> Explanation:
    """Say what a KPI means, how the unclear cases count, and where it comes from.

    Raises
    ------
    TableError
        If there is no such KPI; the message lists them.

    Examples
    --------
    >>> print(str(explain("win_rate")).splitlines()[1])
    question: What share of our deals do we win?
    """
    for entry in ENTRIES:
        if entry.name == name:
            text = KPIS[name].__doc__ or ""
            return Explanation(entry, _meaning(text))
    raise TableError(f"no KPI is called {name!r}; expected one of {list(KPIS)}")


def _said(entry: Entry) -> dict[str, str]:
    """Return the fields of an entry as text, its name first."""
    values = {name: getattr(entry, name) for name in SAID}
    return {"name": entry.name} | values | {"also": ", ".join(entry.also)}


def _meaning(docstring: str) -> str:
    """Return the part of a docstring above its parameters."""
    prose = docstring.split("Parameters\n", maxsplit=1)[0].rstrip()
    return "\n".join(line.strip() for line in prose.splitlines()).strip()
