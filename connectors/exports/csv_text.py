"""The text of a CSV file: its encoding, its delimiter, its rows; every cell stays text."""

import codecs
import csv
import io
import re
from collections.abc import Iterator

from connectors.errors import FileError
from connectors.exports.read_options import ReadOptions

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def csv_rows(content: bytes, name: str, options: ReadOptions) -> list[tuple[int, list[str]]]:
    r"""Split `content` into rows, numbered from 1; blank lines count but are left out.

    Raises
    ------
    FileError
        If the bytes are not in the encoding expected, or a quote is never closed.

    Examples
    --------
    >>> csv_rows(b"Id;Name\r\n007;NA\r\n", "deals.csv", ReadOptions())
    [(1, ['Id', 'Name']), (2, ['007', 'NA'])]

    """
    text = _decode(content, name, options.encoding)
    lines = io.StringIO(text, newline="")
    for _ in range(options.skip):
        lines.readline()
    if not text[lines.tell() :].strip():
        return []
    delimiter = options.delimiter or _delimiter(text[lines.tell() :])
    rows = enumerate(_split(lines, delimiter, name, options.skip), start=1)
    return [(number, fields) for number, fields in rows if fields]


def _split(lines: io.StringIO, delimiter: str, name: str, skipped: int) -> Iterator[list[str]]:
    """Yield the rows; strict, so that an unclosed quote cannot swallow the rest of the file."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        begin = reader.line_num + 1 + skipped
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise FileError(
                f"{name}: line {begin}: a quote is opened and not closed as it should be "
                f"({error}); correct the quotes there, or export the file again"
            ) from error
        yield fields


def _delimiter(text: str) -> str:
    """Comma, unless the header has none outside its quotes, but semicolons or tabs."""
    header = re.sub(r'"[^"]*"', "", text.lstrip("\r\n")).partition("\n")[0]
    found = [mark for mark in (",", ";", "\t") if mark in header]
    return "," if not found or found[0] == "," else max(found, key=header.count)


def _decode(content: bytes, name: str, encoding: str | None) -> str:
    for mark, meant in MARKS:
        if content.startswith(mark):
            content, encoding = content[len(mark) :], meant
            break
    head = content[:1000]
    if encoding is None and head.count(b"\0") * 4 > len(head):
        raise FileError(
            f'{name}: holds many zero bytes: UTF-16 text (then encoding = "utf-16-le" under [read] in '
            "a mapping) or no text at all"
        )
    try:
        return content.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        wanted = '"utf-8"' if encoding else '"cp1252"'
        raise FileError(
            f"{name}: not valid {encoding or 'utf-8'} at byte {error.start} (line {line}); say how it "
            f"is written, e.g. encoding = {wanted} under [read] in a mapping"
        ) from error
