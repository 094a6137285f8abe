"""What a pack says, once for all its files: every figure with its definition, formula and n."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kpi import Snapshot, board, explain
from kpi.planning import FunnelModel, Plan
from kpi.planning.actuals import filters_of
from kpi.planning.what_if import WhatIf
from kpi.planning.what_if_of import what_if
from workbench import words
from workbench.kpi_tables import SYMBOLS
from workbench.report.pack.accuracy import largest_difference
from workbench.report.pack.changes import Changes
from workbench.report.pack.figures import FEW, Figure, figures, goal
from workbench.report.pack.remade import remade
from workbench.report.pack.text import clean


@dataclass(frozen=True)
class Origin:
    """Where the numbers come from.

    Attributes
    ----------
    as_of, source, filters, definitions : str
        Last day of the data; its name; what it was narrowed to; version of the definitions.
    data_version : str
        Which state of the store, in words.
    plan : str
        First twelve digits of the plan's checksum, or ``not frozen``.
    """

    as_of: str
    source: str
    filters: str
    definitions: str
    data_version: str
    plan: str

    def __str__(self) -> str:
        return (
            f"As of {self.as_of} · source: {self.source} · {self.data_version} · filters: "
            f"{self.filters} · definitions {self.definitions} · plan {self.plan}"
        )


@dataclass(frozen=True, eq=False)
class Contents:
    """What all files of a pack say.

    Attributes
    ----------
    title : str
        ``Plan: 40 wins by 31 May 2027``.
    answer, action : str
        The plan in a sentence; the one thing to do next.
    symbol : str
        In front of money: ``$``, or a currency code with a blank.
    figures : mapping of name to Figure
        In the order of importance: target, chance, leads, gap first.
    months : DataFrame
        One row a month: ``month`` ('YYYY-MM'), ``leads`` (whole, to create), ``wins_pipeline,
        wins_direct, wins_new, wins`` (expected), ``wins_low, wins_high`` (80 % band), ``new_mrr`` and
        its band, ``mrr`` (missing where not known).
    funnel : DataFrame
        One row a step, over all months: ``step, label, in_pipeline, direct, to_create, total``.
    rates : DataFrame
        One row a step: ``step, label, to`` (label of the next), ``planned, history, low, high`` (95 %),
        ``x, n``; where n is under five, history and its limits are missing.
    kpis : DataFrame
        `kpi.board`, with ``definition`` and ``formula``; value and limits are missing where fewer
        than five records stand behind them.
    caveats : tuple of str
    plan, what_if : Plan, WhatIf
        The frozen plan; the same with inputs that move.
    off : float
        Largest difference found between the chance of `what_if` and the planner's, 0 to 1.
    origin : Origin
    changes : Changes or None
        What changed since the last pack or a date.
    names : bool
        Whether names of deals and sellers are in it; each page is stamped then.
    """

    title: str
    answer: str
    action: str
    symbol: str
    figures: Mapping[str, Figure]
    months: pd.DataFrame
    funnel: pd.DataFrame
    rates: pd.DataFrame
    kpis: pd.DataFrame
    caveats: tuple[str, ...]
    plan: Plan = field(repr=False)
    what_if: WhatIf = field(repr=False)
    off: float
    origin: Origin
    changes: Changes | None = None
    names: bool = False


def contents(
    plan: Plan,
    snapshot: Snapshot,
    *,
    data_version: str,
    seal: str = "not frozen",
    changes: Changes | None = None,
    names: bool = False,
) -> Contents:
    """Gather what a pack says.

    Parameters
    ----------
    plan : Plan
    snapshot : Snapshot
        The data that the plan was made from.
    data_version, seal : str
        See `Origin`.

    Raises
    ------
    PackError
        If plan and data do not belong together (`workbench.report.pack.remade`).
    """
    model = remade(plan, snapshot)
    reduced = what_if(model, plan)
    symbol = SYMBOLS.get(code := snapshot.definitions.reporting_currency, f"{code} ")
    return Contents(
        title=f"Plan: {goal(plan, symbol)} by {words.day(plan.by)}",
        answer=words.sentence(plan).replace(words.target(plan), goal(plan, symbol)),
        action=_action(plan, model),
        symbol=symbol,
        figures=figures(plan, model, reduced, symbol),
        months=_months(plan, reduced),
        funnel=_funnel(plan),
        rates=_rates(plan, model),
        kpis=_kpis(snapshot),
        caveats=(*plan.notes, *_few(model)),
        plan=plan,
        what_if=reduced,
        off=largest_difference(model, plan, reduced),
        origin=Origin(
            as_of=str(snapshot.as_of),
            source=snapshot.source,
            filters=filters_of(snapshot.described),
            definitions=snapshot.definitions.version,
            data_version=data_version,
            plan=seal[:12],
        ),
        changes=changes,
        names=names,
    )


def _action(plan: Plan, model: FunnelModel) -> str:
    """Say the one thing to do next."""
    months = plan.months_to_create
    if months.empty:
        return f"No new {plan.top} are needed: close what is open."
    first = f"Create {int(months.iloc[0]):,} {plan.top} in {months.index[0]:%B %Y}"
    usual = model.leads_per_month
    if plan.total_leads is None or np.isnan(usual) or usual <= 0:
        return f"{first}."
    return f"{first}; the usual pace is {usual:,.0f} a month ({months.iloc[0] / usual:.1f} times)."


def _months(plan: Plan, reduced: WhatIf) -> pd.DataFrame:
    told = reduced.result()
    planned = plan.leads_by_month
    found = pd.DataFrame({"month": reduced.months})
    found["leads"] = [planned.get(month, 0) for month in reduced.months]
    for name in ("wins_pipeline", "wins_direct", "wins_new", "wins"):
        found[name] = told[name]
    for name in ("wins_low", "wins_high", "new_mrr", "new_mrr_low", "new_mrr_high"):
        found[name] = plan.outcome[name].to_numpy("float64")
    found["mrr"] = np.nan if told["mrr"] is None else told["mrr"]
    return found


def _few(model: FunnelModel) -> tuple[str, ...]:
    """Say which rates rest on too few records to be shown in history."""
    counts = {step.label: model.rates[step.name].n for step in model.steps[:-1]}
    return tuple(
        f"the rate from {clean(label, 40)} rests on fewer than {FEW} records"
        for label, n in counts.items()
        if n < FEW
    )


def _funnel(plan: Plan) -> pd.DataFrame:
    parts = ["in_pipeline", "direct", "to_create"]
    found = plan.table.groupby(["stage", "label"], sort=False)[parts].sum().reset_index()
    found["total"] = found[parts].sum(axis=1)
    return found.rename(columns={"stage": "step"})


def _rates(plan: Plan, model: FunnelModel) -> pd.DataFrame:
    rows = []
    for step, after in zip(model.steps[:-1], model.steps[1:], strict=True):
        seen = model.rates[step.name]
        limits = (seen.value, seen.low, seen.high, float(seen.x), seen.n)
        rows.append((step.name, step.label, after.label, plan.rates[step.name], *limits))
    names = ["step", "label", "to", "planned", "history", "low", "high", "x", "n"]
    found = pd.DataFrame(rows, columns=names)
    found.loc[found["n"] < FEW, ["history", "low", "high", "x"]] = np.nan
    return found


def _kpis(snapshot: Snapshot) -> pd.DataFrame:
    found = board(snapshot)
    few = found["n"] < FEW
    found.loc[few, ["value", "low", "high", "x", "before"]] = np.nan
    found.loc[few, "note"] = "fewer than 5 records: not shown"
    then = ~(found["n_before"] >= FEW)
    found.loc[then, ["before", "n_before"]] = np.nan
    found.loc[few | (then & found["before"].isna() & (found["trend"] != "level")), "trend"] = ""
    entries = [explain(name).entry for name in found["name"]]
    found["definition"] = [f"{entry.question} Of {entry.basis}." for entry in entries]
    found["formula"] = [entry.formula for entry in entries]
    return found
