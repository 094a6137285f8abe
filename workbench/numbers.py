"""The commands that show numbers: every KPI explained, the board, and the account of one number."""

from typing import Annotated

import pandas as pd
import typer

import connectors
from kpi import TableError, board, catalogue, explain, leaks, trace
from kpi.periods import Every
from workbench.kpi_tables import board_table, leaks_table
from workbench.options import AsOf, Data, MappingFile
from workbench.report.notebook import SAMPLES

CONTROLS = [
    *range(32),
    *range(127, 160),
    0x200E,
    0x200F,
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
]
VISIBLE = {code: "·" for code in CONTROLS if chr(code) != "\n"}
"""Text from a CRM must not steer the terminal: control and direction marks show as a dot."""


def kpis(
    name: Annotated[str | None, typer.Argument(help="A KPI to explain, or a word to find.")] = None,
) -> None:
    """List every KPI, explain one, or find those that go by a name of yours ("close rate")."""
    table = catalogue()
    if name is not None and name in set(table["name"]):
        typer.echo(str(explain(name)))
        return
    if name is not None:
        found = table[_mentions(table, name)]
        if found.empty:
            names = table["name"].tolist()
            raise TableError(f"no KPI is called {name!r} or known by it; expected one of {names}")
        table = found
    typer.echo(table[["name", "question", "unit", "basis"]].to_string(index=False))


def show_board(
    data: Data = SAMPLES,
    mapping: MappingFile = None,
    as_of: AsOf = None,
    every: Annotated[str, typer.Option(help="month, quarter or year.")] = "quarter",
) -> None:
    """Show the twelve numbers to look at first, and where deals are lost beyond chance."""
    snapshot = connectors.open(data, as_of, mapping=mapping)
    currency = snapshot.definitions.reporting_currency
    length: Every = every  # type: ignore[assignment]  # checked by board
    _say(snapshot.described)
    table = board_table(board(snapshot, every=length), currency)
    _say(_printed(table.drop(columns="rule of thumb")))
    if {"deals", "stages", "history"} <= snapshot.present:
        _say("\nWhere deals are lost beyond chance (the costliest first):")
        _say(_printed(leaks_table(leaks(snapshot), currency)))


def show_trace(
    name: Annotated[str, typer.Argument(help="A KPI, such as win_rate.")],
    data: Data = SAMPLES,
    mapping: MappingFile = None,
    as_of: AsOf = None,
    period: Annotated[str | None, typer.Option(help="2026-03, 2026-Q1 or 2026.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="COLUMN=VALUE to narrow by; an option of the KPI.")
    ] = None,
) -> None:
    """Account for one number: its SQL, the records it counts with their links, and those left out."""
    filters = dict(_pair(text) for text in where or [])
    snapshot = connectors.open(data, as_of, mapping=mapping)
    found = trace(snapshot, name, period=period, **filters)
    _say(str(found))
    _say(f"\nCounted ({len(found.records):,}; the first twenty):")
    _say(_printed(found.records.head(20)))
    reasons = found.left_out["why"].value_counts()
    _say(f"\nLeft out ({len(found.left_out):,}):")
    for why, count in reasons.items():
        _say(f"  {count:,}  {why}")


def _mentions(table: pd.DataFrame, word: str) -> "pd.Series[bool]":
    text = table["name"].str.replace("_", " ") + " " + table["also"] + " " + table["question"]
    return text.str.contains(word.replace("_", " "), case=False, regex=False)


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise typer.BadParameter(f"--where {text!r}: expected COLUMN=VALUE")
    return name, value


def _say(text: str) -> None:
    typer.echo(text.translate(VISIBLE))


def _printed(table: pd.DataFrame) -> str:
    return table.to_string(max_colwidth=90)
