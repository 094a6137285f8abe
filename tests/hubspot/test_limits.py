"""HubSpot's limits and refusals, by replies that were seen in the wild; each names its source."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import requests

from connectors.errors import ApiError, CredentialsError, DailyLimitError, ScopeError
from connectors.hubspot.limits import BURST, SEARCH, UNSTATED, Limits
from connectors.verdicts import OWN, Again, Fail, Ok

DATE = "Fri, 02 Jan 2026 03:04:05 GMT"
# HubSpot's documentation (usage details), quoted in its community forum, post 511719
DAILY = {
    "status": "error",
    "message": "You have reached your daily limit.",
    "errorType": "RATE_LIMIT",
    "correlationId": "c033cdaa-2c40-4a64-ae48-b4cec88dad24",
    "policyName": "DAILY",
    "requestId": "3d3e35b7-0dae-4b9f-a6e3-9c230cbcf8dd",
}
# observed, quoted by several projects as the body of a burst
BURSTING = {
    "status": "error",
    "message": "You have reached your ten_secondly_rolling limit.",
    "errorType": "RATE_LIMIT",
    "correlationId": "20f98dfa-05b6-4d27-8d96-ecfde54ca211",
    "policyName": "TEN_SECONDLY_ROLLING",
    "groupName": "publicapi:private_app-api-calls-ten-secondly:1512050:26892217",
}
# github.com/HGData/mk-node-hubspot, pull request 84; search still answers with these words
SECONDLY = {
    "status": "error",
    "message": "You have reached your secondly limit.",
    "errorType": "RATE_LIMIT",
    "correlationId": "aedc0d29-ba1e-48e3-9fa0-9975c9131a7a",
    "groupName": "publicapi:hapikey-secondly:2431623",
    "policyName": "SECONDLY",
    "requestId": "632b866a6fc6454f32d5423a1166e92a",
}
# github.com/HubSpot/hubspot-api-nodejs, issue 268 (ids shortened there)
SCOPE_WORDS = (
    "This app hasn't been granted all required scopes to make this call. "
    "Read more about required scopes here: https://developers.hubspot.com/scopes."
)
# github.com/airbytehq/airbyte, issue 33976
TOO_LONG = (
    b"<html> <head><title>414 Request-URI Too Large</title></head> <body> <center>"
    b"<h1>414 Request-URI Too Large</h1></center> </body> </html>"
)
# github.com/airbytehq/airbyte, issue 74726
EXPIRED = {
    "status": "error",
    "message": "The OAuth token used to make this call expired 0 second(s) ago.",
    "correlationId": "019cd9fe-d093-7d4f-99bc-45975fdcf7c6",
    "category": "EXPIRED_AUTHENTICATION",
    "context": {"expire time": ["2026-03-10T23:04:41.164Z"]},
}
# github.com/HubSpot/hubspot-api-python, issue 143
HEADERS = {
    "X-HubSpot-RateLimit-Daily": "500000",
    "X-HubSpot-RateLimit-Daily-Remaining": "498677",
    "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
    "X-HubSpot-RateLimit-Max": "150",
    "X-HubSpot-RateLimit-Remaining": "149",
    "X-HubSpot-RateLimit-Secondly": "15",
    "X-HubSpot-RateLimit-Secondly-Remaining": "14",
}


def response(status, body=b"", headers=None, end="?limit=1"):
    """Make a reply as requests hands it over."""
    made = requests.Response()
    made.status_code, made.url = status, f"https://x.example/crm/objects/2026-03/0-136{end}"
    made._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    made.request = requests.Request("GET", made.url).prepare()
    made.headers.update(headers or {})
    return made


def missing_scopes(**context):
    """The body of a missing scope, with what it says of scopes."""
    return {
        "status": "error",
        "message": SCOPE_WORDS,
        "correlationId": "4f2071b3-bf52-4e77-8dbe-6f80ad4f3a5f",
        "errors": [
            {"message": "One or more of the following scopes are required.", "context": context}
        ],
        "links": {"scopes": "https://developers.hubspot.com/scopes"},
        "category": "MISSING_SCOPES",
    }


def refusal(status, body=b"", headers=None, limits=None):
    """Return the error of a reply that is given up."""
    verdict = (limits or Limits()).judge(response(status, body, headers))
    assert isinstance(verdict, Fail)
    return verdict.error


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        pytest.param(BURSTING, {}, 10.0, id="burst"),
        pytest.param(SECONDLY, {}, 1.0, id="search"),
        pytest.param(BURSTING, {"Retry-After": "3"}, 3.0, id="burst, with Retry-After"),
        pytest.param(SECONDLY, {"Retry-After": "0"}, 0.0, id="search, with Retry-After"),
        pytest.param(
            {**BURSTING, "policyName": None}, {}, 10.0, id="burst, known by its words only"
        ),
        pytest.param({"message": SECONDLY["message"]}, {}, 1.0, id="search, by its words only"),
        pytest.param(
            {"category": "RATE_LIMITS", "policyName": "ten_secondly_rolling"}, {}, 10.0, id="newer"
        ),
        pytest.param(b"<html>Too many requests</html>", {}, 1.0, id="HTML"),
        pytest.param([], {}, 1.0, id="a list"),
        pytest.param(b"", {"Retry-After": "5"}, 5.0, id="nothing but Retry-After"),
    ],
)
def test_a_429_waits_by_its_policy(body, headers, seconds):
    """The bucket of the call is closed for as long as the limit takes, unless the reply says."""
    verdict = Limits().judge(response(429, body, headers))
    assert isinstance(verdict, Again)
    assert (verdict.after, verdict.bucket) == (seconds, OWN)
    assert verdict.reason.startswith("429")


@pytest.mark.parametrize("body", [DAILY, {"message": DAILY["message"]}, {"policyName": "daily"}])
def test_a_day_that_is_used_up_is_not_asked_again(body):
    """Not even where the reply names a wait: the message says that what was fetched is kept."""
    error = refusal(429, body, {"Retry-After": "1", "Date": DATE})
    assert isinstance(error, DailyLimitError)
    assert (error.status, error.resets_at) == (429, None)
    assert "at midnight of the account's time zone" in str(error)
    assert "kept" in str(error)


@pytest.mark.parametrize(
    ("now", "zone", "resets"),
    [
        pytest.param("2026-01-02T03:04:05", "UTC", "2026-01-03T00:00:00", id="UTC"),
        pytest.param("2026-01-02T03:04:05", "US/Eastern", "2026-01-02T05:00:00", id="day before"),
        pytest.param("2026-01-02T20:00:00", "Asia/Tokyo", "2026-01-03T15:00:00", id="day after"),
        pytest.param("2026-01-02T00:00:00", "UTC", "2026-01-03T00:00:00", id="midnight itself"),
        pytest.param(
            "2026-03-28T23:30:00", "Europe/Berlin", "2026-03-29T22:00:00", id="a day of 23 hours"
        ),
        pytest.param(
            "2026-10-24T22:30:00", "Europe/Berlin", "2026-10-25T23:00:00", id="a day of 25 hours"
        ),
        pytest.param("2026-12-31T23:59:59", "UTC", "2027-01-01T00:00:00", id="New Year"),
        pytest.param(
            "2026-01-02T03:04:05", "Asia/Kathmandu", "2026-01-02T18:15:00", id="odd offset"
        ),
    ],
)
def test_the_day_begins_anew_at_midnight_of_the_account(now, zone, resets):
    """By the server's clock, in the account's zone, also where clocks are changed that day."""
    limits = Limits()
    limits.time_zone = zone
    told = datetime.fromisoformat(now).strftime("%a, %d %b %Y %H:%M:%S GMT")
    error = refusal(429, DAILY, {"Date": told}, limits)
    assert error.resets_at.astimezone(UTC) == datetime.fromisoformat(resets).replace(tzinfo=UTC)
    local = error.resets_at.astimezone(ZoneInfo(zone))
    assert (local.hour, local.minute, error.resets_at.utcoffset()) == (0, 0, local.utcoffset())
    assert f"at {local:%Y-%m-%d} 00:00 {local:%Z}" in str(error)


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}], ids=["none", "not a date"])
def test_without_a_date_no_time_is_made_up(headers):
    """Our own clock has no say."""
    limits = Limits()
    limits.time_zone = "Europe/Berlin"
    error = refusal(429, DAILY, headers, limits)
    assert error.resets_at is None
    assert "at midnight of the account's time zone" in str(error)


@pytest.mark.parametrize(
    ("body", "scopes"),
    [
        pytest.param(
            missing_scopes(requiredGranularScopes=["crm.objects.leads.read"]),
            ("crm.objects.leads.read",),
            id="granular",
        ),
        pytest.param(
            missing_scopes(
                requiredGranularScopes=["crm.objects.deals.read", "crm.schemas.deals.read"],
                requiredScopes=["crm.objects.deals.read"],
            ),
            ("crm.objects.deals.read", "crm.schemas.deals.read"),
            id="several, each once",
        ),
        pytest.param(missing_scopes(requiredScopes=["contacts"]), ("contacts",), id="of one word"),
        pytest.param(
            missing_scopes(requiredGranularScopes=["crm.objects.contacts.read", "e-commerce"]),
            ("crm.objects.contacts.read", "e-commerce"),
            id="with a dash",
        ),
        pytest.param({"message": SCOPE_WORDS}, (), id="words only"),
        pytest.param(
            {"message": "The auth request is missing required 'crm.objects.owners.read' scope"},
            ("crm.objects.owners.read",),
            id="in the words",
        ),
        pytest.param(
            {"message": "This user does not have proper permissions!"}, (), id="permissions"
        ),
        pytest.param({"message": "no", "category": "MISSING_SCOPES"}, (), id="category only"),
    ],
)
def test_a_missing_scope_is_told_apart_and_named(body, scopes):
    """It is an error of its own, with the scopes HubSpot names, and says where to add them."""
    error = refusal(403, body)
    assert isinstance(error, ScopeError)
    assert (error.scopes, error.status) == (scopes, 403)
    assert "GET /crm/objects/2026-03/0-136" in str(error)
    assert "add it to the app" in str(error)
    assert all(scope in str(error) for scope in scopes)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"status": "error", "message": "This account is suspended"}, id="JSON"),
        pytest.param(b"<html><h1>Attention Required!</h1> Cloudflare</html>", id="HTML"),
        pytest.param(b"", id="nothing"),
        pytest.param(["required"], id="a list"),
    ],
)
def test_another_403_is_no_missing_scope(body):
    """It is given up as any refusal, so that it does not pass for an object to skip."""
    error = refusal(403, body)
    assert type(error) is ApiError
    assert error.status == 403


@pytest.mark.parametrize(
    ("status", "body", "headers", "after"),
    [
        pytest.param(477, {"message": "migrating"}, {"Retry-After": "86"}, 86.0, id="migration"),
        pytest.param(423, {"message": "locked"}, {}, 2.0, id="lock"),
        pytest.param(423, {"message": "locked"}, {"Retry-After": "7"}, 7.0, id="longer lock"),
        pytest.param(502, b"<html>Bad gateway</html>", {}, None, id="HTML"),
        pytest.param(521, b"", {}, None, id="Cloudflare"),
    ],
)
def test_what_may_pass_is_worth_another_try(status, body, headers, after):
    """Only the call itself waits: no bucket is closed."""
    verdict = Limits().judge(response(status, body, headers))
    assert isinstance(verdict, Again)
    assert (verdict.after, verdict.bucket) == (after, None)


def test_an_address_that_is_too_long_is_given_up():
    """The page of HTML is told in words."""
    error = refusal(414, TOO_LONG)
    assert (type(error), error.status) == (ApiError, 414)
    assert "Request-URI Too Large" in str(error)
    assert "<" not in str(error)


def test_an_expired_token_and_a_good_reply_are_any_servers():
    """The rest is judged as the status says."""
    assert isinstance(refusal(401, EXPIRED), CredentialsError)
    assert Limits().judge(response(200, {"results": []})) == Ok({"results": []})


def told(limits):
    return limits.burst, limits.daily, limits.left


def rate(bucket):
    """Calls that pass at once, before the first has to wait."""
    passed = 0
    while bucket._pass() <= 0:
        passed += 1
    return passed


def test_the_limits_are_those_every_account_has_until_a_reply_says_more():
    """Calls that pass at once: 100, and 5 searches; then those of the reply."""
    limits = Limits()
    assert told(limits) == (BURST, None, None)
    assert (rate(limits.buckets["burst"]), rate(limits.buckets["search"])) == (100, 5)
    limits.seen(response(400, {}, HEADERS))
    assert told(limits) == ((150, 10.0), 500_000, 498_677)
    assert rate(limits.buckets["burst"]) == 50
    assert SEARCH == (5, 1.0)


@pytest.mark.parametrize(
    ("headers", "now"),
    [
        pytest.param(
            {
                "X-HubSpot-RateLimit-Max": "110",
                "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            },
            ((110, 10.0), 500_000, 498_677),
            id="OAuth: no daily limits",
        ),
        pytest.param(
            {"X-HubSpot-RateLimit-Daily-Remaining": "0"},
            ((150, 10.0), 500_000, 0),
            id="nothing left is not nothing said",
        ),
        pytest.param(
            {"X-HubSpot-RateLimit-Max": "0", "X-HubSpot-RateLimit-Interval-Milliseconds": "10000"},
            ((150, 10.0), 500_000, 498_677),
            id="no calls at all",
        ),
        pytest.param(
            {"X-HubSpot-RateLimit-Max": "-1", "X-HubSpot-RateLimit-Daily": "many"},
            ((150, 10.0), 500_000, 498_677),
            id="nonsense",
        ),
        pytest.param(
            {"X-HubSpot-RateLimit-Max": "190"}, ((150, 10.0), 500_000, 498_677), id="half of it"
        ),
    ],
)
def test_a_reply_changes_what_it_states(headers, now):
    """And nothing else; names of headers are read in any case."""
    limits = Limits()
    limits.seen(response(200, {}, {name.lower(): value for name, value in HEADERS.items()}))
    limits.seen(response(400, {}, headers))
    assert told(limits) == now


def test_a_limit_once_stated_stays_where_a_later_reply_states_none():
    """One good reply without the headers, or with half of them, does not lift every limit."""
    limits = Limits()
    limits.seen(response(200, {}, HEADERS))
    limits.seen(response(200, {}))
    limits.seen(response(200, {}, {"X-HubSpot-RateLimit-Max": "190"}))
    assert limits.burst == (150, 10.0)


@pytest.mark.parametrize(
    ("status", "end"), [(200, "/search"), (200, "/search?x=1"), (403, ""), (502, "")]
)
def test_searches_and_refusals_state_no_limit(status, end):
    """They never do, so their silence says nothing."""
    limits = Limits()
    limits.seen(response(status, {}, end=end))
    assert told(limits) == (BURST, None, None)


def test_where_no_limit_is_stated_none_is_kept_until_one_is_met():
    """A server without limits is read at full speed; its first 429 brings back the usual limit."""
    limits = Limits()
    limits.seen(response(200, {}))
    assert limits.burst == UNSTATED
    assert rate(limits.buckets["burst"]) > 1_000
    limits.judge(response(429, BURSTING))
    limits.seen(response(200, {}))
    assert limits.burst == BURST
    assert rate(limits.buckets["burst"]) == 0


def test_an_unchanged_limit_keeps_the_calls_that_were_counted():
    """Every reply states the limit; the bucket is not begun anew by it."""
    limits = Limits()
    limits.seen(response(200, {}, HEADERS))
    assert rate(limits.buckets["burst"]) == 150
    limits.seen(response(200, {}, HEADERS))
    assert rate(limits.buckets["burst"]) == 0


def test_a_midnight_is_never_past():
    """For every hour of a year with two changes of the clock."""
    limits = Limits()
    limits.time_zone = "America/New_York"
    hour = datetime(2026, 1, 1, tzinfo=UTC)
    while hour.year == 2026:
        error = refusal(429, DAILY, {"Date": f"{hour:%a, %d %b %Y %H:%M:%S} GMT"}, limits)
        assert timedelta(0) < error.resets_at - hour <= timedelta(hours=25)
        hour += timedelta(hours=7)
