"""Frozen plans: inputs, definitions, data, seed and results in a TOML file that nothing rewrites."""

import hashlib
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kpi.planning.plan import Plan
from kpi.planning.target import PlanError, Target
from kpi.planning.toml_text import toml_text

FORMAT = 1
CHANCES = tuple(q / 100 for q in range(5, 100, 5))
HEADER = (
    "# A frozen plan of reverse-funnel. A change by hand is noticed; freeze a new plan instead.\n"
)
SEAL = "\n[seal]\nsha256 = "
PLAIN = (
    "total_leads",
    "total_deals",
    "probability",
    "too_late",
    "from_pipeline",
    "from_direct",
    "from_new",
    "lead_to_won",
    "deal_to_won",
    "deal_value",
    "deal_booking",
    "lead_size",
    "lead_cost",
    "already",
    "own_probability",
)


def freeze(plan: Plan, path: str | Path) -> Path:
    """Write a plan to a TOML file.

    Parameters
    ----------
    plan : Plan
    path : str or Path
        A file that is not there yet; folders are made.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    PlanError
        If the file is there: a frozen plan is never rewritten.

    Notes
    -----
    Numbers are written so that they come back to the last digit; the leads for chances of 5, 10,
    ..., 95 % stand beside those asked for. The last lines hold a checksum of the rest.
    """
    file = Path(path)
    text = HEADER + toml_text(_written(plan)) + "\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("x", encoding="utf-8", newline="\n") as out:
            out.write(f'{text}{SEAL}"{_sum(text)}"\n')
    except FileExistsError as error:
        raise PlanError(
            f"{file.name} is there already, and a frozen plan is never rewritten: choose another name"
        ) from error
    return file


def load(path: str | Path) -> Plan:
    """Read a frozen plan; the same numbers, to the last digit.

    Raises
    ------
    PlanError
        If the file is not there, is no frozen plan, or was changed since it was frozen.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"no frozen plan can be read from {file.name}: {_why(error)}") from error
    body, found, seal = text.rpartition(SEAL)
    if not found:
        raise PlanError(f"{file.name} is no frozen plan: it ends without a checksum")
    if seal.strip().strip('"') != _sum(body):
        raise PlanError(
            f"{file.name} was changed since it was frozen: its numbers no longer belong together. "
            "Take the file as it was, or freeze a new plan"
        )
    try:
        return _read(tomllib.loads(body))
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise PlanError(f"{file.name} is no frozen plan: {error}") from error


def _why(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or "" if isinstance(error, OSError) else "it is not UTF-8 text"


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def target_values(target: Target) -> dict[str, object]:
    """Target as plain values, for a file."""
    amount = getattr(target, target.kind)
    whole = dict(amount) if isinstance(amount, Mapping) else amount
    dates = {"by": _iso(target.by), "start": _iso(target.start)}
    return {**dates, "confidence": target.confidence, target.kind: whole}


def _iso(day: date | str | None) -> str | None:
    return None if day is None else str(day)


def _written(plan: Plan) -> dict[str, object]:
    results = {name: getattr(plan, name) for name in PLAIN}
    return {
        "format": FORMAT,
        "source": plan.source,
        "as_of": plan.as_of,
        "start": plan.start,
        "by": plan.by,
        "seed": plan.seed,
        "draws": plan.draws,
        "notes": list(plan.notes),
        "definitions": plan.definitions,
        "target": target_values(plan.target),
        "inputs": dict(plan.inputs),
        "by_hand": dict(plan.by_hand),
        "rates": dict(plan.rates),
        "results": {**results, "last_useful_month": plan.last_useful_month},
        "leads_for": _needs(plan),
        "table": _columns(plan.table),
        "outcome": _columns(plan.outcome),
    }


def _needs(plan: Plan) -> dict[str, int]:
    """Leads by chance; those that no number of leads reaches are left out."""
    found = {}
    for chance in sorted({*CHANCES, *plan.needs, plan.confidence}):
        try:
            found[repr(chance)] = plan.leads_for(chance)
        except PlanError:
            continue
    return found


def _columns(frame: pd.DataFrame) -> dict[str, list[Any]]:
    found = {}
    for name in frame.columns:
        column = frame[name]
        dated = pd.api.types.is_datetime64_any_dtype(column)
        found[str(name)] = [when.date() for when in column] if dated else column.tolist()
    return found


def _frame(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    found = pd.DataFrame(dict(columns))
    for name in found.columns:
        if name in ("stage", "label"):
            found[name] = found[name].astype("str")
        else:
            found[name] = found[name].astype("datetime64[us]" if name == "month" else "float64")
    return found


def _read(kept: Mapping[str, Any]) -> Plan:
    if kept["format"] != FORMAT:
        raise PlanError(
            f"the plan was frozen in format {kept['format']}; this version reads format {FORMAT}"
        )
    results = dict(kept["results"])
    needs = {float(chance): int(n) for chance, n in kept["leads_for"].items()}
    inputs = dict(kept.get("inputs", {}))
    if "season" in inputs:
        inputs["season"] = {int(month): weight for month, weight in inputs["season"].items()}
    return Plan(
        target=Target(**kept["target"]),
        start=kept["start"],
        by=kept["by"],
        as_of=kept.get("as_of"),
        seed=kept["seed"],
        draws=kept["draws"],
        source=kept["source"],
        definitions=kept["definitions"],
        notes=tuple(kept["notes"]),
        rates=dict(kept["rates"]),
        inputs=inputs,
        by_hand=dict(kept.get("by_hand", {})),
        table=_frame(kept["table"]),
        outcome=_frame(kept["outcome"]),
        needs={q: needs[q] for q in (0.5, 0.8, 0.9) if q in needs},
        last_useful_month=results.pop("last_useful_month"),
        total_leads=results.pop("total_leads", None),
        solve=_Kept(needs),
        **results,
    )


class _Kept:
    """Leads by chance as the file holds them."""

    def __init__(self, needs: Mapping[float, int]) -> None:
        self._needs = needs

    def __call__(self, confidence: float) -> int:
        nearest = min(self._needs, key=lambda q: abs(q - confidence), default=np.nan)
        if not abs(nearest - confidence) < 1e-12:
            known = ", ".join(f"{q:.0%}" for q in self._needs)
            raise PlanError(f"the frozen plan holds the leads for chances of {known} only")
        return self._needs[nearest]
