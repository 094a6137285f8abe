"""The README of the sample and its definitions: the story, and the truth it was drawn from."""

from collections import Counter
from datetime import date

import company
from chance import AS_OF, SEED
from records import Row

Tables = dict[str, list[Row]]

DEFINITIONS = """\
# What counts at Harborlight IT. The grammar stands in kpi/definitions.py.
time_zone = "UTC"
fiscal_year_start = 1
reporting_currency = "USD"

# A lead counts as MQL, or SQL, from the first day on which it held one of these stages.
[count.mql]
table = "leads"
column = "stage_id"
in = ["mql", "sql"]

[count.sql]
table = "leads"
column = "stage_id"
in = ["sql"]
"""

TEXT = """\
# Harborlight IT, the sample company

A made-up managed service provider. Every company, person and figure is invented; there is no
e-mail address, no phone number and no link that leads anywhere. `python data/samples/generate.py [OUT_DIR]`
writes these files again, byte by byte the same (PCG64, seed {seed}). This page is written by it too.

The data covers {leads_from} to 2026-10-31; read it as of {as_of} (`as_of.txt`). Later dates are only
the expected close dates and next steps of open deals, quota months, the start of a contract that is
signed but not live yet, and the end of one to which notice was given.

## What is in it

{counts}

Times are UTC to the minute, days ISO, money with two decimals, missing is nothing between two commas.

## The story

* Six sellers in two teams. Piet Oswynn (O-4) left on {left}: what he had open went to others that day.
  Callum Vexley (O-6) joined on {joined} with {ramp} months of ramp, and gets half as many leads until then.
  Quotas are the full {quota:,} USD a month for everybody: whoever wants the ramp in them prorates by `ramp_months`.
* About 80 leads a month, growing slowly, with a dip in summer and December. Those that convert become a deal in the
  pipeline `new-business`: `deals.created_at` is `leads.converted_at`. Another {direct} deals are direct: no lead.
* A quarter of the companies is Canadian and pays in CAD. `amount` and `mrr` are in USD, at the rate of the day the deal closed
  (open: of the day it was created; all amounts in one deal's history use the same rate). `amount` is the annual contract value, 12 x `mrr`.
* Every win makes a customer; its lines start 5 to 30 days later and add up to the deal's monthly price in the customer's currency.
  {earlier} customers are older than the data. The pipeline `existing-customers` holds expansion and renewal deals;
  who leaves never expands, contractions and comebacks have no deal.
* Deals skip stages, move back, are lost and reopened, repriced, pushed and handed over: all in `history.csv`. Same-day wins: {same_day}.
* The `suspects` are thinned out, to keep the folder small: about {suspects} a seller and week, where a real one would target some 70.
* Costs are only what is spent to win customers, not the whole of sales: {cost:,.0f} USD a month on average, one credit included.

## The planted leak

From {leak_from} on, a deal of the source **paid search** that first enters **Proposal** goes on with the
probability {leak_forward:.2f} instead of {leak_before:.2f}, and is lost there otherwise, mostly over the price
(reasons: {leak_reasons}). Nothing else changes over time, for any source or stage. In the data:

{leak}

## The truth

What the sample was drawn from; a KPI should find it again, within its interval.

**Leads.** A lead converts with the probability below, after a gamma delay of shape {shape} and mean {delay} days; or it is
disqualified with probability {disqualified:.2f}, after an exponential delay of mean {disqualified_delay} days; or it stays open for ever.
The two exclude each other, so the share converted by day t is probability x gamma(t). Delays shift by up to some days to fall on working days.
`in_profile` is true with {in_profile:.2f}, independent of everything.

**New-business deals.** Chance to go on from each stage; the product is the chance of winning without a reopening.

{forward}

A lost deal, unless of paid search, is reopened with {reopen:.2f} some {reopen_after} days later (median), at Proposal, and then won with {reopen_won:.2f}:
P(won) = product + (1 - product) x {reopen:.2f} x {reopen_won:.2f}. The {same_days} same-day wins among the direct deals are set, not drawn.
Stays are lognormal with sigma {sigma}, medians {stays} days from Discovery to Negotiation; a deal that dies stays {slower} times as long in its last stage.
With {back:.3f} for each stage after Discovery a deal moves back once and returns. With {skip:.2f} a straight deal lacks the row of one stage it passed.
Neither changes the chance of winning. Segment, region, product and price have no influence either.

**Price.** Monthly, lognormal with sigma {price_sigma}, median {smb} (SMB) and {mid} (Mid) in the customer's currency, rounded to 10, at least 200.

**Existing customers.** {expansions} expansion deals with {existing} to go on from each stage; {renewals} renewal deals: 4 lost on the day of notice, else won.
Customers leave after an exponential time of mean {churn} days (about 10 % a year), at least 60, at the end of a month with 30 to 75 days of notice;
customers who leave but whose notice would come after the data are still plain customers in it. {back_again} came back.
A-003 and A-004 are one payer (`billing_account_id`).

## What is missing

As in a real export: {no_lead_source} leads and {no_source} deals without a source (never paid search), {no_segment} deals without
a segment, and one deal without `created_at` ({undated}).
"""


