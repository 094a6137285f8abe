"""Single edits of records, each at the account's time; a test may call them by name."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain

from connectors.sandbox.hubspot.links import PLAIN, PRIMARY
from connectors.sandbox.hubspot.shelf import ARCHIVED, GONE, LIVE, Entry, Record, written
from connectors.sandbox.hubspot.state import State
from connectors.sandbox.hubspot.trade import home_amount, stage_values
from connectors.sandbox.hubspot.wire import iso, plain


def edit(account: State, kind: str, record_id: int, values: Mapping[str, str]) -> Record:
    """Write properties of a live record; what HubSpot works out from them follows.

    Raises
    ------
    KeyError
        If the record is not there.
    """
    record, now = account.find(kind, record_id), account.now
    return account.keep(kind, written(record, now, worked_out(account, kind, record.props, values)))


def worked_out(
    account: State, kind: str, props: Mapping[str, str], values: Mapping[str, str]
) -> dict[str, str]:
    """Add to new values of a deal what follows from its stage and amount."""
    found = dict(values)
    if kind != "deals":
        return found
    if "dealstage" in values:
        place = account.stage("deals", values["dealstage"])
        if place and place[0].id != props.get("pipeline"):
            found["pipeline"] = place[0].id
        found |= stage_values(place[1] if place else None)
        if found["hs_is_closed"] == "true":
            found.setdefault("closedate", iso(account.now))
    if "amount" in values or "deal_currency_code" in values:
        after = {**props, **found}
        currency = after.get("deal_currency_code", account.currency)
        found["hs_exchange_rate"] = plain(account.rates.get(currency, 1.0))
        found["amount_in_home_currency"] = (
            home_amount(after.get("amount"), currency, account.rates) or ""
        )
    return found


def create(
    account: State, kind: str, values: Mapping[str, str], record_id: int | None = None
) -> Record:
    """Enter a new record."""
    now = account.now
    props = worked_out(account, kind, {}, values)
    history: dict[str, tuple[Entry, ...]] = {n: ((now, v, "CRM_UI"),) for n, v in props.items()}
    return account.keep(kind, Record(record_id or account.new_id(kind), now, now, props, history))


def archive(account: State, kind: str, record_id: int) -> None:
    """Delete a record as a user does: it can be restored. The modified date stays."""
    record = replace(account.find(kind, record_id), archived_at=account.now)
    account.keep(kind, record, ARCHIVED)


def restore(account: State, kind: str, record_id: int) -> None:
    """Take a record back out of the archive. The modified date stays.

    Raises
    ------
    KeyError
        If it is not in the archive.
    """
    if record_id not in account.archived_ids(kind):
        raise KeyError(f"no archived {kind} record {record_id}")
    record = account.shelves[kind].changed[record_id]
    account.keep(kind, replace(record, archived_at=None), LIVE)


def gdpr_delete(account: State, kind: str, record_id: int) -> None:
    """Delete a record for good: no trace is left."""
    account.links.move(kind, record_id, None)
    account.keep(kind, account.find(kind, record_id), GONE)


def merge(account: State, kind: str, a: int, b: int) -> int:
    """Merge two records into a new one that goes on as `a`; return its id.

    Its history is that of both, and the entries of `a` are there twice.
    """
    first, second, now = account.find(kind, a), account.find(kind, b), account.now
    names = {*first.history, *second.history}
    before = [r.props.get("hs_merged_object_ids", "") for r in (first, second)]
    merged = ";".join([str(a), str(b), *filter(None, before)])
    joined = replace(
        first,
        id=account.new_id(kind),
        props=second.props | first.props | {"hs_merged_object_ids": merged},
        history={n: _both(first, second, n) for n in names},
        entered=second.entered | first.entered,
    )
    # what the merged record holds now was written by the merge, where the last entry differs
    settled = {
        n: joined.props[n]
        for n in names
        if n in joined.props
        and (not joined.history[n] or joined.history[n][-1][1] != joined.props[n])
    }
    joined = replace(written(joined, now, settled, "MERGE_OBJECTS"), modified=now)
    account.keep(kind, joined)
    for old in (first, second):
        account.links.move(kind, old.id, joined.id)
        account.keep(kind, old, GONE)
        account.shelves[kind].aliases[old.id] = joined.id
    return joined.id


def _both(first: Record, second: Record, name: str) -> tuple[Entry, ...]:
    mine = first.entries(name)
    taken = {moment for moment, _, _ in mine}
    theirs = (e for e in second.entries(name) if e[0] not in taken)
    return tuple(sorted(chain(mine, mine, theirs), key=lambda e: e[0]))


def rename_stage(account: State, kind: str, stage_id: str, label: str) -> None:
    """Give a stage another label.

    Raises
    ------
    KeyError
        If there is no such stage.
    """
    place = account.stage(kind, stage_id)
    if place is None:
        raise KeyError(f"no stage {stage_id}")
    place[1].label = label
    account.forget_definitions()


def delete_stage(account: State, kind: str, stage_id: str) -> None:
    """Delete a stage for good, after its records were moved to another of the pipeline.

    Raises
    ------
    KeyError
        If there is no such stage.
    """
    place = account.stage(kind, stage_id)
    if place is None:
        raise KeyError(f"no stage {stage_id}")
    pipeline, stage = place
    name = "dealstage" if kind == "deals" else "hs_pipeline_stage"
    refuge = next(s.id for s in pipeline.stages if s.id != stage_id)
    held = [r.id for r in account.shelves[kind].records() if r.props.get(name) == stage_id]
    for record_id in held:
        edit(account, kind, record_id, {name: refuge})
    pipeline.stages.remove(stage)
    account.tombstones.append((kind, pipeline.id, stage))
    account.forget_definitions()


def associate(
    account: State, start: str, a: int, end: str, b: int, *, primary: bool = False
) -> None:
    """Link two records; neither modified date changes. One primary link goes before another."""
    if primary:
        for other, kind in list(account.links.of(start, a, end).items()):
            if kind == PRIMARY:
                account.links.add(start, a, end, other, PLAIN)
    account.links.add(start, a, end, b, PRIMARY if primary else PLAIN)


def dissociate(account: State, start: str, a: int, end: str, b: int) -> None:
    """Take a link away; neither modified date changes."""
    account.links.remove(start, a, end, b)


def recalculate(
    account: State, rate: float, *, currency: str = "EUR", most: int | None = None
) -> int:
    """Take over a new exchange rate: home amounts change, modified dates do not; return how many."""
    account.rates[currency] = rate
    now, done = account.now, 0
    for record in list(account.shelves["deals"].records()):
        amount = record.props.get("amount")
        if record.props.get("deal_currency_code") != currency or not amount:
            continue
        if most is not None and done >= most:
            break
        home = home_amount(amount, currency, account.rates) or ""
        values = {"amount_in_home_currency": home, "hs_exchange_rate": plain(rate)}
        account.keep("deals", written(record, now, values, "CALCULATED", bump=False))
        done += 1
    return done
