"""Amounts in one currency: at the closing day's rate for closed deals, at the as-of date for open.

A subscription keeps the rate of its first day, so that a moving exchange rate never looks like
expansion or contraction. A cost takes its month's rate, a quota that of its period.
"""

import narwhals as nw
import pandas as pd

from kpi.definitions import Definitions
from kpi.engine import Engine, collect
from kpi.known import Frames
from kpi.tables import TableError

# table -> (day whose rate holds, columns of money)
MONEY: dict[str, tuple[str, tuple[str, ...]]] = {
    "deals": ("closed_day", ("amount", "mrr", "margin")),
    "subscriptions": ("starts_on_day", ("mrr",)),
    "costs": ("month_day", ("amount",)),
    "quotas": ("period_start_day", ("amount",)),
}


def in_reporting_currency(
    frames: Frames, engine: Engine, definitions: Definitions, as_of_day: int
) -> Frames:
    """Convert what is in another currency; deals with ``amount_original`` are converted already.

    Raises
    ------
    TableError
        If a currency has no exchange rate: sums across currencies would be wrong.
    """
    home = definitions.reporting_currency
    converted = dict(frames)
    for table, (day, columns) in MONEY.items():
        frame = frames[table]
        foreign = ~nw.col("currency").is_null() & (nw.col("currency") != home)
        if table == "deals":
            foreign = foreign & nw.col("amount_original").is_null()
        holds_any = ~nw.col(columns[0]).is_null()
        for column in columns[1:]:
            holds_any = holds_any | ~nw.col(column).is_null()
        foreign = foreign & holds_any  # without an amount there is nothing to convert
        seen = collect(frame.filter(foreign).select("currency").unique())["currency"].tolist()
        if not seen:
            continue
        periods = _periods(frames["rates"], engine, seen, table, home)
        numbered = frame.with_columns(
            rate_day=nw.coalesce(nw.col(day), nw.lit(as_of_day)), foreign=foreign
        )
        joined = numbered.join(periods, on="currency", how="left").filter(
            nw.col("from_day").is_null()
            | ~nw.col("foreign") & (nw.col("first"))
            | nw.col("foreign")
            & (nw.col("from_day") <= nw.col("rate_day"))
            & (nw.col("rate_day") < nw.col("to_day"))
        )
        factor = nw.when(nw.col("foreign")).then(nw.col("rate")).otherwise(nw.lit(1.0))
        joined = joined.with_columns(
            *[(nw.col(column) * factor).alias(column) for column in columns],
            **({"amount_original": _original()} if table == "deals" else {"currency": _now(home)}),
        )
        dropped = ["rate_day", "foreign", "from_day", "to_day", "rate", "first"]
        converted[table] = engine.store(joined.drop(dropped))
    return converted


def _now(home: str) -> nw.Expr:
    """Currency of amounts once converted."""
    return nw.when(nw.col("foreign")).then(nw.lit(home)).otherwise(nw.col("currency"))


def _original() -> nw.Expr:
    kept = nw.when(nw.col("foreign")).then(nw.col("amount")).otherwise(nw.col("amount_original"))
    return kept.alias("amount_original")


def _periods(
    rates: nw.LazyFrame, engine: Engine, seen: list[str], table: str, home: str
) -> nw.LazyFrame:
    """Each rate with the days it holds: the first also before its day, the last from there on."""
    known = collect(rates.select("currency", from_day=nw.col("from_date_day"), rate=nw.col("rate")))
    lacking = sorted(set(seen) - set(known["currency"]))
    if lacking:
        raise TableError(
            f"{table} holds amounts in {lacking} and the reporting currency is {home}: add their "
            "exchange rates as table rates (currency, from_date, rate), or set reporting_currency"
        )
    known = known.sort_values(["currency", "from_day"], ignore_index=True)
    first = ~known.duplicated("currency")
    following = known.groupby("currency")["from_day"].shift(-1)
    known["to_day"] = following.fillna(2**31).astype("int64")
    known["from_day"] = known["from_day"].mask(first, -(2**31)).astype("int64")
    known["first"] = first
    return engine.frame(pd.DataFrame(known))
