"""One export file (CSV, Excel, Parquet) as a frame of its own columns; nothing is interpreted yet.

CSV cells stay text, letter by letter. Excel and Parquet cells keep their own type. The index of the
frame counts the rows below the header from 1, so that a problem can be found again in the file.
"""

import itertools
import zipfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl.utils.exceptions import InvalidFileException

from connectors.errors import FileError
from connectors.exports.csv_text import csv_rows
from connectors.exports.read_options import ReadOptions, meant

SUFFIXES = (".csv", ".txt", ".tsv", ".xlsx", ".xlsm", ".parquet")
WHOLE: dict[Any, Any] = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


class Misfit(NamedTuple):
    """A row whose number of fields is not the header's."""

    row: int
    fields: tuple[str, ...]
    reason: str
    lost: bool  # True: not in the frame


class RawTable(NamedTuple):
    """A file as read: its name for people, its cells, its misfits and the Excel day 0."""

    file: str
    frame: pd.DataFrame
    misfits: list[Misfit]
    epoch: datetime | None
    empty: bool  # not even a header


def read_raw(path: Path, name: str, options: ReadOptions) -> RawTable:
    """Read the file at `path`, called `name` in messages.

    Raises
    ------
    FileError
        If the file is absent, of another kind, damaged, or not in the encoding expected.

    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise FileError(f"{name}: {suffix or 'no'} suffix; save it as one of {list(SUFFIXES)}")
    if not path.is_file():
        raise FileError(f"{name}: no such file in the folder {path.parent.name!r}")
    if suffix == ".parquet":
        return _parquet(path, name)
    if suffix in (".xlsx", ".xlsm"):
        return _excel(path, name, options)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"{name}: cannot be read ({error.strerror})") from error
    rows = csv_rows(content, name, options)
    return _table(name, rows, None)


def _table(name: str, rows: Sequence[tuple[int, list[Any]]], epoch: datetime | None) -> RawTable:
    """Set rows under the first one; blank rows count in the numbering but are left out."""
    if not rows:
        return RawTable(name, pd.DataFrame(), [], epoch, empty=True)
    first, head = rows[0]
    names = _names(head)
    kept, index, misfits = [], [], []
    for at, fields in rows[1:]:
        if len(fields) != len(names):
            misfit = _misfit(at - first, fields, len(names), exact=epoch is None)
            misfits += [misfit] if misfit else []
            if misfit and misfit.lost:
                continue
        kept.append([*fields, *[None] * (len(names) - len(fields))][: len(names)])
        index.append(at - first)
    dtype = "str" if epoch is None else "object"
    columns = list(zip(*kept, strict=True)) if kept else [()] * len(names)
    cells = {
        n: pd.Series(list(c), index=index, dtype=dtype) for n, c in zip(names, columns, strict=True)
    }
    return RawTable(name, pd.DataFrame(cells, index=index), misfits, epoch, empty=False)


def _misfit(row: int, fields: list[Any], width: int, *, exact: bool) -> Misfit | None:
    """Judge the number of fields; empty ones at the end are no loss, and Excel leaves them out."""
    shown = tuple("" if f is None else str(f) for f in fields)
    if any(shown[width:]) and not exact:
        return Misfit(row, shown, "a value stands right of the last column name", lost=False)
    if any(shown[width:]):
        reason = (
            f"{len(shown)} fields under a header of {width}: quote the value that holds one more"
        )
        return Misfit(row, shown, reason, lost=True)
    if not exact or len(shown) >= width:
        return None
    if len(shown) == 1 and width > 2:
        reason = f"one field under a header of {width}: a remark or a broken line"
        return Misfit(row, shown, reason, lost=True)
    reason = f"{len(shown)} fields under a header of {width}: the rest is missing"
    return Misfit(row, shown, reason, lost=False)


def _names(head: list[Any]) -> list[str]:
    """Column names, stripped; a repeated one gets ' (2)', an empty one its position."""
    names: list[str] = []
    for position, cell in enumerate(head, start=1):
        name = str(cell).strip() if cell is not None else ""
        name = name or f"column {position}"
        candidates = (f"{name} ({n})" for n in itertools.count(2))
        names.append(next(c for c in candidates if c not in names) if name in names else name)
    return names


def _excel(path: Path, name: str, options: ReadOptions) -> RawTable:
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
        raise FileError(f"{name}: not a readable Excel file; open it and save as .xlsx") from error
    try:
        sheets = {sheet.title: sheet for sheet in book.worksheets}
        title = options.sheet or next(iter(sheets), "")
        if title not in sheets:
            raise FileError(f"{name}: no sheet {title!r}; it has {list(sheets)}")
        sheet: Any = sheets[title]
        sheet.reset_dimensions()  # some exporters state them wrongly
        rows = [
            (number, _without_tail(cells))
            for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1)
            if number > options.skip and any(cell is not None for cell in cells)
        ]
        epoch: datetime = book.epoch
    finally:
        book.close()
    return _table(name, rows, epoch)


def _without_tail(cells: tuple[Any, ...]) -> list[Any]:
    """Cells without the empty ones at the end, which are format only."""
    end = len(cells)
    while end and cells[end - 1] is None:
        end -= 1
    return list(cells[:end])


def _parquet(path: Path, name: str) -> RawTable:
    try:
        frame = pq.ParquetFile(path).read().to_pandas(types_mapper=WHOLE.get, ignore_metadata=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise FileError(f"{name}: not a readable Parquet file; export it again") from error
    frame.columns = [str(column) for column in frame.columns]
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return RawTable(name, frame, [], None, empty=frame.columns.empty)


def require_columns(raw: RawTable, wanted: Iterable[str]) -> None:
    """Refuse a file that lacks a column; the message names the closest that it has."""
    has = list(raw.frame.columns)
    for column in dict.fromkeys(wanted):
        if column not in has:
            raise FileError(
                f"{raw.file}: no column {column!r}{meant(column, has)} It has {has[:40]}"
            )
