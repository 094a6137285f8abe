"""An org made up from a seed: the same seed, size and day give the same org."""

import gc

from connectors.sandbox.salesforce.cascade import cascade
from connectors.sandbox.salesforce.make_deals import Deals
from connectors.sandbox.salesforce.make_leads import Events, Leads
from connectors.sandbox.salesforce.make_org import make_org
from connectors.sandbox.salesforce.state import State
from connectors.sandbox.salesforce.wire import DAY
from connectors.sandbox.wire import chance

USUAL_HISTORY = 5.6  # rows of history that an opportunity has by itself
DELETED = 0.02


def fill(
    state: State, opportunities: int, seed: int, years: float, history_rows: int | None
) -> None:
    """Fill an empty org; its records end at midnight UTC of its day."""
    end = state.now // DAY * DAY
    extra = 0.0
    if history_rows is not None:
        extra = max(0.0, history_rows / max(opportunities, 1) - USUAL_HISTORY)
    was_on = gc.isenabled()
    gc.disable()  # a million rows, none of them garbage
    try:
        make_org(state, chance(seed, 1), opportunities, end)
        deals = Deals(state, chance(seed, 2), end, round(extra))
        for n in range(opportunities):
            deals.make(n, years)
        leads = Leads(state, chance(seed, 3), end)
        for n in range(round(opportunities * 1.2)):
            leads.make(n, years)
        events = Events(state, chance(seed, 4), end)
        for _ in range(round(opportunities * 0.8)):
            events.make(years)
        _delete(state, seed, end)
    finally:
        if was_on:
            gc.enable()


def _delete(state: State, seed: int, end: int) -> None:
    """Put some records into the recycle bin, in the last days before the end."""
    rng = chance(seed, 5)
    for name in ("Opportunity", "Lead", "Event"):
        table = state.tables[name]
        gone = {i: end - rng.randrange(1, 10 * DAY) for i in table.rows if rng.random() < DELETED}
        for record_id, moment in gone.items():
            state.write(name, record_id, {"IsDeleted": True, "SystemModstamp": moment})
        table.log |= gone
        cascade(state, name, gone, deleted=True)
