"""Who may call: a pasted token, client credentials, a signed assertion (JWT), a refresh token.

Given by ``SALESFORCE_*`` variables or the defaults below. A session made by a login ends after
`expire_after` calls; the pasted token never does.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, unquote

import jwt
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from connectors.sandbox.exchange import Reply, Request, ok
from connectors.sandbox.salesforce.errors import oauth, refuse
from connectors.sandbox.salesforce.make_org import BEGAN
from connectors.sandbox.salesforce.state import ADMIN, State

TOKEN = "local-token"  # noqa: S105 - it opens nothing but this server
CLIENT, SECRET, REFRESH = "local-client", "local-secret", "local-refresh"
USERNAME = "integration.user@sandbox.example"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")


@dataclass(frozen=True)
class Accepts:
    """What the server takes for a good login; `public_key` is PEM, missing: any signature."""

    token: str = TOKEN
    client: str = CLIENT
    secret: str = SECRET
    refresh: str = REFRESH
    username: str = USERNAME
    public_key: str | None = None

    @classmethod
    def from_environment(cls, given: Mapping[str, str]) -> Self:
        """Take what the variables name, the defaults for the others."""
        file = given.get("SALESFORCE_PRIVATE_KEY_FILE")
        return cls(
            given.get("SALESFORCE_ACCESS_TOKEN") or TOKEN,
            given.get("SALESFORCE_CLIENT_ID") or CLIENT,
            given.get("SALESFORCE_CLIENT_SECRET") or SECRET,
            given.get("SALESFORCE_REFRESH_TOKEN") or REFRESH,
            given.get("SALESFORCE_USERNAME") or USERNAME,
            public_key_of(Path(file).read_bytes()) if file else None,
        )


def public_key_of(private_key: bytes) -> str:
    """Public key, PEM, of a private one."""
    public = load_pem_private_key(private_key, None).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Sessions:
    """Knows which sessions are good, and starts new ones.

    `expire_after` ends a session after so many calls; `refusal` is (error, description) with
    which every login is refused; with `locked` no session is good, ever.
    """

    def __init__(self, state: State, accepts: Accepts) -> None:
        self.state, self.accepts = state, accepts
        self.expire_after: int | None = None
        self.refusal: tuple[str, str] | None = None
        self.locked = False
        self.used: dict[str, int] = {}
        self.refreshes = {accepts.refresh}
        self.rotate = True
        self.logins = 0

    def check(self, request: Request) -> None:
        """Let a call through.

        Raises
        ------
        Refusal
            401 if the session is missing, unknown or over.
        """
        word, _, token = request.headers.get("authorization", "").partition(" ")
        if self.locked:
            raise refuse(
                401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"
            )
        if word.lower() not in ("bearer", "oauth") or not self._good(token):
            raise refuse(401, "INVALID_SESSION_ID", "Session expired or invalid")

    def _good(self, token: str) -> bool:
        if token == self.accepts.token:
            return True
        if token not in self.used:
            return False
        self.used[token] += 1
        return self.expire_after is None or self.used[token] <= self.expire_after

    def login(self, request: Request, url: str) -> Reply:
        """Start a session.

        Raises
        ------
        Refusal
            400 ``{error, error_description}``.
        """
        form = {k: v[-1] for k, v in parse_qs(request.raw.decode()).items()}
        if self.refusal is not None:
            raise oauth(*self.refusal)
        grants = {
            "client_credentials": self._client_credentials,
            "refresh_token": self._refresh,
            JWT_GRANT: self._assertion,
        }
        grant = grants.get(form.get("grant_type", ""))
        if grant is None:
            raise oauth("unsupported_grant_type", "grant type not supported")
        more = grant(form, request)
        self.logins += 1
        token = f"local-session-{self.logins:04d}"
        self.used[token] = 0
        identity = f"{url}/id/{self._org_id()}/{ADMIN}"
        return ok(
            {
                "access_token": token,
                "instance_url": url,
                "id": identity,
                "issued_at": str(self.state.now * 1_000),
                "signature": "c2lnbmF0dXJl",
                "token_type": "Bearer",
                **more,
            }
        )

    def _org_id(self) -> str:
        return next(iter(self.state.tables["Organization"].rows), "")

    def _client_credentials(self, form: Mapping[str, str], request: Request) -> dict[str, str]:
        client, secret = form.get("client_id"), form.get("client_secret")
        word, _, packed = request.headers.get("authorization", "").partition(" ")
        if word.lower() == "basic":
            client, _, secret = base64.b64decode(packed).decode().partition(":")
        self._known(client, secret)
        return {"scope": "api"}

    def _known(self, client: str | None, secret: str | None) -> None:
        if client is None or unquote(client) != self.accepts.client:
            raise oauth("invalid_client_id", "client identifier invalid")
        if secret is None or unquote(secret) != self.accepts.secret:
            raise oauth("invalid_client", "invalid client credentials")

    def _refresh(self, form: Mapping[str, str], _: Request) -> dict[str, str]:
        """Trade a refresh token for a session; with `rotate` it is good once, and a new one comes."""
        self._known(form.get("client_id"), form.get("client_secret", self.accepts.secret))
        given = form.get("refresh_token", "")
        if given not in self.refreshes:
            raise oauth("invalid_grant", "expired access/refresh token")
        if not self.rotate:
            return {}
        self.refreshes.discard(given)
        following = f"local-refresh-{self.logins + 1:04d}"
        self.refreshes.add(following)
        return {"refresh_token": following}

    def _assertion(self, form: Mapping[str, str], _: Request) -> dict[str, str]:
        try:
            told = self._read(form.get("assertion", ""))
        except jwt.InvalidTokenError as error:
            raise oauth("invalid_grant", f"invalid assertion: {type(error).__name__}") from error
        left = float(told["exp"]) - self.state.now
        if not 0 < left <= 301:
            raise oauth("invalid_grant", "expired authorization code")
        if told["iss"] != self.accepts.client:
            raise oauth("invalid_client_id", "client identifier invalid")
        if told["sub"] != self.accepts.username:
            raise oauth("invalid_grant", "user hasn't approved this consumer")
        if told["aud"] not in AUDIENCES and not told["aud"].startswith("http://127.0.0.1"):
            raise oauth("invalid_grant", "audience is invalid")
        return {"scope": "api"}

    def _read(self, assertion: str) -> dict[str, str]:
        key = self.accepts.public_key
        options = {"verify_aud": False, "verify_exp": False, "verify_signature": key is not None,
                   "require": ["iss", "sub", "aud", "exp"]}  # fmt: skip
        found: dict[str, str] = jwt.decode(
            assertion,
            key or "",
            algorithms=["RS256"],
            options=options,  # type: ignore[arg-type]
        )
        return found

    def identity(self, url: str) -> Reply:
        """Say whose session it is, as ``/services/oauth2/userinfo`` does."""
        return ok(
            {
                "sub": f"{url}/id/{self._org_id()}/{ADMIN}",
                "user_id": ADMIN,
                "organization_id": self._org_id(),
                "preferred_username": self.accepts.username,
                "name": "Integration User",
                "email": "integration@sandbox.example",
                "zoneinfo": self.state.time_zone,
                "updated_at": f"{BEGAN}",
                "user_type": "STANDARD",
                "active": True,
            }
        )
