"""Seeded random life: what happens in an account while somebody reads it."""

from collections.abc import Callable
from random import Random

from connectors.sandbox.hubspot import edits
from connectors.sandbox.hubspot.links import PRIMARY
from connectors.sandbox.hubspot.shelf import written
from connectors.sandbox.hubspot.state import State
from connectors.sandbox.hubspot.wire import DAY, chance, iso, plain

NOTE = {
    "deals": "market_segment",
    "contacts": "lead_channel",
    "leads": "hs_lead_label",
    "companies": "industry",
    "meetings": "hs_meeting_outcome",
    "line_items": "name",
}
WORDS = {
    "hs_meeting_outcome": ("COMPLETED", "NO_SHOW", "CANCELED", "RESCHEDULED", ""),
    "market_segment": ("SMB", "Mid-market", "Enterprise", ""),
}
USUAL = ("Alpha", "Beta", "Gamma", "")
CHURN = ("archive", "restore", "gdpr", "merge", "link", "unlink", "calculated", "item", "stage")


def touch(account: State, n: int = 1, seed: int = 0) -> list[tuple[str, int]]:
    """Edit n records at random: stages, amounts, dates, owners, words; return which."""
    rng, done = chance(seed, 77), []
    with account.lock:
        for _ in range(n):
            kind = _kind(account, rng)
            record_id = any_id(account, kind, rng)
            if record_id is not None:
                edits.edit(account, kind, record_id, _values(account, kind, record_id, rng))
                done.append((kind, record_id))
    return done


def _kind(account: State, rng: Random) -> str:
    kinds = ["deals"] * 6 + ["leads" if account.sees_leads() else "contacts"] * 2
    return rng.choice([*kinds, "companies", "meetings", "contacts"])


def any_id(account: State, kind: str, rng: Random) -> int | None:
    """Id of a live record; None if there is none."""
    shelf = account.shelves[kind]
    if not len(shelf):
        return None
    for _ in range(200):
        record_id = shelf.ids[rng.randrange(len(shelf.ids))]
        if record_id not in shelf.hidden:
            return record_id
    return next(shelf.after(-1))


def _values(account: State, kind: str, record_id: int, rng: Random) -> dict[str, str]:
    """Make up new values for a record."""
    if rng.random() < 0.15:
        return {"hubspot_owner_id": _owner(account, rng)}
    if kind == "deals":
        return _deal_values(account, record_id, rng)
    if kind == "leads" and rng.random() < 0.7:
        stages = account.pipelines["leads"][0].stages
        return {"hs_pipeline_stage": rng.choice(stages).id}
    if kind == "contacts" and rng.random() < 0.7:
        way = ("lead", "marketingqualifiedlead", "opportunity", "customer", "other", "subscriber")
        return {"lifecyclestage": rng.choice(way)}
    name = NOTE[kind]
    return {name: rng.choice(WORDS.get(name, USUAL))}


def _owner(account: State, rng: Random) -> str:
    return rng.choice([str(o.id) for o in account.active_owners()] + [""])


def _deal_values(account: State, record_id: int, rng: Random) -> dict[str, str]:
    props, draw = account.find("deals", record_id).props, rng.random()
    if draw < 0.5:
        own = [p for p in account.pipelines["deals"] if p.id == props.get("pipeline")]
        pipeline = own[0] if own and rng.random() < 0.95 else rng.choice(account.pipelines["deals"])
        return {"dealstage": rng.choice(pipeline.stages).id}
    if draw < 0.75:
        return {"amount": rng.choice((plain(round(rng.uniform(500, 90_000), 2)), "0", ""))}
    if draw < 0.95:
        return {"closedate": iso(account.now + rng.randint(-30, 120) * DAY)}
    return {"market_segment": rng.choice(WORDS["market_segment"])}


def create_deals(account: State, n: int = 1, seed: int = 0) -> list[int]:
    """Enter n new deals, most with a contact and a company."""
    rng, made = chance(seed, 78), []
    with account.lock:
        for _ in range(n):
            pipeline = rng.choice(account.pipelines["deals"])
            values = {
                "dealname": f"New deal {rng.randrange(10_000)}",
                "dealstage": rng.choice(pipeline.stages).id,
                "amount": plain(round(rng.uniform(500, 90_000), 2)),
                "deal_currency_code": rng.choice(("USD", "EUR")),
                "closedate": iso(account.now + rng.randint(1, 90) * DAY),
                "hubspot_owner_id": _owner(account, rng),
            }
            record = edits.create(account, "deals", values)
            made.append(record.id)
            for kind, share in (("contacts", 0.8), ("companies", 0.9)):
                other = any_id(account, kind, rng) if rng.random() < share else None
                if other is not None:
                    primary = kind == "companies"
                    edits.associate(account, "deals", record.id, kind, other, primary=primary)
    return made


