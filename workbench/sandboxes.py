"""The sample company as each CRM would have it, served on this computer."""

from dataclasses import dataclass
from pathlib import Path

import connectors
from connectors.crm_settings import Fields
from connectors.sandbox import hubspot, salesforce
from connectors.sandbox.serving import Listener
from workbench.report.notebook import SAMPLES

KINDS = {"hubspot": "HubSpot account", "salesforce": "Salesforce org"}
FIELDS: dict[str, Fields] = {
    "hubspot": {
        "deals": {
            "segment": "market_segment",
            "region": "sales_region",
            "product": "product_line",
            "margin": "gross_margin",
            "term_months": "contract_months",
        },
        "leads": {"channel": "lead_channel", "in_profile": "in_profile"},
    },
    "salesforce": {
        "deals": {
            "segment": "Market_Segment__c",
            "region": "Sales_Region__c",
            "product": "Product_Line__c",
            "margin": "Gross_Margin__c",
            "term_months": "Contract_Months__c",
            "mrr": "MRR__c",
            "lost_reason": "Loss_Reason__c",
            "next_step_on": "Next_Step_On__c",
        },
        "leads": {"channel": "Channel__c", "in_profile": "In_Profile__c"},
        "meetings": {"outcome": "Outcome__c"},
        "subscriptions": {"mrr": "MRR__c", "starts_on": "Starts_On__c", "ends_on": "Ends_On__c"},
    },
}
"""Fields that each sandbox has of its own, and what they are to us."""


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox; ``server.stop()`` ends it.

    Attributes
    ----------
    server : Listener
        With its address, ``url``.
    token : str
        Which it lets in.
    variables : dict of str to str
        What to set in the environment for `connectors.sync` to find it.
    """

    server: Listener
    token: str
    variables: dict[str, str]


def start(source: str, data: Path = SAMPLES, port: int = 0) -> Sandbox:
    """Serve the company of a folder of canonical tables on 127.0.0.1.

    Parameters
    ----------
    source : str
        ``hubspot`` or ``salesforce``.
    data : Path
        The folder; default: the sample company.
    port : int
        0 takes a free one.

    Raises
    ------
    ConnectorError
        If there is no such sandbox, the folder cannot be read, or the port cannot be had.
    """
    if source not in KINDS:
        raise connectors.ConnectorError(
            f"sandbox: no source {source!r}; expected one of {list(KINDS)}"
        )
    found = connectors.read_folder(data)
    now = None if found.as_of is None else f"{found.as_of}T18:00:00Z"
    try:
        if source == "hubspot":
            account = hubspot.Account.from_tables(found.frames, now=now)
            return _named(
                "HUBSPOT_URL", "HUBSPOT_TOKEN", hubspot.serve(account, port), hubspot.TOKEN
            )
        org = salesforce.Org.from_tables(found.frames, now=now)
        names = "SALESFORCE_INSTANCE_URL", "SALESFORCE_ACCESS_TOKEN"
        return _named(*names, salesforce.serve(org, port), salesforce.TOKEN)
    except (OSError, OverflowError) as error:
        raise connectors.ConnectorError(
            f"sandbox: port {port} of 127.0.0.1 cannot be had; give another one with --port"
        ) from error


def _named(url: str, secret: str, server: Listener, token: str) -> Sandbox:
    return Sandbox(server, token, {url: server.url, secret: token})
