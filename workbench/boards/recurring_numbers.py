"""The KPIs of the recurring board, each worked out once for what its filters say."""

import pandas as pd

from kpi import (
    customer_churn,
    gross_mrr_churn,
    gross_retention,
    lifetime_value,
    mrr,
    net_mrr_churn,
    net_retention,
    quick_ratio,
)
from kpi.periods import Every
from workbench.boards.parts import Filters


def standing(filters: Filters, *, back: bool, margin: float | None) -> dict[str, pd.DataFrame]:
    """KPIs as of the date: stocks on the day, rates over the trailing months.

    Parameters
    ----------
    filters : Filters
    back : bool
        Customers who came back count as kept (net retention, quick ratio).
    margin : float or None
        Gross margin, 0 to 1; None: that of the won deals.
    """
    table = filters.table
    return {
        "mrr": table(mrr),
        "gross_retention": table(gross_retention),
        "net_retention": table(net_retention, reactivation=back),
        "gross_mrr_churn": table(gross_mrr_churn),
        "net_mrr_churn": table(net_mrr_churn),
        "customer_churn": table(customer_churn),
        "quick_ratio": table(quick_ratio, reactivation=back),
        "lifetime_value": table(lifetime_value, gross_margin=margin),
    }


def by_period(filters: Filters, every: Every, *, back: bool) -> dict[str, pd.DataFrame]:
    """Rates of each period."""
    table = filters.table
    return {
        "gross_mrr_churn": table(gross_mrr_churn, every=every),
        "net_mrr_churn": table(net_mrr_churn, every=every),
        "customer_churn": table(customer_churn, every=every),
        "quick_ratio": table(quick_ratio, every=every, reactivation=back),
    }


def cut(filters: Filters, column: str, *, back: bool) -> dict[str, pd.DataFrame]:
    """What each group brings and loses; nothing without a column to cut by."""
    if not column:
        return {}
    table = filters.table
    return {
        "mrr": table(mrr, by=column),
        "gross_retention": table(gross_retention, by=column),
        "net_retention": table(net_retention, by=column, reactivation=back),
        "customer_churn": table(customer_churn, by=column),
    }
