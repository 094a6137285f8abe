"""A made-up account of any size: the ids, dates and links at once, each record when it is asked for.

About 2.5 contacts a deal, most of them leads; a company for two deals, a meeting and a line item for
three; twelve owners, two of them deactivated, and a queue.
"""

import numpy as np

from connectors.sandbox.hubspot.links import LABELLED, PLAIN, PRIMARY, Ints, Links
from connectors.sandbox.hubspot.make_deals import DealMaker
from connectors.sandbox.hubspot.make_others import (
    CompanyMaker,
    ContactMaker,
    LeadMaker,
    LineItemMaker,
    MeetingMaker,
)
from connectors.sandbox.hubspot.shelf import Record, Shelf
from connectors.sandbox.hubspot.state import Owner, State
from connectors.sandbox.hubspot.wire import DAY, HOUR

Draw = np.random.Generator
Pairs = dict[tuple[str, str], tuple[Ints, Ints, Ints]]

PEOPLE = (
    "Maren Oldfield", "Tobias Renn", "Aya Castellan", "Luc Verhoeven", "Priya Nandakumar",
    "Sam Whitlock", "Ines Barroso", "Kofi Mensah", "Greta Lindqvist", "Omar Haddad", "Nell Farrow",
    " ",
)  # fmt: skip


def fill(account: State, deals: int, seed: int, years: float) -> None:
    """Fill an empty account; see `Account.generate`."""
    account.owners = _owners()
    last = account.now if account.fixed_now is not None else account.now // DAY * DAY
    _fill(account, deals, np.random.default_rng([seed, deals]), last, seed, round(years * 365))


def _owners() -> list[Owner]:
    made = []
    for n, name in enumerate(PEOPLE):
        first, _, last = name.partition(" ")
        teams: tuple[tuple[str, bool], ...] = (("North" if n % 2 else "South", True),)
        if n % 5 == 3:
            teams = (("Overlay", False), *teams)
        email = f"{(first or 'shared.desk').lower()}@harbor.example"
        made.append(
            Owner(44_023_296 + 1_013 * n, first, last.strip(), email, teams if n % 6 != 4 else ())
        )
    made[3].archived = made[9].archived = True
    made.append(Owner(44_090_001, "Inbound", "queue", "queue@harbor.example", queue=True))
    return made


