"""KPI tables and plans as people read them: rounded, labelled, missing said in words."""

from collections.abc import Iterator
from typing import Any, get_args

import pandas as pd

from connectors.check_report import CheckReport
from connectors.sync_report import SyncReport
from kpi import Snapshot, stage_conversion
from kpi.funnel.conversion import Mode
from kpi.planning import FunnelModel, Plan
from workbench.theme import MISSING, money_text, percent_text, whole_text

RULES = {
    "furthest": "furthest reached",
    "all": "every stage in order",
    "any": "any stage",
    "linear": "linear",
}

CENT = 0.005


def rate_table(table: pd.DataFrame) -> pd.DataFrame:
    """Any KPI table of shares: the groups, then the rate, its interval, its counts and note."""
    groups = [c for c in table.columns if c not in _NUMBERS]
    shown = table[groups].copy()
    for column in groups:
        if pd.api.types.is_datetime64_any_dtype(shown[column]):
            shown[column] = shown[column].dt.strftime("%b %Y")
        else:
            shown[column] = shown[column].astype("object").where(shown[column].notna(), "(none)")
    shown["rate"] = [percent_text(v) for v in table["value"]]
    shown["95% interval"] = [_interval(r.low, r.high) for r in each(table)]
    shown["counts"] = [f"{r.x:,} of {r.n:,}" for r in each(table)]
    shown["note"] = table["note"]
    return shown.pipe(_headed, groups[0]) if groups else shown


def conversion_table(table: pd.DataFrame) -> pd.DataFrame:
    """`kpi.stage_conversion`: what the CRM's report would show, and what follows open deals."""
    columns = ["label", "value", "low", "high", "x", "n", "note"]
    shown = rate_table(table[columns].rename(columns={"label": "stage"}))
    shown.insert(0, "deals reached", [whole_text(v) for v in table["reached"]])
    shown.insert(1, "plain ratio", [percent_text(v) for v in table["rate"]])
    return shown.rename(columns={"rate": "went further"})


def days_table(table: pd.DataFrame) -> pd.DataFrame:
    """`kpi.stage_days`: the median stay with its interval, and the mean other tools show."""
    return pd.DataFrame(
        {
            "stage": table["label"],
            "median days": [whole_text(v) for v in table["value"]],
            "95% interval": [_days(r.low, r.high) for r in each(table)],
            "visits": [f"{r.x:,} of {r.n:,} completed" for r in each(table)],
            "mean of completed": [_one(v) for v in table["mean_completed"]],
            "note": table["note"],
        }
    ).pipe(_headed, "stage")


def movement_table(table: pd.DataFrame, symbol: str = "$") -> pd.DataFrame:
    """`kpi.mrr_movements` by period, money short."""
    money = ["start", "new", "expansion", "reactivation", "contraction", "churn", "end"]
    shown = pd.DataFrame({"period": table["period"].dt.strftime("%b %Y")})
    for column in money:
        shown[column] = [money_text(v, symbol) for v in table[column]]
    return shown.assign(customers=table["x"], note=table["note"]).pipe(_headed, "period")


def plan_table(plan: Plan) -> pd.DataFrame:
    """What the plan needs, one row per stage and one column per month, with the total."""
    months = [f"{month:%b %Y}" for month in plan.table["month"].unique()]
    top = plan.table["stage"].iloc[0]
    rows: dict[str, list[float]] = {}
    labels = dict(zip(plan.table["stage"], plan.table["label"], strict=True))
    for stage, need in zip(plan.table["stage"], plan.table["need"], strict=True):
        rows.setdefault(stage, []).append(need)
    shown = [
        [write(need) for need in (*needs, sum(needs))]
        for stage, needs in rows.items()
        for write in [whole_text if stage == top else _one]
    ]
    named = pd.Index([labels[stage] for stage in rows])
    return pd.DataFrame(shown, index=named, columns=pd.Index([*months, "total"], name="stage"))


def credit_table(plan: Plan) -> pd.DataFrame:
    """Where the wins come from, each credited once."""
    total = plan.from_pipeline + plan.from_direct + plan.from_new
    rows = {
        f"{'deals' if plan.total_leads is None else 'leads and deals'} open now": plan.from_pipeline,
        "direct deals (without a lead), yet to come": plan.from_direct,
        f"{plan.top} this plan creates": plan.from_new,
        "expected in all": total,
    }
    return pd.DataFrame({"wins": [_one(v) for v in rows.values()]}, index=pd.Index(list(rows)))


def chance_table(plan: Plan) -> pd.DataFrame:
    """What the same target takes for a 50, 80 and 90 % chance."""
    return pd.DataFrame(
        {
            "chance": [percent_text(q) for q in plan.needs],
            f"{plan.top} to create": [whole_text(n) for n in plan.needs.values()],
        }
    ).pipe(_headed, "chance")


