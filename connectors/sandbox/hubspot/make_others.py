"""Made-up contacts, leads, companies, meetings and line items: each from its number alone."""

from collections.abc import Sequence
from random import Random

from connectors.sandbox.hubspot.make_deals import UI, _spread, _times
from connectors.sandbox.hubspot.schema import FREQUENCIES, SOURCES
from connectors.sandbox.hubspot.shelf import Entry, Record
from connectors.sandbox.hubspot.wire import DAY, HOUR, chance, iso, plain

FIRST = ("Maria", "Brian", "Jun", "Olu", "Freja", "Zoë", "Anil", "Catarina", "Søren", "Eve")
LAST = ("Johnson", "Halligan", "Sato", "Adeyemi", "Holm", "Meyer", "Rao", "Silva", "Lund", "O'Neil")
LEAD_WAY = ("lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer")
LEAD_STATUS = ("NEW", "OPEN", "IN_PROGRESS", "UNQUALIFIED", "CONNECTED")
INDUSTRIES = ("COMPUTER_SOFTWARE", "RETAIL", "LOGISTICS_AND_SUPPLY_CHAIN", "HOSPITAL_HEALTH_CARE")
COUNTRIES = ("United States", "Germany", "Portugal", "Japan", "")
OUTCOMES = ("COMPLETED", "COMPLETED", "NO_SHOW", "CANCELED", "SCHEDULED", "RESCHEDULED")
PERIODS = ("P12M", "P1Y", "P24M", "P6M", "P52W", "P1Y6M", "P90D")


class _Maker:
    def __init__(self, seed: int, owners: Sequence[str] = ()) -> None:
        self.seed, self.owners = seed, list(owners)

    def owned(
        self, rng: Random, created: int, modified: int, props: dict[str, str],
        history: dict[str, tuple[Entry, ...]],
    ) -> None:  # fmt: skip
        """Give an owner, or two one after the other, or none."""
        draw = rng.random()
        if draw < 0.06:
            return
        held = [rng.choice(self.owners)]
        if draw > 0.95:
            held.append(rng.choice(self.owners))
        entries = _spread(rng, held, created, modified)
        props["hubspot_owner_id"] = held[-1]
        history["hubspot_owner_id"] = entries


class ContactMaker(_Maker):
    """Makes contacts; about four in five have once been a lead."""

    def make(self, row: int, record_id: int, created: int, modified: int) -> Record:
        """Make the contact of that row."""
        rng = chance(self.seed, 1, row)
        first, last = rng.choice(FIRST), rng.choice(LAST)
        props = {
            "firstname": first,
            "lastname": last,
            "email": f"{first}.{last}.{row}@example.com".lower().replace("'", ""),
            "hs_analytics_source": rng.choice(SOURCES),
            "lead_channel": rng.choice(("Events", "Web", "Partners")),
            "in_profile": rng.choice(("true", "false", "")),
        }
        history: dict[str, tuple[Entry, ...]] = {}
        way = self._way(rng)
        times = _times(rng, len(way), created, modified)
        if way:
            props["lifecyclestage"] = way[-1]
            history["lifecyclestage"] = tuple((t, v, UI) for t, v in zip(times, way, strict=True))
            if rng.random() < 0.01:
                history["lifecyclestage"] = ()
        if rng.random() < 0.6:
            held = rng.sample(LEAD_STATUS, rng.randint(1, 2))
            props["hs_lead_status"] = held[-1]
            history["hs_lead_status"] = _spread(rng, held, created, modified)
        self.owned(rng, created, modified, props, history)
        return Record(record_id, created, modified, props, history)

    @staticmethod
    def _way(rng: Random) -> list[str]:
        draw = rng.random()
        if draw < 0.04:
            return []
        if draw < 0.18:
            return [rng.choice(("subscriber", "other", "evangelist"))]
        reached = min(int(rng.expovariate(0.9)), len(LEAD_WAY) - 1)
        way = list(LEAD_WAY[: reached + 1])
        if draw < 0.35:
            way.insert(0, "subscriber")
        if draw > 0.97:
            way += ["", rng.choice(("subscriber", "other", "lead"))]
        elif draw > 0.95:
            way.append("118293847")
        return way


