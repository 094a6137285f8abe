"""The planner: from a target, backwards and through time, to the leads to create."""

from kpi.planning.bottoms_up import bottoms_up, new_mrr_per_month
from kpi.planning.bridge import bridge
from kpi.planning.capacity import capacity
from kpi.planning.hires import hires
from kpi.planning.leads_for_wins import leads_for_wins
from kpi.planning.learn import recent_wins
from kpi.planning.levers import combined, levers
from kpi.planning.model import FunnelModel
from kpi.planning.needed import records_needed
from kpi.planning.plan import Plan
from kpi.planning.reforecast import posterior_rate, reforecast
from kpi.planning.reverse import reverse_funnel
from kpi.planning.scenario import Scenario, compare
from kpi.planning.segments import fit_segments
from kpi.planning.simulate import Simulation, chance, simulate
from kpi.planning.target import PlanError, Target
from kpi.planning.tracking import track
from kpi.planning.triangle import rates_by_age

__all__ = [
    "FunnelModel",
    "Plan",
    "PlanError",
    "Scenario",
    "Simulation",
    "Target",
    "bottoms_up",
    "bridge",
    "capacity",
    "chance",
    "combined",
    "compare",
    "fit_segments",
    "hires",
    "leads_for_wins",
    "levers",
    "new_mrr_per_month",
    "posterior_rate",
    "rates_by_age",
    "recent_wins",
    "records_needed",
    "reforecast",
    "reverse_funnel",
    "simulate",
    "track",
]
