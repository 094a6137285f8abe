"""What switching a fault on or off changes in the org, its sessions, queries and jobs."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from connectors.sandbox.salesforce.life import bulk_edit

if TYPE_CHECKING:
    from connectors.sandbox.salesforce.server import Server

LATE, SAME = 90, 10_050
HIDDEN = {"Opportunity": {"LeadSource"}, "User": {"UserType", "UserRoleId"}}


def nothing(_: "Server", __: bool) -> None:  # noqa: FBT001 - as the others
    """Change nothing: the fault looks for itself whether it is on."""


def _late(server: "Server", on: bool) -> None:  # noqa: FBT001
    server.org.late = LATE if on else 0


def _expired_token(server: "Server", on: bool) -> None:  # noqa: FBT001
    server.sessions.expire_after = server.faults.expire_after if on else None


def _permanent(server: "Server", on: bool) -> None:  # noqa: FBT001
    server.sessions.locked = on


def _login_host(server: "Server", on: bool) -> None:  # noqa: FBT001
    text = "request not supported on this domain"
    server.sessions.refusal = ("invalid_grant", text) if on else None


def _not_approved(server: "Server", on: bool) -> None:  # noqa: FBT001
    text = "user hasn't approved this consumer"
    server.sessions.refusal = ("invalid_grant", text) if on else None


def _request_limit(server: "Server", on: bool) -> None:  # noqa: FBT001
    server.daily = server.used + server.faults.daily_calls if on else 100_000


def _small_pages(server: "Server", on: bool) -> None:  # noqa: FBT001
    server.queries.page = 250 if on else None


def _repeats(server: "Server", on: bool) -> None:  # noqa: FBT001
    server.queries.repeat = on


def _same_second(server: "Server", on: bool) -> None:  # noqa: FBT001
    if on:
        bulk_edit(server.org, SAME)


def _slow_jobs(server: "Server", on: bool) -> None:  # noqa: FBT001
    server.jobs.needs = 4 if on else 1


def _truncated(server: "Server", on: bool) -> None:  # noqa: FBT001
    server.jobs.truncate = on


def _empty_body(server: "Server", on: bool) -> None:  # noqa: FBT001
    server.jobs.empty = on


def _no_last_locator(server: "Server", on: bool) -> None:  # noqa: FBT001
    server.jobs.last = None if on else "null"


def _failed_job(server: "Server", on: bool) -> None:  # noqa: FBT001
    server.jobs.fate = ["Failed", "JobComplete"] * 1_000 if on else []


def _aborted_job(server: "Server", on: bool) -> None:  # noqa: FBT001
    server.jobs.fate = ["Aborted", "JobComplete"] * 1_000 if on else []


def _no_bulk(server: "Server", on: bool) -> None:  # noqa: FBT001
    server.jobs.refused = None if on else set()


def _hidden_fields(server: "Server", on: bool) -> None:  # noqa: FBT001
    for name, fields in HIDDEN.items():
        there = server.org.hidden.setdefault(name, set())
        (there.update if on else there.difference_update)(fields)


SWITCHES: dict[str, Callable[["Server", bool], None]] = {
    "late": _late,
    "expired_token": _expired_token,
    "permanent_401": _permanent,
    "login_host": _login_host,
    "not_approved": _not_approved,
    "request_limit": _request_limit,
    "small_pages": _small_pages,
    "repeats": _repeats,
    "same_second": _same_second,
    "slow_jobs": _slow_jobs,
    "truncated": _truncated,
    "empty_body": _empty_body,
    "no_last_locator": _no_last_locator,
    "failed_job": _failed_job,
    "aborted_job": _aborted_job,
    "no_bulk": _no_bulk,
    "hidden_fields": _hidden_fields,
}
