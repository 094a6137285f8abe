"""The command `report`: a pack for leadership from a frozen plan, or one page from a notebook."""

import json as json_text
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import connectors
from kpi import Definitions, Snapshot
from kpi.planning import Plan
from workbench.report.notebook import run_notebook
from workbench.report.static_page import NotebookError, render

if TYPE_CHECKING:
    from workbench.report.pack.make import Pack


def report(
    notebook: Annotated[
        Path | None, typer.Argument(help="A notebook, such as notebooks/01_funnel.ipynb.")
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(help="A frozen plan: make the pack for leadership from it.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="The store (or folder) that the plan was made from.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Page of the notebook, or folder of the pack. Default: in out/."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="COLUMN=VALUE: narrow the data as the plan was; may be repeated."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Day from which to say what changed. Default: the pack in the folder."),
    ] = None,
    include_names: Annotated[
        bool, typer.Option("--include-names", help="Names of deals and sellers; each page says so.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE: run the notebook anew with this parameter."),
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="Run the notebook anew first.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print what was written as one JSON object.")
    ] = False,
) -> None:
    """Make the pack for leadership from a frozen plan, or render a notebook to one static page.

    The pack: index.html, what-if.html (live, no server), plan.xlsx (live formulas), deck.pptx and
    report.pdf, all with the same numbers, and no personal data. The page of a notebook: no code, no
    script, nothing loaded.
    """
    if (notebook is None) == (plan is None):
        raise typer.BadParameter("give either a notebook, or --plan FILE with --store DIR")
    if notebook is not None:
        if store or where or since or include_names:
            raise typer.BadParameter(
                "--store, --where, --since and --include-names go with --plan, not with a notebook"
            )
        _page(notebook, out, set_ or [], run=run, json=json)
    elif plan is not None:
        if store is None or set_ or run:
            raise typer.BadParameter(
                "--plan FILE goes with --store DIR, and without --set or --run"
            )
        snapshot = opened(store, Plan.load(plan), where or [])
        made = _pack(plan, store, snapshot, out, since, names=include_names, quiet=json)
        typer.echo(json_text.dumps(made.json, indent=2) if json else _said(made))


def opened(store: Path, plan: Plan, where: list[str]) -> Snapshot:
    """Open the data as a plan saw it: its day, its definitions, its filters."""
    definitions = Definitions.from_text(plan.definitions) if plan.definitions else None
    snapshot = connectors.open(store, plan.as_of, definitions=definitions)
    filters: dict[str, list[str]] = {}
    for text in where:
        column, value = _named(text, "--where", "COLUMN=VALUE")
        filters.setdefault(column, []).append(value)
    return snapshot.where(**filters) if filters else snapshot


def _pack(
    plan: Path,
    store: Path,
    snapshot: Snapshot,
    out: Path | None,
    since: str | None,
    *,
    names: bool,
    quiet: bool,
) -> "Pack":
    from workbench.report.pack.make import make_pack  # noqa: PLC0415 - Office libraries load slowly
    from workbench.report.pack.version import data_version  # noqa: PLC0415 - as above

    day = None if since is None else _day(since)
    folder = out or Path("out") / "packs" / plan.stem
    if folder.exists() and not folder.is_dir():
        raise NotebookError(f"{folder.name} is a file: give the folder to write the pack to")

    def progress(name: str) -> None:
        if not quiet:
            typer.echo(f"  {name}", err=True)

    if not quiet:
        typer.echo("Writing five files ...", err=True)
    return make_pack(
        plan,
        snapshot,
        folder,
        data_version=data_version(store, snapshot),
        before=lambda then: connectors.open(store, then, definitions=snapshot.definitions),
        since=day,
        names=names,
        progress=progress,
    )


def _said(made: "Pack") -> str:
    found = made.contents
    lines = [found.answer, found.action, "", f"Pack for leadership: {made.folder / 'index.html'}"]
    lines += [f"  {name:<14} {size / 1024:>7,.0f} KB" for name, size in made.files.items()]
    if found.names:
        lines.append("It holds names of deals and sellers, and says so on every page.")
    return "\n".join(lines)


def _page(notebook: Path, out: Path | None, settings: list[str], *, run: bool, json: bool) -> None:
    target = out or Path("out") / f"{notebook.stem}.html"
    if settings or run:
        parameters = dict(_parameter(text) for text in settings)
        page = run_and_render(notebook, target, parameters)
    else:
        page = render(notebook, target).path
    written = {"folder": page.parent.as_posix(), "files": {page.name: page.stat().st_size}}
    typer.echo(json_text.dumps(written, indent=2) if json else str(page))


def run_and_render(notebook: Path, out: Path, parameters: Mapping[str, object]) -> Path:
    """Run a notebook with parameters, render it, and return the page written."""
    with run_notebook(notebook, parameters) as done:
        return render(done, out).path


def _parameter(text: str) -> tuple[str, object]:
    name, value = _named(text, "--set", "NAME=VALUE")
    try:
        return name, json_text.loads(value)
    except ValueError:
        return name, value


def _named(text: str, option: str, expected: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise typer.BadParameter(f"{option} {text!r}: expected {expected}")
    return name, value


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"--since {text!r}: expected a day like 2026-08-01") from error
