"""Snapshot: the tables as known at one date, under one set of definitions. Every KPI takes one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial

import narwhals as nw
import pandas as pd

from kpi.currency import in_reporting_currency
from kpi.definitions import Definitions
from kpi.engine import Engine, collect, empty, to_pandas
from kpi.engines.native import taken
from kpi.filters import narrowed
from kpi.intake import files_taken, frames_taken
from kpi.known import Frames, first_days, known
from kpi.periods import as_date, day_number
from kpi.rewind import not_rewound
from kpi.tables import TABLES, MissingTableError, TableError

Take = Callable[[date, Definitions], tuple[Engine, Frames, pd.DataFrame]]


@dataclass(frozen=True)
class SnapshotTable:
    """One canonical table of a snapshot: rows known at its date, inside its filters.

    `to_pandas` hands out the canonical columns; `lazy` a Narwhals frame that has, besides, the
    whole-number twins of `kpi.engine` and what `kpi.known` works out (outcome, closed_day, ...).
    """

    name: str
    frame: nw.LazyFrame

    def lazy(self) -> nw.LazyFrame:
        """Return the lazy Narwhals frame."""
        return self.frame

    def to_pandas(self) -> pd.DataFrame:
        """Return the canonical columns (`kpi.tables`) as pandas, sorted by the table's key."""
        return to_pandas(self.name, self.frame)

    def __len__(self) -> int:
        return int(collect(self.frame.select(nw.len().alias("n")))["n"].iloc[0])


