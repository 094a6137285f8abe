"""Open an org: what lets us in from the environment, the keyring or a prompt, and its address."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from connectors.credentials import read_first
from connectors.errors import CredentialsError
from connectors.kept import KeptToken
from connectors.salesforce.auth import (
    InstanceToken,
    Session,
    client_credentials,
    refreshing,
    signed_requests,
)
from connectors.salesforce.calls import READS, JobApi
from connectors.salesforce.client import VERSION, Salesforce
from connectors.salesforce.limits import Limits
from connectors.secret import Secret

LOGIN = "https://login.salesforce.com"
URL = "SALESFORCE_INSTANCE_URL"
TOKEN = "SALESFORCE_ACCESS_TOKEN"  # noqa: S105 - the name of a variable
APP = ("SALESFORCE_CLIENT_ID", "SALESFORCE_CLIENT_SECRET")
REFRESH = "SALESFORCE_REFRESH_TOKEN"
USER = "SALESFORCE_USERNAME"
KEY = "SALESFORCE_PRIVATE_KEY_FILE"
LOGIN_URL = "SALESFORCE_LOGIN_URL"
CHOICES = ((URL, *APP, REFRESH), (URL, *APP), (USER, KEY, APP[0]), (URL, TOKEN))
THREADS = 8
TIMEOUT = 10.0, 150.0
"""Seconds for the connection, and for the reply: the org itself ends a query after two minutes."""


def connect(
    token: str | Secret | None = None,
    *,
    url: str | None = None,
    environ: Mapping[str, str] = os.environ,
    version: str = VERSION,
    prompt: bool = True,
) -> tuple[Salesforce, Limits]:
    """Open a Salesforce org for reading.

    What lets us in is searched in the environment, then in the keyring, then asked for (hidden)
    where somebody is there to answer, as one of these sets:

    * ``SALESFORCE_INSTANCE_URL`` and ``SALESFORCE_ACCESS_TOKEN``, a session begun elsewhere;
    * ``SALESFORCE_INSTANCE_URL`` (My Domain), ``SALESFORCE_CLIENT_ID``,
      ``SALESFORCE_CLIENT_SECRET``, an app that logs in by itself, and with
      ``SALESFORCE_REFRESH_TOKEN`` one that a person has let in;
    * ``SALESFORCE_CLIENT_ID``, ``SALESFORCE_USERNAME`` and ``SALESFORCE_PRIVATE_KEY_FILE``, an app
      that signs its requests, at ``SALESFORCE_LOGIN_URL`` (https://login.salesforce.com).

    Parameters
    ----------
    token : str, optional
        An access token, in place of all that.
    url : str, optional
        The org's address, in place of ``SALESFORCE_INSTANCE_URL``. Plain http only for 127.0.0.1.
    environ : mapping
        The environment.
    version : str
        Version of the API.
    prompt : bool
        Whether asking is allowed.

    Returns
    -------
    Salesforce, Limits
        The org, and what it allows. Close ``.api`` after use.

    Raises
    ------
    CredentialsError
        If there is no way in; the message names the variables. Or if the org refuses.
    ApiError
        If an address is not one that a token may be sent to, or cannot be reached.
    """
    given = {**environ, URL: url} if url else environ
    session = _session(token, given, prompt=prompt)
    limits = Limits()
    api = JobApi(
        session.instance_url,
        authorization=session,
        buckets=limits.buckets,
        reads=READS,
        judge=limits.judge,
        seen=limits.seen,
        timeout=TIMEOUT,
        threads=THREADS,
    )
    return Salesforce(api, session.instance_url, version), limits


def _session(token: str | Secret | None, environ: Mapping[str, str], *, prompt: bool) -> Session:
    if token is not None:
        return InstanceToken(_found([(URL,)], environ, prompt=prompt)[URL], token)
    pasted_first = CHOICES[-1:] + CHOICES[:-1]
    choices = pasted_first if environ.get(TOKEN, "").strip() else CHOICES
    found = _found(choices, environ, prompt=prompt)
    if TOKEN in found:
        return InstanceToken(found[URL], Secret(found[TOKEN]))
    if KEY in found:
        return _signing(found, environ)
    client, secret = found[APP[0]], Secret(found[APP[1]])
    if REFRESH not in found:
        return client_credentials(found[URL], client, secret)
    kept = KeptToken(REFRESH, Secret(found[REFRESH]), environ=environ, tell=_tell)
    return refreshing(found[URL], client, secret, kept.newest(), keep=kept.keep)


def _found(
    choices: tuple[tuple[str, ...], ...] | list[tuple[str, ...]],
    environ: Mapping[str, str],
    *,
    prompt: bool,
) -> dict[str, str]:
    """Find the first set of variables that is there whole; the key's path may hold blanks."""
    file = environ.get(KEY, "").strip()
    stands_in = {**environ, KEY: "given"} if file else environ
    found = read_first(choices, environ=stands_in, prompt=prompt)
    texts = {name: value.reveal() for name, value in found.items()}
    return {**texts, KEY: file} if file and KEY in texts else texts


def _signing(found: Mapping[str, str], environ: Mapping[str, str]) -> Session:
    login = environ.get(LOGIN_URL, "").strip() or LOGIN
    try:
        key = Secret(Path(found[KEY]).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        reason = type(problem).__name__
        raise CredentialsError(f"the file of {KEY} cannot be read ({reason}): check it") from None
    url = environ.get(URL, "").strip() or login
    return signed_requests(url, found[APP[0]], found[USER], key, login)


def _tell(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
