"""Stages, owners and accounts that rows name, but the tables of them lack."""

import pandas as pd

from connectors.exports.lookups import counted

REFERENCES = {"owner_id": "owners", "account_id": "accounts"}


def unknown_references(frames: dict[str, pd.DataFrame]) -> list[pd.DataFrame]:
    """List ids that lead nowhere, as failed joins; a table that is not there is not asked.

    Examples
    --------
    >>> deals = pd.DataFrame({"owner_id": ["a", "b", "b", None]})
    >>> owners = pd.DataFrame({"owner_id": ["a"]})
    >>> unknown_references({"deals": deals, "owners": owners})[0].iloc[0].to_dict()
    {'value': 'b', 'rows': 2, 'looked_up_in': 'owners', 'table': 'deals', 'column': 'owner_id'}

    """
    found = []
    for name, frame in frames.items():
        for column, target in REFERENCES.items():
            if target in frames and name != target and column in frame:
                found.append(_missing(name, column, frame[column], frames[target][column], target))
        if "stages" in frames and name != "stages" and "stage_id" in frame:
            found += [_unknown_stages(name, frame, frames["stages"], k) for k in ("deal", "lead")]
    return [part for part in found if not part.empty]


def _unknown_stages(
    name: str, frame: pd.DataFrame, stages: pd.DataFrame, kind: str
) -> pd.DataFrame:
    """Stage ids of deals or leads; leads are only asked where lead stages are listed."""
    known = stages["stage_id"][stages["object"] == kind]
    objects = frame.get("object", pd.Series(name.removesuffix("s"), index=frame.index))
    values = frame["stage_id"][objects.fillna("deal") == kind]
    return _missing(name, "stage_id", values if len(known) else values[:0], known, "stages")


def _missing(
    name: str, column: str, values: pd.Series, known: pd.Series, target: str
) -> pd.DataFrame:
    lacking = values[values.notna() & ~values.isin(known)]
    return counted(lacking, target).assign(table=name, column=column)
