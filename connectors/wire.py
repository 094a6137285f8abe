"""How we go on the wire: which addresses, which session, and how a broken call is worded."""

import re
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from connectors.errors import ApiError, CredentialsError
from connectors.secret import Secret
from connectors.verdicts import Again, Fail, Verdict

HERE = "127.0.0.1"
_NAME = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_PATH = r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9_.~-]+)"
_ADDRESS = re.compile(rf"(?:https://{_NAME}|http://127\.0\.0\.1)(?::(\d{{1,5}}))?({_PATH}*)/?")
_CALL = re.compile(rf"{_PATH}+/?")


def checked_address(address: str) -> str:
    """Return an address without a slash at its end, if a token may be sent there.

    Raises
    ------
    ApiError
        If it is not ``https://host``, or ``http://127.0.0.1:port`` for a server on this computer;
        if it holds a user, a query, or anything else beside host, port and path. The message
        does not repeat the address, as there may be a password in it.

    Examples
    --------
    >>> checked_address("https://api.hubapi.com/")
    'https://api.hubapi.com'

    """
    found = _ADDRESS.fullmatch(address)
    if found is None or int(found[1] or 443) not in range(1, 65536):
        raise ApiError(
            "the address of the server cannot be used: give https:// and the host, or"
            f" http://{HERE} and a port for a server on this computer, without a user or a query"
        )
    return address.rstrip("/")


def checked_path(path: str) -> str:
    """Return the path of a call, if it is one that cannot lead anywhere else.

    Raises
    ------
    ApiError
        If it has a query, ``.`` or ``..`` as a part, an escape, or no ``/`` in front.

    """
    if _CALL.fullmatch(path) is None:
        raise ApiError("a call was not made: its path has parts that are not letters and digits")
    return path


def new_session(address: str, threads: int) -> requests.Session:
    """Open a session: no cookies, no retries of its own, a connection per thread.

    Proxies and certificates come from the environment, but not for a server on this computer.
    """
    session = requests.Session()
    session.trust_env = urlsplit(address).hostname != HERE
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers["User-Agent"] = "reverse-funnel"
    # lists are read beside the calls of `Api.map`
    adapter = HTTPAdapter(pool_maxsize=threads + 16, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class Header(AuthBase):
    """Sends the token. Given with each call, so that requests never looks into a .netrc file."""

    def __init__(self, value: Secret) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the header on a request about to be sent."""
        text = self._value.reveal()
        if not text.isprintable() or not text.isascii():
            # the libraries below would say so too, with the token in their message
            raise requests.exceptions.InvalidHeader("the token cannot be sent")
        if text:
            request.headers["Authorization"] = text
        return request


def unanswered(place: str, problem: Exception) -> Verdict:
    """Word a call that got no whole reply, without the problem's own text (it holds the query)."""
    if "CERTIFICATE_VERIFY_FAILED" in str(problem):
        return Fail(ApiError(f"{place}: the server's certificate is not trusted; {_CERTIFICATE}"))
    for kind, words in _WORDS.items():
        if isinstance(problem, kind):
            return Again(reason=words)
    if isinstance(problem, requests.exceptions.InvalidHeader):
        return Fail(CredentialsError(f"{place}: the token cannot be sent; copy it once more"))
    return Fail(
        ApiError(f"{place} could not be sent ({type(problem).__name__}): check the address")
    )


_CERTIFICATE = "check the address and this computer's clock, or ask who runs the network"
_WORDS: dict[type[Exception], str] = {  # the narrower first
    requests.exceptions.ConnectTimeout: "the server could not be reached in time",
    requests.exceptions.Timeout: "no reply in time",
    requests.exceptions.ProxyError: "the proxy does not let the call through",
    requests.exceptions.SSLError: "no secure connection could be made",
    requests.exceptions.ChunkedEncodingError: "the reply broke off",
    requests.exceptions.ContentDecodingError: "the reply could not be unpacked",
    requests.exceptions.ConnectionError: "no connection, or it broke off",
}
