"""Make a pack: five files for leadership and the frozen plan, all or none."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from kpi import Snapshot
from kpi.planning import Plan
from workbench.report.pack.changes import Changes, changes_since
from workbench.report.pack.check import names_in, refuse_if_private
from workbench.report.pack.contents import Contents, contents
from workbench.report.pack.deck import write_deck
from workbench.report.pack.live import write_live
from workbench.report.pack.paper import write_paper
from workbench.report.pack.remade import PackError
from workbench.report.pack.sheet import write_sheet
from workbench.report.pack.still import write_still

PLAN = "plan.toml"
FILES: dict[str, Callable[[Contents, Path], None]] = {
    "index.html": write_still,
    "what-if.html": write_live,
    "plan.xlsx": write_sheet,
    "deck.pptx": write_deck,
    "report.pdf": write_paper,
}


@dataclass(frozen=True, eq=False)
class Pack:
    """A pack that was written: its folder, its files with their sizes in bytes, what they say."""

    folder: Path
    files: dict[str, int]
    contents: Contents

    @property
    def json(self) -> dict[str, object]:
        """What was written, as plain values: files, the origin, and every figure."""
        origin = self.contents.origin
        return {
            "folder": self.folder.as_posix(),
            "files": self.files,
            "origin": {name: getattr(origin, name) for name in origin.__dataclass_fields__},
            "figures": {f.name: f.value for f in self.contents.figures.values()},
            "what_if_off": self.contents.off,
            "since": self.contents.changes.since if self.contents.changes else None,
            "names": self.contents.names,
        }


def make_pack(
    plan_file: Path,
    snapshot: Snapshot,
    out: Path,
    *,
    data_version: str,
    before: Callable[[date], Snapshot] | None = None,
    since: date | None = None,
    names: bool = False,
    progress: Callable[[str], None] = lambda _name: None,
) -> Pack:
    """Write the files of a pack from one frozen plan and the data that it was made from.

    Parameters
    ----------
    plan_file : Path
        A frozen plan.
    snapshot : Snapshot
        The data as the plan saw it.
    out : Path
        Folder; files of an earlier pack in it are replaced, but only by complete ones.
    data_version : str
        See `workbench.report.pack.version`.
    before : callable, optional
        Gives the data as of an earlier day; by default the snapshot rewound.
    since : date, optional
        Day from which to say what changed; by default that of the pack that lies in the folder.
    names : bool
        Whether names of deals and sellers may be in it.
    progress : callable, optional
        Called with the name of each file before it is written.

    Returns
    -------
    Pack

    Raises
    ------
    PackError
        If the plan and the data do not belong together, or the folder cannot be written to.
    PrivateContentError
        If a file would hold something private; nothing is written then.
    """
    plan = Plan.load(plan_file)
    earlier = _earlier(out)
    changed = _changed(plan, snapshot, earlier, since, before or snapshot.at, names=names)
    found = contents(
        plan,
        snapshot,
        data_version=data_version,
        seal=_seal(plan_file),
        changes=changed,
        names=names,
    )
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder)
        for name, write in FILES.items():
            progress(name)
            write(found, draft / name)
        shutil.copyfile(plan_file, draft / PLAN)
        written = [draft / name for name in (*FILES, PLAN)]
        refuse_if_private(written, names=() if names else names_in(snapshot))
        sizes = {path.name: path.stat().st_size for path in written}
        _put(written, out)
    return Pack(out, sizes, found)


def _earlier(out: Path) -> Plan | None:
    """Plan of the pack that lies in the folder."""
    kept = out / PLAN
    return Plan.load(kept) if kept.is_file() else None


def _changed(
    plan: Plan,
    snapshot: Snapshot,
    earlier: Plan | None,
    since: date | None,
    before: Callable[[date], Snapshot],
    *,
    names: bool,
) -> Changes | None:
    day = since or (earlier.as_of if earlier else None)
    if day is None or (since is None and day >= snapshot.as_of):
        return None
    if day >= snapshot.as_of:
        raise PackError(f"since {day}: the data is as of {snapshot.as_of}; give an earlier day")
    then = before(day)
    then = then.where(**snapshot.filters) if snapshot.filters and not then.filters else then
    return changes_since(plan, snapshot, then, earlier=earlier, names=names)


def _seal(plan_file: Path) -> str:
    text = plan_file.read_text(encoding="utf-8")
    return text.rpartition("sha256 = ")[2].strip().strip('"')


def _put(written: list[Path], out: Path) -> None:
    """Move complete files into place."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in written:
            half = out / f".{path.name}.part"
            shutil.copyfile(path, half)
            half.replace(out / path.name)
    except OSError as error:
        raise PackError(
            f"the pack was not written to {out.name}: {error.strerror or error}"
        ) from error
