"""The ways into an org: client credentials, a signed token, a refresh token, or a pasted session.

Each is a `connectors.http.Authorization` that also knows the org's address, `instance_url`. There
is no way in by user name and password: Salesforce is closing those.
"""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

import jwt

from connectors.credentials import usable
from connectors.errors import ApiError, CredentialsError
from connectors.oauth import Granted, OAuthToken, Reply
from connectors.secret import HIDDEN, Secret
from connectors.wire import checked_address

TOKENS = "/services/oauth2/token"
LASTS = 180
"""Seconds that a signed request for a token is good for."""
ADVICE = {
    "not supported on this domain": (
        "give the org's own address, https://NAME.my.salesforce.com, as SALESFORCE_INSTANCE_URL"
    ),
    "no client credentials user": "let an admin choose a Run As user in the app's client"
    " credentials flow",
    "approved this consumer": "let an admin pre-authorise the app for this user, in its policies",
    "expired access/refresh token": "log in once more for a new refresh token, and set"
    " SALESFORCE_REFRESH_TOKEN",
    "expired authorization code": "set this computer's clock: a signed request is good for some"
    " minutes, by the clock of Salesforce",
    "audience": "set SALESFORCE_LOGIN_URL to https://test.salesforce.com for a sandbox",
    "assertion": "check the key, the user name, and this computer's clock",
    "invalid client": "check SALESFORCE_CLIENT_ID and SALESFORCE_CLIENT_SECRET",
    "client identifier": "check SALESFORCE_CLIENT_ID",
}
OTHERWISE = (
    "check the id and the secret of the app, and that its policies let this user in from here"
)


class Session(Protocol):
    """An authorization that knows the org's address."""

    @property
    def instance_url(self) -> str:
        """The address of the org's API; may fetch a token first."""

    def header(self) -> str:
        """Return the header to send now; may fetch a token first."""

    def refused(self, used: str) -> bool:
        """Hear that a header was refused; True if there is a new one that is worth a try."""


class InstanceToken:
    """A session that was begun elsewhere, such as by ``sf org display``; it ends after some hours.

    Parameters
    ----------
    instance_url : str
        The org's address.
    token : str or Secret
        The access token.

    Raises
    ------
    CredentialsError
        If the token cannot be one.
    ApiError
        If the address is not one that a token may be sent to.

    Examples
    --------
    >>> InstanceToken("https://acme.my.salesforce.com/", "00D!AQ").instance_url
    'https://acme.my.salesforce.com'

    """

    def __init__(self, instance_url: str, token: str | Secret) -> None:
        self.instance_url = checked_address(instance_url)
        self._token = usable("the access token", token)

    def __repr__(self) -> str:
        return f"InstanceToken({self.instance_url}, {HIDDEN})"

    def header(self) -> str:
        """Return the ``Authorization`` header."""
        return f"Bearer {self._token.reveal()}"

    def refused(self, _used: str) -> bool:
        """Return False: there is no other token to try."""
        return False


class Granting:
    """A session whose tokens a token endpoint gives out, all for the same org.

    Made by `client_credentials`, `signed_requests` and `refreshing`.

    Attributes
    ----------
    source : Granted or OAuthToken
        Gets the tokens; given after it was made to show its replies to `took`.
    """

    source: Granted | OAuthToken

    def __init__(self) -> None:
        self._instance_url = ""

    def __repr__(self) -> str:
        return f"Granting({self._instance_url or 'not yet'}, {HIDDEN})"

    @property
    def instance_url(self) -> str:
        """The org's address, as the token reply has it."""
        if not self._instance_url:
            self.source.header()
        return self._instance_url

    def header(self) -> str:
        """Return the ``Authorization`` header; see `connectors.oauth.Granted.header`."""
        return self.source.header()

    def refused(self, used: str) -> bool:
        """Get a new token; see `connectors.oauth.Granted.refused`."""
        return self.source.refused(used)

    def took(self, reply: Reply) -> None:
        """Take the org's address out of a token reply."""
        url = reply.get("instance_url")
        if not isinstance(url, str):
            raise CredentialsError("the token endpoint sent no instance_url; check its address")
        url = checked_address(url)
        if self._instance_url not in {"", url}:
            raise ApiError("the org has moved to another address: run the same command again")
        self._instance_url = url


