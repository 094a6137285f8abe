"""A last look into every file of a pack, as whoever opens it would: refuse what must not leave.

Pages are read as browsers do, Office files part by part, a PDF by its text and its data about
itself. What is found is never repeated.
"""

import zipfile
from collections.abc import Collection, Iterator
from html import escape, unescape
from io import BytesIO
from pathlib import Path

from pypdf import PdfReader

from kpi import Snapshot
from workbench.report.pack.remade import PackError
from workbench.report.pack.text import clean
from workbench.report.privacy import LINK, LOAD, SCRIPT, PrivateContentError, findings

OFFICE = {".xlsx", ".pptx"}
PAGES = {".html"}
LIVE = "what-if.html"
ACTIVE = {SCRIPT, LOAD, LINK}
WHOLE = 10_000  # letters of a name that are looked at
LONG = 8  # letters from which two words or more are taken for a name
CUT = 24  # letters of a name that are looked for: a file may cut it
NAME = "name of a deal, a customer or a seller"
OUTSIDE = b'TargetMode="External"'


def refuse_if_private(
    paths: Collection[Path], *, names: Collection[str] = (), said: Collection[str] = ()
) -> None:
    """Raise unless every file is free of e-mail addresses, secrets, paths, scripts, links and names.

    Parameters
    ----------
    paths : collection of Path
        Files of a pack: .html, .xlsx, .pptx, .pdf, .toml.
    names : collection of str
        Names that must not be in them (`names_in`).
    said : collection of str
        Words from the CRM that a file may hold cut short: looked at whole.

    Raises
    ------
    PrivateContentError
        Names the file and the kind; what was found is not repeated.
    """
    found = [f"{kind} in {path.name}" for path in paths for kind in _kinds(path, names)]
    words = "\n".join(escape(text) for text in said)
    found += [f"{kind} in the name of a stage" for kind in sorted(_met(words, names) - ACTIVE)]
    if found:
        asked = ", or ask for names on purpose (--include-names)" if NAME in str(found) else ""
        raise PrivateContentError(
            f"the pack was not written, because it would hold: {'; '.join(found)}. Names of stages, "
            f"sources and filters reach the pack: change them in the CRM{asked}"
        )


def names_in(snapshot: Snapshot) -> frozenset[str]:
    """Names of deals, customers and sellers: whole ones, of two words or more.

    One word may be anything, a stage's name too, and is not looked for. Of a long name the beginning
    stands for all of it.
    """
    found = set()
    for table in ("deals", "accounts", "owners"):
        if table in snapshot.present:
            found |= set(snapshot.table(table).to_pandas()["name"].dropna().astype(str))
    named = {clean(name, WHOLE)[:CUT].rstrip() for name in found}
    return frozenset(name for name in named if len(name) >= LONG and len(name.split()) > 1)


def _kinds(path: Path, names: Collection[str]) -> list[str]:
    live = path.name == LIVE
    kinds: set[str] = set()
    for text in _texts(path):
        kinds |= _met(text, names)
    if path.suffix not in PAGES:
        kinds -= ACTIVE  # words of a part; what leads outside is told by `_leads_outside`
    if path.suffix in OFFICE and _leads_outside(path.read_bytes()):
        kinds.add(LINK)
    return sorted(kinds - ({SCRIPT} if live else set()))


def _met(text: str, names: Collection[str]) -> set[str]:
    """Kinds of private content in a text; names are looked for as people read it."""
    kinds = {item.kind for item in findings(text)}
    read = " ".join(unescape(text).split())
    return kinds | ({NAME} if any(name in read for name in names) else set())


def _texts(path: Path) -> Iterator[str]:
    if path.suffix in OFFICE:
        yield from (text for _, text in _parts(path.read_bytes()))
    elif path.suffix == ".pdf":
        reader = PdfReader(path)
        yield " ".join(str(value) for value in (reader.metadata or {}).values())
        yield from (page.extract_text() for page in reader.pages)
    elif path.suffix in {*PAGES, ".toml"}:
        yield path.read_text(encoding="utf-8")
    else:
        raise PackError(f"{path.name}: a pack holds no such file, and nobody looked into it")


def _parts(data: bytes) -> Iterator[tuple[str, str]]:
    """Every part of an Office file as text, those of the workbooks inside it too."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        for name in archive.namelist():
            part = archive.read(name)
            if part[:2] == b"PK":
                yield from _parts(part)
            elif name.endswith((".xml", ".rels")):
                yield name, part.decode("utf-8", "replace")


def _leads_outside(data: bytes) -> bool:
    return any(OUTSIDE.decode() in text for name, text in _parts(data) if name.endswith(".rels"))
