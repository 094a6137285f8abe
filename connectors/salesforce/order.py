"""Which of two stages entered in one second came first: what the ids of a history tell.

The store has no ids of changes. Those that matter are few, so they are remembered while they pass.
"""

import pandas as pd

from connectors.among import among
from connectors.salesforce.records.columns import field, instants, live
from connectors.salesforce.records.stages import StageNames

ENTERED = ["record_id", "changed_at", "stage_id"]


class Order:
    """The changes of opportunities that share a second with another one of theirs.

    Examples
    --------
    >>> raw = {"Id": ["2", "1"], "OpportunityId": ["006x"] * 2, "StageName": ["Won", "Demo"]}
    >>> raw["CreatedDate"] = ["2026-03-08T10:30:00.000Z"] * 2
    >>> order = Order()
    >>> order.note(pd.DataFrame(raw, dtype="str"), StageNames({}, {}))
    >>> held = pd.DataFrame({"record_id": ["006x"] * 2, "stage_id": ["Won", "Demo"]}, dtype="str")
    >>> held["changed_at"] = pd.Timestamp("2026-03-08T10:30:00Z").as_unit("us")
    >>> (ordered,), left = order.told(held, ["006x"])
    >>> ordered["stage_id"].tolist(), left
    (['Demo', 'Won'], [])
    """

    def __init__(self) -> None:
        self._noted: list[pd.DataFrame] = []

    def note(self, raw: pd.DataFrame, names: StageNames) -> None:
        """Remember what a page of OpportunityHistory tells of shared seconds, in text as it came."""
        shared = raw.duplicated(["OpportunityId", "CreatedDate"], keep=False)
        if not shared.any():
            return
        rows = live(raw[shared])
        columns = {
            "record_id": rows["OpportunityId"],
            "changed_at": instants(rows["CreatedDate"], "UTC"),
            "stage_id": names.deal(field(rows, "StageName")),
            "id": rows["Id"],
        }
        self._noted.append(pd.DataFrame(columns))

    def told(
        self, held: pd.DataFrame, records: list[str] | pd.api.extensions.ExtensionArray
    ) -> tuple[list[pd.DataFrame], list[str]]:
        """Return the changes of records in order, and the ids of the records it is not known for.

        Parameters
        ----------
        held : DataFrame
            `ENTERED` of these records and others, each change once.
        records : list of str
            Those with several stages in one second.
        """
        if not self._noted:
            return [], sorted(records)
        noted = pd.concat(self._noted).sort_values("id").drop_duplicates(ENTERED, keep="last")
        self._noted = [noted]
        rows = held[among(held["record_id"], records)].merge(noted, on=ENTERED, how="left")
        open_ = rows["id"].isna() & rows.duplicated(ENTERED[:2], keep=False)
        left = rows.loc[open_, "record_id"].unique()
        known = rows[~among(rows["record_id"], left)]
        ordered = known.sort_values([*ENTERED[:2], "id"])[ENTERED]
        return [ordered], sorted(left)
