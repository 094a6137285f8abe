"""What a board shows for what its controls say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Shown:
    """One answer with all that stands behind it; plain text, which the frame escapes.

    Attributes
    ----------
    sentence : str
        The answer.
    facts : sequence of (name, text)
        What stands behind it, a line each.
    picture : str
        Mark-up of `workbench.theme.image`, one or more; it is not escaped.
    tables : mapping of heading to DataFrame
        As people read them: text, the row labels in the index.
    notes : sequence of str
        What the reader must know, a line each.
    source : str
        As-of date, source, filters and definitions (``snapshot.described``).
    data : mapping of name to DataFrame
        The KPI tables behind it, unrounded, for the CSV files; default: `tables`.
    asked : mapping of KPI name to options
        Which number of each KPI is shown, as `kpi.trace` takes it (``{"win_rate": {"basis":
        "cohort"}}``): what "Explain this number" accounts for.
    """

    sentence: str
    facts: Sequence[tuple[str, str]] = ()
    picture: str = ""
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    notes: Sequence[str] = ()
    source: str = ""
    data: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    asked: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
