"""What the simulation hands from subject to subject; ids are given once everything is known."""

from dataclasses import dataclass, field
from datetime import date, datetime

import company
from chance import Chance

Row = dict[str, object]
Step = tuple[datetime, str]


@dataclass
class Account:
    """A company, with the currency it pays in."""

    name: str
    industry: str
    region: str
    segment: str
    created_at: datetime
    account_id: str = ""
    billing_account_id: str | None = None

    @property
    def currency(self) -> str:
        """Canadian companies pay in Canadian dollars."""
        return "CAD" if self.region == "Canada" else "USD"


@dataclass
class Deal:
    """A deal and every stage it entered, in order of time."""

    pipeline_id: str
    deal_type: str
    source: str | None
    account: Account
    owner_id: str
    product: str
    mrr_original: float | None
    amount_original: float
    term_months: int
    steps: list[Step]
    deal_id: str = ""
    lead_id: str | None = None

    @property
    def created_at(self) -> datetime:
        """Moment of the first stage."""
        return self.steps[0][0]

    @property
    def stage_id(self) -> str:
        """Stage it is in now."""
        return self.steps[-1][1]

    @property
    def outcome(self) -> str:
        """Won, lost or open, by the stage it is in now."""
        word = self.stage_id.removeprefix("x-")
        return word if word in ("won", "lost") else "open"

    @property
    def closed_at(self) -> datetime | None:
        """Moment it closed, for good as far as is known."""
        return None if self.outcome == "open" else self.steps[-1][0]


@dataclass
class Lead:
    """A lead, every stage it entered, and the deal it became."""

    source: str
    owner_id: str
    in_profile: bool
    steps: list[Step]
    converted_at: datetime | None = None
    deal: Deal | None = None
    handed_over_at: datetime | None = None
    first_owner_id: str = ""
    lead_id: str = ""


@dataclass
class Subscription:
    """A recurring line, in the currency of its account."""

    account: Account
    product: str
    mrr: float
    signed_on: date
    starts_on: date
    ends_on: date | None = None
    notice_on: date | None = None
    subscription_id: str = ""


@dataclass
class Sample:
    """Everything that was simulated."""

    leads: list[Lead] = field(default_factory=list)
    deals: list[Deal] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)


def rate(currency: str, day: date) -> float:
    """US dollars per unit of `currency` on that day."""
    if currency == "USD":
        return 1.0
    month = (day.year - 2024) * 12 + day.month - 11
    return company.MONTHLY_RATES[month] if month >= 0 else company.EARLIER_RATE[1]


def seller(chance: Chance, day: date) -> str:
    """Draw the seller who gets what comes in that day; a newcomer in ramp gets half as much."""
    weights = dict.fromkeys((owner[0] for owner in company.OWNERS), 1.0)
    if day >= company.LEFT_ON:
        weights[company.LEAVER] = 0.0
    if day < company.JOINED_ON:
        weights[company.NEWCOMER] = 0.0
    elif (day - company.JOINED_ON).days < company.RAMP_MONTHS * 30:
        weights[company.NEWCOMER] = 0.5
    return chance.weighted(weights)


def monthly_price(chance: Chance, segment: str) -> float:
    """Draw a monthly price in the customer's currency, in steps of 10."""
    price = chance.lognormal(company.MRR_MEDIAN[segment], company.MRR_SIGMA)
    return max(200.0, round(price / 10) * 10.0)
