"""Which company each meeting is with, since when that is a customer, and whether a filter means it."""

from collections.abc import Sequence

import narwhals as nw

from kpi.filters import RECORDS, id_column
from kpi.recurring.billing import customer_lines
from kpi.snapshot import Snapshot
from kpi.tables import TABLES


def with_company(snapshot: Snapshot, columns: Sequence[str]) -> nw.LazyFrame:
    """Meetings with their company (``kind`` of id and ``company``), its profile and customer day."""
    used = ["meeting_id", "starts_day", "booked_day", "starts_s", "booked_s", "outcome", "owner_id"]
    names = dict.fromkeys([*used, *columns, "account_id", "lead_id", "deal_id"])
    leads, deals = snapshot.leads.lazy(), snapshot.deals.lazy()
    deal = deals.select("deal_id", deal_account=nw.col("account_id"), deal_lead=nw.col("lead"))
    lead = leads.select(lead=nw.col("lead_id"), lead_account=nw.col("account_id"))
    table = snapshot.meetings.lazy().select(*names).join(deal, on="deal_id", how="left")
    table = table.with_columns(lead=nw.coalesce("lead_id", "deal_lead"))
    table = table.join(lead, on="lead", how="left")
    table = table.with_columns(account=nw.coalesce("account_id", "lead_account", "deal_account"))
    table = _named(table, ["account", "lead", "deal_id", "meeting_id"])
    profiles = _named(
        leads.filter(~nw.col("in_profile").is_null()).rename({"account_id": "account"}),
        ["account", "lead_id"],
    )
    profile = profiles.group_by("kind", "company").agg(profile=flag(nw.col("in_profile")).max())
    table = table.join(profile, on=["kind", "company"], how="left")
    return table.join(_customer_days(snapshot), on="account", how="left")


def inside(snapshot: Snapshot, table: nw.LazyFrame) -> nw.LazyFrame:
    """Keep the meetings that the filters of a snapshot mean: a seller's own, a company's by its records."""
    columns = {id_column(name): values for name, values in snapshot.filters.items()}
    if "owner_id" in columns:
        table = table.filter(nw.col("owner_id").is_in(columns.pop("owner_id")))
    for holders in sorted({tuple(t for t in RECORDS if c in TABLES[t].names) for c in columns}):
        ours = nw.concat([part for name in holders for part in _companies_of(snapshot, name)])
        table = table.join(ours.unique(), on=["kind", "company"], how="semi")
    return table


def _companies_of(snapshot: Snapshot, records: str) -> list[nw.LazyFrame]:
    """Companies of the leads or deals left, under each name that `_named` may give them."""
    leads = snapshot.leads.lazy()
    if records == "leads":
        table, kinds = leads, {"account_id": 0, "lead_id": 1}
    else:
        theirs = leads.select(lead=nw.col("lead_id"), lead_account=nw.col("account_id"))
        table = snapshot.deals.lazy().join(theirs, on="lead", how="left")
        kinds = {"lead_account": 0, "account_id": 0, "lead": 1, "deal_id": 2}
    told = [table.select(kind=nw.lit(kind), company=nw.col(name)) for name, kind in kinds.items()]
    return [some.filter(~nw.col("company").is_null()) for some in told]


def _named(table: nw.LazyFrame, ids: Sequence[str]) -> nw.LazyFrame:
    """Add ``company``, the first id that is known, and ``kind``, which of them it is."""
    kind = nw.lit(len(ids) - 1)
    for place in range(len(ids) - 2, -1, -1):
        kind = nw.when(~nw.col(ids[place]).is_null()).then(nw.lit(place)).otherwise(kind)
    return table.with_columns(company=nw.coalesce(*ids), kind=kind)


def _customer_days(snapshot: Snapshot) -> nw.LazyFrame:
    """Day from which each company was a customer: ``account`` and ``customer_day``."""
    lines = customer_lines(snapshot)
    won = snapshot.deals.lazy().filter(nw.col("outcome") == "won")
    days = nw.concat(
        [
            lines.select(account=nw.col("company"), day=nw.col("starts_on_day")),
            won.select(account=nw.col("account_id"), day=nw.col("closed_day")),
        ]
    ).filter(~nw.col("account").is_null())
    return days.group_by("account").agg(customer_day=nw.col("day").min())


def flag(condition: nw.Expr) -> nw.Expr:
    """1 where a condition holds, else 0."""
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0))
