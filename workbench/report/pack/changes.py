"""What changed since the last pack, or since any date: KPIs, plan, gap and deals."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from kpi import Snapshot, TableError, board
from kpi.planning import Plan, bridge
from kpi.planning.actuals import filters_of
from workbench import words
from workbench.kpi_tables import SYMBOLS, board_table, unit_text
from workbench.report.pack.changed_deals import moved_deals
from workbench.report.pack.figures import FEW, goal
from workbench.report.pack.remade import in_any_order
from workbench.report.pack.text import clean
from workbench.theme import MISSING, money_text, percent_text, whole_text

MOST = 200
KPIS = ["name", "label", "before", "now", "change", "n"]
PLAN = ["label", "before", "now"]
VERBS = {
    "won": "won",
    "lost": "lost",
    "new": "new",
    "reopened": "reopened",
    "removed": "removed",
    "stage": "at another stage",
    "amount": "with another amount",
}


@dataclass(frozen=True, eq=False)
class Changes:
    """What changed between two days.

    Attributes
    ----------
    since, until : str
        As-of dates, ISO.
    sentence : str
        The change in a sentence.
    kpis : DataFrame
        ``name, label, before, now, change`` as text, and ``n``; only of KPIs that are known on both.
    plan : DataFrame
        ``label, before, now`` as text; without rows where there is no earlier plan.
    bridge : DataFrame
        ``driver, effect`` of `kpi.planning.bridge`; without rows where the plan has not begun.
    moves : DataFrame
        One row per deal that moved: ``deal`` (id), ``what, before, now``; and ``name, owner`` where
        names were asked for.
    notes : tuple of str
        What could not be told, and why.
    unlisted : int
        Deals that moved beyond those in `moves`.
    """

    since: str
    until: str
    sentence: str
    kpis: pd.DataFrame
    plan: pd.DataFrame
    bridge: pd.DataFrame
    moves: pd.DataFrame
    notes: tuple[str, ...] = ()
    unlisted: int = 0


def changes_since(
    plan: Plan,
    snapshot: Snapshot,
    before: Snapshot,
    *,
    earlier: Plan | None = None,
    names: bool = False,
) -> Changes:
    """Compare two days of the same company.

    Parameters
    ----------
    plan : Plan
        The plan of today's pack.
    snapshot, before : Snapshot
        The data today, and as it was known on the earlier day.
    earlier : Plan, optional
        The plan of the earlier pack; the bridge is then its gap.
    names : bool
        Whether names of deals and sellers may be told.

    Returns
    -------
    Changes
        Of KPIs, only what rests on five records or more on both days. Of deals, at most 200, the
        most important first: won, lost, reopened, removed, new, then amounts and stages, the larger
        before the smaller.
    """
    symbol = _symbol(snapshot)
    unlike = "" if earlier is None else _unlike(earlier, plan, snapshot)
    if unlike:
        earlier = None
    gap, why = _gap(plan, earlier or plan, snapshot)
    moves, counted = moved_deals(before, snapshot, symbol, names=names)
    notes = [*([unlike] if unlike else []), *why]
    if len(moves) > MOST:
        notes.append(f"{len(moves) - MOST:,} more deals moved")
    kpis = _kpis(before, snapshot)
    return Changes(
        since=str(before.as_of),
        until=str(snapshot.as_of),
        sentence=_sentence(before, counted, kpis, plan, earlier),
        kpis=kpis,
        plan=_plans(earlier, plan, symbol),
        bridge=gap,
        moves=moves[:MOST],
        notes=tuple(notes),
        unlisted=max(len(moves) - MOST, 0),
    )


def _unlike(earlier: Plan, plan: Plan, snapshot: Snapshot) -> str:
    """Say why the earlier plan cannot be compared with this one; empty where it can."""
    then, now = filters_of(earlier.source), filters_of(snapshot.described)
    if in_any_order(then) != in_any_order(now):
        return f"the earlier plan is not compared: its filters were {then}, now they are {now}"
    if earlier.definitions != plan.definitions:
        return "the earlier plan is not compared: the definitions have changed since"
    if earlier.top != plan.top:
        return f"the earlier plan is not compared: it creates {earlier.top}, this one {plan.top}"
    return ""


def _symbol(snapshot: Snapshot) -> str:
    code = snapshot.definitions.reporting_currency
    return SYMBOLS.get(code, f"{code} ")


def _kpis(before: Snapshot, snapshot: Snapshot) -> pd.DataFrame:
    """KPIs of both days as text; those that rest on too little on one of them are left out."""
    then, now = (_told(each) for each in (before, snapshot))
    both = then.merge(now, on="name", suffixes=("_then", "_now"))
    code = snapshot.definitions.reporting_currency
    rows = []
    for _, row in both.iterrows():
        say = unit_text(row["unit_now"], code)
        apart = row["value_now"] - row["value_then"]
        change = f"{'+' if apart > 0 else ''}{say(apart)}" if abs(apart) > 1e-9 else "the same"
        told = (say(row["value_then"]), say(row["value_now"]), change, int(row["n_now"]))
        rows.append((row["name"], row["label_now"], *told))
    return pd.DataFrame(rows, columns=KPIS)


def _told(snapshot: Snapshot) -> pd.DataFrame:
    table = board(snapshot)
    table["label"] = board_table(table, snapshot.definitions.reporting_currency).index
    known = table["value"].notna() & (table["n"] >= FEW)
    return table.loc[known, ["name", "label", "value", "unit", "n"]]


def _plans(earlier: Plan | None, plan: Plan, symbol: str) -> pd.DataFrame:
    """The earlier plan beside this one, what is the same left out."""
    if earlier is None:
        return pd.DataFrame(columns=PLAN)
    then, now = _said(earlier, symbol), _said(plan, symbol)
    rows = [
        (label, then.get(label, MISSING), text)
        for label, text in now.items()
        if then.get(label) != text
    ]
    return pd.DataFrame(rows, columns=PLAN)


def _said(plan: Plan, symbol: str) -> dict[str, str]:
    labels: Mapping[str, str] = dict(
        plan.table[["stage", "label"]].drop_duplicates().itertuples(index=False)
    )
    found = {
        "Target": f"{goal(plan, symbol)} by {words.day(plan.by)}",
        f"{plan.top.capitalize()} to create": whole_text(plan.to_create),
        "Chance": percent_text(plan.probability),
        "New MRR of a win": money_text(plan.deal_value, symbol),
    }
    steps = {f"Goes on from {clean(labels[s], 40)}": percent_text(r) for s, r in plan.rates.items()}
    return found | steps


def _gap(plan: Plan, earlier: Plan, snapshot: Snapshot) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Bridge of the earlier plan, or why there is none; its effects are in the unit of both."""
    none = pd.DataFrame(columns=["driver", "effect"])
    if earlier.target.kind != plan.target.kind:
        return none, ("no bridge: the earlier plan had another kind of target",)
    try:
        found = bridge(earlier, snapshot)
    except TableError as error:
        return none, (f"no bridge: {error}",)
    return found[["driver", "effect"]], tuple(found.attrs["notes"])


def _sentence(
    before: Snapshot,
    counted: Mapping[str, int],
    kpis: pd.DataFrame,
    plan: Plan,
    earlier: Plan | None,
) -> str:
    parts = [f"{counted[what]:,} {said}" for what, said in VERBS.items() if counted.get(what)]
    deals = f"deals {', '.join(parts)}" if parts else "no deal moved"
    found = [f"Since {words.day(before.as_of)}: {deals}"]
    mrr = kpis[kpis["name"] == "mrr"]
    if len(mrr):
        found.append(f"MRR from {mrr['before'].iloc[0]} to {mrr['now'].iloc[0]}")
    if earlier is not None:
        found.append(
            f"{plan.top} to create from {earlier.to_create:,} to {plan.to_create:,}, the chance from "
            f"{percent_text(earlier.probability)} to {percent_text(plan.probability)}"
        )
    return "; ".join(found) + "."
