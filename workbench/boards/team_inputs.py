"""What the team board can be asked, and where its inputs begin: the company's own pace."""

import pandas as pd

from kpi import Snapshot, leads_created, seller_minimums
from workbench.boards.inputs import NumberInput

CUTS = {"sellers": "owner", "teams": "team", "business": "deal_type"}


def cuts(snapshot: Snapshot) -> list[tuple[str, str]]:
    """What quotas can be cut by; nothing where there are none."""
    if "quotas" not in snapshot.present:
        return [("no quotas", "")]
    teams = set(snapshot.owners.to_pandas()["team"].dropna())
    return [(label, name) for label, name in CUTS.items() if teams or name != "team"]


def paces(snapshot: Snapshot) -> tuple[float, float]:
    """Leads and deals that a seller got in a month lately; missing where not known."""
    minimums = seller_minimums(snapshot)
    sellers = minimums["owner_id"].nunique()
    deals = minimums.loc[minimums["indicator"] == "deals_created", "value"].mean()
    if "leads" not in snapshot.present or sellers == 0:
        return float("nan"), float(deals)
    month = leads_created(snapshot, every="month").iloc[:-1]["value"].tail(12).mean()
    return float(month / sellers), float(deals)


def pace(label: str, own: float, rule: tuple[float, float], assumed: float) -> NumberInput:
    """Input of a pace: the company's own where it is known, with the rule of thumb beside it."""
    known = pd.notna(own) and own > 0
    others = f"rule of thumb {rule[0]:g}–{rule[1]:g}"
    said = f"last 12 months {own:.1f}; {others}" if known else f"assumed; {others}"
    start = round(own, 1) if known else assumed
    return NumberInput(label, start, history=said, step=1, changed=nothing)


def nothing() -> None:
    """Do nothing: the frame repaints."""
