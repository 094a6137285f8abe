"""Bring any data frame to its canonical table, and list every row and value that could not come.

Nothing is lost silently: a row is either in the table or among the problems with its reason, and a
value that could not be read is listed even where its row is kept.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kpi.tables import DTYPES, TABLES, Column, Table, TableError

PROBLEMS = ["table", "row", "key", "column", "value", "reason", "action"]
REJECTED = "row rejected"
CLEARED = "value set to missing"
KEPT = "kept, listed only"

HINTS = {"deal_type": "; it counts as new: say what it means under [deal_types]"}

EARLIEST = pd.Timestamp("1970-01-01", tz="UTC")
LATEST = pd.Timestamp("2100-01-01", tz="UTC")
NAIVE = pd.Timestamp("1969-12-31"), pd.Timestamp("2100-01-02")
ISO = (
    r"^(?P<day>\d{4}-\d{2}-\d{2}|\d{8})"
    r"(?P<time>[T ]\d{2}:?\d{2}(?::?\d{2}(?:\.\d{1,6})?)?)?\d*\s?(?P<offset>[zZ]|[+-]\d{2}(?::?\d{2})?)?$"
)
TRUE = {"true", "yes", "y", "1", "1.0", "t"}
FALSE = {"false", "no", "n", "0", "0.0", "f"}


class Conformed(NamedTuple):
    """A canonical table and what had to be rejected, cleared or remarked on."""

    frame: pd.DataFrame
    problems: pd.DataFrame


_NONE = pd.DataFrame(dict.fromkeys(PROBLEMS, pd.Series(dtype="str"))).astype({"row": "int64"})


def no_problems() -> pd.DataFrame:
    """Return an empty list of problems.

    >>> no_problems().columns.tolist()
    ['table', 'row', 'key', 'column', 'value', 'reason', 'action']
    """
    return _NONE.copy()


def conform(
    name: str,
    frame: pd.DataFrame,
    *,
    time_zone: str = "UTC",
    deal_types: Mapping[str, str] | None = None,
) -> Conformed:
    """Bring `frame` to the canonical table `name`.

    A row is rejected where a required value is missing or cannot be read, or where its key stands
    in another row too (the row updated last is kept, else the first). Any other value that cannot
    be read, is negative where money is meant, or is not one of the column's values, is set to
    missing and listed. Columns that the table lacks are dropped; `kpi.tables` lists those it has.

    Parameters
    ----------
    name : str
        One of `kpi.tables.TABLES`.
    frame : DataFrame
        Any row order, any dtypes; text is parsed. Not changed.
    time_zone : str
        IANA zone of moments written without an offset.
    deal_types : mapping, optional
        The CRM's own words for ``deal_type`` and what they mean (see `kpi.Definitions`).

    Returns
    -------
    Conformed
        ``frame``: the columns of the table in their order, dtypes of `kpi.tables.DTYPES`.
        ``problems``: ``table, row, key, column, value, reason, action``; ``row`` counts the rows of
        the input from 1 (without a header).

    Raises
    ------
    TableError
        If there is no such table, or a required column is missing altogether, or one is there twice.

    Examples
    --------
    >>> bad = pd.DataFrame({"deal_id": ["007", "8", "8"], "amount": ["12.50", "-3", "4"]})
    >>> table, problems = conform("deals", bad)
    >>> table[["deal_id", "amount"]].to_dict("list")
    {'deal_id': ['007', '8'], 'amount': [12.5, nan]}
    >>> problems[["row", "column", "value", "action"]].to_dict("split")["data"]
    [[2, 'amount', '-3', 'value set to missing'], [3, 'deal_id', '8', 'row rejected']]
    """
    table = known_table(name)
    _require_columns(table, frame)
    rows = frame.reset_index(drop=True)
    if name == "deals" and deal_types and "deal_type" in rows:
        words = dict(deal_types)
        rows["deal_type"] = [words.get(word, word) for word in rows["deal_type"]]
    out: dict[str, pd.Series] = {}
    found: list[pd.DataFrame] = []
    keep = pd.Series(True, index=rows.index)
    for column in table.columns:
        if column.name not in rows:
            out[column.name] = pd.Series(index=rows.index, dtype=DTYPES[column.kind])
            continue
        values, reasons = _read(rows[column.name], column, time_zone)
        out[column.name] = values
        bad = reasons.notna()
        if bad.any():
            action = REJECTED if column.required else CLEARED
            found.append(_listed(table, rows, column.name, reasons[bad], action))
            if column.required:
                keep &= ~bad
    result = pd.DataFrame(out)[table.names]
    result, keep = _one_change(table, result, keep)
    repeated = _repeated(table, result[keep])
    if not repeated.empty:
        found.append(_listed(table, rows, table.key[0] if table.key else "", repeated, REJECTED))
        keep[repeated.index] = False
    problems = pd.concat(found, ignore_index=True) if found else no_problems()
    return Conformed(
        result[keep].reset_index(drop=True), problems.sort_values("row", kind="stable")
    )


def _require_columns(table: Table, frame: pd.DataFrame) -> None:
    lacking = [c.name for c in table.columns if c.required and c.name not in frame.columns]
    if lacking:
        raise TableError(
            f"table {table.name} lacks the column(s) {lacking}; it has {list(frame.columns)}: "
            "add them, or name their source in a mapping file"
        )
    twice = sorted(set(frame.columns[frame.columns.duplicated()]) & set(table.names))
    if twice:
        raise TableError(
            f"table {table.name} has the column(s) {twice} more than once: keep one of each"
        )


def known_table(name: str) -> Table:
    """Return the canonical table of that name, or raise a TableError that lists them all."""
    if name not in TABLES:
        raise TableError(f"no table is called {name!r}; expected one of {list(TABLES)}")
    return TABLES[name]


def problem_rows(
    table: str, rows: list[int], keys: list[str], column: str, values: list[str], reason: str
) -> pd.DataFrame:
    """List problems of rows that are kept: one row each, in the columns of `conform`."""
    return pd.DataFrame(
        {
            "table": table,
            "row": rows,
            "key": keys,
            "column": column,
            "value": values,
            "reason": reason,
            "action": KEPT,
        }
    )[PROBLEMS]


def _listed(
    table: Table, rows: pd.DataFrame, column: str, reasons: pd.Series, action: str
) -> pd.DataFrame:
    at = reasons.index
    key = table.key[-1] if len(table.key) == 1 else next(iter(table.key[1:2]), "")
    return pd.DataFrame(
        {
            "table": table.name,
            "row": at.to_numpy() + 1,
            "key": rows.loc[at, key].astype("str") if key in rows else "",
            "column": column,
            "value": rows.loc[at, column].astype("str") if column in rows else "",
            "reason": reasons,
            "action": action,
        }
    )[PROBLEMS]


def _one_change(
    table: Table, frame: pd.DataFrame, keep: pd.Series
) -> tuple[pd.DataFrame, pd.Series]:
    """Join changes of one second that recorded different fields and no stage into one row.

    CRMs hand out one row a field; they are one change. Where two of them disagree on a field
    nothing is joined: the second is a repeat, and listed as one.
    """
    if table.name != "history":
        return frame, keep
    key = list(table.key)
    part = frame[keep & frame["stage_id"].isna()]
    part = part[part.duplicated(key, keep=False)]
    if part.empty:
        return frame, keep
    grouped = part.groupby(key, dropna=False, sort=False)
    agree = (grouped.transform("nunique") <= 1).all(axis=1)
    part = part[agree]
    first = ~part.duplicated(key)
    joined = part.groupby(key, dropna=False, sort=False).transform("first")
    frame.loc[part.index[first], joined.columns] = joined[first]
    keep = keep.copy()
    keep[part.index[~first]] = False
    return frame, keep


def _repeated(table: Table, frame: pd.DataFrame) -> pd.Series:
    """Reasons, by row, of the rows that give way to another of the same key."""
    if not table.key:
        return pd.Series(dtype="str")
    key = list(table.key)
    ordered = frame
    if "updated_at" in frame:
        ordered = frame.sort_values("updated_at", ascending=False, kind="stable")
    again = ordered.duplicated(key)
    if not again.any():
        return pd.Series(dtype="str")
    kept = ordered[~again].reset_index(names="kept")[[*key, "kept"]]
    lost = ordered[again].reset_index(names="lost").merge(kept, on=key, how="left")
    return pd.Series(
        [f"the same {' + '.join(key)} stands in row {row + 1}, which is kept" for row in lost.kept],
        index=pd.Index(lost.lost, dtype="int64"),
        dtype="str",
    ).sort_index()


def _read(values: pd.Series, column: Column, time_zone: str) -> tuple[pd.Series, pd.Series]:
    """Read one column; the second series holds a reason where a value could not be read."""
    text = values if _typed(values, column) else _text(values)
    reasons = pd.Series(None, index=values.index, dtype="object")
    if column.kind in ("id", "text"):
        result = text
        if column.values:
            wrong = text.notna() & ~text.isin(column.values)
            reasons[wrong] = f"not one of {list(column.values)}{HINTS.get(column.name, '')}"
            result = text.mask(wrong)
    elif column.kind in ("time", "date"):
        result = _moments(values, text, column, time_zone)
        unread = text.notna() & result.isna()
        reasons[unread] = "no date between 1970 and 2100 (expected like 2026-11-01)"
    elif column.kind == "flag":
        result = _flags(text)
        reasons[text.notna() & result.isna()] = "neither true nor false"
    else:
        result = _numbers(values, text)
        reasons[text.notna() & result.isna()] = "no number"
        if column.kind == "money":
            reasons[result < 0] = "negative amount"
            result = result.mask(result < 0)
        if column.kind == "whole":
            reasons[result.notna() & (result % 1 != 0)] = "no whole number"
            result = result.where(result % 1 == 0).astype("Int64")
    if column.required:
        reasons[text.isna()] = "required, but missing"
    kind: Any = DTYPES[column.kind]
    return result.astype(kind), reasons


def _typed(values: pd.Series, column: Column) -> bool:
    """Whether the values are moments or numbers already: no need to write them out as text."""
    if column.kind in ("time", "date"):
        return pd.api.types.is_datetime64_any_dtype(values)
    return column.kind in ("money", "number", "whole") and pd.api.types.is_numeric_dtype(values)


def _text(values: pd.Series) -> pd.Series:
    """Values as stripped text; blank is missing."""
    if pd.api.types.is_float_dtype(values):
        whole = values.notna() & np.isfinite(values) & (values % 1 == 0) & (values.abs() < 2**53)
        text = values.astype("str").mask(values.isna())
        return text.mask(whole, values[whole].astype("int64").astype("str")).astype("str")
    if values.dtype == object:  # ids beside missing ones arrive as 10.0
        values = values.map(
            lambda v: int(v) if isinstance(v, float) and v.is_integer() else v, na_action="ignore"
        )
    text = values.astype("str").mask(values.isna()).str.strip()
    return text.mask(text == "")


def _numbers(values: pd.Series, text: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.astype("float64")
    else:
        numbers = pd.to_numeric(text, errors="coerce").astype("float64")
    return numbers.where(np.isfinite(numbers))


def _flags(text: pd.Series) -> pd.Series:
    lower = text.str.lower()
    result = pd.Series(pd.NA, index=text.index, dtype="boolean")
    result[lower.isin(TRUE).to_numpy(dtype=bool)] = True
    result[lower.isin(FALSE).to_numpy(dtype=bool)] = False
    return result


def _moments(values: pd.Series, text: pd.Series, column: Column, time_zone: str) -> pd.Series:
    """Moments in UTC; for a date column the day they fall on in the company's time zone."""
    if not pd.api.types.is_datetime64_any_dtype(values):
        moments = _parse(text, time_zone)
    elif values.dt.tz is None:
        moments = _localise(values.where((values >= NAIVE[0]) & (values < NAIVE[1])), time_zone)
    else:
        moments = values.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    moments = moments.where((moments >= EARLIEST) & (moments < LATEST))
    if column.kind == "date":
        local: pd.Series = moments.dt.tz_convert(time_zone)
        # CRMs write a plain day as midnight UTC: that is the day, wherever the company is
        plain = moments.dt.tz_localize(None)
        moments = local.dt.tz_localize(None).mask(plain == plain.dt.normalize(), plain)
        moments = moments.dt.normalize()
    return moments


