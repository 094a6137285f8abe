"""The SQL of every KPI, written by hand from its definition: an account of the number, and a check.

One module a family; each KPI is a function of an `Ask` that returns a `Statement`. The steps that
many share stand in `stages` and `records`; survival estimates in `survival`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from kpi.periods import Every
from kpi.tracing import (
    costs,
    counts,
    customers,
    deals,
    funnel,
    leads,
    records,
    recurring,
    stages,
    values,
)
from kpi.tracing.ask import Ask
from kpi.tracing.statement import Statement, Step

COMMON: Mapping[str, Step] = {**stages.STEPS, **records.STEPS}


@dataclass(frozen=True)
class Writer:
    """How the SQL of one KPI is written.

    Attributes
    ----------
    write : callable
        From what is asked to the statement.
    about : {"deal", "lead", "customer", "other"}
        What its records are: says which are left out.
    options : tuple of str
        Options of the KPI that the SQL honours; any other is refused.
    row : {"", "stage"}
        ``stage`` where the KPI has one row a stage.
    every : {"month", "quarter", "year"} or None
        Length of the period of a KPI that always has periods: its last whole one is the default.
    stock : bool
        True where a past value needs the snapshot of that day (``snapshot.at(day)``).
    """

    write: Callable[[Ask], Statement]
    about: Literal["deal", "lead", "customer", "other"]
    options: tuple[str, ...] = ()
    row: Literal["", "stage"] = ""
    every: Every | None = None
    stock: bool = False


COHORT = ("deal_type", "horizon_days")
KIND = ("deal_type",)

WRITERS: dict[str, Writer] = {
    "leads_created": Writer(counts.leads_created, "lead", ("dedupe",)),
    "mqls_created": Writer(counts.mqls_created, "lead", ("what",)),
    "lead_velocity_rate": Writer(counts.lead_velocity_rate, "lead", ("what",)),
    "lead_conversion": Writer(leads.lead_conversion, "lead", ("to", "basis", "horizon_days")),
    "lead_to_customer": Writer(leads.lead_to_customer, "lead", ("of", "basis", *COHORT)),
    "lead_cycle_days": Writer(leads.lead_cycle_days, "lead", ("to",)),
    "suspects_added": Writer(counts.suspects_added, "other"),
    "deals_created": Writer(counts.deals_created, "deal", KIND),
    "deals_won": Writer(counts.deals_won, "deal", KIND),
    "value_won": Writer(values.value_won, "deal", ("of", *KIND)),
    "average_deal_size": Writer(values.average_deal_size, "deal", KIND),
    "average_monthly_deal_value": Writer(
        values.average_monthly_deal_value, "deal", ("of", "months", *KIND)
    ),
    "win_rate": Writer(values.win_rate, "deal", ("basis", "weight", "no_decision", *COHORT)),
    "stage_conversion": Writer(funnel.stage_conversion, "deal", ("mode", *COHORT), row="stage"),
    "stage_leakage": Writer(funnel.stage_leakage, "deal", ("reasons", *COHORT), row="stage"),
    "stage_days": Writer(funnel.stage_days, "deal", KIND, row="stage"),
    "cycle_days": Writer(deals.cycle_days, "deal", KIND),
    "open_pipeline": Writer(values.open_pipeline, "deal", ("of", *KIND), stock=True),
    "final_stage_deals": Writer(values.final_stage_deals, "deal", KIND, stock=True),
    "mrr": Writer(recurring.mrr, "customer"),
    "arr_run_rate": Writer(recurring.arr_run_rate, "customer", ("contracted",)),
    "committed_mrr": Writer(recurring.committed_mrr, "customer", ("horizon_days",)),
    "minimum_mrr": Writer(recurring.minimum_mrr, "customer", ("threshold",)),
    "customers": Writer(recurring.customers, "customer", ("count",)),
    "mrr_movements": Writer(customers.mrr_movements, "customer", every="month"),
    "gross_mrr_churn": Writer(recurring.gross_mrr_churn, "customer"),
    "net_mrr_churn": Writer(recurring.net_mrr_churn, "customer"),
    "quick_ratio": Writer(recurring.quick_ratio, "customer", ("reactivation",)),
    "gross_retention": Writer(recurring.gross_retention, "customer"),
    "net_retention": Writer(recurring.net_retention, "customer", ("reactivation",)),
    "upsell_rate": Writer(recurring.upsell_rate, "customer"),
    "customer_churn": Writer(customers.customer_churn, "customer", ("basis",)),
    "sales_marketing_cost": Writer(costs.sales_marketing_cost, "other"),
    "cost_per_lead": Writer(costs.cost_per_lead, "other", ("scope",)),
    "cac": Writer(costs.cac, "other", ("deal_type", "lagged")),
}
