"""Options that several commands take, each said once."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path, typer.Option(help="Folder of canonical tables, export folder, or store.")]
MappingFile = Annotated[Path | None, typer.Option(help="Mapping file of a foreign export.")]
AsOf = Annotated[str | None, typer.Option(help="Last day that counts as known, like 2026-11-01.")]
