r"""Words and mark-up of unknown origin, made safe for a page: prose, printed text, tables, pictures.

Nothing here trusts its input. Words are escaped, mark-up passes an allow-list (bleach), a link
becomes its words and its address in plain sight, and a drawing is put inside ``<img>``, where it can
neither run nor load anything.

Examples
--------
>>> from workbench.report import markup
>>> markup.prose("**Won** by [Acme](https://example.com/1) <script>alert(1)</script>")
'<p><strong>Won</strong> by Acme (https://example.com/1) &lt;script&gt;alert(1)&lt;/script&gt;</p>'
>>> markup.printed("done: 10 %\rdone: 100 %")
'<pre>done: 100 %</pre>'
"""

import base64
import html
import re

import bleach
import mistune

_TAGS = {"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "div", "span", "p", "br"}
_TAGS |= {"h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "hr", "pre", "code"}
_TAGS |= {"b", "strong", "i", "em", "del", "sub", "sup", "small"}
_ATTRIBUTES = {"th": ["colspan", "rowspan", "scope"], "td": ["colspan", "rowspan"], "ol": ["start"]}
_UNSEEN = re.compile(
    r"(?is)<(script|style|template|noscript)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)"
)
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SIZE = re.compile(r'<svg\b[^>]*?\bwidth="([\d.]+)"[^>]*?\bheight="([\d.]+)"')
_TABLE = re.compile(r"(?s)<table>.*?</table>")
_ROW = re.compile(r"(?s)<tr>.*?</tr>")
_CELL = re.compile(r"(?s)<(t[hd])( [^>]*)?>(.*?)</t[hd]>")
_HEAD = re.compile(r"(?s)<thead>.*?</thead>")
_GAPS = {"NaN", "NaT", "&lt;NA&gt;"}
_WORD = re.compile(r"[^\W\d_]{3}")  # "12.3K", "Q3" and "5 %" are numbers to the eye
_SCROLLING = '<div class="wide" role="region" aria-label="Table" tabindex="0">{}</div>'


class _Prose(mistune.HTMLRenderer):
    """Markdown without raw HTML, links that lead away, or pictures from elsewhere."""

    def heading(self, text: str, level: int, **_attributes: object) -> str:
        """Set every heading one level down: the page has one title."""
        depth = min(level + 1, 6)
        return f"<h{depth}>{text}</h{depth}>\n"

    def link(self, text: str, url: str, title: str | None = None) -> str:  # noqa: ARG002
        """Show the words, then the address, which is not followed but can be read and typed."""
        address = mistune.escape(url)
        if not re.match(r"(?i)https?://", url) or text in (address, url):
            return text
        return f"{text} ({address})"

    def image(self, text: str, url: str, title: str | None = None) -> str:  # noqa: ARG002
        """Show what the picture is said to show: a page loads nothing."""
        return text

    def block_html(self, html: str) -> str:
        """Show raw HTML as the words it is; drop a comment."""
        return (
            "" if html.lstrip().startswith("<!--") else f"<p>{mistune.escape(html.strip())}</p>\n"
        )

    def inline_html(self, html: str) -> str:
        """Show raw HTML as the words it is; drop a comment."""
        return "" if html.startswith("<!--") else mistune.escape(html)


_MARKDOWN = mistune.create_markdown(
    renderer=_Prose(escape=True), plugins=["table", "strikethrough"]
)


def prose(source: str) -> str:
    """Turn Markdown into safe HTML; headings start at the second level."""
    return table(str(_MARKDOWN(_TERMINAL.sub("", source))))


def plain(markup: str) -> str:
    """Return the words of safe HTML, without its tags."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup)).strip()


def printed(text: str) -> str:
    """Show printed text; of a progress bar only its last state. Nothing for blank text."""
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")]
    kept = _TERMINAL.sub("", "\n".join(lines)).strip("\n")
    return f"<pre>{html.escape(kept, quote=False)}</pre>" if kept.strip() else ""


def table(markup: str) -> str:
    """Return HTML, safe; in tables as pandas writes them columns of words are set to the left.

    A table wider than the screen scrolls by itself, by keyboard too.
    """
    return _TABLE.sub(lambda found: _SCROLLING.format(_aligned(found[0])), clean(markup))


def picture(kind: str, data: str, alt: str) -> str:
    """Return a figure that holds its picture in itself; it scrolls on a telephone, by keyboard too.

    Parameters
    ----------
    kind : str
        ``image/svg+xml``, ``image/png`` or ``image/jpeg``.
    data : str
        The drawing, or base64 for the other two, as a notebook stores them.
    alt : str
        What it shows, for those who cannot see it.
    """
    drawn = kind == "image/svg+xml"
    encoded = base64.b64encode(data.encode()).decode() if drawn else re.sub(r"[^\w+/=]", "", data)
    found = _SIZE.search(data) if drawn else None
    size = f' width="{float(found[1]):.0f}" height="{float(found[2]):.0f}"' if found else ""
    said = html.escape(alt, quote=True)
    return (
        f'<figure tabindex="0"><img alt="{said}"{size} src="data:{kind};base64,{encoded}"></figure>'
    )


def clean(markup: str) -> str:
    """Keep the allowed tags and attributes; a script or style goes with all it contains."""
    seen = _UNSEEN.sub("", markup)
    return str(bleach.clean(seen, tags=_TAGS, attributes=_ATTRIBUTES, strip=True)).strip()


def _aligned(whole: str) -> str:
    """Set columns of words to the left, and write a missing number as a dash."""
    if "colspan" in whole or "rowspan" in whole:
        return whole
    whole = _HEAD.sub(lambda found: _one_row(found[0]), whole)
    rows = [_CELL.findall(row) for row in _ROW.findall(whole)]
    wordy = {
        place
        for row in rows
        for place, (tag, _, said) in enumerate(row)
        if tag == "td" and said not in _GAPS and _WORD.search(html.unescape(said))
    }
    return _ROW.sub(lambda row: _aligned_row(row[0], wordy), whole)


def _aligned_row(row: str, wordy: set[int]) -> str:
    left = ' class="words"'
    cells = [
        f"<{tag}{rest}{left if place in wordy else ''}>"
        f"{'–' if tag == 'td' and said in _GAPS else said}</{tag}>"
        for place, (tag, rest, said) in enumerate(_CELL.findall(row))
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _one_row(head: str) -> str:
    """Put the names of the index, which pandas sets below those of the columns, beside them."""
    rows = [_CELL.findall(row) for row in _ROW.findall(head)]
    if len(rows) != 2 or len(rows[0]) != len(rows[1]):
        return head
    pairs = [(upper[2], lower[2]) for upper, lower in zip(*rows, strict=True)]
    if any(upper and lower for upper, lower in pairs):
        return head
    return (
        f"<thead><tr>{''.join(f'<th>{upper or lower}</th>' for upper, lower in pairs)}</tr></thead>"
    )
