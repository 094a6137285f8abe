"""What the org says of an object: keys and kinds of values as recorded from a fresh org."""

import re
from typing import Any

from connectors.sandbox.salesforce.schema import KINDS, Field, Kind
from connectors.sandbox.salesforce.state import VERSION, State
from connectors.sandbox.wire import Json

SOAP = {
    "id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "currency": "xsd:double",
    "percent": "xsd:double", "double": "xsd:double", "int": "xsd:int", "date": "xsd:date",
    "datetime": "xsd:dateTime", "address": "urn:address", "anyType": "xsd:anyType",
}  # fmt: skip
NEVER = (
    "aiPredictionField", "autoNumber", "cascadeDelete", "dependentPicklist", "deprecatedAndHidden",
    "displayLocationInDecimal", "encrypted", "externalId", "formulaTreatNullNumberAsZero",
    "highScaleNumber", "htmlFormatted", "queryByDistance", "restrictedDelete", "unique",
    "writeRequiresMasterRead",
)  # fmt: skip
NOTHING = (
    "calculatedFormula", "controllerName", "defaultValue", "defaultValueFormula", "extraTypeInfo",
    "filteredLookupInfo", "inlineHelpText", "mask", "maskType", "referenceTargetField",
    "relationshipOrder",
)  # fmt: skip
MEASURES = {"currency", "percent", "double", "textarea", "address", "datetime", "anyType"}


def describe(state: State, name: str) -> Json:
    """Describe an object in full: what is hidden is not there."""
    kind, fields = KINDS[name], state.fields(name)
    return {
        **summary(kind),
        "actionOverrides": [],
        "childRelationships": [],
        "compactLayoutable": True,
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [field_body(state, kind, f) for f in fields],
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": _record_types(state, name),
        "searchLayoutable": True,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": f"All {name}", "name": "everything"}],
    }


def summary(kind: Kind) -> Json:
    """Describe an object in short, as the list of all objects does."""
    base = f"/services/data/v{VERSION}/sobjects/{kind.name}"
    yes = ("createable", "deletable", "layoutable", "mruEnabled", "queryable", "replicateable",
           "retrieveable", "searchable", "triggerable", "undeletable", "updateable")  # fmt: skip
    no = ("custom", "customSetting", "deepCloneable", "deprecatedAndHidden", "hasSubtypes",
          "isInterface", "isSubtype")  # fmt: skip
    return {
        **dict.fromkeys(yes, True),
        **dict.fromkeys(no, False),
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "feedEnabled": True,
        "keyPrefix": kind.prefix,
        "label": label(kind.name),
        "labelPlural": f"{label(kind.name)}s",
        "mergeable": kind.name in ("Lead", "Account", "Contact"),
        "name": kind.name,
        "urls": {
            "sobject": base,
            "describe": f"{base}/describe",
            "rowTemplate": f"{base}/{{ID}}",
        },
    }


def field_body(state: State, kind: Kind, field: Field) -> Json:
    """Describe one field."""
    length, precision, scale, digits = _sizes(field)
    plain = field.type not in MEASURES
    return {
        **dict.fromkeys(NEVER, False),
        **dict.fromkeys(NOTHING),
        "aggregatable": field.filterable and field.type != "boolean",
        "byteLength": length * (1 if field.type in ("id", "reference") else 3),
        "calculated": "k" in field.flags,
        "caseSensitive": False,
        "compoundFieldName": field.compound,
        "createable": "c" in field.flags,
        "custom": field.name.endswith("__c"),
        "defaultedOnCreate": "d" in field.flags,
        "digits": digits,
        "filterable": field.filterable,
        "groupable": plain and field.filterable,
        "idLookup": field.type == "id",
        "label": label(field.name),
        "length": length,
        "name": field.name,
        "nameField": "N" in field.flags,
        "namePointing": len(field.refers) > 1,
        "nillable": "n" in field.flags,
        "permissionable": "p" in field.flags,
        "picklistValues": _choices(state, kind, field),
        "polymorphicForeignKey": len(field.refers) > 1,
        "precision": precision,
        "referenceTo": list(field.refers),
        "relationshipName": field.relation,
        "restrictedPicklist": False,
        "scale": scale,
        "searchPrefilterable": field.type == "reference",
        "soapType": SOAP.get(field.type, "xsd:string"),
        "sortable": field.filterable,
        "type": field.type,
        "updateable": "u" in field.flags,
    }


def label(name: str) -> str:
    """Words of a name.

    >>> label("OpportunityStage"), label("MRR__c")
    ('Opportunity Stage', 'MRR')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("__c").replace("_", " "))


def _sizes(field: Field) -> tuple[int, int, int, int]:
    """Length of a text; precision, scale and digits of a number."""
    numbers = [int(n) for n in field.size.split(",") if n]
    if field.type == "int":
        return 0, 0, 0, numbers[0]
    if len(numbers) == 2:
        return 0, numbers[0], numbers[1], 0
    return (numbers[0] if numbers else 0), 0, 0, 0


def _choices(state: State, kind: Kind, field: Field) -> list[Json]:
    if field.type != "picklist":
        return []
    stages = {"StageName": "OpportunityStage", "Status": "LeadStatus"}.get(field.name)
    found: list[Any] = []
    if stages and kind.name in ("Opportunity", "Lead"):
        at = KINDS[stages].at
        found = [
            (r[at["ApiName"]], r[at["MasterLabel"]]) for r in state.tables[stages].rows.values()
        ]
    if field.name in ("CurrencyIsoCode", "IsoCode"):
        code = KINDS["CurrencyType"].at["IsoCode"]
        found = [(r[code], r[code]) for r in state.tables["CurrencyType"].rows.values()]
    return [
        {"active": True, "defaultValue": False, "label": text, "validFor": None, "value": value}
        for value, text in found
    ]


def _record_types(state: State, name: str) -> list[Json]:
    rows = state.live("RecordType") if state.record_types else []
    at = KINDS["RecordType"].at
    own = [(r[0], r[at["Name"]]) for r in rows if r[at["SobjectType"]] == name]
    return [
        {
            "active": True,
            "available": True,
            "defaultRecordTypeMapping": record_id == "012000000000000AAA",
            "developerName": text.replace(" ", "_"),
            "master": record_id.startswith("012000"),
            "name": text,
            "recordTypeId": record_id,
            "urls": {"layout": f"/services/data/v{VERSION}/sobjects/{name}/describe/layouts"},
        }
        for record_id, text in [*own, ("012000000000000AAA", "Master")]
    ]
