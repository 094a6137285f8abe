"""What surrounds the funnel: meetings, suspects, costs, quotas, exchange rates, sellers."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import company
from chance import END, START, Chance, later, midnight, months, next_month, working
from naming import INDUSTRIES
from records import Account, Deal, Lead, Row, Subscription, rate

REBOOKED, QUALIFIED_MEET = 0.40, 0.20
MISSED = {"no_show": 0.6, "cancelled": 0.4}
NOT_CONVERTING = {"held": 0.55, "no_show": 0.27, "cancelled": 0.18}


def stage_rows() -> list[Row]:
    """Write the stages of leads and of both deal pipelines."""
    names = ("object", "pipeline_id", "stage_id", "label", "position", "outcome", "probability")
    return [{**dict(zip(names, stage, strict=True)), "active": True} for stage in company.STAGES]


def owner_rows() -> list[Row]:
    """Write the sellers, the one who left included."""
    return [
        {
            "owner_id": owner_id,
            "name": name,
            "team": team,
            "manager": manager,
            "active": owner_id != company.LEAVER,
            "starts_on": starts_on,
            "annual_ote": annual_ote,
            "ramp_months": company.RAMP_MONTHS if owner_id == company.NEWCOMER else None,
        }
        for owner_id, name, team, manager, starts_on, annual_ote in company.OWNERS
    ]


def account_rows(accounts: list[Account]) -> list[Row]:
    """Write the companies."""
    return [
        {
            "account_id": account.account_id,
            "billing_account_id": account.billing_account_id,
            "name": account.name,
            "industry": account.industry,
            "region": account.region,
            "size": account.segment,
            "created_at": account.created_at,
        }
        for account in accounts
    ]


def subscription_rows(subscriptions: list[Subscription]) -> list[Row]:
    """Write the recurring lines, in the currency of their company."""
    return [
        {
            "subscription_id": line.subscription_id,
            "account_id": line.account.account_id,
            "product": line.product,
            "mrr": float(line.mrr),
            "currency": line.account.currency,
            "signed_on": line.signed_on,
            "starts_on": line.starts_on,
            "ends_on": line.ends_on,
            "notice_on": line.notice_on,
        }
        for line in subscriptions
    ]


def meeting_rows(leads: list[Lead], deals: list[Deal]) -> list[Row]:
    """Write the first appointments of leads and of direct deals, in order of time."""
    chance = Chance("meetings")
    rows = [row for lead in leads for row in _lead_meetings(chance, lead)]
    for deal in deals:
        if deal.deal_type == "new" and deal.lead_id is None:
            starts = later(deal.created_at, chance.erlang(2, 3)).replace(minute=30)
            rows.append(_meeting(deal.created_at, starts, "held", deal.owner_id))
            rows[-1] |= {"account_id": deal.account.account_id, "deal_id": deal.deal_id}
    within = [row for row in rows if str(row["starts_at"]) <= str(END)]
    within.sort(key=lambda row: str(row["starts_at"]))
    return [row | {"meeting_id": f"M-{n:04d}"} for n, row in enumerate(within, 1)]


def _lead_meetings(chance: Chance, lead: Lead) -> Iterator[Row]:
    moments = {stage: moment for moment, stage in lead.steps}
    if "mql" not in moments:
        return
    created = lead.steps[0][0]
    if lead.converted_at is None and not chance.happens(QUALIFIED_MEET):
        return
    starts = later(moments["mql"], chance.erlang(2, 5))
    outcome = chance.weighted(NOT_CONVERTING)
    if lead.converted_at:
        outcome = "held"
        starts = max(moments["mql"], moments["sql"].replace(minute=0))
    booked = max(created, min(working(starts - timedelta(days=chance.erlang(2, 6))), starts))
    missed = booked + (starts - booked) / 2
    room = starts - booked > timedelta(days=4) and missed.weekday() < 5
    if lead.converted_at and room and chance.happens(REBOOKED):
        first = working(missed)
        why = chance.weighted(MISSED)
        yield _meeting(booked, first, why, lead.owner_id) | {"lead_id": lead.lead_id}
        booked = first + timedelta(minutes=20)
    yield _meeting(booked, starts, outcome, lead.owner_id) | {"lead_id": lead.lead_id}


def _meeting(booked: datetime, starts: datetime, outcome: str, owner_id: str) -> Row:
    return {
        "meeting_id": None,
        "starts_at": starts,
        "booked_at": booked,
        "outcome": outcome,
        "owner_id": owner_id,
        "account_id": None,
        "lead_id": None,
        "deal_id": None,
    }


def _selling(day: date) -> list[str]:
    """List the sellers at work on that day."""
    away = {company.LEAVER} if day >= company.LEFT_ON else set()
    away |= {company.NEWCOMER} if day < company.JOINED_ON else set()
    return [owner[0] for owner in company.OWNERS if owner[0] not in away]


def suspect_rows() -> list[Row]:
    """Write a thinned-out list of outbound contacts: one batch per seller and week."""
    chance = Chance("suspects")
    rows: list[Row] = []
    monday = date(2024, 11, 4)
    while monday <= date(2026, 10, 26):
        quarter = f"{monday.year}-Q{(monday.month + 2) // 3}"
        for owner_id in _selling(monday):
            day = midnight(monday + timedelta(days=chance.between(0, 4)))
            campaign = f"{quarter} {chance.one_of(list(INDUSTRIES))}"
            added = working(day + timedelta(days=chance.unit() / 2))
            size = chance.between(company.SUSPECTS_A_WEEK - 3, company.SUSPECTS_A_WEEK + 3)
            batch: Row = {"added_at": added, "owner_id": owner_id, "campaign": campaign}
            rows += [batch] * size
        monday += timedelta(days=7)
    return [{"suspect_id": f"S-{n:04d}"} | row for n, row in enumerate(rows, 1)]


def cost_rows(deals: list[Deal]) -> list[Row]:
    """Write what winning customers cost, by month, category and channel."""
    chance = Chance("costs")
    rows: list[Row] = []
    for month in months(START.date(), END.date()):
        won = [d for d in deals if d.outcome == "won" and d.deal_type == "new"]
        mrr = sum(
            (d.mrr_original or 0.0) * rate(d.account.currency, month)
            for d in won
            if month <= d.steps[-1][0].date() < next_month(month)
        )
        wobble = [0.92 + 0.16 * chance.unit() for _ in company.ADVERTISING]
        spent: dict[tuple[str, str | None], float] = {
            ("labour", None): float(company.LABOUR),
            ("tools", None): float(company.TOOLS),
        }
        spent["commissions", None] = round(mrr * company.COMMISSION_SHARE_OF_MRR, 2)
        for (channel, amount), factor in zip(company.ADVERTISING.items(), wobble, strict=True):
            spent["advertising", channel] = round(amount * factor / 10) * 10.0
        rows += [_cost(month, *kind, cost) for kind, cost in spent.items()]
    credit = _cost(date(2025, 7, 1), "advertising", "Paid search", -350.0)
    return sorted([*rows, credit], key=lambda row: str(row["month"]))


def _cost(month: date, category: str, channel: str | None, amount: float) -> Row:
    names = ("month", "category", "channel", "amount", "currency")
    return dict(zip(names, (month, category, channel, amount, "USD"), strict=True))


def quota_rows() -> list[Row]:
    """Write the monthly quota of every seller, to the end of the fiscal year."""
    return [
        {
            "owner_id": owner_id,
            "period_start": month,
            "period": "month",
            "deal_type": "new",
            "product": None,
            "amount": float(company.MONTHLY_QUOTA),
            "currency": "USD",
        }
        for month in months(START.date(), date(2026, 12, 31))
        for owner_id in _selling(month)
    ]


def rate_rows() -> list[Row]:
    """Write the exchange rates of the Canadian dollar, four decimals."""
    dated = zip(months(START.date(), END.date()), company.MONTHLY_RATES, strict=True)
    return [
        {"currency": "CAD", "from_date": day, "rate": f"{value:.4f}"}
        for day, value in (company.EARLIER_RATE, *dated)
    ]
