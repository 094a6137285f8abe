"""From the cells of an export to one canonical table, as its plan in the mapping says."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import pandas as pd

from connectors.errors import FileError
from connectors.exports.cells import Cells, as_moments, as_numbers, as_text
from connectors.exports.lookups import FAILED_JOINS, Load, looked_up, no_failed_joins
from connectors.exports.mapping_table import StageDate, TablePlan
from connectors.exports.raw_tables import RawTable, require_columns
from connectors.exports.read_options import ReadOptions
from kpi.conform import CLEARED, KEPT, PROBLEMS, REJECTED, conform, no_problems
from kpi.definitions import Definitions
from kpi.tables import TABLES, Column, TableError

NUMBERS = ("money", "number", "whole")


class Draft(NamedTuple):
    """A table before `conform`: its columns, indexed by row of the file, and what went wrong."""

    frame: pd.DataFrame
    source: pd.DataFrame  # the same columns as the file has them
    problems: pd.DataFrame  # columns of `kpi.conform.PROBLEMS`
    failed_joins: pd.DataFrame
    read: int  # rows of the file
    left_out: int  # rows that the `only` filter dropped


def draft_table(name: str, raw: RawTable, plan: TablePlan, load: Load) -> Draft:
    """Fill the columns of table `name` from `raw`, as `plan` says.

    Raises
    ------
    FileError
        If the file lacks a column that the plan names.

    """
    require_columns(raw, (*plan.columns.values(), *plan.only))
    rows = raw.frame[chosen(raw, plan.only, plan.read)]
    out: dict[str, pd.Series] = {}
    problems = [_misfits(name, raw, plan)]
    failed = []
    for column, source in plan.columns.items():
        kind = TABLES[name].column(column)
        cells = rows[source]
        if column in plan.lookup:
            cells, missed = looked_up(cells, plan.lookup[column], plan.read, load)
            failed.append(missed.assign(table=name, column=column))
        cells = _mapped(cells, plan.values.get(column, {}), plan.read)
        read = read_cells(cells, kind, plan.read, raw.epoch)
        out[column] = read.values
        if column in plan.scale:
            out[column] = (read.values * plan.scale[column]).round(9)
        problems.append(_unread(name, rows, plan, kind, read.unread))
    frame = pd.DataFrame(out, index=rows.index).assign(**plan.constants)
    lost = sum(misfit.lost for misfit in raw.misfits)
    originals = pd.DataFrame({column: rows[source] for column, source in plan.columns.items()})
    return Draft(
        frame,
        originals,
        _joined(problems, no_problems()),
        _joined(failed, no_failed_joins())[FAILED_JOINS],
        len(raw.frame) + lost,
        len(raw.frame) - len(rows),
    )


def draft_dates(
    kind: str, raw: RawTable, plan: TablePlan, dates: tuple[StageDate, ...], records: Draft
) -> Draft:
    """Make history of the date columns of a lead's or deal's row: one change per date.

    `records` is the draft of the leads or deals themselves: their ids and pipelines are taken over.
    """
    require_columns(raw, [*(d.column for d in dates), *(c for d in dates for c in d.only)])
    parts = [pd.DataFrame(columns=["object", "record_id", "changed_at", "stage_id"], dtype="str")]
    problems = [no_problems()]
    read = 0
    for entry in dates:
        rows = raw.frame[chosen(raw, entry.only, plan.read)]
        rows = rows[rows.index.isin(records.frame.index)]
        rows = rows[as_text(rows[entry.column], plan.read.missing).notna()]
        cells = as_moments(rows[entry.column], plan.read, raw.epoch)
        part = records.frame.loc[rows.index].rename(columns={f"{kind}_id": "record_id"})
        part = part[[c for c in ("record_id", "pipeline_id") if c in part]]
        part = part.assign(object=kind, changed_at=cells.values, stage_id=entry.stage_id)
        changed_at = TABLES["history"].column("changed_at")
        dated = TablePlan(
            read=plan.read,
            columns={"record_id": plan.columns.get(f"{kind}_id", ""), "changed_at": entry.column},
        )
        problems.append(_unread("history", rows, dated, changed_at, cells.unread))
        parts.append(part)
        read += len(rows)
    history = pd.concat(parts)
    return Draft(history, history, _joined(problems, no_problems()), no_failed_joins(), read, 0)


def stack(drafts: list[Draft]) -> Draft:
    """One draft of several, such as history from its own file and from date columns."""
    return Draft(
        pd.concat([draft.frame for draft in drafts]),
        pd.concat([draft.source for draft in drafts]),
        _joined([draft.problems for draft in drafts], no_problems()),
        _joined([draft.failed_joins for draft in drafts], no_failed_joins()),
        sum(draft.read for draft in drafts),
        sum(draft.left_out for draft in drafts),
    )


def finish(
    name: str, draft: Draft, file: str, own: list[str], definitions: Definitions
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Conform a draft; its problems name rows of the file, not of the draft.

    Raises
    ------
    FileError
        If a required column is missing; the message names the file.

    """
    try:
        frame, problems = conform(
            name,
            draft.frame,
            time_zone=definitions.time_zone,
            deal_types=definitions.deal_types,
        )
    except TableError as error:
        said = str(error).replace(f"it has {list(draft.frame.columns)}", f"it has {own}")
        raise FileError(f"{file}: {said}") from error
    rows = draft.frame.index.to_list()
    problems = problems.assign(
        value=[
            _as_in_file(draft.source, row - 1, column, value)
            for row, column, value in problems[["row", "column", "value"]].itertuples(index=False)
        ],
        row=[rows[row - 1] for row in problems["row"]],
        reason=[
            re.sub(r"stands in row (\d+)", lambda m: f"stands in row {rows[int(m[1]) - 1]}", reason)
            for reason in problems["reason"]
        ],
    )
    known = set(zip(draft.problems["row"], draft.problems["column"], strict=True))
    again = [at in known for at in zip(problems["row"], problems["column"], strict=True)]
    both = _joined([draft.problems, problems[[not a for a in again]]], no_problems())
    return frame, both.sort_values("row", kind="stable", ignore_index=True)


