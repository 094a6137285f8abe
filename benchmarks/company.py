"""A made-up company of any size: seeded, skewed, with skips, moves back and reopened deals.

It is a load, not a story: sources differ in size, some stages are skipped, some deals go back or are
reopened after they were lost, and dates reach up to the as-of date so that many records are open.
"""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import around
from benchmarks.around import DAY, Ints, ids, moment

AS_OF = date(2026, 6, 30)
FIRST_DAY = date(2021, 1, 1)
FIRST = np.datetime64(FIRST_DAY, "s").astype("int64")
END = np.datetime64("2026-07-01", "s").astype("int64")
SOURCES = ["website", "referral", "event", "outbound", "partner", "advertising"]
SOURCE_SHARES = [0.42, 0.2, 0.14, 0.12, 0.08, 0.04]
REGIONS = ["north", "south", "east", "west"]
NAMES = ("qualify", "discover", "propose", "negotiate", "commit")
PRODUCTS = ["managed services", "security", "cloud"]
STAYS = (9.0, 14.0, 21.0, 12.0, 16.0)
LOSSES = (0.4, 0.3, 0.25, 0.18, 0.15)
SKIPS, BACK, REOPENED, FORGOTTEN = 0.15, 0.04, 0.04, 0.02
LEFT = {name: sum(STAYS[i:]) for i, name in enumerate(NAMES)} | {"won": 0.0, "lost": 0.0}
"""Days that a deal is expected to take still when it enters a stage."""

Frames = dict[str, pd.DataFrame]


