"""Can the team carry the plan: what sellers can work each month, against what the plan needs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kpi.planning.curve import Floats
from kpi.planning.hires import hires
from kpi.planning.plan import Plan
from kpi.planning.staff import Staff, staff
from kpi.planning.target import MONTHS_A_YEAR, PlanError
from kpi.planning.workload import DEALS_A_SELLER, LEADS_A_SELLER, check, loaded

CLOSE = 1e-9


def capacity(
    plan: Plan,
    sellers: float | pd.DataFrame,
    *,
    leads_by_month: Mapping[str, float] | None = None,
    leads_per_seller: float = LEADS_A_SELLER,
    deals_per_seller: float = DEALS_A_SELLER,
    ramp_months: float = 0,
    leave_rate: float = 0.0,
    quota: float | Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Set what sellers can work against what a plan needs, month by month.

    More sellers do not make more leads: where the leads are fewer than the sellers could work, a
    further seller brings no win, only fewer leads for each. Leads that nobody has time for are lost;
    they are not worked later.

    Parameters
    ----------
    plan : Plan
        From `reverse_funnel`, or read from its file.
    sellers : float or DataFrame
        A number: so many, beginning with the plan. Or a table of owners (``owner_id``, and where
        known ``starts_on, ramp_months, active, annual_ote``), one row per seller; who is not active
        is left out, a missing ``starts_on`` is long ago.
    leads_by_month : mapping of 'YYYY-MM' to number, optional
        Leads that will be there; months not named have none. Default: those the plan asks for. They
        change ``leads``, ``wins`` and ``leads_per_seller``, never ``need``.
    leads_per_seller, deals_per_seller : float
        Leads, and deals newly begun, that one seller up to speed can work in a month.
    ramp_months : float
        Months from the first day to full speed, in a straight line from 0; of a table of owners,
        for those whose own are missing.
    leave_rate : float
        Share of the sellers that leaves in a year, from 0 to below 1; nobody takes their place.
    quota : float or mapping of owner_id to float, optional
        New recurring revenue that a seller up to speed is to bring in a month.

    Returns
    -------
    DataFrame, one row per month of the plan
        ``month`` (its first day); ``capacity`` and ``need``: leads that can, and by the plan must, be
        worked in the month (deals, where the plan has no leads); ``wins``: what the deals begun in
        the month bring, whenever they close (deals open already are not among them). Further:
        ``leads`` (there to be worked), ``headcount`` (sellers on board, on average), ``sellers``
        (full sellers that they are worth), ``leads_per_seller`` (leads worked by each on board;
        missing where there is nobody), ``deals_capacity``, ``deals_need`` (deals begun), ``short``
        (whether a need exceeds a capacity), ``binding`` (what limits the wins: ``leads``,
        ``capacity`` or ``deals_capacity``), ``quota`` (of all on board; missing without), ``pay``
        (on-target earnings of those on board; missing without).
        ``.attrs["notes"]`` says it in words, ``.attrs["short"]`` names the months that are short
        ('YYYY-MM'), ``.attrs["hire_by"]`` is the first day by which further sellers must begin
        (None where nobody is needed) and ``.attrs["hires"]`` how many in all: see `hires`.

    Raises
    ------
    PlanError
        If a number is negative or missing, a month lies outside the plan, or owners cannot be read.

    Notes
    -----
    A part of a month that the plan covers counts as that part. A seller's speed is the mean of the
    straight line over the month: in month ``k`` of a ramp of ``r``, ``(k - 1/2) / r``. Of those on
    board, ``(1 - leave_rate) ** (t / 12)`` are there ``t`` months after the plan (or they) began,
    read in the middle of the month.

    ``wins = min(min(leads, capacity) x rate + others, deals_capacity) x rate to won``, with the
    rates of the plan; ``others`` are deals of the open pipeline's leads and those without a lead.

    References
    ----------
    .. [1] "Tracking Success", a sales newsletter, no. 67: 70 to 80 leads for one seller a month.

    Examples
    --------
    >>> from kpi.planning import FunnelModel, reverse_funnel
    >>> plan = reverse_funnel(FunnelModel.assume(), wins=20, start="2027-01-01", by="2027-02-28")
    >>> table = capacity(plan, 2, ramp_months=2)
    >>> table[["capacity", "need", "short", "binding"]].to_dict("records")[0]
    {'capacity': 37.5, 'need': 239.0, 'short': True, 'binding': 'capacity'}
    """
    check(leads_per_seller, deals_per_seller, leave_rate)
    load = loaded(plan, leads_by_month)
    team = staff(sellers, plan.start, ramp_months)
    present = team.present(load.months, leave_rate)
    effective = team.effective(load.months, leave_rate)
    most_deals = effective.sum(axis=0) * load.months.part * deals_per_seller
    most = effective.sum(axis=0) * load.months.part * leads_per_seller
    if plan.top == "deals":
        most = most_deals
    worked = np.minimum(load.leads, most)
    deals = worked * load.to_deal + load.others
    wins = worked * load.lead_to_won + load.others * load.to_won
    within = np.divide(most_deals, deals, where=deals > most_deals, out=np.ones(len(deals)))
    heads = present.sum(axis=0)
    table = pd.DataFrame(
        {
            "month": load.month,
            "capacity": most,
            "need": load.need,
            "wins": wins * within,
            "leads": load.leads,
            "headcount": heads,
            "sellers": effective.sum(axis=0),
            "leads_per_seller": np.divide(worked, heads, where=heads > 0, out=heads * np.nan),
            "deals_capacity": most_deals,
            "deals_need": load.deals_need,
            "short": _over(load.need, most) | _over(load.deals_need, most_deals),
            "binding": np.where(
                _over(deals, most_deals),
                "deals_capacity",
                np.where(_over(load.leads, most), "capacity", "leads"),
            ),
            "quota": _quotas(team, effective, quota) * load.months.part,
            "pay": _pay(team.pay, present) * load.months.part,
        }
    )
    more = hires(
        plan,
        sellers,
        leads_per_seller=leads_per_seller,
        deals_per_seller=deals_per_seller,
        ramp_months=ramp_months,
        leave_rate=leave_rate,
    )
    table.attrs["hires"] = int(more["hires"].sum())
    table.attrs["hire_by"] = f"{more['begin'].iloc[0]:%Y-%m-%d}" if len(more) else None
    table.attrs["notes"] = _notes(table, plan)
    table.attrs["short"] = [f"{month:%Y-%m}" for month in table.loc[table["short"], "month"]]
    return table


