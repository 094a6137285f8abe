"""The core: sales KPIs with their uncertainty. No network, no clock, no screen."""

from kpi.acquisition import cac, cost_per_lead, sales_marketing_cost
from kpi.activity import appointments
from kpi.board import board
from kpi.catalogue import catalogue, explain
from kpi.changes import pipeline_changes
from kpi.committed import committed_mrr
from kpi.conform import conform
from kpi.coverage import coverage
from kpi.customers import customer_churn, customer_count
from kpi.deal_flow import deals_created, deals_won
from kpi.deal_value import average_deal_size, average_monthly_deal_value
from kpi.deals import win_rate
from kpi.definition_diff import definition_diff
from kpi.definitions import Definitions
from kpi.funnel import stage_conversion
from kpi.lead_customers import lead_to_customer
from kpi.lead_flow import leads_created, mqls_created
from kpi.lead_times import lead_cycle_days
from kpi.lead_velocity import lead_velocity_rate
from kpi.leads import lead_conversion
from kpi.leak_records import leak_records
from kpi.leakage import stage_leakage
from kpi.leaks import leaks
from kpi.lifetime import lifetime_value
from kpi.magic_number import magic_number
from kpi.minimums import seller_minimums
from kpi.outlook import stage_outlook
from kpi.payback import cac_payback
from kpi.pipeline import final_stage_deals, open_pipeline
from kpi.quality import data_quality
from kpi.quota import quota_attainment
from kpi.reconcile import reconcile
from kpi.recurring import mrr_movements
from kpi.retention import gross_retention, net_retention, upsell_rate
from kpi.revenue_churn import gross_mrr_churn, net_mrr_churn, quick_ratio
from kpi.run_rate import arr_run_rate, minimum_mrr, mrr
from kpi.sales_velocity import sales_velocity
from kpi.shrunk import shrunk
from kpi.slippage import slippage
from kpi.snapshot import Snapshot
from kpi.suspects import suspects_added
from kpi.tables import TABLES, MissingTableError, TableError
from kpi.tenure import retention_curve
from kpi.trace import trace
from kpi.transitions import transition_matrix
from kpi.unit_economics import clv_to_cac
from kpi.value_won import value_won
from kpi.velocity import cycle_days, stage_days
from kpi.weighted import weighted_pipeline

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
    "customer_count",
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
