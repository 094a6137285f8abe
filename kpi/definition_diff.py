"""What moves when the definitions change: record by record, with the setting that moved it."""

from collections.abc import Sequence
from datetime import date

import narwhals as nw
import pandas as pd

from kpi.definitions import Definitions
from kpi.engine import collect
from kpi.periods import Every, from_day, label, period_start, starts
from kpi.snapshot import Snapshot
from kpi.tables import DEAL_TYPES

COLUMNS = [
    "object",
    "record_id",
    "count",
    "change",
    "first_day_before",
    "first_day_after",
    "url",
    "why",
]
COUNTS = ("lead", "mql", "sql", "won", "pipelines", *(f"deal_type {t}" for t in DEAL_TYPES))
SETTINGS = (
    "pipelines",
    "deal_types",
    *(f"count.{name}" for name in ("lead", "mql", "sql", "won")),
    "time_zone",
    "fiscal_year_start",
)
LENGTHS: tuple[Every, ...] = ("year", "quarter")


def definition_diff(old: Definitions, new: Definitions, snapshot: Snapshot) -> pd.DataFrame:
    r"""List every record that a change of definitions moves in or out of a count, and every period.

    Nothing is counted twice for one cause, but a record may move in several counts: a deal of a
    pipeline that no longer counts leaves ``pipelines``, its ``deal_type`` and, if won, ``won``.

    Parameters
    ----------
    old, new : Definitions
        Before and after; those of the snapshot play no part.
    snapshot : Snapshot
        Data, as-of date and filters.

    Returns
    -------
    DataFrame
        ``object`` (lead, deal; calendar for a period), ``record_id`` (the id; of a period its
        label), ``count`` (lead, mql, sql, won; pipelines: a deal that counts at all; deal_type
        new, expansion or renewal; year and quarter for periods), ``change`` (``in``, ``out``,
        ``day moved``), ``first_day_before`` and ``first_day_after`` (day it counts from; missing
        where it does not count or has no date), ``url`` (its page in the CRM), ``why`` (the
        setting that did it, before -> after). Sorted by count, object and id. Empty where
        nothing moves.

    Raises
    ------
    TableError
        If the data does not allow one of the two definitions (an amount without exchange rate).

    Notes
    -----
    A lead counts from the day it came in, an MQL or SQL from its first day as such, a win from the
    day it closed, a deal and its type from the day it was created. Where several settings that
    can move a record changed together, ``why`` names each. Periods are listed where a fiscal
    year begins in another month: ``in`` and ``out`` for labels of one calendar only, ``day moved``
    where a label begins on another day.

    Examples
    --------
    >>> leads = pd.DataFrame({"lead_id": ["1", "2"], "stage_id": ["demo", "call"],
    ...     "created_at": "2026-01-05"})
    >>> snapshot = Snapshot.from_frames({"leads": leads}, as_of="2026-01-31")
    >>> rule = "[count.sql]\ntable='leads'\ncolumn='stage_id'\nin=['demo'{}]"
    >>> old, new = (Definitions.from_text(rule.format(more)) for more in ("", ", 'call'"))
    >>> definition_diff(old, new, snapshot)[["record_id", "count", "change", "why"]].values.tolist()
    [['2', 'sql', 'in', "count.sql: leads.stage_id in ['demo'] -> leads.stage_id in ['demo', 'call']"]]
    """
    changed = _changed(old, new)
    before, after = snapshot.under(old), snapshot.under(new)
    moved = [_moved(name, before, after) for name in COUNTS] if changed else []
    rows = [part for part in moved if len(part)]
    records = pd.concat(rows, ignore_index=True) if rows else _frame([])
    inside = _deals_inside(before) & _deals_inside(after)
    records["why"] = [
        _why(count, change, changed, alone=kind == "deal" and key not in inside)
        for kind, key, count, change in zip(
            records["object"],
            records["record_id"],
            records["count"],
            records["change"],
            strict=True,
        )
    ]
    periods = _periods(before, after, changed)
    return pd.concat([records, periods], ignore_index=True)[COLUMNS].astype(_types())


def _changed(old: Definitions, new: Definitions) -> dict[str, str]:
    """Settings that differ and can move something, each with its two values in words."""
    said = {}
    for name in SETTINGS:
        one, other = (_setting(definitions, name) for definitions in (old, new))
        if one != other:
            said[name] = f"{name}: {one} -> {other}"
    return said


def _setting(definitions: Definitions, name: str) -> str:
    """Return a setting in words."""
    if name.startswith("count."):
        return str(definitions.count.get(name.removeprefix("count."), "not set"))
    value = getattr(definitions, name)
    if name == "pipelines":
        return str(list(value)) if value else "all"
    return str(dict(sorted(value.items()))) if name == "deal_types" else str(value)


def _counted(snapshot: Snapshot, count: str) -> pd.DataFrame:
    """Records of a count: ``record_id``, ``day`` it counts from, ``url``."""
    if count == "lead":
        return _rows(snapshot.leads.lazy(), "lead", "created_day")
    if count in ("mql", "sql"):
        return _qualified(snapshot, count)
    deals = snapshot.deals.lazy()
    if count == "won":
        return _rows(deals.filter(nw.col("outcome") == "won"), "deal", "closed_day")
    if count != "pipelines":
        deals = deals.filter(nw.col("deal_type") == count.removeprefix("deal_type "))
    return _rows(deals, "deal", "created_day")


