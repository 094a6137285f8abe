"""How many records a number of wins takes, before anything in the pipeline is credited."""

import numpy as np

from kpi.planning.chance import Sources, Total, leads_for
from kpi.planning.model import FunnelModel
from kpi.planning.reverse import PlanError


def records_needed(model: FunnelModel, *, wins: float, confidence: float = 0.8) -> dict[str, int]:
    """Records to have at each step for at least so many wins, however long they take.

    The plain funnel walked backwards, with chance: no pipeline, no direct deals, no delay.
    `reverse_funnel` adds those.

    Returns
    -------
    dict of step name to int
        From the first step to the last before won.

    Raises
    ------
    PlanError
        If the wins or the confidence make no sense.

    Examples
    --------
    >>> model = FunnelModel.assume(lead_conversion=0.15, win_rate=0.33)
    >>> records_needed(model, wins=5, confidence=0.8)
    {'leads': 136, 'deals': 21}
    """
    if not 0 < wins < 1e9 or not 0 < confidence < 1:
        raise PlanError(f"wins = {wins}, confidence = {confidence}; expected above 0, and 0 to 1")
    found = {}
    for i, step in enumerate(model.steps[:-1]):
        curve = model.curves[i, model.top]
        sources = Sources(
            odds=np.zeros(0),
            records=np.zeros(0),
            direct=0.0,
            in_time=1.0,
            lead_rate=(curve.x, curve.n),
            deal_rate=(0.0, np.inf),
            lead_share=model.curve(i, model.top).final,
        )
        number = leads_for(Total(sources, wins, None), confidence)
        found[step.name] = int(np.ceil(round(number, 6)))
    return found