def _fill(account: State, n: int, draw: Draw, last: int, seed: int, days: int) -> None:
    start = last - days * DAY
    deal_created = np.sort(draw.integers(start + 30 * DAY, last - HOUR, n))
    contact_created = np.sort(draw.integers(start, last - HOUR, n * 5 // 2))
    company_created = np.sort(draw.integers(start, last - HOUR, n // 2))
    lead_of = np.flatnonzero(draw.random(len(contact_created)) < 0.6)
    lead_created = np.minimum(
        contact_created[lead_of] + draw.integers(0, 3 * DAY, len(lead_of)), last - 1
    )
    meeting_created = np.sort(draw.integers(start + 40 * DAY, last - HOUR, n // 3))
    item_deal = np.sort(draw.integers(0, max(n, 1), n // 3 if n else 0))
    item_created = np.minimum(deal_created[item_deal] + HOUR, last - 1)

    owners = [str(o.id) for o in account.owners if not o.queue]
    deal_maker = DealMaker(seed, account.pipelines["deals"], account.rates, owners)
    account.shelves["deals"] = _shelf(draw, deal_created, last, 6_744_192_456, 17, deal_maker)
    # the ids of contacts grow from one digit to seven: as text they are in no order
    account.shelves["contacts"] = _shelf(
        draw, contact_created, last, 1, 50, ContactMaker(seed, owners)
    )
    account.shelves["companies"] = _shelf(
        draw, company_created, last, 7_086_461_639, 29, CompanyMaker(seed)
    )
    if account.has_leads:
        account.shelves["leads"] = _shelf(
            draw, lead_created, last, 393_000_101, 3, LeadMaker(seed, owners)
        )
    account.shelves["meetings"] = _shelf(
        draw, meeting_created, last, 31_479_928_586, 11, MeetingMaker(seed, owners)
    )
    account.shelves["line_items"] = _shelf(
        draw, item_created, last, 5_183_403_213, 13, LineItemMaker(seed)
    )
    account.links = Links(_links(account, draw, lead_of, item_deal))


def _shelf(
    draw: Draw, created: Ints, last: int, first_id: int, step: int,
    maker: "DealMaker | ContactMaker | CompanyMaker | LeadMaker | MeetingMaker | LineItemMaker",
) -> Shelf:  # fmt: skip
    """Ids grow; the last change lies anywhere between creation and the end."""
    n = len(created)
    ids = first_id + step * np.arange(n, dtype=np.int64)
    lived = np.minimum(draw.exponential(75 * DAY, n), last - created - 1)
    modified = created + np.maximum(lived.astype(np.int64), 0)

    def make(row: int) -> Record:
        return maker.make(row, int(ids[row]), int(created[row]), int(modified[row]))

    return Shelf(ids.tolist(), created.tolist(), modified.tolist(), make)


def _links(account: State, draw: Draw, lead_of: Ints, item_deal: Ints) -> Pairs:
    ids = {k: np.array(s.ids, dtype=np.int64) for k, s in account.shelves.items()}
    created = {k: np.array(s.created, dtype=np.int64) for k, s in account.shelves.items()}
    people, firms = len(ids["contacts"]), len(ids["companies"])
    found: Pairs = {}
    if not people or not firms:
        return found
    firm_of = draw.integers(0, firms, people)
    firm_of[draw.random(people) < 0.1] = -1
    # a deal's first contact came in before the deal, mostly
    upto = np.searchsorted(created["contacts"], created["deals"])
    first = np.maximum(upto - 1 - draw.geometric(0.05, len(upto)), 0)
    second = draw.integers(0, people, len(upto))
    has_first = draw.random(len(upto)) < 0.85
    has_second = has_first & (draw.random(len(upto)) < 0.2) & (first != second)
    every = np.arange(len(upto))
    found["deals", "contacts"] = _join(
        (ids["deals"][every[has_first]], ids["contacts"][first[has_first]], PLAIN),
        (ids["deals"][every[has_second]], ids["contacts"][second[has_second]], LABELLED),
        *_crowd(ids["deals"], ids["contacts"], first[:1], has_first[:1]),
    )
    firm = np.where(firm_of[first] >= 0, firm_of[first], draw.integers(0, firms, len(upto)))
    other = (firm + 1 + draw.integers(0, max(firms - 1, 1), len(upto))) % firms
    role = draw.random(len(upto))
    two, alone = (role < 0.1) & (firm != other), role < 0.93
    unmarked = (role >= 0.93) & (role < 0.96)
    found["deals", "companies"] = _join(
        (ids["deals"][two], ids["companies"][other[two]], PLAIN),
        (ids["deals"][alone], ids["companies"][firm[alone]], PRIMARY),
        (ids["deals"][unmarked], ids["companies"][firm[unmarked]], PLAIN),
    )
    placed = firm_of >= 0
    found["contacts", "companies"] = _join(
        (ids["contacts"][placed], ids["companies"][firm_of[placed]], PRIMARY)
    )
    if account.has_leads and len(lead_of):
        found["contacts", "leads"] = _join((ids["contacts"][lead_of], ids["leads"], PRIMARY))
        led = firm_of[lead_of] >= 0
        found["leads", "companies"] = _join(
            (ids["leads"][led], ids["companies"][firm_of[lead_of][led]], PLAIN)
        )
    found["line_items", "deals"] = _join((ids["line_items"], ids["deals"][item_deal], PLAIN))
    return found | _meeting_links(ids, draw, first, has_first, firm)


def _meeting_links(
    ids: dict[str, Ints], draw: Draw, first: Ints, has_first: "np.ndarray", firm: Ints
) -> Pairs:
    n, deals = len(ids["meetings"]), len(ids["deals"])
    if not n or not deals:
        return {}
    of_deal = draw.integers(0, deals, n)
    about = draw.random(n) < 0.6
    person = np.where(has_first[of_deal], first[of_deal], draw.integers(0, len(ids["contacts"]), n))
    return {
        ("meetings", "deals"): _join((ids["meetings"][about], ids["deals"][of_deal[about]], PLAIN)),
        ("meetings", "contacts"): _join(
            (ids["meetings"], ids["contacts"][person], PLAIN),
            *_crowd(ids["meetings"], ids["contacts"], person[:1], np.ones(1, dtype=bool)),
        ),
        ("meetings", "companies"): _join(
            (ids["meetings"][about], ids["companies"][firm[of_deal[about]]], PLAIN)
        ),
    }


def _crowd(
    start: Ints, people: Ints, taken: Ints, has: "np.ndarray"
) -> list[tuple[Ints, Ints, int]]:
    """Give the first record more than 500 contacts, where there are enough."""
    if len(people) < 1_200 or not len(start):
        return []
    crowd = np.arange(100, 720)
    crowd = crowd[crowd != taken[0]] if has[0] else crowd
    return [(np.repeat(start[:1], len(crowd)), people[crowd], PLAIN)]


def _join(*parts: tuple[Ints, Ints, int]) -> tuple[Ints, Ints, Ints]:
    start = np.concatenate([a for a, _, _ in parts])
    end = np.concatenate([b for _, b, _ in parts])
    kinds = np.concatenate([np.full(len(a), kind, dtype=np.int64) for a, _, kind in parts])
    return start, end, kinds