def client_credentials(url: str, client_id: str, client_secret: Secret) -> Granting:
    """Let an app log in by itself, as its Run As user.

    Parameters
    ----------
    url : str
        The org's My Domain address: ``login.salesforce.com`` refuses.
    client_id : str
        Consumer key of the app; not a secret.
    client_secret : Secret
        Its consumer secret.

    Raises
    ------
    ApiError
        If the address is not one that a secret may be sent to.
    """
    form: dict[str, str | Secret] = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret,
    }
    return _granting(url, lambda: form)


def signed_requests(
    url: str,
    client_id: str,
    username: str,
    private_key: Secret,
    audience: str,
    *,
    clock: Callable[[], float] = time.time,
) -> Granting:
    """Let an app log in that an admin has pre-authorised, by requests that it signs (JWT, RS256).

    Parameters
    ----------
    url : str
        Where to ask: the login address or the org's own.
    client_id : str
        Consumer key of the app.
    username : str
        The user it acts as.
    private_key : Secret
        The key in PEM, without a password; the app has its certificate.
    audience : str
        ``https://login.salesforce.com``, or ``https://test.salesforce.com`` for a sandbox.
    clock : callable
        Seconds since 1970.

    Raises
    ------
    CredentialsError
        If the key cannot be read.
    ApiError
        If the address is not one that a secret may be sent to.
    """

    def form() -> Mapping[str, str | Secret]:
        claims = {"iss": client_id, "sub": username, "aud": audience}
        return {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": _signed({**claims, "exp": int(clock()) + LASTS}, private_key),
        }

    form()  # a key that cannot be read is told now
    return _granting(url, form)


def refreshing(
    url: str,
    client_id: str,
    client_secret: Secret,
    refresh_token: Secret,
    *,
    keep: Callable[[Secret], None] | None = None,
) -> Granting:
    """Use an app that a person has let in: access tokens for a refresh token.

    Parameters
    ----------
    url : str
        Where to ask: the org's own address or the login address.
    client_id : str
        Consumer key of the app.
    client_secret, refresh_token : Secret
        As the app and its installation have them.
    keep : callable or None
        Is given every new refresh token before its access token is used.

    Raises
    ------
    ApiError
        If the address is not one that a secret may be sent to.
    """
    session = Granting()
    session.source = OAuthToken(
        _endpoint(url),
        client_id,
        client_secret,
        refresh_token,
        keep=keep,
        took=session.took,
        advice=advice,
    )
    return session


def _granting(url: str, form: Callable[[], Mapping[str, str | Secret]]) -> Granting:
    session = Granting()
    session.source = Granted(_endpoint(url), form, took=session.took, advice=advice)
    return session


def _endpoint(url: str) -> str:
    return f"{checked_address(url)}{TOKENS}"


def _signed(claims: Mapping[str, object], key: Secret) -> Secret:
    """Sign what is asked for; the library's own words may hold the key."""
    try:
        return Secret(jwt.encode(dict(claims), key.reveal(), algorithm="RS256"))
    except (ValueError, TypeError, jwt.PyJWTError):
        pass
    raise CredentialsError(
        "the private key cannot be read: SALESFORCE_PRIVATE_KEY_FILE names a file with an RSA key"
        " in PEM, without a password"
    )


def advice(words: str) -> str:
    """Return what to do about a refusal of the token endpoint.

    Examples
    --------
    >>> advice("invalid_grant: user hasn't approved this consumer")
    'let an admin pre-authorise the app for this user, in its policies'

    """
    said = words.lower()
    return next((todo for sign, todo in ADVICE.items() if sign in said), OTHERWISE)
