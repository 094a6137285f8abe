"""Records of the CRM as a table, each with a link to its page there."""

import html
from urllib.parse import urlsplit

import pandas as pd

from workbench.boards.inputs import html_table

SHOWN = 50
FOLD = "<details><summary>{}</summary>{}</details>"


def records_table(records: pd.DataFrame, key: str) -> str:
    """Write records as mark-up, every word escaped.

    Parameters
    ----------
    records : DataFrame
        With the column ``url``: the record's page in the CRM, followed only if it is a web address.
    key : str
        Column of ids: the row labels.

    Returns
    -------
    str
        The first fifty rows; missing values are empty cells.
    """
    if records.empty:
        return "<p>none</p>"
    head = records.head(SHOWN)
    shown = head.drop(columns="url").set_index(key).rename_axis(None)
    rows = html_table(shown.astype("object").where(shown.notna(), "")).split("</tr>")
    links = [_link(url) for url in head["url"]]
    linked = [row + cell for row, cell in zip(rows[1:-1], links, strict=True)]
    return "</tr>".join([f"{rows[0]}<th>in the CRM</th>", *linked, rows[-1]])


def folded(heading: str, records: pd.DataFrame, key: str) -> str:
    """Write records below a heading that opens at a click or key; it says how many there are."""
    counted, shown = len(records), min(len(records), SHOWN)
    more = f", the first {shown}" if shown < counted else ""
    return FOLD.format(f"{html.escape(heading)}: {counted:,}{more}", records_table(records, key))


def _link(url: object) -> str:
    """Link to the record, if its address is one that a browser may open."""
    text = "" if pd.isna(url) else str(url)  # type: ignore[call-overload]
    if urlsplit(text).scheme not in {"http", "https"}:
        return "<td></td>"
    address = html.escape(text, quote=True)
    return f'<td><a href="{address}" target="_blank" rel="noopener noreferrer">open</a></td>'
