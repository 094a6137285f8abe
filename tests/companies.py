"""Small companies for tests: frames built by hand, by seed, or by hypothesis."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from kpi import Definitions, Snapshot

AS_OF = "2026-06-30"
BORN = pd.Timestamp("2026-01-01")
LAST_DAY = 180  # AS_OF, counted from BORN
OPEN = ("S1", "S2", "S3")
PAYERS = {"a0": "p0", "a1": "p0", "a2": "p1"}
ACCOUNTS = pd.DataFrame(PAYERS.items(), columns=["account_id", "billing_account_id"])
SOURCES = ("event", "referral", "website")
DEAL = ("deal_id", "stage_id", "source", "lead_id", "created_at", "closed_at", "amount")
DEAL += ("close_date",)
CHANGE = ("object", "record_id", "stage_id", "changed_at", "close_date")
Frames = dict[str, pd.DataFrame]


def stages(*names: str) -> pd.DataFrame:
    """Stages of one pipeline in order: those called Won and Lost close a deal, the rest are open."""
    opens = names or ("S1", "S2", "S3", "Won", "Lost")
    outcome = {"Won": "won", "Lost": "lost"}
    return pd.DataFrame(
        {
            "object": "deal",
            "stage_id": list(opens),
            "position": range(1, len(opens) + 1),
            "outcome": [outcome.get(name, "open") for name in opens],
        }
    )


def snapshot(frames: Mapping[str, pd.DataFrame], as_of: str = AS_OF, **options: Any) -> Snapshot:
    """Make a snapshot of plain frames; settings of `Definitions` go by their names."""
    settings = {k: v for k, v in options.items() if k in Definitions.__dataclass_fields__}
    rest = {k: v for k, v in options.items() if k not in settings}
    return Snapshot.from_frames(frames, as_of=as_of, definitions=Definitions(**settings), **rest)


def deals_on_paths(paths: Mapping[str, Sequence[str]], gap_days: int = 1) -> Frames:
    """Build deals and history from the stages each deal went through, one move every few days."""
    rows = [
        (deal, stage, BORN + pd.Timedelta(days=gap_days * i))
        for deal, path in paths.items()
        for i, stage in enumerate(path)
    ]
    history = pd.DataFrame(rows, columns=["record_id", "stage_id", "changed_at"])
    deals = pd.DataFrame(
        {
            "deal_id": list(paths),
            "stage_id": [path[-1] for path in paths.values()],
            "created_at": BORN,
        }
    )
    return {"deals": deals, "history": history}


def outcomes(**counts: int) -> pd.DataFrame:
    """Build deals by outcome (``won=3, lost=2, open=1``), closed in February 2026."""
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    closed = [None if kind == "open" else "2026-02-10" for kind in kinds]
    ids = [f"d{i}" for i in range(len(kinds))]
    return pd.DataFrame(
        {"deal_id": ids, "outcome": kinds, "created_at": "2026-01-05", "close_date": closed}
    )


def day(number: int) -> pd.Timestamp:
    """Noon of a day counted from 1 January 2026."""
    return BORN + pd.Timedelta(days=number, hours=12)


def deal_rows(
    deal: str, moves: Sequence[tuple[int, str]], source: str | None, lead: str | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Build one deal and its history; the deal stands as its last move left it."""
    last_day, last = moves[-1]
    closed = day(last_day) if last in ("Won", "Lost") else None
    row = {
        "deal_id": deal,
        "stage_id": last,
        "source": source,
        "lead_id": lead,
        "created_at": day(moves[0][0]),
        "closed_at": closed,
        "amount": 100.0 + moves[0][0],
    }
    changes = [
        {"object": "deal", "record_id": deal, "stage_id": stage, "changed_at": day(at)}
        for at, stage in moves
    ]
    return row, changes


