"""Access tokens that are renewed on the clock, with a refresh token."""

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import requests

from connectors.buckets import Bucket
from connectors.credentials import usable
from connectors.errors import ApiError, CredentialsError
from connectors.http import Api
from connectors.secret import HIDDEN, Secret, redacted
from connectors.verdicts import Fail, Verdict, answer, judge, place

EARLY = 60.0  # seconds before its end that a token is renewed


class _Anonymous:
    """The token endpoint takes its credentials in the form."""

    def header(self) -> str:
        return ""

    def refused(self, _used: str) -> bool:
        return False


class OAuthToken:
    """The authorization of an OAuth app: access tokens that a refresh token pays for.

    A token is renewed a minute before its end, and when the server refuses it all the same; one
    thread asks, the others wait for the answer.

    Parameters
    ----------
    url : str
        The token endpoint.
    client_id : str
        The app; not a secret.
    client_secret, refresh_token : Secret
        As the app and its installation have them.
    keep : callable or None
        Is given every new refresh token before its access token is used; see
        `connectors.kept.KeptToken`.
    clock : callable
        Seconds, never going back.

    Raises
    ------
    ApiError
        If the endpoint is not an address that secrets may be sent to.

    """

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: Secret,
        refresh_token: Secret,
        *,
        keep: Callable[[Secret], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._api = Api(
            f"{parts.scheme}://{parts.netloc}",
            authorization=_Anonymous(),
            buckets={"burst": Bucket(10, 1.0)},
            reads=re.compile(re.escape(self._path)),
            judge=_judge,
            attempts=4,
            longest_wait=10.0,
            threads=1,
        )
        self._client_id = client_id
        self._client_secret = client_secret
        self._refresh_token = refresh_token
        self._keep = keep
        self._clock = clock
        self._lock = threading.Lock()
        self._access: Secret | None = None
        self._until = -math.inf

    def __repr__(self) -> str:
        return f"OAuthToken({HIDDEN})"

    def header(self) -> str:
        """Return the ``Authorization`` header, with a token that lasts a minute more at least.

        Raises
        ------
        CredentialsError
            If the refresh token is refused.
        ApiError
            If the token endpoint cannot be reached.

        """
        with self._lock:
            if self._access is None or self._clock() >= self._until:
                self._renew()
            return self._current()

    def refused(self, used: str) -> bool:
        """Get a new token, unless another thread has done so since; True as there is one then.

        Raises
        ------
        CredentialsError, ApiError
            As `header`.

        """
        with self._lock:
            if used == self._current():
                self._renew()
            return True

    def _current(self) -> str:
        return f"Bearer {self._access.reveal()}" if self._access else ""

    def _renew(self) -> None:
        """Trade the refresh token for an access token and, maybe, another refresh token."""
        asked_at = self._clock()
        reply = self._reply()
        self._access = _secret(reply, "access_token")
        lasts = reply.get("expires_in")
        lasts = float(lasts) if isinstance(lasts, int | float) else math.inf
        self._until = asked_at + max(lasts - EARLY, lasts / 2)
        if reply.get("refresh_token"):
            self._take_over(_secret(reply, "refresh_token"))

    def _take_over(self, refresh_token: Secret) -> None:
        if refresh_token != self._refresh_token:
            self._refresh_token = refresh_token
            if self._keep is not None:
                self._keep(refresh_token)

    def _reply(self) -> Mapping[str, object]:
        form = {
            "grant_type": "refresh_token",
            "client_id": self._client_id,
            "client_secret": self._client_secret.reveal(),
            "refresh_token": self._refresh_token.reveal(),
        }
        try:
            reply = self._api.post(self._path, form, form=True)
            return reply if isinstance(reply, dict) else {}
        except ApiError as problem:
            error = problem
        finally:
            form.clear()  # tracebacks that show variables show nothing
        secrets = [self._client_secret, self._refresh_token]
        raise type(error)(redacted(str(error), secrets), status=error.status)


def _judge(response: requests.Response) -> Verdict:
    """Take every refusal for one of the credentials, whatever its status."""
    verdict = judge(response)
    if isinstance(verdict, Fail) and response.status_code in range(400, 500):
        words = (
            f"no access token was given: {place(response)} was refused ({answer(response)});"
            " check the id and the secret of the app, and install it once more for a new"
            " refresh token"
        )
        return Fail(CredentialsError(words, status=response.status_code))
    return verdict


def _secret(reply: Mapping[str, object], name: str) -> Secret:
    """Take a token out of the endpoint's reply."""
    value = reply.get(name)
    if not isinstance(value, str):
        raise CredentialsError(f"the token endpoint sent no {name}; check its address")
    return usable(f"the {name} that the token endpoint sent", value)
