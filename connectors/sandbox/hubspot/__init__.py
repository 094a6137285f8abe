"""A HubSpot account on this machine, and a server that shows it as HubSpot would.

Examples
--------
>>> account = Account.generate(deals=20, seed=1)
>>> with serve(account) as server:
...     server.url.startswith("http://127.0.0.1:")
True
>>> len(account.truth()["deals"])
20
"""

from connectors.sandbox.hubspot.account import Account
from connectors.sandbox.hubspot.faults import ALL as SURVIVABLE
from connectors.sandbox.hubspot.faults import NAMES as FAULTS
from connectors.sandbox.hubspot.server import Server, serve
from connectors.sandbox.hubspot.tokens import TOKEN

__all__ = ["FAULTS", "SURVIVABLE", "TOKEN", "Account", "Server", "serve"]
