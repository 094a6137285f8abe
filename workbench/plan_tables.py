"""Levers, plans tracked, gaps explained and funnels run forwards, as people read them."""

import pandas as pd

from workbench.tables import each
from workbench.theme import MISSING, money_text, percent_text, whole_text

MARKS = {"above": " ▲", "below": " ▼", "too early": " …"}
HISTORY = {True: "yes", False: "never"}


def lever_table(found: pd.DataFrame) -> pd.DataFrame:
    """`kpi.planning.levers`: what each lever must come to, and whether it ever was there."""
    shown = pd.DataFrame(
        {
            "lever": found["label"],
            "now": [_in_unit(r.current, r.unit) for r in each(found)],
            "needed": [_in_unit(r.needed, r.unit) for r in each(found)],
            "change": [_change(r.change) for r in each(found)],
            "seen before": [
                MISSING if pd.isna(r.within_history) else HISTORY[bool(r.within_history)]
                for r in each(found)
            ],
            "past periods": [_span(r.low, r.high, r.unit) for r in each(found)],
            "cost": [money_text(r.cost, "") for r in each(found)],
            "note": found["note"],
        }
    )
    return shown.set_index("lever").rename_axis(index=None, columns="lever")


def track_table(tracked: pd.DataFrame) -> pd.DataFrame:
    """`kpi.planning.track`: actual of planned, a mark only outside what chance explains."""
    begun = tracked[tracked["actual"].notna()]
    said = begun.assign(said=[track_text(row) for row in each(begun)])
    wide = said.pivot_table(
        index="stage", columns="month", values="said", aggfunc="first", sort=False
    )
    labels = tracked.drop_duplicates("stage").set_index("stage")["label"]
    wide.index = pd.Index([labels[stage] for stage in wide.index])
    wide.columns = pd.Index([f"{month:%b %Y}" for month in wide.columns], name="actual / plan")
    return wide


def track_text(row: object) -> str:
    """One month of one stage: ``24 / 27.0 ▼``."""
    actual, plan, status = row.actual, row.plan, row.status  # type: ignore[attr-defined]
    return f"{actual:,.0f} / {plan:,.1f}{MARKS.get(status, '')}"


def bridge_table(found: pd.DataFrame, kind: str) -> pd.DataFrame:
    """`kpi.planning.bridge`: what was planned by the day, each cause, and what came."""
    money = kind != "wins"
    rows = {
        "plan by then": level(found.attrs["plan"], money=money),
        **{str(r.driver): signed(r.effect, money=money) for r in each(found)},
        "actual": level(found.attrs["actual"], money=money),
    }
    frame = pd.DataFrame({"effect": list(rows.values())}, index=pd.Index(list(rows)))
    return frame.rename_axis(columns="driver")


def signed(effect: float, *, money: bool) -> str:
    """Write an effect with its sign: ``+2.1``, ``−$3.1K``."""
    text = _amount(effect, money=money)
    return text if effect < 0 or text.strip("0.") == "" else f"+{text}"


def level(amount: float, *, money: bool) -> str:
    """Write an amount: ``29``, ``33.2``, ``214K``."""
    return (
        f"{amount:,.0f}" if not money and amount == round(amount) else _amount(amount, money=money)
    )


def bottoms_up_table(table: pd.DataFrame) -> pd.DataFrame:
    """`kpi.planning.bottoms_up`: the lag indicators by month, with the sums of what flows."""
    shown = pd.DataFrame({"month": [f"{month:%b %Y}" for month in table["month"]]})
    shown["leads"] = [whole_text(v) for v in table["leads"]]
    for name in ("opportunities", "wins"):
        shown[name] = [f"{v:,.1f}" for v in table[name]]
    for name, label in {"new_mrr": "new MRR", "mrr": "MRR at the end"}.items():
        shown[label] = [money_text(v, "") for v in table[name]]
    total = [
        whole_text(table["leads"].sum()),
        *(f"{table[name].sum():,.1f}" for name in ("opportunities", "wins")),
        money_text(table["new_mrr"].sum(), ""),
        money_text(table["mrr"].iloc[-1], ""),
    ]
    shown.loc[len(shown)] = ["total", *total]
    return shown.set_index("month").rename_axis(index=None, columns="month")


def _amount(value: float, *, money: bool) -> str:
    if money:
        return money_text(value, "")
    size = f"{abs(value):,.1f}"
    return f"−{size}" if value < 0 and size.strip("0.") else size


def _in_unit(value: float, unit: str) -> str:
    if pd.isna(value):
        return MISSING
    if unit.startswith("share"):
        return percent_text(value) + unit.removeprefix("share")
    return f"{value:,.0f} {unit}" if abs(value) >= 10 else f"{value:,.2f} {unit}"


def _span(low: float, high: float, unit: str) -> str:
    if pd.isna(low):
        return MISSING
    return f"{_in_unit(low, unit).removesuffix(unit).rstrip()} to {_in_unit(high, unit)}"


def _change(value: float) -> str:
    if pd.isna(value):
        return MISSING
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{percent_text(abs(value))}"
