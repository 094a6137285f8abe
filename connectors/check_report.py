"""What a check of a CRM found, and how it says so in words; each CRM adds what only it has."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pandas as pd

from connectors.aligned import aligned, cell, times
from connectors.sync_report import Limits

SHOWN = 10
"""Differing records, or sums, that are named when the check is printed."""


@dataclass(frozen=True)
class CheckReport(ABC):
    """What was found; printed, it says so in words.

    Attributes
    ----------
    account : dict
        What the CRM says of itself: ``time_zone, currency, currencies`` and more.
    access : DataFrame
        One row per object: ``object, scope`` (what it takes to read it), ``granted`` and ``why`` not:
        ``scope`` (it is not allowed) or ``absent`` (the CRM has no such object).
    pipelines : DataFrame
        One row per deal pipeline: ``pipeline_id, label, stages, won, lost`` (labels of the stages).
    limits : Limits
        Calls allowed, and left today.
    counts : DataFrame
        One row per object: ``object``, records in the CRM (``hubspot`` or ``salesforce``) and in the
        ``store``, and the ``difference``; empty without a store.
    amounts : DataFrame
        One row per ``pipeline_id, month`` (of the close date) and ``outcome`` (won, open): deals and
        amount in the CRM and in the store, and the difference of the amounts.
    differences : DataFrame
        One row per differing record and column: ``table, id, column``, and the value in the CRM and
        in the ``store``; the column is ``(record)`` where only one side has it.
    """

    crm: ClassVar[str] = ""
    """Name of the CRM, as people write it."""
    needed: ClassVar[Sequence[str]] = ()
    """Objects without which there is little to plan with."""

    account: dict[str, Any]
    access: pd.DataFrame
    pipelines: pd.DataFrame
    limits: Limits
    counts: pd.DataFrame = field(default_factory=pd.DataFrame)
    amounts: pd.DataFrame = field(default_factory=pd.DataFrame)
    differences: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def source(self) -> str:
        """Name of the CRM's columns, as `connectors.sync` has it."""
        return self.crm.lower()

    @property
    def agrees(self) -> bool:
        """Whether the store holds what the CRM has; True where there is no store to compare."""
        return self.differences.empty

    @property
    def usable(self) -> bool:
        """Whether what is needed at least may be read."""
        needed = self.access[self.access["object"].isin(self.needed)]
        return bool(needed["granted"].all())

    def __str__(self) -> str:
        parts = [self._account(), self._access(), self._pipelines(), self._agreement()]
        return "\n\n".join("\n".join(part) for part in parts if part)

    __repr__ = __str__

    @abstractmethod
    def _account(self) -> list[str]:
        """Say what was opened, and what is left of its calls."""

    @abstractmethod
    def _access(self) -> list[str]:
        """Say what may be read, and what to do about the rest."""

    def _left(self) -> str:
        """Say how many calls are left; empty where the CRM does not tell."""
        left, daily = self.limits.left, self.limits.daily
        return f"{cell(left)} of {cell(daily)} left today" if daily else ""

    def _pipelines(self) -> list[str]:
        columns = ["label", "stages", "won", "lost", "pipeline_id"]
        rows = (
            self.pipelines[columns].to_numpy(dtype="object").tolist() if len(self.pipelines) else []
        )
        return aligned(rows, ["pipeline", "stages", "won", "lost", "id"]) if rows else []

    def _agreement(self) -> list[str]:
        if self.counts.empty:
            return []
        records = self.differences[["table", "id"]].drop_duplicates()
        verdict = (
            f"The store agrees with {self.crm}."
            if self.agrees
            else f"The store DIFFERS from {self.crm} in {times(len(records), 'record')}."
        )
        rows = self.counts.to_numpy(dtype="object").tolist()
        lines = [verdict, "", *aligned(rows, ["", f"in {self.crm}", "in the store", "difference"])]
        return [*lines, "", *self._sums(), *self._named()]

    def _sums(self) -> list[str]:
        """State won and open amounts as a whole, and the months in which they differ."""
        if self.amounts.empty:
            return []
        theirs, money = f"{self.source}_amount", self.account["currency"] or ""
        total = self.amounts.groupby("outcome")[theirs].sum().to_dict()
        both = ", ".join(f"{name} {amount:,.0f} {money}".strip() for name, amount in total.items())
        uneven = self.amounts[f"{self.source}_deals"] != self.amounts["store_deals"]
        off = self.amounts[uneven | (self.amounts["difference"].abs() >= 0.005)]
        lines = [
            f"Amounts by pipeline and month ({both}): {len(self.amounts) - len(off):,} of"
            f" {times(len(self.amounts), 'sum')} equal"
        ]
        if off.empty:
            return lines
        labels = dict(zip(self.pipelines["pipeline_id"], self.pipelines["label"], strict=True))
        shown = off.head(SHOWN).to_dict("records")
        names = [f"{self.source}_deals", "store_deals", theirs, "store_amount", "difference"]
        rows = [
            [labels.get(row["pipeline_id"], row["pipeline_id"]), row["month"], row["outcome"]]
            + [row[name] for name in names]
            for row in shown
        ]
        head = ["pipeline", "month", "deals", f"in {self.crm}", "in store"]
        head += [f"{money} in {self.crm}".strip(), "in store", "difference"]
        return [*lines, "", *aligned(rows, head), *_more(len(off), "sum")]

    def _named(self) -> list[str]:
        """Name the differing records, a line per record and column."""
        if self.agrees:
            return []
        found = self.differences
        told = found[found["column"] != "updated_at"]
        only = ~found["id"].isin(told["id"])  # those that differ in nothing else
        found = pd.concat([told, found[only]])
        rows = found.head(SHOWN).to_numpy(dtype="object").tolist()
        return [
            "",
            *aligned(rows, ["table", "id", "column", f"in {self.crm}", "in the store"]),
            *_more(len(found), "difference"),
            f"What changed in {self.crm} since the last sync, or shortly before it, differs too: sync,"
            " then check again.",
        ]


def pipeline_row(pipeline_id: str, label: str, stages: pd.DataFrame) -> list[Any]:
    """Return a row of `CheckReport.pipelines`: how many stages, and which mean won and lost.

    Parameters
    ----------
    pipeline_id, label : str
        Of the pipeline.
    stages : DataFrame
        Its stages, with ``position, label, outcome``.

    Examples
    --------
    >>> stages = pd.DataFrame({"position": [1, 2], "label": ["A", "B"], "outcome": ["open", "won"]})
    >>> pipeline_row("7", "Sales", stages)
    ['7', 'Sales', 2, 'B', None]
    """
    ordered = stages.sort_values("position", kind="stable")
    named = ordered.groupby("outcome")["label"].agg(", ".join)
    return [pipeline_id, label, len(stages), named.get("won"), named.get("lost")]


PIPELINES = ["pipeline_id", "label", "stages", "won", "lost"]


def _more(count: int, name: str) -> list[str]:
    return [f"and {times(count - SHOWN, f'further {name}')}"] if count > SHOWN else []
