"""trace(): the SQL behind a number, the records it counts, and those it leaves out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from kpi.catalogue import ENTRIES, KPIS
from kpi.entry import Entry
from kpi.snapshot import Snapshot
from kpi.tables import TableError
from kpi.tracing import COMMON, WRITERS
from kpi.tracing.cell import asked
from kpi.tracing.run import Database, ground, left_out
from kpi.tracing.shown import Counted, shown
from kpi.tracing.statement import assemble


@dataclass(frozen=True, repr=False)
class Trace:
    """One number, accounted for; printing it reads as a page.

    Attributes
    ----------
    name : str
        The KPI.
    value, x, n : float or None, int, int
        What the SQL gives.
    shown : Counted or None
        What the KPI itself gives for the same cell; None where the KPI has no such cell (free
        dates, a group in which nothing happened).
    sql : str
        One statement for DuckDB over the canonical tables (`kpi.tables`), called by their names.
    records : DataFrame
        The records behind the number: ``object, record_id, url, numerator, denominator``
        (boolean), ``amount`` (reporting currency), and what else helps to see why.
    left_out : DataFrame
        Records looked at and not counted: ``object, record_id, url, why``.
    described : str
        As-of date, source, filters and definitions.
    """

    name: str
    entry: Entry
    value: float | None
    x: int
    n: int
    shown: Counted | None
    sql: str
    records: pd.DataFrame
    left_out: pd.DataFrame
    described: str

    @property
    def numerator_ids(self) -> list[str]:
        """Ids of the records above the line."""
        return self._ids("numerator")

    @property
    def denominator_ids(self) -> list[str]:
        """Ids of the records below the line."""
        return self._ids("denominator")

    @property
    def agrees(self) -> bool | None:
        """Whether SQL and KPI give the same value, x and n; None where the KPI has no such cell."""
        if self.shown is None:
            return None
        return Counted(self.value, self.x, self.n).same(self.shown)

    def _ids(self, where: str) -> list[str]:
        return [str(record) for record in self.records.loc[self.records[where], "record_id"]]

    def __repr__(self) -> str:
        value = "missing" if self.value is None else f"{self.value:,.6g}"
        lines = [
            f"{self.name}: {self.entry.question}",
            f"definition: {self.entry.formula}",
            f"value: {value} ({self.entry.unit}); x = {self.x:,}, n = {self.n:,}",
            _against(self),
            f"records: {len(self.records):,} counted, {len(self.left_out):,} left out",
            self.described,
            "",
            self.sql,
        ]
        return "\n".join(lines)


def trace(
    snapshot: Snapshot,
    name: str,
    *,
    period: str | None = None,
    since: date | str | None = None,
    until: date | str | None = None,
    stage: str | None = None,
    **filters: Any,
) -> Trace:
    """Account for one number of a KPI: its SQL, the ids it counts, and what it leaves out.

    The SQL is written by hand from the definition, not derived from the KPI's code, and it runs on
    DuckDB as it stands, over tables called ``leads``, ``deals``, ``history``, ... with the columns
    of `kpi.tables`: so it can be checked by somebody who trusts neither.

    Parameters
    ----------
    snapshot : Snapshot
        Its filters, definitions and as-of date are written into the SQL. Of a rewound snapshot (or
        wherever something is recorded after the as-of date) its own tables are the ground
        (``snapshot.deals.to_pandas()``, ...): SQL does not rewind, but for that of
        `kpi.pipeline_changes`. Otherwise those read from the source are.
    name : str
        A KPI of the catalogue.
    period : str, optional
        One month (``"2026-03"``), quarter (``"2026-Q1"``) or year (``"2026"``). In a fiscal
        calendar these are the quarters and the year of the fiscal year that begins in that year.
    since, until : date or ISO text, optional
        First and last day of the cell, in place of `period`.
    stage : str, optional
        Stage (id or label) of a KPI that has one row a stage; where it has one row a move, ``to``
        says where from there: a stage, ``"won"`` or ``"lost"``. Where it has one row a month,
        ``month`` says which (default: the last).
    **filters
        Options of the KPI (``basis="cohort"``, ``deal_type=None``, ...), and columns to narrow by
        as `Snapshot.where` does (``source="event"``); for KPIs of customers, columns of accounts.

    Returns
    -------
    Trace
        ``sql``, ``value``, ``x``, ``n``, ``numerator_ids``, ``denominator_ids``, ``records``,
        ``left_out``.

    Raises
    ------
    TableError
        If there is no such KPI, it has no SQL yet, a table is missing, or an option, column, stage
        or period is unknown.

    Notes
    -----
    Estimates (Aalen-Johansen, Kaplan-Meier) are in the SQL too, as window functions. Intervals are
    not: they are the KPI's.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abc"), "outcome": ["won", "lost", "open"],
    ...     "close_date": ["2026-01-09", "2026-01-20", None]})
    >>> snapshot = Snapshot.from_frames({"deals": deals}, as_of="2026-02-28")
    >>> page = trace(snapshot, "win_rate")
    >>> page.value, page.numerator_ids, page.denominator_ids
    (0.5, ['a'], ['a', 'b'])
    >>> page.left_out[["record_id", "why"]].to_dict("records")
    [{'record_id': 'c', 'why': 'open: neither won nor lost'}]
    """
    entry = entry_of(name)
    if name not in WRITERS:
        there = sorted(set(WRITERS) & set(KPIS))
        raise TableError(f"trace: {name} has no SQL yet; there is SQL for {there}")
    writer = WRITERS[name]
    one = asked(snapshot, name, period=period, since=since, until=until, stage=stage, given=filters)
    says = shown(one, name)
    written = assemble(one.ask, writer.write(one.ask), COMMON)
    tables = ground(one.snapshot, written.tables, rewinds=writer.rewinds)
    with Database(tables) as database:
        result = database.one(written.sql)
        rows = database.rows(written)
        out = left_out(database, written, rows, one, writer.about, listed=writer.rewinds)
    counted = rows["numerator"] | rows["denominator"]
    return Trace(
        name=name,
        entry=entry,
        value=result["value"],
        x=int(result["x"] or 0),
        n=int(result["n"] or 0),
        shown=says,
        sql=written.sql,
        records=rows[counted].drop(columns="why").reset_index(drop=True),
        left_out=out,
        described=_described(one.snapshot, one.said),
    )


def entry_of(name: str) -> Entry:
    """Return the catalogue's entry of a KPI; an unknown one is refused with those there are."""
    for entry in ENTRIES:
        if entry.name == name:
            return entry
    raise TableError(f"no KPI is called {name!r}; expected one of {[e.name for e in ENTRIES]}")


def _against(page: "Trace") -> str:
    if page.agrees is None:
        return "the KPI has no such cell to compare with"
    return "the KPI says the same" if page.agrees else f"THE KPI DIFFERS, report it: {page.shown}"


def _described(snapshot: Snapshot, said: Mapping[str, object]) -> str:
    asked_for = ", ".join(f"{key}={value!r}" for key, value in said.items())
    return " · ".join([snapshot.described, *([asked_for] if asked_for else [])])
