"""HubSpot: an account's leads, deals and all that belongs to them, into a store or as pandas.

`connectors.sync("hubspot", store=...)` keeps an account in a store. Each function here returns one
canonical table straight from the account, for those who only want a frame::

    from connectors import hubspot
    deals = hubspot.deals(token="...")      # or HUBSPOT_TOKEN in the environment

Only reading: no call that writes is ever made.
"""

from connectors.hubspot.check import Check, check
from connectors.hubspot.client import VERSION, HubSpot
from connectors.hubspot.connect import connect
from connectors.hubspot.frames import (
    accounts,
    deals,
    frames,
    history,
    leads,
    meetings,
    owners,
    stages,
    subscriptions,
)
from connectors.hubspot.settings import Settings
from connectors.hubspot.sync import Sync
from connectors.sync_report import SyncReport

__all__ = [
    "VERSION",
    "Check",
    "HubSpot",
    "Settings",
    "Sync",
    "SyncReport",
    "accounts",
    "check",
    "connect",
    "deals",
    "frames",
    "history",
    "leads",
    "meetings",
    "owners",
    "stages",
    "subscriptions",
]