@dataclass(frozen=True, repr=False)
class Snapshot:
    """The tables of a company as known at the end of one day.

    Make one with `Snapshot.from_frames` (data frames), `Snapshot.from_parquet` (a store's files) or
    `connectors.open` (a folder or a store). A snapshot never changes: `at` and `where` return new
    ones.

    Attributes
    ----------
    as_of : date
        Last day that is known, to its end, in the time zone of the definitions.
    window_start : date or None
        First date from which the export is complete: records closed before it are missing, so
        durations are taken with delayed entry. None: complete from the beginning.
    definitions : Definitions
    filters : mapping
        What `where` narrowed it to; printed beside numbers.
    source : str
        Where the data came from, in words.
    problems : DataFrame
        Every row or value rejected, cleared or remarked on (columns of `kpi.conform`).
    since : date or None
        First day of the first period that is asked for: numbers by period begin there, which is all
        it changes. None: with the first record.
    """

    as_of: date
    window_start: date | None
    definitions: Definitions
    source: str
    problems: pd.DataFrame
    filters: Mapping[str, tuple[str, ...]]
    present: frozenset[str]
    engine: Engine
    raw: Frames
    frames: Frames
    kept: dict[object, nw.LazyFrame] = field(default_factory=dict)
    remake: "Callable[[Definitions], Snapshot] | None" = None
    since: date | None = None

    @classmethod
    def from_frames(
        cls,
        frames: Mapping[str, pd.DataFrame],
        *,
        as_of: date | str,
        window_start: date | str | None = None,
        definitions: Definitions | None = None,
        source: str = "data frames",
    ) -> "Snapshot":
        """Take plain data frames in, one per canonical table; missing tables are allowed.

        Parameters
        ----------
        frames : mapping of table name to DataFrame
            Brought to the contract by `kpi.conform`; not changed.
        as_of : date or ISO text
            What is dated later is not yet known.

        Raises
        ------
        TableError
            If a table is unknown, a required column is missing, or amounts in several currencies
            come without exchange rates.

        Examples
        --------
        >>> deals = pd.DataFrame({
        ...     "deal_id": ["1", "2"], "outcome": ["won", "open"],
        ...     "created_at": ["2026-01-05", "2026-02-01"], "close_date": ["2026-03-01", None]})
        >>> snapshot = Snapshot.from_frames({"deals": deals}, as_of="2026-04-30")
        >>> snapshot.deals.to_pandas()["outcome"].tolist()
        ['won', 'open']
        >>> snapshot.at("2026-02-15").deals.to_pandas()["outcome"].tolist()
        ['open', 'open']
        """
        given = {name: frame.copy(deep=False) for name, frame in frames.items()}
        take = partial(frames_taken, given)
        return cls._made(take, as_of, window_start, definitions, source)

    @classmethod
    def from_parquet(
        cls,
        files: Mapping[str, Sequence[str]],
        *,
        as_of: date | str,
        window_start: date | str | None = None,
        definitions: Definitions | None = None,
        source: str = "Parquet files",
    ) -> "Snapshot":
        """Take the Parquet files of tables that were conformed when written (a store's)."""
        take = partial(files_taken, dict(files))
        return cls._made(take, as_of, window_start, definitions, source)

    @classmethod
    def from_tables(
        cls,
        tables: Mapping[str, object],
        *,
        as_of: date | str,
        window_start: date | str | None = None,
        definitions: Definitions | None = None,
        source: str = "tables of an engine",
    ) -> "Snapshot":
        """Take Spark data frames or Ibis tables, one per canonical table; they stay where they are.

        The same contract as `from_frames`, held by lazy expressions: every KPI then runs on the
        engine, and only counts and sums come out of it.

        Parameters
        ----------
        tables : mapping of table name to pyspark DataFrame or Ibis table
            Canonical columns (`kpi.tables`), any number of rows. Moments are timestamps, with a zone
            or in UTC (whatever the time zone of the session); days are dates or timestamps. All of
            one session or connection. Missing tables are allowed.
        as_of, window_start, definitions, source
            As in `from_frames`.

        Returns
        -------
        Snapshot
            Its ``problems`` are counted, one row a table, column and reason (``value`` says how many
            rows), and name what was not looked at.

        Raises
        ------
        TableError
            If a table is unknown, a required column is missing, a column would have to be parsed, or
            the tables are neither Spark's nor Ibis', or of several kinds.

        Notes
        -----
        On Spark what is read many times is kept by ``localCheckpoint``. Over Ibis it is kept in
        temporary tables where Ibis has them (DuckDB, Postgres, Snowflake), else reckoned anew by every
        KPI.

        Examples
        --------
        ``Snapshot.from_tables({"deals": spark.table("crm.deals")}, as_of="2026-04-30")``

        >>> Snapshot.from_tables({"deals": pd.DataFrame({"deal_id": ["1"]})}, as_of="2026-04-30")
        Traceback (most recent call last):
        kpi.tables.TableError: table deals is a DataFrame: expected a Spark data frame or ...
        """
        take = partial(taken, dict(tables))
        return cls._made(take, as_of, window_start, definitions, source)

    @classmethod
    def _made(
        cls,
        take: Take,
        as_of: date | str,
        window_start: date | str | None,
        definitions: Definitions | None,
        source: str,
    ) -> "Snapshot":
        """Bring the data in, and keep how: under other definitions it is brought in anew."""
        settings, day = definitions or Definitions(), as_date(as_of)
        start = as_date(window_start) if window_start is not None else None
        engine, raw, problems = take(day, settings)

        def remake(other: Definitions) -> "Snapshot":
            return cls._made(take, as_of, window_start, other, source)

        present = frozenset(raw)
        raw = raw | {n: engine.load(n, empty(t), "UTC") for n, t in TABLES.items() if n not in raw}
        return cls._known(raw, present, engine, day, start, settings, source, problems, remake)

    @classmethod
    def _known(
        cls,
        raw: Frames,
        present: frozenset[str],
        engine: Engine,
        as_of: date,
        window_start: date | None,
        definitions: Definitions,
        source: str,
        problems: pd.DataFrame,
        remake: "Callable[[Definitions], Snapshot] | None" = None,
    ) -> "Snapshot":
        cut = definitions.midnight(as_of + timedelta(days=1))
        raw, frames = known(raw, engine, definitions, cut, day_number(as_of))
        frames = in_reporting_currency(frames, engine, definitions, day_number(as_of))
        return cls(
            as_of,
            window_start,
            definitions,
            source,
            problems,
            {},
            present,
            engine,
            raw,
            frames,
            remake=remake,
        )

    def at(self, as_of: date | str) -> "Snapshot":
        """Rewind to what was known at the end of an earlier day.

        What history records (stage, pipeline, owner, amount, close date, status of a lead) goes back
        to its last recorded value; what came later is not there. Everything else stands as it is
        now: `not_rewound` says which columns that are.

        Raises
        ------
        TableError
            If the day is later than this snapshot's: the data does not know it.
        """
        day = as_date(as_of)
        if day > self.as_of:
            raise TableError(f"at {day}: the data is known up to {self.as_of} only")
        engine, raw = self.engine.branch(self.raw)
        rewound = self._known(
            raw,
            self.present,
            engine,
            day,
            self.window_start,
            self.definitions,
            self.source,
            self.problems,
            self.remake,
        )
        return rewound.where(**self.filters) if self.filters else rewound

    def under(self, definitions: Definitions) -> "Snapshot":
        """Return the same data, date and filters under other definitions.

        The data is brought in anew, so that moments written without an offset and the CRM's own
        words for a deal's type are read as the other definitions say. A store's deal types were
        translated when it was written and stay as they are.

        Examples
        --------
        >>> deals = pd.DataFrame({"deal_id": ["1", "2"], "pipeline_id": ["sales", "partner"]})
        >>> snapshot = Snapshot.from_frames({"deals": deals}, as_of="2026-01-01")
        >>> len(snapshot.under(Definitions(pipelines=("sales",))).deals)
        1
        """
        if self.remake is None:
            raise TableError("this snapshot does not know what it was made of: make it anew")
        fresh = self.remake(definitions)
        if self.as_of < fresh.as_of:
            fresh = fresh.at(self.as_of)
        return fresh.where(**self.filters) if self.filters else fresh

    def where(self, **filters: object) -> "Snapshot":
        """Narrow to leads and deals that hold one of the values; history follows them.

        Parameters
        ----------
        **filters
            Column of leads or deals (``pipeline`` and ``owner`` mean their ids) and the value or
            values wanted. A table without that column is left as it is. Deals that never fill the
            column are narrowed by that of their lead. Narrowing a column again keeps what both allow.

        Raises
        ------
        TableError
            If neither leads nor deals have such a column.

        Examples
        --------
        >>> deals = pd.DataFrame({"deal_id": ["1", "2"], "source": ["event", "website"]})
        >>> len(Snapshot.from_frames({"deals": deals}, as_of="2026-01-01").where(source="event").deals)
        1
        """
        frames, wanted = narrowed(self.frames, filters, self.filters)
        return replace(self, frames=frames, filters=wanted, kept={})

    def table(self, name: str) -> SnapshotTable:
        """Return a canonical table; `snapshot.deals` is the same as `snapshot.table("deals")`."""
        if name not in TABLES:
            raise TableError(f"no table is called {name!r}; expected one of {list(TABLES)}")
        return SnapshotTable(name, self.frames[name])

    def __getattr__(self, name: str) -> SnapshotTable:
        if name in TABLES:
            return self.table(name)
        raise AttributeError(f"a snapshot has no {name!r}; its tables are {list(TABLES)}")

    def need(self, *names: str, of: str) -> None:
        """Raise a MissingTableError that names the tables among `names` that the data lacks."""
        lacking = [name for name in names if name not in self.present]
        if lacking:
            raise MissingTableError(
                f"{of} needs the table(s) {lacking}; the data has {sorted(self.present)}"
            )

    def first_days(self, name: str) -> nw.LazyFrame:
        """First day on which each record counts as `name` (see `[count.…]` in the definitions)."""
        if name not in self.definitions.count:
            raise TableError(f"definitions: [count.{name}] is not set")
        return first_days(self.frames, self.definitions.count[name])

    def once(self, key: object, make: "Callable[[], nw.LazyFrame]") -> nw.LazyFrame:
        """Compute a frame that several KPIs share once per snapshot.

        A snapshot narrowed by `where` may be one of thousands (a slider) on one engine: what is
        computed for it must go with it.
        """
        if key not in self.kept:
            hold = self.engine.keep if self.filters else self.engine.store
            self.kept[key] = hold(make())
        return self.kept[key]

    @property
    def as_of_day(self) -> int:
        """The as-of date as days since 1970-01-01."""
        return day_number(self.as_of)

    @property
    def not_rewound(self) -> dict[str, tuple[str, ...]]:
        """Columns of leads and deals that `at` leaves as they are now: no history has them.

        Of those that change in life and that the data fills. A group or filter by one of them asks
        in the past for what is known today. (Of other tables, rows go back by their dates only.)

        Examples
        --------
        >>> deals = pd.DataFrame({"deal_id": ["1"], "source": ["event"], "owner_id": ["ann"]})
        >>> history = pd.DataFrame({"record_id": ["1"], "owner_id": ["bob"],
        ...     "changed_at": ["2026-01-05"]})
        >>> snapshot = Snapshot.from_frames({"deals": deals, "history": history}, as_of="2026-01-31")
        >>> snapshot.not_rewound["deals"]
        ('source',)
        """
        return not_rewound(self.raw)

    @property
    def described(self) -> str:
        """As-of date, source, filters and definitions in one line, to print beside numbers."""
        filters = "; ".join(f"{k}: {', '.join(v)}" for k, v in self.filters.items()) or "none"
        return (
            f"as of {self.as_of} · source: {self.source} · filters: {filters} · "
            f"definitions {self.definitions.version}"
        )

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(self.table(n)):,} {n}" for n in TABLES if n in self.present)
        return f"Snapshot({self.described} · {counts})"
