"""Deals that moved between two days, by id: won, lost, reopened, removed, new, or changed."""

import re
from collections.abc import Mapping
from typing import Any

import narwhals as nw
import pandas as pd

from kpi import Snapshot
from kpi.engine import collect
from workbench.report.pack.text import clean
from workbench.theme import MISSING, money_text

ORDER = ("won", "lost", "reopened", "removed", "new", "amount", "stage")
SHOWN = ["deal", "what", "before", "now"]
COLUMNS = ("deal_id", "pipeline_id", "stage_id", "outcome", "amount")
CENT = 0.005
_MAIL = re.compile(r"@\S+")  # a name may hold an address, which no file of a pack does


def moved_deals(
    before: Snapshot, snapshot: Snapshot, symbol: str, *, names: bool
) -> tuple[pd.DataFrame, Mapping[str, int]]:
    """List the deals that moved, and count them by what they did.

    Parameters
    ----------
    before, snapshot : Snapshot
        The earlier day and today.
    symbol : str
        In front of money.
    names : bool
        Whether to add ``name`` and ``owner``.

    Returns
    -------
    DataFrame and mapping
        ``deal`` (id), ``what`` (won, lost, reopened, removed, new, amount, stage: the first that is
        true), ``before, now`` (stage, or amount where that is what moved; an en dash where there is
        none); the most important first. Count by ``what``.
    """
    then, now = _deals(before), _deals(snapshot)
    both = then.merge(now, on="deal_id", how="outer", suffixes=("_then", "_now"), indicator=True)
    both["what"] = _what(both)
    moved = both[both["what"].notna()].copy()
    moved["rank"] = moved["what"].map({what: place for place, what in enumerate(ORDER)})
    moved["size"] = moved["amount_now"].fillna(moved["amount_then"]).fillna(0.0)
    moved = moved.sort_values(["rank", "size", "deal_id"], ascending=[True, False, True])
    found = pd.DataFrame({"deal": moved["deal_id"], "what": moved["what"]})
    for side, when in (("then", before), ("now", snapshot)):
        labels = _labels(when)
        found["before" if side == "then" else "now"] = [
            _text(row, side, labels, symbol) for _, row in moved.iterrows()
        ]
    found = found[SHOWN].reset_index(drop=True)
    counted = {str(what): int(n) for what, n in found["what"].value_counts().items()}
    return (_named(found, snapshot, before) if names else found), counted


def _deals(snapshot: Snapshot) -> pd.DataFrame:
    table = snapshot.deals.lazy()
    there = table.collect_schema().names()
    found = collect(table.select([name for name in COLUMNS if name in there]))
    return found.reindex(columns=list(COLUMNS))


def _what(both: pd.DataFrame) -> "pd.Series[str]":
    """The first thing that is true of a deal; missing where it did not move."""
    left, right = both["_merge"] == "left_only", both["_merge"] == "right_only"
    then, now = both["outcome_then"], both["outcome_now"]
    apart = (both["amount_now"].fillna(0.0) - both["amount_then"].fillna(0.0)).abs() > CENT
    place = both["stage_id_then"].fillna("") != both["stage_id_now"].fillna("")
    found = pd.Series(pd.NA, both.index, dtype="object")
    for what, true in (
        ("stage", place),
        ("amount", apart),
        ("new", right),
        ("removed", left),
        ("reopened", (now == "open") & then.isin(["won", "lost"])),
        ("lost", (now == "lost") & (then != "lost")),
        ("won", (now == "won") & (then != "won")),
    ):
        found[true.fillna(value=False).astype(bool)] = what
    return found


def _labels(snapshot: Snapshot) -> dict[tuple[str, str], str]:
    if "stages" not in snapshot.present:
        return {}
    rows = collect(snapshot.stages.lazy().filter(nw.col("object") == "deal"))
    keys = zip(
        rows["pipeline_id"].fillna("").astype(str), rows["stage_id"].astype(str), strict=True
    )
    return dict(zip(keys, rows["label"].astype(str), strict=True))


def _text(
    row: "pd.Series[Any]", side: str, labels: Mapping[tuple[str, str], str], symbol: str
) -> str:
    missing = row["_merge"] == ("right_only" if side == "then" else "left_only")
    if missing:
        return MISSING
    if row["what"] == "amount":
        amount = row[f"amount_{side}"]
        return MISSING if pd.isna(amount) else money_text(float(amount), symbol)
    stage = row[f"stage_id_{side}"]
    if pd.isna(stage):
        return clean(str(row[f"outcome_{side}"]), 40)
    pipeline = row[f"pipeline_id_{side}"]
    key = ("" if pd.isna(pipeline) else str(pipeline), str(stage))
    return clean(labels.get(key, str(stage)), 40)


def _named(found: pd.DataFrame, snapshot: Snapshot, before: Snapshot) -> pd.DataFrame:
    """Add the deals' names and their owners'."""
    deals = pd.concat([each.deals.to_pandas() for each in (before, snapshot)])
    deals = deals.drop_duplicates("deal_id", keep="last").set_index("deal_id")
    owners: dict[str, str] = {}
    if "owners" in snapshot.present:
        people = snapshot.owners.to_pandas()
        owners = dict(zip(people["owner_id"], people["name"], strict=True))
    told = deals.reindex(found["deal"])
    return found.assign(
        name=[_said(name) for name in told["name"]],
        owner=[_said(owners.get(owner)) for owner in told["owner_id"]],
    )


def _said(name: object) -> str:
    return MISSING if name is None or pd.isna(name) else _MAIL.sub("@…", clean(str(name)))  # type: ignore[call-overload]
