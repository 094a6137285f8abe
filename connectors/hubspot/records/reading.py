"""What the account says and the settings choose: the ground on which its records are read.

Also the one place that says which HubSpot property fills which canonical column, and so which
properties have to be asked for: HubSpot returns no others.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from connectors.errors import ConnectorError

TYPE_IDS = {
    "contacts": "0-1",
    "companies": "0-2",
    "deals": "0-3",
    "line_items": "0-8",
    "meetings": "0-47",
    "leads": "0-136",
}
TABLES_OF = {
    "contacts": "leads",
    "leads": "leads",
    "deals": "deals",
    "companies": "accounts",
    "meetings": "meetings",
}
DEAL_TYPES = {"newbusiness": "new", "existingbusiness": "expansion"}

PROPERTIES: dict[str, dict[str, str]] = {
    "contacts": {
        "source": "hs_analytics_source",
        "owner_id": "hubspot_owner_id",
        "status": "hs_lead_status",
        "stage_id": "lifecyclestage",
        "updated_at": "lastmodifieddate",
    },
    "leads": {
        "created_at": "hs_createdate",
        "source": "hs_lead_source",
        "owner_id": "hubspot_owner_id",
        "status": "hs_lead_label",
        "stage_id": "hs_pipeline_stage",
        "updated_at": "hs_lastmodifieddate",
    },
    "deals": {
        "name": "dealname",
        "pipeline_id": "pipeline",
        "stage_id": "dealstage",
        "owner_id": "hubspot_owner_id",
        "source": "hs_analytics_source",
        "deal_type": "dealtype",
        "amount": "amount_in_home_currency",
        "currency": "deal_currency_code",
        "amount_original": "amount",
        "mrr": "hs_mrr",
        "forecast_category": "hs_manual_forecast_category",
        "next_step_on": "notes_next_activity_date",
        "last_activity_at": "notes_last_updated",
        "created_at": "createdate",
        "close_date": "closedate",
        "lost_reason": "closed_lost_reason",
        "updated_at": "hs_lastmodifieddate",
    },
    "companies": {
        "name": "name",
        "industry": "industry",
        "region": "country",
        "size": "numberofemployees",
        "created_at": "createdate",
    },
    "meetings": {
        "starts_at": "hs_meeting_start_time",
        "booked_at": "hs_createdate",
        "outcome": "hs_meeting_outcome",
        "owner_id": "hubspot_owner_id",
    },
}
ALSO = {
    "contacts": ("createdate",),
    "deals": ("hs_is_closed", "hs_is_closed_won", "hs_exchange_rate"),
    "companies": ("hs_lastmodifieddate",),
    "meetings": ("hs_timestamp", "hs_lastmodifieddate"),
    "line_items": (
        "name",
        "amount",
        "recurringbillingfrequency",
        "hs_recurring_billing_start_date",
        "hs_recurring_billing_period",
        "hs_mrr",
        "hs_line_item_currency_code",
        "hs_lastmodifieddate",
    ),
}
HISTORY = {
    "contacts": {
        "lifecyclestage": "stage_id",
        "hs_lead_status": "status",
        "hubspot_owner_id": "owner_id",
    },
    "leads": {
        "hs_pipeline_stage": "stage_id",
        "hs_pipeline": "pipeline_id",
        "hubspot_owner_id": "owner_id",
    },
    "deals": {
        "dealstage": "stage_id",
        "pipeline": "pipeline_id",
        "amount_in_home_currency": "amount",
        "closedate": "close_date",
        "hubspot_owner_id": "owner_id",
    },
}


@dataclass(frozen=True)
class Reading:
    """What the account says of itself, and what the settings and definitions choose.

    Attributes
    ----------
    portal, ui_domain : str
        Account number and host of its web pages.
    time_zone : str
        IANA zone of the account: days such as the close date are days there.
    currency : str
        The account's home currency: that of ``deals.amount``.
    deal_types : mapping
        Words of ``dealtype`` and what they mean, over HubSpot's two own.
    fields : mapping of table to (column to property)
        Properties chosen in the settings, in place of ours.

    Raises
    ------
    ConnectorError
        If the time zone is none that this computer knows.

    Examples
    --------
    >>> reading = Reading("7", "app.hubspot.com", "Europe/Berlin", "EUR")
    >>> reading.url("deals", "11")
    'https://app.hubspot.com/contacts/7/record/0-3/11'
    """

    portal: str
    ui_domain: str
    time_zone: str
    currency: str
    deal_types: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a zone in which no day could be told."""
        try:
            ZoneInfo(self.time_zone)
        except (OSError, ValueError, KeyError) as error:
            raise ConnectorError(
                f"HubSpot: the account's time zone {self.time_zone!r} is not known to this computer: "
                "install the package tzdata, or choose another zone in the account's settings"
            ) from error

    @classmethod
    def from_details(
        cls,
        details: Mapping[str, Any],
        *,
        deal_types: Mapping[str, str] | None = None,
        fields: Mapping[str, Mapping[str, str]] | None = None,
    ) -> "Reading":
        """Take the account's part from what ``/account-info`` answers.

        >>> details = {"portalId": 7, "timeZone": "US/Eastern", "companyCurrency": "USD"}
        >>> Reading.from_details(details).ui_domain
        'app.hubspot.com'
        """
        return cls(
            portal=str(details["portalId"]),
            ui_domain=str(details.get("uiDomain") or "app.hubspot.com"),
            time_zone=str(details.get("timeZone") or "UTC"),
            currency=str(details.get("companyCurrency") or "USD"),
            deal_types=dict(deal_types or {}),
            fields=dict(fields or {}),
        )

    @property
    def zone(self) -> ZoneInfo:
        """The account's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def deal_words(self) -> dict[str, str]:
        """What each word of ``dealtype`` means."""
        return {**DEAL_TYPES, **self.deal_types}

    def url(self, kind: str, record_id: str) -> str:
        """Address of a record's page."""
        return (
            f"https://{self.ui_domain}/contacts/{self.portal}/record/{TYPE_IDS[kind]}/{record_id}"
        )

    def sources(self, kind: str) -> dict[str, str]:
        """Property by canonical column: ours, and over them those of the settings.

        >>> chosen = {"deals": {"segment": "industry_vertical"}}
        >>> Reading("7", "app.hubspot.com", "UTC", "USD", {}, chosen).sources("deals")["segment"]
        'industry_vertical'
        """
        return {**PROPERTIES[kind], **self.fields.get(TABLES_OF[kind], {})}


