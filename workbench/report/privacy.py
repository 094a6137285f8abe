"""What must not leave the laptop in a report, and the refusal when it is there.

A deny-list is a last look, not a guarantee: it knows e-mail addresses, access tokens, passwords,
paths of a computer, scripts and loads from outside. It does not know a person's name, and it
cannot read a photograph (PNG, JPEG). What it finds it never repeats, not even in part.

Examples
--------
>>> from workbench.report.privacy import findings
>>> findings('<section id="cell-4">Ask pat@example.com or jo@example.com</section>')
[Finding(kind='e-mail address', where='cell 4', count=2)]
"""

import base64
import binascii
import html
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import unquote

_NAMED = r"passw(?:or)?d|secret|(?:access|refresh|auth|bearer)[_-]?token|api[_-]?key|token"
_FOLDERS = "home|Users|root|tmp|var|opt|mnt|srv|etc|usr|private|Volumes|workspaces?|dbfs"
_IN_WORDS: dict[str, re.Pattern[str]] = {
    "e-mail address": re.compile(r"[\w.%+-]@(?:[\w-]+\.)+[^\W\d_]{2,}"),
    "access token": re.compile(
        r"\b00D[A-Za-z0-9]{12,15}![\w.]{8,}"  # Salesforce session
        r"|\bpat-[a-z]{2,3}\d-[0-9a-f]{8}-[0-9a-f-]{8,}"  # HubSpot private app
        r"|(?i:\bbearer\s+[\w.~+/=-]{12,})"
        r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # JSON web token
        r"|\b(?:gh[pousr]_|github_pat_|xox[abp]-|AKIA|sk-)[\w-]{16,}"
        r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    ),
    "password or secret": re.compile(
        rf"(?i)(?:{_NAMED})[\"']?\s*[=:]\s*[\"']?[^\s\"'<>&,;]{{6,}}"
        r"|://[^\s/:@]{1,64}:[^\s/@]{1,128}@"
    ),
    "path of a computer": re.compile(
        rf"(?<![\w/.:%+-])/(?:{_FOLDERS})/[\w.]"
        r"|(?<![\w\\])[A-Za-z]:\\[\w.]|(?<![\w\\])\\\\[A-Za-z][\w.-]+\\[A-Za-z]\w"
        r"|\bfile://[\w/]|(?<![^\s\"'(>=])~/\w"
    ),
}
SCRIPT, LOAD, LINK = "script", "load from outside", "link to outside"
KINDS = (*_IN_WORDS, SCRIPT, LOAD, LINK)

_INLINE = {"a", "abbr", "b", "code", "del", "em", "i", "mark", "s", "small", "span", "strong"}
_INLINE |= {"sub", "sup", "tspan", "u", "wbr"}
_ACTIVE = {"script", "iframe", "object", "embed", "base", "applet", "frame"}
_ADDRESSES = {"src", "srcset", "href", "xlink:href", "action", "formaction", "poster", "data"}
_OUTSIDE = re.compile(r"(?i)\s*(?:https?:|ftp:|wss?:)?//")
_OUTSIDE_STYLE = re.compile(r"(?i)url\(\s*[\"']?\s*(?:https?:)?//|@import\b")
_EMBEDDED = re.compile(r"data:([\w.+/-]*)((?:;[\w=-]+)*),([^\s\"'<>)]*)")


@dataclass(frozen=True)
class Finding:
    """One kind of private content in one place: how often, and never what."""

    kind: str
    where: str
    count: int


class PrivateContentError(ValueError):
    """The report holds something that must not leave the laptop; nothing was written."""


def findings(text: str) -> list[Finding]:
    """Look for what must not be in a report, in the text, the mark-up and the pictures drawn as SVG.

    Parameters
    ----------
    text : str
        A page. Elements with ``id="cell-4"`` tell which notebook cell a finding is in.

    Returns
    -------
    list of Finding
        In the order of the page; empty when nothing was found.
    """
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return [
        Finding(kind, where, counted[kind])
        for where, counted in reader.total().items()
        for kind in KINDS
        if counted[kind]
    ]


