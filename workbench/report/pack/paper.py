"""The printed report of a pack: a tagged PDF, set by Typst from data alone."""

import json
from importlib.resources import files
from pathlib import Path

import typst

from workbench.report.pack.contents import Contents
from workbench.report.pack.paper_data import paper_data

TEMPLATE = "paper.typ"


def write_paper(contents: Contents, path: Path) -> None:
    """Write the report: the answer, the months, the funnel, the KPIs, what the figures mean.

    Parameters
    ----------
    contents : Contents
    path : Path
        A .pdf; replaced if it exists. The same contents give the same bytes. Its letters are
        embedded, the same on every machine; only signs that they lack come from its system.
    """
    path.write_bytes(paper(contents))


def paper(contents: Contents) -> bytes:
    """Set the report.

    It complies with PDF/UA-1 and says so. Only where a name holds a sign that no font has, which
    that standard forbids, it does not say so; it is tagged all the same.
    """
    told = {"data": json.dumps(paper_data(contents), allow_nan=False)}
    try:
        return _set(told, accessible=True)
    except typst.TypstError:  # if it is not about a sign, the next line says it again
        return _set(told, accessible=False)


def _set(told: dict[str, str], *, accessible: bool) -> bytes:
    written = typst.compile(
        files(__package__).joinpath(TEMPLATE).read_bytes(),
        format="pdf",
        sys_inputs=told,
        pdf_standards="ua-1" if accessible else [],
    )
    return bytes(written)
