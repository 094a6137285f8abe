"""Stages of opportunities and statuses of leads as `kpi.tables.STAGES`, and which name is which."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from connectors.kept_stages import with_deleted
from connectors.salesforce.records.columns import amounts, column, field, is_true, mapped
from kpi.tables import DTYPES, STAGES

LOST = "NOT CONVERTED|UNQUALIFIED|DISQUALIFIED"
"""Words in the label of a status that say the lead is lost."""


@dataclass(frozen=True)
class StageNames:
    """Which stage a name means: its API name, else its label.

    Attributes
    ----------
    deals, leads : mapping of str to str
        ``stage_id`` by name.

    Examples
    --------
    >>> names = StageNames({"Demo": "Demo", "Show": "Demo"}, {})
    >>> names.deal(pd.Series(["Show", "Pitch"], dtype="str")).tolist()
    ['Demo', 'Pitch']
    """

    deals: Mapping[str, str]
    leads: Mapping[str, str]

    @classmethod
    def read(
        cls,
        opportunity_stage: pd.DataFrame,
        lead_status: pd.DataFrame,
        earlier: pd.DataFrame | None = None,
    ) -> "StageNames":
        """Read them from the same tables as `stages`; what the org has comes before what it had."""
        now = stages(opportunity_stage, lead_status)
        then = stages(opportunity_stage, lead_status, earlier).iloc[len(now) :]
        by_object = [{**_names(then, kind), **_names(now, kind)} for kind in ("deal", "lead")]
        return cls(*by_object)

    def deal(self, names: pd.Series) -> pd.Series:
        """Return the stages of opportunities; a name of no stage is a stage of its own."""
        return mapped(names, self.deals)

    def lead(self, names: pd.Series) -> pd.Series:
        """Return the stages of leads, likewise."""
        return mapped(names, self.leads)


def stages(
    opportunity_stage: pd.DataFrame,
    lead_status: pd.DataFrame,
    earlier: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Shape the stages that the org has, and keep those it once had.

    Parameters
    ----------
    opportunity_stage, lead_status : DataFrame of text
        OpportunityStage and LeadStatus, inactive ones too.
    earlier : DataFrame, optional
        Stages as the store has them. Those made of a mere name (`with_names`) are left out.

    Returns
    -------
    DataFrame, one row per stage
        The columns of `kpi.tables.STAGES`, the org's own first; ``probability`` 0 to 1.

    Examples
    --------
    >>> won = {"ApiName": ["Won"], "MasterLabel": ["Gained"], "SortOrder": ["9"], "IsWon": ["true"]}
    >>> found = stages(pd.DataFrame(won, dtype="str"), pd.DataFrame())
    >>> found[["object", "stage_id", "label", "outcome"]].values.tolist()
    [['deal', 'Won', 'Gained', 'won']]
    """
    parts = [_deal_stages(opportunity_stage), _lead_stages(lead_status)]
    found = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return found if earlier is None else with_deleted(found, earlier[~_made_of_names(earlier)])