def readme(tables: Tables) -> str:
    """Write the page, with the counts of the tables as they are."""
    leads, deals = tables["leads"], tables["deals"]
    dated = [deal for deal in deals if deal["created_at"]]
    same_day = [d["deal_id"] for d in dated if d["outcome"] == "won" and _one_day(d)]
    spent = sum(float(str(row["amount"])) for row in tables["costs"])
    return TEXT.format(
        seed=SEED,
        as_of=AS_OF,
        leads_from="2024-11-01",
        counts=_counts(tables),
        left=company.LEFT_ON,
        joined=company.JOINED_ON,
        ramp=company.RAMP_MONTHS,
        quota=company.MONTHLY_QUOTA,
        direct=company.DIRECT_DEALS,
        earlier=company.EARLIER_CUSTOMERS,
        same_day=", ".join(map(str, same_day)),
        same_days=len(same_day),
        suspects=company.SUSPECTS_A_WEEK,
        cost=spent / 24,
        leak_from=company.LEAK_FROM,
        leak_forward=company.LEAK_FORWARD,
        leak_before=company.FORWARD[company.LEAK_SOURCE][2],
        leak_reasons=_shares(company.LEAK_REASONS),
        leak=_leak(tables),
        shape=company.CONVERSION_SHAPE,
        delay=company.CONVERSION_DELAY_DAYS,
        disqualified=company.DISQUALIFIED,
        disqualified_delay=company.DISQUALIFIED_DELAY_DAYS,
        in_profile=company.IN_PROFILE,
        forward=_forward(),
        reopen=company.REOPEN,
        reopen_after=company.REOPEN_AFTER_DAYS,
        reopen_won=company.REOPEN_WON,
        sigma=company.STAY_SIGMA,
        stays=", ".join(map(str, company.STAY_DAYS)),
        slower=company.LOST_SLOWER,
        back=company.BACK,
        skip=company.SKIP,
        price_sigma=company.MRR_SIGMA,
        smb=company.MRR_MEDIAN["SMB"],
        mid=company.MRR_MEDIAN["Mid"],
        expansions=company.EXPANSION_DEALS,
        renewals=company.RENEWAL_DEALS,
        existing=", ".join(map(str, company.EXISTING_FORWARD)),
        churn=company.CHURN_EVERY_DAYS,
        back_again=company.REACTIVATIONS,
        no_lead_source=_missing(leads, "source"),
        no_source=_missing(deals, "source"),
        no_segment=_missing(deals, "segment"),
        undated=next(deal["deal_id"] for deal in deals if not deal["created_at"]),
    )


def _one_day(deal: Row) -> bool:
    return str(deal["created_at"])[:10] == str(deal["closed_at"])[:10]


def _missing(rows: list[Row], column: str) -> int:
    return sum(row[column] is None for row in rows)


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.2f}" for name, share in shares.items())


def _counts(tables: Tables) -> str:
    lines = ["| file | rows |", "|---|---|"]
    lines += [f"| {name}.csv | {len(rows):,} |" for name, rows in tables.items()]
    kinds = Counter((str(d["deal_type"]), str(d["outcome"])) for d in tables["deals"])
    lines += ["", "| deals | won | lost | open |", "|---|---|---|---|"]
    for kind in ("new", "expansion", "renewal"):
        won, lost, still = (kinds[kind, outcome] for outcome in ("won", "lost", "open"))
        lines.append(f"| {kind} | {won} | {lost} | {still} |")
    converted = sum(lead["converted_at"] is not None for lead in tables["leads"])
    return "\n".join([*lines, "", f"{converted} leads have converted so far."])


def _forward() -> str:
    lines = ["| source | share of leads | converts | Discovery | Assessment | Proposal |"]
    lines[0] += " Negotiation | product |"
    lines.append("|---" * 8 + "|")
    for source, chances in company.FORWARD.items():
        product = chances[0] * chances[1] * chances[2] * chances[3]
        figures = (company.SOURCES[source], company.CONVERSION[source], *chances)
        cells = " | ".join(f"{figure:.2f}" for figure in figures)
        lines.append(f"| {source} | {cells} | {product:.3f} |")
    direct = _shares(company.DIRECT_SOURCES)
    return "\n".join([*lines, "", f"Sources of direct deals: {direct}."])


def _leak(tables: Tables) -> str:
    """Count, for deals that entered Proposal, what became of them before and after the date."""
    entered: dict[str, date] = {}
    beyond: set[str] = set()
    for row in tables["history"]:
        record, stage = str(row["record_id"]), row["stage_id"]
        if stage == company.LEAK_STAGE:
            entered.setdefault(record, date.fromisoformat(str(row["changed_at"])[:10]))
        if stage in ("nego", "won") and record in entered:
            beyond.add(record)
    found: Counter[tuple[bool, bool, str]] = Counter()
    for deal in tables["deals"]:
        record = str(deal["deal_id"])
        if record in entered:
            end = "on" if record in beyond else str(deal["outcome"])
            leaky = deal["source"] == company.LEAK_SOURCE
            found[leaky, entered[record] >= company.LEAK_FROM, end] += 1
    lines = ["| first entered Proposal | went on | lost there | still there |", "|---|---|---|---|"]
    for leaky, late in ((True, False), (True, True), (False, False), (False, True)):
        name = company.LEAK_SOURCE if leaky else "all other sources"
        when = "from" if late else "before"
        cells = " | ".join(str(found[leaky, late, end]) for end in ("on", "lost", "open"))
        lines.append(f"| {name}, {when} {company.LEAK_FROM} | {cells} |")
    return "\n".join(lines)
