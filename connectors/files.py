"""CSV, Excel and Parquet exports of any CRM, read into the canonical tables.

A *canonical folder* holds files named like the tables of `kpi.tables` (``deals.csv``,
``leads.parquet``, ``stages.xlsx``), with their column names. Beside them may lie ``as_of.txt`` (an ISO
date on its first line) and ``definitions.toml``. Any other folder needs a mapping: a
``mapping.toml`` inside it, or a path given to `read_folder`; `connectors.exports.mapping` has its grammar.
"""

from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pandas as pd

from connectors.errors import FileError
from connectors.exports.canonical_folder import canonical_plan, folder_as_of, folder_definitions
from connectors.exports.import_report import SUMMARY, ImportReport
from connectors.exports.lookups import FAILED_JOINS, no_failed_joins
from connectors.exports.mapping import Mapping, read_mapping
from connectors.exports.mapping_table import TablePlan
from connectors.exports.raw_tables import RawTable, read_raw
from connectors.exports.read_options import ReadOptions, meant
from connectors.exports.references import unknown_references
from connectors.exports.shaping import (
    Draft,
    draft_dates,
    draft_table,
    finish,
    stack,
)
from kpi.conform import CLEARED, PROBLEMS, no_problems
from kpi.definitions import Definitions
from kpi.tables import TABLES

OWN_FILES = ("as_of.txt", "definitions.toml", "mapping.toml")
ABSENT = "table left out"


@dataclass(frozen=True)
class Import:
    """What a folder held.

    Attributes
    ----------
    frames : dict of str to DataFrame
        Canonical tables, conformed; only those the folder has.
    as_of : date or None
        Day the export was made; None if the folder and the mapping do not say.
    window_start : date or None
        Day from which closed deals are complete; None if not stated.
    definitions : Definitions or None
        What counts; None if not stated (then the defaults hold).
    source : str
        Label for people: folder and mapping, without their paths.
    report : ImportReport
        What became of every row and value.

    """

    frames: dict[str, pd.DataFrame]
    as_of: date | None
    window_start: date | None
    definitions: Definitions | None
    source: str
    report: ImportReport


def read_folder(
    path: str | Path,
    *,
    mapping: str | Path | None = None,
    definitions: Definitions | None = None,
) -> Import:
    r"""Read the exports in a folder into canonical tables, and report on every row.

    A row or value that cannot be read is listed in ``report.problems``, never dropped in silence.
    What the mapping says goes before ``as_of.txt`` and ``definitions.toml``.

    Parameters
    ----------
    path : str or Path
        The folder.
    mapping : str or Path, optional
        A mapping file anywhere; default: ``mapping.toml`` in the folder, if there is one.
    definitions : Definitions, optional
        What counts, in place of those of the mapping or the folder.

    Returns
    -------
    Import

    Raises
    ------
    FileError
        If the folder holds no table, a file cannot be read at all, the mapping is wrong or names
        a file or column that is not there; the message says what to do.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "deals.csv").write_text("deal_id,amount\n007,12.50\n8,much\n")
    ...     found = read_folder(folder)
    >>> found.frames["deals"][["deal_id", "amount"]].to_dict("list")
    {'deal_id': ['007', '8'], 'amount': [12.5, nan]}
    >>> found.report.problems[["row", "column", "value"]].to_dict("list")
    {'row': [2], 'column': ['amount'], 'value': ['much']}

    """
    folder = Path(path)
    if not folder.is_dir():
        raise FileError(f"{folder}: no such folder; give the folder that holds the exports")
    inside = folder / "mapping.toml"
    chosen = Path(mapping) if mapping is not None else inside if inside.is_file() else None
    plan = read_mapping(chosen) if chosen else canonical_plan(folder)
    definitions = definitions or plan.definitions or folder_definitions(folder)
    reading = _Reading(folder, plan, definitions or Definitions())
    for name in TABLES:
        reading.read(name)
    label = folder.resolve().name
    source = f"{label} (mapping {plan.name})" if chosen else label
    return Import(
        reading.frames,
        plan.as_of or folder_as_of(folder),
        plan.window_start,
        definitions,
        source,
        reading.report(source),
    )