def refuse_if_private(page: str, *, allow: Collection[str] = ()) -> None:
    """Raise unless the page is free of everything `findings` knows.

    Parameters
    ----------
    page : str
        The page as it would be written.
    allow : collection of str, optional
        Names of `KINDS` that this page may hold: a page with live sliders allows ``"script"``.

    Raises
    ------
    PrivateContentError
        Names each kind, how often and in which cell. What was found is not repeated.
    ValueError
        If ``allow`` names no such kind.
    """
    if unknown := sorted(set(allow) - set(KINDS)):
        raise ValueError(f"no such kind(s) of private content {unknown}; known are {list(KINDS)}")
    found = [item for item in findings(page) if item.kind not in allow]
    if found:
        listed = "; ".join(f"{item.kind} ({item.count}) in {item.where}" for item in found)
        raise PrivateContentError(
            f"the page was not written, because it holds: {listed}. Remove it in the notebook and "
            "run that again, or tag the cell 'analyst-only' to leave the cell out"
        )


class _Reader(HTMLParser):
    """Reads a page as a browser would, cell by cell: its words, its tags and its embedded SVG."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.where = "the head of the page"
        self.words: dict[str, list[str]] = {}
        self.tags: dict[str, list[str]] = {}
        self.counts: dict[str, Counter[str]] = {}

    def total(self) -> dict[str, Counter[str]]:
        """Return how often each kind was met, by place, in the order of the page."""
        counts = {where: counted.copy() for where, counted in self.counts.items()}
        for where, met in counts.items():
            for text in ("".join(self.words[where]), "\n".join(self.tags[where])):
                for kind, pattern in _IN_WORDS.items():
                    met[kind] += sum(1 for _ in pattern.finditer(text))
        return counts

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where we are, keep the attributes as text, and judge what the tag would do."""
        named = {name: value or "" for name, value in attrs}
        if cell := re.fullmatch(r"cell-(\d+)", named.get("id", "")):
            self.where = f"cell {cell[1]}"
        elif tag == "footer":
            self.where = "the foot of the page"
        self._separate(tag)
        self._keep(self.tags, self._opened(html.unescape(self.get_starttag_text() or "")))
        self._count(SCRIPT, tag in _ACTIVE or any(_runs(*pair) for pair in named.items()))
        self._count(LINK if tag == "a" else LOAD, any(_leaves(*pair) for pair in named.items()))

    def handle_endtag(self, tag: str) -> None:
        """Part the words of one block from those of the next."""
        self._separate(tag)

    def handle_data(self, data: str) -> None:
        """Keep what people read, and what a style or script says."""
        self._keep(self.words, self._opened(data))
        if self.lasttag == "style":
            self._count(LOAD, bool(_OUTSIDE_STYLE.search(data)))

    def handle_comment(self, data: str) -> None:
        """Keep a comment: people can read it in the file."""
        self._keep(self.tags, data)

    def handle_decl(self, decl: str) -> None:
        """Keep a declaration as text."""
        self._keep(self.tags, decl)

    def unknown_decl(self, data: str) -> None:
        """Keep a CDATA section as text."""
        self._keep(self.tags, data)

    def handle_pi(self, data: str) -> None:
        """Keep a processing instruction as text."""
        self._keep(self.tags, data)

    def _separate(self, tag: str) -> None:
        if tag not in _INLINE:
            self._keep(self.words, "\n")

    def _keep(self, kept: dict[str, list[str]], text: str) -> None:
        for each in (self.words, self.tags):
            each.setdefault(self.where, [])
        self.counts.setdefault(self.where, Counter())
        kept[self.where].append(text)

    def _count(self, kind: str, found: bool) -> None:  # noqa: FBT001
        self.counts[self.where][kind] += found

    def _opened(self, text: str) -> str:
        """Take embedded data out of the text, and read what is drawn or written in it."""
        for kind, options, data in _EMBEDDED.findall(text):
            if kind.startswith(("image/svg", "text/", "application/")):
                inner = _Reader()
                inner.feed(_decoded(options, data))
                inner.close()
                for counted in inner.total().values():
                    self.counts.setdefault(self.where, Counter()).update(counted)
        return _EMBEDDED.sub("", text)


def _runs(name: str, value: str) -> bool:
    """Tell whether an attribute is code."""
    return name.startswith("on") or "".join(value.split()).lower().startswith("javascript:")


def _leaves(name: str, value: str) -> bool:
    """Tell whether an attribute leads off the page."""
    if name == "style":
        return bool(_OUTSIDE_STYLE.search(value))
    if name == "content":
        return bool(re.search(r"(?i)url\s*=\s*[\"']?(?:https?:)?//", value))
    return name in _ADDRESSES and bool(_OUTSIDE.match(value))


def _decoded(options: str, data: str) -> str:
    if "base64" not in options:
        return unquote(data)
    try:
        return base64.b64decode(unquote(data), validate=True).decode("utf-8", "replace")
    except binascii.Error:  # not base64 after all: read it as it stands
        return unquote(data)