@st.composite
def walks(draw: st.DrawFn, last_day: int = 180) -> list[tuple[int, str]]:
    """Draw a way through the stages: skips, steps back, same-day moves, won, lost or still open."""
    path = draw(st.lists(st.sampled_from(["S1", "S2", "S3"]), min_size=1, max_size=4))
    end = draw(st.sampled_from(["Won", "Lost", None]))
    names = [*path, end] if end else path
    gaps = draw(st.lists(st.integers(0, 40), min_size=len(names), max_size=len(names)))
    days = np.minimum(np.cumsum(gaps), last_day)
    # changes of one day keep their order by the minute
    return [(int(at), name) for at, name in zip(days, names, strict=True)]


@st.composite
def expectations(draw: st.DrawFn, moves: int) -> tuple[list[int | None], bool]:
    """Draw in how many days a deal was expected to close, at each move; whether history records it."""
    ahead = st.lists(st.one_of(st.none(), st.integers(-5, 90)), min_size=moves, max_size=moves)
    return draw(ahead), draw(st.booleans())


def expect(
    row: dict[str, Any],
    moved: Sequence[dict[str, Any]],
    drawn: tuple[Sequence[int | None], bool],
) -> None:
    """Give a deal its expected closing days as they moved; a closed one has the day it closed."""
    ahead, recorded = drawn
    days = [
        None if days is None else change["changed_at"].normalize() + pd.Timedelta(days=days)
        for change, days in zip(moved, ahead, strict=True)
    ]
    if row["closed_at"] is not None:
        days[-1] = row["closed_at"].normalize()
    row["close_date"] = next((at for at in reversed(days) if at is not None), None)
    if recorded:
        for change, at in zip(moved, days, strict=True):
            change["close_date"] = at


@st.composite
def companies(draw: st.DrawFn, at_least: int = 0) -> Frames:
    """Draw a whole small company: leads, deals with history, subscriptions, accounts."""
    sources = st.sampled_from([*SOURCES, None])
    lead_rows, deal_list, changes = [], [], []
    for i in range(draw(st.integers(at_least, 6))):
        born, source = draw(st.integers(0, 150)), draw(sources)
        converts = draw(st.booleans())
        if converts:
            walk = draw(walks())
            shifted = [(min(born + at, 180), stage) for at, stage in walk]
            row, moved = deal_rows(f"from-{i}", shifted, source, f"lead-{i}")
            expect(row, moved, draw(expectations(len(moved))))
            deal_list.append(row)
            changes += moved
        lead_rows.append({"lead_id": f"lead-{i}", "created_at": day(born), "source": source})
    for i in range(draw(st.integers(at_least, 6))):
        row, moved = deal_rows(f"direct-{i}", draw(walks()), draw(sources), None)
        expect(row, moved, draw(expectations(len(moved))))
        deal_list.append(row)
        changes += moved
    owners = ["o1" if i % 2 else "o2" for i in range(len(deal_list))]
    return {
        "stages": stages(),
        "leads": _frame(lead_rows, ["lead_id", "created_at", "source"]),
        "deals": _frame(deal_list, DEAL).assign(owner_id=owners),
        "history": _ordered(_frame(changes, CHANGE)),
        "subscriptions": draw(subscriptions(at_least)),
        "accounts": pd.DataFrame(
            {
                "account_id": [f"a{i}" for i in range(5)],
                "billing_account_id": ["p0", "p0", "p1", "p2", "p3"],
                "region": ["north", "north", "south", "south", None],
            }
        ),
        "costs": costs(),
        "quotas": quotas(),
        "meetings": meetings(lead_rows),
        "suspects": suspects(),
    }


