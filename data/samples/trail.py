"""The recorded changes of every deal and lead, and the rows of both tables that follow from them."""

from datetime import date, datetime, timedelta

import company
from chance import END, Chance, midnight, working
from records import Deal, Lead, Row, rate, seller

CLOSED = ("won", "lost", "x-won", "x-lost")
FRIDAY = datetime.combine(date(2026, 10, 30), datetime.min.time(), END.tzinfo)
NOTHING: Row = dict.fromkeys(("pipeline_id", "stage_id", "amount", "close_date"))
NOTHING |= dict.fromkeys(("probability", "owner_id", "status"))
Change = tuple[datetime, Row]


def reporting(deal: Deal, original: float) -> float:
    """Convert to US dollars at the rate of the day the deal closed, or was created if open."""
    day = (deal.closed_at or deal.created_at).date()
    return round(original * rate(deal.account.currency, day), 2)


def deal_changes(chance: Chance, deal: Deal) -> list[Change]:
    """List what was recorded of a deal, in order of time, no two changes in one minute."""
    amount = reporting(deal, deal.amount_original)
    start: Row = {"amount": amount, "owner_id": deal.owner_id}
    changes = _stage_changes(chance, deal)
    changes += _repriced(chance, deal, start)
    changes += _handed_over(chance, deal)
    changes[0][1].update(start)
    return _apart(changes)


def _apart(changes: list[Change]) -> list[Change]:
    apart: list[Change] = []
    for moment, values in sorted(changes, key=lambda change: change[0]):
        earliest = apart[-1][0] + timedelta(minutes=1) if apart else moment
        apart.append((max(moment, earliest), values))
    return apart


def _stage_changes(chance: Chance, deal: Deal) -> list[Change]:
    """List the stages entered, and the close dates expected, pushed and met on the way."""
    changes: list[Change] = []
    expected: date | None = None
    for number, (moment, stage) in enumerate(deal.steps):
        values: Row = {"pipeline_id": deal.pipeline_id, "stage_id": stage}
        values["probability"] = company.STATED[stage]
        if stage in CLOSED:
            expected = None
            values["close_date"] = moment.date()
        elif expected is None:
            expected = moment.date() + timedelta(days=chance.between(45, 75))
            values["close_date"] = expected
        changes.append((moment, values))
        following = deal.steps[number + 1][0] if number + 1 < len(deal.steps) else END
        while expected and midnight(expected) < following - timedelta(days=2):
            if not chance.happens(0.85):
                break
            pushed = working(midnight(expected) + timedelta(hours=chance.between(1, 23)), moment)
            if pushed >= following:
                break
            expected += timedelta(days=chance.between(20, 45))
            changes.append((pushed, {"close_date": expected}))
    return changes


def _repriced(chance: Chance, deal: Deal, start: Row) -> list[Change]:
    """Let some deals start at another amount and be repriced just before a stage change."""
    if len(deal.steps) < 2 or not chance.happens(0.3):
        return []
    final = start["amount"]
    start["amount"] = reporting(
        deal, deal.amount_original * chance.one_of((0.75, 0.85, 0.9, 1.1, 1.2))
    )
    moment = deal.steps[chance.between(1, len(deal.steps) - 1)][0] - timedelta(minutes=6)
    return [(moment, {"amount": final})]


def _handed_over(chance: Chance, deal: Deal) -> list[Change]:
    """Give the leaver's open deals to somebody else, and a few others too."""
    moment = working(midnight(company.LEFT_ON))
    if deal.owner_id != company.LEAVER:
        if len(deal.steps) < 3 or not chance.happens(0.03):
            return []
        moment = deal.steps[1][0] + timedelta(minutes=4)
    elif not deal.created_at < moment < (deal.closed_at or END):
        return []
    to = seller(chance, moment.date())
    return [] if to in (deal.owner_id, company.LEAVER) else [(moment, {"owner_id": to})]


