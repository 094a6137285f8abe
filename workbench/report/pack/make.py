"""Make a pack: five files for leadership and the frozen plan, all or none."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from kpi import Snapshot
from kpi.planning import Plan, PlanError
from workbench.report.pack.changes import changes_since
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
    earlier = _earlier(out, _seal(plan_file), given=since is not None)
    then = _then(snapshot, earlier, since, before or snapshot.at)
    changed = None
    if then is not None:
        changed = changes_since(plan, snapshot, then, earlier=earlier, names=names)
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
        forbidden = frozenset() if names else names_in(snapshot)
        refuse_if_private(written, names=forbidden, said=_stages(snapshot, then))
        sizes = {path.name: path.stat().st_size for path in written}
        _put(written, out)
    return Pack(out, sizes, found)


def _earlier(out: Path, seal: str, *, given: bool) -> Plan | None:
    """Plan of the pack that lies in the folder; with a day `given`, one that cannot be read is left."""
    kept = out / PLAN
    if not kept.is_file():
        return None
    if not (out / "index.html").exists() and _seal(kept) != seal:
        raise PackError(
            f"{out.name} holds a frozen plan and no pack: nothing rewrites a frozen plan; choose "
            "another folder"
        )
    try:
        return Plan.load(kept)
    except PlanError as error:
        if given:
            return None
        raise PackError(
            f"the plan of the pack in {out.name} cannot be read ({error}): remove that file, choose "
            "another folder, or say since which day (--since)"
        ) from error


def _then(
    snapshot: Snapshot,
    earlier: Plan | None,
    since: date | None,
    before: Callable[[date], Snapshot],
) -> Snapshot | None:
    """Data of the earlier day; None where there is none to compare with."""
    day = since or (earlier.as_of if earlier else None)
    if day is None or (since is None and day >= snapshot.as_of):
        return None
    if day >= snapshot.as_of:
        raise PackError(f"since {day}: the data is as of {snapshot.as_of}; give an earlier day")
    then = before(day)
    return then.where(**snapshot.filters) if snapshot.filters and not then.filters else then


def _stages(*snapshots: Snapshot | None) -> set[str]:
    """Names of all stages, whole: files cut them."""
    found = set()
    for each in snapshots:
        if each is not None and "stages" in each.present:
            found |= set(each.stages.to_pandas()["label"].dropna().astype(str))
    return found


def _seal(plan_file: Path) -> str:
    text = plan_file.read_text(encoding="utf-8")
    return text.rpartition("sha256 = ")[2].strip().strip('"')


def _put(written: list[Path], out: Path) -> None:
    """Move complete files into place, all of them or none."""
    halves = {out / path.name: out / f".{path.name}.part" for path in written}
    kept: dict[Path, Path] = {}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, half in zip(written, halves.values(), strict=True):
            shutil.copyfile(path, half)
        for target in halves:
            if target.exists():
                kept[target] = target.replace(out / f".{target.name}.old")
        for target, half in halves.items():
            half.replace(target)
    except OSError as error:
        for target, old in kept.items():
            old.replace(target)
        name = Path(error.filename or out).name
        raise PackError(
            f"the pack was not written to {out.name}, what was there is as it was: {name}: "
            f"{error.strerror or error}. Is a file of it open in another program?"
        ) from error
    finally:
        for left in (*halves.values(), *kept.values()):
            left.unlink(missing_ok=True)