def chosen(raw: RawTable, only: Mapping[str, tuple[str, ...]], options: ReadOptions) -> pd.Series:
    """Which rows the filter keeps; '' in its list keeps rows where the column is empty."""
    require_columns(raw, only)
    keep = pd.Series(True, index=raw.frame.index)
    for column, allowed in only.items():
        keep &= as_text(raw.frame[column], options.missing).fillna("").isin(allowed)
    return keep


def read_cells(
    cells: pd.Series, column: Column, options: ReadOptions, epoch: datetime | None
) -> Cells:
    """Read cells as the kind of `column` wants them."""
    if column.kind in NUMBERS:
        return as_numbers(cells, options)
    if column.kind in ("time", "date"):
        return as_moments(cells, options, epoch)
    return Cells(as_text(cells, options.missing), pd.Series(False, index=cells.index))


def _as_in_file(source: pd.DataFrame, at: int, column: str, value: str) -> str:
    """Find what the file has where `value` was made of it."""
    if column not in source:
        return value
    cell = as_text(source[column].iloc[at : at + 1]).iloc[0]
    return value if pd.isna(cell) else str(cell)


def _mapped(cells: pd.Series, values: Mapping[str, str], options: ReadOptions) -> pd.Series:
    """Exchange source values; typed cells that no value names stay what they are."""
    if not values:
        return cells
    text = as_text(cells, options.missing)
    other = text.notna() & ~text.isin(list(values))
    new = text.map(values).mask(other, values.get("*")).astype("str")
    new = new.mask(new == "")
    return new if "*" in values else cells.astype("object").where(other, new)


def _misfits(name: str, raw: RawTable, plan: TablePlan) -> pd.DataFrame:
    key = _key(name, plan)
    at = list(raw.frame.columns).index(key) if key else -1
    return pd.DataFrame(
        {
            "table": name,
            "row": [m.row for m in raw.misfits],
            "key": [m.fields[at] if 0 <= at < len(m.fields) else "" for m in raw.misfits],
            "column": "",
            "value": [" | ".join(m.fields) for m in raw.misfits],
            "reason": [m.reason for m in raw.misfits],
            "action": [REJECTED if m.lost else KEPT for m in raw.misfits],
        }
    )[PROBLEMS]


def _unread(
    name: str, rows: pd.DataFrame, plan: TablePlan, column: Column, unread: pd.Series
) -> pd.DataFrame:
    """List the cells that could not be read as the mapping says they are written."""
    at = unread.index[unread.to_numpy(dtype=bool)]
    key = _key(name, plan)
    return pd.DataFrame(
        {
            "table": name,
            "row": at,
            "key": as_text(rows.loc[at, key]).fillna("") if key else "",
            "column": column.name,
            "value": as_text(rows.loc[at, plan.columns[column.name]]),
            "reason": _expected(column, plan.read),
            "action": REJECTED if column.required else CLEARED,
        }
    )[PROBLEMS]


def _expected(column: Column, options: ReadOptions) -> str:
    if column.kind in NUMBERS:
        grouping = f", thousands {options.thousands!r}" if options.thousands else ""
        return f"no number (decimal {options.decimal!r}{grouping})"
    if options.date_format:
        return f"does not fit date_format {' or '.join(map(repr, options.date_format))}"
    if options.day_first is None:
        return "no date (expected like 2026-11-01)"
    return f"no date, {'day' if options.day_first else 'month'} first"


def _key(name: str, plan: TablePlan) -> str:
    """Source column of what identifies a row; '' where the plan has none."""
    keys = [k for k in ("record_id", *TABLES[name].key) if k.endswith("_id")]
    return next((plan.columns[k] for k in keys if k in plan.columns), "")


def _joined(parts: list[pd.DataFrame], empty: pd.DataFrame) -> pd.DataFrame:
    full = [part for part in parts if not part.empty]
    return pd.concat(full, ignore_index=True) if full else empty
