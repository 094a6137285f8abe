"""Quota attainment again on the sample company, in plain Python from its CSV files."""

from pathlib import Path

import pandas as pd
import pytest

import connectors
from kpi.quota.attainment import quota_attainment

SAMPLES = Path(__file__).parents[2] / "data" / "samples"


@pytest.fixture(scope="module")
def snap():
    """Make the snapshot of the sample company."""
    return connectors.open(SAMPLES)


@pytest.fixture(scope="module")
def credited():
    """New won deals with the seller who owned each when it was won, change by change."""
    deals = pd.read_csv(SAMPLES / "deals.csv")
    deals = deals[(deals["outcome"] == "won") & (deals["deal_type"].fillna("new") == "new")]
    history = pd.read_csv(SAMPLES / "history.csv")
    history = history[(history["object"] == "deal") & history["owner_id"].notna()]
    history = history.sort_values("changed_at", kind="stable")
    rows = []
    for deal in deals.itertuples():
        owner = deal.owner_id
        for change in history[history["record_id"] == deal.deal_id].itertuples():
            if change.changed_at <= deal.closed_at:
                owner = change.owner_id
        rows.append((owner, deal.closed_at[:7], deal.amount))
    return pd.DataFrame(rows, columns=["owner", "month", "amount"])


@pytest.fixture(scope="module")
def quotas():
    """Monthly quotas with the month as text."""
    frame = pd.read_csv(SAMPLES / "quotas.csv").rename(columns={"owner_id": "owner"})
    return frame.assign(month=frame["period_start"].str[:7])


def sums(credited, quotas, months, keys):
    """Sum won and quota by keys over the months, only where a seller has a quota."""
    asked = quotas[quotas["month"].isin(months)]
    met = asked.merge(
        credited.groupby(["owner", "month"])["amount"].sum().rename("won"),
        how="left",
        on=["owner", "month"],
    )
    return (
        met.fillna({"won": 0}).groupby(keys)[["won", "amount"]].sum()
        if keys
        else met[["won", "amount"]].sum()
    )


def ended(quotas):
    """List the months that had ended on the as-of date."""
    return sorted(month for month in set(quotas["month"]) if month < "2026-11")


def test_each_seller(snap, credited, quotas):
    """Over all months that had ended."""
    hand = sums(credited, quotas, ended(quotas), "owner")
    table = quota_attainment(snap, by="owner").set_index("owner")
    assert table["won"].to_dict() == pytest.approx(hand["won"].to_dict())
    assert table["quota"].to_dict() == pytest.approx(hand["amount"].to_dict())
    assert table["value"].to_dict() == pytest.approx((hand["won"] / hand["amount"]).to_dict())


def test_the_whole_company_by_month(snap, credited, quotas):
    """Sum over sum, and how many sellers met theirs."""
    table = quota_attainment(snap, every="month")
    for row in table.itertuples():
        month = row.period.strftime("%Y-%m")
        hand = sums(credited, quotas, [month], "owner")
        assert row.value == pytest.approx(hand["won"].sum() / hand["amount"].sum())
        assert row.at_quota == (hand["won"] >= hand["amount"]).sum()
        assert row.sellers == len(hand)


def test_teams_by_quarter(snap, credited, quotas):
    """Team from the owners' file."""
    team = pd.read_csv(SAMPLES / "owners.csv").set_index("owner_id")["team"]
    table = quota_attainment(snap, by="team", every="quarter").set_index(["team", "period"])
    months = [str(m) for m in pd.period_range("2026-07", "2026-09", freq="M")]
    hand = sums(credited, quotas.assign(team=quotas["owner"].map(team)), months, "team")
    for name, row in hand.iterrows():
        value = table.loc[(name, pd.Timestamp("2026-07-01")), "value"]
        assert value == pytest.approx(row["won"] / row["amount"])


def test_ramp(snap, credited, quotas):
    """Callum Vexley began on 2 March 2026 with four months of ramp: an eighth, three eighths, ..."""
    row = quota_attainment(snap, by="owner", ramp=True).set_index("owner").loc["O-6"]
    own = quotas[(quotas["owner"] == "O-6") & quotas["month"].isin(ended(quotas))]
    share = {"2026-03": 1 / 8, "2026-04": 3 / 8, "2026-05": 5 / 8, "2026-06": 7 / 8}
    asked = (own["amount"] * own["month"].map(share).fillna(1.0)).sum()
    assert row["quota"] == pytest.approx(asked)
    mine = credited[(credited["owner"] == "O-6") & credited["month"].isin(own["month"])]
    assert row["value"] == pytest.approx(mine["amount"].sum() / asked)
