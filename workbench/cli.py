"""The command `reverse-funnel`."""

import json as json_text
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

import connectors
from connectors import ConnectorError, Store
from kpi import TableError
from workbench.answer import answer
from workbench.crm import check_crm, serve, sync
from workbench.numbers import kpis, show_board, show_trace
from workbench.options import AsOf, Data, MappingFile
from workbench.report.notebook import NOTEBOOKS, SAMPLES
from workbench.report.privacy import PrivateContentError
from workbench.report.static_page import NotebookError
from workbench.reporting import report, run_and_render
from workbench.store_text import store_text

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Plan sales backwards from a target, on your own CRM data.",
)

Out = Annotated[Path, typer.Option(help="Where the page is written.")]


@app.command()
def demo(
    data: Data = SAMPLES,
    mapping: MappingFile = None,
    as_of: AsOf = None,
    wins: Annotated[
        float | None, typer.Option(help="Deals to win; default: as in the last six months.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Last day that counts; default: six months.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Chance wanted, 0 to 1.")] = 0.8,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, write no page.")
    ] = False,
    out: Out = Path("out") / "reverse_funnel.html",
) -> None:
    """Say how many leads to create by when for the target, and write the page for leadership."""
    if not json and round(100 * confidence, 6) not in range(10, 100):
        raise TableError(f"confidence = {confidence}; the page takes whole per cents, 0.10 to 0.99")
    snapshot = connectors.open(data, as_of, mapping=mapping)
    found = answer(snapshot, wins=wins, by=by, confidence=confidence)
    if json:
        typer.echo(json_text.dumps(found.json, indent=2, ensure_ascii=False))
        return
    typer.echo(str(found))
    if len(snapshot.problems):
        typer.echo(
            f"  {'Data':<21} {len(snapshot.problems):,} problems: reverse-funnel check {data}"
        )
    if found.plan is None:
        return
    if out.is_dir():
        raise NotebookError(f"{out} is a folder: give the name of the page to write")
    parameters: dict[str, object] = {"DATA": str(data.resolve()), "AS_OF": str(snapshot.as_of)}
    parameters |= {"MAPPING": str(mapping.resolve())} if mapping else {}
    parameters |= {"WINS": found.wins, "BY": str(found.by), "CONFIDENCE": confidence}
    typer.echo("\nWriting the page (it runs a notebook, about 15 seconds) ...", err=True)
    page = run_and_render(NOTEBOOKS / "02_reverse_funnel.ipynb", out, parameters)
    typer.echo(f"\nPage for leadership: {page}")


@app.command()
def check(
    data: Annotated[
        Path,
        typer.Argument(help="Folder of tables, export folder, or store; or: hubspot, salesforce."),
    ],
    mapping: MappingFile = None,
    store: Annotated[
        Path | None, typer.Option(help="With a CRM: the store to compare with it.")
    ] = None,
) -> None:
    """Say what would be read: rows accepted and rejected with reasons, columns not used, failed joins.

    A store: the rows of each table, its syncs, and what is wrong with the rows.

    With hubspot or salesforce: test the login, list what it may read, the limits and the pipelines, and
    compare a store with the CRM.
    """
    if str(data) in connectors.SOURCES:
        check_crm(str(data), store)
    if Store.exists(data):
        typer.echo(store_text(data))
        return
    found = connectors.read_folder(data, mapping=mapping)
    typer.echo(str(found.report))
    if found.as_of is not None:
        problems = connectors.open(data, mapping=mapping).problems
        listed = problems[problems["action"] == "kept, listed only"]
        for reason, rows in listed.groupby(["table", "column", "reason"]):
            typer.echo(f"{reason[0]}.{reason[1]}: {reason[2]} (rows: {len(rows):,})")


@app.command()
def keep(
    data: Annotated[Path, typer.Argument(help="Folder of canonical tables or export folder.")],
    store: Annotated[Path, typer.Option(help="Folder of the store; made if it is not there.")],
    mapping: MappingFile = None,
) -> None:
    """Keep an export in a local store: a new version, every earlier one still there."""
    result = connectors.keep(data, store, mapping=mapping)
    typer.echo(f"sync {result.sync_id}, as of {result.as_of}")
    typer.echo(result.counts.to_string(index=False))


app.command()(report)
app.command()(sync)
app.command("sandbox")(serve)


app.command()(kpis)
app.command("board")(show_board)
app.command("trace")(show_trace)


@app.command()
def lab() -> None:
    """Open JupyterLab on the start notebook."""
    root = NOTEBOOKS.parent
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in paths if p)}
    start = NOTEBOOKS / "02_reverse_funnel.ipynb"
    command = [sys.executable, "-m", "jupyter", "lab", str(start), "--LabApp.news_url="]
    raise typer.Exit(subprocess.run(command, env=environment, check=False).returncode)  # noqa: S603


def main() -> None:
    """Run the command; a known error is one plain sentence, not a traceback."""
    try:
        app()
    except (ConnectorError, TableError, NotebookError, PrivateContentError) as error:
        typer.echo(f"reverse-funnel: {error}", err=True)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
