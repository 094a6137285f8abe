"""Currencies of an org: amounts into the corporate one, and the rates as `kpi.tables.RATES`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from connectors.errors import ConnectorError
from connectors.salesforce.records.columns import amounts, is_true, plain_days
from connectors.salesforce.records.columns import field as field_of

BEGINNING = pd.Timestamp("1970-01-01")


class Dated(NamedTuple):
    """Rates of one currency: first days in order, and from each on units per corporate unit."""

    starts: npt.NDArray[np.datetime64]
    rates: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Currencies:
    """How amounts become amounts in the reporting currency.

    Attributes
    ----------
    corporate : str or None
        The org's own currency, in which it reports; None in an org with one currency only.
    plain : mapping of str to float
        Units of a currency per unit of the corporate one, as they are now.
    dated : mapping of str to Dated
        The same over time; empty in an org without dated rates.

    Examples
    --------
    >>> types = {"IsoCode": ["USD", "EUR"], "ConversionRate": ["1", "0.8"], "IsCorporate": ["true", "false"]}
    >>> currencies = Currencies.read(pd.DataFrame(types, dtype="str"))
    >>> day = pd.Series(pd.to_datetime(["2026-03-01"]))
    >>> currencies.to_reporting(pd.Series([80.0]), pd.Series(["EUR"]), day).tolist()
    [100.0]
    """

    corporate: str | None = None
    plain: Mapping[str, float] = field(default_factory=dict)
    dated: Mapping[str, Dated] = field(default_factory=dict)

    @classmethod
    def read(cls, types: pd.DataFrame, dated: pd.DataFrame | None = None) -> "Currencies":
        """Read the currencies of an org.

        Parameters
        ----------
        types : DataFrame of text
            CurrencyType: ``IsoCode, ConversionRate, IsCorporate``; no row: there is one currency.
        dated : DataFrame of text, optional
            DatedConversionRate: ``IsoCode, StartDate, ConversionRate``.

        Raises
        ------
        ConnectorError
            If none of several currencies is the corporate one.
        """
        if types.empty:
            return cls()
        corporate = types.loc[is_true(types["IsCorporate"]), "IsoCode"].tolist()
        if not corporate:
            raise ConnectorError(
                "Salesforce: no row of CurrencyType is the corporate currency, so that no amount can "
                "be converted; let this user read CurrencyType"
            )
        rates = amounts(types["ConversionRate"])
        usable = rates > 0
        plain = dict(zip(types.loc[usable, "IsoCode"], rates[usable], strict=True))
        return cls(corporate[0], plain, {} if dated is None else _by_currency(dated))

    def to_reporting(self, amount: pd.Series, code: pd.Series, day: pd.Series) -> pd.Series:
        """Convert amounts.

        A day before the first dated rate takes that one; without a day, or for a currency without
        dated rates, the rate is the one of now.

        Parameters
        ----------
        amount : Series of float
        code : Series of text
            Currency of each.
        day : Series of datetime64
            Whose rate counts.

        Returns
        -------
        Series of float
            Missing where there is no amount, or no rate for it: `lacking` tells.
        """
        return amount if self.corporate is None else amount / self._rates(code, day)

    def lacking(self, code: pd.Series) -> pd.Series:
        """Tell where a currency has no rate; never in an org with one currency."""
        if self.corporate is None:
            return pd.Series(data=False, index=code.index)
        return ~code.isin({*self.plain, *self.dated})

    def _rates(self, code: pd.Series, day: pd.Series) -> pd.Series:
        kind, codes = pd.factorize(code)
        plain = [self.plain.get(one, np.nan) for one in codes]
        rates, dated = np.array([*plain, np.nan])[kind], day.notna().to_numpy(dtype=bool)
        for number, over_time in (
            (n, self.dated[c]) for n, c in enumerate(codes) if c in self.dated
        ):
            mine = (kind == number) & dated
            place = np.searchsorted(over_time.starts, day[mine].to_numpy(), side="right") - 1
            rates[mine] = over_time.rates[np.clip(place, 0, None)]
        return pd.Series(rates, index=code.index)


def rates(types: pd.DataFrame, dated: pd.DataFrame | None = None) -> pd.DataFrame:
    """Shape the exchange rates of an org; the corporate currency is the reporting one, without a row.

    Parameters
    ----------
    types : DataFrame of text
        CurrencyType: ``IsoCode, ConversionRate, IsActive, IsCorporate``; empty: one currency only.
    dated : DataFrame of text, optional
        DatedConversionRate: ``IsoCode, StartDate, ConversionRate``; where it has rows, they count.

    Returns
    -------
    DataFrame
        The columns of `kpi.tables.RATES`: ``rate`` in units of the reporting currency per unit.

    Examples
    --------
    >>> types = {"IsoCode": ["EUR"], "ConversionRate": ["0.8"], "IsActive": ["true"]}
    >>> found = rates(pd.DataFrame({**types, "IsCorporate": ["false"]}, dtype="str"))
    >>> found[["currency", "rate"]].values.tolist()
    [['EUR', 1.25]]
    """
    if types.empty:
        types = pd.DataFrame(columns=["IsoCode", "ConversionRate"], dtype="str")
    home = types.loc[is_true(field_of(types, "IsCorporate")), "IsoCode"]
    if dated is not None and not dated.empty:
        days = plain_days(dated["StartDate"])
        days = days.mask(days < BEGINNING, BEGINNING)
        code, rate = dated["IsoCode"], amounts(dated["ConversionRate"])
    else:
        active = types[is_true(field_of(types, "IsActive"))]
        days = pd.Series(BEGINNING, index=active.index, dtype="datetime64[us]")
        code, rate = active["IsoCode"], amounts(active["ConversionRate"])
    found = pd.DataFrame({"currency": code, "from_date": days, "rate": 1 / rate.where(rate > 0)})
    found = found[~found["currency"].isin(home) & found["rate"].notna()]
    found = found.sort_values(["currency", "from_date"], kind="stable")
    return found.drop_duplicates(["currency", "from_date"], keep="last").reset_index(drop=True)


def _by_currency(dated: pd.DataFrame) -> dict[str, Dated]:
    frame = pd.DataFrame(
        {
            "code": dated["IsoCode"],
            "start": plain_days(dated["StartDate"]),
            "rate": amounts(dated["ConversionRate"]),
        }
    )
    frame = frame[frame["start"].notna() & (frame["rate"] > 0)].sort_values("start", kind="stable")
    return {
        str(code): Dated(rows["start"].to_numpy(), rows["rate"].to_numpy())
        for code, rows in frame.groupby("code")
    }