def create_contacts(account: State, n: int = 1, seed: int = 0) -> list[int]:
    """Enter n new contacts, each a lead; where there is the leads object, with a lead record."""
    rng, made = chance(seed, 79), []
    with account.lock:
        for _ in range(n):
            name = f"new{rng.randrange(10**9)}"
            values = {"email": f"{name}@example.com", "lifecyclestage": "lead", "lastname": name}
            contact = edits.create(account, "contacts", values).id
            made.append(contact)
            company = any_id(account, "companies", rng)
            if company is not None:
                account.links.add("contacts", contact, "companies", company, PRIMARY)
            if account.has_leads and account.shelves["leads"].ids:
                stage = {"hs_pipeline": "lead-pipeline-id", "hs_pipeline_stage": "new-stage-id"}
                if account.pipelines["leads"][0].id != "lead-pipeline-id":
                    pipeline = account.pipelines["leads"][0]
                    stage = {"hs_pipeline": pipeline.id, "hs_pipeline_stage": pipeline.stages[0].id}
                lead = edits.create(account, "leads", {"hs_lead_name": name, **stage}).id
                account.links.add("contacts", contact, "leads", lead, PRIMARY)
    return made


def bulk_edit(account: State, n: int = 10_050) -> int:
    """Write one value into n records in one millisecond; return how many there were.

    The type is the deals if there are as many, else the leads or contacts.
    """
    others = "leads" if account.sees_leads() else "contacts"
    with account.lock:
        kind = "deals" if len(account.shelves["deals"]) >= n else others
        shelf, now, done = account.shelves[kind], account.now, 0
        for record in list(shelf.records())[:n]:
            account.keep(kind, written(record, now, {NOTE[kind]: "Beta"}))
            done += 1
    return done


def mutate(account: State, n: int = 10, seed: int = 0) -> None:
    """Let n random things happen: mostly edits, some new records, and one in six of the rest."""
    rng = chance(seed, 80)
    with account.lock:
        for k in range(n):
            draw, own = rng.random(), seed * 100_003 + k
            if draw < 0.6:
                touch(account, 1, own)
            elif draw < 0.72:
                create_deals(account, 1, own)
            elif draw < 0.82:
                create_contacts(account, 1, own)
            else:
                _churn(account, rng.choice(CHURN), rng)


def _churn(account: State, what: str, rng: Random) -> None:
    does: dict[str, Callable[[str], None]] = {
        "archive": lambda kind: _one(account, kind, rng, edits.archive),
        "gdpr": lambda kind: _one(account, kind, rng, edits.gdpr_delete),
        "restore": lambda kind: _restore(account, kind, rng),
        "merge": lambda kind: _merge(account, kind, rng),
        "link": lambda _: _link(account, rng),
        "unlink": lambda _: _unlink(account, rng),
        "calculated": lambda _: _calculated(account, rng),
        "item": lambda _: _item(account, rng),
        "stage": lambda _: _stage(account, rng),
    }
    does[what](_kind(account, rng))


def _one(account: State, kind: str, rng: Random, act: Callable[[State, str, int], None]) -> None:
    record_id = any_id(account, kind, rng)
    if record_id is not None:
        act(account, kind, record_id)


def _restore(account: State, kind: str, rng: Random) -> None:
    archived = account.archived_ids(kind)
    if archived:
        edits.restore(account, kind, rng.choice(archived))


def _merge(account: State, kind: str, rng: Random) -> None:
    a, b = any_id(account, kind, rng), any_id(account, kind, rng)
    if a is not None and b is not None and a != b and kind != "meetings":
        edits.merge(account, kind, a, b)


def _link(account: State, rng: Random) -> None:
    start, end = rng.choice((("deals", "contacts"), ("deals", "companies"), ("meetings", "deals")))
    a, b = any_id(account, start, rng), any_id(account, end, rng)
    if a is not None and b is not None:
        edits.associate(account, start, a, end, b, primary=end == "companies")


def _unlink(account: State, rng: Random) -> None:
    deal = any_id(account, "deals", rng)
    end = rng.choice(("contacts", "companies"))
    linked = account.linked("deals", deal, end) if deal is not None else {}
    if deal is not None and linked:
        edits.dissociate(account, "deals", deal, end, next(iter(linked)))


def _calculated(account: State, rng: Random) -> None:
    """Change what HubSpot works out for one deal, and leave its modified date as it was."""
    deal = any_id(account, "deals", rng)
    if deal is not None:
        record = account.find("deals", deal)
        values = {"hs_mrr": plain(round(rng.uniform(50, 3_000), 2))}
        account.keep("deals", written(record, account.now, values, "CALCULATED", bump=False))


def _item(account: State, rng: Random) -> None:
    item = any_id(account, "line_items", rng)
    if item is not None:
        edits.edit(account, "line_items", item, {"amount": plain(round(rng.uniform(50, 900), 2))})


def _stage(account: State, rng: Random) -> None:
    """Rename a stage; now and then delete the one that deals can do without."""
    if rng.random() < 0.3 and account.stage("deals", "148120393"):
        edits.delete_stage(account, "deals", "148120393")
        return
    stages = [s for p in account.pipelines["deals"] for s in p.stages if s.id != "148120393"]
    stage = rng.choice(stages)
    edits.rename_stage(
        account, "deals", stage.id, f"{stage.label.split(' (')[0]} ({rng.randrange(99)})"
    )
