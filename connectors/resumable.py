"""A sync that may take long: rows go in chunk by chunk, and show to readers all at once at its end.

Beside the store's tables a small file says how far it has come, written after the rows it speaks
of. One that was killed, or stopped at a daily limit, goes on from there; whatever came in after the
file was written comes once more, and is not doubled.
"""

import json
import os
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any

import pandas as pd

from connectors.lake.syncs import COUNTS
from connectors.store import Marks, Staged, Store, SyncResult
from kpi.conform import PROBLEMS, REJECTED

LISTED = 10_000
"""Problems kept in the list; beyond that they are only counted."""


class Resumable:
    """A sync under way.

    Parameters
    ----------
    store : Store
        Where the rows go.
    source : str
        Where they come from, like ``hubspot``.
    settings : str
        Fingerprint of whatever changes the rows. What was begun under other settings is not
        continued.

    Attributes
    ----------
    state : dict
        How far it has come, in whatever words the connector likes (JSON values only).
    resumed : bool
        Whether an earlier sync is being continued.
    dropped : dict
        The state of an earlier sync that was begun under other settings and is not continued.
    """

    def __init__(self, store: Store, source: str, settings: str) -> None:
        self.store, self.source = store, source
        self._file = store.path / f"{source}.progress.json"
        kept = self._read()
        self.resumed = kept is not None and kept["settings"] == settings
        self._kept = kept if kept is not None and self.resumed else _fresh(settings)
        # as they are written: they may be many, and the file is written often
        self._problems = [json.dumps(one) for one in self._kept.pop("problems")]
        self.state: dict[str, Any] = self._kept["state"]
        self.dropped: dict[str, Any] = {} if kept is None or self.resumed else dict(kept["state"])

    def add(
        self,
        frames: Mapping[str, pd.DataFrame],
        *,
        remove: Mapping[str, Iterable[str]] | None = None,
        replace: Collection[str] = (),
        noted: bool = True,
    ) -> None:
        """Save rows, and let records go; `Store.merge` says how. Then note how far we are.

        Parameters
        ----------
        noted : bool
            False where more belongs to it: whoever adds that calls `save` after it.
        """
        staged = self.store.stage(frames, source=self.source, remove=remove, replace=replace)
        self._note(staged)
        if noted:
            self.save()

    def save(self) -> None:
        """Write `state` down, whole or not at all."""
        self.store.path.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            file.write(self._text())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._file)

    def list_problems(self, problems: pd.DataFrame) -> None:
        """Add to what is listed at the end; the next `save` keeps it."""
        if problems.empty:
            return
        room = LISTED - len(self._problems)
        listed = problems[PROBLEMS].head(max(room, 0)).to_dict("records")
        self._problems += [json.dumps(one) for one in listed]
        self._kept["unlisted"] += max(len(problems) - room, 0)

    def publish(
        self, as_of: date, watermarks: Marks, finished_at: datetime | None = None
    ) -> SyncResult:
        """Show the rows to readers, together with up to where each table has been read."""
        marks = self.store.stage({}, source=self.source, watermark=watermarks)
        self._note(marks)
        counts = pd.DataFrame(
            [[name, *row] for name, row in self._kept["counts"].items()],
            columns=["table", *COUNTS],
        )
        listed = json.loads(f"[{','.join(self._problems)}]")
        problems = _once(pd.DataFrame(listed, columns=PROBLEMS))
        if not self._kept["unlisted"]:
            rejected = problems.loc[problems["action"] == REJECTED, "table"].value_counts()
            counts["rejected"] = counts["table"].map(rejected).fillna(0).astype("int64")
        staged = Staged(self._kept["versions"], counts, problems)
        return self.store.publish(staged, source=self.source, as_of=as_of, finished_at=finished_at)

    def done(self) -> None:
        """Forget how far it was: it is finished."""
        self._file.unlink(missing_ok=True)

    def _note(self, staged: Staged) -> None:
        self._kept["versions"] |= staged.versions
        for row in staged.counts.to_dict("records"):
            before = self._kept["counts"].get(row["table"], [0] * len(COUNTS))
            added = [a + int(row[name]) for a, name in zip(before, COUNTS, strict=True)]
            self._kept["counts"][row["table"]] = added
        self.list_problems(staged.problems)

    def _text(self) -> str:
        return f'{json.dumps(self._kept)[:-1]}, "problems": [{",".join(self._problems)}]}}'

    def _read(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:  # of another make: begin anew, which is always right
            return None
        whole = isinstance(found, dict) and set(found) == set(_fresh(""))
        return found if whole else None


def _once(problems: pd.DataFrame) -> pd.DataFrame:
    """List what came in several chunks once; the row is that of a chunk, so the key tells."""
    row = problems["row"].where(problems["key"].isna(), 0)
    again = problems.assign(row=row).duplicated()
    return problems[~again].reset_index(drop=True)


def _fresh(settings: str) -> dict[str, Any]:
    return {
        "settings": settings,
        "state": {},
        "versions": {},
        "counts": {},
        "problems": [],
        "unlisted": 0,
    }