def meetings(leads: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Two meetings of every lead, booked the day after it came: the first is held by every other."""
    rows = [
        {
            "meeting_id": f"{lead['lead_id']}-{k}",
            "lead_id": lead["lead_id"],
            "owner_id": "o1" if i % 2 else "o2",
            "booked_at": lead["created_at"] + pd.Timedelta(days=1 + k),
            "starts_at": lead["created_at"] + pd.Timedelta(days=6 + 9 * k),
            "outcome": "held" if (i + k) % 2 else ("no_show", None)[i % 2],
        }
        for i, lead in enumerate(leads)
        for k in range(2)
    ]
    names = ["meeting_id", "lead_id", "owner_id", "booked_at", "starts_at", "outcome"]
    return _frame(rows, names)


def suspects() -> pd.DataFrame:
    """Contacts that two sellers targeted in January, March and May, and one of nobody."""
    rows = [("o1", 3), ("o1", 9), ("o2", 20), ("o2", 70), ("o1", 140), (None, 141)]
    return pd.DataFrame(
        {
            "suspect_id": [str(i) for i in range(len(rows))],
            "owner_id": [owner for owner, _ in rows],
            "added_at": [day(at) for _, at in rows],
        }
    )


def costs() -> pd.DataFrame:
    """Costs of January to May 2026, some of a channel, one a credit, none in March."""
    rows = [
        (f"2026-{month:02}-01", category, channel, amount)
        for month in (1, 2, 4, 5)
        for category, channel, amount in (
            ("labour", None, 5000.0 + month),
            ("advertising", "Ads", 800.0 * month),
            (None, "Fair", -20.0),
        )
    ]
    return pd.DataFrame(rows, columns=["month", "category", "channel", "amount"])


def quotas() -> pd.DataFrame:
    """Quotas of two sellers: by the month, and by the year for new business only."""
    monthly = [("o1", f"2026-{month:02}-01", "month", None, 300.0) for month in range(1, 8)]
    rows = [*monthly, ("o2", "2026-01-01", "year", "new", 2400.0)]
    return pd.DataFrame(rows, columns=["owner_id", "period_start", "period", "deal_type", "amount"])


@st.composite
def subscriptions(draw: st.DrawFn, at_least: int = 0) -> pd.DataFrame:
    """Draw recurring lines: several a customer, gaps, equal days, some not ended."""
    line = st.tuples(
        st.integers(0, 4),
        st.sampled_from([0.0, 10.0, 25.5, 99.99, 1200.0]),
        st.integers(0, 400),
        st.one_of(st.none(), st.integers(0, 300)),
    )
    drawn = draw(st.lists(line, min_size=at_least, max_size=8))
    first = pd.Timestamp("2025-03-01")
    rows = [
        {
            "subscription_id": f"s{i}",
            "account_id": f"a{who}",
            "mrr": mrr,
            "starts_on": first + pd.Timedelta(days=start),
            "ends_on": None if length is None else first + pd.Timedelta(days=start + length),
        }
        for i, (who, mrr, start, length) in enumerate(drawn)
    ]
    return _frame(rows, ["subscription_id", "account_id", "mrr", "starts_on", "ends_on"])


def customers_at(lines: pd.DataFrame, at: pd.Timestamp) -> dict[str, float]:
    """MRR of each payer with any on that day."""
    found: dict[str, float] = {}
    live = lines[(lines["starts_on"] <= at) & ~(lines["ends_on"] <= at) & (lines["mrr"] > 0)]
    for account, mrr in zip(live["account_id"], live["mrr"], strict=True):
        payer = PAYERS.get(account, account)
        found[payer] = found.get(payer, 0) + mrr
    return found


def lines(*rows: tuple[str, float, str, str | None]) -> pd.DataFrame:
    """Build subscriptions from (account, mrr, first day, first day without)."""
    frame = pd.DataFrame(rows, columns=["account_id", "mrr", "starts_on", "ends_on"])
    return frame.assign(subscription_id=[str(i) for i in range(len(rows))])


def emptied(frames: Mapping[str, pd.DataFrame]) -> Frames:
    """Return the same tables without rows; stages stay, they are settings."""
    return {n: f if n == "stages" else f.iloc[:0] for n, f in frames.items()}


def only(frames: Mapping[str, pd.DataFrame], **wanted: str) -> Frames:
    """Cut leads and deals by hand to those that hold the values; history follows them."""
    cut = dict(frames)
    for column, value in wanted.items():
        for table in ("leads", "deals"):
            cut[table] = cut[table][cut[table][column] == value]
    ids = [*cut["deals"]["deal_id"], *cut["leads"]["lead_id"]]
    cut["history"] = cut["history"][cut["history"]["record_id"].isin(ids)]
    return cut


def known_at(frames: Mapping[str, pd.DataFrame], last: pd.Timestamp) -> Frames:
    """Cut a company by hand to what was known at the end of a day."""
    end = last + pd.Timedelta(days=1)
    history = frames["history"][frames["history"]["changed_at"] < end]
    deals = frames["deals"][frames["deals"]["created_at"] < end].copy()
    stood = history.groupby("record_id")["stage_id"].last()
    deals["stage_id"] = deals["deal_id"].map(stood)
    recorded = frames["history"].dropna(subset="close_date")
    expected = history.dropna(subset="close_date").groupby("record_id")["close_date"].last()
    told = deals["deal_id"].isin(recorded["record_id"])
    # what nobody recorded stands as it is now; the day a deal closed was not known before
    as_now = deals["close_date"].mask(deals["closed_at"] >= end)
    deals["close_date"] = as_now.mask(told, expected.reindex(deals["deal_id"]).to_numpy())
    deals["closed_at"] = deals["closed_at"].where(deals["closed_at"] < end)
    lines = frames["subscriptions"]
    lines = lines[lines["starts_on"] < end].copy()
    lines["ends_on"] = lines["ends_on"].where(lines["ends_on"] < end)
    leads = frames["leads"][frames["leads"]["created_at"] < end]
    cut = {"deals": deals, "history": history, "subscriptions": lines, "leads": leads}
    return dict(frames) | cut


def random_walks(seed: int, count: int) -> Frames:
    """Build deals on random ways by seed, a company large enough to compare with brute force."""
    rng = np.random.default_rng(seed)
    rows, changes = [], []
    for i in range(count):
        path = rng.choice(["S1", "S2", "S3"], rng.integers(1, 5)).tolist()
        path += rng.choice(["Won", "Lost", ""], 1).tolist()
        names = [name for name in path if name]
        born = int(rng.integers(0, 120))
        days = np.minimum(born + np.cumsum(rng.integers(0, 25, len(names))), 180)
        moves = [(int(at), name) for at, name in zip(days, names, strict=True)]
        row, moved = deal_rows(f"d{i}", moves, SOURCES[i % 3], None)
        rows.append(row)
        changes += moved
    return {
        "stages": stages(),
        "deals": pd.DataFrame(rows),
        "history": _ordered(pd.DataFrame(changes)),
    }


def ways(frames: Frames) -> dict[str, list[tuple[int, str]]]:
    """List the way of each deal through the stages: (day since 1 January 2026, stage), in order."""
    history = frames["history"].sort_values("changed_at", kind="stable")
    day = (history["changed_at"].dt.normalize() - BORN).dt.days
    found: dict[str, list[tuple[int, str]]] = {}
    for deal, at, stage in zip(history["record_id"], day, history["stage_id"], strict=True):
        found.setdefault(deal, []).append((int(at), stage))
    return found


def _frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(columns))
    moments = [c for c in columns if c.endswith(("_at", "_on", "_date"))]
    return frame.astype(dict.fromkeys(moments, "datetime64[us]"))


def _ordered(history: pd.DataFrame) -> pd.DataFrame:
    """Give changes of one record and day the minutes that keep their order."""
    minute = history.groupby(["record_id", "changed_at"]).cumcount()
    return history.assign(changed_at=history["changed_at"] + pd.to_timedelta(minute, unit="min"))
