"""A Salesforce org on this machine, and a server that shows it as Salesforce would.

Examples
--------
>>> org = Org.generate(opportunities=20, seed=1)
>>> with serve(org) as server:
...     server.url.startswith("http://127.0.0.1:")
True
>>> len(org.truth()["owners"])
9
"""

from connectors.sandbox.salesforce.auth import TOKEN, Accepts
from connectors.sandbox.salesforce.faults import NAMES as FAULTS
from connectors.sandbox.salesforce.faults import SURVIVABLE
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.server import Server, serve

__all__ = ["FAULTS", "SURVIVABLE", "TOKEN", "Accepts", "Org", "Server", "serve"]
