"""Test a token and an account, and reconcile a store with it, number by number and id by id."""

from dataclasses import replace

import pandas as pd

from connectors.aligned import aligned
from connectors.check_report import PIPELINES, CheckReport, pipeline_row
from connectors.errors import ApiError, ScopeError
from connectors.hubspot.agreement import agreement
from connectors.hubspot.client import HubSpot
from connectors.hubspot.limits import UNSTATED, Limits
from connectors.hubspot.records.reading import Reading
from connectors.hubspot.records.stages import stages
from connectors.progress import Progress, silent
from connectors.store import Store

SCOPES = {
    "contacts": "crm.objects.contacts.read",
    "companies": "crm.objects.companies.read",
    "deals": "crm.objects.deals.read",
    "leads": "crm.objects.leads.read",
    "meetings": "crm.objects.contacts.read",
    "line_items": "crm.objects.line_items.read",
    "owners": "crm.objects.owners.read",
}
NEEDED = ("deals", "companies", "owners")
"""Without these there is little to plan with; the others may be missing in a smaller account."""


class Check(CheckReport):
    """What was found in a HubSpot account; see `connectors.check_report.CheckReport`.

    ``account`` has ``portal, time_zone, currency, currencies``; ``scope`` is the one that the app
    needs.
    """

    crm = "HubSpot"
    needed = NEEDED
    limits: Limits

    def _account(self) -> list[str]:
        told, limits = self.account, self.limits
        others = f" (also {', '.join(told['currencies'])})" if told["currencies"] else ""
        calls, seconds = limits.burst
        burst = "no limit stated" if limits.burst == UNSTATED else f"{calls:,} in {seconds:.0f} s"
        left = f"; {self._left()}" if self._left() else ""
        return [
            f"HubSpot account {told['portal']}",
            f"  time zone  {told['time_zone']}",
            f"  currency   {told['currency']}{others}",
            f"  calls      {burst}, 5 searches a second{left}",
        ]

    def _access(self) -> list[str]:
        words = {"": "yes", "scope": "NO", "absent": "not in this account"}
        rows = [[r["object"], words[r["why"]], r["scope"]] for r in self.access.to_dict("records")]
        lines = aligned(rows, ["object", "may read", "scope"])
        missing = sorted(set(self.access.loc[self.access["why"] == "scope", "scope"]))
        if missing:
            lines += [f"MISSING: add {', '.join(missing)} to the app's scopes in HubSpot."]
        if not self.access.set_index("object")["granted"]["leads"]:
            lines += ["Without leads, contacts count as leads by their lifecycle stage."]
        return lines


def check(
    client: HubSpot, limits: Limits, store: Store | None = None, progress: Progress = silent
) -> Check:
    """Test what the token may read, and compare a store with the account.

    Parameters
    ----------
    client : HubSpot
        The account.
    limits : Limits
        Those of the client.
    store : Store, optional
        Compared with the account where it is given and there.
    progress : Progress
        Shows how far it is.

    Raises
    ------
    CredentialsError
        If the token is refused.
    """
    details = client.account()
    reading = Reading.from_details(details)
    limits.time_zone = reading.time_zone
    told = {
        "portal": reading.portal,
        "time_zone": reading.time_zone,
        "currency": reading.currency,
        "currencies": list(details.get("additionalCurrencies") or ()),
    }
    access = _access(client)
    granted = set(access.loc[access["granted"], "object"])
    pipelines = _pipelines(client) if "deals" in granted else pd.DataFrame()
    found = Check(told, access, pipelines, limits)
    if store is None or not Store.exists(store.path):
        return found
    compared = agreement(client, reading, store, granted, progress)
    return replace(found, **vars(compared))


def _access(client: HubSpot) -> pd.DataFrame:
    rows = []
    for name, scope in SCOPES.items():
        try:
            if name == "owners":
                client.owners()
            else:
                next(client.pages(name, ["hs_object_id"]))
            why = ""
        except ScopeError:
            why = "scope"
        except ApiError as error:
            if error.status not in (403, 404):
                raise
            why = "absent"
        rows.append([name, scope, not why, why])
    return pd.DataFrame(rows, columns=["object", "scope", "granted", "why"])


def _pipelines(client: HubSpot) -> pd.DataFrame:
    found = client.pipelines("deals")
    ordered = sorted(found, key=lambda pipeline: pipeline.get("displayOrder") or 0)
    rows = [pipeline_row(one["id"], one["label"], stages([one])) for one in ordered]
    return pd.DataFrame(rows, columns=PIPELINES)
