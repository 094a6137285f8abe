"""Which fields to ask for: those that the rules and the settings need, and that may be read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.crm_settings import Fields
from connectors.salesforce.records.reading import FIELDS, OBJECTS

TABLE_OF = {name: table for table, name in OBJECTS.items()}
UNREADABLE = ("address", "location", "base64")
"""Types that no bulk query takes: their parts are fields of their own."""

ALSO: dict[str, tuple[str, ...]] = {
    "Opportunity": ("StageName", "IsClosed", "IsWon", "LastStageChangeDate", "IsDeleted"),
    "OpportunityHistory": (
        "OpportunityId",
        "CreatedDate",
        "StageName",
        "Amount",
        "CloseDate",
        "Probability",
        "IsDeleted",
    ),
    "OpportunityFieldHistory": ("OpportunityId", "CreatedDate", "Field", "NewValue", "IsDeleted"),
    "OpportunityLineItem": (
        "OpportunityId",
        "Product2.Name",
        "ProductCode",
        "SystemModstamp",
        "IsDeleted",
    ),
    "Lead": ("ConvertedDate", "Status", "IsDeleted"),
    "LeadHistory": ("LeadId", "CreatedDate", "Field", "NewValue", "IsDeleted"),
    "Event": (
        "StartDateTime",
        "ActivityDate",
        "IsAllDayEvent",
        "IsChild",
        "IsRecurrence",
        "SystemModstamp",
        "IsDeleted",
    ),
    "Account": ("SystemModstamp", "IsDeleted"),
    "User": ("Name", "IsActive", "UserRole.Name", "Manager.Name", "SystemModstamp"),
    "OpportunityStage": (
        "ApiName",
        "MasterLabel",
        "SortOrder",
        "DefaultProbability",
        "IsActive",
        "IsClosed",
        "IsWon",
    ),
    "LeadStatus": ("ApiName", "MasterLabel", "SortOrder"),
    "CurrencyType": ("IsoCode", "ConversionRate", "IsActive", "IsCorporate"),
    "DatedConversionRate": ("IsoCode", "StartDate", "NextStartDate", "ConversionRate"),
    "Organization": ("Name", "TimeZoneSidKey"),
}
IF_THERE: dict[str, tuple[str, ...]] = {
    "Opportunity": ("CurrencyIsoCode",),
    "OpportunityHistory": ("CurrencyIsoCode",),
    "Event": ("IsRecurrence2",),
    "User": ("UserType",),
}
"""Fields that an org may do without: their absence means nothing."""

INSTEAD = {"UserRole.Name": "Department"}


@dataclass(frozen=True)
class Select:
    """The fields to ask of an object.

    Attributes
    ----------
    fields : list of str
        ``Id`` first; a parent's field as ``Parent.Field``.
    hidden : list of str
        Fields needed that are not there for this user, as ``Opportunity.LeadSource``.
    calculated : list of str
        Of `fields`, those that change without the record being stamped: formulas, parents' fields.
    """

    fields: list[str]
    hidden: list[str]
    calculated: list[str]


def wanted(name: str, described: Iterable[Mapping[str, Any]], chosen: Fields) -> Select:
    """Choose the fields of an object.

    Parameters
    ----------
    name : str
        The object, like ``Opportunity``.
    described : iterable of dict
        ``fields`` of its describe, as this user sees it.
    chosen : mapping of table to (column to field)
        Fields of the settings.

    Examples
    --------
    >>> described = [{"name": n} for n in ("Id", "CreatedDate", "Name", "Segment__c")]
    >>> found = wanted("Account", described, {"accounts": {"size": "Segment__c"}})
    >>> found.fields, found.hidden[:2]
    (['Id', 'CreatedDate', 'Name', 'Segment__c'], ['Account.BillingCountry', 'Account.Industry'])
    """
    there = {one["name"]: one for one in described if one.get("type") not in UNREADABLE}
    parents = {one["relationshipName"] for one in there.values() if one.get("relationshipName")}
    table = TABLE_OF.get(name, "")
    sources = {**FIELDS.get(table, {}), **chosen.get(table, {})}
    needed = {*sources.values(), *ALSO.get(name, ())}

    def has(one: str) -> bool:
        return one in there if "." not in one else one.partition(".")[0] in parents

    needed = {INSTEAD.get(one, one) if not has(one) else one for one in needed}
    found = sorted(one for one in {*needed, *IF_THERE.get(name, ())} - {"Id"} if has(one))
    return Select(
        ["Id", *found],
        [f"{name}.{one}" for one in sorted(needed) if not has(one)],
        [one for one in found if "." in one or there[one].get("calculated")],
    )


def readable(described: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the fields that can be asked for: what a setting may choose.

    >>> readable([{"name": "Id", "type": "id"}, {"name": "Address", "type": "address"}])
    ['Id']
    """
    return [one["name"] for one in described if one.get("type") not in UNREADABLE]
