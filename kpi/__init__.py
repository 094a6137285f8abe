"""The core: sales KPIs with their uncertainty. No network, no clock, no screen."""

from kpi.acquisition.cost import cac, cost_per_lead, sales_marketing_cost
from kpi.acquisition.magic_number import magic_number
from kpi.acquisition.payback import cac_payback
from kpi.acquisition.unit_economics import clv_to_cac
from kpi.activity.appointments import appointments
from kpi.activity.minimums import seller_minimums
from kpi.activity.suspects import suspects_added
from kpi.board import board
from kpi.catalogue import catalogue, explain
from kpi.conform import conform
from kpi.deals.days import cycle_days, stage_days
from kpi.deals.flow import deals_created, deals_won
from kpi.deals.sales_velocity import sales_velocity
from kpi.deals.size import average_deal_size, average_monthly_deal_value
from kpi.deals.value import value_won
from kpi.deals.win_rate import win_rate
from kpi.definition_diff import definition_diff
from kpi.definitions import Definitions
from kpi.funnel.conversion import stage_conversion
from kpi.funnel.leak_records import leak_records
from kpi.funnel.leakage import stage_leakage
from kpi.funnel.leaks import leaks
from kpi.funnel.outlook import stage_outlook
from kpi.funnel.transitions import transition_matrix
from kpi.leads.conversion import lead_conversion
from kpi.leads.customers import lead_to_customer
from kpi.leads.flow import leads_created, mqls_created
from kpi.leads.growth import lead_velocity_rate
from kpi.leads.times import lead_cycle_days
from kpi.pipeline.changes import pipeline_changes
from kpi.pipeline.coverage import coverage
from kpi.pipeline.slippage import slippage
from kpi.pipeline.stock import final_stage_deals, open_pipeline
from kpi.pipeline.weighted import weighted_pipeline
from kpi.quality import data_quality
from kpi.quota.attainment import quota_attainment
from kpi.reconcile import reconcile
from kpi.recurring.committed import committed_mrr
from kpi.recurring.customers import customer_churn, customers
from kpi.recurring.lifetime import lifetime_value
from kpi.recurring.movements import mrr_movements
from kpi.recurring.retention import gross_retention, net_retention, upsell_rate
from kpi.recurring.revenue_churn import gross_mrr_churn, net_mrr_churn, quick_ratio
from kpi.recurring.run_rate import arr_run_rate, minimum_mrr, mrr
from kpi.recurring.tenure import retention_curve
from kpi.shrunk import shrunk
from kpi.snapshot import Snapshot
from kpi.tables import TABLES, MissingTableError, TableError
from kpi.trace import trace

__all__ = [
    "TABLES",
    "Definitions",
    "MissingTableError",
    "Snapshot",
    "TableError",
    "appointments",
    "arr_run_rate",
    "average_deal_size",
    "average_monthly_deal_value",
    "board",
    "cac",
    "cac_payback",
    "catalogue",
    "clv_to_cac",
    "committed_mrr",
    "conform",
    "cost_per_lead",
    "coverage",
    "customer_churn",
    "customers",
    "cycle_days",
    "data_quality",
    "deals_created",
    "deals_won",
    "definition_diff",
    "explain",
    "final_stage_deals",
    "gross_mrr_churn",
    "gross_retention",
    "lead_conversion",
    "lead_cycle_days",
    "lead_to_customer",
    "lead_velocity_rate",
    "leads_created",
    "leak_records",
    "leaks",
    "lifetime_value",
    "magic_number",
    "minimum_mrr",
    "mqls_created",
    "mrr",
    "mrr_movements",
    "net_mrr_churn",
    "net_retention",
    "open_pipeline",
    "pipeline_changes",
    "quick_ratio",
    "quota_attainment",
    "reconcile",
    "retention_curve",
    "sales_marketing_cost",
    "sales_velocity",
    "seller_minimums",
    "shrunk",
    "slippage",
    "stage_conversion",
    "stage_days",
    "stage_leakage",
    "stage_outlook",
    "suspects_added",
    "trace",
    "transition_matrix",
    "upsell_rate",
    "value_won",
    "weighted_pipeline",
    "win_rate",
]
