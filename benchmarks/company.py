"""A made-up company of any size: seeded, skewed, with skips, moves back and reopened deals.

It is a load, not a story: sources differ in size, some stages are skipped, some deals go back or are
reopened after they were lost, and dates reach up to the as-of date so that many records are open.
"""

from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

AS_OF = date(2026, 6, 30)
FIRST = np.datetime64("2021-01-01", "s").astype("int64")
END = np.datetime64("2026-07-01", "s").astype("int64")
DAY = 86_400
SOURCES = ["website", "referral", "event", "outbound", "partner", "advertising"]
SOURCE_SHARES = [0.42, 0.2, 0.14, 0.12, 0.08, 0.04]
REGIONS = ["north", "south", "east", "west"]
STAYS = (9.0, 14.0, 21.0, 12.0, 16.0)
LOSSES = (0.4, 0.3, 0.25, 0.18, 0.15)
SKIPS, BACK, REOPENED, FORGOTTEN = 0.15, 0.04, 0.04, 0.02

Ints = NDArray[np.int64]
Frames = dict[str, pd.DataFrame]


def company(rows: int = 1_000_000, seed: int = 7) -> Frames:
    """Return the tables of a company with about `rows` recorded changes of stage.

    Parameters
    ----------
    rows : int
        About so many rows of history; a quarter as many deals, 0.4 times as many leads, a tenth as
        many subscriptions.
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
    ['accounts', 'deals', 'history', 'leads', 'stages', 'subscriptions']
    >>> len(tables["deals"]), len(tables["leads"]), len(tables["subscriptions"])
    (500, 800, 200)
    >>> company(2_000)["history"].equals(tables["history"])
    True
    """
    draw = np.random.default_rng(seed)
    n_deals, n_leads = rows // 4, rows * 4 // 10
    accounts = _accounts(draw, max(rows // 25, 10))
    created = draw.integers(FIRST, END, n_deals)
    moves = _moves(draw, created)
    deals = _deals(draw, created, moves, accounts)
    leads, changes = _leads(draw, n_leads, deals, created)
    history = pd.concat([moves.assign(object="deal"), changes.assign(object="lead")])
    history = history.sort_values("changed_s", kind="stable", ignore_index=True)
    history["changed_at"] = _moment(history.pop("changed_s").to_numpy())
    return {
        "stages": _stages(),
        "accounts": accounts,
        "leads": leads,
        "deals": deals,
        "history": history,
        "subscriptions": _subscriptions(draw, rows // 10, accounts),
    }


def _stages() -> pd.DataFrame:
    names = ["qualify", "discover", "propose", "negotiate", "commit", "won", "lost"]
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
    ids = _ids("A", np.arange(n))
    payers = pd.Series(ids[draw.integers(0, n // 10 + 1, n)]).where(draw.random(n) < 0.1)
    region = draw.choice(REGIONS, n, p=[0.4, 0.3, 0.2, 0.1])
    return pd.DataFrame({"account_id": ids, "billing_account_id": payers, "region": region})


def _moves(draw: np.random.Generator, created: Ints) -> pd.DataFrame:
    """Draw the changes of stage of every deal up to the end: record_id, stage_id, changed_s."""
    n, now = len(created), created.copy()
    alive = np.ones(n, dtype=bool)
    names = _stages()["stage_id"].tolist()
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
    return pd.DataFrame({"record_id": _ids("D", who), "stage_id": stage, "changed_s": at})


def _deals(
    draw: np.random.Generator, created: Ints, moves: pd.DataFrame, accounts: pd.DataFrame
) -> pd.DataFrame:
    n = len(created)
    deals = pd.DataFrame({"deal_id": _ids("D", np.arange(n)), "created_at": _moment(created)})
    last = moves.sort_values("changed_s", kind="stable").drop_duplicates("record_id", keep="last")
    deals = deals.merge(last, left_on="deal_id", right_on="record_id", how="left")
    closed = deals["stage_id"].isin(["won", "lost"])
    at = pd.Series(_moment(deals["changed_s"].to_numpy()), index=deals.index)
    deals["closed_at"] = at.where(closed)
    deals["source"] = draw.choice(SOURCES, n, p=SOURCE_SHARES)
    deals["owner_id"] = _ids("O", draw.integers(0, 40, n))
    deals["account_id"] = draw.choice(accounts["account_id"].to_numpy(), n)
    deals["deal_type"] = draw.choice(["new", "expansion", "renewal"], n, p=[0.8, 0.15, 0.05])
    deals["amount"] = np.where(draw.random(n) < 0.9, draw.lognormal(9, 1, n).round(2), np.nan)
    deals.loc[draw.random(n) < 0.01, "created_at"] = pd.NaT
    return deals.drop(columns=["record_id", "changed_s"])


def _leads(
    draw: np.random.Generator, n: int, deals: pd.DataFrame, created: Ints
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leads, six in ten deals coming from one of them, and their recorded changes of stage."""
    from_lead = np.flatnonzero(draw.random(len(deals)) < 0.6)[:n]
    came = draw.integers(FIRST, END, n)
    first = came[: len(from_lead)]
    first[:] = created[from_lead] - draw.exponential(20 * DAY, len(from_lead)).astype("int64")
    ids = _ids("L", np.arange(n))
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
            "lead_id": ids,
            "created_at": _moment(came),
            "source": source,
            "stage_id": stage,
            "deal_id": deal_id,
        }
    )
    began = pd.DataFrame({"record_id": ids[working], "stage_id": "working"})
    began["changed_s"] = came[working]
    over = pd.DataFrame({"record_id": ids[dropped], "stage_id": "disqualified"})
    over["changed_s"] = end[dropped]
    return leads, pd.concat([began, over], ignore_index=True)


def _subscriptions(draw: np.random.Generator, n: int, accounts: pd.DataFrame) -> pd.DataFrame:
    """Lines of service; some end, and a customer may come back with a later one."""
    day = np.datetime64("2021-01-01") + draw.integers(0, 1_990, n).astype("timedelta64[D]")
    length = draw.exponential(900, n).astype("int64") + 30
    ends = pd.Series(day + length.astype("timedelta64[D]"))
    return pd.DataFrame(
        {
            "subscription_id": _ids("S", np.arange(n)),
            "account_id": draw.choice(accounts["account_id"].to_numpy(), n),
            "mrr": draw.lognormal(6, 1, n).round(2),
            "starts_on": pd.Series(day),
            "ends_on": ends.where((draw.random(n) < 0.6) & (ends < np.datetime64(AS_OF))),
        }
    )


def _ids(letter: str, numbers: Ints) -> NDArray[np.object_]:
    return (letter + pd.Series(numbers).astype("str").str.zfill(7)).to_numpy(dtype=object)


def _moment(seconds: Ints) -> pd.DatetimeIndex:
    return pd.to_datetime(seconds, unit="s", utc=True)