def names_in_use(deals: pd.DataFrame, leads: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return which stages are named, and how the deals stand that are in them.

    Parameters
    ----------
    deals, leads, history : DataFrame
        The canonical tables, all that there is of them: ``stage_id``, of deals ``outcome`` too, of
        history ``object``.

    Returns
    -------
    DataFrame
        ``object, stage_id, outcome``, each once; outcome missing where no deal says.

    Examples
    --------
    >>> deals = pd.DataFrame({"stage_id": ["x", "x"], "outcome": ["won", "won"]})
    >>> none = pd.DataFrame({"stage_id": [], "object": []}, dtype="str")
    >>> names_in_use(deals, none, none).values.tolist()
    [['deal', 'x', 'won']]
    """
    parts = [deals.assign(object="deal"), leads.assign(object="lead"), history]
    found = []
    for part in parts:
        columns = {name: field(part, name) for name in ("object", "stage_id")}
        told = field(part, "outcome").astype("str")
        rows = pd.DataFrame({**columns, "outcome": told}).astype("str").drop_duplicates()
        found.append(rows[rows["stage_id"].notna()])
    return pd.concat(found, ignore_index=True).drop_duplicates(ignore_index=True)


def with_names(
    found: pd.DataFrame, in_use: pd.DataFrame, earlier: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Add a stage for every name in use that is none: one that was renamed or deleted.

    It stands after all others, no longer active. What being there means, the deals in it say: won
    if all are, lost if all are closed and none won, else open.

    Parameters
    ----------
    found : DataFrame
        Of `stages`.
    in_use : DataFrame
        Of `names_in_use`.
    earlier : DataFrame, optional
        Stages as the store has them: none of them leaves.

    Examples
    --------
    >>> none = stages(pd.DataFrame(), pd.DataFrame())
    >>> in_use = pd.DataFrame([["deal", "Old", "lost"]], columns=["object", "stage_id", "outcome"])
    >>> with_names(none, in_use)[["stage_id", "outcome", "active"]].values.tolist()
    [['Old', 'lost', False]]
    """
    parts = [found]
    for kind, named in in_use.groupby("object"):
        mine = found[found["object"] == kind]
        unknown = named[~named["stage_id"].isin(mine["stage_id"])]
        names = sorted(unknown["stage_id"].unique())
        if names:
            highest = mine["position"].max() if mine["position"].notna().any() else 0
            told = [_told(unknown.loc[unknown["stage_id"] == name, "outcome"]) for name in names]
            parts.append(_made(str(kind), names, told, int(highest)))
    result = pd.concat(parts, ignore_index=True) if len(parts) > 1 else found
    return result if earlier is None else with_deleted(result, earlier)


def _told(outcomes: pd.Series) -> str:
    """Tell what a stage means by the deals in it."""
    known = set(outcomes.dropna())
    return known.pop() if len(known) == 1 else "open"


def _made(kind: str, names: Iterable[str], outcomes: list[str], highest: int) -> pd.DataFrame:
    labels = list(names)
    return _typed(
        {
            "object": [kind] * len(labels),
            "stage_id": labels,
            "label": labels,
            "position": range(highest + 1, highest + 1 + len(labels)),
            "outcome": outcomes,
            "active": [False] * len(labels),
        }
    )


def _made_of_names(stages: pd.DataFrame) -> pd.Series:
    """Tell which stages `with_names` made: a stage of an org states a label, or a probability."""
    is_idle = ~stages["active"].astype("boolean").fillna(value=True).astype("bool")
    return is_idle & stages["label"].eq(stages["stage_id"]) & stages["probability"].isna()


def _deal_stages(raw: pd.DataFrame) -> pd.DataFrame:
    closed = is_true(field(raw, "IsClosed"))
    outcome = closed.map({True: "lost", False: "open"}).astype("str")
    return _typed(
        {
            **_head("deal", raw),
            "outcome": outcome.mask(is_true(field(raw, "IsWon")), "won"),
            "probability": amounts(field(raw, "DefaultProbability")) / 100,
            "active": is_true(field(raw, "IsActive").fillna("true")),
        }
    )


def _lead_stages(raw: pd.DataFrame) -> pd.DataFrame:
    is_lost = field(raw, "MasterLabel").str.contains(LOST, case=False, na=False)
    return _typed(
        {
            **_head("lead", raw),
            "outcome": is_lost.map({True: "lost", False: "open"}).astype("str"),
            "active": [True] * len(raw),
        }
    )


def _head(kind: str, raw: pd.DataFrame) -> dict[str, object]:
    label = field(raw, "MasterLabel")
    return {
        "object": [kind] * len(raw),
        "stage_id": field(raw, "ApiName").fillna(label),
        "label": label,
        "position": column("whole", field(raw, "SortOrder"), "UTC"),
    }


def _typed(columns: Mapping[str, object]) -> pd.DataFrame:
    frame = pd.DataFrame(dict(columns)).reindex(columns=STAGES.names)
    return frame.astype({one.name: DTYPES[one.kind] for one in STAGES.columns})


def _names(stages: pd.DataFrame, kind: str) -> dict[str, str]:
    """Return stages by name; of two with one label the active one that stands first."""
    mine = stages[stages["object"] == kind].sort_values(
        ["active", "position"], ascending=[True, False], kind="stable"
    )
    labels = mine[mine["label"].notna()]
    return {
        **dict(zip(labels["label"], labels["stage_id"], strict=True)),
        **dict(zip(mine["stage_id"], mine["stage_id"], strict=True)),
    }
