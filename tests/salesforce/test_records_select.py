"""Which fields are asked for, and which are reported as hidden."""

import json
from pathlib import Path

import pytest

from connectors.salesforce.records.reading import FIELDS, OBJECTS
from connectors.salesforce.records.select import ALSO, readable, wanted

RECORDED = Path(__file__).parents[2].parent / "shared" / "recorded" / "salesforce" / "cumulusci"


def described(name):
    """Fields of a recorded describe."""
    if not RECORDED.is_dir():
        pytest.skip("the recorded bodies do not lie beside this checkout")
    text = (RECORDED / f"{name}.describe.json").read_text(encoding="utf-8")
    return json.loads(text)["fields"]


@pytest.mark.parametrize("name", ["Opportunity", "Lead", "Event", "Account"])
def test_a_fresh_org_has_all_that_is_needed(name):
    """Nothing hidden, nothing compound, and no currency in an org with one."""
    fields = described(name)
    found = wanted(name, fields, {})
    types = {one["name"]: one["type"] for one in fields}
    assert found.hidden == []
    assert found.fields[0] == "Id"
    assert len(set(found.fields)) == len(found.fields)
    assert not {"address", "location"} & {types[one] for one in found.fields}
    assert "CurrencyIsoCode" not in found.fields
    assert "SystemModstamp" in found.fields


def test_a_setting_takes_the_place_of_a_field():
    """Ours is no longer asked for."""
    fields = described("Account")
    found = wanted("Account", fields, {"accounts": {"region": "BillingState"}})
    assert "BillingState" in found.fields
    assert "BillingCountry" not in found.fields


def test_hidden_fields_are_named():
    """Not there for this user: not asked for, and reported."""
    fields = [one for one in described("Opportunity") if one["name"] != "LeadSource"]
    found = wanted("Opportunity", fields, {})
    assert found.hidden == ["Opportunity.LeadSource"]
    assert "LeadSource" not in found.fields


def test_compound_fields_cannot_be_chosen():
    """Their parts can."""
    names = readable(described("Lead"))
    assert "Address" not in names
    assert {"City", "Name"} <= set(names)


def field(name, **more):
    """One field of a describe."""
    return {"name": name, "type": "string", "relationshipName": None, "calculated": False, **more}


def test_fields_of_parents():
    """By the relation; they change without the record being stamped, as formulas do."""
    fields = [
        field("Id"),
        field("Product2Id", relationshipName="Product2"),
        field("MRR__c", calculated=True),
        field("CurrencyIsoCode"),
    ]
    found = wanted("OpportunityLineItem", fields, {"subscriptions": {"mrr": "MRR__c"}})
    assert found.fields == ["Id", "MRR__c", "Product2.Name"]
    assert found.calculated == ["MRR__c", "Product2.Name"]
    assert "OpportunityLineItem.ServiceDate" in found.hidden


@pytest.mark.parametrize(
    ("relation", "team"), [("UserRole", "UserRole.Name"), (None, "Department")]
)
def test_the_department_stands_in_for_the_role(relation, team):
    """Only where roles may not be read."""
    fields = [field("UserRoleId", relationshipName=relation), field("Department")]
    found = wanted("User", fields, {})
    assert {"UserRole.Name", "Department"} & set(found.fields) == {team}
    assert not {"User.UserRole.Name", "User.Department"} & set(found.hidden)


def test_a_currency_is_asked_for_where_there_are_several():
    """Its absence is not reported."""
    found = wanted("OpportunityHistory", [field("CurrencyIsoCode")], {})
    assert "CurrencyIsoCode" in found.fields
    assert "OpportunityHistory.CurrencyIsoCode" not in wanted("OpportunityHistory", [], {}).hidden


def test_every_table_has_its_object():
    """And each object its deletions."""
    assert set(OBJECTS) == set(FIELDS)
    assert all("IsDeleted" in ALSO[name] for name in OBJECTS.values())
