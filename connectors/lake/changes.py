"""What a merge changes in one table: the rows that came in compared with the rows there are.

Equal rows are left out (null equals null), so a sync that brings nothing new writes nothing.
"""

from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from kpi.tables import Kind, Table

ARROW: dict[Kind, pa.DataType] = {
    "id": pa.string(),
    "text": pa.string(),
    "time": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
    "money": pa.float64(),
    "number": pa.float64(),
    "whole": pa.int64(),
    "flag": pa.bool_(),
}
GONE = "_gone"
LEAVING = pa.schema([("object", pa.string()), ("id", pa.string())])


class Changes(NamedTuple):
    """The rows to write, `GONE` true where one leaves by its key; and how many are what."""

    rows: pa.Table
    new: int
    changed: int
    removed: int


def schema(table: Table) -> pa.Schema:
    """Return the columns of a table on disk, all of them nullable.

    >>> from kpi.tables import RATES
    >>> schema(RATES).types
    [DataType(string), DataType(date32[day]), DataType(double)]
    """
    return pa.schema([(c.name, ARROW[c.kind]) for c in table.columns])


def changes(
    table: Table,
    current: ds.Dataset,
    incoming: pa.Table | None,
    leaving: pa.Table,
    *,
    replace: bool = False,
) -> Changes:
    """Compare what came in with what is there.

    Parameters
    ----------
    table : Table
        With a key, rows are compared by it. Without one, `incoming` takes the place of everything.
    current : Dataset
        The rows there are.
    incoming : pyarrow.Table, optional
        The rows that came, no key twice; None where none were asked for.
    leaving : pyarrow.Table
        ``object`` (``deal``, ``lead``) and ``id`` of the records to remove, even where they came in
        as well. Out of ``history`` go all changes of these records.
    replace : bool
        Whether rows that did not come in leave too.

    Examples
    --------
    >>> from kpi.tables import RATES
    >>> def rates(*rows):
    ...     rows = [dict(zip(("currency", "rate"), row)) for row in rows]
    ...     return pa.Table.from_pylist(rows, schema=schema(RATES))
    >>> there = ds.dataset(rates(("EUR", 1.1), ("GBP", 1.3)))
    >>> came = rates(("EUR", 1.1), ("GBP", 1.2), ("CHF", 1.0))
    >>> changes(RATES, there, came, LEAVING.empty_table())[1:]
    (1, 1, 0)
    """
    if incoming is None:
        incoming = schema(table).empty_table()
        if not table.key:
            return Changes(incoming, 0, 0, 0)
    whole = replace or not table.key
    present = current if whole else _concerned(table, current, incoming, leaving)
    if not whole and _all_new(table, present, incoming, leaving):
        return Changes(_marked(incoming), len(incoming), 0, 0)
    with duckdb.connect() as engine:
        for name, rows in (("present", present), ("incoming", incoming), ("leaving", leaving)):
            engine.register(name, rows)
        if not table.key:
            return _replaced(engine, incoming)
        engine.execute(f"create temp table touched as {_touched(table)}")
        engine.execute(f"create temp table gone as {_gone(table, replace=replace)}")
        new, changed, removed = engine.execute(
            "select (select count(*) from touched where not known),"
            " (select count(*) from touched where known), (select count(*) from gone)"
        ).fetchall()[0]
        rows = engine.sql(
            f"select * exclude (known), false as {GONE} from touched "  # noqa: S608 - own names
            f"union all by name select *, true as {GONE} from gone"
        ).to_arrow_table()
    full = pa.schema([*schema(table), (GONE, pa.bool_())])
    return Changes(rows.select(full.names).cast(full), new, changed, removed)


def about(
    table: Table, rows: ds.Dataset, records: pa.Array, columns: list[str] | None = None
) -> pa.Table:
    """Return the rows about these records, named by id, without ever holding all the others.

    >>> from kpi.tables import RATES
    >>> there = ds.dataset(pa.table({"currency": ["EUR", "GBP"], "rate": [1.1, 1.3]}))
    >>> about(RATES, there, pa.array(["GBP"])).to_pylist()
    [{'currency': 'GBP', 'rate': 1.3}]
    """
    name, names = _record(table), columns or rows.schema.names
    rows = within(rows, name, records)
    # not by the data set's own filter: it cannot compare with texts as a merge writes them
    parts = (
        batch.filter(pc.is_in(batch[name], value_set=records)).select(names)
        for batch in rows.to_batches(
            columns=list(dict.fromkeys([name, *names])), batch_readahead=2, fragment_readahead=1
        )
    )
    return pa.Table.from_batches(parts, pa.schema([rows.schema.field(n) for n in names]))


