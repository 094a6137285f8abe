"""What an import did with every row and value: counts, problems, failed joins, in plain words."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from connectors.exports.read_options import meant
from kpi.tables import TABLES

SUMMARY = [
    "table",
    "file",
    "read",
    "left_out",
    "accepted",
    "rejected",
    "values_cleared",
    "columns_not_used",
]
EXAMPLES = 10
WIDTH = 60


@dataclass(frozen=True)
class ImportReport:
    """The outcome of reading one folder; ``str()`` of it is a text for people.

    Attributes
    ----------
    summary : DataFrame, one row per canonical table
        ``table, file``; numbers of rows ``read``, ``left_out`` (by the mapping's ``only``),
        ``accepted``, ``rejected``: read = left_out + accepted + rejected; ``values_cleared``
        (values set to missing); ``columns_not_used`` (names, comma-separated).
    problems : DataFrame, one row per rejected row or cleared or remarkable value
        Columns of `kpi.conform.PROBLEMS`; ``row`` counts the rows below the header from 1.
    failed_joins : DataFrame, one row per value that its lookup lacks
        ``table, column, value, rows`` (how many hold it), ``looked_up_in``.
    files_not_used : tuple of str
        Files of the folder that nothing was read from.

    """

    source: str
    summary: pd.DataFrame
    problems: pd.DataFrame
    failed_joins: pd.DataFrame
    files_not_used: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"Import of {visible(self.source)}", ""]
        for row in self.summary.to_dict("records"):
            lines += _table_lines({str(name): value for name, value in row.items()})
        lines += _problem_lines(self.problems)
        lines += _join_lines(self.failed_joins)
        if self.files_not_used:
            lines += ["", f"Files not used: {_some(map(visible, self.files_not_used))}"]
        return "\n".join(lines)


def visible(value: object) -> str:
    r"""Text that cannot disturb a screen: control characters as escapes, at most 60 characters.

    >>> visible("A\x1b[2JB")
    'A\\x1b[2JB'
    """
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(value))
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def _table_lines(row: dict[str, object]) -> list[str]:
    counts = f"{row['read']} rows read, {row['accepted']} accepted, {row['rejected']} rejected"
    if row["left_out"]:
        counts += f", {row['left_out']} left out by the filter"
    if row["values_cleared"]:
        counts += f", {row['values_cleared']} values set to missing"
    lines = [f"{row['table']} from {visible(row['file'])}: {counts}"]
    unused = [_hinted(name, row) for name in str(row["columns_not_used"]).split(", ") if name]
    if unused:
        lines.append(f"  columns not used: {_some(unused)}")
    return lines


def _hinted(name: str, row: dict[str, object]) -> str:
    """Add the column probably meant, where the file is named like the table."""
    table = TABLES[str(row["table"])]
    if not str(row["file"]).lower().startswith(f"{table.name}."):
        return visible(name)
    return visible(name) + meant(name, table.names).rstrip(".").replace(", did you mean", " ->")


def _problem_lines(problems: pd.DataFrame) -> list[str]:
    if problems.empty:
        return ["", "No row or value was refused."]
    lines = ["", "Problems (rows counted below the header, from 1)"]
    kinds = problems["reason"].str.replace(r"row \d+", "another row", regex=True)
    groups = problems.assign(kind=kinds).groupby(["table", "column", "kind", "action"], sort=False)
    for (table, column, kind, action), group in groups:
        place = f"{table}.{column}" if column else table
        lines.append(f"  {place}: {kind} -> {action}: {_times(len(group))}")
        lines += [
            f"    row {row}{f' ({visible(key)})' if key else ''}: {visible(value)}"
            for row, key, value in zip(
                group["row"].head(EXAMPLES),
                group["key"].fillna("").head(EXAMPLES),
                group["value"].fillna("").head(EXAMPLES),
                strict=True,
            )
        ]
        if len(group) > EXAMPLES:
            lines.append(f"    and {len(group) - EXAMPLES} more: see .problems")
    return lines


def _join_lines(failed: pd.DataFrame) -> list[str]:
    if failed.empty:
        return []
    lines = ["", "Values not found where they were looked up"]
    for (table, column, place), group in failed.groupby(["table", "column", "looked_up_in"]):
        lines.append(f"  {table}.{column} in {visible(place)}: {_times(int(group['rows'].sum()))}")
        head = group.head(EXAMPLES)
        lines += [
            f"    {visible(value)}: {_times(rows)}"
            for value, rows in zip(head["value"], head["rows"], strict=True)
        ]
        if len(group) > EXAMPLES:
            lines.append(f"    and {len(group) - EXAMPLES} more values: see .failed_joins")
    return lines


def _some(names: Iterable[str]) -> str:
    """Join the first ten names and count the rest."""
    names = list(names)
    more = f", and {len(names) - EXAMPLES} more" if len(names) > EXAMPLES else ""
    return ", ".join(names[:EXAMPLES]) + more


def _times(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