class LeadMaker(_Maker):
    """Makes leads of the leads object."""

    def make(self, row: int, record_id: int, created: int, modified: int) -> Record:
        """Make the lead of that row."""
        rng = chance(self.seed, 136, row)
        way = ["new-stage-id"]
        middle = ("attempting-stage-id", "connected-stage-id")
        way += [stage for stage in middle if rng.random() < 0.75]
        ending = rng.random()
        if ending < 0.75:
            way.append("qualified-stage-id" if ending < 0.35 else "unqualified-stage-id")
        if ending < 0.02:
            way += ["attempting-stage-id", "qualified-stage-id"]
        times = _times(rng, len(way), created, modified)
        props = {
            "hs_lead_name": f"Lead {row + 1}",
            "hs_pipeline": "lead-pipeline-id",
            "hs_pipeline_stage": way[-1],
            "hs_lead_label": rng.choice(("WARM", "HOT", "COLD", "")),
            "hs_lead_type": rng.choice(("NEW BUSINESS", "UPSELL")),
            "hs_lead_source": rng.choice((*SOURCES, "")),
            "lead_channel": rng.choice(("Events", "Web", "Partners")),
            "in_profile": rng.choice(("true", "false", "")),
        }
        history: dict[str, tuple[Entry, ...]] = {
            "hs_pipeline_stage": tuple((t, v, UI) for t, v in zip(times, way, strict=True))
        }
        self.owned(rng, created, modified, props, history)
        return Record(record_id, created, modified, props, history)


class CompanyMaker(_Maker):
    """Makes companies."""

    def make(self, row: int, record_id: int, created: int, modified: int) -> Record:
        """Make the company of that row."""
        rng = chance(self.seed, 2, row)
        props = {
            "name": f"Company {row + 1}" if row % 40 else "Twin & Sons",
            "domain": f"company{row + 1}.example",
            "country": rng.choice(COUNTRIES),
        }
        if rng.random() < 0.8:
            props["industry"] = rng.choice(INDUSTRIES)
            props["numberofemployees"] = str(rng.choice((5, 20, 80, 250, 1_000, 5_000)))
        return Record(record_id, created, modified, props)


class MeetingMaker(_Maker):
    """Makes meetings; some have no start of their own, only a time stamp."""

    def make(self, row: int, record_id: int, created: int, modified: int) -> Record:
        """Make the meeting of that row."""
        rng = chance(self.seed, 47, row)
        starts = (created // HOUR + rng.randint(1, 15 * 24)) * HOUR
        props = {
            "hs_timestamp": iso(starts),
            "hs_meeting_start_time": iso(starts, short=rng.random() < 0.05),
            "hs_meeting_end_time": iso(starts + HOUR // 2),
            "hs_meeting_title": f"Meeting {row + 1}",
        }
        if rng.random() < 0.03:
            props["hs_meeting_start_time"] = ""
        if rng.random() < 0.95:
            props["hs_meeting_outcome"] = rng.choice(OUTCOMES)
        if rng.random() < 0.95:
            props["hubspot_owner_id"] = rng.choice(self.owners)
        return Record(record_id, created, modified, props)


class LineItemMaker(_Maker):
    """Makes line items; seven in ten recur."""

    def make(self, row: int, record_id: int, created: int, modified: int) -> Record:
        """Make the line item of that row."""
        rng = chance(self.seed, 8, row)
        price, quantity = rng.choice((49.5, 120.0, 300.0, 999.0)), rng.randint(1, 9)
        props = {
            "name": rng.choice(("Managed services", "Cloud backup", "Security", "Onboarding")),
            "price": plain(price),
            "quantity": str(quantity),
            "amount": plain(price * quantity),
        }
        if rng.random() < 0.7:
            frequency = rng.choice(FREQUENCIES)
            props["recurringbillingfrequency"] = frequency
            if rng.random() < 0.7:
                props["hs_mrr"] = plain(round(price * quantity / rng.choice((1, 3, 12)), 2))
            if rng.random() < 0.8:
                props["hs_recurring_billing_period"] = rng.choice(PERIODS)
            if rng.random() < 0.6:
                day = created + rng.randint(0, 60) * DAY
                props["hs_recurring_billing_start_date"] = iso(day)[:10]
        elif rng.random() < 0.5:
            props["recurringbillingfrequency"] = ""
        return Record(record_id, created, modified, props)
