"""What does not agree within the org: listed, while the record is kept as it is."""

import pandas as pd

from connectors.salesforce.records.columns import amounts, field, live
from connectors.salesforce.records.reading import Reading
from kpi.conform import no_problems, problem_rows

NO_RATE = (
    "the org has no exchange rate for this currency, so the amount is not counted: add one under "
    "Manage Currencies"
)
NO_STAGE = "the org has no such stage: kept as one of its own, no longer active"


def reconcile(raw: pd.DataFrame, reading: Reading, stages: pd.DataFrame) -> pd.DataFrame:
    """List the opportunities whose amount cannot be converted, or whose stage is none of the org's.

    Parameters
    ----------
    raw : DataFrame of text
        Opportunities with the fields of `wanted`.
    reading : Reading
        The org.
    stages : DataFrame
        Those of `stages`.

    Returns
    -------
    DataFrame
        Columns of `kpi.conform.PROBLEMS`; ``row`` counts the live opportunities from 1.

    Examples
    --------
    >>> from connectors.salesforce.records.stages import stages
    >>> raw = pd.DataFrame({"Id": ["006x"], "StageName": ["Old"]}, dtype="str")
    >>> none = stages(pd.DataFrame(), pd.DataFrame())
    >>> reading = Reading("https://acme.my.salesforce.com", "UTC")
    >>> reconcile(raw, reading, none)[["key", "column", "value"]].values.tolist()
    [['006x', 'stage_id', 'Old']]
    """
    rows = live(raw)
    code, stage = field(rows, "CurrencyIsoCode"), field(rows, "StageName")
    mine = stages[stages["object"] == "deal"]
    known = {*mine["stage_id"], *mine["label"]}
    no_rate = amounts(field(rows, "Amount")).notna() & reading.currencies.lacking(code)
    found = [
        _listed(rows[no_rate], "currency", code, NO_RATE),
        _listed(rows[stage.notna() & ~stage.isin(known)], "stage_id", stage, NO_STAGE),
    ]
    listed = [problems for problems in found if len(problems)]
    return pd.concat(listed, ignore_index=True) if listed else no_problems()


def _listed(rows: pd.DataFrame, column: str, values: pd.Series, reason: str) -> pd.DataFrame:
    places = [int(place) + 1 for place in rows.index]
    said = values[rows.index].fillna("").tolist()
    return problem_rows("deals", places, rows["Id"].tolist(), column, said, reason)
