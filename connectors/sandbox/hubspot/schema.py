"""The object types, their default properties, and the property lists of an account."""

from dataclasses import dataclass
from typing import Literal

from connectors.sandbox.hubspot.wire import Json

Kind = Literal["deals", "contacts", "companies", "leads", "meetings", "line_items"]


@dataclass(frozen=True)
class ObjectType:
    """One type: its names in paths, its default properties and what its dates are called."""

    name: str
    type_id: str
    singular: str
    scope: str
    defaults: tuple[str, ...]
    created: str = "hs_createdate"
    modified: str = "hs_lastmodifieddate"

    @property
    def always(self) -> tuple[str, ...]:
        """Properties that come with every record, whichever were asked for."""
        return (self.created, self.modified, "hs_object_id")


TYPES: dict[str, ObjectType] = {
    t.name: t
    for t in (
        ObjectType(
            "contacts", "0-1", "contact", "crm.objects.contacts.read",
            ("email", "firstname", "lastname"), "createdate", "lastmodifieddate",
        ),
        ObjectType(
            "companies", "0-2", "company", "crm.objects.companies.read", ("domain", "name"),
            "createdate",
        ),
        ObjectType(
            "deals", "0-3", "deal", "crm.objects.deals.read",
            ("amount", "closedate", "dealname", "dealstage", "pipeline"), "createdate",
        ),
        ObjectType("leads", "0-136", "lead", "crm.objects.leads.read", ()),
        ObjectType("meetings", "0-47", "meeting", "crm.objects.contacts.read", ()),
        ObjectType(
            "line_items", "0-8", "line_item", "crm.objects.line_items.read",
            ("amount", "name", "price", "quantity"), "createdate",
        ),
    )
}  # fmt: skip
BY_WORD = {word: t for t in TYPES.values() for word in (t.name, t.type_id, t.singular)}

LIFECYCLE: tuple[tuple[str, str, bool], ...] = (
    ("subscriber", "Subscriber", False),
    ("lead", "Lead", False),
    ("marketingqualifiedlead", "Marketing Qualified Lead", False),
    ("salesqualifiedlead", "Sales Qualified Lead", False),
    ("opportunity", "Opportunity", False),
    ("118293847", "Pilot customer", True),
    ("customer", "Customer", False),
    ("evangelist", "Evangelist", False),
    ("other", "Other", False),
)
SOURCES = (
    "ORGANIC_SEARCH", "PAID_SEARCH", "EMAIL_MARKETING", "SOCIAL_MEDIA", "REFERRALS", "OFFLINE",
    "DIRECT_TRAFFIC", "PAID_SOCIAL",
)  # fmt: skip
FREQUENCIES = (
    "weekly", "biweekly", "monthly", "quarterly", "per_six_months", "annually", "per_two_years",
    "per_three_years",
)  # fmt: skip