def _qualified(snapshot: Snapshot, count: str) -> pd.DataFrame:
    """MQLs or SQLs; nobody where the definitions do not say what that is."""
    rule = snapshot.definitions.count.get(count)
    if rule is None:
        return _rows(
            snapshot.leads.lazy().filter(nw.col("lead_id").is_null()), "lead", "created_day"
        )
    name = "lead" if rule.table == "leads" else "deal"
    first = snapshot.first_days(count)
    records = snapshot.table(rule.table).lazy()
    return _rows(records.join(first, left_on=f"{name}_id", right_on="id"), name, "first_day")


def _rows(records: nw.LazyFrame, name: str, day: str) -> pd.DataFrame:
    found = collect(records.select("url", record_id=nw.col(f"{name}_id"), day=nw.col(day)))
    return found.assign(object=name)


def _moved(count: str, before: Snapshot, after: Snapshot) -> pd.DataFrame:
    """Records whose place in one count differs."""
    one, other = _counted(before, count), _counted(after, count)
    both = one.merge(
        other,
        on=["object", "record_id"],
        how="outer",
        suffixes=("_one", "_other"),
        indicator="side",
    )
    days = [both[name].astype("float64") for name in ("day_one", "day_other")]
    same = (days[0] == days[1]) | (days[0].isna() & days[1].isna())
    both = both[~same | (both["side"] != "both")]
    words = {"left_only": "out", "right_only": "in", "both": "day moved"}
    both = both.sort_values(["object", "record_id"], ignore_index=True)
    return pd.DataFrame(
        {
            "object": both["object"],
            "record_id": both["record_id"],
            "count": count,
            "change": both["side"].astype("str").map(words),
            "first_day_before": _dates(both["day_one"]),
            "first_day_after": _dates(both["day_other"]),
            "url": both["url_other"].where(both["url_other"].notna(), both["url_one"]),
        }
    )


def _dates(days: "pd.Series[float]") -> "pd.Series[pd.Timestamp]":
    moments = pd.to_datetime(days.astype("float64") * 86_400, unit="s")
    return moments.astype("datetime64[us]")


def _deals_inside(snapshot: Snapshot) -> set[str]:
    """Ids of the deals that count at all."""
    return set(collect(snapshot.deals.lazy().select("deal_id"))["deal_id"])


def _why(count: str, change: str, changed: dict[str, str], *, alone: bool) -> str:
    """Name the settings that can have moved a record.

    `alone`: a deal that counts at all under one of the two definitions only, which nothing but
    the included pipelines (or where the as-of day ends) can do.
    """
    can = ["pipelines", "time_zone"] if alone else [_own(count), "time_zone"]
    if count in ("mql", "sql") and not alone:
        can = [f"count.{count}", "count.lead", "count.won", "time_zone"]
    if alone and "pipelines" in changed and change != "day moved":
        can = ["pipelines"]
    return "; ".join(changed[name] for name in can if name in changed) or "; ".join(
        changed.values()
    )


def _own(count: str) -> str:
    """Return the setting that says what counts."""
    if count.startswith("deal_type"):
        return "deal_types"
    return count if count == "pipelines" else f"count.{count}"


def _periods(before: Snapshot, after: Snapshot, changed: dict[str, str]) -> pd.DataFrame:
    """Fiscal years and quarters whose name or first day differs, from the first record on."""
    if "fiscal_year_start" not in changed:
        return _frame([])
    first = min(_first_day(before), _first_day(after))
    rows = []
    for every in LENGTHS:
        one, other = (_named(s, first, every) for s in (before, after))
        for name in sorted({*one, *other}):
            was, is_now = one.get(name), other.get(name)
            if was == is_now:
                continue
            moved = "in" if was is None else "out" if is_now is None else "day moved"
            why = changed["fiscal_year_start"]
            rows.append(["calendar", name, every, moved, was, is_now, None, why])
    return _frame(rows)


def _named(snapshot: Snapshot, first: date, every: Every) -> dict[str, date]:
    """First day of each period by its label."""
    start = snapshot.definitions.fiscal_year_start
    first = period_start(first, every, start)
    return {label(day, every, start): day for day in starts(first, snapshot.as_of, every, start)}


def _first_day(snapshot: Snapshot) -> date:
    """Day of the first lead or deal; the as-of date where there is none."""
    days = [
        collect(snapshot.table(name).lazy().select(day=nw.col("created_day").min()))["day"].iloc[0]
        for name in ("leads", "deals")
    ]
    known = [from_day(day) for day in days if not pd.isna(day)]
    return min([*known, snapshot.as_of])


def _frame(rows: Sequence[Sequence[object]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=COLUMNS).astype(_types())


def _types() -> dict[str, str]:
    days = dict.fromkeys(["first_day_before", "first_day_after"], "datetime64[us]")
    return dict.fromkeys(COLUMNS, "str") | days
