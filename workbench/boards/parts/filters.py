"""What a board looks at: as of when, which part of the data, in periods of which length."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets as w
import narwhals as nw
import pandas as pd

from kpi import Snapshot, TableError
from kpi.engine import collect
from kpi.filters import RECORDS, id_column
from kpi.periods import Every
from kpi.tables import TABLES

ALL = ""
"""Value of a list when nothing is chosen: a Dropdown shows nothing at all for None."""
LONGEST = 200
"""Values offered at most: a longer list is no choice, and a page would carry it all."""
LABELS = {
    "pipeline": "Pipeline",
    "source": "Source",
    "segment": "Segment",
    "region": "Region",
    "owner": "Seller",
}
BUSINESS = {
    "new business": "new",
    "expansion": "expansion",
    "renewal": "renewal",
    "all business": ALL,
}
LENGTHS = ("month", "quarter", "year")
ONLY = ("as_of", "since", "every", "deal_type", *LABELS)
NAMED = {"description_width": "104px"}
BOX = {"width": "330px"}


class Filters:
    """Controls that narrow a snapshot; only those are shown that can change something.

    Parameters
    ----------
    snapshot : Snapshot
        Values to choose from are its own; its as-of date is the last one that can be chosen.
    only : sequence of str
        Which controls the board wants, of ``as_of, since, every, deal_type, pipeline, source,
        segment, region, owner``.
    every : {"month", "quarter", "year"}
        Length of a period at first.

    Attributes
    ----------
    as_of, since : DatePicker
        Last day that is known; first day of the first period asked for (None: with the first
        record), which changes nothing but where numbers by period begin.
    every : ToggleButtons
    deal_type : Dropdown
        ``new``, ``expansion``, ``renewal`` or `ALL`: an option of KPIs (`business`), not a filter.
    pipeline, source, segment, region, owner : Dropdown
        An id or value, or `ALL`.
    controls : dict of name to widget
        Those shown: asked for, and with more than one value to choose from.
    view : VBox
    """

    pipeline: w.Dropdown
    source: w.Dropdown
    segment: w.Dropdown
    region: w.Dropdown
    owner: w.Dropdown

    def __init__(
        self, snapshot: Snapshot, *, only: Sequence[str] = ONLY, every: Every = "quarter"
    ) -> None:
        unknown = sorted(set(only) - set(ONLY))
        if unknown:
            raise TableError(f"only={unknown}: no such filter; expected some of {list(ONLY)}")
        if every not in LENGTHS:
            raise TableError(f"every={every!r}; expected one of {LENGTHS}")
        self._whole = snapshot
        self._known = {snapshot.as_of: snapshot}
        self._tables: dict[tuple[Hashable, ...], pd.DataFrame] = {}
        self._narrow: tuple[tuple[Any, ...], Snapshot] | None = None
        self.as_of = w.DatePicker(
            value=snapshot.as_of,
            max=snapshot.as_of,
            description="As of",
            tooltip="Last day that is known",
            style=NAMED,
            layout=BOX,
        )
        self.since = w.DatePicker(
            value=snapshot.since,
            description="Periods from",
            tooltip="First day of the first period",
            style=NAMED,
            layout=BOX,
        )
        self.every = w.ToggleButtons(
            options=LENGTHS,
            value=every,
            description="Periods",
            style={**NAMED, "button_width": "78px"},
            layout={"width": "340px"},
        )
        self.deal_type = _dropdown("Business", BUSINESS, "new")
        for name, label in LABELS.items():
            setattr(self, name, _dropdown(label, _choices(snapshot, name), ALL))
        found = {name: getattr(self, name) for name in ONLY if name in only}
        self.controls: dict[str, w.Widget] = {
            name: control
            for name, control in found.items()
            if name not in LABELS or len(control.options) > 2  # all, and one value: no choice
        }
        note = w.Label(value=f"Amounts in {self.currency}")
        note.add_class("rf-note")
        self.view = w.VBox([*self.controls.values(), note])

    @property
    def currency(self) -> str:
        """Code of the reporting currency."""
        return self._whole.definitions.reporting_currency

    @property
    def business(self) -> str | None:
        """Kind of business counted, as KPIs take it (``deal_type``): None for all."""
        return self.deal_type.value or None

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot as of the date, narrowed, its periods from the first day asked for.

        Raises
        ------
        TableError
            If there is no as-of date, it is not known yet, or periods begin after it.
        """
        chosen = {name: self.controls[name].value for name in LABELS if name in self.controls}
        wanted = {name: value for name, value in chosen.items() if value != ALL}
        asked = (self.as_of.value, self.since.value, *wanted.items())
        if self._narrow is None or self._narrow[0] != asked:
            self._narrow, self._tables = (asked, self._narrowed(wanted)), {}
        return self._narrow[1]

    def table(self, kpi: Callable[..., pd.DataFrame], **options: Hashable) -> pd.DataFrame:
        """Return a KPI of the snapshot, worked out once for what the filters say.

        So a control that changes one number does not work the others out again.
        """
        snapshot, key = self.snapshot, (kpi, *sorted(options.items()))
        if key not in self._tables:
            self._tables[key] = kpi(snapshot, **options)
        return self._tables[key]

    def _narrowed(self, wanted: dict[str, str]) -> Snapshot:
        day, since = self.as_of.value, self.since.value
        if day is None:
            raise TableError("set the as-of date: the last day that is known")
        if since is not None and since > day:
            raise TableError(f"periods from {since} begin after the as-of date, {day}")
        if day not in self._known:
            self._known = {self._whole.as_of: self._whole, day: self._whole.at(day)}
        narrowed = self._known[day]
        narrowed = narrowed.where(**wanted) if wanted else narrowed
        return narrowed if since == narrowed.since else replace(narrowed, since=since)


def _dropdown(label: str, options: dict[str, str], value: str) -> w.Dropdown:
    return w.Dropdown(
        options=list(options.items()),
        value=value,
        description=label,
        style=NAMED,
        layout=BOX,
    )


def _choices(snapshot: Snapshot, name: str) -> dict[str, str]:
    """Values of a column of leads and deals, with what people call them."""
    column = id_column(name)
    found: set[str] = set()
    for table in RECORDS:
        if table in snapshot.present and column in TABLES[table].names:
            held = snapshot.table(table).lazy().select(column).unique()
            found |= {str(value) for value in collect(held)[column].dropna()}
    values = sorted(found)[:LONGEST]
    called = _names(snapshot, name)
    labels = [called.get(value, value) for value in values]
    twice = {label for label in labels if labels.count(label) > 1 or label == "all"}
    unique = [f"{x} ({v})" if x in twice else x for x, v in zip(labels, values, strict=True)]
    return {"all": ALL, **dict(zip(unique, values, strict=True))}


def _names(snapshot: Snapshot, name: str) -> dict[str, str]:
    """What ids are called; empty where the data does not say."""
    if name != "owner" or "owners" not in snapshot.present:
        return {}
    named = snapshot.owners.lazy().filter(~nw.col("name").is_null())
    owners = collect(named.select("owner_id", "name"))
    return dict(zip(owners["owner_id"], owners["name"], strict=True))
