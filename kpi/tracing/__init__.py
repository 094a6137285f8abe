"""The SQL of every KPI, written by hand from its definition: an account of the number, and a check.

One module a family; each KPI is a function of an `Ask` that returns a `Statement`. The steps that
many share stand in `stages` and `records`; survival estimates in `survival`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kpi.periods import Every
from kpi.tracing import (
    acquisition,
    changes,
    costs,
    counts,
    customers,
    deals,
    funnel,
    leads,
    lifetimes,
    meetings,
    moves,
    pipeline,
    quotas,
    records,
    recurring,
    sellers,
    slips,
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
    row : {"", "stage", "move", "month", "seller"}
        ``stage`` where the KPI has one row a stage, ``move`` where it has one a stage and destination,
        ``month`` where it has one a month of customers' time (the last is the default),
        ``seller`` where it has one a seller and indicator.
    every : {"month", "quarter", "year"} or None
        Length of the period of a KPI that always has periods: its last whole one is the default.
    begins : bool
        True where a period that is over is told by the snapshot of the day before it began.
    stock : bool
        True where a past value needs the snapshot of that day (``snapshot.at(day)``).
    rewinds : bool
        True where the SQL itself takes back what was changed later: what was read from the source
        is then its ground whatever the snapshot's date, and its rows list every record there is.
    alone : callable, optional
        Options by which the KPI gives one period alone, where all periods are slow to reckon.
    """

    write: Callable[[Ask], Statement]
    about: Literal["deal", "lead", "customer", "other"]
    options: tuple[str, ...] = ()
    row: Literal["", "stage", "move", "month", "seller"] = ""
    every: Every | None = None
    begins: bool = False
    stock: bool = False
    rewinds: bool = False
    alone: Callable[[Ask], Mapping[str, Any]] | None = None


COHORT = ("deal_type", "horizon_days")
KIND = ("deal_type",)
SPEND = ("deal_type", "lagged", "allocation")

WRITERS: dict[str, Writer] = {
    "leads_created": Writer(counts.leads_created, "lead", ("dedupe",)),
    "mqls_created": Writer(counts.mqls_created, "lead", ("what",)),
    "lead_velocity_rate": Writer(counts.lead_velocity_rate, "lead", ("what",)),
    "lead_conversion": Writer(leads.lead_conversion, "lead", ("to", "basis", "horizon_days")),
    "lead_to_customer": Writer(leads.lead_to_customer, "lead", ("of", "basis", *COHORT)),
    "lead_cycle_days": Writer(leads.lead_cycle_days, "lead", ("to",)),
    "suspects_added": Writer(counts.suspects_added, "other"),
    "appointments": Writer(meetings.appointments, "other", ("booked",)),
    "seller_minimums": Writer(sellers.seller_minimums, "other", KIND, row="seller"),
    "quota_attainment": Writer(quotas.quota_attainment, "deal", ("of", "ramp")),
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
    "transition_matrix": Writer(moves.transition_matrix, "deal", ("smoothing", *KIND), row="move"),
    "stage_outlook": Writer(moves.stage_outlook, "deal", ("smoothing", *KIND), row="stage"),
    "stage_days": Writer(funnel.stage_days, "deal", KIND, row="stage"),
    "cycle_days": Writer(deals.cycle_days, "deal", KIND),
    "pipeline_changes": Writer(
        changes.pipeline_changes,
        "deal",
        ("closing", *KIND),
        rewinds=True,
        alone=changes.one_period,
    ),
    "sales_velocity": Writer(pipeline.sales_velocity, "deal", ("months", "opportunities", *KIND)),
    "weighted_pipeline": Writer(
        pipeline.weighted_pipeline, "deal", ("of", "probability", *KIND), stock=True
    ),
    "open_pipeline": Writer(values.open_pipeline, "deal", ("of", *KIND), stock=True),
    "final_stage_deals": Writer(values.final_stage_deals, "deal", KIND, stock=True),
    "slippage": Writer(slips.slippage, "deal", ("not_won", *KIND), rewinds=True),
    "coverage": Writer(
        quotas.coverage, "deal", ("win_rate", "create_and_close", *KIND), begins=True
    ),
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
    "retention_curve": Writer(lifetimes.retention_curve, "customer", row="month"),
    "lifetime_value": Writer(
        lifetimes.lifetime_value,
        "customer",
        ("gross_margin", "method", "horizon_months", "discount"),
    ),
    "customer_churn": Writer(customers.customer_churn, "customer", ("basis",)),
    "sales_marketing_cost": Writer(costs.sales_marketing_cost, "other", ("allocation",)),
    "cost_per_lead": Writer(costs.cost_per_lead, "other", ("scope", "allocation")),
    "cac": Writer(costs.cac, "other", SPEND),
    "cac_payback": Writer(acquisition.cac_payback, "other", ("gross_margin", *SPEND)),
    "clv_to_cac": Writer(
        acquisition.clv_to_cac, "customer", ("limits", "horizon_months", "gross_margin", *SPEND)
    ),
    "magic_number": Writer(
        acquisition.magic_number, "customer", ("of", "allocation"), every="quarter"
    ),
}
