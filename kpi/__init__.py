"""The core: sales KPIs with their uncertainty. No network, no clock, no screen."""

from kpi.catalogue import catalogue, explain
from kpi.conform import conform
from kpi.customers import customer_churn
from kpi.deals import win_rate
from kpi.definitions import Definitions
from kpi.funnel import stage_conversion
from kpi.leads import lead_conversion
from kpi.quality import data_quality
from kpi.recurring import mrr_movements
from kpi.snapshot import Snapshot
from kpi.tables import TABLES, TableError
from kpi.velocity import cycle_days, stage_days

__all__ = [
    "TABLES",
    "Definitions",
    "Snapshot",
    "TableError",
    "catalogue",
    "conform",
    "customer_churn",
    "cycle_days",
    "data_quality",
    "explain",
    "lead_conversion",
    "mrr_movements",
    "stage_conversion",
    "stage_days",
    "win_rate",
]
