"""Words from a CRM, made fit for any file: one line, of sensible length, nothing unseen in it."""

import re
import unicodedata

from workbench.theme import MISSING

JOINERS = "\u200c\u200d"  # unseen, but Persian, Hindi and emoji are written with them
UNSEEN = {"Cc", "Cf", "Cs", "Co"}  # control, format (marks of direction too), surrogate, private
_NO_CHARACTER = re.compile("[\ufdd0-\ufdef\ufffe\uffff]")
_ENOUGH = 20  # times the length wanted: as much of a text as is looked at


def clean(text: str, most: int = 60) -> str:
    r"""Write a text of unknown origin in one line.

    What it holds as mark-up or formula is not touched: whoever writes a file escapes for its format.

    Parameters
    ----------
    text : str
        A label, a name, a sentence; as it is in the CRM.
    most : int
        Characters at most; a longer one ends with an ellipsis.

    Returns
    -------
    str
        Never empty: an en dash where nothing can be seen. Breaks and tabs are blanks; control
        characters, marks that turn the direction of writing, halves of a character and what XML
        does not allow are left out.

    Examples
    --------
    >>> clean("Demo\x00 \u202edekaerb\u2028held")
    'Demo dekaerb held'
    >>> clean("x" * 10_000, most=10)
    'xxxxxxxxx…'
    """
    seen = "".join(_shown(character) for character in text[: _ENOUGH * most])
    line = " ".join(_NO_CHARACTER.sub("", seen).split())
    if len(line) > most:
        line = line[: most - 1].rstrip() + "…"
    return line or MISSING


def _shown(character: str) -> str:
    if character in JOINERS:
        return character
    if character.isspace() or unicodedata.category(character) in {"Zl", "Zp"}:
        return " "
    return "" if unicodedata.category(character) in UNSEEN else character
