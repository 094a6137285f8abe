"""What a year of churn takes, and how many new customers only make up for it."""

import math
from typing import Any, NamedTuple

import pandas as pd

from kpi import Snapshot
from kpi.recurring.billing import YEAR, months, spans


class Loss(NamedTuple):
    """Recurring revenue lost, from the customers of a start followed over some months.

    Attributes
    ----------
    monthly : float
        Equal share lost each month, 0 to 1.
    yearly, low, high : float
        Share that this takes in twelve months, 0 to 1, with its 95 % interval.
    customers : int
        Customers now, who lose at the same pace.
    n : int
        Customers of the start.
    months : int
        Months they were followed, twelve at most.
    """

    monthly: float
    yearly: float
    low: float
    high: float
    customers: int
    n: int
    months: int

    def replacing(self, share: float) -> int:
        """Count new customers a year that make up for a share, paying what the average one pays.

        In money the loss is ``share x MRR``; a customer pays ``MRR / customers`` on average.
        """
        return math.ceil(round(share * self.customers, 9))


def followed(snapshot: Snapshot) -> int:
    """Months over which the customers of the start are followed: twelve, fewer in young data."""
    found = spans(snapshot, months(snapshot), None)
    return int(found["months"].iloc[0]) if len(found) else 0


def loss(kept: "pd.Series[Any]", length: int, customers: int) -> Loss | None:
    """Turn what was kept into what a year takes; None where it cannot be told.

    Growth is left out on both sides: neither what customers added nor who joined makes up for
    anything here.

    Parameters
    ----------
    kept : Series
        The row of `kpi.gross_retention` over the trailing months.
    length : int
        How many months that is.
    customers : int
        Customers now, who lose at the same pace.

    Notes
    -----
    ``monthly = 1 - kept ^ (1 / length)``; ``yearly = 1 - kept ^ (12 / length)``, over twelve months
    just ``1 - kept``.

    Examples
    --------
    >>> row = pd.Series({"value": 0.9, "low": 0.8, "high": 0.95, "n": 56})
    >>> told = loss(row, 12, 101)
    >>> round(told.yearly, 6), round(told.monthly, 4), told.replacing(told.yearly)
    (0.1, 0.0087, 11)
    """
    if pd.isna(kept["value"]) or length < 1:
        return None
    yearly, low, high = (
        1 - float(kept[name]) ** (YEAR / length) for name in ("value", "high", "low")
    )
    monthly = 1 - float(kept["value"]) ** (1 / length)
    return Loss(monthly, yearly, low, high, customers, int(kept["n"]), length)
