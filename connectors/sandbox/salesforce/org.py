"""The org as a test or a notebook handles it: made, changed, and stated as the truth."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self

import pandas as pd

from connectors.sandbox.salesforce import edits, life
from connectors.sandbox.salesforce.generate import fill
from connectors.sandbox.salesforce.sample import fill_from
from connectors.sandbox.salesforce.state import State
from connectors.sandbox.salesforce.truth import truth
from connectors.sandbox.salesforce.truth_reading import Fields
from connectors.sandbox.salesforce.wire import seconds


class Org(State):
    """A Salesforce org in memory. Every change happens at the org's time, `now`.

    Examples
    --------
    >>> org = Org.generate(opportunities=10, seed=1, now="2026-11-01T00:00:00Z")
    >>> org.advance(60)
    >>> deal = org.create("Opportunity", {"Name": "One", "Amount": 500.0})
    >>> org.edit("Opportunity", deal, {"StageName": "Closed Won"})
    >>> org.truth()["deals"].set_index("deal_id").loc[deal, "outcome"]
    'won'
    """

    @classmethod
    def generate(
        cls,
        opportunities: int = 1_000,
        seed: int = 0,
        *,
        now: datetime | str | None = None,
        multi_currency: bool = True,
        dated_rates: bool = True,
        record_types: bool = False,
        lead_history: bool = True,
        time_zone: str = "America/New_York",
        years: float = 3.0,
        history_rows: int | None = None,
    ) -> Self:
        """Make up an org.

        Parameters
        ----------
        opportunities : int
            Number of opportunities; everything else follows from it.
        seed : int
            The same seed, size and day give the same org.
        now : datetime or ISO text, optional
            Fixed time of the org's clock, which then moves only by `advance`. Default: the clock
            of this machine; the records then end at midnight UTC of today.
        multi_currency, dated_rates : bool
            Whether there are several currencies, and whether their rates change over time.
        record_types : bool
            Whether opportunities have record types.
        lead_history : bool
            Whether the history of leads is tracked.
        time_zone : str
            The org's time zone.
        years : float
            How far back the records go.
        history_rows : int, optional
            About how many rows of stage history there are; by default some six an opportunity.
        """
        org = cls(
            multi_currency=multi_currency,
            dated_rates=dated_rates,
            record_types=record_types,
            lead_history=lead_history,
            time_zone=time_zone,
            fixed_now=seconds(now),
        )
        fill(org, opportunities, seed, years, history_rows)
        return org

    @classmethod
    def from_tables(
        cls,
        frames: Mapping[str, pd.DataFrame],
        *,
        now: datetime | str | None = None,
        time_zone: str = "UTC",
    ) -> Self:
        """Turn canonical tables into an org with the same company in it.

        An org has one list of stages: those of the first pipeline of deals. `left_out` counts the
        deals of other pipelines, and the subscriptions that belong to no deal. Columns without a
        field of Salesforce become custom fields.

        Parameters
        ----------
        frames : mapping of DataFrame
            Canonical tables by name.
        now : datetime or ISO text, optional
            Fixed time of the org's clock. Default: the clock of this machine.
        time_zone : str
            The org's time zone.
        """
        org = cls(time_zone=time_zone, fixed_now=seconds(now))
        fill_from(org, frames)
        return org

    def truth(
        self,
        *,
        fields: Fields | None = None,
        deal_types: Mapping[str, str] | None = None,
        time_zone: str | None = None,
        tombstones: bool = True,
        purged: bool = True,
    ) -> dict[str, pd.DataFrame]:
        """State the org as canonical tables: see `truth.truth`."""
        with self.lock:
            return truth(
                self,
                fields=fields,
                deal_types=deal_types,
                time_zone=time_zone,
                tombstones=tombstones,
                purged=purged,
            )

    # changes by name, then those of many records, then seeded random ones

    create = edits.create
    edit = edits.edit
    delete = edits.delete
    hard_delete = edits.hard_delete
    undelete = edits.undelete
    merge_leads = edits.merge_leads
    convert_lead = edits.convert_lead
    rename_stage = edits.rename_stage
    deactivate_stage = edits.deactivate_stage
    delete_stage = edits.delete_stage
    system_touch = edits.system_touch
    change_formula = edits.change_formula

    bulk_edit = life.bulk_edit
    purge_history = life.purge_history
    archive_events = life.archive_events
    touch = life.touch
    mutate = life.mutate
