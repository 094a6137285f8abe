"""The inputs of the workbook: what each may be, and what a sheet says where it is not."""

from dataclasses import dataclass

import numpy as np

from kpi.planning.what_if import Inputs, WhatIf
from workbench.report.pack.text import clean

MONEY = {"new_mrr", "bookings", "mrr", "arr"}
TARGETS = {
    "wins": "Target: wins",
    "new_mrr": "Target: new MRR",
    "bookings": "Target: bookings",
    "mrr": "Target: MRR",
    "arr": "Target: ARR",
}
SHARE = "a percentage above 0 % and up to 100 %"


@dataclass(frozen=True)
class Entry:
    """One input.

    Attributes
    ----------
    name : str
        Name of its cell in formulas.
    label : str
        What people call it.
    planned : float
        As in the frozen plan.
    number : str
        How it is written: whole, percent, money, count.
    allowed : str
        Condition of a cell ``{0}``, as arguments of AND.
    expected : str
        What it may be, in words.
    """

    name: str
    label: str
    planned: float
    number: str
    allowed: str
    expected: str

    @property
    def sentence(self) -> str:
        """What to say where it is something else."""
        return f"{self.label} cannot be that: put in {self.expected}."

    def ok(self, cell: str) -> str:
        """Formula that is 1 where a cell may be, else 0."""
        return f"IFERROR(IF(AND(ISNUMBER({cell}),{self.allowed.format(cell)}),1,0),0)"


def entries(what: WhatIf, top: str) -> list[Entry]:
    """Inputs of a what-if, in the order in which they are shown.

    Parameters
    ----------
    what : WhatIf
    top : str
        What is created: leads, or deals.
    """
    put = what.inputs
    money = "money" if what.kind in MONEY else "count"
    above, any_many = "{0}>0,{0}<1E12", "{0}>=0,{0}<1E9"
    found = [
        Entry("Target", TARGETS[what.kind], put.target, money, above, "a number above 0"),
        Entry(
            "ChanceWanted",
            "Chance wanted",
            put.confidence,
            "percent",
            "{0}>0,{0}<1",
            "a percentage above 0 % and below 100 %",
        ),
        Entry(
            "Leads",
            f"{top.capitalize()} to create",
            put.leads,
            "whole",
            any_many,
            "a number, 0 or more",
        ),
    ]
    found += _rates(what, put)
    if not np.isnan(put.deal_value):
        found.append(
            Entry(
                "DealValue", "New MRR of a win", put.deal_value, "money", above, "a number above 0"
            )
        )
    if not np.isnan(put.annual_churn):
        allowed = "a percentage, 0 % or more and below 100 %"
        found.append(
            Entry(
                "AnnualChurn",
                "Churn a year",
                put.annual_churn,
                "percent",
                "{0}>=0,{0}<1",
                allowed,
            )
        )
    return found


def _rates(what: WhatIf, put: Inputs) -> list[Entry]:
    return [
        Entry(
            f"Rate_{place}",
            f"{clean(label, 24)} that go on",
            put.rates[step],
            "percent",
            "{0}>0,{0}<=1",
            SHARE,
        )
        for place, (step, label) in enumerate(
            zip(what.steps[:-1], what.labels[:-1], strict=True), start=1
        )
    ]