@dataclass
class _Reading:
    """One run over a folder: files read so far, tables made, and what went wrong."""

    folder: Path
    mapping: Mapping
    definitions: Definitions
    raws: dict[tuple[str, ReadOptions], RawTable] = field(default_factory=dict)
    used: dict[str, set[str]] = field(default_factory=dict)  # by file: columns taken
    drafted: dict[str, Draft] = field(default_factory=dict)
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    summary: list[tuple[object, ...]] = field(default_factory=list)
    problems: list[pd.DataFrame] = field(default_factory=list)
    failed: list[pd.DataFrame] = field(default_factory=list)

    def load(self, file: str, options: ReadOptions) -> RawTable:
        """Read a file of the folder, once."""
        if (file, options) not in self.raws:
            at = (self.folder / file).resolve()
            if not at.is_relative_to(self.folder.resolve()):
                raise FileError(f"{file}: leads out of the folder; copy the file into it")
            if not at.is_file():
                has = sorted(p.name for p in self.folder.iterdir() if p.is_file())
                raise FileError(f"{file}: no such file{meant(file, has)} The folder has {has}")
            self.raws[file, options] = read_raw(at, file, options)
        return self.raws[file, options]

    def read(self, name: str) -> None:
        """Make one canonical table, if anything fills it."""
        files, drafts = self.drafts(name)
        file = " + ".join(files)
        if files and not drafts:
            empty = pd.DataFrame(
                [[name, 0, "", "", file, "file is empty", ABSENT]], columns=PROBLEMS
            )
            self.problems.append(empty)
            self.summary.append((name, file, 0, 0, 0, 0, 0))
        if not drafts:
            return
        draft = self.drafted[name] = stack(drafts)
        own = list(dict.fromkeys(column for f in files for column in self.columns(f)))
        frame, problems = finish(name, draft, file, own, self.definitions)
        cleared = int((problems["action"] == CLEARED).sum()) + self._unfound(name, draft)
        rejected = draft.read - draft.left_out - len(frame)
        counts = (draft.read, draft.left_out, len(frame), rejected, cleared)
        self.summary.append((name, file, *counts))
        self.frames[name] = frame
        self.problems.append(problems)
        self.failed.append(draft.failed_joins)

    def columns(self, file: str) -> list[str]:
        """Return the columns that a file has, as it names them."""
        raws = [raw for (name, _), raw in self.raws.items() if name == file]
        return [str(column) for raw in raws for column in raw.frame.columns]

    def drafts(self, name: str) -> tuple[list[str], list[Draft]]:
        """Collect what fills a table: its file, dates of other files, the mapping's own stages."""
        files: list[str] = []
        drafts: list[Draft] = []
        plan = self.mapping.tables.get(name)
        if plan:
            files.append(plan.file)
            drafts += self._from_file(name, plan)
        for kind, dates in self.mapping.dates.items() if name == "history" else ():
            rows = self.mapping.tables[f"{kind}s"]
            files.append(f"dates in {rows.file}")
            raw = self.load(rows.file, rows.read)
            self._use(rows.file, *(c for d in dates for c in (d.column, *d.only)))
            if not raw.empty:
                records = self.drafted[f"{kind}s"]
                drafts.append(draft_dates(kind, raw, rows, dates, records))
        if name == "stages" and self.mapping.stages:
            files.append(self.mapping.name)
            stages = pd.DataFrame(list(self.mapping.stages))
            stages.index += 1
            drafts.append(Draft(stages, stages, no_problems(), no_failed_joins(), len(stages), 0))
        return files, drafts

    def report(self, source: str) -> ImportReport:
        """Put together what happened."""
        failed = [f for f in (*self.failed, *unknown_references(self.frames)) if not f.empty]
        problems = [p for p in self.problems if not p.empty]
        summary = [(*row, self._unused(str(row[0]))) for row in self.summary]
        read = {file for file, _ in self.raws} | {self.mapping.name, *OWN_FILES}
        here = sorted(p.name for p in self.folder.iterdir() if p.is_file())
        return ImportReport(
            source,
            pd.DataFrame(summary, columns=SUMMARY),
            pd.concat(problems, ignore_index=True) if problems else no_problems(),
            pd.concat(failed, ignore_index=True)[FAILED_JOINS] if failed else no_failed_joins(),
            tuple(n for n in here if n not in read and not n.startswith(".")),
        )

    def _from_file(self, name: str, plan: TablePlan) -> list[Draft]:
        raw = self.load(plan.file, plan.read)
        if raw.empty:
            return []
        if not plan.columns and not plan.constants:  # a canonical folder: same names
            same = {c: c for c in TABLES[name].names if c in raw.frame.columns}
            plan = replace(plan, columns=same)
        self._use(plan.file, *plan.columns.values(), *plan.only)
        for lookup in plan.lookup.values():
            self._use(lookup.file, lookup.key, *([lookup.value] if lookup.value else []))
        return [draft_table(name, raw, plan, self.load)]

    def _use(self, file: str, *columns: str) -> None:
        self.used.setdefault(file, set()).update(columns)

    def _unused(self, name: str) -> str:
        """Columns of a table's file that nothing takes anything from."""
        plan = self.mapping.tables.get(name)
        if plan is None:
            return ""
        columns = map(str, self.raws[plan.file, plan.read].frame.columns)
        return ", ".join(c for c in columns if c not in self.used.get(plan.file, set()))

    def _unfound(self, name: str, draft: Draft) -> int:
        """Values that a lookup did not find and therefore left missing."""
        plan = self.mapping.tables.get(name, TablePlan())
        taken = [column for column, lookup in plan.lookup.items() if lookup.value]
        failed = draft.failed_joins
        return int(failed["rows"][failed["column"].isin(taken)].sum())
