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


def paper(contents: Contents, *, accessible: bool = False) -> bytes:
    """Set the report.

    Parameters
    ----------
    accessible : bool
        Whether to refuse what PDF/UA-1 forbids. It forbids signs that no font has, which names of
        a CRM may hold, so the pack does not ask for it; without such signs the result complies.

    Raises
    ------
    typst.TypstError
        If it is to comply and does not.
    """
    template = files(__package__).joinpath(TEMPLATE).read_bytes()
    written = typst.compile(
        template,
        format="pdf",
        sys_inputs={"data": json.dumps(paper_data(contents), allow_nan=False)},
        pdf_standards=["ua-1"] if accessible else [],
    )
    return bytes(written)