def _parse(text: pd.Series, time_zone: str) -> pd.Series:
    """Parse ISO text; what carries an offset keeps its moment, the rest is local time."""
    parts = text.str.extract(ISO)
    result = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us, UTC]")
    known = parts["day"].notna() & parts["day"].str[:4].between("1969", "2100")
    plain = parts["day"].str.replace("-", "", regex=False) + parts["time"].fillna("")
    read = pd.to_datetime(plain[known], format="ISO8601", errors="coerce").astype("datetime64[us]")
    offset = parts.loc[known, "offset"]
    local = offset.isna()
    result[read.index[local]] = _localise(read[local], time_zone)
    result[read.index[~local]] = (read[~local] - _shift(offset[~local])).dt.tz_localize("UTC")
    return result


def _shift(offset: pd.Series) -> pd.Series:
    """Offsets such as ``Z``, ``+01``, ``-0530`` as time differences."""
    digits = offset.str.replace(r"[zZ:+-]", "", regex=True).str.ljust(4, "0").astype("int64")
    sign = 1 - 2 * offset.str.startswith("-").astype("int64")
    return pd.to_timedelta(sign * (digits // 100 * 60 + digits % 100), unit="min")


def _localise(moments: pd.Series, zone: str) -> pd.Series:
    """Give a zone; an hour that the clock skips moves forward, one that it repeats is the first."""
    first = np.ones(len(moments), dtype=bool)
    local: Any = moments.dt.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    utc: pd.Series = local.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    return utc