def sync_table(report: SyncReport) -> pd.DataFrame:
    """What a sync did, one row per table; columns in which nothing happened are left out."""
    counts = report.counts.set_index("table").rename(columns={"rows": "in the store"})
    shown = counts.loc[:, (counts != 0).any() | (counts.columns == "in the store")]
    return shown.map(whole_text).rename_axis(index=None, columns="table")


def access_table(check: CheckReport) -> pd.DataFrame:
    """What the token may read, object by object, and the scope it takes."""
    words = {"": "yes", "scope": "NO", "absent": "not in this account"}
    shown = check.access.assign(**{"may read": check.access["why"].map(words)})
    return shown[["object", "may read", "scope"]].pipe(_headed, "object")


def pipelines_table(check: CheckReport) -> pd.DataFrame:
    """The deal pipelines: how many stages, and which of them mean won and lost."""
    shown = check.pipelines[["label", "stages", "won", "lost"]].rename(
        columns={"label": "pipeline"}
    )
    return shown.fillna(MISSING).pipe(_headed, "pipeline")


def problems_table(problems: pd.DataFrame) -> pd.DataFrame:
    """What could not come as it was, counted by reason, the most frequent first."""
    if problems.empty:
        return pd.DataFrame({"rows": ["0"]}, index=["no row and no value was rejected"])
    keys = ["table", "column", "reason", "action"]
    counted = problems.groupby(keys, dropna=False).size().sort_values(ascending=False)
    shown = counted.rename("rows").reset_index()
    return shown.assign(rows=[whole_text(v) for v in shown["rows"]]).pipe(_headed, "table")


def reconciliation_table(check: CheckReport) -> pd.DataFrame:
    """How far the store agrees with the account: records, and amounts by outcome."""
    rows = [
        [f"{name}, records", whole_text(theirs), whole_text(ours), off]
        for name, theirs, ours, off in check.counts.itertuples(index=False)
    ]
    for outcome in ("won", "open") if len(check.amounts) else ():
        part = check.amounts[check.amounts["outcome"] == outcome]
        theirs, ours = part[f"{check.source}_amount"].sum(), part["store_amount"].sum()
        off = int((part["difference"].abs() >= CENT).sum())
        rows.append([f"deals {outcome}, amount", f"{theirs:,.0f}", f"{ours:,.0f}", off])
    columns = ["", f"in {check.crm}", "in the store", "differences"]
    return pd.DataFrame(rows, columns=columns).pipe(_headed, "")


def quality_table(quality: pd.DataFrame) -> pd.DataFrame:
    """`kpi.data_quality`: the checks that list records, the most frequent first."""
    listed = quality[quality["x"] > 0].sort_values("x", ascending=False)
    shown = pd.DataFrame(
        {
            "records": listed["table"] + ": " + listed["meaning"],
            "count": [f"{row.x:,} of {row.n:,}" for row in each(listed)],
            "share": [percent_text(v) for v in listed["value"]],
            "for example": [", ".join(ids[:3]) for ids in listed["ids"]],
        }
    )
    return shown.pipe(_headed, "records")


def each(table: pd.DataFrame) -> Iterator[Any]:
    """Go through the rows, columns as attributes."""
    yield from table.itertuples(index=False)


_NUMBERS = {"value", "low", "high", "x", "n", "note", "monthly"}


def _headed(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Make a column the row labels, with its name in the same line as the other headings."""
    return frame.set_index(column).rename_axis(index=None, columns=column)


def _interval(low: float, high: float) -> str:
    return MISSING if pd.isna(low) else f"{percent_text(low)} to {percent_text(high)}"


def _days(low: float, high: float) -> str:
    if pd.isna(low):
        return MISSING
    return f"{low:.0f} or more" if pd.isna(high) else f"{low:.0f} to {high:.0f}"


def _one(value: float) -> str:
    return MISSING if pd.isna(value) else f"{value:,.1f}"


def counting_rules(snapshot: Snapshot) -> pd.DataFrame:
    """Deals reached and plain ratio at each stage under the four counting rules, side by side."""
    shown = pd.DataFrame()
    for mode in get_args(Mode):
        table = stage_conversion(snapshot, mode=mode)
        shown["stage"] = table["label"]
        shown[RULES[mode]] = [
            f"{r.reached:,}" if pd.isna(r.rate) else f"{r.reached:,} → {percent_text(r.rate)}"
            for r in each(table)
        ]
    return shown.pipe(_headed, "stage")


def model_table(model: FunnelModel) -> pd.DataFrame:
    """Rates the plan rests on: each step's share that goes on, with interval and counts."""
    labels = {step.name: step.label for step in model.steps}
    after = [step.label for step in model.steps[1:]]
    rows = [
        {
            "from": labels[name],
            "to": to,
            "rate": percent_text(rate.value),
            "95% interval": _interval(rate.low, rate.high),
            "counts": f"{rate.x:,} of {rate.n:,}" if rate.n else "assumed",
        }
        for (name, rate), to in zip(model.rates.items(), after, strict=True)
    ]
    return pd.DataFrame(rows).pipe(_headed, "from")