def within(rows: ds.Dataset, name: str, records: pa.Array) -> ds.Dataset:
    """Leave out the files that cannot hold any of these records, by the first and last id of each."""
    ends = pc.min_max(records).as_py()
    if not isinstance(rows, ds.FileSystemDataset) or ends["min"] is None:
        return rows
    may = [part for part in rows.get_fragments() if _may_hold(part, name, ends)]
    return ds.FileSystemDataset(may, rows.schema, rows.format, rows.filesystem)


def _may_hold(part: ds.ParquetFileFragment, name: str, ends: dict[str, str]) -> bool:
    for group in part.row_groups:
        told = (group.statistics or {}).get(name)
        if told is None or (told["min"] <= ends["max"] and told["max"] >= ends["min"]):
            return True
    return False


def _all_new(table: Table, present: pa.Table, incoming: pa.Table, leaving: pa.Table) -> bool:
    """Tell whether rows need no comparing: as in a first load, none of their records is there."""
    leaves = pc.any(pc.is_in(incoming[_record(table)], value_set=leaving["id"])).as_py()
    return not len(present) and not leaves


def _marked(rows: pa.Table) -> pa.Table:
    return rows.append_column(GONE, pa.repeat(pa.scalar(value=False), len(rows)))


def _concerned(
    table: Table, current: ds.Dataset, incoming: pa.Table, leaving: pa.Table
) -> pa.Table:
    """Return the rows there are of records that came or leave: few, however long the table is."""
    name = _record(table)
    ids = pa.chunked_array([*incoming[name].chunks, *leaving["id"].chunks], pa.string()).unique()
    known = about(
        table, current, ids, [name]
    )  # one column tells that in a first load there are none
    return about(table, current, ids) if len(known) else schema(table).empty_table()


def _record(table: Table) -> str:
    """Name the column of the key that tells records apart: an id that is never missing."""
    key = [table.column(name) for name in table.key]
    return next(column.name for column in key if column.required and column.kind == "id")


def _replaced(engine: duckdb.DuckDBPyConnection, incoming: pa.Table) -> Changes:
    """Compare tables without a key as bags of rows."""
    new, removed = engine.execute(
        "select (select count(*) from (from incoming except all from present)),"
        " (select count(*) from (from present except all from incoming))"
    ).fetchall()[0]
    return Changes(incoming, new, 0, removed)


def _touched(table: Table) -> str:
    """Rows that came in and are new or differ; ``known`` where the key was there."""
    rest = [name for name in table.names if name not in table.key]
    differs = " or ".join(f"s.{name} is distinct from p.{name}" for name in rest)
    return (
        "select s.*, p.there is not null as known from incoming s "  # noqa: S608 - own names
        f"left join (select *, true as there from present) p on {_same(table)} "
        f"where (p.there is null or {differs}) and not {_leaves(table, 's')}"
    )


def _gone(table: Table, *, replace: bool) -> str:
    """Keys of the rows that leave."""
    key = ", ".join(f"p.{name}" for name in table.key)
    absent = f"not exists (select 1 from incoming s where {_same(table)})"  # noqa: S608 - own names
    condition = f"{_leaves(table, 'p')} or {absent}" if replace else _leaves(table, "p")
    return f"select {key} from present p where {condition}"  # noqa: S608 - own names


def _same(table: Table) -> str:
    return " and ".join(f"(s.{name} is not distinct from p.{name})" for name in table.key)


def _leaves(table: Table, row: str) -> str:
    if table.name == "history":
        named = f"l.id = {row}.record_id and l.object = coalesce({row}.object, 'deal')"
    elif len(table.key) == 1:
        named = f"l.id = {row}.{table.key[0]}"
    else:
        return "false"
    return f"exists (select 1 from leaving l where {named})"  # noqa: S608 - own names