# name:type of every property that a record may hold; * marks the calculated, + the custom ones
PROPERTIES: dict[str, str] = {
    "deals": """amount:number amount_in_home_currency:number* closedate:datetime
        closed_lost_reason:string closed_won_reason:string createdate:datetime
        days_to_close:number* deal_currency_code:enumeration dealname:string dealstage:enumeration
        dealtype:enumeration description:string hs_acv:number* hs_analytics_source:enumeration
        hs_arr:number* hs_closed_amount:number* hs_createdate:datetime
        hs_deal_stage_probability:number hs_exchange_rate:number hs_forecast_amount:number*
        hs_is_closed:bool* hs_is_closed_lost:bool* hs_is_closed_won:bool*
        hs_lastmodifieddate:datetime hs_manual_forecast_category:enumeration
        hs_merged_object_ids:enumeration hs_mrr:number* hs_object_id:number
        hs_open_deal_create_date:number* hs_tcv:number* hs_v2_date_entered_current_stage:datetime*
        hs_v2_time_in_current_stage:datetime* hubspot_owner_id:enumeration
        notes_last_updated:datetime notes_next_activity_date:datetime pipeline:enumeration
        market_segment:enumeration+ sales_region:enumeration+ product_line:string+
        gross_margin:number+ contract_months:number+""",
    "contacts": """associatedcompanyid:number city:string country:string createdate:datetime
        email:string firstname:string hs_analytics_source:enumeration hs_lead_status:enumeration
        hs_merged_object_ids:enumeration hs_object_id:number hubspot_owner_id:enumeration
        jobtitle:string lastmodifieddate:datetime lastname:string lifecyclestage:enumeration
        num_associated_deals:number* phone:phone_number in_profile:bool+ lead_channel:string+""",
    "leads": """hs_createdate:datetime hs_lastmodifieddate:datetime hs_lead_label:enumeration
        hs_lead_name:string hs_lead_source:enumeration hs_lead_type:enumeration
        hs_merged_object_ids:enumeration hs_object_id:number hs_pipeline:enumeration
        hs_pipeline_stage:enumeration hubspot_owner_id:enumeration in_profile:bool+
        lead_channel:string+""",
    "companies": """city:string country:string createdate:datetime domain:string
        hs_lastmodifieddate:datetime hs_merged_object_ids:enumeration hs_object_id:number
        hubspot_owner_id:enumeration industry:enumeration name:string numberofemployees:number""",
    "meetings": """hs_activity_type:enumeration hs_createdate:datetime
        hs_lastmodifieddate:datetime hs_meeting_end_time:datetime hs_meeting_outcome:enumeration
        hs_meeting_start_time:datetime hs_meeting_title:string hs_merged_object_ids:enumeration
        hs_object_id:number hs_timestamp:datetime hubspot_owner_id:enumeration""",
    "line_items": """amount:number createdate:datetime discount:number hs_arr:number*
        hs_lastmodifieddate:datetime hs_line_item_currency_code:enumeration
        hs_merged_object_ids:enumeration hs_mrr:number* hs_object_id:number hs_product_id:number
        hs_recurring_billing_period:string hs_recurring_billing_start_date:date hs_tcv:number*
        name:string price:number quantity:number recurringbillingfrequency:enumeration""",
}
_FIELD = {
    "number": "number", "string": "text", "datetime": "date", "date": "date", "bool": "booleancheckbox",
    "enumeration": "select", "phone_number": "phonenumber",
}  # fmt: skip
_OPTIONS: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "lifecyclestage": LIFECYCLE,
    "hs_analytics_source": tuple((s, s.replace("_", " ").capitalize(), False) for s in SOURCES),
    "dealtype": (
        ("newbusiness", "New Business", False),
        ("existingbusiness", "Existing Business", False),
        ("renewal", "Renewal", False),
    ),
    "recurringbillingfrequency": tuple((f, f.capitalize(), False) for f in FREQUENCIES),
}


def definition(name: str, spec: str, singular: str, *, label: str | None = None) -> Json:
    """Describe one property as ``GET /crm/v3/properties`` does; `spec` is its type and marks.

    >>> definition("amount", "number", "deal")["fieldType"]
    'number'
    """
    kind = spec.rstrip("*+")
    options = [
        {"label": text, "value": value, "displayOrder": order, "hidden": hidden}
        for order, (value, text, hidden) in enumerate(_OPTIONS.get(name, ()))
    ]
    return {
        "updatedAt": "2024-02-06T09:12:07.101Z",
        "createdAt": "2020-06-30T15:57:38.000Z",
        "name": name,
        "label": label or name.removeprefix("hs_").replace("_", " ").capitalize(),
        "type": kind,
        "fieldType": "calculation_equation" if "*" in spec else _FIELD[kind],
        "description": "",
        "groupName": f"{singular}information",
        "options": options,
        "displayOrder": -1,
        "calculated": "*" in spec,
        "externalOptions": False,
        "hasUniqueValue": False,
        "hidden": False,
        "hubspotDefined": "+" not in spec,
        "modificationMetadata": {
            "archivable": "+" in spec,
            "readOnlyDefinition": "+" not in spec,
            "readOnlyValue": "*" in spec,
        },
        "formField": False,
        "dataSensitivity": "non_sensitive",
    }


def specs(kind: str) -> dict[str, str]:
    """Type and marks of every property of an object type, by name."""
    return dict(word.split(":") for word in PROPERTIES[kind].split())
