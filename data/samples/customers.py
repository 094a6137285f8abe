"""Customers: what they pay every month, and the deals that change it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import company
from chance import END, START, Chance, later, midnight, next_month, working
from naming import Names
from records import Account, Deal, Step, Subscription, monthly_price, seller

LAST_DAY = END.date()
X_ORDER = ("x-need", "x-offer", "x-agree", "x-won")


@dataclass
class Customer:
    """A company that pays, with all its recurring lines."""

    account: Account
    lines: list[Subscription]
    gone_on: date | None = None

    @property
    def since(self) -> date:
        """First day of service."""
        return self.lines[0].starts_on

    def paid(self, day: date) -> float:
        """Monthly recurring revenue of that day, in the customer's currency."""
        return sum(
            line.mrr
            for line in self.lines
            if line.starts_on <= day and (line.ends_on is None or day < line.ends_on)
        )


def make_customers(won: list[Deal], names: Names) -> tuple[list[Customer], list[Deal]]:
    """Draw the customers of before and those won, their changes, and the deals behind these."""
    chance = Chance("customers")
    customers = [_earlier(chance, names) for _ in range(company.EARLIER_CUSTOMERS)]
    customers += [_won(chance, deal) for deal in sorted(won, key=lambda d: d.steps[-1][0])]
    for line in customers[-1].lines:  # the latest win: signed, but not live yet
        line.starts_on = line.signed_on + timedelta(days=30)
    for customer in customers:
        drawn = chance.erlang(1, company.CHURN_EVERY_DAYS)
        from_day = max(customer.since, START.date())
        _leave(customer, from_day + timedelta(days=max(60.0, drawn)), chance.between(30, 75))
    staying = [customer for customer in customers if customer.gone_on is None]
    _leave(staying.pop(4), date(2026, 12, 15), 95)  # notice in the data, end after it
    customers[2].account.billing_account_id = customers[3].account.billing_account_id = "A-003"
    gone = [customer for customer in customers if customer.gone_on]
    deals = _renewals(chance, staying, gone) + _expansions(chance, staying)
    _contract(chance, staying)
    _come_back(chance, gone)
    return customers, deals


def _earlier(chance: Chance, names: Names) -> Customer:
    starts = START.date() - timedelta(days=chance.between(60, 1200))
    signed = starts - timedelta(days=chance.between(5, 30))
    account = names.account(working(midnight(signed - timedelta(days=60))))
    product = chance.weighted(company.PRODUCTS)
    price = monthly_price(chance, account.segment)
    return Customer(account, _lines(chance, account, product, price, (signed, starts)))


def _won(chance: Chance, deal: Deal) -> Customer:
    signed = deal.steps[-1][0].date()
    starts = signed + timedelta(days=chance.between(5, 30))
    price = deal.mrr_original or 0.0
    return Customer(
        deal.account, _lines(chance, deal.account, deal.product, price, (signed, starts))
    )


def _lines(
    chance: Chance, account: Account, product: str, price: float, dates: tuple[date, date]
) -> list[Subscription]:
    """Split a price into one to three lines that add up to it."""
    count = chance.weighted({1: 0.55, 2: 0.30, 3: 0.15})
    others = [p for p in company.PRODUCTS if p != product][: count - 1]
    parts = {other: round(price * 0.22 / 5) * 5.0 for other in others}
    parts = {product: price - sum(parts.values())} | parts
    return [Subscription(account, p, mrr, *dates) for p, mrr in parts.items()]


def _leave(customer: Customer, day: date, notice_days: int) -> None:
    """End every line on the first of the month after `day`, where notice was given in the data."""
    ends = next_month(day)
    notice = max(ends - timedelta(days=notice_days), customer.lines[0].signed_on)
    if notice > LAST_DAY:
        return
    customer.gone_on = ends
    for line in customer.lines:
        line.ends_on, line.notice_on = ends, notice


def _deal(chance: Chance, customer: Customer, kind: str, steps: list[Step], price: float) -> Deal:
    return Deal(
        pipeline_id="existing-customers",
        deal_type=kind,
        source="existing customer",
        account=customer.account,
        owner_id=seller(chance, steps[0][0].date()),
        product=customer.lines[0].product,
        mrr_original=price if kind == "expansion" else None,
        amount_original=price * 12,
        term_months=12,
        steps=[step for step in steps if step[0] <= END],
    )


def _journey(chance: Chance, created: datetime, lost_at: int | None) -> list[Step]:
    """Draw the stages of an existing customer's deal; it is lost in stage `lost_at`, if at all."""
    steps: list[Step] = [(created, X_ORDER[0])]
    for position, days in enumerate(company.EXISTING_STAY_DAYS):
        moment = later(steps[-1][0], chance.lognormal(days, 0.6))
        if position == lost_at:
            return [*steps, (moment, "x-lost")]
        steps.append((moment, X_ORDER[position + 1]))
    return steps


