"""What the org says and the settings choose: the ground on which its records are read.

Also the one place that says which Salesforce field fills which canonical column.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import pandas as pd

from connectors.errors import ConnectorError
from connectors.salesforce.records.columns import column
from connectors.salesforce.records.columns import field as field_of
from connectors.salesforce.records.currencies import Currencies
from kpi.tables import TABLES

DEAL_TYPES = {
    "New Customer": "new",
    "New Business": "new",
    "Existing Business": "expansion",
    "Existing Customer - Upgrade": "expansion",
    "Existing Customer - Replacement": "renewal",
    "Existing Customer - Downgrade": "renewal",
}

FIELDS: dict[str, dict[str, str]] = {
    "deals": {
        "name": "Name",
        "owner_id": "OwnerId",
        "account_id": "AccountId",
        "source": "LeadSource",
        "deal_type": "Type",
        "amount_original": "Amount",
        "forecast_category": "ForecastCategoryName",
        "last_activity_at": "LastActivityDate",
        "created_at": "CreatedDate",
        "close_date": "CloseDate",
        "updated_at": "SystemModstamp",
    },
    "leads": {
        "created_at": "CreatedDate",
        "source": "LeadSource",
        "owner_id": "OwnerId",
        "account_id": "ConvertedAccountId",
        "status": "Status",
        "deal_id": "ConvertedOpportunityId",
        "updated_at": "SystemModstamp",
    },
    "accounts": {
        "name": "Name",
        "industry": "Industry",
        "region": "BillingCountry",
        "size": "NumberOfEmployees",
        "created_at": "CreatedDate",
    },
    "meetings": {
        "booked_at": "CreatedDate",
        "owner_id": "OwnerId",
        "account_id": "AccountId",
        "lead_id": "WhoId",
        "deal_id": "WhatId",
    },
    "subscriptions": {"starts_on": "ServiceDate"},
}
OBJECTS = {
    "deals": "Opportunity",
    "leads": "Lead",
    "accounts": "Account",
    "meetings": "Event",
    "subscriptions": "OpportunityLineItem",
}
"""The object each table is read from."""


@dataclass(frozen=True)
class Reading:
    """What the org says of itself, and what the settings and definitions choose.

    Attributes
    ----------
    instance_url : str
        Address of the org, such as ``https://acme.my.salesforce.com``.
    time_zone : str
        IANA zone of the org: a day that becomes a moment begins there.
    currencies : Currencies
        By default one.
    deal_types : mapping
        Words of ``Type`` and what they mean, over Salesforce's own.
    fields : mapping of table to (column to field)
        Fields chosen in the settings, in place of ours.

    Raises
    ------
    ConnectorError
        If the time zone is none that this computer knows.

    Examples
    --------
    >>> reading = Reading("https://acme.my.salesforce.com", "Europe/Berlin")
    >>> reading.urls(pd.Series(["006x"])).tolist()
    ['https://acme.my.salesforce.com/006x']
    """

    instance_url: str
    time_zone: str
    currencies: Currencies = field(default_factory=Currencies)
    deal_types: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a zone in which no day could be told."""
        try:
            ZoneInfo(self.time_zone)
        except (OSError, ValueError, KeyError) as error:
            raise ConnectorError(
                f"Salesforce: the org's time zone {self.time_zone!r} is not known to this computer: "
                "install the package tzdata, or choose another zone under Company Information"
            ) from error

    @property
    def deal_words(self) -> dict[str, str]:
        """What each word of ``Type`` means."""
        return {**DEAL_TYPES, **self.deal_types}

    def urls(self, ids: pd.Series) -> pd.Series:
        """Addresses of records' pages."""
        return self.instance_url.rstrip("/") + "/" + ids

    def sources(self, table: str) -> dict[str, str]:
        """Field by canonical column: ours, and over them those of the settings.

        >>> chosen = {"deals": {"segment": "Market_Segment__c"}}
        >>> Reading("https://acme.my.salesforce.com", "UTC", fields=chosen).sources("deals")["segment"]
        'Market_Segment__c'
        """
        return {**FIELDS.get(table, {}), **self.fields.get(table, {})}

    def columns(self, table: str, raw: pd.DataFrame) -> dict[str, pd.Series]:
        """Read the fields of a table's columns; what needs more than its field is for the caller."""
        kinds = TABLES[table]
        return {
            name: column(kinds.column(name).kind, field_of(raw, source), self.time_zone)
            for name, source in self.sources(table).items()
        }


def framed(table: str, columns: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Return columns as a frame, in the order of the canonical table."""
    return pd.DataFrame({name: columns[name] for name in TABLES[table].names if name in columns})
