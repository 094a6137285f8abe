"""The deck of a pack: five slides with charts and tables that can be edited, and speaker notes."""

import zipfile
from io import BytesIO
from pathlib import Path

from workbench.report.pack.contents import Contents
from workbench.report.pack.deck_master import empty_deck
from workbench.report.pack.deck_slides import (
    add_answer,
    add_caveats,
    add_funnel,
    add_months,
    add_record,
)

EPOCH = (1980, 1, 1, 0, 0, 0)


def write_deck(contents: Contents, path: Path) -> None:
    """Write the deck: the answer, the months, the funnel, what stands behind it, the caveats.

    Parameters
    ----------
    contents : Contents
    path : Path
        A .pptx; replaced if it exists. The same contents give the same bytes.
    """
    deck = empty_deck(contents)
    for add in (add_answer, add_months, add_funnel, add_record, add_caveats):
        add(deck, contents)
    written = BytesIO()
    deck.save(written)
    path.write_bytes(_without_clock(written.getvalue()))


def _without_clock(data: bytes) -> bytes:
    """Pack the parts anew, as of no time."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            part = zipfile.ZipInfo(name, EPOCH)
            part.compress_type, part.create_system = zipfile.ZIP_DEFLATED, 0
            new.writestr(part, old.read(name))
    return out.getvalue()
