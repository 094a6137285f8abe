"""The account as a test or a notebook handles it: made, changed, and stated as the truth."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal, Self

import pandas as pd

from connectors.sandbox.hubspot import edits, life
from connectors.sandbox.hubspot.generate import fill
from connectors.sandbox.hubspot.sample import fill_from
from connectors.sandbox.hubspot.state import State
from connectors.sandbox.hubspot.truth import Fields, truth
from connectors.sandbox.hubspot.wire import EPOCH


class Account(State):
    """A HubSpot account in memory. Every change happens at the account's time, `now`.

    Examples
    --------
    >>> account = Account.generate(deals=10, seed=1, now="2026-11-01T00:00:00Z")
    >>> account.advance(60)
    >>> deal = account.edit("deals", 6744192456, {"amount": "500"})
    >>> account.truth()["deals"].set_index("deal_id").loc["6744192456", "amount"]
    np.float64(500.0)
    """

    @classmethod
    def generate(
        cls,
        deals: int = 1_000,
        seed: int = 0,
        *,
        now: datetime | str | None = None,
        leads: bool = True,
        time_zone: str = "America/New_York",
        years: float = 3.0,
        lag: float = 0.0,
        many_properties: bool = False,
    ) -> Self:
        """Make up an account.

        Parameters
        ----------
        deals : int
            Number of deals; everything else follows from it.
        seed : int
            The same seed, size and day give the same account.
        now : datetime or ISO text, optional
            Fixed time of the account's clock, which then moves only by `advance`. Default: the
            clock of this machine; the records then end at midnight UTC of today.
        leads : bool
            Whether the account has the leads object; without, contacts are its leads.
        time_zone : str
            The account's time zone.
        years : float
            How far back the records go.
        lag : float
            Seconds until search sees a change.
        many_properties : bool
            Whether deals and contacts have 900 custom properties more.
        """
        account = cls(
            has_leads=leads,
            time_zone=time_zone,
            lag=round(lag * 1_000),
            many_properties=many_properties,
            fixed_now=_ms(now),
        )
        fill(account, deals, seed, years)
        return account

    @classmethod
    def from_tables(
        cls,
        frames: Mapping[str, pd.DataFrame],
        *,
        now: datetime | str | None = None,
        time_zone: str = "UTC",
    ) -> Self:
        """Turn canonical tables into an account with the same company in it.

        Leads become the leads object, each with a contact; columns that HubSpot has no property
        for become custom properties. `left_out` counts the subscriptions that belong to no deal.

        Parameters
        ----------
        frames : mapping of DataFrame
            Canonical tables by name.
        now : datetime or ISO text, optional
            Fixed time of the account's clock. Default: the clock of this machine.
        time_zone : str
            The account's time zone.
        """
        account = cls(time_zone=time_zone, fixed_now=_ms(now))
        fill_from(account, frames)
        return account

    def truth(
        self,
        *,
        fields: Fields | None = None,
        time_zone: str | None = None,
        leads: Literal["auto", "object", "contacts"] = "auto",
        deal_types: Mapping[str, str] | None = None,
        tombstones: bool = True,
    ) -> dict[str, pd.DataFrame]:
        """State the account as canonical tables: see `truth.truth`."""
        with self.lock:
            return truth(
                self,
                fields=fields,
                time_zone=time_zone,
                leads=leads,
                deal_types=deal_types,
                tombstones=tombstones,
            )

    # changes by name, then seeded random ones

    edit = edits.edit
    create = edits.create
    archive = edits.archive
    restore = edits.restore
    gdpr_delete = edits.gdpr_delete
    merge = edits.merge
    rename_stage = edits.rename_stage
    delete_stage = edits.delete_stage
    associate = edits.associate
    dissociate = edits.dissociate
    recalculate = edits.recalculate

    touch = life.touch
    create_deals = life.create_deals
    create_contacts = life.create_contacts
    bulk_edit = life.bulk_edit
    mutate = life.mutate


def _ms(now: datetime | str | None) -> int | None:
    if now is None:
        return None
    moment = datetime.fromisoformat(now) if isinstance(now, str) else now
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(milliseconds=1)
