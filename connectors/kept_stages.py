"""Stages that a CRM no longer has: history still names them, so a store keeps them."""

import pandas as pd

KEY = ["object", "pipeline_id", "stage_id"]


def with_deleted(found: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
    """Keep the stages that are gone from the CRM, as no longer active.

    Parameters
    ----------
    found, earlier : DataFrame
        Stages (columns of `kpi.tables.STAGES`) as the CRM has them, and as the store has them.

    Returns
    -------
    DataFrame
        `found`, then the rows of `earlier` that it lacks, their ``active`` false.

    Examples
    --------
    >>> names = ["object", "pipeline_id", "stage_id", "active"]
    >>> one = pd.DataFrame([["deal", None, "a", True]], columns=names)
    >>> two = pd.DataFrame([["deal", None, "b", True]], columns=names)
    >>> with_deleted(one, two)[["stage_id", "active"]].values.tolist()
    [['a', True], ['b', False]]
    """
    known = set(_keys(found))
    is_gone = [key not in known for key in _keys(earlier)]
    if not any(is_gone):
        return found
    kept = earlier[is_gone].assign(active=False)[found.columns]
    return pd.concat([found, kept.astype(found.dtypes.to_dict())], ignore_index=True)


def _keys(stages: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return what tells stages apart; without a pipeline it is the only one."""
    return [*stages[KEY].astype("object").fillna("").itertuples(index=False, name=None)]
