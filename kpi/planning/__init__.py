"""The planner: from a target, backwards and through time, to the leads to create."""

from kpi.planning.chance import leads_for_wins
from kpi.planning.model import FunnelModel, recent_wins
from kpi.planning.needed import records_needed
from kpi.planning.reverse import Plan, PlanError, reverse_funnel

__all__ = [
    "FunnelModel",
    "Plan",
    "PlanError",
    "leads_for_wins",
    "recent_wins",
    "records_needed",
    "reverse_funnel",
]
