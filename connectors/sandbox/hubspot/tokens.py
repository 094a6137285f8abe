"""Who may call: one private-app token, and OAuth access tokens of thirty minutes."""

from dataclasses import dataclass
from urllib.parse import parse_qs

from connectors.sandbox.hubspot.exchange import Reply, Request, ok, refuse
from connectors.sandbox.hubspot.schema import TYPES
from connectors.sandbox.hubspot.state import State
from connectors.sandbox.hubspot.wire import iso

TOKEN = "pat-na1-local"  # noqa: S105 - it opens nothing but this server
CLIENT, SECRET, REFRESH = "local-client", "local-secret", "local-refresh"
LIFETIME = 1_800


@dataclass
class Grant:
    """An access token's end (ms) and the calls it has been used for."""

    ends: int
    used: int = 0


class Tokens:
    """Knows which tokens are good. `expire_after` ends an access token after that many calls."""

    def __init__(self, account: State) -> None:
        self.account = account
        self.expire_after: int | None = None
        self.grants: dict[str, Grant] = {}
        self.refreshes: dict[str, int] = {REFRESH: 2}  # uses left: once, and once more
        self.issued = 0

    def check(self, request: Request) -> bool:
        """Tell whether the caller came by OAuth.

        Raises
        ------
        Refusal
            401 if the token is missing, unknown or over.
        """
        word, _, token = request.headers.get("authorization", "").partition(" ")
        if word.lower() == "bearer" and token == TOKEN:
            return False
        grant = self.grants.get(token)
        if grant is None:
            raise refuse(
                401,
                "Authentication credentials not found. This API supports OAuth 2.0 authentication "
                "and you can find more details at "
                "https://developers.hubspot.com/docs/methods/auth/oauth-overview",
                category="INVALID_AUTHENTICATION",
            )
        spent = self.expire_after is not None and grant.used >= self.expire_after
        if spent or self.account.now >= grant.ends:
            raise refuse(
                401,
                "The OAuth token used to make this call expired 0 second(s) ago.",
                category="EXPIRED_AUTHENTICATION",
                context={"expire time": [iso(min(grant.ends, self.account.now))]},
            )
        grant.used += 1
        return True

    def refresh(self, request: Request) -> Reply:
        """Trade a refresh token for an access token and a new refresh token.

        Raises
        ------
        Refusal
            400 if the form is not what is expected.
        """
        form = {k: v[-1] for k, v in parse_qs(request.raw.decode()).items()}
        if form.get("grant_type") != "refresh_token":
            raise refuse(400, "missing or invalid grant_type", error="unsupported_grant_type")
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            raise refuse(400, "missing or unknown client id", error="invalid_client")
        given = form.get("refresh_token", "")
        if self.refreshes.get(given, 0) < 1:
            raise refuse(400, "missing or invalid refresh token", category="BAD_REFRESH_TOKEN")
        self.refreshes[given] -= 1
        self.issued += 1
        access, following = f"local-access-{self.issued:04d}", f"local-refresh-{self.issued:04d}"
        self.refreshes[following] = 2
        self.grants[access] = Grant(self.account.now + LIFETIME * 1_000)
        return ok(
            {
                "token_type": "bearer",
                "token_use": "access_token",
                "access_token": access,
                "refresh_token": following,
                "expires_in": LIFETIME,
                "hub_id": self.account.portal_id,
                "scopes": sorted({t.scope for t in TYPES.values()} | {"crm.objects.owners.read"}),
            }
        )
