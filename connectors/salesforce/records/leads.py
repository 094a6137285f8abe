"""Leads as `kpi.tables.LEADS`."""

import numpy as np
import pandas as pd

from connectors.salesforce.records.columns import field, ids, instants, live
from connectors.salesforce.records.reading import Reading, framed
from connectors.salesforce.records.stages import StageNames


def leads(
    raw: pd.DataFrame, reading: Reading, names: StageNames, converted: pd.Series | None = None
) -> pd.DataFrame:
    """Shape leads.

    Parameters
    ----------
    raw : DataFrame of text
        Leads with the fields of `wanted`. Deleted and merged ones are left out; of two with one id
        the one changed last is taken.
    reading : Reading
        The org and the chosen fields.
    names : StageNames
        Of the org.
    converted : Series of datetime64, optional
        When leads were converted, by id, as `conversions` returns them. Without it a lead was
        converted when its day of conversion began in the org's zone, but not before it came in.

    Returns
    -------
    DataFrame, one row per lead
        Columns of `kpi.tables.LEADS`; ``channel`` and ``in_profile`` only where a setting names their
        field. A lead that a queue owns has no owner.

    Examples
    --------
    >>> raw = {"Id": ["00Qx"], "Status": ["Working"], "OwnerId": ["00G000000000001AAA"]}
    >>> reading = Reading("https://acme.my.salesforce.com", "UTC")
    >>> found = leads(pd.DataFrame(raw, dtype="str"), reading, StageNames({}, {}))
    >>> found[["lead_id", "owner_id", "stage_id"]].values.tolist()
    [['00Qx', nan, 'Working']]
    """
    rows = live(raw)
    columns = reading.columns("leads", rows)
    columns["lead_id"] = rows["Id"]
    columns["owner_id"] = ids(columns["owner_id"], "005")
    columns["stage_id"] = names.lead(field(rows, "Status"))
    columns["converted_at"] = _converted_at(rows, reading.time_zone, converted)
    columns["url"] = reading.urls(rows["Id"])
    return framed("leads", columns)


def _converted_at(rows: pd.DataFrame, zone: str, converted: pd.Series | None) -> pd.Series:
    day = instants(field(rows, "ConvertedDate"), zone)
    created = instants(field(rows, "CreatedDate"), zone)
    at = day.mask(created > day, created)
    if converted is None or converted.empty:
        return at
    told = converted.reindex(pd.Index(rows["Id"])).to_numpy(
        dtype="datetime64[us]", na_value=np.datetime64("NaT")
    )
    return pd.Series(told, index=rows.index).dt.tz_localize("UTC").fillna(at)
