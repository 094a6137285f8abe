"""The planner: from a target, backwards and through time, to the leads to create."""

from kpi.planning.leads_for_wins import leads_for_wins
from kpi.planning.learn import recent_wins
from kpi.planning.model import FunnelModel
from kpi.planning.needed import records_needed
from kpi.planning.plan import Plan
from kpi.planning.reverse import reverse_funnel
from kpi.planning.segments import fit_segments
from kpi.planning.simulate import Simulation, chance, simulate
from kpi.planning.target import PlanError, Target

__all__ = [
    "FunnelModel",
    "Plan",
    "PlanError",
    "Simulation",
    "Target",
    "chance",
    "fit_segments",
    "leads_for_wins",
    "recent_wins",
    "records_needed",
    "reverse_funnel",
    "simulate",
]
