"""Leads, and the new-business deals they become."""

from datetime import date, datetime, timedelta

import company
from chance import END, START, Chance, later, midnight, months, next_month, working
from naming import Names
from records import Deal, Lead, Step, monthly_price, seller

ORDER = ("disc", "assess", "prop", "nego")
LEAD_ORDER = ("new", "contacted", "mql", "sql")


def make_leads() -> list[Lead]:
    """Draw every lead of the window with its fate; those that convert have no deal yet."""
    chance = Chance("leads")
    leads: list[Lead] = []
    for number, month in enumerate(months(START.date(), END.date())):
        trend = company.LEADS_FIRST_MONTH + number * company.LEADS_MORE_EACH_MONTH
        volume = trend * company.SEASON[month.month - 1] * (0.95 + 0.1 * chance.unit())
        created = sorted(_working_moment(chance, month) for _ in range(round(volume)))
        leads += [_lead(chance, moment) for moment in created]
    return leads


def _working_moment(chance: Chance, month: date) -> datetime:
    days = [month + timedelta(days=n) for n in range((next_month(month) - month).days)]
    day = chance.one_of([day for day in days if day.weekday() < 5])
    return working(midnight(day) + timedelta(days=chance.unit()))


def _lead(chance: Chance, created: datetime) -> Lead:
    source = chance.weighted(company.SOURCES)
    owner = seller(chance, created.date())
    lead = Lead(source, owner, chance.happens(company.IN_PROFILE), [(created, "new")])
    fate = chance.unit()
    if fate < company.CONVERSION[source]:
        delay = chance.erlang(company.CONVERSION_SHAPE, company.CONVERSION_DELAY_DAYS)
        steps = _steps_within(chance, created, delay, 3)
        lead.converted_at = working(created + timedelta(days=delay), after=steps[-1][0])
    elif fate < company.CONVERSION[source] + company.DISQUALIFIED:
        delay = chance.erlang(1, company.DISQUALIFIED_DELAY_DAYS)
        furthest = chance.weighted(company.FURTHEST_DISQUALIFIED)
        steps = _steps_within(chance, created, delay, furthest)
        steps.append((working(created + timedelta(days=delay), after=steps[-1][0]), "disq"))
    else:
        delay = chance.erlang(2, 40)
        steps = _steps_within(chance, created, delay, chance.weighted(company.FURTHEST_STAYING))
    lead.steps = [step for step in steps if step[0] <= END]
    if lead.converted_at and lead.converted_at > END:
        lead.converted_at = None
    _hand_over(chance, lead)
    return lead


def _steps_within(chance: Chance, created: datetime, delay: float, furthest: int) -> list[Step]:
    """Spread the stages that a lead reaches over its delay (days)."""
    steps: list[Step] = [(created, "new")]
    share = 0.0
    for stage in LEAD_ORDER[1 : furthest + 1]:
        share += chance.unit() * 0.3
        moment = max(created + timedelta(days=share * delay), created)
        steps.append((working(moment, after=steps[-1][0]), stage))
    return steps


def _hand_over(chance: Chance, lead: Lead) -> None:
    """Give the leads that the leaver still works to somebody else."""
    lead.first_owner_id = lead.owner_id
    left = working(midnight(company.LEFT_ON))
    done = lead.converted_at or (lead.steps[-1][0] if lead.steps[-1][1] == "disq" else END)
    if lead.owner_id == company.LEAVER and lead.steps[0][0] < left < done:
        lead.handed_over_at = left
        lead.owner_id = seller(chance, company.LEFT_ON)


def make_deals(leads: list[Lead], names: Names) -> list[Deal]:
    """Draw the new-business deals: one for every converted lead, and the direct ones."""
    chance = Chance("deals")
    deals: list[Deal] = []
    for lead in leads:
        if lead.converted_at:
            lead.deal = _deal(chance, names, lead.converted_at, lead.source, lead.owner_id)
            deals.append(lead.deal)
    span = (END - START).days - 3
    count = company.DIRECT_DEALS
    for number in range(count):
        created = working(START + timedelta(days=span * (number + chance.unit()) / count))
        source = chance.weighted(company.DIRECT_SOURCES)
        deal = _deal(chance, names, created, source, seller(chance, created.date()))
        if number in company.SAME_DAY_WINS:
            morning = created.replace(hour=14, minute=5 + number)
            deal.steps = [(morning, "disc"), (morning + timedelta(hours=6), "won")]
            deal.account.created_at = morning
        deals.append(deal)
    return deals


def _deal(chance: Chance, names: Names, created: datetime, source: str, owner_id: str) -> Deal:
    account = names.account(created)
    mrr = monthly_price(chance, account.segment)
    steps = _skip(chance, _journey(chance, source, created))
    return Deal(
        pipeline_id="new-business",
        deal_type="new",
        source=source,
        account=account,
        owner_id=owner_id,
        product=chance.weighted(company.PRODUCTS),
        mrr_original=mrr,
        amount_original=mrr * 12,
        term_months=chance.weighted(company.TERMS),
        steps=[step for step in steps if step[0] <= END],
    )


def _journey(chance: Chance, source: str, created: datetime) -> list[Step]:
    """Draw every stage up to the final one, also those after the end of the data."""
    steps: list[Step] = [(created, "disc")]
    for position, stage in enumerate(ORDER):
        goes_on = chance.happens(_forward(source, position, steps[-1][0].date()))
        stay = chance.lognormal(company.STAY_DAYS[position], company.STAY_SIGMA)
        stay *= 1 if goes_on else company.LOST_SLOWER
        if position and chance.happens(company.BACK):
            back = later(steps[-1][0], stay / 2)
            again = later(back, chance.lognormal(7, 0.6))
            steps += [(back, ORDER[position - 1]), (again, stage)]
            stay /= 2
        moment = later(steps[-1][0], stay)
        if not goes_on:
            return [*steps, (moment, "lost"), *_reopened(chance, source, moment)]
        steps.append((moment, (*ORDER, "won")[position + 1]))
    return steps


def _forward(source: str, position: int, entered: date) -> float:
    """Return the chance to go on from a stage; the planted leak is here and nowhere else."""
    leaks = source == company.LEAK_SOURCE and ORDER[position] == company.LEAK_STAGE
    if leaks and entered >= company.LEAK_FROM:
        return company.LEAK_FORWARD
    return company.FORWARD[source][position]


def _reopened(chance: Chance, source: str, lost: datetime) -> list[Step]:
    """Draw what follows a loss: mostly nothing, for some a second try from Proposal on."""
    if source == company.LEAK_SOURCE or not chance.happens(company.REOPEN):
        return []
    again = later(lost, chance.lognormal(company.REOPEN_AFTER_DAYS, 0.4))
    agreed = later(again, chance.lognormal(company.STAY_DAYS[2], 0.5))
    closed = later(agreed, chance.lognormal(company.STAY_DAYS[3], 0.5))
    outcome = "won" if chance.happens(company.REOPEN_WON) else "lost"
    return [(again, "prop"), (agreed, "nego"), (closed, outcome)]


def _skip(chance: Chance, steps: list[Step]) -> list[Step]:
    """Drop, for some, the row of a stage that the deal passed; it never moved back or reopened."""
    stages = [stage for _, stage in steps]
    passed = [s for s, following in (("assess", "prop"), ("nego", "won")) if following in stages]
    if len(set(stages)) < len(stages) or not passed or not chance.happens(company.SKIP):
        return steps
    dropped = chance.one_of(passed)
    return [step for step in steps if step[1] != dropped]