def lead_changes(lead: Lead) -> list[Change]:
    """List what was recorded of a lead, in order of time."""
    changes: list[Change] = [
        (moment, {"pipeline_id": "intake", "stage_id": stage}) for moment, stage in lead.steps
    ]
    changes[0][1].update({"status": "Open", "owner_id": lead.first_owner_id})
    if lead.steps[-1][1] == "disq":
        changes[-1][1]["status"] = "Disqualified"
    if lead.converted_at:
        changes.append((lead.converted_at, {"status": "Converted"}))
    if lead.handed_over_at:
        changes.append((lead.handed_over_at, {"owner_id": lead.owner_id}))
    return _apart(changes)


def history_rows(kind: str, record_id: str, changes: list[Change]) -> list[Row]:
    """Write the changes of one record as rows of the history."""
    return [
        {"object": kind, "record_id": record_id, "changed_at": moment} | NOTHING | values
        for moment, values in changes
    ]


def lead_row(lead: Lead, changes: list[Change]) -> Row:
    """Write one row of the leads."""
    status = [values["status"] for _, values in changes if "status" in values][-1]
    return {
        "lead_id": lead.lead_id,
        "created_at": lead.steps[0][0],
        "source": lead.source,
        "channel": company.CHANNELS[lead.source],
        "owner_id": lead.owner_id,
        "account_id": lead.deal.account.account_id if lead.deal else None,
        "status": status,
        "stage_id": lead.steps[-1][1],
        "in_profile": lead.in_profile,
        "converted_at": lead.converted_at,
        "deal_id": lead.deal.deal_id if lead.deal else None,
        "url": f"https://crm.example/leads/{lead.lead_id}",
        "updated_at": changes[-1][0],
    }


def deal_row(chance: Chance, deal: Deal, changes: list[Change]) -> Row:
    """Write one row of the deals; what history records is read back from it."""
    last = {name: value for _, values in changes for name, value in values.items()}
    amount = reporting(deal, deal.amount_original)
    active = _last_activity(chance, deal)
    return {
        "deal_id": deal.deal_id,
        "name": f"{deal.account.name} - {deal.product}",
        "pipeline_id": deal.pipeline_id,
        "stage_id": deal.stage_id,
        "outcome": deal.outcome,
        "owner_id": last["owner_id"],
        "account_id": deal.account.account_id,
        "lead_id": deal.lead_id,
        "source": deal.source,
        "segment": deal.account.segment,
        "region": deal.account.region,
        "product": deal.product,
        "deal_type": deal.deal_type,
        "amount": amount,
        "currency": deal.account.currency,
        "amount_original": deal.amount_original,
        "mrr": None if deal.mrr_original is None else reporting(deal, deal.mrr_original),
        "term_months": deal.term_months,
        "margin": round(amount * (0.35 + 0.25 * chance.unit()), 2),
        "forecast_category": _forecast_category(deal),
        "next_step_on": _next_step(chance, deal),
        "last_activity_at": active,
        "created_at": deal.created_at,
        "close_date": last["close_date"],
        "closed_at": deal.closed_at,
        "lost_reason": _lost_reason(chance, deal),
        "url": f"https://crm.example/deals/{deal.deal_id}",
        "updated_at": max(active, changes[-1][0]),
    }


def _last_activity(chance: Chance, deal: Deal) -> datetime:
    if deal.closed_at:
        return deal.closed_at
    return max(deal.steps[-1][0], working(FRIDAY - timedelta(days=chance.erlang(1, 14))))


def _next_step(chance: Chance, deal: Deal) -> date | None:
    if deal.outcome != "open" or not chance.happens(0.75):
        return None
    return working(FRIDAY + timedelta(days=chance.between(-9, 20))).date()


def _forecast_category(deal: Deal) -> str:
    if deal.outcome != "open":
        return {"won": "Closed", "lost": "Omitted"}[deal.outcome]
    stated = company.STATED[deal.stage_id] or 0.0
    return "Commit" if stated >= 0.75 else "Best case" if stated >= 0.5 else "Pipeline"


def _lost_reason(chance: Chance, deal: Deal) -> str | None:
    if deal.outcome != "lost":
        return None
    entered = [at.date() for at, stage in deal.steps if stage == company.LEAK_STAGE]
    leaked = deal.source == company.LEAK_SOURCE and deal.steps[-2][1] == company.LEAK_STAGE
    if leaked and entered[0] >= company.LEAK_FROM:
        return chance.weighted(company.LEAK_REASONS)
    return chance.weighted(company.LOST_REASONS)
