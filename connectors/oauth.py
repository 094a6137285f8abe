"""Access tokens that a token endpoint gives out, and gives anew when they end or are refused."""

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import urlsplit

import requests

from connectors.buckets import Bucket
from connectors.credentials import usable
from connectors.errors import ApiError, CredentialsError
from connectors.http import Api
from connectors.secret import HIDDEN, Secret, redacted
from connectors.verdicts import Fail, Verdict, answer, judge, place, said

EARLY = 60.0  # seconds before its end that a token is renewed
INSTALL = "check the id and the secret of the app, and install it once more for a new refresh token"

Reply: TypeAlias = Mapping[str, object]


class _Anonymous:
    """The token endpoint takes its credentials in the form."""

    def header(self) -> str:
        return ""

    def refused(self, _used: str) -> bool:
        return False


class Granted:
    """The authorization of access tokens that a token endpoint gives for a form.

    A token is renewed a minute before its end, and when the server refuses it all the same; one
    thread asks, the others wait for the answer.

    Parameters
    ----------
    url : str
        The token endpoint.
    form : callable
        Makes what is sent: the grant and what belongs to it. What must not be seen is a `Secret`.
    took : callable or None
        Is shown the endpoint's reply before its access token is used.
    advice : callable
        From the server's words for a refusal, what to do about it.
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
        form: Callable[[], Mapping[str, str | Secret]],
        *,
        took: Callable[[Reply], None] = lambda _reply: None,
        advice: Callable[[str], str] = lambda _words: INSTALL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._advice = advice
        self._api = Api(
            f"{parts.scheme}://{parts.netloc}",
            authorization=_Anonymous(),
            buckets={"burst": Bucket(10, 1.0)},
            reads=re.compile(re.escape(self._path)),
            judge=self._judge,
            attempts=4,
            longest_wait=10.0,
            threads=1,
        )
        self._form = form
        self._took = took
        self._clock = clock
        self._lock = threading.Lock()
        self._access: Secret | None = None
        self._until = -math.inf

    def __repr__(self) -> str:
        return f"Granted({HIDDEN})"

    def header(self) -> str:
        """Return the ``Authorization`` header, with a token that lasts a minute more at least.

        Raises
        ------
        CredentialsError
            If the endpoint refuses.
        ApiError
            If the endpoint cannot be reached.

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
        """Trade the form for an access token; whatever else comes with it is taken first."""
        asked_at = self._clock()
        reply = self._reply()
        access = granted(reply, "access_token")
        self._took(reply)
        self._access = access
        lasts = reply.get("expires_in")
        lasts = float(lasts) if isinstance(lasts, int | float) else math.inf
        self._until = asked_at + max(lasts - EARLY, lasts / 2)

    def _reply(self) -> Reply:
        given = self._form()
        secrets = [value for value in given.values() if isinstance(value, Secret)]
        form = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in given.items()
        }
        try:
            reply = self._api.post(self._path, form, form=True)
            return reply if isinstance(reply, dict) else {}
        except ApiError as problem:
            error = problem
        finally:
            form.clear()  # tracebacks that show variables show nothing
        raise type(error)(redacted(str(error), secrets), status=error.status)

    def _judge(self, response: requests.Response) -> Verdict:
        """Take every refusal for one of the credentials, whatever its status."""
        verdict = judge(response)
        if isinstance(verdict, Fail) and response.status_code in range(400, 500):
            words = (
                f"no access token was given: {place(response)} was refused ({answer(response)});"
                f" {self._advice(said(response))}"
            )
            return Fail(CredentialsError(words, status=response.status_code))
        return verdict


class OAuthToken:
    """The authorization of an OAuth app: access tokens that a refresh token pays for.

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
    took, advice, clock
        As for `Granted`.

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
        took: Callable[[Reply], None] = lambda _reply: None,
        advice: Callable[[str], str] = lambda _words: INSTALL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._refresh_token = refresh_token
        self._keep = keep
        self._took = took
        self._granted = Granted(url, self._form, took=self._take_over, advice=advice, clock=clock)

    def __repr__(self) -> str:
        return f"OAuthToken({HIDDEN})"

    def header(self) -> str:
        """Return the ``Authorization`` header; see `Granted.header`."""
        return self._granted.header()

    def refused(self, used: str) -> bool:
        """Get a new token; see `Granted.refused`."""
        return self._granted.refused(used)

    def _form(self) -> Mapping[str, str | Secret]:
        return {
            "grant_type": "refresh_token",
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "refresh_token": self._refresh_token,
        }

    def _take_over(self, reply: Reply) -> None:
        """Keep another refresh token, if one came along."""
        if reply.get("refresh_token"):
            refresh_token = granted(reply, "refresh_token")
            if refresh_token != self._refresh_token:
                self._refresh_token = refresh_token
                if self._keep is not None:
                    self._keep(refresh_token)
        self._took(reply)


def granted(reply: Reply, name: str) -> Secret:
    """Take a token out of the endpoint's reply.

    Raises
    ------
    CredentialsError
        If it is not there, or cannot be a token.

    """
    value = reply.get(name)
    if not isinstance(value, str):
        raise CredentialsError(f"the token endpoint sent no {name}; check its address")
    return usable(f"the {name} that the token endpoint sent", value)
