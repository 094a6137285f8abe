"""The main job in one call: from the data to the leads to create, as words and as JSON."""

from dataclasses import dataclass
from datetime import date, timedelta

import narwhals as nw
import numpy as np
import pandas as pd

from kpi import Snapshot, TableError, cycle_days, lead_conversion, win_rate
from kpi.engine import collect
from kpi.periods import as_date, month_start
from kpi.planning import FunnelModel, Plan, recent_wins, records_needed, reverse_funnel
from workbench import words
from workbench.theme import percent_text, whole_text

MONTHS = 6
NO_LEADS = "the data has no leads"


@dataclass(frozen=True, eq=False)
class Answer:
    """What the main job found; where something cannot be said, ``reasons`` says why."""

    snapshot: Snapshot
    wins: float
    by: date
    confidence: float
    model: FunnelModel | None
    plan: Plan | None
    needed: dict[str, int]
    reasons: dict[str, str]

    @property
    def json(self) -> dict[str, object]:
        """Plain values, None where there is none; described in the README."""
        won, cycle = win_rate(self.snapshot).iloc[0], cycle_days(self.snapshot).iloc[0]
        plan, model = self.plan, self.model
        deal = model.steps[model.first_deal].name if model else ""
        return {
            "as_of": str(self.snapshot.as_of),
            "source": self.snapshot.source,
            "wins": int(self.wins) if self.wins % 1 == 0 else self.wins,
            "by": str(self.by),
            "confidence": self.confidence,
            "win_rate": _plain(won["value"]),
            "win_rate_low": _plain(won["low"]),
            "win_rate_high": _plain(won["high"]),
            "deals_won": int(won["x"]),
            "deals_closed": int(won["n"]),
            "cycle_days_median_won": _plain(cycle["value"]),
            "cycle_days_median_with_open": _plain(cycle["km_median"]),
            "open_deals": open_deals(self.snapshot),
            "deals_needed": self.needed.get(deal),
            "leads_needed": self.needed.get("leads"),
            "leads_to_create": plan.total_leads if plan else None,
            "deals_to_create": plan.total_deals if plan else None,
            "create_by_month": _by_month(plan),
            "create_until": str(plan.last_useful_month) if plan else None,
            "probability": _plain(plan.probability) if plan else None,
            "wins_from_pipeline": _plain(plan.from_pipeline) if plan else None,
            "wins_from_direct_deals": _plain(plan.from_direct) if plan else None,
            "too_late_share": _plain(plan.too_late) if plan else None,
            "for_50_80_90": {f"{q:.0%}": n for q, n in plan.needs.items()} if plan else None,
            "problems_in_data": len(self.snapshot.problems),
            "reasons": self.reasons,
            "notes": list(plan.notes) if plan else [],
        }

    def __str__(self) -> str:
        lines = [f"Reverse funnel · {self.snapshot.described}", ""]
        lines += [f"  {name:<21} {text}" for name, text in self._lines()]
        return "\n".join(lines)

    def _lines(self) -> list[tuple[str, str]]:
        plan = self.plan
        if plan is None or self.model is None:
            return [("No plan", "; ".join(self.reasons.values())), *self._rates()]
        facts = words.facts(plan, self.model)
        lines = [("Answer", words.sentence(plan)), *facts]
        reasons = [("Not said", reason) for reason in self.reasons.values()]
        return [*lines, *self._rates(), *reasons, *[("Note", note) for note in plan.notes]]

    def _rates(self) -> list[tuple[str, str]]:
        won, cycle = win_rate(self.snapshot).iloc[0], cycle_days(self.snapshot).iloc[0]
        rates = [f"win rate {_rate(won)} of deals closed"]
        if "leads" in self.snapshot.present:
            rates.insert(
                0, f"lead to deal {_rate(lead_conversion(self.snapshot).iloc[0])} of leads"
            )
        days = f"won deals took {whole_text(cycle['value'])} days (median, n {cycle['x']:,})"
        return [("History", "; ".join([*rates, days]))]


def answer(
    snapshot: Snapshot,
    *,
    wins: float | None = None,
    by: date | str | None = None,
    confidence: float = 0.8,
) -> Answer:
    """Run the main job; what the data cannot say is left out with its reason, never guessed.

    Parameters
    ----------
    wins : float, optional
        Default: as many as were won in the six months up to the as-of date.
    by : date or ISO text, optional
        Default: six months from the first of the month after the as-of date.
    """
    snapshot.need("deals", of="the reverse funnel")
    _check(wins, confidence)
    target = float(recent_wins(snapshot) if wins is None else wins)
    end = as_date(by) if by else month_start(snapshot.as_of, MONTHS + 1) - timedelta(days=1)
    reasons: dict[str, str] = {}
    model, plan, needed = None, None, {}
    if target == 0:
        reasons["plan"] = f"no win in the last {MONTHS} months to repeat: give the wins wanted"
    else:
        try:
            model = FunnelModel.fit(snapshot)
            needed = records_needed(model, wins=target, confidence=confidence)
            plan = reverse_funnel(model, wins=target, by=end, confidence=confidence)
        except TableError as error:
            reasons["plan"] = str(error)
    if "leads" not in needed:
        reasons["leads_needed"] = _why_no_leads(snapshot, model, reasons.get("plan"))
    return Answer(snapshot, target, end, confidence, model, plan, needed, reasons)


def _check(wins: float | None, confidence: float) -> None:
    if wins is not None and not 0 < wins < np.inf:
        raise TableError(f"wins = {wins}; expected a number above 0")
    if not 0 < confidence < 1:
        raise TableError(f"confidence = {confidence}; expected a chance above 0 and below 1 (0.8)")


def _why_no_leads(snapshot: Snapshot, model: FunnelModel | None, why: str | None) -> str:
    if "leads" not in snapshot.present or len(snapshot.leads) == 0:
        return NO_LEADS
    return why or (model.notes[0] if model else "")


def open_deals(snapshot: Snapshot) -> int:
    """Deals of every kind that are open on the as-of date."""
    still = snapshot.deals.lazy().filter(nw.col("outcome") == "open")
    return int(collect(still.select(nw.len().alias("n")))["n"].iloc[0])


def _by_month(plan: Plan | None) -> dict[str, int] | None:
    if plan is None:
        return None
    return {f"{month:%Y-%m}": int(n) for month, n in plan.months_to_create.items()}


def _plain(value: object) -> float | None:
    return None if pd.isna(value) else round(float(value), 6)  # type: ignore[arg-type,call-overload]


def _rate(row: pd.Series) -> str:
    if pd.isna(row["value"]):
        return "not known"
    interval = f"{percent_text(row['low'])} to {percent_text(row['high'])}"
    return f"{percent_text(row['value'])} ({interval}, {row['x']:,} of {row['n']:,})"
