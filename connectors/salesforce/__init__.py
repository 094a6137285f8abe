"""Salesforce: an org's leads, opportunities and all that belongs to them, into a store or as pandas.

`connectors.sync("salesforce", store)` keeps an org in a store. Each function here returns one
canonical table straight from the org, for those who only want a frame::

    from connectors import salesforce
    deals = salesforce.opportunities()      # SALESFORCE_... in the environment

Only reading: no call that changes a record is ever made.
"""

from connectors.salesforce.check import Check, check
from connectors.salesforce.client import VERSION, Salesforce
from connectors.salesforce.connect import connect
from connectors.salesforce.frames import (
    accounts,
    deals,
    events,
    frames,
    history,
    leads,
    meetings,
    opportunities,
    owners,
    rates,
    stages,
    subscriptions,
    users,
)
from connectors.salesforce.settings import Settings
from connectors.salesforce.sync import Sync
from connectors.sync_report import SyncReport

__all__ = [
    "VERSION",
    "Check",
    "Salesforce",
    "Settings",
    "Sync",
    "SyncReport",
    "accounts",
    "check",
    "connect",
    "deals",
    "events",
    "frames",
    "history",
    "leads",
    "meetings",
    "opportunities",
    "owners",
    "rates",
    "stages",
    "subscriptions",
    "users",
]
