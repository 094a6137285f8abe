"""Recurring revenue of the sample company, reckoned again from its CSV files, customer by customer."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import connectors
from kpi.recurring.committed import committed_mrr
from kpi.recurring.customers import customer_churn, customers
from kpi.recurring.lifetime import lifetime_value
from kpi.recurring.movements import mrr_movements
from kpi.recurring.retention import gross_retention, net_retention, upsell_rate
from kpi.recurring.revenue_churn import gross_mrr_churn, net_mrr_churn, quick_ratio
from kpi.recurring.run_rate import arr_run_rate, minimum_mrr, mrr
from kpi.recurring.tenure import retention_curve

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
AS_OF = pd.Timestamp("2026-11-01")
MONTH_ENDS = pd.date_range("2021-12-31", "2026-10-31", freq="ME")


@pytest.fixture(scope="module")
def snap():
    return connectors.open(SAMPLES)


@pytest.fixture(scope="module")
def lines():
    """Every line with who pays, its region, and its MRR in dollars at the rate of its first day."""
    days = ["signed_on", "starts_on", "ends_on", "notice_on"]
    lines = pd.read_csv(SAMPLES / "subscriptions.csv", parse_dates=days)
    rates = pd.read_csv(SAMPLES / "rates.csv", parse_dates=["from_date"])
    accounts = pd.read_csv(SAMPLES / "accounts.csv").set_index("account_id")
    lines = lines[lines["signed_on"].fillna(lines["starts_on"]) <= AS_OF]
    dollars = []
    for line in lines.itertuples():
        rate = 1.0
        if line.currency != "USD":
            of = rates[rates["currency"] == line.currency].sort_values("from_date")
            known = of[of["from_date"] <= line.starts_on]
            rate = (known.iloc[-1] if len(known) else of.iloc[0])["rate"]
        dollars.append(line.mrr * rate)
    payer = accounts["billing_account_id"].reindex(lines["account_id"]).to_numpy()
    return lines.assign(
        mrr=dollars,
        customer=np.where(pd.isna(payer), lines["account_id"], payer),
        region=accounts["region"].reindex(lines["account_id"]).to_numpy(),
    )


def live(lines, day):
    return lines[(lines["starts_on"] <= day) & ~(lines["ends_on"] <= day)]


def paid(lines, day):
    """What each customer pays on a day."""
    return live(lines, day).groupby("customer")["mrr"].sum().to_dict()


@pytest.fixture(scope="module")
def by_month(lines):
    return [paid(lines, day) for day in MONTH_ENDS]


def moves_of(before, now, ever):
    """Five moves from one month end to the next, and the customers that each was of."""
    moves = {name: {} for name in ("new", "expansion", "contraction", "churn", "reactivation")}
    for customer in {*before, *now}:
        change = now.get(customer, 0) - before.get(customer, 0)
        if customer not in before:
            moves["reactivation" if customer in ever else "new"][customer] = change
        elif customer not in now:
            moves["churn"][customer] = -change
        elif abs(change) > 0.005:
            moves["expansion" if change > 0 else "contraction"][customer] = abs(change)
    return moves


@pytest.fixture(scope="module")
def moved(by_month):
    """Moves of every month."""
    ever, found, before = set(), [], {}
    for now in by_month:
        found.append(moves_of(before, now, ever))
        ever |= set(now)
        before = now
    return found


def total(moved, name, months):
    return sum(sum(moved[m][name].values()) for m in months)


YEAR = range(len(MONTH_ENDS) - 12, len(MONTH_ENDS))


def test_stocks_of_the_day(snap, lines):
    """MRR, run rate, customers, the largest, the least, what is committed."""
    now = paid(lines, AS_OF)
    row = mrr(snap).iloc[0]
    amounts = sorted(now.values(), reverse=True)
    assert row["value"] == pytest.approx(sum(amounts))
    assert (row["x"], row["n"]) == (len(live(lines, AS_OF)), len(now))
    assert row["arpa"] == pytest.approx(np.mean(amounts))
    assert row["top5"] == pytest.approx(sum(amounts[:5]) / sum(amounts))
    assert row["largest"] == pytest.approx(amounts[0] / sum(amounts))
    year_ago = sum(paid(lines, pd.Timestamp("2025-11-01")).values())
    assert row["growth"] == pytest.approx(sum(amounts) / year_ago - 1)
    assert arr_run_rate(snap)["value"].item() == pytest.approx(12 * sum(amounts))
    signed = lines[~(lines["ends_on"] <= AS_OF)]["mrr"].sum()
    assert arr_run_rate(snap, contracted=True)["value"].item() == pytest.approx(12 * signed)
    assert customers(snap)["value"].item() == len(now)
    companies = live(lines, AS_OF)["account_id"].nunique()
    assert customers(snap, count="company")["value"].item() == companies > len(now)
    least = minimum_mrr(snap, threshold=500).iloc[0]
    assert least["value"] == pytest.approx(min(amounts))
    assert least["x"] == sum(a < 500 for a in amounts) > 0
    assert least["below_mrr"] == pytest.approx(sum(a for a in amounts if a < 500))


def test_stocks_by_region_and_product(snap, lines):
    """Each region, and each product."""
    here = live(lines, AS_OF)
    for cut in ("region", "product"):
        table = mrr(snap, by=cut).set_index(cut)
        assert table["value"].to_dict() == pytest.approx(here.groupby(cut)["mrr"].sum().to_dict())
        assert table["n"].to_dict() == here.groupby(cut)["customer"].nunique().to_dict()


@pytest.mark.parametrize("day", [AS_OF, pd.Timestamp("2026-09-30"), pd.Timestamp("2025-12-31")])
def test_what_is_committed(snap, lines, day):
    """Line by line, as known on the day."""
    ahead = day + pd.Timedelta(days=90)
    value = sum(paid(lines, day).values())
    coming = lines[
        (lines["signed_on"] <= day) & (lines["starts_on"] > day) & (lines["starts_on"] <= ahead)
    ]
    value += coming["mrr"].sum()
    for line in live(lines, day).itertuples():
        if line.ends_on <= ahead:
            same = (coming["customer"] == line.customer) & (coming["product"] == line.product)
            if line.notice_on <= day or same.any():
                value -= line.mrr
    table = committed_mrr(snap) if day == AS_OF else committed_mrr(snap, every="quarter")
    if day != AS_OF:
        table = table[table["period"] == day.to_period("Q").start_time]
    assert table["value"].item() == pytest.approx(value)


def test_movements_of_every_month(snap, by_month, moved):
    """Five moves, start, end and customers."""
    table = mrr_movements(snap)
    assert table["period"].tolist() == [day.replace(day=1) for day in MONTH_ENDS]
    for name in ("new", "expansion", "contraction", "churn", "reactivation"):
        hand = [sum(month[name].values()) for month in moved]
        assert table[name].tolist() == pytest.approx(hand, abs=1e-5), name
    ends = [sum(now.values()) for now in by_month]
    assert table["end"].tolist() == pytest.approx(ends)
    assert table["x"].tolist() == [len(now) for now in by_month]


def test_ratios_of_the_last_twelve_months(snap, by_month, moved):
    """Churn of money and the quick ratio."""
    start = sum(by_month[YEAR[0] - 1].values())
    sums = {name: total(moved, name, YEAR) for name in moved[0]}
    lost = sums["contraction"] + sums["churn"]
    assert gross_mrr_churn(snap)["value"].item() == pytest.approx(lost / start)
    back = sums["expansion"] + sums["reactivation"]
    assert net_mrr_churn(snap)["value"].item() == pytest.approx((lost - back) / start)
    gained = sums["new"] + sums["expansion"]
    row = quick_ratio(snap).iloc[0]
    assert row["value"] == pytest.approx(gained / lost)
    losers = {c for m in YEAR for name in ("contraction", "churn") for c in moved[m][name]}
    winners = {c for m in YEAR for name in ("new", "expansion") for c in moved[m][name]}
    assert (row["x"], row["n"]) == (len(winners), len(losers))
    assert gross_mrr_churn(snap)["x"].item() == len(losers)


def test_retention_and_upsell_of_the_last_twelve_months(snap, by_month, moved):
    """Customer by customer of those there a year before."""
    start, end = by_month[YEAR[0] - 1], by_month[-1]
    gone = {customer for month in YEAR for customer in moved[month]["churn"]}
    kept = {c: end[c] for c in start if c in end and c not in gone}
    base = sum(start.values())
    gross, net = gross_retention(snap).iloc[0], net_retention(snap).iloc[0]
    assert gross["value"] == pytest.approx(sum(min(start[c], kept[c]) for c in kept) / base)
    assert net["value"] == pytest.approx(sum(kept.values()) / base)
    again = sum(end.get(c, 0) for c in start) / base
    assert net_retention(snap, reactivation=True)["value"].item() == pytest.approx(again)
    assert (net["x"], net["n"]) == (len(kept), len(start))
    more = {c for month in YEAR for c in moved[month]["expansion"] if c in start}
    upsell = upsell_rate(snap).iloc[0]
    assert (upsell["x"], upsell["n"]) == (len(more), len(start))
    added = sum(moved[m]["expansion"].get(c, 0) for m in YEAR for c in more)
    assert upsell["added"] == pytest.approx(added)


def test_customer_churn_in_its_three_ways(snap, lines, by_month):
    """Of the start, with joiners, and day by day."""
    start, end = set(by_month[YEAR[0] - 1]), set(by_month[-1])
    row = customer_churn(snap).iloc[0]
    assert (row["x"], row["n"]) == (len(start - end), len(start))
    before, ever, rate = start, set(start), 0.0
    for day in pd.date_range("2025-11-01", "2026-10-31"):
        now = set(paid(lines, day))
        rate += len(before - now) / len(before)
        ever |= now
        before = now
    assert customer_churn(snap, basis="joiners")["x"].item() == len(ever - end)
    assert customer_churn(snap, basis="daily")["value"].item() == pytest.approx(rate)


def times(by_month):
    """First month, month without (or None) of each customer's time."""
    found, ongoing = [], {}
    for month, now in enumerate(by_month):
        found += [(ongoing.pop(c), month) for c in list(ongoing) if c not in now]
        for customer in now:
            ongoing.setdefault(customer, month)
    return found + [(start, None) for start in ongoing.values()]


