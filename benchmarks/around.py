"""What a made-up company has around its funnel: sellers, quotas, costs, meetings, outbound contacts."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Ints = NDArray[np.int64]
DAY = 86_400
CATEGORIES = {"labour": 60.0, "commissions": 20.0, "advertising": 35.0, "tools": 5.0}
"""Cost of each kind a month, by 1,000 leads of it."""
OUTCOMES, OUTCOME_SHARES = ["held", "no_show", "cancelled", "scheduled"], [0.78, 0.1, 0.1, 0.02]
ROWS_PER_SELLER = 25_000


def sellers(rows: int) -> pd.DataFrame:
    """Sellers, one for every 25,000 rows of history: the largest companies have more of them.

    >>> len(sellers(1_000_000))
    40
    """
    n = max(rows // ROWS_PER_SELLER, 4)
    number = np.arange(n)
    return pd.DataFrame(
        {
            "owner_id": ids("O", number),
            "name": ids("Seller ", number),
            "team": ids("Team ", number % max(n // 8, 1)),
            "active": True,
            "starts_on": pd.Timestamp("2020-06-01"),
            "annual_ote": 90_000.0 + 5_000.0 * (number % 9),
        }
    )


def quotas(owners: pd.DataFrame, first: str, last: str) -> pd.DataFrame:
    """One quota a month for every seller: a tenth of the annual earnings on target."""
    months = pd.DataFrame({"period_start": pd.date_range(first, last, freq="MS")})
    each = owners[["owner_id", "annual_ote"]].merge(months, how="cross")
    each["amount"] = (each.pop("annual_ote") / 10).round(2)
    return each.assign(period="month", deal_type="new")


def costs(draw: np.random.Generator, leads: int, first: str, last: str) -> pd.DataFrame:
    """Costs of sales and marketing, month by month and kind by kind, in proportion to the leads."""
    months = pd.DataFrame({"month": pd.date_range(first, last, freq="MS")})
    kinds = pd.DataFrame({"category": list(CATEGORIES), "each": list(CATEGORIES.values())})
    table = months.merge(kinds, how="cross")
    around = draw.uniform(0.85, 1.15, len(table))
    table["amount"] = (table.pop("each") * leads / len(months) * around).round(2)
    return table


def meetings(draw: np.random.Generator, leads: pd.DataFrame, share: float) -> pd.DataFrame:
    """Meetings with a share of the leads, booked within weeks of their coming in."""
    about = leads[draw.random(len(leads)) < share].reset_index(drop=True)
    n = len(about)
    came = about["created_at"].astype("datetime64[s, UTC]").astype("int64").to_numpy()
    booked = came + draw.exponential(4 * DAY, n).astype("int64")
    starts = booked + draw.exponential(6 * DAY, n).astype("int64")
    return pd.DataFrame(
        {
            "meeting_id": ids("M", np.arange(n)),
            "booked_at": moment(booked),
            "starts_at": moment(starts),
            "outcome": draw.choice(OUTCOMES, n, p=OUTCOME_SHARES),
            "owner_id": about["owner_id"],
            "account_id": about["account_id"],
            "lead_id": about["lead_id"],
        }
    )


def suspects(
    draw: np.random.Generator, n: int, owners: pd.DataFrame, first: int, end: int
) -> pd.DataFrame:
    """Outbound contacts targeted, evenly over the years (UTC seconds `first` to `end`)."""
    return pd.DataFrame(
        {
            "suspect_id": ids("X", np.arange(n)),
            "added_at": moment(draw.integers(first, end, n)),
            "owner_id": draw.choice(owners["owner_id"].to_numpy(), n),
        }
    )


def agreed(
    draw: np.random.Generator, lines: pd.DataFrame, as_of: np.datetime64
) -> dict[str, pd.Series]:
    """Days of signature and of notice of recurring lines; some are signed and not yet in service."""
    n = len(lines)
    starts = lines["starts_on"] + _days(np.where(draw.random(n) < 0.004, 2_000, 0))
    late = starts.to_numpy() > as_of  # these start in the weeks after the date, signed before it
    soon = pd.Series(as_of + draw.integers(1, 60, n).astype("timedelta64[D]"))
    starts = starts.where(~late, soon.astype(starts.dtype))
    signed = starts - _days(draw.integers(0, 40, n))
    signed = signed.where(~late, starts - _days(draw.integers(60, 90, n)))
    leaving = lines["ends_on"].isna() & (draw.random(n) < 0.02) & ~late
    coming = pd.Series(as_of + draw.integers(1, 120, n).astype("timedelta64[D]"))
    ends = lines["ends_on"].where(~leaving & ~late, coming.astype(lines["ends_on"].dtype))
    ends = ends.where(~late)
    notice = ends - _days(np.where(leaving, 120, draw.integers(0, 90, n)))
    notice = notice.where(notice > starts, ends)
    return {"starts_on": starts, "signed_on": signed, "ends_on": ends, "notice_on": notice}


def ids(letter: str, numbers: Ints) -> NDArray[np.object_]:
    """Ids of one width, such as ``D0000042``."""
    return (letter + pd.Series(numbers).astype("str").str.zfill(7)).to_numpy(dtype=object)


def moment(seconds: Ints) -> pd.DatetimeIndex:
    """UTC seconds as moments."""
    return pd.to_datetime(seconds, unit="s", utc=True)


def _days(numbers: Ints) -> "pd.Series":
    return pd.Series(pd.to_timedelta(numbers, unit="D"))
