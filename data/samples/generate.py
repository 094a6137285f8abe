"""Write the sample company: ``python data/samples/generate.py [OUT_DIR]``.

Writes the canonical tables as CSV, ``as_of.txt``, ``definitions.toml`` and ``README.md`` into
OUT_DIR (default: the folder of this script). The output is the same, byte by byte, on every run.
"""

import csv
import sys
from datetime import date, datetime
from pathlib import Path

import around
from about import DEFINITIONS, readme
from chance import AS_OF, Chance
from company import EARLIER_CUSTOMERS, LEAK_SOURCE
from customers import Customer, make_customers
from funnel import make_deals, make_leads
from naming import Names
from records import Row, Sample
from trail import deal_changes, deal_row, history_rows, lead_changes, lead_row

Tables = dict[str, list[Row]]


def simulate() -> Sample:
    """Draw the company, then number its records in order of time."""
    names = Names()
    leads = make_leads()
    deals = make_deals(leads, names)
    won = [deal for deal in deals if deal.outcome == "won"]
    customers, existing = make_customers(won, names)
    deals = sorted(deals + existing, key=lambda deal: deal.created_at)
    return _numbered(Sample(leads=leads, deals=deals), customers)


def _numbered(sample: Sample, customers: list[Customer]) -> Sample:
    earlier = [c.account for c in customers[:EARLIER_CUSTOMERS]]
    sample.accounts = earlier + [deal.account for deal in sample.deals if deal.deal_type == "new"]
    sample.subscriptions = [line for customer in customers for line in customer.lines]
    sample.subscriptions.sort(key=lambda line: line.starts_on)
    for number, account in enumerate(sample.accounts, 1):
        account.account_id = f"A-{number:03d}"
    for number, deal in enumerate(sample.deals, 1):
        deal.deal_id = f"D-{number:04d}"
    for number, line in enumerate(sample.subscriptions, 1):
        line.subscription_id = f"R-{number:03d}"
    for number, lead in enumerate(sample.leads, 1):
        lead.lead_id = f"L-{number:05d}"
        if lead.deal:
            lead.deal.lead_id = lead.lead_id
    return sample


def tables(sample: Sample) -> Tables:
    """Write every canonical table as rows, columns in the order of the contract."""
    chance = Chance("rows")
    leads = [(lead, lead_changes(lead)) for lead in sample.leads]
    deals = [(deal, deal_changes(chance, deal)) for deal in sample.deals]
    history = [r for lead, made in leads for r in history_rows("lead", lead.lead_id, made)]
    history += [r for deal, made in deals for r in history_rows("deal", deal.deal_id, made)]
    return {
        "stages": around.stage_rows(),
        "leads": _gaps([lead_row(*pair) for pair in leads]),
        "deals": _gaps([deal_row(chance, *pair) for pair in deals]),
        "history": history,
        "meetings": around.meeting_rows(sample.leads, sample.deals),
        "owners": around.owner_rows(),
        "accounts": around.account_rows(sample.accounts),
        "subscriptions": around.subscription_rows(sample.subscriptions),
        "suspects": around.suspect_rows(),
        "costs": around.cost_rows(sample.deals),
        "quotas": around.quota_rows(),
        "rates": around.rate_rows(),
    }


def _gaps(rows: list[Row]) -> list[Row]:
    """Leave a few values out, as a real export does; never of paid search, which has the leak."""
    kept = [row for row in rows if row["source"] != LEAK_SOURCE]
    for row in kept[40::150]:
        row["source"] = None
    for row in kept[25::45]:
        if "segment" in row:
            row["segment"] = None
    direct = [r for r in kept if "segment" in r and r["lead_id"] is None and r["closed_at"]]
    for row in direct[5:6]:
        row["created_at"] = None
    return rows


def write(folder: Path) -> None:
    """Write every file of the sample into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = tables(simulate())
    for name, rows in written.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(rows[0])
            writer.writerows([_text(value) for value in row.values()] for row in rows)
    texts = {"as_of.txt": f"{AS_OF}\n", "definitions.toml": DEFINITIONS}
    for name, text in (texts | {"README.md": readme(written)}).items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _text(value: object) -> str:
    """Write one value: missing as nothing, moments in UTC to the minute, two decimals."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%MZ")
    if isinstance(value, date):
        return value.isoformat()
    return f"{value:.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
