"""Open an account: the token from the environment, the keyring or a prompt, and the address."""

import os
import sys
from collections.abc import Mapping

from connectors.credentials import Token, read_first
from connectors.http import Api
from connectors.hubspot.client import READS, VERSION, HubSpot
from connectors.hubspot.limits import Limits
from connectors.kept import KeptToken
from connectors.oauth import OAuthToken
from connectors.secret import Secret

HOST = "https://api.hubapi.com"
TOKEN = "HUBSPOT_TOKEN"  # noqa: S105 - the name of a variable
OAUTH = ("HUBSPOT_CLIENT_ID", "HUBSPOT_CLIENT_SECRET", "HUBSPOT_REFRESH_TOKEN")
THREADS = 8


def connect(
    token: str | Secret | None = None,
    *,
    url: str | None = None,
    environ: Mapping[str, str] = os.environ,
    version: str = VERSION,
    prompt: bool = True,
) -> tuple[HubSpot, Limits]:
    """Open a HubSpot account for reading.

    Parameters
    ----------
    token : str, optional
        Service key or private-app token. Default: ``HUBSPOT_TOKEN``, or ``HUBSPOT_CLIENT_ID``,
        ``HUBSPOT_CLIENT_SECRET`` and ``HUBSPOT_REFRESH_TOKEN``, from the environment, else the
        keyring, else asked for (hidden) where somebody is there to answer.
    url : str, optional
        Address of the API. Default: ``HUBSPOT_URL``, else the public one. Plain http only for
        127.0.0.1.
    environ : mapping
        The environment.
    version : str
        Version of the API.
    prompt : bool
        Whether asking is allowed.

    Returns
    -------
    HubSpot, Limits
        The account, and what it allows. Close ``.api`` after use.

    Raises
    ------
    CredentialsError
        If there is no token; the message names the variables.
    ApiError
        If the address is not one that a token may be sent to.
    """
    address = (url or environ.get("HUBSPOT_URL") or HOST).rstrip("/")
    limits = Limits()
    api = Api(
        address,
        authorization=_authorization(token, address, environ, prompt=prompt),
        buckets=limits.buckets,
        reads=READS,
        judge=limits.judge,
        seen=limits.seen,
        threads=THREADS,
    )
    return HubSpot(api, version), limits


def _authorization(
    token: str | Secret | None, address: str, environ: Mapping[str, str], *, prompt: bool
) -> Token | OAuthToken:
    if token is not None:
        return Token(token)
    found = read_first([[TOKEN], OAUTH], environ=environ, prompt=prompt)
    if TOKEN in found:
        return Token(found[TOKEN])
    client, secret, refresh = (found[name] for name in OAUTH)
    kept = KeptToken(OAUTH[2], refresh, environ=environ, tell=_tell)
    return OAuthToken(
        f"{address}/oauth/{VERSION}/token", client.reveal(), secret, kept.newest(), keep=kept.keep
    )


def _tell(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