def share_by_age(lived, last):
    """Kaplan-Meier in its most naive form: survival, at risk by age."""
    shares, there, share = [], [], 1.0
    for age in range(last + 1):
        risk = sum((end if end is not None else last) - start >= age for start, end in lived)
        lost = sum(end is not None and end - start == age for start, end in lived)
        if risk == 0:
            break
        share *= 1 - lost / risk
        shares.append(share)
        there.append(risk)
    return shares, there


def test_the_retention_curve(snap, by_month):
    """Share still there and number at risk by month since the beginning."""
    shares, there = share_by_age(times(by_month), len(by_month) - 1)
    table = retention_curve(snap)
    assert table["value"].tolist() == pytest.approx(shares)
    assert table["n"].tolist() == there


def test_lifetime_value(snap, lines, by_month):
    """ARPA x margin of won deals x months within 60; beside it ARPA / churn."""
    last = len(by_month) - 1
    lived = times(by_month)
    shares, there = share_by_age(lived, last)
    tau = max(age for age, risk in enumerate(there) if risk >= 10)
    lost = sum(end is not None for _, end in lived)
    churn = lost / sum(there[1:])
    months = sum(
        shares[t] if t <= tau else shares[tau] * (1 - churn) ** (t - tau) for t in range(60)
    )
    deals = pd.read_csv(SAMPLES / "deals.csv")
    won = deals[(deals["outcome"] == "won") & deals["amount"].gt(0) & deals["margin"].notna()]
    margin = won["margin"].sum() / won["amount"].sum()
    arpa = np.mean(list(paid(lines, AS_OF).values()))
    row = lifetime_value(snap).iloc[0]
    assert row["months"] == pytest.approx(months)
    assert row["margin"] == pytest.approx(margin)
    assert row["value"] == pytest.approx(arpa * margin * months)
    assert (row["x"], row["n"]) == (lost, len(lived))
    start, end = set(by_month[YEAR[0] - 1]), set(by_month[-1])
    monthly = 1 - (1 - len(start - end) / len(start)) ** (1 / 12)
    assert row["simple"] == pytest.approx(arpa / monthly)
    assert row["low"] < row["value"] < row["high"]