def _expansions(chance: Chance, staying: list[Customer]) -> list[Deal]:
    """Draw the expansion deals, spread over the window; a win adds a line or enlarges one."""
    deals: list[Deal] = []
    span = (LAST_DAY - START.date()).days - 60
    for number in range(company.EXPANSION_DEALS):
        days = 55 + span * (number + chance.unit()) / company.EXPANSION_DEALS
        created = working(START + timedelta(days=days))
        day = created.date()
        known = [c for c in staying if c.since < day - timedelta(days=60)]
        customer = chance.one_of(known)
        more = max(50.0, round(customer.paid(day) * (0.15 + 0.35 * chance.unit()) / 10) * 10.0)
        going = [chance.happens(share) for share in company.EXISTING_FORWARD]
        lost_at = None if all(going) else going.index(False)
        deal = _deal(chance, customer, "expansion", _journey(chance, created, lost_at), more)
        if deal.outcome == "won":
            _expand(chance, customer, deal.steps[-1][0].date(), more)
        deals.append(deal)
    return deals


def _expand(chance: Chance, customer: Customer, signed: date, more: float) -> None:
    starts = signed + timedelta(days=chance.between(3, 20))
    running = customer.lines[0]
    bigger = chance.happens(0.4) and running.ends_on is None and starts <= LAST_DAY
    if bigger and running.starts_on < starts:
        running.ends_on = starts
        more += running.mrr
    product = running.product if bigger else chance.weighted(company.PRODUCTS)
    customer.lines.append(Subscription(customer.account, product, more, signed, starts))


def _renewals(chance: Chance, staying: list[Customer], gone: list[Customer]) -> list[Deal]:
    """Draw renewal deals: lost on the day of notice, won by those who stay, if time allows."""
    deals: list[Deal] = []
    told = [(c, c.lines[0].notice_on or LAST_DAY) for c in gone if c.since < START.date()]
    for customer, notice in [pair for pair in told if pair[1] > date(2025, 1, 15)][:4]:
        created = working(midnight(notice - timedelta(days=45)))
        offer = later(created, 15)
        lost = working(midnight(notice) + timedelta(hours=12), after=offer)
        steps = [(created, "x-need"), (offer, "x-offer"), (lost, "x-lost")]
        deals.append(_deal(chance, customer, "renewal", steps, customer.paid(notice)))
    for customer in staying:
        talked = _before_anniversary(chance, customer.since)
        if talked is None or len(deals) >= company.RENEWAL_DEALS:
            continue
        price = customer.paid(talked.date())
        deals.append(_deal(chance, customer, "renewal", _journey(chance, talked, None), price))
    return deals


def _before_anniversary(chance: Chance, since: date) -> datetime | None:
    """Return a moment 60 to 90 days before an anniversary in the window, if there is one."""
    days = [since + timedelta(days=365 * year) for year in range(1, 6)]
    leads = [day - timedelta(days=chance.between(60, 90)) for day in days]
    within = [day for day in leads if START.date() <= day <= date(2026, 10, 29)]
    return working(midnight(chance.one_of(within))) if within else None


def _contract(chance: Chance, staying: list[Customer]) -> None:
    """Replace a line of some customers by a smaller one."""
    running = [c for c in staying if c.lines[0].ends_on is None and c.since < date(2026, 3, 1)]
    for number in range(company.CONTRACTIONS):
        customer = running[number * len(running) // company.CONTRACTIONS]
        line = customer.lines[0]
        first = max(line.starts_on + timedelta(days=90), START.date())
        room = (date(2026, 10, 1) - first).days
        day = next_month(first + timedelta(days=chance.between(0, room - 31)))
        smaller = round(line.mrr * (0.60 + 0.25 * chance.unit()) / 5) * 5.0
        line.ends_on = day
        signed = day - timedelta(days=10)
        customer.lines.append(Subscription(line.account, line.product, smaller, signed, day))


def _come_back(chance: Chance, gone: list[Customer]) -> None:
    """Let the first who left return some months later, at a lower price."""
    early = [(c, c.gone_on) for c in gone if c.gone_on and c.gone_on < date(2026, 4, 1)]
    for customer, left in early[: company.REACTIVATIONS]:
        starts = left + timedelta(days=chance.between(100, 170))
        line = customer.lines[0]
        price = round(line.mrr * 0.8 / 5) * 5.0
        signed = starts - timedelta(days=14)
        customer.lines.append(Subscription(line.account, line.product, price, signed, starts))
