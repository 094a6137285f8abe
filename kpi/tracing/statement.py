"""A statement is a list of named steps (SQL ``WITH``) and the line that reads the answer off them."""

# ruff: noqa: S608 - every value was quoted by kpi.tracing.ask, every name is our own

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kpi.tables import TABLES
from kpi.tracing.ask import TYPES, Ask


@dataclass(frozen=True)
class Step:
    """One step: a comment that says what its rows are, its SQL, and the steps and tables it reads.

    ``reads`` may depend on what is asked.
    """

    says: str
    write: Callable[[Ask], str]
    reads: tuple[str, ...] | Callable[[Ask], tuple[str, ...]] = ()

    def needs(self, ask: Ask) -> tuple[str, ...]:
        """Names of the steps and tables it reads."""
        return self.reads if isinstance(self.reads, tuple) else self.reads(ask)


@dataclass(frozen=True)
class Statement:
    """The SQL of one KPI, one cell.

    Attributes
    ----------
    steps : mapping of name to Step
        The KPI's own steps, in order. The one called ``rows`` lists every record looked at:
        ``object, record_id, url, numerator, denominator`` (true or false), ``amount``, ``why`` it
        is in neither (null where it is), and what else helps to see it.
    result : str
        Select of one row: ``value, x, n``.
    """

    steps: Mapping[str, Step]
    result: str


@dataclass(frozen=True)
class Written:
    """SQL text ready to run: the steps, and what may be asked of them."""

    steps: str
    result: str
    tables: tuple[str, ...]

    @property
    def sql(self) -> str:
        """The statement whose one row is ``value, x, n``."""
        return f"SET TimeZone = 'UTC';\n{self.steps}\n{self.result}"

    def select(self, what: str) -> str:
        """Another question to the same steps."""
        return f"{self.steps}\n{what}"


def assemble(ask: Ask, statement: Statement, common: Mapping[str, Step]) -> Written:
    """Put the steps that are needed in an order in which each stands after what it reads."""
    twice = set(common) & set(statement.steps)
    if twice:
        raise ValueError(f"steps {sorted(twice)} have the names of shared ones: rename them")
    known = {**common, **statement.steps}
    order: list[str] = []
    for name in statement.steps:
        _visit(ask, name, known, order)
    tables = tuple(t for t in TABLES if any(t in known[name].needs(ask) for name in order))
    lacking = [t for t in tables if t not in ask.present]
    parts = [_part(t, f"the data has no table {t}", _nothing(t)) for t in lacking]
    parts += [_part(name, known[name].says, known[name].write(ask)) for name in order]
    return Written("WITH\n" + ",\n".join(parts), statement.result.strip(), tables)


def _visit(ask: Ask, name: str, known: Mapping[str, Step], order: list[str]) -> None:
    if name in order:
        return
    for needed in known[name].needs(ask):
        if needed in known:
            _visit(ask, needed, known, order)
    order.append(name)


def _part(name: str, says: str, sql: str) -> str:
    body = "\n".join(f"  {line}" for line in sql.strip().splitlines())
    return f"-- {says}\n{name} AS MATERIALIZED (\n{body}\n)"


def _nothing(table: str) -> str:
    """SQL for a table without rows, for data that lacks it."""
    columns = [f'CAST(NULL AS {TYPES[c.kind]}) AS "{c.name}"' for c in TABLES[table].columns]
    return f"SELECT {', '.join(columns)} WHERE FALSE"


def select_rows(columns: Sequence[str] = ("*",)) -> str:
    """Select that lists the records behind a number."""
    return f"SELECT {', '.join(columns)} FROM rows ORDER BY object, record_id"
