"""The official Python client, unchanged, reads the server: lists, searches, batches, pages."""

import warnings

import pytest

from connectors.sandbox.hubspot import TOKEN, Account

hubspot = pytest.importorskip("hubspot", reason="hubspot-api-client is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def client(start):
    """The client and what it reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from hubspot import HubSpot
    made = start(Account.generate(deals=320, seed=3, now="2026-11-01T00:00:00Z"))
    made.api = HubSpot(access_token=TOKEN, host=made.url)
    return made


def test_every_page_of_every_type_is_read(client):
    """`get_all` follows the pages: as many records as the account holds, each once."""
    crm = client.api.crm
    readers = {
        "deals": crm.deals,
        "contacts": crm.contacts,
        "companies": crm.companies,
        "line_items": crm.line_items,
    }
    for kind, reader in readers.items():
        found = [r.id for r in reader.get_all()]
        assert found == [str(i) for i in client.account.shelves[kind].ids], kind
    for kind in ("leads", "meetings"):
        shelf = client.account.shelves[kind]
        page = crm.objects.basic_api.get_page(kind, limit=7)
        assert [r.id for r in page.results] == [str(i) for i in shelf.ids[:7]]
        assert page.paging.next.after == str(shelf.ids[6])


def test_search_filters_sorts_and_pages(client):
    """Everything changed since a moment, oldest first, over the pages."""
    from hubspot.crm.deals import PublicObjectSearchRequest

    since = sorted(client.account.shelves["deals"].modified)[100]
    filters = [{"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": str(since)}]
    found, after = [], None
    while True:
        request = PublicObjectSearchRequest(
            filter_groups=[{"filters": filters}],
            sorts=[{"propertyName": "hs_lastmodifieddate", "direction": "ASCENDING"}],
            properties=["dealname"],
            limit=50,
            after=after,
        )
        page = client.api.crm.deals.search_api.do_search(request)
        found += page.results
        if page.paging is None:
            break
        after = page.paging.next.after
    assert page.total == len(found) == 220
    times = [r.updated_at for r in found]
    assert times == sorted(times)


def test_batch_read_with_history(client):
    """Values and their history, newest first."""
    from hubspot.crm.deals import BatchReadInputSimplePublicObjectId

    ids = list(client.account.shelves["deals"].ids[:50])
    request = BatchReadInputSimplePublicObjectId(
        inputs=[{"id": str(i)} for i in ids],
        properties=["dealname"],
        properties_with_history=["dealstage"],
    )
    found = client.api.crm.deals.batch_api.read(request)
    assert sorted(int(r.id) for r in found.results) == ids
    entries = [r.properties_with_history["dealstage"] for r in found.results]
    assert any(len(e) > 2 for e in entries)
    assert all(
        [x.timestamp for x in e] == sorted((x.timestamp for x in e), reverse=True) for e in entries
    )


def test_pipelines_owners_properties_and_links(client):
    """The small lists, and associations with their types."""
    crm = client.api.crm
    pipelines = crm.pipelines.pipelines_api.get_all("deals").results
    assert {p.label for p in pipelines} == {"Sales Pipeline", "Existing customers", "Partners"}
    assert pipelines[0].stages[0].metadata["isClosed"] in ("true", "false")
    owners = crm.owners.owners_api.get_page(limit=5)
    assert (len(owners.results), owners.paging.next.after) == (5, owners.results[-1].id)
    gone = crm.owners.owners_api.get_page(archived=True).results
    assert [o.user_id for o in gone] == [None, None]
    properties = crm.properties.core_api.get_all("deals").results
    assert {"dealstage", "hs_v2_date_entered_closedwon"} <= {p.name for p in properties}
    deal = client.account.shelves["deals"].ids[5]
    linked = crm.associations.v4.basic_api.get_page("deals", str(deal), "companies").results
    expected = client.account.linked("deals", deal, "companies")
    assert {int(r.to_object_id) for r in linked} == set(expected)
    from hubspot.crm.associations.v4 import BatchInputPublicFetchAssociationsBatchRequest

    request = BatchInputPublicFetchAssociationsBatchRequest(inputs=[{"id": str(deal)}])
    found = crm.associations.v4.batch_api.get_page("deals", "companies", request).results[0]
    assert {int(r.to_object_id) for r in found.to} == set(expected)


def test_refusals_are_understood(client):
    """The client raises the status and reads the body of a refusal."""
    from hubspot.crm.deals.exceptions import ApiException

    with pytest.raises(ApiException) as caught:
        client.api.crm.deals.basic_api.get_by_id("1")
    assert caught.value.status == 404
    with pytest.raises(ApiException) as caught:
        client.api.crm.deals.basic_api.archive("1")
    assert caught.value.status == 405
    assert client.server.writes == {"DELETE /crm/v3/objects/deals/1": 1}
