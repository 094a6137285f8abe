"""A text that must not be seen, and texts made fit to be seen."""

import hmac
import string
import unicodedata
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import NoReturn

HIDDEN = "***"
PIECE = 6  # a piece of a secret this long is as bad as the whole
LONGEST = 300
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class Secret:
    """A password or token that no print, log, copy, pickle or JSON gives away.

    Examples
    --------
    >>> token = Secret("pat-na1-0123")
    >>> token, f"{token}"
    (Secret(***), '***')
    >>> token.reveal()
    'pat-na1-0123'

    """

    __slots__ = ("_text",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself: call this only where it goes on the wire."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, _spec: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a secret is not copied or pickled; pass the Secret itself on")


def redacted(text: str, secrets: Iterable[Secret]) -> str:
    """Return the text with every piece of a secret, 6 characters or longer, as ``***``.

    A shorter secret is hidden where it stands as a whole. Capitals make no difference.

    Examples
    --------
    >>> redacted("token PAT-NA1-01 is not known", [Secret("pat-na1-0123")])
    'token *** is not known'

    """
    hidden = bytearray(len(text))
    lowered = text.translate(_LOWER)
    for secret in secrets:
        _mark(hidden, lowered, secret.reveal().translate(_LOWER))
    runs = groupby(zip(text, hidden, strict=True), key=itemgetter(1))
    return "".join(HIDDEN if hide else "".join(char for char, _ in run) for hide, run in runs)


def _mark(hidden: bytearray, text: str, secret: str) -> None:
    """Mark the characters of the text that belong to a piece of the secret."""
    size = min(PIECE, len(secret))
    pieces = {secret[start : start + size] for start in range(len(secret) - size + 1)} - {""}
    for start in range(len(text) - size + 1):
        if text[start : start + size] in pieces:
            hidden[start : start + size] = b"\1" * size


def plain(text: str, longest: int = LONGEST) -> str:
    r"""Return foreign text fit for one line: no control or invisible characters, not too long.

    Examples
    --------
    >>> plain("a reply\x1b[2J\nwith two lines")
    'a reply [2J with two lines'

    """
    kept = "".join(" " if unicodedata.category(char)[0] == "C" else char for char in text)
    kept = " ".join(kept.split())
    return kept if len(kept) <= longest else kept[:longest].rstrip() + " ..."
