"""Salesforce: an org's leads, opportunities and all that belongs to them, into a store or as pandas.

`connectors.sync("salesforce", store)` keeps an org in a store. Each function here returns one
canonical table straight from the org, for those who only want a frame::

    from connectors import salesforce
    deals = salesforce.opportunities()      # SALESFORCE_... in the environment

Only reading: no call that changes a record is ever made.
"""

from connectors.salesforce.client import VERSION, Salesforce
from connectors.salesforce.connect import connect
from connectors.salesforce.settings import Settings
from connectors.salesforce.sync import Sync

__all__ = ["VERSION", "Salesforce", "Settings", "Sync", "connect"]
