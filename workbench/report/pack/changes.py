"""What changed since the last pack, or since any date."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, eq=False)
class Changes:
    """What changed between two days.

    Attributes
    ----------
    since, until : str
        As-of dates, ISO.
    sentence : str
        The change in a sentence.
    kpis : DataFrame
        ``name, label, before, now, change`` as text, and ``n``; only of KPIs that are known on both.
    plan : DataFrame
        ``label, before, now`` as text; without rows where there is no earlier plan.
    bridge : DataFrame
        ``driver, effect`` of `kpi.planning.bridge`; without rows where the plan has not begun.
    moves : DataFrame
        One row per deal that moved: ``deal`` (id), ``what, before, now``; and ``name, owner`` where
        names were asked for.
    notes : tuple of str
        What could not be told, and why.
    """

    since: str
    until: str
    sentence: str
    kpis: pd.DataFrame
    plan: pd.DataFrame
    bridge: pd.DataFrame
    moves: pd.DataFrame
    notes: tuple[str, ...] = ()
