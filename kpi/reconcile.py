"""reconcile(): why a number differs from the one another tool shows, on the same data."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw
import pandas as pd

from kpi.catalogue import KPIS
from kpi.deals.win_rate import of_type, win_rate
from kpi.funnel.conversion import stage_conversion
from kpi.recurring.customers import customer_churn
from kpi.recurring.lifetime import lifetime_value
from kpi.recurring.revenue_churn import gross_mrr_churn
from kpi.result import count_by
from kpi.snapshot import Snapshot
from kpi.tables import TableError

COLUMNS = ["rule", "value", "x", "n", "difference", "why"]
ONE, NONE = nw.lit(1), nw.lit(0)


@dataclass(frozen=True)
class Rule:
    """One way of counting: its name, the options of the KPI that ask for it, and why it differs."""

    name: str
    why: str
    options: dict[str, Any] = field(default_factory=dict)


RULES: dict[str, tuple[Rule, ...]] = {
    "win_rate": (
        Rule("closed only: won / (won + lost)", "the default: deals closed so far, by count"),
        Rule(
            "cohort, Aalen-Johansen",
            "deals created, followed for as long as they are known: open ones are neither won nor lost",
            {"basis": "cohort"},
        ),
        Rule("by value", "large deals weigh more", {"weight": "amount"}),
        Rule(
            "all kinds of business",
            "renewals and expansions are won more often than new business",
            {"deal_type": None},
        ),
    ),
    "lead_conversion": (
        Rule(
            "cohort, Aalen-Johansen",
            "the default: leads followed for as long as they are known, disqualified ones compete",
        ),
        Rule(
            "period ratio: converted / created",
            "other leads above than below: it moves with the inflow and can exceed 1",
            {"basis": "period"},
        ),
    ),
    "lead_to_customer": (
        Rule("cohort, Aalen-Johansen", "the default: leads still worked are neither won nor lost"),
        Rule(
            "period ratio: customers won / leads created",
            "other leads above than below: it moves with the inflow",
            {"basis": "period"},
        ),
        Rule(
            "all kinds of business", "wins that are no new business count too", {"deal_type": None}
        ),
    ),
    "customer_churn": (
        Rule("gone / customers at the start", "the default: who joins in the period is in neither"),
        Rule(
            "joiners included",
            "customers who join in the period, and those of them who leave, count too",
            {"basis": "joiners"},
        ),
        Rule(
            "daily: leavers / mean customers of the days",
            "the denominator moves with growth",
            {"basis": "daily"},
        ),
    ),
    "arr_run_rate": (
        Rule("run rate: 12 x MRR", "the default: what is in force on the day"),
        Rule(
            "contracted",
            "what is signed counts before it is live",
            {"contracted": True},
        ),
    ),
    "lifetime_value": (
        Rule(
            "margin over 60 months, from survival",
            "the default: no value rests on decades nobody has seen",
        ),
        Rule(
            "revenue over 60 months",
            "what it costs to serve the customer is not taken off",
            {"gross_margin": 1.0},
        ),
        Rule(
            "margin for ever, sBG, discounted at 10 % a year",
            "no horizon: those who stay longest leave least, and later months count less",
            {"method": "sbg", "horizon_months": None, "discount": 0.1},
        ),
    ),
    "magic_number": (
        Rule("quarterly revenue x 4", "the default: growth of the revenue of whole quarters"),
        Rule(
            "growth of ARR", "MRR at the ends of the quarters, x 12: reacts earlier", {"of": "arr"}
        ),
    ),
    "sales_velocity": (
        Rule("open deals", "the default: what is in the pipeline now"),
        Rule(
            "deals worked in the period",
            "closed deals count among the opportunities too",
            {"opportunities": "worked"},
        ),
    ),
}


def reconcile(snapshot: Snapshot, name: str) -> pd.DataFrame:
    """Reckon one KPI on the same data under the rules that other tools use.

    A rule that the data cannot serve (no amounts, no history) has no value, and the reason in
    ``why``.

    Parameters
    ----------
    snapshot : Snapshot
        Needs the tables of the KPI; its filters hold for every rule.
    name : str
        ``win_rate``, ``stage_conversion``, ``lead_conversion``, ``lead_to_customer``, or another
        KPI that tools define in conflict: the message of the error lists them.

    Returns
    -------
    DataFrame
        One row a rule, the default first: ``rule``, ``value`` (in the unit of the KPI), ``x``,
        ``n``, ``difference`` (from the default's value), ``why``. For ``stage_conversion`` one row
        a stage and rule, with ``pipeline_id``, ``stage_id`` and ``label`` before them.

    Raises
    ------
    TableError
        If there is nothing to reconcile for that KPI, or a table is missing.

    Notes
    -----
    ``created basis`` counts open records as not won: it reads low while deals are young.
    ``HubSpot "all stages"`` counts a deal that entered every stage in order, ``"any stages"`` one
    that was ever in the stage, ``furthest`` one that was there or further: end to end, won deals
    over those of the first stage.

    References
    ----------
    .. [1] HubSpot, "Differences between funnel report types", knowledge.hubspot.com.
    .. [2] Varicent, "Created vs closed win rate".
    .. [3] ChartMogul help, "Customer lifetime value" (ARPA / churn, mean of six months).

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abcd"), "created_at": "2026-01-01",
    ...     "outcome": ["won", "lost", "open", "open"],
    ...     "close_date": ["2026-01-09", "2026-01-20", None, None]})
    >>> snapshot = Snapshot.from_frames({"deals": deals}, as_of="2026-02-28")
    >>> table = reconcile(snapshot, "win_rate")
    >>> table.loc[table["rule"].str.startswith(("closed", "created")), ["value", "x", "n"]].to_dict("list")
    {'value': [0.5, 0.25], 'x': [1, 1], 'n': [2, 4]}
    """
    if name not in KPIS:
        raise TableError(f"no KPI is called {name!r}; expected one of {list(KPIS)}")
    if name == "stage_conversion":
        return _stages(snapshot)
    rules = RULES.get(name)
    if rules is None:
        there = sorted({*RULES, "stage_conversion"} & set(KPIS))
        raise TableError(f"reconcile: {name} has one definition here; there is {there}")
    rows = [_row(snapshot, name, rule) for rule in rules]
    more = MORE.get(name)
    return _table([*rows, *(more(snapshot) if more else [])])


def _row(snapshot: Snapshot, name: str, rule: Rule) -> dict[str, object]:
    row = KPIS[name](snapshot, **rule.options).iloc[0]
    note = f" ({row['note']})" if pd.isna(row["value"]) else ""
    said = {"rule": rule.name, "value": row["value"], "why": rule.why + note}
    return said | {"x": row["x"], "n": row["n"]}


def _table(rows: list[dict[str, object]]) -> pd.DataFrame:
    table = pd.DataFrame(rows).astype({"value": "float64", "x": "int64", "n": "int64"})
    table["difference"] = table["value"] - table["value"].iloc[0]
    return table[COLUMNS]


def _ratio(rule: str, x: int, n: int, why: str) -> dict[str, object]:
    value = x / n if n else float("nan")
    return {"rule": rule, "value": value, "x": x, "n": n, "why": why}


def _deals(snapshot: Snapshot) -> list[dict[str, object]]:
    """Win rates on the created basis, and end to end through the funnel."""
    counted = count_by(
        of_type(snapshot, "new"),
        [],
        x=nw.when(nw.col("outcome") == "won").then(ONE).otherwise(NONE),
        n=nw.when(~nw.col("deal_id").is_null()).then(ONE).otherwise(NONE),
    ).iloc[0]
    why = "deals still open count as not won: it reads low while they are young"
    rows = [_ratio("created basis: won / created", int(counted["x"]), int(counted["n"]), why)]
    if not {"stages", "history"} <= snapshot.present:
        return rows
    return rows + [_through(snapshot, *mode) for mode in FUNNELS]


FUNNELS = (
    (
        "furthest",
        "funnel, furthest reached: won / first stage",
        "as created: a deal counts in every stage up to the furthest it came to",
    ),
    (
        "all",
        'funnel, HubSpot "all stages": won / first stage',
        "deals that skipped a stage or went back are dropped though they were won",
    ),
    (
        "any",
        'funnel, HubSpot "any stages": won / first stage',
        "deals that skipped the first stage are above the line and not below it",
    ),
)


def _through(snapshot: Snapshot, mode: str, rule: str, why: str) -> dict[str, object]:
    """Deals won over those of the first stage, of all pipelines, under a counting rule."""
    table = stage_conversion(snapshot, mode=mode)  # type: ignore[arg-type]
    funnels = table.groupby("pipeline_id", dropna=False, sort=False)["reached"]
    return _ratio(rule, int(funnels.last().sum()), int(funnels.first().sum()), why)


def _leads(snapshot: Snapshot) -> list[dict[str, object]]:
    """Leads converted so far over leads created."""
    did = ~nw.col("converted_day").is_null() | (nw.col("linked") > 0)
    leads = snapshot.leads.lazy()
    counted = count_by(
        leads,
        [],
        x=nw.when(did).then(ONE).otherwise(NONE),
        n=nw.when(~nw.col("lead_id").is_null()).then(ONE).otherwise(NONE),
    ).iloc[0]
    why = "leads still worked count as not converted: it reads low while they are young"
    return [_ratio("created basis: converted / created", int(counted["x"]), int(counted["n"]), why)]


def _customers(snapshot: Snapshot) -> list[dict[str, object]]:
    """Leads with a won deal over leads created; and customers over deals, which is the win rate."""
    won = of_type(snapshot, "new").filter(nw.col("outcome") == "won", ~nw.col("lead").is_null())
    ours = snapshot.leads.lazy().select(lead=nw.col("lead_id"))
    buyers = won.select("lead").unique().join(ours, on="lead", how="semi")
    x = count_by(buyers, [], x=nw.when(~nw.col("lead").is_null()).then(ONE).otherwise(NONE))
    closed = win_rate(snapshot).iloc[0]
    why = "leads still worked count as not won: it reads low while they are young"
    other = "another denominator: deals, not leads"
    return [
        _ratio("created basis: customers / leads", int(x["x"].iloc[0]), len(snapshot.leads), why),
        _ratio("win rate: won / (won + lost) deals", int(closed["x"]), int(closed["n"]), other),
    ]


def _worth(snapshot: Snapshot) -> list[dict[str, object]]:
    """Lifetime values that put one churn rate forward for ever."""
    row = lifetime_value(snapshot).iloc[0]
    left = customer_churn(snapshot, every="month").dropna(subset=["value"]).tail(6)
    lost = gross_mrr_churn(snapshot, every="month").dropna(subset=["value"]).tail(12)
    return [
        _for_ever(
            "simple: ARPA / churn",
            row["arpa"],
            (row["monthly_churn"], row["x"], row["n"]),
            "revenue, and the churn of the last twelve months put forward for ever: too low a value "
            "where those who stay longest leave least, too high where the rate is near 0",
        ),
        _for_ever(
            "ChartMogul: ARPA / mean churn of six months",
            row["arpa"],
            (left["value"].mean(), left["x"].sum(), left["n"].sum()),
            "as simple, by the mean of the last six whole months (customers left / there at the start)",
        ),
        _for_ever(
            "ARPA x margin / revenue churn",
            row["arpa"] * row["margin"],
            (lost["value"].mean(), lost["x"].sum(), lost["n"].sum()),
            "revenue lost by contraction counts as churn too (mean of the last twelve whole months)",
        ),
    ]


def _for_ever(
    rule: str, worth: float, churn: tuple[float, float, float], why: str
) -> dict[str, object]:
    """Worth of a month over a monthly rate of loss: none where nothing is lost."""
    rate, x, n = churn
    told = rate > 0
    note = "" if told else " (no_denominator: nothing was lost)"
    value = worth / rate if told else float("nan")
    return {"rule": rule, "value": value, "x": int(x), "n": int(n), "why": why + note}


MORE: dict[str, Callable[[Snapshot], list[dict[str, object]]]] = {
    "win_rate": _deals,
    "lead_conversion": _leads,
    "lead_to_customer": _customers,
    "lifetime_value": _worth,
}

MODES = (
    ("furthest", "furthest reached", "a deal counts in every stage up to the furthest it came to"),
    ("all", 'HubSpot "all stages"', "only deals that entered every stage so far, in order"),
    (
        "any",
        'HubSpot "any stages"',
        "every deal that was ever in the stage: above 1 where deals skip",
    ),
    ("linear", "linear gap fill", "where the deal was last: going back erases what it had reached"),
)


def _stages(snapshot: Snapshot) -> pd.DataFrame:
    """Rates of every stage under every rule; the last stage of a funnel, which has none, left out."""
    where, parts = ["pipeline_id", "stage_id", "label"], []
    for place, (mode, rule, why) in enumerate(MODES):
        table = stage_conversion(snapshot, mode=mode)  # type: ignore[arg-type]
        following = table.groupby("pipeline_id", dropna=False)["reached"].shift(-1)
        table = table.assign(rule=rule, why=why, next=following, order=range(len(table)))
        kept = table[following.notna()]
        if mode == "furthest":
            followed = kept.assign(rule="cohort, Aalen-Johansen", place=-1)
            followed["why"] = (
                "the default: deals still in the stage are followed, lost ones compete"
            )
            parts.append(followed[["order", "place", *where, "rule", "value", "x", "n", "why"]])
        counts = {"x": kept["next"].astype("int64"), "n": kept["reached"], "value": kept["rate"]}
        plain = kept.assign(**counts, place=place)
        parts.append(plain[["order", "place", *where, "rule", "value", "x", "n", "why"]])
    every = pd.concat(parts, ignore_index=True).sort_values(["order", "place"], ignore_index=True)
    first = every.groupby("order")["value"].transform(lambda values: values.iloc[0])
    every["difference"] = every["value"] - first
    return every[[*where, *COLUMNS]]