def asked(
    kind: str, reading: Reading, available: Collection[str], dates: Iterable[str] = ()
) -> list[str]:
    """Names of the properties to ask for.

    Parameters
    ----------
    kind : str
        HubSpot object, like ``deals``.
    reading : Reading
        With the fields of the settings.
    available : collection of str
        Names that the account has for this object: leads have their source where it has that.
    dates : iterable of str
        Further names: those of `stage_dates`.

    Examples
    --------
    >>> asked("leads", Reading("7", "app.hubspot.com", "UTC", "USD"), ["hs_analytics_source"])[:2]
    ['hs_analytics_source', 'hs_createdate']
    """
    sources = reading.sources(kind) if kind in PROPERTIES else {}
    if kind == "leads" and sources["source"] == "hs_lead_source":
        sources["source"] = lead_source(available)
    return sorted({*sources.values(), *ALSO.get(kind, ()), *dates})


def lead_source(available: Collection[str]) -> str:
    """Property that says where a lead came from: its own, else the one of web analytics."""
    return "hs_lead_source" if "hs_lead_source" in available else "hs_analytics_source"


def history_asked(kind: str) -> list[str]:
    """Names of the properties to ask for with their history; none for objects without any here.

    >>> history_asked("contacts"), history_asked("companies")
    (['lifecyclestage', 'hs_lead_status', 'hubspot_owner_id'], [])
    """
    return list(HISTORY.get(kind, {}))