def _over(need: Floats, most: Floats) -> NDArray[np.bool_]:
    """Whether a need exceeds what is possible, by more than rounding."""
    return np.asarray(need > most * (1 + CLOSE) + CLOSE)


def _quotas(team: Staff, effective: Floats, quota: float | Mapping[str, float] | None) -> Floats:
    """What the quotas of all on board add up to in each month, at their speed."""
    if quota is None:
        return np.full(effective.shape[1], np.nan)
    if isinstance(quota, Mapping):
        lacking = sorted(set(team.names) - set(quota))
        if lacking or not team.names:
            raise PlanError(
                f"quota is missing for {', '.join(map(repr, lacking)) or 'a number of sellers'}: "
                "give one number, or one for each active owner_id"
            )
        each = np.array([float(quota[name]) for name in team.names])
    else:
        each = np.full(len(team.begins), float(quota))
    if not ((each >= 0) & (each < np.inf)).all():
        raise PlanError(f"quota = {quota}; expected amounts of 0 or more")
    return np.asarray(each @ effective)


def _pay(annual: Floats, present: Floats) -> Floats:
    """Earnings of those on board in each month; missing as soon as one of them is not known."""
    month = np.where(present > 0, annual[:, None] / MONTHS_A_YEAR * present, 0.0)
    return np.asarray(month.sum(axis=0))


def _notes(table: pd.DataFrame, plan: Plan) -> tuple[str, ...]:
    notes = [f"capacity and need: {plan.top} worked in the month; nothing waits for the next one"]
    if table["short"].any() and table.attrs["hires"]:
        first = table.loc[table["short"], "month"].iloc[0]
        late = ", before the plan starts" if table.attrs["hire_by"] < f"{plan.start}" else ""
        notes.append(
            f"short in {table['short'].sum()} of {len(table)} months, first in {first:%B %Y}: "
            f"{table.attrs['hires']} more must begin, the first by {table.attrs['hire_by']}{late}"
        )
    idle = table[(table["binding"] == "leads") & (table["leads"] < table["capacity"])]
    if len(idle):
        notes.append(
            f"in {len(idle)} of {len(table)} months the {plan.top} are fewer than the sellers could "
            f"work, {idle['leads_per_seller'].mean():,.1f} for each on board: more sellers would "
            "dilute them and win nothing more"
        )
    lacking = table[table["quota"] < plan.outcome["new_mrr"].to_numpy()]
    if len(lacking):
        notes.append(f"in {len(lacking)} months quotas add up to less than the plan brings")
    return tuple(notes)