def company(rows: int = 1_000_000, seed: int = 7) -> Frames:
    """Return the tables of a company with about `rows` recorded changes of stage.

    Parameters
    ----------
    rows : int
        About so many rows of history; a quarter as many deals, 0.4 times as many leads and outbound
        contacts, a tenth as many meetings and subscriptions.
    seed : int
        The same seed gives the same company.

    Returns
    -------
    dict of table name to DataFrame
        Canonical names and columns (`kpi.tables`); moments are datetimes in UTC.

    Examples
    --------
    >>> tables = company(2_000)
    >>> sorted(tables)
    ['accounts', 'costs', 'deals', 'history', 'leads', 'meetings', 'owners', 'quotas', 'stages',
     'subscriptions', 'suspects']
    >>> len(tables["deals"]), len(tables["leads"]), len(tables["subscriptions"])
    (500, 800, 200)
    >>> company(2_000)["history"].equals(tables["history"])
    True
    """
    draw, beside = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    n_deals, n_leads = rows // 4, rows * 4 // 10
    accounts, owners = _accounts(draw, max(rows // 25, 10)), around.sellers(rows)
    created = draw.integers(FIRST, END, n_deals)
    moves = _expected(beside, _moves(draw, created))
    deals = _deals(draw, created, moves, accounts)
    deals = deals.assign(**_terms(beside, deals, owners))
    moves["amount"] = deals["amount"].to_numpy()[moves.pop("who")]
    leads, changes = _leads(draw, n_leads, deals, created)
    leads = leads.assign(**_asked(beside, leads, accounts, owners))
    history = pd.concat([moves.assign(object="deal"), changes.assign(object="lead")])
    history = history.sort_values("changed_s", kind="stable", ignore_index=True)
    history["changed_at"] = moment(history.pop("changed_s").to_numpy())
    lines = _subscriptions(draw, rows // 10, accounts)
    first, last = str(FIRST_DAY), str(AS_OF)
    return {
        "stages": _stages(),
        "accounts": accounts,
        "leads": leads,
        "deals": deals,
        "history": history,
        "subscriptions": lines.assign(**around.agreed(beside, lines, np.datetime64(AS_OF))),
        "owners": owners,
        "quotas": around.quotas(owners, first, last),
        "costs": around.costs(beside, n_leads, first, last),
        "meetings": around.meetings(beside, leads, 0.25),
        "suspects": around.suspects(beside, n_leads, owners, int(FIRST), int(END)),
    }


def _stages() -> pd.DataFrame:
    names = [*NAMES, "won", "lost"]
    outcomes = ["open"] * 5 + ["won", "lost"]
    deal = pd.DataFrame({"object": "deal", "stage_id": names, "outcome": outcomes})
    lead = pd.DataFrame(
        {
            "object": "lead",
            "stage_id": ["new", "working", "disqualified"],
            "outcome": ["open", "open", "lost"],
        }
    )
    both = pd.concat([deal, lead], ignore_index=True)
    return both.assign(position=both.groupby("object").cumcount() + 1, label=both["stage_id"])


def _accounts(draw: np.random.Generator, n: int) -> pd.DataFrame:
    own = ids("A", np.arange(n))
    payers = pd.Series(own[draw.integers(0, n // 10 + 1, n)]).where(draw.random(n) < 0.1)
    region = draw.choice(REGIONS, n, p=[0.4, 0.3, 0.2, 0.1])
    return pd.DataFrame({"account_id": own, "billing_account_id": payers, "region": region})


def _moves(draw: np.random.Generator, created: Ints) -> pd.DataFrame:
    """Draw the changes of stage of every deal up to the end: record_id, stage_id, changed_s."""
    n, now, names = len(created), created.copy(), NAMES
    alive = np.ones(n, dtype=bool)
    found: list[tuple[Ints, str, Ints]] = []

    def note(who: NDArray[np.bool_], stage: str) -> None:
        seen = np.flatnonzero(who & (now < END))
        found.append((seen, stage, now[seen].copy()))

    def wait(who: NDArray[np.bool_], days: float) -> None:
        now[who] += (draw.exponential(days * DAY, int(who.sum())) + 60).astype("int64")

    for i, stay in enumerate(STAYS):
        here = alive & ((draw.random(n) >= SKIPS) | (i == 0))
        note(here, names[i])
        wait(here, stay)
        back = here & (i > 0) & (draw.random(n) < BACK)
        note(back, names[i - 1])
        wait(back, stay)
        note(back, names[i])
        wait(back, stay)
        alive &= draw.random(n) >= FORGOTTEN  # stays open, never touched again
        lost = alive & (draw.random(n) < LOSSES[i])
        note(lost, "lost")
        again = lost & (draw.random(n) < REOPENED)
        wait(again, 30)
        note(again, names[i])
        wait(again, stay)
        alive &= ~lost | again
    note(alive, "won")
    who = np.concatenate([part[0] for part in found])
    stage = np.repeat([part[1] for part in found], [len(part[0]) for part in found])
    at = np.concatenate([part[2] for part in found])
    return pd.DataFrame(
        {"record_id": ids("D", who), "who": who, "stage_id": stage, "changed_s": at}
    )


def _expected(draw: np.random.Generator, moves: pd.DataFrame) -> pd.DataFrame:
    """Add the closing day that was expected at each change: some hope for less time, some for more."""
    left = moves["stage_id"].map(LEFT).to_numpy() * draw.lognormal(0, 0.5, len(moves))
    day = moves["changed_s"].to_numpy() // DAY + left.astype("int64")
    return moves.assign(close_date=day.astype("datetime64[D]").astype("datetime64[s]"))


def _terms(draw: np.random.Generator, deals: pd.DataFrame, owners: pd.DataFrame) -> dict[str, Any]:
    """Who sells a deal, what is sold, and for how long."""
    n, recurring = len(deals), draw.random(len(deals)) < 0.7
    return {
        "owner_id": draw.choice(owners["owner_id"].to_numpy(), n),
        "product": draw.choice(PRODUCTS, n, p=[0.6, 0.25, 0.15]),
        "mrr": (deals["amount"] / 12).round(2).where(recurring),
        "term_months": draw.choice([12.0, 24.0, 36.0], n),
        "margin": (deals["amount"] * draw.uniform(0.2, 0.6, n)).round(2),
    }


def _asked(
    draw: np.random.Generator, leads: pd.DataFrame, accounts: pd.DataFrame, owners: pd.DataFrame
) -> dict[str, Any]:
    """Who works a lead, its company, and whether it is one of those looked for."""
    n = len(leads)
    return {
        "owner_id": draw.choice(owners["owner_id"].to_numpy(), n),
        "account_id": draw.choice(accounts["account_id"].to_numpy(), n),
        "in_profile": draw.random(n) < 0.4,
    }


def _deals(
    draw: np.random.Generator, created: Ints, moves: pd.DataFrame, accounts: pd.DataFrame
) -> pd.DataFrame:
    n = len(created)
    deals = pd.DataFrame({"deal_id": ids("D", np.arange(n)), "created_at": moment(created)})
    last = moves.sort_values("changed_s", kind="stable").drop_duplicates("record_id", keep="last")
    deals = deals.merge(last, left_on="deal_id", right_on="record_id", how="left")
    closed = deals["stage_id"].isin(["won", "lost"])
    at = pd.Series(moment(deals["changed_s"].to_numpy()), index=deals.index)
    deals["closed_at"] = at.where(closed)
    deals["source"] = draw.choice(SOURCES, n, p=SOURCE_SHARES)
    deals["account_id"] = draw.choice(accounts["account_id"].to_numpy(), n)
    deals["deal_type"] = draw.choice(["new", "expansion", "renewal"], n, p=[0.8, 0.15, 0.05])
    deals["amount"] = np.where(draw.random(n) < 0.9, draw.lognormal(9, 1, n).round(2), np.nan)
    deals.loc[draw.random(n) < 0.01, "created_at"] = pd.NaT
    return deals.drop(columns=["record_id", "who", "changed_s"])


def _leads(
    draw: np.random.Generator, n: int, deals: pd.DataFrame, created: Ints
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leads, six in ten deals coming from one of them, and their recorded changes of stage."""
    from_lead = np.flatnonzero(draw.random(len(deals)) < 0.6)[:n]
    came = draw.integers(FIRST, END, n)
    first = came[: len(from_lead)]
    first[:] = created[from_lead] - draw.exponential(20 * DAY, len(from_lead)).astype("int64")
    own = ids("L", np.arange(n))
    deal_id = np.full(n, None, dtype=object)
    deal_id[: len(from_lead)] = deals["deal_id"].to_numpy()[from_lead]
    source = draw.choice(SOURCES, n, p=SOURCE_SHARES)
    source[: len(from_lead)] = deals["source"].to_numpy()[from_lead]
    end = came + draw.exponential(25 * DAY, n).astype("int64")
    dropped = (draw.random(n) < 0.75) & (deal_id == None) & (end < END)  # noqa: E711 - elementwise
    working = draw.random(n) < 0.1
    stage = np.where(dropped, "disqualified", np.where(working, "working", "new"))
    leads = pd.DataFrame(
        {
            "lead_id": own,
            "created_at": moment(came),
            "source": source,
            "stage_id": stage,
            "deal_id": deal_id,
        }
    )
    began = pd.DataFrame({"record_id": own[working], "stage_id": "working"})
    began["changed_s"] = came[working]
    over = pd.DataFrame({"record_id": own[dropped], "stage_id": "disqualified"})
    over["changed_s"] = end[dropped]
    return leads, pd.concat([began, over], ignore_index=True)


def _subscriptions(draw: np.random.Generator, n: int, accounts: pd.DataFrame) -> pd.DataFrame:
    """Lines of service; some end, and a customer may come back with a later one."""
    day = np.datetime64("2021-01-01") + draw.integers(0, 1_990, n).astype("timedelta64[D]")
    length = draw.exponential(900, n).astype("int64") + 30
    ends = pd.Series(day + length.astype("timedelta64[D]"))
    return pd.DataFrame(
        {
            "subscription_id": ids("S", np.arange(n)),
            "account_id": draw.choice(accounts["account_id"].to_numpy(), n),
            "mrr": draw.lognormal(6, 1, n).round(2),
            "starts_on": pd.Series(day),
            "ends_on": ends.where((draw.random(n) < 0.6) & (ends < np.datetime64(AS_OF))),
        }
    )
