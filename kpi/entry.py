"""One KPI of the catalogue as data: what it asks, how it is reckoned, and where that comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd


@dataclass(frozen=True)
class Entry:
    """One KPI of the catalogue; each module of a family ends with its entries.

    Attributes
    ----------
    kpi : callable
        The function; its name is the KPI's name.
    question : str
        What it answers, as a sales leader would ask.
    formula : str
        The default definition, in one line.
    unit : str
        ``share, 0 to 1`` | ``share`` (may leave 0 to 1) | ``count`` | ``calendar days`` | ``months`` |
        ``ratio`` | ``reporting currency`` (with `` a month``, `` a day`` where it is a rate).
    basis : str
        Which records a number of a period is about: created, closed, open at its end.
    interval : str
        How ``low`` and ``high`` are found; ``none: ...`` with the reason where there are none.
    options : str
        Other definitions that can be asked for, as keyword arguments.
    needs : str
        Tables.
    benchmark : str
        Rule of thumb with its denominator, never mixed into a company's own numbers; or ``none``.
    source : str
        Where definition and method come from.
    caveats : str
        What to beware of when reading it.
    also : tuple of str
        Other names under which people look for it, or for one of its options and columns.
    better : {"higher", "lower", ""}
        Which way is good; empty where neither is by itself.
    """

    kpi: Callable[..., pd.DataFrame]
    question: str
    formula: str
    unit: str
    basis: str
    interval: str
    options: str
    needs: str
    benchmark: str
    source: str
    caveats: str
    also: tuple[str, ...] = ()
    better: Literal["higher", "lower", ""] = ""

    @property
    def name(self) -> str:
        """Name of the KPI: that of its function."""
        return self.kpi.__name__
